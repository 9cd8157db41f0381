"""Parts of a file, and what the readers of all formats share: encoding, header, slices."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

__all__ = ["Part", "Wanted", "check_header", "encoding_of", "free_name", "slices"]

_BLOCK = 1 << 20
_OVERFLOW = "overflow"

#: Chooses among the columns of a file.
Wanted: TypeAlias = Callable[[list[str]], list[str]]


class Part(NamedTuple):
    """Some rows of a file, and how much of the file is read with them (0 to 1)."""

    table: pa.Table
    done: float


def slices(table: pa.Table, rows: int) -> Iterator[Part]:
    """Yield a table in parts of so many rows at most, one part at least."""
    for start in range(0, max(len(table), 1), rows):
        yield Part(table.slice(start, rows), min(1.0, (start + rows) / max(len(table), 1)))


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file: by its byte order mark, else UTF-8 if all of it is, else GB18030."""
    candidates = ["utf-8", "gb18030"]
    decoders = {name: codecs.getincrementaldecoder(name)() for name in candidates}
    with path.open("rb") as file:
        block = file.read(_BLOCK)
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if block.startswith(mark):
                return name
        while block:
            if b"\0" in block:
                raise CaseError(f"{path}: is not a text file (it holds zero bytes)")
            for name in list(candidates):
                try:
                    decoders[name].decode(block)
                except UnicodeDecodeError:
                    candidates.remove(name)
            if not candidates:
                raise CaseError(f"{path}: is neither UTF-8 nor GB18030 text; save it as UTF-8")
            block = file.read(_BLOCK)
    for name in list(candidates):
        try:
            decoders[name].decode(b"", final=True)
        except UnicodeDecodeError:
            candidates.remove(name)
    if not candidates:
        raise CaseError(f"{path}: the file ends within a character; it seems to be cut off")
    return candidates[0]


def check_header(path: Path, header: list[str]) -> None:
    """Refuse a header that has a name twice."""
    doubled = [name for name, times in Counter(header).items() if times > 1]
    if doubled:
        raise CaseError(f"{path}: column {doubled[0]!r} stands {header.count(doubled[0])} times in the header")


def free_name(names: list[str]) -> str:
    """Return a name that no column has, for the cells that a row has too many."""
    name = _OVERFLOW
    while name in names:
        name += "_"
    return name
