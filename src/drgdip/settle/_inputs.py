"""Columns of tables as settlement reads them: keys, money, decisions, and amounts by pool or hospital."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import names_of
from drgdip._columns import Columns, Keys, decode
from drgdip._money import add_up, exact_rate, fen_of, read_money
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle.rules import CROSS_REGION_WAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = [
    "NAMES",
    "NO",
    "OPEN",
    "YES",
    "amounts_by",
    "by_pool",
    "cross_region_rows",
    "decisions",
    "flag",
    "holds",
    "keys_of",
    "known_numbers",
    "matched",
    "money",
    "names_after",
    "numbers_by_pool",
    "on_account",
    "optional_money",
    "places",
    "plain",
    "pool_rows",
    "texts",
]

#: The columns of cases that settlement reads: other names in ``columns=`` that are like one of these are misspelt.
NAMES = (
    "case_id",
    "patient",
    "hospital",
    "pool",
    "level",
    "group",
    "western_group",
    "month",
    "admitted",
    "discharged",
    "discharge",
    "submitted",
    "list_passed",
    "list_status",
    "los",
    "total_cost",
    "fund_booked",
    "patient_paid",
    "paid_basic",
    "paid_large_amount",
    "paid_serious_illness",
    "paid_civil_servant",
    "paid_supplementary",
    "paid_medical_aid",
    "paid_other",
    "paid_account",
    "paid_cash",
    "own_paid",
    "out_of_scope",
    "deductible",
    "deductions",
    "excluded_cost",
    "excluded_kind",
    "excluded_amount",
    "reimbursement_rate",
    "case_kind",
    "outlier",
    "cost_ratio",
    "stay_ratio",
    "cross_region",
    "insured_region",
    "review_applied",
    "review_approved",
    "review_status",
    "special_reason",
    "reasonable_cost",
    "points",
    "points_status",
    "payment_rule",
    "standard",
    "payable",
    "profit_formula",
    "adjustment",
    "profit",
)
#: A decision: true, false, or not made.
YES, NO, OPEN = 1, 0, -1


def money(columns: Columns, name: str) -> Fen:
    """Return a column of money as fen. Raise CaseError with the row where an amount is missing or negative."""
    fen, known = read_money(columns.column(name), f"column {name!r} of {columns.what}")
    bad = np.flatnonzero(~known | (fen < 0))
    if len(bad):
        what = "is missing" if not known[bad[0]] else "is negative"
        more = f" and {len(bad) - 1} more rows" if len(bad) > 1 else ""
        raise CaseError(f"column {name!r} of {columns.what} {what} in row {bad[0]}{more}: give yuan of at least 0")
    return fen


def optional_money(columns: Columns, name: str) -> tuple[Fen, NDArray[np.bool_]]:
    """Return a column of money as fen (0 where null or absent), and which rows have a value."""
    if name not in columns:
        return np.zeros(columns.rows, np.int64), np.zeros(columns.rows, bool)
    return read_money(columns.column(name), f"column {name!r} of {columns.what}")


def decisions(columns: Columns, name: str) -> NDArray[np.int8]:
    """Return a column of true and false as `YES` and `NO`, and `OPEN` where it is null or absent."""
    if name not in columns:
        return np.full(columns.rows, OPEN, np.int8)
    column = columns.column(name)
    if pa.types.is_null(column.type):
        return np.full(columns.rows, OPEN, np.int8)
    if not pa.types.is_boolean(column.type):
        raise CaseError(f"column {name!r} of {columns.what} holds {column.type}: give true and false")
    return np.asarray(column.cast(pa.int8()).fill_null(OPEN))


def flag(columns: Columns, name: str) -> NDArray[np.bool_]:
    """Return a column of true and false, false where it is null or absent."""
    return np.equal(decisions(columns, name), YES)


def cross_region_rows(table: Columns, policy: Policy) -> NDArray[np.bool_]:
    """Return which cases are of other regions' insured. Raise PolicyError where the policy does not say how to pay."""
    away = flag(table, "cross_region")
    if policy.cases.cross_region is None and away.any():
        rows = np.flatnonzero(away)
        raise PolicyError(
            f"cases.cross_region: policy {policy.id!r} does not say how cross-region care is paid, and {len(rows):,} "
            f"cases are such, the first in row {rows[0]}: say {CROSS_REGION_WAYS}"
        )
    return away


def on_account(table: Columns, policy: Policy) -> NDArray[np.bool_]:
    """Return which cases their insured regions pay for, and not the local budget."""
    away = cross_region_rows(table, policy)
    return away if policy.cases.has_account else np.zeros(table.rows, bool)


def holds(columns: Columns, name: str, *wanted: str) -> NDArray[np.bool_]:
    """Return which rows hold one of some texts in a column that may be absent."""
    if name not in columns or not wanted:
        return np.zeros(columns.rows, bool)
    codes, values = columns.codes(name)
    return np.array([*(value in wanted for value in values.to_pylist()), False])[codes]


def texts(columns: Columns, name: str) -> pa.Array:
    """Return a column as texts, null where it is empty or absent."""
    if name not in columns:
        return pa.nulls(columns.rows, pa.string())
    return decode(*columns.codes(name))


def keys_of(columns: Columns, names: Sequence[str]) -> Keys:
    """Return the rows by some columns, which must all be filled. Whole numbers stay numbers, in their order."""
    for name in names:
        bad = np.flatnonzero(columns.codes(name)[0] < 0)
        if len(bad):
            more = f" and {len(bad) - 1} more rows" if len(bad) > 1 else ""
            raise CaseError(f"column {name!r} of {columns.what} is empty in row {bad[0]}{more}: fill it in")
    keys = columns.keys(names)
    numbers = [name for name in names if pa.types.is_integer(columns.column(name).type)]
    if not numbers:
        return keys
    table = pa.table(
        {name: keys.table[name].cast(pa.int64()) if name in numbers else keys.table[name] for name in names}
    )
    order = np.asarray(pc.sort_indices(table, [(name, "ascending") for name in names]))
    place = np.empty(keys.size, np.int32)
    place[order] = np.arange(keys.size, dtype=np.int32)
    table = table.take(pa.array(order))
    return Keys(place[keys.codes], {name: table[name].combine_chunks() for name in names}, keys.size)


def places(keys: Keys) -> list[str]:
    """Return the keys in words, for ledgers."""
    columns = {name: column.to_pylist() for name, column in keys.table.items()}
    return [" ".join(f"{name} {column[row]}" for name, column in columns.items()) for row in range(keys.size)]


def pool_rows(columns: Columns, policy: Policy) -> NDArray[np.integer]:
    """Return the pool of each row as its number in the policy. Raise UnknownNameError for one that it does not have."""
    keys_of(columns, ["pool"])
    codes, values = columns.codes("pool")
    found = values.to_pylist()
    for name in found:
        if name not in policy.pools:
            raise UnknownNameError(
                "pool",
                name,
                policy.pools,
                hint=f"{columns.what} name it; policy {policy.id!r} has {', '.join(policy.pools)}.",
            )
    place = np.array([policy.pools.index(name) for name in found] or [0])
    return np.asarray(place[codes])


def by_pool(given: Any, policy: Policy, what: str) -> list[int]:
    """Return fen for each pool of the policy, from a mapping of yuan or a table with pool and amount."""
    if not isinstance(given, Mapping):
        columns = Columns(given, ["pool", "amount"], what=f"the table {what}=")
        keys = keys_of(columns, ["pool"])
        fen, known = read_money(columns.column("amount"), f"column 'amount' of {columns.what}")
        if not known.all():
            raise PolicyError(f"{what}=: the amount of row {int(np.flatnonzero(~known)[0])} is missing")
        summed = add_up(keys.codes, fen, keys.size)
        amounts = dict(zip(keys.table["pool"].to_pylist(), map(int, summed), strict=True))
    else:
        amounts = {str(pool): fen_of(amount, f"{what}[{pool!r}]") for pool, amount in given.items()}
    for pool in amounts:
        if pool not in policy.pools:
            raise UnknownNameError("pool", pool, policy.pools, hint=f"It is named in {what}=.")
    for pool in policy.pools:
        if pool not in amounts:
            raise PolicyError(f"{what}= has no amount for the pool {pool!r}: give one, 0 if there is none")
        if amounts[pool] < 0:
            raise PolicyError(f"{what}= of the pool {pool!r} is negative: give yuan of at least 0")
    return [amounts[pool] for pool in policy.pools]


def numbers_by_pool(given: Any, column: str, what: str, *, most: int | None = None) -> dict[str, Decimal]:
    """Return rates, values or shares by pool, from a mapping or a table with the pool and a column.

    A float stands for the decimal that it prints as. A null in the table says nothing of its pool. Raise PolicyError
    for a number below 0 or above ``most``.
    """
    numbers = _numbers_by_pool(given, column, what)
    for pool, number in numbers.items():
        if number < 0 or (most is not None and number > most):
            top = "" if most is None else f" and at most {most}"
            raise PolicyError(f"{what}[{pool!r}]={number}: give a number of at least 0{top}")
    return numbers


def _numbers_by_pool(given: Any, column: str, what: str) -> dict[str, Decimal]:
    if isinstance(given, Mapping):
        return {str(pool): exact_rate(number, f"{what}[{pool!r}]") for pool, number in given.items()}
    columns = Columns(given, ["pool", column], what=f"the table {what}=")
    pools = decode(*columns.codes("pool")).to_pylist()
    if len(set(pools)) < len(pools):
        raise PolicyError(f"{what}= has a pool twice: leave one of the rows")
    numbers = zip(pools, columns.column(column).to_pylist(), strict=True)
    return {pool: exact_rate(number, f"{what}[{pool!r}]") for pool, number in numbers if number is not None}


def amounts_by(
    given: Any,
    column: str,
    keys: Keys,
    what: str,
    columns: Mapping[str, str] | None = None,
    *,
    signed: bool = False,
) -> Fen:
    """Return fen for each key (hospital, pool …) of a table with any number of rows a key; None is 0 everywhere.

    Raise PolicyError for an amount below 0 unless amounts are ``signed``.
    """
    if given is None:
        return np.zeros(keys.size, np.int64)
    table, row = matched(given, [column], keys, what, columns)
    fen, known = read_money(table.column(column), f"column {column!r} of {table.what}")
    if (~known).any():
        raise CaseError(f"column {column!r} of {table.what} is missing in row {int(np.flatnonzero(~known)[0])}")
    if not signed and (fen < 0).any():
        row_below = int(np.flatnonzero(fen < 0)[0])
        raise PolicyError(f"{what}= is negative in row {row_below}: give yuan of at least 0")
    return add_up(row, fen, keys.size)


def known_numbers(table: Columns, name: str) -> NDArray[np.float64]:
    """Return a column of numbers. Raise CaseError where one is missing."""
    numbers = table.numbers(name)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise CaseError(
            f"column {name!r} of {table.what} is missing in row {bad[0]}: give a number, or leave out the row"
        )
    return numbers


def matched(
    given: Any, needed: list[str], keys: Keys, what: str, columns: Mapping[str, str] | None = None
) -> tuple[Columns, NDArray[np.integer]]:
    """Return the columns of a table by hospital and pool, and for each of its rows the number of its key."""
    names = list(keys.table)
    table = Columns(given, [*names, *needed], what=f"the table {what}=", columns=columns)
    row = table.match(names, Columns(pa.table(keys.table), what="the cases"))
    bad = np.flatnonzero(row < 0)
    if len(bad):
        key = ", ".join(f"{name} {table.column(name)[int(bad[0])].as_py()!r}" for name in names)
        raise CaseError(f"{what}= has {key} in row {bad[0]}, which has no cases: mend the key, or take the row out")
    return table, row


def names_after(columns: Mapping[str, str] | None, table: Any, made: Iterable[str]) -> Mapping[str, str] | None:
    """Return the names of columns for the table of a step, which adds those of `made` that it has by these names."""
    if columns is None:
        return None
    added = set(made).intersection(names_of(table))
    return {name: theirs for name, theirs in columns.items() if name not in added}


def plain(table: pa.Table) -> pa.Table:
    """Return a short table with dictionaries and views of texts as plain texts."""
    for index, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_string_view(kind):
            kind = pa.string()
        if kind != field.type:
            table = table.set_column(index, field.name, table[index].cast(kind))
    return table
