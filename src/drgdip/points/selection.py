"""Which cases count for a mean: rules of inclusion, and trimming (截尾) of costs far from the others, worked out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from drgdip._columns import labels
from drgdip._sums import blocks, counts, sums
from drgdip.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drgdip._columns import Codes, Columns, Floats, Keys
    from drgdip.points.inclusion import CaseRule, Trim

__all__ = ["TRIM_STATUSES", "Selection", "percentiles", "spread"]

#: What became of a case: used; invalid (its cost or group cannot be read as such); excluded by a rule; below or
#: above the limits.
TRIM_STATUSES = ("used", "invalid", "excluded", "below", "above")

# One small number a case says why it is not used. Rules of inclusion follow from _RULE on.
_USED, _NO_COST, _NEGATIVE, _NOT_POSITIVE, _NO_GROUP, _BELOW, _ABOVE, _RULE = range(8)
_REASONS = ("missing_cost", "negative_cost", "zero_cost", "without_group", "below_limit", "above_limit")
_EXCLUDED = TRIM_STATUSES.index("excluded")
_STATUS_OF = np.array(
    [TRIM_STATUSES.index(status) for status in ("used", "invalid", "invalid", "invalid", "invalid", "below", "above")],
    np.int8,
)


class Selection:
    """Which cases of a table count, which do not, and why.

    Attributes
    ----------
    costs
        The cost of each case.
    sets
        The sets of cases that have limits of their own.
    lower, upper
        The limits of each set.
    """

    def __init__(
        self,
        columns: Columns,
        keys: Keys,
        *,
        trim: Trim | None = None,
        rules: Sequence[CaseRule] = (),
        positive: bool = False,
    ) -> None:
        if len(rules) > 100:
            raise PolicyError(f"{len(rules)} rules of inclusion: at most 100 can be told apart")
        self.rules = tuple(rules)
        self.costs = costs = columns.numbers("total_cost")
        self._why = why = np.zeros(columns.rows, np.int8)
        for number, rule in reversed(list(enumerate(self.rules, start=_RULE))):
            why[rule.violated(columns)] = number
        # A case that is excluded anyway need not have a cost or a group.
        kept = why == _USED
        why[kept & (keys.codes < 0)] = _NO_GROUP
        if positive:
            why[kept & (costs == 0)] = _NOT_POSITIVE
        why[kept & (costs < 0)] = _NEGATIVE
        why[kept & ~np.isfinite(costs)] = _NO_COST
        self.sets = keys if trim is None or trim.within is None else columns.keys(trim.within)
        self.lower = np.full(self.sets.size, -np.inf)
        self.upper = np.full(self.sets.size, np.inf)
        if trim is not None:
            self._trim(trim)

    def _trim(self, trim: Trim) -> None:
        codes, costs = self.sets.codes, self.costs
        with np.errstate(divide="ignore", invalid="ignore"):
            self.lower, self.upper = _limits(trim, np.where(self._why == _USED, codes, -1), costs, self.sets.size)
        for part in blocks(len(costs)):
            why = self._why[part]
            kept = (why == _USED) & (codes[part] >= 0)
            why[kept & (costs[part] < np.append(self.lower, -np.inf)[codes[part]])] = _BELOW
            why[kept & (costs[part] > np.append(self.upper, np.inf)[codes[part]])] = _ABOVE

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which cases count."""
        return np.equal(self._why, _USED)

    def status_names(self) -> pa.DictionaryArray:
        """Return one of `TRIM_STATUSES` for each case."""
        table = np.append(_STATUS_OF, np.full(len(self.rules), _EXCLUDED, np.int8))
        return labels(table[self._why], TRIM_STATUSES)

    def reasons(self) -> pa.DictionaryArray:
        """Return a reason for each case that does not count."""
        return labels(self._why.astype(np.int16) - 1, [*_REASONS, *(rule.reason for rule in self.rules)])

    def tally(self, codes: Codes, size: int) -> dict[str, NDArray[np.int64]]:
        """Count the cases by status for each code; rows without a code stand last."""
        kinds = np.append(_STATUS_OF, np.full(len(self.rules), _EXCLUDED, np.int8))
        found = np.zeros((size + 1) * len(TRIM_STATUSES), np.int64)
        for part in blocks(len(codes)):
            cell = (codes[part] + 1) * len(TRIM_STATUSES) + kinds[self._why[part]]
            found += np.bincount(cell, minlength=len(found))
        by_code = found.reshape(-1, len(TRIM_STATUSES))
        return dict(zip(TRIM_STATUSES, np.roll(by_code, -1, axis=0).T, strict=True))


def _limits(trim: Trim, codes: Codes, costs: Floats, size: int) -> tuple[Floats, Floats]:
    """Return the lower and upper limit of each set. Rows with a code below 0 do not count."""
    low, high = _LIMITS[trim.method](trim, codes, costs, size)
    if trim.log and trim.method != "bounds":
        low, high = np.exp(low), np.exp(high)
        # The way there and back may move a limit by a last digit: a cost that is the limit stays.
        low, high = low * (1 - 1e-12), high * (1 + 1e-12)
    cases = counts(codes, size)
    free = (cases < trim.min_cases) | (cases == 0)
    low[free | np.isnan(low)] = -np.inf
    high[free | np.isnan(high)] = np.inf
    return low, high


def _by_bounds(trim: Trim, _codes: Codes, _costs: Floats, size: int) -> tuple[Floats, Floats]:
    """Take the same bounds for all sets."""
    low = np.full(size, -np.inf if trim.lower is None else trim.lower, np.float64)
    return low, np.full(size, np.inf if trim.upper is None else trim.upper, np.float64)


def _by_sd(trim: Trim, codes: Codes, costs: Floats, size: int) -> tuple[Floats, Floats]:
    """Take limits so many sd from the mean of each set. A single case has no sd and is not trimmed."""
    mean, sd = spread(codes, costs, size, log=trim.log)
    sd = np.where(np.isnan(sd), np.inf, sd)
    low = np.full(size, -np.inf) if trim.lower is None else mean - trim.lower * sd
    high = np.full(size, np.inf) if trim.upper is None else mean + trim.upper * sd
    return low, high


def _by_quartiles(trim: Trim, codes: Codes, costs: Floats, size: int) -> tuple[Floats, Floats]:
    """Take limits so many distances of the quartiles from the quartiles of each set."""
    first, last = percentiles(codes, costs, size, [25.0, 75.0], log=trim.log)
    distance = last - first
    low = np.full(size, -np.inf) if trim.lower is None else first - trim.lower * distance
    high = np.full(size, np.inf) if trim.upper is None else last + trim.upper * distance
    return low, high


def _by_percentiles(trim: Trim, codes: Codes, costs: Floats, size: int) -> tuple[Floats, Floats]:
    """Take percentiles of each set as its limits."""
    wanted = [value for value in (trim.lower, trim.upper) if value is not None]
    found = percentiles(codes, costs, size, wanted, log=trim.log)
    low = np.full(size, -np.inf) if trim.lower is None else found[0]
    high = np.full(size, np.inf) if trim.upper is None else found[-1]
    return low, high


_LIMITS = {"bounds": _by_bounds, "sd": _by_sd, "iqr": _by_quartiles, "percentile": _by_percentiles}


def spread(codes: Codes, costs: Floats, size: int, *, log: bool = False) -> tuple[Floats, Floats]:
    """Return mean and sample sd of each code, NaN where there are too few cases."""
    cases = counts(codes, size).astype(float)

    def number(values: Floats) -> Floats:
        return np.log(values) if log else values

    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums(codes, costs, size, (lambda _, values: np.log(values)) if log else None) / cases
        squares = sums(codes, costs, size, lambda chosen, values: (number(values) - mean[chosen]) ** 2)
        return mean, np.sqrt(squares / np.where(cases > 1, cases - 1, np.nan))


def percentiles(codes: Codes, costs: Floats, size: int, wanted: Sequence[float], *, log: bool = False) -> list[Floats]:
    """Return percentiles of each code, between two costs in proportion, NaN where there is no case."""
    cases = counts(codes, size)
    found = [np.full(size, np.nan) for _ in wanted]
    # A part of the codes at a time, so that the sorted copies stay small beside the table.
    limit = max(1 << 20, len(codes) // 8)
    first = 0
    while first < size:
        last = first + 1
        rows_of_part = int(cases[first])
        while last < size and last - first < 1 << 16 and rows_of_part + cases[last] <= limit:
            rows_of_part += int(cases[last])
            last += 1
        rows = np.flatnonzero((codes >= first) & (codes < last))
        # numpy sorts 16-bit numbers by counting, which is several times faster than comparing.
        order = np.argsort((codes[rows] - first).astype(np.uint16), kind="stable")
        values = costs[rows[order]]
        del rows, order
        start = 0
        for code in range(first, last):
            end = start + int(cases[code])
            if end > start:
                values[start:end].sort()
                for number, percentile in enumerate(wanted):
                    found[number][code] = _between(values[start:end], percentile, log=log)
            start = end
        first = last
    return found


def _between(ordered: Floats, percentile: float, *, log: bool) -> float:
    """Return a percentile of ordered costs."""
    place = (len(ordered) - 1) * (percentile / 100)
    # 0.975 of 200 cases is the 195th, whatever the last digit of the product says.
    place = round(place) if abs(place - round(place)) < 1e-9 else place
    below = int(place)
    first, second = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    if log:
        first, second = math.log(first), math.log(second)
    return first + (second - first) * (place - below)
