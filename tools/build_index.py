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
    for folder in sorted(path for path in (data / "drg").iterdir() if path.is_dir()):
        head = read_toml(folder / "scheme.toml")
        base_digest = ""
        if "extends" in head:  # what a local scheme does not state is its base's
            base = folder.parent / head["extends"]
            head = {name: value for name, value in read_toml(base / "scheme.toml").items() if name in INHERITED} | head
            _, base_digest = read_folder(base)
        _, digest = read_folder(folder, base_digest)
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
