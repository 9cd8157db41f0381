"""``drgdip certify``: compare own groups with those that came back, and write a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip._text import shown
from drgdip.cli.choosing import add_scheme, scheme_of
from drgdip.cli.options import Commands, add_reading, add_verb, read_file
from drgdip.cli.output import check_output, print_note, print_reading
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

    from drgdip.cli.words import Words
    from drgdip.monitor import Comparison

__all__ = ["add"]

#: How many classes or causes the screen has room for.
_SHOWN = 12


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "certify", say)
    parser.add_argument("file", metavar="FILE", type=Path, help=say("option.file"))
    parser.add_argument("--returned", required=True, metavar="NAME", help=say("certify.returned"))
    add_scheme(parser)
    parser.add_argument("--returned-status", metavar="NAME", help=say("certify.returned_status"))
    parser.add_argument("--by", action="append", metavar="NAME", help=say("certify.by"))
    parser.add_argument("--other", action="append", metavar="ID", help=say("certify.other"))
    parser.add_argument("--drop", metavar="SHARE", help=say("certify.drop"))
    parser.add_argument("--examples", metavar="N", type=int, default=1, help=say("certify.examples"))
    parser.add_argument("--salt", metavar="TEXT", help=say("certify.salt"))
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help=say("settle.output"))
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.cases.readers import reading_of
    from drgdip.monitor import compare_returned
    from drgdip.monitor.reports import REPORT_FORMATS

    say: Words = options.say
    if options.output is not None:
        if options.output.suffix.lower() not in REPORT_FORMATS:
            raise CaseError(say("error.report", path=options.output, endings=say("list.or").join(REPORT_FORMATS)))
        check_output(options.output, [options.file], say)
    scheme = scheme_of(options)
    cases = read_file(options.file, options, others=True)
    found = compare_returned(
        cases,
        scheme,
        returned=options.returned,
        returned_status=options.returned_status,
        by=_periods(options, cases),
        schemes=options.other,
        drop=options.drop,
        examples=options.examples,
        anonymise=options.salt is not None,
        salt=options.salt,
        codes=options.codes,
    )
    _print_result(found, options)
    if options.output is not None:
        print(say("wrote", path=found.write(options.output, language=say.language)))
    else:
        print(say("certify.nothing"))
    _print_notes(found, options)
    if options.by is None and found.periods is None:
        print_note(say("certify.no_period"), say)
    print_reading(reading_of(cases), say)


def _periods(options: argparse.Namespace, cases: pa.Table) -> list[str] | None:
    """Return the columns of periods: those asked for, or the month where there is one."""
    if options.by is not None:
        return list(options.by)
    return ["month"] if {"month", "discharged"} & set(cases.column_names) else None


def _print_result(found: Comparison, options: argparse.Namespace) -> None:
    """Print the agreement, the classes, the causes and the alarms."""
    from drgdip.monitor import list_differences
    from drgdip.monitor.comparison import level_word

    say: Words = options.say
    print(say("certify.head", file=options.file, summary=found.summary(say.language)))
    names = {row.id: row.chinese if say.language == "zh" else row.english for row in list_differences()}
    for title, table, column in (("classes", found.classes, "class"), ("causes", found.evidence, "cause")):
        if len(table):
            print(say(f"certify.title_{title}"))
        for row in table.to_pylist()[:_SHOWN]:
            tried = say("certify.tried", schemes=shown(row["tried"])) if row.get("tried") else ""
            print(f"  {row['cases']:>8,}  {row['share']:>7.2%}  {names[row[column]]}{tried}")
    alarms = found.alarms.to_pylist()
    if alarms:
        print(say("certify.title_alarms"))
    for row in alarms:
        facts = {name: row[name] for name in ("share", "before", "earlier")}
        print(f"  {say('certify.alarm', period=_key(row), level=level_word(row['level'], say.language), **facts)}")


def _key(row: dict[str, Any]) -> str:
    """Return the period of a fall, with the other keys before it."""
    names = list(row)
    return " ".join(shown(str(row[name])) for name in names[: names.index("level")])


def _print_notes(found: Comparison, options: argparse.Namespace) -> None:
    """Print what is to be known beside the result."""
    say: Words = options.say
    number = found.number
    if number["without_period"]:
        print_note(say("certify.undated", number=number["without_period"], cases=number["cases"]), say)
    if number["status_unread"]:
        print_note(say("certify.unread", number=number["status_unread"]), say)
    if options.output is not None and options.salt is None and len(found.examples):
        print_note(say("certify.names"), say)
