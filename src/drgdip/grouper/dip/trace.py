"""Every group of a DIP catalogue that was tried for a case, and in each the condition that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip.grouper.dip.reference import Situation, Trial, match, questions
from drgdip.grouper.trace import Condition, Step, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.grouper.dip.model import CatalogueTables

__all__ = ["trace"]


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
    conditions = [Condition(one.text, one.holds, one.value is None, one.codes, one.value) for one in deciding]
    rule = "; ".join(one.text for one in asked)
    return Step(group.kind, group.code, group.name, rule, trial.preferred, tuple(conditions), trial.behind)
