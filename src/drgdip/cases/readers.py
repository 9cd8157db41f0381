"""Files of cases as hospitals' systems write them: CSV, Excel, JSON, JSON lines, Parquet, and settlement lists."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from drgdip._arrow import from_list, from_values
from drgdip.cases.derive import derive
from drgdip.cases.fields import CODE_COLUMNS, FAULTS, UNREADABLE
from drgdip.cases.settlement_list import body_of, flatten
from drgdip.cases.table import case_columns, clean_codes, to_cases
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["FORMATS", "IGNORED", "PART", "Part", "format_of", "read_cases", "read_parts", "read_table"]

#: Formats by the ending of a file's name.
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xls": "excel",
}
#: The key of a table's metadata that names the columns of the file that were not read.
IGNORED = "drgdip.ignored"
#: A file with more columns than this gives its case columns only: exports of HQMS have about 800.
_WIDE = 200
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
    others: bool | None = None,
) -> pa.Table:
    """Read a file of cases.

    Parameters
    ----------
    path
        A CSV file (UTF-8 with or without byte order mark, GB18030 or UTF-16; comma, tab or semicolon), the first sheet
        of an Excel file (extra ``excel``), JSON (a list of records, or one), JSON lines, or Parquet. Records may be
        settlement lists (4101A), rows those of HQMS or of the front page N041 (``docs/readers.md``).
    format
        ``csv``, ``excel``, ``json``, ``jsonl`` or ``parquet``; ``auto`` goes by the ending of the name.
    columns
        Name in the file by case column, for names that are no alias of ``docs/cases.md``.
    others
        Whether to keep the columns of the file that are no case columns. None keeps them, but not those of settlement
        lists and of files with more than 200 columns.

    Returns
    -------
    A table with the case columns under canonical names, those that grouping reads with the types of
    `drgdip.case_schema`, codes normalised, ages and stay filled in from dates where they are missing; then the
    file's other columns as they are, and ``unreadable``, which names what cannot be read in a row. Every row of the
    file is there, in order. The schema's metadata ``drgdip.ignored`` name the columns left out, as a JSON list.

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
    ignored: list[str] = []

    def wanted(names: list[str]) -> list[str]:
        keep = others if others is not None else len(names) <= _WIDE and FAULTS not in names
        used = {name for found in case_columns(names, columns).values() for name in found} | {FAULTS}
        ignored[:] = [] if keep else [name for name in names if name not in used]
        return [name for name in names if keep or name in used]

    parts = [_as_cases(part.table, columns) for part in read_parts(path, format=format, wanted=wanted)]
    cases = pa.concat_tables(parts, promote_options="permissive")
    return cases.replace_schema_metadata({IGNORED: json.dumps(ignored, ensure_ascii=False)} if ignored else None)


def _as_cases(part: pa.Table, columns: Mapping[str, str] | None) -> pa.Table:
    """A part of a file as cases, with its other columns on the right."""
    cases = derive(to_cases(part, columns))
    for column in CODE_COLUMNS:
        if column in cases.column_names:
            cleaned = clean_codes(cases[column].combine_chunks())
            cases = cases.set_column(cases.column_names.index(column), column, cleaned)
    used = {name for found in case_columns(part.column_names, columns).values() for name in found}
    for name in part.column_names:
        if name not in used and name not in cases.column_names:
            cases = cases.append_column(name, part[name])
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


#: Chooses among the columns of a file.
Wanted: TypeAlias = "Callable[[list[str]], list[str]]"


class Part(NamedTuple):
    """Some rows of a file, and how much of the file is read with them (0 to 1)."""

    table: pa.Table
    done: float


def read_table(path: str | os.PathLike[str], *, format: str = "auto") -> pa.Table:  # noqa: A002
    """Read a file as it is: names and values of the file, text where the format has no types.

    A row that is no row (too many cells, too few, no record) is kept, and marked in a column ``unreadable``. Settlement
    lists become one row each (`drgdip.cases.settlement_list.flatten`).
    """
    return pa.concat_tables([part.table for part in read_parts(path, format=format)])


def read_parts(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002
    rows: int | None = None,
    wanted: Wanted = list,
) -> Iterator[Part]:
    """Read a file as `read_table` does, in parts of so many rows at most: one at least, all of one schema.

    CSV and Parquet are read as the parts are asked for, whatever the size of the file; JSON and Excel whole. ``wanted``
    says which columns to read, given all: no others are held.
    """
    path = Path(path)
    if not path.exists():
        raise CaseError(f"{path}: there is no such file")
    if path.is_dir():
        raise CaseError(f"{path}: is a folder, not a file of cases")
    if path.stat().st_size == 0:
        raise CaseError(f"{path}: the file is empty")
    read = {
        "csv": _csv_parts,
        "excel": _excel_parts,
        "json": _json_parts,
        "jsonl": _json_lines_parts,
        "parquet": _parquet_parts,
    }
    try:
        yield from read[format_of(path, format)](path, rows or PART, wanted)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error}") from error
    except UnicodeError as error:
        raise CaseError(f"{path}: is not the text that it begins as ({error}); save it as UTF-8") from error


def _parquet_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    try:
        file = pq.ParquetFile(path)
        columns = wanted(file.schema_arrow.names)
        total, read = file.metadata.num_rows, 0
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            read += len(batch)
            yield Part(pa.Table.from_batches([batch]), read / total)
        if not total:
            yield Part(file.schema_arrow.empty_table().select(columns), 1.0)
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
    _check_header(path, header)
    return CsvLayout(encoding, delimiter, header, rows.line_num)


def _check_header(path: Path, header: list[str]) -> None:
    doubled = [name for name, times in Counter(header).items() if times > 1]
    if doubled:
        raise CaseError(f"{path}: column {doubled[0]!r} stands {header.count(doubled[0])} times in the header")


def _csv_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    layout = csv_layout(path)
    columns = wanted(layout.header)
    if _is_regular(path, layout):
        with _utf8(path, layout) as file:
            for table in _regular_tables(file, layout, columns):
                yield from (Part(part.table, file.tell() / file.size()) for part in _sliced(table, rows))
    else:
        yield from (Part(table, done) for table, done in _irregular_tables(path, layout, columns, rows))


def _is_regular(path: Path, layout: CsvLayout) -> bool:
    """Whether every row has as many cells as the header. What is read in parts must be known beforehand."""
    try:
        with _utf8(path, layout) as file:
            for _ in _regular_tables(file, layout, layout.header[:1]):
                pass
    except pa.ArrowInvalid:
        return False
    return True


def _utf8(path: Path, layout: CsvLayout) -> pa.NativeFile:
    """A CSV file as Arrow's own stream of UTF-8; a file in another encoding is turned into it in memory.

    Arrow reads ahead in threads of its own. Were they to call a file or a codec of Python, a process that ends
    meanwhile would abort.
    """
    if layout.encoding in {"utf-8", "utf-8-sig"}:
        return pa.OSFile(str(path))
    return pa.BufferReader(path.read_bytes().decode(layout.encoding).encode())


def _regular_tables(file: pa.NativeFile, layout: CsvLayout, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of a CSV file block by block; one table at least."""
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


def _irregular_tables(path: Path, layout: CsvLayout, wanted: list[str], rows: int) -> Iterator[tuple[pa.Table, float]]:
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
                if name in wanted
            }
            columns[_free_name(layout.header)] = [layout.delimiter.join(row[width:]) or None for row in cells]
            columns[UNREADABLE] = [None if len(row) == width else "row" for row in cells]
            arrays = {name: from_list(column, pa.string()) for name, column in columns.items()}
            yield pa.table(arrays), binary.tell() / size


def _excel_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    """The first sheet of a workbook, its first row the header."""
    try:
        import python_calamine
    except ImportError as error:
        what = f"{path}: reading Excel needs the extra excel: python -m pip install 'drgdip[excel]'"
        raise CaseError(what) from error
    try:
        sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
        header, *body = sheet.to_python(skip_empty_area=False) or [[]]
    except (python_calamine.CalamineError, ValueError, IndexError) as error:
        raise CaseError(f"{path}: is not an Excel file: {error}") from error
    names = [" ".join(str(cell).split()) for cell in header]
    _check_header(path, [name for name in names if name])
    places = {name: position for position, name in enumerate(names) if name}
    if not places:
        raise CaseError(f"{path}: the first row of the first sheet is blank; it should be a header")
    body = [row for row in body if any(cell != "" for cell in row)]
    columns = {name: [_cell(row[places[name]]) for row in body] for name in wanted(list(places))}
    yield from _sliced(pa.table({name: from_list(cells, pa.string()) for name, cells in columns.items()}), rows)


def _cell(value: object) -> str | None:
    """A cell of a workbook as text; whole numbers, which it has as floats, without a fraction."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value == "" else str(value)


def _json_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    try:
        content = json.loads(_text_of(path))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        raise CaseError(f"{path}: is not JSON: {error}") from error
    yield from _sliced(_table_of([content] if isinstance(content, dict) else content, path, wanted), rows)


def _json_lines_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    records: list[Any] = []
    for line in io.StringIO(_text_of(path)):
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                records.append(line.strip())
    yield from _sliced(_table_of(records, path, wanted), rows)


def _text_of(path: Path) -> str:
    return path.read_text(encoding=encoding_of(path))


def _table_of(records: Any, path: Path, wanted: Wanted) -> pa.Table:
    """Records as a table; what is no record is kept as text in a column of its own."""
    if not isinstance(records, list) or not any(isinstance(record, dict) for record in records):
        raise CaseError(f'{path}: should hold records, each an object such as {{"dx": [...], "sex": 1}}')
    bodies = [body_of(record) for record in records]
    if any(body is not None for body in bodies):
        records = [record if body is None else flatten(body) for record, body in zip(records, bodies, strict=True)]
    names = wanted(list(dict.fromkeys(name for record in records if isinstance(record, dict) for name in record)))
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
