"""Bring the schemes of places into src/drgdip/data/drg from full tables: ``python tools/import_places.py SRC``.

SRC holds ``tables/<id>`` with the whole tables of a place and ``golden/<id>.csv.gz`` where there is a deck. Here a
place is what it changes of its national base. Run it twice and nothing changes; then run tools/build_index.py.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from drgdip.data import COUNT_ALIASES
from drgdip.grouper.drg.load import build_scheme
from drgdip.grouper.drg.reach import why_unreachable
from drgdip.grouper.drg.scheme import load_scheme
from drgdip.grouper.drg.witness import targets, witness
from drgdip.grouper.tables import CHANGES, COLUMNS, OVERLAY, read_folder, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent
DRG = ROOT / "src" / "drgdip" / "data" / "drg"
TESTS = ROOT / "tests" / "data"
BASES = ("chs-drg-1.0-revised", "chs-drg-1.1", "chs-drg-2.0")
#: The base of schemes whose id does not begin with it.
OTHER_BASES = {"zj-drg-1.0-zhejiang-2022": "chs-drg-1.0-revised"}
SMALL = ("mdc.csv", "adrg.csv", "drg.csv")
CHANGED = {
    "sets.csv": ("set", "code"),
    "severity.csv": ("code", "level", "exclusion"),
    "exclusions.csv": COLUMNS["exclusions.csv"],
}
#: Names of places whose id has another word than the English name in places.csv.
PLACE_WORDS = {"hunan": "长株潭衡", "changsha": "长株潭衡", "xinjiang-bingtuan": "新疆生产建设兵团"}
SEED, TRIES = 20260101, 10_000

#: What the sources say of themselves, in our words; {} stands for what differs.
SENTENCES = {
    r"order, conditions and code lists: the OpenDRG (Python|Java) grouper .*": (
        "order, conditions and code lists: the {} grouper of the OpenDRG project for this place (Apache-2.0), read by "
        "program and proved by differential testing"
    ),
    r"conditions, order and code lists: read mechanically from a public third-party .*?document(?:; (6 ADRGs) .*)?": (
        "order, conditions and code lists: a public third-party implementation of the place's scheme (June 2026), read "
        "by program and proved by differential testing; no document of the place was at hand to compare with"
    ),
    r"DRG names: the same source; ADRG names: national .*": (
        "DRGs: the same grouper; ADRGs: the national scheme where the code is the same, else what the names of their "
        "DRGs share; MDCs: the national scheme 1.1"
    ),
    r"DRG names and weights: the same implementation's .*": (
        "DRGs: the list of the same implementation; ADRGs: what the names of their DRGs share; MDCs: the national "
        "scheme"
    ),
    r"descriptive title.*": "the title describes the scheme; it is not that of a notice",
    r"nearest national version by code lists: (.*) \(similarity (.*)\)": (
        "{} is the national scheme whose code lists are nearest (similarity {})"
    ),
    r"exclusion ids are .*": "exclusion tables have the numbers of the source",
    r"OP_VALID is .*": "OP_VALID, the procedures that count as an operation or treatment, is the list of the source",
    r"rows of kind \"ambiguous\" .*": (
        "ambiguous rows (codes ending in QY) stand between the surgical and the medical ADRGs of their MDC and take "
        "valid operations that no ADRG before them takes"
    ),
    r"Rows of kind 'ambiguous' .*": (
        "ambiguous rows (codes ending in QY) take their turn in the order like any ADRG, and one code may have "
        "several; the MDC of the result is that of the code's first letter"
    ),
    r"ADRGs without an unconditional group: (.*)": "ADRGs none of whose groups takes every case: {}",
    r"(\d+) (procedure|diagnosis) codes? of the sets are not in (.*), e\.g\. (.*)": (
        "codes of the sets that {2} lacks: {0}, such as {3}"
    ),
    r"these ADRG rules name no code list .*: (.*)": (
        "suspected defect of the source: these ADRGs have no code list of their own, where the national scheme has "
        "one: {}"
    ),
    r"codes damaged in the source and corrected here: (.*)": "codes that are damaged in the source and mended here: {}",
    r"RL1, RL2, RN1 \(length of stay\).*": (
        "the conditions of RL1, RL2, RN1 (length of stay) and of CD3, DE2, IT2 (up to 6 years) are those of the "
        "published names of the groups; the implementation asks for an age under 17 there, never reaches CD3D, DE2D, "
        "IT2B and IT2C, and fails at RL18, RL28 and RN18"
    ),
    r"ICUXS = .*": "the scheme asks for hours in intensive care (icu_hours)",
    r"KS = ICU.*": "the scheme asks whether the department (dept) is ICU",
    r"the source imports a missing module \((.*?)\).* sub-rules (.*) and (.*) were .*": (
        "suspected defect of the source: it refers to a part {} that it lacks; its {} and {} stand in for it"
    ),
    r"these conditions of the source have an empty code list.*: (.*)": (
        "suspected defect of the source: these conditions have an empty code list and can never be met (NL < 0, or "
        "left out of an 'or'): {}"
    ),
    r"RL1, RL2 and RN1 are split .*": "RL1, RL2 and RN1 are divided by length of stay (los)",
    r"MDCP takes a case without .*": (
        "without a diagnosis of newborns MDCP takes a case only if the age in days is 0, as the implementation has it; "
        "elsewhere the limit is 28 days"
    ),
    r"MDCM and MDCN: every .*": "a diagnosis of MDCM in a woman, or of MDCN in a man, leads to MQY",
    r"diagnoses in both lists .*": "MDCM comes first for diagnoses that are in the lists of MDCM and MDCN",
    r"(\d+) codes of the DRG list .*": (
        "{} groups of the place's list are not here, because the source has no rule for them"
    ),
    r"the DRG list has 85 .*": (
        "85 groups of Chinese medicine in the place's list (AI to AY) are not here: they need diagnoses and treatments "
        "of Chinese medicine, for which the source has no rule"
    ),
    r"letters and digits: .*": (
        "the last digit of a group may be 0 (under 17 years), 2 (an added procedure and an MCC), 4 (over 70 years) or "
        "8 (another listed procedure)"
    ),
    r"retry_other_procedures: .*": (
        "a case with several procedures that nothing takes is tried again with each other procedure alone "
        "(retry_other_procedures)"
    ),
}
#: Notes of the sources that are a matter of the format, told in docs/scheme-format.md.
UNTOLD = ("empty", "missing")
#: What we found besides.
FOUND = {
    "chs-drg-1.0-revised-changzhou-2022": {
        "both_levels": "the source lists J96.900x003 as MCC and as CC; here it is both",
        "open_mdc": (
            "suspected defect of the source: MDCS has no condition, so that its SB1 takes every case with a valid "
            "procedure that reaches it, also of the MDCs behind it"
        ),
        "behind": (
            "suspected defect of the source: the groups for death or transfer within five days stand behind groups "
            "that take all"
        ),
    },
    "zj-drg-1.0-zhejiang-2022": {
        "behind": "suspected defect of the source: the groups that ask for the ICU stand behind groups that take all"
    },
    "chs-drg-2.0-shanxi-2024": {
        "damaged": (
            "suspected defect of the source: C91.100 and C91.600 among the CC have their names attached, and H59.001 "
            "and M31.100 in exclusion tables 80 and 127 a character before them; they are kept as they are and match "
            "no case"
        )
    },
}

Row = tuple[str, ...]


def main(source: Path) -> None:
    """Write the folders of all places, the decks and the digests of the full tables."""
    places = {row["english"].lower().replace(" ", "-"): row["place"] for row in _dicts(DRG.parent / "places.csv")}
    digests = []
    for folder in sorted((source / "tables").iterdir()):
        base = OTHER_BASES.get(folder.name) or next((b for b in BASES if folder.name.startswith(f"{b}-")), None)
        if base is None:
            continue
        print(folder.name)
        word = re.sub(rf"^({base}|zj-drg-1\.0)-(.*)-\d{{4}}$", r"\2", folder.name)
        import_place(folder, base, PLACE_WORDS.get(word) or places[word])
        digests += [
            (folder.name, name, *digest_of(rows(folder / name))) for name in COLUMNS if (folder / name).is_file()
        ]
        deck = source / "golden" / f"{folder.name}.csv.gz"
        if deck.exists():
            shutil.copyfile(deck, TESTS / "golden" / deck.name)
    write(TESTS / "places.csv", ("scheme", "table", "rows", "sha256"), digests)


def import_place(folder: Path, base: str, place: str) -> None:
    """Write one place as what it changes of its base."""
    out = DRG / folder.name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for name in SMALL:
        if rows(folder / name) != rows(DRG / base / name):
            write(out / name, COLUMNS[name], rows(folder / name))
    for name, columns in CHANGES.items():
        changes = list(changes_of(rows(DRG / base / name), rows(folder / name), by_name=name != "severity.csv"))
        if changes:
            write(out / name, columns, changes)
    (out / "scheme.toml").write_text(head_of(folder, base, place), encoding="utf-8")
    unreachable = unreachable_rows(out)
    if unreachable:
        write(out / "unreachable.csv", COLUMNS["unreachable.csv"], unreachable)


def changes_of(before: list[Row], after: list[Row], *, by_name: bool) -> Iterator[Row]:
    """The ``-`` and ``+`` rows that lead from one table to another; of a set that changes altogether as one ``-``."""
    if not by_name:
        yield from sorted(
            [("-", *row) for row in set(before) - set(after)] + [("+", *row) for row in set(after) - set(before)],
            key=lambda row: (row[1:], row[0] == "+"),
        )
        return
    old, new = by_first(before), by_first(after)
    for name in sorted(old.keys() | new.keys()):
        gone, come = old[name] - new[name], new[name] - old[name]
        if old[name] and len(gone) > len(old[name] & new[name]):
            yield "-", name, ""
            gone, come = set(), new[name]
        yield from ((("+" if code in come else "-"), name, code) for code in sorted(gone | come))


def head_of(folder: Path, base: str, place: str) -> str:
    """The text of scheme.toml: what the base does not say already."""
    head, base_head = read_toml(folder / "scheme.toml"), read_toml(DRG / base / "scheme.toml")
    counts = {COUNT_ALIASES.get(name, name): value for name, value in head["counts"].items()}
    # An option that the source does not state, such as the blank principal diagnosis, is that of the base, whose source
    # is of the same kind.
    options = {
        name: value
        for name, value in head["evaluation"].items()
        if name != "variables" and value != base_head["evaluation"].get(name)
    }
    notes = {name: reworded(text) for name, text in head["notes"].items() if name not in UNTOLD}
    text = "".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
        for name, value in (
            ("id", folder.name),
            ("title", head["title"]),
            ("issuer", head["issuer"]),
            ("place", place),
            ("extends", base),
            ("published", head["published"]),
            ("revision", 1),
        )
    )
    provenance = {name: reworded(value) for name, value in head["provenance"].items()}
    tables = {
        "counts": counts,
        "evaluation": options,
        "provenance": provenance,
        "notes": notes | FOUND.get(folder.name, {}),
    }
    for name, table in tables.items():
        if table:
            text += f"\n[{name}]\n"
            text += "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
    return text


def reworded(text: str) -> str:
    """A sentence of a source in our words."""
    for pattern, words in SENTENCES.items():
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match:
            return words.format(*match.groups())
    raise ValueError(f"no words of ours for: {text}")


def unreachable_rows(folder: Path) -> list[Row]:
    """The rows of unreachable.csv: those that no case made for them reaches, each with what is proved about it."""
    base = load_scheme(read_toml(folder / "scheme.toml")["extends"])
    tables, digest = read_folder(folder, OVERLAY, base.info.sha256)
    path = folder / "scheme.toml"
    scheme = build_scheme(path, read_toml(path), tables, base=base, sha256=digest, folder=folder, list_closed=True)
    random = Random(SEED)  # noqa: S311
    ways: dict[Row, list[str | None]] = defaultdict(list)  # a code may stand in several places
    for target in targets(scheme):
        reason = None
        if witness(target, scheme, random) is None:
            reason = why_unreachable(target, scheme)
            if reason is None and witness(target, scheme, random, TRIES) is None:
                raise ValueError(f"{scheme.id}: neither a case nor a proof for {target.adrg.code} {target.drg}")
        ways["adrg", target.mdc.code, str(target.adrg.order), target.adrg.code].append(reason)
        if target.drg:
            ways["drg", target.adrg.code, str(target.drg.order), target.drg.code].append(reason)
    found = [(*row, str(reasons[0])) for row, reasons in ways.items() if all(reasons)]
    return sorted(found, key=lambda row: (row[0], row[1], int(row[2])))


def digest_of(table: list[Row]) -> tuple[int, str]:
    """Number of rows, and the SHA-256 over the sorted rows."""
    return len(table), hashlib.sha256("\n".join(map("\t".join, sorted(table))).encode()).hexdigest()


def by_first(table: Iterable[Row]) -> dict[str, set[str]]:
    """Second cells by first cell."""
    result: dict[str, set[str]] = defaultdict(set)
    for name, code in table:
        result[name].add(code)
    return result


def rows(path: Path) -> list[Row]:
    """The rows of a table without its header."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def write(path: Path, header: Row, table: Iterable[Iterable[Any]]) -> None:
    """Write a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])


def _dicts(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
