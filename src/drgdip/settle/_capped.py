"""Caps of a policy in the account of a year: their deductions from each hospital, and the lines that show how."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_arrow
from drgdip._columns import Columns, add_columns, labels
from drgdip._money import YUAN, to_yuan, yuan_of
from drgdip.errors import PolicyError
from drgdip.settle._inputs import NAMES, amounts_by, holds, names_after, on_account, optional_money
from drgdip.settle.caps import deduct_growth, excess_step, find_excess
from drgdip.settle.ledger import LEDGER
from drgdip.settle.payment import (
    BY_POINTS,
    CROSS_REGION,
    FAILED,
    PAYMENT_RULES,
    list_states,
    price_cases,
    price_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Keys
    from drgdip._money import Fen
    from drgdip.settle.caps import MoneyCap
    from drgdip.settle.policy import Policy

__all__ = ["CAP_LINES", "Capped", "check_caps", "price_at_values", "take_caps"]

#: How the caps take money: the hospital, the line of its statement, the cap in words, and the formula of the amount.
CAP_LINES = pa.schema(
    [(name, pa.string()) for name in ("hospital", "pool", "item", "cap")]
    + [("deductions", YUAN), ("formula", pa.string())]
)

# The columns of prices that hold codes; the others are money.
_TEXTS = ("payment_rule", "payment_status", "payment_reason")


class Capped(NamedTuple):
    """Deductions by caps.

    Attributes
    ----------
    money, growth
        Fen of each hospital and pool above caps of money, and above the growth of a mean.
    lines
        Their lines, in the columns of `CAP_LINES`.
    ledger
        Sums that were checked.
    """

    money: Fen
    growth: Fen
    lines: pa.Table
    ledger: pa.Table


def take_caps(
    cases: Any, policy: Policy, keys: Keys, pools: pa.Table, money_caps: Any, last_year: Any, columns: Any
) -> Capped:
    """Return what the policy's caps on money and growth take, of cases at the values of the year.

    ``pools`` are the pools of the year with their point values. Raise PolicyError where a table is missing that the
    policy needs, or given without a rule that reads it.
    """
    check_caps(policy, "total_share", "money_caps", money_caps)
    check_caps(policy, "highest_growth", "last_year", last_year)
    parts, ledgers = [CAP_LINES.empty_table()], [LEDGER.empty_table()]
    if money_caps is not None or last_year is not None:
        cases, columns = _counted(cases, policy, pools, columns)
    money, growth = np.zeros(keys.size, np.int64), np.zeros(keys.size, np.int64)
    if money_caps is not None:
        found = find_excess(cases, money_caps, policy, columns)
        step = excess_step(found)
        money = amounts_by(step.table, "deductions", keys, "caps")
        parts.append(_table(_money_lines(found, policy)))
        ledgers.append(step.ledger)
    if last_year is not None:
        step = deduct_growth(cases, last_year, policy, columns=columns)
        growth = amounts_by(step.table, "deductions", keys, "caps")
        parts.append(_table(_growth_lines(to_arrow(step.table).to_pylist(), policy)))
        ledgers.append(step.ledger)
    return Capped(money, growth, pa.concat_tables(parts), pa.concat_tables(ledgers))


def check_caps(policy: Policy, rule: str, name: str, given: Any) -> None:
    """Raise PolicyError where a table of caps is missing, or given without the rule that reads it."""
    said = policy.caps is not None and getattr(policy.caps, rule) is not None
    if said and given is None:
        raise PolicyError(f"caps.{rule} of policy {policy.id!r} needs {name}=: give the table that it applies to")
    if given is not None and not said:
        raise PolicyError(f"{name}= is given, and policy {policy.id!r} does not say caps.{rule}: add it to [caps]")


def price_at_values(cases: Any, policy: Policy, pools: Any, columns: Mapping[str, str] | None) -> Any:
    """Return priced cases at the point values of the year's pools, and at their payment ratios where they have some.

    Value and ratio of the year are for the cases that share its points, and for other regions' at local values. All
    others keep the price that the clearing took, such as a fixed rate or a bed-day.
    """
    rows = to_arrow(pools).to_pylist()
    values = {row["pool"]: row["point_value"] or 0 for row in rows}
    ratios = {row["pool"]: row["fund_share"] for row in rows if row["fund_share"] is not None}
    valued = price_cases(cases, policy, values=values, ratios=ratios or None, columns=columns).table
    before = Columns(cases, columns=columns, optional=NAMES)
    floats = holds(before, "payment_rule", PAYMENT_RULES[BY_POINTS])
    if policy.cases.cross_region == "value":
        floats |= holds(before, "payment_rule", PAYMENT_RULES[CROSS_REGION]) & on_account(before, policy)
    floats &= optional_money(before, "payable")[1]
    if floats.all():
        return valued
    after = Columns(valued, columns=names_after(columns, valued, price_columns(policy)), optional=NAMES)
    return add_columns(valued, {name: _either(after, before, name, floats) for name in price_columns(policy)})


def _either(one: Columns, other: Columns, name: str, rows: NDArray[np.bool_]) -> pa.Array:
    """Return a column of prices: of some rows from one table, of the others from another."""
    if name in _TEXTS:
        codes, values = one.codes(name)
        more, others = other.codes(name)
        names = list(dict.fromkeys([*values.to_pylist(), *others.to_pylist()]))
        place = [np.array([*map(names.index, part.to_pylist()), -1], np.int32) for part in (values, others)]
        return labels(np.where(rows, place[0][codes], place[1][more]), names)
    (fen, known), (instead, given) = optional_money(one, name), optional_money(other, name)
    return to_yuan(np.where(rows, fen, instead), np.where(rows, known, given))


def _counted(cases: Any, policy: Policy, pools: Any, columns: Any) -> tuple[pa.Table, Any]:
    """Return the cases that are in the sums of the year, at its values where points float, and their columns."""
    table = Columns(cases, columns=columns, optional=NAMES)
    known = optional_money(table, "payable")[1]
    rows = known & (list_states(table) != FAILED) & ~on_account(table, policy)
    counted = to_arrow(cases).filter(pa.array(rows))
    if policy.form == "fixed":
        return counted, columns
    valued = price_at_values(counted, policy, pools, columns)
    return valued, names_after(columns, valued, price_columns(policy))


def _money_lines(found: MoneyCap, policy: Policy) -> Iterator[dict[str, Any]]:
    """Yield the lines of hospitals under caps of money that are exceeded."""
    assert policy.caps is not None
    places = pa.table(found.keys.table).to_pylist()
    for number in np.flatnonzero(found.excess).tolist():
        rows = np.flatnonzero(found.limit == number)
        amounts = found.amount[rows]
        cap, whole, positive = (
            yuan_of(int(fen)) for fen in (found.cap[number], amounts.sum(), np.maximum(amounts, 0).sum())
        )
        above = f"({whole} - {cap}) × (1 - {policy.caps.total_share:f})"
        for row in rows[found.taken[rows] != 0].tolist():
            own, taken = (yuan_of(int(fen[row])) for fen in (found.amount, found.taken))
            line = {"item": "over_cap", "cap": found.names[number], "deductions": taken}
            yield places[int(found.place[row])] | line | {"formula": f"{above} × {own} / {positive}"}


def _growth_lines(rows: list[dict[str, Any]], policy: Policy) -> Iterator[dict[str, Any]]:
    """Yield the lines of hospitals whose mean per discharge grew more than the policy allows."""
    rules = policy.caps
    assert rules is not None
    for row in rows:
        if row["deductions"]:
            last = f"{row['last_amount']} / {Decimal(repr(row['last_cases'])).normalize():f}"
            highest = f"{row['cases']} × {last} × (1 + {rules.highest_growth:f})"
            line = {"item": "over_growth", "cap": f"{rules.growth_of}", "deductions": row["deductions"]}
            line["formula"] = f"({row['amount']} - {highest}) × {rules.growth_share:f}"
            yield {"hospital": row["hospital"], "pool": row["pool"], **line}


def _table(lines: Iterator[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(lines), CAP_LINES)
