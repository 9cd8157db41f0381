"""Outliers (偏差病例): a declared policy says which cases are too cheap or too dear, and what they are worth."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._columns import Columns, add_columns, labels, nullable
from drgdip._once import once
from drgdip._presets import Presets
from drgdip._sums import blocks
from drgdip.data import toml_of
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.points.expressions import Expression
from drgdip.points.trimming import percentiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Codes, Floats

__all__ = [
    "DENOMINATORS",
    "PAYMENTS",
    "Band",
    "ByLevel",
    "ByPercentile",
    "ByWeight",
    "OutlierPolicy",
    "classify_outliers",
    "list_outlier_policies",
    "outlier_policy",
]

#: What the cost of a case is divided by to get its cost ratio (费用倍率).
DENOMINATORS = ("group_mean", "level_mean", "standard")
#: How the cases of a band are paid: by points, by item (按项目, their cost), or after special review (特例单议).
PAYMENTS = ("points", "item", "review")
#: The names that a formula may use: the cost ratio, the coefficient (κ), the auxiliary coefficient (α), the weight.
FORMULA_NAMES = ("ratio", "coefficient", "auxiliary", "weight")

_PRESETS = "points/outliers.toml"


@dataclass(frozen=True, slots=True)
class ByLevel:
    """An edge for each hospital level; ``other`` for levels that are not named, None where there is none."""

    values: Mapping[str, float]
    other: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {str(level): float(value) for level, value in self.values.items()})
        _positive([*self.values.values(), *([] if self.other is None else [self.other])])


@dataclass(frozen=True, slots=True)
class ByWeight:
    """An edge for each tier of weight: pairs (highest weight of the tier, edge), the last with ``math.inf``."""

    tiers: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", tuple((float(limit), float(edge)) for limit, edge in self.tiers))
        limits = [limit for limit, _ in self.tiers]
        if not limits or limits != sorted(set(limits)) or limits[-1] != math.inf:
            raise PolicyError(f"tiers of weight up to {limits}: give rising limits, the last of them infinite")
        _positive([edge for _, edge in self.tiers])


@dataclass(frozen=True, slots=True)
class ByPercentile:
    """An edge at a percentile of the cost ratio, within sets of cases that share the columns ``within``."""

    percentile: float
    within: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "within", (self.within,) if isinstance(self.within, str) else tuple(self.within))
        if not 0 <= self.percentile <= 100:
            raise PolicyError(f"percentile={self.percentile!r}: a percentile lies between 0 and 100")


Edge = float | ByLevel | ByWeight | ByPercentile


def _positive(edges: Sequence[float]) -> None:
    for edge in edges:
        if not (math.isfinite(edge) and edge > 0):
            raise PolicyError(f"edge {edge!r}: an edge is a cost ratio above 0")


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the cost ratio whose cases are treated alike.

    Parameters
    ----------
    name
        What its cases are called, such as low, normal or high.
    until
        Its upper edge, a cost ratio: a number, `ByLevel`, `ByWeight` or `ByPercentile`; None for the last band.
    closed
        Whether a ratio at that edge belongs to this band (True) or to the next one (False).
    formula
        What the weight is multiplied by, over the names ratio, coefficient, auxiliary and weight; None where
        the rule does not say.
    payment
        One of `PAYMENTS`.
    """

    name: str
    until: Edge | None = None
    closed: bool = False
    formula: str | None = None
    payment: str = "points"

    def __post_init__(self) -> None:
        if self.payment not in PAYMENTS:
            raise UnknownNameError("way of payment", self.payment, PAYMENTS, hint=f"There are {', '.join(PAYMENTS)}.")
        if isinstance(self.until, int | float):
            _positive([self.until])
        if self.formula is not None:
            Expression(self.formula, FORMULA_NAMES)


@dataclass(frozen=True, slots=True)
class OutlierPolicy:
    """Which cases are outliers, and what they are worth.

    Parameters
    ----------
    denominator
        What the cost is divided by, one of `DENOMINATORS`: the mean of the group, the mean of the group at
        hospitals of the same level, or the payment standard. Whoever classifies gives the yuan of it.
    bands
        The stretches of the cost ratio from 0 up, the last without an edge.
    times_coefficient
        Whether the denominator is multiplied by the coefficient of the case.
    blank
        What the weight of a blank group (空白病组) is multiplied by; None where the rule does not say.
    without_reference
        The factor of a case without a denominator, or with one of 0; None leaves such a case unpriced.
    zero_weight
        ``"item"``: a group whose weight is 0 is paid by item; None leaves it at 0.
    name, title, grade, source, note
        What the policy is, and where it comes from.

    Examples
    --------
    >>> bands = (Band("low", 0.4, True, "ratio"), Band("normal", 3, True, "1"), Band("high", formula="1"))
    >>> policy = OutlierPolicy("standard", bands)
    >>> cases = [{"total_cost": cost, "standard": 100} for cost in (40, 41, 301)]
    >>> [case["outlier"] for case in classify_outliers(cases, policy, reference="standard")]
    ['low', 'normal', 'high']
    """

    denominator: str
    bands: tuple[Band, ...]
    times_coefficient: bool = False
    blank: str | None = None
    without_reference: float | None = None
    zero_weight: str | None = None
    name: str = ""
    title: str = ""
    grade: str = ""
    source: str = ""
    note: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.denominator not in DENOMINATORS:
            hint = f"There are {', '.join(DENOMINATORS)}."
            raise UnknownNameError("denominator", self.denominator, DENOMINATORS, hint=hint)
        object.__setattr__(self, "bands", tuple(self.bands))
        if not self.bands or self.bands[-1].until is not None or any(band.until is None for band in self.bands[:-1]):
            raise PolicyError("the bands of an outlier policy: every one but the last needs an edge, the last has none")
        names = [band.name for band in self.bands]
        if len(set(names)) < len(names):
            raise PolicyError(f"the bands {', '.join(names)}: two have one name")
        edges = [band.until for band in self.bands if isinstance(band.until, int | float)]
        if any(low >= high for low, high in itertools.pairwise(edges)):
            raise PolicyError(f"the edges {', '.join(map(str, edges))} of the bands do not rise")
        if self.blank is not None:
            Expression(self.blank, FORMULA_NAMES)
        if self.zero_weight not in {None, "item"}:
            raise UnknownNameError("zero_weight", str(self.zero_weight), ["item"])

    @property
    def columns(self) -> list[str]:
        """The columns, beside level and weight, that the edges need."""
        edges = (band.until for band in self.bands)
        return [name for edge in edges if isinstance(edge, ByPercentile) for name in edge.within]

    @property
    def needs(self) -> set[str]:
        """Which of level and weight the edges need."""
        kinds = {type(band.until) for band in self.bands}
        return {name for name, kind in (("level", ByLevel), ("weight", ByWeight)) if kind in kinds}


@once
def _presets() -> Presets:
    values = {preset["name"]: preset for preset in toml_of(_PRESETS)["policy"]}
    return Presets("outlier policy", "list_outlier_policies", values)


def list_outlier_policies() -> pa.Table:
    """List the variants of outlier rules that come with the library.

    Returns
    -------
    A table with a row a variant: ``name``, ``title``, ``grade`` (evidence: A read in full, B in part, C
    reproduced by a third party, D one implementer's reading), ``needs`` (numbers and rules that the sources
    leave open, which `outlier_policy` must be given), ``source`` and ``note``.

    Examples
    --------
    >>> list_outlier_policies()["name"].to_pylist()[:2]
    ['dip-1.0', 'dip-3.0-draft']
    """
    rows = [
        {
            "name": name,
            "title": preset["title"],
            "grade": preset["grade"],
            "needs": ", ".join(preset.get("needs", {})),
            "source": preset["source"],
            "note": preset.get("note", ""),
        }
        for name, preset in _presets().values.items()
    ]
    return pa.Table.from_pylist(rows)


def outlier_policy(name: str, **given: Any) -> OutlierPolicy:
    """Give a published variant of outlier rules by its name.

    Parameters
    ----------
    name
        One of `list_outlier_policies`.
    given
        What the sources of this variant leave open, and nothing else.

    Returns
    -------
    The policy, with its citation.

    Raises
    ------
    UnknownNameError
        There is no such variant, or it leaves no such thing open.
    PolicyError
        Something that the variant leaves open is not given.

    Examples
    --------
    >>> policy = outlier_policy("dip-1.0")
    >>> [(band.name, band.until, band.formula) for band in policy.bands[:2]]
    [('low', 0.5, 'ratio * coefficient * auxiliary'), ('normal', 2.0, 'coefficient * auxiliary')]
    """
    values = _presets().fill(name, given)
    bands = tuple(_band(band) for band in values.pop("bands"))
    return OutlierPolicy(bands=bands, **values)


def _band(values: dict[str, Any]) -> Band:
    """Return a band of the file; an edge that is a table there is a percentile."""
    until = values.get("until")
    return Band(**values | ({"until": ByPercentile(**until)} if isinstance(until, dict) else {}))


class Classifier:
    """Cost ratios and bands of cases, a block of rows at a time."""

    def __init__(
        self,
        policy: OutlierPolicy,
        columns: Columns,
        *,
        costs: Floats,
        reference: Floats,
        level: str,
        coefficient: Floats | float = 1.0,
        weight: Floats | None = None,
    ) -> None:
        self.policy, self.costs, self.reference = policy, costs, reference
        self.coefficient, self.weight = coefficient, weight
        self.edges = [self._edge(band.until, columns, level) for band in policy.bands[:-1]]

    def _edge(self, edge: Edge | None, columns: Columns, level: str) -> tuple[Codes | None, Floats]:
        """Codes of the rows (None: one edge for all; for tiers the weight decides) and the edge of each code."""
        if isinstance(edge, ByLevel):
            codes, values = columns.codes(level)
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
        """Cost ratios; NaN or infinite without a denominator above 0."""
        below = self.reference[part]
        if self.policy.times_coefficient:
            own = self.coefficient
            below = below * (own if isinstance(own, float) else own[part])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.costs[part] >= 0, self.costs[part] / below, np.nan)

    def edge(self, number: int, part: slice) -> Floats:
        """The upper edge of a band for each row."""
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
        """The band of each row, -1 where the ratio or an edge is not known."""
        band = np.zeros(len(ratio), np.int8)
        known = np.isfinite(ratio)
        for number, declared in enumerate(self.policy.bands[:-1]):
            edge = self.edge(number, part)
            known &= ~np.isnan(edge)
            band[(ratio > edge) if declared.closed else (ratio >= edge)] = number + 1
        return np.where(known, band, np.int8(-1))


def reference_costs(columns: Columns, reference: Any, policy: OutlierPolicy, group: str, level: str) -> Floats:
    """The denominator of each case in yuan, from a column of the cases or from a table of means."""
    if isinstance(reference, str):
        return columns.numbers(reference)
    table = Columns(reference, ["mean"], what="the reference costs")
    keys = [name for name in (group, level) if name in table and (name != level or policy.denominator == "level_mean")]
    wanted = {"group_mean": [group], "level_mean": [group, level]}.get(policy.denominator)
    if wanted is None:
        raise PolicyError("the denominator is the payment standard of the case: give reference= the name of its column")
    if keys != wanted:
        raise PolicyError(
            f"the denominator is {policy.denominator}: the reference costs need the columns {', '.join(wanted)} and "
            f"'mean', and have {', '.join(table.names)}"
        )
    return np.append(table.numbers("mean"), np.nan)[columns.match(keys, table)]


def classify_outliers(
    cases: Any,
    policy: OutlierPolicy | str,
    *,
    reference: Any,
    cost: str = "total_cost",
    group: str = "group",
    level: str = "level",
    weight: str = "weight",
    coefficient: str | float = 1.0,
) -> Any:
    """Say of each case how its cost compares, and in which band of the policy it falls.

    Parameters
    ----------
    cases
        Any table with a row a case.
    policy
        An `OutlierPolicy`, or the name of a variant that leaves nothing open.
    reference
        The denominator in yuan: the name of a column of the cases, or a table with the column ``mean`` and the
        group, and with the level where the policy divides by the mean of the level (`weights` with ``by=[group,
        level]`` makes such a table).
    cost, group, level, weight
        The columns of the cases; level and weight are read only where the policy's edges or its denominator
        need them, the group only for a reference table.
    coefficient
        The column of the coefficient, or a number, where the policy multiplies the denominator by it.

    Returns
    -------
    The caller's table with ``reference_cost`` (yuan, before any coefficient), ``cost_ratio``, ``outlier`` (the
    band; null where it is not known), ``outlier_payment`` (one of `PAYMENTS`) and ``outlier_reason`` (why the
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
    policy = outlier_policy(policy) if isinstance(policy, str) else policy
    from_table = not isinstance(reference, str)
    needed = [cost, *policy.columns, None if from_table else reference]
    needed += [group] if from_table else []
    needed += [level] if "level" in policy.needs or (from_table and policy.denominator == "level_mean") else []
    needed += [weight] if "weight" in policy.needs else []
    own = coefficient if isinstance(coefficient, str) and policy.times_coefficient else None
    columns = Columns(cases, [*needed, own])
    costs = columns.numbers(cost)
    base = reference_costs(columns, reference, policy, group, level)
    classifier = Classifier(
        policy,
        columns,
        costs=costs,
        reference=base,
        level=level,
        coefficient=columns.numbers(own) if own else coefficient if isinstance(coefficient, float | int) else 1.0,
        weight=columns.numbers(weight) if "weight" in policy.needs else None,
    )
    ratio, band = np.empty(columns.rows), np.empty(columns.rows, np.int8)
    why = np.full(columns.rows, -1, np.int8)
    for part in blocks(columns.rows):
        ratio[part] = classifier.ratio(part)
        band[part] = classifier.bands(part, ratio[part])
        why[part][band[part] < 0] = 3
        why[part][~(base[part] > 0)] = 2
        why[part][costs[part] < 0] = 1
        why[part][~np.isfinite(costs[part])] = 0
    reasons = [
        "the cost is missing",
        "the cost is negative",
        "no reference cost above 0",
        "the policy has no edge for the case",
    ]
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
            "outlier_reason": labels(np.where(band < 0, why, np.int8(-1)), reasons),
        },
    )
