"""Schemes from workbooks in the official layout of DRG 3.0."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from drgdip._text import normalise_code
from drgdip.grouper.drg.load import scheme_of
from drgdip.grouper.drg.model import options_of
from drgdip.grouper.tables import COLUMNS, SCHEME, Table, check_cells
from drgdip.grouper.workbook import cell_text, head_of, read_sheets, sheet_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drgdip.grouper.drg.model import SchemeTables

__all__ = ["SHEETS", "read_workbook", "result_mdc_of"]

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
#: The column that a table's order counts in.
PARENTS = {"adrg.csv": "mdc", "drg.csv": "adrg"}


def read_workbook(path: Path, head: Mapping[str, str], like: SchemeTables) -> SchemeTables:
    """Return the scheme of a workbook: see `Scheme.from_workbook`."""
    sheets = read_sheets(path, (sheet for sheet, _, _ in SHEETS.values()), "scheme")
    tables = {name: _table(path, name, sheets[sheet]) for name, (sheet, _, _) in SHEETS.items()}
    _name_mdcs(tables["mdc.csv"], tables["adrg.csv"])
    whole = head_of(path, head, like.info, tables="tables", title="evaluation", options=options_of(like))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return scheme_of(path, whole, tables, sha256=digest, folder=path, list_closed=True)


def _table(path: Path, name: str, sheet: list[list[Any]]) -> Table:
    """Return a sheet as a table of a scheme folder; its lines are the rows of the sheet."""
    title, start, places = SHEETS[name]
    lines, columns = [], defaultdict(list)
    for line, cells in enumerate(sheet[start:], start=start + 1):
        row = {column: cell_text(cells[place]) if place < len(cells) else "" for column, place in places.items()}
        if row.get("code") in PLACEHOLDERS or not any(row.values()):
            continue
        if "rule" not in row:
            row["code"] = normalise_code(row["code"])
        lines.append(line)
        for column, text in row.items():
            columns[column].append(text)
    table = Table(sheet_path(path, title), {column: columns[column] for column in places}, tuple(lines))
    if name == "adrg.csv":
        table.columns["kind"] = [_kind(table, index, code) for index, code in enumerate(columns["code"])]
        table.columns["result_mdc"] = [""] * len(table.columns["kind"])
    table = Table(table.path, {column: table.columns[column] for column in COLUMNS[name]}, table.lines)
    if "order" in table.columns:
        table.columns["order"][:] = _orders(table, PARENTS.get(name))
    check_cells(table, name, SCHEME)
    return table


def _kind(table: Table, index: int, code: str) -> str:
    if code[-2:] in KINDS_BY_END:
        return KINDS_BY_END[code[-2:]]
    for letters, kind in KINDS_BY_LETTER.items():
        if code[1:2] in letters and code[1:2]:
            return kind
    fix = "The second letter is A to J for operations, K to Q for procedures, R to Z for the others"
    raise table.error("unknown_value", index, f"the code {code!r} does not say the kind of the ADRG", fix)


def _name_mdcs(mdcs: Table, adrgs: Table) -> None:
    """Write the MDC that the result of an ADRG names where it is not the ADRG's own."""
    orders = dict(zip(mdcs.columns["code"], mdcs.columns["order"], strict=True))
    columns = [adrgs.columns[name] for name in ("code", "mdc", "kind")]
    named = [result_mdc_of(code, mdc, kind, orders) for code, mdc, kind in zip(*columns, strict=True)]
    adrgs.columns["result_mdc"][:] = named


def result_mdc_of(code: str, mdc: str, kind: str, orders: Mapping[str, str]) -> str:
    """Return the MDC that the result of an ADRG names, "" for its own, where tables have no column for it.

    In the official layout the first letter of a code is that of the MDC: of an ambiguous ADRG, and of one that stands
    in the first MDC. ``orders`` has the place of each MDC.
    """
    named = f"MDC{code[:1]}"
    elsewhere = named != mdc and named in orders and (kind == "ambiguous" or orders.get(mdc) == "1")
    return named if elsewhere else ""


def _orders(table: Table, parent: str | None) -> list[str]:
    """Return places in the parent, from the sheet's numbers, which may have gaps and count over all parents."""
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
