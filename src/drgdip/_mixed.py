"""Columns whose values are of several kinds: each keeps what it is, so that it is read as it would be alone.

Arrow has one type a column. Turned into texts, a number among codes would look like a code, and one list among ages
would make lists of all of them. `MIXED` has beside the text of a value what the value was.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._text import is_missing, text_of
from drgdip._values import Unreadable, code_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "BYTES",
    "CODES",
    "LIST",
    "MIXED",
    "OTHER",
    "TEXT",
    "from_mixed",
    "is_alike",
    "plain_mixed",
    "plain_table",
    "python_values",
    "texts_of_mixed",
]

#: What a value was: a text, bytes of one, a list of codes, another list, or anything else.
TEXT, BYTES, CODES, LIST, OTHER = range(5)
#: The text of a value, what it was, and the texts of its items if it was a list; null for a missing value.
MIXED = pa.struct([("text", pa.string()), ("was", pa.int8()), ("items", pa.list_(pa.string()))])

_SCALARS = frozenset({str, int, float, bool, bytes, Decimal, datetime.date, datetime.datetime, dict})
_LISTS = frozenset({list, tuple, np.ndarray})
_EXACT = 2**53  # whole numbers below are exact among floats


def is_alike(values: Sequence[Any]) -> bool:
    """Return whether values are of one kind, so that Arrow has each as it is; numbers and NaN among texts count so."""
    kinds = _kinds(values)
    if kinds and kinds <= _LISTS:
        try:
            kinds = _kinds(chain.from_iterable(value for value in values if value is not None))
        except TypeError:  # an array without dimension
            return False
        return kinds <= {int, float} or (len(kinds) == 1 and kinds <= _SCALARS | _LISTS)
    if kinds == {str, float}:
        return all(type(value) is not float or value != value for value in values)
    if kinds == {int, float}:
        return all(type(value) is not int or abs(value) < _EXACT for value in values)
    return not kinds or (len(kinds) == 1 and bool(kinds <= _SCALARS or next(iter(kinds)).__module__ == "numpy"))


def _kinds(values: Iterable[Any]) -> set[type]:
    return {kind for kind in set(map(type, values)) if kind is not type(None)}


def from_mixed(values: Sequence[Any]) -> pa.Array:
    """Return Python values of any kinds as an array of `MIXED`."""
    cells = [_cell(value.item() if _is_scalar(value) else value) for value in values]
    texts, kinds, items = zip(*cells, strict=True) if cells else ((), (), ())
    arrays = [pa.array(texts, pa.string()), pa.array(kinds, pa.int8()), pa.array(items, pa.list_(pa.string()))]
    return pa.StructArray.from_arrays(arrays, fields=list(MIXED), mask=pc.is_null(arrays[1]))


def _is_scalar(value: Any) -> bool:
    return type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0


def _cell(value: Any) -> tuple[str | None, int | None, list[str | None] | None]:
    """Return the text of a value, what it is, and the texts of its items; None for all of a missing one."""
    if isinstance(value, str):
        return str(value), TEXT, None
    if is_missing(value):
        return None, None, None
    if isinstance(value, bytes):
        try:
            return value.decode(), BYTES, None
        except UnicodeDecodeError:
            return text_of(value), OTHER, None
    if isinstance(value, dict) or not hasattr(value, "__iter__") or not getattr(value, "ndim", 1):
        return text_of(value), OTHER, None
    listed = list(value)
    try:
        return text_of(value), CODES, [None if item is None else str(item) for item in code_items(listed)]
    except Unreadable:
        return text_of(value), LIST, [None if is_missing(item) else text_of(item) for item in listed]


def python_values(mixed: pa.Array) -> list[Any]:
    """Return the values for a reader of single ones: a text for everything but bytes, None for a missing one."""
    texts, kinds, _ = mixed.flatten()
    both = zip(texts.to_pylist(), kinds.to_pylist(), strict=True)
    return [text.encode() if kind == BYTES else text for text, kind in both]


def texts_of_mixed(mixed: pa.Array) -> pa.Array:
    """Return the values as texts, the items of lists joined by ``|``, whatever the other rows hold."""
    texts, _, items = (part.to_pylist() for part in mixed.flatten())
    joined = (
        text if found is None else "|".join(item or "" for item in found)
        for text, found in zip(texts, items, strict=True)
    )
    return pa.array(list(joined), pa.string())


def plain_mixed(mixed: pa.Array) -> pa.Array:
    """Return the values as texts, or all as lists of texts where some are lists, for columns that are not read."""
    texts, kinds, items = mixed.flatten()
    listed = pc.is_in(kinds, pa.array([CODES, LIST], pa.int8()))
    if not pc.any(listed).as_py():
        return texts
    return pa.array(
        [
            found if isinstance(found, list) else None if text is None else text.split("|")
            for found, text in zip(items.to_pylist(), texts.to_pylist(), strict=True)
        ],
        pa.list_(pa.string()),
    )


def plain_table(table: pa.Table) -> pa.Table:
    """Return a table with texts for the values of mixed columns."""
    for place, field in enumerate(table.schema):
        if field.type == MIXED:
            chunks = [texts_of_mixed(chunk) for chunk in table.column(place).chunks]
            table = table.set_column(place, field.name, pa.chunked_array(chunks, pa.string()))
    return table
