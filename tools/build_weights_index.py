"""Bring the counts and digests of ``src/drgdip/data/weights/index.toml`` up to date with its lists.

Everything else in the index is written by hand. After a change of a list: ``python tools/build_weights_index.py``.
"""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "src" / "drgdip" / "data" / "weights"


def described(path: Path) -> dict[str, str]:
    """Return the part of the index that follows from the list itself."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        "groups": str(len(rows)),
        "with_weight": str(sum(not row["reading"] for row in rows)),
        "sha256": f'"{hashlib.sha256(path.read_bytes()).hexdigest()}"',
    }


def build(text: str) -> str:
    """Return the index with counts and digests as the lists have them."""
    head, *entries = text.split("[[list]]\n")
    for number, entry in enumerate(entries):
        name = re.search(r'^id = "(.+)"$', entry, re.MULTILINE)
        if name is None:
            raise SystemExit(f"list {number + 1} of the index has no id")
        for key, value in described(FOLDER / f"{name[1]}.csv").items():
            entries[number] = re.sub(rf"^{key} = .+$", f"{key} = {value}", entries[number], flags=re.MULTILINE)
    return "[[list]]\n".join([head, *entries])


if __name__ == "__main__":
    index = FOLDER / "index.toml"
    index.write_text(build(index.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
