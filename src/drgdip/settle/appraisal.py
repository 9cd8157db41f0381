"""Appraisal (年度考核) and quality deposit (质量保证金): from scores to coefficients, points, and money given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, nullable
from drgdip._exact import exactly
from drgdip._money import add_up, round_over, scaled, to_yuan
from drgdip.errors import CaseError, PolicyError
from drgdip.settle._inputs import keys_of, matched, optional_money, places
from drgdip.settle._sections import rounding_of, section_of
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.rules import AppraisalRules, DepositRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import ScoreBand

__all__ = ["appraise_hospitals", "return_deposits"]

# Scores, weights and shares are whole multiples of 10 ** -6.
_DIGITS = 6
_ONE = 10**_DIGITS
_KEY = ("hospital", "pool")


@exactly
@reads_once
def appraise_hospitals(
    scores: Any,
    policy: Policy | AppraisalRules,
    *,
    points: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Return the appraisal coefficient of each hospital, or the points that it wins or loses, from its scores.

    Parameters
    ----------
    scores
        A row for each hospital and pool: ``hospital``, ``pool``, and a column for each score that
        ``appraisal.weights`` names.
    policy
        The policy, or its section appraisal alone: ``weights`` (they add up to 1) and ``bands``, from the weighted
        score to the coefficient.
    points
        The points of the year: a table with ``hospital``, ``pool`` and ``points``, such as the table of `clear_year`.
        With it the appraisal changes points instead of money.
    columns
        The names of columns of `scores` by the library's names.

    Returns
    -------
    A row for each hospital and pool: ``score``, ``appraisal`` (the coefficient, for `clear_year`), and with points
    ``points_change`` (points x (coefficient - 1), for `clear_year` in the place of the coefficient).

    Raises
    ------
    PolicyError
        The policy has no weights or bands, or a score is below all bands.
    CaseError
        A score that is missing or negative, or a hospital twice.

    Notes
    -----
    Points adjusted by the score of monitoring, cost control and satisfaction: 金华市 DRG 付费国家试点工作方案 (2019).
    Its weights are not published: the policy gives them.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from drgdip.settle.rules import AppraisalRules
    >>> rules = AppraisalRules(
    ...     lowest=0,
    ...     highest=1,
    ...     difference="fund",
    ...     weights={"monitoring": Decimal("0.6"), "satisfaction": Decimal("0.4")},
    ...     bands=[{"at_least": 90, "gives": 1}, {"at_least": 0, "gives": Decimal("0.98")}],
    ... )
    >>> scores = [{"hospital": "A", "pool": "resident", "monitoring": 80, "satisfaction": 95}]
    >>> appraise_hospitals(scores, rules, points=[{"hospital": "A", "pool": "resident", "points": 1000}])
    [{'hospital': 'A', 'pool': 'resident', 'score': 86.0, 'appraisal': 0.98, 'points_change': -20.0}]
    """
    rules = section_of(policy, "appraisal", AppraisalRules)
    if not rules.weights or not rules.bands:
        raise PolicyError(
            "the policy does not say how scores become coefficients: add weights and bands to [appraisal]"
        )
    table = Columns(scores, [*_KEY, *rules.weights], what="the scores", columns=columns)
    keys = keys_of(table, _KEY)
    if keys.size < table.rows:
        raise CaseError("the scores have a hospital twice in one pool: leave one of the rows")
    score = np.zeros(table.rows, np.int64)
    for name, weight in rules.weights.items():
        score += round_over(_scores(table, name), int(weight.scaleb(_DIGITS)), _ONE)
    factor = _by_band(score, rules.bands)
    found = np.empty(keys.size, np.int64)
    found[keys.codes] = np.arange(table.rows)
    result = {**keys.table, "score": score[found] / _ONE, "appraisal": factor[found] / _ONE}
    if points is not None:
        digits = rounding_of(policy).points
        own, row = matched(points, ["points"], keys, "points")
        held = add_up(row, scaled(own.numbers("points"), digits, "points"), keys.size)
        change = np.sign(factor[found] - _ONE) * round_over(held, np.abs(factor[found] - _ONE), _ONE)
        result["points_change"] = change / 10.0**digits
    return to_kind(pa.table(result), scores)


@exactly
@reads_once
def return_deposits(
    deposits: Any,
    scores: Any,
    policy: Policy | DepositRules,
    *,
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Return what of the quality deposits is given back at the year, by the hospitals' scores.

    Parameters
    ----------
    deposits
        The money that was withheld: ``hospital``, ``pool`` and ``deposit`` (yuan), any number of rows a hospital, such
        as the table of `month` with ``columns={"deposit": "reserve"}``. A negative amount, where nothing was withheld,
        counts as 0.
    scores
        A row for each hospital and pool: ``hospital``, ``pool``, ``score``.
    policy
        The policy, or its section deposit alone: ``bands``, from the score to the share that is given back.
    columns
        The names of columns of `deposits` by the library's names.

    Returns
    -------
    Table: a row for each hospital and pool, with ``score``, ``deposit``, ``share``, ``returned`` and ``deposit_kept``
    (yuan), which `clear_year` takes as ``deposits_kept``. Ledger: returned + kept = deposit.

    Raises
    ------
    CaseError
        A hospital with a deposit and no score, a score that is missing or negative.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from drgdip.settle.rules import DepositRules
    >>> rules = DepositRules(bands=[{"at_least": 90, "gives": 1}, {"at_least": 0, "gives": Decimal("0.8")}])
    >>> row = {"hospital": "A", "pool": "resident"}
    >>> return_deposits([row | {"deposit": 100}], [row | {"score": 85}], rules).table[0]["returned"]
    Decimal('80.00')
    """
    rules = section_of(policy, "deposit", DepositRules)
    table = Columns(deposits, [*_KEY, "deposit"], what="the deposits", columns=columns)
    keys = keys_of(table, _KEY)
    fen, known = optional_money(table, "deposit")
    if not known.all():
        raise CaseError(f"column 'deposit' of the deposits is missing in row {int(np.flatnonzero(~known)[0])}")
    held = add_up(keys.codes, np.maximum(fen, 0), keys.size)
    given = Columns(scores, [*_KEY, "score"], what="the scores")
    row = Columns(pa.table(keys.table), what="the deposits").match(_KEY, given)
    if (row < 0).any():
        raise CaseError(
            f"the scores lack {places(keys)[int(np.flatnonzero(row < 0)[0])]}, which has a deposit: give one"
        )
    score = _scores(given, "score")[row]
    share = _by_band(score, rules.bands)
    returned = round_over(held, share, _ONE)
    ledger = Ledger("deposits")
    ledger.check("returned is at most the deposit", places(keys), returned, held, relation="<=")
    ledger.check("returned + kept = deposit", places(keys), returned + (held - returned), held)
    result = {
        **keys.table,
        "score": nullable(score / _ONE),
        "deposit": to_yuan(held),
        "share": share / _ONE,
        "returned": to_yuan(returned),
        "deposit_kept": to_yuan(held - returned),
    }
    return Step(to_kind(pa.table(result), deposits), ledger.table())


def _scores(table: Columns, name: str) -> Fen:
    """Return a column of scores in millionths. Raise CaseError where one is missing or negative."""
    numbers = table.numbers(name)
    bad = np.flatnonzero(~(numbers >= 0) | np.isinf(numbers))
    if len(bad):
        raise CaseError(f"column {name!r} of {table.what} is missing or negative in row {bad[0]}: give a score")
    return scaled(numbers, _DIGITS, name)


def _by_band(score: Fen, bands: Sequence[ScoreBand]) -> Fen:
    """Return what the first band that a score reaches gives, in millionths; bands fall."""

    def millionths(number: Decimal) -> int:
        return int(number.scaleb(_DIGITS))

    edges = [millionths(band.at_least) for band in bands]
    if len(score) and score.min() < edges[-1]:
        raise PolicyError(f"a score of {score.min() / _ONE:g} is below all bands: add one with at_least = 0")
    place = np.argmax(score[:, None] >= np.array(edges), axis=1)
    return np.asarray(np.array([millionths(band.gives) for band in bands], np.int64)[place])
