"""Files of cases as hospitals' systems write them: CSV, Excel, JSON, JSON lines, Parquet, and settlement lists."""

from __future__ import annotations

import json
from itertools import chain
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
from drgdip.cases.sources import FORMATS, Source, Sources, format_of, sources_of
from drgdip.cases.table import clean_codes, to_cases, used_names
from drgdip.cases.table_files import excel_parts, parquet_parts
from drgdip.cases.typed import with_types
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drgdip.cases.names import ColumnNames
    from drgdip.cases.parts import Part, Wanted

__all__ = [
    "FORMATS",
    "PART",
    "CasePart",
    "Reading",
    "format_of",
    "join_readings",
    "read_case_parts",
    "read_cases",
    "read_parts",
    "read_table",
    "reading_of",
]

#: The key of a table's metadata that says how the columns of the file were understood.
_UNDERSTOOD = "drgdip.columns"
#: The keys of a table's metadata that hold the other fields of a `Reading`.
_LISTS = {
    "ignored": "drgdip.ignored",
    "above": "drgdip.skipped_rows",
    "lines": "drgdip.unreadable_lines",
    "files": "drgdip.skipped_files",
}
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

    def wanted(names: list[str]) -> list[str]:
        keep = others if others is not None else len(names) <= _WIDE and FAULTS not in names
        used = used_names(names, columns) | {FAULTS, TCM}
        ignored.update(dict.fromkeys(name for name in names if not keep and name not in used))
        return [name for name in names if keep or name in used]

    cases, reading = _read_whole(sources_of(source), format, columns, wanted)
    metadata = _metadata_of(reading._replace(ignored=tuple(ignored)))
    return cases.replace_schema_metadata(metadata or None)


class Reading(NamedTuple):
    """The reading of a source, beside its cases.

    ``understood`` says how the columns were understood, ``ignored`` names those that were not read. ``above`` has the
    rows above the header. ``lines`` has the lines (from 1) of rows that cannot be read. ``files`` has the files of a
    folder or a zip that were passed over.
    """

    understood: Understood = Understood({}, {}, {})
    ignored: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    files: tuple[str, ...] = ()


def join_readings(readings: Iterable[Reading]) -> Reading:
    """Return what several parts or files tell together."""
    understood, *lists = zip(*readings, strict=True)
    names = (dict(chain.from_iterable(found.items() for found in part)) for part in zip(*understood, strict=True))
    return Reading(Understood(*names), *(tuple(chain.from_iterable(found)) for found in lists))


def reading_of(cases: pa.Table) -> Reading:
    """Return what `read_cases` told of a source, as the metadata of the table hold it."""
    held = {key.decode(): json.loads(text) for key, text in (cases.schema.metadata or {}).items() if key in _KEYS}
    lists = {field: tuple(held[key]) for field, key in _LISTS.items() if key in held}
    found = Understood(**held[_UNDERSTOOD]) if _UNDERSTOOD in held else Understood({}, {}, {})
    return Reading(found, **lists)


_KEYS = {key.encode() for key in (_UNDERSTOOD, *_LISTS.values())}


def _metadata_of(reading: Reading) -> dict[str, str]:
    notes: dict[str, Any] = {key: getattr(reading, field) for field, key in _LISTS.items()}
    if any(reading.understood):
        notes[_UNDERSTOOD] = reading.understood._asdict()
    return {key: json.dumps(found, ensure_ascii=False) for key, found in notes.items() if found}


def _read_whole(
    sources: Sources,
    format: str,  # noqa: A002
    columns: ColumnNames | None,
    wanted: Wanted,
) -> tuple[pa.Table, Reading]:
    """Return the cases of all files of a source in one table, and what reading them tells."""
    tables: list[pa.Table] = []
    readings = [Reading(files=sources.others)]
    for file in sources.files:
        parts = list(_case_parts(file, format, columns, wanted))
        table = [_with_others(part, columns) for part in parts]
        if sources.several:
            table = [part.append_column("source", pa.array([str(file)] * len(part), pa.string())) for part in table]
        tables += table
        readings += [part.reading for part in parts]
    return pa.concat_tables(tables, promote_options="permissive"), join_readings(readings)


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


class CasePart(NamedTuple):
    """Some rows of a file as they are and as cases, how much of the file is read with them, and what that tells."""

    table: pa.Table
    cases: pa.Table
    done: float
    reading: Reading


def read_case_parts(
    source: Any,
    *,
    format: str = "auto",  # noqa: A002
    columns: ColumnNames | None = None,
    wanted: Wanted = list,
) -> Iterator[CasePart]:
    """Read a file in parts (`read_parts`), each with its cases: canonical names, ages and stay from dates.

    The files of a folder or a zip, whose columns may differ, are one part.
    """
    sources = sources_of(source)
    if sources.several:
        cases, reading = _read_whole(sources, format, columns, wanted)
        yield CasePart(cases, cases, 1.0, reading)
    else:
        yield from _case_parts(sources.files[0], format, columns, wanted)


def _case_parts(
    file: Any,
    format: str,  # noqa: A002
    columns: ColumnNames | None,
    wanted: Wanted,
) -> Iterator[CasePart]:
    """Yield one file, or the records given, in parts; the first tells how the columns were understood."""
    every: list[str] = []

    def noted(names: list[str]) -> list[str]:
        every[:] = names
        return wanted(names)

    first = True
    for part in read_parts(file, format=format, wanted=noted, columns=columns):
        cases = derive(to_cases(part.table, _of(part.table, columns)))
        table = plain_table(part.table)
        told = Reading(lines=part.spoilt)
        if first:
            told = told._replace(understood=understand(every, columns, table), above=part.above)
            first = False
        yield CasePart(table, cases, part.done, told)


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
    for one in sources_of(source).files:
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
