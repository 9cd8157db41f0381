"""``drgdip check``: say what is wrong with the cases of a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip._listing import pad
from drgdip.cli.choosing import add_scheme, scheme_of
from drgdip.cli.options import Commands, add_output, add_reading, add_verb, read_file
from drgdip.cli.output import open_output, print_reading, print_written, screen_of
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse

    from drgdip.cli.words import Words

__all__ = ["add"]


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "check", say)
    parser.add_argument("file", metavar="FILE", type=Path, help=say("option.file"))
    add_scheme(parser)
    add_output(parser, say("check.output"))
    parser.add_argument("--limit", action="append", default=[], metavar="COLUMN=LOW:HIGH", help=say("check.limit"))
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.cases.readers import reading_of
    from drgdip.grouper.checks import check_cases, list_checks

    say: Words = options.say
    limits = dict(_read_limit(text, say) for text in options.limit)
    scheme = scheme_of(options)
    cases = read_file(options.file, options)
    findings = check_cases(cases, scheme, codes=options.codes, limits=limits)
    with open_output(options) as writer:
        if writer is not None:
            writer.write(findings)
    screen = screen_of(options)
    rules, rows, levels = (findings[name].to_pylist() for name in ("rule", "row", "level"))
    wrong = {row for row, level in zip(rows, levels, strict=True) if level == "error"}
    doubtful = len(set(rows) - wrong)
    told = say("check.summary", file=options.file, number=len(cases), wrong=len(wrong), doubtful=doubtful)
    print(told, file=screen)
    concerned = Counter(rule for rule, _ in set(zip(rules, rows, strict=True)))
    for check in list_checks():
        if concerned[check.id]:
            message = check.chinese if say.language == "zh" else check.english
            level = pad(say(f"check.level_{check.level}"), 7)
            rule = say("check.rule", rule=check.id, message=message)
            print(f"  {concerned[check.id]:>8,}  {level}  {rule}", file=screen)
    print_written(options)
    print_reading(reading_of(cases), say)


def _read_limit(text: str, say: Words) -> tuple[str, tuple[float, float]]:
    """Return a column with its lowest and highest plausible value."""
    column, sign, limits = text.partition("=")
    low, colon, high = limits.partition(":")
    try:
        if sign and colon:
            return column, (float(low), float(high))
    except ValueError:
        pass
    raise CaseError(say("check.limit_wrong", given=text))
