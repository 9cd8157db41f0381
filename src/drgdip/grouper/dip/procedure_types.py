"""Types and tiers of procedures: the lists of the package, and over them those of a catalogue's folder."""

from __future__ import annotations

import dataclasses
import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING

from drgdip._once import once
from drgdip._text import normalise_code
from drgdip.data import ROOT, index_entries
from drgdip.errors import SchemeError
from drgdip.grouper.dip.model import TREATMENTS, Matching
from drgdip.grouper.tables import CATALOGUE, Table, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["types_of"]

_TYPES = (*TREATMENTS[:4], "interventional")


def types_of(own: Table | None, matching: Matching, head: Path) -> Mapping[str, tuple[str, str]]:
    """Return type and tier by procedure: the list in the package, and over it that of the folder."""
    types: dict[str, tuple[str, str]] = {}
    if matching.procedure_types:
        known = _type_digests()
        if matching.procedure_types not in known:
            what = f"procedure_types in [matching] is {matching.procedure_types!r}"
            raise SchemeError("bad_value", what, file=head, fix=f"Give one of {', '.join(known)}")
        types |= _shared_types(matching.procedure_types)
    if own is not None:
        types |= _typed(own)
    return MappingProxyType(types)


@once
def _type_digests() -> dict[str, str]:
    return {entry["id"]: entry["sha256"] for entry in index_entries("procedure_types")}


@once
def _shared_types(name: str) -> dict[str, tuple[str, str]]:
    path = ROOT / "procedure_types" / f"{name}.csv"
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != _type_digests()[name]:
        what = f"the digest of the file is {digest}, the index says {_type_digests()[name]}"
        raise SchemeError("wrong_digest", what, file=path, fix="Install the package anew")
    layout = dataclasses.replace(
        CATALOGUE,
        columns={path.name: CATALOGUE.columns["procedure_types.csv"]},
        keys={path.name: CATALOGUE.keys["procedure_types.csv"]},
    )
    return _typed(read_table(path, layout, content))


def _typed(table: Table) -> dict[str, tuple[str, str]]:
    types = {}
    for index, (code, kind, tier) in enumerate(table.rows):
        if kind not in _TYPES:
            raise table.error("unknown_value", index, f"type {kind!r} of {code}", f"The types are {', '.join(_TYPES)}")
        types[normalise_code(code)] = (kind, tier)
    return types
