"""Pages of HTML that need nothing from outside: one look for all reports, on a screen and on paper, light and dark."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["make_page", "make_table", "number_cell", "text_cell"]

# A wide table scrolls on a screen; on a sheet of A4 its texts break, its head is repeated and no row is cut.
_STYLE = """
:root{color-scheme:light dark;--line:#ccc;--head:#eee}
@media(prefers-color-scheme:dark){:root{--line:#555;--head:#333}}
body{font:14px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei","PingFang SC",sans-serif;color:CanvasText;
background:Canvas;max-width:84em;margin:1.5em auto;padding:0 1.5em}
.table{overflow-x:auto;margin:1em 0}
table{border-collapse:collapse}
td,th{border:1px solid var(--line);padding:2px 8px;text-align:left;vertical-align:top}
th{background:var(--head)}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{max-width:100%;height:auto;background:#fff}
@media print{
@page{size:A4 landscape;margin:12mm}
body{font-size:8pt;max-width:none;margin:0;padding:0}
.table{overflow:visible}
table{width:100%}
td,th{padding:1px 3px;overflow-wrap:anywhere}
td.n{white-space:normal}
thead{display:table-header-group}
tr,svg{break-inside:avoid}
h1,h2{break-after:avoid}
}
"""


def make_page(title: str, parts: Iterable[str], language: str = "en") -> str:
    """Return a page with a title and parts that are HTML already."""
    head = f"<!doctype html>\n<html lang='{language}'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
    view = "<meta name='viewport' content='width=device-width,initial-scale=1'>"
    body = "".join([f"<h1>{html.escape(title)}</h1>", *parts])
    return f"{head}{view}<style>{_STYLE}</style></head><body>{body}</body></html>\n"


def make_table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table with its heads; the cells are HTML already (`text_cell`, `number_cell`)."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<div class='table'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def text_cell(value: object) -> str:
    """Return the cell of a text, empty for None."""
    return f"<td>{'' if value is None else html.escape(str(value))}</td>"


def number_cell(text: str) -> str:
    """Return the cell of a number that is written already; it stands to the right."""
    return f"<td class='n'>{text}</td>"
