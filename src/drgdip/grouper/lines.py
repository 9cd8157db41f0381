"""Lines for readers, as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import html
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from drgdip._listing import wrap
from drgdip._text import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Line", "as_html", "as_text"]

#: Columns of the narrowest terminal, and how far in the rest of a broken line stands.
_NARROWEST, _HANGING = 40, 4


class Line(NamedTuple):
    """A line for a reader: its part, how deep it stands, its mark (✓, ✗ or none), its title and its text."""

    part: str
    depth: int
    mark: str
    title: str
    text: str


def as_text(lines: Iterable[Line], language: str, width: int) -> str:
    """Return lines as text of at most a width in columns of a terminal."""
    told: list[str] = []
    for line in lines:
        indent = "  " * line.depth
        broken = wrap(shown(_joined(line, language)), max(width, _NARROWEST) - len(indent), hanging=_HANGING)
        told += [indent + text for text in broken]
    return "\n".join(told)


def as_html(lines: Iterable[Line], language: str, folded: Collection[str] = ()) -> str:
    """Return lines as HTML: the first part as a paragraph, the others as tables, folded ones behind their titles."""
    (_, first), *parts = [(part, list(mine)) for part, mine in groupby(lines, key=lambda line: line.part)]
    head, *facts = (html.escape(_joined(line, language)) for line in first)
    page = f"<div><b>{head}</b><br>{'<br>'.join(facts)}</div>"
    for part, (title, *rows) in parts:
        cells = ((line.mark, line.title, line.text) for line in rows)
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in cells)
        name, table = html.escape(title.title), f"<table><tbody>{body}</tbody></table>"
        if part in folded:
            page += f"<details><summary>{name} ({len(rows)})</summary>{table}</details>"
        else:
            page += f"<div><b>{name}</b></div>{table}"
    return page


def _joined(line: Line, language: str) -> str:
    """Return a line as one text."""
    colon = "：" if language == "zh" else ": " if line.text else ":"
    title = line.title + (colon if line.title else "")
    return f"{line.mark} {title}{line.text}".strip()
