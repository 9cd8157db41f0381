"""Tables of a report as a workbook or a page of HTML."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from drgdip._files import replacing
from drgdip._html import make_page, make_table, number_cell, text_cell
from drgdip._money import YUAN
from drgdip.errors import PolicyError
from drgdip.settle._words import heading, say
from drgdip.settle.statements import LINES

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from drgdip.settle.policy import Policy

__all__ = ["write_excel", "write_html"]


def write_excel(path: Path, tables: dict[str, pa.Table], policy: Policy, language: str) -> None:
    """Write tables as sheets of a workbook."""
    try:
        import xlsxwriter
    except ImportError as error:
        raise PolicyError(
            "Excel files need the extra: python -m pip install 'drgdip[excel]'; .html does not"
        ) from error
    from xlsxwriter.exceptions import FileCreateError

    try:
        with (
            replacing(path) as part,
            xlsxwriter.Workbook(str(part), {"strings_to_formulas": False, "strings_to_urls": False}) as book,
        ):
            book.set_properties({"title": f"drgdip: {policy.title}"})
            bold = book.add_format({"bold": True})
            money = book.add_format({"num_format": "#,##0.00"})
            for title, table in tables.items():
                heads = [heading(name, language, policy.family) for name in table.column_names]
                sheet = book.add_worksheet(say(title, language))
                _fill_sheet(sheet, table, heads, bold, money, formulas=title == "Hospitals")
    except FileCreateError as error:
        raise PolicyError(f"{path}: cannot be written: {error}") from error


def _fill_sheet(sheet: Any, table: pa.Table, heads: list[str], bold: Any, money: Any, *, formulas: bool) -> None:
    """Write a table to a sheet, with formulas for the results of an account where asked."""
    from xlsxwriter.utility import xl_col_to_name

    names = table.column_names
    sheet.write_row(0, 0, heads, bold)
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(names) - 1, 16)
    place = {name: xl_col_to_name(number) for number, name in enumerate(names)}
    for number, row in enumerate(table.to_pylist(), start=1):
        for column, (name, value) in enumerate(row.items()):
            formula = _formula(name, place, number + 1) if formulas else None
            if formula:
                sheet.write_formula(number, column, formula, money, float(value))
            elif isinstance(value, Decimal):
                style = money if table.schema.field(name).type == YUAN else None
                sheet.write_number(number, column, float(value), style)
            elif isinstance(value, int | float):
                sheet.write_number(number, column, value)
            elif value is not None:
                sheet.write_string(number, column, str(value))


def _formula(name: str, place: dict[str, str], row: int) -> str | None:
    """Return the sum of cells that makes a result of an account; None for columns that are no result."""
    if name not in {"entitlement", "final"}:
        return None
    lines = [(line, sign) for line, sign, _, _ in LINES]
    end = [line for line, _ in lines].index(name)
    parts = [f"{sign}{place[line]}{row}" for line, sign in lines[:end] if sign != "="]
    return "=" + "".join(parts).removeprefix("+")


def write_html(path: Path, tables: dict[str, pa.Table], policy: Policy, language: str) -> None:
    """Write tables and plots as one page."""
    source = policy.source or f"{say('policy', language)} {policy.id}"
    parts = [f"<p>{html.escape(source)}</p>"]
    plots = {
        "Hospitals": ("entitlement", say("entitlement plot", language)),
        "Surplus by hospital": ("profit", say("profit plot", language)),
    }
    for title, table in tables.items():
        parts.append(f"<h2>{html.escape(say(title, language))}</h2>")
        if title in plots:
            name, caption = plots[title]
            labels = [f"{row['hospital']} {row['pool']}" for row in table.to_pylist()]
            parts.append(_bars(caption, labels, [float(value) for value in table[name].to_pylist()]))
        parts.append(_html_table(table, [heading(name, language, policy.family) for name in table.column_names]))
    with replacing(path) as part:
        part.write_text(make_page(policy.title, parts, language), encoding="utf-8")


def _html_table(table: pa.Table, heads: list[str]) -> str:
    """Return a table as HTML."""
    return make_table(heads, (map(_cell, row.values()) for row in table.to_pylist()))


def _cell(value: Any) -> str:
    """Return a cell of a table as HTML, numbers to the right."""
    if isinstance(value, Decimal):
        exponent = int(value.as_tuple().exponent)
        return number_cell(f"{value if exponent >= -2 else value.normalize():,f}")
    return number_cell(f"{value:,.10g}") if isinstance(value, int | float) else text_cell(value)


def _bars(caption: str, labels: list[str], values: list[float]) -> str:
    """Return a bar chart as inline SVG, values below 0 to the left."""
    low, high = min([0.0, *values]), max([0.0, *values])
    unit = 480 / ((high - low) or 1.0)
    rows = []
    for number, (label, value) in enumerate(zip(labels, values, strict=True)):
        left, top = 200 + (min(value, 0.0) - low) * unit, 24 + 18 * number
        colour = "#4878a8" if value >= 0 else "#b85450"
        rows.append(
            f"<text x='195' y='{top + 11}' text-anchor='end'>{html.escape(label)}</text>"
            f"<rect x='{left:.1f}' y='{top}' width='{abs(value) * unit:.1f}' height='14' fill='{colour}'>"
            f"<title>{value:,.2f}</title></rect>"
        )
    height = 30 + 18 * len(values)
    return (
        f"<svg width='720' height='{height}' font-size='11' role='img'><title>{html.escape(caption)}</title>"
        f"<text x='200' y='14' font-weight='bold'>{html.escape(caption)}</text>{''.join(rows)}</svg>"
    )
