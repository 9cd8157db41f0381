"""Quality evaluation (质量评价): indicators become scores by declared curves, with every step shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_numbers
from drgdip._arrow import from_list, from_numpy, one_chunk
from drgdip._books import html_table
from drgdip._columns import Columns, as_list, nullable
from drgdip._exact import exactly
from drgdip._money import round_over, scaled
from drgdip.errors import CaseError
from drgdip.monitor.curves import DIGITS, ONE, curve_texts, score_measures
from drgdip.monitor.evaluation_rules import EvaluationScheme, read_evaluation
from drgdip.monitor.reports import word, write_report
from drgdip.reasons import check_language, describe_reason

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.monitor.evaluation_rules import ScoredIndicator

    Flags = NDArray[np.bool_]

__all__ = ["Evaluation", "evaluate"]

_TABLES = ("scores", "dimensions", "steps", "findings")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluation:
    """Scores of a quality evaluation (`drgdip.monitor.evaluate`). Tables are Arrow tables.

    Attributes
    ----------
    scheme
        The `EvaluationScheme`.
    scores
        A row a key: a column a dimension, by its id, and ``total``. `drgdip.settle.appraise_hospitals` takes it.
    dimensions
        A row a key and dimension: ``dimension, score, weight`` (in the total, as it counted), ``weighted``, and
        ``missing``, the number of indicators without a value.
    steps
        A row a key and indicator: ``dimension, indicator, value, target, measured`` (the number that the curve reads),
        ``curve`` (its part that decides), ``score, weight`` (in the dimension, as it counted), ``weighted, reason``.
    findings
        The rows of ``steps`` without a score: the key, ``indicator`` and ``reason``.
    """

    scheme: EvaluationScheme
    scores: pa.Table
    dimensions: pa.Table
    steps: pa.Table
    findings: pa.Table

    def __repr__(self) -> str:
        example = ", example numbers" if self.scheme.example else ""
        return (
            f"<Evaluation {self.scheme.id}{example}: {len(self.scores):,} rows, {len(self.scheme.indicators)} "
            f"indicators in {len(self.scheme.dimensions)} dimensions, {len(self.findings):,} values missing>"
        )

    def _repr_html_(self) -> str:
        return "".join(
            f"<h4>{word(_title(name), 'en')}</h4>{html_table(self._shown(name, 'en').slice(0, 20))}"
            for name in ("scores", "dimensions", "findings")
        )

    def write(self, path: str | os.PathLike[str], *, language: str = "en") -> Path:
        """Write the tables to a workbook (``.xlsx``, extra ``excel``) or a page (``.html``).

        Parameters
        ----------
        path
            Where to write; the ending says what.
        language
            ``en`` or ``zh``, of headings and reasons. Names of dimensions and indicators are the scheme's.

        Returns
        -------
        The path.

        Raises
        ------
        DrgdipError
            Another ending, a path that cannot be written, or the extra is not installed.
        """
        check_language(language)
        example = f" ({word('evaluation_example', language)})" if self.scheme.example else ""
        title = f"{word('evaluation', language)}: {self.scheme.title}{example}"
        tables = {word(_title(name), language): self._shown(name, language) for name in _TABLES}
        return write_report(path, tables, title=title, summary=self.scheme.source, language=language)

    def _shown(self, name: str, language: str) -> pa.Table:
        """Return a table as readers see it."""
        table = getattr(self, name)
        parts = {part.id: part.name for part in self.scheme.indicators}
        parts |= {part.id: part.name for part in self.scheme.dimensions}
        shown: dict[str, Any] = {}
        for column in table.column_names:
            values = table[column]
            if column in {"dimension", "indicator"}:
                values = from_list([parts[name] for name in values.to_pylist()], pa.string())
            elif column == "reason":
                values = from_list([describe_reason(code, language) for code in values.to_pylist()], pa.string())
            heading = parts.get(column) if name == "scores" else None
            shown[heading or word(column, language)] = values
        return pa.table(shown)


def _title(name: str) -> str:
    return "totals" if name == "scores" else name


@exactly
def evaluate(
    indicators: Any,
    scheme: str | os.PathLike[str] | EvaluationScheme,
    *,
    by: str | Sequence[str] = "hospital",
    columns: Mapping[str, str] | None = None,
) -> Evaluation:
    """Score the indicators of hospitals under a scheme of quality evaluation, with every step shown.

    Parameters
    ----------
    indicators
        A row a key with a column an indicator, such as `drgdip.monitor.indicators` gives. Values count to six digits
        behind the point.
    scheme
        An `EvaluationScheme`, or the path of its file (`read_evaluation`).
    by
        The columns of the key: ``hospital``, or ``["hospital", "pool"]`` for the appraisal of the year.
    columns
        The table's names of columns by the scheme's names.

    Returns
    -------
    An `Evaluation`. Its ``scores`` go to `drgdip.settle.appraise_hospitals`, which gives points rewards and penalties.

    Raises
    ------
    PolicyError
        The scheme is wrong.
    CaseError
        Columns of the scheme that are missing, all of them; a key that is missing or there twice.

    Notes
    -----
    The steps are: value; measure (the value, its ratio to the target, or its difference from it); score by the curve;
    score times weight; sum of the dimension; times the weight of the dimension; total. Each is rounded to six digits
    (四舍五入); a sum is rounded once, and not for each of its parts.

    A value that is missing or cannot be read is a finding, and never a score of 0. The scheme decides: either it leaves
    the total open, or the other weights are raised.

    Jinhua evaluates in six dimensions (金华市 DRG 付费国家试点工作方案); its indicators and numbers are not published.

    Examples
    --------
    >>> from decimal import Decimal
    >>> values = [{"hospital": "A", "cmi": 1.05, "readmission": 0.02}, {"hospital": "B", "cmi": 0.9}]
    >>> curve = {"kind": "linear", "points": [[Decimal("0.8"), 60], [Decimal("1.2"), 100]]}
    >>> fewer = {"kind": "steps", "otherwise": 100, "steps": [{"at_least": Decimal("0.05"), "score": 50}]}
    >>> part = {"dimension": "all", "weight": Decimal("0.5")}
    >>> scheme = EvaluationScheme.of(
    ...     {
    ...         "id": "example",
    ...         "title": "an example",
    ...         "example": True,
    ...         "full": 100,
    ...         "missing": "open",
    ...         "dimensions": [{"id": "all", "name": "all", "weight": 1}],
    ...         "indicators": [
    ...             part | {"id": "cmi", "name": "CMI", "direction": "higher", "curve": curve},
    ...             part | {"id": "readmission", "name": "readmission", "direction": "lower", "curve": fewer},
    ...         ],
    ...     }
    ... )
    >>> found = evaluate(values, scheme)
    >>> found.scores["total"].to_pylist()
    [92.5, None]
    >>> found.findings.to_pylist()
    [{'hospital': 'B', 'indicator': 'readmission', 'reason': 'missing_value'}]
    """
    rules = scheme if isinstance(scheme, EvaluationScheme) else read_evaluation(scheme)
    names = as_list(by)
    wanted = [*(part.id for part in rules.indicators), *(part.target_column for part in rules.indicators)]
    table = Columns(indicators, names, what="the indicators", columns=columns or {}, optional=filter(None, wanted))
    missing = [name for name in dict.fromkeys(filter(None, wanted)) if name not in table]
    if missing:
        raise CaseError(f"the indicators lack {', '.join(missing)}, which {rules.id} scores: give these columns")
    order, keys = _keys(table, names)
    steps = [_step(part, table, order) for part in rules.indicators]
    sums = [
        _weighted([step for step, part in zip(steps, rules.indicators, strict=True) if part.dimension == one.id], rules)
        for one in rules.dimensions
    ]
    whole = [
        _Part(total.score, total.known, int(one.weight.scaleb(DIGITS)))
        for total, one in zip(sums, rules.dimensions, strict=True)
    ]
    total = _weighted(whole, rules)
    scores: dict[str, Any] = dict(keys)
    scores |= {one.id: _shown(part.score, part.known) for one, part in zip(rules.dimensions, sums, strict=True)}
    scores["total"] = _shown(total.score, total.known)
    table_of_steps = _step_table(rules, steps, sums, keys)
    lost = table_of_steps.filter(pc.is_valid(table_of_steps["reason"]))
    return Evaluation(
        scheme=rules,
        scores=pa.table(scores),
        dimensions=_dimension_table(rules, steps, sums, total, keys),
        steps=table_of_steps,
        findings=lost.select([*names, "indicator", "reason"]),
    )


def _keys(table: Columns, names: Sequence[str]) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
    """Return the rows in order of their keys, and the keys. Raise CaseError where one is missing or there twice."""
    keys = table.keys(names)
    if (keys.codes < 0).any():
        raise CaseError(f"row {int(np.argmin(keys.codes))} of the indicators has no {' and '.join(names)}: give one")
    if keys.size < table.rows:
        twice = int(np.flatnonzero(np.bincount(keys.codes) > 1)[0])
        key = ", ".join(str(column[twice]) for column in keys.table.values())
        raise CaseError(f"the indicators have {key} twice: leave one of the rows")
    return np.argsort(keys.codes, kind="stable"), keys.table


# Steps


class _Part(NamedTuple):
    """Scores that are joined: in millionths, which are known, and their weight in millionths."""

    score: Fen
    known: Flags
    weight: int


class _Step(NamedTuple):
    """An indicator of all keys: as a `_Part`, with what it is made of."""

    score: Fen
    known: Flags
    weight: int
    value: NDArray[np.float64]
    target: NDArray[np.float64]
    measured: Fen
    curve: list[str | None]
    reason: list[str | None]


class _Sum(NamedTuple):
    """A weighted sum: its score, where it is known, and of each part the weight and the product that counted."""

    score: Fen
    known: Flags
    weights: Sequence[Fen]
    products: Sequence[Fen]


def _step(rules: ScoredIndicator, table: Columns, order: NDArray[np.int64]) -> _Step:
    value, failed = read_numbers(one_chunk(table.column(rules.id)))
    value, failed = value[order], failed[order]
    target = np.full(len(value), np.nan)
    if rules.target is not None:
        target[:] = float(rules.target)
    elif rules.target_column is not None:
        target = read_numbers(one_chunk(table.column(rules.target_column)))[0][order]
    needs = rules.measure != "value"
    untargeted = needs & (np.isnan(target) | ((rules.measure == "ratio") & ~(scaled(target, DIGITS, rules.id) > 0)))
    reasons = [("unreadable_value", failed), ("missing_value", np.isnan(value)), ("missing_target", untargeted)]
    reason = np.full(len(value), None, object)
    for code, holds in reversed(reasons):
        reason[np.asarray(holds, bool)] = code
    known = np.array([code is None for code in reason], bool)
    measured = _measured(rules, scaled(value, DIGITS, rules.id), scaled(target, DIGITS, rules.id), known)
    score, part = score_measures(rules.curve, measured)
    texts = curve_texts(rules.curve)
    return _Step(
        np.where(known, score, 0),
        known,
        int(rules.weight.scaleb(DIGITS)),
        value,
        target,
        measured,
        [texts[place] if there else None for place, there in zip(part.tolist(), known.tolist(), strict=True)],
        reason.tolist(),
    )


def _measured(rules: ScoredIndicator, value: Fen, target: Fen, known: Flags) -> Fen:
    if rules.measure == "ratio":
        return round_over(np.where(known, value, 0), ONE, np.where(known, target, 1))
    return value - target if rules.measure == "difference" else value


def _weighted(parts: Sequence[_Part | _Step], rules: EvaluationScheme) -> _Sum:
    """Return the sum of scores times weights; a missing one leaves it open, or its weight goes to the others.

    The sum is rounded once, so that full scores give a full one whatever the weights.
    """
    there = np.array([part.known for part in parts], bool)
    weights = np.array([part.weight for part in parts], np.int64)[:, None] * there
    reweight = rules.missing == "reweight"
    known = np.asarray(there.any(axis=0) if reweight else there.all(axis=0))
    whole = np.maximum(weights.sum(axis=0), 1) if reweight else np.full(there.shape[1], ONE, np.int64)
    products = np.array([part.score for part in parts], np.int64) * weights
    return _Sum(
        round_over(products.sum(axis=0), 1, whole),
        known,
        [round_over(row, ONE, whole) for row in weights],
        [round_over(row, 1, whole) for row in products],
    )


# Tables


def _shown(millionths: Fen, known: Flags) -> pa.Array:
    return nullable(np.where(known, millionths / ONE, np.nan))


def _interleaved(columns: Sequence[pa.Array]) -> pa.Array:
    """Return columns of one key each as one column: all parts of the first key, then those of the second."""
    rows = len(columns[0]) if columns else 0
    order = np.arange(len(columns) * rows).reshape(len(columns), rows).T.reshape(-1)
    return pa.concat_arrays(columns).take(from_numpy(order))


def _repeated(keys: Mapping[str, pa.Array], times: int) -> dict[str, pa.Array]:
    return {name: _interleaved([column] * times) for name, column in keys.items()}


def _step_table(
    rules: EvaluationScheme, steps: Sequence[_Step], sums: Sequence[_Sum], keys: Mapping[str, pa.Array]
) -> pa.Table:
    places = {one.id: place for place, one in enumerate(rules.dimensions)}
    seen = [0] * len(sums)
    columns: dict[str, list[pa.Array]] = {}
    for part, step in zip(rules.indicators, steps, strict=True):
        place = places[part.dimension]
        own, seen[place] = seen[place], seen[place] + 1
        rows = len(step.value)
        row = {
            "dimension": from_list([part.dimension] * rows, pa.string()),
            "indicator": from_list([part.id] * rows, pa.string()),
            "value": nullable(step.value),
            "target": nullable(step.target),
            "measured": _shown(step.measured, step.known),
            "curve": from_list(step.curve, pa.string()),
            "score": _shown(step.score, step.known),
            "weight": _shown(sums[place].weights[own], step.known),
            "weighted": _shown(sums[place].products[own], step.known),
            "reason": from_list(step.reason, pa.string()),
        }
        for name, column in row.items():
            columns.setdefault(name, []).append(column)
    return pa.table({**_repeated(keys, len(steps)), **{name: _interleaved(parts) for name, parts in columns.items()}})


def _dimension_table(
    rules: EvaluationScheme,
    steps: Sequence[_Step],
    sums: Sequence[_Sum],
    total: _Sum,
    keys: Mapping[str, pa.Array],
) -> pa.Table:
    columns: dict[str, list[pa.Array]] = {}
    for place, (one, found) in enumerate(zip(rules.dimensions, sums, strict=True)):
        own = [step for step, part in zip(steps, rules.indicators, strict=True) if part.dimension == one.id]
        row = {
            "dimension": from_list([one.id] * len(found.score), pa.string()),
            "score": _shown(found.score, found.known),
            "weight": _shown(total.weights[place], found.known),
            "weighted": _shown(total.products[place], found.known),
            "missing": from_numpy(np.sum([~step.known for step in own], axis=0).astype(np.int64)),
        }
        for name, column in row.items():
            columns.setdefault(name, []).append(column)
    return pa.table({**_repeated(keys, len(sums)), **{name: _interleaved(parts) for name, parts in columns.items()}})
