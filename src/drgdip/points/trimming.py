"""Which cases count for a mean: declared rules of inclusion, and trimming (截尾) of costs far from the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import to_kind
from drgdip._columns import Columns, add_columns, as_list, labels, nullable
from drgdip._sums import blocks, counts, sums
from drgdip.errors import PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats, Keys

__all__ = ["TRIM_METHODS", "TRIM_STATUSES", "CaseRule", "Trim", "trim_cases", "trim_report"]

#: How limits of cost are found.
TRIM_METHODS = ("iqr", "percentile", "sd", "bounds")
#: What became of a case: used; invalid (its cost or group cannot be read as such); excluded by a rule; below or
#: above the limits.
TRIM_STATUSES = ("used", "invalid", "excluded", "below", "above")

# One small number a case says all: why it is not used. Rules of inclusion follow from _RULE on.
_USED, _NO_COST, _NEGATIVE, _NOT_POSITIVE, _NO_GROUP, _BELOW, _ABOVE, _RULE = range(8)
_REASONS = (
    None,
    "the cost is missing",
    "the cost is negative",
    "the cost is 0, which has no logarithm",
    "the group is missing",
    "below the lower limit",
    "above the upper limit",
)
_STATUS_OF = np.array([0, 1, 1, 1, 1, 3, 4], np.int8)


@dataclass(frozen=True, slots=True)
class CaseRule:
    """A rule of inclusion: what a column of a case must hold for the case to count.

    Parameters
    ----------
    column
        The column that is looked at.
    minimum, maximum
        Limits that still count. A case without a number does not.
    only
        The values that count.
    without
        The values that do not; a missing value counts.

    Examples
    --------
    >>> CaseRule("los", maximum=60).reason
    'los is not at most 60'
    """

    column: str
    minimum: float | None = None
    maximum: float | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("only", "without"):
            values = getattr(self, name)
            object.__setattr__(self, name, tuple(map(str, [values] if isinstance(values, str) else values)))
        if not (self.minimum is not None or self.maximum is not None or self.only or self.without):
            raise PolicyError(f"the rule about {self.column!r} says nothing: give minimum, maximum, only or without")

    @property
    def reason(self) -> str:
        """Why a case that the rule leaves out is left out."""
        limits = [
            f"{word} {value:g}"
            for word, value in (("at least", self.minimum), ("at most", self.maximum))
            if value is not None
        ]
        parts = [f"not {' and '.join(limits)}"] if limits else []
        parts += [f"not one of {', '.join(self.only)}"] if self.only else []
        parts += [f"one of {', '.join(self.without)}"] if self.without else []
        return f"{self.column} is {' or '.join(parts)}"

    def violated(self, columns: Columns) -> NDArray[np.bool_]:
        """Which cases the rule leaves out."""
        out = np.zeros(columns.rows, bool)
        if self.minimum is not None or self.maximum is not None:
            low = -math.inf if self.minimum is None else self.minimum
            high = math.inf if self.maximum is None else self.maximum
            numbers = columns.numbers(self.column)
            out |= ~((numbers >= low) & (numbers <= high))
        if self.only or self.without:
            codes, values = columns.codes(self.column)
            known = np.append(np.asarray(pc.is_in(values, value_set=pa.array(self.only, pa.string()))), False)
            if self.only:
                out |= ~known[codes]
            banned = np.append(np.asarray(pc.is_in(values, value_set=pa.array(self.without, pa.string()))), False)
            out |= banned[codes]
        return out


@dataclass(frozen=True, slots=True)
class Trim:
    """How far from the others a cost may lie.

    Costs at a limit are kept.

    Parameters
    ----------
    method
        ``"iqr"``: from Q1 - lower x IQR to Q3 + upper x IQR, IQR being Q3 - Q1; ``"percentile"``: from the
        lower to the upper percentile; ``"sd"``: from mean - lower x sd to mean + upper x sd, sd being that of a
        sample; ``"bounds"``: from lower to upper, in yuan. Percentiles lie between two costs in proportion.
    lower, upper
        The factor, percentile (0 to 100) or bound of each side; None leaves the side open.
    log
        Find the limits on the logarithm of the cost.
    within
        The columns whose values divide the cases into sets with limits of their own. None is the key that the
        means are taken by, () all cases together.
    min_cases
        Sets with fewer cases are not trimmed.

    Notes
    -----
    No factor is built in. In use are 1.5 on both sides of the quartiles, in a study of one city 0.5 and 1.5;
    the DIP 3.0 draft (chapter 5) has the percentiles 2.5 and 97.5.

    Examples
    --------
    >>> Trim("percentile", lower=2.5, upper=97.5).within is None
    True
    """

    method: str
    lower: float | None = None
    upper: float | None = None
    log: bool = False
    within: tuple[str, ...] | None = None
    min_cases: int = 0

    def __post_init__(self) -> None:
        if self.method not in TRIM_METHODS:
            raise UnknownNameError(
                "method of trimming", self.method, TRIM_METHODS, hint=f"There are {', '.join(TRIM_METHODS)}."
            )
        if self.within is not None:
            object.__setattr__(self, "within", tuple(as_list(self.within)))
        sides = {"lower": self.lower, "upper": self.upper}
        for side, value in sides.items():
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise PolicyError(
                    f"{side}={value!r} of trimming by {self.method}: give a number of at least 0, or None"
                )
            if value is not None and self.method == "percentile" and value > 100:
                raise PolicyError(f"{side}={value!r}: a percentile lies between 0 and 100")
        if self.lower is None and self.upper is None:
            raise PolicyError(f"trimming by {self.method} needs lower=, upper= or both")
        if self.method in {"percentile", "bounds"} and None not in sides.values() and self.lower > self.upper:  # type: ignore[operator]
            raise PolicyError(f"lower={self.lower!r} is above upper={self.upper!r}: exchange them")


class Selection:
    """Which cases of a table count, which do not, and why."""

    def __init__(
        self,
        columns: Columns,
        keys: Keys,
        cost: str,
        *,
        trim: Trim | None = None,
        rules: Sequence[CaseRule] = (),
        positive: bool = False,
    ) -> None:
        if len(rules) > 100:
            raise PolicyError(f"{len(rules)} rules of inclusion: at most 100 can be told apart")
        self.rules = tuple(rules)
        self.costs = costs = columns.numbers(cost)
        self.why = why = np.zeros(columns.rows, np.int8)
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
            self.lower, self.upper = _limits(trim, np.where(self.why == _USED, codes, -1), costs, self.sets.size)
        for part in blocks(len(costs)):
            why = self.why[part]
            kept = (why == _USED) & (codes[part] >= 0)
            why[kept & (costs[part] < np.append(self.lower, -np.inf)[codes[part]])] = _BELOW
            why[kept & (costs[part] > np.append(self.upper, np.inf)[codes[part]])] = _ABOVE

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which cases count."""
        return np.equal(self.why, _USED)

    def status_names(self) -> pa.DictionaryArray:
        """A status for each case."""
        table = np.append(_STATUS_OF, np.full(len(self.rules), 2, np.int8))
        return labels(table[self.why], TRIM_STATUSES)

    def reasons(self) -> pa.DictionaryArray:
        """A reason for each case that does not count."""
        return labels(self.why.astype(np.int16) - 1, [*_REASONS[1:], *(rule.reason for rule in self.rules)])

    def tally(self, codes: Codes, size: int) -> dict[str, NDArray[np.int64]]:
        """Cases by status for each code."""
        kinds = np.append(_STATUS_OF, np.full(len(self.rules), 2, np.int8))
        found = np.zeros((size + 1) * len(TRIM_STATUSES), np.int64)
        for part in blocks(len(codes)):
            cell = (codes[part] + 1) * len(TRIM_STATUSES) + kinds[self.why[part]]
            found += np.bincount(cell, minlength=len(found))
        by_code = found.reshape(-1, len(TRIM_STATUSES))
        # Rows without a code stand last.
        return dict(zip(TRIM_STATUSES, np.roll(by_code, -1, axis=0).T, strict=True))


def _limits(trim: Trim, codes: Codes, costs: Floats, size: int) -> tuple[Floats, Floats]:
    """The lower and upper limit of each set; rows with a code below 0 do not count."""
    low, high = np.full(size, -np.inf), np.full(size, np.inf)
    cases = counts(codes, size)
    if trim.method == "bounds":
        low[:] = -np.inf if trim.lower is None else trim.lower
        high[:] = np.inf if trim.upper is None else trim.upper
    elif trim.method == "sd":
        mean, sd = spread(codes, costs, size, log=trim.log)
        # A single case has no sd: it is not trimmed.
        sd = np.where(np.isnan(sd), np.inf, sd)
        if trim.lower is not None:
            low = mean - trim.lower * sd
        if trim.upper is not None:
            high = mean + trim.upper * sd
    else:
        first, last = (25.0, 75.0) if trim.method == "iqr" else (trim.lower, trim.upper)
        found = percentiles(codes, costs, size, [value for value in (first, last) if value is not None], log=trim.log)
        if trim.method == "iqr":
            distance = found[1] - found[0]
            if trim.lower is not None:
                low = found[0] - trim.lower * distance
            if trim.upper is not None:
                high = found[1] + trim.upper * distance
        else:
            low = low if trim.lower is None else found[0]
            high = high if trim.upper is None else found[-1]
    if trim.log and trim.method != "bounds":
        low, high = np.exp(low), np.exp(high)
        # The way there and back may move a limit by a last digit: a cost that is the limit stays.
        low, high = low * (1 - 1e-12), high * (1 + 1e-12)
    free = (cases < trim.min_cases) | (cases == 0)
    low[free | np.isnan(low)] = -np.inf
    high[free | np.isnan(high)] = np.inf
    return low, high


def spread(codes: Codes, costs: Floats, size: int, *, log: bool = False) -> tuple[Floats, Floats]:
    """Mean and sample sd of each code; NaN where there are too few cases."""
    cases = counts(codes, size).astype(float)

    def number(values: Floats) -> Floats:
        return np.log(values) if log else values

    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums(codes, costs, size, (lambda _, values: np.log(values)) if log else None) / cases
        squares = sums(codes, costs, size, lambda chosen, values: (number(values) - mean[chosen]) ** 2)
        return mean, np.sqrt(squares / np.where(cases > 1, cases - 1, np.nan))


def percentiles(codes: Codes, costs: Floats, size: int, wanted: Sequence[float], *, log: bool = False) -> list[Floats]:
    """Percentiles of each code, between two costs in proportion; NaN where there is no case."""
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
    place = (len(ordered) - 1) * (percentile / 100)
    # 0.975 of 200 cases is the 195th, whatever the last digit of the product says.
    place = round(place) if abs(place - round(place)) < 1e-9 else place
    below = int(place)
    first, second = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    if log:
        first, second = math.log(first), math.log(second)
    return first + (second - first) * (place - below)


def _select(
    cases: Any, by: str | Sequence[str], cost: str, trim: Trim | None, rules: Sequence[CaseRule]
) -> tuple[Columns, Keys, Selection]:
    keys = as_list(by)
    within = list((trim.within if trim else None) or ())
    columns = Columns(cases, [*keys, cost, *within, *(rule.column for rule in rules)])
    found = columns.keys(keys)
    positive = trim is not None and trim.log
    return columns, found, Selection(columns, found, cost, trim=trim, rules=rules, positive=positive)


def trim_cases(
    cases: Any,
    trim: Trim | None = None,
    *,
    by: str | Sequence[str] = "group",
    cost: str = "total_cost",
    rules: Sequence[CaseRule] = (),
) -> Any:
    """Say of each case whether it counts for means, and if not, why.

    Parameters
    ----------
    cases
        Any table with a row a case.
    trim
        How far from the others a cost may lie; None trims nothing.
    by
        The column or columns of the group.
    cost
        The column of the cost, in yuan.
    rules
        Rules of inclusion. A case that one of them leaves out has no part in the limits.

    Returns
    -------
    The caller's table with ``trim_status`` (one of `TRIM_STATUSES`), ``trim_reason``, and ``lower_limit`` and
    ``upper_limit`` of the set that the case belongs to (yuan; null where there is none).

    Raises
    ------
    UnknownNameError
        A column that the table does not have.

    Examples
    --------
    >>> cases = [{"group": "A", "total_cost": cost} for cost in (90, 100, 110, 120, 900)]
    >>> [case["trim_status"] for case in trim_cases(cases, Trim("iqr", lower=1.5, upper=1.5))]
    ['used', 'used', 'used', 'used', 'above']
    """
    _, _, selection = _select(cases, by, cost, trim, rules)
    codes = selection.sets.codes
    lower, upper = (
        np.append(np.where(np.isinf(limit), np.nan, limit), np.nan) for limit in (selection.lower, selection.upper)
    )
    return add_columns(
        cases,
        {
            "trim_status": selection.status_names(),
            "trim_reason": selection.reasons(),
            "lower_limit": nullable(lower[codes]),
            "upper_limit": nullable(upper[codes]),
        },
    )


def trim_report(
    cases: Any,
    trim: Trim | None = None,
    *,
    by: str | Sequence[str] = "group",
    cost: str = "total_cost",
    rules: Sequence[CaseRule] = (),
) -> Any:
    """Count for each group which cases count for means, and what the others cost.

    Parameters
    ----------
    cases, trim, by, cost, rules
        As for `trim_cases`.

    Returns
    -------
    A table with a row a group: the key; ``cases``, and of them ``used``, ``invalid``, ``excluded``, ``below``
    and ``above``, which add up to it; ``cost`` and ``cost_used`` (yuan). Cases without a group have the last
    row.

    Examples
    --------
    >>> cases = [{"group": "A", "total_cost": cost} for cost in (90, 100, 110, 120, 900)]
    >>> row = trim_report(cases, Trim("iqr", lower=1.5, upper=1.5))[0]
    >>> row["cases"], row["used"], row["above"], row["cost"], row["cost_used"]
    (5, 4, 1, 1320.0, 420.0)
    """
    _, keys, selection = _select(cases, by, cost, trim, rules)
    tally = selection.tally(keys.codes, keys.size)
    everything = np.sum(list(tally.values()), axis=0)
    rows = keys.size + bool(everything[-1])
    codes = np.where(keys.codes < 0, keys.size, keys.codes)
    money = np.where(np.isfinite(selection.costs), selection.costs, 0.0)
    columns: dict[str, Any] = {
        name: pa.concat_arrays([values, pa.nulls(rows - keys.size, pa.string())]) for name, values in keys.table.items()
    }
    columns |= {"cases": everything[:rows]}
    columns |= {name: tally[name][:rows] for name in TRIM_STATUSES}
    columns["cost"] = sums(codes, money, keys.size + 1)[:rows]
    columns["cost_used"] = sums(np.where(selection.used, codes, -1), money, keys.size + 1)[:rows]
    return to_kind(pa.table(columns), cases)
