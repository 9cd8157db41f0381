"""Cases made to fit a rule: for tests of every rule, and as the seed of synthetic cases.

A witness of a group is a case that the scheme puts there. It is drafted from the group's rules and then grouped: what
an earlier rule takes is no witness, and another draft is made.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip.cases.fields import read_record
from drgdip.grouper.drg.model import Drg, Mdc
from drgdip.grouper.drg.reference import facts_of, group_facts, refusal
from drgdip.grouper.grammar import ALWAYS, LEVELS, Compare, Count, In, Or, Rule, Severity
from drgdip.grouper.ways import Literal, alternatives

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from drgdip.grouper.drg.model import Adrg, SchemeTables
    from drgdip.grouper.drg.reference import Visit

__all__ = [
    "Target",
    "draft",
    "near_misses",
    "reached",
    "targets",
    "witness",
]

#: Values that a variable takes when no rule says otherwise: the lowest and the highest.
RANGES = {
    "NL": (1, 95),
    "XSRTL": (0, 364),
    "XSRTZ": (400, 4500),
    "XB": (1, 2),
    "ZYTS": (1, 60),
    "LYFS": (1, 5),
    "ICUXS": (0, 500),
}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class Target(NamedTuple):
    """A way through a scheme: an MDC, one of its ADRGs, and one of its DRGs (None where the ADRG has none)."""

    mdc: Mdc
    adrg: Adrg
    drg: Drg | None


def targets(scheme: SchemeTables) -> Iterator[Target]:
    """Yield every way through a scheme, in the order of evaluation."""
    for mdc in scheme.mdcs:
        for adrg in mdc.adrgs:
            if not scheme.evaluation.adrg_fallthrough and all(drg.rule != ALWAYS for drg in adrg.drgs):
                yield Target(mdc, adrg, None)
            for drg in adrg.drgs:
                yield Target(mdc, adrg, drg)


def witness(target: Target, scheme: SchemeTables, random: Random, tries: int = 200) -> dict[str, Any] | None:
    """Return a case that the scheme takes the way of the target, or None if no draft of so many is one."""
    rules = (target.mdc.rule, target.adrg.rule, *((target.drg.rule,) if target.drg else ()))
    choices = [_ways(rule) for rule in rules]
    if target.drg is None:
        choices += [_ways(drg.rule, holds=False) for drg in target.adrg.drgs]
    for _ in range(tries):
        way = tuple(itertools.chain(*(random.choice(ways) if ways else (_NEVER,) for ways in choices)))
        case = draft(way, scheme, random)
        if case is not None and reached(case, scheme) == target:
            return case
    return None


_NEVER = Literal(Or(()), holds=True)


@lru_cache(maxsize=4096)
def _ways(rule: Rule, *, holds: bool = True) -> list[tuple[Literal, ...]]:
    return alternatives(rule, holds=holds)


def reached(case: dict[str, Any], scheme: SchemeTables) -> Target | None:
    """Return the way that the scheme takes a case, or None where nothing takes it."""
    record, unreadable = read_record(case)
    facts = facts_of(record, scheme)
    if refusal(facts, unreadable, scheme) is not None:
        return None
    visits: list[Visit] = []
    result = group_facts(facts, scheme, visits)
    if result.adrg is None:
        return None
    held = [visit.row for visit in visits if visit.holds]
    drg = held.pop() if isinstance(held[-1], Drg) else None
    adrg = held.pop()
    mdc = next(row for row in reversed(held) if isinstance(row, Mdc))
    return Target(mdc, adrg, drg)  # type: ignore[arg-type]


def _codes(atom: Rule, scheme: SchemeTables) -> frozenset[str]:
    return frozenset().union(*(scheme.sets[name] for name in atom.sets)) if isinstance(atom, In) else frozenset()


def draft(way: tuple[Literal, ...], scheme: SchemeTables, random: Random) -> dict[str, Any] | None:
    """Return a case with which every condition of a way holds, as far as one can tell without grouping it."""
    if any(isinstance(literal.atom, Or) for literal in way):
        return None
    values = _draft_values(way, random)
    dx = _draft_codes(way, scheme, random, "ZYZD", "QTZD")
    procs = _draft_codes(way, scheme, random, "ZYSS", "QTSS")
    if values is None or dx is None or procs is None:
        return None
    if not dx:
        dx = [random.choice(_pool(scheme, "ZYZD"))]
    for atom, wanted in way:
        if isinstance(atom, Severity) and atom.negated is not wanted:
            code = _severe(dx[0], random.choice(atom.levels), scheme, random)
            if code is None:
                return None
            dx.append(code)
    return values | {"dx": dx, "procs": procs}


def _draft_values(way: tuple[Literal, ...], random: Random) -> dict[str, Any] | None:
    bounds: dict[str, tuple[int, int]] = {}
    dept = None
    for atom, wanted in way:
        if not isinstance(atom, Compare):
            continue
        if isinstance(atom.value, str):
            dept = atom.value if wanted else None
            continue
        default = (0, 120) if atom.variable == "NL" else (0, 100_000)
        low, high = bounds.get(atom.variable, default)
        sign = atom.operator if wanted else _OPPOSITE.get(atom.operator, "")
        if sign in {"=", "<=", "<"}:
            high = min(high, atom.value - (sign == "<"))
        if sign in {"=", ">=", ">"}:
            low = max(low, atom.value + (sign == ">"))
        if low > high:
            return None
        bounds[atom.variable] = (low, high)

    def value(variable: str) -> int:
        low, high = bounds.get(variable, RANGES[variable])
        usual_low, usual_high = RANGES[variable]
        if max(low, usual_low) <= min(high, usual_high):
            low, high = max(low, usual_low), min(high, usual_high)
        return random.choice((low, min(high, low + 1000), random.randint(low, min(high, low + 1000))))

    needed = {atom.variable for atom, wanted in way if isinstance(atom, Compare) and wanted}

    def value_or_none(variable: str) -> int | None:
        """Return a value, or now and then none where comparisons are only to fail."""
        return None if variable in bounds.keys() - needed and random.random() < 0.1 else value(variable)

    infant = "XSRTL" in bounds and "NL" not in bounds
    age = 0 if infant else value("NL")
    age_days = value("XSRTL") if age == 0 or "XSRTL" in bounds else None
    newborn = age_days is not None and age_days <= 28
    return {
        "sex": value("XB"),
        "age": age,
        "age_days": age_days,
        "newborn_weight": value("XSRTZ") if newborn or "XSRTZ" in bounds else None,
        "los": value_or_none("ZYTS"),
        "discharge": value_or_none("LYFS"),
        "dept": dept,
        "icu_hours": value_or_none("ICUXS") if "ICUXS" in bounds else None,
    }


def _draft_codes(
    way: tuple[Literal, ...], scheme: SchemeTables, random: Random, principal: str, others: str
) -> list[str | None] | None:
    """Return codes of one kind: the principal one from what all its conditions share, others one for each condition."""
    first: list[frozenset[str]] = []  # sets that the principal code is in
    more: list[tuple[frozenset[str], int, int]] = []  # sets that some codes are in, how many, and from which place on
    first_never: set[str] = set()
    more_never: set[str] = set()
    for atom, wanted in way:
        if isinstance(atom, Count) and principal in atom.variables:
            enough = atom.number + (atom.operator == ">")
            if wanted and atom.operator in {">", ">=", "="}:
                more.append((scheme.sets[atom.set], enough, 0))
            continue
        if not isinstance(atom, In) or not {principal, others} & set(atom.variables):
            continue
        codes = _codes(atom, scheme)
        if atom.negated is wanted:
            first_never |= codes if principal in atom.variables else set()
            more_never |= codes if others in atom.variables else set()
        elif atom.variables == (principal,):
            first.append(codes)
        elif others in atom.variables:
            either = principal in atom.variables
            if either and random.random() < 0.5:
                first.append(codes)
            else:
                more.append((codes, 1, 0 if either else 1))
    result: list[str | None] = []
    if first:
        found = _choices(tuple(first), frozenset(first_never))
        if not found:
            return None
        result.append(random.choice(found))
    for codes, number, start in more:
        found = _choices((codes,), frozenset(more_never))
        missing = number - len(codes.intersection(c for c in result[start:] if c))
        if missing <= 0:
            continue
        if len(found) < missing:
            return None
        chosen: list[str | None] = list(random.sample(found, missing))
        if not result and (principal == "ZYZD" or start or random.random() < 0.1 or first_never & set(chosen)):
            result.append(random.choice(_pool(scheme, principal)))
        result += chosen
    return result


@lru_cache(maxsize=1 << 14)
def _choices(wanted: tuple[frozenset[str], ...], never: frozenset[str]) -> list[str]:
    return sorted(frozenset.intersection(*wanted) - never)


@lru_cache(maxsize=64)
def _pool(scheme: SchemeTables, variable: str) -> list[str]:
    """Return codes that some MDC or ADRG asks for as principal."""
    codes: set[str] = set()
    for rule in [row.rule for rows in (scheme.mdcs, scheme.adrgs) for row in rows]:
        for way in _ways(rule):
            for atom, wanted in way:
                if wanted and isinstance(atom, In) and variable in atom.variables and not atom.negated:
                    codes.update(*(scheme.sets[name] for name in atom.sets))
    return sorted(codes)


@lru_cache(maxsize=64)
def _severity_pool(scheme: SchemeTables, level: str) -> list[str]:
    return sorted(code for code, entry in scheme.severity.items() if entry.level == level)


def _severe(principal: str | None, level: str, scheme: SchemeTables, random: Random) -> str | None:
    """Return a code of a level that the principal diagnosis does not cancel."""
    pool = _severity_pool(scheme, level)
    for _ in range(20):
        code = random.choice(pool)
        if principal not in scheme.exclusions.get(scheme.severity[code].exclusion, ()):
            return code
    return None


def near_misses(case: dict[str, Any], scheme: SchemeTables, random: Random) -> Iterator[dict[str, Any]]:
    """Yield cases one change away: a code lost or moved, a cancelled CC or MCC, a number one off or missing."""
    dx, procs = case["dx"], case["procs"]
    for column, codes in (("dx", dx), ("procs", procs)):
        for position in range(len(codes)):
            yield case | {column: codes[:position] + codes[position + 1 :]}
            if position:
                yield case | {column: [codes[position], *codes[:position], *codes[position + 1 :]]}
        if codes:
            yield case | {column: [None, *codes[1:]]}
    for level in LEVELS:
        code = random.choice(_severity_pool(scheme, level))
        yield case | {"dx": [*dx, code]}
        cancelling = sorted(scheme.exclusions.get(scheme.severity[code].exclusion, ()))
        if cancelling and dx:
            yield case | {"dx": [random.choice(cancelling), *dx[1:], code]}
    yield case | {"sex": 3 - case["sex"]}
    for column in ("age", "age_days", "newborn_weight", "los", "icu_hours"):
        if case.get(column) is not None:
            yield from (case | {column: value} for value in (case[column] - 1, case[column] + 1, None))
