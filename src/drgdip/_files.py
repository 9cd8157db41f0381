"""Files that are written whole or not at all, and texts that no spreadsheet takes for a formula."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["guard_column", "guard_text", "replacing", "unguard_table", "unguard_text"]

#: The beginning of a text that a spreadsheet may take for a formula, perhaps behind marks that are the text's own.
_FORMULA = r"^'*[=+\-@\t\r]"
#: The numbers that begin with a sign and are no formula, and a sign alone.
_NUMBER = r"^[+\-]?[0-9]*[.,]?[0-9]*$"
_GUARDED = r"^'+[=+\-@\t\r]"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside a file; the file is replaced when all is written, and stays where an error is raised.

    A path that is no regular file, such as a pipe, is written as it is.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        yield path
        return
    part = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        yield part
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def guard_text(text: str) -> str:
    """Return a text behind an apostrophe where a spreadsheet would take it for a formula.

    >>> [guard_text(text) for text in ("=1+1", "'=1+1", "-5", "-", "A00")]
    ["'=1+1", "''=1+1", '-5', '-', 'A00']
    """
    return "'" + text if re.search(_FORMULA, text) and not re.fullmatch(_NUMBER, text) else text


def unguard_text(text: str) -> str:
    """Return a text without the apostrophe of `guard_text`."""
    return text[1:] if re.search(_GUARDED, text) else text


def guard_column(column: pa.Array) -> pa.Array:
    """Return a column of texts with `guard_text` over every text."""
    danger = pc.and_not(pc.match_substring_regex(column, _FORMULA), pc.match_substring_regex(column, _NUMBER))
    if not pc.any(danger).as_py():
        return column
    return pc.if_else(pc.fill_null(danger, False), pc.binary_join_element_wise("'", column, ""), column)


def unguard_table(table: pa.Table) -> pa.Table:
    """Return a table of texts as it was before `guard_column`."""
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if pc.any(pc.starts_with(column, "'")).as_py():
            there = pc.fill_null(pc.match_substring_regex(column, _GUARDED), False)
            table = table.set_column(place, name, pc.if_else(there, pc.utf8_slice_codeunits(column, 1), column))
    return table
