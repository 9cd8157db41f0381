"""Monthly pre-settlement (月预结算): what each hospital is paid for a month, and what waits for the year."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_kind
from drgdip._columns import Columns, add_columns, labels
from drgdip._money import add_up, exact, round_over, scaled, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import amounts_by, decisions, keys_of, optional_money, places, pool_rows
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.payment import LIST_STATUSES, list_states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drgdip.settle.policy import Policy

__all__ = ["mark_lists", "month", "working_capital"]


def mark_lists(cases: Any, policy: Policy, *, holidays: Sequence[datetime.date] = ()) -> Any:
    """Say which settlement lists came in time, late, or failed.

    Parameters
    ----------
    cases
        A table with ``discharged`` and ``submitted`` (dates; submitted is null while nothing came), and
        ``list_passed`` (true, false; null while unchecked) where lists are checked.
    policy
        The policy: ``calendar.upload_days``, and ``calendar.working_days`` for days that are no Saturday, Sunday or
        holiday.
    holidays
        The holidays; only read for working days. Working Saturdays and Sundays are not known here.

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
    columns = Columns(cases, ["discharged", "submitted"])
    begin, came = (_days(columns, name) for name in ("discharged", "submitted"))
    known = ~np.isnat(begin)
    due = np.full(columns.rows, np.datetime64("NaT"), "datetime64[D]")
    if policy.calendar.working_days:
        # A discharge on a day off counts from the last working day before it.
        due[known] = np.busday_offset(begin[known], days, roll="backward", holidays=np.array(holidays, "datetime64[D]"))
    else:
        due[known] = begin[known] + days
    failed = decisions(columns, "list_passed") == 0
    status = np.where(failed, 2, np.where(known & ~np.isnat(came) & (came <= due), 0, 1))
    return add_columns(cases, {"list_due": pa.array(due), "list_status": labels(status, LIST_STATUSES)})


def _days(columns: Columns, name: str) -> NDArray[np.datetime64]:
    return np.asarray(columns.dates(name).to_numpy(zero_copy_only=False), "datetime64[D]")


def month(cases: Any, policy: Policy, *, deductions: Any = None) -> Step:
    """Settle a month, or several: what each hospital is paid in advance of the year's clearing.

    Paid is the payable of the cases whose lists passed, times the month's ratio, less audit deductions. The rest
    of the ratio is the reserve (质量保证金).

    Parameters
    ----------
    cases
        Cases as `price_cases` gives them, with ``hospital``, ``pool``, ``month`` (any value; one row a value),
        ``payable``, ``standard``, ``points``, ``total_cost`` and, where lists may be late or failed,
        ``list_status`` (passed, late, failed).
    policy
        The policy: ``month.ratio`` and what becomes of late lists.
    deductions
        Audit deductions: a table with ``hospital``, ``pool``, ``month`` and ``deductions`` (yuan).

    Returns
    -------
    Table: a row for each hospital, pool and month, with ``cases``, of them ``suspended`` (list late or failed) and
    ``unpriced``, ``points``, ``standard``, ``payable`` (of the cases that count), ``suspended_payable``,
    ``reserve`` (negative where the patients paid more than the standards: nothing is paid, the year takes it),
    ``deductions``, ``open_deductions`` (what the month did not cover; the year's clearing takes it)
    and ``paid``. Ledger: paid + reserve + deductions covered = payable; cases and money of all hospitals are those
    of the month.

    Raises
    ------
    CaseError, UnknownNameError
        Float money, a row without hospital, pool or month, a pool that the policy has not.

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
    columns = Columns(cases, ["hospital", "pool", "month", "payable", "standard", "points", *_optional(cases)])
    pool_rows(columns, policy)
    keys = keys_of(columns, ["hospital", "pool", "month"])
    owed, known = optional_money(columns, "payable")
    standard, _ = optional_money(columns, "standard")
    state = list_states(columns)
    held = known & ((state == 2) | ((state == 1) & (policy.month.late == "suspend")))
    counts = known & ~held
    points = scaled(columns.numbers("points"), policy.rounding.points, "the points")

    def of(rows: Any, values: Any) -> Any:
        return add_up(keys.codes, np.where(rows, values, 0), keys.size)

    payable = of(counts, owed)
    ratio = int(policy.month.ratio.scaleb(12))
    advance = round_over(np.maximum(payable, 0), ratio, 10**12)
    taken = amounts_by(deductions, "deductions", keys, "deductions")
    if (taken < 0).any():
        raise PolicyError("deductions= has a negative amount: what is deducted is at least 0")
    covered = np.minimum(taken, advance)
    paid = advance - covered
    number = np.bincount(keys.codes, minlength=keys.size)
    suspended, unpriced = (np.bincount(keys.codes[rows], minlength=keys.size) for rows in (held, ~known))
    settled = np.bincount(keys.codes[counts], minlength=keys.size)

    ledger, where = Ledger("month"), places(keys)
    ledger.check(
        "settled + suspended + unpriced = cases", where, settled + suspended + unpriced, number, digits=0, unit="cases"
    )
    ledger.check("paid + covered deductions + reserve = payable", where, paid + covered + (payable - advance), payable)
    ledger.check(
        "payable + suspended = payable of all cases",
        ["all"],
        int((payable + of(held, owed)).sum()),
        int(owed[known].sum()),
    )
    ledger.check("paid is at most payable, or 0", where, paid, np.maximum(payable, 0), relation="<=")
    weight = of(counts, points)
    table = pa.table(
        {
            **keys.table,
            "cases": number,
            "suspended": suspended,
            "unpriced": unpriced,
            "points": weight / 10.0**policy.rounding.points,
            "standard": to_yuan(of(counts, standard)),
            "payable": to_yuan(payable),
            "suspended_payable": to_yuan(of(held, owed)),
            "reserve": to_yuan(payable - advance),
            "deductions": to_yuan(taken),
            "open_deductions": to_yuan(taken - covered),
            "paid": to_yuan(paid),
        }
    )
    return Step(to_kind(table, cases), ledger.table())


def _optional(cases: Any) -> list[str]:
    return [name for name in ("list_status",) if name in Columns(cases).names]


def working_capital(last_year: Any, policy: Policy, *, available: Any = None) -> Step:
    """Compute the working capital (周转金) that hospitals get in advance for the year.

    Parameters
    ----------
    last_year
        A table with ``hospital``, ``pool`` and ``paid`` (yuan): last year's payments, any number of rows a hospital;
        or with ``applied`` (yuan) too, where hospitals apply for less.
    policy
        The policy: ``prepayment.months``, the number of mean months.
    available
        The most that the pool gives, yuan by pool; None sets no limit. Above it all are cut in proportion.

    Returns
    -------
    Table: a row a hospital and pool with ``mean_month``, ``highest`` (months x mean month), ``applied`` and
    ``working_capital``. Ledger: no hospital gets more than it may or applied for, no pool more than there is.

    Raises
    ------
    PolicyError
        The policy has no prepayment.

    Notes
    -----
    《医疗保障按病种付费管理暂行办法》 (2025), article 26; by application in the Tianjin notice of 2024.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> working_capital([{"hospital": "H1", "pool": "resident", "paid": 1200}], policy).table[0]["working_capital"]
    Decimal('100.00')
    """
    if policy.prepayment is None:
        raise PolicyError(f"policy {policy.id!r} has no prepayment: add [prepayment] with months")
    columns = Columns(last_year, ["hospital", "pool", "paid"], what="last year's payments")
    pool_rows(columns, policy)
    keys = keys_of(columns, ["hospital", "pool"])
    paid = amounts_by(last_year, "paid", keys, "last_year")
    months = int(policy.prepayment.months.scaleb(6))
    highest = round_over(paid, months, 12 * 10**6)
    applied = amounts_by(last_year, "applied", keys, "last_year") if "applied" in columns else highest
    granted = np.minimum(applied, highest)
    pools = keys.table["pool"].to_pylist()
    where = places(keys)
    ledger = Ledger("working capital")
    if available is not None:
        for pool in policy.pools:
            mine = np.array([name == pool for name in pools], bool)
            most = int(exact(available.get(pool, 0), f"available[{pool!r}]") * 100)
            asked = int(granted[mine].sum())
            if asked > most:
                # Rounded down: what is left stays with the pool.
                granted[mine] = (
                    granted[mine] * most // asked
                    if asked < 1 << 30
                    else np.array([int(part) * most // asked for part in granted[mine]])
                )
            ledger.check(
                f"granted to {pool} is at most what there is",
                [f"pool {pool}"],
                int(granted[mine].sum()),
                max(most, 0),
                relation="<=",
            )
    ledger.check("granted is at most months x mean month", where, granted, highest, relation="<=")
    ledger.check("granted is at most applied", where, granted, applied, relation="<=")
    table = pa.table(
        {
            **keys.table,
            "mean_month": to_yuan(round_over(paid, 1, 12)),
            "highest": to_yuan(highest),
            "applied": to_yuan(applied),
            "working_capital": to_yuan(granted),
        }
    )
    return Step(to_kind(table, last_year), ledger.table())
