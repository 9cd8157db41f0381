"""Files of grouped cases, or of cases that are grouped when they are read, for the verbs that come after the group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.cli.options import SCHEME, read_columns
from drgdip.cli.output import print_note, print_reading
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from drgdip.grouper.family import SchemeLike

__all__ = ["add_cases", "load_scheme_of", "read_grouped", "read_ids", "read_keys", "read_names"]


def add_cases(parser: argparse.ArgumentParser) -> None:
    """Add the files of cases, and the options that say how they are read and grouped."""
    parser.add_argument(
        "files",
        metavar="FILE",
        type=Path,
        nargs="+",
        help="grouped cases, or cases with --scheme: CSV, Excel, JSON ...",
    )
    parser.add_argument("--scheme", metavar="ID", help=f"group cases first; {SCHEME}")
    parser.add_argument(
        "--codes",
        metavar="EDITION",
        help="the edition of the codes, such as clinical-2.0, to be mapped to the scheme's",
    )
    parser.add_argument(
        "--columns", action="append", default=[], metavar="COLUMN=NAME", help="the name in FILE of a column of ours"
    )


def load_scheme_of(options: argparse.Namespace) -> SchemeLike | None:
    """Return the scheme that ``--scheme`` names, None without it."""
    from drgdip.grouper.load import load_any

    if options.scheme is None:
        if options.codes:
            raise CaseError("--codes goes with --scheme: codes are mapped when cases are grouped")
        return None
    return load_any(options.scheme)


def read_grouped(paths: Sequence[Path], options: argparse.Namespace, scheme: SchemeLike | None) -> pa.Table:
    """Return the cases of some files with their groups, under the library's names.

    Cases that have a group keep it; without ``--scheme`` they must have one.
    """
    from drgdip.grouper.group import group
    from drgdip.settle import read_settlement

    columns = read_columns(options)
    if scheme is None:
        several = [name for name, found in columns.items() if not isinstance(found, str)]
        if several:
            raise CaseError(f"--columns names {several[0]} again: without --scheme a column has one name")
        return read_settlement(*paths, columns={name: str(found) for name, found in columns.items()})
    cases = _joined([_read(path, options) for path in paths], paths)
    if "group" in cases.column_names:
        print_note(f"{paths[0]} has a column group, and its groups stay")
        return cases
    return group(cases, scheme, codes=options.codes)


def _read(path: Path, options: argparse.Namespace) -> pa.Table:
    """Return the cases of a file with all its columns, and say what was not understood."""
    from drgdip.cases.readers import read_cases, reading_of
    from drgdip.settle.files import typed_table

    cases = read_cases(path, columns=read_columns(options))
    print_reading(reading_of(cases), options.language)
    return typed_table(cases.replace_schema_metadata(None), str(path))


def _joined(tables: Sequence[pa.Table], paths: Sequence[Path]) -> pa.Table:
    import pyarrow as pa

    for path, table in zip(paths, tables, strict=True):
        if table.column_names != tables[0].column_names:
            raise CaseError(f"{path}: has other columns than {paths[0]}: bring the files into one layout")
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CaseError(f"{paths[0]} and the files after it hold different types: {error}") from error


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
