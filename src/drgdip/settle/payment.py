"""Cases: what each earns in points, its payment standard (支付标准), what the fund owes, and profit and loss."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._columns import Columns, add_columns, labels
from drgdip._money import add_up, exact, fen_of, round_over, scaled, to_yuan
from drgdip.errors import CaseError, PolicyError
from drgdip.points import case_points, combine_coefficients, mark_readmissions, set_payment_standards
from drgdip.settle._inputs import flag, holds, money, optional_money, pool_rows, texts
from drgdip.settle.ledger import Ledger, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = ["LIST_STATUSES", "PAYMENT_RULES", "PAYMENT_STATUSES", "list_states", "price_cases", "score_cases"]

#: How a case is paid: by its points; by the day at a rate in yuan; at the rate for cross-region care; by item; at the
#: cost that special review found reasonable.
PAYMENT_RULES = ("points", "bed_day", "cross_region", "item", "review")
#: priced: the amounts stand; review: they stand until special review; unpriced: there are none, the reason says why.
PAYMENT_STATUSES = ("priced", "review", "unpriced")
#: The state of a case's settlement list: it passed; it came late; it failed the checks and was not mended.
LIST_STATUSES = ("passed", "late", "failed")

_REASONS = (
    "the points are missing or negative: points_reason says why",
    "no rate holds for the pool, level, group and date",
    "the discharge lies outside the policy's dates",
    "the days are missing",
    "the reasonable cost is missing",
)


def score_cases(
    cases: Any,
    policy: Policy,
    weights: Any,
    *,
    coefficients: Mapping[str, Any] | None = None,
    reference: Any = None,
    mean_cost: float | None = None,
) -> Any:
    """Give each case its points under a policy: `drgdip.points.case_points` with the policy's rules.

    Parameters
    ----------
    cases
        Grouped cases: ``group`` and ``total_cost``, and what the policy's rules need: ``level``, ``los``,
        ``discharge``, ``patient``, ``admitted``, ``discharged``. ``case_kind`` (one of
        `drgdip.points.CASE_KINDS`) is kept where it is given.
    policy
        The policy.
    weights
        Weights by group on the policy's scale, such as `drgdip.points.weights` makes.
    coefficients
        The tables that the policy's expression ``points.coefficients`` names, as for
        `drgdip.points.combine_coefficients`; without an expression, None.
    reference
        What the outlier policy divides by, as for `drgdip.points.classify_outliers`.
    mean_cost
        The mean cost of all reference cases (yuan), for cases whose points come from their cost.

    Returns
    -------
    The caller's table with the columns of `drgdip.points.case_points` and of the steps before it.

    Raises
    ------
    PolicyError
        Coefficients are given without an expression or the other way round; and as `drgdip.points.case_points`.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> cases = [{"group": "A", "total_cost": Decimal("9000.00"), "los": 6, "level": "3"}]
    >>> level = [{"level": "3", "coefficient": 1.1}]
    >>> score_cases(cases, policy, [{"group": "A", "weight": 100}], coefficients={"level": level})[0]["points"]
    110.00000000000001
    """
    rules, stays = policy.points, policy.readmission
    if rules.coefficients is None and coefficients is not None:
        raise PolicyError(f"policy {policy.id!r}: points.coefficients names no table, but coefficients= is given")
    if rules.coefficients is not None and coefficients is None:
        raise PolicyError(
            f"policy {policy.id!r}: points.coefficients is {rules.coefficients!r}: give a table for each name in it, "
            "such as coefficients={'level': table} (--coefficients level=FILE on the command line)"
        )
    coefficient = None
    if rules.coefficients is not None:
        uniform = {group: float(value) for group, value in rules.uniform.items()}
        missing = {name: float(value) for name, value in rules.missing.items()}
        cases = combine_coefficients(
            cases, coefficients or {}, rules.coefficients, uniform=uniform or None, missing=missing or None
        )
        coefficient = "coefficient"
    kind, cases = _with_kinds(cases, policy)
    if stays is not None:
        cases = mark_readmissions(
            cases, days=stays.days, factor=float(stays.factor), reduced=stays.reduced, except_groups=stays.except_groups
        )
    daily = rules.bed_day_points
    return case_points(
        cases,
        weights,
        coefficient=coefficient,
        outliers=policy.outliers.policy() if policy.outliers else None,
        reference=reference,
        kind=kind,
        incomplete=rules.incomplete,
        bed_day_points=None if daily is None else float(daily),
        mean_cost=mean_cost,
        scale=None if mean_cost is None else float(rules.scale),
        readmission="readmission_factor" if stays is not None else None,
    )


def _with_kinds(cases: Any, policy: Policy) -> tuple[str | None, Any]:
    """The cases with a kind each, where the policy says that a discharge mode makes a stay incomplete."""
    columns = Columns(cases)
    modes = policy.cases.incomplete_discharges
    if not modes:
        return ("case_kind" if "case_kind" in columns else None), cases
    columns = Columns(cases, ["discharge", "case_kind" if "case_kind" in columns else None])
    left = np.isin(columns.numbers("discharge"), modes)
    given = texts(columns, "case_kind")
    kinds = pc.if_else(pa.array(left), pc.coalesce(given, "incomplete"), pc.coalesce(given, "complete"))
    kinds = pc.if_else(pc.and_(pa.array(left), pc.equal(kinds, "complete")), "incomplete", kinds)
    return "case_kind", add_columns(cases, {"case_kind": kinds})


def list_states(columns: Columns) -> NDArray[np.int8]:
    """The number in `LIST_STATUSES` of each row; without the column all lists passed."""
    if "list_status" not in columns:
        return np.zeros(columns.rows, np.int8)
    codes, values = columns.codes("list_status")
    numbers = []
    for value in values.to_pylist():
        if value not in LIST_STATUSES:
            raise CaseError(
                f"list_status holds {value!r}: it is one of {', '.join(LIST_STATUSES)}, or empty for passed"
            )
        numbers.append(LIST_STATUSES.index(value))
    return np.array([*numbers, 0], np.int8)[codes]


def price_cases(
    cases: Any, policy: Policy, *, values: Mapping[str, Any] | None = None, ratios: Mapping[str, Any] | None = None
) -> Step:
    """Price cases: payment standard, what the fund owes, and profit and loss.

    Parameters
    ----------
    cases
        Cases with ``pool``, ``points``, ``total_cost`` and ``fund_booked`` (yuan; what the fund pays by item,
        实际记账); ``patient_paid`` (yuan) for ``cases.payable = residual``; ``own_paid``, ``out_of_scope``,
        ``deductible``, ``deductions`` (yuan) and ``reimbursement_rate`` for ``itemised``; and as the policy's rules
        need: ``level``, ``group``, ``discharged``, ``case_kind``, ``outlier``, ``los``, ``cross_region`` (true or
        false), ``review_status`` and ``reasonable_cost`` (yuan).
    policy
        The policy. Its rates price the points: base rates, or estimated point values.
    values
        Point values by pool (yuan) to be used instead of the policy's rates, such as those of the year.
    ratios
        The fund's share by pool for ``cases.payable = ratio``; None takes ``cases.fund_share`` of the policy.

    Returns
    -------
    Table: the caller's table with ``payment_rule`` (one of `PAYMENT_RULES`), ``standard`` (yuan, all payers),
    ``payable`` (yuan, the fund), ``profit_formula`` (standard - total_cost), ``adjustment`` (what sets the profit of
    outliers to 0 where the policy says so), ``profit``, ``payment_status`` (one of `PAYMENT_STATUSES`) and
    ``payment_reason``. A case that cannot be priced keeps its row, with nulls. Ledger: every case has one status;
    profit = standard - cost + adjustment, which only outliers have.

    Raises
    ------
    CaseError
        Float money, or money that is missing or negative.
    PolicyError, UnknownNameError
        A pool that the policy has not, or no rate and no value to price with.

    Notes
    -----
    What the fund owes for a case, none of them changing what the patient pays: ``residual``, standard less the
    patient's payments (DIP 3.0 draft, monthly formula); ``itemised``, (standard - own - out of scope - deductible) x
    reimbursement rate - deductions; ``ratio``, standard x the fund's share (DIP 3.0 draft, annual formula);
    ``item``, what was booked. ``cases.floor`` lifts what is below 0 to 0; the national text does not.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"pool": "resident", "points": 100, "total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> priced = price_cases([case], policy).table[0]
    >>> priced["standard"], priced["payable"], priced["profit"]
    (Decimal('9550.00'), Decimal('6550.00'), Decimal('550.00'))
    """
    columns = Columns(cases, _needed(cases, policy))
    pools, _ = pool_rows(columns, policy)
    cost, booked = money(columns, "total_cost"), money(columns, "fund_booked")
    points = columns.numbers("points") if "points" in columns else np.full(columns.rows, np.nan)
    digits = policy.rounding.points
    amount = scaled(points, digits, "the points")
    rule = _rules(columns, policy)
    why = np.full(columns.rows, -1, np.int8)

    rate, found = _rates(columns, policy, pools, values)
    unit = 10 ** (digits + policy.rounding.values - 2)
    standard = round_over(np.maximum(amount, 0), rate, unit)
    of_points = rule == PAYMENT_RULES.index("points")
    why[of_points & ~found] = 1
    if (rule == PAYMENT_RULES.index("cross_region")).any():
        rate, found = _rates_of(columns, policy, policy.cases.cross_region_rates)
        away = rule == PAYMENT_RULES.index("cross_region")
        standard = np.where(away, round_over(np.maximum(amount, 0), rate, unit), standard)
        why[away & ~found] = 1
    why[(rule <= PAYMENT_RULES.index("cross_region")) & (rule != 1) & ~(points >= 0)] = 0
    by_day = rule == PAYMENT_RULES.index("bed_day")
    if by_day.any():
        daily = np.array([fen_of(policy.cases.bed_day_rates.get(pool, 0), "bed_day_rates") for pool in policy.pools])
        days = columns.numbers("los")
        why[by_day & ~(days >= 0)] = 3
        standard = np.where(by_day, daily[pools] * np.nan_to_num(days).astype(np.int64), standard)
    reviewed = rule == PAYMENT_RULES.index("review")
    if reviewed.any():
        reasonable, known = optional_money(columns, "reasonable_cost")
        why[reviewed & ~(known & (reasonable >= 0))] = 4
        standard = np.where(reviewed, reasonable, standard)
    by_item = rule == PAYMENT_RULES.index("item")
    standard = np.where(by_item, cost, standard)
    why[_outside(columns, policy)] = 2

    owed = np.where(by_item, booked, _payable(columns, policy, pools, standard, booked, ratios))
    formula = standard - cost
    normal = _normal(columns, policy)
    adjustment = np.where(normal | (not policy.cases.neutral_outliers), 0, -formula)
    known = why < 0
    pending = known & holds(columns, "points_status", "review") & ~reviewed
    status = np.where(known, np.where(pending, 1, 0), 2).astype(np.int8)

    ledger = Ledger("price cases")
    tally = np.bincount(status, minlength=3)
    ledger.check("priced + review + unpriced = cases", ["all"], int(tally.sum()), columns.rows, digits=0, unit="cases")
    sides = [np.where(known, part, 0) for part in (formula + adjustment, standard - cost + adjustment, adjustment)]
    where = [f"pool {pool}" for pool in policy.pools]
    size = len(policy.pools)
    ledger.check(
        "profit = standard - cost + adjustment", where, add_up(pools, sides[0], size), add_up(pools, sides[1], size)
    )
    ledger.check(
        "adjustment of cases that are no outliers = 0",
        where,
        add_up(pools, np.where(normal, np.abs(sides[2]), 0), size),
        0,
    )
    table = add_columns(
        cases,
        {
            "payment_rule": labels(rule, PAYMENT_RULES),
            "standard": to_yuan(standard, known),
            "payable": to_yuan(owed, known),
            "profit_formula": to_yuan(formula, known),
            "adjustment": to_yuan(adjustment, known),
            "profit": to_yuan(formula + adjustment, known),
            "payment_status": labels(status, PAYMENT_STATUSES),
            "payment_reason": labels(why, _REASONS),
        },
    )
    return Step(table, ledger.table())


def _needed(cases: Any, policy: Policy) -> list[str | None]:
    names = Columns(cases).names
    optional = (
        "points",
        "case_kind",
        "outlier",
        "los",
        "cross_region",
        "review_status",
        "reasonable_cost",
        "points_status",
    )
    dates = ("discharged",) if policy.valid_from or policy.valid_to or _dated(policy) else ()
    parts: dict[str, tuple[str, ...]] = {
        "residual": ("patient_paid",),
        "itemised": ("own_paid", "out_of_scope", "deductible", "reimbursement_rate"),
        "ratio": (),
        "item": (),
    }
    rates = (*policy.rates, *policy.cases.cross_region_rates)
    keys = [name for name in ("level", "group") if any(getattr(rate, name) is not None for rate in rates)]
    needed = ["pool", "total_cost", "fund_booked", *parts[policy.cases.payable], *keys, *dates]
    return [*needed, *(name for name in (*optional, "deductions") if name in names)]


def _dated(policy: Policy) -> bool:
    return any(rate.valid_from or rate.valid_to for rate in (*policy.rates, *policy.cases.cross_region_rates))


def _normal(columns: Columns, policy: Policy) -> NDArray[np.bool_]:
    """Which cases are no outliers: all where the cases were not classified."""
    if policy.outliers is None or "outlier" not in columns:
        return np.ones(columns.rows, bool)
    outside = [band.name for band in policy.outliers.policy().bands if band.name != "normal"]
    return ~holds(columns, "outlier", *outside)


def _rules(columns: Columns, policy: Policy) -> NDArray[np.int8]:
    """The number in `PAYMENT_RULES` of each row: the first that fits of review, item, bed-day, cross-region, points."""
    rules, rule = policy.cases, np.zeros(columns.rows, np.int8)
    if rules.cross_region != "same":
        rule[flag(columns, "cross_region")] = 2 if rules.cross_region == "fixed" else 3
    if rules.bed_day_rates:
        rule[holds(columns, "case_kind", "bed_day")] = 1
    item = holds(columns, "case_kind", *rules.item_kinds)
    if rules.longest_stay is not None and "los" in columns:
        item |= columns.numbers("los") > rules.longest_stay
    if policy.outliers is not None and policy.form == "fixed":
        bands = [band.name for band in policy.outliers.policy().bands if band.payment == "item"]
        item |= holds(columns, "outlier", *bands)
    rule[item] = 3
    if policy.review is not None and policy.review.outcome != "points":
        approved = holds(columns, "review_status", "approved")
        rule[approved] = 3 if policy.review.outcome == "item" else 4
    return rule


def _outside(columns: Columns, policy: Policy) -> NDArray[np.bool_]:
    if not (policy.valid_from or policy.valid_to):
        return np.zeros(columns.rows, bool)
    dates = columns.dates("discharged")
    outside = np.asarray(pc.is_null(dates))
    for limit, beyond in ((policy.valid_from, pc.less), (policy.valid_to, pc.greater)):
        if limit is not None:
            outside = outside | np.asarray(pc.fill_null(beyond(dates, pa.scalar(limit, pa.date32())), fill_value=False))
    return outside


def _rates(
    columns: Columns, policy: Policy, pools: Any, values: Mapping[str, Any] | None
) -> tuple[Fen, NDArray[np.bool_]]:
    """The yuan of a point for each row, as whole multiples of the policy's smallest step, and which rows have one."""
    digits = policy.rounding.values
    if values is None:
        if not policy.rates:
            raise PolicyError(f"policy {policy.id!r} has no rates: give values= the point value of each pool")
        return _rates_of(columns, policy, policy.rates)
    for number in np.unique(pools):
        if policy.pools[number] not in values:
            raise PolicyError(f"values= has no entry for the pool {policy.pools[number]!r}: add it")
    of_pool = [_scaled(exact(values.get(pool, 0), f"values[{pool!r}]"), digits) for pool in policy.pools]
    return np.array(of_pool, np.int64)[pools], np.ones(columns.rows, bool)


def _scaled(value: Decimal, digits: int) -> int:
    return int(value.scaleb(digits) + Decimal("0.5"))


def _rates_of(columns: Columns, policy: Policy, rates: Any) -> tuple[Fen, NDArray[np.bool_]]:
    # The row of the rate is looked up by a base rate that is its number, so that the rate itself stays exact.
    numbered = [
        {**rate.model_dump(exclude={"base_rate", "coefficient"}), "base_rate": float(number)}
        for number, rate in enumerate(rates, start=1)
    ]
    dated = any(rate.valid_from or rate.valid_to for rate in rates)
    keys = [name for name in ("pool", "level", "group", "discharged") if name in columns]
    table = pa.table({**{name: columns.column(name) for name in keys}, "one": np.ones(columns.rows)})
    found = set_payment_standards(table, numbered, date="discharged" if dated else None, columns={"weight": "one"})
    place = Columns(found, ["base_rate"]).numbers("base_rate")
    exact_rates = [_scaled(rate.base_rate * rate.coefficient, policy.rounding.values) for rate in rates]
    there = ~np.isnan(place)
    return np.array([0, *exact_rates], np.int64)[np.nan_to_num(place).astype(int)], there


def _payable(
    columns: Columns, policy: Policy, pools: Any, standard: Fen, booked: Fen, ratios: Mapping[str, Any] | None
) -> Fen:
    """What the fund owes for a case that is not paid by item."""
    kind = policy.cases.payable
    if kind == "item":
        return booked
    if kind == "residual":
        owed = standard - money(columns, "patient_paid")
    elif kind == "ratio":
        shares = policy.cases.fund_share if ratios is None else ratios
        for number in np.unique(pools):
            if policy.pools[number] not in shares:
                raise PolicyError(f"payable = ratio needs the fund's share of {policy.pools[number]!r}: give ratios=")
        digits = [_scaled(exact(shares.get(pool, 0), f"ratios[{pool!r}]"), 12) for pool in policy.pools]
        of_pool = np.array(digits, np.int64)
        owed = round_over(standard, of_pool[pools], 10**12)
    else:
        scope = standard - money(columns, "own_paid") - money(columns, "out_of_scope") - money(columns, "deductible")
        rate = scaled(columns.numbers("reimbursement_rate"), 8, "reimbursement_rate")
        taken, _ = optional_money(columns, "deductions")
        owed = round_over(scope, rate, 10**8) - taken
    return np.maximum(owed, 0) if policy.cases.floor else owed
