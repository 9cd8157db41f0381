"""The year: pre-clearing (年度预清算) and clearing (年度清算)."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip._notebook import shown
from drgdip.errors import PolicyError
from drgdip.settle._account import Account
from drgdip.settle._capped import take_caps
from drgdip.settle._entering import enter_cases, pay_by_item
from drgdip.settle._inputs import by_pool, keys_of
from drgdip.settle._pools import divide_pools
from drgdip.settle._year import YearSums
from drgdip.settle.payments import read_payments
from drgdip.settle.versions import cases_on, known_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip._columns import Keys
    from drgdip.settle.payments import Payments
    from drgdip.settle.policy import Policy

__all__ = ["STAGES", "Clearing", "clear_year"]

#: pre_clearing: the year's account as it stands, paid in part; clearing: the final one.
STAGES = ("pre_clearing", "clearing")


@shown
class Clearing(NamedTuple):
    """The year's account.

    Attributes
    ----------
    table
        A row for each hospital and pool.
    pools
        A row for each pool: budget, spending, surplus and its sharing, point value, and where every fen went.
    ledger
        Sums that were checked.
    findings
        The findings on the cases that the caller accepted, each with the way and the treatment of its row.
    caps
        How the policy's caps take money: hospital, pool, item of the statement, cap, ``deductions`` (yuan) and the
        formula of each. None where nothing is above a cap.
    """

    table: Any
    pools: Any
    ledger: pa.Table
    findings: pa.Table | None = None
    caps: pa.Table | None = None


@exactly
@reads_once
def clear_year(
    cases: Any,
    policy: Policy,
    *,
    budget: Any,
    paid: Any = None,
    deductions: Any = None,
    appraisal: Any = None,
    points_change: Any = None,
    working_capital: Any = None,
    deposits_kept: Any = None,
    money_caps: Any = None,
    last_year: Any = None,
    payments: Any = None,
    as_of: datetime.date | None = None,
    stage: str = "clearing",
    accept: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Clearing:
    """Clear a year: the entitlement of each hospital, and the amount still to be paid.

    The money of a pool is its budget, the standards, or the spending with the hospitals' part of surplus or
    overspend (``year.fund``). Cases that are not paid by points come off first. Under a floating form the rest is split
    by points, and its value is the point value (点值). Then follow, in this order: appraisal, caps on money, caps on
    growth, audit deductions, deposits, payments and working capital.

    Parameters
    ----------
    cases
        The year's cases as `price_cases` gives them: ``hospital``, ``pool``, ``points``, ``payment_rule``,
        ``standard``, ``payable``, ``total_cost``, ``fund_booked``; ``patient_paid`` for ``cases.payable = residual``;
        ``list_status`` where lists may have failed. A late list counts, a failed one does not. ``cross_region`` where
        other regions pay for their insured: those cases are in no sum (`settle_cross_region`).
    policy
        The policy.
    budget
        The final budget for these cases (yuan) by pool: a mapping, or a table with ``pool`` and ``amount``.
    paid
        Payments made: a table with ``hospital``, ``pool`` and ``paid`` (yuan), any number of rows a hospital, such as
        the months and the pre-clearing one below the other.
    deductions
        Audit deductions of the year, those of the months included: a table with ``hospital``, ``pool`` and
        ``deductions`` (yuan).
    appraisal
        A table with ``hospital``, ``pool`` and ``appraisal``, the coefficient (考核系数). It is 1 for other hospitals.
    points_change
        Points rewards and penalties: a table with ``hospital``, ``pool`` and ``points_change``.
    working_capital
        Advances for the year: a table with ``hospital``, ``pool`` and ``working_capital`` (yuan).
    deposits_kept
        Quality deposits that are not given back, as `return_deposits` finds them: a table with ``hospital``, ``pool``
        and ``deposit_kept`` (yuan).
    money_caps
        Caps of money, as ``caps`` of `cap_money`, where the policy says ``caps.total_share``: groups or institutions
        whose payable amounts, at the value of the year, may come to so much.
    last_year
        Last year's cases and amount by hospital and pool, as for `deduct_growth`, where the policy caps growth.
    payments
        Every payment of the year, as `sum_payments` reads them, in the place of `paid` and `working_capital`: its
        prepayments are the working capital, all else is paid. Hospitals without cases get a row.
    as_of
        The day that is settled: later payments, versions of cases (`pick_versions`) and deductions (by their column
        ``as_of``) do not count. None takes all.
    stage
        ``"clearing"``, or ``"pre_clearing"``: the same account, of which ``year.preclearing_ratio`` is paid and nothing
        is taken back.
    accept
        How findings of `audit_cases` are treated: a way by kind, such as ``{"unpriced": "by_item"}``.
    columns
        The table's names of columns of the cases by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A `Clearing`. Its table has a row a hospital and pool:

    - ``cases``, of them ``not_counted`` (failed or unpriced) and ``cross_region`` (paid by other regions); ``points``
      and ``points_change``.
    - ``total_cost``, ``standard``, ``fund_booked``, ``patient_paid`` (of cases paid by points, which ``residual`` takes
      off; else 0), ``excluded`` (for new items outside the group: part of the standards, or made points of before),
      and ``outside`` (not paid by points).
    - ``base``, the part of the money by points or standards; ``sharing``, the part of surplus or overspend;
      ``retention``, the change by the hospital's own cost against its standard (``institutions``).
    - ``appraisal``, ``appraisal_change``; ``over_cap`` and ``over_growth``, which the fund keeps under the policy's
      caps on money and growth; ``deductions``, ``deposit_kept`` and ``entitlement``.
    - ``paid``, ``working_capital``, and ``final``: still to be paid, or negative to be returned.

    Its ``pools`` have a row a pool:

    - ``budget``, ``spending``, ``surplus``, ``shared`` (the hospitals' part of it), ``retained`` (sum of retention) and
      ``fund`` (the hospitals' money).
    - ``outside``, ``patient_paid``, ``points``, ``fund_share`` and ``point_value``.
    - ``appraisal_change``, ``over_cap``, ``over_growth``, ``deductions``, ``deposit_kept``, ``entitlement`` and
      ``left`` (budget - entitlement).

    Raises
    ------
    CaseError, UnknownNameError
        Float money, a hospital that is not there, or findings on the cases that ``accept`` does not name.
    PolicyError
        A budget that is missing or not above 0, or a pool with money and no points. An appraisal outside the policy's
        bounds, cases outside the points that cost more than the money, or caps that the policy does not go with.
    InvariantError
        A sum that does not agree.

    Notes
    -----
    V = final fund / total points (金华市 DRG 付费国家试点工作方案); fund of a hospital = points x V x fund ratio x
    appraisal - deductions, final = that - paid - working capital (DIP 3.0 draft, chapter 7).

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> money = {"pool": "resident", "payment_rule": "points", "standard": 500, "payable": 470, "total_cost": 600}
    >>> money |= {"fund_booked": 470, "patient_paid": 130}
    >>> cases = [{**money, "hospital": hospital, "points": points} for hospital, points in (("A", 60), ("B", 40))]
    >>> for row in clear_year(cases, policy, budget={"resident": 1000, "employee": 1}).table:
    ...     print(row["hospital"], row["base"], row["sharing"], row["entitlement"])
    A 590.00 30.60 620.60
    B 350.00 20.40 370.40
    """
    if stage not in STAGES:
        raise PolicyError(f"stage={stage!r}: say 'pre_clearing' or 'clearing'")
    if stage == "pre_clearing" and policy.year.preclearing_ratio is None:
        raise PolicyError(f"policy {policy.id!r} has no pre-clearing: add preclearing_ratio to [year]")
    cases = cases_on(cases, as_of, columns)
    deductions = known_on(deductions, as_of)
    read = _read_payments(payments, paid, working_capital, as_of)
    entered = enter_cases(cases, policy, accept, columns=columns, needs=("hospital", "pool"))
    settled, columns = pay_by_item(entered.cases, entered.by_item, columns)
    year = YearSums(settled, policy, columns, more=_keys_of(read, deductions))
    year.change_points(points_change)
    division = divide_pools(year, policy, by_pool(budget, policy, "budget"))
    account = Account(year, policy, division, pre_clearing=stage == "pre_clearing")
    account.appraise(appraisal)
    capped = take_caps(settled, policy, year.keys, account.pools(), money_caps, last_year, columns)
    account.cap(capped)
    account.take(deductions, deposits_kept)
    if read is None:
        account.settle(paid=paid, working_capital=working_capital)
    else:
        account.settle_payments(read)
    ledger = pa.concat_tables([entered.ledger, capped.ledger, account.check()])
    table, pools = to_kind(account.table(), cases), to_kind(account.pools(), cases)
    return Clearing(table, pools, ledger, entered.findings, capped.lines if len(capped.lines) else None)


def _read_payments(given: Any, paid: Any, working_capital: Any, as_of: datetime.date | None) -> Payments | None:
    """Read the payments, None where there are none. Raise PolicyError where they are given twice."""
    if given is None:
        return None
    if paid is not None or working_capital is not None:
        raise PolicyError("payments= holds what was paid and advanced: leave paid= and working_capital= out")
    return read_payments(given, as_of)


def _keys_of(payments: Payments | None, deductions: Any) -> list[Keys]:
    """Return the hospitals and pools of payments and deductions, which may have no cases."""
    names = ["hospital", "pool"]
    tables = [payments.table] if payments else []
    if deductions is not None:
        tables.append(Columns(deductions, [*names, "deductions"], what="the table deductions="))
    return [keys_of(table, names) for table in tables]
