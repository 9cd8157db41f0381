"""The command line: ``drgdip`` and a verb. Each verb has a module of its own; `drgdip.cli.parser` lists them."""

from __future__ import annotations

import contextlib
import locale
import os
import sys
from typing import TYPE_CHECKING

from drgdip._text import shown
from drgdip.cli.parser import build_parser
from drgdip.cli.signs import fit_streams
from drgdip.cli.words import Words, find_language, translate
from drgdip.errors import DrgdipError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        The words after the command's name; None takes those of the process.

    Returns
    -------
    0 when done, 1 when an input or a scheme cannot be used. Wrong words of the command line end the process with 2.

    Examples
    --------
    >>> main(["explain", "--scheme", "chs-drg-2.0", "--sex", "2", "--age", "59", "--dx", "Z99", "--brief"])
    case · chs-drg-2.0 · ungrouped
    group: 0000
    reason: principal diagnosis is in neither the code set nor the scheme
    hint: Z99 is not in the code set; nearest: Z99.000, Z99.100x001, Z99.200x002
    diagnoses: Z99
    CC, MCC: none
    0
    """
    if arguments is None:
        fit_streams()
    words = sys.argv[1:] if arguments is None else arguments
    say = Words(_language_of(words))
    options = build_parser(say).parse_args(words)
    options.say = say = Words(getattr(options, "language", say.language))
    try:
        options.run(options)
        sys.stdout.flush()
    except DrgdipError as error:
        print(f"drgdip: {_lines(translate(str(error), say, 'library'))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough
        with contextlib.suppress(OSError, ValueError):  # nothing is to be written when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"drgdip: {say('stopped')}", file=sys.stderr)
        return 130
    return 0


def _language_of(words: Sequence[str]) -> str:
    """Return the language of a run, from its words or the process."""
    # Windows sets no variable of the locale.
    system = (locale.getlocale()[0] or "") if os.name == "nt" else ""
    encoding = getattr(sys.stdout, "encoding", None) or ""
    return find_language(words, os.environ, system=system, encoding=encoding)


def _lines(text: str) -> str:
    """Return a message, whose own lines stay, as a terminal may show it."""
    return "\n".join(map(shown, text.split("\n")))
