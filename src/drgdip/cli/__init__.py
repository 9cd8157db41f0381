"""The command line: ``drgdip`` and a verb. Each verb has a module of its own; `drgdip.cli.parser` lists them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

from drgdip._text import shown
from drgdip.cli.parser import build_parser
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
    hint: Z99 is not in the code set; nearest: Z99.000 依赖吸引器, Z99.100x001 依赖于呼吸器者,
        Z99.200x002 肾脏透析状态
    principal diagnosis: Z99
    CC, MCC: none
    0
    """
    if arguments is None:  # a terminal without Chinese shows escapes rather than nothing
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except DrgdipError as error:
        print(f"drgdip: {_lines(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough
        with contextlib.suppress(OSError, ValueError):  # nothing is to be written when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("drgdip: stopped", file=sys.stderr)
        return 130
    return 0


def _lines(text: str) -> str:
    """Return a message, whose own lines stay, as a terminal may show it."""
    return "\n".join(map(shown, text.split("\n")))
