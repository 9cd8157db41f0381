"""``drgdip signals``: signals of misuse in grouped cases, as rows to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip.cli.grouped import add_cases, load_scheme_of, read_grouped, read_ids
from drgdip.cli.options import Commands, add_language
from drgdip.cli.output import counted, print_note, print_written, screen_of
from drgdip.cli.tables import add_table_output, table_lines, write_table

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

__all__ = ["add"]

_ENGLISH = {
    "title": "signals",
    "head": "{file}: {cases}, {rows} of {kinds}, reasons to look and no verdicts",
    "line": "  {number:>8,}  {signal}: {name}{amount}",
    "amount": ", {amount:,} yuan in question",
    "more": "... and {more} more rows; -o OUT writes all",
    "lacking": "{number} of {all} signals do not run: --plan says what they lack",
    "plan": "{file}: {cases}, {number} of {all} signals can run",
    "runs": "runs",
}
_CHINESE = {
    "title": "疑点",
    "head": "{file}：{number:,}例，{kind_number}类疑点共{row_number:,}条，仅供核查，不作认定",
    "line": "  {number:>8,}  {signal}：{name}{amount}",
    "amount": "，涉及金额{amount:,}元",
    "more": "……另有{more}条，可用-o写入文件",
    "lacking": "{all}类疑点中有{number}类未运行，可用--plan查看缺少什么",
    "plan": "{file}：{case_number:,}例，{all}类疑点中可运行{number}类",
    "runs": "可运行",
}
#: The columns of a row that the screen has room for.
_SHOWN = ("row", "case_id", "hospital", "group", "signal", "value", "expected", "limit", "amount")


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "signals",
        help="find signals of misuse in grouped cases",
        description="Find signals of misuse in grouped cases: rows to look at with their evidence, never a verdict.",
    )
    add_cases(parser)
    parser.add_argument("--parameters", metavar="FILE", type=Path, help="the parameters, a TOML file: a table a signal")
    parser.add_argument("--which", metavar="ID,...", help="the signals by id or Chinese name, else all that can run")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="weights by group, for amounts")
    parser.add_argument("--rates", metavar="FILE", type=Path, help="rates with base_rate by pool, level, group")
    parser.add_argument("--reference", metavar="FILE", type=Path, help="the cases to compare with, else FILE's own")
    parser.add_argument("--previous", metavar="FILE", type=Path, help="the cases of an earlier period")
    parser.add_argument("--outpatient", metavar="FILE", type=Path, help="outpatient costs: patient, date, cost")
    parser.add_argument("--items", metavar="FILE", type=Path, help="items of cases: case_id, item")
    parser.add_argument("--plan", action="store_true", help="say which signals would run, and what the others lack")
    add_table_output(parser, "the rows")
    add_language(parser)
    parser.set_defaults(run=_run, file=None, input_format="auto")


def _run(options: argparse.Namespace) -> None:
    from drgdip.monitor import list_signals, plan_signals, signals
    from drgdip.settle import read_settlement

    scheme = load_scheme_of(options)
    cases = read_grouped(options.files, options, scheme)
    which = read_ids(options.which, {signal.chinese: signal.id for signal in list_signals()})
    given: dict[str, Any] = {"which": which, "parameters": options.parameters}
    for name in ("outpatient", "items"):
        path = getattr(options, name)
        given[name] = None if path is None else read_settlement(path)
    given["previous"] = None if options.previous is None else read_grouped([options.previous], options, scheme)
    plan = plan_signals(cases, scheme, **given)
    if options.plan:
        _show_plan(plan, len(cases), options)
        return
    for name in ("weights", "rates"):
        path = getattr(options, name)
        given[name] = None if path is None else read_settlement(path)
    given["reference"] = None if options.reference is None else read_grouped([options.reference], options, scheme)
    found = signals(cases, scheme, **given)
    _show(found, len(cases), options)
    say = _CHINESE if options.language == "zh" else _ENGLISH
    idle = {row["signal"] for row in plan.to_pylist() if not row["runs"]}
    if idle:
        print_note(say["lacking"].format(number=len(idle), all=len(list_signals())))


def _show(found: pa.Table, cases: int, options: argparse.Namespace) -> None:
    """Write the rows, and print how many there are of each signal and the first ones."""
    from drgdip.monitor.headings import heading

    chinese = options.language == "zh"
    say = _CHINESE if chinese else _ENGLISH
    told = _in_chinese(found) if chinese else found
    heads = {name: heading(name, "zh") if chinese else name for name in told.column_names}
    write_table(told, [*heads.values()], options, say["title"])
    kinds = found.group_by("signal", use_threads=False).aggregate([("signal", "count"), ("amount", "sum")])
    words = {
        "cases": counted(cases, "case"),
        "rows": counted(len(found), "row"),
        "kinds": counted(len(kinds), "signal"),
    }
    numbers = {"number": cases, "row_number": len(found), "kind_number": len(kinds)}
    screen = screen_of(options)
    print(say["head"].format(file=options.files[0], **words, **numbers), file=screen)
    for line in _kinds(kinds, say, chinese=chinese):
        print(line, file=screen)
    if len(found):
        few = told.select(_SHOWN)
        for line in table_lines(few, [heads[name] for name in _SHOWN], keys=5, limit=options.limit):
            print(line, file=screen)
    if len(found) > options.limit:
        print(say["more"].format(more=len(found) - max(options.limit, 0)), file=screen)
    print_written(options)


def _kinds(kinds: pa.Table, say: dict[str, str], *, chinese: bool) -> list[str]:
    """Return a line a signal: how many rows it has, and their amounts."""
    from drgdip.monitor import list_signals

    rows = {row["signal"]: row for row in kinds.to_pylist()}
    lines = []
    for signal in list_signals():
        if signal.id in rows:
            row = rows[signal.id]
            amount = "" if row["amount_sum"] is None else say["amount"].format(amount=row["amount_sum"])
            name = signal.chinese if chinese else signal.english
            lines.append(say["line"].format(number=row["signal_count"], signal=signal.id, name=name, amount=amount))
    return lines


def _in_chinese(found: pa.Table) -> pa.Table:
    """Return the rows with the names of signals and the reasons in Chinese."""
    import pyarrow as pa

    from drgdip.monitor import list_signals
    from drgdip.reasons import describe_reason

    names = {signal.id: signal.chinese for signal in list_signals()}
    texts = {
        "signal": [names[name] for name in found["signal"].to_pylist()],
        "amount_reason": [
            None if reason is None else describe_reason(reason, "zh") for reason in found["amount_reason"].to_pylist()
        ],
    }
    for name, values in texts.items():
        found = found.set_column(found.column_names.index(name), name, pa.array(values, pa.string()))
    return found


def _show_plan(plan: pa.Table, cases: int, options: argparse.Namespace) -> None:
    """Write which signals run, and print what the others lack."""
    import pyarrow as pa

    from drgdip.monitor import list_signals
    from drgdip.reasons import describe_reason

    chinese = options.language == "zh"
    say = _CHINESE if chinese else _ENGLISH
    states: dict[str, list[str]] = {}
    for row in plan.to_pylist():
        lack = describe_reason(row["reason"], options.language) if row["reason"] else say["runs"]
        states.setdefault(row["signal"], []).append(lack)
    names = {signal.id: signal.chinese if chinese else signal.english for signal in list_signals()}
    table = pa.table(
        {
            "signal": list(states),
            "name": [names[name] for name in states],
            "state": [("；" if chinese else "; ").join(found) for found in states.values()],
        }
    )
    heads = ["编号", "疑点", "状态"] if chinese else table.column_names
    write_table(table, heads, options, say["title"])
    numbers = {"number": sum(plan["runs"].to_pylist()), "all": len(states), "case_number": cases}
    print(say["plan"].format(file=options.files[0], cases=counted(cases, "case"), **numbers), file=screen_of(options))
    for line in table_lines(table, heads, keys=3, limit=len(table)):
        print(line, file=screen_of(options))
    print_written(options)
