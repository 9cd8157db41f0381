"""Mapping codes from one code set to another over columns: each distinct code is looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_list, from_numpy, kind_of, names_of, one_chunk, replaced_columns, to_arrow
from drgdip.cases import case_columns
from drgdip.codes import MappedCodes, normalise_code
from drgdip.fields import CODE_COLUMNS, MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.codes import Walk

__all__ = ["map_array", "map_cases", "map_table"]

_REPORT = {"column": pa.string(), "from": pa.string(), "to": pa.string(), "count": pa.int64(), "outcome": pa.string()}


def map_array(data: Any, walk: Walk) -> MappedCodes:
    """Codes alone, by `drgdip.map_codes`."""
    listed = isinstance(data, list | tuple)
    given = from_list(list(data), pa.string()) if listed else data
    mapped, report = _map_column(one_chunk(given), walk, None)
    return MappedCodes(mapped.to_pylist() if listed else mapped, _report(report))


def map_table(data: Any, walks: Mapping[str, Walk], columns: Mapping[str, str]) -> MappedCodes:
    """The code columns of a table, by `drgdip.map_codes`."""
    if kind_of(data) == "lazy":
        data = data.collect()
    found = case_columns(names_of(data), columns)
    names = {name: walks[kind] for kind in CODE_COLUMNS if kind in walks for name in found.get(kind, ())}
    table = to_arrow(data, list(names))
    mapped: dict[str, Any] = {}
    rows: list[tuple[Any, ...]] = []
    for name, walk in names.items():
        mapped[name], report = _map_column(one_chunk(table[name]), walk, name)
        rows += report
    return MappedCodes(replaced_columns(data, pa.table(mapped)), _report(rows))


def map_cases(cases: pa.Table, walks: Mapping[str, Walk]) -> pa.Table:
    """Cases (`drgdip.cases.to_cases`) with mapped codes."""
    for kind, walk in walks.items():
        if kind in cases.column_names:
            mapped, _ = _map_column(one_chunk(cases[kind]), walk, kind)
            cases = cases.set_column(cases.column_names.index(kind), kind, mapped)
    return cases


def _report(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_REPORT)
    return pa.table(
        {name: from_list(cells, kind) for (name, kind), cells in zip(_REPORT.items(), columns, strict=True)}
    )


def _map_column(column: pa.Array, walk: Walk, name: str | None) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    """A column of codes, of lists of codes or of text joined by ``|`` in its own layout, and its rows of the report."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        codes, rows = _map_texts(column.values.slice(column.offsets[0].as_py(), column.offsets[-1].as_py()), walk, name)
        first = column.offsets[0].as_py()
        offsets = filled(column.offsets, 0) - first
        lists = pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray
        mask = None if not column.null_count else column.is_null()
        return lists.from_arrays(from_numpy(offsets), codes, mask=mask), rows
    texts = column.cast(pa.string())
    if pc.any(pc.match_substring(texts, "|")).as_py():
        lists = pc.split_pattern(texts, "|")
        codes, rows = _map_texts(lists.flatten(), walk, name)
        offsets = filled(lists.offsets, 0)
        joined = pc.binary_join(pa.ListArray.from_arrays(from_numpy(offsets), codes), "|")
        return pc.if_else(texts.is_valid(), joined, texts), rows
    return _map_texts(texts, walk, name)


def _map_texts(texts: pa.Array, walk: Walk, name: str | None) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    encoded = texts.cast(pa.string()).dictionary_encode() if not pa.types.is_dictionary(texts.type) else texts
    given = encoded.dictionary.to_pylist()
    counts = np.bincount(filled(encoded.indices, len(given)), minlength=len(given) + 1)
    others: list[str | None] = []
    rows: dict[str, tuple[Any, ...]] = {}
    for text, count in zip(given, counts[:-1].tolist(), strict=True):
        code = normalise_code(text)
        if code in MISSING:
            others.append(text)
            continue
        other, outcome = walk.step(code)
        others.append(other)
        before = rows[code][3] if code in rows else 0
        rows[code] = (name, code, other, before + count, outcome)
    return from_list(others, pa.string()).take(encoded.indices), list(rows.values())
