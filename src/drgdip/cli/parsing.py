"""The parser of one verb, whose help and errors are in the language of the run."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from drgdip._listing import width_of
from drgdip.cli.words import translate
from drgdip.reasons import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drgdip.cli.words import Words

__all__ = ["Parser", "wrap"]

#: A piece of a line that is not broken: a word with the marks that close behind it, or one wide character.
_PIECE = re.compile(r"\s*(?:[!-~]+|.)[，。；：、）》”」！？]*", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """A parser that says what it says in one language, and has the option of the language."""

    def __init__(self, *, say: Words, **options: Any) -> None:
        super().__init__(add_help=False, formatter_class=partial(_Formatter, say=say), **options)
        self.say = say
        self._positionals.title = say("usage.positionals")
        self._optionals.title = say("usage.options")
        self.add_argument("-h", "--help", action="help", help=say("usage.help"))
        # Without a default of its own a verb leaves what stands before it as it is.
        self.add_argument("--language", choices=LANGUAGES, default=argparse.SUPPRESS, help=say("usage.language"))

    def add_verbs(self, **options: Any) -> Any:
        """Return the object that verbs are added to, each with a parser of this kind."""
        make: Any = partial(type(self), say=self.say)
        return self.add_subparsers(parser_class=make, **options)

    def error(self, message: str) -> NoReturn:
        """Print the usage and a message, and end the process."""
        self.print_usage(sys.stderr)
        self.exit(
            2, self.say("usage.error", program=self.prog, message=translate(message, self.say, "argparse")) + "\n"
        )


class _Formatter(argparse.HelpFormatter):
    """The help of argparse with lines that fit a terminal where characters take two columns."""

    def __init__(self, prog: str, *, say: Words, **options: Any) -> None:
        super().__init__(prog, **options)
        self._say = say

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, self._say("usage.prefix") if prefix is None else prefix)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(" ".join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrap(" ".join(text.split()), width - len(indent)))


def wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text, broken between words and between wide characters, never before a closing mark.

    >>> wrap("要写入的文件，默认CSV", 12)
    ['要写入的文', '件，默认CSV']
    """
    lines, line = [], ""
    for piece in _PIECE.findall(text):
        if line and width_of(line + piece) > width:
            lines.append(line)
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line] if line else lines
