"""``drgdip diff``: say what changed between two schemes or catalogues, or for the cases of a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.options import FILE, SCHEME, Commands, add_output, add_reading, read_columns
from drgdip.cli.output import counted, open_output, print_written, screen_of, shorten

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import pyarrow as pa

__all__ = ["add"]

#: Tables of a difference whose rows are read by eye; of the others, which are lists of codes, there is the number.
_BY_EYE = ("evaluation", "mdc", "adrg", "drg", "matching", "groups", "primary_care")
#: The least width of the change and of the code in a line.
_WIDTHS = {"change": 8, "code": 6}


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "diff",
        help="say what changed between two schemes or catalogues",
        description="Say what changed between two schemes or two catalogues or, with FILE, which of its cases change "
        "their group; with FILE, BEFORE may be a scheme and AFTER a catalogue.",
    )
    parser.add_argument("before", metavar="BEFORE", help=SCHEME)
    parser.add_argument("after", metavar="AFTER", help="another one")
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help=f"cases: {FILE}")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="show so many rows of each table (default: 20)"
    )
    add_output(parser, "every row")
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.diff import diff_cases, diff_schemes
    from drgdip.grouper.load import load_any

    before, after = load_any(options.before), load_any(options.after)
    if options.file is None:
        table = diff_schemes(before, after)
        lines = _changes(table, options.limit)
    else:
        from drgdip.cases.readers import read_cases

        cases = read_cases(options.file, format=options.input_format, columns=read_columns(options))
        table = diff_cases(cases, before, after, codes=options.codes)
        alike = before.family == after.family
        lines = _moves(table, options.limit, ("group", "moves") if alike else ("status", "pairs"))
    with open_output(options) as writer:
        if writer is not None:
            writer.write(table)
    screen = screen_of(options)
    print(f"{before.id} revision {before.info.revision} -> {after.id} revision {after.info.revision}", file=screen)
    for line in lines:
        print(line, file=screen)
    print_written(options)


def _changes(table: pa.Table, limit: int) -> Iterator[str]:
    """Yield what changed in each table, with the first rows of those that are read by eye."""
    rows = table.to_pylist()
    if not rows:
        yield "nothing changed"
    for name in dict.fromkeys(row["table"] for row in rows):
        here = [row for row in rows if row["table"] == name]
        counts = Counter(row["change"] for row in here)
        yield f"{name}: " + ", ".join(f"{change} {number:,}" for change, number in counts.items())
        if name not in _BY_EYE:
            continue
        shown = here[:limit]
        change_width, code_width = (max([least, *(len(row[part]) for row in shown)]) for part, least in _WIDTHS.items())
        for row in shown:
            sides = {"added": ("after",), "gone": ("before",)}.get(row["change"], ("before", "after"))
            texts = " -> ".join(shorten(row[side] or "(none)") for side in sides)
            yield f"  {row['change']:<{change_width}} {row['code']:<{code_width}} {texts}"
        if len(here) > limit:
            yield f"  ... and {len(here) - limit:,} more"


def _moves(table: pa.Table, limit: int, words: tuple[str, str]) -> Iterator[str]:
    """Yield how many cases moved, and the commonest moves; the words are for what they change and what is shown."""
    rows = table.to_pylist()
    total = sum(row["cases"] for row in rows)
    moves = [row for row in rows if row["moved"] is not False]
    moved = sum(row["cases"] for row in moves if row["moved"])
    yield f"{counted(total, 'case')}: {moved:,} change their {words[0]} ({moved / max(total, 1):.2%})"
    for row in moves[:limit]:
        sides = (
            f"{row[side] or row[f'{side}_status']} {shorten(row[f'{side}_name'] or '')}" for side in ("before", "after")
        )
        yield f"  {row['cases']:>8,} of {row['before_cases']:,}  " + " -> ".join(map(str.strip, sides))
    if len(moves) > limit:
        yield f"  ... and {len(moves) - limit:,} more {words[1]}"
