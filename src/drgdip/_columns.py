"""Columns of any table as numpy arrays, keys as codes, and look-ups from one table in another."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import from_days, from_decimals, read_days
from drgdip._arrow import filled, kind_of, names_of, one_chunk, to_arrow, with_columns
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import CaseError, PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer]

__all__ = ["Columns", "Keys", "Reasons", "add_columns", "as_list", "decode", "labels", "nullable", "text_columns"]

# Up to this many combinations of keys a look-up is one array; above, a search.
_DENSE = 1 << 22
# Whole numbers that span less than this many times their rows are codes without a table.
_SPAN = 2
_LARGE = 1 << 62
# A name of `columns=` that is not read and is this like one that is read counts as a misspelling of it.
_MISSPELT = 0.85


@once
def case_columns() -> frozenset[str]:
    """Return the names of the columns of cases."""
    return frozenset(row["column"] for row in rows_of("columns.csv"))


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
        Names of columns that must be there. None entries are skipped.
    what
        Name of the table in messages.
    columns
        The table's name of a column by the library's name. None is for tables that the caller cannot rename this way.
    optional
        Names that the calculation may read beside those needed, to find misspelt names in `columns`.

    Attributes
    ----------
    names
        The names that a column can be asked for: those of `columns`, and the table's other names.
    """

    def __init__(
        self,
        data: Any,
        needed: Iterable[str | None] = (),
        *,
        what: str = "the cases",
        columns: Mapping[str, str] | None = None,
        optional: Iterable[str] = (),
    ) -> None:
        self.what = what
        # A frame of pandas may hold columns that are no table's: of it, only what is used is read.
        self._frame = data if kind_of(data) == "pandas" else None
        self._table = pa.table({}) if self._frame is not None else to_arrow(data)
        own = names_of(data) if self._frame is not None else self._table.column_names
        self._renamed = None if columns is None else dict(columns)
        self.names = [*(columns or {}), *(name for name in own if name not in (columns or {}))]
        self.rows = len(self._table if self._frame is None else data)
        self._read: dict[str, pa.ChunkedArray] = {}
        self._codes: dict[str, tuple[Codes, pa.Array]] = {}
        asked = [name for name in needed if name is not None]
        self._check_renamed(own, [*asked, *optional])
        self.require(asked)

    def _check_renamed(self, own: Sequence[str], read: Sequence[str]) -> None:
        """Raise UnknownNameError or CaseError where `columns=` does not fit the table or what is read."""
        for name, theirs in (self._renamed or {}).items():
            if theirs not in own:
                hint = f"columns= gives it for {name!r}; the columns of {self.what} are {', '.join(own) or 'none'}."
                raise UnknownNameError("column", str(theirs), own, hint=hint)
            if own.count(theirs) > 1:
                raise CaseError(f"{self.what} have {own.count(theirs)} columns named {theirs!r}: rename all but one")
            # Columns of cases are like each other, as discharge is like discharged.
            known = name in read or name in case_columns()
            if not known and difflib.get_close_matches(str(name), read, 1, _MISSPELT):
                raise UnknownNameError("column", str(name), read, hint=f"columns= gives {theirs!r} for it.")

    def own_name(self, name: str) -> str:
        """Return the table's own name of a column."""
        return (self._renamed or {}).get(name, name)

    def require(self, needed: Iterable[str | None]) -> None:
        """Raise UnknownNameError or CaseError where the table lacks a column or has it twice."""
        for name in needed:
            if name is None:
                continue
            if name not in self.names:
                names = ", ".join(self.names) or "none"
                how = "" if self._renamed is None else f" columns={{{name!r}: ...}} gives it another name."
                hint = f"The columns of {self.what} are {names}.{how}"
                raise UnknownNameError("column", name, self.names, hint=hint)
            if self.names.count(name) > 1:
                raise CaseError(f"{self.what} have {self.names.count(name)} columns named {name!r}: rename all but one")

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column as it is."""
        if name not in self._read:
            own = self.own_name(name)
            table = self._table if self._frame is None else to_arrow(self._frame, [own])
            self._read[name] = table[own]
        return self._read[name]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def add(self, name: str, codes: Codes, values: pa.Array) -> None:
        """Add a column that is derived from others, as codes (-1 for null) and its values in order."""
        self._codes[name] = codes, values
        if name not in self.names:
            self.names.append(name)

    def numbers(self, name: str) -> Floats:
        """Return a column as float64, NaN where it is null."""
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
        """Return a column as codes (-1 where null or empty), and its values as texts in order."""
        if name not in self._codes:
            self._codes[name] = _encode(self.column(name), f"column {name!r} of {self.what}")
        return self._codes[name]

    def keys(self, names: Sequence[str]) -> Keys:
        """Return the rows by the values of some columns. Without columns, all rows have one key."""
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

    def alike(self, names: Sequence[str]) -> Codes:
        """Return codes that rows with the same key share, in no order; -1 where a part is missing.

        Quicker than `keys` for one column of many values, such as patients, since these are not sorted.
        """
        column = one_chunk(self.column(names[0])) if len(names) == 1 else None
        texts = (pa.string(), pa.large_string())
        if column is None or not (pa.types.is_integer(column.type) or column.type in texts):
            return self.keys(names).codes
        codes: Codes
        if pa.types.is_integer(column.type) and len(column) > column.null_count:
            span = pc.min_max(column).as_py()
            close = span["max"] - span["min"] < _SPAN * len(column) and max(-span["min"], span["max"]) < _LARGE
            if close:  # whole numbers close to each other are codes already
                numbers = filled(column.cast(pa.int64()), span["min"] - 1)
                return numbers - np.int64(span["min"])
        encoded = column.dictionary_encode()
        codes = filled(encoded.indices, -1)
        if column.type in texts:
            empty = np.append(np.asarray(pc.equal(encoded.dictionary, "")), False)
            codes = np.where(empty[codes], np.int32(-1), codes)
        return codes

    def match(self, names: Sequence[str], other: Columns, others: Sequence[str] | None = None) -> Codes:
        """Return for each row the row of another table with the same key, -1 where there is none.

        Raises PolicyError where the other table has a key twice.
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
    """Return a column as codes of its texts, and the texts in order."""
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
    """Join the codes of a row into one, -1 where one of them is below 0."""
    joined = codes[0]
    for more, size in zip(codes[1:], sizes[1:], strict=True):
        missing = (joined < 0) | (more < 0)
        joined = np.where(missing, -1, joined.astype(np.int64) * size + more)
    return joined


def as_list(by: str | Sequence[str]) -> list[str]:
    """Return one name or several as a list."""
    return [by] if isinstance(by, str) else list(by)


def labels(codes: Codes, names: Sequence[str]) -> pa.DictionaryArray:
    """Return texts by code, null where the code is below 0. A row takes one byte."""
    kind = np.int8 if len(names) < 127 else np.int32
    small = np.asarray(codes).astype(kind)
    return pa.DictionaryArray.from_arrays(pa.array(small, mask=np.less(small, 0)), pa.array(list(names), pa.string()))


def decode(codes: Codes, values: pa.Array) -> pa.Array:
    """Return values by code, null where the code is below 0."""
    return values.take(pa.array(np.asarray(codes, np.int64), mask=np.asarray(codes) < 0))


def nullable(values: Floats) -> pa.Array:
    """Return floats as an Arrow array, null where they are NaN."""
    missing = np.isnan(values)
    if not missing.any():
        return pa.array(values)
    # Put together from its buffers, which does not copy the values.
    valid = np.packbits(~missing, bitorder="little")
    parts = [pa.py_buffer(valid), pa.py_buffer(np.ascontiguousarray(values, np.float64))]
    return pa.Array.from_buffers(pa.float64(), len(values), parts, int(missing.sum()))


def text_columns(table: pa.Table) -> pa.Table:
    """Return the table with dictionary columns as plain texts, which suits the short tables of groups."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table[index].cast(field.type.value_type))
    return table


class Reasons:
    """The reason of each row, as a code of ``data/reasons.csv``: the first that is noted for it.

    Parameters
    ----------
    rows
        How many rows there are.
    """

    def __init__(self, rows: int) -> None:
        self._numbers = np.full(rows, -1, np.int16)
        self._codes: list[str] = []

    def note(self, wrong: Any, code: str, rows: Any = slice(None)) -> None:
        """Give a code to the rows that are wrong and have none yet; `rows` are those that `wrong` speaks of."""
        if not wrong.any():
            return
        if code not in self._codes:
            self._codes.append(code)
        now = self._numbers[rows]
        now[wrong & (now < 0)] = self._codes.index(code)
        if not isinstance(rows, slice):  # a copy, and no view
            self._numbers[rows] = now

    def drop(self, rows: Any) -> None:
        """Take the reasons of rows away."""
        self._numbers[rows] = -1

    @property
    def noted(self) -> NDArray[np.bool_]:
        """Which rows have a reason."""
        return np.greater_equal(self._numbers, 0)

    def column(self) -> pa.DictionaryArray:
        """Return the codes as a column, null for rows without a reason."""
        return labels(self._numbers, self._codes)


def add_columns(data: Any, new: dict[str, Any]) -> Any:
    """Return the caller's table with columns added on the right, or in place of those of the same name."""
    return with_columns(data, pa.table(new))
