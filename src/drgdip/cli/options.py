"""Options that several verbs have: the file of cases, the scheme, where to write."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from drgdip.errors import CaseError, PolicyError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from drgdip.cli.parsing import Parser
    from drgdip.cli.words import Words

__all__ = [
    "Commands",
    "add_output",
    "add_reading",
    "add_verb",
    "read_columns",
    "read_file",
    "read_pairs",
    "read_table",
    "source_of",
]

#: The object that a verb adds its parser to; argparse has no public type for it.
Commands: TypeAlias = Any


def add_verb(commands: Commands, name: str, say: Words) -> Parser:
    """Add the parser of a verb, with the texts ``<name>.help`` and ``<name>.description``, and return it."""
    parser: Parser = commands.add_parser(name, help=say(f"{name}.help"), description=say(f"{name}.description"))
    return parser


def add_reading(parser: Parser) -> None:
    """Add the options that say how FILE is read."""
    say = parser.say
    parser.add_argument(
        "--input-format",
        choices=("csv", "excel", "json", "jsonl", "parquet"),
        default="auto",
        help=say("option.input_format"),
    )
    parser.add_argument("--codes", metavar="EDITION", help=say("option.codes"))
    parser.add_argument("--columns", action="append", default=[], metavar="COLUMN=NAME", help=say("option.columns"))


def add_output(parser: Parser, what: str) -> None:
    """Add the options that say where the result is written, and in which format; ``what`` is its text."""
    say = parser.say
    parser.add_argument("-o", "--output", metavar="OUT", help=say("option.output", what=what))
    parser.add_argument("--format", choices=("csv", "excel", "json", "jsonl", "parquet"), help=say("option.format"))


def read_columns(options: argparse.Namespace) -> dict[str, str | list[str]]:
    """Return the name in FILE by case column, from ``--columns``; the names, of a column that is given again."""
    pairs = [pair.partition("=") for pair in options.columns]
    for column, sign, name in pairs:
        if not sign or not column or not name:
            raise CaseError(options.say("error.columns", given=f"{column}{sign}{name}"))
    names: dict[str, list[str]] = {}
    for column, _, name in pairs:
        names.setdefault(column, []).append(name)
    return {column: found if len(found) > 1 else found[0] for column, found in names.items()}


def source_of(file: Path) -> Any:
    """Return where the cases come from: a file, or standard input for ``-``."""
    return sys.stdin.buffer if str(file) == "-" else file


def read_file(file: Path, options: argparse.Namespace, *, others: bool | None = None) -> pa.Table:
    """Return the cases of a file, or of standard input for ``-``, read as the options of `add_reading` say."""
    from drgdip.cases.readers import read_cases

    columns = read_columns(options)
    return read_cases(source_of(file), format=options.input_format, columns=columns, others=others)


def read_table(path: Path | None) -> pa.Table | None:
    """Return the table of a file of an option, None where it is not given."""
    from drgdip.settle.files import read_settlement

    return None if path is None else read_settlement(path)


def read_pairs(words: Sequence[str] | None, option: str, say: Words) -> dict[str, str]:
    """Return the value by name, from an option of settlement that is given as NAME=VALUE."""
    pairs = [word.rpartition("=") for word in words or ()]
    for name, sign, value in pairs:
        if not name or not value:
            raise PolicyError(say("error.pair", option=option, given=f"{name}{sign}{value}"))
    doubled = [name for name, times in Counter(name for name, _, _ in pairs).items() if times > 1]
    if doubled:
        raise PolicyError(say("error.pair_twice", option=option, name=doubled[0]))
    return {name: value for name, _, value in pairs}
