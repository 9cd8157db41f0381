"""A whole year in one call, and the same year under two policies or two schemes: what moves."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import to_arrow, to_kind
from drgdip._columns import Columns, add_columns, as_list
from drgdip._money import add_up, scaled, to_yuan
from drgdip.errors import CaseError, PolicyError
from drgdip.settle._inputs import holds, keys_of, optional_money, texts
from drgdip.settle.annual import Clearing, clear_year
from drgdip.settle.ledger import LEDGER, Ledger
from drgdip.settle.monthly import month
from drgdip.settle.payment import price_cases, score_cases
from drgdip.settle.review import Review, special_review

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip.settle.policy import Policy

__all__ = ["Simulation", "Year", "settle_year", "simulate"]

# Decimals of the points that are added up for a comparison.
_DIGITS = 6
_MONEY = ("total_cost", "standard", "payable", "profit")


class Year(NamedTuple):
    """A settled year.

    Attributes
    ----------
    cases
        The cases with points, outcome of special review and payment; under a floating form at the value of the year.
    months
        The table of `month`.
    review
        The `Review`, or None where the policy or the cases have none.
    pre_clearing
        The pre-clearing, or None where the policy has none.
    clearing
        The `Clearing`, net of the months and the pre-clearing.
    ledger
        What every step checked.
    """

    cases: Any
    months: Any
    review: Review | None
    pre_clearing: Clearing | None
    clearing: Clearing
    ledger: pa.Table


def settle_year(
    cases: Any,
    policy: Policy,
    *,
    budget: Any,
    weights: Any = None,
    values: Mapping[str, Any] | None = None,
    coefficients: Mapping[str, Any] | None = None,
    reference: Any = None,
    mean_cost: float | None = None,
    deductions: Any = None,
    appraisal: Any = None,
    points_change: Any = None,
    working_capital: Any = None,
) -> Year:
    """Settle a year from grouped cases: points, special review, prices, months, pre-clearing, clearing.

    Each step is a function of its own, which this one calls in order: `score_cases`, `special_review` (where the
    policy has a review and the cases have ``review_applied``), `price_cases`, `month`, `clear_year`.

    Parameters
    ----------
    cases
        Grouped cases with the columns that these functions need, and ``month``.
    policy
        The policy.
    weights, coefficients, reference, mean_cost
        As for `score_cases`; without weights the cases have their ``points`` already.
    budget, appraisal, points_change, working_capital
        As for `clear_year`.
    values
        Estimated point values for the months, as for `price_cases`; None takes the policy's rates.
    deductions
        Audit deductions by ``hospital``, ``pool`` and ``month`` (yuan).

    Returns
    -------
    A `Year`.

    Raises
    ------
    DrgdipError
        As the steps.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> money = {"total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> place = {"hospital": "H1", "pool": "resident", "level": "3", "month": 1, "group": "A"}
    >>> year = settle_year(
    ...     [{"case_id": "1", **place, **money}],
    ...     policy,
    ...     weights=[{"group": "A", "weight": 100}],
    ...     coefficients={"level": [{"level": "3", "coefficient": 1.0}]},
    ...     budget={"resident": 6600, "employee": 1},
    ... )
    >>> year.clearing.table[0]["entitlement"], year.clearing.table[0]["paid"], year.clearing.table[0]["final"]
    (Decimal('6510.00'), Decimal('6314.70'), Decimal('195.30'))
    """
    options: dict[str, Any] = {"coefficients": coefficients, "reference": reference, "mean_cost": mean_cost}
    scored = cases if weights is None else score_cases(cases, policy, weights, **options)
    review = None
    if policy.review is not None and "review_applied" in Columns(scored).names:
        review = special_review(scored, policy)
        scored = review.table
        if policy.review.outcome == "points":
            if weights is None:
                raise PolicyError(
                    "review.outcome = points gives approved cases new points, which needs weights=; or call "
                    "special_review and score_cases first, and leave review_applied out"
                )
            scored = score_cases(_as_reviewed(scored), policy, weights, **options)
    priced = price_cases(scored, policy, values=values)
    months = month(priced.table, policy, deductions=deductions)
    account: dict[str, Any] = {"budget": budget, "appraisal": appraisal, "points_change": points_change}
    account |= {"working_capital": working_capital, "deductions": _without_months(deductions)}
    ledgers = [*([review.ledger] if review else []), priced.ledger, months.ledger]
    paid = _payments(months.table, "paid")
    pre = None
    if policy.year.preclearing_ratio is not None:
        pre = clear_year(priced.table, policy, paid=paid, stage="pre_clearing", **account)
        paid = pa.concat_tables([paid, _payments(pre.table, "final")])
        ledgers.append(pre.ledger)
    clearing = clear_year(priced.table, policy, paid=paid, **account)
    ledgers.append(clearing.ledger)
    final = priced.table
    if policy.form != "fixed":
        final = _at_value_of_the_year(scored, policy, clearing)
    return Year(final, months.table, review, pre, clearing, pa.concat_tables(ledgers))


def _payments(table: Any, column: str) -> pa.Table:
    """What a step paid, as ``hospital, pool, paid``."""
    columns = Columns(table, ["hospital", "pool", column])
    fen, _ = optional_money(columns, column)
    return pa.table({"hospital": texts(columns, "hospital"), "pool": texts(columns, "pool"), "paid": to_yuan(fen)})


def _as_reviewed(scored: Any) -> Any:
    """The cases with the kind special_review where special review approved them."""
    columns = Columns(scored, ["review_status", *(name for name in ("case_kind",) if name in Columns(scored).names)])
    approved = pa.array(holds(columns, "review_status", "approved"))
    known = texts(columns, "case_kind")
    kinds = pc.if_else(approved, "special_review", pc.coalesce(known, "complete"))
    return add_columns(scored, {"case_kind": kinds})


def _without_months(deductions: Any) -> Any:
    return None if deductions is None else to_arrow(deductions).select(["hospital", "pool", "deductions"])


def _at_value_of_the_year(scored: Any, policy: Policy, clearing: Clearing) -> Any:
    rows = to_arrow(clearing.pools).to_pylist()
    values = {row["pool"]: row["point_value"] or Decimal(0) for row in rows}
    ratios = {row["pool"]: row["fund_share"] for row in rows if row["fund_share"] is not None}
    return price_cases(scored, policy, values=values, ratios=ratios or None).table


class Simulation(NamedTuple):
    """The same year under two policies.

    Attributes
    ----------
    table
        A row for each key: both sides and what moves.
    a, b
        The two years.
    ledger
        What was checked.
    """

    table: Any
    a: Year
    b: Year
    ledger: pa.Table


def simulate(
    cases: Any,
    policy_a: Policy,
    policy_b: Policy,
    *,
    inputs_a: Mapping[str, Any],
    inputs_b: Mapping[str, Any] | None = None,
    by: str | Sequence[str] = ("pool", "hospital"),
) -> Simulation:
    """Settle the same year under two policies, or under two schemes, and say what moves.

    Parameters
    ----------
    cases
        Grouped cases; or a pair of tables with the same cases in the same order, grouped under two schemes.
    policy_a, policy_b
        The policies; twice the same to compare schemes or weights.
    inputs_a, inputs_b
        The keyword arguments of `settle_year` for each; None takes those of a for b too.
    by
        The columns to report by, of one's own groups on each side: ``["pool", "hospital"]``, ``"level"``, ``"group"`` …

    Returns
    -------
    A `Simulation`. Its table has a row a key with, for a and b, ``cases``, ``points``, ``total_cost``, ``standard``,
    ``payable``, ``profit`` (yuan; under a floating form at the value of the year), then ``moved`` (payable_b -
    payable_a) and ``profit_moved``. Ledger: the cases are the same; what moves adds up to the difference of the
    totals.

    Raises
    ------
    CaseError
        Two tables whose case numbers differ.
    DrgdipError
        As `settle_year`.

    Notes
    -----
    Sums of case amounts at the value of the year differ from the clearing by the rounding of each case; what
    hospitals get to the fen stands in ``a.clearing`` and ``b.clearing``. Simulation before payment:
    云医保〔2019〕166号.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> money = {"total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> place = {"pool": "resident", "level": "3", "month": 1, "group": "A"}
    >>> cases = [{"case_id": h, "hospital": h, **place, **money} for h in "HK"]
    >>> level = {"level": [{"level": "3", "coefficient": 1.0}]}
    >>> inputs = {"weights": [{"group": "A", "weight": 100}], "coefficients": level}
    >>> inputs |= {"budget": {"resident": 13200, "employee": 1}}
    >>> less = inputs | {"budget": {"resident": 12600, "employee": 1}}
    >>> [row["moved"] for row in simulate(cases, policy, policy, inputs_a=inputs, inputs_b=less).table]
    [Decimal('-255.00'), Decimal('-255.00')]
    """
    first, second = (
        cases if isinstance(cases, tuple) and len(cases) == 2 and not isinstance(cases[0], dict) else (cases, cases)
    )
    _same_cases(first, second)
    a = settle_year(first, policy_a, **inputs_a)
    b = settle_year(second, policy_b, **(inputs_a if inputs_b is None else inputs_b))
    names = as_list(by)
    sides = [_sums(year.cases, names) for year in (a, b)]
    union = pa.concat_tables([side.select(names) for side in sides])
    keys = keys_of(Columns(union), names)
    table: dict[str, Any] = dict(keys.table)
    read: dict[str, Any] = {}
    start = 0
    for letter, side in zip("ab", sides, strict=True):
        codes = keys.codes[start : start + len(side)]
        start += len(side)
        for name in ("cases", "points", *_MONEY):
            found = np.zeros(keys.size, np.int64)
            found[codes] = np.asarray(side[name])
            read[f"{name}_{letter}"] = found
    for name in (f"{kind}_{letter}" for kind in ("cases", "points", *_MONEY) for letter in "ab"):
        kind, values = name[:-2], read[name]
        table[name] = values if kind == "cases" else values / 10.0**_DIGITS if kind == "points" else to_yuan(values)
    moved = read["payable_b"] - read["payable_a"]
    table["moved"] = to_yuan(moved)
    table["profit_moved"] = to_yuan(read["profit_b"] - read["profit_a"])
    ledger = Ledger("simulate")
    everything = [int(np.asarray(side["payable"]).sum()) for side in sides]
    ledger.check(
        "cases under a = cases under b",
        ["all"],
        int(read["cases_a"].sum()),
        int(read["cases_b"].sum()),
        digits=0,
        unit="cases",
    )
    ledger.check(
        "sum of what moves = difference of the totals", ["all"], int(moved.sum()), everything[1] - everything[0]
    )
    both = pa.concat_tables([ledger.table(), a.ledger, b.ledger])
    return Simulation(to_kind(pa.table(table), first), a, b, both.cast(LEDGER))


def _same_cases(first: Any, second: Any) -> None:
    if first is second:
        return
    one, other = (Columns(side, ["case_id"]) for side in (first, second))
    if one.column("case_id").to_pylist() != other.column("case_id").to_pylist():
        raise CaseError("the two tables do not have the same cases in the same order: compare the year with itself")


def _sums(cases: Any, names: list[str]) -> pa.Table:
    """Cases, points and money (fen) by key."""
    columns = Columns(cases, [*names, "points", *_MONEY])
    keys = keys_of(columns, names)
    result: dict[str, Any] = dict(keys.table)
    result["cases"] = np.bincount(keys.codes, minlength=keys.size)
    result["points"] = add_up(keys.codes, scaled(columns.numbers("points"), _DIGITS, "the points"), keys.size)
    for name in _MONEY:
        fen, known = optional_money(columns, name)
        result[name] = add_up(keys.codes, np.where(known, fen, 0), keys.size)
    return pa.table(result)
