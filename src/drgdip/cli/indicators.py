"""``drgdip indicators``: indicators of grouped cases by hospital, month or any other column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.grouped import add_cases, load_scheme_of, read_grouped, read_ids, read_keys, read_more
from drgdip.cli.options import Commands, add_verb, read_table
from drgdip.cli.output import print_note, print_written, screen_of
from drgdip.cli.tables import add_table_output, check_table_output, print_rows, write_table
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse

    import pyarrow as pa

    from drgdip.cli.words import Words

__all__ = ["add"]

#: Columns of the list of ``--describe``, each with the text ``indicators.head_<name>``.
_DESCRIBED = ("id", "name", "computed", "cases", "lacks")


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "indicators", say)
    add_cases(parser)
    parser.add_argument("--by", default="hospital", metavar="COLUMN,...", help=say("indicators.by"))
    parser.add_argument("--which", metavar="ID,...", help=say("indicators.which"))
    parser.add_argument("--reference", metavar="FILE", type=Path, help=say("indicators.reference"))
    parser.add_argument("--previous", metavar="FILE", type=Path, help=say("grouped.previous"))
    parser.add_argument("--weights", metavar="FILE", type=Path, help=say("indicators.weights"))
    parser.add_argument("--low-risk", metavar="FILE", type=Path, help=say("indicators.low_risk"))
    parser.add_argument("--basic", metavar="FILE", type=Path, help=say("indicators.basic"))
    parser.add_argument("--readmission-days", metavar="N", type=int, help=say("indicators.readmission_days"))
    parser.add_argument("--small", metavar="N", type=int, help=say("indicators.small"))
    parser.add_argument("--parts", action="store_true", help=say("indicators.parts"))
    parser.add_argument("--describe", action="store_true", help=say("indicators.describe"))
    add_table_output(parser, say("indicators.output"))
    parser.set_defaults(run=_run, input_format="auto")


def _run(options: argparse.Namespace) -> None:
    from drgdip.monitor import describe_indicators, indicators

    check_table_output(options)
    scheme = load_scheme_of(options)
    cases = read_grouped(options.files, options, scheme)
    say: Words = options.say
    given = {
        "reference": read_more(options.reference, options, scheme),
        "weights": read_table(options.weights),
        "low_risk": _groups(options.low_risk, say),
        "basic": _groups(options.basic, say),
        "readmission_days": options.readmission_days,
    }
    described = describe_indicators(cases, **given)
    if options.describe:
        _describe(described.to_arrow(), len(cases), options)
        return
    by = read_keys(options.by, cases.column_names)
    which = read_ids(options.which, {row.chinese: row.id for row in described})
    previous = read_more(options.previous, options, scheme)
    table = indicators(cases, by, previous=previous, which=which, parts=options.parts, small=options.small, **given)
    _show(table, len(cases), by, options)
    if described.row("grouped").computed:
        (total,) = indicators(cases, [], which=["discharges", "grouped"]).to_pylist()
        ungrouped = total["discharges"] - total["grouped"]
        if ungrouped:
            print_note(say("indicators.ungrouped", ungrouped=ungrouped, cases=len(cases)), say)
    lacking = sum(not row.computed for row in described)
    if which is None and lacking:
        print_note(say("indicators.lacking", number=lacking, all=len(described)), say)


def _show(table: pa.Table, cases: int, by: list[str], options: argparse.Namespace) -> None:
    """Write a table of indicators, and print its first rows."""
    from drgdip.monitor.headings import heading, indicator_of

    say: Words = options.say
    heads = [heading(name, "zh") if say.language == "zh" else name for name in table.column_names]
    write_table(table, heads, options, say("indicators.title"))
    found = [indicator_of(name) for name in table.column_names]
    number = sum(row is not None and not ending for row, ending in found)
    facts = {"cases": cases, "rows": len(table), "columns": number}
    print(say("indicators.head", file=options.files[0], **facts), file=screen_of(options))
    print_rows(table, heads, options, keys=len(by))
    print_written(options)


def _describe(table: pa.Table, cases: int, options: argparse.Namespace) -> None:
    """Write which indicators can be computed, and print them."""
    say: Words = options.say
    table = table.drop_columns(["english" if say.language == "zh" else "chinese"])
    heads = [say(f"indicators.head_{name}") for name in _DESCRIBED]
    write_table(table, heads, options, say("indicators.title"))
    facts = {"cases": cases, "number": sum(table["computed"].to_pylist()), "all": len(table)}
    print(say("indicators.described", file=options.files[0], **facts), file=screen_of(options))
    print_rows(table, heads, options, keys=2, limit=len(table))
    print_written(options)


def _groups(path: Path | None, say: Words) -> list[str] | None:
    """Return the groups of a file."""
    table = read_table(path)
    if table is None:
        return None
    if "group" not in table.column_names:
        raise CaseError(say("indicators.no_group", path=path, columns=say.joined(table.column_names)))
    return [str(name) for name in table["group"].to_pylist() if name is not None]
