"""Cases of core groups that are alike in all features, counted and summed, so that no search looks at a case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drgdip._sums import counts, sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drgdip.grouper.drg.splitting import SplitCriteria

__all__ = ["Cells", "Sources", "count_cells", "no_cells"]


class Sources(NamedTuple):
    """The cases that a search counts, a row a case.

    Attributes
    ----------
    adrg
        The place of the core group.
    fen
        The cost.
    parts
        The part of each feature, a column a feature.
    hospital, year
        Numbers of the hospital and of the year of discharge, from 0; None where no criterion asks for them.
    """

    adrg: np.ndarray
    fen: np.ndarray
    parts: np.ndarray
    hospital: np.ndarray | None
    year: np.ndarray | None


@dataclass(frozen=True, slots=True)
class Cells:
    """Cases of a core group that are alike in all features, counted and summed.

    Attributes
    ----------
    parts
        The part of each feature, by cell and feature.
    n, deviation, squares
        Cases, and the sums of the deviations of their costs from the mean of the core group and of their squares.
    mean
        The mean cost of the core group, in yuan.
    slices
        Cases and deviations by cell and half, and by cell and year.
    hospitals
        Cells, hospitals and the cases that each pair of them has.
    """

    parts: np.ndarray
    n: np.ndarray
    deviation: np.ndarray
    squares: np.ndarray
    mean: float
    slices: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    hospitals: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


def count_cells(cases: Sources, size: int, criteria: SplitCriteria) -> Iterator[tuple[int, Cells]]:
    """Yield the cells of each core group that has cases, by its place below ``size``."""
    n = np.maximum(counts(cases.adrg, size), 1)
    means = sums(cases.adrg, cases.fen, size) / n
    cell, first = _numbered(cases)
    cells = len(first)
    owner, parts = cases.adrg[first], cases.parts[first]
    deviation = cases.fen - means[cases.adrg]
    n, total = counts(cell, cells), sums(cell, deviation, cells)
    squares = sums(cell, deviation, cells, lambda _, values: values**2)
    slices = dict(_slices(cases, cell, deviation, cells, criteria))
    pairs = None if cases.hospital is None else _pairs(cell, cases.hospital)
    bounds = np.searchsorted(owner, np.arange(size + 1))
    for place in np.flatnonzero(np.diff(bounds)).tolist():
        rows = slice(bounds[place], bounds[place + 1])
        own = {name: (cases_of[rows], sums_of[rows]) for name, (cases_of, sums_of) in slices.items()}
        hospitals = None
        if pairs is not None:
            start, end = np.searchsorted(pairs[0], [rows.start, rows.stop])
            hospitals = (pairs[0][start:end] - rows.start, pairs[1][start:end], pairs[2][start:end])
        yield place, Cells(parts[rows], n[rows], total[rows], squares[rows], float(means[place]), own, hospitals)


def no_cells(features: int) -> Cells:
    """Return the cells of a core group without cases."""
    return Cells(np.zeros((0, features), np.int8), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), 0.0)


def _numbered(cases: Sources) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell of each case, in the order of core groups and parts, and a case of each cell."""
    key = cases.adrg.astype(np.int64)
    for column in cases.parts.T:
        key = key * (int(column.max(initial=0)) + 1) + column
        key = np.unique(key, return_inverse=True)[1] if key.max(initial=0) > 1 << 40 else key
    _, first, cell = np.unique(key, return_index=True, return_inverse=True)
    return cell, first


def _slices(
    cases: Sources, cell: np.ndarray, deviation: np.ndarray, cells: int, criteria: SplitCriteria
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """Yield cases and deviations by cell and half, and by cell and year, as far as criteria ask for them."""
    if criteria.halves is not None and criteria.seed is not None:
        bits = _bits(cases, criteria.seed)
        found = [
            _table(cell, (bits >> np.uint64(number) & np.uint64(1)).astype(np.int64), 2, deviation, cells)
            for number in range(criteria.halves)
        ]
        yield "halves", (np.hstack([n for n, _ in found]), np.hstack([total for _, total in found]))
    if cases.year is not None:
        yield "years", _table(cell, cases.year, int(cases.year.max(initial=0)) + 1, deviation, cells)


def _table(
    cell: np.ndarray, column: np.ndarray, width: int, deviation: np.ndarray, cells: int
) -> tuple[np.ndarray, np.ndarray]:
    place = cell * width + column
    size = cells * width
    return counts(place, size).reshape(cells, width), sums(place, deviation, size).reshape(cells, width)


def _bits(cases: Sources, seed: int) -> np.ndarray:
    """Return a random number for each case: equal cases have equal ones, in any order of the rows."""
    mixed = np.full(len(cases.fen), seed & 0xFFFFFFFFFFFFFFFF, np.uint64)
    for column in (cases.fen.astype(np.int64), cases.adrg.astype(np.int64)):
        mixed = _mix(mixed ^ column.astype(np.uint64))
    return mixed


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Return numbers whose bits all depend on all bits of the given ones (splitmix64)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))


def _pairs(cell: np.ndarray, hospital: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return cells, hospitals, and the cases that each pair of them has."""
    width = int(hospital.max(initial=0)) + 1
    found, cases = np.unique(cell * width + hospital, return_counts=True)
    return found // width, found % width, cases
