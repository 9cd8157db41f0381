"""Files of CSV, regular or not."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv

from drgdip._arrow import from_list
from drgdip._files import unguard_table, unguard_text
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.parts import (
    BAD,
    HEADER_ROWS,
    SPOILT,
    Part,
    blocks_of,
    check_header,
    encoding_of,
    free_name,
    header_at,
    shown_bad,
    slices,
)
from drgdip.cases.quotes import rows_of_lines, stray_quotes
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drgdip.cases.names import ColumnNames
    from drgdip.cases.parts import Encoding, Wanted
    from drgdip.cases.quotes import Row
    from drgdip.cases.sources import Source

__all__ = ["csv_parts"]

_CSV_BLOCK = 1 << 24
_LINES = 40  # that are looked at for the header


class _Layout(NamedTuple):
    """Encoding, delimiter and header of a CSV file, its last line, and the lines above it."""

    encoding: Encoding
    delimiter: str
    header: list[str]
    lines: int
    above: tuple[str, ...]


def csv_parts(source: Source, rows: int, wanted: Wanted, *, columns: ColumnNames | None = None) -> Iterator[Part]:
    """Yield a CSV file in parts; it is read as they are asked for."""
    layout = _layout_of(source, columns)
    chosen = wanted(layout.header)
    if _is_regular(source, layout):
        with _utf8(source, layout) as file:
            for table in _regular_tables(file, layout, chosen):
                for part in slices(table, rows, layout.above):
                    yield part._replace(table=unguard_table(part.table), done=file.tell() / file.size())
    else:
        for part in _irregular_parts(source, layout, chosen, rows):
            yield part._replace(table=unguard_table(part.table))


def _text(binary: BinaryIO, encoding: Encoding) -> io.TextIOWrapper:
    """Return an open file as text, with `BAD` where bytes are none."""
    return io.TextIOWrapper(binary, encoding=encoding.name, newline="", errors=SPOILT)


def _layout_of(source: Source, columns: ColumnNames | None) -> _Layout:
    """Return how a CSV file is laid out: the header is the first line that names diagnoses, else the first at all."""
    encoding = encoding_of(source)
    with _text(source.open(), encoding) as file:
        lines = list(itertools.islice(file, _LINES))
    filled = [place for place, line in enumerate(lines) if line.strip()]
    if not filled:
        raise CaseError(f"{source}: the first lines are blank; one of them should be a header")
    heads = [_head(source, lines, place) for place in filled[:HEADER_ROWS]]
    number = header_at([row.cells for _, row in heads], columns) or 0
    place, (delimiter, row) = filled[number], heads[number]
    if row.open:
        raise CaseError(f"{source}, line {place + 1}: a quote in the header is not closed; close it")
    header = [unguard_text(" ".join(name.split())) for name in row.cells]
    check_header(source, header)
    above = tuple(lines[earlier].strip() for earlier in filled[:number])
    return _Layout(encoding, delimiter, header, place + row.last, above)


def _head(source: Source, lines: list[str], place: int) -> tuple[str, Row]:
    """Return the delimiter of a line, and the row that begins there."""
    delimiter = max(",\t;", key=lines[place].count)
    try:
        return delimiter, next(rows_of_lines(lines[place:], delimiter))
    except csv.Error as error:
        raise CaseError(f"{source}, line {place + 1}: is not CSV: {error}") from error


def _is_regular(source: Source, layout: _Layout) -> bool:
    """Return whether every row has as many cells as the header, which must be known before parts are read."""
    if not layout.encoding.clean:
        return False
    try:
        with _utf8(source, layout) as file:
            for _ in _regular_tables(file, layout, layout.header[:1]):
                pass
        return not _has_open_quotes(source, layout)
    except pa.ArrowInvalid:
        return False


def _has_open_quotes(source: Source, layout: _Layout) -> bool:
    """Return whether a row has a quote that is not closed; Arrow reads on to the next one without a word."""
    if not any(b'"' in block for block, _ in blocks_of(source)):  # the same byte in every encoding that is read
        return False
    with _utf8(source, layout) as file:
        blocks = iter(lambda: file.read(_CSV_BLOCK), b"")
        if not stray_quotes(blocks, layout.delimiter.encode()):
            return False
    with _text(source.open(), layout.encoding) as lines:
        return any(row.open for row in rows_of_lines(lines, layout.delimiter, len(layout.header)))


def _utf8(source: Source, layout: _Layout) -> pa.NativeFile:
    """Return a CSV file as Arrow's own stream of UTF-8; a file in another encoding is turned into it in memory.

    Arrow reads ahead in threads of its own. Were they to call a file or a codec of Python, a process that ends
    meanwhile would abort.
    """
    if layout.encoding.name in {"utf-8", "utf-8-sig"}:
        return pa.OSFile(str(source.path)) if source.path is not None else pa.BufferReader(source.content)
    return pa.BufferReader(source.read().decode(layout.encoding.name).encode())


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


def _irregular_parts(source: Source, layout: _Layout, wanted: list[str], rows: int) -> Iterator[Part]:
    """Yield a CSV file some rows of which are unreadable: cells too many go to a column of their own.

    Such a row has another number of cells than the header, a quote that is not closed, or bytes that are no text.
    """
    width = len(layout.header)
    size = source.size
    last = layout.lines
    with source.open() as binary, _text(binary, layout.encoding) as file:
        for _ in range(layout.lines):
            file.readline()
        found = rows_of_lines(iter(file.readline, ""), layout.delimiter, width)
        for started in itertools.count():
            try:
                some = list(itertools.islice(found, rows))
            except csv.Error as error:
                raise CaseError(f"{source}, behind line {last}: is not CSV: {error}") from error
            if not some and started:
                return
            last = layout.lines + (some[-1].last if some else 0)
            bad = [row.open or len(row.cells) != width or any(BAD in cell for cell in row.cells) for row in some]
            lines = tuple(layout.lines + row.line for row, one in zip(some, bad, strict=True) if one)
            yield Part(_irregular_table(some, bad, layout, wanted), binary.tell() / size, layout.above, lines)


def _irregular_table(rows: list[Row], bad: list[bool], layout: _Layout, wanted: list[str]) -> pa.Table:
    width = len(layout.header)
    columns: dict[str, list[str | None]] = {
        name: [(row.cells[position] or None) if position < len(row.cells) else None for row in rows]
        for position, name in enumerate(layout.header)
        if name in wanted
    }
    columns[free_name(layout.header)] = [layout.delimiter.join(row.cells[width:]) or None for row in rows]
    columns[UNREADABLE] = ["row" if one else None for one in bad]
    return pa.table({name: _array(column) for name, column in columns.items()})


def _array(column: list[str | None]) -> pa.Array:
    return from_list([None if text is None else shown_bad(text) for text in column], pa.string())
