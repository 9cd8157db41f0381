"""Plots of weights, scores and point values (extra ``plot``: matplotlib)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._columns import Columns
from drgdip.errors import DrgdipError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["plot_ratios", "plot_weights"]


def _axes(axes: Any) -> Any:
    if axes is not None:
        return axes
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DrgdipError("plots need matplotlib, which is not installed: pip install 'drgdip[plot]'") from error
    # A figure of its own: nothing global is touched, and it can be saved without a screen.
    return Figure(layout="constrained").subplots()


def plot_weights(before: Any, after: Any, *, group: str = "group", weight: str = "weight", axes: Any = None) -> Any:
    """Plot the weights of one table against those of another, a point a group.

    Parameters
    ----------
    before, after
        Tables with the group and its weight, such as those of two years, or before and after a change.
    group, weight
        The columns of the group and of the weight.
    axes
        The matplotlib axes to draw on; None makes a figure of its own.

    Returns
    -------
    The axes; ``axes.figure.savefig("weights.png")`` writes the picture. Groups without a weight in one of the
    tables are counted in the title.
    """
    axes = _axes(axes)
    first = Columns(before, [group, weight], what="the first weights")
    second = Columns(after, [group, weight], what="the second weights")
    x = first.numbers(weight)
    y = np.append(second.numbers(weight), np.nan)[first.match([group], second)]
    both = ~(np.isnan(x) | np.isnan(y)) & (x > 0) & (y > 0)
    axes.loglog(x[both], y[both], ".", alpha=0.5)
    if both.any():
        ends = [min(x[both].min(), y[both].min()), max(x[both].max(), y[both].max())]
        axes.loglog(ends, ends, color="grey", linewidth=0.8)
    axes.set_xlabel("weight before")
    axes.set_ylabel("weight after")
    axes.set_title(f"{both.sum()} groups, {len(x) - both.sum()} without a weight in both")
    return axes


def plot_ratios(
    cases: Any,
    *,
    ratio: str = "cost_ratio",
    edges: Sequence[float] = (),
    highest: float = 6.0,
    axes: Any = None,
) -> Any:
    """Plot how many cases have which cost ratio, with the edges of an outlier policy.

    Parameters
    ----------
    cases
        A table with cost ratios, such as that of `classify_outliers`.
    ratio
        Their column.
    edges
        Cost ratios to mark.
    highest
        Ratios above are counted in the last bar.
    axes
        The matplotlib axes to draw on; None makes a figure of its own.

    Returns
    -------
    The axes.
    """
    axes = _axes(axes)
    values = Columns(cases, [ratio]).numbers(ratio)
    known = values[~np.isnan(values)]
    axes.hist(np.minimum(known, highest), bins=60, range=(0.0, highest))
    for edge in edges:
        axes.axvline(edge, color="grey", linewidth=0.8)
    axes.set_xlabel("cost ratio")
    axes.set_ylabel("cases")
    axes.set_title(f"{len(known)} cases, {len(values) - len(known)} without a ratio")
    return axes
