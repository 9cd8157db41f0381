"""Where a verb writes: the file of ``-o``, and the screen."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from drgdip._text import shown
from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from drgdip._books import BookWriter
    from drgdip._writers import TableWriter
    from drgdip.cases.readers import Reading
    from drgdip.cli.words import Words

    #: What writes tables of one schema, one behind the other.
    Writer = TableWriter | BookWriter

__all__ = [
    "check_output",
    "open_output",
    "print_note",
    "print_reading",
    "print_written",
    "screen_of",
    "shorten",
]

#: How many things a note names, and how much of a name or of a rule a line has room for.
_FEW, _ROOM = 5, 120


@contextlib.contextmanager
def open_output(options: argparse.Namespace) -> Iterator[Writer | None]:
    """Yield the writer that ``-o`` and ``--format`` ask for, or None."""
    from drgdip._files import replacing
    from drgdip._writers import TableWriter
    from drgdip.cases.sources import format_of

    say: Words = options.say
    if options.output is None:
        if options.format:
            raise CaseError(say("error.format_alone"))
        yield None
        return
    if options.output == "-":
        if options.format == "excel":
            raise CaseError(say("error.excel_screen"))
        with TableWriter(sys.stdout.buffer, options.format or "csv") as writer:
            yield writer
        return
    path = Path(options.output)
    form = options.format or format_of(path)
    if form == "excel" and not options.format and path.suffix.lower() != ".xlsx":
        raise CaseError(say("error.only_read", path=path, suffix=path.suffix))
    check_output(path, [options.file], say)
    with replacing(path) as part:
        try:
            file: IO[bytes] = part.open("wb")
        except OSError as error:
            raise CaseError(say("error.cannot_write", path=path, why=error.strerror)) from error
        with file, _writer_of(file, form, options) as book_or_table:
            yield book_or_table


def _writer_of(file: IO[bytes], form: str, options: argparse.Namespace) -> Writer:
    """Return the writer of a format; CSV has a byte order mark where the input is CSV that is not UTF-8."""
    from drgdip._books import BookWriter
    from drgdip._writers import TableWriter
    from drgdip.cases.parts import encoding_of
    from drgdip.cases.sources import Source, format_of

    if form == "excel":
        return BookWriter(file, name=options.output)
    mark = (
        form == "csv"
        and options.file is not None
        and options.file.is_file()
        and format_of(options.file, options.input_format) == "csv"
        and encoding_of(Source(str(options.file), options.file)).name != "utf-8"
    )
    return TableWriter(file, form, mark=mark)


def check_output(path: Path, inputs: Iterable[str | Path | None], say: Words) -> None:
    """Raise CaseError where a file to be written is one of those that are read."""
    if path.exists() and any(Path(name).exists() and path.samefile(name) for name in inputs if name is not None):
        raise CaseError(say("error.is_input", path=path))


def screen_of(options: argparse.Namespace) -> TextIO:
    """Return the stream for a reader: standard output, or the other where the table itself goes there."""
    return sys.stderr if options.output == "-" else sys.stdout


def print_written(options: argparse.Namespace) -> None:
    """Print the name of the file that was written, if one was."""
    if options.output not in {None, "-"}:
        print(options.say("wrote", path=options.output), file=screen_of(options))


def print_note(text: str, say: Words) -> None:
    """Print a note beside the output."""
    print(say("note", text=shown(text)), file=sys.stderr)


def print_reading(reading: Reading, say: Words) -> None:
    """Print what reading a source told: columns of codes that are not used, and what was passed over."""
    from drgdip.cases.names import write_options
    from drgdip.reasons import describe_reason

    understood = reading.understood
    for name, kind in understood.codes.items():
        column = f"{kind}_others" if kind in understood.columns else kind
        reason = describe_reason(f"column_unused_{kind}", say.language)
        print_note(say("reading.unused", column=name, reason=reason, advice=write_options({column: name})), say)
    if reading.files:
        print_note(say("reading.files", files=len(reading.files), first=_first(reading.files, say)), say)
    if reading.above:
        print_note(say("reading.above", rows=len(reading.above), first=shorten(reading.above[0])), say)
    if reading.lines:
        reason = describe_reason("unreadable_row", say.language)
        first = _first(reading.lines, say)
        print_note(say("reading.lines", rows=len(reading.lines), first=first, reason=reason), say)
    if reading.ignored:
        print_note(say("reading.ignored", columns=len(reading.ignored), first=_first(reading.ignored, say)), say)


def _first(things: Sequence[object], say: Words) -> str:
    """Return the first of several things in a line, with a sign that there are more."""
    return say.joined([*things[:_FEW], "…"] if len(things) > _FEW else things)


def shorten(text: str) -> str:
    """Return a text, cut where it is longer than a line has room for."""
    text = shown(text)
    return text if len(text) <= _ROOM else text[: _ROOM - 1] + "…"
