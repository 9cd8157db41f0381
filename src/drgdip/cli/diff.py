"""``drgdip diff``: say what changed between two schemes or catalogues, or for the cases of a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip._listing import pad, width_of
from drgdip.cli.options import Commands, add_output, add_reading, add_verb, read_file
from drgdip.cli.output import open_output, print_reading, print_written, screen_of, shorten
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import pyarrow as pa

    from drgdip.cli.words import Words

__all__ = ["add"]

#: Tables of a difference whose rows are read by eye; of the others, which are lists of codes, there is the number.
_BY_EYE = ("evaluation", "mdc", "adrg", "drg", "matching", "groups", "primary_care")
#: The least width of the change and of the code in a line.
_WIDTHS = {"change": 8, "code": 6}


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "diff", say)
    parser.add_argument("before", metavar="BEFORE", help=say("option.scheme"))
    parser.add_argument("after", metavar="AFTER", help=say("diff.after"))
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help=say("diff.file", files=say("option.file")))
    parser.add_argument("--limit", type=int, metavar="N", help=say("diff.limit"))
    parser.add_argument("--cases", metavar="FILE", type=Path, help=say("diff.cases"))
    parser.add_argument("--weights", nargs=2, metavar=("OLD", "NEW"), help=say("diff.weights"))
    add_output(parser, say("diff.output"))
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.diff import diff_cases, diff_schemes
    from drgdip.grouper.load import load_any

    say: Words = options.say
    if options.cases is not None:
        _tell_move(options)
        return
    if options.weights is not None:
        raise CaseError(say("diff.weights_alone"))
    limit = 20 if options.limit is None else options.limit
    before, after = load_any(options.before), load_any(options.after)
    if options.file is None:
        table = diff_schemes(before, after)
        lines = _changes(table, limit, say)
    else:
        cases = _cases_of(options.file, options)
        table = diff_cases(cases, before, after, codes=options.codes)
        alike = before.family == after.family
        lines = _moves(table, limit, "groups" if alike else "statuses", say)
    with open_output(options) as writer:
        if writer is not None:
            writer.write(table)
    screen = screen_of(options)
    sides = (say("diff.side", scheme=side.id, revision=side.info.revision) for side in (before, after))
    print(" -> ".join(sides), file=screen)
    for line in lines:
        print(line, file=screen)
    print_written(options)


def _cases_of(file: Path, options: argparse.Namespace) -> pa.Table:
    """Return the cases of a file, and print what was not understood."""
    from drgdip.cases.readers import reading_of

    cases = read_file(file, options)
    print_reading(reading_of(cases), options.say)
    return cases


def _tell_move(options: argparse.Namespace) -> None:
    """Print what the move from one DRG scheme to another does to cases, or write it."""
    from drgdip.grouper.move import FORMATS
    from drgdip.grouper.moves import move_cases
    from drgdip.settle import read_settlement

    say: Words = options.say
    if options.file is not None:
        raise CaseError(say("diff.cases_twice"))
    if options.format or (options.output and Path(options.output).suffix.lower() not in FORMATS):
        raise CaseError(say("diff.move_format", endings=say.joined(FORMATS[:-1]), last=FORMATS[-1]))
    weights = None if options.weights is None else tuple(map(read_settlement, options.weights))
    cases = _cases_of(options.cases, options)
    move = move_cases(cases, options.before, options.after, weights=weights, codes=options.codes)
    lines = move.text(say.language, limit=10 if options.limit is None else options.limit).splitlines()
    print("\n".join(lines[:1] if options.output else lines))
    if options.output:
        print(say("wrote", path=move.write(options.output, language=say.language)))


def _changes(table: pa.Table, limit: int, say: Words) -> Iterator[str]:
    """Yield what changed in each table, with the first rows of those that are read by eye."""
    rows = table.to_pylist()
    if not rows:
        yield say("diff.nothing")
    for name in dict.fromkeys(row["table"] for row in rows):
        here = [row for row in rows if row["table"] == name]
        counts = Counter(row["change"] for row in here)
        told = say.joined([f"{say(f'change.{change}')} {number:,}" for change, number in counts.items()])
        yield say("diff.table", table=say(f"table.{name}"), changes=told)
        if name not in _BY_EYE:
            continue
        shown = [(row, say(f"change.{row['change']}")) for row in here[:limit]]
        change_width = max([_WIDTHS["change"], *(width_of(word) for _, word in shown)])
        code_width = max([_WIDTHS["code"], *(width_of(row["code"]) for row, _ in shown)])
        for row, word in shown:
            sides = {"added": ("after",), "gone": ("before",)}.get(row["change"], ("before", "after"))
            texts = " -> ".join(shorten(row[side] or say("diff.none")) for side in sides)
            yield f"  {pad(word, change_width)} {pad(row['code'], code_width)} {texts}"
        if len(here) > limit:
            yield say("diff.more", number=len(here) - limit)


def _moves(table: pa.Table, limit: int, what: str, say: Words) -> Iterator[str]:
    """Yield how many cases moved, and the commonest moves; ``what`` is compared: groups or statuses."""
    rows = table.to_pylist()
    total = sum(row["cases"] for row in rows)
    moves = [row for row in rows if row["moved"] is not False]
    moved = sum(row["cases"] for row in moves if row["moved"])
    yield say(f"diff.moved_{what}", total=total, moved=moved, share=moved / max(total, 1))
    for row in moves[:limit]:
        sides = (_side(row, side, say) for side in ("before", "after"))
        yield say("diff.move", cases=f"{row['cases']:>8,}", all=row["before_cases"], sides=" -> ".join(sides))
    if len(moves) > limit:
        yield say(f"diff.more_{what}", number=len(moves) - limit)


def _side(row: dict[str, Any], side: str, say: Words) -> str:
    """Return the group of one side with its name, or the status of cases without one."""
    from drgdip.grouper.result import status_word

    status = row[f"{side}_status"]
    status = status_word(status, say.language)
    return f"{row[side] or status} {shorten(row[f'{side}_name'] or '')}".strip()
