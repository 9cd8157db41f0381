"""``drgdip warmup``: compile the kernels when an image is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.cli.options import Commands, add_verb

if TYPE_CHECKING:
    import argparse

    from drgdip.cli.words import Words

__all__ = ["add"]


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "warmup", say)
    parser.add_argument("scheme", nargs="*", metavar="ID", help=say("warmup.scheme"))
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.group import warmup
    from drgdip.versions import kernel_cache

    warmup(*options.scheme)
    print(options.say("warmup.done", cache=kernel_cache()))
