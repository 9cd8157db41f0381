"""``drgdip signals``: signals of misuse in grouped cases, as rows to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip.cli.grouped import add_cases, load_scheme_of, read_grouped, read_ids, read_more
from drgdip.cli.options import Commands, add_verb, read_table
from drgdip.cli.output import print_note, print_written, screen_of
from drgdip.cli.tables import add_table_output, check_table_output, print_rows, write_table

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

    from drgdip.cli.words import Words

__all__ = ["add"]

#: The columns of a row that the screen has room for.
_SHOWN = ("row", "case_id", "hospital", "group", "signal", "value", "expected", "limit", "amount")
#: Columns of the list of ``--plan``, each with the text ``signals.head_<name>``.
_PLANNED = ("signal", "name", "state")


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "signals", say)
    add_cases(parser)
    parser.add_argument("--parameters", metavar="FILE", type=Path, help=say("signals.parameters"))
    parser.add_argument("--which", metavar="ID,...", help=say("signals.which"))
    parser.add_argument("--weights", metavar="FILE", type=Path, help=say("signals.weights"))
    parser.add_argument("--rates", metavar="FILE", type=Path, help=say("signals.rates"))
    parser.add_argument("--reference", metavar="FILE", type=Path, help=say("signals.reference"))
    parser.add_argument("--previous", metavar="FILE", type=Path, help=say("grouped.previous"))
    parser.add_argument("--outpatient", metavar="FILE", type=Path, help=say("signals.outpatient"))
    parser.add_argument("--items", metavar="FILE", type=Path, help=say("signals.items"))
    parser.add_argument("--plan", action="store_true", help=say("signals.plan"))
    add_table_output(parser, say("signals.output"))
    parser.set_defaults(run=_run, input_format="auto")


def _run(options: argparse.Namespace) -> None:
    from drgdip.monitor import list_signals, plan_signals, signals

    check_table_output(options)
    scheme = load_scheme_of(options)
    cases = read_grouped(options.files, options, scheme)
    which = read_ids(options.which, {signal.chinese: signal.id for signal in list_signals()})
    given: dict[str, Any] = {"which": which, "parameters": options.parameters}
    given |= {name: read_table(getattr(options, name)) for name in ("outpatient", "items")}
    given["previous"] = read_more(options.previous, options, scheme)
    plan = plan_signals(cases, scheme, **given)
    if options.plan:
        _show_plan(plan, len(cases), options)
        return
    given |= {name: read_table(getattr(options, name)) for name in ("weights", "rates")}
    given["reference"] = read_more(options.reference, options, scheme)
    found = signals(cases, scheme, **given)
    _show(found, len(cases), options)
    say: Words = options.say
    idle = {row["signal"] for row in plan.to_pylist() if not row["runs"]}
    if idle:
        print_note(say("signals.lacking", number=len(idle), all=len(list_signals())), say)


def _show(found: pa.Table, cases: int, options: argparse.Namespace) -> None:
    """Write the rows, and print how many there are of each signal and the first ones."""
    from drgdip.monitor.headings import heading

    say: Words = options.say
    told = _in_chinese(found) if say.language == "zh" else found
    heads = {name: heading(name, "zh") if say.language == "zh" else name for name in told.column_names}
    write_table(told, [*heads.values()], options, say("signals.title"))
    kinds = found.group_by("signal", use_threads=False).aggregate([("signal", "count"), ("amount", "sum")])
    facts = {"cases": cases, "rows": len(found), "kinds": len(kinds)}
    screen = screen_of(options)
    print(say("signals.head", file=options.files[0], **facts), file=screen)
    for line in _kinds(kinds, say):
        print(line, file=screen)
    if len(found):
        print_rows(told.select(_SHOWN), [heads[name] for name in _SHOWN], options, keys=5)
    print_written(options)


def _kinds(kinds: pa.Table, say: Words) -> list[str]:
    """Return a line a signal: how many rows it has, and their amounts."""
    from drgdip.monitor import list_signals

    rows = {row["signal"]: row for row in kinds.to_pylist()}
    lines = []
    for signal in list_signals():
        if signal.id in rows:
            row = rows[signal.id]
            amount = "" if row["amount_sum"] is None else say("signals.amount", amount=row["amount_sum"])
            facts = {"signal": signal.id, "name": _name_of(signal, say), "amount": amount}
            lines.append(say("signals.line", number=f"{row['signal_count']:>8,}", **facts))
    return lines


def _name_of(signal: Any, say: Words) -> str:
    return str(signal.chinese if say.language == "zh" else signal.english)


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

    say: Words = options.say
    states: dict[str, list[str]] = {}
    for row in plan.to_pylist():
        lack = describe_reason(row["reason"], say.language) if row["reason"] else say("signals.runs")
        states.setdefault(row["signal"], []).append(lack)
    names = {signal.id: _name_of(signal, say) for signal in list_signals()}
    table = pa.table(
        {
            "signal": list(states),
            "name": [names[name] for name in states],
            "state": [say("signals.both").join(found) for found in states.values()],
        }
    )
    heads = [say(f"signals.head_{name}") for name in _PLANNED]
    write_table(table, heads, options, say("signals.title"))
    facts = {"cases": cases, "number": sum(plan["runs"].to_pylist()), "all": len(states)}
    print(say("signals.plan_head", file=options.files[0], **facts), file=screen_of(options))
    print_rows(table, heads, options, keys=3, limit=len(table))
    print_written(options)
