"""Write src/drgdip/data/index.toml from the folders in src/drgdip/data: run it after one was added or revised.

A folder's facts are stated in its scheme.toml, catalogue.toml or auxiliary.toml; the index repeats those that one wants
without loading it, and adds the SHA-256 over the folder's files. The lists of procedure types have their SHA-256 too.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip.grouper.tables import AUXILIARY, CATALOGUE, OVERLAY, SCHEME, read_folder, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = Path(__file__).parent.parent / "src" / "drgdip" / "data"
HEAD = "# Written by tools/build_index.py from the folders. Do not edit: see docs/scheme-format.md and docs/dip.md.\n"
FIELDS = (
    "id",
    "title",
    "issuer",
    "place",
    "extends",
    "published",
    "effective_from",
    "effective_to",
    "revision",
    "diagnosis_codes",
    "procedure_codes",
)
INHERITED = ("diagnosis_codes", "procedure_codes")


def index(data: Path = DATA) -> str:
    """The text of the index."""
    text = HEAD
    heads = {path.parent.name: read_toml(path) for path in sorted((data / "drg").glob(f"*/{SCHEME.head}"))}
    digests: dict[str, str] = {}
    # Schemes that stand alone come first: a local one has their digest in its own, and what it does not state.
    for name in sorted(heads, key=lambda name: "extends" in heads[name]):
        base = heads[name].get("extends")
        extends = (OVERLAY, digests[base]) if base else ()
        _, digests[name] = read_folder(data / "drg" / name, *extends)
    for name, own in heads.items():
        base = heads.get(own.get("extends", ""), {})
        text += _entry("scheme", {key: base[key] for key in INHERITED if key in base} | own, digests[name])
    for path in sorted((data / "dip").glob(f"*/{CATALOGUE.head}")):
        _, digest = read_folder(path.parent, CATALOGUE)
        text += _entry("catalogue", read_toml(path), digest)
    for path in sorted((data / "auxiliary").glob(f"*/{AUXILIARY.head}")):
        _, digest = read_folder(path.parent, AUXILIARY)
        text += _entry("auxiliary", read_toml(path), digest)
    for path in sorted((data / "procedure_types").glob("*.csv")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        text += f'\n[[procedure_types]]\nid = "{path.stem}"\nsha256 = "{digest}"\n'
    return text


def _entry(kind: str, head: Mapping[str, Any], digest: str) -> str:
    text = f"\n[[{kind}]]\n"
    text += "".join(f"{name} = {_value(head[name])}\n" for name in FIELDS if name in head)
    text += f'sha256 = "{digest}"\n'
    for table in ("counts", "provenance"):
        text += f"[{kind}.{table}]\n"
        text += "".join(f"{name} = {_value(value)}\n" for name, value in head[table].items())
    return text


def _value(value: str | int) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    (DATA / "index.toml").write_text(index(), encoding="utf-8")
