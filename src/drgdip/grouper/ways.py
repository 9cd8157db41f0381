"""The ways to make a rule hold: its disjunctive normal form."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from drgdip.errors import DrgdipError
from drgdip.grouper.grammar import And, Not, Or, Rule

__all__ = ["Literal", "alternatives"]

#: More ways than any published rule has by far (nine); a rule beyond it would not fit in memory.
_MOST = 10_000


class Literal(NamedTuple):
    """A condition and whether it is to hold."""

    atom: Rule
    holds: bool


def alternatives(rule: Rule, *, holds: bool = True) -> list[tuple[Literal, ...]]:
    """Return the ways to make a rule hold (or fail): lists of conditions that must come together.

    Raises
    ------
    DrgdipError
        There are more than ten thousand ways.
    """
    if isinstance(rule, Not):
        return alternatives(rule.part, holds=not holds)
    if isinstance(rule, And | Or):
        parts = [alternatives(part, holds=holds) for part in rule.parts]
        if isinstance(rule, Or) is holds:
            return [way for part in parts for way in part]
        if math.prod(map(len, parts)) > _MOST:
            raise DrgdipError(f"the rule has more than {_MOST} alternatives; write it with fewer 'or': {rule}")
        return [tuple(dict.fromkeys(itertools.chain(*way))) for way in itertools.product(*parts)]
    return [(Literal(rule, holds),)]
