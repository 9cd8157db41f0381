"""Workbooks of schemes and catalogues: their sheets and cells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from drgdip.errors import SchemeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from drgdip.data import SchemeInfo

__all__ = ["cell_text", "head_of", "read_sheets", "sheet_path"]

_DASHES = re.compile(r"[—–－─]")


def read_sheets(path: Path, wanted: Iterable[str], what: str) -> dict[str, list[list[Any]]]:
    """Return the rows of the sheets that a scheme's or a catalogue's workbook (``what``) needs, by the names wanted.

    White space in the name of a sheet and the kind of a dash do not matter. Other sheets are not read.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        fix = "Install it with: python -m pip install 'drgdip[excel]'"
        raise SchemeError("bad_workbook", "python-calamine is not installed", file=path, fix=fix) from None
    wanted = list(wanted)
    try:
        book = CalamineWorkbook.from_path(str(path))
        names = {_plain(name): name for name in book.sheet_names}
        absent = [sheet for sheet in wanted if _plain(sheet) not in names]
        if not absent:
            return {
                sheet: book.get_sheet_by_name(names[_plain(sheet)]).to_python(skip_empty_area=False) for sheet in wanted
            }
    except (CalamineError, OSError) as error:
        fix = "Give the path of an .xlsx file"
        raise SchemeError("bad_workbook", f"not a workbook: {error}", file=path, fix=fix) from error
    fix = f"A {what}'s workbook has the sheets {', '.join(wanted)}"
    raise SchemeError("bad_workbook", f"there is no sheet {' and '.join(absent)}", file=path, fix=fix)


def _plain(name: str) -> str:
    return _DASHES.sub("-", "".join(name.split()))


def sheet_path(path: Path, sheet: str) -> Path:
    """Return the name by which errors call a sheet of a workbook."""
    return path.with_name(f"{path.name} [{sheet}]")


def head_of(
    path: Path,
    head: Mapping[str, str],
    like: SchemeInfo,
    *,
    tables: str,
    title: str,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the head of what a workbook holds: what it does not state is given, or that of the one it is like.

    ``tables`` is what the provenance calls the workbook's part, ``title`` the table of options.
    """
    return {
        **head,
        "id": head["id"] or path.stem,
        "title": head["title"] or path.stem,
        "diagnosis_codes": like.diagnosis_codes,
        "procedure_codes": like.procedure_codes,
        "counts": {},
        title: options,
        "provenance": {tables: f"the workbook {path.name}", title: f"the options of {like.id}"},
    }


def cell_text(cell: object) -> str:
    """Return a cell as text: whole numbers without a point, line breaks as spaces."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).replace("_x000D_", " ").split())
