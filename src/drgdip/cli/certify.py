"""``drgdip certify``: compare own groups with those that came back, and write a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip._text import shown
from drgdip.cli.options import FILE, SCHEME, Commands, add_language, add_reading, read_columns, source_of
from drgdip.cli.output import check_output, print_columns, print_note, print_reading
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

    from drgdip.monitor import Comparison

__all__ = ["add"]

_ENGLISH = {
    "classes": "classes of difference",
    "causes": "likely causes",
    "alarms": "alarms",
    "alarm": "{key}: {level} {share:.2%}, period before {before:.2%}, all earlier {earlier:.2%}",
    "wrote": "wrote {path}",
    "nothing": "nothing written: name a file with -o to keep the report",
    "undated": "{number:,} of {cases:,} cases have no period: their date is missing or cannot be read",
    "no_period": "FILE has no column month or discharged, so that no periods are compared; --by names another",
    "unread": "{number:,} returned statuses were not understood",
    "names": "the examples hold cases as they are in FILE; --salt makes them anonymous",
}
_CHINESE = {
    "classes": "差异类别",
    "causes": "可能原因",
    "alarms": "报警",
    "alarm": "{key}：{level}一致率 {share:.2%}，上期 {before:.2%}，此前合计 {earlier:.2%}",
    "wrote": "已写入 {path}",
    "nothing": "未写文件：用 -o 指定报告文件",
    "undated": "{cases:,} 例中有 {number:,} 例无法确定月份：日期缺失或无法识别",
    "no_period": "文件中没有 month 或出院日期，未按期比对；可用 --by 指定其他列",
    "unread": "{number:,} 例返回状态无法识别",
    "names": "示例病例未脱敏；用 --salt 脱敏",
}


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "certify",
        help="compare own groups with those that came back",
        description="Compare the groups of a scheme with those that the agency returned, and say why they differ.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help=FILE)
    parser.add_argument("--returned", required=True, metavar="NAME", help="the column of FILE with the returned groups")
    parser.add_argument("--scheme", required=True, metavar="ID", help=SCHEME)
    parser.add_argument("--returned-status", metavar="NAME", help="the column of FILE with the returned statuses")
    parser.add_argument(
        "--by", action="append", metavar="NAME", help="the column of periods (default: month, or that of discharge)"
    )
    parser.add_argument("--other", action="append", metavar="ID", help="another scheme to try; again for more")
    parser.add_argument("--drop", metavar="SHARE", help="a fall of agreement that is an alarm, such as 0.05")
    parser.add_argument("--examples", metavar="N", type=int, default=1, help="cases shown for each class and cause")
    parser.add_argument("--salt", metavar="TEXT", help="a secret text, to make the examples anonymous")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="where to write the report: .xlsx or .html")
    add_language(parser)
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.cases.readers import read_cases, skipped_rows, understood_columns, unreadable_lines
    from drgdip.monitor import compare_returned
    from drgdip.monitor.reports import REPORT_FORMATS

    if options.output is not None:
        if options.output.suffix.lower() not in REPORT_FORMATS:
            raise CaseError(f"{options.output}: a report is written as {' or '.join(REPORT_FORMATS)}")
        check_output(options.output, [options.file])
    cases = read_cases(source_of(options), format=options.input_format, columns=read_columns(options), others=True)
    found = compare_returned(
        cases,
        options.scheme,
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
    say = _CHINESE if options.language == "zh" else _ENGLISH
    _print_result(found, say, options)
    if options.output is not None:
        print(say["wrote"].format(path=found.report(options.output, language=options.language)))
    else:
        print(say["nothing"])
    _print_notes(found, say, options)
    if options.by is None and found.periods is None:
        print_note(say["no_period"])
    print_columns(understood_columns(cases), options.language)
    print_reading(skipped_rows(cases), unreadable_lines(cases), options.language)


def _periods(options: argparse.Namespace, cases: pa.Table) -> list[str] | None:
    """Return the columns of periods: those asked for, or the month where there is one."""
    if options.by is not None:
        return list(options.by)
    return ["month"] if {"month", "discharged"} & set(cases.column_names) else None


def _print_result(found: Comparison, say: dict[str, str], options: argparse.Namespace) -> None:
    """Print the agreement, the classes, the causes and the alarms."""
    from drgdip.monitor import list_differences

    print(f"{options.file}: {found.summary(options.language)}")
    names = {row.id: row.chinese if options.language == "zh" else row.english for row in list_differences()}
    for title, table, column in (("classes", found.classes, "class"), ("causes", found.evidence, "cause")):
        if len(table):
            print(say[title])
        for row in table.to_pylist()[:_SHOWN]:
            tried = f": {shown(row['tried'])}" if row.get("tried") else ""
            print(f"  {row['cases']:>8,}  {row['share']:>7.2%}  {names[row[column]]}{tried}")
    alarms = found.alarms.to_pylist()
    if alarms:
        print(say["alarms"])
    for row in alarms:
        print(f"  {say['alarm'].format(key=_key(row), **row | {'level': _level(row, options)})}")


_SHOWN = 12


def _key(row: dict[str, Any]) -> str:
    """Return the period of a fall, with the other keys before it."""
    names = list(row)
    return " ".join(shown(str(row[name])) for name in names[: names.index("level")])


def _level(row: dict[str, Any], options: argparse.Namespace) -> str:
    from drgdip.monitor.comparison import level_word

    return level_word(row["level"], options.language)


def _print_notes(found: Comparison, say: dict[str, str], options: argparse.Namespace) -> None:
    """Print what is to be known beside the result."""
    number = found.number
    if number["without_period"]:
        print_note(say["undated"].format(number=number["without_period"], cases=number["cases"]))
    if number["status_unread"]:
        print_note(say["unread"].format(number=number["status_unread"]))
    if options.output is not None and options.salt is None and len(found.examples):
        print_note(say["names"])
