"""``drgdip indicators``: indicators of grouped cases by hospital, month or any other column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.grouped import add_cases, load_scheme_of, read_grouped, read_ids, read_keys
from drgdip.cli.options import Commands, add_language
from drgdip.cli.output import counted, print_note, print_written, screen_of
from drgdip.cli.tables import add_table_output, table_lines, write_table
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

    from drgdip.grouper.family import SchemeLike

__all__ = ["add"]

_ENGLISH = {
    "title": "indicators",
    "head": "{file}: {cases}, {rows}, {columns}",
    "described": "{file}: {cases}, {columns} of {all} can be computed",
    "more": "... and {more} more rows; -o OUT writes all",
    "ungrouped": "{ungrouped} of {cases} are not grouped: they do not count for indicators of groups, such as CMI",
    "lacking": "{number} of {all} indicators lack a column; --describe says which",
}
_CHINESE = {
    "title": "指标",
    "head": "{file}：{number:,}例，{row_number:,}行，{column_number}项指标",
    "described": "{file}：{number:,}例，{all}项指标中可计算{column_number}项",
    "more": "……另有{more}行，可用-o写入文件",
    "ungrouped": "{number:,}例中有{ungrouped}例未入组，不计入CMI等以病组为基础的指标",
    "lacking": "{all}项指标中有{number}项缺少所需的列，可用--describe查看",
}


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "indicators",
        help="compute indicators of grouped cases",
        description="Compute indicators of grouped cases, a row for each hospital, month or other key.",
    )
    add_cases(parser)
    parser.add_argument(
        "--by", default="hospital", metavar="COLUMN,...", help="the columns of the key (default: hospital); '' for none"
    )
    parser.add_argument(
        "--which", metavar="ID,...", help="the indicators by id or Chinese name, else all whose columns are there"
    )
    parser.add_argument("--reference", metavar="FILE", type=Path, help="the cases of the region to compare with")
    parser.add_argument("--previous", metavar="FILE", type=Path, help="the cases of an earlier period")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="weights by group, else the cases' own")
    parser.add_argument("--low-risk", metavar="FILE", type=Path, help="groups of low risk: a table with a column group")
    parser.add_argument("--basic", metavar="FILE", type=Path, help="basic groups: a table with a column group")
    parser.add_argument("--readmission-days", metavar="N", type=int, help="count readmissions within so many days")
    parser.add_argument("--small", metavar="N", type=int, help="mark indicators over fewer cases than this")
    parser.add_argument("--parts", action="store_true", help="show the numerator and denominator of each indicator")
    parser.add_argument("--describe", action="store_true", help="say which indicators FILE gives, and what others lack")
    add_table_output(parser, "the indicators")
    add_language(parser)
    parser.set_defaults(run=_run, file=None, input_format="auto")


def _run(options: argparse.Namespace) -> None:
    from drgdip.monitor import describe_indicators, indicators

    scheme = load_scheme_of(options)
    cases = read_grouped(options.files, options, scheme)
    given = {
        "reference": _cases(options.reference, options, scheme),
        "weights": _table(options.weights),
        "low_risk": _groups(options.low_risk),
        "basic": _groups(options.basic),
        "readmission_days": options.readmission_days,
    }
    described = describe_indicators(cases, **given)
    if options.describe:
        _describe(described.to_arrow(), len(cases), options)
        return
    by = read_keys(options.by, cases.column_names)
    which = read_ids(options.which, {row.chinese: row.id for row in described})
    previous = _cases(options.previous, options, scheme)
    table = indicators(cases, by, previous=previous, which=which, parts=options.parts, small=options.small, **given)
    _show(table, len(cases), by, options)
    say = _CHINESE if options.language == "zh" else _ENGLISH
    if described.row("grouped").computed:
        (total,) = indicators(cases, [], which=["discharges", "grouped"]).to_pylist()
        ungrouped = total["discharges"] - total["grouped"]
        if ungrouped:
            words = {"cases": counted(len(cases), "case"), "number": len(cases)}
            print_note(say["ungrouped"].format(ungrouped=f"{ungrouped:,}", **words))
    lacking = sum(not row.computed for row in described)
    if which is None and lacking:
        print_note(say["lacking"].format(number=lacking, all=len(described)))


def _show(table: pa.Table, cases: int, by: list[str], options: argparse.Namespace) -> None:
    """Write a table of indicators, and print its first rows."""
    from drgdip.monitor.headings import heading, indicator_of

    chinese = options.language == "zh"
    say = _CHINESE if chinese else _ENGLISH
    heads = [heading(name, "zh") if chinese else name for name in table.column_names]
    write_table(table, heads, options, say["title"])
    found = [indicator_of(name) for name in table.column_names]
    number = sum(row is not None and not ending for row, ending in found)
    words = {
        "cases": counted(cases, "case"),
        "rows": counted(len(table), "row"),
        "columns": counted(number, "indicator"),
    }
    numbers = {"number": cases, "row_number": len(table), "column_number": number}
    screen = screen_of(options)
    print(say["head"].format(file=options.files[0], **words, **numbers), file=screen)
    for line in table_lines(table, heads, keys=len(by), limit=options.limit):
        print(line, file=screen)
    if len(table) > options.limit:
        print(say["more"].format(more=len(table) - max(options.limit, 0)), file=screen)
    print_written(options)


def _describe(table: pa.Table, cases: int, options: argparse.Namespace) -> None:
    """Write which indicators can be computed, and print them."""
    chinese = options.language == "zh"
    table = table.drop_columns(["english" if chinese else "chinese"])
    heads = ["编号", "指标", "可计算", "病例数", "缺少"] if chinese else table.column_names
    say = _CHINESE if chinese else _ENGLISH
    write_table(table, heads, options, say["title"])
    number = sum(table["computed"].to_pylist())
    words = {"cases": counted(cases, "case"), "columns": number, "all": counted(len(table), "indicator")}
    numbers = {"number": cases, "column_number": number}
    if chinese:
        words["all"] = str(len(table))
    print(say["described"].format(file=options.files[0], **words, **numbers), file=screen_of(options))
    for line in table_lines(table, heads, keys=2, limit=len(table)):
        print(line, file=screen_of(options))
    print_written(options)


def _cases(path: Path | None, options: argparse.Namespace, scheme: SchemeLike | None) -> pa.Table | None:
    return None if path is None else read_grouped([path], options, scheme)


def _table(path: Path | None) -> pa.Table | None:
    from drgdip.settle import read_settlement

    return None if path is None else read_settlement(path)


def _groups(path: Path | None) -> list[str] | None:
    """Return the groups of a file."""
    table = _table(path)
    if table is None:
        return None
    if "group" not in table.column_names:
        raise CaseError(f"{path}: has no column group: the columns are {', '.join(table.column_names)}")
    return [str(name) for name in table["group"].to_pylist() if name is not None]
