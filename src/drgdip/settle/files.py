"""Files of cases for settlement: aliases to the library's names, texts to numbers, flags and dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from drgdip._arrays import from_days, is_text, read_days, read_flags, read_numbers, read_wholes
from drgdip._arrow import from_numpy, one_chunk
from drgdip._columns import case_columns
from drgdip.cases.case import TYPES
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.names import CODE_COLUMNS, find_name
from drgdip.cases.readers import read_table
from drgdip.cases.table import marked
from drgdip.errors import CaseError, UnknownNameError
from drgdip.settle._inputs import NAMES, plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["read_settlement", "typed_table"]

_NUMBERS = (
    "points",
    "weight",
    "mean",
    "mean_drug",
    "mean_consumable",
    "mean_service",
    "coefficient",
    "los",
    "cost_ratio",
    "stay_ratio",
    "reimbursement_rate",
    "appraisal",
    "points_change",
    "share",
    "version",
    "multiple",
    "score",
)
_WHOLE = ("month", "discharge", "cases")
_FLAGS = ("cross_region", "review_applied", "review_approved", "withdrawn", "working")
_DATES = ("admitted", "discharged", "as_of", "date", "day")


def read_settlement(*paths: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> pa.Table:
    """Read files of cases, or of amounts by hospital, one below the other.

    Parameters
    ----------
    paths
        CSV, JSON, JSON lines or Parquet, all with the same columns. Columns may have the names of docs/cases.md: ours,
        those of the settlement list, or Chinese headers (险种, 月份, 点数, 统筹基金支付, 个人支付 …).
    columns
        The files' names of columns by the library's names, such as ``{"points": "点数"}``.

    Returns
    -------
    A table under canonical names: numbers, flags (true, false, 1, 0, yes, no, 是, 否) and dates are read from texts, as
    in files of cases (``docs/cases.md``). Money stays a text of yuan, or a decimal, until a step reads it.

    Raises
    ------
    UnknownNameError
        A name of ``columns=`` that the files do not have.
    CaseError
        A file or a row that cannot be read, or a value that is no number, flag or date, with file, column and row.

    Examples
    --------
    >>> read_settlement("docs/examples/settlement.csv").column_names[:4]
    ['case_id', 'hospital', 'pool', 'level']
    """
    tables = [typed_table(_renamed(read_table(path), columns or {}), str(path)) for path in paths]
    if not tables:
        raise CaseError("no file is named: name at least one")
    for path, table in zip(paths, tables, strict=True):
        if table.schema.names != tables[0].schema.names:
            raise CaseError(f"{path}: has other columns than {paths[0]}: bring the files into one layout")
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CaseError(f"{paths[0]} and the files after it hold different types: {error}") from error


def _renamed(table: pa.Table, columns: Mapping[str, str]) -> pa.Table:
    """Return the table with the columns of ``columns=`` under the library's names."""
    own = table.column_names
    for name, theirs in columns.items():
        if theirs not in own:
            hint = f"columns= gives it for {name!r}; the columns are {', '.join(own)}."
            raise UnknownNameError("column", theirs, own, hint=hint)
    ours = {theirs: name for name, theirs in columns.items()}
    return table.rename_columns([ours.get(name, name) for name in own])


def typed_table(table: pa.Table, path: str) -> pa.Table:
    """Return a table under the library's names, with numbers, flags and dates read."""
    table = plain(table)
    own = table.column_names
    _check_rows(table, path)
    known = case_columns().intersection([*TYPES, *NAMES])
    names = {name: column for column in sorted(known) if (name := find_name(own, column)) is not None}
    table = table.rename_columns(
        [name if (column := names.get(name, name)) in CODE_COLUMNS else column for name in table.column_names]
    )
    for index, field in enumerate(table.schema):
        if field.name in {*_NUMBERS, *_WHOLE, *_FLAGS, *_DATES}:
            table = table.set_column(index, field.name, _column(table[index], field.name, path))
    return table


def _check_rows(table: pa.Table, path: str) -> None:
    """Raise CaseError for a row that could not be read as it stands: an amount may be in another column."""
    if UNREADABLE in table.column_names:
        broken = marked(one_chunk(table[UNREADABLE]).cast(pa.string()), "row")
        if broken.any():
            row = int(np.flatnonzero(broken)[0])
            raise CaseError(
                f"{path}: row {row} cannot be read: it has another number of cells than the header, an open quote or "
                "bytes that are no text, or is no record. Mend the row, or take it out of the file"
            )


def _column(column: pa.ChunkedArray, name: str, path: str) -> pa.ChunkedArray:
    """Return a column as its name asks. Raise CaseError with the row of a value that cannot be read so."""
    if not is_text(column.type):
        if name in _NUMBERS and pa.types.is_decimal(column.type):
            return column.cast(pa.float64())
        return column
    texts = one_chunk(column)
    if name in _FLAGS:
        (found, failed), what = read_flags(texts), "true or false"
    elif name in _WHOLE:
        (found, failed), what = read_wholes(texts), "a whole number"
    elif name in _DATES:
        days, failed = read_days(texts)
        found, what = from_days(days), "a date such as 2024-12-31"
    else:  # programs write numbers with exponents
        numbers, failed = read_numbers(texts, exponent=True)
        found, what = from_numpy(numbers, ~np.isnan(numbers)), "a number"
    if failed.any():
        row = int(np.flatnonzero(failed)[0])
        raise CaseError(f"{path}: column {name!r} is {texts[row].as_py()!r} in row {row}: give {what}")
    return pa.chunked_array([found])
