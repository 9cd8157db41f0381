"""``drgdip build``: build a place's own DRGs from files of cases."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.options import FILE, Commands, add_language, add_reading, read_columns, source_of
from drgdip.cli.output import print_note, print_reading
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import pyarrow as pa

    from drgdip.grouper.refinement import Refinement

__all__ = ["add"]

#: What is printed, by language.
_WORDS = {
    "en": (
        "{n:,} cases",
        "{groups} groups where the base has {base}; core groups that differ: {changed}",
        "wrote {folder}",
    ),
    "zh": ("共{n:,}例", "细分组{groups}个（国家分组{base}个），{changed}个核心病组有变化", "已写入{folder}"),
}


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "build",
        help="build a place's own DRGs from files of cases",
        description="Divide the core groups of a national scheme by a place's own cases and criteria.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help=FILE)
    parser.add_argument("--plan", required=True, metavar="PLAN", type=Path, help="TOML: features, criteria, trimming")
    parser.add_argument("--base", required=True, metavar="ID", help="the scheme whose core groups are divided")
    parser.add_argument("--id", required=True, metavar="ID", help="id of the new scheme")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", type=Path, help="a new or empty folder")
    parser.add_argument("--decisions", metavar="CSV", type=Path, help="manual decisions, such as those of a last year")
    for name in ("title", "issuer", "place"):
        parser.add_argument(f"--{name}", default="", metavar="TEXT", help=f"{name} of the new scheme")
    add_language(parser)
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.drg.plans import read_plan
    from drgdip.grouper.refine import build_scheme
    from drgdip.points.inclusion import Trim
    from drgdip.points.trimming import trim_cases
    from drgdip.points.weighting import weights

    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise CaseError(f"{options.output} is there already; name a folder that is not, or is empty")
    plan = read_plan(options.plan)
    try:
        trim = Trim(**plan.trim) if plan.trim else None
    except TypeError as error:
        raise CaseError(f"{options.plan}: [trim] cannot be read: {error}") from error
    made = build_scheme(
        _cases(options),
        options.id,
        features=plan.features,
        criteria=plan.criteria,
        base=options.base,
        decisions=None if options.decisions is None else _decisions(options.decisions),
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

    from drgdip.cases.readers import read_cases, reading_of
    from drgdip.cases.table import with_all_columns

    tables = []
    for file in options.files:
        cases = read_cases(source_of(file), format=options.input_format, columns=read_columns(options))
        print_reading(reading_of(cases), options.language)
        tables.append(with_all_columns(cases))
    whole = pa.concat_tables(tables, promote_options="permissive")
    if whole["total_cost"].null_count == len(whole):
        raise CaseError("no case has a cost: give files with total costs, or say with --columns total_cost=NAME which")
    return whole


def _decisions(path: Path) -> list[dict[str, str | None]]:
    """Return the rows of decisions in a file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [dict(row) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseError(f"{path}: the decisions cannot be read as CSV in UTF-8: {error}") from error


def _told(made: Refinement, options: argparse.Namespace) -> Iterator[str]:
    """Yield what was built."""
    from drgdip.grouper.drg.model import counts_of
    from drgdip.grouper.drg.scheme import load_scheme

    rows = made.decisions.to_pylist()
    figures = {
        "n": sum(row["n"] for row in rows),
        "groups": counts_of(made.scheme)["drg"],
        "base": counts_of(load_scheme(options.base))["drg"],
        "changed": sum(row["changed"] for row in rows),
        "folder": options.output,
    }
    if any(row["search"] == "best-first" for row in rows):
        print_note("too many divisions to try all: the best of each step was followed")
    for line in _WORDS[options.language]:
        yield line.format(**figures)
