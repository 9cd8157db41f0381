"""Paths, heads, counts and digests: the part of loading that schemes, catalogues and auxiliary rules share."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from drgdip.data import index_of
from drgdip.errors import SchemeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drgdip.data import SchemeInfo
    from drgdip.grouper.tables import Table

__all__ = [
    "TYPE_WORDS",
    "check_counts",
    "check_head",
    "entry_of",
    "folder_of",
    "grouped_codes",
    "is_path",
    "path_of",
]

#: How to write a value of a type in scheme.toml.
TYPE_WORDS: dict[type, str] = {
    bool: "true or false",
    str: "a text in quotes",
    int: "a whole number",
    list: "a list in brackets",
    dict: "a table of its own",
}

#: The word for each kind of the index.
_WORDS = {"scheme": "scheme", "catalogue": "catalogue", "auxiliary": "set of auxiliary types"}


def is_path(text: str) -> bool:
    """Return whether a text names a folder and no id."""
    return any(sign in text for sign in "/\\")


def path_of(given: object, fix: str) -> Path:
    """Return ``given`` as a Path. Raise SchemeError with the remedy ``fix`` for anything else."""
    if not isinstance(given, str | os.PathLike):
        raise SchemeError("missing_file", "is neither an id nor a path", file=repr(given), fix=fix)
    return Path(given)


def folder_of(path: str | os.PathLike[str], fix: str) -> Path:
    """Return the folder that is to be loaded. Raise SchemeError with the remedy ``fix`` if it is not there."""
    folder = path_of(path, fix)
    if folder.is_file():
        fix = "A workbook becomes a folder in Python: Scheme.from_workbook or Catalogue.from_workbook, then to_folder"
        raise SchemeError("missing_file", "is a file, and a folder is wanted", file=folder, fix=fix)
    if not folder.is_dir():
        raise SchemeError("missing_file", "there is no such folder", file=folder, fix=fix)
    return folder


_Loaded = TypeVar("_Loaded")


def check_head(path: Path, head: Mapping[str, Any], options: str, inherited: tuple[str, ...] = ()) -> None:
    """Refuse the head of a folder that lacks a key, such as its table of options, or holds an unknown or wrong one."""
    texts = ("id", "title", "issuer", "published", "diagnosis_codes", "procedure_codes")
    for key in (*texts, "counts", options):
        if key not in head and key not in inherited:
            raise SchemeError("missing_key", f"{key!r} is missing", file=path, fix="Add it")
    types: dict[str, type] = dict.fromkeys((*texts, "place", "valid_from", "valid_to"), str)
    types |= {"extends": str} if options == "evaluation" else {}
    types |= {"revision": int} | dict.fromkeys(("counts", options, "provenance", "notes"), dict)
    for key, value in head.items():
        if key not in types:
            what = f"unknown {'table' if isinstance(value, dict) else 'key'} {key!r}"
            raise SchemeError("unknown_key", what, file=path, fix=f"The keys are {', '.join(types)}")
        if not isinstance(value, types[key]) or isinstance(value, bool):
            raise SchemeError("bad_value", f"{key} is {value!r}", file=path, fix=f"Give {TYPE_WORDS[types[key]]}")


def grouped_codes(table: Table) -> Mapping[str, frozenset[str]]:
    """Return codes by name of set, or by exclusion table."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, code in table.rows:
        groups[name].append(code)
    return MappingProxyType({name: frozenset(codes) for name, codes in groups.items()})


def check_counts(
    path: Path, stated: Mapping[str, int], counts: Mapping[str, Callable[[_Loaded], int]], loaded: _Loaded
) -> None:
    """Refuse counts of a head that are none of the known ones, or not what the tables give."""
    for name, number in stated.items():
        if name not in counts:
            fix = f"The counts are {', '.join(counts)}"
            raise SchemeError("unknown_key", f"unknown count {name!r} in [counts]", file=path, fix=fix)
        found = counts[name](loaded)
        if found != number:
            what = f"[counts] says {name} = {number}, the tables have {found}"
            fix = "Restore the lost or added rows, or mend the count"
            raise SchemeError("wrong_count", what, file=path, fix=fix)


def entry_of(kind: str, name: str) -> SchemeInfo:
    """Return the entry of the index for a scheme, a catalogue or auxiliary rules (``auxiliary``) of the package.

    Raises
    ------
    UnknownNameError
        There is none of this kind by that name.
    """
    index = index_of(kind)
    if name in index:
        return index[name]
    known = "`drgdip schemes` lists all"
    if kind == "auxiliary":  # their ids are those of catalogues: an id of another kind says nothing
        known = f"There are {', '.join(index)}"
    else:
        other = "catalogue" if kind == "scheme" else "scheme"
        if name in index_of(other):
            raise UnknownNameError(kind, name, (), hint=f"It is a {other}, which load_{other} loads.")
    hint = f"{known}; a folder of your own is named by a path, such as ./{name}"
    raise UnknownNameError(_WORDS[kind], name, index, hint=hint)
