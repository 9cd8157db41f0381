"""Files of cases as hospitals' systems write them: CSV, Excel, JSON, JSON lines, Parquet, and settlement lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from drgdip._mixed import plain_table
from drgdip.cases.csv_files import csv_parts
from drgdip.cases.derive import derive
from drgdip.cases.describe import Understood, understand
from drgdip.cases.fields import FAULTS
from drgdip.cases.names import CODE_COLUMNS
from drgdip.cases.record_files import json_line_parts, json_parts, record_parts
from drgdip.cases.settlement_list import TCM
from drgdip.cases.sources import FORMATS, Source, format_of, is_records, sources_of
from drgdip.cases.table import clean_codes, to_cases, used_names
from drgdip.cases.table_files import excel_parts, parquet_parts
from drgdip.cases.typed import with_types
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drgdip.cases.names import ColumnNames
    from drgdip.cases.parts import Part, Wanted

__all__ = [
    "FORMATS",
    "IGNORED",
    "LINES",
    "PART",
    "SKIPPED",
    "UNDERSTOOD",
    "CasePart",
    "format_of",
    "ignored_columns",
    "read_case_parts",
    "read_cases",
    "read_parts",
    "read_table",
    "skipped_rows",
    "understood_columns",
    "unreadable_lines",
]

#: The key of a table's metadata that names the columns of the file that were not read.
IGNORED = "drgdip.ignored"
#: The key of a table's metadata that says how the columns of the file were understood.
UNDERSTOOD = "drgdip.columns"
#: The keys of a table's metadata that hold the rows above the header, which are no cases, and the lines of rows that
#: cannot be read.
SKIPPED = "drgdip.skipped_rows"
LINES = "drgdip.unreadable_lines"
#: A file with more columns than this gives its case columns only: exports of HQMS have about 800.
_WIDE = 200
#: Rows of a part of a file.
PART = 262_144


def read_cases(
    source: Any,
    *,
    format: str = "auto",  # noqa: A002 - the word of pandas and of the command line
    columns: ColumnNames | None = None,
    others: bool | None = None,
) -> pa.Table:
    r"""Read cases from a file, from bytes, from a folder or zip of files, or from records in memory.

    Parameters
    ----------
    source
        The path of a file; bytes, or a file that is open for reading; the path of a folder, or a zip, of such files; a
        record or a list of records, such as a parsed message 4101A. A file is CSV (UTF-8 with or without byte order
        mark, GB18030 or UTF-16; comma, tab or semicolon), the first sheet of an Excel workbook (extra ``excel``), JSON
        (a list of records, or one), JSON lines, or Parquet. Records may be settlement lists (4101A), rows those of
        HQMS or of the front page N041 (``docs/readers.md``).
    format
        ``csv``, ``excel``, ``json``, ``jsonl`` or ``parquet``; ``auto`` goes by the ending of the name, and by the
        content of bytes.
    columns
        Name in the file by case column, for names that are no alias of ``docs/cases.md``; also several names, or a
        pattern such as ``{"dx_others": "其他诊断编码*"}``.
    others
        Whether to keep the columns of the file that are no case columns. None keeps them, except for settlement lists
        and for files with more than 200 columns.

    Returns
    -------
    A table with every row of the file, in order. The case columns stand first, under canonical names, with the types
    of `drgdip.make_case_schema`. Codes are normalised; ages and the stay are filled in from dates where they are
    missing. The file's other columns follow as they are, and ``source``, the name of the file, where there are several.
    The column ``unreadable`` names the columns that cannot be read in a row, or ``row``. The schema's metadata hold
    JSON lists: the columns left out (``drgdip.ignored``), the rows above the header (``drgdip.skipped_rows``), and the
    lines that cannot be read (``drgdip.unreadable_lines``). The entry ``drgdip.columns``, a JSON object, says
    how the columns were understood: ``used`` (what each name is used as),
    ``passed_over`` (the name that was taken instead), ``codes`` (columns that hold codes and are not used).

    Raises
    ------
    CaseError
        The file is missing, empty, of no known format or encoding, or has no column of diagnoses.

    Examples
    --------
    >>> cases = read_cases("docs/examples/discharges.csv")
    >>> cases.column_names[:4]
    ['case_id', 'sex', 'age', 'age_days']
    >>> read_cases("诊断编码,性别,年龄\nI63.900,女,71岁\n".encode()).select(["sex", "age", "dx"]).to_pylist()
    [{'sex': 2, 'age': 71, 'dx': ['I63.900']}]
    """
    ignored: dict[str, None] = {}
    every: dict[str, None] = {}

    def wanted(names: list[str]) -> list[str]:
        every.update(dict.fromkeys(names))
        keep = others if others is not None else len(names) <= _WIDE and FAULTS not in names
        used = used_names(names, columns) | {FAULTS, TCM}
        ignored.update(dict.fromkeys(name for name in names if not keep and name not in used))
        return [name for name in names if keep or name in used]

    files = _files_of(source)
    cases, above, lines = _joined(files, format, columns, wanted)
    notes: dict[str, Sequence[Any]] = {IGNORED: [*ignored], SKIPPED: above, LINES: lines}
    metadata = {key: json.dumps(found, ensure_ascii=False) for key, found in notes.items() if found}
    if every and len(files) == 1:  # each of several files has names of its own
        metadata[UNDERSTOOD] = json.dumps(understand([*every], columns, cases)._asdict(), ensure_ascii=False)
    return cases.replace_schema_metadata(metadata or None)


def _files_of(source: Any) -> list[Any]:
    """Return the files of a source, or the records given."""
    return [source] if is_records(source) or isinstance(source, Source) else [*sources_of(source)]


def _joined(
    files: list[Any],
    format: str,  # noqa: A002
    columns: ColumnNames | None,
    wanted: Wanted,
) -> tuple[pa.Table, tuple[str, ...], tuple[int, ...]]:
    """Return the cases of all files in one table, the rows above the headers, and the lines that cannot be read."""
    tables: list[pa.Table] = []
    above: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    for file in files:
        parts = list(read_case_parts(file, format=format, columns=columns, wanted=wanted))
        table = [_with_others(part, columns) for part in parts]
        if len(files) > 1:
            table = [part.append_column("source", pa.array([str(file)] * len(part), pa.string())) for part in table]
        tables += table
        above += parts[0].above
        lines += tuple(line for part in parts for line in part.spoilt)
    return pa.concat_tables(tables, promote_options="permissive"), above, lines


def _with_others(part: CasePart, columns: ColumnNames | None) -> pa.Table:
    """Return a part of a file as cases with clean codes and their types, and with the file's other columns."""
    table, cases = part.table, with_types(part.cases)
    for column in CODE_COLUMNS:
        if column in cases.column_names:
            cleaned = clean_codes(cases[column].combine_chunks())
            cases = cases.set_column(cases.column_names.index(column), column, cleaned)
    used = used_names(table.column_names, columns) if table.column_names else set()
    for name in table.column_names:
        if name not in used and name not in cases.column_names:
            cases = cases.append_column(name, table[name])
    return cases


def ignored_columns(cases: pa.Table) -> list[str]:
    """Return the columns of the file that `read_cases` did not read, as the table's metadata name them."""
    return _noted(cases, IGNORED)


def understood_columns(cases: pa.Table) -> Understood:
    """Return how `read_cases` understood the columns of the file, as the table's metadata say."""
    found = (cases.schema.metadata or {}).get(UNDERSTOOD.encode())
    return Understood({}, {}, {}) if found is None else Understood(**json.loads(found))


def skipped_rows(cases: pa.Table) -> list[str]:
    """Return the rows above the header of the file that `read_cases` passed over, as the table's metadata hold them."""
    return _noted(cases, SKIPPED)


def unreadable_lines(cases: pa.Table) -> list[int]:
    """Return the lines (from 1) of a CSV file that `read_cases` could not read, as the table's metadata hold them."""
    return _noted(cases, LINES)


def _noted(cases: pa.Table, key: str) -> list[Any]:
    found: list[Any] = json.loads((cases.schema.metadata or {}).get(key.encode(), b"[]"))
    return found


class CasePart(NamedTuple):
    """Some rows of a file as they are and as cases, and what their `drgdip.cases.parts.Part` says of them."""

    table: pa.Table
    cases: pa.Table
    done: float
    above: tuple[str, ...] = ()
    spoilt: tuple[int, ...] = ()


def read_case_parts(
    source: Any,
    *,
    format: str = "auto",  # noqa: A002
    columns: ColumnNames | None = None,
    wanted: Wanted = list,
) -> Iterator[CasePart]:
    """Read a file in parts (`read_parts`), each with its cases: canonical names, ages and stay from dates."""
    files = _files_of(source)
    if len(files) > 1:  # of columns that differ
        cases, above, lines = _joined(files, format, columns, wanted)
        yield CasePart(cases, cases, 1.0, above, lines)
        return
    for part in read_parts(files[0], format=format, wanted=wanted, columns=columns):
        cases = derive(to_cases(part.table, _of(part.table, columns)))
        yield CasePart(plain_table(part.table), cases, part.done, part.above, part.spoilt)


def _of(table: pa.Table, columns: ColumnNames | None) -> ColumnNames | None:
    """Return the names of columns for a table of a file: none where it is without columns, as a list of nothing is."""
    return columns if table.column_names else None


def read_table(source: Any, *, format: str = "auto") -> pa.Table:  # noqa: A002
    """Read a file as it is: names and values of the file, text where the format has no types.

    A broken row (too many cells, too few, no record) is kept, and marked in a column ``unreadable``. Settlement lists
    become one row each (`drgdip.cases.settlement_list.flatten`).
    """
    return plain_table(pa.concat_tables([part.table for part in read_parts(source, format=format)]))


def read_parts(
    source: Any,
    *,
    format: str = "auto",  # noqa: A002
    rows: int | None = None,
    wanted: Wanted = list,
    columns: ColumnNames | None = None,
) -> Iterator[Part]:
    """Read a file as `read_table` does, in parts of so many rows at most: one at least, all of one schema.

    CSV and Parquet are read as the parts are asked for, whatever the size of the file; JSON and Excel whole. ``wanted``
    says which columns to read, given all: no others are held. ``columns`` are the names of case columns, whose values
    are read one by one where a format has no types.
    """
    for one in _files_of(source):
        if isinstance(one, Source):
            yield from _parts_of(one, format, rows or PART, wanted, columns)
        else:
            yield from record_parts(one, "the records given", rows or PART, wanted, columns=columns)


def _parts_of(
    source: Source,
    format: str,  # noqa: A002
    rows: int,
    wanted: Wanted,
    columns: ColumnNames | None,
) -> Iterator[Part]:
    """Read one file in parts."""
    read = {
        "csv": csv_parts,
        "excel": excel_parts,
        "json": json_parts,
        "jsonl": json_line_parts,
        "parquet": parquet_parts,
    }
    try:
        yield from read[format_of(source, format)](source, rows, wanted, columns=columns)
    except OSError as error:
        raise CaseError(f"{source}: cannot be read: {error}") from error
    except UnicodeError as error:
        raise CaseError(f"{source}: is not the text that it begins as ({error}); save it as UTF-8") from error
