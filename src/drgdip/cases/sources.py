"""Where cases come from: a path, bytes, an open file, a folder or a zip of files, records in memory."""

from __future__ import annotations

import codecs
import io
import lzma
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FORMATS", "Source", "Sources", "format_of", "is_records", "sources_of"]

#: Formats by the ending of a file's name.
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xls": "excel",
}
# Errors of reading a damaged archive.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError, EOFError, ValueError)
_JUNK = (".", "~$")
_LARGEST = 1 << 32  # bytes that the files of a zip may have together


@dataclass(frozen=True)
class Source:
    """One file of cases, on disk or in memory.

    Attributes
    ----------
    name
        The name that messages give it.
    path
        Where it lies; None of one in memory.
    content
        The bytes of one in memory.
    """

    name: str
    path: Path | None = None
    content: bytes = b""

    def open(self) -> BinaryIO:
        """Return the file, opened for reading bytes."""
        return io.BytesIO(self.content) if self.path is None else self.path.open("rb")

    def read(self) -> bytes:
        """Return the whole content."""
        return self.content if self.path is None else self.path.read_bytes()

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.content) if self.path is None else self.path.stat().st_size

    def __str__(self) -> str:
        return self.name


class Sources(NamedTuple):
    """The files of a source, or the records given; whether it is a folder or a zip; the names in it of no such file."""

    files: list[Any]
    several: bool = False
    others: tuple[str, ...] = ()


def is_records(source: object) -> bool:
    """Return whether a source is a record, or a list of them: a parsed payload."""
    return isinstance(source, dict | list | tuple)


def sources_of(source: Any) -> Sources:
    """Return the files of a source, in order of their names; a folder or a zip holds several.

    Raises
    ------
    CaseError
        There is nothing, or no file of cases in it; it cannot be read; a zip that would take more than 4 GiB.
    """
    if is_records(source) or isinstance(source, Source):
        return Sources([source])
    try:
        return _found(source)
    except (OSError, UnicodeError) as error:
        raise CaseError(f"{source}: cannot be read: {error}") from error


def _found(source: Any) -> Sources:
    if isinstance(source, bytes | bytearray | memoryview):
        return _of_content("the content given", bytes(source))
    if hasattr(source, "read"):
        content = source.read()
        name = getattr(source, "name", None)
        content = content.encode() if isinstance(content, str) else content
        return _of_content(name if isinstance(name, str) else "the file given", content)
    if not isinstance(source, str | os.PathLike):
        raise CaseError(
            f"a {type(source).__name__} is no file of cases: give a path, bytes, an open file, or records as dicts"
        )
    path = Path(source)
    if not path.exists():
        raise CaseError(f"{path}: there is no such file")
    if path.is_dir():
        return _of_folder(path)
    if path.stat().st_size == 0:
        raise CaseError(f"{path}: the file is empty")
    if path.suffix.lower() == ".zip":
        return _of_zip(str(path), path.read_bytes())
    return Sources([Source(str(path), path)])


def _of_folder(path: Path) -> Sources:
    entries = sorted(entry for entry in path.iterdir() if not _is_junk(entry))
    found = [entry for entry in entries if entry.is_file() and _is_of_cases(entry)]
    if not found:
        raise CaseError(f"{path}: the folder has no file of cases ({', '.join(FORMATS)})")
    others = [entry.name + "/" * entry.is_dir() for entry in entries if entry not in found]
    return Sources([Source(str(entry), entry) for entry in found], True, tuple(others))


def _is_of_cases(path: Path) -> bool:
    """Return whether a file in a folder or a zip is one of cases, by its name."""
    return path.suffix.lower() in FORMATS and not _is_junk(path)


def _is_junk(path: Path) -> bool:
    """Return whether a file is one that systems leave beside others."""
    return path.name.startswith(_JUNK) or "__MACOSX" in path.parts


def _of_content(name: str, content: bytes) -> Sources:
    if not content:
        raise CaseError(f"{name}: the file is empty")
    if content[:4] == b"PK\x03\x04" and "xl/workbook.xml" not in _names_in(name, content):
        return _of_zip(name, content)
    return Sources([Source(name, None, content)])


def _names_in(name: str, content: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except _BROKEN as error:
        raise CaseError(f"{name}: is not a zip file: {error}") from error


def _of_zip(name: str, content: bytes) -> Sources:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_junk(Path(entry.filename))]
            files.sort(key=lambda entry: entry.filename)
            entries = [entry for entry in files if _is_of_cases(Path(entry.filename))]
            size = sum(entry.file_size for entry in entries)
            if size > _LARGEST:
                raise CaseError(f"{name}: its files take {size:,} bytes; unpack it, and read the folder")
            found = list(_unpacked(name, archive, entries))
    except (*_BROKEN, OSError) as error:
        raise CaseError(f"{name}: is not a zip file that can be read: {error}") from error
    if not found:
        raise CaseError(f"{name}: the zip has no file of cases ({', '.join(FORMATS)})")
    return Sources(found, True, tuple(entry.filename for entry in files if entry not in entries))


def _unpacked(name: str, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[Source]:
    """Yield the files of a zip; no more is unpacked than it states."""
    for entry in entries:
        with archive.open(entry) as file:
            content = file.read(entry.file_size + 1)
        if len(content) > entry.file_size:
            raise CaseError(f"{name}: {entry.filename} is larger than the zip says")
        yield Source(f"{name}: {entry.filename}", None, content)


def format_of(source: Source | Path, format: str = "auto") -> str:  # noqa: A002 - the word of pandas
    """Return the format of a file by its name, or as told; of one without a name by its content."""
    if format != "auto":
        if format not in FORMATS.values():
            raise CaseError(f"format {format!r} is not one of auto, {', '.join(dict.fromkeys(FORMATS.values()))}")
        return format
    suffix = Path(str(source)).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    if isinstance(source, Source) and source.path is None:
        return _format_by_content(source.content)
    raise CaseError(
        f"{source}: the format of a file {suffix or 'without ending'} is not known; say it with format= "
        "(on the command line --input-format, for what is written --format)"
    )


def _format_by_content(content: bytes) -> str:
    if content[:4] == b"PAR1":
        return "parquet"
    if content[:4] in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"}:
        return "excel"
    if content[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        content = content.decode("utf-16", "replace").encode()
    content = content.removeprefix(codecs.BOM_UTF8).lstrip()
    if content[:1] == b"[":
        return "json"
    if content[:1] == b"{":
        lines = [line for line in content.split(b"\n", 2)[:2] if line.strip()]
        return (
            "jsonl"
            if len(lines) > 1 and all(line[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines)
            else "json"
        )
    return "csv"
