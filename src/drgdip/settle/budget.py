"""Budgets (总额预算): the money of a pool for the year, and its splits, which lose no fen."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from drgdip._arrow import reads_once
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip._money import (
    add_up,
    exact,
    fen_of,
    rounded,
    yuan_of,
)
from drgdip.errors import PolicyError
from drgdip.settle._inputs import keys_of
from drgdip.settle._sections import section_of
from drgdip.settle.division import amounts_of_budget
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.rules import BudgetRules

if TYPE_CHECKING:
    from drgdip.settle.policy import Policy

__all__ = [
    "budget_by_factors",
    "budget_by_growth",
    "budget_by_item",
    "budget_by_share",
]


@exactly
@reads_once
def budget_by_growth(
    last_year: Any,
    growth: Mapping[str, Any] | Decimal | int,
    *,
    highest: Any = None,
    policy: Policy | BudgetRules | None = None,
) -> Step:
    """Budget by growth rate: last year's inpatient fund x (1 + growth).

    Parameters
    ----------
    last_year
        The fund's actual inpatient payments of the year before, yuan by pool, cross-region care included: a mapping,
        or a table with ``pool`` and ``amount``, such as the steps here give.
    growth
        The negotiated parts of the growth rate, such as admissions, prices or the provincial target, as shares of 1.
        They are added. A part may be negative, and may be a mapping from each pool to its own. A number is the whole
        rate.
    highest
        A cap on the growth rate, or a mapping of caps by pool; None takes that of ``policy``.
    policy
        A policy, or its section of the budget, whose ``highest_growth`` is the cap; None where there is none.

    Returns
    -------
    Table: a row a pool with ``pool, last_year, growth, amount`` and, under a cap, ``growth`` after it. Ledger: the
    budgets are what the formula gives.

    Raises
    ------
    PolicyError
        Money or a growth rate that is a float, parts that are named like pools, or a budget that is not above 0.

    Notes
    -----
    金华市 DRG 付费国家试点工作方案 (2019), (一)1. The plan names the parts; their weights are negotiated.

    Examples
    --------
    >>> growth = {"admissions": Decimal("0.03"), "prices": Decimal("0.021")}
    >>> budget_by_growth({"employee": 1000}, growth).table[0]
    {'pool': 'employee', 'last_year': Decimal('1000.00'), 'growth': Decimal('0.051'), 'amount': Decimal('1051.00')}
    """
    if highest is None and policy is not None:
        highest = section_of(policy, "budget", BudgetRules).highest_growth
    before = _amounts_by_pool(last_year, "last_year")
    parts = growth if isinstance(growth, Mapping) else {"rate": growth}
    rates = _rates(parts, before, "growth")
    if highest is not None:
        rates = {pool: min(rate, _of_pool(highest, pool, "highest")) for pool, rate in rates.items()}
    return _grown(before, rates, "budget by growth")


@exactly
@reads_once
def budget_by_factors(last_year: Any, factors: Mapping[str, Any], *, agreed: Mapping[str, Any] | None = None) -> Step:
    """Budget by quantified factors, six of them in Nanjing, with renegotiation at year end.

    Parameters
    ----------
    last_year
        The fund's payments of the year before, yuan by pool, as for `budget_by_growth`.
    factors
        The effect of each factor as a share of 1, negative where it lowers spending (price cuts of centralised
        purchase). They are added. A factor may be a mapping from each pool to its own. The published text names two of
        the six and no number.
    agreed
        The factors as they came out, when the budget is renegotiated at year end: those that changed.

    Returns
    -------
    Table: a row a pool with ``pool, last_year, growth, amount``. Ledger as `budget_by_growth`.

    Raises
    ------
    PolicyError
        As `budget_by_growth`, or a factor in ``agreed`` that is not among ``factors``.

    Notes
    -----
    《江苏医改动态》第246期 (2022), (二).

    Examples
    --------
    >>> factors = {"ageing": Decimal("0.04"), "price cuts": Decimal("-0.015")}
    >>> budget_by_factors({"employee": 1000000}, factors).table[0]["amount"]
    Decimal('1025000.00')
    >>> budget_by_factors({"employee": 1000000}, factors, agreed={"price cuts": Decimal("-0.02")}).table[0]["amount"]
    Decimal('1020000.00')
    """
    for name in agreed or {}:
        if name not in factors:
            raise PolicyError(f"agreed={name!r}: is none of the factors {', '.join(factors)}")
    final = {**factors, **(agreed or {})}
    before = _amounts_by_pool(last_year, "last_year")
    return _grown(before, _rates(final, before, "factors"), "budget by factors")


def _rates(parts: Mapping[str, Any], before: Mapping[str, int], what: str) -> dict[str, Decimal]:
    """Return the growth of each pool: the sum of its parts. Raise PolicyError where pools stand in their place."""
    pools = [name for name in parts if name in before]
    if pools:
        raise PolicyError(
            f"{what}= has {', '.join(pools)}, which are pools, and its parts are added for every pool: "
            f"give the rates by pool as one part, such as {{'rate': {{{pools[0]!r}: ...}}}}"
        )
    return {
        pool: sum((_of_pool(part, pool, f"{what}[{name!r}]") for name, part in parts.items()), Decimal(0))
        for pool in before
    }


def _amounts_by_pool(given: Any, what: str) -> dict[str, int]:
    """Return fen by pool, from a mapping of yuan or a table with pool and amount."""
    if isinstance(given, Mapping):
        return {str(pool): fen_of(amount, f"{what}[{pool!r}]") for pool, amount in given.items()}
    table = Columns(given, ["pool", "amount"], what=f"the table {what}=")
    keys, fen = keys_of(table, ["pool"]), amounts_of_budget(table)
    pools = keys.table["pool"].to_pylist()
    return dict(zip(pools, map(int, add_up(keys.codes, fen, keys.size)), strict=True))


def _of_pool(part: Any, pool: str, what: str) -> Decimal:
    """Return a number that holds for all pools, or the one of a pool where each has its own."""
    if not isinstance(part, Mapping):
        return exact(part, what)
    if pool not in part:
        raise PolicyError(f"{what} has no entry for the pool {pool!r}: add it")
    return exact(part[pool], f"{what}[{pool!r}]")


def _grown(last_year: Mapping[str, int], rates: Mapping[str, Decimal], step: str) -> Step:
    """Return last year's amounts, each grown by its rate."""
    rows, ledger = [], Ledger(step)
    for pool, before in last_year.items():
        rate = rates[pool]
        after = rounded(before * (1 + rate))
        if before < 0 or after <= 0:
            raise PolicyError(
                f"the budget of {pool!r} would be {yuan_of(after)} yuan: give amounts and growth that leave one"
            )
        rows.append({"pool": pool, "last_year": yuan_of(before), "growth": rate, "amount": yuan_of(after)})
        ledger.check(
            "budget = last year + growth", [f"pool {pool}"], after, before + rounded(before * rate), total=False
        )
    return Step(rows, ledger.table())


@exactly
@reads_once
def budget_by_item(total: Mapping[str, Any], less: Mapping[str, Mapping[str, Any]]) -> Step:
    """Budget by expenditure item: the inpatient budget less the items that are not paid by disease.

    Parameters
    ----------
    total
        The inpatient budget, yuan by pool.
    less
        Items to be taken off, yuan by pool for each: the regional adjustment fund, cross-region care, care that is paid
        otherwise.

    Returns
    -------
    Table: a row a pool with ``pool, total``, a column for each item, ``amount``. Ledger: amount and items make
    the total.

    Raises
    ------
    PolicyError
        Float money, an item without an amount for a pool, or nothing left.

    Notes
    -----
    DIP 3.0 draft, chapter 4.

    Examples
    --------
    >>> budget_by_item({"resident": 1000}, {"cross_region": {"resident": 80}}).table[0]["amount"]
    Decimal('920.00')
    """
    rows, ledger = [], Ledger("budget by item")
    for pool, amount in total.items():
        whole, parts = fen_of(amount, f"total[{pool!r}]"), {}
        for item, by_pool in less.items():
            if pool not in by_pool:
                raise PolicyError(f"less[{item!r}] has no amount for the pool {pool!r}: give one, 0 if there is none")
            parts[item] = fen_of(by_pool[pool], f"less[{item!r}][{pool!r}]")
        left = whole - sum(parts.values())
        if left <= 0 or min(parts.values(), default=0) < 0:
            raise PolicyError(
                f"the budget of {pool!r} would be {yuan_of(left)} yuan: give items of at least 0 that leave one"
            )
        rows.append(
            {
                "pool": pool,
                "total": yuan_of(whole),
                **{item: yuan_of(part) for item, part in parts.items()},
                "amount": yuan_of(left),
            }
        )
        ledger.check("amount + items = total", [f"pool {pool}"], left + sum(parts.values()), whole, total=False)
    return Step(rows, ledger.table())


@exactly
@reads_once
def budget_by_share(total: Mapping[str, Any], share: Mapping[str, Any]) -> Step:
    """Budget by last year's share: the inpatient budget x the share that payment by disease had.

    Parameters
    ----------
    total
        The inpatient budget, yuan by pool.
    share
        Last year's share for each pool, from 0 to 1.

    Returns
    -------
    Table: a row a pool with ``pool, total, share, amount, rest``. Ledger: amount and rest make the total.

    Raises
    ------
    PolicyError
        Float money, or a share that is missing or not from 0 to 1.

    Notes
    -----
    DIP 3.0 draft, chapter 4.

    Examples
    --------
    >>> budget_by_share({"resident": 1000}, {"resident": Decimal("0.9")}).table[0]["amount"]
    Decimal('900.00')
    """
    rows, ledger = [], Ledger("budget by share")
    for pool, amount in total.items():
        if pool not in share:
            raise PolicyError(f"share= has no entry for the pool {pool!r}: add it")
        whole, part = fen_of(amount, f"total[{pool!r}]"), exact(share[pool], f"share[{pool!r}]")
        if not 0 < part <= 1 or whole <= 0:
            raise PolicyError(
                f"pool {pool!r}: total {amount}, share {part}; give yuan above 0 and a share above 0 and at most 1"
            )
        given = rounded(whole * part)
        money = {"total": yuan_of(whole), "share": part, "amount": yuan_of(given), "rest": yuan_of(whole - given)}
        rows.append({"pool": pool, **money})
        ledger.check("amount + rest = total", [f"pool {pool}"], given + (whole - given), whole, total=False)
    return Step(rows, ledger.table())
