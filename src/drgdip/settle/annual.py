"""The year: pre-clearing (年度预清算), clearing (年度清算), point value, sharing, appraisal, what is left to pay."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_kind
from drgdip._columns import Columns, as_list
from drgdip._money import add_up, exact, fen_of, read_money, round_over, scaled, split_fen, to_yuan, yuan_of
from drgdip.errors import CaseError, PolicyError
from drgdip.settle._inputs import amounts_by, by_pool, keys_of, matched, money, optional_money, places, pool_rows
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.payment import PAYMENT_RULES, list_states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip._columns import Keys
    from drgdip._money import Fen
    from drgdip.settle.policy import Policy, ShareBand

__all__ = ["STAGES", "Clearing", "clear_year", "share_surplus", "surplus"]

#: pre_clearing: the year's account as it stands, paid in part; clearing: the final one.
STAGES = ("pre_clearing", "clearing")


class Clearing(NamedTuple):
    """The year's account.

    Attributes
    ----------
    table
        A row for each hospital and pool.
    pools
        A row for each pool: budget, spending, what is shared, point value, and where every fen went.
    ledger
        What was checked.
    """

    table: Any
    pools: Any
    ledger: pa.Table


def share_surplus(budget: Any, spent: Any, policy: Policy) -> dict[str, Decimal]:
    """Share what is left of a budget, or what exceeds it, between hospitals and fund by the policy's bands.

    Parameters
    ----------
    budget, spent
        Yuan.
    policy
        A policy with ``year.fund = shared``.

    Returns
    -------
    ``surplus`` (negative: overspend), ``hospitals`` (what they keep, or negative what they bear), ``fund`` (the
    rest), in yuan. The two parts make the surplus.

    Raises
    ------
    PolicyError
        Float money, a budget that is not above 0, or a policy that shares nothing.

    Notes
    -----
    With ``bands = marginal`` each stretch has its own share; with ``whole`` the band of the last fen decides for
    all. Sources differ and mostly do not say which.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> share_surplus(1000, 940, policy)["hospitals"], share_surplus(1000, 1100, policy)["hospitals"]
    (Decimal('51.00'), Decimal('-85.00'))
    """
    fen, used = fen_of(budget, "budget"), fen_of(spent, "spent")
    if policy.year.fund != "shared":
        raise PolicyError(f"policy {policy.id!r} shares nothing: year.fund is {policy.year.fund}")
    if fen <= 0:
        raise PolicyError(f"budget={budget}: give yuan above 0")
    left = fen - used
    hospitals = _hospitals_part(left, fen, policy)
    return {"surplus": yuan_of(left), "hospitals": yuan_of(hospitals), "fund": yuan_of(left - hospitals)}


def _hospitals_part(left: int, budget: int, policy: Policy) -> int:
    bands = policy.year.surplus if left >= 0 else policy.year.overspend
    part = _by_bands(Decimal(abs(left)), Decimal(budget), bands, marginal=policy.year.bands == "marginal")
    fen = int(part + Decimal("0.5"))
    return fen if left >= 0 else -fen


def _by_bands(amount: Decimal, base: Decimal, bands: Sequence[ShareBand], *, marginal: bool) -> Decimal:
    part, low = Decimal(0), Decimal(0)
    for band in bands:
        high = amount if band.until is None else min(amount, band.until * base)
        if not marginal and amount <= high:
            return amount * band.hospitals
        part += max(high - low, Decimal(0)) * band.hospitals
        low = max(low, high)
    return part


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
    stage: str = "clearing",
) -> Clearing:
    """Clear a year: what each hospital is owed for it, and what is still to be paid.

    The money of a pool is its budget, the standards, or the spending with the hospitals' part of surplus or
    overspend (``year.fund``). What is paid otherwise than by points is taken off; under a floating form the rest
    is split by points, and its value is the point value (点值). Appraisal, audit deductions, what was paid and the
    working capital follow.

    Parameters
    ----------
    cases
        The year's cases as `price_cases` gives them: ``hospital``, ``pool``, ``points``, ``payment_rule``,
        ``standard``, ``payable``, ``total_cost``, ``fund_booked``; ``patient_paid`` for ``cases.payable = residual``;
        ``list_status`` where lists may have failed (a late list counts, a failed one does not).
    policy
        The policy.
    budget
        The final budget for these cases (yuan) by pool: a mapping, or a table with ``pool`` and ``amount``.
    paid
        What was paid already: a table with ``hospital``, ``pool`` and ``paid`` (yuan), any number of rows a
        hospital, such as the months and the pre-clearing one below the other.
    deductions
        Audit deductions of the year, those of the months included: a table with ``hospital``, ``pool`` and
        ``deductions`` (yuan).
    appraisal
        A table with ``hospital``, ``pool`` and ``appraisal``, the coefficient (考核系数); a hospital that is not in
        it has 1.
    points_change
        Points rewards and penalties: a table with ``hospital``, ``pool`` and ``points_change``.
    working_capital
        What was advanced for the year: a table with ``hospital``, ``pool`` and ``working_capital`` (yuan).
    stage
        ``"clearing"``, or ``"pre_clearing"``: the same account, of which ``year.preclearing_ratio`` is paid, and
        nothing taken back.

    Returns
    -------
    A `Clearing`. Its table has a row a hospital and pool: ``cases``, of them ``not_counted`` (failed or unpriced),
    ``points``, ``points_change``, ``total_cost``, ``standard``, ``fund_booked``, ``outside`` (paid otherwise than by
    points), ``base`` and ``sharing`` (its part of the money by points, and of what is shared), ``appraisal``,
    ``appraisal_change``, ``deductions``, ``entitlement``, ``paid``, ``working_capital``, ``final`` (still to be paid,
    or negative to be returned). Its ``pools`` have ``budget``, ``spending``, ``surplus``, ``shared`` (the hospitals'
    part), ``fund`` (the money of the hospitals), ``outside``, ``points``, ``fund_share``, ``point_value``,
    ``appraisal_kept``, ``deductions``, ``entitlement``, ``left`` (budget - entitlement).

    Raises
    ------
    CaseError, UnknownNameError
        Float money, rows without hospital or pool, a pool or hospital that is not there.
    PolicyError
        A budget that is missing or not above 0, a pool with money and no points, an appraisal outside the
        policy's bounds, or payments otherwise than by points that exceed the money.
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
    year = _Year(cases, policy)
    year.change_points(points_change)
    pools = [year.settle_pool(row, amount) for row, amount in enumerate(by_pool(budget, policy, "budget"))]
    return year.account(
        pools,
        paid=paid,
        deductions=deductions,
        appraisal=appraisal,
        working_capital=working_capital,
        stage=stage,
    )


class _Year:
    """The sums of a year by hospital and pool, and the money that they get."""

    def __init__(self, cases: Any, policy: Policy) -> None:
        names = Columns(cases).names
        residual = ["patient_paid"] if policy.cases.payable == "residual" else []
        needed = ["hospital", "pool", "points", "payment_rule", "standard", "payable", "total_cost", "fund_booked"]
        columns = Columns(cases, [*needed, *residual, *(name for name in ("list_status",) if name in names)])
        if not columns.rows:
            raise CaseError("there are no cases: a year is cleared from its cases")
        pool_of_case, _ = pool_rows(columns, policy)
        self.cases, self.policy = cases, policy
        self.keys: Keys = keys_of(columns, ["hospital", "pool"])
        codes, size = self.keys.codes, self.keys.size
        payable, known = optional_money(columns, "payable")
        standard, _ = optional_money(columns, "standard")
        failed = list_states(columns) == 2
        counts = known & ~failed
        rule = columns.codes("payment_rule")
        by_points = np.array([*(name == PAYMENT_RULES[0] for name in rule[1].to_pylist()), False])[rule[0]]
        for name in rule[1].to_pylist():
            if name not in PAYMENT_RULES:
                raise CaseError(f"payment_rule holds {name!r}: it is one of {', '.join(PAYMENT_RULES)}")
        number = columns.numbers("points")
        bad = np.flatnonzero(counts & by_points & ~(number >= 0))
        if len(bad):
            raise CaseError(
                f"column 'points' of the cases is {'missing' if np.isnan(number[bad[0]]) else 'negative'} "
                f"in row {bad[0]}, which is paid by points: price the cases with price_cases, which says why"
            )
        points = scaled(number, policy.rounding.points, "the points")

        # A case is not counted (0), paid otherwise (1) or by points (2): one pass over a column gives all three sums.
        state = np.where(counts, 1 + by_points, 0).astype(np.int32)
        slot = codes * np.int32(3) + state

        def parts(values: Fen) -> tuple[Fen, Fen]:
            found = add_up(slot, values, 3 * size).reshape(size, 3)
            return found[:, 1], found[:, 2]

        tally = np.bincount(slot, minlength=3 * size).reshape(size, 3)
        self.number, self.not_counted = tally.sum(axis=1), tally[:, 0]
        self.change = np.zeros(size, np.int64)
        _, self.points = parts(points)
        other_cost, self.floating_cost = parts(money(columns, "total_cost"))
        booked = money(columns, "fund_booked")
        other_booked, self.floating_booked = parts(booked)
        self.outside, floating_payable = parts(payable)
        self.cost, self.booked = other_cost + self.floating_cost, other_booked + self.floating_booked
        self.payable = self.outside + floating_payable
        self.standard = np.add(*parts(standard))
        self.patients = parts(money(columns, "patient_paid"))[1] if residual else np.zeros(size, np.int64)
        self.base, self.sharing = np.zeros(size, np.int64), np.zeros(size, np.int64)
        of_row = self.keys.table["pool"].to_pylist()
        self.pool = np.array([policy.pools.index(name) for name in of_row])
        self.ledger = Ledger("clear year")
        # Added up from the cases by pool, past the hospitals, to be compared with what the hospitals come to.
        size = len(policy.pools)
        slot = np.asarray(pool_of_case * 3 + state, np.int32)
        self.case_points = add_up(slot, points, 3 * size)[2::3]
        spent = add_up(slot, booked if policy.year.spending == "booked" else payable, 3 * size)
        self.case_spending = spent[1::3] + spent[2::3]

    def change_points(self, given: Any) -> None:
        """Add rewards and take off penalties."""
        if given is None:
            return
        columns, row = matched(given, ["points_change"], self.keys, "points_change")
        self.change = add_up(
            row, scaled(columns.numbers("points_change"), self.policy.rounding.points, "points_change"), self.keys.size
        )
        bad = np.flatnonzero(self.points + self.change < 0)
        if len(bad):
            raise PolicyError(f"points_change= takes more points than there are at {places(self.keys)[bad[0]]}")
        self.points = self.points + self.change

    def settle_pool(self, number: int, budget: int) -> dict[str, Any]:
        """Find the money of a pool and give it to its hospitals."""
        policy, pool = self.policy, self.policy.pools[number]
        mine = np.flatnonzero(self.pool == number)
        if budget <= 0:
            raise PolicyError(f"budget= of the pool {pool!r} is {yuan_of(budget)}: give yuan above 0")
        row: dict[str, Any] = {"pool": pool, "budget": budget}
        payable, booked, outside = (int(part[mine].sum()) for part in (self.payable, self.booked, self.outside))
        spending = booked if policy.year.spending == "booked" else payable
        shared = 0
        if policy.year.fund == "shared":
            shared = _hospitals_part(budget - spending, budget, policy)
            fund = spending + shared
        else:
            fund = budget if policy.year.fund == "budget" else payable
        row |= {"spending": spending, "surplus": budget - spending, "shared": shared, "fund": fund, "outside": outside}
        if not len(mine):
            return row | {"fund": 0, "shared": 0, "points": 0, "value": None, "ratio": None}
        if fund < outside:
            raise PolicyError(
                f"pool {pool!r}: {yuan_of(outside)} yuan is paid otherwise than by points, and the fund is "
                f"{yuan_of(fund)}: nothing is left for the points"
            )
        if policy.form == "fixed":
            row |= self._fixed(mine, fund)
        else:
            row |= self._floating(mine, number, fund - outside, shared)
            row["fund"] += outside
        return row

    def _fixed(self, mine: Any, fund: int) -> dict[str, Any]:
        """The standards stand; what the money differs from them is shared in proportion to them."""
        inside = self.payable[mine] - self.outside[mine]
        codes = np.zeros(len(mine), np.int64)
        change = fund - int(self.payable[mine].sum())
        weight = np.maximum(self.payable[mine], 0)
        if change and not weight.any():
            raise PolicyError(
                "there is money to share, and no standards to share it by: give budgets only to pools with cases"
            )
        self.base[mine] = inside
        self.sharing[mine] = split_fen(np.array([change]), weight, codes) if change else 0
        return {"points": int(self.points[mine].sum()), "value": None, "ratio": None}

    def _floating(self, mine: Any, number: int, fund: int, shared: int) -> dict[str, Any]:
        """The money by points, where patients' payments make it up to the whole of the standards."""
        policy = self.policy
        points, codes = self.points[mine], np.zeros(len(mine), np.int64)
        total = int(points.sum())
        if not total:
            if fund:
                raise PolicyError(
                    f"pool {policy.pools[number]!r} has {yuan_of(fund)} yuan for points, and no points: "
                    f"price its cases, or give its money to another use"
                )
            return {"fund": 0, "points": 0, "value": None, "ratio": None}
        patients = int(self.patients[mine].sum())
        if policy.cases.payable == "residual":
            ratio, whole = None, Decimal(fund + patients)
        else:
            ratio = self._ratio(mine, number)
            whole = fund / ratio
        value = whole / total
        if policy.elastic is not None:
            whole, value = self._elastic(whole, total, policy.pools[number])
            fund = int(whole * (1 if ratio is None else ratio) + Decimal("0.5")) - (patients if ratio is None else 0)
        first = fund - shared
        self.base[mine] = split_fen(np.array([first + patients]), points, codes) - self.patients[mine]
        self.sharing[mine] = split_fen(np.array([shared]), points, codes)
        return {"fund": fund, "points": total, "value": value.scaleb(policy.rounding.points - 2), "ratio": ratio}

    def _ratio(self, mine: Any, number: int) -> Decimal:
        """The payment ratio of a pool: what the fund booked over the cost of the cases paid by points."""
        booked, cost = int(self.floating_booked[mine].sum()), int(self.floating_cost[mine].sum())
        if not booked or not cost:
            raise PolicyError(
                f"pool {self.policy.pools[number]!r}: the fund booked {yuan_of(booked)} of {yuan_of(cost)} yuan, "
                f"which gives no payment ratio: mend fund_booked and total_cost of its cases"
            )
        return Decimal(booked) / Decimal(cost)

    def _elastic(self, whole: Decimal, total: int, pool: str) -> tuple[Decimal, Decimal]:
        """The money of base volume and increment, and their mean value; what a cap holds back is not paid."""
        rules = self.policy.elastic
        assert rules is not None
        unit = Decimal(10) ** self.policy.rounding.points
        base_points = rules.base_points[pool] * unit
        base = whole * rules.base_share
        if total <= base_points:
            money_ = base * total / base_points
        else:
            more = whole - base
            if rules.cap is not None:
                more = min(more, rules.cap * 100 * (total - base_points) / unit)
            money_ = base + more
        return money_, money_ / total

    def account(
        self,
        pools: list[dict[str, Any]],
        *,
        paid: Any,
        deductions: Any,
        appraisal: Any,
        working_capital: Any,
        stage: str,
    ) -> Clearing:
        """Appraise, deduct, net of what was paid, and check every sum."""
        policy, keys, size = self.policy, self.keys, len(self.policy.pools)
        where = places(keys)
        earned = self.base + self.sharing + self.outside
        factor = self._appraisal(appraisal, where)
        appraised = round_over(earned, factor, 10**12)
        if policy.appraisal is not None and policy.appraisal.difference == "hospitals":
            whole = add_up(self.pool, earned, size)
            weight = np.maximum(appraised, 0)
            appraised = split_fen(whole, weight, self.pool)
        taken = amounts_by(deductions, "deductions", keys, "deductions")
        advanced = amounts_by(working_capital, "working_capital", keys, "working_capital")
        before = amounts_by(paid, "paid", keys, "paid")
        entitlement = appraised - taken
        final = entitlement - before - advanced
        if stage == "pre_clearing":
            assert policy.year.preclearing_ratio is not None
            due = round_over(entitlement, int(policy.year.preclearing_ratio.scaleb(12)), 10**12)
            final = np.maximum(due - before - advanced, 0)
        of_pool = [f"pool {pool}" for pool in policy.pools]

        def by_pool_of(values: Fen) -> Fen:
            return add_up(self.pool, values, size)

        funds = np.array([pool["fund"] for pool in pools], np.int64)
        shared = np.array([pool["shared"] for pool in pools], np.int64)
        spending = np.array([pool["spending"] for pool in pools], np.int64)
        budgets = np.array([pool["budget"] for pool in pools], np.int64)
        check = self.ledger.check
        check("hospitals' money = fund of the pool", of_pool, by_pool_of(earned), funds, total=False)
        changes = by_pool_of(self.change)
        check(
            "hospitals' points = points of the cases + change",
            of_pool,
            by_pool_of(self.points),
            self.case_points + changes,
            digits=policy.rounding.points,
            unit="points",
            total=False,
        )
        check("hospitals' spending = spending of the cases", of_pool, spending, self.case_spending, total=False)
        if policy.year.fund == "shared" and policy.form != "fixed":
            check("sharing = the hospitals' part", of_pool, by_pool_of(self.sharing), shared)
        if policy.appraisal is None or policy.appraisal.difference == "hospitals":
            check("appraisal moves money only between hospitals", of_pool, by_pool_of(appraised), by_pool_of(earned))
        check(
            "entitlement + deductions - appraisal change = money",
            where,
            entitlement + taken - (appraised - earned),
            earned,
        )
        if stage == "clearing":
            check("paid + working capital + final = entitlement", where, before + advanced + final, entitlement)
        check("counted + not counted = cases", ["all"], int(self.number.sum()), len(keys.codes), digits=0, unit="cases")
        unit = 10.0**policy.rounding.points
        table = pa.table(
            {
                **keys.table,
                "cases": self.number,
                "not_counted": self.not_counted,
                "points": self.points / unit,
                "points_change": self.change / unit,
                "total_cost": to_yuan(self.cost),
                "standard": to_yuan(self.standard),
                "fund_booked": to_yuan(self.booked),
                "outside": to_yuan(self.outside),
                "base": to_yuan(self.base),
                "sharing": to_yuan(self.sharing),
                "appraisal": factor / 1e12,
                "appraisal_change": to_yuan(appraised - earned),
                "deductions": to_yuan(taken),
                "entitlement": to_yuan(entitlement),
                "paid": to_yuan(before),
                "working_capital": to_yuan(advanced),
                "final": to_yuan(final),
            }
        )
        owed = by_pool_of(entitlement)
        summary = pa.table(
            {
                "pool": pa.array(policy.pools),
                **{
                    name: to_yuan(np.array([pool[name] for pool in pools], np.int64))
                    for name in ("budget", "spending", "surplus", "shared", "fund", "outside")
                },
                "points": np.array([pool["points"] for pool in pools]) / unit,
                "fund_share": pa.array([_rounded(pool["ratio"], 12) for pool in pools], pa.decimal128(20, 12)),
                "point_value": pa.array(
                    [_rounded(pool["value"], policy.rounding.values) for pool in pools],
                    pa.decimal128(30, policy.rounding.values),
                ),
                "appraisal_change": to_yuan(by_pool_of(appraised - earned)),
                "deductions": to_yuan(by_pool_of(taken)),
                "entitlement": to_yuan(owed),
                "left": to_yuan(budgets - owed),
            }
        )
        return Clearing(to_kind(table, self.cases), to_kind(summary, self.cases), self.ledger.table())

    def _appraisal(self, given: Any, where: list[str]) -> Fen:
        factor = np.full(self.keys.size, 10**12, np.int64)
        if given is None:
            return factor
        rules = self.policy.appraisal
        if rules is None:
            raise PolicyError(f"policy {self.policy.id!r} has no appraisal: add [appraisal] with its bounds")
        columns, row = matched(given, ["appraisal"], self.keys, "appraisal")
        if len(np.unique(row)) < len(row):
            raise PolicyError("appraisal= has a hospital twice in one pool: leave one of the rows")
        factor[row] = scaled(columns.numbers("appraisal"), 12, "appraisal")
        low, high = (int(exact(edge, "appraisal").scaleb(12)) for edge in (rules.lowest, rules.highest))
        bad = np.flatnonzero((factor[row] < low) | (factor[row] > high))
        if len(bad):
            place = int(row[bad[0]])
            raise PolicyError(
                f"appraisal= of {where[place]} is {factor[place] / 1e12:g}, "
                f"and the policy has {rules.lowest} to {rules.highest}"
            )
        return factor


def _rounded(value: Decimal | None, digits: int) -> Decimal | None:
    if value is None:
        return None
    whole = int(value.scaleb(digits) + Decimal("0.5"))
    return Decimal(whole).scaleb(-digits)


def surplus(cases: Any, by: str | Sequence[str] = ("pool", "hospital")) -> Step:
    """Report the surplus of a layer: region (pool), institution (hospital), disease (group).

    Parameters
    ----------
    cases
        Cases as `price_cases` gives them.
    by
        The columns of the layer: ``"pool"``, ``["pool", "hospital"]``, ``["pool", "group"]`` …

    Returns
    -------
    Table: a row for each key, with ``cases`` and ``unpriced``, and for those that are priced ``total_cost``,
    ``standard``, ``profit_formula``, ``adjustment``, ``profit`` (yuan) and ``mean_profit`` (yuan a priced case,
    rounded to the fen; null without any). Ledger: profit = standard - cost + adjustment; the layer has all cases.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing or holds floats.

    Notes
    -----
    The three layers are those of the DIP 3.0 draft, chapter 7. For outliers places publish a profit of 0, which
    is the adjustment.

    Examples
    --------
    >>> case = {"pool": "resident", "total_cost": 9000, "standard": 10000, "profit_formula": 1000, "adjustment": 0}
    >>> surplus([case | {"profit": 1000}], "pool").table[0]["profit"]
    Decimal('1000.00')
    """
    amounts = ("total_cost", "standard", "profit_formula", "adjustment", "profit")
    columns = Columns(cases, [*as_list(by), *amounts])
    keys = keys_of(columns, as_list(by))
    read = {name: read_money(columns.column(name), f"column {name!r} of the cases") for name in amounts}
    known = read["standard"][1]
    sums = {name: add_up(keys.codes, np.where(known, fen, 0), keys.size) for name, (fen, _) in read.items()}
    number = np.bincount(keys.codes, minlength=keys.size)
    priced = np.bincount(keys.codes[known], minlength=keys.size)
    ledger, where = Ledger("surplus"), places(keys)
    ledger.check(
        "profit = standard - cost + adjustment",
        where,
        sums["profit"],
        sums["standard"] - sums["total_cost"] + sums["adjustment"],
    )
    ledger.check("cases of the layer = cases", ["all"], int(number.sum()), columns.rows, digits=0, unit="cases")
    mean = round_over(sums["profit"], 1, np.maximum(priced, 1))
    table = pa.table(
        {
            **keys.table,
            "cases": number,
            "unpriced": number - priced,
            **{name: to_yuan(fen) for name, fen in sums.items()},
            "mean_profit": to_yuan(mean, priced > 0),
        }
    )
    return Step(to_kind(table, cases), ledger.table())
