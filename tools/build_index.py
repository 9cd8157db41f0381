"""Write index.toml and files.csv in src/drgdip/data: run it after a file there was added or revised.

A folder's facts are stated in its scheme.toml, catalogue.toml or auxiliary.toml; the index repeats those that one wants
without loading it, and adds the SHA-256 over the folder's files. The lists of procedure types have
their SHA-256 too. files.csv has that of every other file, which is checked when the file is read.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip import _toml
from drgdip.data import HEAD_KEYS
from drgdip.grouper.tables import AUXILIARY, CATALOGUE, OVERLAY, SCHEME, read_folder, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = Path(__file__).parent.parent / "src" / "drgdip" / "data"
HEAD = "# Written by tools/build_index.py from the folders. Do not edit: see docs/scheme-format.md and docs/dip.md.\n"
INHERITED = ("diagnosis_codes", "procedure_codes")


def index(data: Path = DATA) -> str:
    """Return the text of the index."""
    heads = {path.parent.name: read_toml(path) for path in sorted((data / "drg").glob(f"*/{SCHEME.head}"))}
    digests: dict[str, str] = {}
    # Schemes that stand alone come first: a local one has their digest in its own, and what it does not state.
    for name in sorted(heads, key=lambda name: "extends" in heads[name]):
        base = heads[name].get("extends")
        extends = (OVERLAY, digests[base]) if base else ()
        _, digests[name] = read_folder(data / "drg" / name, *extends)
    schemes = []
    for name, own in heads.items():
        base = heads.get(own.get("extends", ""), {})
        schemes.append(_entry({key: base[key] for key in INHERITED if key in base} | own, digests[name]))
    catalogues = [
        _entry(read_toml(path), read_folder(path.parent, CATALOGUE)[1])
        for path in sorted((data / "dip").glob(f"*/{CATALOGUE.head}"))
    ]
    auxiliary = [
        _entry(read_toml(path), read_folder(path.parent, AUXILIARY)[1])
        for path in sorted((data / "auxiliary").glob(f"*/{AUXILIARY.head}"))
    ]
    types = [
        {"id": path.stem, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted((data / "procedure_types").glob("*.csv"))
    ]
    tables = {"scheme": schemes, "catalogue": catalogues, "auxiliary": auxiliary, "procedure_types": types}
    return HEAD + _toml.dumps(tables)


def _entry(head: Mapping[str, Any], digest: str) -> dict[str, Any]:
    stated = {name: head[name] for name in HEAD_KEYS if name in head}
    return {**stated, "sha256": digest, "counts": head["counts"], "provenance": head["provenance"]}


def files(data: Path = DATA) -> str:
    """Return the text of files.csv: the SHA-256 of every file that is in no folder with a digest of its own."""
    lines = ["file,sha256"]
    for path in sorted(data.rglob("*"), key=lambda path: path.relative_to(data).as_posix()):
        name = path.relative_to(data).as_posix()
        own = name.startswith(("drg/", "auxiliary/")) or re.fullmatch(r"dip/[^/]+/.*", name)
        if path.suffix in {".csv", ".toml"} and not own and name not in {"index.toml", "files.csv"}:
            lines.append(f"{name},{hashlib.sha256(path.read_bytes()).hexdigest()}")
    return "\n".join(lines) + "\n"


def write(data: Path = DATA) -> None:
    """Write both."""
    (data / "index.toml").write_text(index(data), encoding="utf-8", newline="\n")
    (data / "files.csv").write_text(files(data), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
