"""Tables for readers: a workbook with a sheet for each, or one page of HTML."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from drgdip._files import replacing
from drgdip._html import make_page, make_table, number_cell, text_cell
from drgdip._listing import width_of
from drgdip.errors import DrgdipError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

__all__ = ["html_table", "write_page", "write_workbook"]

#: Columns of a sheet that a column of a table takes at least and at most.
_NARROW, _WIDE = 8, 48


def write_workbook(path: Path, tables: Mapping[str, pa.Table], *, title: str) -> None:
    """Write tables to an Excel workbook, each to the sheet of its name, with the names of its columns on top.

    Raises
    ------
    DrgdipError
        The extra ``excel`` is not installed, or the file cannot be written.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise DrgdipError("Excel files need the extra: python -m pip install 'drgdip[excel]'") from error
    from xlsxwriter.exceptions import FileCreateError

    try:
        with (
            replacing(path) as part,
            xlsxwriter.Workbook(str(part), {"strings_to_formulas": False, "strings_to_urls": False}) as book,
        ):
            book.set_properties({"title": title})
            bold = book.add_format({"bold": True})
            for name, table in tables.items():
                _write_sheet(book.add_worksheet(name), table, bold)
    except FileCreateError as error:
        raise DrgdipError(f"{path}: cannot be written: {error}") from error


def _write_sheet(sheet: Any, table: pa.Table, bold: Any) -> None:
    sheet.write_row(0, 0, table.column_names, bold)
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(table.column_names):
        values = table[name].to_pylist()
        widest = max(map(width_of, [name, *(value for value in values if isinstance(value, str))]))
        sheet.set_column(place, place, min(max(widest + 2, _NARROW), _WIDE))
        for row, value in enumerate(values, start=1):
            if isinstance(value, int | float | Decimal):
                sheet.write_number(row, place, value)
            elif value is not None:
                sheet.write_string(row, place, str(value))


def write_page(path: Path, tables: Mapping[str, pa.Table], *, title: str, language: str, picture: str = "") -> None:
    """Write tables to one file of HTML that needs nothing from outside, below a picture.

    Raises
    ------
    DrgdipError
        The file cannot be written.
    """
    parts = [picture, *(f"<h2>{html.escape(name)}</h2>{html_table(table)}" for name, table in tables.items())]
    try:
        with replacing(path) as part:
            part.write_text(make_page(title, parts, language), encoding="utf-8")
    except OSError as error:
        raise DrgdipError(f"{path}: cannot be written: {error.strerror or error}") from error


def html_table(table: pa.Table) -> str:
    """Return a table as HTML."""
    return make_table(table.column_names, (map(_cell, row.values()) for row in table.to_pylist()))


def _cell(value: Any) -> str:
    if isinstance(value, int | float | Decimal):
        return number_cell(f"{value:,.6g}" if isinstance(value, float) else f"{value:,}")
    return text_cell(value)
