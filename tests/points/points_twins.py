"""Slow and obvious twins of the calculations, in pandas, a group and a case at a time."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd


def quantile(values, percentile):
    """A percentile, between two values in proportion, with its place as an exact fraction."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * Fraction(str(percentile)) / 100
    below = math.floor(place)
    share = float(place - below)
    return ordered[below] if share == 0 else ordered[below] + (ordered[below + 1] - ordered[below]) * share


def limits(costs, trim):
    """Lower and upper limit of one set of costs."""
    if trim is None or len(costs) < trim.min_cases:
        return -math.inf, math.inf
    values = np.log(costs) if trim.log and trim.method != "bounds" else costs
    low, high = -math.inf, math.inf
    if trim.method == "bounds":
        low, high = trim.lower, trim.upper
        return (-math.inf if low is None else low), (math.inf if high is None else high)
    if trim.method == "iqr":
        first, last = quantile(values, 25), quantile(values, 75)
        low = -math.inf if trim.lower is None else first - trim.lower * (last - first)
        high = math.inf if trim.upper is None else last + trim.upper * (last - first)
    elif trim.method == "percentile":
        low = -math.inf if trim.lower is None else quantile(values, trim.lower)
        high = math.inf if trim.upper is None else quantile(values, trim.upper)
    elif len(values) > 1:
        low = -math.inf if trim.lower is None else values.mean() - trim.lower * values.std()
        high = math.inf if trim.upper is None else values.mean() + trim.upper * values.std()
    if trim.log:
        low, high = math.exp(low), math.exp(high)
    return low, high


def trimmed(frame, trim, key="group"):
    """The rows that trimming keeps, and whether a cost is so near to a limit that rounding may decide."""
    kept = []
    near = False
    for _, rows in frame.groupby(key):
        low, high = limits(rows["total_cost"], trim)
        for limit in (low, high):
            if math.isfinite(limit):
                away = (rows["total_cost"] - limit).abs()
                near |= bool(((away > 0) & (away <= 1e-9 * abs(limit))).any())
        kept.append(rows[(rows["total_cost"] >= low) & (rows["total_cost"] <= high)])
    return pd.concat(kept), near


def mean_of(costs, mean):
    return math.exp(np.log(costs).mean()) if mean == "geometric" else costs.mean()


def year_mean(rows, years, mean):
    """The mean of the yearly means over the years that occur."""
    if years is None:
        return mean_of(rows["total_cost"], mean)
    top = bottom = 0.0
    for year, weight in years.items():
        costs = rows.loc[rows["year"] == year, "total_cost"]
        if len(costs):
            top += weight * mean_of(costs, mean)
            bottom += weight
    return top / bottom


def weights(frame, *, scale=1, mean="arithmetic", years=None, trim=None, base="balanced"):
    """Weight of each group; also whether a cost lies so near to a limit that rounding may decide."""
    used, near = trimmed(frame, trim)
    means = {group: year_mean(rows, years, mean) for group, rows in used.groupby("group")}
    n = used.groupby("group").size().to_dict()
    if base == "balanced":
        divisor = sum(n[group] * means[group] for group in means) / sum(n.values())
    elif base == "overall":
        divisor = year_mean(used, years, mean)
    else:
        divisor, scale = base, 1
    return {group: means[group] / divisor * scale for group in means}, n, near


def band(ratio, policy, weight=None, level=None):
    """The name of the band that a ratio falls in."""
    for declared in policy.bands:
        edge = declared.until
        if edge is None:
            return declared.name
        if hasattr(edge, "tiers"):
            edge = next(value for limit, value in edge.tiers if weight <= limit)
        elif hasattr(edge, "other"):
            edge = edge.values.get(level, edge.other)  # noqa: PD011 - no frame
        if ratio < edge or (declared.closed and ratio == edge):
            return declared.name
    raise AssertionError("the last band has no edge")


def factor(name, policy, values):
    """What a case of a band is worth, by Python's own reading of the formula."""
    formula = next(declared.formula for declared in policy.bands if declared.name == name)
    return eval(formula, {"__builtins__": {}, "min": min, "max": max}, values)
