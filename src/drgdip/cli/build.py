"""``drgdip build``: build a place's own DRGs from files of cases."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.options import Commands, add_reading, add_verb, read_file
from drgdip.cli.output import print_note, print_reading
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import pyarrow as pa

    from drgdip.cli.words import Words
    from drgdip.grouper.refinement import Refinement

__all__ = ["add"]


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "build", say)
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help=say("option.file"))
    parser.add_argument("--plan", required=True, metavar="PLAN", type=Path, help=say("build.plan"))
    parser.add_argument("--base", required=True, metavar="ID", help=say("build.base"))
    parser.add_argument("--id", required=True, metavar="ID", help=say("build.id"))
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", type=Path, help=say("build.output"))
    parser.add_argument("--decisions", metavar="CSV", type=Path, help=say("build.decisions"))
    for name in ("title", "issuer", "place"):
        parser.add_argument(f"--{name}", default="", metavar="TEXT", help=say(f"build.{name}"))
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.drg.plans import read_plan
    from drgdip.grouper.refine import build_scheme
    from drgdip.points.inclusion import Trim
    from drgdip.points.trimming import trim_cases
    from drgdip.points.weighting import weights

    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise CaseError(options.say("build.there", path=options.output))
    plan = read_plan(options.plan)
    try:
        trim = Trim(**plan.trim) if plan.trim else None
    except TypeError as error:
        raise CaseError(options.say("build.untrimmed", path=options.plan, error=error)) from error
    made = build_scheme(
        _cases(options),
        options.id,
        features=plan.features,
        criteria=plan.criteria,
        base=options.base,
        decisions=None if options.decisions is None else _decisions(options.decisions, options.say),
        trim=None if trim is None else functools.partial(trim_cases, trim=trim, by="adrg"),
        weights=functools.partial(weights, trim=trim),
        title=options.title,
        issuer=options.issuer,
        place=options.place,
        codes=options.codes,
    )
    made.to_folder(options.output)
    for line in _told(made, options):
        print(line)


def _cases(options: argparse.Namespace) -> pa.Table:
    """Return the cases of all files."""
    import pyarrow as pa

    from drgdip.cases.readers import reading_of
    from drgdip.cases.table import with_all_columns

    tables = []
    for file in options.files:
        cases = read_file(file, options)
        print_reading(reading_of(cases), options.say)
        tables.append(with_all_columns(cases))
    whole = pa.concat_tables(tables, promote_options="permissive")
    if whole["total_cost"].null_count == len(whole):
        raise CaseError(options.say("build.no_cost"))
    return whole


def _decisions(path: Path, say: Words) -> list[dict[str, str | None]]:
    """Return the rows of decisions in a file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [dict(row) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseError(say("build.unread", path=path, error=error)) from error


def _told(made: Refinement, options: argparse.Namespace) -> Iterator[str]:
    """Yield what was built."""
    from drgdip.grouper.drg.model import counts_of
    from drgdip.grouper.drg.scheme import load_scheme

    rows, say = made.decisions.to_pylist(), options.say
    if any(row["search"] == "best-first" for row in rows):
        print_note(say("build.best_first"), say)
    yield say("build.cases", n=sum(row["n"] for row in rows))
    groups, before = (counts_of(scheme)["drg"] for scheme in (made.scheme, load_scheme(options.base)))
    yield say("build.groups", groups=groups, base=before, changed=sum(row["changed"] for row in rows))
    yield say("wrote", path=options.output)
