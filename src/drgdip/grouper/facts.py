"""A case as rules see it, and the evaluation of rules: the same for schemes and catalogues."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from drgdip.grouper.grammar import VALUE_VARIABLES, And, Compare, Count, In, Not, Or, Rule, Severity, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "ALWAYS_READ",
    "NOT_NEGATIVE",
    "OPERATORS",
    "Facts",
    "HasSets",
    "counted",
    "holds",
    "impossible",
    "signed_columns",
    "unreadable_reason",
    "values_of",
]

#: The row as a whole, and the columns that grouping reads under every scheme.
ALWAYS_READ = ("row", "dx", "procs")
#: The columns in which a number below 0 cannot be read, as a word cannot, unless a scheme's own rules ask for one.
NOT_NEGATIVE = frozenset({"age", "age_days", "newborn_weight", "los", "icu_hours"})


class Facts(NamedTuple):
    """A case as rules see it.

    Attributes
    ----------
    codes
        Codes by variable (ZYZD, QTZD, ZYSS, QTSS); an absent principal code is an empty tuple.
    values
        Values by variable (NL, XB …); None for a missing one.
    levels
        Code by severity level, for the levels that some other diagnosis has and keeps.
    """

    codes: dict[str, tuple[str, ...]]
    values: dict[str, Any]
    levels: dict[str, str]


class HasSets(Protocol):
    """A scheme or a catalogue, which rules ask for sets."""

    @property
    def sets(self) -> Mapping[str, frozenset[str]]:
        """Codes by name of set."""


def values_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by variable of a case's columns."""
    return {variable: record[column] for variable, column in VALUE_VARIABLES.items()}


def signed_columns(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the columns of `NOT_NEGATIVE` that rules ask for numbers below 0 (``NL < 0`` closes a group)."""
    asked = (node for rule in rules for node in walk(rule) if isinstance(node, Compare) and node.operator == "<")
    found = (VALUE_VARIABLES[node.variable] for node in asked if isinstance(node.value, int) and node.value <= 0)
    return frozenset(found) & NOT_NEGATIVE


def impossible(record: Mapping[str, Any], signed: frozenset[str]) -> frozenset[str]:
    """Return the columns of a case below 0 that cannot be, unless the scheme's rules ask for it."""
    return frozenset(
        [column for column in NOT_NEGATIVE - signed if (value := record[column]) is not None and value < 0]
    )


def unreadable_reason(unreadable: frozenset[str], columns: Iterable[str]) -> str | None:
    """Return the reason of a row that cannot be read, or of a column that grouping would read; None without one."""
    return next((f"unreadable_{column}" for column in (*ALWAYS_READ, *columns) if column in unreadable), None)


def holds(rule: Rule, facts: Facts, scheme: HasSets) -> bool:
    """Return whether a rule holds for a case."""
    return _HOLDS[type(rule)](rule, facts, scheme)


def _in(rule: In, facts: Facts, scheme: HasSets) -> bool:
    for variable in rule.variables:
        for code in facts.codes[variable]:
            for name in rule.sets:
                if code in scheme.sets[name]:
                    return not rule.negated
    return rule.negated


def _severity_is(rule: Severity, facts: Facts, _: HasSets) -> bool:
    return any(level in facts.levels for level in rule.levels) is not rule.negated


def _count(rule: Count, facts: Facts, scheme: HasSets) -> bool:
    return OPERATORS[rule.operator](len(counted(rule, facts, scheme)), rule.number)


def counted(rule: Count, facts: Facts, scheme: HasSets) -> set[str]:
    """Return the distinct codes that a count counts."""
    return {code for variable in rule.variables for code in facts.codes[variable] if code in scheme.sets[rule.set]}


def _compare(rule: Compare, facts: Facts, _: HasSets) -> bool:
    value = facts.values[rule.variable]
    return value is not None and OPERATORS[rule.operator](value, rule.value)


def _not(rule: Not, facts: Facts, scheme: HasSets) -> bool:
    return not holds(rule.part, facts, scheme)


def _and(rule: And, facts: Facts, scheme: HasSets) -> bool:
    return all(_HOLDS[type(part)](part, facts, scheme) for part in rule.parts)


def _or(rule: Or, facts: Facts, scheme: HasSets) -> bool:
    return any(_HOLDS[type(part)](part, facts, scheme) for part in rule.parts)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


_HOLDS: dict[type, Callable[[Any, Facts, HasSets], bool]] = {
    In: _in,
    Severity: _severity_is,
    Count: _count,
    Compare: _compare,
    Not: _not,
    And: _and,
    Or: _or,
}
