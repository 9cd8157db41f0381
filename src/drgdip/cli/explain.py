"""``drgdip explain``: say why a case is in its group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip.cli.choosing import add_scheme, scheme_of
from drgdip.cli.options import Commands, add_reading, add_verb, read_file, read_table
from drgdip.cli.output import print_note, print_reading
from drgdip.errors import CaseError, UnknownNameError

if TYPE_CHECKING:
    import argparse

    from drgdip.cli.words import Words
    from drgdip.grouper.alternatives import Alternatives
    from drgdip.grouper.compare import CaseComparison

__all__ = ["add"]

#: The values of a case that has no file; each is an option, with the text ``explain.<name>``.
_VALUES = ("sex", "age", "age_days", "newborn_weight", "los", "discharge", "dept", "icu_hours", "dx", "procs")


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "explain", say)
    parser.add_argument(
        "file", metavar="FILE", type=Path, nargs="?", help=say("explain.file", files=say("option.file"))
    )
    add_scheme(parser)
    parser.add_argument("--case", metavar="CASE_ID", help=say("explain.case"))
    for name in _VALUES:
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", help=say(f"explain.{name}"))
    how = parser.add_mutually_exclusive_group()
    for name in ("brief", "full", "alternatives"):
        how.add_argument(f"--{name}", action="store_true", help=say(f"explain.{name}"))
    how.add_argument("--compare", metavar="ID", nargs="+", help=say("explain.compare"))
    parser.add_argument("--weights", metavar="FILE", type=Path, help=say("explain.weights"))
    parser.add_argument("--json", action="store_true", help=say("explain.json"))
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    case = _case_of_file(options) if options.file is not None else _case_of_options(options)
    found = _what_if(case, options) if options.alternatives or options.compare else None
    if found is None:
        from drgdip.grouper.explain import explain

        trace = explain(case, scheme_of(options), codes=options.codes, weights=read_table(options.weights))
        detail = "brief" if options.brief else "full" if options.full else "path"
        print(trace.to_json(indent=2) if options.json else trace.text(options.say.language, detail=detail))
    elif options.json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=2, default=str))
    else:
        print(found.text(options.say.language))


def _what_if(case: dict[str, Any], options: argparse.Namespace) -> Alternatives | CaseComparison:
    from drgdip.grouper.alternatives import alternatives
    from drgdip.grouper.compare import compare_case

    weights = read_table(options.weights)
    if options.alternatives:
        return alternatives(case, scheme_of(options), codes=options.codes, weights=weights)
    if weights is not None:
        raise CaseError(options.say("explain.weights_of_one"))
    return compare_case(case, [scheme_of(options), *options.compare], codes=options.codes)


def _case_of_options(options: argparse.Namespace) -> dict[str, Any]:
    case = {name: getattr(options, name) for name in _VALUES if getattr(options, name) is not None}
    if "dx" not in case:
        raise CaseError(options.say("explain.no_case"))
    return case


def _case_of_file(options: argparse.Namespace) -> dict[str, Any]:
    from drgdip.cases.readers import reading_of

    say: Words = options.say
    cases = read_file(options.file, options)
    if "case_id" not in cases.column_names:
        raise CaseError(say("explain.no_numbers", file=options.file))
    numbers = [str(number) for number in cases["case_id"].to_pylist()]
    if options.case is None:
        first = numbers[0] if numbers else say("explain.missing")
        raise CaseError(say("explain.which", file=options.file, first=first))
    if options.case not in numbers:
        nearest = UnknownNameError("case", options.case, numbers).nearest
        near = say("error.near", names=say("list.or").join(map(repr, nearest))) if nearest else ""
        told = {"case": repr(options.case), "near": near, "file": options.file, "cases": len(numbers)}
        raise CaseError(say("explain.unknown_case", **told))
    if numbers.count(options.case) > 1:
        print_note(say("explain.twice", case=options.case, number=numbers.count(options.case)), say)
    print_reading(reading_of(cases), say)
    case: dict[str, Any] = cases.slice(numbers.index(options.case), 1).to_pylist()[0]
    return case
