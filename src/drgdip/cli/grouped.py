"""Files of grouped cases, or of cases that are grouped when they are read, for the verbs that come after the group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.choosing import add_scheme, scheme_of
from drgdip.cli.options import read_columns
from drgdip.cli.output import print_note, print_reading
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from drgdip.cli.parsing import Parser
    from drgdip.cli.words import Words
    from drgdip.grouper.family import SchemeLike

__all__ = ["add_cases", "load_scheme_of", "read_grouped", "read_ids", "read_keys", "read_more", "read_names"]


def add_cases(parser: Parser) -> None:
    """Add the files of cases, and the options that say how they are read and grouped."""
    say = parser.say
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help=say("grouped.files"))
    add_scheme(parser, say("grouped.scheme", scheme=say("option.scheme")), required=False)
    parser.add_argument("--codes", metavar="EDITION", help=say("grouped.codes"))
    parser.add_argument("--columns", action="append", default=[], metavar="COLUMN=NAME", help=say("grouped.columns"))


def load_scheme_of(options: argparse.Namespace) -> SchemeLike | None:
    """Return the scheme that ``--scheme`` or ``--place`` names, None without them."""
    if options.scheme is None and options.place is None and options.date is None:
        if options.codes:
            raise CaseError(options.say("grouped.codes_alone"))
        return None
    return scheme_of(options)


def read_grouped(paths: Sequence[Path], options: argparse.Namespace, scheme: SchemeLike | None) -> pa.Table:
    """Return the cases of some files with their groups, under the library's names.

    Cases that have a group keep it; without a scheme they must have one.
    """
    from drgdip.grouper.group import group
    from drgdip.settle import read_settlement

    say: Words = options.say
    columns = read_columns(options)
    if scheme is None:
        several = [name for name, found in columns.items() if not isinstance(found, str)]
        if several:
            raise CaseError(say("grouped.columns_again", column=several[0]))
        return read_settlement(*paths, columns={name: str(found) for name, found in columns.items()})
    cases = _joined([_read(path, options) for path in paths], paths, say)
    if "group" in cases.column_names:
        print_note(say("grouped.groups_stay", path=paths[0]), say)
        return cases
    return group(cases, scheme, codes=options.codes)


def read_more(path: Path | None, options: argparse.Namespace, scheme: SchemeLike | None) -> pa.Table | None:
    """Return the grouped cases of a file of an option (`read_grouped`), None where it is not given."""
    return None if path is None else read_grouped([path], options, scheme)


def _read(path: Path, options: argparse.Namespace) -> pa.Table:
    """Return the cases of a file with all its columns, and say what was not understood."""
    from drgdip.cases.readers import read_cases, reading_of
    from drgdip.settle.files import typed_table

    cases = read_cases(path, columns=read_columns(options))
    print_reading(reading_of(cases), options.say)
    return typed_table(cases.replace_schema_metadata(None), str(path))


def _joined(tables: Sequence[pa.Table], paths: Sequence[Path], say: Words) -> pa.Table:
    import pyarrow as pa

    for path, table in zip(paths, tables, strict=True):
        if table.column_names != tables[0].column_names:
            raise CaseError(say("grouped.other_columns", path=path, first=paths[0]))
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CaseError(say("grouped.other_types", first=paths[0], why=error)) from error


def read_names(text: str | None) -> list[str] | None:
    """Return the names of an option that are separated by commas, None where it is not given."""
    if text is None:
        return None
    names = [name.strip() for name in text.replace("，", ",").split(",")]
    return [name for name in names if name]


def read_keys(text: str, names: Sequence[str]) -> list[str]:
    """Return columns that are separated by commas, under the library's names where FILE has others for them."""
    from drgdip.cases.names import name_of

    found = [(name, name_of(name)) for name in read_names(text) or []]
    return [ours if name not in names and ours is not None and ours in names else name for name, ours in found]


def read_ids(text: str | None, chinese: Mapping[str, str]) -> list[str] | None:
    """Return ids that are separated by commas; each may be given by its Chinese name."""
    names = read_names(text)
    return None if names is None else [chinese.get(name, name) for name in names]
