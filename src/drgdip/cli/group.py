"""``drgdip group``: group a file of cases."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.choosing import add_scheme, scheme_of
from drgdip.cli.options import Commands, add_output, add_reading, add_verb, read_columns, source_of
from drgdip.cli.output import open_output, print_note, print_reading, print_written, screen_of
from drgdip.cli.progress import with_progress
from drgdip.cli.summary import Summary
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import pyarrow as pa

    from drgdip.cases.readers import CasePart, Reading
    from drgdip.cli.words import Words
    from drgdip.grouper.family import SchemeLike

__all__ = ["add"]

#: The column of ``--names``.
_NAME = "group_name"


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "group", say)
    parser.add_argument("file", metavar="FILE", type=Path, help=say("option.file"))
    add_scheme(parser)
    add_output(parser, say("group.output"))
    parser.add_argument("--names", action="store_true", help=say("group.names"))
    parser.add_argument("--prefix", default="", metavar="TEXT", help=say("group.prefix"))
    add_reading(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.cases.readers import join_readings, read_case_parts

    scheme = scheme_of(options)
    parts = read_case_parts(
        source_of(options.file),
        format=options.input_format,
        columns=read_columns(options),
        wanted=_wanted(scheme, options),
    )
    first = next(parts)  # before OUT is opened: a column that is missing is so in every row
    summary = Summary(scheme, options.say)
    readings: list[Reading] = []
    with open_output(options) as writer:
        for part in with_progress(itertools.chain([first], parts), options.say):
            readings.append(part.reading)
            grouped = _group_part(part, scheme, options, summary)
            if writer is not None:
                writer.write(grouped)
    _report(options, summary)
    print_reading(join_readings(readings), options.say)


def _wanted(scheme: SchemeLike, options: argparse.Namespace) -> Callable[[list[str]], list[str]]:
    """Return what chooses the columns to read: all where the file is written again, else the case columns."""
    from drgdip.cases.table import used_names
    from drgdip.grouper.group import taken_names

    def wanted(names: list[str]) -> list[str]:
        taken = taken_names(names, scheme, options.prefix)
        if options.names and options.prefix + _NAME in names:
            taken.append(options.prefix + _NAME)
        if taken:
            raise CaseError(options.say("group.taken", file=options.file, columns=options.say.joined(taken)))
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
    if options.names:
        results = _with_group_names(results, scheme)
    named = results.rename_columns([options.prefix + name for name in results.column_names])
    return with_columns(part.table, named.replace_schema_metadata(results.schema.metadata))  # renaming loses it


def _with_group_names(results: pa.Table, scheme: SchemeLike) -> pa.Table:
    """Return results with the name of each group behind its code; a group without a name has what it asks for."""
    import pyarrow as pa

    groups = results["group"].to_pylist()
    names = pa.array([scheme.labels.get(group) for group in groups], pa.string())
    place = results.column_names.index("group") + 1
    return results.add_column(place, _NAME, names)


def _report(options: argparse.Namespace, summary: Summary) -> None:
    say: Words = options.say
    screen = screen_of(options)
    first, *lines = summary.lines()
    print(say("group.summary", file=options.file, summary=first), file=screen)
    for line in lines:
        print(line, file=screen)
    if options.output is None:
        print(say("group.nothing_written"), file=screen)
    print_written(options)
    for line in summary.warnings():
        print_note(line, say)
