"""Budgets (总额预算): the money of a pool for the year, and its splits, which lose no fen."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_arrow, to_kind
from drgdip._columns import Columns, add_columns, as_list
from drgdip._exact import exactly
from drgdip._money import (
    add_up,
    exact,
    exact_rate,
    fen_of,
    read_money,
    round_over,
    rounded,
    split_fen,
    to_yuan,
    yuan_of,
)
from drgdip.errors import PolicyError
from drgdip.settle._inputs import keys_of, places, plain
from drgdip.settle.ledger import Ledger, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = [
    "budget_by_factors",
    "budget_by_growth",
    "budget_by_item",
    "budget_by_share",
    "hold_reserve",
    "split_budget",
]


@exactly
def budget_by_growth(last_year: Mapping[str, Any], growth: Mapping[str, Any], *, highest: Any = None) -> Step:
    """Budget by growth rate: last year's inpatient fund x (1 + growth).

    Parameters
    ----------
    last_year
        The fund's actual inpatient payments of the year before, yuan by pool, cross-region care included.
    growth
        The negotiated parts of the growth rate, such as admissions, prices or the provincial target, as shares of 1.
        They are added. A part may be negative.
    highest
        A cap on the growth rate; None where there is none.

    Returns
    -------
    Table: a row a pool with ``pool, last_year, growth, amount`` and, under a cap, ``growth`` after it. Ledger: the
    budgets are what the formula gives.

    Raises
    ------
    PolicyError
        Money or a growth rate that is a float, or a budget that is not above 0.

    Notes
    -----
    金华市 DRG 付费国家试点工作方案 (2019), (一)1. The plan names the parts; their weights are negotiated.

    Examples
    --------
    >>> growth = {"admissions": Decimal("0.03"), "prices": Decimal("0.021")}
    >>> budget_by_growth({"employee": 1000}, growth).table[0]
    {'pool': 'employee', 'last_year': Decimal('1000.00'), 'growth': Decimal('0.051'), 'amount': Decimal('1051.00')}
    """
    rate = sum((exact(part, f"growth[{name!r}]") for name, part in growth.items()), Decimal(0))
    if highest is not None:
        rate = min(rate, exact(highest, "highest"))
    return _grown(last_year, rate, "budget by growth")


@exactly
def budget_by_factors(
    last_year: Mapping[str, Any], factors: Mapping[str, Any], *, agreed: Mapping[str, Any] | None = None
) -> Step:
    """Budget by quantified factors, six of them in Nanjing, with renegotiation at year end.

    Parameters
    ----------
    last_year
        The fund's payments of the year before, yuan by pool.
    factors
        The effect of each factor as a share of 1, negative where it lowers spending (price cuts of centralised
        purchase). They are added. The published text names two of the six and no number.
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
    rate = sum((exact(part, f"factors[{name!r}]") for name, part in final.items()), Decimal(0))
    return _grown(last_year, rate, "budget by factors")


def _grown(last_year: Mapping[str, Any], rate: Decimal, step: str) -> Step:
    """Return last year's amounts grown by a rate."""
    rows, ledger = [], Ledger(step)
    for pool, amount in last_year.items():
        before = fen_of(amount, f"last_year[{pool!r}]")
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


@exactly
def hold_reserve(budget: Any, policy: Policy, *, columns: Mapping[str, str] | None = None) -> Step:
    """Hold back the reserve (风险金、调节金) of each budget, as the policy's ``budget.reserve`` says.

    Parameters
    ----------
    budget
        A table with ``amount`` (yuan), such as the steps before give.
    policy
        The policy.
    columns
        The table's name of the column by the library's name, such as ``{"amount": "金额"}``.

    Returns
    -------
    Table: the caller's with ``reserve`` and with ``amount`` less the reserve. Ledger: both make the amount before.

    Raises
    ------
    PolicyError
        The policy says nothing of budgets, or an amount is missing or negative.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> policy = policy.replace(budget={"method": "growth", "reserve": Decimal("0.05")})
    >>> row = hold_reserve([{"pool": "resident", "amount": 1000}], policy).table[0]
    >>> row["amount"], row["reserve"]
    (Decimal('950.00'), Decimal('50.00'))
    """
    if policy.budget is None:
        raise PolicyError(f"policy {policy.id!r} says nothing of budgets: add [budget] with method and reserve")
    amount = _amounts(Columns(budget, ["amount"], what="the budget", columns=columns))
    held = round_over(amount, int(policy.budget.reserve.scaleb(12)), 10**12)
    table = add_columns(budget, {"amount": to_yuan(amount - held), "reserve": to_yuan(held)})
    kept, _ = read_money(Columns(table).column("amount"), "column 'amount' of the result")
    ledger = Ledger("hold reserve")
    ledger.check("amount + reserve = amount before", [f"row {row}" for row in range(len(amount))], kept + held, amount)
    return Step(table, ledger.table())


def _amounts(table: Columns) -> Fen:
    """Return the amounts of a budget. Raise PolicyError where one is missing or negative."""
    amount, known = read_money(table.column("amount"), "column 'amount' of the budget")
    bad = np.flatnonzero(~known | (amount < 0))
    if len(bad):
        raise PolicyError(f"the budget has no amount of at least 0 in row {bad[0]}: give yuan of at least 0")
    return amount


@exactly
def split_budget(
    budget: Any, shares: Any, by: str | Sequence[str], *, columns: Mapping[str, str] | None = None
) -> Step:
    """Split a budget, by care, form of payment, month or hospital, to the fen.

    Parameters
    ----------
    budget
        A table with ``amount`` (yuan) and the columns that the amounts belong to, such as ``pool``.
    shares
        A table with the columns ``by``, ``share``, and as many of the budget's own columns as the shares depend on. A
        share is a number of at least 0 (a part of 1, a count of discharges, points …).
    by
        The new columns.
    columns
        The tables' names of ``amount`` and ``share``, such as ``{"amount": "金额", "share": "人次"}``.

    Returns
    -------
    Table: a row for each row of the budget and each new key, with the budget's columns, the new ones, and
    ``amount``. A reserve is a part as any other. Ledger: the parts make each amount.

    Raises
    ------
    CaseError, PolicyError, UnknownNameError
        Float money, a budget below 0, or a row of the budget that has no shares or only such as are 0.

    Notes
    -----
    The policy of a place has its splits (``budget.split``). The fen left over go by largest remainder, ties to the key
    that sorts first.

    Examples
    --------
    >>> parts = [{"care": "inpatient", "share": 2}, {"care": "outpatient", "share": 1}]
    >>> for row in split_budget([{"pool": "resident", "amount": 100}], parts, "care").table:
    ...     print(row["pool"], row["care"], row["amount"])
    resident inpatient 66.67
    resident outpatient 33.33
    """
    new = as_list(by)
    whole = Columns(plain(to_arrow(budget)), ["amount"], what="the budget", columns=_named(columns, "amount"))
    parts = Columns(plain(to_arrow(shares)), [*new, "share"], what="the shares", columns=_named(columns, "share"))
    own = [name for name in whole.names if name not in {"amount", whole.own_name("amount"), *new}]
    amount, sizes = _amounts(whole), _shares(parts)
    rank = keys_of(parts, new).codes
    of_budget, of_share = _pairs(whole, parts, [name for name in own if name in parts])
    total = add_up(of_budget, sizes[of_share], whole.rows)
    for row in np.flatnonzero((total == 0) & (amount > 0)):
        key = ", ".join(f"{name} {whole.column(name)[int(row)].as_py()!r}" for name in own) or f"row {row}"
        raise PolicyError(f"the shares have nothing for the budget of {key}: give shares that add up to more than 0")
    found = split_fen(amount, sizes[of_share], of_budget, rank[of_share])
    order = np.lexsort((rank[of_share], of_budget))
    of_budget, of_share, found = of_budget[order], of_share[order], found[order]
    ledger = Ledger("split budget")
    ledger.check(
        f"sum over {', '.join(new)} = amount", _places(whole, own), add_up(of_budget, found, whole.rows), amount
    )
    result = {name: whole.column(name).take(pa.array(of_budget)) for name in own}
    result |= {name: parts.column(name).take(pa.array(of_share)) for name in new}
    return Step(to_kind(pa.table({**result, "amount": to_yuan(found)}), budget), ledger.table())


def _named(columns: Mapping[str, str] | None, name: str) -> dict[str, str]:
    """Return the part of ``columns=`` that is for one of the two tables."""
    return {name: columns[name]} if columns and name in columns else {}


def _places(whole: Columns, own: Sequence[str]) -> list[str]:
    """Return the rows of a budget in words: their keys, where these tell them apart."""
    keys = whole.keys(own)
    if not own or keys.size != whole.rows:
        return [f"row {row}" for row in range(whole.rows)]
    named = places(keys_of(whole, own))
    return [named[code] for code in keys.codes]


def _shares(parts: Columns) -> NDArray[np.int64]:
    """Return shares as whole numbers of one unit, exactly."""
    values = [exact_rate(value, f"share of row {row}") for row, value in enumerate(parts.column("share").to_pylist())]
    for row, value in enumerate(values):
        if value < 0:
            raise PolicyError(f"the share of row {row} is {value}: give a number of at least 0")
    digits = max((-int(value.as_tuple().exponent) for value in values), default=0)
    return np.array([int(value.scaleb(max(digits, 0))) for value in values], np.int64)


def _pairs(whole: Columns, parts: Columns, common: Sequence[str]) -> tuple[Any, Any]:
    """Return the rows of the budget and of the shares that have the same key; without a key, all pairs of rows."""
    if not common:
        return np.repeat(np.arange(whole.rows), parts.rows), np.tile(np.arange(parts.rows), whole.rows)
    mine, theirs = keys_of(whole, common), keys_of(parts, common)
    place = Columns(pa.table(theirs.table), what="the shares").match(
        common, Columns(pa.table(mine.table), what="the budget")
    )
    of_key = place[theirs.codes]
    lists: dict[int, list[int]] = {}
    for row, key in enumerate(of_key):
        lists.setdefault(int(key), []).append(row)
    pairs = [(row, other) for row, key in enumerate(mine.codes) for other in lists.get(int(key), ())]
    return np.array([row for row, _ in pairs], int), np.array([other for _, other in pairs], int)
