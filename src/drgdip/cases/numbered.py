"""The codes of many cases as numbers, so that each distinct code is looked at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_list, from_numpy
from drgdip._text import code_of
from drgdip.cases.table import as_lists

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Codes", "codes_of", "numbers_of"]


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of one kind in all cases, normalised, each with its row and its place in the row.

    ``number`` is the place of a code among the distinct ones (``names``), the last for a missing one.
    """

    names: list[str]
    number: np.ndarray
    row: np.ndarray
    place: np.ndarray

    def among(self, some: frozenset[str]) -> np.ndarray:
        """Return which codes are among some."""
        return self.which(some.__contains__)

    def which(self, asked: Callable[[str], bool]) -> np.ndarray:
        """Return for which codes something holds."""
        found: np.ndarray = np.array([*map(asked, self.names), False])[self.number]
        return found

    @property
    def known(self) -> np.ndarray:
        """Return which codes are not missing."""
        return self.number < len(self.names)

    def texts(self, chosen: np.ndarray) -> pa.Array:
        """Return the codes at some places."""
        return from_list([*self.names, None], pa.string()).take(from_numpy(self.number[chosen]))


def numbers_of(column: pa.Array) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the distinct codes of a column in any layout, normalised, the place of each code, and each case's number.

    The place of a missing code is the number of distinct ones.
    """
    lists = as_lists(column)
    lengths = filled(pc.list_value_length(lists), 0)
    encoded = lists.flatten().cast(pa.string()).dictionary_encode()
    names: dict[str, int] = {}
    numbers = []
    for text in encoded.dictionary.to_pylist():
        code = code_of(text)
        numbers.append(-1 if code is None else names.setdefault(code, len(names)))
    number = np.array([*numbers, -1], np.int32)
    number[number < 0] = len(names)
    return list(names), number[filled(encoded.indices, -1)], lengths


def codes_of(column: pa.Array) -> Codes:
    """Return the codes of a column in any layout."""
    names, number, lengths = numbers_of(column)
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Codes(names, number.astype(np.int64), row, place)
