"""Cases with the types of the schema: days as dates, amounts as decimals, whatever the file has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import from_days, read_days
from drgdip._arrow import filled, from_numpy, one_chunk
from drgdip._money import read_amounts, to_yuan
from drgdip.cases.case import TYPES
from drgdip.cases.table import as_lists, as_texts, with_marks

if TYPE_CHECKING:
    from typing import TypeAlias

    Failed: TypeAlias = np.ndarray

__all__ = ["with_types"]


def with_types(cases: pa.Table) -> pa.Table:
    """Return cases (`drgdip.cases.table.to_cases`) of which every column has its type.

    A value that cannot be read is null, and the column ``unreadable`` names it.
    """
    failures: list[tuple[str, Failed]] = []
    for column, kind in TYPES.items():
        if column not in cases.column_names or cases.schema.field(column).type == kind:
            continue
        given = one_chunk(cases[column])
        typed, failed = _typed(given, kind)
        cases = cases.set_column(cases.column_names.index(column), column, typed)
        failures.append((column, failed))
    return with_marks(cases, failures)


def _typed(column: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Failed]:
    """Return a column of a type, and which rows cannot be read."""
    none = np.zeros(len(column), dtype=bool)
    if kind == pa.date32():
        days, failed = read_days(column)
        return from_days(days), failed
    if pa.types.is_decimal(kind):
        fen, known, failed = read_amounts(column)
        return to_yuan(fen, known & ~failed), failed
    if kind == pa.string():
        return as_texts(column), none
    if pa.types.is_list(kind):
        return _lists(as_lists(column), kind.value_type)
    return column.cast(kind), none


def _lists(lists: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Failed]:
    """Return lists whose entries have a type, null where an entry cannot be read; and which rows have such an entry."""
    lengths = filled(pc.list_value_length(lists), 0)
    entries, failed = _typed(lists.flatten(), kind)
    rows = np.repeat(np.arange(len(lists)), lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    bad = np.bincount(rows[failed], minlength=len(lists)) > 0
    return pa.ListArray.from_arrays(from_numpy(offsets), entries), bad
