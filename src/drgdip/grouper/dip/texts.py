"""The texts that a result under a DIP catalogue may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip._once import once_for
from drgdip.grouper.columns import Texts, texts_of
from drgdip.grouper.dip.model import STAGES, TREATMENTS

if TYPE_CHECKING:
    from drgdip.grouper.dip.model import CatalogueTables

__all__ = ["result_texts"]


@once_for
def result_texts(catalogue: CatalogueTables) -> dict[str, Texts]:
    """Return by column of the result the texts that it may hold, made once per process."""
    groups = [group.code for group in catalogue.groups]
    return texts_of({"group": groups, "kind": STAGES, "treatment": TREATMENTS})
