"""How a column of values of one kind is read: the readers of `drgdip._values` over Arrow arrays.

A reader gives the values, and which rows hold something that is not of its kind. Whole columns of plain values take a
short way through Arrow; all others are read value by value, each distinct one once.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_list, from_numpy, one_chunk, valid
from drgdip._mixed import MIXED, python_values
from drgdip._values import Unreadable, read_day, read_flag, read_number, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Failed = NDArray[np.bool_]

__all__ = [
    "NO_DAY",
    "as_python",
    "from_days",
    "from_decimals",
    "holds_letter",
    "is_text",
    "plain_texts",
    "read_days",
    "read_flags",
    "read_numbers",
    "read_values",
    "read_wholes",
    "without_views",
]

#: The day that is not known.
NO_DAY = np.datetime64("NaT", "D")
#: What a cast makes of NaN: no one's number.
_CAST_NAN = -(2**63)
#: The texts that Arrow reads as `drgdip._values.read_number` does, and those with an exponent.
_PLAIN = r"^[+-]?(\d+(\.\d*)?|\.\d+)$"
_WITH_EXPONENT = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?$"


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is one of texts, dictionaries of texts included."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kind in {pa.string(), pa.large_string(), pa.string_view()}


def plain_texts(column: pa.Array) -> pa.Array:
    """Return a dictionary as its values and a view of texts as texts; other columns as they are."""
    if pa.types.is_dictionary(column.type):
        column = without_views(column)
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column


def without_views(column: pa.Array) -> pa.Array:
    """Return a dictionary of views of texts, as Polars has for categories, as one of texts: Arrow can cast no other."""
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
        return pa.DictionaryArray.from_arrays(column.indices, column.dictionary.cast(pa.string()))
    return column


def as_python(values: pa.Array) -> list[Any]:
    """Return the values of a column; as texts where there are dates that Python has none for."""
    try:
        found: list[Any] = values.to_pylist()
    except (OverflowError, ValueError):
        found = values.cast(pa.string()).to_pylist()
    return found


def read_values(column: pa.Array, read: Callable[[object], Any], kind: pa.DataType) -> tuple[pa.Array, Failed]:
    """Read a column value by value, each distinct one once.

    Parameters
    ----------
    column
        Values of any type.
    read
        A reader of one value (`drgdip._values`).
    kind
        The type of what it reads.

    Returns
    -------
    The values, null where they are missing or cannot be read; and which rows cannot be read.
    """
    column = plain_texts(column)
    try:
        if column.type == MIXED:
            distinct, where = python_values(column), from_numpy(np.arange(len(column)))
        else:
            encoded = column.dictionary_encode()
            distinct, where = as_python(encoded.dictionary), encoded.indices
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # nested values, of which each is for itself
        distinct, where = column.to_pylist(), from_numpy(np.arange(len(column)))
    values, failed = [], []
    for value in distinct:
        try:
            values.append(read(value))
            failed.append(False)
        except Unreadable:
            values.append(None)
            failed.append(True)
    bad = np.array([*failed, False])[filled(where, -1)]  # null is no failure
    return from_list(values, kind).take(where), bad


def _none_failed(column: pa.Array) -> Failed:
    return np.zeros(len(column), dtype=bool)


def read_wholes(column: pa.Array, *, units: tuple[str, ...] = ()) -> tuple[pa.Array, Failed]:
    """Read a column of whole numbers (`drgdip._values.read_whole`): int64, and which rows cannot be read."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_null(kind) or (is_text(kind) and not holds_letter(column, "x")):
        try:  # Arrow would read the hexadecimal 0x1F
            whole = column.cast(pa.int64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
        else:
            if not (filled(whole, 0) == _CAST_NAN).any():
                return whole, _none_failed(column)
    return read_values(column, partial(read_whole, units=units), pa.int64())


def holds_letter(texts: pa.Array, letter: str) -> bool:
    """Return whether some text may hold a letter, small or capital; the bytes behind a slice count as well."""
    texts = texts.dictionary if pa.types.is_dictionary(texts.type) else texts
    content = plain_texts(texts).buffers()[2]
    return content is not None and bool(((np.frombuffer(content, np.uint8) | 0x20) == ord(letter)).any())


def read_numbers(
    column: pa.Array, *, exponent: bool = False, units: tuple[str, ...] = ()
) -> tuple[NDArray[np.float64], Failed]:
    """Read a column of numbers (`drgdip._values.read_number`): floats, NaN for none, and which rows cannot be read."""
    column = plain_texts(column)
    numbers = _plain_numbers(column, exponent=exponent)
    failed = _none_failed(column)
    if numbers is None:
        read, failed = read_values(column, partial(read_number, exponent=exponent, units=units), pa.float64())
        numbers = filled(read, np.nan)
    endless = np.isinf(numbers)
    return np.where(endless, np.nan, numbers), failed | endless


def _plain_numbers(column: pa.Array, *, exponent: bool) -> NDArray[np.float64] | None:
    """Return the numbers of a column of plain ones, None of any other."""
    kind = column.type
    if pa.types.is_decimal128(kind):
        return from_decimals(column)
    if is_text(kind):
        if not pc.all(pc.match_substring_regex(column, _WITH_EXPONENT if exponent else _PLAIN)).as_py():
            return None
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        return None
    try:
        return filled(column.cast(pa.float64()), np.nan)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def from_decimals(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Return decimals as the nearest floats, NaN for null; Arrow's own cast may miss them by a last digit."""
    scale = column.type.scale
    column = column.cast(pa.decimal128(38, scale))
    parts = []
    for chunk in filter(len, column.chunks if isinstance(column, pa.ChunkedArray) else [column]):
        halves = np.frombuffer(chunk.buffers()[1], np.int64)[2 * chunk.offset :][: 2 * len(chunk)].reshape(-1, 2)
        low, high = halves.T
        known = valid(chunk)
        if scale < 0 or ((low >> 63 != high) & known).any():
            parts.append(filled(chunk.cast(pa.float64()), np.nan))
        else:
            parts.append(np.where(known, low / 10.0**scale, np.nan))
    return np.concatenate(parts) if parts else np.zeros(0)


def read_flags(column: pa.Array) -> tuple[pa.Array, Failed]:
    """Read a column of true and false (`drgdip._values.read_flag`), and which rows cannot be read."""
    if pa.types.is_boolean(column.type):
        return column, _none_failed(column)
    return read_values(column, read_flag, pa.bool_())


def read_days(column: pa.ChunkedArray | pa.Array) -> tuple[NDArray[np.datetime64], Failed]:
    """Read a column of dates, times or texts (`drgdip._values.read_day`): days, NaT for none; which cannot be read."""
    column = plain_texts(one_chunk(column))
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        column = column.cast(pa.date32(), safe=False)
    elif is_text(kind):
        # Arrow reads 2024-05-01 and no other form.
        with contextlib.suppress(pa.ArrowInvalid):
            column = column.cast(pa.date32())
    if pa.types.is_date32(column.type):
        days = np.where(valid(column), filled(column.view(pa.int32()), 0).astype("datetime64[D]"), NO_DAY)
        return days, _none_failed(column)
    if is_text(kind):
        # The time of day goes before values are told apart: there are as many times as rows, but few days.
        short = pc.match_substring_regex(column, r"^\d{4}[-/.]\d\d[-/.]\d\d[ T]")
        column = pc.if_else(short, pc.utf8_slice_codeunits(column, 0, 10), column)
    read, failed = read_values(column, _day_number, pa.int32())
    return np.where(valid(read), filled(read, 0).astype("datetime64[D]"), NO_DAY), failed


def from_days(days: NDArray[np.datetime64]) -> pa.Array:
    """Return days as an Arrow array of dates, null for NaT."""
    known = ~np.isnat(days)
    return from_numpy(np.where(known, days.astype(np.int64), 0).astype(np.int32), known).view(pa.date32())


def _day_number(value: object) -> int | None:
    """Return a day as its number, as Arrow has it."""
    day = read_day(value)
    return None if day is None else day.toordinal() - _EPOCH


_EPOCH = np.datetime64("1970-01-01", "D").astype(object).toordinal()
