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
    from drgdip.cases.readers import Reading

__all__ = [
    "check_output",
    "counted",
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


def print_reading(reading: Reading, language: str = "en") -> None:
    """Print what reading a source told: columns of codes that are not used, and what was passed over."""
    from drgdip.cases.names import write_options
    from drgdip.reasons import describe_reason

    understood, chinese = reading.understood, language == "zh"
    for name, kind in understood.codes.items():
        column = f"{kind}_others" if kind in understood.columns else kind
        advice = write_options({column: name})
        print_note(f"{name}: {describe_reason(f'column_unused_{kind}', language)} ({advice})")
    if reading.files:
        number = len(reading.files)
        told = f"未读取{number}个文件：" if chinese else f"{counted(number, 'file')} of no known ending passed over: "
        print_note(told + _first(reading.files))
    if reading.above:
        number = len(reading.above)
        told = f"表头上方跳过{number}行：" if chinese else f"{counted(number, 'row')} above the header passed over: "
        print_note(told + shorten(reading.above[0]))
    if reading.lines:
        number, first = len(reading.lines), _first(reading.lines)
        told = f"{number}行读不出：第{first}行" if chinese else f"{counted(number, 'row')} cannot be read: line {first}"
        print_note(f"{told} ({describe_reason('unreadable_row', language)})")
    if reading.ignored:
        number = len(reading.ignored)
        told = f"{number}列不是病例字段，未读取：" if chinese else f"{counted(number, 'column')} of no case not read: "
        print_note(told + _first(reading.ignored))


def _first(things: Sequence[object]) -> str:
    """Return the first of several things in a line, with a sign that there are more."""
    return ", ".join(map(str, things[:_FEW])) + (", …" if len(things) > _FEW else "")


def counted(number: int, thing: str) -> str:
    """Return a number with its noun, which takes an s where it is not 1."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def shorten(text: str) -> str:
    """Return a text, cut where it is longer than a line has room for."""
    text = shown(text)
    return text if len(text) <= _ROOM else text[: _ROOM - 1] + "…"
