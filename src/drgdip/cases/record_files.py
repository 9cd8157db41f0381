"""Files of records: JSON and JSON lines, settlement lists among them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import from_values
from drgdip.cases.alike import alike_records
from drgdip.cases.names import UNREADABLE
from drgdip.cases.parts import BAD, SPOILT, Part, encoding_of, free_name, shown_bad, slices
from drgdip.cases.settlement_list import body_of, flatten
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drgdip.cases.names import ColumnNames
    from drgdip.cases.parts import Wanted
    from drgdip.cases.sources import Source

__all__ = ["json_line_parts", "json_parts", "record_parts"]


def json_parts(source: Source, rows: int, wanted: Wanted, *, columns: ColumnNames | None = None) -> Iterator[Part]:
    """Yield a JSON file (a list of records, or one) in parts; it is read whole."""
    try:
        text = _text_of(source)
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        raise CaseError(f"{source}: is not JSON: {error}") from error
    yield from record_parts(content, str(source), rows, wanted, columns=columns, spoilt=BAD in text)


def json_line_parts(source: Source, rows: int, wanted: Wanted, *, columns: ColumnNames | None = None) -> Iterator[Part]:
    """Yield a file of JSON lines in parts; it is read whole."""
    records: list[Any] = []
    lines: list[int] = []
    text = _text_of(source)
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            lines.append(number)
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                records.append(line.strip())
    parts = record_parts(records, str(source), rows, wanted, columns=columns, spoilt=BAD in text)
    for start, part in zip(range(0, max(len(lines), 1), rows), parts, strict=True):
        yield part._replace(spoilt=_bad_lines(part.table, lines[start : start + rows]))


def _bad_lines(table: pa.Table, lines: Sequence[int]) -> tuple[int, ...]:
    """Return which of the lines of a table's rows are marked as unreadable."""
    if UNREADABLE not in table.column_names:
        return ()
    marks = table[UNREADABLE].to_pylist()
    return tuple(line for line, mark in zip(lines, marks, strict=True) if mark == "row")


def _text_of(source: Source) -> str:
    """Return the text of a file, with `BAD` where bytes are none."""
    return source.read().decode(encoding_of(source).name, SPOILT)


def record_parts(
    content: Any, name: str, rows: int, wanted: Wanted, *, columns: ColumnNames | None = None, spoilt: bool = False
) -> Iterator[Part]:
    """Yield records, or one, in parts; settlement lists become a record each.

    ``spoilt`` says that `BAD` stands somewhere among them.
    """
    records = [content] if isinstance(content, dict) else content
    if not isinstance(records, list | tuple) or (records and not any(isinstance(record, dict) for record in records)):
        raise CaseError(f'{name}: should hold records, each an object such as {{"dx": [...], "sex": 1}}')
    if not records:
        yield Part(pa.table({}), 1.0)
        return
    yield from slices(_table_of(records, wanted, columns, spoilt=spoilt), rows)


def _table_of(records: Sequence[Any], wanted: Wanted, columns: ColumnNames | None, *, spoilt: bool) -> pa.Table:
    """Return records as a table; an entry that is no record is kept as text in a column of its own."""
    broken = [None if isinstance(record, dict) else str(record) for record in records]
    texts = [json.dumps(record, ensure_ascii=False) if spoilt else "" for record in records]
    bad = [text is not None or BAD in content for text, content in zip(broken, texts, strict=True)]
    known = [json.loads(shown_bad(text)) if BAD in text else row for text, row in zip(texts, records, strict=True)]
    given = [record if isinstance(record, dict) else {} for record in known]
    bodies = [body_of(record) for record in given]
    flat = [record if body is None else flatten(body) for record, body in zip(given, bodies, strict=True)]
    shaped = flat if columns else alike_records(flat)
    names = wanted(list(dict.fromkeys(name for record in shaped for name in record)))
    table = pa.table({name: from_values([record.get(name) for record in shaped], name, mixed=True) for name in names})
    if any(text is not None for text in broken):
        table = table.append_column(
            free_name(names),
            pa.array([None if text is None else shown_bad(text) for text in broken], pa.string()),
        )
    if not any(bad):
        return table
    table = table.drop_columns([UNREADABLE]) if UNREADABLE in names else table
    return table.append_column(UNREADABLE, pa.array(["row" if one else None for one in bad], pa.string()))
