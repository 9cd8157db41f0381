"""The slow twin of `drgdip.monitor.evaluate`: one value after the other, in decimals."""

import itertools
from decimal import ROUND_HALF_UP, Decimal

STEP = Decimal("0.000001")


def rounded(number):
    return number.quantize(STEP, ROUND_HALF_UP)


def score_of(curve, x):
    """The score of a measure, by the words of the curve."""
    if curve.kind == "linear":
        points = curve.points
        if x <= points[0][0]:
            return points[0][1]
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            if x <= x1:
                climbed = rounded((x - x0) * abs(y1 - y0) / (x1 - x0))
                return y0 + climbed if y1 >= y0 else y0 - climbed
        return points[-1][1]
    if curve.kind == "steps":
        score = curve.otherwise
        for step in curve.steps:
            if x >= step.at_least:
                score = step.score
        return score
    return next((band.score for band in curve.bands if band.at_least <= x < band.below), curve.otherwise)


def measure_of(rules, row):
    """The number that the curve reads, or the reason for none."""
    value = row[rules.id]
    if value is None:
        return None, "missing_value"
    value = rounded(Decimal(repr(value)))
    if rules.measure == "value":
        return value, None
    target = rules.target if rules.target is not None else row[rules.target_column]
    if target is not None:
        target = rounded(Decimal(str(target)))
    if target is None or (rules.measure == "ratio" and target <= 0):
        return None, "missing_target"
    return (rounded(value / target) if rules.measure == "ratio" else value - target), None


def joined(parts, missing):
    """The weighted sum of scores, None where it is open."""
    known = [(score, weight) for score, weight in parts if score is not None]
    if not known or (missing == "open" and len(known) < len(parts)):
        return None
    whole = sum(weight for _, weight in known) if missing == "reweight" else Decimal(1)
    return rounded(sum(score * weight for score, weight in known) / whole)


def evaluate_slowly(rows, scheme):
    """Scores by hospital, and the measure, score and reason by hospital and indicator."""
    scores, steps = {}, {}
    for row in rows:
        by_dimension = {}
        for rules in scheme.indicators:
            x, reason = measure_of(rules, row)
            score = None if reason else score_of(rules.curve, x)
            steps[row["hospital"], rules.id] = (x, score, reason)
            by_dimension.setdefault(rules.dimension, []).append((score, rules.weight))
        sums = {one.id: joined(by_dimension[one.id], scheme.missing) for one in scheme.dimensions}
        total = joined([(sums[one.id], one.weight) for one in scheme.dimensions], scheme.missing)
        scores[row["hospital"]] = sums | {"total": total}
    return scores, steps
