"""The same year under two policies or two schemes, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, as_list
from drgdip._exact import exactly
from drgdip._money import add_up, scaled, to_yuan
from drgdip._notebook import shown
from drgdip.errors import CaseError
from drgdip.settle._inputs import NAMES, keys_of, optional_money
from drgdip.settle.ledger import LEDGER, Ledger
from drgdip.settle.year import Year, settle_year

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Keys
    from drgdip.settle.policy import Policy

__all__ = ["Simulation", "simulate"]

# Decimals of the points that are added up for a comparison.
_DIGITS = 6
_MONEY = ("total_cost", "standard", "payable", "profit")


@shown
class Simulation(NamedTuple):
    """The same year under two policies.

    Attributes
    ----------
    table
        A row for each key: both sides and what moves.
    a, b
        The two years.
    ledger
        Sums that were checked.
    """

    table: Any
    a: Year
    b: Year
    ledger: pa.Table


@exactly
@reads_once
def simulate(
    cases: Any,
    policy_a: Policy,
    policy_b: Policy,
    *,
    inputs_a: Mapping[str, Any],
    inputs_b: Mapping[str, Any] | None = None,
    by: str | Sequence[str] = ("pool", "hospital"),
    columns: Mapping[str, str] | None = None,
) -> Simulation:
    """Settle the same year under two policies, or under two schemes, and show what moves.

    Parameters
    ----------
    cases
        Grouped cases; or a pair of tables with the same cases in the same order, grouped under two schemes.
    policy_a, policy_b
        The policies; twice the same to compare schemes or weights.
    inputs_a, inputs_b
        The keyword arguments of `settle_year` for each, without ``columns``; None takes those of a for b too.
    by
        The columns to report by, each side by its own groups: ``["pool", "hospital"]``, ``"level"``, ``"group"`` …
    columns
        The tables' names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A `Simulation`. Its table has a row a key with, for a and b, ``cases``, ``points``, ``total_cost``, ``standard``,
    ``payable``, ``profit`` (yuan; under a floating form at the value of the year), then ``moved`` (payable_b -
    payable_a) and ``profit_moved``. Ledger: the cases are the same; what moves adds up to the difference of the
    totals.

    Raises
    ------
    CaseError
        Two tables whose case numbers differ.
    DrgdipError
        As `settle_year`.

    Notes
    -----
    Sums of case amounts at the value of the year differ from the clearing by the rounding of each case.
    ``a.clearing`` and ``b.clearing`` have the money of the hospitals to the fen. Simulation before payment:
    云医保〔2019〕166号.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> money = {"total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> place = {"pool": "resident", "level": "3", "month": 1, "group": "A"}
    >>> cases = [{"case_id": h, "hospital": h, **place, **money} for h in "HK"]
    >>> level = {"level": [{"level": "3", "coefficient": 1.0}]}
    >>> inputs = {"weights": [{"group": "A", "weight": 100}], "coefficients": level}
    >>> inputs |= {"budget": {"resident": 13200, "employee": 1}}
    >>> less = inputs | {"budget": {"resident": 12600, "employee": 1}}
    >>> [row["moved"] for row in simulate(cases, policy, policy, inputs_a=inputs, inputs_b=less).table]
    [Decimal('-255.00'), Decimal('-255.00')]
    """
    first, second = (
        cases if isinstance(cases, tuple) and len(cases) == 2 and not isinstance(cases[0], dict) else (cases, cases)
    )
    _check_same_cases(first, second, columns)
    a = settle_year(first, policy_a, **inputs_a, columns=columns)
    b = settle_year(second, policy_b, **(inputs_a if inputs_b is None else inputs_b), columns=columns)
    names = as_list(by)
    sides = [_sums(year, names) for year in (a, b)]
    keys, read = _side_by_side(sides, names)
    moved = read["payable_b"] - read["payable_a"]
    table: dict[str, Any] = dict(keys.table)
    for kind in ("cases", "points", *_MONEY):
        for name in (f"{kind}_a", f"{kind}_b"):
            table[name] = to_yuan(read[name]) if kind in _MONEY else read[name]
    for name in ("points_a", "points_b"):
        table[name] = table[name] / 10.0**_DIGITS
    table["moved"] = to_yuan(moved)
    table["profit_moved"] = to_yuan(read["profit_b"] - read["profit_a"])
    ledger = Ledger("simulate")
    cases_a, cases_b = (int(read[name].sum()) for name in ("cases_a", "cases_b"))
    ledger.check("cases under a = cases under b", ["all"], cases_a, cases_b, digits=0, unit="cases")
    before, after = (int(np.asarray(side["payable"]).sum()) for side in sides)
    ledger.check("sum of what moves = difference of the totals", ["all"], int(moved.sum()), after - before)
    both = pa.concat_tables([ledger.table(), a.ledger, b.ledger])
    return Simulation(to_kind(pa.table(table), first), a, b, both.cast(LEDGER))


def _side_by_side(sides: Sequence[pa.Table], names: list[str]) -> tuple[Keys, dict[str, Any]]:
    """Return the keys of both sides together, and the numbers of each side for every key, 0 where it has none."""
    keys = keys_of(Columns(pa.concat_tables([side.select(names) for side in sides])), names)
    read: dict[str, Any] = {}
    start = 0
    for letter, side in zip("ab", sides, strict=True):
        codes = keys.codes[start : start + len(side)]
        start += len(side)
        for name in ("cases", "points", *_MONEY):
            found = np.zeros(keys.size, np.int64)
            found[codes] = np.asarray(side[name])
            read[f"{name}_{letter}"] = found
    return keys, read


def _check_same_cases(first: Any, second: Any, columns: Mapping[str, str] | None) -> None:
    """Raise CaseError where two tables do not have the same cases."""
    if first is second:
        return
    one, other = (Columns(side, ["case_id"], columns=columns, optional=NAMES) for side in (first, second))
    if one.column("case_id").to_pylist() != other.column("case_id").to_pylist():
        raise CaseError("the two tables do not have the same cases in the same order: compare the year with itself")


def _sums(year: Year, names: list[str]) -> pa.Table:
    """Return cases, points and money (fen) by key."""
    table = Columns(year.cases, [*names, "points", *_MONEY], columns=year.columns, optional=NAMES)
    keys = keys_of(table, names)
    result: dict[str, Any] = dict(keys.table)
    result["cases"] = np.bincount(keys.codes, minlength=keys.size)
    result["points"] = add_up(keys.codes, scaled(table.numbers("points"), _DIGITS, "the points"), keys.size)
    for name in _MONEY:
        fen, known = optional_money(table, name)
        result[name] = add_up(keys.codes, np.where(known, fen, 0), keys.size)
    return pa.table(result)
