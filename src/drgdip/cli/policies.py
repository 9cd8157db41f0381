"""``drgdip policies``: list the policies of places, show or draft one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip._listing import pad
from drgdip.cli.options import Commands, add_verb

if TYPE_CHECKING:
    import argparse

    from drgdip.cli.words import Words

__all__ = ["add"]


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "policies", say)
    parser.set_defaults(run=_list)
    verbs = parser.add_verbs(metavar="show, draft")
    draft = verbs.add_parser("draft", help=say("policies.draft"))
    draft.add_argument("policy", metavar="ID", help=say("policies.policy"))
    draft.set_defaults(run=_draft)
    show = verbs.add_parser("show", help=say("policies.show"))
    show.add_argument("policy", metavar="ID", help=say("policies.policy"))
    show.set_defaults(run=_show)


def _list(options: argparse.Namespace) -> None:
    from drgdip.settle import list_policies

    say: Words = options.say
    for row in list_policies():
        form = pad(say(f"policies.form_{row.form or 'open'}"), 16)
        # The names of policies are English; a Chinese reader knows one by its place and document.
        title = row.title if say.language == "en" else f"{row.place}  {row.source}"
        print(f"{row.id:<12} {row.family}  {form}  {title}")


def _show(options: argparse.Namespace) -> None:
    from drgdip.settle.policies import policy_text

    print(policy_text(options.policy), end="")


def _draft(options: argparse.Namespace) -> None:
    from drgdip.settle import draft_policy

    print(draft_policy(options.policy), end="")
