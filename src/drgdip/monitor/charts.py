"""Pictures of sums and of two keys: Pareto chart, flows, heat map (extra ``plot``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._plots import BLUE, COLOURS, GREY, NOTE_SIZE, VERMILION, finish_axes, make_axes
from drgdip._sankey import Flow, places_of, totals_of
from drgdip.errors import CaseError
from drgdip.monitor.headings import unit_of
from drgdip.monitor.pictured import Pictured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from drgdip._columns import Floats

__all__ = ["plot_flows", "plot_heat_map", "plot_pareto"]

#: The height of all flows together, and the least room of a name, in the units of the picture.
_HEIGHT, _ROOM, _GAP = 100.0, 4.2, 1.2
#: A cell of a heat map has its number where there are no more columns than this.
_WRITTEN = 30


@reads_once
def plot_pareto(
    table: Any,
    *,
    value: str = "total_cost",
    label: str | Sequence[str] = "group",
    top: int = 20,
    losses: bool = False,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot the rows with the largest numbers as bars, with their cumulative share of all (帕累托图).

    Parameters
    ----------
    table
        A row a group, department or hospital, as `indicators` returns it.
    value
        A column that adds up, such as cost, discharges or profit.
    label
        The column that names a row, or several.
    top
        So many bars are drawn; a note sums up the others.
    losses
        Whether the numbers below 0 are drawn, as amounts, in place of those above.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own.

    Returns
    -------
    The matplotlib figure, which a notebook shows. The shares are of all numbers on that side of 0, drawn or
    not; the notes sum up the other side, and name the rows without a number.

    Raises
    ------
    CaseError
        ``top`` is below 1.
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"group": group, "total_cost": cost} for group, cost in (("A", 300.0), ("B", 100.0))]
    >>> [float(height) for height in plot_pareto(rows).axes[1].lines[0].get_ydata()]
    [0.75, 1.0]
    """
    if top < 1:
        raise CaseError(f"top={top}: at least one bar is drawn")
    data = Pictured(table, [value], label=label, language=language, columns=columns)
    values, names = data.numbers(value) * (-1 if losses else 1), data.names
    named = data.named
    drawn = named & (values > 0)
    order = np.flatnonzero(drawn)[np.argsort(-values[drawn], kind="stable")]
    rest, whole = order[top:], float(values[order].sum())
    heights, texts = values[order[:top]], [str(names[row]) for row in order[:top]]
    axes = make_axes(axes)
    axes.bar(range(len(heights)), heights, color=BLUE)
    axes.set_xticks(range(len(heights)), texts, rotation=45, ha="right", rotation_mode="anchor", fontsize=NOTE_SIZE)
    axes.set_xlim(-0.6, max(len(heights), 1) - 0.4)
    data.set_axis(axes.yaxis, value)
    if losses:
        axes.set_ylabel(data.say("loss", name=axes.get_ylabel()))
    shares = axes.twinx()
    shares.plot(range(len(heights)), np.cumsum(heights) / (whole or 1), "o-", color=VERMILION, markersize=3.5)
    shares.set_ylim(0, 1.05)
    shares.yaxis.set_major_formatter(_percent())
    shares.set_ylabel(data.say("cumulative"), color=VERMILION)
    shares.spines["top"].set_visible(False)
    below = values[named & (values < 0)]
    notes = data.notes(named & ~np.isnan(values))
    if len(rest):
        left = float(values[rest].sum())
        notes.append(data.say("others", number=len(rest), value=data.written(value, left), share=left / whole))
    if len(below):
        left = float(below.sum()) * (-1 if losses else 1)
        notes.append(data.say("positive" if losses else "negative", number=len(below), value=data.written(value, left)))
    what = data.heading(value, unit=False)
    what = data.say("loss", name=what) if losses else what
    title = data.say("pareto", value=what, label=data.heading(data.label[0], unit=False))
    return finish_axes(axes, title=title, notes=notes, beside=[shares])


@reads_once
def plot_flows(
    table: Any,
    *,
    start: str,
    end: str,
    cases: str = "cases",
    top: int = 30,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot flows between the names of two columns, a band as wide as it has cases (桑基图).

    Parameters
    ----------
    table
        A row a flow: where from, where to, how many cases.
    start, end, cases
        Their columns.
    top
        So many of the largest flows are drawn each; all others go together from and to one name, in grey.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own, which is the higher the more names there are.

    Returns
    -------
    The matplotlib figure, which a notebook shows. Names that stand on both sides have one colour; the notes count the
    rows without a name.

    Raises
    ------
    CaseError
        A number of cases is below 0.
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"from": "level 3", "to": "level 2", "cases": 30}, {"from": "level 3", "to": "level 3", "cases": 70}]
    >>> [text.get_text() for text in plot_flows(rows, start="from", end="to").axes[0].texts][:2]
    ['level 3 (100)', 'level 3 (70)']
    """
    data = Pictured(table, [start, end, cases], label=[start, end], language=language, columns=columns)
    numbers, pairs = data.numbers(cases), list(zip(data.texts(start), data.texts(end), strict=True))
    if (numbers < 0).any():
        raise CaseError(f"column {cases!r} of the table holds {numbers[numbers < 0][0]:g}: cases are counted from 0")
    drawn = (numbers > 0) & np.array([None not in pair for pair in pairs], bool)
    order = np.flatnonzero(drawn)[np.argsort(-numbers[drawn], kind="stable")]
    flows = [Flow(str(pairs[row][0]), str(pairs[row][1]), round(numbers[row]), "") for row in order[:top]]
    both = totals_of([(name, flow.cases) for flow in flows for name in (flow.left, flow.right)])
    names = sorted(both, key=lambda name: (-both[name], name))  # one order on both sides: fewer bands cross
    flows.sort(key=lambda flow: (names.index(flow.left), names.index(flow.right)))
    if len(order) > top:
        word = data.say("other_flows")
        names += [word] * (word not in names)
        flows.append(Flow(word, word, round(numbers[order[top:]].sum()), "others"))
    pairs_of = [(flow.left, flow.cases) for flow in flows], [(flow.right, flow.cases) for flow in flows]
    sides = [totals_of(sorted(found, key=lambda pair: names.index(pair[0]))) for found in pairs_of]
    most = max(map(len, sides))
    axes = make_axes(axes, size=(7.2, min(2.2 + 0.26 * max(most, 8), 14)))
    scale = _HEIGHT / max(sum(sides[0].values()), 1)
    spots = [places_of(side, scale, 0.0, room=_ROOM, gap=_GAP) for side in sides]
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    used = [{name: first for name, (first, _) in spot.items()} for spot in spots]
    for flow in flows:
        thick = flow.cases * scale
        ends = used[0][flow.left], used[1][flow.right]
        used[0][flow.left] += thick
        used[1][flow.right] += thick
        _draw_band(axes, ends, thick, GREY if flow.kind else colours[flow.left])
    for side, (totals, spot) in enumerate(zip(sides, spots, strict=True)):
        for name, (first, _) in spot.items():
            high = totals[name] * scale
            axes.bar(side, high, width=0.03, bottom=first, color="#444444")
            axes.annotate(
                f"{name} ({totals[name]:,})",
                (side, first + high / 2),
                (-8 if side == 0 else 8, 0),
                textcoords="offset points",
                ha="right" if side == 0 else "left",
                va="center",
                fontsize=NOTE_SIZE,
            )
    axes.set_xlim(-0.02, 1.02)
    axes.invert_yaxis()
    axes.set_axis_off()
    title = data.say("flows", start=data.heading(start), end=data.heading(end), cases=data.heading(cases))
    joined = [None if None in pair else " → ".join(map(str, pair)) for pair in pairs]
    return finish_axes(axes, title=title, notes=data.notes(drawn, names=joined))


@reads_once
def plot_heat_map(
    table: Any,
    *,
    value: str = "cost_index",
    down: str = "hospital",
    across: str = "mdc",
    centre: float | None = None,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot an indicator by two keys, a cell a pair: hospital by MDC (热力图).

    Parameters
    ----------
    table
        A row a pair of keys, as `indicators` returns it with ``by=["hospital", "mdc"]``.
    value
        The column of the indicator.
    down, across
        The columns of the two keys.
    centre
        The number that is drawn white: above it cells are orange, below it purple. None takes ``{value}_reference``,
        else 1 of an index; without them cells are the darker the larger their number.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own, as large as its cells need.

    Returns
    -------
    The matplotlib figure, which a notebook shows. A pair without a value is hatched.

    Raises
    ------
    CaseError
        A pair of keys stands in two rows.
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"hospital": name, "mdc": "MDCB", "cost_index": index} for name, index in (("H1", 1.1), ("H2", 0.9))]
    >>> plot_heat_map(rows).axes[0].collections[0].get_array().tolist()
    [[1.1], [0.9]]
    """
    data = Pictured(table, [value], label=[down, across], language=language, columns=columns)
    values = data.numbers(value)
    keys = data.columns.keys([down, across])
    (lines, rows), (places, heads) = (data.columns.codes(name) for name in (down, across))
    found = np.bincount(keys.codes[keys.codes >= 0])
    if found.max(initial=0) > 1:
        pair = " · ".join(column[int(found.argmax())].as_py() for column in keys.table.values())
        raise CaseError(f"{pair} stands in {found.max()} rows: a heat map has one number a pair")
    cells = np.full((len(rows), len(heads)), np.nan)
    named = keys.codes >= 0
    cells[lines[named], places[named]] = values[named]
    axes = make_axes(axes, size=(min(3.0 + 0.38 * len(heads), 16), min(2.0 + 0.3 * len(rows), 16)))
    known = centre is not None or f"{value}_reference" in data.columns or unit_of(value) == "index"
    middle = data.centre(value, centre) if known else np.nan
    reach = float(np.nanmax(np.abs(cells - middle), initial=0.0)) or 1.0
    options = {"cmap": "PuOr_r", "vmin": middle - reach, "vmax": middle + reach} if known else {"cmap": "cividis_r"}
    mesh = axes.pcolormesh(np.ma.masked_invalid(cells), edgecolors="white", linewidth=0.6, **options)
    axes.patch.set(hatch="////", facecolor="#f2f2f2", edgecolor="#c8c8c8")
    axes.set_xticks(np.arange(len(heads)) + 0.5, heads.to_pylist(), rotation=90, fontsize=NOTE_SIZE)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows.to_pylist(), fontsize=NOTE_SIZE)
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.set(xlabel=data.heading(across), ylabel=data.heading(down))
    _write_cells(axes, mesh, cells, data, value)
    bar = axes.get_figure().colorbar(mesh, ax=axes, pad=0.02)
    if np.isfinite(cells).any():
        bar.ax.set_ylim(float(np.nanmin(cells)), float(np.nanmax(cells)) or None)
    data.set_axis(bar.ax.yaxis, value)
    for spine in axes.spines.values():
        spine.set_visible(False)
    notes = data.notes(named & ~np.isnan(values))
    if np.isnan(cells).any():
        notes.append(data.say("hatched"))
    names = {
        name: data.heading(key, unit=False) for name, key in (("value", value), ("down", down), ("across", across))
    }
    return finish_axes(axes, title=data.say("heat", **names), notes=notes, beside=[bar.ax])


def _write_cells(axes: Any, mesh: Any, cells: Floats, data: Pictured, value: str) -> None:
    """Write the numbers of a heat map into its cells, in white on dark ones."""
    if cells.shape[1] > _WRITTEN:
        return
    shades = mesh.to_rgba(np.nan_to_num(cells))[..., :3] @ np.array([0.299, 0.587, 0.114])
    for (line, place), number in np.ndenumerate(cells):
        if not np.isnan(number):
            colour = "white" if shades[line, place] < 0.5 else "black"
            text = data.written(value, number, unit=False)
            axes.text(place + 0.5, line + 0.5, text, ha="center", va="center", fontsize=7, color=colour)


def _draw_band(axes: Any, ends: tuple[float, float], thick: float, colour: str) -> None:
    """Draw a band between the two sides, its upper edges at the ends."""
    share = np.linspace(0, 1, 40)
    curve = ends[0] + (ends[1] - ends[0]) * share**2 * (3 - 2 * share)
    axes.fill_between(share, curve, curve + thick, color=colour, alpha=0.5, linewidth=0)


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0)
