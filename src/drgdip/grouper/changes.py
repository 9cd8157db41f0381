"""Changes between tables of two schemes or catalogues: what they are called, and those that both families share."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from _typeshed import DataclassInstance

    from drgdip.grouper.grammar import Rule


__all__ = [
    "CHANGES",
    "Change",
    "code_changes",
    "displaced",
    "option_changes",
    "renamed_sets",
    "set_changes",
    "with_names",
]

#: Words for a change of a row, with their meaning.
CHANGES = {
    "added": "only the second one has it",
    "gone": "only the first one has it",
    "renamed": "it has another name; a set, another name and the same codes",
    "id": "a group has another id and asks for the same",
    "kind": "an ADRG or a group is of another kind",
    "result_mdc": "the result of an ADRG's cases names another MDC",
    "parent": "it stands under another parent",
    "order": "it stands before or behind others that it stood behind or before",
    "rule": "it has another rule; a group, another condition",
    "diagnosis": "a group asks for other diagnoses",
    "procedures": "a group asks for other procedures",
    "treatment": "a group is for another treatment or tier",
    "score": "a group has another score",
    "primary_care": "a group became a primary-care group, or is none any longer",
    "moved": "a code left one set, exclusion table, list or type and came into another",
    "level": "a diagnosis is MCC instead of CC or the other way round",
    "exclusion": "an MCC or CC names another exclusion table",
    "option": "an option of the evaluation or of the matching has another value",
}


class Change(NamedTuple):
    """One row of `drgdip.diff_schemes`."""

    table: str
    change: str
    parent: str | None
    code: str
    before: str | None
    after: str | None


class HasOrder(Protocol):
    """A row that has a place among others."""

    @property
    def order(self) -> int:
        """The place."""


def option_changes(table: str, before: DataclassInstance, after: DataclassInstance) -> Iterator[Change]:
    """Yield options that have another value."""
    old, new = asdict(before), asdict(after)
    for option in old:
        if old[option] != new[option]:
            yield Change(table, "option", None, option, _shown(old[option]), _shown(new[option]))


def _shown(value: object) -> str:
    return (
        ", ".join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)
    )


def renamed_sets(old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return sets that have another name and the same codes: the new name by the old one."""
    names = {new[name]: name for name in sorted(new.keys() - old.keys(), reverse=True)}
    found = {old[name]: name for name in sorted(old.keys() - new.keys(), reverse=True) if old[name] in names}
    return {was: names[codes] for codes, was in sorted(found.items(), key=lambda item: item[1])}


def with_names(rule: Rule, renamed: Mapping[str, str]) -> str:
    """Return the text of a rule with the new names of renamed sets."""
    return re.sub(r"\w+", lambda word: renamed.get(word[0], word[0]), str(rule))


def displaced(
    old: Mapping[tuple[Any, str], HasOrder],
    new: Mapping[tuple[Any, str], HasOrder],
) -> set[tuple[Any, str]]:
    """Return the rows of both, by parent and code, that stand in another order among those of their parent."""
    siblings: dict[Any, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for place, rows in enumerate((old, new)):
        for key, _ in sorted(rows.items(), key=lambda item: item[1].order):
            if key in old and key in new:
                siblings[key[0]][place].append(key[1])
    found = set()
    for parent, lists in siblings.items():
        was, now = sorted(lists)  # so that it is the same rows when the two change places
        if was != now:
            blocks = difflib.SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks()
            kept = {code for block in blocks for code in was[block.a : block.a + block.size]}
            found |= {(parent, code) for code in was if code not in kept}
    return found


def code_changes(
    table: str, old: Mapping[str, AbstractSet[str]], new: Mapping[str, AbstractSet[str]]
) -> Iterator[Change]:
    """Yield codes that came into sets (lists, types) or left them; one that did both once has moved."""
    left: dict[str, list[str]] = defaultdict(list)
    came: dict[str, list[str]] = defaultdict(list)
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, frozenset()), new.get(name, frozenset())
        for code in was - now:
            left[code].append(name)
        for code in now - was:
            came[code].append(name)
    for code in sorted(left.keys() | came.keys()):
        if len(left[code]) == len(came[code]) == 1:
            yield Change(table, "moved", None, code, left[code][0], came[code][0])
        else:
            yield from (Change(table, "gone", None, code, name, None) for name in left[code])
            yield from (Change(table, "added", None, code, None, name) for name in came[code])


def set_changes(old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]) -> Iterator[Change]:
    """Yield sets that have another name, and codes that came into sets or left them."""
    renamed = renamed_sets(old, new)
    yield from (Change("sets", "renamed", None, now, was, now) for was, now in renamed.items())
    yield from code_changes("sets", {renamed.get(name, name): codes for name, codes in old.items()}, new)
