"""DIP catalogues written to folders, and the table of groups that one was read from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from drgdip.errors import SchemeError
from drgdip.grouper.dip.model import counts_of
from drgdip.grouper.dip.workbook import read_tables
from drgdip.grouper.tables import CATALOGUE, Table, read_folder
from drgdip.grouper.writing import head_text, make_folder, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from drgdip.grouper.dip.model import CatalogueTables

__all__ = ["groups_table", "write_catalogue"]


def groups_table(catalogue: CatalogueTables) -> Table:
    """Return the table of groups as the catalogue's folder or workbook has it, with what matching does not need."""
    if catalogue.folder.is_dir():
        tables, digest = read_folder(catalogue.folder, CATALOGUE)
    else:
        tables, digest = read_tables(catalogue.folder)
    if digest != catalogue.info.sha256:
        what = f"the files have changed since {catalogue.id} was loaded"
        raise SchemeError("wrong_digest", what, file=catalogue.folder, fix="Load it anew")
    return tables["groups.csv"]


def write_catalogue(catalogue: CatalogueTables, folder: Path, groups: Table | None = None) -> None:
    """Write a catalogue (`Catalogue.to_folder`); with its table of groups where nothing holds it yet."""
    groups = groups_table(catalogue) if groups is None else groups
    make_folder(folder)
    for name, table in {"groups.csv": groups, **catalogue.annexes}.items():
        write_csv(folder / name, table.columns, table.rows)
    head = head_text(catalogue, counts_of(catalogue), "matching", dataclasses.asdict(catalogue.matching))
    (folder / CATALOGUE.head).write_text(head, encoding="utf-8", newline="\n")
