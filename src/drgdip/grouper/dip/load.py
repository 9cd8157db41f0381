"""Loading DIP catalogues strictly: every cross-reference and count is checked."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._once import once
from drgdip._text import normalise_code
from drgdip._values import Unreadable, read_fen
from drgdip.data import ROOT, check_digest, info_of
from drgdip.errors import RuleError
from drgdip.grouper.dip.model import COUNTS, EXCLUDED, TREATMENTS, CatalogueTables, Group, Matching, Term
from drgdip.grouper.dip.options import matching_of
from drgdip.grouper.dip.procedure_types import types_of
from drgdip.grouper.facts import signed_columns
from drgdip.grouper.grammar import ALWAYS, Compare, Count, In, Rule, Severity, parse, walk
from drgdip.grouper.loading import check_counts, check_head, entry_of, grouped_codes
from drgdip.grouper.tables import CATALOGUE, Table, read_folder, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from drgdip.data import SchemeInfo

__all__ = [
    "MOST_TERMS",
    "asks_for_too_much",
    "by_stages",
    "catalogue_of",
    "load_folder",
    "load_packaged",
    "means_of",
    "prefixes_of",
]

_FLAGS = {"": False, "0": False, "1": True}
_ANYWHERE = ("", "dx", "procedures")
_RANGE = re.compile(r"([A-Z])(\d\d)-([A-Z])(\d\d)")
_PATTERN = re.compile(r"[A-Z](\d(\d(\.\S+|[A-Z0-9]\S*)?)?)?")
#: How many terms a group may have; the longest published one has 13.
MOST_TERMS = 16
#: Characters of a procedure that is short: with ``short_codes`` it stands for all that begin so.
_SHORT = range(4, 7)
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@once
def load_packaged(catalogue_id: str) -> CatalogueTables:
    """Return a catalogue of the package by its id."""
    return load_folder(ROOT / "dip" / catalogue_id, entry_of("catalogue", catalogue_id))


def load_folder(folder: Path, expected: SchemeInfo | None = None) -> CatalogueTables:
    """Return the catalogue in a folder; one of the package must have the digest that the index expects."""
    tables, digest = read_folder(folder, CATALOGUE)
    head_path = folder / CATALOGUE.head
    head = read_toml(head_path)
    check_digest(folder, digest, expected)
    return catalogue_of(head_path, head, tables, sha256=digest, folder=folder)


def catalogue_of(
    path: Path, head: Mapping[str, Any], tables: Mapping[str, Table], *, sha256: str, folder: Path
) -> CatalogueTables:
    """Return a catalogue from its head, which errors call ``path``, and its tables as read."""
    check_head(path, head, "matching")
    statistics = tables.get("statistics.csv")
    matching = matching_of(path, head["matching"], statistics)
    sets = grouped_codes(tables["sets.csv"]) if "sets.csv" in tables else _EMPTY
    groups = _groups(tables["groups.csv"], matching, sets)
    catalogue = CatalogueTables(
        info=dataclasses.replace(info_of(head), sha256=sha256),
        matching=matching,
        groups=groups,
        primary_care=_primary_care(tables.get("primary_care.csv"), matching),
        excluded_dx=_codes(tables.get("excluded_diagnoses.csv")),
        excluded_procs=_excluded_procs(tables.get("excluded_procedures.csv")),
        ignored_procs=_codes(tables.get("ignored_procedures.csv")),
        types=types_of(tables.get("procedure_types.csv"), matching, path),
        sets=sets,
        notes=MappingProxyType(head.get("notes", {})),
        names=MappingProxyType({group.code: group.name for group in groups if group.name}),
        means=means_of(statistics, matching, groups),
        annexes=MappingProxyType({name: tables[name] for name in tables if name != "groups.csv"}),
        folder=folder,
        **by_stages(groups, matching),
    )
    check_counts(path, catalogue.info.counts, COUNTS, catalogue)
    return catalogue


def by_stages(groups: tuple[Group, ...], matching: Matching) -> dict[str, Any]:
    """Return the fields that depend on the stages: ``by_dx``, ``lengths``, ``variables``, ``signed``."""
    staged = [group for group in groups if group.kind in matching.stages]
    by_dx: dict[str, list[Group]] = defaultdict(list)
    for group in staged:
        for prefix in group.dx if group.anywhere != "dx" and group.dx else ("",):
            by_dx[prefix].append(group)
    return {
        "by_dx": MappingProxyType({prefix: tuple(found) for prefix, found in by_dx.items()}),
        "lengths": tuple(sorted({len(prefix) for prefix in by_dx}, reverse=True)),
        "variables": _variables(staged),
        "signed": signed_columns({group.condition for group in staged}),
    }


def means_of(table: Table | None, matching: Matching, groups: Iterable[Group]) -> Mapping[str, int]:
    """Return mean costs in fen (四舍五入), if the preferences ask for them."""
    if table is None or not matching.reads_cost:
        return _EMPTY
    known = {group.code for group in groups}
    means = {}
    for index, (code, mean) in enumerate(zip(table.columns["group"], table.columns["mean"], strict=True)):
        if code not in known:
            raise table.error("unknown_value", index, f"{code!r} is no group of groups.csv", "Mend or drop the row")
        try:
            fen = read_fen(mean) if _is_number(mean) else None
        except Unreadable:
            fen = None
        if fen is None:
            raise table.error("bad_number", index, f"mean {mean!r} of {code} is no amount", "Write yuan, as 12345.67")
        means[code] = fen
    return MappingProxyType(means)


def _codes(table: Table | None) -> frozenset[str]:
    return frozenset() if table is None else frozenset(map(normalise_code, table.columns["code"]))


def prefixes_of(table: Table, index: int, text: str) -> tuple[str, ...]:
    """Return prefixes of diagnoses: ``|`` separates, ``A15-A16`` is a range of categories, ``*`` any (no prefix)."""
    if text in {"", "*"}:
        return ()
    prefixes = []
    for part in text.split("|"):
        span = _RANGE.fullmatch(part)
        if span is None:
            if not _PATTERN.fullmatch(part):
                what = f"{part!r} is no prefix of a diagnosis"
                raise table.error(
                    "bad_value", index, what, "Write A41.9, A46.x, A41, A4, A, or a range such as A15-A16"
                )
            prefixes.append(normalise_code(part))
            continue
        first, last = (100 * ord(span[at]) + int(span[at + 1]) for at in (1, 3))
        if first > last:
            raise table.error("bad_value", index, f"the range {part!r} ends before it begins", "Turn it round")
        numbers = (number for number in range(first, last + 1))
        prefixes += [f"{chr(number // 100)}{number % 100:02d}" for number in numbers]
    return tuple(dict.fromkeys(prefixes))


def _terms(table: Table, index: int, text: str) -> tuple[Term, ...]:
    """Return terms joined by ``+``; one that stands twice must occur twice."""
    if not text:
        return ()
    terms = [tuple([normalise_code(code) for code in part.split("|")]) for part in text.split("+")]
    if any("" in codes for codes in terms):
        raise table.error("bad_value", index, f"an empty code in {text!r}", "Drop the sign that joins nothing")
    return tuple([Term(codes, terms.count(codes), _short(codes)) for codes in dict.fromkeys(terms)])


def _short(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([code for code in codes if len(code) in _SHORT])


def _ranged(prefixes: tuple[str, ...], text: str) -> frozenset[str]:
    """Return the prefixes that stand in the text by a range alone."""
    return frozenset(prefixes).difference(map(normalise_code, text.split("|"))) if "-" in text else frozenset()


def _shared(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Return the extra terms that stop one procedure from satisfying two terms.

    Each term can have procedures of its own if, and only if, any terms together find as many as they ask for (Hall's
    theorem). It is enough to look at terms that hang together.
    """
    places = range(len(terms))
    beside = [[other for other in places if other != one and _meet(terms[one], terms[other])] for one in places]
    found: set[frozenset[int]] = set()
    growing = {frozenset((one, other)) for one in places for other in beside[one]}
    while growing:
        found |= growing
        growing = {some | {other} for some in growing for one in some for other in beside[one]} - found
    return tuple([_together([terms[place] for place in some]) for some in sorted(map(sorted, found))])


def _meet(one: Term, other: Term) -> bool:
    """Return whether both name some procedure, perhaps by a short code."""
    return any(code in one.codes or code.startswith(one.short) for code in other.codes) or any(
        code.startswith(other.short) for code in one.codes
    )


def _together(terms: list[Term]) -> Term:
    codes = dict.fromkeys(code for term in terms for code in term.codes)
    short = dict.fromkeys(code for term in terms for code in term.short)
    return Term(tuple(codes), sum(term.times for term in terms), tuple(short))


class _Row(NamedTuple):
    """A row of ``groups.csv`` as it is written."""

    group: str
    kind: str
    dx: str
    procedures: str
    related: str
    other_dx: str
    anywhere: str
    condition: str
    treatment: str
    tier: str
    score: str
    primary_care: str
    origin: str
    name: str
    note: str


def _groups(table: Table, matching: Matching, sets: Mapping[str, frozenset[str]]) -> tuple[Group, ...]:
    reader = _Reader(table, matching, sets)
    return tuple([reader.group(index, _Row._make(row)) for index, row in enumerate(table.rows)])


class _Reader:
    """Reads rows of groups. Equal cells come again and again: each is read once."""

    def __init__(self, table: Table, matching: Matching, sets: Mapping[str, frozenset[str]]) -> None:
        self.table, self.matching, self.sets = table, matching, sets
        self.rules: dict[str, Rule] = {"": ALWAYS}
        self.terms: dict[str, tuple[Term, ...]] = {}
        self.prefixes: dict[str, tuple[str, ...]] = {}
        self.seen: dict[tuple[Any, ...], str] = {}

    def group(self, index: int, row: _Row) -> Group:
        """Return the group of a row, checked alone and against the rows before it."""
        self._check_words(index, row)
        rule, terms, dx = self._rule(index, row), self._terms(index, row.procedures), self._prefixes(index, row.dx)
        asked = None if row.procedures == "*" else terms
        others = _terms(self.table, index, row.related)
        if len(asked or ()) + len(others) > MOST_TERMS:
            what = f"{row.group} asks for more than {MOST_TERMS} different procedures"
            raise self.table.error("bad_value", index, what, "Ask for those that tell the group from others")
        group = Group(
            code=row.group,
            name=row.name,
            kind=row.kind,
            order=index,
            dx=dx,
            ranged=_ranged(dx, row.dx),
            procedures=asked,
            related=others,
            shared=(_shared(others), _shared((*(asked or ()), *others))),
            other_dx=prefixes_of(self.table, index, row.other_dx),
            anywhere=row.anywhere,
            condition=rule,
            treatment=row.treatment,
            tier=row.tier,
            score=row.score,
            primary_care=row.kind == "primary-care" or _FLAGS[row.primary_care],
            dx_text=row.dx,
        )
        if asks_for_too_much(group, self.matching):
            what = f"{row.group} asks for more than one principal procedure"
            fix = "Put the others in related, or let anywhere say procedures"
            raise self.table.error("bad_value", index, what, fix)
        self._check_distinct(index, row, group)
        return group

    def _check_words(self, index: int, row: _Row) -> None:
        """Refuse a cell that holds none of the words of its column, and a score that is no number."""
        if row.kind not in self.matching.stages or row.kind == EXCLUDED:
            what = f"kind {row.kind!r} of {row.group} is no stage of [matching]"
            fix = f"The stages are {', '.join(self.matching.stages)}"
            raise self.table.error("unknown_value", index, what, fix)
        for column, value, known in (
            ("anywhere", row.anywhere, _ANYWHERE),
            ("primary_care", row.primary_care, _FLAGS),
            ("treatment", row.treatment, TREATMENTS if row.kind == "mixed" else ("",)),
        ):
            if value not in known:
                fix = f"Give one of {', '.join(v or 'nothing' for v in known)}"
                raise self.table.error("unknown_value", index, f"{column} {value!r} of {row.group}", fix)
        if row.score and not _is_number(row.score):
            what = f"score {row.score!r} of {row.group} is no number"
            raise self.table.error("bad_number", index, what, "Write it as 12.5")

    def _rule(self, index: int, row: _Row) -> Rule:
        if row.condition not in self.rules:
            self.rules[row.condition] = _rule(self.table, index, row.group, row.condition, self.sets)
        return self.rules[row.condition]

    def _terms(self, index: int, text: str) -> tuple[Term, ...]:
        if text not in self.terms:
            self.terms[text] = _terms(self.table, index, text)
        return self.terms[text]

    def _prefixes(self, index: int, text: str) -> tuple[str, ...]:
        if text not in self.prefixes:
            self.prefixes[text] = prefixes_of(self.table, index, text)
        return self.prefixes[text]

    def _check_distinct(self, index: int, row: _Row, group: Group) -> None:
        """Refuse a group that asks for the same as one before it."""
        key = (
            row.kind,
            row.dx,
            _unordered(group.procedures),
            _unordered(group.related),
            row.other_dx,
            row.condition,
            row.treatment,
            row.tier,
            row.anywhere,
            group.procedures[0] if group.procedures else None,  # it counts where the first is the principal one
        )
        if key in self.seen:
            what = f"{row.group} asks for the same as {self.seen[key]}"
            raise self.table.error("duplicate", index, what, "Keep one of the two rows")
        self.seen[key] = row.group


def asks_for_too_much(group: Group, matching: Matching) -> bool:
    """Return whether a group asks for more than one principal procedure, which no case has."""
    return matching.asks_principal(group.anywhere) and sum(term.times for term in group.procedures or ()) > 1


def _unordered(terms: tuple[Term, ...] | None) -> frozenset[Term] | None:
    return None if terms is None else frozenset(terms)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) is not None


def _rule(table: Table, index: int, code: str, text: str, sets: Mapping[str, frozenset[str]]) -> Rule:
    try:
        rule = parse(text)
    except RuleError as error:
        what = f"the condition of {code} cannot be read: {error}\n"
        fix = "Mend it; the language is in docs/scheme-format.md"
        raise table.error("bad_rule", index, what, fix) from error
    for node in walk(rule):
        words = isinstance(node, Compare) and isinstance(node.value, str)
        codes = isinstance(node, In) and not set(node.variables) <= {"ZYZD", "QTZD"}
        if words or codes or isinstance(node, Severity | Count):
            what = f"the condition of {code} asks for more than diagnoses and values: {node}"
            raise table.error("bad_rule", index, what, "Put procedures in the columns procedures and related")
        for name in node.sets if isinstance(node, In) else ():
            if name not in sets:
                what = f"the condition of {code} names set {name!r}, which has no row in sets.csv"
                raise table.error("unknown_set", index, what, "Add the set or mend the name")
    return rule


def _variables(groups: Iterable[Group]) -> frozenset[str]:
    nodes = (node for rule in {group.condition for group in groups} for node in walk(rule))
    return frozenset(node.variable for node in nodes if isinstance(node, Compare))


def _primary_care(table: Table | None, matching: Matching) -> tuple[Group, ...]:
    """Return the list of primary-care groups, as groups that are matched beside the others."""
    if table is None:
        return ()
    rows = [
        (f"{dx}:{procedures}", "core", dx, procedures, "", "", "", "", "", "", "", "1", "", name, "")
        for dx, procedures, name in table.rows
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = CATALOGUE.columns["groups.csv"]
    stand_in = Table(table.path, dict(zip(names, columns, strict=True)), table.lines, table.paths)
    return _groups(stand_in, dataclasses.replace(matching, stages=("core",)), _EMPTY)


def _excluded_procs(table: Table | None) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    if table is None:
        return _EMPTY
    excluded = {}
    for index, (code, treatment, allowed) in enumerate(table.rows):
        if treatment not in {"conservative", "not-principal"}:
            what = f"treatment {treatment!r} of {code}"
            raise table.error("unknown_value", index, what, "Give conservative or not-principal")
        excluded[normalise_code(code)] = (treatment, prefixes_of(table, index, allowed))
    return MappingProxyType(excluded)
