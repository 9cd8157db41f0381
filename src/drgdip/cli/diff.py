"""``drgdip diff``: say what changed between two schemes or catalogues, or for the cases of a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.options import FILE, SCHEME, Commands, add_language, add_output, add_reading, read_columns, source_of
from drgdip.cli.output import counted, open_output, print_columns, print_reading, print_written, screen_of, shorten
from drgdip.errors import CaseError

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
        "their group; with FILE, BEFORE may be a scheme and AFTER a catalogue. With --cases, say what the move from "
        "one DRG scheme to another does: why cases move, what they weigh, and which are lost.",
    )
    parser.add_argument("before", metavar="BEFORE", help=SCHEME)
    parser.add_argument("after", metavar="AFTER", help="another one")
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help=f"cases: {FILE}")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="show so many rows of each table (default: 20; 10 with --cases)"
    )
    parser.add_argument(
        "--cases",
        metavar="FILE",
        type=Path,
        help="tell the move of these cases (files as FILE); OUT is .xlsx, .html or .svg",
    )
    parser.add_argument(
        "--weights",
        nargs=2,
        metavar=("OLD", "NEW"),
        help="with --cases: files of group and weight under both schemes, else weights of the cases themselves",
    )
    add_output(parser, "every row")
    add_language(parser)
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.diff import diff_cases, diff_schemes
    from drgdip.grouper.load import load_any

    if options.cases is not None:
        _tell_move(options)
        return
    if options.weights is not None:
        raise CaseError("--weights goes with --cases FILE")
    limit = 20 if options.limit is None else options.limit
    before, after = load_any(options.before), load_any(options.after)
    if options.file is None:
        table = diff_schemes(before, after)
        lines = _changes(table, limit)
    else:
        cases = _cases_of(options.file, options)
        table = diff_cases(cases, before, after, codes=options.codes)
        alike = before.family == after.family
        lines = _moves(table, limit, ("group", "moves") if alike else ("status", "pairs"))
    with open_output(options) as writer:
        if writer is not None:
            writer.write(table)
    screen = screen_of(options)
    print(f"{before.id} revision {before.info.revision} -> {after.id} revision {after.info.revision}", file=screen)
    for line in lines:
        print(line, file=screen)
    print_written(options)


def _cases_of(file: Path, options: argparse.Namespace) -> pa.Table:
    """Return the cases of a file, and print what was not understood."""
    from drgdip.cases.readers import read_cases, skipped_rows, understood_columns, unreadable_lines

    cases = read_cases(source_of(file), format=options.input_format, columns=read_columns(options))
    print_columns(understood_columns(cases), options.language)
    print_reading(skipped_rows(cases), unreadable_lines(cases), options.language)
    return cases


def _tell_move(options: argparse.Namespace) -> None:
    """Print what the move from one DRG scheme to another does to cases, or write it."""
    from drgdip.grouper.move import FORMATS
    from drgdip.grouper.moves import move_cases
    from drgdip.settle import read_settlement

    if options.file is not None:
        raise CaseError("give the cases once: FILE counts moves, --cases FILE tells why they move and what they weigh")
    if options.format or (options.output and Path(options.output).suffix.lower() not in FORMATS):
        raise CaseError(f"with --cases, OUT is a file that ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    weights = None if options.weights is None else tuple(map(read_settlement, options.weights))
    cases = _cases_of(options.cases, options)
    move = move_cases(cases, options.before, options.after, weights=weights, codes=options.codes)
    lines = move.text(options.language, limit=10 if options.limit is None else options.limit).splitlines()
    print("\n".join(lines[:1] if options.output else lines))
    if options.output:
        print(f"wrote {move.write(options.output, language=options.language)}")


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
