"""The sums of a year's cases, by hospital and pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._columns import Columns
from drgdip._money import add_up, scaled
from drgdip.errors import CaseError, PolicyError
from drgdip.settle._inputs import NAMES, keys_of, known_numbers, matched, on_account, optional_money, places, pool_rows
from drgdip.settle.payment import BY_POINTS, FAILED, PAYMENT_RULES, list_states
from drgdip.settle.payments import join_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Keys
    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = ["YearSums"]

_NEEDED = ("hospital", "pool", "points", "payment_rule", "standard", "payable", "total_cost", "fund_booked")
# A case is not counted, is paid otherwise, is paid by points, or is paid by another region.
_NOT_COUNTED, _OTHERWISE, _BY_POINTS, _AWAY = range(4)
_STATES = 4


class YearSums:
    """The sums of a year by hospital and pool: money in fen, points in whole multiples of the policy's smallest step.

    Attributes
    ----------
    keys, pool
        The hospitals and pools, and the number of the pool of each.
    number, not_counted, away
        Cases, of them those that failed or have no price, and those that other regions pay for.
    points, change
        Points of the cases with rewards and penalties, and these alone.
    cost, booked, payable, standard
        All counted cases that the budget pays for.
    outside
        Payable of the counted cases that are not paid by points.
    excluded
        Amounts for new items outside the group, of the cases paid by points.
    by_points_cost, by_points_booked, patients
        Cost, booked amount and patients' payments of the cases paid by points.
    pool_points, pool_spending
        Sums of the cases by pool, added up past the hospitals.
    """

    def __init__(self, cases: Any, policy: Policy, columns: Mapping[str, str] | None, more: Sequence[Keys]) -> None:
        residual = ["patient_paid"] if policy.cases.payable == "residual" else []
        table = Columns(cases, columns=columns, optional=NAMES)
        table.require([*_NEEDED, *residual, *(name for name in ("list_status",) if name in table)])
        if not table.rows:
            raise CaseError("no cases are left: a year is cleared from its cases")
        self.policy = policy
        pool_of_case = pool_rows(table, policy)
        self.keys: Keys = join_keys(keys_of(table, ["hospital", "pool"]), *more)
        self.size = self.keys.size
        self.pool = pool_rows(Columns(pa.table(self.keys.table), what="payments= and deductions="), policy)
        payable, known = optional_money(table, "payable")
        counts = known & (list_states(table) != FAILED)
        away = counts & on_account(table, policy)
        by_points = _by_points(table) & ~away
        points = _points(table, policy, counts & by_points)
        # One pass over a column gives the sums of all three states of a case.
        state = np.where(counts, np.where(by_points, _BY_POINTS, _OTHERWISE), _NOT_COUNTED).astype(np.int32)
        state[away] = _AWAY
        slot = self.keys.codes * np.int32(_STATES) + state

        def parts(values: Fen) -> tuple[Fen, Fen]:
            """Return the sums of the cases paid otherwise, and of those paid by points."""
            found = add_up(slot, values, _STATES * self.size).reshape(self.size, _STATES)
            return found[:, _OTHERWISE], found[:, _BY_POINTS]

        tally = np.bincount(slot, minlength=_STATES * self.size).reshape(self.size, _STATES)
        self.number, self.not_counted, self.away = tally.sum(axis=1), tally[:, _NOT_COUNTED], tally[:, _AWAY]
        self.change: Fen = np.zeros(self.size, np.int64)
        self.points = parts(points)[1]
        # The audit has seen to amounts that are missing or below 0.
        booked, cost = (optional_money(table, name)[0] for name in ("fund_booked", "total_cost"))
        other_cost, self.by_points_cost = parts(cost)
        other_booked, self.by_points_booked = parts(booked)
        self.outside, payable_by_points = parts(payable)
        self.cost, self.booked = other_cost + self.by_points_cost, other_booked + self.by_points_booked
        self.payable = self.outside + payable_by_points
        self.standard: Fen = np.add(*parts(optional_money(table, "standard")[0]))
        self.patients = (
            parts(optional_money(table, "patient_paid")[0])[1] if residual else np.zeros(self.size, np.int64)
        )
        new_items = optional_money(table, "excluded_amount")[0] if policy.exclusion is not None else None
        self.excluded: Fen = np.zeros(self.size, np.int64) if new_items is None else parts(new_items)[1]
        # Added up from the cases by pool, past the hospitals, to be compared with the sums of the hospitals.
        pools = len(policy.pools)
        slot_of_pool = np.asarray(pool_of_case * _STATES + state, np.int32)
        spending = booked if policy.year.spending == "booked" else payable
        spent = add_up(slot_of_pool, spending, _STATES * pools).reshape(pools, _STATES)
        self.pool_points = add_up(slot_of_pool, points, _STATES * pools).reshape(pools, _STATES)[:, _BY_POINTS]
        self.pool_spending = spent[:, _OTHERWISE] + spent[:, _BY_POINTS]

    def change_points(self, given: Any) -> None:
        """Add rewards and take off penalties."""
        if given is None:
            return
        table, row = matched(given, ["points_change"], self.keys, "points_change")
        change = scaled(known_numbers(table, "points_change"), self.policy.rounding.points, "points_change")
        self.change = add_up(row, change, self.size)
        bad = np.flatnonzero(self.points + self.change < 0)
        if len(bad):
            raise PolicyError(f"points_change= takes more points than there are at {places(self.keys)[bad[0]]}")
        self.points = self.points + self.change


def _by_points(table: Columns) -> NDArray[np.bool_]:
    """Return which cases are paid by points."""
    codes, values = table.codes("payment_rule")
    names = values.to_pylist()
    for name in names:
        if name not in PAYMENT_RULES:
            raise CaseError(f"payment_rule holds {name!r}: it is one of {', '.join(PAYMENT_RULES)}")
    return np.array([*(name == PAYMENT_RULES[BY_POINTS] for name in names), False])[codes]


def _points(table: Columns, policy: Policy, needed: NDArray[np.bool_]) -> Fen:
    """Return the points of each case in whole steps. Raise CaseError where a case that needs them has none."""
    number = table.numbers("points")
    bad = np.flatnonzero(needed & ~(number >= 0))
    if len(bad):
        raise CaseError(
            f"column 'points' of the cases is {'missing' if np.isnan(number[bad[0]]) else 'negative'} "
            f"in row {bad[0]}, which is paid by points: price the cases with price_cases, which says why"
        )
    return scaled(number, policy.rounding.points, "the points")
