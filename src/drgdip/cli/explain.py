"""``drgdip explain``: say why a case is in its group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip.cli.options import FILE, SCHEME, Commands, add_language, add_reading, read_columns, source_of
from drgdip.cli.output import print_columns, print_note, print_reading
from drgdip.errors import CaseError, UnknownNameError

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]

_CASE_OPTIONS = {
    "sex": "1 male, 2 female",
    "age": "age in full years",
    "age_days": "age in days, of infants",
    "newborn_weight": "weight in grams, of newborns",
    "los": "length of stay in days",
    "discharge": "discharge mode, 1 to 5 or 9",
    "dept": "department",
    "icu_hours": "hours in intensive care",
    "dx": "diagnoses joined by |, the principal one first",
    "procs": "procedures joined by |, the principal one first",
}


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "explain",
        help="say why a case is in its group",
        description="Say why a case is in its group: a case of a file by its number, or one from the options.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help=f"the file that has the case: {FILE}")
    parser.add_argument("--scheme", required=True, metavar="ID", help=SCHEME)
    parser.add_argument("--case", metavar="CASE_ID", help="the number of the case in FILE")
    for name, text in _CASE_OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", help=text)
    add_language(parser)
    parser.add_argument("--brief", action="store_true", help="the result without the rules tried")
    parser.add_argument("--json", action="store_true", help="the whole trace as JSON")
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.explain import explain

    case = _case_of_file(options) if options.file is not None else _case_of_options(options)
    trace = explain(case, options.scheme, codes=options.codes)
    if options.json:
        print(trace.to_json(indent=2))
    else:
        print(trace.text(options.language, steps=not options.brief))


def _case_of_options(options: argparse.Namespace) -> dict[str, Any]:
    case = {name: getattr(options, name) for name in _CASE_OPTIONS if getattr(options, name) is not None}
    if "dx" not in case:
        raise CaseError("name a FILE and --case, or give the case's --dx and other values")
    return case


def _case_of_file(options: argparse.Namespace) -> dict[str, Any]:
    from drgdip.cases.readers import read_cases, skipped_rows, understood_columns, unreadable_lines

    cases = read_cases(source_of(options.file), format=options.input_format, columns=read_columns(options))
    if "case_id" not in cases.column_names:
        raise CaseError(f"{options.file} has no column of case numbers; say which it is with --columns case_id=NAME")
    numbers = [str(number) for number in cases["case_id"].to_pylist()]
    if options.case is None:
        raise CaseError(
            f"say which case with --case; the first of {options.file} is {numbers[0] if numbers else 'missing'}"
        )
    if options.case not in numbers:
        raise UnknownNameError("case", options.case, numbers, hint=f"{options.file} has {len(numbers):,} cases.")
    if numbers.count(options.case) > 1:
        print_note(f"case {options.case} stands {numbers.count(options.case)} times; the first is shown")
    print_columns(understood_columns(cases), options.language)
    print_reading(skipped_rows(cases), unreadable_lines(cases), options.language)
    case: dict[str, Any] = cases.slice(numbers.index(options.case), 1).to_pylist()[0]
    return case
