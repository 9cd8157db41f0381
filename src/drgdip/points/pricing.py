"""Points (点数) of cases: what each earns under the weights, coefficients and rules, with every step as a column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._columns import Columns, add_columns, as_list, labels, nullable
from drgdip._sums import blocks
from drgdip.errors import CaseError, PolicyError
from drgdip.points.expressions import Expression
from drgdip.points.outliers import Classifier, OutlierPolicy, outlier_policy, reference_costs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip._columns import Codes, Floats

__all__ = ["CASE_KINDS", "POINTS_STATUSES", "case_points", "mark_readmissions"]

#: How a case is counted: a complete stay; one that ended early; by the day (按床日); by the cost that special review
#: (特例单议) found reasonable; by item (按项目); in a blank group (空白病组) of a DIP catalogue.
CASE_KINDS = ("complete", "incomplete", "bed_day", "special_review", "by_item", "blank")
#: priced: the points stand; review: they stand until special review; unpriced: there are none, the reason says why.
POINTS_STATUSES = ("priced", "review", "unpriced")
#: The names that the formula of incomplete stays may use.
INCOMPLETE_NAMES = ("ratio", "coefficient", "auxiliary")

_REASONS = (
    "the case has no kind that is known",
    "the weights have no such group",
    "the group has no weight to use",
    "the coefficient is missing or negative",
    "the auxiliary coefficient is missing or negative",
    "the readmission factor is missing or negative",
    "the cost is missing",
    "the cost is negative",
    "no reference cost above 0",
    "the policy has no edge for the case",
    "the policy has no formula for the case",
    "the days are missing or negative",
    "the reasonable cost is missing or negative",
    "the formula gives no number of at least 0",
    "the points of a bed-day are missing or negative",
)
_R = {name: number for number, name in enumerate(_REASONS)}


class _Parameter:
    """A number for all cases, or a column of them."""

    def __init__(self, columns: Columns, given: str | float | None, default: float) -> None:
        self.asked = given is not None
        self.name = given if isinstance(given, str) else None
        self.values = columns.numbers(given) if isinstance(given, str) else None
        self.constant = float(default if given is None else given) if not isinstance(given, str) else math.nan

    def __getitem__(self, part: slice) -> Floats:
        return np.float64(self.constant) if self.values is None else self.values[part]  # type: ignore[return-value]


def case_points(
    cases: Any,
    weights: Any,
    *,
    group: str = "group",
    cost: str = "total_cost",
    level: str = "level",
    coefficient: str | float | None = None,
    auxiliary: str | float | None = None,
    outliers: OutlierPolicy | str | None = None,
    reference: Any = None,
    kind: str | None = None,
    incomplete: str | None = None,
    bed_day_points: str | float | None = None,
    days: str = "los",
    reasonable_cost: str = "reasonable_cost",
    mean_cost: float | None = None,
    scale: float | None = None,
    readmission: str | None = None,
) -> Any:
    """Compute the points of each case.

    The points of an ordinary case are weight x factor x readmission factor, where the factor is coefficient x
    auxiliary, or for an outlier what its policy declares.

    Parameters
    ----------
    cases
        Any table with a row a case.
    weights
        A table with the group and ``weight`` on the scale that the points shall have; ``mean`` (yuan) is read
        where the denominator is the group's mean and ``reference`` is not given.
    group, cost, level
        The columns of the cases. The cost (yuan) is read where a rule needs it, the level where the outlier
        policy does.
    coefficient
        The coefficient (系数) of the case: a column, or a number for all; None is 1.
    auxiliary
        The auxiliary coefficient (辅助目录系数): a column, or a number for all; None is 1.
    outliers
        The outlier policy, or the name of a variant; None treats no case as an outlier.
    reference
        What the policy divides by, as for `classify_outliers`; None takes ``mean`` of the weights.
    kind
        The column of the kind of each case, one of `CASE_KINDS`; None takes all as complete.
    incomplete
        The formula that the weight of an incomplete stay is multiplied by, over ratio (cost over the group's
        mean), coefficient and auxiliary. ``"min(1, ratio * coefficient)"`` is the rule of Zhejiang 2019,
        ``"min(1, ratio)"`` that of Jinhua 2017.
    bed_day_points
        The points of a day of bed-day cases: a column, or a number.
    days
        The column of the days of bed-day cases.
    reasonable_cost
        The column of the cost (yuan) that special review found reasonable.
    mean_cost, scale
        The mean cost of all cases (yuan), and the points that a case of mean cost gets, for cases by item and
        after special review: their points are cost / mean_cost x scale.
    readmission
        The column of a factor on the points, such as that of `mark_readmissions`.

    Returns
    -------
    The caller's table with a column for each step that takes part, so that the sum can be redone:
    ``case_kind``, ``weight``, ``coefficient``, ``auxiliary``, ``reference_cost``, ``cost_ratio``, ``outlier``,
    ``factor``, ``readmission_factor``; and always ``points_rule`` (the formula that was used; a name without a
    column is 1), ``points``, ``points_status`` (one of `POINTS_STATUSES`) and ``points_reason``.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    PolicyError
        The cases hold a kind for which no rule is given, or the weights have a group twice.

    Notes
    -----
    Sources: DIP 3.0 draft, chapter 5 (score = RW x κ x α); 《金华市按病组点数法计费简明示意》 (2017);
    浙江省住院费用 DRGs 点数付费暂行办法 (2019).

    Examples
    --------
    >>> cases = [{"group": "A", "total_cost": 5000.0}, {"group": "B", "total_cost": 100.0}]
    >>> for case in case_points(cases, [{"group": "A", "weight": 100.0}], coefficient=1.1):
    ...     print(case["points"], case["points_status"], case["points_reason"])
    110.00000000000001 priced None
    None unpriced the weights have no such group
    """
    policy = outlier_policy(outliers) if isinstance(outliers, str) else outliers
    prices = Columns(weights, [group, "weight"], what="the weights")
    columns = Columns(
        cases,
        _needed(
            group=group,
            cost=cost,
            level=level,
            coefficient=coefficient,
            auxiliary=auxiliary,
            policy=policy,
            reference=reference,
            kind=kind,
            bed_day_points=bed_day_points,
            readmission=readmission,
        ),
    )
    kinds = _kinds(columns, kind)
    present = {CASE_KINDS[code] for code in np.unique(kinds) if code >= 0}
    free = policy is not None and policy.zero_weight == "item" and bool((prices.numbers("weight") == 0).any())
    _check_rules(
        present,
        policy,
        incomplete=incomplete,
        bed_day_points=bed_day_points,
        mean_cost=mean_cost,
        scale=scale,
        free=free,
    )
    if "bed_day" in present:
        columns.require([days])
    if "special_review" in present:
        columns.require([reasonable_cost])

    steps = _Steps(
        coefficient=_Parameter(columns, coefficient, 1.0),
        auxiliary=_Parameter(columns, auxiliary, 1.0),
        readmission=_Parameter(columns, readmission, 1.0),
        bed_day_points=_Parameter(columns, bed_day_points, math.nan),
        days=columns.numbers(days) if "bed_day" in present else None,
        reasonable=columns.numbers(reasonable_cost) if "special_review" in present else None,
        points_of_yuan=math.nan if mean_cost is None or scale is None else scale / mean_cost,
        incomplete=None if incomplete is None else Expression(incomplete, INCOMPLETE_NAMES),
        shows_kind=kind is not None,
    )
    work = _Work(columns, policy, prices, steps, present, cost=cost, level=level, group=group, reference=reference)
    for part in blocks(columns.rows):
        work.price(part, kinds[part])
    return add_columns(cases, work.result(kinds))


def _needed(
    *,
    group: str,
    cost: str,
    level: str,
    coefficient: str | float | None,
    auxiliary: str | float | None,
    policy: OutlierPolicy | None,
    reference: Any,
    kind: str | None,
    bed_day_points: str | float | None,
    readmission: str | None,
) -> list[str | None]:
    named = [group, kind, readmission]
    named += [given for given in (coefficient, auxiliary, bed_day_points, reference) if isinstance(given, str)]
    if policy is not None:
        named += [cost, *policy.columns]
        table = reference is not None and not isinstance(reference, str)
        if "level" in policy.needs or (table and policy.denominator == "level_mean"):
            named.append(level)
    elif kind is not None:
        named.append(cost)
    return named


def _kinds(columns: Columns, kind: str | None) -> Codes:
    if kind is None:
        return np.zeros(columns.rows, np.int8)
    codes, values = columns.codes(kind)
    known = pc.fill_null(pc.index_in(values, value_set=pa.array(CASE_KINDS)), -1).to_numpy(zero_copy_only=False)
    unknown = [value for value, code in zip(values.to_pylist(), known, strict=True) if code < 0]
    if unknown:
        raise CaseError(f"column {kind!r} holds {unknown[0]!r}: the kinds of a case are {', '.join(CASE_KINDS)}")
    return np.append(known, -1).astype(np.int8)[codes]


def _check_rules(
    present: set[str],
    policy: OutlierPolicy | None,
    *,
    incomplete: str | None,
    bed_day_points: str | float | None,
    mean_cost: float | None,
    scale: float | None,
    free: bool,
) -> None:
    for name, value in (("mean_cost", mean_cost), ("scale", scale)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise PolicyError(f"{name}={value!r}: give a number above 0")
    by_item = free or (policy is not None and any(band.payment == "item" for band in policy.bands))
    if (present & {"special_review", "by_item"} or by_item) and (mean_cost is None or scale is None):
        raise PolicyError(
            "there are cases by item or after special review: give mean_cost= (yuan) and scale= of the weights"
        )
    if "incomplete" in present and incomplete is None:
        raise PolicyError(
            "there are incomplete stays: give incomplete= a formula such as 'min(1, ratio * coefficient)'"
        )
    if "bed_day" in present and bed_day_points is None:
        raise PolicyError("there are bed-day cases: give bed_day_points= the points of a day")
    if "blank" in present and (policy is None or policy.blank is None):
        raise PolicyError(
            "there are cases in blank groups: give outliers= a policy that says what they are worth (blank=)"
        )


@dataclass(frozen=True, slots=True)
class _Steps:
    """What the points are worked out from, beside the weights and the outlier policy."""

    coefficient: _Parameter
    auxiliary: _Parameter
    readmission: _Parameter
    bed_day_points: _Parameter
    days: Floats | None
    reasonable: Floats | None
    points_of_yuan: float
    incomplete: Expression | None
    shows_kind: bool


class _Work:
    """The arrays that pricing fills, a block of rows at a time."""

    def __init__(
        self,
        columns: Columns,
        policy: OutlierPolicy | None,
        prices: Columns,
        steps: _Steps,
        present: set[str],
        *,
        cost: str,
        level: str,
        group: str,
        reference: Any,
    ) -> None:
        self.columns, self.policy, self.steps = columns, policy, steps
        self.place = columns.match([group], prices)
        # The last entry is for cases whose group has no row.
        self.row_weight = np.append(prices.numbers("weight"), np.nan)
        self.row_mean = np.append(prices.numbers("mean"), np.nan) if "mean" in prices else None
        rows = columns.rows
        costed = policy is not None or bool(present - {"complete", "bed_day", "special_review"})
        self.costs = columns.numbers(cost) if costed else None
        self.reference: Floats | None = None
        if "incomplete" in present and self.row_mean is None:
            raise PolicyError(
                "there are incomplete stays, which are compared with their group's mean: "
                "the weights need a column 'mean'"
            )
        self.weight = np.empty(rows)
        self.factor = np.full(rows, np.nan)
        self.points = np.full(rows, np.nan)
        self.ratio = np.full(rows, np.nan) if costed else None
        self.rule = np.full(rows, -1, np.int8)
        self.band = np.full(rows, -1, np.int8)
        self.why = np.full(rows, -1, np.int8)
        self.review = np.zeros(rows, bool)
        self.rules: list[str] = []
        self.classifier: Classifier | None = None
        self.bands: list[tuple[str, Expression | None]] = []
        self.blank: Expression | None = None
        asked = {"coefficient": steps.coefficient.asked, "auxiliary": steps.auxiliary.asked}
        self.ordinary = Expression(" * ".join(name for name in asked if asked[name]) or "1")
        self.tail = " * readmission_factor" if steps.readmission.asked else ""
        if policy is not None:
            self._prepare(policy, reference, group, level)

    def _prepare(self, policy: OutlierPolicy, reference: Any, group: str, level: str) -> None:
        """Read the formulas of the outlier policy once, and what it compares with."""
        assert self.costs is not None
        if reference is not None:
            self.reference = reference_costs(self.columns, reference, policy, group, level)
        elif policy.denominator != "group_mean":
            raise PolicyError(f"the policy divides by {policy.denominator}: give reference= its column or table")
        elif self.row_mean is None:
            what = "the policy divides by the group's mean: the weights need a column 'mean', or give reference="
            raise PolicyError(what)
        else:
            self.reference = self.row_mean[self.place]
        values = self.steps.coefficient.values
        self.classifier = Classifier(
            policy,
            self.columns,
            costs=self.costs,
            reference=self.reference,
            level=level,
            coefficient=self.steps.coefficient.constant if values is None else values,
            weight=self.row_weight[self.place] if "weight" in policy.needs else None,
        )
        for band in policy.bands:
            self.bands.append((band.payment, Expression(band.formula) if band.formula is not None else None))
        self.blank = Expression(policy.blank) if policy.blank is not None else None

    def _number(self, text: str) -> int:
        if text not in self.rules:
            self.rules.append(text)
        return self.rules.index(text)

    def price(self, part: slice, kinds: Codes) -> None:  # noqa: PLR0915 - one kind of case after the other
        """Fill the arrays for a block of rows."""
        rows = part.stop - part.start
        place = self.place[part]
        weight = self.row_weight[place]
        self.weight[part] = weight
        why = self.why[part]
        names: dict[str, Any] = {
            "weight": weight,
            "coefficient": np.broadcast_to(self.steps.coefficient[part], rows),
            "auxiliary": np.broadcast_to(self.steps.auxiliary[part], rows),
        }
        readmission = np.broadcast_to(self.steps.readmission[part], rows)
        costs = None if self.costs is None else self.costs[part]
        factor, points, rule = self.factor[part], self.points[part], self.rule[part]

        def weigh(chosen: Any, formula: Expression, *, costed: bool) -> None:
            """Weight x formula x readmission factor, or the reason why there is none."""
            picked = np.flatnonzero(chosen)
            if not len(picked):
                return
            # Formulas are worked out for the rows they are for, which are often few.
            own = {name: column[picked] for name, column in names.items()}
            value = np.broadcast_to(formula(own), len(picked))
            faults = [
                (place[picked] < 0, "the weights have no such group"),
                (~(own["weight"] >= 0), "the group has no weight to use"),
                (~(own["coefficient"] >= 0), "the coefficient is missing or negative"),
                (~(own["auxiliary"] >= 0), "the auxiliary coefficient is missing or negative"),
            ]
            faults += self._cost_faults(costs[picked], own["ratio"]) if costed and costs is not None else []
            faults += [(~((value >= 0) & np.isfinite(value)), "the formula gives no number of at least 0")]
            reasons = why[picked]
            self._fault(reasons, reasons < 0, faults)
            why[picked] = reasons
            factor[picked] = value
            points[picked] = own["weight"] * value * readmission[picked]
            rule[picked] = self._number(_rule(formula.text) + self.tail)

        def by_cost(chosen: Any, amount: Floats, what: str, fault: list[tuple[Any, str]]) -> None:
            if not chosen.any():
                return
            self._fault(why, chosen, fault)
            points[chosen] = (amount * self.steps.points_of_yuan * readmission)[chosen]
            rule[chosen] = self._number(f"{what} / mean_cost * scale{self.tail}")

        usual = kinds == CASE_KINDS.index("complete")
        if self.classifier is not None and self.reference is not None and costs is not None:
            ratio = self.classifier.ratio(part)
            names["ratio"] = ratio
            assert self.ratio is not None
            self.ratio[part] = np.where(np.isfinite(ratio), ratio, np.nan)
            usual = self._outliers(part, usual, ratio, names, weigh=weigh, by_cost=by_cost)
            if self.blank is not None:
                weigh(kinds == CASE_KINDS.index("blank"), self.blank, costed=True)
        weigh(usual, self.ordinary, costed=False)

        chosen = kinds == CASE_KINDS.index("incomplete")
        if self.steps.incomplete is not None and chosen.any():
            assert costs is not None and self.row_mean is not None and self.ratio is not None  # noqa: PT018
            with np.errstate(divide="ignore", invalid="ignore"):
                names["ratio"] = costs / self.row_mean[place]
            self.ratio[part][chosen] = np.where(np.isfinite(names["ratio"]), names["ratio"], np.nan)[chosen]
            weigh(chosen, self.steps.incomplete, costed=True)
        chosen = kinds == CASE_KINDS.index("by_item")
        if costs is not None:
            by_cost(chosen, costs, "cost", self._cost_faults(costs, None))
        if self.steps.reasonable is not None:
            amount = self.steps.reasonable[part]
            chosen = kinds == CASE_KINDS.index("special_review")
            bad = ~((amount >= 0) & np.isfinite(amount))
            by_cost(chosen, amount, "reasonable_cost", [(bad, "the reasonable cost is missing or negative")])
        chosen = kinds == CASE_KINDS.index("bed_day")
        if self.steps.days is not None and chosen.any():
            days, daily = self.steps.days[part], np.broadcast_to(self.steps.bed_day_points[part], rows)
            faults = [
                (~(days >= 0), "the days are missing or negative"),
                (~(daily >= 0), "the points of a bed-day are missing or negative"),
            ]
            self._fault(why, chosen, faults)
            points[chosen] = (days * daily * readmission)[chosen]
            rule[chosen] = self._number(f"days * bed_day_points{self.tail}")
        everyone = np.ones(rows, bool)
        self._fault(why, everyone, [(~(readmission >= 0), "the readmission factor is missing or negative")])
        self._fault(why, everyone, [(kinds < 0, "the case has no kind that is known")])
        for filled in (factor, points):
            filled[why >= 0] = np.nan
        rule[why >= 0] = -1
        self.review[part] &= why < 0

    def _outliers(
        self, part: slice, usual: Any, ratio: Floats, names: dict[str, Any], *, weigh: Any, by_cost: Any
    ) -> Any:
        """Price the complete stays by their band; gives back those that remain for the ordinary rule (none)."""
        assert self.policy is not None
        assert self.classifier is not None
        assert self.reference is not None
        assert self.costs is not None
        costs = self.costs[part]
        why, band = self.why[part], self.classifier.bands(part, ratio)
        if self.policy.zero_weight == "item":
            free = usual & (names["weight"] == 0)
            by_cost(free, costs, "cost", self._cost_faults(costs, None))
            usual = usual & ~free
        if self.policy.without_reference is not None:
            lone = usual & ~(self.reference[part] > 0)
            weigh(lone, Expression(f"coefficient * auxiliary * {self.policy.without_reference!r}"), costed=False)
            usual = usual & ~lone
        self.band[part] = np.where(usual, band, -1)
        for number, (payment, formula) in enumerate(self.bands):
            chosen = usual & (band == number)
            if payment == "item":
                by_cost(chosen, costs, "cost", self._cost_faults(costs, ratio))
            elif formula is not None:
                weigh(chosen, formula, costed=True)
                self.review[part] |= chosen & (payment == "review")
            else:
                self._fault(why, chosen, [(chosen, "the policy has no formula for the case")])
        faults = [*self._cost_faults(costs, ratio), (band < 0, "the policy has no edge for the case")]
        # Without a group there is no mean to compare with: the group is what is to be mended.
        if self.row_mean is not None:
            faults.insert(0, (self.place[part] < 0, "the weights have no such group"))
        self._fault(why, usual & (band < 0), faults)
        return np.zeros(len(ratio), bool)

    @staticmethod
    def _cost_faults(costs: Floats, ratio: Floats | None) -> list[tuple[Any, str]]:
        faults = [(~np.isfinite(costs), "the cost is missing"), (costs < 0, "the cost is negative")]
        return faults if ratio is None else [*faults, (~np.isfinite(ratio), "no reference cost above 0")]

    @staticmethod
    def _fault(why: Codes, chosen: Any, faults: list[tuple[Any, str]]) -> None:
        """Note the first fault of each chosen row that has none yet."""
        for wrong, reason in faults:
            why[chosen & wrong & (why < 0)] = _R[reason]

    def result(self, kinds: Codes) -> dict[str, Any]:
        """The columns of the result."""

        def shown(name: str, given: _Parameter) -> dict[str, Any]:
            # A column that the cases have under this very name is there already.
            if not given.asked or given.name == name:
                return {}
            if given.values is None:
                return {name: pa.repeat(given.constant, self.columns.rows)}
            return {name: nullable(given.values)}

        status = np.where(self.why >= 0, 2, np.where(self.review, 1, 0)).astype(np.int8)
        result: dict[str, Any] = {"case_kind": labels(kinds, CASE_KINDS)} if self.steps.shows_kind else {}
        result["weight"] = nullable(self.weight)
        result |= shown("coefficient", self.steps.coefficient)
        result |= shown("auxiliary", self.steps.auxiliary)
        if self.reference is not None:
            result["reference_cost"] = nullable(self.reference)
        if self.ratio is not None:
            result["cost_ratio"] = nullable(self.ratio)
        if self.policy is not None:
            result["outlier"] = labels(self.band, [band.name for band in self.policy.bands])
        result["factor"] = nullable(self.factor)
        result |= shown("readmission_factor", self.steps.readmission)
        return result | {
            "points_rule": labels(self.rule, self.rules),
            "points": nullable(self.points),
            "points_status": labels(status, POINTS_STATUSES),
            "points_reason": labels(self.why, _REASONS),
        }


def _rule(factor: str) -> str:
    """The formula of the points under the formula of their factor."""
    if factor == "1":
        return "weight"
    return f"weight * ({factor})" if "+" in factor or "-" in factor else f"weight * {factor}"


def mark_readmissions(
    cases: Any,
    *,
    days: int,
    factor: float,
    patient: str = "patient",
    same: str | Sequence[str] = "group",
    admitted: str = "admitted",
    discharged: str = "discharged",
    reduced: str = "earlier",
    except_groups: Sequence[str] = (),
    group: str = "group",
) -> Any:
    """Mark stays that are followed by a readmission (再入院) within so many days, with the factor on their points.

    Parameters
    ----------
    cases
        Any table with a row a case.
    days
        A stay that begins at most so many days after the discharge from another is a readmission.
    factor
        What the points of the reduced stay are multiplied by.
    patient
        The column of the patient.
    same
        What must be the same in both stays for the rule to hold: one column or several.
    admitted, discharged
        The columns of the dates.
    reduced
        ``"earlier"`` or ``"later"``: which stay loses points.
    except_groups
        Groups that the rule does not hold for, such as those of radiotherapy and chemotherapy.
    group
        The column of the group, read for the exceptions.

    Returns
    -------
    The caller's table with ``readmission_days`` (from the discharge of the one stay to the admission of the
    other; on the stay that is reduced), ``readmission_factor`` (1 where nothing is reduced) and
    ``readmission_reason`` (within the days; excepted; why it could not be told).

    Notes
    -----
    Rules read: the same DRG within 15 days, the earlier stay's points halved except for radiotherapy and
    chemotherapy (Zhejiang 2019); the same group within 10 days (Jinhua 2017, where the text of the reduction is
    incomplete). The numbers are arguments, for places differ.

    Examples
    --------
    >>> import datetime
    >>> stays = [
    ...     {"admitted": datetime.date(2024, 1, 1), "discharged": datetime.date(2024, 1, 5)},
    ...     {"admitted": datetime.date(2024, 1, 20), "discharged": datetime.date(2024, 1, 25)},
    ... ]
    >>> stays = [stay | {"patient": "P", "group": "A"} for stay in stays]
    >>> [stay["readmission_factor"] for stay in mark_readmissions(stays, days=15, factor=0.5)]
    [0.5, 1.0]
    """
    if days < 0 or not (math.isfinite(factor) and factor >= 0):
        raise PolicyError(f"days={days!r}, factor={factor!r}: give days of at least 0 and a factor of at least 0")
    if reduced not in {"earlier", "later"}:
        raise PolicyError(f"reduced={reduced!r}: say 'earlier' or 'later'")
    keys = [patient, *as_list(same)]
    columns = Columns(cases, [*keys, admitted, discharged, group if except_groups else None])
    found = columns.keys(keys).codes
    begin, end = _days(columns, admitted), _days(columns, discharged)
    unknown = (found < 0) | np.isnan(begin) | np.isnan(end) | (end < begin)
    rows = np.flatnonzero(~unknown)
    order = rows[np.lexsort((end[rows], begin[rows], found[rows]))]
    next_to = found[order[1:]] == found[order[:-1]]
    gap = begin[order[1:]] - end[order[:-1]]
    marked = order[:-1] if reduced == "earlier" else order[1:]
    after = np.full(columns.rows, np.nan)
    after[marked[next_to]] = gap[next_to]
    excepted = np.zeros(columns.rows, bool)
    if except_groups:
        codes, values = columns.codes(group)
        listed = pc.is_in(values, value_set=pa.array([str(name) for name in except_groups], pa.string()))
        excepted = np.append(np.asarray(listed), False)[codes]
    within = (after >= 0) & (after <= days)
    factors = np.where(within & ~excepted, factor, 1.0)
    why = np.full(columns.rows, -1, np.int8)
    why[unknown] = 2
    why[after < 0] = 3
    why[within] = 0
    why[within & excepted] = 1
    reasons = [
        f"{'followed by' if reduced == 'earlier' else 'is'} a readmission within {days} days",
        "a readmission of an excepted group",
        "a key or a date is missing, or the discharge lies before the admission",
        "the stays overlap",
    ]
    return add_columns(
        cases,
        {
            "readmission_days": pa.array(np.nan_to_num(after).astype(np.int64), mask=np.isnan(after)),
            "readmission_factor": factors,
            "readmission_reason": labels(why, reasons),
        },
    )


def _days(columns: Columns, name: str) -> Floats:
    """Dates as days since 1970, NaN where missing."""
    return np.asarray(columns.dates(name).cast(pa.int32()).cast(pa.float64()).to_numpy(zero_copy_only=False))
