"""Every table of the package and their index: the one module that knows the place and the reading of data."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drgdip._once import once
from drgdip.errors import SchemeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "COUNT_ALIASES",
    "HEAD_KEYS",
    "LISTED",
    "ROOT",
    "SchemeInfo",
    "check_digest",
    "index_entries",
    "index_of",
    "info_of",
    "rows_of",
    "sha256_of",
    "text_of",
    "toml_of",
]

#: The files that say what the others must be.
_ROOTS = frozenset({"index.toml", "files.csv"})
#: The folder of the tables.
ROOT = Path(__file__).parent

#: Older names of counts, as the published tables of 1.0 and 1.1 have them.
COUNT_ALIASES = {
    "ambiguous": "ambiguous_groups",
    "exclusion_codes": "exclusion_rows",
    "valid_surgery": "valid_procedures",
}


#: Keys of the head of a folder before its tables, in the order of heads and of the index.
HEAD_KEYS = (
    "id",
    "title",
    "issuer",
    "place",
    "extends",
    "published",
    "valid_from",
    "valid_to",
    "revision",
    "diagnosis_codes",
    "procedure_codes",
)
#: Attributes of a `SchemeInfo` that a listing shows.
LISTED = ("id", "title", "place", "published", "valid_from", "valid_to", "revision", "extends")


@dataclass(frozen=True, slots=True)
class SchemeInfo:
    """Facts about a scheme that are known without loading it.

    Dates are text (YYYY, YYYY-MM or YYYY-MM-DD); "" where the source does not give one. ``extends`` is the id of the
    scheme that a local one changes, "" for a scheme that stands alone.
    """

    id: str
    title: str
    issuer: str
    place: str
    published: str
    valid_from: str
    valid_to: str
    revision: int
    diagnosis_codes: str
    procedure_codes: str
    counts: Mapping[str, int]
    provenance: Mapping[str, str]
    sha256: str
    extends: str = ""


@once
def rows_of(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of a CSV table of the package, named by its path from `ROOT`, each by its columns."""
    return tuple(MappingProxyType(row) for row in csv.DictReader(io.StringIO(text_of(name), newline="")))


@once
def words_of(name: str) -> Mapping[str, tuple[str, str]]:
    """Return the English and the Chinese text of each name, the first column, of a table of words of the package."""
    rows = rows_of(name)
    return MappingProxyType({next(iter(row.values())): (row["english"], row["chinese"]) for row in rows})


@once
def toml_of(name: str, number: Callable[[str], Any] = float) -> Mapping[str, Any]:
    """Return a TOML file of the package, named by its path from `ROOT`; ``number`` reads what has a point."""
    return MappingProxyType(tomllib.loads(text_of(name), parse_float=number))


def text_of(name: str) -> str:
    """Return the text of a file of the package, named by its path from `ROOT`.

    Raises
    ------
    SchemeError
        The file is not the one that ``files.csv`` describes: a file that may change a result is read only if it is.
    """
    content = (ROOT / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if name not in _ROOTS and digest != sha256_of(name):
        what = f"the digest of the file is {digest}, files.csv says {sha256_of(name)}"
        fix = "Install the package anew; after a change that is meant, run tools/build_index.py"
        raise SchemeError("wrong_digest", what, file=ROOT / name, fix=fix)
    return content.decode()


def sha256_of(name: str) -> str:
    """Return the SHA-256 that a file of the package must have, "" for one that ``files.csv`` does not list."""
    return _digests().get(name, "")


@once
def _digests() -> Mapping[str, str]:
    return {row["file"]: row["sha256"] for row in rows_of("files.csv")}


def check_digest(folder: Path, digest: str, expected: SchemeInfo | None) -> None:
    """Refuse files of the package that are not those of the index."""
    if expected is not None and expected.sha256 != digest:
        what = f"the digest of the files is {digest}, the index says {expected.sha256}"
        fix = "Install the package anew; what is published is never edited, a correction is a new revision"
        raise SchemeError("wrong_digest", what, file=folder, fix=fix)


@once
def index_of(kind: str) -> dict[str, SchemeInfo]:
    """Return the schemes, catalogues or auxiliary rules (``auxiliary``) in the package by id."""
    return {entry["id"]: info_of(entry) for entry in index_entries(kind)}


def index_entries(kind: str) -> list[dict[str, Any]]:
    """Return the entries of a kind in the index of the package."""
    entries: list[dict[str, Any]] = toml_of("index.toml")[kind]
    return entries


def info_of(entry: Mapping[str, Any]) -> SchemeInfo:
    """Return the facts that the index or the head of a folder states."""
    defaults: dict[str, Any] = {
        "place": "",
        "valid_from": "",
        "valid_to": "",
        "revision": 1,
        "sha256": "",
        "provenance": {},
        "extends": "",
    }
    fields = [field.name for field in dataclasses.fields(SchemeInfo)]
    values: dict[str, Any] = {name: entry[name] if name in entry else defaults[name] for name in fields}
    values["counts"] = MappingProxyType({COUNT_ALIASES.get(k, k): v for k, v in values["counts"].items()})
    values["provenance"] = MappingProxyType(values["provenance"])
    return SchemeInfo(**values)
