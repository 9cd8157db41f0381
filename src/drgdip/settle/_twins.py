"""Cases that are there twice, and cases that take another back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import one_chunk
from drgdip.settle._inputs import optional_money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from drgdip._columns import Columns
    from drgdip._money import Fen

__all__ = ["Found", "find_reversals", "find_twins", "twins_of"]

_DAYS = ("admitted", "discharged")


class Found(NamedTuple):
    """Rows of one kind with one reason, and the columns that say so."""

    kind: str
    rows: NDArray[np.bool_]
    reason: str
    columns: str


class Reversals(NamedTuple):
    """Rows that take back another, and the rows that they take back."""

    rows: NDArray[np.bool_]
    originals: NDArray[np.bool_]


def find_twins(table: Columns) -> Iterator[Found]:
    """Yield cases of one number or one patient at one hospital on the same days. A refund is no twin of its case."""
    days = [name for name in _DAYS if name in table]
    if "case_id" in table:
        # A number may be the patient's, of many stays: one day tells them apart.
        rows = np.zeros(table.rows, bool)
        for day in days:
            rows |= _twins(twins_of(table, ["case_id", "hospital", day]))
        undated = np.logical_and.reduce([_numbered(table, day)[0] < 0 for day in days] or [~rows])
        if undated.any():
            rows |= _twins(np.where(undated, twins_of(table, ["case_id", "hospital"]), -1))
        yield Found("duplicate", rows, "same_case_id", " ".join(["case_id", "hospital", *days]))
        numbered = rows
    else:
        numbered = np.zeros(table.rows, bool)
    if "patient" in table and "hospital" in table and len(days) == len(_DAYS):
        rows = _twins(twins_of(table, ["patient", "hospital", *days]))
        yield Found("same_stay", rows & ~numbered, "same_stay", "patient hospital admitted discharged")


def _twins(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows have a code that another row has; a code below 0 is none."""
    known = codes >= 0
    if len(codes) and pc.count_distinct(pa.array(codes)).as_py() == len(codes):
        return np.zeros(len(codes), bool)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    same = ordered[1:] == ordered[:-1]
    twin = np.zeros(len(codes), bool)
    twin[order[1:]] = same
    twin[order[:-1]] |= same
    return twin & known


def twins_of(table: Columns, names: list[str]) -> NDArray[np.int64]:
    """Return a code for each row, the same for rows with the same values; -1 where one of the values is missing."""
    joined, size = np.zeros(table.rows, np.int64), 1
    missing = np.zeros(table.rows, bool)
    for name in names:
        if name not in table:
            continue
        codes, count = _numbered(table, name)
        if size * count >= 1 << 62:
            joined = np.unique(joined, return_inverse=True)[1].astype(np.int64)
            size = int(joined.max(initial=0)) + 1
        missing |= codes < 0
        joined, size = joined * count + codes, size * count
    if "total_cost" in table:
        joined = joined * 2 + (optional_money(table, "total_cost")[0] < 0)
    return np.where(missing, -1, joined)


def _numbered(table: Columns, name: str) -> tuple[NDArray[np.int64], int]:
    """Return the values of a column as numbers from 0, -1 where there is none, and how many there may be."""
    if name in _DAYS:
        days = np.asarray(table.dates(name).to_numpy(zero_copy_only=False), "datetime64[D]")
        known = ~np.isnat(days)
        number = days.astype(np.int64)
        first = int(number[known].min()) if known.any() else 0
        last = int(number[known].max()) if known.any() else 0
        return np.where(known, number - first, -1), last - first + 1
    column = one_chunk(table.column(name))
    if name == "hospital" or not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        codes, values = table.codes(name)
        return codes.astype(np.int64), max(len(values), 1)
    # Many values, whose order does not matter: Arrow's dictionary is enough.
    column = pc.dictionary_encode(column)
    number = np.asarray(column.indices.cast(pa.int64()).fill_null(-1))
    empty = pc.index(column.dictionary, pa.scalar("", column.dictionary.type)).as_py()
    return (np.where(number == empty, -1, number) if empty >= 0 else number), max(len(column.dictionary), 1)


def find_reversals(table: Columns, cost: Fen) -> Reversals | None:
    """Return the refunds that take back a whole case of the same number, hospital and days, and these cases."""
    if "case_id" not in table:
        return None
    rows, originals = np.zeros(table.rows, bool), np.zeros(table.rows, bool)
    codes = twins_of(table, ["case_id", "hospital", *_DAYS])
    plain = np.where(codes < 0, codes, codes // 2)
    refunds = np.flatnonzero((cost < 0) & (codes >= 0))
    if not len(refunds):
        return Reversals(rows, originals)
    candidates = np.flatnonzero(np.isin(plain, plain[refunds]) & (cost > 0))
    open_cases: dict[tuple[int, int], list[int]] = {}
    for row in candidates:
        open_cases.setdefault((int(plain[row]), int(cost[row])), []).append(int(row))
    for row in refunds:
        found = open_cases.get((int(plain[row]), -int(cost[row])))
        if found:
            rows[row], originals[found.pop(0)] = True, True
    return Reversals(rows, originals)
