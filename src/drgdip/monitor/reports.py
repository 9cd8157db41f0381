"""Reports of results of this package: their words in both languages, and their tables as a page or a workbook."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip._books import write_page, write_workbook
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import DrgdipError, UnknownNameError
from drgdip.reasons import LANGUAGES

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["REPORT_FORMATS", "check_language", "word", "write_tables"]

#: The endings of the files that a report is written to.
REPORT_FORMATS = (".xlsx", ".html")


@once
def _words() -> Mapping[str, Mapping[str, str]]:
    return {row["name"]: row for row in rows_of("monitor/report_words.csv")}


def word(name: str, language: str) -> str:
    """Return a heading or a word of reports in a language; a name that is no word of ours as it is."""
    found = _words().get(name)
    return name if found is None else found["chinese" if language == "zh" else "english"]


def check_language(language: str) -> None:
    """Raise UnknownNameError where a language is none of ours."""
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES, hint=f"The languages are {', '.join(LANGUAGES)}.")


def write_tables(
    path: str | os.PathLike[str], tables: Mapping[str, pa.Table], *, title: str, summary: str, language: str
) -> Path:
    """Write tables to a workbook (``.xlsx``) or, below the summary, to a page (``.html``); return the path.

    Raises
    ------
    DrgdipError
        Another ending, a path that cannot be written, or the extra ``excel`` is not installed.
    """
    path = Path(path)
    if path.suffix.lower() == ".xlsx":
        write_workbook(path, tables, title=title)
    elif path.suffix.lower() == ".html":
        write_page(path, tables, title=title, language=language, picture=f"<p>{html.escape(summary)}</p>")
    else:
        raise DrgdipError(f"{path}: a report is written as {' or '.join(REPORT_FORMATS)}")
    return path
