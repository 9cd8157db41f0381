"""Where a verb writes: the file of ``-o``, and the screen."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from drgdip._files import replacing
from drgdip._text import shown
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from drgdip._writers import TableWriter
    from drgdip.cases.describe import Understood

__all__ = [
    "check_output",
    "counted",
    "open_output",
    "print_columns",
    "print_note",
    "print_reading",
    "print_written",
    "screen_of",
    "shorten",
]

#: How much of a name or of a rule a line has room for.
_LINES = 5  # that a note names
_ROOM = 120


@contextlib.contextmanager
def open_output(options: argparse.Namespace) -> Iterator[TableWriter | None]:
    """Yield the writer that ``-o`` and ``--format`` ask for, or None."""
    from drgdip._writers import TableWriter
    from drgdip.cases.parts import encoding_of
    from drgdip.cases.sources import Source, format_of

    if options.output is None:
        if options.format:
            raise CaseError("--format says how to write, but there is no -o to say where")
        yield None
        return
    if options.output == "-":
        with TableWriter(sys.stdout.buffer, options.format or "csv") as writer:
            yield writer
        return
    path = Path(options.output)
    form = options.format or format_of(path)
    if form == "excel":
        raise CaseError(f"{path}: the format of a file {path.suffix} is only read; write CSV, JSON or Parquet")
    check_output(path, [options.file])
    mark = (
        form == "csv"
        and options.file is not None
        and options.file.is_file()
        and format_of(options.file, options.input_format) == "csv"
        and encoding_of(Source(str(options.file), options.file)).name != "utf-8"
    )
    with replacing(path) as part:
        try:
            file: IO[bytes] = part.open("wb")
        except OSError as error:
            raise CaseError(f"{path}: cannot be written: {error.strerror}") from error
        with file, TableWriter(file, form, mark=mark) as writer:
            yield writer


def check_output(path: Path, inputs: Iterable[str | Path | None]) -> None:
    """Raise CaseError where a file to be written is one of those that are read."""
    if path.exists() and any(Path(name).exists() and path.samefile(name) for name in inputs if name is not None):
        raise CaseError(f"{path}: is the input; write to another file")


def screen_of(options: argparse.Namespace) -> TextIO:
    """Return the stream for a reader: standard output, or the other where the table itself goes there."""
    return sys.stderr if options.output == "-" else sys.stdout


def print_written(options: argparse.Namespace) -> None:
    """Print the name of the file that was written, if one was."""
    if options.output not in {None, "-"}:
        print(f"wrote {options.output}", file=screen_of(options))


def print_note(text: str) -> None:
    """Print a note beside the output."""
    print(f"note: {shown(text)}", file=sys.stderr)


def print_columns(understood: Understood, language: str = "en") -> None:
    """Print the columns that hold codes and are not used, each with the option that uses it."""
    from drgdip.cases.names import write_options
    from drgdip.reasons import describe_reason

    for name, kind in understood.codes.items():
        column = f"{kind}_others" if kind in understood.columns else kind
        advice = write_options({column: name})
        print_note(f"{name}: {describe_reason(f'column_unused_{kind}', language)} ({advice})")


def print_reading(above: Sequence[str], lines: Sequence[int], language: str = "en") -> None:
    """Print notes on the rows above the header of a file, which are no cases, and on lines that cannot be read."""
    from drgdip.reasons import describe_reason

    chinese = language == "zh"
    if above:
        passed = (
            f"表头上方跳过{len(above)}行："
            if chinese
            else f"{counted(len(above), 'row')} above the header passed over: "
        )
        print_note(passed + shorten(above[0]))
    if lines:
        shown = ", ".join(map(str, lines[:_LINES])) + (", …" if len(lines) > _LINES else "")
        told = (
            f"{len(lines)}行读不出：第{shown}行"
            if chinese
            else f"{counted(len(lines), 'row')} cannot be read: line {shown}"
        )
        print_note(f"{told} ({describe_reason('unreadable_row', language)})")


def counted(number: int, thing: str) -> str:
    """Return a number with its noun, which takes an s where it is not 1."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def shorten(text: str) -> str:
    """Return a text, cut where it is longer than a line has room for."""
    text = shown(text)
    return text if len(text) <= _ROOM else text[: _ROOM - 1] + "…"
