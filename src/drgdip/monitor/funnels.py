"""Pictures that tell chance from more: funnel plot, intervals, control chart by month (extra ``plot``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._plots import BLUE, COLOURS, GREY, NOTE_SIZE, VERMILION, add_legend, finish_axes, make_axes
from drgdip.errors import CaseError
from drgdip.monitor.binomial import likely_counts, tail_below
from drgdip.monitor.pictured import Pictured, labels_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from drgdip._columns import Floats

__all__ = ["plot_control", "plot_funnel", "plot_intervals"]

#: Rows of a picture of intervals that have their names beside them.
_NAMED = 80
#: So many characters of months stand side by side.
_ROOM = 60


@reads_once
def plot_funnel(
    table: Any,
    *,
    value: str = "mortality",
    label: str | Sequence[str] = "hospital",
    centre: float | None = None,
    levels: tuple[float, float] = (0.95, 0.998),
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot a share of cases against the number of cases, within limits that take the number into account (漏斗图).

    Parameters
    ----------
    table
        A row a hospital, as `indicators` returns it with ``parts=True``: ``{value}_numerator`` and
        ``{value}_denominator``, which are numbers of cases.
    value
        The share, such as ``mortality`` or ``readmission_rate``.
    label
        The column that names a row, or several.
    centre
        The share that the limits are drawn around. None takes ``{value}_reference``, else that of all rows together.
    levels
        The shares of hospitals like the centre that lie within the inner and the outer limits. 95 % and 99.8 % are
        those of Spiegelhalter, Funnel plots for comparing institutional performance, 2005.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own.

    Returns
    -------
    The matplotlib figure, which a notebook shows. Rows outside the inner limits are named. The limits of a
    row are those of `compare_peers`, quantiles of the binomial distribution; the curves run smoothly between whole
    numbers of cases.

    Raises
    ------
    CaseError
        The numerator of a row is no number of cases up to its denominator; the levels are no shares in order.
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"hospital": "H1", "mortality_numerator": 3, "mortality_denominator": 400}]
    >>> plot_funnel(rows).axes[0].get_ylabel()
    'mortality in hospital'
    """
    above, below = f"{value}_numerator", f"{value}_denominator"
    data = Pictured(table, [above, below], label=label, language=language, columns=columns)
    if not 0 < levels[0] < levels[1] < 1:
        raise CaseError(f"levels={levels!r}: give two shares between 0 and 1, the inner limits first")
    events, number, names = data.numbers(above), data.numbers(below), data.names
    drawn = (number > 0) & ~np.isnan(events) & data.named
    _check_events(events[drawn], number[drawn], value)
    axes = make_axes(axes)
    middle = _share_of(data, value, centre, events[drawn], number[drawn])
    share = np.divide(events, number, out=np.full(data.rows, np.nan), where=drawn)
    ends = np.unique(np.round(np.geomspace(1, max(float(number[drawn].max(initial=1)) * 1.1, 2), 120)))
    far = np.zeros(data.rows, int)  # how many of the limits a row lies outside of
    for level, style in zip(levels, ("--", "-"), strict=True):
        lower, upper = _curves(middle, ends, level)
        axes.plot(ends, lower, style, color=GREY, linewidth=0.9, label=data.say("limit_band", share=level * 100))
        axes.plot(ends, upper, style, color=GREY, linewidth=0.9)
        lower, upper = likely_counts(middle, number[drawn], level)
        far[drawn] += (events[drawn] < lower) | (events[drawn] > upper)
    axes.axhline(middle, color=BLUE, linewidth=0.9, label=data.say("overall", value=data.written(value, middle)))
    for times, (word, colour, mark) in enumerate(
        (("inside", COLOURS[5], "o"), ("between", COLOURS[1], "s"), ("outside", VERMILION, "D"))
    ):
        here = drawn & (far == times)
        if here.any():
            axes.scatter(number[here], share[here], s=26, color=colour, marker=mark, zorder=3, label=data.say(word))
    axes.set_xlim(0, ends[-1])
    axes.set_ylim(0, min(1.0, max(float(share[drawn].max(initial=0)) * 1.25, middle * 2.2, 1e-9)))
    data.set_axis(axes.yaxis, value)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(data.heading("cases"))
    add_legend(axes)
    labels = labels_of(number, share, np.full(data.rows, 30.0), names, drawn & (far > 0))
    title = data.say("funnel", value=data.heading(value, unit=False))
    return finish_axes(axes, title=title, notes=data.notes(drawn), labels=labels)


@reads_once
def plot_intervals(
    table: Any,
    *,
    value: str = "value",
    low: str = "lower",
    high: str = "upper",
    indicator: str | None = None,
    label: str | Sequence[str] = "hospital",
    centre: float | None = None,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot a number of each row with its interval, in order: no rank without its doubt (置信区间图).

    Parameters
    ----------
    table
        A row a hospital, with a number and the two ends of its interval, as `compare_peers` and `low_risk_mortality`
        return it.
    value, low, high
        Their columns.
    indicator
        The id of the indicator that the number is, for its name and unit. None goes by the name of the column.
    label
        The column that names a row, or several.
    centre
        The number to compare with. None takes the column ``target``, if it is one for all rows; else no line is drawn.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own, which is the higher the more rows there are.

    Returns
    -------
    The matplotlib figure, which a notebook shows. An interval that lies above or below the centre has a colour and a
    mark of its own.

    Raises
    ------
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"hospital": "H1", "value": 0.02, "lower": 0.01, "upper": 0.04}]
    >>> plot_intervals(rows, indicator="mortality").axes[0].get_yticklabels()[0].get_text()
    'H1'
    """
    data = Pictured(table, [value, low, high], label=label, language=language, columns=columns)
    named = value if indicator is None else indicator
    values, names = data.numbers(value), data.names
    ends = data.numbers(low), data.numbers(high)
    drawn = ~np.isnan(values) & ~np.isnan(ends[0]) & ~np.isnan(ends[1])
    drawn &= data.named
    order = np.flatnonzero(drawn)[np.argsort(values[drawn], kind="stable")]
    axes = make_axes(axes, size=(7.2, 1.6 + 0.22 * min(max(len(order), 4), _NAMED)))
    middle = data.target() if centre is None else float(centre)
    known = not np.isnan(middle)
    lows, highs = ends[0][order], ends[1][order]
    classes = [
        ("interval_above", lows > middle, VERMILION, "D"),
        ("interval_below", highs < middle, BLUE, "s"),
        ("interval_across", ~((lows > middle) | (highs < middle)), GREY, "o"),
    ]
    for word, here, colour, mark in classes:
        if here.any():
            axes.hlines(np.flatnonzero(here), lows[here], highs[here], color=colour, linewidth=1.4)
            axes.plot(
                values[order][here],
                np.flatnonzero(here),
                mark,
                color=colour,
                markersize=4.5,
                label=data.say(word) if known else None,
            )
    if known:
        axes.axvline(middle, color="black", linewidth=0.8)
        add_legend(axes)
    if len(order) <= _NAMED:
        axes.set_yticks(range(len(order)), [str(names[row]) for row in order], fontsize=NOTE_SIZE)
    else:
        axes.set_yticks([])
        axes.set_ylabel(data.heading(data.label[0]))
    axes.set_ylim(-0.7, len(order) - 0.3)
    data.set_axis(axes.xaxis, named)
    title = data.say("intervals", value=data.heading(named, unit=False))
    return finish_axes(axes, title=title, notes=data.notes(drawn))


@reads_once
def plot_control(
    table: Any,
    *,
    value: str = "mean_cost",
    month: str = "month",
    language: str = "en",
    columns: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Figure:
    """Plot an indicator month by month within limits of control: which months differ by more than chance (控制图).

    Parameters
    ----------
    table
        A row a month, as `indicators` returns it with ``by="month"``. With a row a hospital and month, choose the rows
        of a hospital first.
    value
        The column of the indicator.
    month
        The column of the month: 1 to 12, or texts that sort, such as 2024-01.
    language
        The language of the words, ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    axes
        The matplotlib axes to draw on. None makes a figure of its own.

    Returns
    -------
    The matplotlib figure, which a notebook shows. The limits are those of a chart of individual values: the mean, and
    on either side 2.66 times the mean range between one month and the next (Shewhart; NHS, Making data count). Months
    beyond a limit have a mark of their own; months without a value are named.

    Raises
    ------
    CaseError
        A month stands in two rows.
    DrgdipError
        matplotlib is not installed.
    UnknownNameError
        A column or a language that is not there.

    Examples
    --------
    >>> rows = [{"month": month, "mean_cost": cost} for month, cost in ((1, 900.0), (2, 1100.0), (3, 1000.0))]
    >>> [round(float(line.get_ydata()[0]), 1) for line in plot_control(rows).axes[0].lines[1:]]
    [1000.0, 601.0, 1399.0]
    """
    data = Pictured(table, [value], label=month, language=language, columns=columns)
    values, names = data.numbers(value), data.names
    known = [str(name) for name in names if name is not None]
    if len(set(known)) < len(known):
        twice = next(name for name in known if known.count(name) > 1)
        raise CaseError(f"month {twice!r} stands in {known.count(twice)} rows: choose the rows of one hospital first")
    order = sorted(
        (row for row, name in enumerate(names) if name is not None), key=lambda row: _in_order(str(names[row]))
    )
    series, places = values[order], np.arange(len(order))
    axes = make_axes(axes)
    axes.plot(places, series, "o-", color=BLUE, markersize=4.5, linewidth=1.2)
    mean, low, high = _range_limits(series)
    low = max(low, 0.0) if (series[~np.isnan(series)] >= 0).all() else low  # no cost is below 0
    axes.axhline(mean, color="black", linewidth=0.8, label=data.say("mean_line", value=data.written(value, mean)))
    axes.axhline(low, color=GREY, linewidth=0.9, linestyle="--", label=data.say("control_limits"))
    axes.axhline(high, color=GREY, linewidth=0.9, linestyle="--")
    beyond = (series < low) | (series > high)
    if beyond.any():
        axes.plot(places[beyond], series[beyond], "D", color=VERMILION, markersize=7, label=data.say("outside_control"))
    texts = [str(names[row]) for row in order]
    slanted = sum(map(len, texts)) > _ROOM
    axes.set_xticks(places, texts, fontsize=NOTE_SIZE, rotation=45 if slanted else 0)
    axes.margins(y=0.15)
    data.set_axis(axes.yaxis, value)
    axes.set_xlabel(data.heading(month))
    add_legend(axes, below=64.0 if slanted else 40.0)
    missing = [str(names[row]) for row in order if np.isnan(values[row])]
    notes = [data.say("months_missing", months=data.list_names(missing))] if missing else []
    title = data.say("control", value=data.heading(value, unit=False))
    return finish_axes(axes, title=title, notes=[*notes, *data.ungrouped()])


def _in_order(name: str) -> tuple[int, int, str]:
    """Return what months are sorted by: whole numbers by their size, texts as they are."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def _curves(share: float, cases: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the limits of a share as curves: quantiles interpolated between whole numbers (Spiegelhalter, 2005).

    Numbers of cases that `likely_counts` calls likely lie between them, all others do not: the upper curve is the lower
    one of the opposite events.
    """
    return _lower(share, cases, level), 1 - _lower(1 - share, cases, level)


def _lower(share: float, cases: Floats, level: float) -> Floats:
    hits, _ = likely_counts(share, cases, level)
    reached = tail_below(hits, cases, share)
    chance = reached - tail_below(hits - 1, cases, share)
    over = np.divide(reached - (1 - level) / 2, chance, out=np.zeros(len(cases)), where=chance > 0)
    found: Floats = np.clip((hits - over) / cases, 0.0, 1.0)
    return found


def _share_of(data: Pictured, value: str, centre: float | None, events: Floats, number: Floats) -> float:
    """Return the share that a funnel is drawn around."""
    if centre is not None or f"{value}_reference" in data.columns:
        return data.centre(value, centre)
    return float(events.sum() / number.sum()) if len(number) else 0.0


def _check_events(events: Floats, number: Floats, value: str) -> None:
    wrong = (events < 0) | (events > number) | (events != np.rint(events)) | (number != np.rint(number))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise CaseError(
            f"{value!r} is no share of cases: {events[row]:g} of {number[row]:g}. A funnel needs whole numbers "
            "of cases, as those of mortality or of a rate of readmission"
        )


def _range_limits(series: Floats) -> tuple[float, float, float]:
    """Return the mean of a series, and the lower and the upper limit of a chart of individual values.

    2.66 is 3 / 1.128: three standard deviations, of which 1.128 are the mean range of two numbers (Shewhart). A range
    over a missing number does not count. Without any number or range all three, or the limits, are NaN.
    """
    known = series[~np.isnan(series)]
    ranges = np.abs(np.diff(series))
    ranges = ranges[~np.isnan(ranges)]
    mean = float(known.mean()) if len(known) else float("nan")
    reach = 2.66 * float(ranges.mean()) if len(ranges) else float("nan")
    return mean, mean - reach, mean + reach
