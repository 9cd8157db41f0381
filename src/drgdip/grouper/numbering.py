"""Numbers for codes: what a compiled scheme or catalogue has, and what it offers to whoever encodes cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from drgdip._arrow import from_list
from drgdip._text import MISSING, code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np

__all__ = ["HasNumbers", "Numbering", "Numbers", "numbering"]


class Numbers(Protocol):
    """Numbers of codes of one kind. Numbers below ``first`` stand for a missing code; ``missing`` is one of them."""

    @property
    def missing(self) -> int:
        """The number of a code that is not there."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that have numbers, in order."""

    @property
    def first(self) -> int:
        """The first number of a code."""

    @property
    def number_of(self) -> Mapping[str, int]:
        """The number of each code, or of each prefix."""

    @property
    def size(self) -> int:
        """How many numbers there are."""

    def table(self) -> tuple[pa.Array, pa.Array, np.ndarray | None]:
        """Return texts, the same as large texts, and their numbers (None: the places are the numbers)."""

    def look(self, codes: Sequence[str]) -> list[int]:
        """Return the numbers of codes that do not stand in the table as they are written."""


class HasNumbers(Protocol):
    """A compiled scheme or catalogue, which has numbers for codes."""

    @property
    def dx(self) -> Numbers:
        """The numbers of diagnoses."""

    @property
    def procs(self) -> Numbers:
        """The numbers of procedures."""

    @property
    def codes_sha256(self) -> str:
        """The digest of what the numbers mean."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """The numbers of codes of one kind: first those of what stands for a missing code, then codes in order.

    ``missing`` is the number of a code that is not there, ``unknown`` that of one that neither the scheme nor its
    code set has.
    """

    codes: tuple[str, ...]
    first: int
    values: pa.Array
    large_values: pa.Array
    number_of: Mapping[str, int]
    missing: int = 0

    @property
    def unknown(self) -> int:
        """The number behind all others."""
        return self.first + len(self.codes)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.unknown + 1

    def table(self) -> tuple[pa.Array, pa.Array, np.ndarray | None]:
        """Return the codes as texts and as large texts; where one stands is its number."""
        return self.values, self.large_values, None

    def look(self, codes: Sequence[str]) -> list[int]:
        """Return the numbers of codes that do not stand in the table as they are written."""
        return [self._second_look(code_of(code)) for code in codes]

    def _second_look(self, code: str | None) -> int:
        return self.missing if code is None else self.number_of.get(code, self.unknown)


def numbering(codes: Iterable[str]) -> Numbering:
    """Return numbers for codes, in order."""
    ordered = tuple(sorted(codes))
    blanks = [None, *sorted(MISSING)]
    values = from_list([*blanks, *ordered], pa.string())
    number_of = {code: number for number, code in enumerate(ordered, start=len(blanks))}
    return Numbering(ordered, len(blanks), values, values.cast(pa.large_string()), number_of)
