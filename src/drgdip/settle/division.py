"""Budgets divided: a reserve held back, and splits by care, form of payment, month or hospital, which lose no fen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._columns import Columns, add_columns, as_list
from drgdip._exact import exactly
from drgdip._money import add_up, exact_rate, read_money, round_over, split_fen, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import keys_of, places, plain
from drgdip.settle._sections import section_of
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.rules import BudgetRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = ["amounts_of_budget", "hold_reserve", "split_budget"]


@exactly
@reads_once
def hold_reserve(budget: Any, policy: Policy | BudgetRules, *, columns: Mapping[str, str] | None = None) -> Step:
    """Hold back the reserve (风险金、调节金) of each budget, as the policy's ``budget.reserve`` says.

    Parameters
    ----------
    budget
        A table with ``amount`` (yuan), such as the steps before give.
    policy
        The policy, or its section of the budget.
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
    >>> from decimal import Decimal
    >>> from drgdip.settle.rules import BudgetRules
    >>> rules = BudgetRules(method="growth", reserve=Decimal("0.05"))
    >>> row = hold_reserve([{"pool": "resident", "amount": 1000}], rules).table[0]
    >>> row["amount"], row["reserve"]
    (Decimal('950.00'), Decimal('50.00'))
    """
    reserve = section_of(policy, "budget", BudgetRules).reserve
    amount = amounts_of_budget(Columns(budget, ["amount"], what="the budget", columns=columns))
    held = round_over(amount, int(reserve.scaleb(12)), 10**12)
    table = add_columns(budget, {"amount": to_yuan(amount - held), "reserve": to_yuan(held)})
    kept, _ = read_money(Columns(table).column("amount"), "column 'amount' of the result")
    ledger = Ledger("hold reserve")
    ledger.check("amount + reserve = amount before", [f"row {row}" for row in range(len(amount))], kept + held, amount)
    return Step(table, ledger.table())


def amounts_of_budget(table: Columns) -> Fen:
    """Return the amounts of a budget. Raise PolicyError where one is missing or negative."""
    amount, known = read_money(table.column("amount"), "column 'amount' of the budget")
    bad = np.flatnonzero(~known | (amount < 0))
    if len(bad):
        raise PolicyError(f"the budget has no amount of at least 0 in row {bad[0]}: give yuan of at least 0")
    return amount


@exactly
@reads_once
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
    amount, sizes = amounts_of_budget(whole), _shares(parts)
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
