"""Exact limits of shares: tails of the binomial distribution, and what is found in them by halving."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip.errors import PolicyError

if TYPE_CHECKING:
    from drgdip._columns import Floats

__all__ = ["check_confidence", "likely_counts", "share_limits", "tail_below"]

# Steps of halving: after them, floats between 0 and 1 have no room left.
_HALVINGS = 64
_TERMS = 20_000
_CLOSE = 1e-15
_TINY = 1e-300


def check_confidence(confidence: float) -> float:
    """Return the part that lies outside on each side. Raise PolicyError where there is no such confidence."""
    if isinstance(confidence, bool) or not (0 < confidence < 1):
        raise PolicyError(f"confidence={confidence!r}: give a number between 0 and 1, such as 0.95")
    return (1 - confidence) / 2


def share_limits(hits: Any, cases: Any, confidence: float) -> tuple[Floats, Floats]:
    """Return the exact limits of shares (Clopper and Pearson), NaN without a case.

    Parameters
    ----------
    hits, cases
        Whole numbers, hits at most cases.
    confidence
        Between 0 and 1.

    Returns
    -------
    The lower limits: the shares under which so many hits or more have the probability (1 - confidence) / 2; and the
    upper limits, of so many hits or fewer.
    """
    outside = check_confidence(confidence)
    hits, cases = np.asarray(hits, np.float64), np.asarray(cases, np.float64)
    lower = _halve(lambda share: 1 - tail_below(hits - 1, cases, share) < outside, hits)
    upper = _halve(lambda share: tail_below(hits, cases, share) > outside, hits)
    lower = np.where(hits == 0, 0.0, lower)
    upper = np.where(hits == cases, 1.0, upper)
    return np.where(cases > 0, lower, np.nan), np.where(cases > 0, upper, np.nan)


def likely_counts(share: Any, cases: Any, confidence: float) -> tuple[Floats, Floats]:
    """Return the fewest and the most hits that are likely: the quantiles of the binomial distribution."""
    outside = check_confidence(confidence)
    return _quantile(share, cases, outside), _quantile(share, cases, 1 - outside)


def tail_below(hits: Any, cases: Any, share: Any) -> Floats:
    """Return the probability of so many hits or fewer among some cases: P(X <= hits)."""
    hits, cases, share = (np.asarray(value, np.float64) for value in np.broadcast_arrays(hits, cases, share))
    inside = (hits >= 0) & (hits < cases)
    found = np.where(hits < 0, 0.0, 1.0)
    found[inside] = _beta(cases[inside] - hits[inside], hits[inside] + 1, 1 - share[inside], share[inside])
    return found


def _halve(goes_up: Any, like: Floats) -> Floats:
    """Return for each row the share at which a condition that holds for smaller ones no longer does."""
    low, high = np.zeros(len(like)), np.ones(len(like))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        up = goes_up(middle)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return (low + high) / 2


def _quantile(share: Any, cases: Any, probability: float) -> Floats:
    """Return the fewest hits of which P(X <= hits) is at least the probability."""
    share, cases = (np.asarray(value, np.float64) for value in np.broadcast_arrays(share, cases))
    low: Floats = np.full(len(cases), -1.0)
    high: Floats = cases.copy()
    while (high - low > 1).any():
        middle = np.where(high - low > 1, np.floor((low + high) / 2), high)
        enough = tail_below(middle, cases, share) >= probability
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _beta(first: Floats, second: Floats, share: Floats, rest: Floats) -> Floats:
    """Return the regularised incomplete beta function of shares, with their rests to 1, by its continued fraction."""
    turned = share > (first + 1) / (first + second + 2)
    a, b = np.where(turned, second, first), np.where(turned, first, second)
    x, y = np.where(turned, rest, share), np.where(turned, share, rest)
    with np.errstate(divide="ignore"):
        front = _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b) + a * np.log(x) + b * np.log(y) - np.log(a)
        value = np.where(x > 0, np.exp(front) * _fraction(a, b, x), 0.0)
    found: Floats = np.clip(np.where(turned, 1 - value, value), 0.0, 1.0)
    return found


def _log_gamma(values: Floats) -> Floats:
    return np.array([math.lgamma(value) for value in values.tolist()], np.float64)


def _fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    """Return the continued fraction of the incomplete beta function (Lentz's method)."""
    found = np.empty_like(x)
    left = np.arange(len(x))
    c, d = np.ones_like(x), _inverse(1 - (a + b) * x / (a + 1))
    value = d.copy()
    for term in range(1, _TERMS):
        even = term * (b - term) * x / ((a + 2 * term - 1) * (a + 2 * term))
        odd = -(a + term) * (a + b + term) * x / ((a + 2 * term) * (a + 2 * term + 1))
        for factor in (even, odd):
            d, c = _inverse(1 + factor * d), 1 + factor * _inverse(c)
            step = c * d
            value = value * step
        done = np.abs(step - 1) < _CLOSE
        if done.any():
            found[left[done]] = value[done]
            left = left[~done]
            a, b, x, c, d, value = (part[~done] for part in (a, b, x, c, d, value))
        if not len(left):
            break
    found[left] = value
    return found


def _inverse(value: Floats) -> Floats:
    return 1 / np.where(np.abs(value) < _TINY, _TINY, value)
