"""Files of cases as hospitals' systems write them: CSV, Excel, JSON, JSON lines, Parquet, and settlement lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from drgdip.cases.csv_files import csv_parts
from drgdip.cases.derive import derive
from drgdip.cases.describe import Understood, understand
from drgdip.cases.fields import CODE_COLUMNS, FAULTS
from drgdip.cases.record_files import json_line_parts, json_parts
from drgdip.cases.table import clean_codes, to_cases, used_names
from drgdip.cases.table_files import excel_parts, parquet_parts
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from drgdip.cases.names import ColumnNames
    from drgdip.cases.parts import Part, Wanted

__all__ = [
    "FORMATS",
    "IGNORED",
    "PART",
    "UNDERSTOOD",
    "CasePart",
    "format_of",
    "ignored_columns",
    "read_case_parts",
    "read_cases",
    "read_parts",
    "read_table",
    "understood_columns",
]

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
#: The key of a table's metadata that says how the columns of the file were understood.
UNDERSTOOD = "drgdip.columns"
#: A file with more columns than this gives its case columns only: exports of HQMS have about 800.
_WIDE = 200
#: Rows of a part of a file.
PART = 262_144


def read_cases(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002 - the word of pandas and of the command line
    columns: ColumnNames | None = None,
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
        Whether to keep the columns of the file that are no case columns. None keeps them, except for settlement lists
        and for files with more than 200 columns.

    Returns
    -------
    A table with every row of the file, in order. The case columns stand first, under canonical names. The columns that
    grouping reads have the types of `drgdip.make_case_schema`. Codes are normalised; ages and the stay are filled in
    from dates where they are missing. The file's other columns follow as they are. The column ``unreadable`` names the
    columns that cannot be read in a row. The schema's metadata ``drgdip.ignored`` name the columns left out, as a JSON
    list. The metadata ``drgdip.columns`` say how the columns were understood, as a JSON object: ``used`` (what each
    name is used as), ``passed_over`` (the name that was taken instead), ``codes`` (columns that hold codes and are not
    used).

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
    every: list[str] = []

    def wanted(names: list[str]) -> list[str]:
        keep = others if others is not None else len(names) <= _WIDE and FAULTS not in names
        every[:] = names
        used = used_names(names, columns) | {FAULTS}
        ignored[:] = [] if keep else [name for name in names if name not in used]
        return [name for name in names if keep or name in used]

    parts = [
        _with_others(part, columns) for part in read_case_parts(path, format=format, columns=columns, wanted=wanted)
    ]
    cases = pa.concat_tables(parts, promote_options="permissive")
    understood = understand(every, columns, cases)
    metadata = {UNDERSTOOD: json.dumps(understood._asdict(), ensure_ascii=False)}
    if ignored:
        metadata[IGNORED] = json.dumps(ignored, ensure_ascii=False)
    return cases.replace_schema_metadata(metadata)


def _with_others(part: CasePart, columns: ColumnNames | None) -> pa.Table:
    """Return a part of a file as cases with clean codes, and with the file's other columns on the right."""
    table, cases, _ = part
    for column in CODE_COLUMNS:
        if column in cases.column_names:
            cleaned = clean_codes(cases[column].combine_chunks())
            cases = cases.set_column(cases.column_names.index(column), column, cleaned)
    used = used_names(table.column_names, columns)
    for name in table.column_names:
        if name not in used and name not in cases.column_names:
            cases = cases.append_column(name, table[name])
    return cases


def ignored_columns(cases: pa.Table) -> list[str]:
    """Return the columns of the file that `read_cases` did not read, as the table's metadata name them."""
    names: list[str] = json.loads((cases.schema.metadata or {}).get(IGNORED.encode(), b"[]"))
    return names


def understood_columns(cases: pa.Table) -> Understood:
    """Return how `read_cases` understood the columns of the file, as the table's metadata say."""
    return Understood(**json.loads((cases.schema.metadata or {})[UNDERSTOOD.encode()]))


class CasePart(NamedTuple):
    """Some rows of a file as they are and as cases, and how much of the file is read with them (0 to 1)."""

    table: pa.Table
    cases: pa.Table
    done: float


def read_case_parts(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002
    columns: ColumnNames | None = None,
    wanted: Wanted = list,
) -> Iterator[CasePart]:
    """Read a file in parts (`read_parts`), each with its cases: canonical names, ages and stay from dates."""
    for part in read_parts(path, format=format, wanted=wanted):
        yield CasePart(part.table, derive(to_cases(part.table, columns)), part.done)


def format_of(path: Path, format: str = "auto") -> str:  # noqa: A002
    """Return the format of a file by its name, or as told."""
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

    A broken row (too many cells, too few, no record) is kept, and marked in a column ``unreadable``. Settlement lists
    become one row each (`drgdip.cases.settlement_list.flatten`).
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
        "csv": csv_parts,
        "excel": excel_parts,
        "json": json_parts,
        "jsonl": json_line_parts,
        "parquet": parquet_parts,
    }
    try:
        yield from read[format_of(path, format)](path, rows or PART, wanted)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error}") from error
    except UnicodeError as error:
        raise CaseError(f"{path}: is not the text that it begins as ({error}); save it as UTF-8") from error
