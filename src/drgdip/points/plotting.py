"""Plots of weights, scores and point values (extra ``plot``: matplotlib)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._columns import Columns
from drgdip._plots import finish_axes, make_axes, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

__all__ = ["plot_ratios", "plot_weights"]


@reads_once
def plot_weights(
    before: Any,
    after: Any,
    *,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot the weights of one table against those of another, a point a group.

    Parameters
    ----------
    before, after
        Tables with ``group`` and ``weight``, such as those of two years, or before and after a change.
    language
        The language of the words, ``en`` or ``zh``.
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
    UnknownNameError
        The language is none of the two.
    """
    axes = make_axes(axes)
    first = Columns(before, ["group", "weight"], what="the first weights", columns=columns or {})
    second = Columns(after, ["group", "weight"], what="the second weights", columns=columns or {})
    x = first.numbers("weight")
    y = np.append(second.numbers("weight"), np.nan)[first.match(["group"], second)]
    both = ~(np.isnan(x) | np.isnan(y)) & (x > 0) & (y > 0)
    axes.loglog(x[both], y[both], ".", alpha=0.5)
    if both.any():
        ends = [min(x[both].min(), y[both].min()), max(x[both].max(), y[both].max())]
        axes.loglog(ends, ends, color="grey", linewidth=0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_xlabel(say("weight_before", language))
    axes.set_ylabel(say("weight_after", language))
    return finish_axes(axes, title=say("weights", language, drawn=both.sum(), left=len(x) - both.sum()))


@reads_once
def plot_ratios(
    cases: Any,
    *,
    edges: Sequence[float] = (),
    highest: float = 6.0,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot the number of cases by their cost ratio, with the edges of an outlier policy.

    Parameters
    ----------
    cases
        A table with ``cost_ratio``, such as that of `classify_outliers`.
    edges
        Cost ratios to mark.
    highest
        Ratios above are counted in the last bar.
    language
        The language of the words, ``en`` or ``zh``.
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
    UnknownNameError
        The language is none of the two.
    """
    axes = make_axes(axes)
    values = Columns(cases, ["cost_ratio"], columns=columns or {}).numbers("cost_ratio")
    known = values[~np.isnan(values)]
    axes.hist(np.minimum(known, highest), bins=60, range=(0.0, highest))
    for edge in edges:
        axes.axvline(edge, color="grey", linewidth=0.8)
    axes.set_xlabel(say("cost_ratio", language))
    axes.set_ylabel(say("cases", language))
    return finish_axes(axes, title=say("ratios", language, drawn=len(known), left=len(values) - len(known)))
