"""Every rule of a DRG scheme that was tried for a case, and in each the condition that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip._once import once_for
from drgdip.grouper.drg.model import Adrg, Mdc
from drgdip.grouper.drg.reference import Visit, facts_of, group_facts, refusal, severity_findings
from drgdip.grouper.facts import Facts, counted, holds
from drgdip.grouper.grammar import And, Count, In, Not, Or, Rule, Severity
from drgdip.grouper.result import GroupResult
from drgdip.grouper.trace import Condition, Neighbour, SeverityFinding, Step, Trace
from drgdip.grouper.ways import alternatives

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.grouper.drg.model import SchemeTables

__all__ = ["decide", "neighbours", "trace"]


def trace(record: Mapping[str, Any], unreadable: frozenset[str], scheme: SchemeTables) -> Trace:
    """Group a case that has been read, and return every rule that was tried."""
    facts = facts_of(record, scheme)
    visits: list[Visit] = []
    reason = refusal(facts, unreadable, scheme)
    if reason is None:
        result = group_facts(facts, scheme, visits)
    else:
        result = GroupResult(None, None, None, "invalid", reason, None, None)
    principal = facts.codes["ZYZD"][0] if facts.codes["ZYZD"] else None
    findings = tuple(
        SeverityFinding(code, level, exclusion, principal if cancelled else None)
        for code, level, exclusion, cancelled in severity_findings(facts.codes, scheme)
    )
    codes = (result.mdc, result.adrg, result.group)
    names = {code: scheme.names[code] for code in codes if code is not None and code in scheme.names}
    return Trace(result, names, findings, tuple(_step(visit, scheme) for visit in visits))


def _step(visit: Visit, scheme: SchemeTables) -> Step:
    row = visit.row
    level = "mdc" if isinstance(row, Mdc) else "adrg" if isinstance(row, Adrg) else "drg"
    conditions = tuple(decide(row.rule, visit.facts, scheme)[1])
    texts = _texts(scheme)
    text = texts.get(id(row.rule))
    if text is None:
        text = texts[id(row.rule)] = str(row.rule)
    return Step(level, row.code, row.name, text, visit.holds, conditions)


@once_for
def _texts(scheme: SchemeTables) -> dict[int, str]:  # noqa: ARG001 - the rules live as long as the scheme
    """Return the texts of a scheme's rules as far as they were asked for, by the identity of the rule."""
    return {}


def neighbours(record: Mapping[str, Any], unreadable: frozenset[str], scheme: SchemeTables) -> tuple[Neighbour, ...]:
    """Return the other DRGs of the ADRG that took a case, each with what it lacks; none of a case that has no DRG."""
    facts = facts_of(record, scheme)
    visits: list[Visit] = []
    if refusal(facts, unreadable, scheme) is not None:
        return ()
    result = group_facts(facts, scheme, visits)
    taken = next((visit for visit in reversed(visits) if isinstance(visit.row, Adrg) and visit.holds), None)
    if taken is None or not isinstance(taken.row, Adrg) or taken.row.code != result.adrg:
        return ()
    found, first = [], ""
    for drg in taken.row.drgs:
        if drg.code == result.group:
            first = drg.code
        else:
            found.append(Neighbour(drg.code, drg.name, "", _lacks(drg.rule, taken.facts, scheme), first))
    return tuple(found)


def _lacks(rule: Rule, facts: Facts, scheme: SchemeTables) -> tuple[Condition, ...]:
    """Return the conditions that would have to be otherwise, on the way to the rule that asks for fewest."""
    ways = [[atom for atom, wanted in way if holds(atom, facts, scheme) is not wanted] for way in alternatives(rule)]
    return tuple(decide(atom, facts, scheme)[1][0] for atom in min(ways, key=len))


def decide(rule: Rule, facts: Facts, scheme: SchemeTables) -> tuple[bool, list[Condition]]:
    """Return whether a rule holds, and the conditions without which it would be otherwise.

    Of an ``and`` that fails, the first part that fails; of one that holds, every part; of an ``or`` the other way
    round.
    """
    if isinstance(rule, Not):
        value, conditions = decide(rule.part, facts, scheme)
        return not value, conditions
    if isinstance(rule, And | Or):
        stops = isinstance(rule, Or)
        gathered: list[Condition] = []
        for part in rule.parts:
            value, conditions = decide(part, facts, scheme)
            if value is stops:
                return value, conditions
            gathered += conditions
        return not stops, gathered
    value = holds(rule, facts, scheme)
    codes: tuple[str, ...] = ()
    compared = None
    if isinstance(rule, In):
        present = (code for variable in rule.variables for code in facts.codes[variable])
        codes = tuple(dict.fromkeys(c for c in present if any(c in scheme.sets[name] for name in rule.sets)))
    elif isinstance(rule, Severity):
        codes = tuple(facts.levels[level] for level in rule.levels if level in facts.levels)
    elif isinstance(rule, Count):
        codes = tuple(sorted(counted(rule, facts, scheme)))
        compared = len(codes)
    else:
        compared = facts.values[rule.variable]
    return value, [Condition(str(rule), value, isinstance(rule, In | Severity), codes, compared)]
