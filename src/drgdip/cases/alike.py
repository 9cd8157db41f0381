"""Records that name their columns in different ways, brought under the names that hold for all of them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import kind_of, names_of
from drgdip._text import is_missing
from drgdip._values import Unreadable
from drgdip.cases.fields import join_wide
from drgdip.cases.names import CASE_COLUMNS, CODE_COLUMNS, COMPANIONS, expand_columns, resolve
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.cases.names import ColumnNames, Resolved, Wide

__all__ = ["alike_records"]


def alike_records(cases: Any, columns: ColumnNames | None = None) -> Any:
    """Return records so that each column has one name, where they name it in different ways; all else as it is.

    A record with ``dx`` beside one with ``dx_principal`` would hide the diagnoses of the latter: a table has one place
    for a column. Names that the caller gives with ``columns`` stay.
    """
    kind = kind_of(cases)
    if kind in {"records", "pandas", "pyarrow", "batch", "polars"} and not len(cases) and not names_of(cases):
        return pa.table({column: pa.nulls(0) for column in CASE_COLUMNS})  # a table of nothing has every column
    if kind != "records" or len(shapes := set(map(tuple, cases))) < 2:
        return cases
    every = list(dict.fromkeys(name for row in cases for name in row))
    kept = {*(columns or {}), *chain.from_iterable(expand_columns(columns or {}, every).values())}

    def resolved(names: tuple[Any, ...]) -> Resolved:
        return resolve(tuple(name for name in names if isinstance(name, str) and name not in kept))

    found = {shape: resolved(shape) for shape in shapes}
    try:
        whole = resolved(tuple(every))
    except CaseError:  # two names of one column, each in records of its own
        whole = None
    if whole is not None and all(_is_within(part, whole) for part in found.values()):
        return cases
    return [_renamed(record, found[tuple(record)]) for record in cases]


def _is_within(part: Resolved, whole: Resolved) -> bool:
    """Return whether all records together name the columns of one as it alone does."""
    return all(whole.single.get(column) == name for column, name in part.single.items()) and all(
        column in whole.wide and _is_part(wide, whole.wide[column]) for column, wide in part.wide.items()
    )


def _is_part(wide: Wide, whole: Wide) -> bool:
    return (
        wide.principal in {None, whole.principal}
        and wide.head in {None, whole.head}
        and set(wide.listed) <= set(whole.listed)
        and set(wide.numbered) <= set(whole.numbered)
    )


def _renamed(record: Mapping[Any, Any], found: Resolved) -> dict[Any, Any]:
    """Return a record under the names of the columns, lists that stand in several columns as lists."""
    wide = {column: parts for column, parts in found.wide.items() if column in (*CODE_COLUMNS, *COMPANIONS)}
    used = {*found.single.values(), *(name for parts in wide.values() for name in parts.names)}
    new = {name: value for name, value in record.items() if name not in used}
    new |= {column: record[name] for column, name in found.single.items()}
    for column, parts in wide.items():
        if column in CODE_COLUMNS:
            new[column] = _joined(record, parts)
        elif COMPANIONS[column] in wide and len(wide[COMPANIONS[column]].numbered) == len(parts.numbered):
            cells = zip(_cells(record, parts), _cells(record, wide[COMPANIONS[column]]), strict=True)
            new[column] = [cell for place, (cell, code) in enumerate(cells) if not place or not is_missing(code)]
    return new


def _joined(record: Mapping[Any, Any], parts: Wide) -> Any:
    try:
        return join_wide(record, parts)
    except Unreadable:
        return [record[name] for name in parts.names]  # unreadable, and so the column


def _cells(record: Mapping[Any, Any], parts: Wide) -> list[Any]:
    first = None if parts.principal is None else record[parts.principal]
    return [first, *(record[name] for name in parts.numbered)]
