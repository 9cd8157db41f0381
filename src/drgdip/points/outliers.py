"""Outliers (偏差病例): which cases are too cheap or too dear under a declared policy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._columns import Columns, Reasons, add_columns, labels, nullable
from drgdip._sums import blocks
from drgdip.errors import PolicyError
from drgdip.points.outlier_policies import (
    PAYMENTS,
    ByLevel,
    ByPercentile,
    ByWeight,
    OutlierPolicy,
    load_outlier_policy,
)
from drgdip.points.selection import percentiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip._columns import Codes, Floats
    from drgdip.points.outlier_policies import Edge

__all__ = ["Classifier", "classify_outliers", "columns_of", "cost_faults", "reference_costs"]


class Classifier:
    """Cost ratios and bands of cases, a block of rows at a time."""

    def __init__(
        self,
        policy: OutlierPolicy,
        columns: Columns,
        *,
        costs: Floats,
        reference: Floats,
        coefficient: Floats | float = 1.0,
        weight: Floats | None = None,
    ) -> None:
        self.policy, self.costs, self.reference = policy, costs, reference
        self.coefficient, self.weight = coefficient, weight
        self.edges = [self._edge(band.until, columns) for band in policy.bands[:-1]]

    def _edge(self, edge: Edge | None, columns: Columns) -> tuple[Codes | None, Floats]:
        """Return codes of the rows and the edge of each code. None: one edge for all, or by the weight for tiers."""
        if isinstance(edge, ByLevel):
            codes, values = columns.codes("level")
            other = math.nan if edge.other is None else edge.other
            found = [edge.values.get(value, other) for value in values.to_pylist()]
            return codes, np.array([*found, math.nan])
        if isinstance(edge, ByPercentile):
            keys = columns.keys(edge.within)
            ratio = np.concatenate([self.ratio(part) for part in blocks(columns.rows)] or [np.zeros(0)])
            codes = np.where(np.isfinite(ratio), keys.codes, -1)
            return keys.codes, np.append(percentiles(codes, ratio, keys.size, [edge.percentile])[0], math.nan)
        if isinstance(edge, ByWeight):
            return None, np.array([limit for _, limit in edge.tiers] + [math.nan])
        return None, np.array([edge], float)

    def ratio(self, part: slice) -> Floats:
        """Return cost ratios, NaN or infinite without a denominator above 0."""
        below = self.reference[part]
        if self.policy.times_coefficient:
            own = self.coefficient
            below = below * (own if isinstance(own, float) else own[part])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.costs[part] >= 0, self.costs[part] / below, np.nan)

    def edge(self, number: int, part: slice) -> Floats:
        """Return the upper edge of a band for each row."""
        codes, found = self.edges[number]
        if codes is not None:
            return found[codes[part]]
        edge = self.policy.bands[number].until
        if isinstance(edge, ByWeight):
            assert self.weight is not None
            weight = self.weight[part]
            tier = np.searchsorted([limit for limit, _ in edge.tiers], weight, side="left")
            return np.where(np.isnan(weight), np.nan, found[tier])
        return found

    def bands(self, part: slice, ratio: Floats) -> Codes:
        """Return the band of each row, -1 where the ratio or an edge is not known."""
        band = np.zeros(len(ratio), np.int8)
        known = np.isfinite(ratio)
        for number, declared in enumerate(self.policy.bands[:-1]):
            edge = self.edge(number, part)
            known &= ~np.isnan(edge)
            band[(ratio > edge) if declared.closed else (ratio >= edge)] = number + 1
        return np.where(known, band, np.int8(-1))


def reference_costs(columns: Columns, reference: Any, policy: OutlierPolicy) -> Floats:
    """Return the denominator of each case in yuan, from a column of the cases or from a table of means."""
    if isinstance(reference, str):
        return columns.numbers(reference)
    table = Columns(reference, ["mean"], what="the reference costs")
    wanted = {"group_mean": ["group"], "level_mean": ["group", "level"]}.get(policy.denominator)
    if wanted is None:
        raise PolicyError("the denominator is the payment standard of the case: give reference= the name of its column")
    keys = [name for name in ("group", "level") if name in table]
    if not set(wanted) <= set(keys):
        raise PolicyError(
            f"the denominator is {policy.denominator}: the reference costs need the columns {', '.join(wanted)} and "
            f"'mean', and have {', '.join(table.names)}"
        )
    return np.append(table.numbers("mean"), np.nan)[columns.match(wanted, table)]


@reads_once
def classify_outliers(
    cases: Any,
    policy: OutlierPolicy | str,
    *,
    reference: Any,
    coefficient: str | float = 1.0,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compare the cost of each case with a reference, and say in which band of the policy it falls.

    Parameters
    ----------
    cases
        Any table with a row a case: ``total_cost`` (yuan); ``level`` and ``weight`` where the edges or the denominator
        of the policy need them; ``group`` for a reference table.
    policy
        An `OutlierPolicy`, or the name of a variant that leaves nothing open.
    reference
        The denominator in yuan: the name of a column of the cases, or a table with ``group`` and ``mean``. The table
        has ``level`` too where the policy divides by the mean of the level; `weights` with ``by=["group", "level"]``
        makes such a table.
    coefficient
        The column of the coefficient, or a number, where the policy multiplies the denominator by it.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    The caller's table with ``reference_cost`` (yuan, before any coefficient); ``cost_ratio``; ``outlier`` (the band,
    null where it is not known); ``outlier_payment`` (one of `PAYMENTS`); and ``outlier_reason`` (the code of why the
    band is not known).

    Raises
    ------
    UnknownNameError
        A column or a policy that does not exist.
    PolicyError
        Reference costs that stand twice for one key, or lack one.

    Examples
    --------
    >>> cases = [{"group": "A", "level": 3, "total_cost": cost} for cost in (4999.99, 5000, 20000, 20000.01)]
    >>> means = [{"group": "A", "level": 3, "mean": 10000}]
    >>> [case["outlier"] for case in classify_outliers(cases, "dip-1.0", reference=means)]
    ['low', 'normal', 'normal', 'high']
    """
    policy = load_outlier_policy(policy) if isinstance(policy, str) else policy
    own = coefficient if isinstance(coefficient, str) and policy.times_coefficient else None
    needed = ["total_cost", *columns_of(policy, reference), "weight" if "weight" in policy.needs else None, own]
    table = Columns(cases, needed, columns=columns or {}, optional=("group", "level", "weight"))
    costs = table.numbers("total_cost")
    base = reference_costs(table, reference, policy)
    classifier = Classifier(
        policy,
        table,
        costs=costs,
        reference=base,
        coefficient=table.numbers(own) if own else 1.0 if isinstance(coefficient, str) else float(coefficient),
        weight=table.numbers("weight") if "weight" in policy.needs else None,
    )
    ratio, band = np.empty(table.rows), np.empty(table.rows, np.int8)
    reasons = Reasons(table.rows)
    for part in blocks(table.rows):
        ratio[part] = classifier.ratio(part)
        band[part] = classifier.bands(part, ratio[part])
        unknown = band[part] < 0
        for wrong, code in cost_faults(costs[part]):
            reasons.note(unknown & wrong, code, part)
        reasons.note(unknown & ~(base[part] > 0), "no_reference_cost", part)
        reasons.note(unknown, "no_edge", part)
    ratio[~np.isfinite(ratio)] = np.nan
    names = [band.name for band in policy.bands]
    payments = np.array([*(PAYMENTS.index(band.payment) for band in policy.bands), -1], np.int8)
    return add_columns(
        cases,
        {
            "reference_cost": nullable(base),
            "cost_ratio": nullable(ratio),
            "outlier": labels(band, names),
            "outlier_payment": labels(payments[band], PAYMENTS),
            "outlier_reason": reasons.column(),
        },
    )


def columns_of(policy: OutlierPolicy, reference: Any) -> list[str]:
    """Return the columns of the cases that a policy's edges and its denominator need, beside cost and weight."""
    if isinstance(reference, str):
        return [*policy.columns, reference, *(["level"] if "level" in policy.needs else [])]
    level = "level" in policy.needs or (reference is not None and policy.denominator == "level_mean")
    return [*policy.columns, "group", *(["level"] if level else [])]


def cost_faults(costs: Floats, ratio: Floats | None = None) -> list[tuple[Any, str]]:
    """Return what may be wrong with a cost, and with its ratio if one is given: the rows, and the reason."""
    faults = [(~np.isfinite(costs), "missing_cost"), (costs < 0, "negative_cost")]
    return faults if ratio is None else [*faults, (~np.isfinite(ratio), "no_reference_cost")]
