"""A whole year in one call: points, special review, prices, months, pre-clearing, clearing."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_arrow
from drgdip._columns import Columns, add_columns
from drgdip._exact import exactly
from drgdip._money import to_yuan
from drgdip._notebook import shown
from drgdip.errors import PolicyError
from drgdip.settle._capped import check_caps, price_at_values
from drgdip.settle._entering import Decided, as_paid, enter_cases, enter_priced, pay_by_item, rejoin
from drgdip.settle._inputs import NAMES, holds, names_after, on_account, optional_money, texts
from drgdip.settle.annual import Clearing, clear_year
from drgdip.settle.caps import VOLUME_COLUMNS, cap_volumes
from drgdip.settle.crossregion import settle_cross_region
from drgdip.settle.exclusion import EXCLUDED_COLUMNS, pay_exclusions
from drgdip.settle.ledger import Ledger
from drgdip.settle.monthly import month
from drgdip.settle.payment import price_cases, price_columns
from drgdip.settle.payments import paid_on, read_payments
from drgdip.settle.review import REVIEW_COLUMNS, Review, review_cases
from drgdip.settle.scoring import SCORED_COLUMNS, score_again
from drgdip.settle.versions import cases_on, has_versions, known_on, pick_versions

if TYPE_CHECKING:
    from decimal import Decimal

    from drgdip.settle._entering import Entered
    from drgdip.settle.ledger import Step
    from drgdip.settle.policy import Policy

__all__ = ["Year", "settle_year"]

Names = Mapping[str, str] | None


@shown
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
        Sums that the steps checked.
    columns
        Names of columns of ``cases`` by the library's names, as given to `settle_year`, for the steps that follow.
    differences
        With payments: why each month's due is what it is, as `month` gives it.
    findings
        The findings on the cases that the caller accepted, each with the way and the treatment of its row.
    cross_region
        The table of `settle_cross_region` at the value of the year, None where the policy or the cases have none. It is
        by ``insured_region`` and month, or by pool and month where the cases do not name their region.
    """

    cases: Any
    months: Any
    review: Review | None
    pre_clearing: Clearing | None
    clearing: Clearing
    ledger: pa.Table
    columns: Mapping[str, str] | None = None
    differences: Any = None
    findings: pa.Table | None = None
    cross_region: Any = None


@exactly
@reads_once
def settle_year(
    cases: Any,
    policy: Policy,
    *,
    budget: Any,
    weights: Any = None,
    values: Any = None,
    coefficients: Mapping[str, Any] | None = None,
    reference: Any = None,
    mean_cost: Decimal | float | None = None,
    added_points: Any = None,
    deductions: Any = None,
    appraisal: Any = None,
    points_change: Any = None,
    working_capital: Any = None,
    deposits_kept: Any = None,
    exclusion_means: Any = None,
    volume_caps: Any = None,
    money_caps: Any = None,
    last_year: Any = None,
    month_budget: Any = None,
    payments: Any = None,
    as_of: datetime.date | None = None,
    year: int | tuple[datetime.date, datetime.date] | None = None,
    accept: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Year:
    """Settle a year from grouped cases: points, special review, prices, months, pre-clearing, clearing.

    The steps are functions of their own, called in order: `pay_exclusions`, `score_cases`, `review_cases`,
    `cap_volumes`, `price_cases`, `month`, `clear_year`. Reviews need a policy with a review and cases with
    ``review_applied``; caps of volume need ``caps.volume_factor``; new items need ``exclusion``. `clear_year` applies
    the caps on money and growth.

    Parameters
    ----------
    cases
        Grouped cases with the columns that these functions need, and ``month``.
    policy
        The policy.
    weights, reference, mean_cost
        As for `drgdip.points.case_points`; without weights the cases have their ``points`` already.
    coefficients, added_points
        As for `score_cases`.
    budget, appraisal, points_change, working_capital, deposits_kept, money_caps, last_year
        As for `clear_year`.
    exclusion_means
        As ``means`` of `pay_exclusions`, where the policy has ``exclusion`` and the cases have ``excluded_cost`` and
        ``excluded_kind``. Without it the cases have their ``excluded_amount`` already.
    volume_caps
        As ``caps`` of `cap_volumes`, where the policy says ``caps.volume_factor``. Needs ``discharged``.
    values
        Estimated point values for the months, as for `price_cases`; None takes the policy's rates.
    deductions
        Audit deductions by ``hospital``, ``pool`` and ``month`` (yuan), and ``as_of`` where they have a day.
    month_budget
        The budgets of the months, as the ``budget`` of `month`.
    payments
        Every payment so far, as `sum_payments` reads them. The clearing then takes these and nothing else as paid;
        without them it takes what the months and the pre-clearing come to.
    as_of
        The day that is settled. Later versions of cases, payments and deductions do not count: the same day gives the
        same year whenever it is asked. None takes all.
    year
        The year that is settled, as for `audit_cases`.
    accept
        How findings of `audit_cases` are treated: a way by kind, such as ``{"unpriced": "by_item"}``.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``. The steps add their
        columns under the library's names.

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

    def score(cases: Any, columns: Names, *, marked: bool = False) -> tuple[Any, Names]:
        rules = (coefficients, reference, mean_cost, added_points)
        scored = score_again(cases, policy, weights, *rules, columns, marked=marked)
        return scored, names_after(columns, scored, SCORED_COLUMNS)

    def enter(cases: Any, accept: Any) -> _Priced:
        scoring = None if weights is None else score
        tables = _Tables(exclusion_means, volume_caps)
        return _enter(cases, policy, scoring, values, columns, year, accept, tables)

    check_caps(policy, "volume_factor", "volume_caps", volume_caps)
    _check_exclusion(cases, policy, exclusion_means, columns)
    if exclusion_means is not None and policy.form != "fixed" and weights is None:
        raise PolicyError(f"form = {policy.form} pays new items in points, which needs weights=: give them")

    cases, before = _versions(cases, payments, as_of, columns)
    now = enter(cases, accept)
    then = None if before is None else enter(before, as_paid(accept)).table
    decided, after, priced, review = now.decided, now.after, now.priced, now.review
    done = Decided()
    options = {"payments": payments, "before": then, "as_of": as_of, "accept": done, "budget": month_budget}
    months = month(now.table, policy, deductions=deductions, columns=after, **options)
    account: dict[str, Any] = {"budget": budget, "appraisal": appraisal, "points_change": points_change}
    account |= {"deductions": _without_months(known_on(deductions, as_of)), "columns": after, "as_of": as_of}
    account |= {"working_capital": working_capital, "deposits_kept": deposits_kept, "payments": payments}
    account |= {"money_caps": money_caps, "last_year": last_year, "accept": done}
    ledgers = [decided.ledger, *([review.ledger] if review else []), *now.more, priced.ledger, months.ledger]
    paid = None if payments is not None else _payments(months.table, "paid")
    pre = None
    if policy.year.preclearing_ratio is not None:
        pre = clear_year(now.table, policy, paid=paid, stage="pre_clearing", **account)
        paid = None if paid is None else pa.concat_tables([paid, _payments(pre.table, "final")])
        ledgers.append(pre.ledger)
    clearing = clear_year(now.table, policy, paid=paid, **account)
    ledgers.append(clearing.ledger)
    table = now.table
    if policy.form != "fixed":
        table = price_at_values(now.table, policy, clearing.pools, after)
    away = _cross_region(table, policy, after)
    ledgers += [] if away is None else [away.ledger]
    accounts = None if away is None else away.table
    if not decided.rows.all():
        table = rejoin(cases, table, decided.rows, price_columns(policy))
    ledger = pa.concat_tables(ledgers)
    return Year(
        table, months.table, review, pre, clearing, ledger, after, months.differences, decided.findings, accounts
    )


class _Priced(NamedTuple):
    """Cases that entered, as they are paid: review, pricing, decisions, the table and the names of its columns."""

    review: Review | None
    priced: Step
    decided: Entered
    table: Any
    after: Names
    more: list[pa.Table]


class _Tables(NamedTuple):
    """The tables of rules that change points before cases are priced."""

    exclusion_means: Any
    volume_caps: Any


def _enter(
    cases: Any,
    policy: Policy,
    score: Any,
    values: Any,
    columns: Names,
    year: Any,
    accept: Mapping[str, str] | None,
    tables: _Tables,
) -> _Priced:
    """Return the cases that enter the year, with points, review and prices."""
    keys = ("hospital", "pool", "month")
    entered = enter_cases(cases, policy, accept, columns=columns, year=year, needs=keys, priced=False)
    entering, more = entered.cases, []
    if tables.exclusion_means is not None:
        entering = pay_exclusions(entering, tables.exclusion_means, policy, columns=columns)
        columns = names_after(columns, entering, EXCLUDED_COLUMNS)
        more.append(_exclusion_ledger(entering, columns))
    scored, names, review = _score(entering, policy, score, columns)
    if tables.volume_caps is not None:
        found = cap_volumes(scored, tables.volume_caps, policy, columns=names)
        scored, names = found.table, names_after(names, found.table, VOLUME_COLUMNS)
        more.append(found.ledger)
    priced = price_cases(scored, policy, values=values, columns=names)
    after = names_after(names, priced.table, price_columns(policy))
    decided = enter_priced(priced.table, entered, accept, columns=after)
    table, after = pay_by_item(priced.table, decided.by_item, after)
    return _Priced(review, priced, decided, table, after, more)


def _check_exclusion(cases: Any, policy: Policy, means: Any, columns: Names) -> None:
    """Raise PolicyError where the means of new items are missing, or given for cases whose amounts are known."""
    table = Columns(cases, columns=columns, optional=NAMES)
    if means is not None and policy.exclusion is None:
        raise PolicyError(f"exclusion_means= is given, and policy {policy.id!r} has no new items: add [exclusion]")
    if means is not None and "excluded_amount" in table:
        raise PolicyError("the cases have excluded_amount already: leave it or exclusion_means= out")
    if policy.exclusion is not None and means is None and "excluded_amount" not in table:
        raise PolicyError(
            f"exclusion of policy {policy.id!r} pays new items: give exclusion_means=, a table of the groups' means, "
            "to cases with excluded_cost and excluded_kind, or their excluded_amount"
        )


def _exclusion_ledger(cases: Any, columns: Names) -> pa.Table:
    """Check that every new item is paid on top, not eligible, or unknown, and that nothing else is paid."""
    table = Columns(cases, columns=columns, optional=NAMES)
    item, there = optional_money(table, "excluded_cost")
    amount, known = optional_money(table, "excluded_amount")
    new = there & (item != 0)
    parts = (int(rows.sum()) for rows in (new & (amount > 0), new & known & (amount == 0), new & ~known))
    ledger = Ledger("exclusions")
    invariant = "paid on top + not paid + unknown = cases with new items"
    ledger.check(invariant, ["all"], sum(parts), int(new.sum()), digits=0, unit="cases")
    ledger.check("amounts of cases with new items = all amounts", ["all"], int(amount[new].sum()), int(amount.sum()))
    return ledger.table()


def _score(cases: Any, policy: Policy, score: Any, columns: Names) -> tuple[Any, Names, Review | None]:
    """Return the cases with points and special review. Without `score` they have their points already."""
    scored, names = (cases, columns) if score is None else score(cases, columns)
    review = None
    if policy.review is not None and "review_applied" in Columns(scored, columns=names, optional=NAMES):
        review = review_cases(scored, policy, columns=names)
        scored, names = review.table, names_after(names, review.table, REVIEW_COLUMNS)
        if policy.review.outcome == "points":
            if score is None:
                raise PolicyError(
                    "review.outcome = points gives approved cases new points, which needs weights=; or call "
                    "review_cases and points.case_points first, and leave review_applied out"
                )
            scored = _as_reviewed(scored, names)
            scored, names = score(scored, names_after(names, scored, ["case_kind"]), marked=True)
    return scored, names, review


def _versions(cases: Any, payments: Any, as_of: datetime.date | None, columns: Names) -> tuple[Any, Any]:
    """Return the cases as of the day, and as of the last payment for a month where both are known."""
    before = None
    if payments is not None and has_versions(cases, columns):
        day = paid_on(read_payments(payments, as_of))
        before = None if day is None else pick_versions(cases, day, columns=columns)
    return cases_on(cases, as_of, columns), before


def _cross_region(cases: Any, policy: Policy, columns: Names) -> Step | None:
    """Return the accounts of other regions, None where there are none."""
    table = Columns(cases, columns=columns, optional=NAMES)
    if not on_account(table, policy).any():
        return None
    region = "insured_region" if "insured_region" in table else "pool"
    return settle_cross_region(cases, policy, by=[region, "month"], columns=columns)


def _payments(table: Any, column: str) -> pa.Table:
    """Return the payments of a step as ``hospital, pool, paid``."""
    columns = Columns(table, ["hospital", "pool", column])
    fen, _ = optional_money(columns, column)
    return pa.table({"hospital": texts(columns, "hospital"), "pool": texts(columns, "pool"), "paid": to_yuan(fen)})


def _as_reviewed(scored: Any, columns: Names) -> Any:
    """Return the cases with the kind special_review where special review approved them at a cost that is known."""
    table = Columns(scored, ["review_status"], columns=columns, optional=NAMES)
    approved = pa.array(holds(table, "review_status", "approved") & optional_money(table, "reasonable_cost")[1])
    kinds = pc.if_else(approved, "special_review", pc.coalesce(texts(table, "case_kind"), "complete"))
    return add_columns(scored, {"case_kind": kinds})


def _without_months(deductions: Any) -> Any:
    """Return deductions by hospital, pool and month as those of the year."""
    if deductions is None:
        return None
    table = to_arrow(deductions)
    return table.select([name for name in ("audit_id", "hospital", "pool", "deductions") if name in table.column_names])
