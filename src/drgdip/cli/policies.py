"""``drgdip policies``: list the policies of places, or show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.cli.options import Commands  # noqa: TC001 - an alias of Any

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "policies", help="list the policies of places, or show one", description="List the policies of places."
    )
    parser.set_defaults(run=_list)
    show = parser.add_subparsers(metavar="show").add_parser("show", help="show the file of one policy")
    show.add_argument("policy", metavar="ID", help="a policy's id")
    show.set_defaults(run=_show)


def _list(_: argparse.Namespace) -> None:
    from drgdip.settle import list_policies

    for row in list_policies():
        print(f"{row.id:<12} {row.family}  {row.form or 'form to be given':<16}  {row.title}")


def _show(options: argparse.Namespace) -> None:
    from drgdip.settle.policies import policy_text

    print(policy_text(options.policy), end="")
