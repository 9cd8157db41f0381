"""Settlement lists among records in memory: doors that take tables read them as `drgdip.read_cases` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip._arrow import kind_of
from drgdip.cases.names import keep_columns
from drgdip.cases.readers import read_cases
from drgdip.cases.settlement_list import is_list_name

if TYPE_CHECKING:
    from drgdip.cases.names import ColumnNames

__all__ = ["has_lists", "with_lists_read"]


def has_lists(cases: Any) -> bool:
    """Return whether a table is one of records, among which are settlement lists."""
    if kind_of(cases) != "records":
        return False
    shapes = set(map(tuple, cases))  # records have few, so that a name is looked at once
    return any(is_list_name(name) for shape in shapes for name in shape)


def with_lists_read(cases: Any, columns: ColumnNames | None = None) -> tuple[Any, ColumnNames | None]:
    """Return records among which are settlement lists as a table of cases, row for row; all else as it is.

    The names of columns that still hold come second: in the table a case column has its canonical name.
    """
    if not has_lists(cases):
        return cases, columns
    table = read_cases(list(cases), columns=columns)
    return table, keep_columns(columns, table.column_names)
