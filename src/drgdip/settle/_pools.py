"""The money of each pool, and its division among the hospitals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drgdip._money import rounded, split_fen, yuan_of
from drgdip.errors import PolicyError
from drgdip.settle.sharing import hospitals_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle._year import YearSums
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
    points: int = 0
    value: Decimal | None = None
    ratio: Decimal | None = None


class Division(NamedTuple):
    """The money of the pools, and the parts of each hospital and pool: by points or standards, and of the sharing."""

    pools: list[PoolMoney]
    base: Fen
    sharing: Fen


def divide_pools(year: YearSums, policy: Policy, budgets: Sequence[int]) -> Division:
    """Find the money of each pool, and give it to its hospitals."""
    division = Division([], np.zeros(year.size, np.int64), np.zeros(year.size, np.int64))
    for number, budget in enumerate(budgets):
        mine = np.flatnonzero(year.pool == number)
        money = _money_of(year, policy, number, mine, budget)
        if not len(mine):
            money = money._replace(fund=0, shared=0)
        elif policy.form == "fixed":
            money = _fixed(year, mine, money, division)
        else:
            money = _floating(year, policy, number, mine, money, division)
        division.pools.append(money)
    return division


def _money_of(year: YearSums, policy: Policy, number: int, mine: NDArray[np.integer], budget: int) -> PoolMoney:
    """Return the money of a pool by ``year.fund``: the budget, the standards, or the spending and its sharing."""
    pool = policy.pools[number]
    if budget <= 0:
        raise PolicyError(f"budget= of the pool {pool!r} is {yuan_of(budget)}: give yuan above 0")
    payable, booked, outside = (int(part[mine].sum()) for part in (year.payable, year.booked, year.outside))
    spending = booked if policy.year.spending == "booked" else payable
    shared = hospitals_part(budget - spending, budget, policy) if policy.year.fund == "shared" else 0
    fund = {"shared": spending + shared, "budget": budget, "standards": payable}[policy.year.fund]
    if len(mine) and fund < outside:
        raise PolicyError(
            f"pool {pool!r}: {yuan_of(outside)} yuan is paid otherwise than by points, and the fund is "
            f"{yuan_of(fund)}: nothing is left for the points"
        )
    return PoolMoney(budget, spending, budget - spending, shared, fund, outside)


def _fixed(year: YearSums, mine: NDArray[np.integer], money: PoolMoney, division: Division) -> PoolMoney:
    """Keep the standards, and share the money's difference from them in proportion to them."""
    change = money.fund - int(year.payable[mine].sum())
    weight = np.maximum(year.payable[mine], 0)
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
