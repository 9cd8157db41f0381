"""Columns of results: which texts each may hold, in an order that is the scheme's and not that of the cases."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list, from_numpy
from drgdip.grouper.catalogue import STAGES, TREATMENTS, Catalogue
from drgdip.grouper.grammar import LEVELS
from drgdip.grouper.result import REASONS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip.grouper.scheme import Scheme

__all__ = ["Texts", "result_texts"]


class Texts:
    """The texts that a column may hold: the dictionary of every such column, whatever the cases."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.dictionary = from_list(texts, pa.string())
        self._place = {text: place for place, text in enumerate(texts)}

    def column(self, values: Sequence[str | None]) -> pa.DictionaryArray:
        """Texts as a column, None for null."""
        numbers = [-1 if value is None else self._place[value] for value in values]
        return self.numbered(np.array(numbers, dtype=np.int32))

    def numbered(self, numbers: np.ndarray) -> pa.DictionaryArray:
        """The column of the texts with these places (int32), null for a negative one."""
        return pa.DictionaryArray.from_arrays(from_numpy(numbers, numbers >= 0), self.dictionary)


_texts: weakref.WeakKeyDictionary[Scheme | Catalogue, dict[str, Texts]] = weakref.WeakKeyDictionary()


def result_texts(scheme: Scheme | Catalogue) -> dict[str, Texts]:
    """By column of the result, the texts that it may hold, made once per process."""
    if scheme not in _texts:  # two threads at once would only make the same
        of_kind = _of_catalogue(scheme) if isinstance(scheme, Catalogue) else _of_scheme(scheme)
        both = {"status": list(STATUSES), "reason": list(REASONS)}
        _texts[scheme] = {name: Texts(texts) for name, texts in (of_kind | both).items()}
    return _texts[scheme]


def _of_catalogue(catalogue: Catalogue) -> dict[str, list[str]]:
    groups = [group.code for group in catalogue.groups]
    return {"group": groups, "kind": list(STAGES), "treatment": list(TREATMENTS)}


def _of_scheme(scheme: Scheme) -> dict[str, list[str]]:
    adrgs = [adrg for mdc in scheme.mdcs for adrg in mdc.adrgs]
    groups = {drg.code for adrg in adrgs for drg in adrg.drgs} | {scheme.evaluation.ungroupable}
    if not scheme.evaluation.adrg_fallthrough:
        groups |= {adrg.code for adrg in adrgs}
    # The code of an ambiguous group names the MDC of its cases.
    mdcs = {mdc.code for mdc in scheme.mdcs} | {f"MDC{adrg.code[0]}" for adrg in adrgs if adrg.kind == "ambiguous"}
    return {
        "mdc": sorted(mdcs),
        "adrg": sorted({adrg.code for adrg in adrgs}),
        "group": sorted(groups),
        "severity": list(LEVELS),
        "severity_code": sorted(scheme.severity),
    }
