"""Options that several verbs have: the file of cases, where to write, the language."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from drgdip.errors import CaseError, PolicyError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "FILE",
    "SCHEME",
    "Commands",
    "add_language",
    "add_output",
    "add_reading",
    "read_columns",
    "read_pairs",
    "source_of",
]

#: The object that a verb adds its parser to; argparse has no public type for it.
Commands: TypeAlias = Any

FILE = "CSV, Excel, JSON (also 4101A), JSON lines or Parquet; a folder or zip of them; - for standard input"
SCHEME = "a scheme's or catalogue's id, or the path of its folder"


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how FILE is read."""
    parser.add_argument(
        "--input-format",
        choices=("csv", "excel", "json", "jsonl", "parquet"),
        default="auto",
        help="format of FILE, else by its ending, or by the content of standard input",
    )
    parser.add_argument(
        "--codes",
        metavar="EDITION",
        help="the edition of FILE's codes, such as clinical-2.0, to be mapped to the scheme's",
    )
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="COLUMN=NAME",
        help="the name in FILE of a case column that is not found by itself; also of dx_principal, dx_others, "
        "procs_principal, procs_others. * stands for anything: 'dx_others=其他诊断编码*'; several names: again",
    )


def add_output(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the options that say where the result is written, and in which format."""
    parser.add_argument("-o", "--output", metavar="OUT", help=f"where to write {what}; - for the screen")
    parser.add_argument(
        "--format", choices=("csv", "json", "jsonl", "parquet"), help="format of OUT, else by its ending"
    )


def add_language(parser: argparse.ArgumentParser) -> None:
    """Add the option of the language."""
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="language of the words (default: en)")


def read_columns(options: argparse.Namespace) -> dict[str, str | list[str]]:
    """Return the name in FILE by case column, from ``--columns``; the names, of a column that is given again."""
    pairs = [pair.partition("=") for pair in options.columns]
    for column, sign, name in pairs:
        if not sign or not column or not name:
            raise CaseError(f"--columns {column}{sign}{name}: say it as COLUMN=NAME, such as dx=诊断编码")
    names: dict[str, list[str]] = {}
    for column, _, name in pairs:
        names.setdefault(column, []).append(name)
    return {column: found if len(found) > 1 else found[0] for column, found in names.items()}


def source_of(file: Path) -> Any:
    """Return where the cases come from: a file, or standard input for ``-``."""
    return sys.stdin.buffer if str(file) == "-" else file


def read_pairs(words: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return the value by name, from an option of settlement that is given as NAME=VALUE."""
    pairs = [word.rpartition("=") for word in words or ()]
    for name, sign, value in pairs:
        if not name or not value:
            raise PolicyError(f"{option} {name}{sign}{value}: say it as NAME=VALUE")
    doubled = [name for name, times in Counter(name for name, _, _ in pairs).items() if times > 1]
    if doubled:
        raise PolicyError(f"{option} names {doubled[0]!r} twice: leave one of them")
    return {name: value for name, _, value in pairs}
