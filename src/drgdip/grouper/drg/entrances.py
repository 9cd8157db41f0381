"""The ways into the MDCs of a scheme, for checks of sex and age against the principal diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.grouper.grammar import ALWAYS, Compare, In
from drgdip.grouper.ways import alternatives

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drgdip.grouper.drg.model import SchemeTables
    from drgdip.grouper.family import Entrance

__all__ = ["entrances"]


def entrances(scheme: SchemeTables) -> Iterator[Entrance]:
    """Yield the ways into the MDCs: the principal diagnoses that may come (None: all), and the comparisons.

    A way that asks for other diagnoses or procedures only tells nothing of the principal diagnosis, and is left out.
    """
    for mdc in scheme.mdcs:
        for way in alternatives(mdc.rule) if mdc.rule != ALWAYS else ():
            codes: frozenset[str] | None = None
            barred: frozenset[str] = frozenset()
            comparisons = []
            for atom, wanted in way:
                if isinstance(atom, In) and "ZYZD" in atom.variables:
                    members = frozenset().union(*(scheme.sets[name] for name in atom.sets))
                    if wanted is atom.negated:
                        barred |= members
                    else:
                        codes = members if codes is None else codes & members
                elif isinstance(atom, Compare):
                    comparisons.append((atom, wanted))
            if codes is not None or len(comparisons) == len(way):
                yield None if codes is None else codes - barred, comparisons
