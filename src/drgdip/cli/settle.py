"""``drgdip settle``: settle a year of cases under a policy."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip._listing import pad, pad_left
from drgdip._text import shown
from drgdip.cli.options import Commands, add_language, read_pairs
from drgdip.cli.output import check_output, counted, print_note
from drgdip.cli.workfolder import NAMES, PAPERS, fill_in
from drgdip.errors import CaseError, PolicyError

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

    from drgdip.settle import Year

__all__ = ["add"]

_TABLES = {
    "deductions": "audit deductions by hospital, pool and month",
    "appraisal": "appraisal coefficients by hospital and pool",
    "points_change": "points rewards and penalties by hospital and pool",
    "working_capital": "what was advanced, by hospital and pool",
    "deposits_kept": "quality deposits that are not given back, by hospital and pool",
    "exclusion_means": "mean costs by group, for new items outside the group",
    "volume_caps": "caps on the number of cases, by group or institution",
    "money_caps": "caps on money, by group or institution",
    "last_year": "last year's cases and amount by hospital and pool, for a cap on growth",
    "month_budget": "budgets of the months, by pool and month",
    "payments": "every payment so far: hospital, pool, month, kind, amount, date",
}


_ENGLISH = {
    "cases": "{number:,} cases under policy {policy.id} ({policy.title})",
    "checked": "{number} sums checked, all agree",
    "wrote": "wrote {path}",
    "papers": "wrote {files} to {folder}",
    "uncounted": "{number:,} case does not count: its list failed, or it has no price",
    "uncounted_many": "{number:,} cases do not count: lists failed, or they have no price",
    "finding": "{kind}, {way}: {cases} {treatment}, {money:,} yuan",
    "pool": "pool {pool}: budget {budget:,}, spending {spending:,}{value}",
    "value": ", point value {value:f}",
    "heads": "hospital|cases|entitlement|paid|final",
    "all": "all hospitals",
    "left": "left of the budget: {left:,}",
}
_CHINESE = {
    "cases": "政策 {policy.id}（{policy.title}）：{number:,} 例",
    "checked": "共核对 {number} 项勾稽关系，全部相符",
    "wrote": "已写入 {path}",
    "papers": "已将 {number} 个文件写入 {folder}",
    "uncounted": "{number:,} 例未计入：清单未通过或未计价",
    "uncounted_many": "{number:,} 例未计入：清单未通过或未计价",
    "finding": "{kind}，按 {way} 处理：{number:,} 例，{money:,} 元",
    "pool": "{pool}：预算 {budget:,} 元，支出 {spending:,} 元{value}",
    "value": "，点值 {value:f}",
    "heads": "医疗机构|病例|年度应付|已付|应补付",
    "all": "合计",
    "left": "预算结余：{left:,} 元",
}


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "settle",
        help="settle a year of cases under a policy",
        description="Settle a year: months, pre-clearing and clearing of the cases in files, under a policy.",
    )
    parser.add_argument(
        "cases", metavar="CASES", type=Path, nargs="+", help="CSV, JSON, JSON lines or Parquet; or a folder"
    )
    parser.add_argument("--policy", metavar="FILE", type=Path, help="the policy, a TOML file")
    parser.add_argument("--budget", action="append", metavar="POOL=YUAN", help="the final budget of a pool")
    parser.add_argument(
        "--value", action="append", metavar="POOL=YUAN", help="estimated point value of a pool, else the policy's rates"
    )
    parser.add_argument("--weights", metavar="FILE", type=Path, help="weights by group; without it CASES have points")
    parser.add_argument(
        "--coefficients",
        action="append",
        metavar="NAME=FILE",
        help="a table of coefficients that the policy names (with --weights)",
    )
    parser.add_argument("--mean-cost", metavar="YUAN", type=float, help="mean cost of all cases (with --weights)")
    for name, text in _TABLES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="FILE", type=Path, help=text)
    parser.add_argument(
        "--as-of",
        metavar="DAY",
        type=datetime.date.fromisoformat,
        help="the day that is settled, such as 2024-12-31: later versions, payments and deductions do not count",
    )
    parser.add_argument(
        "--accept",
        action="append",
        metavar="KIND=WAY",
        help="how findings on the cases are treated, such as duplicate=first, unpriced=by_item",
    )
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="where to write the report: .xlsx or .html")
    parser.add_argument("--papers", metavar="FOLDER", type=Path, help="where to write a file for each hospital")
    add_language(parser)
    parser.set_defaults(run=_run, values=None)


def _run(options: argparse.Namespace) -> None:
    from drgdip.settle import REPORT_FORMATS, read_policy, settle_year, write_papers, write_report

    _open_folder(options)
    if options.policy is None or options.budget is None:
        raise PolicyError("settle needs --policy and --budget, or a working folder with files of these names")
    if options.output is not None and options.output.suffix.lower() not in REPORT_FORMATS:
        raise PolicyError(f"{options.output}: a report is written as {' or '.join(REPORT_FORMATS)}")
    if options.output is not None:
        given = [getattr(options, name) for name in _TABLES]
        given += [path for path in (options.budget, options.values) if isinstance(path, Path)]
        given += read_pairs(options.coefficients, "--coefficients").values()
        check_output(options.output, [*options.cases, options.policy, options.weights, *given])
    policy = read_policy(options.policy)
    if options.weights is None and (options.coefficients or options.mean_cost):
        raise PolicyError("--coefficients and --mean-cost go with --weights, which gives the cases their points")
    tables = _read_tables(options)
    cases = tables.pop("cases")
    year = settle_year(
        cases,
        policy,
        budget=_amounts(options.budget, "--budget"),
        values=read_pairs(options.value, "--value") or _amounts(options.values, "values"),
        mean_cost=options.mean_cost,
        as_of=options.as_of,
        accept=read_pairs(options.accept, "--accept"),
        **tables,
    )
    say = _CHINESE if options.language == "zh" else _ENGLISH
    number = sum(year.clearing.table["cases"].to_pylist())
    print(say["cases"].format(number=number, policy=policy))
    _print_pools(year, say)
    print(say["checked"].format(number=len(year.ledger)))
    if options.output is not None:
        print(say["wrote"].format(path=write_report(year, policy, options.output, language=options.language)))
    if options.papers is not None:
        paths = write_papers(year, policy, options.papers, language=options.language)
        print(say["papers"].format(files=counted(len(paths), "file"), number=len(paths), folder=options.papers))
    uncounted = sum(row["not_counted"] for row in year.clearing.table.to_pylist())
    if uncounted:
        print_note(say["uncounted" if uncounted == 1 else "uncounted_many"].format(number=uncounted))
    _print_findings(year, say)


def _open_folder(options: argparse.Namespace) -> None:
    """Take the files of a working folder, where the cases are one, and write the papers into it."""
    folder = options.cases[0]
    if len(options.cases) > 1 or not folder.is_dir():
        return
    known = frozenset(name for name in NAMES if hasattr(options, name))
    for path in fill_in(options, known):
        print_note(f"{path.name} is none of the files of a working folder, and was not read")
    options.papers = options.papers or folder / PAPERS


def _amounts(given: list[str] | Path | None, option: str) -> dict[str, str] | pa.Table | None:
    """Return amounts by pool as they were given: pairs of the command line, or the table of a file."""
    from drgdip.settle import read_settlement

    return read_settlement(given) if isinstance(given, Path) else read_pairs(given, option) or None


def _read_tables(options: argparse.Namespace) -> dict[str, pa.Table]:
    """Return the tables that the options name, by the names that `settle_year` has for them."""
    from drgdip.settle import read_settlement

    tables = {name: read_settlement(path) for name in _TABLES if (path := getattr(options, name)) is not None}
    named = {name: read_settlement(path) for name, path in read_pairs(options.coefficients, "--coefficients").items()}
    cases = read_settlement(*options.cases)
    if options.weights is None and "points" not in cases.column_names:
        raise CaseError("the cases have no column points: give it, or --weights, a table of group and weight")
    return {
        **tables,
        "cases": cases,
        "weights": None if options.weights is None else read_settlement(options.weights),
        "coefficients": named or None,
    }


def _print_findings(year: Year, say: dict[str, str]) -> None:
    """Print the accepted findings: how many of each kind were treated how, with their money."""
    if year.findings is None or not len(year.findings):
        return
    keys = ["kind", "way", "treatment"]
    for row in (
        year.findings.group_by(keys, use_threads=False).aggregate([("row", "count"), ("amount", "sum")]).to_pylist()
    ):
        money = row["amount_sum"] or 0
        number = row["row_count"]
        found = {"kind": row["kind"], "way": row["way"], "treatment": row["treatment"].replace("_", " ")}
        print_note(say["finding"].format(cases=counted(number, "case"), number=number, money=money, **found))


def _print_pools(year: Year, say: dict[str, str]) -> None:
    """Print the budget of each pool, what its hospitals get, and what is left."""
    hospitals = year.clearing.table.to_pylist()
    for pool in year.clearing.pools.to_pylist():
        value = "" if pool["point_value"] is None else say["value"].format(value=pool["point_value"].normalize())
        budget, spending = pool["budget"], pool["spending"]
        print(say["pool"].format(pool=shown(pool["pool"]), budget=budget, spending=spending, value=value))
        heads = say["heads"].split("|")
        print(f"  {pad(heads[0], 24)}{pad_left(heads[1], 8)}{''.join(pad_left(head, 18) for head in heads[2:])}")
        mine = [row for row in hospitals if row["pool"] == pool["pool"]]
        for row in mine:
            amounts = "".join(f"{row[name]:>18,}" for name in ("entitlement", "paid", "final"))
            print(f"  {pad(shown(row['hospital']), 24)}{row['cases']:>8,}{amounts}")
        print(f"  {pad(say['all'], 24)}{sum(row['cases'] for row in mine):>8,}{pool['entitlement']:>18,}")
        print(f"  {say['left'].format(left=pool['left'])}")
