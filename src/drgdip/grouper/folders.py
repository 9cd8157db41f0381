"""Schemes and catalogues written to folders, and the tables that a catalogue was read from."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from typing import TYPE_CHECKING

from drgdip.errors import SchemeError
from drgdip.grouper.catalogue import counts_of as catalogue_counts
from drgdip.grouper.scheme import counts_of, options_of, severity_rows
from drgdip.grouper.tables import CATALOGUE, COLUMNS, SCHEME, Table, read_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from drgdip.grouper.catalogue import Catalogue
    from drgdip.grouper.scheme import Scheme

__all__ = ["groups_table", "table_rows", "write_catalogue", "write_folder"]

#: What the head of a folder states before its tables.
_STATED = (
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


def groups_table(catalogue: Catalogue) -> Table:
    """The table of groups as the catalogue's folder or workbook has it, with what matching does not need."""
    if catalogue.folder.is_dir():
        tables, digest = read_folder(catalogue.folder, CATALOGUE)
    else:
        from drgdip.grouper.dip_workbook import read_tables

        tables, digest = read_tables(catalogue.folder)
    if digest != catalogue.info.sha256:
        what = f"the files have changed since {catalogue.id} was loaded"
        raise SchemeError("wrong_digest", what, file=catalogue.folder, fix="Load it anew")
    return tables["groups.csv"]


def write_folder(scheme: Scheme, folder: Path) -> None:
    """Write a scheme: see `Scheme.to_folder`."""
    _make(folder)
    for name, rows in table_rows(scheme).items():
        _write(folder / name, COLUMNS[name], rows)
    for name, table in scheme.annexes.items():
        _write(folder / name, table.columns, table.rows)
    head = _head(scheme, counts_of(scheme), "evaluation", options_of(scheme))
    (folder / SCHEME.head).write_text(head, encoding="utf-8", newline="\n")


def write_catalogue(catalogue: Catalogue, folder: Path, groups: Table | None = None) -> None:
    """Write a catalogue (`Catalogue.to_folder`); with its table of groups where nothing holds it yet."""
    groups = groups_table(catalogue) if groups is None else groups
    _make(folder)
    for name, table in {"groups.csv": groups, **catalogue.annexes}.items():
        _write(folder / name, table.columns, table.rows)
    head = _head(catalogue, catalogue_counts(catalogue), "matching", dataclasses.asdict(catalogue.matching))
    (folder / CATALOGUE.head).write_text(head, encoding="utf-8", newline="\n")


def _make(folder: Path) -> None:
    """A folder without files."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fix = "Give a new folder, or empty this one"
        raise SchemeError("bad_value", "there are files already", file=folder, fix=fix)
    folder.mkdir(parents=True, exist_ok=True)


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _head(scheme: Scheme | Catalogue, counts: Mapping[str, int], title: str, options: Mapping[str, object]) -> str:
    """The head of a folder, with the table of options of this title."""
    info = scheme.info
    parts = ["".join(f"{name} = {_toml(getattr(info, name))}\n" for name in _STATED)]
    tables = {"counts": counts, title: options, "provenance": info.provenance, "notes": scheme.notes}
    for name, table in tables.items():
        parts.append(f"[{name}]\n" + "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in table.items()))
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _toml(key)


def _toml(value: object) -> str:
    """A text, number, truth value or list of texts in TOML, which writes them as JSON does."""
    return json.dumps(value, ensure_ascii=False)
