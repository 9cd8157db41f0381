"""Parts of a file, and what the readers of all formats share: encoding, header, slices."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from drgdip.cases.names import resolve
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from drgdip.cases.names import ColumnNames
    from drgdip.cases.sources import Source

__all__ = [
    "BAD",
    "HEADER_ROWS",
    "SPOILT",
    "Encoding",
    "Part",
    "Wanted",
    "blocks_of",
    "check_header",
    "encoding_of",
    "free_name",
    "header_at",
    "shown_bad",
    "slices",
]

_BLOCK = 1 << 20
_OVERFLOW = "overflow"
#: The rows of a file that are looked at for its header: exports have a title above it.
HEADER_ROWS = 11
#: The character that stands where bytes are no text: no text has it. A row with it is unreadable.
BAD = "\ufdd0"
#: The handler of errors that writes it.
SPOILT = "drgdip.spoilt"

_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_MARKS = {
    codecs.BOM_UTF8: ("utf-8-sig",),
    codecs.BOM_UTF16_LE: ("utf-16",),
    codecs.BOM_UTF16_BE: ("utf-16",),
}

#: Chooses among the columns of a file.
Wanted: TypeAlias = Callable[[list[str]], list[str]]

codecs.register_error(SPOILT, lambda error: (BAD, getattr(error, "end", 0)))


class Part(NamedTuple):
    """Some rows of a file, and how much of the file is read with them (0 to 1).

    ``above`` has the rows above the header, ``spoilt`` the lines of the rows that cannot be read.
    """

    table: pa.Table
    done: float
    above: tuple[str, ...] = ()
    spoilt: tuple[int, ...] = ()


def slices(table: pa.Table, rows: int, above: tuple[str, ...] = ()) -> Iterator[Part]:
    """Yield a table in parts of so many rows at most, one part at least."""
    for start in range(0, max(len(table), 1), rows):
        yield Part(table.slice(start, rows), min(1.0, (start + rows) / max(len(table), 1)), above)


def header_at(rows: Sequence[Sequence[str]], columns: ColumnNames | None) -> int | None:
    """Return which of the first rows of a file names diagnoses, and so is the header; None if none does."""
    filled = ([name for name in names if name] for names in rows)
    return next((place for place, names in enumerate(filled) if _names_diagnoses(names, columns)), None)


def _names_diagnoses(names: list[str], columns: ColumnNames | None) -> bool:
    """Return whether a row of a file is its header: a name in it stands for diagnoses, or is one of the caller's."""
    given = {name for wanted in (columns or {}).values() for name in ([wanted] if isinstance(wanted, str) else wanted)}
    try:
        found = resolve(names)
        return bool(given.intersection(names)) or "dx" in found.single or "dx" in found.wide
    except CaseError:  # two names for one column: it is a header
        return True


class Encoding(NamedTuple):
    """The encoding of a text file, and whether all of its bytes are text in it."""

    name: str
    clean: bool


def encoding_of(source: Source) -> Encoding:
    """Return the encoding of a text file: by its byte order mark, UTF-8 if all of it is, else GB18030.

    A file of which some bytes are text in neither has the encoding in which the fewest are bad.

    Raises
    ------
    CaseError
        The file holds zero bytes, or bytes that are no text in more than one line of ten.
    """
    with source.open() as file:
        head = file.read(3)
    names = next((names for mark, names in _MARKS.items() if head.startswith(mark)), ("utf-8", "gb18030"))
    decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
    for block, final in blocks_of(source):
        if b"\0" in block and "utf-16" not in names:
            raise CaseError(f"{source}: is not a text file (it holds zero bytes)")
        for name, decoder in list(decoders.items()):
            try:
                decoder.decode(block, final)
            except UnicodeDecodeError:
                del decoders[name]
    return Encoding(next(iter(decoders)), clean=True) if decoders else Encoding(_likeliest(source, names), clean=False)


def _likeliest(source: Source, names: Sequence[str]) -> str:
    """Return the encoding in which the fewest bytes of a file are no text."""
    bad = {}
    lines = 0
    for name in names:
        decoder = codecs.getincrementaldecoder(name)(SPOILT)
        bad[name] = lines = 0
        for block, final in blocks_of(source):
            text = decoder.decode(block, final)
            bad[name] += text.count(BAD) + len(_CONTROL.findall(text))
            lines += text.count("\n")
    name = min(bad, key=bad.__getitem__)
    if bad[name] > max(1, lines // 10):
        raise CaseError(f"{source}: is neither UTF-8 nor GB18030 text; save it as UTF-8")
    return name


def blocks_of(source: Source) -> Iterator[tuple[bytes, bool]]:
    """Yield a file in blocks, and an empty one at the end."""
    with source.open() as file:
        while block := file.read(_BLOCK):
            yield block, False
    yield b"", True


def shown_bad(text: str) -> str:
    """Return a text with the usual sign for a character that is none in place of `BAD`."""
    return text.replace(BAD, "\ufffd")


def check_header(source: Source, header: list[str]) -> None:
    """Refuse a header that has a name twice."""
    doubled = [name for name, times in Counter(header).items() if times > 1]
    if doubled:
        raise CaseError(f"{source}: column {doubled[0]!r} stands {header.count(doubled[0])} times in the header")


def free_name(names: list[str]) -> str:
    """Return a name that no column has, for the cells that a row has too many."""
    name = _OVERFLOW
    while name in names:
        name += "_"
    return name
