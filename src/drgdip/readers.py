"""Files of cases as hospitals' systems write them: CSV, Excel, JSON, JSON lines, Parquet, and settlement lists."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from drgdip._arrow import from_values
from drgdip.cases import case_columns, clean_codes, to_cases
from drgdip.derive import derive
from drgdip.errors import CaseError
from drgdip.fields import CODE_COLUMNS, FAULTS, UNREADABLE
from drgdip.settlement_list import body_of, flatten

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["FORMATS", "IGNORED", "format_of", "read_cases", "read_parts", "read_table"]

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
_BLOCK = 1 << 20
#: Bytes of a CSV file that are read at a time; a row of 800 columns has a few thousand.
_CSV_BLOCK = 16 << 20
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
        used = {name for found in case_columns(names, columns).values() for name in found} | {FAULTS, _OVERFLOW}
        ignored[:] = [] if keep else [name for name in names if name not in used]
        return [name for name in names if keep or name in used]

    parts = [_as_cases(part, columns) for part in read_parts(path, format=format, wanted=wanted)]
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


def read_table(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002
    wanted: Callable[[list[str]], list[str]] = list,
) -> pa.Table:
    """Read a file as it is: names and values of the file, text where the format has no types.

    A row that is no row (too many cells, too few, no record) is kept, and marked in a column ``unreadable``. Settlement
    lists become one row each (`drgdip.settlement_list.flatten`). ``wanted`` says which columns to read, given all.
    """
    path = Path(path)
    _check_file(path)
    read = {
        "csv": _read_csv,
        "excel": _read_excel,
        "json": _read_json,
        "jsonl": _read_json_lines,
        "parquet": _read_parquet,
    }
    try:
        return read[format_of(path, format)](path, wanted)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error}") from error


def read_parts(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002
    wanted: Callable[[list[str]], list[str]] = list,
) -> Iterator[pa.Table]:
    """As `read_table`, in parts: of a CSV file a part at a time is in memory, and of it only what is wanted."""
    path = Path(path)
    _check_file(path)
    if format_of(path, format) != "csv":
        yield read_table(path, format=format, wanted=wanted)
        return
    encoding, delimiter, header = csv_layout(path)
    done = 0
    try:
        with pacsv.open_csv(path, **_csv_options(encoding, delimiter, header, wanted(header))) as reader:
            for batch in reader:
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])
                    done += batch.num_rows
    except pa.ArrowInvalid:
        # Rows of another length: Python's reader takes them. What has been handed out is passed over.
        yield _read_broken_csv(path, encoding, delimiter, header, wanted(header)).slice(done)
        return
    if not done:
        yield pa.table({name: pa.array([], pa.string()) for name in wanted(header)})


def _check_file(path: Path) -> None:
    if not path.exists():
        raise CaseError(f"{path}: there is no such file")
    if path.is_dir():
        raise CaseError(f"{path}: is a folder, not a file of cases")
    if path.stat().st_size == 0:
        raise CaseError(f"{path}: the file is empty")


def _read_parquet(path: Path, wanted: Callable[[list[str]], list[str]]) -> pa.Table:
    try:
        return pq.read_table(path, columns=wanted(pq.read_schema(path).names))
    except pa.ArrowInvalid as error:
        raise CaseError(f"{path}: is not a Parquet file: {error}") from error


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
    return candidates[0]


def csv_layout(path: Path) -> tuple[str, str, list[str]]:
    """Encoding, delimiter and header of a CSV file."""
    encoding = encoding_of(path)
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline()
        if not first.strip():
            raise CaseError(f"{path}: the first line is blank; it should be a header")
        delimiter = max(",\t;", key=first.count)
        file.seek(0)
        header = [name.strip() for name in next(csv.reader(file, delimiter=delimiter))]
    _check_header(path, header)
    return encoding, delimiter, header


def _check_header(path: Path, header: list[str]) -> None:
    doubled = [name for name, times in Counter(header).items() if times > 1]
    if doubled:
        raise CaseError(f"{path}: column {doubled[0]!r} stands {header.count(doubled[0])} times in the header")


def _read_csv(path: Path, wanted: Callable[[list[str]], list[str]]) -> pa.Table:
    encoding, delimiter, header = csv_layout(path)
    try:
        return pacsv.read_csv(path, **_csv_options(encoding, delimiter, header, wanted(header)))
    except pa.ArrowInvalid:
        return _read_broken_csv(path, encoding, delimiter, header, wanted(header))


def _csv_options(encoding: str, delimiter: str, header: list[str], wanted: list[str]) -> dict[str, Any]:
    """How Arrow is to read a CSV file: every cell as text, empty ones as null."""
    return {
        "read_options": pacsv.ReadOptions(column_names=header, skip_rows=1, encoding=encoding, block_size=_CSV_BLOCK),
        "parse_options": pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        "convert_options": pacsv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            include_columns=wanted,
            strings_can_be_null=True,
            null_values=[""],
        ),
    }


def _read_broken_csv(path: Path, encoding: str, delimiter: str, header: list[str], wanted: list[str]) -> pa.Table:
    """A CSV file with rows of other lengths than the header: cells too many go to a column of their own."""
    width = len(header)
    columns: dict[str, list[str | None]] = {name: [] for name in (*wanted, _OVERFLOW, UNREADABLE)}
    places = [(header.index(name), columns[name]) for name in wanted]
    with path.open(encoding=encoding, newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        next(rows)
        try:
            for row in rows:
                if row:
                    for position, column in places:
                        column.append((row[position] or None) if position < len(row) else None)
                    columns[_OVERFLOW].append(delimiter.join(row[width:]) or None)
                    columns[UNREADABLE].append(None if len(row) == width else "row")
        except csv.Error as error:
            raise CaseError(f"{path}, line {rows.line_num}: is not CSV: {error}") from error
    return pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})


def _read_excel(path: Path, wanted: Callable[[list[str]], list[str]]) -> pa.Table:
    """The first sheet of a workbook, its first row the header."""
    try:
        import python_calamine
    except ImportError as error:
        raise CaseError(
            f"{path}: reading Excel needs the extra excel: python -m pip install 'drgdip[excel]'"
        ) from error
    try:
        rows = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, ValueError, IndexError) as error:
        raise CaseError(f"{path}: is not an Excel file: {error}") from error
    header = [str(name).strip() for name in rows[0]] if rows else []
    if not any(header):
        raise CaseError(f"{path}: the first row of the first sheet is blank; it should be a header")
    _check_header(path, [name for name in header if name])
    body = [row for row in rows[1:] if any(cell != "" for cell in row)]
    cells = {
        name: [_cell(row[header.index(name)]) for row in body] for name in wanted([name for name in header if name])
    }
    return pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()})


def _cell(value: object) -> str | None:
    """A cell of a workbook as text; whole numbers, which it has as floats, without a fraction."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value == "" else str(value)


def _read_json(path: Path, wanted: Callable[[list[str]], list[str]]) -> pa.Table:
    try:
        content = json.loads(_text_of(path))
    except json.JSONDecodeError as error:
        raise CaseError(f"{path}: is not JSON: {error}") from error
    return _table_of([content] if isinstance(content, dict) else content, path, wanted)


def _read_json_lines(path: Path, wanted: Callable[[list[str]], list[str]]) -> pa.Table:
    records: list[Any] = []
    for line in io.StringIO(_text_of(path)):
        if line.strip():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                records.append(line.strip())
    return _table_of(records, path, wanted)


def _text_of(path: Path) -> str:
    return path.read_text(encoding=encoding_of(path))


def _table_of(records: Any, path: Path, wanted: Callable[[list[str]], list[str]]) -> pa.Table:
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
    table = table.append_column(_OVERFLOW, pa.array(broken, pa.string()))
    return table.append_column(UNREADABLE, pa.array(marks, pa.string()))
