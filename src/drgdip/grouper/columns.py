"""Columns of results: which texts each may hold, in an order that is the scheme's and not that of the cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list, from_numpy
from drgdip.grouper.result import REASONS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Texts", "texts_of"]


class Texts:
    """The texts that a column may hold: the dictionary of every such column, whatever the cases."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.dictionary = from_list(texts, pa.string())
        self._place = {text: place for place, text in enumerate(texts)}

    def column(self, values: Sequence[str | None]) -> pa.DictionaryArray:
        """Return texts as a column, None for null."""
        numbers = [-1 if value is None else self._place[value] for value in values]
        return self.numbered(np.array(numbers, dtype=np.int32))

    def numbered(self, numbers: np.ndarray) -> pa.DictionaryArray:
        """Return the column of the texts with these places (int32), null for a negative one."""
        return pa.DictionaryArray.from_arrays(from_numpy(numbers, numbers >= 0), self.dictionary)


def texts_of(columns: Mapping[str, Sequence[str]]) -> dict[str, Texts]:
    """Return the texts of the columns given, and of status and reason, which every family has."""
    both = {"status": list(STATUSES), "reason": list(REASONS)}
    return {name: Texts(texts) for name, texts in {**columns, **both}.items()}
