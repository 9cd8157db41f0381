"""The learned layer of signals: expected cost, stay and severity from codes (extra ``monitor``: scikit-learn)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_numpy, read_once, reads_once, to_kind
from drgdip._columns import nullable
from drgdip._listing import Listing
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import CaseError, DrgdipError, PolicyError, UnknownNameError
from drgdip.monitor.features import read_features
from drgdip.monitor.model_card import ModelCard, Quality
from drgdip.monitor.signal_cases import Cases
from drgdip.monitor.signal_hospitals import severe_of
from drgdip.monitor.signal_view import Amounts, Found
from drgdip.monitor.signals import table_of_signals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Codes, Floats
    from drgdip.monitor.features import Features

__all__ = ["LEAST_CASES", "TARGETS", "Expectations", "LearnedSignal", "learn_expected", "learned_signals"]
__all__ += ["list_learned_signals"]

#: Below so many cases nothing is learned: a model of few cases finds its own noise.
LEAST_CASES = 20_000
#: The numbers that can be learned.
TARGETS = ("total_cost", "los", "severity")
#: Cases that the importance of features is measured on, and how often each is shuffled.
_MEASURED, _SHUFFLES = 4_000, 3


class LearnedSignal(NamedTuple):
    """A learned signal; attributes as of `drgdip.monitor.Signal`."""

    id: str
    english: str
    chinese: str
    definition: str
    definition_zh: str
    compared: str
    compared_zh: str
    unit: str
    source: str
    grade: str


@once
def _listed() -> Listing[LearnedSignal]:
    rows = [LearnedSignal(**row) for row in rows_of("monitor/learned.csv")]
    return Listing(rows, LearnedSignal._fields)


def list_learned_signals() -> Listing[LearnedSignal]:
    """List the learned signals.

    Returns
    -------
    A row a `LearnedSignal`, whose definitions and meanings are in English and Chinese.

    Examples
    --------
    >>> list_learned_signals().row("learned_isolation").chinese
    '离群病例'
    """
    return _listed()


class Expectations:
    """Expected numbers of cases, each learned from other hospitals, and the card of the models.

    Attributes
    ----------
    table
        A row a case, in the caller's kind of container: ``row``, ``case_id``, ``hospital``; ``expected_cost`` (yuan),
        ``expected_stay`` (days) and ``expected_severity`` (probability), as far as they were learned;
        ``isolation``, from 0 to 1: the greater, the more alone. Null where the case lacks what is needed.
    card
        The `ModelCard`: data, quality, importance of features, limits.
    """

    def __init__(self, table: Any, card: ModelCard, cases: Cases, found: Mapping[str, Floats], like: Any) -> None:
        self.table, self.card = table, card
        self.cases, self.found, self.like = cases, found, like

    def __repr__(self) -> str:
        return repr(self.card)


@reads_once
def learn_expected(
    cases: Any,
    *,
    targets: Sequence[str] = TARGETS,
    folds: int = 5,
    rounds: int = 100,
    seed: int = 0,
    threads: int = 1,
    columns: Mapping[str, str] | None = None,
) -> Expectations:
    """Learn what cases cost, how long they stay and how often they are severe, from other hospitals' cases.

    Parameters
    ----------
    cases
        A table of at least 20,000 grouped cases with ``hospital``, ``sex``, ``age`` and ``dx``; ``procs`` and
        ``discharge`` where it has them; and the columns of the targets.
    targets
        Some of `TARGETS`; those without a column are an error.
    folds
        In how many parts the hospitals are divided. The numbers of a hospital's cases are of models that saw none of
        its cases. With fewer hospitals each is a part.
    rounds
        Trees of a model.
    seed
        Equal cases and seeds give equal numbers.
    threads
        How many threads a model may use.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    The `Expectations`: a table of expected numbers, and a model card.

    Raises
    ------
    DrgdipError
        scikit-learn is not installed (``pip install 'drgdip[monitor]'``).
    CaseError
        Fewer than 20,000 cases, or a single hospital, or a column that is missing.
    UnknownNameError
        A target that there is not.

    Notes
    -----
    Gradient boosting over histograms. Cost and stay are learned as logarithms, and their expectations are means
    (smearing after Duan 1983). Severity is learned without the other diagnoses, which it follows from. With numbers
    of cases (``case_id``) that are unique, the order of the rows changes nothing.

    Examples
    --------
    >>> from drgdip import group, sample_cases
    >>> few = group(sample_cases(100, "chs-drg-2.0"), "chs-drg-2.0")
    >>> learn_expected(few)
    Traceback (most recent call last):
    drgdip.errors.CaseError: 100 grouped cases are too few to learn from: give at least 20,000
    """
    for target in targets:
        if target not in TARGETS:
            raise UnknownNameError("target", str(target), TARGETS)
    if not targets or folds < 2 or rounds < 1 or threads < 1:
        raise PolicyError(f"targets={targets!r}, folds={folds}, rounds={rounds}, threads={threads}: give more")
    given = Cases(read_once(cases), "the cases", columns)
    for name in ("hospital", "sex", "age", "dx", *targets):
        if not given.has(name):
            raise CaseError(f"learning needs a column {name!r}: name it so, or say columns={{{name!r}: ...}}")
    hospital, _ = given.columns.codes("hospital")
    rows: Codes = np.flatnonzero(given.grouped & (hospital >= 0))
    if len(rows) < LEAST_CASES:
        raise CaseError(f"{len(rows):,} grouped cases are too few to learn from: give at least {LEAST_CASES:,}")
    if len(np.unique(hospital[rows])) < 2:
        raise CaseError("all cases are of one hospital: give those of several, so that each is compared with others")
    rows = _in_order(given, rows)
    features = read_features(given, rows)
    learner = _Learner(features, hospital[rows], folds=folds, rounds=rounds, seed=seed, threads=threads)
    found, qualities = {}, []
    for target in targets:
        values, quality = learner.learn(target, _values(given, target)[rows])
        found[target] = _scattered(values, rows, given.rows)
        qualities.append(quality)
    found["isolation"] = _scattered(learner.isolate(given, rows, found), rows, given.rows)
    parts = {"folds": learner.folds, "rounds": rounds, "seed": seed}
    card = ModelCard(len(rows), len(np.unique(hospital[rows])), *_period(given, rows), parts, tuple(qualities))
    everyone = np.arange(given.rows)
    table = {name: given.texts(name, everyone) for name in ("case_id", "hospital")}
    names = {"total_cost": "expected_cost", "los": "expected_stay", "severity": "expected_severity"}
    table |= {names.get(name, name): nullable(values) for name, values in found.items()}
    return Expectations(to_kind(pa.table({"row": from_numpy(everyone)} | table), cases), card, given, found, cases)


def learned_signals(learned: Expectations, *, share: float, which: Sequence[str] | None = None) -> Any:
    """Find the cases that are farthest from what was learned.

    Parameters
    ----------
    learned
        The result of `learn_expected`.
    share
        The share of cases that each signal names, above 0 and below 1: how many someone can look at.
    which
        The ids of `list_learned_signals`. None takes all whose target was learned.

    Returns
    -------
    A table with the columns of `drgdip.monitor.signals`; ``limit`` is where the share is reached. Cases at the limit
    are all named.

    Raises
    ------
    PolicyError
        A share that cannot be.
    UnknownNameError, CaseError
        A signal that there is not, or whose target was not learned.

    Examples
    --------
    The page of signals (docs/monitor/signals.md) learns from 20,000 cases.
    """
    if not 0 < share < 1:
        raise PolicyError(f"share={share!r}: give the share of cases that each signal names, above 0 and below 1")
    sides = _sides(learned)
    for name in which or ():
        if name not in _listed()["id"]:
            raise UnknownNameError("learned signal", str(name), _listed()["id"], hint="See list_learned_signals().")
        if name not in sides:
            raise CaseError(f"signal {name} needs a target that was not learned: name it in targets=")
    found = []
    for row in _listed():
        if row.id in sides and (which is None or row.id in which):
            value, expected, distance, shown = sides[row.id]
            edge = _edge(distance, share)
            rows = np.flatnonzero(distance >= edge)
            limit = float(shown(edge))
            amounts = Amounts.none(len(rows), "no_counterfactual")
            found.append((row.id, Found(rows, amounts, value[rows], expected[rows], limit)))
    return to_kind(table_of_signals(learned.cases, found), learned.like)


def _sides(learned: Expectations) -> dict[str, tuple[Floats, Floats, Floats, Any]]:
    """Return by signal the values, what was expected, the distance (the greater, the odder), and how it is shown."""
    sides: dict[str, tuple[Floats, Floats, Floats, Any]] = {}
    found = learned.found
    for target, high, low in (
        ("total_cost", "learned_high_cost", "learned_low_cost"),
        ("los", "learned_long_stay", "learned_short_stay"),
    ):
        if target in found:
            value = _values(learned.cases, target)
            with np.errstate(divide="ignore", invalid="ignore"):
                distance = np.where(value > 0, np.log(value / found[target]), np.nan)
            sides[high] = value, found[target], distance, np.exp
            sides[low] = value, found[target], -distance, lambda edge: np.exp(-edge)
    if "severity" in found:
        severe = _values(learned.cases, "severity")
        distance = np.where(severe > 0, 1 - found["severity"], np.nan)
        sides["learned_severity"] = severe, found["severity"], distance, lambda edge: 1 - edge
    score = found["isolation"]
    sides["learned_isolation"] = score, np.full(len(score), np.nan), score, float
    return sides


def _edge(distance: Floats, share: float) -> float:
    """Return the distance that a share of the cases reach."""
    known = np.sort(distance[~np.isnan(distance)])
    return float(known[-max(1, round(share * len(known)))]) if len(known) else np.inf


def _values(cases: Cases, target: str) -> Floats:
    """Return the numbers of a target, NaN where there is none."""
    if target == "severity":
        return severe_of(cases).astype(np.float64)
    return cases.cost if target == "total_cost" else cases.los


def _in_order(cases: Cases, rows: Codes) -> Codes:
    """Return rows in the order of their numbers of cases, so that models do not depend on that of the table."""
    if "case_id" not in cases.columns:
        return rows
    rank = filled(pc.rank(cases.texts("case_id", rows), tiebreaker="dense").cast(pa.int64()), 0)
    return rows[np.argsort(rank, kind="stable")]


def _scattered(values: Floats, rows: Codes, size: int) -> Floats:
    found = np.full(size, np.nan)
    found[rows] = values
    return found


def _period(cases: Cases, rows: Codes) -> tuple[str, str]:
    """Return the first and the last day of discharge, "" where it is not known."""
    if "discharged" not in cases.columns:
        return "", ""
    ends = pc.min_max(cases.columns.dates("discharged").take(from_numpy(rows)))
    return str(ends["min"].as_py() or ""), str(ends["max"].as_py() or "")


class _Learner:
    """Models of the features of cases, one a part of the hospitals, that saw the other parts only."""

    def __init__(
        self, features: Features, hospital: Codes, *, folds: int, rounds: int, seed: int, threads: int
    ) -> None:
        try:
            from sklearn.model_selection import GroupKFold
        except ImportError as error:
            what = "learning needs scikit-learn, which is not installed: pip install 'drgdip[monitor]'"
            raise DrgdipError(what) from error
        self.features = features
        self.folds = min(folds, len(np.unique(hospital)))
        self.rounds, self.seed, self.threads = rounds, seed, threads
        # Parts of one size each, by the number of cases of hospitals: equal cases give equal parts.
        self.parts = list(GroupKFold(self.folds).split(features.values, groups=hospital))

    def learn(self, target: str, values: Floats) -> tuple[Floats, Quality]:
        """Return expected numbers, each of the model that did not see the hospital, and how good they are."""
        from sklearn.inspection import permutation_importance
        from threadpoolctl import threadpool_limits

        severity = target == "severity"
        used = self.features.without_others() if severity else self.features
        known = ~np.isnan(values) if severity else values > 0
        wanted = values if severity else np.log(np.where(known, values, 1.0))
        expected = np.full(len(values), np.nan)
        importance: Floats = np.zeros(0)
        with threadpool_limits(self.threads):
            for train, test in self.parts:
                seen, asked = train[known[train]], test
                model = self._model(used, severity=severity)
                model.fit(used.values[seen], wanted[seen])
                if severity:
                    expected[asked] = model.predict_proba(used.values[asked])[:, -1]
                else:
                    smearing = np.mean(np.exp(wanted[seen] - model.predict(used.values[seen])))
                    expected[asked] = np.exp(model.predict(used.values[asked])) * smearing
                if not len(importance):
                    few = asked[known[asked]][:_MEASURED]
                    importance = permutation_importance(
                        model, used.values[few], wanted[few], n_repeats=_SHUFFLES, random_state=self.seed
                    ).importances_mean
        order = np.argsort(-importance, kind="stable")
        named = tuple((used.names[place], float(importance[place])) for place in order)
        return expected, _quality(target, values[known], expected[known], named)

    def _model(self, used: Features, *, severity: bool) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if severity else HistGradientBoostingRegressor
        return kind(
            max_iter=self.rounds, early_stopping=False, categorical_features=used.categories, random_state=self.seed
        )

    def isolate(self, cases: Cases, rows: Codes, found: Mapping[str, Floats]) -> Floats:
        """Return how far each case stands from all others (isolation forest), from 0 to 1."""
        from sklearn.ensemble import IsolationForest

        parts = [self.features.counts()]
        for target in ("total_cost", "los"):
            if target in found:
                value = _values(cases, target)[rows]
                positive = np.where(value > 0, value, np.nan)
                parts += [np.log(positive)[:, None], np.log(positive / found[target][rows])[:, None]]
        table = np.concatenate(parts, axis=1)
        whole = ~np.isnan(table).any(axis=1)
        forest = IsolationForest(random_state=self.seed).fit(table[whole])
        scores = np.full(len(rows), np.nan)
        scores[whole] = -forest.score_samples(table[whole])
        return scores


def _quality(target: str, values: Floats, expected: Floats, importance: tuple[tuple[str, float], ...]) -> Quality:
    """Return how near expectations came to what was, beside the mean of all as expectation."""
    if target == "severity":
        from sklearn.metrics import roc_auc_score

        both = 0 < values.mean() < 1
        auc = float(roc_auc_score(values, expected)) if both else np.nan
        brier, plain = float(np.mean((values - expected) ** 2)), float(values.mean() * (1 - values.mean()))
        return Quality(target, len(values), {"auc": auc, "brier": brier, "brier_of_mean": plain}, importance)
    logs, learned = np.log(values), np.log(expected)
    explained = float(1 - np.sum((logs - learned) ** 2) / np.sum((logs - logs.mean()) ** 2))
    error = float(np.mean(np.abs(values - expected)))
    plain = float(np.mean(np.abs(values - values.mean())))
    measures = {"r2_of_logs": explained, "mean_error": error, "mean_error_of_mean": plain}
    return Quality(target, len(values), measures, importance)
