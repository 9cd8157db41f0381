"""``drgdip explain``: say why a case is in its group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip.cli.options import FILE, SCHEME, Commands, add_language, add_reading, read_columns, source_of
from drgdip.cli.output import print_note, print_reading
from drgdip.errors import CaseError, UnknownNameError

if TYPE_CHECKING:
    import argparse

    from drgdip.grouper.alternatives import Alternatives
    from drgdip.grouper.compare import Comparison

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
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--brief", action="store_true", help="the result without the rules")
    how.add_argument("--full", action="store_true", help="every rule that was tried")
    how.add_argument("--alternatives", action="store_true", help="the group with other codes, or without one of them")
    how.add_argument("--compare", metavar="ID", nargs="+", help="the group under these schemes or catalogues as well")
    parser.add_argument(
        "--weights", metavar="FILE", type=Path, help="file of group and weight, to be told beside the groups"
    )
    parser.add_argument("--json", action="store_true", help="the whole trace as JSON")
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    case = _case_of_file(options) if options.file is not None else _case_of_options(options)
    found = _what_if(case, options) if options.alternatives or options.compare else None
    if found is None:
        from drgdip.grouper.explain import explain

        trace = explain(case, options.scheme, codes=options.codes, weights=_weights_of(options))
        detail = "brief" if options.brief else "full" if options.full else "path"
        print(trace.to_json(indent=2) if options.json else trace.text(options.language, detail=detail))
    elif options.json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=2, default=str))
    else:
        print(found.text(options.language))


def _what_if(case: dict[str, Any], options: argparse.Namespace) -> Alternatives | Comparison:
    from drgdip.grouper.alternatives import alternatives
    from drgdip.grouper.compare import compare_case

    weights = _weights_of(options)
    if options.alternatives:
        return alternatives(case, options.scheme, codes=options.codes, weights=weights)
    if weights is not None:
        raise CaseError("--weights are those of one scheme: give them without --compare")
    return compare_case(case, [options.scheme, *options.compare], codes=options.codes)


def _weights_of(options: argparse.Namespace) -> Any:
    if options.weights is None:
        return None
    from drgdip.settle.files import read_settlement

    return read_settlement(options.weights)


def _case_of_options(options: argparse.Namespace) -> dict[str, Any]:
    case = {name: getattr(options, name) for name in _CASE_OPTIONS if getattr(options, name) is not None}
    if "dx" not in case:
        raise CaseError("name a FILE and --case, or give the case's --dx and other values")
    return case


def _case_of_file(options: argparse.Namespace) -> dict[str, Any]:
    from drgdip.cases.readers import read_cases, reading_of

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
    print_reading(reading_of(cases), options.language)
    case: dict[str, Any] = cases.slice(numbers.index(options.case), 1).to_pylist()[0]
    return case
