"""Policies of outliers (偏差病例) as data: bands of the cost ratio, edges and formulas, and published variants."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._listing import Listing
from drgdip._once import once
from drgdip._presets import Presets
from drgdip.data import toml_of
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.points.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DENOMINATORS",
    "PAYMENTS",
    "Band",
    "ByLevel",
    "ByPercentile",
    "ByWeight",
    "OutlierPolicy",
    "list_outlier_policies",
    "load_outlier_policy",
]

#: The divisors of the cost of a case that give its cost ratio (费用倍率).
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
    """Raise PolicyError where an edge is no ratio above 0."""
    for edge in edges:
        if not (math.isfinite(edge) and edge > 0):
            raise PolicyError(f"edge {edge!r}: an edge is a cost ratio above 0")


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the cost ratio whose cases are treated alike.

    Parameters
    ----------
    name
        The name of its cases, such as low, normal or high.
    until
        Its upper edge, a cost ratio: a number, `ByLevel`, `ByWeight` or `ByPercentile`; None for the last band.
    closed
        Whether a ratio at that edge belongs to this band (True) or to the next one (False).
    formula
        The factor on the weight, over the names ratio, coefficient, auxiliary and weight. None where the rule does not
        say.
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
        The divisor of the cost, one of `DENOMINATORS`: the mean of the group, the mean of the group at hospitals of the
        same level, or the payment standard. `classify_outliers` is given the yuan of it.
    bands
        The stretches of the cost ratio from 0 up, the last without an edge.
    times_coefficient
        Whether the denominator is multiplied by the coefficient of the case.
    blank
        The factor on the weight of a blank group (空白病组). None where the rule does not say.
    without_reference
        The factor of a case without a denominator, or with one of 0. None leaves such a case unpriced.
    zero_weight
        ``"item"``: a group whose weight is 0 is paid by item; None leaves it at 0.
    name, title, grade, source, note
        The policy's name, title, grade of evidence, source and remarks.

    Examples
    --------
    >>> bands = (Band("low", 0.4, True, "ratio"), Band("normal", 3, True, "1"), Band("high", formula="1"))
    >>> policy = OutlierPolicy("standard", bands)
    >>> [(band.name, band.until) for band in policy.bands]
    [('low', 0.4), ('normal', 3), ('high', None)]
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


class Variant(NamedTuple):
    """A variant of outlier rules that comes with the library, as `list_outlier_policies` shows it."""

    name: str
    title: str
    grade: str
    needs: tuple[str, ...]
    source: str
    note: str


@once
def _presets() -> Presets:
    """Return the variants by name."""
    values = {preset["name"]: preset for preset in toml_of(_PRESETS)["policy"]}
    return Presets("outlier policy", "list_outlier_policies", values)


def list_outlier_policies() -> Listing[Variant]:
    """List the variants of outlier rules that come with the library.

    Returns
    -------
    A row a variant: ``name``, ``title``, ``grade``, ``needs`` (names of what the sources leave open, which
    `load_outlier_policy` must be given), ``source`` and ``note``. Grades of evidence are A (read in full), B (in part),
    C (reproduced by a third party) and D (one implementer's reading). It prints as a table, and ``to_arrow()`` makes
    one of it.

    Examples
    --------
    >>> list_outlier_policies()["name"][:2]
    ['dip-1.0', 'dip-3.0-draft']
    """
    rows = [
        Variant(
            name,
            preset["title"],
            preset["grade"],
            tuple(preset.get("needs", {})),
            preset["source"],
            preset.get("note", ""),
        )
        for name, preset in _presets().values.items()
    ]
    return Listing(rows, Variant._fields)


def load_outlier_policy(name: str, **given: Any) -> OutlierPolicy:
    """Load a published variant of outlier rules by its name.

    Parameters
    ----------
    name
        One of `list_outlier_policies`.
    given
        The numbers and rules that the sources of this variant leave open, and nothing else.

    Returns
    -------
    The policy, with its citation.

    Raises
    ------
    UnknownNameError
        There is no such variant, or it leaves no such thing open.
    PolicyError
        A number or rule that the variant leaves open is not given.

    Examples
    --------
    >>> policy = load_outlier_policy("dip-1.0")
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
