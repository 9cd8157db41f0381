"""Comparison with peers (同级比较): limits that chance allows at each number of cases, and ranks with their range."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import read_once, to_kind
from drgdip._columns import as_list, labels, nullable
from drgdip._sums import counts, sums
from drgdip.errors import CaseError
from drgdip.monitor.binomial import check_confidence, likely_counts, share_limits
from drgdip.monitor.derived import Facts, keys_of, needs_of, rows_of_keys
from drgdip.monitor.period import list_indicators
from drgdip.monitor.quantities import Sums, quantities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Codes, Floats, Keys
    from drgdip.monitor.quantities import Chosen, Quantity

__all__ = ["compare_peers"]

#: Where an indicator lies against the limits of its peers.
_OUTSIDE = ("below", "above")


class _Spread(NamedTuple):
    """An indicator by key: its value, cases and denominator, its own limits, those of the peers, and z."""

    value: Floats
    cases: Any
    target: Floats
    own: tuple[Floats, Floats]
    peers: tuple[Floats, Floats]
    z: Floats


class _Parts(NamedTuple):
    """The two parts of an indicator: of each case, and their sums by key."""

    codes: Codes
    above: Floats
    below: Floats
    cases: Any
    sum_above: Floats
    sum_below: Floats

    @property
    def value(self) -> Floats:
        """Return the indicator by key."""
        return _over(self.sum_above, self.sum_below)


def compare_peers(
    cases: Any,
    indicator: str,
    by: str | Sequence[str] = "hospital",
    *,
    confidence: float,
    within: str | Sequence[str] = (),
    reference: Any = None,
    weights: Any = None,
    low_risk: Sequence[str] | None = None,
    basic: Sequence[str] | None = None,
    readmission_days: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compare an indicator of each key with that of its peers, with the limits that chance allows at its cases.

    Parameters
    ----------
    cases, by, weights, low_risk, basic, readmission_days, columns
        As in `indicators`.
    indicator
        The id of a quotient of `list_indicators`.
    confidence
        Of all limits, such as 0.95 or 0.998.
    within
        The columns of the stratum, such as ``level``: peers are the keys of one stratum.
    reference
        The cases that the target comes from, under the same names. None takes the cases themselves.

    Returns
    -------
    A table with a row a stratum and key, in order: the columns of ``within`` and ``by``; ``n`` (cases), ``value``, and
    ``lower`` and ``upper`` (limits of the value). Then ``target`` (the indicator of all cases of the reference's
    stratum); ``limit_low`` and ``limit_high`` (chance keeps the value of so many cases between them, as in a funnel
    plot); ``z`` (value less target, over its standard error); and ``outside``, ``below`` or ``above``, null
    inside. Last, ``peers`` (keys of the stratum with limits), ``rank`` and its range ``rank_best`` to ``rank_worst``.

    Rank 1 is the lowest value where lower is better, otherwise the highest. The range leaves out the peers whose limits
    do not overlap. A key without a case, or of a mean with one, has no limits and no rank.

    Raises
    ------
    CaseError
        An indicator that is no quotient of sums, or whose columns are missing.
    UnknownNameError, PolicyError
        An indicator or a column that is not there, a confidence that is none.

    Notes
    -----
    Limits of shares of cases are exact: Clopper and Pearson for the value, quantiles of the binomial distribution about
    the target. Other quotients, such as means and shares of cost, have those of the normal distribution; their standard
    error is that of a ratio (the residuals of its cases). Few cases with a long tail make them too narrow.

    Examples
    --------
    >>> deaths = {"H1": 2, "H2": 2, "H3": 12}
    >>> cases = [{"hospital": h, "discharge": 5 if i < n else 1} for h, n in deaths.items() for i in range(100)]
    >>> for row in compare_peers(cases, "mortality", confidence=0.95):
    ...     print(row["hospital"], row["value"], row["outside"], row["rank"], row["rank_best"], row["rank_worst"])
    H1 0.02 None 1 1 3
    H2 0.02 None 1 1 3
    H3 0.12 above 3 1 3
    """
    outside = check_confidence(confidence)
    row = list_indicators().row(indicator)
    above, below = (quantities().get(name) for name in (row.numerator, row.denominator))
    if above is None or below is None or "groups" in (above.how, below.how):
        raise CaseError(f"indicator {indicator!r} is no quotient of sums, so that it has no limits: choose another")
    strata, names = as_list(within), [] if by is None else as_list(by)
    names = [*strata, *(name for name in names if name not in strata)]
    options: dict[str, Any] = {"low_risk": low_risk, "basic": basic, "readmission_days": readmission_days}
    options |= {"weights": None if weights is None else read_once(weights), "columns": columns}
    region = None if reference is None else Facts(read_once(reference), strata, what="the reference", **options)
    facts = Facts(read_once(cases), names, region=region, **options)
    keys, mine = _parts(facts, names, above, below)
    peers, theirs = _parts(facts if region is None else region, strata, above, below)
    found = {key: place for place, key in enumerate(rows_of_keys(peers))}
    own = [key[: len(strata)] for key in rows_of_keys(keys)]
    place = np.array([found.get(key, -1) for key in own], np.int64)
    shares = (above.how, below.how) == ("count", "count")
    spread = _shares(mine, theirs, place, confidence) if shares else _means(mine, theirs, place, outside)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(own))}
    stratum = np.array([numbers[key] for key in own], np.int64)
    table = {**keys.table, **_columns_of(spread), **_ranks(spread, stratum, higher=row.direction != "lower")}
    return to_kind(pa.table(table), cases)


def _columns_of(spread: _Spread) -> dict[str, Any]:
    """Return the columns of values and limits."""
    return {
        "n": spread.cases,
        "value": nullable(spread.value),
        "lower": nullable(spread.own[0]),
        "upper": nullable(spread.own[1]),
        "target": nullable(spread.target),
        "limit_low": nullable(spread.peers[0]),
        "limit_high": nullable(spread.peers[1]),
        "z": nullable(spread.z),
        "outside": labels(_outside(spread), _OUTSIDE),
    }


def _parts(facts: Facts, names: Sequence[str], above: Quantity, below: Quantity) -> tuple[Keys, _Parts]:
    """Return the keys of cases, and the parts of an indicator of each case that has both."""
    keys = keys_of(facts, names)
    found = Sums(facts, keys)
    lacking = found.lacks([above.quantity, below.quantity])
    if lacking:
        raise CaseError(f"the indicator needs {needs_of(lacking)}, which {facts.columns.what} do not have")
    chosen = found.chosen(above.quantity, below.quantity)
    chosen = found.counted(below, chosen) if below.how == "count" else chosen
    first, second = (_of_cases(facts, found, quantity, chosen) for quantity in (above, below))
    codes = chosen[:]
    sum_above, sum_below = (sums(codes, part, keys.size) for part in (first, second))
    return keys, _Parts(codes, first, second, counts(codes, keys.size), sum_above, sum_below)


def _of_cases(facts: Facts, found: Sums, quantity: Quantity, chosen: Chosen) -> Floats:
    """Return a quantity of each case, 0 where it does not count."""
    counted = found.counted(quantity, chosen)[:] >= 0
    values: Floats = np.ones(len(counted))
    if quantity.how == "sum":
        numbers, _, unit = facts.amounts(quantity.value)
        values = numbers[:] / unit
    return np.where(counted, values, 0.0)


def _shares(mine: _Parts, theirs: _Parts, place: Any, confidence: float) -> _Spread:
    """Return the limits of a share of cases, which are exact."""
    target = np.append(theirs.value, np.nan)[place]
    number = mine.cases.astype(np.float64)
    known = ~np.isnan(target) & (number > 0)
    low, high = (np.full(len(number), np.nan) for _ in range(2))
    low[known], high[known] = likely_counts(target[known], number[known], confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (mine.value - target) / np.sqrt(target * (1 - target) / number)
    z = np.where(np.isfinite(z), z, np.nan)
    limits = _over(low, number), _over(high, number)
    return _Spread(mine.value, mine.cases, target, share_limits(mine.sum_above, number, confidence), limits, z)


def _means(mine: _Parts, theirs: _Parts, place: Any, outside: float) -> _Spread:
    """Return the limits of a mean or a ratio of sums, from the residuals of its cases."""
    width = NormalDist().inv_cdf(1 - outside)
    target = np.append(theirs.value, np.nan)[place]
    number = mine.cases.astype(np.float64)
    # The residuals of n cases have n - 1 degrees of freedom.
    error = _over(np.sqrt(number * _variance(mine)), np.abs(mine.sum_below))
    chance = _over(np.sqrt(number * np.append(_variance(theirs), np.nan)[place]), np.abs(mine.sum_below))
    z = _over(mine.value - target, chance)
    own = mine.value - width * error, mine.value + width * error
    return _Spread(mine.value, mine.cases, target, own, (target - width * chance, target + width * chance), z)


def _variance(parts: _Parts) -> Floats:
    """Return by key the variance of the residuals of its cases, NaN with fewer than two."""
    value = parts.value
    residual = parts.above - np.append(value, 0.0)[parts.codes] * parts.below
    total = sums(parts.codes, np.nan_to_num(residual) ** 2, len(value))
    return _over(total, np.where(parts.cases > 1, parts.cases - 1, 0).astype(np.float64))


def _over(above: Floats, below: Any) -> Floats:
    """Return a quotient, NaN where the divisor is 0 or not known."""
    found: Floats = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below != 0)
    return found


def _outside(spread: _Spread) -> Any:
    """Return the number in `_OUTSIDE` of each key, -1 inside the limits."""
    low, high = spread.peers
    with np.errstate(invalid="ignore"):
        return np.where(spread.value < low, 0, np.where(spread.value > high, 1, -1))


def _ranks(spread: _Spread, strata: Any, *, higher: bool) -> dict[str, pa.Array]:
    """Return the rank of each key among its peers, and the range that its limits and theirs leave open."""
    lower, upper = spread.own
    # Turned so that the best value is the lowest.
    value, best, worst = (-spread.value, -upper, -lower) if higher else (spread.value, lower, upper)
    ranked = ~np.isnan(value) & ~np.isnan(best)
    found = np.zeros((4, len(value)), np.int64)
    for stratum in np.unique(strata[ranked]):
        rows = np.flatnonzero(ranked & (strata == stratum))
        found[0, rows] = len(rows)
        found[1, rows] = np.searchsorted(np.sort(value[rows]), value[rows], "left") + 1
        found[2, rows] = np.searchsorted(np.sort(worst[rows]), best[rows], "left") + 1
        found[3, rows] = np.searchsorted(np.sort(best[rows]), worst[rows], "right")
    names = ("peers", "rank", "rank_best", "rank_worst")
    return {name: pa.array(numbers, mask=~ranked) for name, numbers in zip(names, found, strict=True)}
