"""Tables for readers: a workbook with a sheet for each, or one page of HTML."""

from __future__ import annotations

import html
import math
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, Self

from drgdip._files import replacing
from drgdip._html import make_page, make_table, number_cell, text_cell
from drgdip._listing import width_of
from drgdip._writers import flatten
from drgdip.errors import CaseError, DrgdipError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

__all__ = ["BookWriter", "html_table", "write_page", "write_tables", "write_workbook"]

#: Columns of a sheet that a column of a table takes at least and at most.
_NARROW, _WIDE = 8, 48
#: What a sheet of Excel holds: rows, columns, characters of a cell, and digits of a number.
_ROWS, _COLUMNS, _CELL, _DIGITS = 1_048_576, 16_384, 32_767, 15
#: A text is never a formula or a link, whatever it begins with.
_PLAIN = {"strings_to_formulas": False, "strings_to_urls": False}


def write_workbook(path: Path, tables: Mapping[str, pa.Table], *, title: str) -> None:
    """Write tables to an Excel workbook, each to the sheet of its name, with the names of its columns on top.

    Raises
    ------
    DrgdipError
        The extra ``excel`` is not installed, or the file cannot be written.
    """
    xlsxwriter = _import_xlsxwriter()
    from xlsxwriter.exceptions import FileCreateError

    try:
        with replacing(path) as part, xlsxwriter.Workbook(str(part), _PLAIN) as book:
            book.set_properties({"title": title})
            bold = book.add_format({"bold": True})
            for name, table in tables.items():
                _write_sheet(book.add_worksheet(name), table, bold)
    except FileCreateError as error:
        raise DrgdipError(f"{path}: cannot be written: {error}") from error


class BookWriter:
    """Writes tables of one schema to one sheet of a workbook, one behind the other; lists are joined by ``|``.

    Rows go to the disk as they come, so that memory does not grow with them. The widths of columns are those of the
    first table.

    Parameters
    ----------
    file
        The file, open for bytes.
    name
        Its name, for errors.
    """

    def __init__(self, file: IO[bytes], *, name: str) -> None:
        self.name = name
        self.book = _import_xlsxwriter().Workbook(file, {**_PLAIN, "constant_memory": True})
        self.sheet = self.book.add_worksheet()
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.book.close()

    def write(self, table: pa.Table) -> None:
        """Write the rows of a table.

        Raises
        ------
        CaseError
            They do not fit into a sheet of Excel, or a text into a cell.
        """
        table = flatten(table)
        names = table.column_names
        if not self.rows:
            if len(names) > _COLUMNS:
                raise CaseError(f"{self.name}: {len(names):,} columns; Excel holds {_COLUMNS:,}: write CSV or Parquet")
            _write_head(self.sheet, table, self.book.add_format({"bold": True}))
            self.sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{_ROWS}"})  # codes and case numbers are texts
            self.rows = 1
        if self.rows + len(table) > _ROWS:
            raise CaseError(f"{self.name}: more than {_ROWS - 1:,} rows do not fit into Excel: write CSV or Parquet")
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            for place, value in enumerate(row):
                if isinstance(value, str) and len(value) > _CELL:
                    where = f"row {self.rows}, {names[place]}"
                    raise CaseError(f"{self.name}: {where}: a cell of Excel holds {_CELL:,} characters: write CSV")
                _write_cell(self.sheet, self.rows, place, value)
            self.rows += 1


def _import_xlsxwriter() -> Any:
    try:
        import xlsxwriter
    except ImportError as error:
        raise DrgdipError("Excel files need the extra: python -m pip install 'drgdip[excel]'") from error
    return xlsxwriter


def _write_sheet(sheet: Any, table: pa.Table, bold: Any) -> None:
    _write_head(sheet, table, bold)
    for place, column in enumerate(table.columns):
        for row, value in enumerate(column.to_pylist(), start=1):
            _write_cell(sheet, row, place, value)


def _write_head(sheet: Any, table: pa.Table, bold: Any) -> None:
    """Write the names of columns, which stay in sight, and make columns as wide as their texts."""
    for place, name in enumerate(table.column_names):
        sheet.write_string(0, place, name, bold)
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(table.column_names):
        widest = _widest(name, table.column(place).to_pylist())
        sheet.set_column(place, place, min(max(widest + 2, _NARROW), _WIDE))


def _widest(name: str, values: Sequence[Any]) -> int:
    return max(map(width_of, [name, *(value for value in values if isinstance(value, str))]))


def _write_cell(sheet: Any, row: int, place: int, value: Any) -> None:
    """Write a value: a number that Excel holds as one, else a text; nothing for null and NaN."""
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, int | float | Decimal):
        if math.isnan(value):
            return
        exact = isinstance(value, float) or len(str(abs(value)).replace(".", "").lstrip("0")) <= _DIGITS
        if math.isfinite(value) and exact:
            sheet.write_number(row, place, value)
        else:
            sheet.write_string(row, place, str(value))
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


def write_tables(path: Path, tables: Mapping[str, pa.Table], *, title: str, language: str, picture: str = "") -> None:
    """Write tables to a workbook where the path ends in ``.xlsx``, else, below a picture, to a page.

    Raises
    ------
    DrgdipError
        As for `write_workbook` and `write_page`.
    """
    if path.suffix.lower() == ".xlsx":
        write_workbook(path, tables, title=title)
    else:
        write_page(path, tables, title=title, language=language, picture=picture)


def html_table(table: pa.Table) -> str:
    """Return a table as HTML."""
    return make_table(table.column_names, (map(_cell, row.values()) for row in table.to_pylist()))


def _cell(value: Any) -> str:
    if isinstance(value, int | float | Decimal):
        return number_cell(f"{value:,.6g}" if isinstance(value, float) else f"{value:,}")
    return text_cell(value)
