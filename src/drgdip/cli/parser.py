"""The parser of the command line: every verb adds its own."""

from __future__ import annotations

import argparse

from drgdip._version import __version__
from drgdip.cli import build, check, diff, explain, group, policies, schemes, settle, warmup

__all__ = ["build_parser"]

#: The verbs in the order of the help.
_VERBS = (group, check, explain, schemes, diff, build, warmup, settle, policies)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; the options that it reads have the verb's function as ``run``."""
    parser = argparse.ArgumentParser(
        prog="drgdip",
        description="Group hospital discharges under China's DRG and DIP payment schemes, and settle what is paid.",
    )
    parser.add_argument("--version", action="version", version=f"drgdip {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for verb in _VERBS:
        verb.add(commands)
    return parser
