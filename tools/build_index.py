"""Write src/drgdip/data/index.toml from the scheme folders: run it after a scheme was added or revised.

A folder's facts are stated in its scheme.toml; the index repeats those that one wants without loading a scheme,
and adds the SHA-256 over the folder's files.
"""

from __future__ import annotations

import json
from pathlib import Path

from drgdip.grouper.tables import read_folder, read_toml

DATA = Path(__file__).parent.parent / "src" / "drgdip" / "data"
HEAD = "# Written by tools/build_index.py from the scheme folders. Do not edit: see docs/scheme-format.md.\n"
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
    heads = {path.parent.name: read_toml(path) for path in sorted((data / "drg").glob("*/scheme.toml"))}
    digests: dict[str, str] = {}
    # Schemes that stand alone come first: a local one has their digest in its own, and what it does not state.
    for name in sorted(heads, key=lambda name: "extends" in heads[name]):
        _, digests[name] = read_folder(data / "drg" / name, digests.get(heads[name].get("extends", ""), ""))
    for name, own in heads.items():
        base = heads.get(own.get("extends", ""), {})
        head = {key: base[key] for key in INHERITED if key in base} | own
        digest = digests[name]
        text += "\n[[scheme]]\n"
        text += "".join(f"{name} = {_value(head[name])}\n" for name in FIELDS if name in head)
        text += f'sha256 = "{digest}"\n'
        for table in ("counts", "provenance"):
            text += f"[scheme.{table}]\n"
            text += "".join(f"{name} = {_value(value)}\n" for name, value in head[table].items())
    return text


def _value(value: str | int) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    (DATA / "index.toml").write_text(index(), encoding="utf-8")
