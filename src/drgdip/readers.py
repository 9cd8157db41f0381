"""Files of cases: CSV, JSON, JSON lines and Parquet, as hospitals' systems write them."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from drgdip._arrow import from_list, from_values
from drgdip.cases import clean_codes, resolve_columns, to_cases
from drgdip.errors import CaseError
from drgdip.fields import CODE_COLUMNS, UNREADABLE

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

__all__ = ["FORMATS", "PART", "Part", "format_of", "read_cases", "read_parts", "read_table"]

#: Formats by the ending of a file's name.
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
#: Rows of a part of a file.
PART = 262_144
_BLOCK = 1 << 20
_CSV_BLOCK = 1 << 24
_OVERFLOW = "overflow"


def read_cases(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002 - the word of pandas and of the command line
    columns: Mapping[str, str] | None = None,
) -> pa.Table:
    """Read a file of cases.

    Parameters
    ----------
    path
        A CSV file (UTF-8 with or without byte order mark, GB18030 or UTF-16; comma, tab or semicolon), JSON (a list
        of records, or one), JSON lines, or Parquet.
    format
        ``csv``, ``json``, ``jsonl`` or ``parquet``; ``auto`` goes by the ending of the name.
    columns
        Name in the file by case column, for names that are no alias of ``docs/cases.md``.

    Returns
    -------
    A table with the case columns under canonical names and types (`drgdip.case_schema`), codes normalised, then the
    file's other columns as they are, and ``unreadable``, which names what cannot be read in a row. Every row of the
    file is there, in order.

    Raises
    ------
    CaseError
        The file is missing, empty, of no known format or encoding, or has no column of diagnoses.

    Examples
    --------
    >>> cases = read_cases("docs/examples/discharges.csv")
    >>> cases.column_names[:4]
    ['case_id', 'sex', 'age', 'age_days']
    """
    raw = read_table(path, format=format)
    cases = to_cases(raw, columns)
    for column in CODE_COLUMNS:
        if column in cases.column_names:
            cleaned = clean_codes(cases[column].combine_chunks())
            cases = cases.set_column(cases.column_names.index(column), column, cleaned)
    resolved = resolve_columns(raw.column_names, columns or {})
    used = {*resolved.single.values(), UNREADABLE}
    used |= {name for parts in resolved.wide.values() for name in parts.names}
    for name in raw.column_names:
        if name not in used and name not in cases.column_names:
            cases = cases.append_column(name, raw[name])
    return cases


def format_of(path: Path, format: str = "auto") -> str:  # noqa: A002
    """The format of a file by its name, or as told."""
    if format == "auto":
        suffix = path.suffix.lower()
        if suffix not in FORMATS:
            raise CaseError(
                f"{path}: the format of a file {suffix or 'without ending'} is not known; say it with format= "
                "(on the command line --input-format, for what is written --format)"
            )
        return FORMATS[suffix]
    if format not in FORMATS.values():
        raise CaseError(f"format {format!r} is not one of auto, {', '.join(dict.fromkeys(FORMATS.values()))}")
    return format


class Part(NamedTuple):
    """Some rows of a file, and how much of the file is read with them (0 to 1)."""

    table: pa.Table
    done: float


def read_table(path: str | os.PathLike[str], *, format: str = "auto") -> pa.Table:  # noqa: A002
    """Read a file as it is: names and values of the file, text where the format has no types.

    A row that is no row (too many cells, too few, no record) is kept, and marked in a column ``unreadable``.
    """
    return pa.concat_tables([part.table for part in read_parts(path, format=format)])


def read_parts(path: str | os.PathLike[str], *, format: str = "auto", rows: int | None = None) -> Iterator[Part]:  # noqa: A002
    """Read a file as `read_table` does, in parts of so many rows at most: one at least, all of one schema.

    CSV and Parquet are read as the parts are asked for, whatever the size of the file; JSON whole.
    """
    path = Path(path)
    if not path.exists():
        raise CaseError(f"{path}: there is no such file")
    if path.is_dir():
        raise CaseError(f"{path}: is a folder, not a file of cases")
    if path.stat().st_size == 0:
        raise CaseError(f"{path}: the file is empty")
    read = {"csv": _csv_parts, "json": _json_parts, "jsonl": _json_lines_parts, "parquet": _parquet_parts}
    try:
        yield from read[format_of(path, format)](path, rows or PART)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error}") from error
    except UnicodeError as error:
        raise CaseError(f"{path}: is not the text that it begins as ({error}); save it as UTF-8") from error


def _parquet_parts(path: Path, rows: int) -> Iterator[Part]:
    try:
        file = pq.ParquetFile(path)
        total, read = file.metadata.num_rows, 0
        for batch in file.iter_batches(batch_size=rows):
            read += len(batch)
            yield Part(pa.Table.from_batches([batch]), read / total)
        if not total:
            yield Part(file.schema_arrow.empty_table(), 1.0)
    except pa.ArrowInvalid as error:
        raise CaseError(f"{path}: is not a Parquet file: {error}") from error


def _sliced(table: pa.Table, rows: int) -> Iterator[Part]:
    for start in range(0, max(len(table), 1), rows):
        yield Part(table.slice(start, rows), min(1.0, (start + rows) / max(len(table), 1)))


def encoding_of(path: Path) -> str:
    """The encoding of a text file: by its byte order mark, else UTF-8 if all of it is, else GB18030."""
    candidates = ["utf-8", "gb18030"]
    decoders = {name: codecs.getincrementaldecoder(name)() for name in candidates}
    with path.open("rb") as file:
        block = file.read(_BLOCK)
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if block.startswith(mark):
                return name
        while block:
            if b"\0" in block:
                raise CaseError(f"{path}: is not a text file (it holds zero bytes)")
            for name in list(candidates):
                try:
                    decoders[name].decode(block)
                except UnicodeDecodeError:
                    candidates.remove(name)
            if not candidates:
                raise CaseError(f"{path}: is neither UTF-8 nor GB18030 text; save it as UTF-8")
            block = file.read(_BLOCK)
    for name in list(candidates):
        try:
            decoders[name].decode(b"", final=True)
        except UnicodeDecodeError:
            candidates.remove(name)
    if not candidates:
        raise CaseError(f"{path}: the file ends within a character; it seems to be cut off")
    return candidates[0]


class CsvLayout(NamedTuple):
    """Encoding, delimiter and header of a CSV file, and how many lines the header has."""

    encoding: str
    delimiter: str
    header: list[str]
    lines: int


def csv_layout(path: Path) -> CsvLayout:
    """How a CSV file is laid out."""
    encoding = encoding_of(path)
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline()
        if not first.strip():
            raise CaseError(f"{path}: the first line is blank; it should be a header")
        delimiter = max(",\t;", key=first.count)
        file.seek(0)
        rows = csv.reader(file, delimiter=delimiter)
        header = [" ".join(name.split()) for name in next(rows)]
    doubled = [name for name in header if header.count(name) > 1]
    if doubled:
        raise CaseError(f"{path}: column {doubled[0]!r} stands {header.count(doubled[0])} times in the header")
    return CsvLayout(encoding, delimiter, header, rows.line_num)


def _csv_parts(path: Path, rows: int) -> Iterator[Part]:
    layout = csv_layout(path)
    if _is_regular(path, layout):
        size = path.stat().st_size
        with path.open("rb") as file:
            for table in _regular_tables(file, layout):
                yield from (Part(part.table, file.tell() / size) for part in _sliced(table, rows))
    else:
        yield from (Part(table, done) for table, done in _irregular_tables(path, layout, rows))


def _is_regular(path: Path, layout: CsvLayout) -> bool:
    """Whether every row has as many cells as the header. What is read in parts must be known beforehand."""
    try:
        with path.open("rb") as file:
            for _ in _regular_tables(file, layout, layout.header[:1]):
                pass
    except pa.ArrowInvalid:
        return False
    return True


def _regular_tables(file: IO[bytes], layout: CsvLayout, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """A CSV file block by block, of all columns or of those named; one table at least."""
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(layout.header, pa.string()),
        strings_can_be_null=True,
        null_values=[""],
        include_columns=columns or [],
    )
    reading = pacsv.ReadOptions(
        column_names=layout.header, skip_rows=layout.lines, encoding=layout.encoding, block_size=_CSV_BLOCK
    )
    parsing = pacsv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True)
    try:
        reader = pacsv.open_csv(file, reading, parsing, convert)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise
        yield pa.schema([pa.field(name, pa.string()) for name in columns or layout.header]).empty_table()
        return
    empty = True
    for batch in reader:
        if len(batch):
            empty = False
            yield pa.Table.from_batches([batch])
    if empty:
        yield reader.schema.empty_table()


def _irregular_tables(path: Path, layout: CsvLayout, rows: int) -> Iterator[tuple[pa.Table, float]]:
    """A CSV file with rows of other lengths than the header: cells too many go to a column of their own."""
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
            }
            columns[_free_name(layout.header)] = [layout.delimiter.join(row[width:]) or None for row in cells]
            columns[UNREADABLE] = [None if len(row) == width else "row" for row in cells]
            arrays = {name: from_list(column, pa.string()) for name, column in columns.items()}
            yield pa.table(arrays), binary.tell() / size


def _json_parts(path: Path, rows: int) -> Iterator[Part]:
    try:
        content = json.loads(_text_of(path))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        raise CaseError(f"{path}: is not JSON: {error}") from error
    yield from _sliced(_table_of([content] if isinstance(content, dict) else content, path), rows)


def _json_lines_parts(path: Path, rows: int) -> Iterator[Part]:
    records: list[Any] = []
    for line in io.StringIO(_text_of(path)):
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                records.append(line.strip())
    yield from _sliced(_table_of(records, path), rows)


def _text_of(path: Path) -> str:
    return path.read_text(encoding=encoding_of(path))


def _table_of(records: Any, path: Path) -> pa.Table:
    """Records as a table; what is no record is kept as text in a column of its own."""
    if not isinstance(records, list) or not any(isinstance(record, dict) for record in records):
        raise CaseError(f'{path}: should hold records, each an object such as {{"dx": [...], "sex": 1}}')
    names = list(dict.fromkeys(name for record in records if isinstance(record, dict) for name in record))
    rows = [record if isinstance(record, dict) else {} for record in records]
    table = pa.table({name: from_values([row.get(name) for row in rows], name) for name in names})
    if all(isinstance(record, dict) for record in records):
        return table
    broken = [None if isinstance(record, dict) else str(record) for record in records]
    marks = [None if isinstance(record, dict) else "row" for record in records]
    table = table.append_column(_free_name(names), pa.array(broken, pa.string()))
    if UNREADABLE in names:
        table = table.drop_columns([UNREADABLE])
    return table.append_column(UNREADABLE, pa.array(marks, pa.string()))


def _free_name(names: list[str]) -> str:
    """A name that no column has, for what is too much in a row."""
    name = _OVERFLOW
    while name in names:
        name += "_"
    return name
