"""The account of a year: from the money of each hospital to the amount still to be paid, with every sum checked."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._money import add_up, exact, round_over, rounded, scaled, split_fen, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import amounts_by, known_numbers, matched, places
from drgdip.settle.audits import deducted_by
from drgdip.settle.ledger import Ledger
from drgdip.settle.payments import paid_by

if TYPE_CHECKING:
    from drgdip._money import Fen
    from drgdip.settle._capped import Capped
    from drgdip.settle._pools import Division
    from drgdip.settle._year import YearSums
    from drgdip.settle.payments import Payments
    from drgdip.settle.policy import Policy

__all__ = ["Account"]

# Appraisal coefficients and shares are whole multiples of 10 ** -12.
_DIGITS = 12
_ONE = 10**_DIGITS
_POOL_MONEY = ("budget", "spending", "surplus", "shared", "retained", "fund", "outside")


class Account:
    """The account of a year, worked out in steps: `appraise`, `settle`, `check`, then its tables."""

    def __init__(self, year: YearSums, policy: Policy, division: Division, *, pre_clearing: bool) -> None:
        self.year, self.policy, self.division, self.pre_clearing = year, policy, division, pre_clearing
        self.where = places(year.keys)
        self.earned: Fen = division.base + division.sharing + division.retention + year.outside
        self.factor: Fen = np.full(year.size, _ONE, np.int64)
        self.appraised = self.earned
        self.capped: Capped | None = None
        self.over_cap = self.over_growth = np.zeros(year.size, np.int64)
        self.taken = self.kept = self.advanced = self.before = self.entitlement = self.final = np.zeros(
            year.size, np.int64
        )

    def appraise(self, given: Any) -> None:
        """Multiply the money by the appraisal coefficients; the difference is the fund's or goes among hospitals."""
        rules = self.policy.appraisal
        if given is not None:
            self._read_factors(given)
        # A hospital that owes keeps its debt: a bad appraisal must not make it less.
        self.appraised = np.where(
            self.earned > 0, round_over(np.maximum(self.earned, 0), self.factor, _ONE), self.earned
        )
        if rules is not None and rules.difference == "hospitals":
            taken = self._by_pool(self.earned - self.appraised)
            gets = np.maximum(self.appraised, 0)
            gets = np.where((taken != 0)[self.year.pool], gets, 0)
            if (taken[self._by_pool(gets) == 0] != 0).any():
                raise PolicyError("appraisal= takes all money of a pool, and nobody is left to get it")
            self.appraised = self.appraised + split_fen(taken, gets, self.year.pool)

    def _read_factors(self, given: Any) -> None:
        """Read the coefficients. Raise PolicyError for one outside the policy's bounds."""
        rules = self.policy.appraisal
        if rules is None:
            raise PolicyError(f"policy {self.policy.id!r} has no appraisal: add [appraisal] with its bounds")
        table, row = matched(given, ["appraisal"], self.year.keys, "appraisal")
        if len(np.unique(row)) < len(row):
            raise PolicyError("appraisal= has a hospital twice in one pool: leave one of the rows")
        self.factor[row] = scaled(known_numbers(table, "appraisal"), _DIGITS, "appraisal")
        low, high = (int(exact(edge, "appraisal").scaleb(_DIGITS)) for edge in (rules.lowest, rules.highest))
        bad = np.flatnonzero((self.factor[row] < low) | (self.factor[row] > high))
        if len(bad):
            place = int(row[bad[0]])
            raise PolicyError(
                f"appraisal= of {self.where[place]} is {self.factor[place] / _ONE:g}, "
                f"and the policy has {rules.lowest} to {rules.highest}"
            )

    def cap(self, capped: Capped) -> None:
        """Take off what is above the caps on money and growth. It stays with the fund."""
        self.capped = capped
        self.over_cap, self.over_growth = capped.money, capped.growth

    def take(self, deductions: Any, deposits_kept: Any) -> None:
        """Take off audit deductions and deposits that are not given back, which gives the entitlement."""
        self.taken = deducted_by(deductions, self.year.keys)
        self.kept = amounts_by(deposits_kept, "deposit_kept", self.year.keys, "deposits_kept")
        self.entitlement = self.appraised - self.over_cap - self.over_growth - self.taken - self.kept

    def settle(self, *, paid: Any, working_capital: Any) -> None:
        """Take off payments and advances, which gives the amount still to be paid."""
        keys = self.year.keys
        self._pay(
            amounts_by(paid, "paid", keys, "paid", signed=True),
            amounts_by(working_capital, "working_capital", keys, "working_capital"),
        )

    def settle_payments(self, payments: Payments) -> None:
        """Take off payments of every kind; prepayments are the advances."""
        ahead, keys = payments.of("prepayment"), self.year.keys
        self._pay(paid_by(payments, ~ahead, keys), paid_by(payments, ahead, keys))

    def _pay(self, before: Fen, advanced: Fen) -> None:
        self.before, self.advanced = before, advanced
        ratio = self.policy.year.preclearing_ratio
        self.final = self.entitlement - self.before - self.advanced
        if self.pre_clearing and ratio is not None:
            due = round_over(self.entitlement, int(ratio.scaleb(_DIGITS)), _ONE)
            self.final = np.maximum(due - self.before - self.advanced, 0)

    def check(self) -> pa.Table:
        """Return the ledger of the account. Raise InvariantError where a sum does not agree."""
        year, policy = self.year, self.policy
        ledger = Ledger("clear year")
        check, where, pools = ledger.check, self.where, [f"pool {pool}" for pool in policy.pools]
        changed = self.appraised - self.earned
        check("hospitals' money = fund of the pool", pools, self._by_pool(self.earned), self._of("fund"), total=False)
        check(
            "hospitals' points = points of the cases + change",
            pools,
            self._by_pool(year.points),
            year.pool_points + self._by_pool(year.change),
            digits=policy.rounding.points,
            unit="points",
            total=False,
        )
        check(
            "hospitals' spending = spending of the cases", pools, self._of("spending"), year.pool_spending, total=False
        )
        if policy.year.fund == "shared" and policy.form != "fixed":
            check("sharing = the hospitals' part", pools, self._by_pool(self.division.sharing), self._of("shared"))
        if policy.institutions is not None:
            kept = self._by_pool(self.division.retention)
            check("hospitals' retention = retention of the pool", pools, kept, self._of("retained"), total=False)
        if policy.appraisal is None or policy.appraisal.difference == "hospitals":
            both = (self._by_pool(part) for part in (self.appraised, self.earned))
            check("appraisal moves money only between hospitals", pools, *both)
        check(
            "entitlement + deductions + deposit kept - appraisal change = money",
            where,
            self.entitlement + self.taken + self.kept - changed + self.over_cap + self.over_growth,
            self.earned,
        )
        if self.capped is not None and len(self.capped.lines):
            over = self.over_cap + self.over_growth
            lines = amounts_by(self.capped.lines, "deductions", year.keys, "caps")
            check("lines of caps = money above caps and growth", where, lines, over)
        if not self.pre_clearing:
            settled = self.before + self.advanced + self.final
            check("paid + working capital + final = entitlement", where, settled, self.entitlement)
        cases = len(year.keys.codes)
        check("counted + not counted = cases", ["all"], int(year.number.sum()), cases, digits=0, unit="cases")
        return ledger.table()

    def table(self) -> pa.Table:
        """Return the account of each hospital and pool."""
        year, unit = self.year, 10.0**self.policy.rounding.points
        return pa.table(
            {
                **year.keys.table,
                "cases": year.number,
                "not_counted": year.not_counted,
                "cross_region": year.away,
                "points": year.points / unit,
                "points_change": year.change / unit,
                "total_cost": to_yuan(year.cost),
                "standard": to_yuan(year.standard),
                "fund_booked": to_yuan(year.booked),
                "patient_paid": to_yuan(year.patients),
                "excluded": to_yuan(year.excluded),
                "outside": to_yuan(year.outside),
                "base": to_yuan(self.division.base),
                "sharing": to_yuan(self.division.sharing),
                "retention": to_yuan(self.division.retention),
                "appraisal": self.factor / 1e12,
                "appraisal_change": to_yuan(self.appraised - self.earned),
                "over_cap": to_yuan(self.over_cap),
                "over_growth": to_yuan(self.over_growth),
                "deductions": to_yuan(self.taken),
                "deposit_kept": to_yuan(self.kept),
                "entitlement": to_yuan(self.entitlement),
                "paid": to_yuan(self.before),
                "working_capital": to_yuan(self.advanced),
                "final": to_yuan(self.final),
            }
        )

    def pools(self) -> pa.Table:
        """Return the account of each pool."""
        digits, pools = self.policy.rounding.values, self.division.pools
        owed = self._by_pool(self.entitlement)
        return pa.table(
            {
                "pool": pa.array(self.policy.pools),
                **{name: to_yuan(self._of(name)) for name in _POOL_MONEY},
                "patient_paid": to_yuan(self._by_pool(self.year.patients)),
                "points": self._of("points") / 10.0**self.policy.rounding.points,
                "fund_share": pa.array([_shown(pool.ratio, _DIGITS) for pool in pools], pa.decimal128(20, _DIGITS)),
                "point_value": pa.array([_shown(pool.value, digits) for pool in pools], pa.decimal128(30, digits)),
                "appraisal_change": to_yuan(self._by_pool(self.appraised - self.earned)),
                "over_cap": to_yuan(self._by_pool(self.over_cap)),
                "over_growth": to_yuan(self._by_pool(self.over_growth)),
                "deductions": to_yuan(self._by_pool(self.taken)),
                "deposit_kept": to_yuan(self._by_pool(self.kept)),
                "entitlement": to_yuan(owed),
                "left": to_yuan(self._of("budget") - owed),
            }
        )

    def _by_pool(self, values: Fen) -> Fen:
        return add_up(self.year.pool, values, len(self.policy.pools))

    def _of(self, name: str) -> Fen:
        """Return a whole number of each pool."""
        return np.array([getattr(pool, name) for pool in self.division.pools], np.int64)


def _shown(number: Decimal | None, digits: int) -> Decimal | None:
    """Return a number with so many decimals, rounded half away from zero."""
    return None if number is None else Decimal(rounded(number, digits)).scaleb(-digits)
