"""The texts that a result under a DRG scheme may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip._once import once_for
from drgdip.grouper.columns import Texts, texts_of
from drgdip.grouper.grammar import LEVELS

if TYPE_CHECKING:
    from drgdip.grouper.drg.model import SchemeTables

__all__ = ["result_texts"]


@once_for
def result_texts(scheme: SchemeTables) -> dict[str, Texts]:
    """Return by column of the result the texts that it may hold, made once per process."""
    adrgs = [adrg for mdc in scheme.mdcs for adrg in mdc.adrgs]
    groups = {drg.code for adrg in adrgs for drg in adrg.drgs} | {scheme.evaluation.ungroupable}
    if not scheme.evaluation.adrg_fallthrough:
        groups |= {adrg.code for adrg in adrgs}
    return texts_of(
        {
            "mdc": sorted(mdc.code for mdc in scheme.mdcs),
            "adrg": sorted({adrg.code for adrg in adrgs}),
            "group": sorted(groups),
            "severity": list(LEVELS),
            "severity_code": sorted(scheme.severity),
        }
    )
