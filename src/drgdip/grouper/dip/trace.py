"""Every group of a DIP catalogue that was tried for a case, and in each the condition that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip.grouper.dip.reference import Situation, Trial, match, questions
from drgdip.grouper.trace import Condition, Neighbour, Step, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.grouper.dip.model import CatalogueTables
    from drgdip.grouper.dip.reference import Asked

__all__ = ["neighbours", "trace"]


def trace(record: Mapping[str, Any], unreadable: frozenset[str], catalogue: CatalogueTables) -> Trace:
    """Group a case that has been read, and return every group that its diagnosis leaves, down to the stage taken."""
    trials: list[Trial] = []
    result, situation = match(record, unreadable, catalogue, trials)
    names = {} if result.group is None else {result.group: catalogue.label(result.group)}
    return Trace(result, names, (), tuple(_trial_step(trial, situation, catalogue) for trial in trials))


def _trial_step(trial: Trial, situation: Situation, catalogue: CatalogueTables) -> Step:
    group = trial.group
    asked = list(questions(group, situation, catalogue))
    deciding = asked if trial.holds else [next(one for one in asked if not one.holds)]
    rule = "; ".join(one.text for one in asked)
    conditions = tuple(map(_condition, deciding))
    return Step(group.kind, group.code, group.name, rule, trial.preferred, conditions, trial.behind)


def _condition(asked: Asked) -> Condition:
    return Condition(asked.text, asked.holds, asked.value is None, asked.codes, asked.value)


def neighbours(
    record: Mapping[str, Any], unreadable: frozenset[str], catalogue: CatalogueTables
) -> tuple[Neighbour, ...]:
    """Return the groups beside the one that took a case: those that fit too, then those that lack fewest conditions.

    Among those that lack equally many, the order is that of the catalogue.
    """
    trials: list[Trial] = []
    _, situation = match(record, unreadable, catalogue, trials)
    found = []
    for group, *_, preferred, behind in trials:
        # A group that takes any diagnosis, such as a transplant, is beside every case and tells nothing of this one.
        if group.dx and group.anywhere != "dx" and not preferred:
            lacks = tuple(_condition(one) for one in questions(group, situation, catalogue) if not one.holds)
            found.append(Neighbour(group.code, group.name, group.kind, lacks, behind=behind or ""))
    return tuple(sorted(found, key=lambda one: len(one.lacks)))
