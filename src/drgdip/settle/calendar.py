"""The calendar of settlement: working days, when lists are due, and the dates of the year's work."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once
from drgdip._columns import Columns, add_columns, labels
from drgdip._exact import exactly
from drgdip.errors import CaseError, PolicyError
from drgdip.settle._inputs import NAMES, NO, decisions
from drgdip.settle._sections import section_of
from drgdip.settle.payment import FAILED, LATE, LIST_STATUSES, PASSED
from drgdip.settle.rules import CalendarRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip.settle.policy import Policy

__all__ = ["list_deadlines", "mark_lists"]

# Working days are looked for this many days beyond the days that are asked for: no run of days off is longer.
_SLACK = 60


@exactly
@reads_once
def mark_lists(
    cases: Any,
    policy: Policy | CalendarRules,
    *,
    calendar: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Mark which settlement lists came in time, came late, or failed.

    Parameters
    ----------
    cases
        A table with ``discharged`` and ``submitted`` (dates; submitted is null before the list comes), and
        ``list_passed`` (true, false; null before the check) where lists are checked.
    policy
        The policy, or its section calendar alone: ``upload_days``, and ``working_days`` for days of work.
    calendar
        The days off and the make-up days (调休) of the years: a table with ``day`` and ``working`` (true, false).
        Other days are days of work from Monday to Friday. Without it days of the calendar are counted.
    columns
        The table's names of columns by the library's names, such as ``{"discharged": "出院日期"}``.

    Returns
    -------
    The caller's table with ``list_due`` (the last day), ``list_due_rule`` (working_days; calendar_days also where
    the policy has working days and no calendar is given) and ``list_status``: failed where the check says so, late
    where nothing came by then or no discharge is known, else passed.

    Raises
    ------
    PolicyError
        The policy does not say when lists are due.

    Notes
    -----
    7 working days: 《江苏医改动态》第246期 (Nanjing); 7 days: DIP 3.0 draft. A discharge on a day off counts from the
    last working day before it.

    Examples
    --------
    >>> from drgdip.settle.rules import CalendarRules
    >>> rules = CalendarRules(upload_days=7, working_days=True)
    >>> day = datetime.date
    >>> lists = [{"discharged": day(2024, 4, 1), "submitted": day(2024, 4, came)} for came in (11, 12)]
    >>> off = [{"day": datetime.date(2024, 4, day), "working": day == 7} for day in (4, 5, 7)]
    >>> [(str(row["list_due"]), row["list_status"]) for row in mark_lists(lists, rules, calendar=off)]
    [('2024-04-11', 'passed'), ('2024-04-11', 'late')]
    """
    rules = section_of(policy, "calendar", CalendarRules)
    if rules.upload_days is None:
        raise PolicyError("the policy does not say when lists are due: add upload_days to [calendar]")
    table = Columns(cases, ["discharged", "submitted"], columns=columns, optional=NAMES)
    begin, came = (_days(table, name) for name in ("discharged", "submitted"))
    known = ~np.isnat(begin)
    due = np.full(table.rows, np.datetime64("NaT"), "datetime64[D]")
    due[known], by_work = _after(begin[known], rules, calendar)
    failed = decisions(table, "list_passed") == NO
    in_time = known & ~np.isnat(came) & (came <= due)
    status = np.where(failed, FAILED, np.where(in_time, PASSED, LATE))
    rule = labels(np.full(table.rows, 0 if by_work else 1), ("working_days", "calendar_days"))
    return add_columns(
        cases, {"list_due": pa.array(due), "list_due_rule": rule, "list_status": labels(status, LIST_STATUSES)}
    )


@reads_once
@exactly
def list_deadlines(
    months: Any,
    policy: Policy | CalendarRules,
    *,
    year: int,
    calendar: Any = None,
    as_of: datetime.date | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Put the dates of the year's work on rows of months, and which of them are overdue.

    Parameters
    ----------
    months
        A table with ``month`` (1 to 12), such as the table of `month`.
    policy
        The policy, or its section calendar alone.
    year
        The year of the months.
    calendar
        Days off and make-up days, as for `mark_lists`.
    as_of
        The day on which something is overdue. None marks nothing.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    The caller's table with these dates, null where the policy has none:

    - ``upload_due``: the lists of the month's last day; ``presettle_due``: ``presettle_day`` of the month after.
    - ``prepayment_due``: the last day of ``prepayment_month``; ``clear_due`` and ``plan_due``, in the year after.
    - ``overdue``: upload (with ``suspended`` above 0), presettlement (with ``due`` above 0, or ``paid`` without it),
      clearing; joined by ``|``, null where nothing is overdue.

    Raises
    ------
    CaseError
        A month that is not 1 to 12.

    Examples
    --------
    >>> from drgdip.settle.rules import CalendarRules
    >>> rules = CalendarRules(upload_days=7, presettle_day=20, clear_by="03-31")
    >>> rows = [{"month": 2, "suspended": 1, "due": 10}]
    >>> row = list_deadlines(rows, rules, year=2024, as_of=datetime.date(2024, 3, 21))[0]
    >>> str(row["upload_due"]), str(row["presettle_due"]), str(row["clear_due"]), row["overdue"]
    ('2024-03-07', '2024-03-20', '2025-03-31', 'upload|presettlement')
    """
    rules = section_of(policy, "calendar", CalendarRules)
    table = Columns(months, ["month"], columns=columns)
    number = table.numbers("month")
    bad = np.flatnonzero(~np.isin(number, np.arange(1, 13)))
    if len(bad):
        raise CaseError(f"column 'month' of the months is not 1 to 12 in row {bad[0]}: give the number of the month")
    months_of = np.datetime64(f"{year}-01", "M") + (number.astype(np.int64) - 1)
    last = (months_of + 1).astype("datetime64[D]") - 1
    none = np.full(table.rows, np.datetime64("NaT"), "datetime64[D]")
    upload = none if rules.upload_days is None else _after(last, rules, calendar)[0]
    settle = none if rules.presettle_day is None else _on_day(months_of + 1, rules.presettle_day)
    dates = {
        "upload_due": upload,
        "presettle_due": settle,
        "prepayment_due": none if rules.prepayment_month is None else _last_of(year, rules.prepayment_month, none),
        "clear_due": _in_year_after(year, rules.clear_by, none),
        "plan_due": _in_year_after(year, rules.plan_by, none),
    }
    late: list[str | None] = [None] * table.rows
    if as_of is not None:
        day = np.datetime64(as_of)
        open_amount = "due" if "due" in table else "paid"
        steps = {
            "upload": (upload < day) & _above_zero(table, "suspended"),
            "presettlement": (settle < day) & _above_zero(table, open_amount),
            "clearing": dates["clear_due"] < day,
        }
        late = ["|".join(name for name, rows in steps.items() if rows[row]) or None for row in range(table.rows)]
    return add_columns(
        months, {**{name: pa.array(values) for name, values in dates.items()}, "overdue": pa.array(late, pa.string())}
    )


def _days(table: Columns, name: str) -> NDArray[np.datetime64]:
    """Return a column of dates, NaT where there is none."""
    return np.asarray(table.dates(name).to_numpy(zero_copy_only=False), "datetime64[D]")


def _above_zero(table: Columns, name: str) -> NDArray[np.bool_]:
    """Return where a column that may be absent is above 0."""
    return np.asarray(table.numbers(name) > 0) if name in table else np.zeros(table.rows, bool)


def _after(begin: NDArray[np.datetime64], rules: CalendarRules, calendar: Any) -> tuple[NDArray[np.datetime64], bool]:
    """Return the last day for lists of discharges, and whether working days were counted."""
    days = rules.upload_days or 0
    if not rules.working_days or calendar is None:
        return begin + days, False
    if not len(begin):
        return begin, True
    first = begin.min()
    span = np.arange(first, begin.max() + 3 * days + _SLACK)
    working = np.is_busday(span)
    table = Columns(calendar, ["day", "working"], what="the table calendar=")
    special, decided = _days(table, "day"), decisions(table, "working")
    if np.isnat(special).any() or (decided < 0).any() or len(np.unique(special)) < len(special):
        raise PolicyError("calendar= has a row without day or working, or a day twice: give each day once")
    inside = (special >= span[0]) & (special <= span[-1])
    working[(special[inside] - first).astype(np.int64)] = decided[inside] != NO
    worked = np.cumsum(working)
    wanted = worked[(begin - first).astype(np.int64)] + days
    if wanted.max() > worked[-1]:
        raise PolicyError("calendar= has so many days off that no list becomes due: check its column working")
    return np.asarray(span[np.searchsorted(worked, wanted)]), True


def _on_day(month: NDArray[np.datetime64], day: int) -> NDArray[np.datetime64]:
    """Return a day of each month, its last day where the month is shorter."""
    found = np.minimum(month.astype("datetime64[D]") + (day - 1), (month + 1).astype("datetime64[D]") - 1)
    return np.asarray(found)


def _last_of(year: int, month: int, like: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return the last day of a month of the year, for each row."""
    return np.full_like(like, (np.datetime64(f"{year}-{month:02}", "M") + 1).astype("datetime64[D]") - 1)


def _in_year_after(year: int, day: str | None, like: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return a month-day of the year after, for each row; NaT where there is none."""
    return like if day is None else np.full_like(like, np.datetime64(f"{year + 1}-{day}"))
