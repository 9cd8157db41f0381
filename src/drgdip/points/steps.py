"""The steps by which a case gets its points: by its kind, its band of outliers, its coefficients and its costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._columns import Reasons, labels, nullable
from drgdip.errors import PolicyError
from drgdip.points.expressions import Expression
from drgdip.points.outliers import Classifier, cost_faults, reference_costs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drgdip._columns import Codes, Columns, Floats
    from drgdip.points.outlier_policies import OutlierPolicy

__all__ = ["CASE_KINDS", "INCOMPLETE_NAMES", "POINTS_STATUSES", "Parameter", "Pricing", "Steps"]

#: How a case is counted: a complete stay; one that ended early; by the day (按床日); by the cost that special review
#: (特例单议) found reasonable; by item (按项目); in a blank group (空白病组) of a DIP catalogue.
CASE_KINDS = ("complete", "incomplete", "bed_day", "special_review", "by_item", "blank")
_COMPLETE, _INCOMPLETE, _BED_DAY, _SPECIAL_REVIEW, _BY_ITEM, _BLANK = range(len(CASE_KINDS))
#: priced: the points stand; review: they stand until special review; unpriced: there are none, the reason says why.
POINTS_STATUSES = ("priced", "review", "unpriced")
_PRICED, _REVIEW, _UNPRICED = range(len(POINTS_STATUSES))
#: The names that the formula of incomplete stays may use.
INCOMPLETE_NAMES = ("ratio", "coefficient", "auxiliary")


class Parameter:
    """A number for all cases, or a column of them."""

    def __init__(self, columns: Columns, given: str | float | None, default: float) -> None:
        self.asked = given is not None
        self.name = columns.own_name(given) if isinstance(given, str) else None
        self.values = columns.numbers(given) if isinstance(given, str) else None
        self.constant = float(default if given is None else given) if not isinstance(given, str) else math.nan

    def of(self, part: slice) -> Floats:
        """Return the numbers of a block of rows."""
        rows = part.stop - part.start
        return np.broadcast_to(np.float64(self.constant), rows) if self.values is None else self.values[part]

    def shown(self, name: str, rows: int) -> dict[str, Any]:
        """Return the column of the result under a name; none where the caller's table has it already."""
        if not self.asked or self.name == name:
            return {}
        return {name: pa.repeat(self.constant, rows) if self.values is None else nullable(self.values)}


@dataclass(frozen=True, slots=True)
class Steps:
    """The numbers and formulas of the points, beside the weights and the outlier policy."""

    coefficient: Parameter
    auxiliary: Parameter
    readmission: Parameter
    bed_day_points: Parameter
    days: Floats | None
    reasonable: Floats | None
    points_of_yuan: float
    incomplete: Expression | None
    shows_kind: bool


@dataclass(slots=True)
class _Block:
    """A block of rows under work: its columns, and the numbers that formulas may use by their names."""

    part: slice
    kinds: Codes
    place: Codes
    names: dict[str, Any]
    readmission: Floats
    costs: Floats | None


class Pricing:
    """The arrays that pricing fills, a block of rows at a time."""

    def __init__(
        self,
        columns: Columns,
        policy: OutlierPolicy | None,
        prices: Columns,
        steps: Steps,
        present: set[str],
        reference: Any,
        left_out: NDArray[np.bool_],
    ) -> None:
        self.columns, self.policy, self.steps = columns, policy, steps
        self.left_out = left_out
        self.place = np.where(left_out, -1, columns.match(["group"], prices))
        # The last entry is for cases whose group has no row.
        self.row_weight = np.append(prices.numbers("weight"), np.nan)
        self.row_mean = np.append(prices.numbers("mean"), np.nan) if "mean" in prices else None
        if "incomplete" in present and self.row_mean is None:
            raise PolicyError(
                "there are incomplete stays, which are compared with their group's mean: "
                "the weights need a column 'mean'"
            )
        rows = columns.rows
        costed = policy is not None or bool(present - {"complete", "bed_day", "special_review"})
        self.costs = columns.numbers("total_cost") if costed else None
        self.weight = np.empty(rows)
        self.factor = np.full(rows, np.nan)
        self.points = np.full(rows, np.nan)
        self.ratio = np.full(rows, np.nan) if costed else None
        self.rule = np.full(rows, -1, np.int8)
        self.band = np.full(rows, -1, np.int8)
        self.review = np.zeros(rows, bool)
        self.reasons = Reasons(rows)
        self.rules: list[str] = []
        asked = {"coefficient": steps.coefficient.asked, "auxiliary": steps.auxiliary.asked}
        self.ordinary = Expression(" * ".join(name for name in asked if asked[name]) or "1")
        self.tail = " * readmission_factor" if steps.readmission.asked else ""
        self.reference: Floats | None = None
        self.classifier: Classifier | None = None
        self.bands: list[tuple[str, Expression | None]] = []
        self.blank: Expression | None = None
        if policy is not None:
            self._classify_by(policy, reference)

    def _classify_by(self, policy: OutlierPolicy, reference: Any) -> None:
        """Prepare the denominators, the edges and the formulas of a policy."""
        if reference is not None:
            self.reference = reference_costs(self.columns, reference, policy)
        elif policy.denominator != "group_mean":
            raise PolicyError(f"the policy divides by {policy.denominator}: give reference= its column or table")
        elif self.row_mean is None:
            raise PolicyError(
                "the policy divides by the group's mean: the weights need a column 'mean', or give reference="
            )
        else:
            self.reference = self.row_mean[self.place]
        assert self.costs is not None
        values = self.steps.coefficient.values
        self.classifier = Classifier(
            policy,
            self.columns,
            costs=self.costs,
            reference=self.reference,
            coefficient=self.steps.coefficient.constant if values is None else values,
            weight=self.row_weight[self.place] if "weight" in policy.needs else None,
        )
        for band in policy.bands:
            self.bands.append((band.payment, None if band.formula is None else Expression(band.formula)))
        self.blank = None if policy.blank is None else Expression(policy.blank)

    def price(self, part: slice, kinds: Codes) -> None:
        """Fill the arrays for a block of rows."""
        place = self.place[part]
        self.weight[part] = self.row_weight[place]
        names: dict[str, Any] = {
            "weight": self.weight[part],
            "coefficient": self.steps.coefficient.of(part),
            "auxiliary": self.steps.auxiliary.of(part),
        }
        costs = None if self.costs is None else self.costs[part]
        block = _Block(part, kinds, place, names, self.steps.readmission.of(part), costs)
        usual = kinds == _COMPLETE
        by_group = usual | (kinds == _INCOMPLETE) | (kinds == _BLANK)
        self.reasons.note(self.left_out[part] & by_group, "not_grouped", part)
        if self.classifier is None:
            self._weigh(block, usual, self.ordinary)
        else:
            self._price_by_band(block, usual)
            if self.blank is not None:
                self._weigh(block, kinds == _BLANK, self.blank, costed=True)
        if self.steps.incomplete is not None:
            self._price_incomplete(block, self.steps.incomplete)
        if costs is not None:
            self._price_by_cost(block, kinds == _BY_ITEM, costs, "cost", cost_faults(costs))
        if self.steps.reasonable is not None:
            amount = self.steps.reasonable[part]
            faults = [(~((amount >= 0) & np.isfinite(amount)), "bad_reasonable_cost")]
            self._price_by_cost(block, kinds == _SPECIAL_REVIEW, amount, "reasonable_cost", faults)
        if self.steps.days is not None:
            self._price_by_day(block, self.steps.days[part])
        self.reasons.note(~(block.readmission >= 0), "bad_readmission_factor", part)
        self.reasons.note(kinds < 0, "unknown_case_kind", part)
        without = self.reasons.noted[part]
        for filled in (self.factor, self.points):
            filled[part][without] = np.nan
        self.rule[part][without] = -1
        self.review[part] &= ~without

    def _weigh(self, block: _Block, chosen: Any, formula: Expression, *, costed: bool = False) -> None:
        """Price chosen rows by weight x formula x readmission factor, or note why that cannot be."""
        picked = np.flatnonzero(chosen)
        if not len(picked):
            return
        # Formulas are worked out for the rows they are for, which are often few.
        own = {name: column[picked] for name, column in block.names.items()}
        value = np.broadcast_to(formula(own), len(picked))
        faults = [
            (block.place[picked] < 0, "group_not_in_weights"),
            (~(own["weight"] >= 0), "group_without_weight"),
            (~(own["coefficient"] >= 0), "bad_coefficient"),
            (~(own["auxiliary"] >= 0), "bad_auxiliary"),
        ]
        if costed and block.costs is not None:
            faults += cost_faults(block.costs[picked], own["ratio"])
        faults.append((~((value >= 0) & np.isfinite(value)), "no_formula_value"))
        rows = picked + block.part.start
        for wrong, code in faults:
            self.reasons.note(wrong, code, rows)
        self.factor[rows] = value
        self.points[rows] = own["weight"] * value * block.readmission[picked]
        self.rule[rows] = self._number(_rule(formula.text) + self.tail)

    def _price_by_cost(
        self, block: _Block, chosen: Any, amount: Floats, what: str, faults: list[tuple[Any, str]]
    ) -> None:
        """Price chosen rows by an amount in yuan."""
        if not chosen.any():
            return
        self._note(block, chosen, faults)
        self.points[block.part][chosen] = (amount * self.steps.points_of_yuan * block.readmission)[chosen]
        self.rule[block.part][chosen] = self._number(f"{what} / mean_cost * scale{self.tail}")

    def _price_by_day(self, block: _Block, days: Floats) -> None:
        """Price bed-day cases by their days."""
        chosen = block.kinds == _BED_DAY
        if not chosen.any():
            return
        daily = self.steps.bed_day_points.of(block.part)
        self._note(block, chosen, [(~(days >= 0), "bad_days"), (~(daily >= 0), "bad_bed_day_points")])
        self.points[block.part][chosen] = (days * daily * block.readmission)[chosen]
        self.rule[block.part][chosen] = self._number(f"days * bed_day_points{self.tail}")

    def _price_incomplete(self, block: _Block, formula: Expression) -> None:
        """Price incomplete stays by their cost over the mean of their group."""
        chosen = block.kinds == _INCOMPLETE
        if not chosen.any():
            return
        assert block.costs is not None
        assert self.row_mean is not None
        assert self.ratio is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = block.costs / self.row_mean[block.place]
        block.names["ratio"] = ratio
        self.ratio[block.part][chosen] = np.where(np.isfinite(ratio), ratio, np.nan)[chosen]
        self._weigh(block, chosen, formula, costed=True)

    def _price_by_band(self, block: _Block, usual: Any) -> None:
        """Price the complete stays by their band of the outlier policy."""
        assert self.policy is not None
        assert self.classifier is not None
        assert self.reference is not None
        assert self.ratio is not None
        assert block.costs is not None
        part = block.part
        ratio = self.classifier.ratio(part)
        block.names["ratio"] = ratio
        self.ratio[part] = np.where(np.isfinite(ratio), ratio, np.nan)
        band = self.classifier.bands(part, ratio)
        if self.policy.zero_weight == "item":
            free = usual & (block.names["weight"] == 0)
            self._price_by_cost(block, free, block.costs, "cost", cost_faults(block.costs))
            usual = usual & ~free
        if self.policy.without_reference is not None:
            lone = usual & ~(self.reference[part] > 0)
            self._weigh(block, lone, Expression(f"coefficient * auxiliary * {self.policy.without_reference!r}"))
            usual = usual & ~lone
        self.band[part] = np.where(usual, band, -1)
        faults = cost_faults(block.costs, ratio)
        for number, (payment, formula) in enumerate(self.bands):
            chosen = usual & (band == number)
            if payment == "item":
                self._price_by_cost(block, chosen, block.costs, "cost", faults)
            elif formula is not None:
                self._weigh(block, chosen, formula, costed=True)
                self.review[part] |= chosen & (payment == "review")
            else:
                self.reasons.note(chosen, "no_formula", part)
        # Without a group there is no mean to compare with: the group is what is to be mended.
        grouped = [] if self.row_mean is None else [(block.place < 0, "group_not_in_weights")]
        unknown = usual & (band < 0)
        self._note(block, unknown, [*grouped, *faults, (unknown, "no_edge")])

    def _note(self, block: _Block, chosen: Any, faults: list[tuple[Any, str]]) -> None:
        """Note the first fault of each chosen row that has none yet."""
        for wrong, code in faults:
            self.reasons.note(chosen & wrong, code, block.part)

    def _number(self, text: str) -> int:
        """Return the number of a formula among those that were used."""
        if text not in self.rules:
            self.rules.append(text)
        return self.rules.index(text)

    def result(self, kinds: Codes) -> dict[str, Any]:
        """Return the columns of the result."""
        steps, rows = self.steps, self.columns.rows
        status = np.where(self.reasons.noted, _UNPRICED, np.where(self.review, _REVIEW, _PRICED)).astype(np.int8)
        result: dict[str, Any] = {"case_kind": labels(kinds, CASE_KINDS)} if steps.shows_kind else {}
        result["weight"] = nullable(self.weight)
        result |= steps.coefficient.shown("coefficient", rows)
        result |= steps.auxiliary.shown("auxiliary", rows)
        if self.reference is not None:
            result["reference_cost"] = nullable(self.reference)
        if self.ratio is not None:
            result["cost_ratio"] = nullable(self.ratio)
        if self.policy is not None:
            result["outlier"] = labels(self.band, [band.name for band in self.policy.bands])
        result["factor"] = nullable(self.factor)
        result |= steps.readmission.shown("readmission_factor", rows)
        return result | {
            "points_rule": labels(self.rule, self.rules),
            "points": nullable(self.points),
            "points_status": labels(status, POINTS_STATUSES),
            "points_reason": self.reasons.column(),
        }


def _rule(factor: str) -> str:
    """Return the formula of the points under the formula of their factor."""
    if factor == "1":
        return "weight"
    return f"weight * ({factor})" if "+" in factor or "-" in factor else f"weight * {factor}"
