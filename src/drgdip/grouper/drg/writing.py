"""DRG schemes written to folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.grouper.drg.model import counts_of, options_of, severity_rows
from drgdip.grouper.tables import COLUMNS, SCHEME
from drgdip.grouper.writing import head_text, make_folder, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from drgdip.grouper.drg.model import Adrg, SchemeTables

__all__ = ["table_rows", "write_folder"]


def table_rows(scheme: SchemeTables) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows of every table of a scheme, in the order of its files, by name of the file."""
    drgs = {drg.code: drg for adrg in scheme.adrgs for drg in adrg.drgs}.values()
    return {
        "mdc.csv": [(row.code, row.name, str(row.order), str(row.rule)) for row in scheme.mdcs],
        "adrg.csv": [_adrg_row(adrg) for adrg in scheme.adrgs],
        "drg.csv": [(row.code, row.name, row.adrg, str(row.order), str(row.rule)) for row in drgs],
        "sets.csv": sorted((name, code) for name, codes in scheme.sets.items() for code in codes),
        "severity.csv": list(severity_rows(scheme)),
        "exclusions.csv": sorted((name, code) for name, codes in scheme.exclusions.items() for code in codes),
    }


def _adrg_row(adrg: Adrg) -> tuple[str, ...]:
    result_mdc = "" if adrg.result_mdc == adrg.mdc else adrg.result_mdc
    return adrg.code, adrg.name, adrg.mdc, str(adrg.order), adrg.kind, str(adrg.rule), result_mdc


def write_folder(scheme: SchemeTables, folder: Path) -> None:
    """Write a scheme: see `Scheme.to_folder`."""
    make_folder(folder)
    for name, rows in table_rows(scheme).items():
        write_csv(folder / name, COLUMNS[name], rows)
    for name, table in scheme.annexes.items():
        write_csv(folder / name, table.columns, table.rows)
    head = head_text(scheme, counts_of(scheme), "evaluation", options_of(scheme))
    (folder / SCHEME.head).write_text(head, encoding="utf-8", newline="\n")
