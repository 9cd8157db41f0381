"""Pages of feedback: one for each hospital, to be read in ninety seconds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import to_arrow
from drgdip._books import write_page
from drgdip.data import words_of
from drgdip.errors import DrgdipError, UnknownNameError
from drgdip.monitor.period import Indicator, list_indicators
from drgdip.reasons import LANGUAGES, describe_reason

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from drgdip.monitor.panels import Feedback

__all__ = ["KEY_FIGURES", "write_feedback"]

_TABLE = "monitor/words.csv"

#: The indicators of a page, where the cases give them.
KEY_FIGURES = (
    "discharges",
    "grouping_rate",
    "cmi",
    "mean_cost",
    "mean_stay",
    "cost_index",
    "time_index",
    "drug_share",
    "consumable_share",
    "burden_rate",
    "low_risk_mortality",
    "profit",
)
_TABLES = ("hospitals", "panel_hospitals", "disputes")
# Cases in dispute that a page lists; of the others it says how many there are.
_LISTED = 20
_DIGITS = {"count": 0, "yuan": 2, "days": 2, "points": 2, "weight": 2, "index": 3}


def write_feedback(
    feedback: Feedback,
    folder: str | os.PathLike[str],
    *,
    month: str | None = None,
    names: Mapping[str, str] | None = None,
    figures: Sequence[str] = KEY_FIGURES,
    language: str = "en",
) -> list[Path]:
    """Write a page of a month for each hospital: key figures, its panels, and the cases in dispute.

    Parameters
    ----------
    feedback
        The result of `drgdip.monitor.feedback`.
    folder
        The folder of the pages; it is made where there is none.
    month
        The month of the pages. None takes the last.
    names
        The names of hospitals by their code. A hospital without one goes by its code.
    figures
        The ids of the indicators to show, where the feedback has them.
    language
        ``"en"`` or ``"zh"``.

    Returns
    -------
    The paths, by hospital: a number and the hospital's code, in which all but letters and digits are ``_``.

    Raises
    ------
    UnknownNameError
        A language, a month or an indicator that there is not.
    DrgdipError
        A folder or a file that cannot be written.

    Notes
    -----
    A page is HTML that needs nothing from outside. A value is better or worse than that of all hospitals where the
    field has a direction for its indicator, otherwise higher or lower. The page gives no verdict on chance:
    `compare_peers` has the limits.

    Examples
    --------
    >>> import tempfile
    >>> from drgdip.monitor import feedback
    >>> found = feedback([{"hospital": "H1", "mdc": "MDCB", "month": m} for m in (1, 2)], "mdc")
    >>> [path.name for path in write_feedback(found, tempfile.mkdtemp(), language="zh")]
    ['1_H1.html']
    """
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES)
    found = {name: to_arrow(getattr(feedback, name)).to_pylist() for name in _TABLES}
    shown = [list_indicators().row(name) for name in figures]
    hospitals = {(row["hospital"], row["month"]): row for row in found["hospitals"]}
    now, before = _months({when for _, when in hospitals if when is not None}, month)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DrgdipError(f"{folder}: cannot be made: {error.strerror or error}") from error
    codes = sorted(code for code, when in hospitals if when == now and code is not None)
    paths = []
    for number, code in enumerate(codes, start=1):
        own, disputes = (
            [row for row in found[name] if (row["hospital"], row["month"]) == (code, now)] for name in _TABLES[1:]
        )
        tables = {
            _say("figures", language): _figures(hospitals[code, now], hospitals.get((code, before)), shown, language),
            _say("panels", language): _panels(own, shown, language),
            f"{_say('disputes', language)} ({len(disputes)})": _disputes(disputes, language),
        }
        # A code is no path: whatever else it holds, the file stays in the folder.
        safe = re.sub(r"\W", "_", code)[:60]
        paths.append(folder / f"{number:0{len(str(len(codes)))}d}_{safe}.html")
        title = f"{_say('title', language)} {now} · {(names or {}).get(code, code)}"
        write_page(paths[-1], tables, title=title, language=language)
    return paths


def _months(known: set[str], month: str | None) -> tuple[str, str | None]:
    """Return the month of the pages, and the one before it that has cases."""
    months = sorted(known, key=_order)
    if month is None and months:
        month = months[-1]
    if str(month) not in months:
        raise UnknownNameError("month", str(month), months)
    place = months.index(str(month))
    return months[place], months[place - 1] if place else None


def _say(name: str, language: str) -> str:
    """Return a word of the pages in a language (``data/monitor/words.csv``)."""
    return words_of(_TABLE)[name][LANGUAGES.index(language)]


def _order(month: str) -> tuple[int, str]:
    """Return what months are sorted by: 2 stands before 10."""
    return len(month), month


def _name(row: Indicator, language: str) -> str:
    name = row.chinese if language == "zh" else row.english
    unit = f"unit_{row.unit}"
    if unit not in words_of(_TABLE):
        return name
    return f"{name}（{_say(unit, language)}）" if language == "zh" else f"{name}, {_say(unit, language)}"


def _shown(value: Any, row: Indicator, marks: str | None) -> str:
    """Return a value as a page shows it, with a star where it rests on few cases."""
    if value is None:
        return ""
    text = f"{value * 100:.2f} %" if row.unit == "ratio" else f"{value:,.{_DIGITS[row.unit]}f}"
    return f"{text} *" if row.id in (marks or "").split("|") else text


def _figures(
    now: Mapping[str, Any], before: Mapping[str, Any] | None, shown: Iterable[Indicator], language: str
) -> pa.Table:
    """Return the key figures of a hospital, beside those of the month before and of all hospitals."""
    rows = []
    for row in shown:
        if row.id not in now:
            continue
        value, last = now[row.id], None if before is None else before[row.id]
        whole = now[f"{row.id}_reference"]
        small = now.get("small")
        cells = (
            _name(row, language),
            _shown(value, row, small),
            _shown(last, row, None),
            _change(value, last, row, language),
            _shown(whole, row, None),
            _position(value, whole, row, language),
        )
        rows.append(cells)
    names = ("indicator", "value", "previous", "change", "all", "position")
    table = _texts([_say(name, language) for name in names], rows)
    if any(cells[1].endswith("*") for cells in rows):
        note = [[_say("small", language), *[""] * (len(names) - 1)]]
        table = pa.concat_tables([table, _texts(table.column_names, note)])
    return table


def _change(value: Any, last: Any, row: Indicator, language: str) -> str:
    """Return the change of a rate in points of a hundred, of another value as a share of the earlier one."""
    if value is None or last is None:
        return ""
    if row.unit == "ratio":
        return f"{(value - last) * 100:+.2f} {_say('points', language)}"
    return f"{(float(value) / float(last) - 1) * 100:+.2f} %" if last > 0 else ""


def _position(value: Any, whole: Any, row: Indicator, language: str) -> str:
    """Return in a word how a quotient stands to that of all hospitals."""
    if value is None or whole is None or not row.denominator:
        return ""
    if value == whole:
        return _say("equal", language)
    higher = value > whole
    if row.direction == "none":
        return _say("higher" if higher else "lower", language)
    return _say("better" if higher == (row.direction == "higher") else "worse", language)


def _panels(rows: Sequence[Mapping[str, Any]], shown: Sequence[Indicator], language: str) -> pa.Table:
    """Return the figures of a hospital by panel, each beside that of the panel in all hospitals."""
    there = [row for row in shown if rows and row.id in rows[0]]
    cells = []
    for found in rows:
        line = [found["panel"] or ""]
        for row in there:
            text = _shown(found[row.id], row, found.get("small"))
            whole = _shown(found[f"{row.id}_reference"], row, None) if row.denominator else ""
            line.append(f"{text} ({whole})" if text and whole else text)
        cells.append(line)
    return _texts([_say("panel", language), *(_name(row, language) for row in there)], cells)


def _disputes(rows: Sequence[Mapping[str, Any]], language: str) -> pa.Table:
    """Return the cases in dispute, the first ones where there are many."""
    cells = []
    for row in rows[:_LISTED]:
        reasons = [row.get(name) for name in ("reason", "payment_reason", "points_reason")]
        reason = next((_told(code, language) for code in reasons if code), "")
        who, group, objection = (row.get(name) or "" for name in ("case_id", "group", "objection"))
        cells.append([who, group, _say(row["kind"], language), reason, objection])
    if len(rows) > _LISTED:
        cells.append([_say("more", language).format(len(rows) - _LISTED), "", "", "", ""])
    return _texts([_say(name, language) for name in ("case_id", "group", "kind", "reason", "objection")], cells)


def _told(code: str, language: str) -> str:
    """Return the text of a reason; what is no reason of the library stands as it is."""
    try:
        return describe_reason(code, language)
    except UnknownNameError:
        return code


def _texts(names: Sequence[str], rows: Sequence[Sequence[str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [() for _ in names]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(names))
