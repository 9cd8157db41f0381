"""Pictures with a mark a row, of hospitals, departments or groups: quadrants and bubbles (extra ``plot``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._plots import BLUE, COLOURS, GREY, NOTE_SIZE, VERMILION, add_legend, finish_axes, make_axes
from drgdip.monitor.pictured import Pictured, labels_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from drgdip._columns import Floats

__all__ = ["plot_bubbles", "plot_quadrants"]

#: The area of the largest mark and the least of any, in square points.
_LARGEST, _LEAST = 700.0, 14.0
#: Numbers that are so many times apart stand on a logarithmic axis.
_WIDE = 30.0


@reads_once
def plot_quadrants(
    table: Any,
    *,
    x: str = "cmi",
    y: str = "cost_index",
    area: str | None = "discharges",
    label: str | Sequence[str] = "hospital",
    centre: tuple[float | None, float | None] = (None, None),
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot one indicator against another, in four quadrants: CMI against the cost index (象限图).

    Parameters
    ----------
    table
        A row a hospital, department or doctor, as `indicators` returns it.
    x, y
        The columns of the two indicators.
    area
        The column that the areas of the marks stand for. None, or a column that is not there, gives equal marks.
    label
        The column that names a row, or several.
    centre
        Where the quadrants meet. None takes the column ``{x}_reference`` (of `indicators` with ``reference=``), else 1
        of an index. A CMI of 1 is the region's mean where the weights were made so.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own.

    Returns
    -------
    The matplotlib figure, which a notebook shows; ``figure.savefig("quadrants.png")`` writes it. Its notes name the
    rows without a value, and count the discharges in no group. A label without room is left out.

    Raises
    ------
    CaseError
        Nothing says where the quadrants meet.
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"hospital": "H1", "cmi": 1.2, "cost_index": 0.9}, {"hospital": "H2", "cmi": 0.8, "cost_index": 1.1}]
    >>> plot_quadrants(rows).axes[0].get_xlabel()
    'case-mix index'
    """
    data = Pictured(table, [x, y], label=label, language=language, columns=columns)
    middle = data.centre(x, centre[0]), data.centre(y, centre[1])
    axes = make_axes(axes)
    across, up, names = data.numbers(x), data.numbers(y), data.names
    drawn = ~(np.isnan(across) | np.isnan(up)) & data.named
    sized = area is not None and area in data.columns
    areas = _areas(data.numbers(str(area)) if sized else np.full(data.rows, np.nan))
    corners = [  # each with its colour, and where its name stands
        (True, False, COLOURS[0], (0.99, 0.01)),
        (True, True, COLOURS[3], (0.99, 0.99)),
        (False, False, COLOURS[2], (0.01, 0.01)),
        (False, True, COLOURS[4], (0.01, 0.99)),
    ]
    for right, above, colour, (left, low) in corners:
        here = drawn & ((across >= middle[0]) == right) & ((up >= middle[1]) == above)
        axes.scatter(
            across[here], up[here], s=areas[here], color=colour, alpha=0.65, linewidths=0.6, edgecolors="white"
        )
        words = [
            data.say("high" if high else "low", name=data.heading(name, unit=False).partition(" (")[0])
            for name, high in ((x, right), (y, above))
        ]
        axes.text(
            left,
            low,
            "\n".join(words),
            transform=axes.transAxes,
            ha="right" if left > 0.5 else "left",
            va="top" if low > 0.5 else "bottom",
            fontsize=NOTE_SIZE,
            color=colour,
        )
    axes.axvline(middle[0], color=GREY, linewidth=0.8)
    axes.axhline(middle[1], color=GREY, linewidth=0.8)
    axes.margins(0.12)
    data.set_axis(axes.xaxis, x)
    data.set_axis(axes.yaxis, y)
    notes = data.notes(drawn)
    if sized:
        notes.append(data.say("area", name=data.heading(str(area))))
    title = data.say("quadrants", x=data.heading(x, unit=False), y=data.heading(y, unit=False))
    return finish_axes(axes, title=title, notes=notes, labels=labels_of(across, up, areas, names, drawn))


@reads_once
def plot_bubbles(
    table: Any,
    *,
    x: str = "discharges",
    y: str = "cmi",
    result: str = "profit",
    label: str | Sequence[str] = "group",
    named: int = 15,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot groups by volume and weight, with their result as the area: large gains and losses stand out (气泡图).

    Parameters
    ----------
    table
        A row a group, as `indicators` returns it with ``by="group"``; the CMI of a group is its weight.
    x, y
        The columns of volume and weight. Numbers that are far apart stand on a logarithmic axis.
    result
        The column of gain and loss. The area of a bubble is its amount; blue is at least 0, vermilion is below, and a
        group without a result is a grey ring.
    label
        The column that names a row, or several.
    named
        So many of the largest bubbles are named.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own.

    Returns
    -------
    The matplotlib figure, which a notebook shows. Its notes name the rows without a volume or weight.

    Raises
    ------
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"group": "BR23", "discharges": 40, "cmi": 0.9, "profit": -3200.0}]
    >>> plot_bubbles(rows).axes[0].get_ylabel()
    'weight'
    """
    data = Pictured(table, [x, y, result], label=label, language=language, columns=columns)
    axes = make_axes(axes)
    across, up, results, names = data.numbers(x), data.numbers(y), data.numbers(result), data.names
    drawn = (across > 0) & (up > 0) & data.named
    areas = _areas(np.abs(results))
    word = data.heading(result, unit=False)
    for chosen, colour, text in (
        (drawn & (results >= 0), BLUE, "gain"),
        (drawn & (results < 0), VERMILION, "loss"),
        (drawn & np.isnan(results), GREY, "unknown_result"),
    ):
        if chosen.any():
            shown = np.flatnonzero(chosen)
            shown = shown[np.argsort(-areas[shown], kind="stable")]  # the small ones lie on top
            faces = "none" if text == "unknown_result" else colour
            axes.scatter(
                across[shown],
                up[shown],
                s=areas[shown],
                c=faces,
                edgecolors=colour,
                alpha=0.6,
                label=data.say(text, name=word),
            )
    for side, name, values in (("x", x, across[drawn]), ("y", y, up[drawn])):
        axis = getattr(axes, f"{side}axis")
        far = len(values) and values.max() > _WIDE * values.min()
        axes.set(**{f"{side}scale": "log" if far else "linear"})
        data.set_axis(axis, name)
        if far:
            axis.set_major_formatter("{x:,g}")
    if y == "cmi":
        axes.set_ylabel(data.say("group_weight"))
    axes.margins(0.08)
    add_legend(axes)
    largest = np.argsort(-np.nan_to_num(np.abs(results)), kind="stable")[:named]
    chosen = np.zeros(data.rows, bool)
    chosen[largest] = True
    title = data.say("bubbles", x=data.heading(x, unit=False), y=axes.get_ylabel())
    notes = [*data.notes(drawn), data.say("area", name=data.heading(result))]
    return finish_axes(axes, title=title, notes=notes, labels=labels_of(across, up, areas, names, drawn & chosen))


def _areas(values: Floats) -> Floats:
    """Return the areas of marks, in proportion to values; equal ones where none is known."""
    known = values[~np.isnan(values)]
    if not len(known) or known.max() <= 0:
        return np.full(len(values), 40.0)
    areas: Floats = np.maximum(np.nan_to_num(values) / known.max() * _LARGEST, _LEAST)
    return areas
