"""Special review (特例单议): triggers, the cap on approvals, and the statistics that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, add_columns, labels
from drgdip._exact import exactly
from drgdip._money import add_up, to_yuan
from drgdip._notebook import shown
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle._inputs import (
    NAMES,
    NO,
    OPEN,
    YES,
    decisions,
    flag,
    holds,
    keys_of,
    money,
    optional_money,
    texts,
)
from drgdip.settle._sections import pool_numbers, section_of
from drgdip.settle.ledger import Ledger
from drgdip.settle.rules import ReviewRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Keys
    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = ["REVIEW_COLUMNS", "REVIEW_STATUSES", "Review", "cap_reviews", "review_cases"]

#: none: not applied for; approved; refused by the panel; pending: the panel has not decided; ineligible: no trigger of
#: the policy fits; over_cap: the pool's cap is used up by cases that rank before it.
REVIEW_STATUSES = ("none", "approved", "refused", "pending", "ineligible", "over_cap")
_NONE, _APPROVED, _REFUSED, _PENDING, _INELIGIBLE, _OVER_CAP = range(len(REVIEW_STATUSES))
#: The columns that special review adds.
REVIEW_COLUMNS = ("review_trigger", "review_rank", "review_status")
_TRIGGERS = ("cost", "stay", "reason")
_NEEDED = ("case_id", "hospital", "pool", "total_cost", "review_applied", "review_approved")


@shown
class Review(NamedTuple):
    """The result of a special review.

    Attributes
    ----------
    table
        The caller's table with the outcome of each case.
    publication
        The statistics to be published, by hospital and pool.
    ledger
        Sums that were checked.
    """

    table: Any
    publication: Any
    ledger: pa.Table


@exactly
@reads_once
def cap_reviews(discharges: int, policy: Policy | ReviewRules) -> int:
    """Return the most cases that special review may take: the policy's share of the discharges, rounded down.

    Parameters
    ----------
    discharges
        Discharges of the pool.
    policy
        A policy with a review, or its section ``review``.

    Returns
    -------
    The number of cases.

    Raises
    ------
    PolicyError
        The policy has no review, or the number of discharges is negative.

    Notes
    -----
    5 % of discharges for DRG, 5 ‰ for DIP, the latter over the whole pool: 《医疗保障按病种付费管理暂行办法》 (2025),
    article 20; 《按病种付费医疗保障经办管理规程（2025版）》, article 21.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> cap_reviews(20000, read_policy("docs/examples/policy.toml"))
    1000
    """
    rules = section_of(policy, "review", ReviewRules)
    if discharges < 0:
        raise PolicyError(f"discharges={discharges}: give a number of at least 0")
    return int(rules.cap * discharges)


@exactly
@reads_once
def review_cases(
    cases: Any, policy: Policy | ReviewRules, *, so_far: Any = None, columns: Mapping[str, str] | None = None
) -> Review:
    """Decide special review: triggers, ranking, cap, and the statistics that are published.

    The panel meets each ``review.cycle``; without one, once for all cases. The cap runs over the year: a cycle has room
    for the share of the discharges so far, less the approvals so far. With ``review.cap_over = cycle`` each cycle has
    its own.

    Parameters
    ----------
    cases
        All discharges of the period: ``case_id``, ``hospital``, ``pool``, ``review_applied`` (true or false),
        ``review_approved`` (the panel's decision: true, false, null while open), ``total_cost`` (yuan), and
        ``cost_ratio`` and ``stay_ratio`` (the stay over the group's mean stay) for triggers of the policy;
        ``special_reason`` (text: new technology, several departments …) makes a case eligible at any ratio.
        ``discharged``, or ``month`` (1 to 12), where the policy has a cycle of less than a year. A case whose
        ``review_status`` is approved already stays so while the panel's decision stands, and uses the cap first.
        ``payable`` or ``fund_booked`` (yuan) for the fund's part of the publication.
    policy
        The policy: ``review.cap``, ``cap_over``, ``cycle``, ``cost_ratio``, ``stay_ratio``; or its section ``review``,
        with which the pools are those that the cases name.
    so_far
        Discharges and approvals of the year that are not among the cases: a table with ``pool``, ``discharges`` and
        ``approved`` (numbers of cases).
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    Table: the caller's with these columns.

    - ``review_trigger``: cost, stay, reason; null for none.
    - ``review_rank``: in the pool and cycle, among the cases that the panel approved. Earlier approvals go first, then
      the highest cost ratio, the higher cost, the case number.
    - ``review_status``: one of `REVIEW_STATUSES`.

    Publication: a row a hospital and pool, and ``cycle`` where there are several.

    - ``discharges``, ``applied``, ``approved``, ``pending``.
    - ``refused``: by the panel, for want of a trigger, or over the cap.
    - ``approval_ratio``: null without applications.
    - ``applied_cost``, ``approved_cost``, ``approved_fund`` (yuan).

    Ledger: approved <= applied; approved <= cap of each pool; every application has one outcome.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, or float money.
    PolicyError
        The policy has no review, or the approvals so far exceed the cap.

    Notes
    -----
    Triggers: long stay, high cost, new drug or technology, complex, several departments (Measures 2025, article
    20). Publication by hospital: Tianjin notice of 2024; DIP 3.0 draft, chapter 6. The sources do not say how to rank
    when more are approved than the cap allows.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"hospital": "H", "pool": "resident", "total_cost": 9000, "review_applied": False, "cost_ratio": 1.0}
    >>> cases = [case | {"case_id": str(number), "review_approved": None} for number in range(20)]
    >>> for number in (3, 4):
    ...     cases[number] |= {"review_applied": True, "review_approved": True, "cost_ratio": float(number)}
    >>> reviewed = review_cases(cases, policy)
    >>> reviewed.table[3]["review_status"], reviewed.table[4]["review_status"]
    ('over_cap', 'approved')
    """
    rules = section_of(policy, "review", ReviewRules)
    table = Columns(cases, columns=columns, optional=NAMES)
    edges = {"cost_ratio": rules.cost_ratio, "stay_ratio": rules.stay_ratio}
    wanted = [name for name, edge in edges.items() if edge is not None or name in table]
    table.require([*_NEEDED, *wanted, *(name for name in ("special_reason",) if name in table)])
    pools, names_of_pools = pool_numbers(policy, table)
    keys = keys_of(table, ["hospital", "pool"])
    cost = money(table, "total_cost")
    applied, decided = flag(table, "review_applied"), decisions(table, "review_approved")
    trigger = _triggers(table, rules)
    # Without a trigger in the policy the panel alone decides.
    eligible = (trigger >= 0) | (rules.cost_ratio is None and rules.stay_ratio is None)

    cycle, names = _cycles(table, rules)
    before = _before(so_far, rules, names_of_pools)
    candidates = applied & eligible & (decided == YES)
    kept = applied & (decided == YES) & holds(table, "review_status", "approved")
    candidates |= kept
    rank = _ranks(table, np.flatnonzero(candidates), (pools, cycle), cost, kept)
    room, caps = _rooms(rules, (pools, cycle, len(names)), candidates, before)
    _check_kept(names_of_pools, (pools, cycle), kept, room)
    status = np.full(table.rows, _NONE, np.int8)
    status[applied & (decided == OPEN)] = _PENDING
    status[applied & (decided == NO)] = _REFUSED
    status[applied & ~eligible] = _INELIGIBLE
    status[candidates] = np.where(rank <= room[pools, cycle], _APPROVED, _OVER_CAP)[candidates]
    added = {
        "review_trigger": labels(trigger, _TRIGGERS),
        "review_rank": pa.array(rank, mask=rank == 0),
        "review_status": labels(status, REVIEW_STATUSES),
    }
    fund, _ = optional_money(table, "payable" if "payable" in table else "fund_booked")
    publication = _publication(keys, (cycle, names), status, cost, fund)
    ledger = _ledger(names_of_pools, pools, applied, status, caps, publication)
    return Review(add_columns(cases, added), to_kind(publication, cases), ledger)


def _cycles(table: Columns, rules: ReviewRules) -> tuple[NDArray[np.int64], list[str]]:
    """Return the cycle of each row as a number, and the names of the cycles in their order."""
    length = {"month": 1, "quarter": 3}.get(rules.cycle or "", 12)
    if length == 12:
        return np.zeros(table.rows, np.int64), [""]
    if "discharged" in table:
        dates = table.dates("discharged")
        month = np.asarray(dates.to_numpy(zero_copy_only=False), "datetime64[M]").astype(np.int64)
        bad = np.asarray(pc.is_null(dates))
    else:
        table.require(["month"])
        number = table.numbers("month")
        bad = ~np.isin(number, np.arange(1, 13))
        month = np.where(bad, 0, number - 1).astype(np.int64)
    if bad.any():
        raise CaseError(
            f"the policy reviews each {rules.cycle}, and {int(bad.sum())} cases, the first in row {np.argmax(bad)}, "
            "have no day of discharge and no month of 1 to 12: fill in discharged"
        )
    found, cycle = np.unique(month // length, return_inverse=True)
    letter = "Q" if length == 3 else ""
    per_year = 12 // length
    years = (f"{1970 + number // per_year}-" if "discharged" in table else "" for number in found)
    names = [f"{year}{letter}{number % per_year + 1}" for year, number in zip(years, found, strict=True)]
    return cycle.astype(np.int64), names


def _before(so_far: Any, rules: ReviewRules, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return discharges and approvals that are not among the cases, a row a pool."""
    before = np.zeros((len(names), 2), np.int64)
    if so_far is None:
        return before
    if rules.cap_over == "cycle":
        raise PolicyError("so_far= counts where the cap runs over the year, and review.cap_over is cycle: leave it out")
    table = Columns(so_far, ["pool", "discharges", "approved"], what="the table so_far=")
    keys_of(table, ["pool"])
    found = texts(table, "pool").to_pylist()
    for pool in found:
        if pool not in names:
            raise UnknownNameError("pool", pool, names, hint="It is named in so_far=.")
    pools = np.array([names.index(pool) for pool in found], np.int64)
    for place, name in enumerate(("discharges", "approved")):
        number = table.numbers(name)
        bad = np.flatnonzero(~((number >= 0) & (number == np.floor(number))))
        if len(bad):
            raise PolicyError(f"so_far= has {name} {number[bad[0]]} in row {bad[0]}: give a whole number of at least 0")
        np.add.at(before[:, place], pools, number.astype(np.int64))
    return before


def _rooms(
    rules: ReviewRules, where: tuple[Any, Any, int], candidates: Any, before: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many cases each pool and cycle has room for, and the cap of each pool over all of them."""
    pools, cycle, cycles = where
    shape = len(before), cycles
    slot = pools * cycles + cycle
    discharges = np.bincount(slot, minlength=shape[0] * cycles).reshape(shape)
    asked = np.bincount(slot[candidates], minlength=shape[0] * cycles).reshape(shape)
    room = np.zeros(shape, np.int64)
    for pool in range(shape[0]):
        seen, used = map(int, before[pool])
        for number in range(cycles):
            seen = int(discharges[pool, number]) + (0 if rules.cap_over == "cycle" else seen)
            room[pool, number] = max(cap_reviews(seen, rules) - used, 0)
            if rules.cap_over == "year":
                used += min(int(asked[pool, number]), int(room[pool, number]))
    if rules.cap_over == "cycle":
        return room, room.sum(axis=1)
    seen_in_all = discharges.sum(axis=1) + before[:, 0]
    caps = np.array([cap_reviews(int(seen), rules) for seen in seen_in_all]) - before[:, 1]
    return room, np.maximum(caps, 0)


def _check_kept(names: tuple[str, ...], where: tuple[Any, Any], kept: Any, room: NDArray[np.int64]) -> None:
    """Raise PolicyError where more cases were approved earlier than a pool has room for."""
    pools, cycle = where
    there = np.zeros(room.shape, np.int64)
    np.add.at(there, (pools[kept], cycle[kept]), 1)
    bad = np.argwhere(there > room)
    if len(bad):
        pool, number = bad[0]
        raise PolicyError(
            f"pool {names[pool]!r}: {there[pool, number]} cases were approved already, and the cap leaves room "
            f"for {room[pool, number]}: give all discharges of the period, or mend review_status"
        )


def _triggers(table: Columns, rules: ReviewRules) -> NDArray[np.int8]:
    """Return the number in `_TRIGGERS` of each row: of a special reason, then cost, then stay; -1 for none."""
    trigger = np.full(table.rows, -1, np.int8)
    if "special_reason" in table:
        trigger[table.codes("special_reason")[0] >= 0] = _TRIGGERS.index("reason")
    for name, edge in (("cost", rules.cost_ratio), ("stay", rules.stay_ratio)):
        if edge is not None:
            trigger[(trigger < 0) & (table.numbers(f"{name}_ratio") > float(edge))] = _TRIGGERS.index(name)
    return trigger


def _publication(keys: Keys, cycles: tuple[Any, list[str]], status: Any, cost: Fen, fund: Fen) -> pa.Table:
    """Return the statistics to be published, a row for each hospital and pool, and cycle where there are several."""
    cycle, names = cycles
    slot, row = np.unique(keys.codes * np.int64(len(names)) + cycle, return_inverse=True)
    size, approved = len(slot), status == _APPROVED

    def count(rows: Any) -> NDArray[np.int64]:
        return np.bincount(row[rows], minlength=size)

    def of(rows: Any, values: Fen) -> pa.Array:
        return to_yuan(add_up(row, np.where(rows, values, 0), size))

    applied = status != _NONE
    asked, given = count(applied), count(approved)
    table: dict[str, Any] = {name: column.take(pa.array(slot // len(names))) for name, column in keys.table.items()}
    if names != [""]:
        table["cycle"] = pa.array(names).take(pa.array(slot % len(names)))
    table |= {
        "discharges": count(slice(None)),
        "applied": asked,
        "approved": given,
        "refused": count(np.isin(status, (_REFUSED, _INELIGIBLE, _OVER_CAP))),
        "pending": count(status == _PENDING),
        "approval_ratio": pa.array(given / np.maximum(asked, 1), mask=asked == 0),
        "applied_cost": of(applied, cost),
        "approved_cost": of(approved, cost),
        "approved_fund": of(approved, fund),
    }
    return pa.table(table)


def _ledger(
    names: tuple[str, ...], pools: Any, applied: Any, status: Any, caps: Any, publication: pa.Table
) -> pa.Table:
    """Check applications, approvals and caps of each pool."""
    ledger, where = Ledger("special review"), [f"pool {pool}" for pool in names]
    asked, approved, decided = (
        np.bincount(pools[rows], minlength=len(names)) for rows in (applied, status == _APPROVED, status != _NONE)
    )
    counts: dict[str, Any] = {"digits": 0, "unit": "cases"}
    ledger.check("approved is at most applied", where, approved, asked, relation="<=", total=False, **counts)
    ledger.check("approved is at most the cap", where, approved, caps, relation="<=", total=False, **counts)
    ledger.check("applications with an outcome = applied", where, decided, asked, **counts)
    published = int(np.asarray(publication["approved"]).sum())
    ledger.check("approved at hospitals = approved in pools", ["all"], published, int(approved.sum()), **counts)
    return ledger.table()


def _ranks(
    table: Columns, candidates: NDArray[np.int64], where: tuple[Any, Any], cost: Fen, kept: Any
) -> NDArray[np.int64]:
    """Return the place of each candidate in its pool and cycle, from 1; 0 for other cases."""
    ratio = table.numbers("cost_ratio")[candidates] if "cost_ratio" in table else np.zeros(len(candidates))
    numbers, _ = table.codes("case_id")
    pools, cycle = where
    slot = pools * (int(cycle.max(initial=0)) + 1) + cycle
    keys = (numbers[candidates], -cost[candidates], -np.nan_to_num(ratio), ~kept[candidates], slot[candidates])
    rows = candidates[np.lexsort(keys)]
    rank = np.zeros(table.rows, np.int64)
    first = np.searchsorted(slot[rows], slot[rows])
    rank[rows] = np.arange(len(rows)) - first + 1
    return rank
