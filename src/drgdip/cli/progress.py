"""A bar of progress on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drgdip.cases.readers import CasePart
    from drgdip.cli.words import Words

__all__ = ["with_progress"]

_BAR = 30


def with_progress(parts: Iterable[CasePart], say: Words) -> Iterator[CasePart]:
    """Yield the parts of a file, and draw a bar on a terminal where there are several."""
    show, rows, bar = sys.stderr.isatty(), 0, ""
    for part in parts:
        yield part
        rows += len(part.table)
        if show and (part.done < 1 or bar):
            filled = round(part.done * _BAR)
            bar = f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {part.done:4.0%} {say('progress.cases', cases=rows)}"
            print(bar, end="", file=sys.stderr, flush=True)
    if bar:
        print(file=sys.stderr)
