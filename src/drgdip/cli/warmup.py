"""``drgdip warmup``: compile the kernels when an image is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.cli.options import Commands  # noqa: TC001 - an alias of Any

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "warmup",
        help="compile the kernels now, when an image is built",
        description="Compile the kernels and prepare schemes, so that no process waits for it later.",
    )
    parser.add_argument("scheme", nargs="*", metavar="ID", help="schemes and catalogues to prepare")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from drgdip.grouper.group import warmup
    from drgdip.versions import kernel_cache

    warmup(*options.scheme)
    print(f"kernels are compiled; cache: {kernel_cache()}")
