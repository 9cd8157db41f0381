"""Plots of weights, scores and point values (extra ``plot``: matplotlib)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._columns import Columns
from drgdip.errors import DrgdipError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["plot_ratios", "plot_weights"]


def _axes(axes: Any) -> Any:
    """Return the axes given, or those of a figure of its own, which a notebook shows."""
    if axes is not None:
        return axes
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DrgdipError("plots need matplotlib, which is not installed: pip install 'drgdip[plot]'") from error

    # A figure without pyplot touches nothing global and needs no screen. A notebook shows it by this method alone.
    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            content = io.BytesIO()
            self.savefig(content, format="png")
            return content.getvalue()

    return Picture(layout="constrained").subplots()


@reads_once
def plot_weights(before: Any, after: Any, *, columns: Mapping[str, str] | None = None, axes: Any = None) -> Any:
    """Plot the weights of one table against those of another, a point a group.

    Parameters
    ----------
    before, after
        Tables with ``group`` and ``weight``, such as those of two years, or before and after a change.
    columns
        The names of columns in both tables by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own.

    Returns
    -------
    The matplotlib figure, which a notebook shows; ``figure.savefig("weights.png")`` writes it. The title counts the
    groups without a weight in one of the tables.

    Raises
    ------
    DrgdipError
        matplotlib is not installed.
    """
    axes = _axes(axes)
    first = Columns(before, ["group", "weight"], what="the first weights", columns=columns or {})
    second = Columns(after, ["group", "weight"], what="the second weights", columns=columns or {})
    x = first.numbers("weight")
    y = np.append(second.numbers("weight"), np.nan)[first.match(["group"], second)]
    both = ~(np.isnan(x) | np.isnan(y)) & (x > 0) & (y > 0)
    axes.loglog(x[both], y[both], ".", alpha=0.5)
    if both.any():
        ends = [min(x[both].min(), y[both].min()), max(x[both].max(), y[both].max())]
        axes.loglog(ends, ends, color="grey", linewidth=0.8)
    axes.set_xlabel("weight before")
    axes.set_ylabel("weight after")
    axes.set_title(f"{both.sum()} groups, {len(x) - both.sum()} without a weight in both")
    return axes.get_figure()


@reads_once
def plot_ratios(
    cases: Any,
    *,
    edges: Sequence[float] = (),
    highest: float = 6.0,
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Any:
    """Plot the number of cases by their cost ratio, with the edges of an outlier policy.

    Parameters
    ----------
    cases
        A table with ``cost_ratio``, such as that of `classify_outliers`.
    edges
        Cost ratios to mark.
    highest
        Ratios above are counted in the last bar.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own.

    Returns
    -------
    The matplotlib figure, which a notebook shows.

    Raises
    ------
    DrgdipError
        matplotlib is not installed.
    """
    axes = _axes(axes)
    values = Columns(cases, ["cost_ratio"], columns=columns or {}).numbers("cost_ratio")
    known = values[~np.isnan(values)]
    axes.hist(np.minimum(known, highest), bins=60, range=(0.0, highest))
    for edge in edges:
        axes.axvline(edge, color="grey", linewidth=0.8)
    axes.set_xlabel("cost ratio")
    axes.set_ylabel("cases")
    axes.set_title(f"{len(known)} cases, {len(values) - len(known)} without a ratio")
    return axes.get_figure()
