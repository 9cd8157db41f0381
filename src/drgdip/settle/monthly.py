"""Monthly pre-settlement (月预结算): the part of a month that is paid, and the part that waits for the year."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_kind
from drgdip._columns import Columns, add_columns, labels
from drgdip._exact import exactly
from drgdip._money import add_up, round_over, scaled, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._entering import enter_cases, pay_by_item
from drgdip.settle._inputs import NAMES, NO, amounts_by, decisions, keys_of, optional_money, places, pool_rows
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.payment import FAILED, LATE, LIST_STATUSES, PASSED, list_states, on_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip.settle.policy import Policy

__all__ = ["mark_lists", "month"]

_KEYS = ("hospital", "pool", "month")
_NEEDED = ("hospital", "pool", "month", "payable", "standard", "points")


@exactly
def mark_lists(
    cases: Any,
    policy: Policy,
    *,
    holidays: Sequence[datetime.date] = (),
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Mark which settlement lists came in time, came late, or failed.

    Parameters
    ----------
    cases
        A table with ``discharged`` and ``submitted`` (dates; submitted is null before the list comes), and
        ``list_passed`` (true, false; null before the check) where lists are checked.
    policy
        The policy: ``calendar.upload_days``, and ``calendar.working_days`` for days that are no Saturday, Sunday or
        holiday.
    holidays
        The holidays, read for working days only. Working Saturdays and Sundays are not known here.
    columns
        The table's names of columns by the library's names, such as ``{"discharged": "出院日期"}``.

    Returns
    -------
    The caller's table with ``list_due`` (the last day) and ``list_status``: failed where the check says so, late
    where nothing came by then or no discharge is known, else passed.

    Raises
    ------
    PolicyError
        The policy does not say when lists are due.

    Notes
    -----
    7 working days: 《江苏医改动态》第246期 (Nanjing); 7 days: DIP 3.0 draft.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> policy = policy.replace(calendar={"upload_days": 7, "working_days": True})
    >>> friday = {"discharged": datetime.date(2024, 3, 1)}
    >>> lists = [friday | {"submitted": datetime.date(2024, 3, day)} for day in (12, 13)]
    >>> [(str(row["list_due"]), row["list_status"]) for row in mark_lists(lists, policy)]
    [('2024-03-12', 'passed'), ('2024-03-12', 'late')]
    """
    days = policy.calendar.upload_days
    if days is None:
        raise PolicyError(f"policy {policy.id!r} does not say when lists are due: add upload_days to [calendar]")
    table = Columns(cases, ["discharged", "submitted"], columns=columns, optional=NAMES)
    begin, came = (_days(table, name) for name in ("discharged", "submitted"))
    known = ~np.isnat(begin)
    due = np.full(table.rows, np.datetime64("NaT"), "datetime64[D]")
    if policy.calendar.working_days:
        # A discharge on a day off counts from the last working day before it.
        due[known] = np.busday_offset(begin[known], days, roll="backward", holidays=np.array(holidays, "datetime64[D]"))
    else:
        due[known] = begin[known] + days
    failed = decisions(table, "list_passed") == NO
    in_time = known & ~np.isnat(came) & (came <= due)
    status = np.where(failed, FAILED, np.where(in_time, PASSED, LATE))
    return add_columns(cases, {"list_due": pa.array(due), "list_status": labels(status, LIST_STATUSES)})


def _days(table: Columns, name: str) -> NDArray[np.datetime64]:
    """Return a column of dates, NaT where there is none."""
    return np.asarray(table.dates(name).to_numpy(zero_copy_only=False), "datetime64[D]")


@exactly
def month(
    cases: Any,
    policy: Policy,
    *,
    deductions: Any = None,
    accept: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Settle a month, or several: the amounts paid to each hospital before the year's clearing.

    Paid is the payable of the cases whose lists passed, times the month's ratio, less audit deductions. The rest
    of the ratio is the reserve (质量保证金).

    Parameters
    ----------
    cases
        Cases as `price_cases` gives them, with ``hospital``, ``pool``, ``month`` (any value; one row a value),
        ``payable``, ``standard``, ``points``, ``total_cost`` and, where lists may be late or failed,
        ``list_status`` (passed, late, failed).
    policy
        The policy: ``month.ratio``, and ``month.late`` for late lists.
    deductions
        Audit deductions: a table with ``hospital``, ``pool``, ``month`` and ``deductions`` (yuan).
    accept
        How findings of `audit_cases` are treated: a way by kind, such as ``{"unpriced": "by_item"}``.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    Table: a row for each hospital, pool and month.

    - ``cases``, and of them ``suspended`` (list late or failed), ``unpriced`` and ``cross_region`` (other regions pay
      for them: `settle_cross_region`).
    - ``points``, ``standard`` and ``payable`` of the cases that count; ``suspended_payable`` of the suspended ones.
    - ``reserve``. It is negative where the patients paid more than the standards: nothing is paid, the year takes it.
    - ``deductions``, and of them ``open_deductions``, which the month did not cover and the year's clearing takes.
    - ``paid``.

    Ledger: paid + reserve + deductions covered = payable; cases and money of all hospitals are those of the month.

    Raises
    ------
    CaseError, UnknownNameError
        Float money, or findings on the cases that ``accept`` does not name.

    Notes
    -----
    (total weight x month rate - patient payments) x prepay ratio - audit deductions: DIP 3.0 draft, chapter 7.
    Suspension of late lists: 云医保〔2019〕166号. A late list is settled by calling again when it has passed: the
    function keeps nothing between calls.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"hospital": "H1", "pool": "resident", "month": 1, "points": 100, "standard": 9550, "total_cost": 9000}
    >>> month([case | {"payable": 6550}], policy).table[0]["paid"]
    Decimal('5895.00')
    """
    entered = enter_cases(cases, policy, accept, columns=columns, needs=_KEYS)
    settled_cases, columns = pay_by_item(entered.cases, entered.by_item, columns)
    table = Columns(settled_cases, columns=columns, optional=NAMES)
    table.require([*_NEEDED, *(name for name in ("list_status",) if name in table)])
    pool_rows(table, policy)
    keys = keys_of(table, _KEYS)
    owed, known = optional_money(table, "payable")
    standard, _ = optional_money(table, "standard")
    away = on_account(table, policy)
    known &= ~away
    state = list_states(table)
    held = known & ((state == FAILED) | ((state == LATE) & (policy.month.late == "suspend")))
    counts = known & ~held
    points = scaled(table.numbers("points"), policy.rounding.points, "the points")

    def of(rows: Any, values: Any) -> Any:
        """Add up the values of some rows by key."""
        return add_up(keys.codes, np.where(rows, values, 0), keys.size)

    payable, suspended_payable = of(counts, owed), of(held, owed)
    ratio = int(policy.month.ratio.scaleb(12))
    advance = round_over(np.maximum(payable, 0), ratio, 10**12)
    taken = amounts_by(deductions, "deductions", keys, "deductions")
    covered = np.minimum(taken, advance)
    paid, reserve = advance - covered, payable - advance
    number = np.bincount(keys.codes, minlength=keys.size)
    suspended, unpriced, elsewhere = (
        np.bincount(keys.codes[rows], minlength=keys.size) for rows in (held, ~known & ~away, away)
    )
    settled = np.bincount(keys.codes[counts], minlength=keys.size)

    ledger, where = Ledger("month"), places(keys)
    ledger.check(
        "settled + suspended + unpriced + cross-region = cases",
        where,
        settled + suspended + unpriced + elsewhere,
        number,
        digits=0,
        unit="cases",
    )
    ledger.check("paid + covered deductions + reserve = payable", where, paid + covered + reserve, payable)
    both = int((payable + suspended_payable).sum())
    ledger.check("payable + suspended = payable of all cases", ["all"], both, int(owed[known].sum()))
    ledger.check("paid is at most payable, or 0", where, paid, np.maximum(payable, 0), relation="<=")
    result = pa.table(
        {
            **keys.table,
            "cases": number,
            "suspended": suspended,
            "unpriced": unpriced,
            "cross_region": elsewhere,
            "points": of(counts, points) / 10.0**policy.rounding.points,
            "standard": to_yuan(of(counts, standard)),
            "payable": to_yuan(payable),
            "suspended_payable": to_yuan(suspended_payable),
            "reserve": to_yuan(reserve),
            "deductions": to_yuan(taken),
            "open_deductions": to_yuan(taken - covered),
            "paid": to_yuan(paid),
        }
    )
    return Step(to_kind(result, cases), pa.concat_tables([entered.ledger, ledger.table()]), entered.findings)
