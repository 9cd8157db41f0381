"""Quotes of CSV files: each fast path against its slow, obvious twin, and the case that no reader can tell."""

import csv
import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drgdip import read_cases
from drgdip.cases.quotes import Row, rows_of_lines, stray_quotes

#: Small texts with everything that matters to quotes.
TEXTS = st.text('a",\r\n', max_size=24)


def blocks_of(content, size):
    return [content[start : start + size] for start in range(0, len(content), size)]


def stray_twin(text):
    """Letter by letter: every quote in turn opens and closes, at the edge of a cell or beside another quote."""
    quoted = False
    for place, letter in enumerate(text):
        if letter in "\r\n" and quoted:
            return True
        if letter == '"':
            beside = text[place - 1 : place] if not quoted else text[place + 1 : place + 2]
            if beside not in {"", ",", "\r", "\n", '"'}:
                return True
            quoted = not quoted
    return quoted


@given(TEXTS, st.integers(1, 16))
@example('a,"b"\n', 4)
@example('a,"b""c"\n', 5)
@example('"a\n"', 2)
@example('"a\n"', 3)
def test_stray_quotes_equal_their_twin_over_the_edges_of_blocks(text, size):
    assert stray_quotes(blocks_of(text.encode(), size), b",") == stray_twin(text)


@given(TEXTS, st.integers(1, 16))
def test_without_stray_quotes_every_line_is_a_row(text, size):
    """This is why such a file may be read without looking at its rows."""
    if not stray_quotes(blocks_of(text.encode(), size), b","):
        lines = list(io.StringIO(text, newline=""))
        rows = list(rows_of_lines(lines, ",", 3))
        assert [(row.line, row.last, row.open) for row in rows] == [
            (number, number, False) for number, line in enumerate(lines, start=1) if line.strip("\r\n")
        ]
        assert [row.cells for row in rows] == [cells for cells in csv.reader(lines) if cells]


def end_of_row(text):
    """How far a row goes letter by letter, with its line break, and whether its quotes are closed as they should be.

    A quote opens at the beginning of a cell. The quote that closes one over several lines stands at the end of a cell.
    """
    quoted = lines_inside = False
    start = True
    place = 0
    while place < len(text):
        letter, after = text[place], text[place + 1 : place + 2]
        if quoted and letter == '"' and after == '"':
            place += 1
        elif quoted and letter == '"':
            if lines_inside and after not in {"", ",", "\r", "\n"}:
                return None
            quoted = lines_inside = False
        elif letter == '"' and start:
            quoted = True
        elif letter in "\r\n":
            place += letter == "\r" and after == "\n"
            if not quoted:
                return place + 1
            lines_inside = True
        start = not quoted and letter == ","
        place += 1
    return None if quoted else place


def rows_twin(text, width):
    """Row by row: what is no whole row is its first line alone."""
    rows, line = [], 1
    while text:
        first = io.StringIO(text, newline="").readline()
        end = end_of_row(text)
        inside = list(io.StringIO(text[: end or 0], newline=""))
        cells = next(csv.reader(inside), []) if end else []
        taken = any(width > 2 and one.count(",") == width - 1 for one in inside[1:-1]) and len(cells) != width
        if first.strip("\r\n"):
            if end is None or taken:
                rows.append(Row(first.rstrip("\r\n").split(","), line, line, open=True))
                end, inside = len(first), [first]
            elif cells:
                rows.append(Row(cells, line, line + len(inside) - 1, open=False))
        line += len(inside)
        text = text[end:]
    return rows


@given(TEXTS, st.integers(2, 4))
@example('a,"b\na,b,c\n"c,d\n', 3)
@example('a,"b\na,b,c\nc",d\n', 3)
@example('a,b,"c\na,b,c\nc"\n', 3)
@example('"a\n\n"b\n', 2)
def test_rows_equal_their_twin(text, width):
    lines = io.StringIO(text, newline="")
    assert list(rows_of_lines(lines, ",", width)) == rows_twin(text, width)


def test_a_quote_that_is_not_closed_behind_a_quote_within_a_cell():
    """Two quotes of a line need not belong together."""
    cases = read_cases(b'dx,size,note\nI63.900,5",x\nI10.x00,6","open\nE11.900,7,y\n')
    assert cases["unreadable"].to_pylist() == [None, "row", None]
    assert json.loads(cases.schema.metadata[b"drgdip.unreadable_lines"]) == [3]


@pytest.mark.parametrize("rows", ['I63.900,"one\nI10.x00,5"\n', '7,I63.900,"one\n8,I10.x00,5"\n'])
def test_an_open_quote_that_the_next_quote_closes_as_a_cell_would_is_a_cell(rows):
    """The page says so: the same bytes are a row with a line break in its last cell."""
    header = "case_id,dx,note\n"[8 * (rows.count(",") == 2) :]
    cases = read_cases((header + rows).encode())
    assert [note.splitlines()[0] for note in cases["note"].to_pylist()] == ["one"]
    assert "unreadable" not in cases.column_names or cases["unreadable"].to_pylist() == [None]
