"""Geometric medians: the point of a plane with the least weighted sum of distances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from drgdip._sums import total

if TYPE_CHECKING:
    from drgdip._columns import Codes, Floats

__all__ = ["geometric_median", "medians"]


def medians(codes: Codes, costs: Floats, points: Floats, weight: Floats, size: int) -> tuple[Floats, Floats]:
    """Return the weighted geometric median of cost and points of each code, each axis measured in its mean."""
    money, score = np.full(size, np.nan), np.full(size, np.nan)
    for code in range(size):
        rows = np.flatnonzero(codes == code)
        if not len(rows):
            continue
        # Sorted, so that the steps are the same for every order of the rows.
        rows = rows[np.lexsort((weight[rows], points[rows], costs[rows]))]
        plane = np.column_stack([costs[rows], points[rows]])
        unit = np.array([total(plane[:, axis]) / len(rows) for axis in (0, 1)])
        unit[unit == 0] = 1.0
        money[code], score[code] = geometric_median(plane / unit, weight[rows]) * unit
    return money, score


def geometric_median(plane: Floats, weight: Floats) -> Floats:
    """Return the point with the least weighted sum of distances.

    Each step is the better of Weiszfeld's and Newton's. Both crawl towards a median that is one of the points itself.
    So the nearest point is tried each time.
    """
    centre = np.array([total(plane[:, axis] * weight) for axis in (0, 1)]) / total(weight)
    for _ in range(1000):
        away, distance = _away(plane, centre)
        nearest = plane[np.argmin(distance)]
        if _is_median(plane, weight, nearest):
            return np.asarray(nearest, np.float64)
        steps = _steps(away, distance, weight)
        lengths = [_far(plane, weight, centre + step) for step in steps]
        shortest = min(lengths)
        step = steps[lengths.index(shortest)]
        if shortest >= _far(plane, weight, centre) or np.abs(step).max() <= 1e-13:
            break
        centre = centre + step
    return centre


def _steps(away: Floats, distance: Floats, weight: Floats) -> list[Floats]:
    """Return the steps to try from a place: Weiszfeld's, and Newton's in three lengths where it has one."""
    # A point that is not the median has no direction of its own.
    apart = distance > 1e-15
    pull, direction = weight[apart] / distance[apart], away[apart] / distance[apart, None]
    force = np.array([total(direction[:, axis] * weight[apart]) for axis in (0, 1)])
    steps = [force / total(pull)]
    bend = np.diag([total(pull)] * 2)
    for one in (0, 1):
        for other in (0, 1):
            bend[one, other] -= total(pull * direction[:, one] * direction[:, other])
    if abs(np.linalg.det(bend)) > 1e-12 * bend.trace() ** 2:
        newton = np.linalg.solve(bend, force)
        steps += [newton, newton / 2, newton / 8]
    return steps


def _away(plane: Floats, place: Floats) -> tuple[Floats, Floats]:
    """Return the way from a place to each point, and its length."""
    away = plane - place
    return away, np.hypot(away[:, 0], away[:, 1])


def _far(plane: Floats, weight: Floats, place: Floats) -> float:
    """Return the weighted sum of the distances from a place."""
    return total(_away(plane, place)[1] * weight)


def _is_median(plane: Floats, weight: Floats, point: Floats) -> bool:
    """Return whether the other points pull at a point no more than it weighs."""
    away, distance = _away(plane, point)
    apart = distance > 1e-15
    pull = weight[apart] / distance[apart]
    return math.hypot(*(total(away[apart, axis] * pull) for axis in (0, 1))) <= total(weight[~apart])
