"""Changes between the tables of two DIP catalogues."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip.grouper.changes import (
    Change,
    code_changes,
    displaced,
    option_changes,
    renamed_sets,
    set_changes,
    with_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from drgdip.grouper.dip.model import CatalogueTables, Group, Term
    from drgdip.grouper.family import Answer

__all__ = ["Asks", "asks_of", "catalogue_changes", "moves"]


class Asks(NamedTuple):
    """The demands of a group: two groups that ask for the same have equal ones.

    The fields are words of `drgdip.grouper.changes.CHANGES`.
    """

    diagnosis: Any
    procedures: Any
    rule: str
    treatment: tuple[str, str]


def asks_of(before: CatalogueTables, after: CatalogueTables) -> Callable[[Group], Asks]:
    """Return a function that says what a group of either catalogue asks for, as far as both tell it apart.

    If either catalogue ignores the order of procedures, principal and related ones are one list. The first procedure
    matters only if both prefer by it.
    """
    matchings = before.matching, after.matching
    principal = all(matching.procedures == "principal" for matching in matchings)
    first = all("principal_first" in matching.prefer for matching in matchings)
    renamed = renamed_sets(before.sets, after.sets)

    def asks(group: Group) -> Asks:
        terms, related = group.procedures or (), group.related
        return Asks(
            diagnosis=(frozenset(group.dx), group.anywhere == "dx", frozenset(group.other_dx)),
            procedures=(
                group.procedures is None,
                (group.anywhere == "procedures", _counted(terms), _counted(related))
                if principal
                else _counted((*terms, *related)),
                frozenset(terms[0].codes) if first and terms else None,
            ),
            rule=with_names(group.condition, renamed),  # in the second catalogue, no set has an old name
            treatment=(group.treatment, group.tier),
        )

    return asks


def _counted(terms: Iterable[Term]) -> frozenset[tuple[frozenset[str], int]]:
    """Return terms in no order, nor their codes: how often each is asked for."""
    counts: Counter[frozenset[str]] = Counter()
    for term in terms:
        counts[frozenset(term.codes)] += term.times
    return frozenset(counts.items())


def catalogue_changes(before: CatalogueTables, after: CatalogueTables) -> Iterator[Change]:
    """Yield every change from one catalogue to another (`drgdip.diff_schemes`)."""
    yield from option_changes("matching", before.matching, after.matching)
    asks = asks_of(before, after)
    yield from _groups("groups", before.groups, after.groups, asks)
    # A row of the list of primary-care groups has no id but how it is written, and its place decides nothing.
    listed = _groups("primary_care", before.primary_care, after.primary_care, asks)
    yield from (change for change in listed if change.change not in {"id", "order"})
    yield from code_changes("excluded_diagnoses", {"excluded": before.excluded_dx}, {"excluded": after.excluded_dx})
    yield from code_changes("excluded_procedures", _excluded(before), _excluded(after))
    yield from code_changes("ignored_procedures", {"ignored": before.ignored_procs}, {"ignored": after.ignored_procs})
    yield from code_changes("procedure_types", _types(before), _types(after))
    yield from set_changes(before.sets, after.sets)


def _groups(
    table: str, before: Sequence[Group], after: Sequence[Group], asks: Callable[[Group], Asks]
) -> Iterator[Change]:
    old, new = ({group.code: group for group in groups} for groups in (before, after))
    asked = [{code: asks(group) for code, group in groups.items()} for groups in (old, new)]
    pairs = _pairs(*asked)
    stayed = set(pairs.values())
    yield from (Change(table, "gone", None, code, old[code].label, None) for code in old if code not in stayed)
    yield from (Change(table, "added", None, code, None, new[code].label) for code in new if code not in pairs)
    # The order decides between groups of one kind and diagnosis; one with another id has no place that it could keep.
    families = [
        {((group.kind, asked[side][code].diagnosis), code): group for code, group in groups.items()}
        for side, groups in enumerate((old, new))
    ]
    places = {code for _, code in displaced(*families)}
    for code, group in new.items():
        if code in pairs:
            was = old[pairs[code]]
            earlier, later = _traits(was, asked[0][was.code]), _traits(group, asked[1][code])
            for change, (value, text) in later.items():
                if earlier[change][0] != value:
                    yield Change(table, change, None, code, earlier[change][1], text)
            if code in places and was.code == code:
                yield Change(table, "order", None, code, str(was.order + 1), str(group.order + 1))


def _pairs(old: Mapping[str, Asks], new: Mapping[str, Asks]) -> dict[str, str]:
    """Return the id that a group had, by the id that it has.

    A group is the one that asks for the same, of several the one with its id; of those left, the one with its id.
    """
    left = dict(old)
    pairs: dict[str, str] = {}
    for by_id, by_asks in ((True, True), (False, True), (True, False)):
        waiting: dict[Any, deque[str]] = defaultdict(deque)
        for code, asked in left.items():
            waiting[code if by_id else None, asked if by_asks else None].append(code)
        for code, asked in new.items():
            same = waiting[code if by_id else None, asked if by_asks else None]
            if code not in pairs and same:
                pairs[code] = same.popleft()
                del left[pairs[code]]
    return pairs


def _traits(group: Group, asked: Asks) -> dict[str, tuple[Any, str | None]]:
    """Return the traits of a group that may change, by the word for the change: the compared value and its text."""
    texts = group.asks
    return {
        "id": (group.code, group.code),
        "renamed": (group.name, group.name or None),
        "kind": (group.kind, group.kind),
        **{part: (value, texts[part]) for part, value in asked._asdict().items()},
        "score": (Decimal(group.score) if group.score else None, group.score or None),
        "primary_care": (group.primary_care, str(group.primary_care).lower()),
    }


def _excluded(catalogue: CatalogueTables) -> dict[str, set[str]]:
    """Return the procedures that are no principal ones, by the rule that they fall under."""
    excluded = catalogue.excluded_procs.items()
    return _by_name(
        (code, f"{kind} unless {'|'.join(sorted(beside))}" if beside else kind) for code, (kind, beside) in excluded
    )


def _types(catalogue: CatalogueTables) -> dict[str, set[str]]:
    """Return the procedures by type and tier."""
    return _by_name((code, " ".join(filter(None, typed))) for code, typed in catalogue.types.items())


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found = defaultdict(set)
    for code, name in pairs:
        found[name].add(code)
    return found


def moves(before: CatalogueTables, after: CatalogueTables) -> Callable[[Answer, Answer], bool | None]:
    """Return a function that says of two answers whether a case moved (`drgdip.diff_cases`)."""
    asks = asks_of(before, after)
    asked: list[dict[str | None, Asks]] = [
        {group.code: asks(group) for group in side.groups} for side in (before, after)
    ]
    return lambda was, now: was[1] != now[1] or asked[0].get(was[0]) != asked[1].get(now[0])
