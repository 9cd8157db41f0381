"""Caps (总量控制): on the volume of cases, on money, and on the growth of a mean amount per discharge."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrays import is_text
from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, Reasons, add_columns, nullable
from drgdip._exact import exactly
from drgdip._money import add_up, read_money, round_over, rounded, scaled, split_fen, to_yuan
from drgdip.errors import CaseError, PolicyError
from drgdip.settle._inputs import NAMES, holds, keys_of, on_account, optional_money, places
from drgdip.settle._sections import rounding_of, section_of
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.money_rules import CapRules
from drgdip.settle.payment import FAILED, LIST_STATUSES
from drgdip.settle.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Keys
    from drgdip._money import Fen

__all__ = ["VOLUME_COLUMNS", "MoneyCap", "cap_money", "cap_volumes", "deduct_growth", "excess_step", "find_excess"]

#: The columns that a cap of volume adds.
VOLUME_COLUMNS = ("over_volume", "volume_reason")

_KEYS = ("hospital", "pool", "group", "level")
# Shares and growth rates are whole multiples of 10 ** -12.
_DIGITS = 12
_ONE = 10**_DIGITS


@exactly
@reads_once
def cap_volumes(cases: Any, caps: Any, policy: Policy | CapRules, *, columns: Mapping[str, str] | None = None) -> Step:
    """Cap the number of cases of a group or institution: those above the cap lose part of their points.

    Parameters
    ----------
    cases
        Cases with ``points``, ``discharged``, ``case_id`` and the keys of the caps. They count in the order of their
        discharge, then of their number. A case without points, one whose list failed (``list_status``) and, under a
        whole policy, one that another region pays for (``cross_region``) do not count.
    caps
        A table with ``cap`` (a number of cases) and its key: one or more of ``hospital``, ``pool``, ``group`` and
        ``level``. Other cases have no cap.
    policy
        A policy with ``caps.volume_factor``, or that section: the share of the points of a case above the cap.
    columns
        The table's names of columns by the library's names, such as ``{"group": "病组"}``.

    Returns
    -------
    Table: the caller's table with ``over_volume`` (true or false), ``volume_reason`` (a code with the factor), and less
    points in its own column of them. Ledger: points left and points taken are those of the cases.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, or a capped case without a day of discharge.
    PolicyError
        The policy has no factor, or a cap is no whole number of at least 0.

    Notes
    -----
    Yantai caps the cases of 26 groups (2023); the source does not say how cases above a cap are paid.

    Examples
    --------
    >>> cases = [{"case_id": n, "group": "BR23", "points": 10.0, "discharged": f"2024-01-0{n}"} for n in (3, 1, 2)]
    >>> found = cap_volumes(cases, [{"group": "BR23", "cap": 2}], CapRules(volume_factor=Decimal("0.3")))
    >>> [(row["case_id"], row["points"]) for row in found.table]
    [(3, 3.0), (1, 10.0), (2, 10.0)]
    """
    share = _rule(policy, "volume_factor")
    factor = float(share)
    limits = Columns(caps, ["cap"], what="the table caps=")
    names = _names(limits)
    table = Columns(cases, [*names, "points", "discharged", "case_id"], columns=columns or {}, optional=NAMES)
    cap = _numbers_of(limits)
    bad = np.flatnonzero(~((cap >= 0) & (cap == np.floor(cap))))
    if len(bad):
        raise PolicyError(f"caps= has the cap {cap[bad[0]]} in row {bad[0]}: give a whole number of at least 0")
    key = table.match(names, limits)
    points = table.numbers("points")
    capped = (key >= 0) & ~np.isnan(points) & ~holds(table, "list_status", LIST_STATUSES[FAILED])
    if isinstance(policy, Policy):
        capped &= ~on_account(table, policy)
    dates = table.dates("discharged")
    undated = capped & np.asarray(dates.is_null())
    if undated.any():
        raise CaseError(
            f"{int(undated.sum())} capped cases have no day of discharge, the first in row {np.argmax(undated)}: "
            "fill it in"
        )
    day = np.asarray(dates.cast(pa.int32()).fill_null(0))
    rows = np.flatnonzero(capped)
    rows = rows[np.lexsort((table.codes("case_id")[0][rows], day[rows], key[rows]))]
    place = np.arange(len(rows)) - np.searchsorted(key[rows], key[rows])
    over = np.zeros(table.rows, bool)
    over[rows] = place >= cap[key[rows]]
    left = np.where(over, points * factor, points)
    reasons = Reasons(table.rows)
    reasons.note(over, f"over_volume:{share:f}")
    added = {"over_volume": over, "volume_reason": reasons.column(), table.own_name("points"): nullable(left)}
    return Step(add_columns(cases, added), _volume_ledger(points, left, over, factor, rounding_of(policy).points))


def _volume_ledger(
    points: NDArray[np.float64], left: NDArray[np.float64], over: NDArray[np.bool_], factor: float, digits: int
) -> pa.Table:
    """Check that the points left, and those taken of the cases above their caps, are the points of all."""
    before, after = (scaled(np.nan_to_num(part), digits, "the points") for part in (points, left))
    taken = scaled(np.where(over, np.nan_to_num(points) * (1 - factor), 0), digits, "the points")
    # Points are binary numbers: each product may differ by the last step.
    ledger = Ledger("cap volumes")
    others = int(after[~over].sum()) - int(before[~over].sum())
    ledger.check("points of cases within the caps stay", ["all"], others, 0, digits=digits, unit="points")
    gap = abs(int(after.sum()) + int(taken.sum()) - int(before.sum()))
    ledger.check(
        "|points left + points taken - points| is at most a step a case above",
        ["all"],
        gap,
        int(over.sum()),
        relation="<=",
        digits=digits,
        unit="points",
    )
    return ledger.table()


@exactly
@reads_once
def cap_money(cases: Any, caps: Any, policy: Policy | CapRules, *, columns: Mapping[str, str] | None = None) -> Step:
    """Cap the money of groups or institutions: the excess that is not paid, as deductions of the hospitals.

    Parameters
    ----------
    cases
        Cases as `price_cases` gives them: ``hospital``, ``pool``, ``payable`` (yuan) and the keys of the caps.
    caps
        A table with ``cap`` (yuan) and its key: one or more of ``hospital``, ``pool``, ``group`` and ``level``.
    policy
        A policy with ``caps.total_share``, or that section: the share of the excess that is paid all the same.
    columns
        The table's names of columns by the library's names, such as ``{"group": "病组"}``.

    Returns
    -------
    Table: a row a hospital and pool with ``payable`` (of capped cases), ``excess`` and ``deductions`` (yuan), to be
    given to `clear_year`. An excess is divided over hospitals in proportion to their payable amounts under the cap.
    Ledger: deductions and the excess that is paid make the excess.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing.
    PolicyError
        The policy has no share, or a cap is missing or negative.

    Examples
    --------
    >>> cases = [{"hospital": h, "pool": "p", "group": "A", "payable": 600} for h in "HK"]
    >>> found = cap_money(cases, [{"group": "A", "cap": 1000}], CapRules(total_share=0))
    >>> [(row["hospital"], str(row["deductions"])) for row in found.table]
    [('H', '100.00'), ('K', '100.00')]
    """
    step = excess_step(find_excess(cases, caps, policy, columns))
    return step._replace(table=to_kind(step.table, cases))


class MoneyCap(NamedTuple):
    """The hospitals under each cap: a slot is a cap and a hospital with its pool; money is in fen.

    Attributes
    ----------
    keys
        The hospitals and pools.
    names
        Each cap in words.
    cap, excess, kept
        Of each cap: its money, what is above it, and what of that is paid.
    limit, place, amount, taken
        Of each slot: its cap, its hospital and pool, the payable amount, and the deduction.
    """

    keys: Keys
    names: list[str]
    cap: Fen
    excess: Fen
    kept: Fen
    limit: NDArray[np.integer]
    place: NDArray[np.integer]
    amount: Fen
    taken: Fen


def find_excess(cases: Any, caps: Any, policy: Policy | CapRules, columns: Mapping[str, str] | None) -> MoneyCap:
    """Return what is above each cap of money, and what each hospital under it is not paid."""
    paid_share = _rule(policy, "total_share")
    limits = Columns(caps, ["cap"], what="the table caps=")
    names = _names(limits)
    table = Columns(cases, [*names, "hospital", "pool", "payable"], columns=columns or {}, optional=NAMES)
    cap, there = read_money(limits.column("cap"), "column 'cap' of the table caps=")
    if (~there | (cap < 0)).any():
        raise PolicyError(f"caps= has no cap of at least 0 in row {int(np.argmax(~there | (cap < 0)))}: give yuan")
    of_caps = keys_of(limits, names)
    if of_caps.size < limits.rows:
        raise PolicyError(f"caps= has two caps of the same {', '.join(names)}: leave one of them")
    keys = keys_of(table, ["hospital", "pool"])
    fen, known = optional_money(table, "payable")
    key = np.where(known, table.match(names, limits), -1)
    # A hospital under a cap has one amount, whatever its cases.
    slot, row = np.unique(np.where(key >= 0, key * np.int64(keys.size) + keys.codes, -1), return_inverse=True)
    amount = add_up(row, fen, len(slot))[slot >= 0]
    slot = slot[slot >= 0]
    limit, place = slot // keys.size, slot % keys.size
    excess = np.maximum(add_up(limit, amount, limits.rows) - cap, 0)
    kept = round_over(excess, int(paid_share.scaleb(_DIGITS)), _ONE)
    taken = _split_over(excess - kept, amount, limit)
    words = places(of_caps)
    return MoneyCap(keys, [words[code] for code in of_caps.codes], cap, excess, kept, limit, place, amount, taken)


def excess_step(found: MoneyCap) -> Step:
    """Return what is above caps of money by hospital and pool, as `cap_money` gives it."""
    ledger = Ledger("cap money")
    both = int(found.taken.sum()) + int(found.kept.sum())
    ledger.check("deductions + excess that is paid = excess", ["all"], both, int(found.excess.sum()))
    parts = _split_over(found.excess, found.amount, found.limit)
    return Step(_by_hospital(found.keys, found.place, found.amount, parts, found.taken), ledger.table())


def _by_hospital(keys: Keys, place: NDArray[np.integer], amount: Fen, excess: Fen, taken: Fen) -> pa.Table:
    """Return the amounts under caps of each hospital and pool."""
    sums = {"payable": amount, "excess": excess, "deductions": taken}
    return pa.table({**keys.table, **{name: to_yuan(add_up(place, fen, keys.size)) for name, fen in sums.items()}})


def _split_over(totals: Fen, shares: Fen, codes: NDArray[np.integer]) -> Fen:
    """Split the total of each cap over amounts, of which only those above 0 count."""
    return split_fen(totals, np.maximum(shares, 0), codes)


@exactly
@reads_once
def deduct_growth(
    cases: Any,
    last_year: Any,
    policy: Policy | CapRules,
    *,
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Deduct the excess growth of each hospital's mean amount per discharge (次均费用增长).

    Parameters
    ----------
    cases
        The year's cases: ``hospital``, ``pool`` and the amount (yuan) that ``caps.growth_of`` names.
    last_year
        A table with ``hospital``, ``pool``, ``cases`` (discharges) and the amount (yuan) of last year.
    policy
        A policy with ``caps.growth_of``, ``caps.highest_growth`` and ``caps.growth_share``, or that section: the column
        whose mean is compared, the highest growth as a share of 1, and the share of the excess that is deducted.
    columns
        The cases' names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    Table: a row a hospital and pool. Ledger: the excess is the amount above the highest.

    - ``cases``, ``amount``, ``last_cases``, ``last_amount``.
    - ``growth`` of the mean, null without last year.
    - ``highest_amount``: cases x last year's mean x (1 + highest growth).
    - ``excess`` and ``deductions`` (yuan), ``reason`` (a code).

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, or an amount that is.
    PolicyError
        The policy does not cap growth.

    Examples
    --------
    >>> cases = [{"hospital": "H", "pool": "p", "total_cost": 1100} for _ in range(10)]
    >>> last = [{"hospital": "H", "pool": "p", "cases": 8, "total_cost": 8000}]
    >>> rules = CapRules(growth_of="total_cost", highest_growth=Decimal("0.05"), growth_share=Decimal("0.7"))
    >>> row = deduct_growth(cases, last, rules).table[0]
    >>> round(row["growth"], 6), str(row["excess"]), str(row["deductions"])
    (0.1, '500.00', '350.00')
    """
    highest, share = _rule(policy, "highest_growth"), _rule(policy, "growth_share")
    amount = str(section_of(policy, "caps", CapRules).growth_of)
    table = Columns(cases, ["hospital", "pool", amount], columns=columns or {}, optional=NAMES)
    keys = keys_of(table, ["hospital", "pool"])
    fen, known = optional_money(table, amount)
    number, total = np.bincount(keys.codes[known], minlength=keys.size), add_up(keys.codes, fen, keys.size)
    before = Columns(last_year, ["hospital", "pool", "cases", amount], what="the table last_year=")
    place = Columns(pa.table(keys.table), what="the cases").match(["hospital", "pool"], before)
    last_fen, there = read_money(before.column(amount), f"column {amount!r} of the table last_year=")
    last = np.append(np.where(there, before.numbers("cases"), np.nan), np.nan)[place]
    last_total = np.append(last_fen, 0)[place]
    fair = (last > 0) & (last_total >= 0)
    limit = np.zeros(keys.size, np.int64)
    for row in np.flatnonzero(fair):
        mean = Decimal(int(last_total[row])) / Decimal(repr(float(last[row])))
        limit[row] = rounded(mean * (1 + highest) * int(number[row]))
    excess = np.where(fair, np.maximum(total - limit, 0), 0)
    taken = round_over(excess, int(share.scaleb(_DIGITS)), _ONE)
    ledger = Ledger("growth")
    ledger.check(
        "amount - excess is at most the highest", places(keys), np.where(fair, total - excess, 0), limit, relation="<="
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(fair, (total / number) / (last_total / last) - 1, np.nan)
    reasons = Reasons(keys.size)
    reasons.note(~fair, "no_last_year")
    reasons.note(excess > 0, "growth_above_cap")
    result = pa.table(
        {
            **keys.table,
            "cases": number,
            "amount": to_yuan(total),
            "last_cases": nullable(last),
            "last_amount": to_yuan(last_total, fair),
            "growth": nullable(np.where(np.isfinite(growth), growth, np.nan)),
            "highest_amount": to_yuan(limit, fair),
            "excess": to_yuan(excess),
            "deductions": to_yuan(taken),
            "reason": reasons.column().cast(pa.string()),
        }
    )
    return Step(to_kind(result, cases), ledger.table())


def _numbers_of(limits: Columns) -> NDArray[np.float64]:
    """Return caps of volume as numbers; those of a file are texts, as money is."""
    if not is_text(limits.column("cap").type):
        return limits.numbers("cap")
    hundredths, known = read_money(limits.column("cap"), "column 'cap' of the table caps=")
    return np.where(known, hundredths / 100, np.nan)


def _names(limits: Columns) -> list[str]:
    """Return the columns that are the key of a table of caps."""
    names = [name for name in _KEYS if name in limits]
    if not names:
        raise PolicyError(f"caps= has the columns {', '.join(limits.names)}: name its key, some of {', '.join(_KEYS)}")
    return names


def _rule(policy: Policy | CapRules, name: str) -> Decimal:
    """Return a number of the section. Raise PolicyError where it is not there."""
    number = getattr(section_of(policy, "caps", CapRules), name)
    if number is None:
        raise PolicyError(f"the policy does not say caps.{name}: add it to [caps]")
    return Decimal(number)
