"""Base rates (费率) and point values (点值), fixed, floating and elastic: what a weight or a point is worth in yuan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, nullable
from drgdip._sums import counts, sums
from drgdip.errors import CaseError, PolicyError
from drgdip.points.pools import check_divisor, complete_numbers, numbers_by_pool, pools_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["base_rate", "compute_elastic_value", "point_value"]

_WITHOUT_POINTS = "points_reason says why; mend the case, or take it out knowing that the value rises"


@reads_once
def base_rate(
    cases: Any,
    *,
    budget: Any,
    fund_share: Any,
    by: str | None = "pool",
    coefficient: str | None = None,
    per_case: bool = False,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute the base rate (费率) that a budget allows for a predicted volume, set at the start of the year.

    Parameters
    ----------
    cases
        The predicted cases: a table with a row a group (and pool, level, hospital …): ``cases``, their number, and
        ``weight``. Or a table with a row a case, without a number.
    budget
        The fund's budget (yuan): a number, or a number for each pool.
    fund_share
        The share of the total cost that the fund pays (实际报销比), above 0 and at most 1: a number, or one for each
        pool. 1 where the budget is already that of the total cost.
    by
        The column of the pool (险种); None takes all rows together.
    coefficient
        The column of the coefficient. None is 1.
    per_case
        Whether each row is one case. If so, ``cases`` is not read.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    A table with a row a pool: the pool, ``cases``, ``total_weight`` (sum of cases x weight x coefficient),
    ``budget``, ``fund_share``, ``total_cost`` (budget / fund_share) and ``base_rate`` (total_cost /
    total_weight), in yuan.

    Raises
    ------
    CaseError
        A number of cases, weight or coefficient that is missing or negative, or a total weight of 0.
    PolicyError
        A budget or share that is missing for a pool or impossible.

    Notes
    -----
    Form of payment: 《医疗保障按病种付费管理暂行办法》 (2025), articles 16 and 17, fixed rate (固定费率). The formula
    follows from the definition; no source read prints it.

    Examples
    --------
    >>> volume = [{"group": "A", "cases": 100, "weight": 0.5}, {"group": "B", "cases": 50, "weight": 2.0}]
    >>> base_rate(volume, budget=1_050_000, fund_share=0.7, by=None)[0]["base_rate"]
    10000.0
    """
    needed = [by, None if per_case else "cases", "weight", coefficient]
    table = Columns(cases, needed, what="the volume", columns=columns or {})
    pools = pools_of(table, by)
    n = np.ones(table.rows) if per_case else complete_numbers(table, "cases", "give each row its number of cases")
    amount = n * complete_numbers(
        table, "weight", "a group without a weight cannot be budgeted; borrow one, or take it out"
    )
    if coefficient is not None:
        amount = amount * complete_numbers(table, coefficient, "give each row its coefficient")
    points = sums(pools.codes, amount, pools.size)
    check_divisor(points, pools, "the total weight")
    fund = numbers_by_pool(budget, pools, by, "budget")
    share = numbers_by_pool(fund_share, pools, by, "fund_share", share=True)
    money = fund / share
    result = {
        **pools.table,
        "cases": sums(pools.codes, n, pools.size),
        "total_weight": points,
        "budget": fund,
    }
    result |= {"fund_share": share, "total_cost": money, "base_rate": money / points}
    return to_kind(pa.table(result), cases)


@reads_once
def point_value(
    cases: Any,
    *,
    fund: Any,
    fund_share: Any,
    by: str | None = "pool",
    fixed: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute the point value (点值) of each pool at the end of the year: money over points (浮动费率).

    Parameters
    ----------
    cases
        Any table with ``points``: a row a case, a hospital, or a group.
    fund
        The final fund (yuan): a number, or a number for each pool.
    fund_share
        The payment ratio: what the fund booked over the total cost of the same cases, above 0 and at most 1; a
        number, or one for each pool. 1 where the money is already that of the total cost.
    by
        The column of the pool (统筹区 x 险种); None takes all rows together.
    fixed
        A column of payments at fixed terms (yuan, null is 0), such as severe cases at a fixed rate, or rigid costs of
        drugs. They are taken off the money before the rest is divided. Give such cases only the points that still
        float.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    A table with a row a pool: the pool, ``rows``, ``points``, ``fund``, ``fund_share``, ``total`` (fund /
    fund_share), ``fixed`` and ``point_value`` ((total - fixed) / points), in yuan.

    Raises
    ------
    CaseError
        Points that are missing or negative (see ``points_reason``), or that add up to 0.
    PolicyError
        Fixed payments above the money, or a fund or share that is missing for a pool or impossible.

    Notes
    -----
    Source: DIP 3.0 draft, chapter 5, settlement value (结算点值) = (fund / payment ratio) / total score, by pool;
    and chapter 4 for elastic forms with a fixed part. Points x value x payment ratio gives back the fund.

    Examples
    --------
    >>> cases = [{"pool": "resident", "points": 600}, {"pool": "resident", "points": 400}]
    >>> point_value(cases, fund=7000, fund_share=0.7)[0]["point_value"]
    10.0
    """
    table = Columns(cases, [by, "points", fixed], columns=columns or {})
    pools = pools_of(table, by)
    amount = complete_numbers(table, "points", _WITHOUT_POINTS)
    all_points = sums(pools.codes, amount, pools.size)
    check_divisor(all_points, pools, "the sum of the points")
    money, share = (
        numbers_by_pool(fund, pools, by, "fund"),
        numbers_by_pool(fund_share, pools, by, "fund_share", share=True),
    )
    whole = money / share
    taken = np.zeros(pools.size)
    if fixed is not None:
        amounts = np.nan_to_num(table.numbers(fixed))
        for row in np.flatnonzero(~(amounts >= 0))[:1]:
            raise CaseError(
                f"column {fixed!r} is {amounts[row]:g} in row {row}: what is paid at fixed terms is at least 0"
            )
        taken = sums(pools.codes, amounts, pools.size)
    for row in np.flatnonzero(taken > whole):
        raise PolicyError(
            f"what is paid at fixed terms, {taken[row]:.2f} yuan, is above the money, {whole[row]:.2f} yuan: "
            f"nothing is left to float"
        )
    result = {**pools.table, "rows": counts(pools.codes, pools.size), "points": all_points, "fund": money}
    result |= {
        "fund_share": share,
        "total": whole,
        "fixed": taken,
        "point_value": (whole - taken) / all_points,
    }
    return to_kind(pa.table(result), cases)


@reads_once
def compute_elastic_value(
    cases: Any,
    *,
    total: Any,
    base_share: float,
    base_points: Any,
    cap: float | None,
    by: str | None = "pool",
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute the values of the base volume and of the increment (弹性费率): the first fixed, the second floating.

    Parameters
    ----------
    cases
        Any table with ``points``: a row a case, a hospital, or a group.
    total
        The money of the year for these cases (yuan): a number, or a number for each pool.
    base_share
        The share of the money for the base volume: 0.8 for 8:2, 0.7 for 7:3.
    base_points
        The points of the base volume, as agreed: a number, or a number for each pool.
    cap
        The highest value of a point of the increment (yuan). None sets no limit. The draft says that it is capped, not
        where.
    by
        The column of the pool. None takes all rows together.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    A table with a row a pool: the pool, ``points`` and ``base_points``; ``increment_points`` (0 where the volume stays
    below the base); ``base_value`` (base money / base points); ``increment_value`` (the rest of the money / increment
    points; null without an increment); ``capped``; and ``unspent`` (money that neither part uses). Money is in yuan.

    Notes
    -----
    Source: DIP 3.0 draft, chapter 4.

    Examples
    --------
    >>> year = [{"points": 110_000}]
    >>> row = compute_elastic_value(year, total=100e6, base_share=0.8, base_points=80_000, cap=None, by=None)[0]
    >>> row["base_value"], round(row["increment_value"], 3)
    (1000.0, 666.667)
    """
    if not 0 < base_share <= 1:
        raise PolicyError(f"base_share={base_share!r}: give a share above 0 and at most 1, such as 0.8 for 8:2")
    if cap is not None and not (math.isfinite(cap) and cap >= 0):
        raise PolicyError(f"cap={cap!r}: give yuan of at least 0, or None")
    table = Columns(cases, [by, "points"], columns=columns or {})
    pools = pools_of(table, by)
    amount = complete_numbers(table, "points", _WITHOUT_POINTS)
    all_points = sums(pools.codes, amount, pools.size)
    money, agreed = numbers_by_pool(total, pools, by, "total"), numbers_by_pool(base_points, pools, by, "base_points")
    check_divisor(agreed, pools, "base_points")
    base_money = money * base_share
    base = base_money / agreed
    increment = np.maximum(all_points - agreed, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(increment > 0, (money - base_money) / increment, np.nan)
    value = free if cap is None else np.minimum(free, cap)
    spent = np.minimum(all_points, agreed) * base + np.nan_to_num(increment * value)
    # What the division leaves of a sum that is spent in full is no money.
    unspent = np.where(np.abs(money - spent) <= 1e-12 * money, 0.0, money - spent)
    result = {
        **pools.table,
        "points": all_points,
        "base_points": agreed,
        "increment_points": increment,
        "base_value": base,
    }
    result |= {"increment_value": nullable(value), "capped": value < free, "unspent": unspent}
    return to_kind(pa.table(result), cases)
