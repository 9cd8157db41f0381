"""``drgdip group``: group a file of cases."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.options import FILE, SCHEME, Commands, add_output, add_reading, read_columns, source_of
from drgdip.cli.output import open_output, print_columns, print_note, print_reading, print_written, screen_of
from drgdip.cli.progress import with_progress
from drgdip.cli.summary import Summary
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import pyarrow as pa

    from drgdip.cases.readers import CasePart
    from drgdip.grouper.family import SchemeLike

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser("group", help="group a file of cases", description="Group a file of cases.")
    parser.add_argument("file", metavar="FILE", type=Path, help=FILE)
    parser.add_argument("--scheme", required=True, metavar="ID", help=SCHEME)
    add_output(parser, "the cases with their groups")
    parser.add_argument("--prefix", default="", metavar="TEXT", help="put before the names of the result's columns")
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.cases.describe import understand
    from drgdip.cases.readers import read_case_parts
    from drgdip.grouper.load import load_any

    scheme = load_any(options.scheme)
    every: list[str] = []
    parts = read_case_parts(
        source_of(options.file),
        format=options.input_format,
        columns=read_columns(options),
        wanted=_wanted(scheme, options, every),
    )
    first = next(parts)  # before OUT is opened: a column that is missing is so in every row
    understood = understand(every, read_columns(options), first.table)
    summary = Summary(scheme)
    lines: list[int] = []
    with open_output(options) as writer:
        for part in with_progress(itertools.chain([first], parts)):
            lines += part.spoilt
            grouped = _group_part(part, scheme, options, summary)
            if writer is not None:
                writer.write(grouped)
    _report(options, summary)
    print_columns(understood)
    print_reading(first.above, lines)


def _wanted(scheme: SchemeLike, options: argparse.Namespace, every: list[str]) -> Callable[[list[str]], list[str]]:
    """Return what chooses the columns to read: all where the file is written again, else the case columns.

    The names of all columns are left in ``every``.
    """
    from drgdip.cases.table import used_names
    from drgdip.grouper.group import taken_names

    def wanted(names: list[str]) -> list[str]:
        every[:] = names
        taken = taken_names(names, scheme, options.prefix)
        if taken:
            raise CaseError(
                f"{options.file} has columns {', '.join(taken)} already; "
                "give --prefix new_ to name the result's columns otherwise"
            )
        if options.output is not None:
            return names
        used = used_names(names, read_columns(options))
        return [name for name in names if name in used]

    return wanted


def _group_part(part: CasePart, scheme: SchemeLike, options: argparse.Namespace, summary: Summary) -> pa.Table:
    """Return a part of the file with the result's columns, and count it."""
    from drgdip._arrow import with_columns
    from drgdip.cases.table import with_all_columns
    from drgdip.grouper.group import group

    results = group(with_all_columns(part.cases), scheme, codes=options.codes).select(scheme.result._fields)
    summary.add(part.cases, results)
    named = results.rename_columns([options.prefix + name for name in results.column_names])
    return with_columns(part.table, named.replace_schema_metadata(results.schema.metadata))  # renaming loses it


def _report(options: argparse.Namespace, summary: Summary) -> None:
    screen = screen_of(options)
    print(f"{options.file}: ", end="", file=screen)
    for line in summary.lines():
        print(line, file=screen)
    if options.output is None:
        print("nothing written: name a file with -o to keep the groups", file=screen)
    print_written(options)
    for line in summary.warnings():
        print_note(line)
