"""Schemes and catalogues written to folders: what both families share."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Protocol

from drgdip import _toml
from drgdip.data import HEAD_KEYS
from drgdip.errors import SchemeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from drgdip.data import SchemeInfo

__all__ = ["csv_bytes", "head_text", "make_folder", "write_csv"]


class HasHead(Protocol):
    """The part of a scheme or catalogue that the head of a folder tells."""

    @property
    def info(self) -> SchemeInfo:
        """Id, title and the like."""

    @property
    def notes(self) -> Mapping[str, str]:
        """Remarks of the source that matter when reading results."""


def make_folder(folder: Path) -> None:
    """Return a folder without files."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fix = "Give a new folder, or empty this one"
        raise SchemeError("bad_value", "there are files already", file=folder, fix=fix)
    folder.mkdir(parents=True, exist_ok=True)


def csv_bytes(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """Return a CSV table as every folder has it: UTF-8, line feeds."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV table as every folder has it."""
    path.write_bytes(csv_bytes(header, rows))


def head_text(scheme: HasHead, counts: Mapping[str, int], title: str, options: Mapping[str, object]) -> str:
    """Return the head of a folder, with the table of options of this title."""
    info = scheme.info
    stated = {name: getattr(info, name) for name in HEAD_KEYS if name != "extends"}  # all is written that it holds
    return _toml.dumps(
        {**stated, "counts": counts, title: options, "provenance": info.provenance, "notes": scheme.notes}
    )
