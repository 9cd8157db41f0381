"""Files of cases: CSV, JSON, JSON lines and Parquet, as hospitals' systems write them."""

from __future__ import annotations

import codecs
import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from drgdip._arrow import from_values
from drgdip.cases import clean_codes, resolve_columns, to_cases
from drgdip.errors import CaseError
from drgdip.fields import CODE_COLUMNS, UNREADABLE

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["FORMATS", "format_of", "read_cases", "read_table"]

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
_BLOCK = 1 << 20
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


def read_table(path: str | os.PathLike[str], *, format: str = "auto") -> pa.Table:  # noqa: A002
    """Read a file as it is: names and values of the file, text where the format has no types.

    A row that is no row (too many cells, too few, no record) is kept, and marked in a column ``unreadable``.
    """
    path = Path(path)
    if not path.exists():
        raise CaseError(f"{path}: there is no such file")
    if path.is_dir():
        raise CaseError(f"{path}: is a folder, not a file of cases")
    if path.stat().st_size == 0:
        raise CaseError(f"{path}: the file is empty")
    read = {"csv": _read_csv, "json": _read_json, "jsonl": _read_json_lines, "parquet": _read_parquet}
    try:
        return read[format_of(path, format)](path)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error}") from error
    except UnicodeError as error:
        raise CaseError(f"{path}: is not the text that it begins as ({error}); save it as UTF-8") from error


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
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
    for name in list(candidates):
        try:
            decoders[name].decode(b"", final=True)
        except UnicodeDecodeError:
            candidates.remove(name)
    if not candidates:
        raise CaseError(f"{path}: the file ends within a character; it seems to be cut off")
    return candidates[0]


def csv_layout(path: Path) -> tuple[str, str, list[str], int]:
    """Encoding, delimiter and header of a CSV file, and how many lines the header has."""
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
    return encoding, delimiter, header, rows.line_num


def _read_csv(path: Path) -> pa.Table:
    encoding, delimiter, header, lines = csv_layout(path)
    try:
        return pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(column_names=header, skip_rows=lines, encoding=encoding),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid:
        return _read_broken_csv(path, encoding, delimiter, header)


def _read_broken_csv(path: Path, encoding: str, delimiter: str, header: list[str]) -> pa.Table:
    """A CSV file with rows of other lengths than the header: cells too many go to a column of their own."""
    width = len(header)
    with path.open(encoding=encoding, newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        next(rows)
        try:
            cells = [row for row in rows if row]
        except csv.Error as error:
            raise CaseError(f"{path}, line {rows.line_num}: is not CSV: {error}") from error
    columns: dict[str, list[str | None]] = {
        name: [(row[position] or None) if position < len(row) else None for row in cells]
        for position, name in enumerate(header)
    }
    columns[_free_name(header)] = [delimiter.join(row[width:]) or None for row in cells]
    columns[UNREADABLE] = [None if len(row) == width else "row" for row in cells]
    return pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})


def _read_json(path: Path) -> pa.Table:
    try:
        content = json.loads(_text_of(path))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        raise CaseError(f"{path}: is not JSON: {error}") from error
    return _table_of([content] if isinstance(content, dict) else content, path)


def _read_json_lines(path: Path) -> pa.Table:
    records: list[Any] = []
    for line in io.StringIO(_text_of(path)):
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                records.append(line.strip())
    return _table_of(records, path)


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
