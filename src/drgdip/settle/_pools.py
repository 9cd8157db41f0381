"""The money of each pool, and its division among the hospitals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drgdip._money import rounded, split_fen, yuan_of
from drgdip.errors import PolicyError
from drgdip.settle.sharing import changes_of, hospitals_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle._year import YearSums
    from drgdip.settle.money_rules import InstitutionRules
    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import ElasticRules

__all__ = ["Division", "PoolMoney", "divide_pools"]


class PoolMoney(NamedTuple):
    """The money of a pool in fen, its points, and under a floating form their value and the payment ratio."""

    budget: int
    spending: int
    surplus: int
    shared: int
    fund: int
    outside: int
    retained: int = 0
    points: int = 0
    value: Decimal | None = None
    ratio: Decimal | None = None


class Division(NamedTuple):
    """The money of the pools, and the parts of each hospital and pool.

    ``base`` is by points or standards, ``sharing`` of the pool's surplus or overspend, ``retention`` of the hospital's.
    """

    pools: list[PoolMoney]
    base: Fen
    sharing: Fen
    retention: Fen


def divide_pools(year: YearSums, policy: Policy, budgets: Sequence[int]) -> Division:
    """Find the money of each pool, and give it to its hospitals."""
    division = Division([], *(np.zeros(year.size, np.int64) for _ in range(3)))
    rules = policy.institutions
    for number, budget in enumerate(budgets):
        mine = np.flatnonzero(year.pool == number)
        if rules is not None and rules.when == "before":
            division.retention[mine] = _retained(year, mine, year.payable[mine] - year.outside[mine], rules)
        money = _money_of(year, policy, number, mine, budget, int(division.retention[mine].sum()))
        if not len(mine):
            money = money._replace(fund=0, shared=0)
        elif policy.form == "fixed":
            money = _fixed(year, mine, money, division)
        else:
            money = _floating(year, policy, number, mine, money, division)
        if rules is not None and rules.when == "after" and len(mine):
            money = _retain(year, mine, money, division, rules)
        division.pools.append(money)
    return division


def _retained(year: YearSums, mine: NDArray[np.integer], earned: Fen, rules: InstitutionRules) -> Fen:
    """Return how the money of hospitals changes by their cost against their standard, over cases paid by points.

    Patients pay the same under any standard, so the standard of all payers is the fund's part and theirs.
    """
    cost, booked = year.by_points_cost[mine], year.by_points_booked[mine]
    return changes_of(earned - booked, earned + cost - booked, rules)


def _retain(
    year: YearSums, mine: NDArray[np.integer], money: PoolMoney, division: Division, rules: InstitutionRules
) -> PoolMoney:
    """Share the difference of each hospital once the pool's money is shared."""
    earned = division.base[mine] + division.sharing[mine]
    change = _retained(year, mine, earned, rules)
    total = int(change.sum())
    if rules.difference == "hospitals" and total:
        weight = np.maximum(earned + change, 0)
        if not weight.any():
            raise PolicyError("the difference of institutions goes among hospitals, and none of them has money")
        change = change + _split(-total, weight)
        total = 0
    division.retention[mine] = change
    return money._replace(fund=money.fund + total, retained=total)


def _money_of(
    year: YearSums, policy: Policy, number: int, mine: NDArray[np.integer], budget: int, retained: int
) -> PoolMoney:
    """Return the money of a pool by ``year.fund``: the budget, the standards, or the spending and its sharing."""
    pool = policy.pools[number]
    if budget <= 0:
        raise PolicyError(f"budget= of the pool {pool!r} is {yuan_of(budget)}: give yuan above 0")
    payable, booked, outside = (int(part[mine].sum()) for part in (year.payable, year.booked, year.outside))
    spending = booked if policy.year.spending == "booked" else payable
    # Retention before the pool's bands is part of what is payable, and so of what is compared with the budget.
    compared = spending if policy.year.spending == "booked" else spending + retained
    shared = hospitals_part(budget - compared, budget, policy.year) if policy.year.fund == "shared" else 0
    fund = {"shared": compared + shared, "budget": budget, "standards": payable + retained}[policy.year.fund]
    if len(mine) and fund < outside:
        raise PolicyError(
            f"pool {pool!r}: {yuan_of(outside)} yuan is paid otherwise than by points, and the fund is "
            f"{yuan_of(fund)}: nothing is left for the points"
        )
    return PoolMoney(budget, spending, budget - compared, shared, fund, outside, retained)


def _fixed(year: YearSums, mine: NDArray[np.integer], money: PoolMoney, division: Division) -> PoolMoney:
    """Keep the standards, and share the money's difference from them in proportion to them."""
    payable = year.payable[mine] + division.retention[mine]
    change = money.fund - int(payable.sum())
    weight = np.maximum(payable, 0)
    if change and not weight.any():
        raise PolicyError(
            "there is money to share, and no standards to share it by: give budgets only to pools with cases"
        )
    division.base[mine] = year.payable[mine] - year.outside[mine]
    division.sharing[mine] = _split(change, weight) if change else 0
    return money._replace(points=int(year.points[mine].sum()))


def _floating(
    year: YearSums, policy: Policy, number: int, mine: NDArray[np.integer], money: PoolMoney, division: Division
) -> PoolMoney:
    """Split the money by points. Patients' payments, or the payment ratio, make it the whole of the standards."""
    pool, fund = policy.pools[number], money.fund - money.outside
    points = year.points[mine]
    total = int(points.sum())
    if not total:
        if fund:
            raise PolicyError(
                f"pool {pool!r} has {yuan_of(fund)} yuan for points, and no points: "
                f"price its cases, or give its money to another use"
            )
        return money
    patients = int(year.patients[mine].sum())
    ratio = None if policy.cases.payable == "residual" else _ratio(year, mine, pool)
    whole = Decimal(fund + patients) if ratio is None else fund / ratio
    if policy.elastic is not None:
        whole = _elastic(policy.elastic, whole, total, pool, policy.rounding.points)
        fund = rounded(whole) - patients if ratio is None else rounded(whole * ratio)
    division.base[mine] = _split(fund - money.shared + patients, points) - year.patients[mine]
    division.sharing[mine] = _split(money.shared, points)
    value = (whole / total).scaleb(policy.rounding.points - 2)
    return money._replace(fund=fund + money.outside, points=total, value=value, ratio=ratio)


def _ratio(year: YearSums, mine: NDArray[np.integer], pool: str) -> Decimal:
    """Return the payment ratio of a pool: the fund's booked part of the cost of the cases paid by points."""
    booked, cost = int(year.by_points_booked[mine].sum()), int(year.by_points_cost[mine].sum())
    if not booked or not cost:
        raise PolicyError(
            f"pool {pool!r}: the fund booked {yuan_of(booked)} of {yuan_of(cost)} yuan, "
            f"which gives no payment ratio: mend fund_booked and total_cost of its cases"
        )
    return Decimal(booked) / Decimal(cost)


def _elastic(rules: ElasticRules, whole: Decimal, total: int, pool: str, digits: int) -> Decimal:
    """Return the money of base volume and increment. Money that the cap holds back is not paid."""
    unit = Decimal(10) ** digits
    base_points = rules.base_points[pool] * unit
    base = whole * rules.base_share
    if total <= base_points:
        return base * total / base_points
    more = whole - base
    if rules.cap is not None:
        more = min(more, rules.cap * 100 * (total - base_points) / unit)
    return base + more


def _split(money: int, weight: Fen) -> Fen:
    """Split an amount of fen over hospitals in proportion to weights."""
    return split_fen(np.array([money]), weight, np.zeros(len(weight), np.int64))
