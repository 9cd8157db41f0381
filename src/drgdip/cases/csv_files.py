"""Files of CSV, regular or not."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv

from drgdip._arrow import from_list
from drgdip._files import unguard_table, unguard_text
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.parts import Part, check_header, encoding_of, free_name, slices
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drgdip.cases.parts import Wanted

__all__ = ["csv_parts"]

_CSV_BLOCK = 1 << 24


class _Layout(NamedTuple):
    """Encoding, delimiter and header of a CSV file, and how many lines the header has."""

    encoding: str
    delimiter: str
    header: list[str]
    lines: int


def _layout_of(path: Path) -> _Layout:
    """Return how a CSV file is laid out."""
    encoding = encoding_of(path)
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline()
        if not first.strip():
            raise CaseError(f"{path}: the first line is blank; it should be a header")
        delimiter = max(",\t;", key=first.count)
        file.seek(0)
        rows = csv.reader(file, delimiter=delimiter)
        header = [unguard_text(" ".join(name.split())) for name in next(rows)]
    check_header(path, header)
    return _Layout(encoding, delimiter, header, rows.line_num)


def csv_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    """Yield a CSV file in parts; it is read as they are asked for."""
    layout = _layout_of(path)
    columns = wanted(layout.header)
    if _is_regular(path, layout):
        with _utf8(path, layout) as file:
            for table in _regular_tables(file, layout, columns):
                yield from (Part(unguard_table(part.table), file.tell() / file.size()) for part in slices(table, rows))
    else:
        yield from (Part(unguard_table(table), done) for table, done in _irregular_tables(path, layout, columns, rows))


def _is_regular(path: Path, layout: _Layout) -> bool:
    """Return whether every row has as many cells as the header, which must be known before parts are read."""
    try:
        with _utf8(path, layout) as file:
            for _ in _regular_tables(file, layout, layout.header[:1]):
                pass
    except pa.ArrowInvalid:
        return False
    return True


def _utf8(path: Path, layout: _Layout) -> pa.NativeFile:
    """Return a CSV file as Arrow's own stream of UTF-8; a file in another encoding is turned into it in memory.

    Arrow reads ahead in threads of its own. Were they to call a file or a codec of Python, a process that ends
    meanwhile would abort.
    """
    if layout.encoding in {"utf-8", "utf-8-sig"}:
        return pa.OSFile(str(path))
    return pa.BufferReader(path.read_bytes().decode(layout.encoding).encode())


def _regular_tables(file: pa.NativeFile, layout: _Layout, columns: list[str]) -> Iterator[pa.Table]:
    """Yield columns of a CSV file block by block, one table at least."""
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(layout.header, pa.string()),
        strings_can_be_null=True,
        null_values=[""],
        include_columns=columns,
    )
    reading = pacsv.ReadOptions(column_names=layout.header, skip_rows=layout.lines, block_size=_CSV_BLOCK)
    parsing = pacsv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True)
    try:
        reader = pacsv.open_csv(file, reading, parsing, convert)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise
        yield pa.schema([pa.field(name, pa.string()) for name in columns]).empty_table()
        return
    empty = True
    for batch in reader:
        if len(batch):
            empty = False
            yield pa.Table.from_batches([batch])
    if empty:
        yield reader.schema.empty_table()


def _irregular_tables(path: Path, layout: _Layout, wanted: list[str], rows: int) -> Iterator[tuple[pa.Table, float]]:
    """Yield a CSV file with rows of other lengths than the header: cells too many go to a column of their own."""
    width = len(layout.header)
    size = path.stat().st_size
    with path.open("rb") as binary, io.TextIOWrapper(binary, encoding=layout.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=layout.delimiter)
        next(reader)
        started = False
        while True:
            try:
                cells = list(itertools.islice((row for row in reader if row), rows))
            except csv.Error as error:
                raise CaseError(f"{path}, line {reader.line_num}: is not CSV: {error}") from error
            if not cells and started:
                return
            started = True
            columns: dict[str, list[str | None]] = {
                name: [(row[position] or None) if position < len(row) else None for row in cells]
                for position, name in enumerate(layout.header)
                if name in wanted
            }
            columns[free_name(layout.header)] = [layout.delimiter.join(row[width:]) or None for row in cells]
            columns[UNREADABLE] = [None if len(row) == width else "row" for row in cells]
            arrays = {name: from_list(column, pa.string()) for name, column in columns.items()}
            yield pa.table(arrays), binary.tell() / size
