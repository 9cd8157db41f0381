"""Cases: the payment standard (支付标准) of each, the fund's part of it, and profit and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from drgdip._arrow import reads_once
from drgdip._columns import Columns, Reasons, add_columns, labels
from drgdip._exact import exactly
from drgdip._money import add_up, fen_of, round_over, scaled, to_yuan
from drgdip.errors import CaseError
from drgdip.settle._inputs import NAMES, cross_region_rows, holds, numbers_by_pool, optional_money, pool_rows
from drgdip.settle._payers import payer_columns, read_paid
from drgdip.settle._rates import of_pools, point_rates, rates_of
from drgdip.settle.ledger import Ledger, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle._payers import Paid
    from drgdip.settle.policy import Policy

__all__ = [
    "BY_DAY",
    "BY_ITEM",
    "BY_POINTS",
    "BY_REVIEW",
    "CROSS_REGION",
    "FAILED",
    "LATE",
    "LIST_STATUSES",
    "PASSED",
    "PAYMENT_RULES",
    "PAYMENT_STATUSES",
    "PRICE_COLUMNS",
    "list_states",
    "price_cases",
    "price_columns",
]

#: How a case is paid: by its points; by the day at a rate in yuan; at the rate for cross-region care; by item; at the
#: cost that special review found reasonable.
PAYMENT_RULES = ("points", "bed_day", "cross_region", "item", "review")
BY_POINTS, BY_DAY, CROSS_REGION, BY_ITEM, BY_REVIEW = range(len(PAYMENT_RULES))
#: priced: the amounts stand; review: they stand until special review, or until its amount is known (null where the case
#: has no points meanwhile); unpriced: there are none, the reason says why.
PAYMENT_STATUSES = ("priced", "review", "unpriced")
_PRICED, _PENDING, _UNPRICED = range(len(PAYMENT_STATUSES))
#: The state of a case's settlement list: it passed; it came late; it failed the checks and was not mended.
LIST_STATUSES = ("passed", "late", "failed")
PASSED, LATE, FAILED = range(len(LIST_STATUSES))
#: The columns that pricing adds; `price_columns` has those of payers too.
PRICE_COLUMNS = (
    "payment_rule",
    "standard",
    "payable",
    "profit_formula",
    "adjustment",
    "profit",
    "payment_status",
    "payment_reason",
)


def price_columns(policy: Policy) -> list[str]:
    """Return the columns that pricing adds under a policy."""
    return [*PRICE_COLUMNS, *payer_columns(policy.payers)]


# Days of a century: a longer stay is a mistake.
_LONGEST_STAY = 36525
# Columns that are read where they are there.
_OPTIONAL = (
    "points",
    "case_kind",
    "outlier",
    "los",
    "cross_region",
    "review_status",
    "reasonable_cost",
    "points_status",
    "deductions",
)
# Columns that each way to find the fund's part needs.
_PARTS = {
    "residual": ("patient_paid",),
    "itemised": ("own_paid", "out_of_scope", "deductible", "reimbursement_rate"),
    "ratio": (),
    "item": (),
}


def list_states(table: Columns) -> NDArray[np.int8]:
    """Return the number in `LIST_STATUSES` of each row; without the column all lists passed."""
    if "list_status" not in table:
        return np.full(table.rows, PASSED, np.int8)
    codes, values = table.codes("list_status")
    numbers = []
    for value in values.to_pylist():
        if value not in LIST_STATUSES:
            raise CaseError(
                f"list_status holds {value!r}: it is one of {', '.join(LIST_STATUSES)}, or empty for passed"
            )
        numbers.append(LIST_STATUSES.index(value))
    return np.array([*numbers, PASSED], np.int8)[codes]


@exactly
@reads_once
def price_cases(
    cases: Any,
    policy: Policy,
    *,
    values: Any = None,
    ratios: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Price cases: payment standard, what the fund owes, and profit and loss.

    Parameters
    ----------
    cases
        Cases with ``pool``, ``points``, ``total_cost`` and ``fund_booked`` (yuan; what the fund pays by item,
        实际记账); ``patient_paid`` (yuan) for ``cases.payable = residual``; ``own_paid``, ``out_of_scope``,
        ``deductible``, ``deductions`` (yuan) and ``reimbursement_rate`` for ``itemised``; and as the policy's rules
        need: for ``payers`` ``paid_basic`` and its like (yuan), in place of ``fund_booked`` and ``patient_paid``;
        ``level``, ``group``, ``discharged``, ``case_kind``, ``outlier``, ``los``, ``cross_region`` (true or false),
        ``review_status`` and ``reasonable_cost`` (yuan); ``excluded_amount`` (yuan, `pay_exclusions`).
    policy
        The policy. Its rates price the points: base rates, or estimated point values.
    values
        Point values by pool (yuan) that replace the policy's rates: a mapping, or a table with ``pool`` and
        ``point_value``, such as `drgdip.points.point_value` and `Clearing.pools` are. A float stands for the decimal
        that it prints as.
    ratios
        The fund's share by pool for ``cases.payable = ratio``: a mapping, or a table with ``pool`` and ``fund_share``.
        None takes ``cases.fund_share`` of the policy.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    Table: the caller's table with these columns. A case that cannot be priced keeps its row, with nulls.

    - ``payment_rule``: one of `PAYMENT_RULES`.
    - ``standard``: yuan of all payers. ``payable``: yuan of the fund.
    - ``profit_formula``: standard - total_cost. ``adjustment``: sets the profit of outliers to 0 where the policy says
      so. ``profit``: the sum of both.
    - ``fund_booked``, ``patient_paid``, ``payable_basic`` and its like, where the policy has ``payers``: booked by the
      funds concerned, by all others, and the part that each fund concerned owes.
    - ``payment_status``: one of `PAYMENT_STATUSES`. ``payment_reason``: a code, see `drgdip.describe_reason`.

    Ledger: every case has one status; profit = standard - cost + adjustment, which only outliers have.

    Raises
    ------
    CaseError
        Float money. Amounts, rates and days that are missing or impossible are reasons of their rows.
    PolicyError, UnknownNameError
        A pool that the policy has not, no rate and no value to price with, or cross-region care that the policy has no
        rule for.

    Notes
    -----
    ``cases.payable`` is the fund's part of a standard; none of the four changes the patient's payment. ``residual``:
    standard less the patient's payments (DIP 3.0 draft, monthly formula). ``itemised``: (standard - own - out of scope
    - deductible) x reimbursement rate - deductions. ``ratio``: standard x the fund's share (DIP 3.0 draft, annual
    formula). ``item``: the amount booked. ``cases.floor`` lifts amounts below 0 to 0; the national text does not.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"pool": "resident", "points": 100, "total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> priced = price_cases([case], policy).table[0]
    >>> priced["standard"], priced["payable"], priced["profit"]
    (Decimal('9550.00'), Decimal('6550.00'), Decimal('550.00'))
    """
    table = Columns(cases, columns=columns, optional=NAMES)
    table.require(_needed(table, policy))
    pools = pool_rows(table, policy)
    rule, reasons = _rules(table, policy), Reasons(table.rows)
    cost = _amount(table, "total_cost", reasons)
    paid = read_paid(table, policy.payers, lambda name: _amount(table, name, reasons))
    outside = _outside(table, policy)
    reasons.note(outside, "outside_policy_dates")
    on_top = _excluded(table, policy, rule, reasons)
    standard = _point_standards(table, policy, pools, rule, values, reasons) + on_top
    standard = _other_standards(table, policy, pools, rule, standard, reasons)
    standard = np.where(rule == BY_ITEM, cost, standard)
    payable = _payable(table, policy, pools, rule, standard, paid, ratios, reasons)
    owed = np.where(rule == BY_ITEM, paid.booked, payable)
    formula = standard - cost
    normal = _normal(table, policy)
    adjustment = np.where(normal | (not policy.cases.neutral_outliers), 0, -formula)
    known = ~reasons.noted
    waiting = _waiting(table, policy) & ~outside
    pending = holds(table, "points_status", "review") & (rule != BY_REVIEW)
    status = np.where(known, np.where(pending, _PENDING, _PRICED), _UNPRICED).astype(np.int8)
    status[waiting] = _PENDING
    reasons.drop(waiting)
    reasons.note(waiting, "review_amount_open")
    added = {
        "payment_rule": labels(rule, PAYMENT_RULES),
        "standard": to_yuan(standard, known),
        "payable": to_yuan(owed, known),
        "profit_formula": to_yuan(formula, known),
        "adjustment": to_yuan(adjustment, known),
        "profit": to_yuan(formula + adjustment, known),
        "payment_status": labels(status, PAYMENT_STATUSES),
        "payment_reason": reasons.column(),
        **paid.parts(owed, known, policy.payers),
    }
    ledger = _ledger(policy, pools, status, standard - cost, formula, adjustment, normal, known)
    return Step(add_columns(cases, added), ledger)


def _ledger(
    policy: Policy, pools: Any, status: Any, difference: Fen, formula: Fen, adjustment: Fen, normal: Any, known: Any
) -> pa.Table:
    """Check that every case has one status, and that profits are what the formula gives."""
    ledger, size = Ledger("price cases"), len(policy.pools)
    tally = np.bincount(status, minlength=len(PAYMENT_STATUSES))
    ledger.check("priced + review + unpriced = cases", ["all"], int(tally.sum()), len(status), digits=0, unit="cases")
    where = [f"pool {pool}" for pool in policy.pools]
    profit, expected, changed = (
        np.where(known, part, 0) for part in (formula + adjustment, difference + adjustment, adjustment)
    )
    ledger.check(
        "profit = standard - cost + adjustment", where, add_up(pools, profit, size), add_up(pools, expected, size)
    )
    ledger.check(
        "adjustment of cases that are no outliers = 0",
        where,
        add_up(pools, np.where(normal, np.abs(changed), 0), size),
        0,
    )
    return ledger.table()


def _needed(table: Columns, policy: Policy) -> list[str]:
    rates = (*policy.rates, *policy.cases.cross_region_rates)
    dated = policy.valid_from or policy.valid_to or any(rate.valid_from or rate.valid_to for rate in rates)
    keys = [name for name in ("level", "group") if any(getattr(rate, name) is not None for rate in rates)]
    needed = ["pool", "total_cost", "fund_booked", *_PARTS[policy.cases.payable], *keys]
    needed += ["excluded_amount"] if policy.exclusion is not None and policy.form == "fixed" else []
    if policy.payers is not None:
        needed = [name for name in needed if name not in {"fund_booked", "patient_paid"}]
    return [*needed, *(["discharged"] if dated else []), *(name for name in _OPTIONAL if name in table)]


def _normal(table: Columns, policy: Policy) -> NDArray[np.bool_]:
    """Return which cases are no outliers: all where the cases were not classified."""
    if policy.outliers is None or "outlier" not in table:
        return np.ones(table.rows, bool)
    outside = [band.name for band in policy.outliers.policy().bands if band.name != "normal"]
    return ~holds(table, "outlier", *outside)


def _rules(table: Columns, policy: Policy) -> NDArray[np.int8]:
    """Return the rule of each row: the first that fits of review, item, bed-day, cross-region, points."""
    rules, rule = policy.cases, np.full(table.rows, BY_POINTS, np.int8)
    away = cross_region_rows(table, policy)
    if rules.cross_region != "same":
        rule[away] = BY_ITEM if rules.cross_region == "item" else CROSS_REGION
    if rules.bed_day_rates:
        rule[holds(table, "case_kind", "bed_day")] = BY_DAY
    item = holds(table, "case_kind", *rules.item_kinds)
    if rules.longest_stay is not None and "los" in table:
        item |= table.numbers("los") > rules.longest_stay
    if policy.outliers is not None and policy.form == "fixed":
        bands = [band.name for band in policy.outliers.policy().bands if band.payment == "item"]
        item |= holds(table, "outlier", *bands)
    rule[item] = BY_ITEM
    if policy.review is not None and policy.review.outcome != "points":
        approved = holds(table, "review_status", "approved") & ~_waiting(table, policy)
        rule[approved] = BY_ITEM if policy.review.outcome == "item" else BY_REVIEW
    return rule


def _waiting(table: Columns, policy: Policy) -> NDArray[np.bool_]:
    """Return which approved cases have no reasonable cost yet: until then they are paid as if not reviewed."""
    if policy.review is None or policy.review.outcome == "item":
        return np.zeros(table.rows, bool)
    _, known = optional_money(table, "reasonable_cost")
    return holds(table, "review_status", "approved") & ~known


def _excluded(table: Columns, policy: Policy, rule: Any, reasons: Reasons) -> Fen:
    """Return what cases paid by fixed points get on top for new items outside their group."""
    if policy.exclusion is None or policy.form != "fixed":
        return np.zeros(table.rows, np.int64)
    amount, known = optional_money(table, "excluded_amount")
    by_points = rule == BY_POINTS
    reasons.note(by_points & ~(known & (amount >= 0)), "no_excluded_amount")
    return np.where(by_points, amount, 0)


def _outside(table: Columns, policy: Policy) -> NDArray[np.bool_]:
    """Return which cases were discharged outside the dates of the policy, or on no known day."""
    if not (policy.valid_from or policy.valid_to):
        return np.zeros(table.rows, bool)
    dates = table.dates("discharged")
    outside = np.asarray(pc.is_null(dates))
    for limit, beyond in ((policy.valid_from, pc.less), (policy.valid_to, pc.greater)):
        if limit is not None:
            outside = outside | np.asarray(pc.fill_null(beyond(dates, limit), fill_value=False))
    return outside


def _point_standards(table: Columns, policy: Policy, pools: Any, rule: Any, values: Any, reasons: Reasons) -> Fen:
    """Return points x rate for the cases paid by points, at the policy's rates or at those of cross-region care."""
    points = table.numbers("points") if "points" in table else np.full(table.rows, np.nan)
    points = np.where(np.isfinite(points), points, np.nan)  # points without measure are none
    amount = np.maximum(scaled(points, policy.rounding.points, "the points"), 0)
    of_points, away = rule == BY_POINTS, rule == CROSS_REGION
    reasons.note((of_points | away) & ~(points >= 0), "bad_points")
    unit = 10 ** (policy.rounding.points + policy.rounding.values - 2)
    rate, found = point_rates(table, policy, pools, values)
    at_values = of_points | (away if policy.cases.cross_region == "value" else False)
    reasons.note(at_values & ~found, "no_rate")
    standard = round_over(amount, rate, unit)
    if away.any() and policy.cases.cross_region == "fixed":
        rate, found = rates_of(table, policy.cases.cross_region_rates, policy.rounding.values)
        reasons.note(away & ~found, "no_rate")
        standard = np.where(away, round_over(amount, rate, unit), standard)
    return standard


def _other_standards(table: Columns, policy: Policy, pools: Any, rule: Any, standard: Fen, reasons: Reasons) -> Fen:
    """Return the standards with those of bed-day cases and of reviewed cases in their places."""
    by_day, reviewed = rule == BY_DAY, rule == BY_REVIEW
    if by_day.any():
        rates = policy.cases.bed_day_rates
        daily = np.array([fen_of(rates.get(pool, 0), "bed_day_rates") for pool in policy.pools])
        reasons.note(by_day & (daily[pools] == 0), "no_rate")
        days = table.numbers("los") if "los" in table else np.full(table.rows, np.nan)
        good = (days >= 0) & (days <= _LONGEST_STAY) & (days == np.floor(days))
        reasons.note(by_day & ~good, "bad_bed_days")
        standard = np.where(by_day, daily[pools] * np.where(good, days, 0).astype(np.int64), standard)
    if reviewed.any():
        reasonable, known = optional_money(table, "reasonable_cost")
        reasons.note(reviewed & ~(known & (reasonable >= 0)), "bad_reasonable_cost")
        standard = np.where(reviewed, reasonable, standard)
    return standard


def _amount(table: Columns, name: str, reasons: Reasons, rows: Any = None) -> Fen:
    """Return a column of money as fen, with a reason for the rows where it is needed and missing or below 0."""
    fen, known = optional_money(table, name)
    needed = np.ones(table.rows, bool) if rows is None else rows
    reasons.note(needed & ~known, "missing_amount")
    reasons.note(needed & (fen < 0), "negative_amount")
    return fen


def _payable(
    table: Columns, policy: Policy, pools: Any, rule: Any, standard: Fen, paid: Paid, ratios: Any, reasons: Reasons
) -> Fen:
    """Return the fund's part of the standard of a case that is not paid by item."""
    kind, rows = policy.cases.payable, rule != BY_ITEM
    if kind == "item":
        return paid.booked
    if kind == "residual":
        patient = _amount(table, "patient_paid", reasons, rows) if paid.others is None else paid.others
        owed = standard - patient
    elif kind == "ratio":
        shares = policy.cases.fund_share if ratios is None else numbers_by_pool(ratios, "fund_share", "ratios", most=1)
        lacking = "payable = ratio needs the fund's share of {!r}: give ratios="
        owed = round_over(standard, of_pools(shares, policy, pools, 12, lacking), 10**12)
    else:
        own, beyond, first = (_amount(table, name, reasons, rows) for name in _PARTS["itemised"][:3])
        numbers = table.numbers("reimbursement_rate")
        good = (numbers >= 0) & (numbers <= 1)
        reasons.note(rows & ~good, "bad_reimbursement_rate")
        rate = scaled(np.where(good, numbers, 0), 8, "reimbursement_rate")
        taken, known = optional_money(table, "deductions")
        reasons.note(rows & known & (taken < 0), "negative_amount")
        owed = round_over(standard - own - beyond - first, rate, 10**8) - taken
    return np.maximum(owed, 0) if policy.cases.floor else owed
