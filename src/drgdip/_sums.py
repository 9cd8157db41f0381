"""Sums by group that are the same for every order and every chunking of the rows.

Each number is cut at two powers of two that all rows share. The parts are whole multiples of those powers, few
enough to add without rounding, so that no order of adding them can change the result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer]

__all__ = ["BLOCK", "blocks", "counts", "sums", "total"]

#: Rows that are worked on at a time, so that temporary arrays stay small beside the table.
BLOCK = 1 << 19


def blocks(rows: int) -> Iterator[slice]:
    """Yield slices that cover the rows in order."""
    for start in range(0, rows, BLOCK):
        yield slice(start, min(start + BLOCK, rows))


def counts(codes: Codes, size: int) -> NDArray[np.int64]:
    """Count the rows of each code. Rows with a code below 0 do not count."""
    found = np.zeros(size + 1, np.int64)
    for part in blocks(len(codes)):
        found += np.bincount(codes[part] + 1, minlength=size + 1)
    return found[1:]


def sums(
    codes: Codes,
    values: Floats,
    size: int,
    change: Callable[[Codes, Floats], Floats] | None = None,
) -> Floats:
    """Add up the values of each code. Rows with a code below 0 do not count.

    ``change`` is applied to the codes and values of a block of rows before they are added.
    """

    def parts() -> Iterator[tuple[Codes, Floats]]:
        for part in blocks(len(codes)):
            used = codes[part] >= 0
            chosen, numbers = (codes[part], values[part]) if used.all() else (codes[part][used], values[part][used])
            yield chosen, numbers if change is None else change(chosen, numbers)

    largest = max((float(np.abs(numbers).max()) for _, numbers in parts() if len(numbers)), default=0.0)
    if largest == 0.0 or not math.isfinite(largest):
        return np.full(size, 0.0 if largest == 0.0 else math.nan)
    coarse = _quantum(largest, len(codes))
    fine = _quantum(coarse / 2, len(codes))
    high, low = np.zeros(size), np.zeros(size)
    for chosen, numbers in parts():
        rounded = np.rint(numbers / coarse) * coarse
        high += np.bincount(chosen, rounded, size)
        low += np.bincount(chosen, np.rint((numbers - rounded) / fine) * fine, size)
    return high + low


def total(values: Floats) -> float:
    """Add up all values."""
    return float(sums(np.zeros(len(values), np.int8), values, 1)[0])


def _quantum(largest: float, rows: int) -> float:
    """Return a power of two of which so many numbers, none above the largest, add up to less than 2**53."""
    return math.ldexp(1.0, max(math.frexp(largest)[1] + rows.bit_length() - 52, -1000))
