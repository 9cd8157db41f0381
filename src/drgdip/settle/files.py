"""Files of cases for settlement: aliases to the library's names, texts to numbers, flags and dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip.cases.fields import CODE_COLUMNS, resolve
from drgdip.cases.readers import read_table
from drgdip.errors import CaseError, UnknownNameError
from drgdip.settle._inputs import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["read_settlement"]

_NUMBERS = (
    "points",
    "weight",
    "mean",
    "coefficient",
    "los",
    "cost_ratio",
    "stay_ratio",
    "reimbursement_rate",
    "appraisal",
    "points_change",
    "share",
)
_WHOLE = ("month", "discharge")
_FLAGS = ("cross_region", "review_applied", "review_approved")
_DATES = ("admitted", "discharged")
_WORDS = {"true": True, "1": True, "yes": True, "是": True, "false": False, "0": False, "no": False, "否": False}


def read_settlement(*paths: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> pa.Table:
    """Read files of cases, or of amounts by hospital, one below the other.

    Parameters
    ----------
    paths
        CSV, JSON, JSON lines or Parquet, all with the same columns. Columns may have the names of docs/cases.md;
        those of settlement have the names that its functions ask for.
    columns
        The files' names of columns by the library's names, such as ``{"points": "点数"}``.

    Returns
    -------
    A table under the library's names. Numbers, flags (true, false, 1, 0, yes, no, 是, 否) and dates (year-month-day)
    are read from texts. Money stays a text of yuan, or a decimal, until a step reads it.

    Raises
    ------
    UnknownNameError
        A name of ``columns=`` that the files do not have.
    CaseError
        A file that cannot be read, or a value that is no number, flag or date, with file, column and row.

    Examples
    --------
    >>> read_settlement("docs/examples/settlement.csv").column_names[:4]
    ['case_id', 'hospital', 'pool', 'level']
    """
    tables = [_typed(_renamed(read_table(path), columns or {}), str(path)) for path in paths]
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


def _typed(table: pa.Table, path: str) -> pa.Table:
    """Return a table under the library's names, with numbers, flags and dates read."""
    table = plain(table)
    names = {name: column for column, name in resolve(tuple(table.column_names)).single.items()}
    table = table.rename_columns(
        [name if (column := names.get(name, name)) in CODE_COLUMNS else column for name in table.column_names]
    )
    for index, field in enumerate(table.schema):
        if field.name in {*_NUMBERS, *_WHOLE, *_FLAGS, *_DATES}:
            table = table.set_column(index, field.name, _column(table[index], field.name, path))
    return table


def _column(column: pa.ChunkedArray, name: str, path: str) -> pa.ChunkedArray:
    """Return a column as its name asks. Raise CaseError with the row of a value that cannot be read so."""
    if pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return column.cast(pa.float64()) if name in _NUMBERS and pa.types.is_decimal(column.type) else column
    texts = pc.utf8_trim_whitespace(column)
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    return _flags(texts, name, path) if name in _FLAGS else _parsed(texts, name, path)


def _flags(texts: pa.ChunkedArray, name: str, path: str) -> pa.ChunkedArray:
    """Return words for true and false as flags."""
    values = [None if text is None else _WORDS.get(text.lower(), text) for text in texts.to_pylist()]
    bad = [row for row, value in enumerate(values) if isinstance(value, str)]
    if bad:
        raise CaseError(f"{path}: column {name!r} is {values[bad[0]]!r} in row {bad[0]}: give true or false")
    return pa.chunked_array([pa.array(values, pa.bool_())])


def _parsed(texts: pa.ChunkedArray, name: str, path: str) -> pa.ChunkedArray:
    """Return texts as numbers, whole numbers or dates."""
    kind: Any = pa.int64() if name in _WHOLE else pa.date32() if name in _DATES else pa.float64()
    what = "a whole number" if name in _WHOLE else "a date such as 2024-12-31" if name in _DATES else "a number"
    try:
        found = texts.cast(kind)
    except pa.ArrowInvalid:
        row = next(row for row, text in enumerate(texts.to_pylist()) if text is not None and not _fits(text, kind))
        raise CaseError(f"{path}: column {name!r} is {texts[row].as_py()!r} in row {row}: give {what}") from None
    if kind == pa.float64() and np.isinf(np.asarray(pc.fill_null(found, 0.0))).any():
        raise CaseError(f"{path}: column {name!r} holds an infinite number: give {what}")
    return found


def _fits(text: str, kind: pa.DataType) -> bool:
    """Return whether a text can be read as a kind."""
    try:
        pa.scalar(text).cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
