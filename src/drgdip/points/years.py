"""Years that count differently: the weight of each, and means over years joined by their weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._sums import counts, sums
from drgdip.errors import CaseError, PolicyError
from drgdip.points.inclusion import CaseRule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Codes, Columns, Floats
    from drgdip.points.selection import Selection

__all__ = ["Years", "with_years", "year_codes"]


def with_years(rules: Sequence[CaseRule], years: Mapping[int, float] | None) -> tuple[CaseRule, ...]:
    """Return the rules of inclusion, and one that leaves out the years of weight 0."""
    unused = tuple(str(name) for name, weight in (years or {}).items() if weight == 0)
    return (*rules, CaseRule("year", without=unused)) if unused else tuple(rules)


def year_codes(columns: Columns, years: Mapping[int, float], used: Any) -> tuple[Codes, Floats]:
    """Return the year of each case as a code, and the weight of each code."""
    named = {str(name): float(weight) for name, weight in years.items()}
    if len(named) < len(years):
        raise PolicyError(f"years={dict(years)!r} names a year twice: leave one of them")
    if not named or min(named.values()) < 0 or not math.isfinite(sum(named.values())) or not sum(named.values()):
        raise PolicyError(f"years={dict(years)!r}: give each year a weight of at least 0, and one of them more")
    codes, values = columns.codes("year")
    lost = np.flatnonzero(used & (codes < 0))
    if len(lost):
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        name = columns.own_name("year")
        raise CaseError(f"column {name!r} is empty in row {lost[0]}{more}: fill it, or leave the cases out by a rule")
    present = set(values.take(pa.array(np.flatnonzero(counts(np.where(used, codes, -1), len(values))))).to_pylist())
    for name in sorted(present - set(named)):
        raise PolicyError(
            f"there are cases of {name}, which years={dict(years)!r} does not name: give it a weight, 0 to leave it out"
        )
    for name in sorted({name for name, weight in named.items() if weight} - present):
        raise PolicyError(
            f"years={dict(years)!r} names {name}, but no case that counts is of that year: "
            f"leave it out, or mend the cases"
        )
    return codes, np.array([named.get(name, 0.0) for name in values.to_pylist()])


class Years:
    """Means by year, joined by the years' weights."""

    def __init__(self, columns: Columns, years: Mapping[int, float] | None, selection: Selection) -> None:
        self.weights = np.ones(1)
        self.codes: Codes | None = None
        if years is None:
            return
        self.codes, self.weights = year_codes(columns, years, selection.used)

    def _cells(self, codes: Codes) -> Codes:
        """Return the cell of each row in the table of codes by years."""
        if self.codes is None:
            return codes
        size = int(codes.max(initial=0)) + 1
        wide = codes if size * len(self.weights) < 1 << 31 else codes.astype(np.int64)
        return np.where((codes < 0) | (self.codes < 0), -1, wide * np.int32(len(self.weights)) + self.codes)

    def means(self, codes: Codes, costs: Floats, size: int, *, geometric: bool) -> Floats:
        """Return the mean of each code, NaN where there is no case in a year that counts."""
        shape = (size, len(self.weights))
        cells = self._cells(codes)
        n = counts(cells, size * len(self.weights)).reshape(shape)
        change = (lambda _, values: np.log(values)) if geometric else None
        sum_ = sums(cells, costs, size * len(self.weights), change).reshape(shape)
        share = np.where(n > 0, self.weights, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(n > 0, sum_ / n, 0.0)
            mean = np.where(n > 0, np.exp(mean), 0.0) if geometric else mean
            top = np.array([math.fsum(row) for row in mean * share])
            mean = top / np.array([math.fsum(row) or math.nan for row in share])
            return np.asarray(mean, np.float64)

    def years_of(self, codes: Codes, size: int) -> Codes:
        """Count the years that count and have a case of each code."""
        n = counts(self._cells(codes), size * len(self.weights)).reshape(size, -1)
        return np.asarray(((n > 0) & (self.weights > 0)).sum(axis=1), np.int64)
