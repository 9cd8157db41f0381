"""``drgdip check``: say what is wrong with the cases of a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.options import FILE, SCHEME, Commands, add_language, add_output, add_reading, read_columns, source_of
from drgdip.cli.output import open_output, print_columns, print_note, print_reading, print_written, screen_of
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]

_SHOWN = 5


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "check",
        help="say what is wrong with the cases of a file",
        description="Check the cases of a file before they are sent or grouped.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help=FILE)
    parser.add_argument("--scheme", required=True, metavar="ID", help=SCHEME)
    add_output(parser, "the findings")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="COLUMN=LOW:HIGH",
        help="lowest and highest plausible value of a column, such as age=0:120",
    )
    add_language(parser)
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.cases.readers import ignored_columns, read_cases, skipped_rows, understood_columns, unreadable_lines
    from drgdip.grouper.checks import check_cases, list_checks

    limits = dict(map(_read_limit, options.limit))
    cases = read_cases(source_of(options.file), format=options.input_format, columns=read_columns(options))
    findings = check_cases(cases, options.scheme, codes=options.codes, limits=limits)
    with open_output(options) as writer:
        if writer is not None:
            writer.write(findings)
    screen = screen_of(options)
    rules, rows, levels = (findings[name].to_pylist() for name in ("rule", "row", "level"))
    wrong = {row for row, level in zip(rows, levels, strict=True) if level == "error"}
    doubtful = set(rows) - wrong
    print(
        f"{options.file}: {len(cases):,} cases, {len(wrong):,} with errors, {len(doubtful):,} with warnings only",
        file=screen,
    )
    concerned = Counter(rule for rule, _ in set(zip(rules, rows, strict=True)))
    for check in list_checks():
        if concerned[check.id]:
            message = check.chinese if options.language == "zh" else check.english
            print(f"  {concerned[check.id]:>8,}  {check.level:<7}  {check.id}: {message}", file=screen)
    print_written(options)
    print_columns(understood_columns(cases), options.language)
    print_reading(skipped_rows(cases), unreadable_lines(cases), options.language)
    ignored = ignored_columns(cases)
    if ignored:
        shown = ", ".join(ignored[:_SHOWN]) + (", …" if len(ignored) > _SHOWN else "")
        print_note(f"{len(ignored):,} columns are no case columns and were not read: {shown}")


def _read_limit(text: str) -> tuple[str, tuple[float, float]]:
    """Return a column with its lowest and highest plausible value."""
    column, sign, limits = text.partition("=")
    low, colon, high = limits.partition(":")
    try:
        if sign and colon:
            return column, (float(low), float(high))
    except ValueError:
        pass
    raise CaseError(f"--limit {text}: say it as COLUMN=LOW:HIGH, such as age=0:120")
