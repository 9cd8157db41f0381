"""Why a DRG scheme no longer takes a case where another one did: the row that turns it away, and the conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drgdip.grouper.drg.reference import facts_of
from drgdip.grouper.drg.trace import decide
from drgdip.grouper.facts import holds
from drgdip.grouper.grammar import parse, sets_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from drgdip.grouper.drg.model import Adrg, Drg, Mdc, SchemeTables
    from drgdip.grouper.drg.pairs import Pairs
    from drgdip.grouper.facts import Facts
    from drgdip.grouper.grammar import Rule
    from drgdip.grouper.result import GroupResult
    from drgdip.grouper.trace import Condition

__all__ = ["Loss", "loss_of"]


class Loss(NamedTuple):
    """Where the scheme after turns a case away.

    Attributes
    ----------
    where
        ``mdc``, ``adrg`` or ``drg``: this row of the case's old way no longer takes it. ``gone``: there is no such row
        any longer. ``before``: its rows still would, but another ADRG stands before them and takes the case.
        ``values``: the case lacks a value that the scheme asks for.
    row
        The code of the row, as it is after, of the old one that is gone, or of the ADRG that stands before.
    condition
        The conditions that fail and held before, or all that fail where none of them was asked before.
    codes
        The codes of the case with which these conditions held before.
    """

    where: str
    row: str | None
    condition: str | None
    codes: tuple[str, ...]


def loss_of(
    records: tuple[Mapping[str, Any], Mapping[str, Any]],
    schemes: tuple[SchemeTables, SchemeTables],
    results: tuple[GroupResult, GroupResult],
    pairs: Pairs,
) -> Loss:
    """Return where the scheme after turns away a case that the one before grouped.

    Parameters
    ----------
    records
        The case as each scheme reads it (`drgdip.grouper.record`).
    schemes, results
        The schemes before and after, and what each gives.
    pairs
        The groups of the two that are the same.
    """
    before, after = schemes
    if results[1].status == "invalid":
        return Loss("values", None, results[1].reason, ())
    facts = facts_of(records[0], before), facts_of(records[1], after)
    old, was = _row_of(results[0], before)
    mdc = next((mdc for mdc in after.mdcs if mdc.code == old.code), None)
    if mdc is None:
        return Loss("gone", old.code, None, ())
    if not holds(mdc.rule, facts[1], after):
        return _failing("mdc", mdc, old, facts, schemes)
    key = pairs.adrgs.get((old.code, was.code, 0))
    if key is None:
        return Loss("gone", was.code, None, ())
    now = [adrg for adrg in mdc.adrgs if adrg.code == key[1]][key[2]]
    if not holds(now.rule, facts[1], after):
        return _failing("adrg", now, was, facts, schemes)
    if not any(holds(drg.rule, facts[1], after) for drg in now.drgs) and now.drgs:
        last = now.drgs[-1]
        return _failing("drg", last, was.drgs[-1], facts, schemes)
    return Loss("before", results[1].adrg, None, ())


def _row_of(result: GroupResult, scheme: SchemeTables) -> tuple[Mdc, Adrg]:
    """Return the ADRG that took a case, and the MDC that it stands under, which need not be that of the result."""
    rows = [(mdc, adrg) for mdc in scheme.mdcs for adrg in mdc.adrgs if adrg.code == result.adrg]
    return next(((mdc, adrg) for mdc, adrg in rows if mdc.code == result.mdc), rows[0])


def _failing(
    where: str,
    row: Mdc | Adrg | Drg,
    old: Mdc | Adrg | Drg,
    facts: tuple[Facts, Facts],
    schemes: tuple[SchemeTables, SchemeTables],
) -> Loss:
    """Return the conditions that fail of a rule after, those that held before rather than all."""
    before, after = schemes
    failing = [condition for condition in decide(row.rule, facts[1], after)[1] if not condition.holds]
    turned = []
    for condition in failing:
        asked = parse(condition.text.replace(row.code, old.code))
        if _known(asked, before) and (held := decide(asked, facts[0], before)[1][0]).holds:
            turned.append((condition, held.codes))
    shown = [condition for condition, _ in turned] or failing or decide(row.rule, facts[1], after)[1]
    codes = dict.fromkeys(code for _, found in turned for code in found)
    return Loss(where, row.code, _text(shown), tuple(codes))


def _text(conditions: Sequence[Condition]) -> str:
    return "; ".join(dict.fromkeys(condition.text for condition in conditions))


def _known(rule: Rule, scheme: SchemeTables) -> bool:
    """Whether a scheme has the sets that a condition names."""
    return all(name in scheme.sets for name in sets_of(rule))
