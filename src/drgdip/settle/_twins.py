"""Cases that are there twice, and cases that take another back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import one_chunk, valid
from drgdip._columns import Columns, decode
from drgdip.settle._inputs import optional_money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from drgdip._money import Fen

__all__ = ["KEYS", "Found", "case_codes", "find_reversals", "find_twins", "part_of", "plain_column", "twins_of"]

_DAYS = ("admitted", "discharged")
#: The columns that tell cases apart.
KEYS = ("case_id", "hospital", "patient", *_DAYS, "total_cost")


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
    numbered = np.zeros(table.rows, bool)
    if "case_id" in table:
        numbered = _among(table, ["case_id", "hospital"], _same_case)
        yield Found("duplicate", numbered, "same_case_id", " ".join(["case_id", "hospital", *days]))
    if "patient" in table and "hospital" in table and len(days) == len(_DAYS):
        names = ["patient", "hospital", *days]
        rows = _among(table, names, lambda short: _twins(twins_of(short, names)))
        yield Found("same_stay", rows & ~numbered, "same_stay", " ".join(names))


def _same_case(table: Columns) -> NDArray[np.bool_]:
    """Return which rows are the same case as another."""
    return np.asarray(np.logical_or.reduce([_twins(codes) for codes in case_codes(table)]), bool)


def case_codes(table: Columns) -> list[NDArray[np.int64]]:
    """Return codes of the rows: rows that share one of them are the same case.

    They share number and hospital, and one of the days or having none: a number may be the patient's, of many stays.
    """
    days = [name for name in _DAYS if name in table]
    undated = np.logical_and.reduce([_numbered(table, day)[0] < 0 for day in days] or [np.ones(table.rows, bool)])
    numbers = ["case_id", "hospital"]
    return [*(twins_of(table, [*numbers, day]) for day in days), np.where(undated, twins_of(table, numbers), -1)]


def _among(table: Columns, names: list[str], find: Callable[[Columns], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return what a finder says of the rows that may have a twin; the others have none."""
    keys, known = _hashed_keys(table, names)
    ordered = np.sort(keys[known])
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return _of_part(table, known & _in(keys, twice), find)


def _of_part(
    table: Columns, rows: NDArray[np.bool_], find: Callable[[Columns], NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Return what a finder says of a part of the rows, false for the others."""
    found = np.zeros(table.rows, bool)
    places = np.flatnonzero(rows)
    if len(places):
        found[places] = find(part_of(table, places))
    return found


def part_of(table: Columns, places: NDArray[np.integer]) -> Columns:
    """Return the columns that tell cases apart, of some rows."""
    take = pa.array(places)
    return Columns(pa.table({name: plain_column(table, name).take(take) for name in KEYS if name in table}))


def plain_column(table: Columns, name: str) -> pa.ChunkedArray:
    """Return a column without views of texts, which cannot be taken from."""
    column = table.column(name)
    return pa.chunked_array([decode(*table.codes(name))]) if pa.types.is_string_view(column.type) else column


def _in(keys: NDArray[np.uint64], few: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which keys are among a few in order."""
    if not len(few):
        return np.zeros(len(keys), bool)
    return np.asarray(few[np.minimum(np.searchsorted(few, keys), len(few) - 1)] == keys)


def _hashed_keys(table: Columns, names: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return a number for each row, equal for equal values and very rarely for others, and which rows have all."""
    keys, known = np.zeros(table.rows, np.uint64), np.ones(table.rows, bool)
    for name in names:
        if name not in table:
            continue
        column = one_chunk(table.column(name))
        if name not in _DAYS and name != "hospital" and pa.types.is_string(column.type):
            number, there = _hashed(column)
        else:
            codes, _ = _numbered(table, name)
            number, there = codes.astype(np.uint64), codes >= 0
        keys, known = _mixed(keys, number), known & there
    return keys, known


def _hashed(column: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return a number for each text, from its length and its bytes by eights, and which rows have a text."""
    if not len(column):
        return np.zeros(0, np.uint64), np.zeros(0, bool)
    _, offsets, data = column.buffers()
    edges = np.frombuffer(offsets, np.int32)[column.offset :][: len(column) + 1].astype(np.int64)
    begins, sizes = edges[:-1], np.diff(edges)
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    # Windows of eight bytes, one at each byte, so that a text is read from where it begins.
    content = np.concatenate([content[: edges[-1]], np.zeros(8, np.uint8)])
    windows: NDArray[np.uint64] = np.ndarray(len(content) - 7, np.dtype("<u8"), content.data, strides=(1,))
    number = sizes.astype(np.uint64)
    for begin in range(0, int(sizes.max()), 8):
        rest = np.clip(sizes - begin, 0, 8)
        number = _mixed(number, windows[np.minimum(begins + begin, len(windows) - 1)] & _MASKS[rest])
    return number, valid(column) & (sizes > 0)


def _mixed(number: NDArray[np.uint64], more: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers with more mixed in, which wrap."""
    mixed = (number ^ more) * _ODD
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


_ODD = np.uint64(0x9E3779B97F4A7C15)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)


def _twins(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows have a code that another row has; a code below 0 is none."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    same = ordered[1:] == ordered[:-1]
    twin = np.zeros(len(codes), bool)
    twin[order[1:]] = same
    twin[order[:-1]] |= same
    return np.asarray(twin & (codes >= 0))


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
    names = ["case_id", "hospital", *_DAYS]
    keys, known = _hashed_keys(table, names)
    refunds = known & (cost < 0)
    places = np.flatnonzero(known & _in(keys, np.unique(keys[refunds])))
    rows, originals = np.zeros(table.rows, bool), np.zeros(table.rows, bool)
    if not len(places):
        return Reversals(rows, originals)
    # The last bit of a code tells refunds from cases.
    open_cases: dict[tuple[int, int], list[int]] = {}
    codes = twins_of(part_of(table, places), names) // 2
    for row, code in zip(places, codes, strict=True):
        if cost[row] > 0:
            open_cases.setdefault((int(code), int(cost[row])), []).append(int(row))
    for row, code in zip(places, codes, strict=True):
        found = open_cases.get((int(code), -int(cost[row]))) if cost[row] < 0 else None
        if found:
            rows[row], originals[found.pop(0)] = True, True
    return Reversals(rows, originals)
