"""Columns of any table as numpy arrays, keys as codes, and look-ups from one table in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import from_days, from_decimals, read_days
from drgdip._arrow import kind_of, names_of, one_chunk, to_arrow, with_columns
from drgdip.errors import CaseError, PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer]

__all__ = ["Columns", "Keys", "add_columns", "as_list", "decode", "labels", "nullable", "text_columns"]

# Up to this many combinations of keys a look-up is one array; above, a search.
_DENSE = 1 << 22


class Keys(NamedTuple):
    """Rows by key: a code for each row (-1 where a part of the key is missing), and the keys in order."""

    codes: Codes
    table: dict[str, pa.Array]
    size: int


class Columns:
    """The columns of a table that a calculation needs, each read once.

    Parameters
    ----------
    data
        Any table.
    needed
        Names of columns that must be there; None entries are passed over.
    what
        What the table is, for messages.
    """

    def __init__(self, data: Any, needed: Iterable[str | None] = (), *, what: str = "the cases") -> None:
        self.what = what
        # A frame of pandas may hold columns that are no table's: of it, only what is used is read.
        self._frame = data if kind_of(data) == "pandas" else None
        self._table = pa.table({}) if self._frame is not None else to_arrow(data)
        self.names = names_of(data) if self._frame is not None else self._table.column_names
        self.rows = len(self._table if self._frame is None else data)
        self._read: dict[str, pa.ChunkedArray] = {}
        self._codes: dict[str, tuple[Codes, pa.Array]] = {}
        self.require(needed)

    def require(self, needed: Iterable[str | None]) -> None:
        """Refuse a table that lacks a column, or has it twice."""
        self._check([name for name in needed if name is not None], self.names)

    def column(self, name: str) -> pa.ChunkedArray:
        """A column as it is."""
        if name not in self._read:
            table = self._table if self._frame is None else to_arrow(self._frame, [name])
            self._read[name] = table[name]
        return self._read[name]

    def _check(self, wanted: Sequence[str], known: Sequence[str]) -> None:
        for name in wanted:
            if name not in known:
                names = ", ".join(known) or "none"
                hint = f"The columns of {self.what} are {names}; another name can be given by keyword."
                raise UnknownNameError("column", name, known, hint=hint)
            if known.count(name) > 1:
                raise CaseError(f"{self.what} have {known.count(name)} columns named {name!r}: rename all but one")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def numbers(self, name: str) -> Floats:
        """A column as float64, NaN where it is null."""
        column = self.column(name)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = kind.value_type
        if pa.types.is_null(kind):
            return np.full(self.rows, np.nan)
        if pa.types.is_decimal(kind):
            return from_decimals(column)
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            example = next((repr(value.as_py()) for value in column if value.is_valid), "nothing")
            raise CaseError(
                f"column {name!r} of {self.what} holds {kind} such as {example}, not numbers: "
                f"convert it, for example with pandas.to_numeric"
            )
        # One chunk is looked at in place; several are joined, which copies.
        plain = column.chunk(0) if column.num_chunks == 1 else column
        return np.asarray(plain.to_numpy(zero_copy_only=False), np.float64)

    def dates(self, name: str) -> pa.Array:
        """Return a column as days; times are cut to their day, and texts read as `drgdip._values.read_day` does."""
        column = one_chunk(self.column(name))
        if pa.types.is_date32(column.type):
            return column
        days, failed = read_days(column)
        if failed.any():
            row = int(np.flatnonzero(failed)[0])
            raise CaseError(
                f"column {name!r} of {self.what} holds {column.type} that are no dates: {column[row].as_py()!r} in row "
                f"{row}; give dates"
            )
        return from_days(days)

    def codes(self, name: str) -> tuple[Codes, pa.Array]:
        """A column as codes (-1 where null or empty) of its values as texts in order."""
        if name not in self._codes:
            self._codes[name] = _encode(self.column(name), f"column {name!r} of {self.what}")
        return self._codes[name]

    def keys(self, names: Sequence[str]) -> Keys:
        """The rows by the values of some columns; of no columns, all rows under one key."""
        if not names:
            return Keys(np.zeros(self.rows, np.int32), {}, 1)
        if len(names) == 1:
            codes, values = self.codes(names[0])
            return Keys(codes, {names[0]: values}, len(values))
        parts = [self.codes(name) for name in names]
        sizes = [len(values) for _, values in parts]
        joined = _join([codes for codes, _ in parts], sizes)
        if np.prod(sizes, dtype=float) <= _DENSE:
            # The last place is for rows without a key.
            present = np.zeros(int(np.prod(sizes)) + 1, bool)
            present[joined] = True
            present[-1] = False
            found = np.flatnonzero(present)
            place = np.full(len(present), -1, np.int32)
            place[found] = np.arange(len(found), dtype=np.int32)
            codes = place[joined]
        else:
            found, inverse = np.unique(joined, return_inverse=True)
            missing = int(len(found) > 0 and found[0] < 0)
            codes, found = inverse - missing, found[missing:]
        columns, rest = {}, found
        for name, (_, values), size in reversed(list(zip(names, parts, sizes, strict=True))):
            columns[name] = values.take(pa.array(rest % size))
            rest = rest // size
        return Keys(codes, {name: columns[name] for name in names}, len(found))

    def match(self, names: Sequence[str], other: Columns, others: Sequence[str] | None = None) -> Codes:
        """For each row the row of another table with the same key, -1 where there is none.

        A key that stands twice in the other table is an error.
        """
        others = names if others is None else others
        mine, theirs, sizes = [], [], []
        for name, other_name in zip(names, others, strict=True):
            codes, values = self.codes(name)
            other_codes, other_values = other.codes(other_name)
            place = pc.fill_null(pc.index_in(values, value_set=other_values), -1).to_numpy(zero_copy_only=False)
            mine.append(np.append(place, np.int32(-1))[codes])
            theirs.append(other_codes)
            sizes.append(len(other_values))
        if not names:
            if other.rows != 1:
                raise PolicyError(f"{other.what} have {other.rows} rows and no key: one row is expected")
            return np.zeros(self.rows, np.int32)
        wanted, offered = _join(mine, sizes), _join(theirs, sizes)
        rows = np.flatnonzero(offered >= 0)
        order = rows[np.argsort(offered[rows], kind="stable")]
        ordered = offered[order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            first, second = sorted(int(row) for row in order[twice[0] : twice[0] + 2])
            key = ", ".join(f"{name} {other.column(name)[first].as_py()!r}" for name in others)
            raise PolicyError(f"{other.what} have {key} twice, in rows {first} and {second}: leave one of them")
        if not len(order):
            return np.full(self.rows, -1, np.int32)
        if np.prod(sizes, dtype=float) <= _DENSE:
            dense = np.full(int(np.prod(sizes)) + 1, -1, np.int32)
            dense[ordered] = order
            return dense[wanted]
        place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        return np.where(ordered[place] == wanted, order[place], -1)


def _encode(column: pa.ChunkedArray, where: str) -> tuple[Codes, pa.Array]:
    kind = column.type
    if pa.types.is_nested(kind):
        raise CaseError(f"{where} holds {kind}: a key is a text, a whole number or a date")
    if pa.types.is_null(kind):
        return np.full(len(column), -1, np.int32), pa.array([], pa.string())
    if pa.types.is_string_view(kind):
        try:
            column = column.cast(pa.string())
        except pa.ArrowNotImplementedError:  # before pyarrow 18
            column = pa.chunked_array([pa.array(column.to_pylist(), pa.string())])
    if not pa.types.is_dictionary(kind):
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # pyarrow leaves an empty column chunked
        encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], column.type)
    values = _texts(encoded.dictionary, where)
    raw = encoded.indices
    if raw.null_count:
        raw = raw.cast(pa.int32()).fill_null(-1)
    codes = raw.to_numpy(zero_copy_only=False)
    # A dictionary may hold values that no row has, and two spellings (1 and 1.0) of one text.
    used = np.zeros(len(values) + 1, bool)
    used[codes] = True
    used[-1] = False
    used[: len(values)] &= np.asarray(pc.fill_null(pc.not_equal(values, ""), fill_value=False))
    kept = pc.unique(values.filter(pa.array(used[:-1])))
    kept = kept.take(pc.sort_indices(kept))
    place = pc.fill_null(pc.index_in(values, value_set=kept), -1).to_numpy(zero_copy_only=False)
    return np.append(place, -1).astype(np.int32)[codes], kept


def _texts(values: pa.Array, where: str) -> pa.Array:
    kind = values.type
    try:
        if pa.types.is_floating(kind):
            # A whole number becomes a float where pandas had to hold a missing value beside it.
            values = values.cast(pa.int64())
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CaseError(f"{where} holds {kind}: a key is a text, a whole number or a date") from error


def _join(codes: Sequence[Codes], sizes: Sequence[int]) -> Codes:
    """Several codes of a row as one, -1 where one of them is below 0."""
    joined = codes[0]
    for more, size in zip(codes[1:], sizes[1:], strict=True):
        missing = (joined < 0) | (more < 0)
        joined = np.where(missing, -1, joined.astype(np.int64) * size + more)
    return joined


def as_list(by: str | Sequence[str]) -> list[str]:
    """One name or several as a list."""
    return [by] if isinstance(by, str) else list(by)


def labels(codes: Codes, names: Sequence[str]) -> pa.DictionaryArray:
    """Texts by code, null where the code is below 0; one byte a row."""
    kind = np.int8 if len(names) < 127 else np.int32
    small = np.asarray(codes).astype(kind)
    return pa.DictionaryArray.from_arrays(pa.array(small, mask=np.less(small, 0)), pa.array(list(names), pa.string()))


def decode(codes: Codes, values: pa.Array) -> pa.Array:
    """Values by code, null where the code is below 0."""
    return values.take(pa.array(np.asarray(codes, np.int64), mask=np.asarray(codes) < 0))


def nullable(values: Floats) -> pa.Array:
    """Floats as an Arrow array, null where they are NaN."""
    missing = np.isnan(values)
    if not missing.any():
        return pa.array(values)
    # Put together from its buffers, which does not copy the values.
    valid = np.packbits(~missing, bitorder="little")
    parts = [pa.py_buffer(valid), pa.py_buffer(np.ascontiguousarray(values, np.float64))]
    return pa.Array.from_buffers(pa.float64(), len(values), parts, int(missing.sum()))


def text_columns(table: pa.Table) -> pa.Table:
    """The table with dictionary columns as plain texts: right for tables of groups, which are short."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table[index].cast(field.type.value_type))
    return table


def add_columns(data: Any, new: dict[str, Any]) -> Any:
    """The caller's table with columns set: added on the right, or in place of those of the same name."""
    return with_columns(data, pa.table(new))
