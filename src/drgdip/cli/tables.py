"""Tables of results: aligned on the screen, in a file for programs, or in a workbook or a page for readers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip._listing import pad, pad_left, width_of
from drgdip.cli.output import check_output, open_output, screen_of, shorten

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from drgdip.cli.parsing import Parser

__all__ = ["add_table_output", "check_table_output", "print_rows", "table_lines", "write_table"]

#: How a number is written on the screen, by the unit of its column.
_FORMATS = {
    "ratio": "{:.2%}",
    "index": "{:.4f}",
    "weight": "{:,.2f}",
    "points": "{:,.2f}",
    "days": "{:.2f}",
    "yuan": "{:,.2f}",
    "count": "{:,.0f}",
}
_BOOKS = (".xlsx", ".html", ".htm")


def add_table_output(parser: Parser, what: str) -> None:
    """Add the options that say where a table is written, and how much of it is shown; ``what`` is its text."""
    say = parser.say
    parser.add_argument("-o", "--output", metavar="OUT", help=say("rows.output", what=what))
    parser.add_argument("--format", choices=("csv", "json", "jsonl", "parquet"), help=say("option.format"))
    parser.add_argument("--limit", type=int, default=20, metavar="N", help=say("rows.limit"))


def print_rows(
    table: pa.Table, heads: Sequence[str], options: argparse.Namespace, *, keys: int, limit: int | None = None
) -> None:
    """Print the first rows of a table, as many as ``--limit`` or ``limit`` says, and how many more there are."""
    limit = max(options.limit if limit is None else limit, 0)
    screen = screen_of(options)
    for line in table_lines(table, heads, keys=keys, limit=limit):
        print(line, file=screen)
    if len(table) > limit:
        print(options.say("rows.more", rows=len(table) - limit), file=screen)


def table_lines(table: pa.Table, heads: Sequence[str], *, keys: int, limit: int) -> Iterator[str]:
    """Yield the first rows of a table in aligned columns.

    A table that is wider than the terminal is cut into blocks of columns. The columns of the key, which are the first
    ones, stand before each block.
    """
    from drgdip._arrays import is_text

    rows = table.slice(0, max(limit, 0))
    columns = [
        [_cell(name, value) for value in column.to_pylist()]
        for name, column in zip(rows.column_names, rows.columns, strict=True)
    ]
    number = [place >= keys and not is_text(rows.schema.field(place).type) for place in range(len(columns))]
    widths = [max(map(width_of, [head, *cells])) for head, cells in zip(heads, columns, strict=True)]
    for block in _blocks(widths, keys, shutil.get_terminal_size().columns):
        yield ""
        for line in ([heads[place] for place in block], *zip(*(columns[place] for place in block), strict=True)):
            cells = [
                (pad_left if number[place] else pad)(text, widths[place])
                for place, text in zip(block, line, strict=True)
            ]
            yield "  ".join(cells).rstrip()


def check_table_output(options: argparse.Namespace) -> None:
    """Raise CaseError where the file of ``-o`` is one of those that are read."""
    options.file = options.files[0]  # whose encoding decides on a byte order mark
    if options.output not in {None, "-"}:
        given = [value for value in vars(options).values() if isinstance(value, Path)]
        check_output(Path(options.output), [*options.files, *given], options.say)


def write_table(table: pa.Table, heads: Sequence[str], options: argparse.Namespace, title: str) -> None:
    """Write a table to the file of ``-o``, if there is one; a workbook or a page by its ending."""
    table = table.rename_columns(list(heads))
    path = None if options.output in {None, "-"} else Path(options.output)
    if path is None or path.suffix.lower() not in _BOOKS or options.format:
        with open_output(options) as writer:
            if writer is not None:
                writer.write(table)
        return
    from drgdip._books import write_tables

    write_tables(path, {title: table}, title=title, language=options.say.language)


def _blocks(widths: Sequence[int], keys: int, room: int) -> Iterator[list[int]]:
    """Yield the columns of each block: those of the key, and as many others as fit beside them, one at least."""
    first = list(range(keys))
    taken = sum(widths[:keys]) + 2 * max(keys - 1, 0)
    block: list[int] = []
    used = taken
    for place in range(keys, len(widths)):
        if block and used + 2 + widths[place] > room:
            yield first + block
            block, used = [], taken
        block.append(place)
        used += 2 + widths[place]
    if block or keys == len(widths):
        yield first + block


def _cell(name: str, value: Any) -> str:
    from drgdip.monitor.headings import unit_of

    if value is None:
        return "-"
    if isinstance(value, str | bool):
        return shorten(str(value))
    return _FORMATS.get(unit_of(name), "{:,}" if isinstance(value, int) else "{:,.6g}").format(value)
