"""Schemes from workbooks in the official layout, and schemes to folders."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from drgdip.codes import normalise_code
from drgdip.errors import SchemeError
from drgdip.grouper.scheme import build_scheme, counts_of, options_of, severity_rows
from drgdip.grouper.tables import COLUMNS, SCHEME, Table, check_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from drgdip.grouper.scheme import Scheme

__all__ = ["read_workbook", "table_rows", "write_folder"]

#: Sheet, first row of data and place of each column (from 0), by table. ADRGs have no kind there.
SHEETS: Mapping[str, tuple[str, int, dict[str, int]]] = {
    "mdc.csv": ("MDC", 3, {"code": 0, "name": 1, "order": 3, "rule": 2}),
    "adrg.csv": ("ADRG", 2, {"code": 1, "name": 2, "mdc": 4, "order": 5, "rule": 3}),
    "drg.csv": ("DRG", 2, {"code": 0, "name": 1, "adrg": 3, "order": 5, "rule": 2}),
    "sets.csv": ("集合", 2, {"set": 0, "code": 1}),
    "severity.csv": ("CC", 2, {"code": 0, "level": 3, "exclusion": 2}),
    "exclusions.csv": ("排除表", 2, {"exclusion": 0, "code": 1}),
}
#: Codes of rows that stand for no group.
PLACEHOLDERS = frozenset({"0000", "000"})
#: Kind of an ADRG by the end of its code, and else by the second letter: the field's way of making codes.
KINDS_BY_END = {"QY": "ambiguous", "00": "ungroupable"}
KINDS_BY_LETTER = {"ABCDEFGHIJ": "surgical", "KLMNOPQ": "procedure", "RSTUVWXYZ": "medical"}
#: What scheme.toml states before its tables.
STATED = (
    "id",
    "title",
    "issuer",
    "place",
    "published",
    "effective_from",
    "effective_to",
    "revision",
    "diagnosis_codes",
    "procedure_codes",
)
#: The column that a table's order counts in.
PARENTS = {"adrg.csv": "mdc", "drg.csv": "adrg"}


def read_workbook(path: Path, head: Mapping[str, str], like: Scheme) -> Scheme:
    """The scheme of a workbook: see `Scheme.from_workbook`."""
    sheets = _sheets(path)
    tables = {name: _table(path, name, sheets[sheet]) for name, (sheet, _, _) in SHEETS.items()}
    stated = {
        "id": head["id"] or path.stem,
        "title": head["title"] or path.stem,
        "diagnosis_codes": like.info.diagnosis_codes,
        "procedure_codes": like.info.procedure_codes,
        "counts": {},
        "evaluation": options_of(like),
        "provenance": {"tables": f"the workbook {path.name}", "evaluation": f"the options of {like.id}"},
    }
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return build_scheme(path, {**head, **stated}, tables, sha256=digest, folder=path, list_closed=True)


def _sheets(path: Path) -> dict[str, list[list[Any]]]:
    """The rows of the sheets that are needed."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        fix = "Install it with: python -m pip install 'drgdip[excel]'"
        raise SchemeError("bad_workbook", "python-calamine is not installed", file=path, fix=fix) from None
    wanted = [sheet for sheet, _, _ in SHEETS.values()]
    try:
        book = CalamineWorkbook.from_path(str(path))
        absent = [sheet for sheet in wanted if sheet not in book.sheet_names]
        if not absent:
            return {sheet: book.get_sheet_by_name(sheet).to_python(skip_empty_area=False) for sheet in wanted}
    except (CalamineError, OSError) as error:
        fix = "Give the path of an .xlsx file"
        raise SchemeError("bad_workbook", f"not a workbook: {error}", file=path, fix=fix) from error
    fix = f"A scheme's workbook has the sheets {', '.join(wanted)}"
    raise SchemeError("bad_workbook", f"there is no sheet {' and '.join(absent)}", file=path, fix=fix)


def _table(path: Path, name: str, sheet: list[list[Any]]) -> Table:
    """A sheet as a table of a scheme folder; its lines are the rows of the sheet."""
    title, start, places = SHEETS[name]
    lines, columns = [], defaultdict(list)
    for line, cells in enumerate(sheet[start:], start=start + 1):
        row = {column: _text(cells[place]) if place < len(cells) else "" for column, place in places.items()}
        if row.get("code") in PLACEHOLDERS or not any(row.values()):
            continue
        if "rule" not in row:
            row["code"] = normalise_code(row["code"])
        lines.append(line)
        for column, text in row.items():
            columns[column].append(text)
    table = Table(
        path.with_name(f"{path.name} [{title}]"), {column: columns[column] for column in places}, tuple(lines)
    )
    if name == "adrg.csv":
        table.columns["kind"] = [_kind(table, index, code) for index, code in enumerate(columns["code"])]
    table = Table(table.path, {column: table.columns[column] for column in COLUMNS[name]}, table.lines)
    if "order" in table.columns:
        table.columns["order"][:] = _orders(table, PARENTS.get(name))
    check_cells(table, name, SCHEME)
    return table


def _text(cell: object) -> str:
    """A cell as text: whole numbers without a point, a formula on one line."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).replace("_x000D_", " ").split())


def _kind(table: Table, index: int, code: str) -> str:
    if code[-2:] in KINDS_BY_END:
        return KINDS_BY_END[code[-2:]]
    for letters, kind in KINDS_BY_LETTER.items():
        if code[1:2] in letters and code[1:2]:
            return kind
    fix = "The second letter is A to J for operations, K to Q for procedures, R to Z for the others"
    raise table.error("unknown_value", index, f"the code {code!r} does not say the kind of the ADRG", fix)


def _orders(table: Table, parent: str | None) -> list[str]:
    """Places in the parent, from the sheet's numbers, which may have gaps and count over all parents."""
    numbers = []
    for index, text in enumerate(table.columns["order"]):
        if not text.isascii() or not text.isdigit():
            raise table.error("bad_number", index, f"order {text!r} is not a whole number", "Number the rows")
        numbers.append(int(text))
    parents = table.columns[parent] if parent else [""] * len(numbers)
    counted: dict[str, int] = defaultdict(int)
    orders = [""] * len(numbers)
    for index in sorted(range(len(numbers)), key=numbers.__getitem__):
        counted[parents[index]] += 1
        orders[index] = str(counted[parents[index]])
    return orders


def table_rows(scheme: Scheme) -> dict[str, list[tuple[str, ...]]]:
    """The rows of every table of a scheme, in the order of its files, by name of the file."""
    drgs = {drg.code: drg for adrg in scheme.adrgs for drg in adrg.drgs}.values()
    return {
        "mdc.csv": [(row.code, row.name, str(row.order), str(row.rule)) for row in scheme.mdcs],
        "adrg.csv": [(row.code, row.name, row.mdc, str(row.order), row.kind, str(row.rule)) for row in scheme.adrgs],
        "drg.csv": [(row.code, row.name, row.adrg, str(row.order), str(row.rule)) for row in drgs],
        "sets.csv": sorted((name, code) for name, codes in scheme.sets.items() for code in codes),
        "severity.csv": list(severity_rows(scheme)),
        "exclusions.csv": sorted((name, code) for name, codes in scheme.exclusions.items() for code in codes),
    }


def write_folder(scheme: Scheme, folder: Path) -> None:
    """Write a scheme: see `Scheme.to_folder`."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fix = "Give a new folder, or empty this one"
        raise SchemeError("bad_value", "there are files already", file=folder, fix=fix)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in table_rows(scheme).items():
        _write(folder / name, COLUMNS[name], rows)
    for name, table in scheme.annexes.items():
        _write(folder / name, table.columns, table.rows)
    (folder / "scheme.toml").write_text(_head(scheme), encoding="utf-8", newline="\n")


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _head(scheme: Scheme) -> str:
    info = scheme.info
    parts = ["".join(f"{name} = {_toml(getattr(info, name))}\n" for name in STATED)]
    for title, table in (
        ("counts", counts_of(scheme)),
        ("evaluation", options_of(scheme)),
        ("provenance", info.provenance),
        ("notes", scheme.notes),
    ):
        parts.append(f"[{title}]\n" + "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in table.items()))
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _toml(key)


def _toml(value: object) -> str:
    """A text, number, truth value or list of texts in TOML, which writes them as JSON does."""
    return json.dumps(value, ensure_ascii=False)
