"""``drgdip settle``: settle a year of cases under a policy."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip._listing import pad, pad_left
from drgdip._text import shown
from drgdip.cli.options import Commands, add_verb, read_pairs
from drgdip.cli.output import check_output, print_note
from drgdip.cli.workfolder import NAMES, PAPERS, fill_in
from drgdip.errors import CaseError, PolicyError

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

    from drgdip.cli.words import Words
    from drgdip.settle import Year

__all__ = ["add"]

#: Options that name a table, each with the text ``settle.<name>``.
_TABLES = (
    "deductions",
    "appraisal",
    "points_change",
    "working_capital",
    "deposits_kept",
    "exclusion_means",
    "volume_caps",
    "money_caps",
    "last_year",
    "month_budget",
    "payments",
)
#: Columns of the table on the screen, each with the text ``settle.head_<name>``.
_HEADS = ("hospital", "cases", "entitlement", "paid", "final")


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "settle", say)
    parser.add_argument("cases", metavar="CASES", type=Path, nargs="+", help=say("settle.cases_help"))
    parser.add_argument("--policy", metavar="FILE", type=Path, help=say("settle.policy"))
    parser.add_argument("--budget", action="append", metavar="POOL=YUAN", help=say("settle.budget"))
    parser.add_argument("--value", action="append", metavar="POOL=YUAN", help=say("settle.value_help"))
    parser.add_argument("--weights", metavar="FILE", type=Path, help=say("settle.weights"))
    parser.add_argument("--coefficients", action="append", metavar="NAME=FILE", help=say("settle.coefficients"))
    parser.add_argument("--mean-cost", metavar="YUAN", type=float, help=say("settle.mean_cost"))
    for name in _TABLES:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, metavar="FILE", type=Path, help=say(f"settle.{name}"))
    parser.add_argument("--as-of", metavar="DAY", type=datetime.date.fromisoformat, help=say("settle.as_of"))
    parser.add_argument("--accept", action="append", metavar="KIND=WAY", help=say("settle.accept"))
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help=say("settle.output"))
    parser.add_argument("--papers", metavar="FOLDER", type=Path, help=say("settle.papers_help"))
    parser.set_defaults(run=_run, values=None)


def _run(options: argparse.Namespace) -> None:
    from drgdip.settle import REPORT_FORMATS, read_policy, settle_year, write_papers, write_report

    say: Words = options.say
    _open_folder(options)
    if options.policy is None or options.budget is None:
        raise PolicyError(say("settle.needs"))
    if options.output is not None and options.output.suffix.lower() not in REPORT_FORMATS:
        raise PolicyError(say("error.report", path=options.output, endings=say("list.or").join(REPORT_FORMATS)))
    if options.output is not None:
        given = [getattr(options, name) for name in _TABLES]
        given += [path for path in (options.budget, options.values) if isinstance(path, Path)]
        given += read_pairs(options.coefficients, "--coefficients", say).values()
        check_output(options.output, [*options.cases, options.policy, options.weights, *given], say)
    policy = read_policy(options.policy)
    if options.weights is None and (options.coefficients or options.mean_cost):
        raise PolicyError(say("settle.weights_alone"))
    tables = _read_tables(options)
    cases = tables.pop("cases")
    year = settle_year(
        cases,
        policy,
        budget=_amounts(options.budget, "--budget", say),
        values=read_pairs(options.value, "--value", say) or _amounts(options.values, "values", say),
        mean_cost=options.mean_cost,
        as_of=options.as_of,
        accept=read_pairs(options.accept, "--accept", say),
        **tables,
    )
    number = sum(year.clearing.table["cases"].to_pylist())
    print(say("settle.cases", number=number, policy=policy.id, title=policy.title))
    _print_pools(year, say)
    print(say("settle.checked", number=len(year.ledger)))
    if options.output is not None:
        print(say("wrote", path=write_report(year, policy, options.output, language=say.language)))
    if options.papers is not None:
        paths = write_papers(year, policy, options.papers, language=say.language)
        print(say("settle.papers", files=len(paths), folder=options.papers))
    uncounted = sum(row["not_counted"] for row in year.clearing.table.to_pylist())
    if uncounted:
        print_note(say("settle.uncounted", number=uncounted), say)
    _print_findings(year, say)


def _open_folder(options: argparse.Namespace) -> None:
    """Take the files of a working folder, where the cases are one, and write the papers into it."""
    folder = options.cases[0]
    if len(options.cases) > 1 or not folder.is_dir():
        return
    known = frozenset(name for name in NAMES if hasattr(options, name))
    for path in fill_in(options, known):
        print_note(options.say("settle.passed_over", name=path.name), options.say)
    options.papers = options.papers or folder / PAPERS


def _amounts(given: list[str] | Path | None, option: str, say: Words) -> dict[str, str] | pa.Table | None:
    """Return amounts by pool as they were given: pairs of the command line, or the table of a file."""
    from drgdip.settle import read_settlement

    return read_settlement(given) if isinstance(given, Path) else read_pairs(given, option, say) or None


def _read_tables(options: argparse.Namespace) -> dict[str, pa.Table]:
    """Return the tables that the options name, by the names that `settle_year` has for them."""
    from drgdip.settle import read_settlement

    tables = {name: read_settlement(path) for name in _TABLES if (path := getattr(options, name)) is not None}
    pairs = read_pairs(options.coefficients, "--coefficients", options.say)
    named = {name: read_settlement(path) for name, path in pairs.items()}
    cases = read_settlement(*options.cases)
    if options.weights is None and "points" not in cases.column_names:
        raise CaseError(options.say("settle.no_points"))
    return {
        **tables,
        "cases": cases,
        "weights": None if options.weights is None else read_settlement(options.weights),
        "coefficients": named or None,
    }


def _print_findings(year: Year, say: Words) -> None:
    """Print the accepted findings: how many of each kind were treated how, with their money."""
    if year.findings is None or not len(year.findings):
        return
    keys = ["kind", "way", "treatment"]
    for row in (
        year.findings.group_by(keys, use_threads=False).aggregate([("row", "count"), ("amount", "sum")]).to_pylist()
    ):
        treatment = say(f"settle.treatment_{row['treatment']}")
        facts = {"kind": row["kind"], "way": row["way"], "treatment": treatment, "money": row["amount_sum"] or 0}
        print_note(say("settle.finding", cases=row["row_count"], **facts), say)


def _print_pools(year: Year, say: Words) -> None:
    """Print the budget of each pool, what its hospitals get, and what is left."""
    hospitals = year.clearing.table.to_pylist()
    heads = [say(f"settle.head_{name}") for name in _HEADS]
    for pool in year.clearing.pools.to_pylist():
        value = "" if pool["point_value"] is None else say("settle.value", value=pool["point_value"].normalize())
        budget, spending = pool["budget"], pool["spending"]
        print(say("settle.pool", pool=shown(pool["pool"]), budget=budget, spending=spending, value=value))
        print(f"  {pad(heads[0], 24)}{pad_left(heads[1], 8)}{''.join(pad_left(head, 18) for head in heads[2:])}")
        mine = [row for row in hospitals if row["pool"] == pool["pool"]]
        for row in mine:
            amounts = "".join(f"{row[name]:>18,}" for name in _HEADS[2:])
            print(f"  {pad(shown(row['hospital']), 24)}{row['cases']:>8,}{amounts}")
        print(f"  {pad(say('settle.all'), 24)}{sum(row['cases'] for row in mine):>8,}{pool['entitlement']:>18,}")
        print(f"  {say('settle.left', left=pool['left'])}")
