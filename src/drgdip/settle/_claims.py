"""Claims of months: what hospitals are owed for the months' cases as they stand on a day, and why it differs later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._columns import Columns
from drgdip._money import add_up, round_over, scaled, split_fen
from drgdip.errors import PolicyError
from drgdip.settle._inputs import NAMES, holds, keys_of, money, on_account, optional_money, pool_rows, texts
from drgdip.settle._sections import rounding_of, section_of
from drgdip.settle.payment import BY_POINTS, FAILED, LATE, PAYMENT_RULES, list_states
from drgdip.settle.policy import Policy
from drgdip.settle.rules import LATE_WAYS, MonthRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Keys
    from drgdip._money import Fen

__all__ = ["KEY", "Claim", "MonthCases", "claim_months", "explain_change"]

KEY = ("hospital", "pool", "month")
_NEEDED = (*KEY, "payable", "standard", "points")


class MonthCases:
    """The cases of months as they stand on a day.

    Attributes
    ----------
    table, keys
        The columns, and the rows by hospital, pool and month.
    owed, standard, patients
        Fen of each case, 0 where there is none.
    away, known, held, counts
        Which cases other regions pay for, which others have a price, which are suspended, and which count.
    points
        Points in whole steps of the policy.
    """

    def __init__(self, cases: Any, policy: Policy | MonthRules, columns: Mapping[str, str] | None) -> None:
        self.table = Columns(cases, columns=columns, optional=NAMES)
        self.rules = section_of(policy, "month", MonthRules)
        budget = self.rules.value == "budget"
        if budget and not isinstance(policy, Policy):
            raise PolicyError("value = budget reads how the cases are paid: give the whole policy")
        self.residual = budget and isinstance(policy, Policy) and policy.cases.payable == "residual"
        more = [*(["payment_rule"] if budget else []), *(["patient_paid"] if self.residual else [])]
        self.table.require([*_NEEDED, *more, *(name for name in ("list_status",) if name in self.table)])
        if isinstance(policy, Policy):
            pool_rows(self.table, policy)
        self.digits = rounding_of(policy).points
        self.keys = keys_of(self.table, KEY)
        self.owed, self.known = optional_money(self.table, "payable")
        self.standard, _ = optional_money(self.table, "standard")
        self.patients = money(self.table, "patient_paid") if self.residual else np.zeros(self.table.rows, np.int64)
        self.points = scaled(self.table.numbers("points"), self.digits, "the points")
        # Other regions pay for these: they have no price here.
        self.away = on_account(self.table, policy) if isinstance(policy, Policy) else np.zeros(self.table.rows, bool)
        self.known &= ~self.away
        self.held = self.known & self._suspended()
        self.counts = self.known & ~self.held

    def _suspended(self) -> NDArray[np.bool_]:
        """Return which rows wait because of their list, or of the lists of their hospital."""
        state, late = list_states(self.table), self.rules.late
        if late is None and (state == LATE).any():
            rows = np.flatnonzero(state == LATE)
            raise PolicyError(
                f"month.late: the policy does not say what a late list does, and {len(rows):,} cases have one, "
                f"the first in row {rows[0]}: say {LATE_WAYS}"
            )
        waits = (state == FAILED) | ((state == LATE) & (late != "pay"))
        if late == "suspend_hospital":
            place = self.table.keys(["hospital", "month"])
            waits |= (np.bincount(place.codes[state == LATE], minlength=place.size) > 0)[place.codes]
        return np.asarray(waits)

    def by_points(self) -> NDArray[np.bool_]:
        """Return which cases are paid by points."""
        return holds(self.table, "payment_rule", PAYMENT_RULES[BY_POINTS])


class Claim(NamedTuple):
    """Fen by key: payable of the cases, what the month's budget changes, the part paid at once, deductions in it."""

    cases: Fen
    change: Fen
    advance: Fen
    covered: Fen

    @property
    def payable(self) -> Fen:
        """The amount that the hospital is owed."""
        return self.cases + self.change

    @property
    def paid(self) -> Fen:
        """The amount that is to be paid before the year's clearing."""
        return self.advance - self.covered


def claim_months(cases: MonthCases, keys: Keys, codes: NDArray[np.integer], budget: Any, taken: Fen) -> Claim:
    """Return the claim of each key.

    The codes of the cases' rows may be below 0: such rows count nowhere. The budget is a table of pool, month and
    amount, or None.
    """
    rules = cases.rules
    owed = add_up(codes, np.where(cases.counts, cases.owed, 0), keys.size)
    change = np.zeros(keys.size, np.int64)
    if rules.value == "budget" or rules.cap:
        change = _by_budget(cases, keys, codes, owed, budget) - owed
    elif budget is not None:
        raise PolicyError("budget= is given, and the policy's months have no budget: say month.value or month.cap")
    ratio = int(rules.ratio.scaleb(12))
    advance = round_over(np.maximum(owed + change, 0), ratio, 10**12)
    return Claim(owed, change, advance, np.minimum(taken, advance))


def _by_budget(cases: MonthCases, keys: Keys, codes: NDArray[np.integer], owed: Fen, budget: Any) -> Fen:
    """Return the payable of each key under the budget of its pool and month."""
    if budget is None:
        raise PolicyError("the policy pays months by their budget: give budget=, a table of pool, month and amount")
    place = Columns(pa.table(keys.table), what="the months").keys(["pool", "month"])
    given = Columns(budget, ["pool", "month", "amount"], what="the table budget=")
    row = Columns(pa.table(place.table), what="the months").match(["pool", "month"], given)
    missing = np.flatnonzero(row < 0)
    if len(missing):
        named = " ".join(f"{name} {column[int(missing[0])]}" for name, column in place.table.items())
        raise PolicyError(f"budget= has no amount for {named}: give one, 0 if there is none")
    amount, known = optional_money(given, "amount")
    if not known.all() or (amount < 0).any():
        raise PolicyError("budget= has an amount that is missing or negative: give yuan of at least 0")
    most = amount[row]
    if cases.rules.value == "budget":
        return _by_points(cases, keys, codes, most, place.codes)
    total = add_up(place.codes, owed, place.size)
    cut = np.minimum(total, most)
    # A hospital that owes keeps its debt: the cut is borne by those that are owed money.
    return owed - split_fen(total - cut, np.maximum(owed, 0), place.codes)


def _by_points(cases: MonthCases, keys: Keys, codes: NDArray[np.integer], most: Fen, place: NDArray[np.integer]) -> Fen:
    """Return the month's budget, less the cases paid otherwise, split by points; patients' payments are part of it."""
    by_points = cases.counts & cases.by_points()

    def of(rows: NDArray[np.bool_], values: Fen) -> Fen:
        """Add up the values of some rows by key."""
        return add_up(codes, np.where(rows, values, 0), keys.size)

    outside = of(cases.counts & ~by_points, cases.owed)
    patients = of(by_points, cases.patients)
    points = of(by_points, cases.points)
    whole = most - add_up(place, outside, len(most)) + add_up(place, patients, len(most))
    whole = np.where(add_up(place, points, len(most)) > 0, whole, 0)
    if (whole < 0).any():
        raise PolicyError("budget= of a month is less than what its cases cost that are not paid by points")
    return split_fen(whole, points, place) - patients + outside


def explain_change(
    now: MonthCases, before: MonthCases | None, new: NDArray[np.bool_], keys: Keys, codes: Any, old_codes: Any
) -> tuple[list[tuple[int, str, int, int]], Fen]:
    """Return why the payable of the cases differs from the day of the last payment.

    Without earlier cases, those of keys that were paid before give no reason.

    Returns
    -------
    Rows of key, reason, cases and fen; and by key the fen that they explain.
    """
    rows = np.flatnonzero(now.counts & (codes >= 0) & new[codes])
    parts = [(codes[rows], np.zeros(len(rows), np.int64), now.owed[rows])]
    names = ["first_payment"]
    if before is not None:
        more, names = _changes(now, before, ~new, codes, old_codes), [*names, *_REASONS]
        parts.append(more)
    key, reason, fen = (np.concatenate(column) for column in zip(*parts, strict=True))
    slot = key.astype(np.int64) * len(names) + reason
    found, inverse = np.unique(slot, return_inverse=True)
    sums, number = add_up(inverse, fen, len(found)), np.bincount(inverse, minlength=len(found))
    lines = [
        (int(one) // len(names), names[int(one) % len(names)], int(count), int(amount))
        for one, count, amount in zip(found, number, sums, strict=True)
        if amount
    ]
    return lines, add_up(key, fen, keys.size)


#: Why a case is worth something else than at the last payment.
_REASONS = ("late_list", "corrected_list", "review_outcome", "price_found", "list_suspended", "price_lost", "withdrawn")


def _changes(
    now: MonthCases, before: MonthCases, paid: NDArray[np.bool_], codes: Any, old_codes: Any
) -> tuple[Any, Any, Any]:
    """Return key, reason (from 1) and fen of each case that counts for more or less than before."""
    for cases in (now, before):
        cases.table.require(["case_id"])
    match = now.table.match(["case_id"], before.table)
    there = match >= 0
    same = there & (old_codes[match] == codes)
    worth, was = np.where(now.counts, now.owed, 0), np.where(before.counts, before.owed, 0)
    old = np.where(same, was[match], 0)
    other_review = there & np.asarray(_differs(now, before, match))
    held = same & before.held[match]
    unpriced = same & ~before.known[match]
    reason = np.select(
        [
            now.counts & (~there | held),
            now.counts & other_review,
            now.counts & unpriced,
            ~now.counts & now.held,
            ~now.counts,
        ],
        [0, 2, 3, 4, 5],
        1,
    )
    mine = np.flatnonzero((codes >= 0) & paid[codes] & (worth != old))
    # A case that moved to another month, pool or hospital, or that was taken back, leaves its old place.
    stays = np.zeros(before.table.rows, bool)
    stays[match[same]] = True
    left = np.flatnonzero(~stays & (old_codes >= 0) & (was != 0))
    left = left[paid[old_codes[left]]]
    moved = np.isin(left, match[there])
    return (
        np.concatenate([codes[mine], old_codes[left]]),
        np.concatenate([reason[mine], np.where(moved, 1, 6)]) + 1,
        np.concatenate([(worth - old)[mine], -was[left]]),
    )


def _differs(now: MonthCases, before: MonthCases, match: NDArray[np.integer]) -> Any:
    """Return which cases have another outcome of special review than before."""
    one, other = texts(now.table, "review_status"), texts(before.table, "review_status")
    other = other.take(pa.array(match, mask=match < 0))
    return pc.not_equal(pc.fill_null(one, ""), pc.fill_null(other, ""))
