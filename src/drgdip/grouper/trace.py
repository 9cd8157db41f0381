"""The way of a case to its group, as data: each rule or group tried, and the conditions that decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.grouper.result import DipResult, GroupResult

__all__ = ["Condition", "Neighbour", "SeverityFinding", "Step", "Trace"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that decided a rule.

    Attributes
    ----------
    text
        The condition as the rule has it.
    holds
        Whether it holds for the case.
    membership
        Whether it asks for codes in sets (or severity levels); if not, it compares a value.
    codes
        The codes of the case that it found.
    value
        The value of the case, for a comparison; the number of distinct codes, for a count.
    """

    text: str
    holds: bool
    membership: bool
    codes: tuple[str, ...]
    value: int | float | str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that was tried: of an MDC, an ADRG or a DRG (``level``), or a group of a catalogue (its kind).

    ``holds`` says of a group of a catalogue that it was taken: one that fits may give way to another, and ``behind``
    is the preference or option that put it behind; None of all others.
    """

    level: str
    code: str
    name: str
    rule: str
    holds: bool
    conditions: tuple[Condition, ...]
    behind: str | None = None


@dataclass(frozen=True, slots=True)
class SeverityFinding:
    """A CC or MCC among the other diagnoses, and the principal diagnosis that cancels it, if it does."""

    code: str
    level: str
    exclusion: str
    cancelled_by: str | None


class Neighbour(NamedTuple):
    """A group beside the one that took a case.

    Attributes
    ----------
    code, name
        The group.
    kind
        Its kind, of a catalogue's group; "" for a DRG.
    lacks
        The conditions that would have to be otherwise for its rule to hold.
    first
        The group that stands before it and takes the case, "" for none.
    behind
        Of a catalogue's group that fits: the preference or option that put it behind, "" for none.
    """

    code: str
    name: str
    kind: str
    lacks: tuple[Condition, ...]
    first: str = ""
    behind: str = ""


class Trace(NamedTuple):
    """A result with the steps to it, and the names of the codes in it."""

    result: GroupResult | DipResult
    names: Mapping[str, str]
    severity: tuple[SeverityFinding, ...]
    steps: tuple[Step, ...]
