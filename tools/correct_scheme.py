"""Bring corrected tables of schemes into src/drgdip/data/drg: ``python tools/correct_scheme.py FOLDER ...``.

A FOLDER holds the tables of one scheme in full, in the format of docs/scheme-format.md, those of a place too; the
``id`` in its scheme.toml says which. A scheme of the package keeps its own scheme.toml, in which only ``revision`` and
``[counts]`` change; a new one takes that of the FOLDER. Of a place only what differs from its base is written, and the
places of a corrected base keep their tables. ``--decks`` names a folder with new golden decks, which take the place of
the earlier ones if both engines agree with them in full.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import re
import textwrap
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from build_index import DATA
from build_index import write as write_index

from drgdip.data import COUNT_ALIASES
from drgdip.grouper.drg.load import scheme_of
from drgdip.grouper.drg.model import counts_of
from drgdip.grouper.drg.reach import why_unreachable
from drgdip.grouper.drg.scheme import Scheme
from drgdip.grouper.drg.witness import targets, witness
from drgdip.grouper.drg.workbook import result_mdc_of
from drgdip.grouper.drg.writing import table_rows
from drgdip.grouper.grammar import parse
from drgdip.grouper.group import group
from drgdip.grouper.tables import CHANGES, COLUMNS, OPTIONAL, OVERLAY, read_folder, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent
DRG = DATA / "drg"
GOLDEN = ROOT / "tests" / "data" / "golden"
#: Number of rows and digest of each full table of each place, with which the tests compare the place put together.
DIGESTS = ROOT / "tests" / "data" / "places.csv"
CHANGELOG = ROOT / "CHANGELOG.md"
HEAD = "scheme.toml"
SMALL = ("mdc.csv", "adrg.csv", "drg.csv")
#: The file whose columns are free: it is copied.
FREE = "differences.csv"
ANSWER = ("mdc", "adrg", "group", "status")
SEED, TRIES = 20260101, 10_000

Row = tuple[str, ...]
Tables = dict[str, list[Row]]


def main(folders: list[Path], decks: Path | None) -> None:
    """Correct the schemes of the folders, bases before places, and say in the changelog what changed and moved."""
    lines = [
        line
        for folder in sorted(folders, key=lambda folder: (is_place(own_head(folder)), folder.name))
        if (line := correct(folder, DRG / read_toml(folder / HEAD)["id"], decks))
    ]
    write_index(DRG.parent)
    if lines:
        write_changelog(lines)


def own_head(folder: Path) -> Path:
    """Return the folder whose head holds for the scheme of a folder: that of the package, if the scheme is not new."""
    known = DRG / read_toml(folder / HEAD)["id"]
    return known if known.exists() else folder


def is_place(folder: Path) -> bool:
    """Whether the scheme of a folder extends another."""
    return "extends" in read_toml(folder / HEAD)


def correct(folder: Path, target: Path, decks: Path | None) -> str:
    """Write one scheme; return the line of the changelog, empty if no table differs."""
    print(target.name)
    known = target.exists()
    if not known:
        target.mkdir()
        (target / HEAD).write_bytes((folder / HEAD).read_bytes())
    files = {path.name: path.read_bytes() for path in target.glob("*.csv")}
    before = full_tables(target) if known else {}
    answers = {deck: grouped(deck, target) for deck in decks_of(target.name)} if known else {}
    places = {place: full_tables(place) for place in places_of(target)}

    after = {name: rows(folder / name) for name in COLUMNS if (folder / name).exists() and name != "unreachable.csv"}
    after["adrg.csv"] = with_result_mdc(after)
    after |= {name: before[name] for name in SMALL if known and read(name, before[name]) == read(name, after[name])}
    write_tables(target, after)
    if (folder / FREE).exists():
        (target / FREE).write_bytes((folder / FREE).read_bytes())
    write_unreachable(target)
    if is_place(target):
        write_digests(target.name, full_tables(target))
    for place, tables in places.items():
        write_tables(place, tables)
        kept = full_tables(place)
        assert same(kept, tables), f"{place.name} has other tables now"
        write_digests(place.name, kept)
    if {path.name: path.read_bytes() for path in target.glob("*.csv")} == files:
        print("  no table differs")
        return ""
    revision = write_head(target, raised=known)
    scheme = load(target, checked=True)
    moved = []
    for deck, old in answers.items():
        new = check_deck(deck, target, decks)
        number = sum(one != other for one, other in zip(old, new, strict=True))
        moved.append(f"{number:,} of the {len(old):,} cases of `{deck.name.removesuffix('.csv.gz')}`")
    told = changes_told(before, full_tables(target)) if known else [repr(scheme).strip("<>").partition(": ")[2]]
    line = f"- `{target.name}` revision {revision}: {'; '.join(told)}."
    return line + (f" Moved: {', '.join(moved)}." if moved else "")


# --- schemes as they are written -------------------------------------------------------------------------------------


def load(folder: Path, *, checked: bool = False) -> Scheme:
    """Return the scheme of a folder as its files are now; the index and what is loaded already are not asked.

    Only a checked one must have the counts of its head and list what nothing reaches.
    """
    head = read_toml(folder / HEAD)
    base = load(DRG / head["extends"]) if "extends" in head else None
    tables, digest = read_folder(folder, OVERLAY, base.info.sha256) if base else read_folder(folder)
    if not checked:
        head["counts"] = {}
        tables.pop("unreachable.csv", None)
    path = folder / HEAD
    scheme = scheme_of(path, head, tables, base=base, sha256=digest, folder=folder, list_closed=not checked)
    return Scheme.of(scheme)


def full_tables(folder: Path) -> Tables:
    """Return the rows of a scheme's files, those of a place put together; rules are as they are written."""
    scheme = load(folder)
    base = DRG / scheme.info.extends if scheme.info.extends else folder
    tables = {name: table for name, table in table_rows(scheme).items() if name not in SMALL}
    for name in SMALL:
        tables[name] = rows(folder / name if (folder / name).exists() else base / name)
    return tables | {name: rows(folder / name) for name in OPTIONAL if (folder / name).exists()}


def places_of(folder: Path) -> list[Path]:
    """Return the folders of the schemes that extend one."""
    heads = [path for path in sorted(DRG.glob(f"*/{HEAD}")) if read_toml(path).get("extends") == folder.name]
    return [path.parent for path in heads]


def write_tables(folder: Path, tables: Tables) -> None:
    """Write a scheme from its full tables: of a place only what differs from its base."""
    base = read_toml(folder / HEAD).get("extends")
    written = dict(tables)
    columns = dict(COLUMNS)
    if base is not None:
        of_base = full_tables(DRG / base)
        columns |= CHANGES
        for name in SMALL:
            if read(name, tables[name]) == read(name, of_base[name]):
                del written[name]
        for name in CHANGES:
            written[name] = list(changes_of(of_base[name], tables[name], by_name=name != "severity.csv"))
    for name, header in columns.items():
        path = folder / name
        if name == FREE:
            continue
        if written.get(name):
            table = written[name]
            if name not in SMALL and header == COLUMNS[name]:
                table = sorted(table, key=by_number)
            write(path, header, table)
        elif name not in OPTIONAL:
            path.unlink(missing_ok=True)


def read(name: str, table: list[Row]) -> list[Row]:
    """Return rows of a small table with their rules as they are read: two texts may be one rule."""
    rule = COLUMNS[name].index("rule")
    return [(*row[:rule], str(parse(row[rule])), *row[rule + 1 :]) for row in table]


def with_result_mdc(tables: Tables) -> list[Row]:
    """Return the rows of adrg.csv with the MDC that results name, which older folders have no column for."""
    width, orders = len(COLUMNS["adrg.csv"]), {row[0]: row[2] for row in tables["mdc.csv"]}
    return [
        row if len(row) == width else (*row, result_mdc_of(row[0], row[2], row[4], orders))
        for row in tables["adrg.csv"]
    ]


def same(one: Tables, other: Tables) -> bool:
    """Whether two schemes have the same tables."""
    return one.keys() == other.keys() and all(
        read(name, one[name]) == read(name, other[name]) if name in SMALL else one[name] == other[name] for name in one
    )


def by_number(row: Row) -> tuple[int, Row]:
    """Return the key by which rows are sorted: exclusion tables by their number."""
    return (int(row[0]) if row[0].isdigit() else 0), row


def changes_of(before: list[Row], after: list[Row], *, by_name: bool) -> Iterator[Row]:
    """Yield the ``-`` and ``+`` rows between two tables; of a set that changes altogether as one ``-``."""
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


def write_head(folder: Path, *, raised: bool) -> int:
    """Write the counts of the tables into scheme.toml, and the next revision; return it."""
    path = folder / HEAD
    text, head = path.read_text(encoding="utf-8"), read_toml(path)
    revision = int(head.get("revision", 1)) + raised
    text = re.sub(r"^revision = \d+$", f"revision = {revision}", text, count=1, flags=re.MULTILINE)
    counts = counts_of(load(folder))
    before, mark, rest = text.partition("[counts]\n")
    own, end, rest = rest.partition("\n[")
    for name in head["counts"]:
        number = counts[COUNT_ALIASES.get(name, name)]
        own = re.sub(rf"^{name} = \d+", f"{name} = {number}", own, flags=re.MULTILINE)
    path.write_text(before + mark + own + end + rest, encoding="utf-8")
    return revision


def write_unreachable(folder: Path) -> None:
    """Write unreachable.csv anew: the rows that no case made for them reaches, each with what is proved about it."""
    path = folder / "unreachable.csv"
    path.unlink(missing_ok=True)
    found = unreachable_rows(load(folder))
    if found:
        write(path, COLUMNS[path.name], found)


def unreachable_rows(scheme: Scheme) -> list[Row]:
    """Return the rows of unreachable.csv."""
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


def write_digests(name: str, tables: Tables) -> None:
    """Write the number of rows and the digest of each full table of a place."""
    kept: list[Row] = [row for row in rows(DIGESTS) if row[0] != name]
    kept += [(name, file, *digest_of(tables[file])) for file in COLUMNS if file not in OPTIONAL]
    kept.sort(key=lambda row: (row[0], list(COLUMNS).index(row[1])))
    write(DIGESTS, ("scheme", "table", "rows", "sha256"), kept)


def digest_of(table: list[Row]) -> Row:
    """Return the number of rows, and the SHA-256 over the sorted rows."""
    return str(len(table)), hashlib.sha256("\n".join(map("\t".join, sorted(table))).encode()).hexdigest()


# --- golden decks ----------------------------------------------------------------------------------------------------


def decks_of(name: str) -> list[Path]:
    """Return the golden decks of a scheme: those that begin with its id and with no longer one."""
    ids = sorted((path.parent.name for path in DRG.glob(f"*/{HEAD}")), key=len, reverse=True)
    found = []
    for path in sorted(GOLDEN.glob("*.csv.gz")):
        deck = path.name.removesuffix(".csv.gz")
        owner = next((scheme for scheme in ids if deck == scheme or deck.startswith(f"{scheme}-")), None)
        found += [path] if owner == name else []
    return found


def check_deck(deck: Path, target: Path, decks: Path | None) -> list[Row]:
    """Return what the scheme makes of an earlier deck, and put the new deck of this name in its place."""
    answers = grouped(deck, target)
    if decks is None or not (decks / deck.name).exists():
        return answers
    fresh = decks / deck.name
    given = [tuple(row[name] for name in ANSWER) for row in read_deck(fresh)]
    for engine in ("reference", "columnar"):
        found = grouped(fresh, target, engine)
        wrong = [(one, other) for one, other in zip(given, found, strict=True) if one != other]
        if wrong:
            raise ValueError(f"{fresh.name}: {len(wrong)} of {len(given)} differ in {engine}, such as {wrong[:3]}")
    deck.write_bytes(fresh.read_bytes())
    return answers


def grouped(deck: Path, target: Path, engine: str = "columnar") -> list[Row]:
    """Return the answers of a scheme to a deck."""
    cases = [{name: cell for name, cell in row.items() if name not in ANSWER} for row in read_deck(deck)]
    return [tuple(row[name] or "" for name in ANSWER) for row in group(cases, load(target), engine=engine)]


def read_deck(path: Path) -> list[dict[str, str]]:
    """Return the rows of a deck as they stand."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- the changelog ---------------------------------------------------------------------------------------------------


def changes_told(before: Tables, after: Tables) -> list[str]:
    """Say what differs, table by table."""
    told = []
    for name in SMALL:
        gone, come = set(before[name]) - set(after[name]), set(after[name]) - set(before[name])
        if gone or come:
            told.append(f"{max(len(gone), len(come)):,} rows of `{name}`")
    signs = {table: changed(before[table], after[table]) for table in ("sets.csv", "severity.csv", "exclusions.csv")}
    if signs["sets.csv"]:
        sets = Counter(name for _, name, _ in signs["sets.csv"])
        number = len(by_first(after["sets.csv"]))
        told.append(f"{signed(signs['sets.csv'])} codes in {len(sets)} of {number} sets")
        if sets["OP_VALID"] and len(sets) > 1:
            told[-1] += f" (OP_VALID {signed(row for row in signs['sets.csv'] if row[1] == 'OP_VALID')})"
    levels = changed(level_rows(before["severity.csv"]), level_rows(after["severity.csv"]))
    if levels:
        total = Counter(level for _, level in level_rows(after["severity.csv"]))
        codes = {code for _, code, _ in levels}
        told.append(f"{len(codes):,} MCC and CC otherwise ({total['MCC']:,} MCC and {total['CC']:,} CC now)")
    if signs["exclusions.csv"] or (signs["severity.csv"] and not levels):
        tables = len(by_first(after["exclusions.csv"]))
        told.append(f"{tables} exclusion tables with {len(after['exclusions.csv']):,} rows")
    told += [f"`{name}`, {len(after[name]):,} rows" for name in OPTIONAL[1:] if after.get(name) != before.get(name)]
    return told or ["reasons in `unreachable.csv`"]


def changed(before: Iterable[Row], after: Iterable[Row]) -> list[Row]:
    """Return the rows that differ, each after ``+`` or ``-``."""
    one, other = set(before), set(after)
    return [("-", *row) for row in one - other] + [("+", *row) for row in other - one]


def signed(changes: Iterable[Row]) -> str:
    """Say how many rows came and went."""
    count = Counter(change for change, *_ in changes)
    return " ".join(f"{'−' if sign == '-' else sign}{count[sign]:,}" for sign in "+-" if count[sign])


def level_rows(severity: list[Row]) -> list[Row]:
    """Return the severity codes with their level, whatever their exclusion table is called."""
    return [(code, level) for code, level, _ in severity]


def write_changelog(lines: list[str]) -> None:
    """Write the lines at the end of the newest section on scheme data, and print them."""
    lines = [textwrap.fill(line, 130, subsequent_indent="  ", break_on_hyphens=False) for line in lines]
    print(*lines, sep="\n")
    text = CHANGELOG.read_text(encoding="utf-8")
    before, heading, rest = text.partition("### Scheme data\n")
    section, end, rest = rest.partition("\n## ") if "\n## " in rest else (rest, "", "")
    own, next_heading, others = section.partition("\n### ")
    own = own.rstrip("\n") + "\n" + "".join(f"{line}\n" for line in lines)
    CHANGELOG.write_text(before + heading + own + next_heading + others + end + rest, encoding="utf-8")


# --- tables ----------------------------------------------------------------------------------------------------------


def by_first(table: Iterable[Row]) -> dict[str, set[str]]:
    """Return second cells by first cell."""
    result: dict[str, set[str]] = defaultdict(set)
    for name, code in table:
        result[name].add(code)
    return result


def rows(path: Path) -> list[Row]:
    """Return the rows of a table without its header."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def write(path: Path, header: Row, table: Iterable[Iterable[str]]) -> None:
    """Write a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--decks", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    main(given.folders, given.decks)
