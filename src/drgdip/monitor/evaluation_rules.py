"""Schemes of quality evaluation: dimensions, indicators, weights, targets and scoring curves, read strictly."""

from __future__ import annotations

import itertools
import tomllib
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from drgdip._exact import exactly
from drgdip.errors import PolicyError
from drgdip.settle._citations import fault_of, take_citations
from drgdip.settle.rules import Above, Citation, Number, Rules, no_float

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "BandCurve",
    "Curve",
    "Dimension",
    "EvaluationScheme",
    "LinearCurve",
    "ScoredIndicator",
    "StepCurve",
    "read_evaluation",
]

#: Names of columns of results that no dimension may have.
_TAKEN = frozenset({"total", "hospital", "pool"})

# In millionths these fit 64 bits, products of scores and weights included.
_Signed = Annotated[Decimal, BeforeValidator(no_float), Field(ge=-(10**12), le=10**12, decimal_places=6)]
_Score = Annotated[Number, Field(le=10**6, decimal_places=6)]
_Weight = Annotated[Decimal, BeforeValidator(no_float), Field(gt=0, le=1, decimal_places=6)]


class LinearCurve(Rules):
    """Scores on straight lines between points (measure, score); beyond the ends the score of the end holds."""

    kind: Literal["linear"]
    points: Annotated[tuple[tuple[_Signed, _Score], ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        _check_rising([at for at, _ in self.points], "points")
        return self

    @property
    def path(self) -> list[Decimal]:
        """The scores that a growing measure meets, in order."""
        return [score for _, score in self.points]


class ScoreStep(Rules):
    """Measures of at least so much, and their score."""

    at_least: _Signed
    score: _Score


class StepCurve(Rules):
    """The score of the last step that the measure reaches; ``otherwise`` below all steps."""

    kind: Literal["steps"]
    steps: Annotated[tuple[ScoreStep, ...], Field(min_length=1)]
    otherwise: _Score

    @model_validator(mode="after")
    def _rising(self) -> Self:
        _check_rising([step.at_least for step in self.steps], "steps")
        return self

    @property
    def path(self) -> list[Decimal]:
        """The scores that a growing measure meets, in order."""
        return [self.otherwise, *(step.score for step in self.steps)]


class ScoreBetween(Rules):
    """Measures of at least so much and below so much, and their score."""

    at_least: _Signed
    below: _Signed
    score: _Score


class BandCurve(Rules):
    """The score of the band that holds the measure; ``otherwise`` outside all bands."""

    kind: Literal["bands"]
    bands: Annotated[tuple[ScoreBetween, ...], Field(min_length=1)]
    otherwise: _Score

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for band in self.bands:
            if band.below <= band.at_least:
                raise ValueError(f"bands: at_least = {band.at_least} is not below {band.below}")
        for one, two in itertools.pairwise(self.bands):
            if two.at_least < one.below:
                raise ValueError(f"bands: the one from {two.at_least} begins before {one.below}, where another ends")
        return self

    @property
    def path(self) -> list[Decimal]:
        """The scores that a growing measure meets, in order."""
        scores = [self.otherwise]
        for place, band in enumerate(self.bands):
            if place and self.bands[place - 1].below < band.at_least:
                scores.append(self.otherwise)
            scores.append(band.score)
        return [*scores, self.otherwise]


Curve = Annotated[LinearCurve | StepCurve | BandCurve, Field(discriminator="kind")]


class Dimension(Rules):
    """A dimension: a name for its column, how it is called, and its weight in the total."""

    id: Annotated[str, Field(min_length=1)]
    name: str
    weight: _Weight


class ScoredIndicator(Rules):
    """An indicator: the column that holds it, its dimension and weight in it, and how its value becomes a score.

    ``measure`` is the number that the curve reads: the value, its ratio to the target, or its difference from it.
    The target is one number, or stands in a column.
    """

    id: Annotated[str, Field(min_length=1)]
    name: str
    dimension: str
    weight: _Weight
    direction: Literal["higher", "lower", "target"]
    curve: Curve
    measure: Literal["value", "ratio", "difference"] = "value"
    target: _Signed | None = None
    target_column: str | None = None
    unit: str = ""
    formula: str = ""
    source: str = ""
    grade: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*self._faults_of_target(), *self._faults_of_direction()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_target(self) -> Iterator[str]:
        given = [self.target is not None, self.target_column is not None]
        if self.measure == "value" and any(given):
            yield "a target is not read where measure is value: take it out, or say measure = ratio or difference"
        if self.measure != "value" and sum(given) != 1:
            yield f"measure = {self.measure} needs either target or target_column"
        if self.measure == "ratio" and self.target is not None and self.target <= 0:
            yield f"target is {self.target}: a ratio needs one above 0"

    def _faults_of_direction(self) -> Iterator[str]:
        scores = self.curve.path
        pairs = list(itertools.pairwise(scores))
        if all(one == two for one, two in pairs):
            yield "the curve gives every value one score"
        elif self.direction == "higher" and any(one > two for one, two in pairs):
            yield "the curve falls somewhere, though a higher value is better"
        elif self.direction == "lower" and any(one < two for one, two in pairs):
            yield "the curve rises somewhere, though a lower value is better"
        elif self.direction == "target":
            top = scores.index(max(scores))
            rises, falls = list(itertools.pairwise(scores[: top + 1])), list(itertools.pairwise(scores[top:]))
            if any(one > two for one, two in rises) or any(one < two for one, two in falls):
                yield "the curve has more than one top, though one value is best"
            elif scores[0] == max(scores) or scores[-1] == max(scores):
                yield "the curve has its top at an end: direction is higher or lower"


class _Head(Rules):
    """The fields of a scheme beside its dimensions and indicators."""

    id: str
    title: str
    place: str = ""
    source: str = ""
    note: str = ""
    example: bool = False
    full: Annotated[Above, Field(le=10**6)]
    missing: Literal["open", "reweight"]


class EvaluationScheme(_Head):
    """A scheme of quality evaluation, as checked data.

    Attributes
    ----------
    id, title, place, source, note
        Names of the scheme, and the document it comes from.
    example
        Whether its numbers are an example and no place's policy: reports say so.
    full
        The highest score of an indicator, a dimension and the total.
    missing
        ``open``: a missing value leaves its dimension and the total without a score. ``reweight``: the weights of the
        other indicators of the dimension are raised, and of the other dimensions where a dimension has none.
    dimensions
        Each with ``id``, ``name`` and ``weight``; the weights add up to 1.
    indicators
        Each with its column ``id``, ``name``, ``dimension``, ``weight`` (in a dimension they add up to 1),
        ``direction``, ``measure``, ``target`` and ``curve``.
    citations
        Where each number comes from, by dotted path.
    """

    dimensions: Annotated[tuple[Dimension, ...], Field(min_length=1)]
    indicators: Annotated[tuple[ScoredIndicator, ...], Field(min_length=1)]
    citations: dict[str, Citation] = Field(default_factory=dict)

    @classmethod
    @exactly
    def of(cls, values: Mapping[str, Any]) -> EvaluationScheme:
        """Return the scheme of nested values such as those of a TOML file.

        Raises
        ------
        PolicyError
            All that is wrong in it: each field, what it holds, and what is expected.

        Examples
        --------
        >>> EvaluationScheme.of({"id": "x", "title": "X", "full": 100, "missing": "zero"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        drgdip.errors.PolicyError: evaluation 'x': missing: is zero; it should be 'open' or 'reweight'; dimensions: ...
        """
        head = {name: value for name, value in values.items() if name not in {"dimensions", "indicators", "citations"}}
        plain, citations = take_citations(head)
        faults: list[str] = []
        _read(_Head, plain, "", faults)
        parts: dict[str, list[Any]] = {}
        for name, model in (("dimensions", Dimension), ("indicators", ScoredIndicator)):
            rows = values.get(name)
            if not isinstance(rows, list | tuple) or not rows:
                faults.append(f"{name}: is missing: give one [[{name}]] at least")
                rows = []
            parts[name] = []
            for place, row in enumerate(rows):
                called = row.get("id", place + 1) if isinstance(row, dict) else place + 1
                where = f"{name}.{called}"
                own, cited = take_citations(row, f"{where}.") if isinstance(row, dict) else (row, {})
                citations |= cited
                parts[name].append(_read(model, own, where, faults))
        faults += _faults_of_parts(parts["dimensions"], parts["indicators"], plain.get("full"))
        if faults:
            raise PolicyError(f"evaluation {values.get('id', '')!r}: {'; '.join(faults)}")
        whole: dict[str, Any] = {**plain, **parts, "citations": {**citations, **values.get("citations", {})}}
        return cls(**whole)


def _read(model: type[Rules], values: Any, where: str, faults: list[str]) -> Any:
    """Return a part of a scheme, None where it is wrong; its faults are added to the others."""
    if not isinstance(values, dict):
        faults.append(f"{where}: is {values!r}: give a table")
        return None
    try:
        return model(**values)
    except ValidationError as error:
        for fault in error.errors():
            joint = "" if not where else "." if fault["loc"] else ": "
            faults.append(f"{where}{joint}{fault_of(fault)}")
        return None


def _faults_of_parts(
    dimensions: Sequence[Dimension | None], indicators: Sequence[ScoredIndicator | None], full: Any
) -> Iterator[str]:
    """Yield what is wrong between the parts of a scheme, as far as they could be read."""
    known = [part for part in dimensions if part is not None]
    scored = [part for part in indicators if part is not None]
    for what, parts in (("dimensions", known), ("indicators", scored)):
        doubled = [name for name, times in Counter(part.id for part in parts).items() if times > 1]
        yield from (f"{what}: {name!r} is there twice" for name in doubled)
    yield from (
        f"dimensions.{part.id}: is a column of every result: choose another id" for part in known if part.id in _TAKEN
    )
    if known and None not in dimensions and (total := sum(part.weight for part in known)) != 1:
        yield f"dimensions: the weights add up to {total}: they must add up to 1"
    names = {part.id for part in known}
    for part in scored:
        if None not in dimensions and part.dimension not in names:
            yield f"indicators.{part.id}.dimension: is {part.dimension}, which is none of {', '.join(sorted(names))}"
        highest = max(part.curve.path)
        if isinstance(full, Decimal | int) and highest > full:
            yield f"indicators.{part.id}.curve: gives {highest}, above full = {full}"
    if None in indicators:
        return
    for name in dict.fromkeys(part.id for part in known):
        weights = [part.weight for part in scored if part.dimension == name]
        if not weights:
            yield f"dimensions.{name}: has no indicators"
        elif sum(weights) != 1:
            yield f"dimensions.{name}: the weights of its indicators add up to {sum(weights)}: they must add up to 1"


@exactly
def read_evaluation(path: str | os.PathLike[str]) -> EvaluationScheme:
    """Read a scheme of evaluation from a TOML file.

    Parameters
    ----------
    path
        The file (docs/monitor/evaluation.md). A number may stand as ``{ value = 0.85, source = "…", grade = "A" }``.

    Returns
    -------
    The scheme.

    Raises
    ------
    PolicyError
        The file cannot be read, or something in it is missing, impossible or contradicts the rest: all faults are told.

    Examples
    --------
    >>> scheme = read_evaluation("docs/examples/evaluation.toml")
    >>> [dimension.name for dimension in scheme.dimensions]
    ['综合指标', 'DRGs', '审核结果', '医疗服务效果', '患者满意度', '医疗过程']
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: is no TOML: {error}") from error
    return EvaluationScheme.of(values)


def _check_rising(edges: Sequence[Decimal], what: str) -> None:
    """Raise ValueError where edges do not rise."""
    if any(two <= one for one, two in itertools.pairwise(edges)):
        raise ValueError(f"{what}: must rise, and are at {', '.join(map(str, edges))}")
