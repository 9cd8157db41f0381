"""Tables to files: CSV, JSON, JSON lines and Parquet."""

from __future__ import annotations

import codecs
import json
from typing import IO, TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from drgdip._files import guard_column, guard_text

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["TableWriter", "flatten"]


class TableWriter:
    """Writes tables of one schema to a file, one behind the other.

    CSV is UTF-8, with a byte order mark on demand, which some spreadsheets need. Lists are joined by ``|``. A text that
    a spreadsheet would take for a formula stands behind an apostrophe, which `read_cases` takes off again. JSON has
    lists as lists, and decimals and dates as text.
    """

    def __init__(self, file: IO[bytes], format: str, *, mark: bool = False) -> None:  # noqa: A002
        self.file = file
        self.format = format
        self.mark = mark
        self.parquet: pq.ParquetWriter | None = None
        self.rows = 0
        self.started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.parquet is not None:
            self.parquet.close()
        elif self.format == "json":
            self.file.write(b"\n]\n" if self.rows else b"[]\n")

    def write(self, table: pa.Table) -> None:
        """Write the rows of a table."""
        if self.format == "parquet":
            if self.parquet is None:
                self.parquet = pq.ParquetWriter(self.file, table.schema)
            self.parquet.write_table(table)
        elif self.format == "csv":
            if not self.started and self.mark:
                self.file.write(codecs.BOM_UTF8)
            self.file.write(_csv(_guarded_table(table), header=not self.started))
        else:
            for row in table.to_pylist():
                before = b"" if self.format == "jsonl" else b",\n" if self.rows else b"[\n"
                text = json.dumps(row, ensure_ascii=False, default=str)
                self.file.write(before + text.encode() + (b"\n" if self.format == "jsonl" else b""))
                self.rows += 1
        self.started = True


def _csv(table: pa.Table, *, header: bool) -> pa.Buffer:
    """Return the table as CSV text: without quotes if no cell needs them, else with quotes around every text."""
    for quoting in ("none", "needed"):
        sink = pa.BufferOutputStream()
        try:
            pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=header, quoting_style=quoting))
        except pa.ArrowInvalid:
            continue
        return sink.getvalue()
    raise AssertionError("quoted text always fits")


def flatten(table: pa.Table) -> pa.Table:
    """Return a table without lists and structs: a list is joined by ``|``."""
    columns = [_flat_column(column.combine_chunks()) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _guarded_table(table: pa.Table) -> pa.Table:
    """Return a flat table without texts that a spreadsheet would take for a formula."""
    return pa.table({guard_text(name): _guarded(column.combine_chunks()) for name, column in _named(flatten(table))})


def _named(table: pa.Table) -> list[tuple[str, pa.ChunkedArray]]:
    return list(zip(table.column_names, table.columns, strict=True))


def _guarded(column: pa.Array) -> pa.Array:
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return guard_column(column) if text else column


def _flat_column(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if pa.types.is_string(kind.value_type):
            return pc.binary_join(_without_nulls(column), "|")
        return pa.array([None if row is None else "|".join(map(_text, row)) for row in column.to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        return pa.array([_text(row) for row in column.to_pylist()], pa.string())
    return column


def _without_nulls(lists: pa.Array) -> pa.Array:
    """Return lists with a null code as an empty text, so that the place of the principal code stays."""
    if not lists.flatten().null_count:
        return lists
    filled = [None if row is None else [code or "" for code in row] for row in lists.to_pylist()]
    return pa.array(filled, lists.type)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
