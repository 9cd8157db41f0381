"""Estimated point values (预估点值): from past cases, over all of them or a good interval (优值区间)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, as_list
from drgdip._sums import counts, sums
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points.inclusion import GROUPED, with_statuses
from drgdip.points.medians import medians
from drgdip.points.pools import and_more, check_divisor, pools_of
from drgdip.points.selection import Selection, spread
from drgdip.points.years import with_years, year_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Floats, Keys
    from drgdip.points.inclusion import CaseRule, Trim

__all__ = ["estimate_value"]

_INTERVALS = ("one_dimensional", "two_dimensional")


@reads_once
def estimate_value(
    cases: Any,
    *,
    years: Mapping[int, float] | None,
    by: str | None = "pool",
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    interval: str | None = None,
    interval_within: str | Sequence[str] = (),
    quadrant: tuple[str, str] | None = None,
    statuses: Sequence[str] | None = GROUPED,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Estimate the point value for the coming year from past cases (预估点值): cost over points, years weighted.

    Parameters
    ----------
    cases
        Any table with a row a case: ``points`` under the new weights, ``total_cost`` (yuan), ``group`` (trimming is
        within it), and ``year`` if ``years`` is given.
    years
        The weight of each year, such as ``{2023: 1, 2024: 2, 2025: 7}``; None takes all cases alike. A pool
        without cases in a year goes by the others.
    by
        The column of the pool; None takes all rows together.
    trim, rules
        Which cases count; see `trim_cases`. The draft has ``Trim("percentile", lower=2.5, upper=97.5)``.
    interval
        The good interval (优值区间) of the cases, or None. ``"one_dimensional"`` takes the cases whose cost is below
        the mean. ``"two_dimensional"`` takes the geometric median of the cases in a quadrant of cost and points.
    interval_within
        The columns within which the means of the interval are taken, such as ``"group"``. Without columns, the mean is
        that of the pool.
    quadrant
        The sides of the mean of cost and of points, for two dimensions: ``("below", "above")`` are cheap cases with
        many points.
    statuses
        The statuses of grouping that count, where the table has the column ``status``; None counts every case. The
        cases left out are ``excluded``.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    A table with a row a pool: the pool; ``cases``, and of them ``invalid``, ``excluded``, ``trimmed``,
    ``outside`` (of the interval) and ``n`` (used), which add up to it; ``cost`` and ``points`` (year-weighted
    sums; for two dimensions those of the median); and ``point_value`` (yuan).

    Raises
    ------
    CaseError
        Cases that count but have no points, or a pool whose points add up to 0.

    Notes
    -----
    Source: DIP 3.0 draft, chapter 5. The text names the two-dimensional interval without its axes. The library takes
    cost and points of a case, measured in the means of the pool. It divides the cost of the median by its points.

    Examples
    --------
    >>> cases = [{"year": 2024, "total_cost": 900}, {"year": 2025, "total_cost": 1100}]
    >>> cases = [case | {"group": "A", "points": 100} for case in cases]
    >>> estimate_value(cases, years={2024: 1, 2025: 3}, by=None)[0]["point_value"]
    10.5
    """
    _check_interval(interval, quadrant)
    rules = with_years(rules, years)
    within = as_list(interval_within)
    needed = [by, "points", "total_cost", "group", *within, *((trim.within if trim else None) or ())]
    needed += [*(rule.column for rule in rules), None if years is None else "year"]
    table = Columns(cases, needed, columns=columns or {}, optional=["year", "status"])
    rules = with_statuses(rules, statuses, table)
    pools = pools_of(table, by)
    groups = table.keys(["group"])
    selection = Selection(table, groups, trim=trim, rules=rules, positive=bool(trim and trim.log))
    amount = table.numbers("points")
    lost = np.flatnonzero(selection.used & ~((amount >= 0) & np.isfinite(amount)))
    if len(lost):
        raise CaseError(
            f"column {table.own_name('points')!r} is missing or negative in row {lost[0]}{and_more(lost)}: "
            f"give points, or leave the cases out by a rule"
        )
    weight = _year_weights(table, years, selection.used)
    inside = selection.used & (weight > 0)
    if interval is not None:
        keys = table.keys(list(dict.fromkeys([*within, *([] if by is None else [by])])))
        inside &= _in_interval(keys, inside, selection.costs, amount, quadrant)
    codes = np.where(inside, pools.codes, -1)
    if quadrant is not None:
        money, score = medians(codes, selection.costs, amount, weight, pools.size)
    else:
        money = sums(codes, np.where(inside, selection.costs * weight, 0.0), pools.size)
        score = sums(codes, np.where(inside, amount * weight, 0.0), pools.size)
    check_divisor(np.nan_to_num(score), pools, "the sum of the points that count")
    tally = {name: values[: pools.size] for name, values in selection.tally(pools.codes, pools.size).items()}
    everything, n = np.sum(list(tally.values()), axis=0), counts(codes, pools.size)
    trimmed = tally["below"] + tally["above"]
    result = {**pools.table, "cases": everything, "invalid": tally["invalid"], "excluded": tally["excluded"]}
    result |= {"trimmed": trimmed, "outside": everything - tally["invalid"] - tally["excluded"] - trimmed - n, "n": n}
    result |= {"cost": money, "points": score, "point_value": money / score}
    return to_kind(pa.table(result), cases)


def _check_interval(interval: str | None, quadrant: tuple[str, str] | None) -> None:
    """Raise an error where interval and quadrant are none, or do not go together."""
    if interval is not None and interval not in _INTERVALS:
        raise UnknownNameError("interval", interval, _INTERVALS, hint=f"There are {' and '.join(_INTERVALS)}.")
    if (quadrant is not None) != (interval == "two_dimensional"):
        raise PolicyError(
            "quadrant= belongs to interval='two_dimensional': give both, such as ('below', 'above'), or neither"
        )
    if quadrant is not None and (len(quadrant) != 2 or not set(quadrant) <= {"below", "above"}):
        raise PolicyError(f"quadrant={quadrant!r}: say 'below' or 'above' the mean, for cost and for points")


def _year_weights(columns: Columns, years: Mapping[int, float] | None, used: Any) -> Floats:
    """Return the weight of each case's year."""
    if years is None:
        return np.ones(columns.rows)
    codes, weights = year_codes(columns, years, used)
    return np.append(weights, 0.0)[codes]


def _in_interval(
    keys: Keys, used: Any, costs: Floats, points: Floats, quadrant: tuple[str, str] | None
) -> NDArray[np.bool_]:
    """Return which cases lie in the good interval, by the means of the cases used of each key."""
    codes = np.where(used, keys.codes, -1)
    mean_cost, _ = spread(codes, costs, keys.size)
    below = costs < np.append(mean_cost, np.nan)[codes]
    if quadrant is None:
        return below
    mean_points, _ = spread(codes, np.where(used, points, 0.0), keys.size)
    few = points < np.append(mean_points, np.nan)[codes]
    cost_side, points_side = quadrant
    return (below if cost_side == "below" else ~below) & (few if points_side == "below" else ~few)
