"""Scoring curves over columns: the score of each measure, exact, and the part of the curve that gives it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from drgdip._money import round_over
from drgdip.monitor.evaluation_rules import BandCurve, LinearCurve

if TYPE_CHECKING:
    from decimal import Decimal

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.monitor.evaluation_rules import Curve

__all__ = ["DIGITS", "ONE", "curve_texts", "score_measures"]

#: Values, scores and weights are whole multiples of ``10 ** -DIGITS``; a quotient is rounded to one (四舍五入).
DIGITS = 6
ONE = 10**DIGITS


def _millionths(number: Decimal) -> int:
    return int(number.scaleb(DIGITS))


def score_measures(curve: Curve, measured: Fen) -> tuple[Fen, NDArray[np.int64]]:
    """Return the score of each measure, and the part of the curve that gives it, as its place in `curve_texts`."""
    if isinstance(curve, LinearCurve):
        at = np.array([_millionths(x) for x, _ in curve.points], np.int64)
        scores = np.array([_millionths(y) for _, y in curve.points], np.int64)
        part = np.searchsorted(at, measured, side="right")  # 0 is before the first point, the last behind the last
        left, right = np.maximum(part - 1, 0), np.minimum(part, len(at) - 1)
        inside = left < right
        run = np.where(inside, at[right] - at[left], 1)
        rise = scores[right] - scores[left]
        climbed = round_over(np.where(inside, measured - at[left], 0), np.abs(rise), run)
        return scores[left] + np.sign(rise) * climbed, part
    if isinstance(curve, BandCurve):
        starts = np.array([_millionths(band.at_least) for band in curve.bands], np.int64)
        ends = np.array([_millionths(band.below) for band in curve.bands], np.int64)
        part = np.searchsorted(starts, measured, side="right")
        part = np.where((part > 0) & (measured < ends[np.maximum(part - 1, 0)]), part, 0)
        held = [curve.otherwise, *(band.score for band in curve.bands)]
    else:
        part = np.searchsorted([_millionths(step.at_least) for step in curve.steps], measured, side="right")
        held = [curve.otherwise, *(step.score for step in curve.steps)]
    return np.array([_millionths(score) for score in held], np.int64)[part], part


def curve_texts(curve: Curve) -> list[str]:
    """Return the parts of a curve as texts, from which a reader can redo a score."""
    if isinstance(curve, LinearCurve):
        points = [(f"{x:f}", f"{y:f}") for x, y in curve.points]
        (first, low), (last, high) = points[0], points[-1]
        between = [f"{x} → {y}, {then} → {score}" for (x, y), (then, score) in itertools.pairwise(points)]
        return [f"< {first} → {low}", *between, f"≥ {last} → {high}"]
    otherwise = f"otherwise → {curve.otherwise:f}"
    if isinstance(curve, BandCurve):
        return [otherwise, *(f"{band.at_least:f} ≤ x < {band.below:f} → {band.score:f}" for band in curve.bands)]
    return [otherwise, *(f"≥ {step.at_least:f} → {step.score:f}" for step in curve.steps)]
