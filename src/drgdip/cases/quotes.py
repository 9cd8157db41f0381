"""Quotes of CSV files: rows one by one, and where a quote is not closed.

A quote that is not closed would take the rows behind it into its cell, up to the next quote of the file. Such a row is
told, and those behind it are read as themselves.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Row", "rows_of_lines", "stray_quotes"]

_LONGEST = 1000  # lines that a cell may have
_QUOTE, _NEWLINES = 0x22, (0x0A, 0x0D)


class Row(NamedTuple):
    """A row: its cells, its first and its last line (from 1), and whether a quote in it is not closed."""

    cells: list[str]
    line: int
    last: int
    open: bool


def rows_of_lines(lines: Iterable[str], delimiter: str, width: int = 0) -> Iterator[Row]:
    """Yield the rows of a CSV file that are not blank.

    A quote is not closed if no quote follows, or if the next one does not end a cell. It is open too if a line
    in between has as many cells as the header (``width``, from three on), and the whole has not.

    Raises
    ------
    csv.Error
        A cell that is too long.
    """
    source = iter(lines)
    # Most lines have whole cells only: to see this is quicker than to go from quote to quote.
    plain = re.compile(r'(?:"[^"]*"|[^"{0}]*)(?:{0}(?:"[^"]*"|[^"{0}]*))*'.format(re.escape(delimiter))).fullmatch
    waiting: deque[str] = deque()
    number = 0
    while True:
        first = waiting.popleft() if waiting else next(source, None)
        if first is None:
            return
        number += 1
        if not first.strip("\r\n"):
            continue
        held = [first]
        open_ = '"' in first and not plain(first.rstrip("\r\n")) and _stays_open(first, delimiter, quoted=False)
        failed = within = False
        while open_ and not failed:
            line = waiting.popleft() if waiting else next(source, None)
            if line is None or len(held) == _LONGEST:
                failed = True
                waiting.extendleft([] if line is None else [line])
                break
            held.append(line)
            closes = not _stays_open(line, delimiter, quoted=True)
            failed = closes and _ends_badly(line, delimiter)
            within = within or (not closes and _is_row(line, delimiter, width))
            open_ = not closes
        cells = [] if failed else next(csv.reader(held, delimiter=delimiter), [])
        if failed or (within and len(cells) != width):
            waiting.extendleft(reversed(held[1:]))
            yield Row(first.rstrip("\r\n").split(delimiter), number, number, open=True)
            continue
        start, number = number, number + len(held) - 1
        if cells:
            yield Row(cells, start, number, open=False)


def _stays_open(line: str, delimiter: str, *, quoted: bool) -> bool:
    """Return whether quotes are open at the end of a line; ``quoted`` says whether they are at its beginning."""
    place = line.find('"')
    while place >= 0:
        if not quoted:
            quoted = place == 0 or line[place - 1] == delimiter
        elif line[place + 1 : place + 2] == '"':
            place += 1
        else:
            quoted = False
        place = line.find('"', place + 1)
    return quoted


def _ends_badly(line: str, delimiter: str) -> bool:
    """Return whether something else than the end of a cell follows the quote that closes one on a line."""
    place = 0
    while True:
        place = line.find('"', place)
        if line[place + 1 : place + 2] != '"':
            return line[place + 1 : place + 2] not in {delimiter, "\r", "\n", ""}
        place += 2


def _is_row(line: str, delimiter: str, width: int) -> bool:
    """Return whether a line inside quotes is a row of its own."""
    return width > 2 and line.count(delimiter) == width - 1


def stray_quotes(blocks: Iterable[bytes], delimiter: bytes) -> bool:
    """Return whether quotes of a file open or close within a cell, stay open, or hold line breaks.

    A file of which none does is read as fast as one without quotes; any other is read row by row, to see.
    """
    quoted, before = False, b"\n"
    ends = np.frombuffer(delimiter + b"\r\n", np.uint8)
    for block, following in itertools.pairwise(itertools.chain(blocks, [b""])):
        letters = np.frombuffer(before + block + (following[:1] or b"\n"), np.uint8)
        places = np.flatnonzero(letters[1:-1] == _QUOTE) + 1
        if quoted and np.isin(letters[1 : places[0] if len(places) else -1], _NEWLINES).any():
            return True
        opens = np.arange(len(places)) % 2 == int(quoted)
        left, right = letters[places - 1], letters[places + 1]
        if not np.isin(left[opens], [*ends, _QUOTE]).all() or not np.isin(right[~opens], [*ends, _QUOTE]).all():
            return True
        if len(places):
            inside = np.cumsum(np.bincount(places, minlength=len(letters)) % 2) % 2 != int(quoted)
            if (inside & np.isin(letters, _NEWLINES)).any():
                return True
        quoted = bool((len(places) + quoted) % 2)
        before = block[-1:]
    return quoted
