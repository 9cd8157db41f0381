"""Write src/drgdip/data/index.toml from the folders of schemes and catalogues: run it after one was added or revised.

A folder's facts are stated in its scheme.toml or catalogue.toml; the index repeats those that one wants without
loading it, and adds the SHA-256 over the folder's files. The lists of procedure types have their SHA-256 too.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from drgdip.grouper.tables import CATALOGUE, SCHEME, read_folder, read_toml

DATA = Path(__file__).parent.parent / "src" / "drgdip" / "data"
HEAD = "# Written by tools/build_index.py from the folders. Do not edit: see docs/scheme-format.md and docs/dip.md.\n"
FIELDS = (
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


def index(data: Path = DATA) -> str:
    """The text of the index."""
    text = HEAD
    for family, kind, layout in (("drg", "scheme", SCHEME), ("dip", "catalogue", CATALOGUE)):
        for folder in sorted(path for path in (data / family).iterdir() if path.is_dir()):
            head = read_toml(folder / layout.head)
            _, digest = read_folder(folder, layout)
            text += f"\n[[{kind}]]\n"
            text += "".join(f"{name} = {_value(head[name])}\n" for name in FIELDS if name in head)
            text += f'sha256 = "{digest}"\n'
            for table in ("counts", "provenance"):
                text += f"[{kind}.{table}]\n"
                text += "".join(f"{name} = {_value(value)}\n" for name, value in head[table].items())
    for path in sorted((data / "procedure_types").glob("*.csv")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        text += f'\n[[procedure_types]]\nid = "{path.stem}"\nsha256 = "{digest}"\n'
    return text


def _value(value: str | int) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    (DATA / "index.toml").write_text(index(), encoding="utf-8")
