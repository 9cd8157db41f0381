"""Limits of control: of shares by number of cases, and of numbers in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from drgdip._columns import Floats

__all__ = ["range_limits", "share_limits"]

#: So many standard deviations on either side hold all that a quantile can depend on.
_REACH = 12.0


def share_limits(number: Floats, share: float, level: float) -> tuple[Floats, Floats]:
    """Return the binomial limits of a share by number of cases: between them lies ``level`` of what chance gives.

    Between whole numbers of cases the limits are interpolated (Spiegelhalter 2005, appendix), so that they are smooth.
    """
    tail = (1 - level) / 2
    counts = np.asarray(number, np.int64)
    most = int(counts.max(initial=0))
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])  # of the factorials
    low, high = np.zeros(len(counts)), np.zeros(len(counts))
    for row, count in enumerate(counts):
        low[row] = _quantile(int(count), share, tail, logs) / count
        high[row] = _quantile(int(count), share, 1 - tail, logs) / count
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def _quantile(count: int, share: float, level: float, logs: Floats) -> float:
    """Return the interpolated quantile of a binomial number."""
    if share <= 0 or share >= 1:
        return count * share
    mean, reach = count * share, _REACH * np.sqrt(count * share * (1 - share)) + _REACH
    events = np.arange(max(0, int(mean - reach)), min(count, int(mean + reach)) + 1)
    chances = np.exp(
        logs[count] - logs[events] - logs[count - events] + events * np.log(share) + (count - events) * np.log1p(-share)
    )
    sums = np.cumsum(chances)
    place = min(int(np.searchsorted(sums, level)), len(events) - 1)
    return float(events[place] - (sums[place] - level) / chances[place])


def range_limits(series: Floats) -> tuple[float, float, float]:
    """Return the mean of a series, and the lower and the upper limit of a chart of individual values.

    2.66 is 3 / 1.128: three standard deviations, of which 1.128 are the mean range of two numbers (Shewhart). A range
    over a missing number does not count. Without any number or range all three, or the limits, are NaN.
    """
    known = series[~np.isnan(series)]
    ranges = np.abs(np.diff(series))
    ranges = ranges[~np.isnan(ranges)]
    mean = float(known.mean()) if len(known) else float("nan")
    reach = 2.66 * float(ranges.mean()) if len(ranges) else float("nan")
    return mean, mean - reach, mean + reach
