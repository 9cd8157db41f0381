"""The return type of every ``list_*`` function: rows that print as an aligned table, in a terminal and a notebook."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from drgdip._text import shown
from drgdip.errors import UnknownNameError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Listing", "pad", "pad_left", "width_of", "wrap"]

_Row = TypeVar("_Row")
#: What may stand alone on a line: a word with its blanks, or a wide character with the signs that close behind it.
_PIECES = re.compile(r"[\u2e80-\u9fff\uff01-\uff60][，。；：、）」》]*\s*|[^\s\u2e80-\u9fff\uff01-\uff60]+\s*|\s+")
_SHOWN = 60  # columns of a terminal that a cell may take


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def pad(text: str, width: int) -> str:
    """Return a text with blanks behind it, up to a width in columns of a terminal."""
    return text + " " * max(0, width - width_of(text))


def pad_left(text: str, width: int) -> str:
    """Return a text with blanks before it, up to a width in columns of a terminal."""
    return " " * max(0, width - width_of(text)) + text


def wrap(text: str, width: int, *, hanging: int = 0) -> list[str]:
    """Return a text as lines of at most a width in columns of a terminal, broken at blanks and at Chinese characters.

    The lines behind the first one begin with so many blanks as ``hanging`` says.
    """
    lines, line, limit = [], "", width
    for piece in _PIECES.findall(text):
        if line.strip() and width_of(line) + width_of(piece.rstrip()) > limit:
            lines.append(line.rstrip())
            line, limit = "", width - hanging
        line += piece
        while width_of(line.rstrip()) > limit:  # a word that is longer than a line is cut
            at = next(at for at in range(len(line), 0, -1) if at == 1 or width_of(line[:at]) <= limit)
            lines.append(line[:at])
            line, limit = line[at:], width - hanging
    lines += [line.rstrip()] if line.strip() or not lines else []
    return [lines[0], *(" " * hanging + line for line in lines[1:])]


class Listing(Sequence[_Row], Generic[_Row]):
    """Rows of one kind, in order: a sequence, a table for a reader, and an Arrow table for a program.

    Attributes
    ----------
    columns
        The names of the columns: attributes of the rows.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> Listing([SimpleNamespace(id="a", place="南京"), SimpleNamespace(id="bb", place="金华")], ["id", "place"])
    id  place
    a   南京
    bb  金华
    """

    def __init__(self, rows: Sequence[_Row], columns: Sequence[str]) -> None:
        self._rows = tuple(rows)
        self.columns = tuple(columns)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, key: int) -> _Row: ...
    @overload
    def __getitem__(self, key: slice) -> Listing[_Row]: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> _Row | Listing[_Row] | list[Any]:
        if isinstance(key, str):
            if key not in self.columns:
                raise UnknownNameError("column", key, self.columns)
            return [getattr(row, key) for row in self._rows]
        return Listing(self._rows[key], self.columns) if isinstance(key, slice) else self._rows[key]

    def __iter__(self) -> Iterator[_Row]:
        return iter(self._rows)

    def row(self, name: str) -> _Row:
        """Return the row with this text in the first column.

        Raises
        ------
        UnknownNameError
            There is no such row; the message has the nearest.
        """
        names = self[self.columns[0]]
        if name not in names:
            raise UnknownNameError(self.columns[0], name, map(str, names))
        return self._rows[names.index(name)]

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries by column."""
        return [{column: getattr(row, column) for column in self.columns} for row in self._rows]

    def to_arrow(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        import pyarrow as pa

        return pa.Table.from_pylist(self.to_pylist())

    def __repr__(self) -> str:
        cells = [self.columns, *(tuple(_shown(getattr(row, column)) for column in self.columns) for row in self._rows)]
        widths = [max(width_of(row[place]) for row in cells) for place in range(len(self.columns))]
        lines = ("  ".join(pad(text, width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape(_text(getattr(row, column)))}</td>" for column in self.columns)
            + "</tr>"
            for row in self._rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: object) -> str:
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _shown(value: object) -> str:
    """Return the text of a cell, cut where it takes too many columns."""
    text = shown(_text(value))
    if width_of(text) <= _SHOWN:
        return text
    while width_of(text) > _SHOWN - 1:
        text = text[:-1]
    return text + "…"
