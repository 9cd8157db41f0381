"""Files of records: JSON and JSON lines, settlement lists among them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import from_values
from drgdip.cases.alike import alike_records
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.parts import encoding_of, free_name, slices
from drgdip.cases.settlement_list import body_of, flatten
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drgdip.cases.parts import Part, Wanted

__all__ = ["json_line_parts", "json_parts"]


def json_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    """Yield a JSON file (a list of records, or one) in parts; it is read whole."""
    try:
        content = json.loads(_text_of(path))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        raise CaseError(f"{path}: is not JSON: {error}") from error
    yield from slices(_table_of([content] if isinstance(content, dict) else content, path, wanted), rows)


def json_line_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    """Yield a file of JSON lines in parts; it is read whole."""
    records: list[Any] = []
    for line in io.StringIO(_text_of(path)):
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                records.append(line.strip())
    yield from slices(_table_of(records, path, wanted), rows)


def _text_of(path: Path) -> str:
    return path.read_text(encoding=encoding_of(path))


def _table_of(records: Any, path: Path, wanted: Wanted) -> pa.Table:
    """Return records as a table; an entry that is no record is kept as text in a column of its own."""
    if not isinstance(records, list) or not any(isinstance(record, dict) for record in records):
        raise CaseError(f'{path}: should hold records, each an object such as {{"dx": [...], "sex": 1}}')
    bodies = [body_of(record) for record in records]
    if any(body is not None for body in bodies):
        records = [record if body is None else flatten(body) for record, body in zip(records, bodies, strict=True)]
    rows = alike_records([record if isinstance(record, dict) else {} for record in records])
    names = wanted(list(dict.fromkeys(name for row in rows for name in row)))
    table = pa.table({name: from_values([row.get(name) for row in rows], name, mixed=True) for name in names})
    if all(isinstance(record, dict) for record in records):
        return table
    broken = [None if isinstance(record, dict) else str(record) for record in records]
    marks = [None if isinstance(record, dict) else "row" for record in records]
    table = table.append_column(free_name(names), pa.array(broken, pa.string()))
    if UNREADABLE in names:
        table = table.drop_columns([UNREADABLE])
    return table.append_column(UNREADABLE, pa.array(marks, pa.string()))
