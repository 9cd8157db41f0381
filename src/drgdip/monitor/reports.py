"""Reports of results of this package: their words in both languages, and their tables as a page or a workbook."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip._books import write_tables
from drgdip.data import words_of
from drgdip.errors import DrgdipError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["REPORT_FORMATS", "word", "write_report"]

_TABLE = "monitor/report_words.csv"

#: The endings of the files that a report is written to.
REPORT_FORMATS = (".xlsx", ".html")


def word(name: str, language: str) -> str:
    """Return a heading or a word of reports in a language; a name that is no word of ours as it is."""
    return words_of(_TABLE).get(name, (name, name))[language == "zh"]


def write_report(
    path: str | os.PathLike[str], tables: Mapping[str, pa.Table], *, title: str, summary: str, language: str
) -> Path:
    """Write tables to a workbook (``.xlsx``) or, below the summary, to a page (``.html``); return the path.

    Raises
    ------
    DrgdipError
        Another ending, a path that cannot be written, or the extra ``excel`` is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in REPORT_FORMATS:
        raise DrgdipError(f"{path}: a report is written as {' or '.join(REPORT_FORMATS)}")
    write_tables(path, tables, title=title, language=language, picture=f"<p>{html.escape(summary)}</p>")
    return path
