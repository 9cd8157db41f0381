"""Proofs that no case can reach a group: its rule never holds, or rows before it take every case that it would."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from drgdip.grouper.grammar import ALWAYS, Compare, In, Rule, Severity
from drgdip.grouper.ways import Literal, alternatives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drgdip.grouper.drg.model import Adrg, SchemeTables
    from drgdip.grouper.drg.witness import Target

__all__ = ["why_unreachable"]

Way = tuple[Literal, ...]
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class _Given(NamedTuple):
    """Facts of a case: its principal codes ("" for one in no set, None for any) and the conditions that hold."""

    codes: dict[str, str | None]
    literals: Way


def why_unreachable(target: Target, scheme: SchemeTables) -> str | None:
    """Return why no case can reach a target, or None if that is not proved.

    The proof goes through every way to make the rules of the target hold. In each it goes through the principal
    diagnoses and procedures that the way allows, and takes codes together that the rules treat alike.
    """
    return _Proof(target, scheme).reason()


class _Proof:
    """One proof: who takes the cases of the target, as far as found."""

    def __init__(self, target: Target, scheme: SchemeTables) -> None:
        self.target = target
        self.scheme = scheme
        self.takers: dict[str, None] = {}
        self.members: dict[tuple[str, ...], frozenset[str]] = {}

    def reason(self) -> str | None:
        ways = [way for way in self._ways_in() if self._can_hold(way)]
        if not ways:
            return "its rule can never hold"
        if all(self._taken(_Given({"ZYZD": None, "ZYSS": None}, way), self._drgs_before()) for way in ways):
            return self._says()
        self.takers = {}
        before = list(self._adrgs_before())
        rules = [adrg.rule for adrg in before] + [drg.rule for adrg in before for drg in adrg.drgs]
        rules += [drg.rule for drg in self.target.adrg.drgs]
        rows = [(adrg.code, way) for adrg in before for way in self._ways_to_end(adrg)]
        rows += self._drgs_before()
        for way in ways:
            procedures = self._classes("ZYSS", way, rules)
            for diagnosis in self._classes("ZYZD", way, rules):
                if self._taken(_Given({"ZYZD": diagnosis, "ZYSS": None}, way), rows):
                    continue
                if not all(self._taken(_Given({"ZYZD": diagnosis, "ZYSS": code}, way), rows) for code in procedures):
                    return None
        return self._says()

    def _says(self) -> str:
        takers = list(self.takers)
        shown = ", ".join(takers[:5]) + (f" and {len(takers) - 5} more" if len(takers) > 5 else "")
        return f"{shown} before it {'takes' if len(takers) == 1 else 'take'} every such case"

    def _ways_in(self) -> Iterator[Way]:
        """Yield the ways to make the rules of the target hold; of an ADRG without a group, the ways that none takes."""
        rules = [alternatives(self.target.mdc.rule), alternatives(self.target.adrg.rule)]
        if self.target.drg is not None:
            rules.append(alternatives(self.target.drg.rule))
        else:
            rules += [alternatives(drg.rule, holds=False) for drg in self.target.adrg.drgs]
        for parts in itertools.product(*rules):
            yield tuple(dict.fromkeys(itertools.chain(*parts)))

    def _adrgs_before(self) -> Iterator[Adrg]:
        """Yield the ADRGs before the target's, in its MDC and in those MDCs before that take every case."""
        for mdc in self.scheme.mdcs:
            if mdc is self.target.mdc:
                yield from itertools.takewhile(lambda adrg: adrg is not self.target.adrg, mdc.adrgs)
                return
            if mdc.rule == ALWAYS:
                yield from mdc.adrgs

    def _drgs_before(self) -> list[tuple[str, Way]]:
        """Return the groups before the target in its ADRG, with each way into them."""
        drgs = itertools.takewhile(lambda drg: drg is not self.target.drg, self.target.adrg.drgs)
        return [(drg.code, way) for drg in drgs for way in alternatives(drg.rule)] if self.target.drg else []

    def _ways_to_end(self, adrg: Adrg) -> Iterator[Way]:
        """Yield the ways in which an ADRG takes a case for good."""
        ends = [way for drg in adrg.drgs for way in alternatives(drg.rule)]
        if () in ends or not self.scheme.evaluation.adrg_fallthrough:
            ends = [()]
        for one, other in itertools.product(alternatives(adrg.rule), ends):
            yield (*one, *other)

    def _taken(self, given: _Given, rows: Iterable[tuple[str, Way]]) -> bool:
        """Return whether some row certainly takes the case."""
        for code, way in rows:
            if all(self._certain(literal, given) for literal in way):
                self.takers[code] = None
                return True
        return False

    def _codes(self, atom: Rule) -> frozenset[str]:
        assert isinstance(atom, In)
        if atom.sets not in self.members:
            self.members[atom.sets] = frozenset().union(*(self.scheme.sets[name] for name in atom.sets))
        return self.members[atom.sets]

    def _can_hold(self, way: Way) -> bool:
        """Return whether the conditions of a way do not contradict each other, as far as one can tell."""
        if any(Literal(atom, not wanted) in way for atom, wanted in way):
            return False
        for variable in ("ZYZD", "ZYSS"):
            asked = [self._codes(literal.atom) for literal in way if _asks(literal, variable)]
            if asked and not self._allowed(variable, way):
                return False
        variables = {atom.variable for atom, _ in way if isinstance(atom, Compare)}
        return all(low <= high for low, high in (_range(way, variable) for variable in variables))

    def _allowed(self, variable: str, way: Way) -> set[str]:
        """Return the codes that a way asks of a principal code; "" stands for one in no set where it asks for none."""
        asked = [self._codes(literal.atom) for literal in way if _asks(literal, variable)]
        refused = [self._codes(atom) for atom, wanted in way if _refuses(Literal(atom, wanted), variable)]
        codes = frozenset.intersection(*asked) if asked else frozenset().union(*self.scheme.sets.values()) | {""}
        return set(codes.difference(*refused))

    def _classes(self, variable: str, way: Way, rules: list[Rule]) -> list[str | None]:
        """Return one code of each class that the rules tell apart, or any code where none of them asks."""
        atoms = {
            literal.atom
            for rule in rules
            for one in alternatives(rule)
            for literal in one
            if isinstance(literal.atom, In) and variable in literal.atom.variables
        }
        if not atoms:
            return [None]
        members = [self._codes(atom) for atom in atoms if isinstance(atom, In)]
        classes = {tuple(code in codes for codes in members): code for code in sorted(self._allowed(variable, way))}
        return list(classes.values())

    def _certain(self, wanted: Literal, given: _Given) -> bool:
        """Return whether a condition certainly holds (or fails, as wanted) in a case of which so much is known."""
        if wanted in given.literals:
            return True
        atom = wanted.atom
        if isinstance(atom, In):
            return self._certain_membership(atom, holds=wanted.holds is not atom.negated, given=given)
        if isinstance(atom, Severity) and wanted.holds is not atom.negated:
            return any(
                isinstance(other, Severity) and holds is not other.negated and set(other.levels) <= set(atom.levels)
                for other, holds in given.literals
            )
        if isinstance(atom, Compare) and isinstance(atom.value, int) and _is_there(given.literals, atom.variable):
            low, high = _range(given.literals, atom.variable)
            if atom.operator == "=" and not wanted.holds:
                return not low <= atom.value <= high
            return _range((*given.literals, wanted), atom.variable) == (low, high)
        return False

    def _certain_membership(self, atom: In, *, holds: bool, given: _Given) -> bool:
        codes = self._codes(atom)
        known = {variable: given.codes.get(variable) for variable in atom.variables}
        if holds and any(code is not None and code in codes for code in known.values()):
            return True
        if not holds and all(code is not None and code not in codes for code in known.values()):
            return True
        for other, wanted in given.literals:
            if not isinstance(other, In) or (wanted is not other.negated) is not holds:
                continue
            inner, outer = (other, atom) if holds else (atom, other)
            if set(inner.variables) <= set(outer.variables) and self._codes(inner) <= self._codes(outer):
                return True
        return False


def _asks(literal: Literal, variable: str) -> bool:
    atom, wanted = literal
    return isinstance(atom, In) and atom.variables == (variable,) and wanted is not atom.negated


def _refuses(literal: Literal, variable: str) -> bool:
    atom, wanted = literal
    return isinstance(atom, In) and variable in atom.variables and wanted is atom.negated


def _is_there(way: Way, variable: str) -> bool:
    """Return whether a way needs a value: a comparison that is to fail does without."""
    return any(isinstance(atom, Compare) and atom.variable == variable and wanted for atom, wanted in way)


def _range(way: Way, variable: str) -> tuple[float, float]:
    """Return the least and greatest number that the comparisons of a way allow; no value is negative."""
    low, high = 0.0, float("inf")
    for atom, wanted in way if _is_there(way, variable) else ():
        if not isinstance(atom, Compare) or atom.variable != variable or isinstance(atom.value, str):
            continue
        sign = atom.operator if wanted else _OPPOSITE.get(atom.operator, "")
        if sign in {"=", "<=", "<"}:
            high = min(high, atom.value - (sign == "<"))
        if sign in {"=", ">=", ">"}:
            low = max(low, atom.value + (sign == ">"))
    return low, high
