"""Monthly pre-settlement (月预结算): what is due for the months so far, and the part that waits for the year."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, Keys
from drgdip._exact import exactly
from drgdip._money import add_up, to_yuan
from drgdip._notebook import shown
from drgdip.errors import CaseError
from drgdip.settle._claims import KEY, Claim, MonthCases, claim_months, explain_change
from drgdip.settle._entering import as_paid, enter_cases, pay_by_item
from drgdip.settle._inputs import keys_of, places
from drgdip.settle.audits import deducted_by
from drgdip.settle.ledger import Ledger
from drgdip.settle.payments import join_keys, paid_by, paid_on, read_payments
from drgdip.settle.versions import cases_on, has_versions, known_on, pick_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle._entering import Entered
    from drgdip.settle.payments import Payments
    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import MonthRules

__all__ = ["Months", "month"]


@shown
class Months(NamedTuple):
    """Settled months.

    Attributes
    ----------
    table
        A row for each hospital, pool and month.
    ledger
        Sums that were checked.
    differences
        With payments: why each row's ``due`` is what it is, line by line. Else None.
    findings
        The findings on the cases that the caller accepted, each with the way and the treatment of its row.
    """

    table: Any
    ledger: pa.Table
    differences: Any = None
    findings: pa.Table | None = None


@exactly
@reads_once
def month(
    cases: Any,
    policy: Policy | MonthRules,
    *,
    month: Any = None,
    budget: Any = None,
    deductions: Any = None,
    payments: Any = None,
    before: Any = None,
    as_of: datetime.date | None = None,
    accept: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Months:
    """Settle the months so far: what each hospital is owed before the year's clearing, and what of it is due now.

    Owed is the payable of the cases whose lists passed, times the month's ratio, less audit deductions. The rest
    of the ratio is the reserve (质量保证金). Due is what is owed less what was paid.

    Parameters
    ----------
    cases
        Cases as `price_cases` gives them, with ``hospital``, ``pool``, ``month`` (any value; one row a value),
        ``payable``, ``standard``, ``points``, ``total_cost`` and, where lists may be late or failed,
        ``list_status`` (passed, late, failed). With ``as_of`` they have versions (`pick_versions`).
    policy
        The policy, or its section month alone: ``ratio``, ``late``, ``value`` and ``cap``.
    month
        The last month that is settled. None settles all.
    budget
        The budgets of the months, where ``month.value`` or ``month.cap`` asks for them: a table with ``pool``,
        ``month`` and ``amount`` (yuan), as `split_budget` gives it.
    deductions
        Audit deductions: a table with ``hospital``, ``pool``, ``month`` and ``deductions`` (yuan). The hospital needs
        no cases in the month. Rows with a day in ``as_of`` count from that day.
    payments
        Payments so far, as `sum_payments` reads them. Prepayments and returned deposits are the year's.
    before
        The priced cases as they stood when the months were last paid, with ``case_id``. Cases with versions need it
        not: the versions of the day of the last payment are taken.
    as_of
        The day that is settled: later versions, deductions and payments do not count. None takes all.
    accept
        How findings of `audit_cases` are treated: a way by kind, such as ``{"unpriced": "by_item"}``.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    `Months`. Its table has a row for each hospital, pool and month.

    - ``cases``, and of them ``suspended`` (list late or failed), ``unpriced`` and ``cross_region`` (other regions pay
      for them: `settle_cross_region`).
    - ``points``, ``standard`` and ``payable`` of the cases that count; ``suspended_payable`` of the suspended ones.
    - ``budget_change``: what the month's budget adds to the payable of the cases, or takes from it.
    - ``reserve``. It is negative where the patients paid more than the standards: nothing is paid, the year takes it.
    - ``deductions``, and of them ``open_deductions``, which the month did not cover and the year's clearing takes.
    - ``paid``: what is to be paid for the month in all.
    - With payments: ``paid_before``, what was paid; ``due``, what is still to be paid, or negative to be taken back.

    Its differences have ``hospital``, ``pool``, ``month``, ``reason``, ``cases`` and ``amount`` (yuan). Their sum is
    the due. Reasons: first_payment, late_list, corrected_list, review_outcome, price_found, list_suspended,
    price_lost, withdrawn, month_budget, reserve, audit, appeal_won; paid_otherwise is what was paid differently from
    what was owed on that day, or what changed where the earlier cases are not known.

    Ledger: paid + reserve + deductions covered = payable; cases and money of all hospitals are those of the month;
    the differences add up to the due.

    Raises
    ------
    CaseError, UnknownNameError
        Float money, or findings on the cases that ``accept`` does not name.
    PolicyError
        A negative deduction, or a budget of a month that is missing.

    Notes
    -----
    (total weight x month rate - patient payments) x prepay ratio - audit deductions: DIP 3.0 draft, chapter 7.
    Suspension of late lists: 云医保〔2019〕166号. The function keeps nothing between calls: a late list is settled by
    calling again with the payments made.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"hospital": "H1", "pool": "resident", "month": 1, "points": 100, "standard": 9550, "total_cost": 9000}
    >>> month([case | {"payable": 6550}], policy).table[0]["paid"]
    Decimal('5895.00')
    >>> payments = [{"hospital": "H1", "pool": "resident", "month": 1, "kind": "monthly", "amount": 5000}]
    >>> found = month([case | {"payable": 6550}], policy, payments=payments)
    >>> found.table[0]["due"], [(row["reason"], str(row["amount"])) for row in found.differences]
    (Decimal('895.00'), [('paid_otherwise', '895.00')])
    """
    paid = None if payments is None else read_payments(payments, as_of)
    entered = enter_cases(cases_on(cases, as_of, columns), policy, accept, columns=columns, needs=KEY)
    now = _month_cases(entered, policy, columns)
    then = None if paid is None else _earlier(cases, before, policy, paid, accept, columns)
    tables = [now.keys, *([then.keys] if then else []), *_more_keys(known_on(deductions, as_of), paid)]
    keys = join_keys(*tables)
    chosen = _up_to(keys, month)
    keys, codes = _chosen(keys, chosen)
    taken = _deductions(deductions, keys, as_of)
    claim = claim_months(now, keys, codes, budget, taken)
    table, ledger = _account(now, keys, codes, claim, taken)
    if paid is None:
        sums = pa.concat_tables([entered.ledger, ledger.table()])
        return Months(to_kind(pa.table(table), cases), sums, None, entered.findings)
    was = paid_by(paid, paid.monthly(), keys)
    due = claim.paid - was
    lines = _differences(now, then, keys, codes, claim, was, paid, deductions, budget)
    rows = np.array([line[0] for line in lines], np.int64)
    amounts = np.array([line[3] for line in lines], np.int64)
    ledger.check("paid before + due = paid", places(keys), was + due, claim.paid)
    ledger.check("differences = due", places(keys), add_up(rows, amounts, keys.size), due)
    differences = {
        **{name: column.take(pa.array(rows)) for name, column in keys.table.items()},
        "reason": pa.array([line[1] for line in lines], pa.string()),
        "cases": pa.array([line[2] for line in lines], pa.int64()),
        "amount": to_yuan(amounts),
    }
    table |= {"paid_before": to_yuan(was), "due": to_yuan(due)}
    sums = pa.concat_tables([entered.ledger, ledger.table()])
    lines_of = to_kind(pa.table(differences), cases)
    return Months(to_kind(pa.table(table), cases), sums, lines_of, entered.findings)


def _month_cases(entered: Entered, policy: Any, columns: Any) -> MonthCases:
    """Return the cases that enter, those that are accepted by item at the amount booked."""
    settled, names = pay_by_item(entered.cases, entered.by_item, columns)
    return MonthCases(settled, policy, names)


def _earlier(
    cases: Any, before: Any, policy: Any, paid: Payments, accept: Mapping[str, str] | None, columns: Any
) -> MonthCases | None:
    """Return the cases as they stood at the last payment, None where nobody says."""
    if before is None:
        day = paid_on(paid)
        if day is None or not has_versions(cases, columns):
            return None
        before = pick_versions(cases, day, columns=columns)
    return _month_cases(enter_cases(before, policy, as_paid(accept), columns=columns, needs=KEY), policy, columns)


def _more_keys(deductions: Any, paid: Payments | None) -> list[Keys]:
    """Return the keys of deductions and payments, which may be of hospitals without cases."""
    found = []
    if deductions is not None:
        found.append(keys_of(Columns(deductions, KEY, what="the table deductions="), KEY))
    if paid is not None and paid.monthly().any():
        paid.table.require(["month"])
        rows = pa.table({name: paid.table.column(name).filter(pa.array(paid.monthly())) for name in KEY})
        found.append(keys_of(Columns(rows, what="the monthly payments"), KEY))
    return found


def _up_to(keys: Keys, last: Any) -> NDArray[np.bool_]:
    """Return the keys of the months that are settled."""
    months = keys.table["month"]
    if last is None:
        return np.ones(keys.size, bool)
    try:
        kind = int if pa.types.is_integer(months.type) else str
        edge = kind(last)
    except (TypeError, ValueError) as error:
        raise CaseError(f"month={last!r} is no month of the cases, which have whole numbers: give one") from error
    return np.array([value <= edge for value in months.to_pylist()], bool)


def _chosen(keys: Keys, chosen: NDArray[np.bool_]) -> tuple[Keys, NDArray[np.integer]]:
    """Return the keys that are settled, and the codes of the cases among them, below 0 for the others."""
    if chosen.all():
        return keys, keys.codes
    place = np.where(chosen, np.cumsum(chosen) - 1, -1).astype(np.int32)
    table = {name: column.filter(pa.array(chosen)) for name, column in keys.table.items()}
    codes = place[keys.codes]
    return Keys(codes, table, int(chosen.sum())), codes


def _deductions(given: Any, keys: Keys, as_of: datetime.date | None) -> Fen:
    """Return the deductions of each key that count on a day; those of months that are not settled do not."""
    if given is None:
        return np.zeros(keys.size, np.int64)
    table = Columns(known_on(given, as_of), [*KEY, "deductions"], what="the table deductions=")
    counts = table.match(KEY, Columns(pa.table(keys.table), what="the months")) >= 0
    names = [*KEY, "deductions", *(["audit_id"] if "audit_id" in table else [])]
    return deducted_by(pa.table({name: table.column(name).filter(pa.array(counts)) for name in names}), keys)


def _account(
    now: MonthCases, keys: Keys, codes: NDArray[np.integer], claim: Claim, taken: Fen
) -> tuple[dict[str, Any], Ledger]:
    """Return the account of each key, and the sums that were checked."""

    def of(rows: NDArray[np.bool_], values: Any) -> Fen:
        """Add up the values of some rows by key."""
        return add_up(codes, np.where(rows, values, 0), keys.size)

    def count(rows: NDArray[np.bool_]) -> Fen:
        """Count some rows by key."""
        return np.bincount(codes[rows & settled], minlength=keys.size)

    settled = codes >= 0
    suspended_payable = of(now.held, now.owed)
    number, suspended, away = (count(rows) for rows in (settled, now.held, now.away))
    unpriced = count(~now.known & ~now.away)
    ledger, where = Ledger("month"), places(keys)
    counted = count(now.counts) + suspended + unpriced + away
    ledger.check(
        "settled + suspended + unpriced + cross-region = cases", where, counted, number, digits=0, unit="cases"
    )
    reserve = claim.payable - claim.advance
    ledger.check(
        "paid + covered deductions + reserve = payable", where, claim.paid + claim.covered + reserve, claim.payable
    )
    both = int((claim.cases + suspended_payable).sum())
    ledger.check("payable + suspended = payable of all cases", ["all"], both, int(now.owed[now.known & settled].sum()))
    ledger.check("paid is at most payable, or 0", where, claim.paid, np.maximum(claim.payable, 0), relation="<=")
    table = {
        **keys.table,
        "cases": number,
        "suspended": suspended,
        "unpriced": unpriced,
        "cross_region": away,
        "points": of(now.counts, now.points) / 10.0**now.digits,
        "standard": to_yuan(of(now.counts, now.standard)),
        "payable": to_yuan(claim.payable),
        "suspended_payable": to_yuan(suspended_payable),
        "budget_change": to_yuan(claim.change),
        "reserve": to_yuan(reserve),
        "deductions": to_yuan(taken),
        "open_deductions": to_yuan(taken - claim.covered),
        "paid": to_yuan(claim.paid),
    }
    return table, ledger


def _differences(
    now: MonthCases,
    then: MonthCases | None,
    keys: Keys,
    codes: NDArray[np.integer],
    claim: Claim,
    was: Fen,
    paid: Payments,
    deductions: Any,
    budget: Any,
) -> list[tuple[int, str, int, int]]:
    """Return the lines that lead from what was paid to what is owed: key, reason, cases and fen."""
    new = _unpaid(paid, keys)
    old_codes = None
    old = Claim(*(np.zeros(keys.size, np.int64) for _ in Claim._fields))
    if then is not None:
        names = list(keys.table)
        place = Columns(pa.table(then.keys.table), what="the cases").match(names, Columns(pa.table(keys.table)))
        old_codes = place[then.keys.codes]
        day = paid_on(paid)
        taken = _deductions(deductions, keys, day)
        old = claim_months(then, keys, old_codes, budget, taken)
        old = Claim(*(np.where(new, 0, part) for part in old))
    elif not new.all():
        old = Claim(*(np.where(new, 0, part) for part in claim))
    lines, explained = explain_change(now, then, new, keys, codes, old_codes)
    counts = np.zeros(keys.size, np.int64)
    change = {
        "month_budget": claim.change - old.change,
        "reserve": (claim.advance - claim.payable) - (old.advance - old.payable),
        "audit": np.minimum(old.covered - claim.covered, 0),
        "appeal_won": np.maximum(old.covered - claim.covered, 0),
        "paid_otherwise": old.paid - was,
    }
    unexplained = claim.cases - old.cases - explained
    if unexplained.any():
        raise CaseError("before= and the cases do not name their cases alike: check case_id in both")
    for reason, amounts in change.items():
        lines += [(int(row), reason, int(counts[row]), int(amounts[row])) for row in np.flatnonzero(amounts)]
    return sorted(lines, key=lambda line: line[0])


def _unpaid(paid: Payments, keys: Keys) -> NDArray[np.bool_]:
    """Return the keys for which nothing was paid yet."""
    if "month" not in paid.table:
        return np.ones(keys.size, bool)
    row = paid.table.match(list(keys.table), Columns(pa.table(keys.table), what="the months"))
    return np.asarray(np.bincount(row[paid.monthly() & (row >= 0)], minlength=keys.size) == 0)
