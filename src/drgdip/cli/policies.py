"""``drgdip policies``: list the policies of places, show or draft one."""

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
    verbs = parser.add_subparsers(metavar="show, draft")
    draft = verbs.add_parser("draft", help="print a file to be filled in, with the open numbers marked")
    draft.add_argument("policy", metavar="ID", help="a policy's id")
    draft.set_defaults(run=_draft)
    show = verbs.add_parser("show", help="show the file of one policy")
    show.add_argument("policy", metavar="ID", help="a policy's id")
    show.set_defaults(run=_show)


def _list(_: argparse.Namespace) -> None:
    from drgdip.settle import list_policies

    for row in list_policies():
        print(f"{row.id:<12} {row.family}  {row.form or 'form to be given':<16}  {row.title}")


def _show(options: argparse.Namespace) -> None:
    from drgdip.settle.policies import policy_text

    print(policy_text(options.policy), end="")


def _draft(options: argparse.Namespace) -> None:
    from drgdip.settle import draft_policy

    print(draft_policy(options.policy), end="")
