"""Write tests/data/frozen.csv and tests/data/public.txt anew: run it after a change of results or names that is meant.

The digests are of what the library gives now (tests/frozen.py says of what). Without words every part is computed; with
the names of parts, such as ``"deck chs-drg-2.0"``, only theirs are written and the other rows stay; ``names`` writes
the public names alone. The commit's body says why each row moved.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from frozen import PARTS, PUBLIC, TABLE, facts_of, public_names, read_table


def freeze(parts: list[str]) -> None:
    """Compute parts and write their rows; print what moved."""
    before = read_table() if TABLE.exists() else {}
    known = before if parts else {}
    after = {what: sha256 for what, sha256 in known.items() if what.partition(": ")[0] not in parts}
    for part in parts or PARTS:
        for what, door, sha256 in facts_of(part):
            if after.setdefault(what, sha256) != sha256:
                raise SystemExit(f"{what}: {door} gives another digest than the doors before it")
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "sha256"))
        writer.writerows(sorted(after.items()))
    PUBLIC.write_text(public_names(), encoding="utf-8", newline="\n")
    for what in sorted(before.keys() | after.keys()):
        if before.get(what) != after.get(what):
            print(f"{'new' if what not in before else 'gone' if what not in after else 'moved'}: {what}")
    print(f"{len(after):,} rows")


if __name__ == "__main__":
    if sys.argv[1:] == ["names"]:
        PUBLIC.write_text(public_names(), encoding="utf-8", newline="\n")
    else:
        freeze(sys.argv[1:])
