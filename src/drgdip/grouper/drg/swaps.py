"""A DRG scheme with one kind of change made to it on the way to another: what that change alone does to cases."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from drgdip.grouper.drg.model import Adrg, Drg, Mdc, SchemeTables, SeverityCode, names_of, rules_of, variables_of
from drgdip.grouper.drg.pairs import numbered, pair_schemes
from drgdip.grouper.drg.scheme import Scheme
from drgdip.grouper.facts import signed_columns
from drgdip.grouper.grammar import And, Count, In, Not, Or, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drgdip.grouper.drg.pairs import AdrgKey, Pairs

__all__ = ["SWAPS", "Swaps"]

_Key = TypeVar("_Key")
_Row = TypeVar("_Row", "Mdc", "Adrg", "Drg")

#: The kinds of change, in the order in which they are asked for. They are codes of reasons (area ``moves``).
SWAPS = (
    "list_changed",
    "severity_list_changed",
    "exclusion_changed",
    "rule_changed",
    "new_group",
    "group_gone",
    "order_changed",
    "option_changed",
)


class Swaps:
    """The schemes between two, each with one kind of change; made when asked for.

    A group has the code that it has after, one that is gone the label of `drgdip.grouper.drg.pairs.Pairs`.
    Sets and exclusion tables of both schemes stand side by side, with ``before:`` or ``after:`` before their names.
    """

    def __init__(self, before: SchemeTables, after: SchemeTables) -> None:
        self.before, self.after = before, after
        self.pairs: Pairs = pair_schemes(before, after)
        self._sets = _side_by_side(before.sets, after.sets)
        self._exclusions = _side_by_side(before.exclusions, after.exclusions)

    def scheme(self, change: str) -> Scheme:
        """Return the scheme before with one of `SWAPS` made to it; with "" it is the scheme before, called as said."""
        options = self.after if change == "option_changed" else self.before
        mdcs = self._mdcs(change)
        return Scheme.of(
            dataclasses.replace(
                self.before,
                info=options.info,
                evaluation=options.evaluation,
                mdcs=mdcs,
                sets=self._sets,
                severity=MappingProxyType(self._severity(change)),
                exclusions=self._exclusions,
                names=names_of(mdcs),
                variables=variables_of(mdcs, options.evaluation.required),
                signed=signed_columns(rules_of(mdcs)),
            )
        )

    def _mdcs(self, change: str) -> tuple[Mdc, ...]:
        olds = {mdc.code: mdc for mdc in self.before.mdcs}
        news = {mdc.code: mdc for mdc in self.after.mdcs}
        same = {code: code for code in olds if code in news}
        return tuple(
            Mdc(row.code, row.name, order, self._rule(was, now, ("", ""), change), self._adrgs(was, now, change))
            for order, (was, now, row) in enumerate(_rows(olds, news, same, change), start=1)
        )

    def _adrgs(self, old: Mdc | None, new: Mdc | None, change: str) -> tuple[Adrg, ...]:
        olds: dict[AdrgKey, Adrg] = {(old.code, *key): adrg for key, adrg in numbered(old.adrgs)} if old else {}
        news: dict[AdrgKey, Adrg] = {(new.code, *key): adrg for key, adrg in numbered(new.adrgs)} if new else {}
        found = []
        for order, (was, now, row) in enumerate(_rows(olds, news, self.pairs.adrgs, change), start=1):
            code = row.code if now is not None else self.pairs.labels[row.code]
            kind = was.kind if was is not None and change != "rule_changed" else row.kind
            rule = self._rule(was, now, _codes(was, now), change)
            drgs = self._drgs(was, now, code, change)
            found.append(Adrg(code, row.name, row.mdc, order, kind, rule, row.result_mdc, drgs))
        return tuple(found)

    def _drgs(self, old: Adrg | None, new: Adrg | None, adrg: str, change: str) -> tuple[Drg, ...]:
        olds = dict(numbered(old.drgs)) if old else {}
        news = dict(numbered(new.drgs)) if new else {}
        same = {}
        if old and new:
            ends = {(code.removeprefix(new.code), number): (code, number) for code, number in news}
            ours = {(code, number): (code.removeprefix(old.code), number) for code, number in olds}
            same = {key: ends[end] for key, end in ours.items() if end in ends}
        found = []
        for order, (was, now, row) in enumerate(_rows(olds, news, same, change), start=1):
            code = row.code if now is not None else self.pairs.labels[row.code]
            found.append(Drg(code, row.name, adrg, order, self._rule(was, now, _codes(old, new), change)))
        return tuple(found)

    def _rule(self, old: _Row | None, new: _Row | None, codes: tuple[str, str], change: str) -> Rule:
        """Return the rule of a row, with the sets that the change gives it.

        Two rules that differ in the names of sets alone are one rule, whose lists changed. Otherwise a list of one
        scheme is the one of the same name in the other; sets are named after ADRGs, whose codes are replaced.
        """
        if old is None or new is None:
            only, side = (old, "before") if new is None else (new, "after")
            assert only is not None  # a row is in one of the schemes
            return _with_sets(only.rule, lambda name: f"{side}:{name}")
        if _shape(old.rule) == _shape(new.rule):
            rule, side = (new.rule, "after") if change == "list_changed" else (old.rule, "before")
            return _with_sets(rule, lambda name: f"{side}:{name}")
        if change == "rule_changed":
            return _with_sets(new.rule, lambda name: self._first("before", name.replace(*codes[::-1]), "after", name))
        if change == "list_changed":
            return _with_sets(old.rule, lambda name: self._first("after", name.replace(*codes), "before", name))
        return _with_sets(old.rule, lambda name: f"before:{name}")

    def _first(self, side: str, name: str, other: str, otherwise: str) -> str:
        """Return a set of one side if it is there, else the one of the other side."""
        return f"{side}:{name}" if f"{side}:{name}" in self._sets else f"{other}:{otherwise}"

    def _severity(self, change: str) -> dict[str, SeverityCode]:
        found = {}
        for code in sorted(self.before.severity.keys() | self.after.severity.keys()):
            old, new = self.before.severity.get(code), self.after.severity.get(code)
            level = new if change == "severity_list_changed" else old
            if level is not None:
                later = new is not None and (old is None or change == "exclusion_changed")
                side, entry = ("after", new) if later else ("before", old)
                assert entry is not None  # the code is in one of the schemes
                found[code] = SeverityCode(level.levels, f"{side}:{entry.exclusion}" if entry.exclusion else "")
        return found


def _side_by_side(
    before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]]
) -> Mapping[str, frozenset[str]]:
    return MappingProxyType(
        {
            f"{side}:{name}": codes
            for side, sets in (("before", before), ("after", after))
            for name, codes in sets.items()
        }
    )


def _codes(old: Adrg | None, new: Adrg | None) -> tuple[str, str]:
    """Return the codes that the names of the sets of an ADRG have before and after."""
    return (old.code, new.code) if old is not None and new is not None else ("", "")


def _rows(
    olds: Mapping[_Key, _Row], news: Mapping[_Key, _Row], same: Mapping[_Key, _Key], change: str
) -> list[tuple[_Row | None, _Row | None, _Row]]:
    """Return the rows under a parent, in order: as they are before and after (None: not there), and the latest.

    The order is that of the scheme before, or after if that is the change. A row that this one lacks stands behind the
    row that it stands behind in its own scheme.
    """
    reverse = {new: old for old, new in same.items()}
    later = change == "order_changed"
    lead, follow, partner = (news, olds, same) if later else (olds, news, reverse)
    places = [(True, key) for key in lead]
    at = 0
    for key in follow:
        if key in partner and partner[key] in lead:
            at = places.index((True, partner[key])) + 1
        else:
            places.insert(at, (False, key))
            at += 1
    found = []
    for leads, key in places:
        was, now = (reverse.get(key), key) if leads is later else (key, same.get(key))
        old, new = (olds.get(was) if was is not None else None), (news.get(now) if now is not None else None)
        if (old is not None or change == "new_group") and (new is not None or change != "group_gone"):
            row = new if new is not None else old
            assert row is not None  # a row is in one of the schemes
            found.append((old, new, row))
    return found


def _with_sets(rule: Rule, name_of: Callable[[str], str]) -> Rule:
    """Return a rule with other names of sets."""
    if isinstance(rule, In):
        return dataclasses.replace(rule, sets=tuple(map(name_of, rule.sets)))
    if isinstance(rule, Count):
        return dataclasses.replace(rule, set=name_of(rule.set))
    if isinstance(rule, Not):
        return Not(_with_sets(rule.part, name_of))
    if isinstance(rule, And | Or):
        return type(rule)(tuple(_with_sets(part, name_of) for part in rule.parts))
    return rule


def _shape(rule: Rule) -> str:
    """Return the text of a rule with numbers for the names of sets."""
    numbers: dict[str, str] = {}
    return str(_with_sets(rule, lambda name: numbers.setdefault(name, f"set{len(numbers)}")))
