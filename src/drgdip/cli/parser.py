"""The parser of the command line: every verb adds its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip._version import __version__
from drgdip.cli import (
    build,
    certify,
    check,
    diff,
    explain,
    group,
    indicators,
    policies,
    schemes,
    settle,
    signals,
    warmup,
)
from drgdip.cli.parsing import Parser

if TYPE_CHECKING:
    from drgdip.cli.words import Words

__all__ = ["build_parser"]

#: The verbs in the order of the help.
_VERBS = (group, check, explain, schemes, diff, build, warmup, settle, policies, indicators, signals, certify)


def build_parser(say: Words) -> Parser:
    """Return the parser of all verbs; the options that it reads have the verb's function as ``run``."""
    parser = Parser(say=say, prog="drgdip", description=say("drgdip.description"))
    parser.add_argument("--version", action="version", version=f"drgdip {__version__}", help=say("drgdip.version"))
    commands = parser.add_verbs(title=say("usage.commands"), required=True, metavar="COMMAND")
    for verb in _VERBS:
        verb.add(commands, say)
    return parser
