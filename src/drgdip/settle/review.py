"""Special review (特例单议): triggers, the cap on approvals, and the statistics that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_kind
from drgdip._columns import Columns, add_columns, labels
from drgdip._exact import exactly
from drgdip._money import add_up, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import NAMES, NO, OPEN, YES, decisions, flag, keys_of, money, pool_rows
from drgdip.settle.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Keys
    from drgdip._money import Fen
    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import ReviewRules

__all__ = ["REVIEW_COLUMNS", "REVIEW_STATUSES", "Review", "cap_reviews", "review_cases"]

#: none: not applied for; approved; refused by the panel; pending: the panel has not decided; ineligible: no trigger of
#: the policy fits; over_cap: the pool's cap is used up by cases that rank before it.
REVIEW_STATUSES = ("none", "approved", "refused", "pending", "ineligible", "over_cap")
_NONE, _APPROVED, _REFUSED, _PENDING, _INELIGIBLE, _OVER_CAP = range(len(REVIEW_STATUSES))
#: The columns that special review adds.
REVIEW_COLUMNS = ("review_trigger", "review_rank", "review_status")
_TRIGGERS = ("cost", "stay", "reason")
_NEEDED = ("case_id", "hospital", "pool", "total_cost", "review_applied", "review_approved")


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
def cap_reviews(discharges: int, policy: Policy) -> int:
    """Return the most cases that special review may take: the policy's share of the discharges, rounded down.

    Parameters
    ----------
    discharges
        Discharges of the pool.
    policy
        A policy with a review.

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
    if policy.review is None:
        raise PolicyError(f"policy {policy.id!r} has no special review: add [review] with its cap and outcome")
    if discharges < 0:
        raise PolicyError(f"discharges={discharges}: give a number of at least 0")
    return int(policy.review.cap * discharges)


@exactly
def review_cases(cases: Any, policy: Policy, *, columns: Mapping[str, str] | None = None) -> Review:
    """Decide special review: triggers, ranking, cap, and the statistics that are published.

    Parameters
    ----------
    cases
        All discharges of the period: ``case_id``, ``hospital``, ``pool``, ``review_applied`` (true or false),
        ``review_approved`` (the panel's decision: true, false, null while open), ``total_cost`` (yuan), and
        ``cost_ratio`` and ``stay_ratio`` (the stay over the group's mean stay) for triggers of the policy;
        ``special_reason`` (text: new technology, several departments …) makes a case eligible at any ratio.
    policy
        The policy: ``review.cap``, ``review.cost_ratio``, ``review.stay_ratio``.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    Table: the caller's with ``review_trigger`` (cost, stay, reason; null for none), ``review_rank`` (in the pool,
    among the cases that the panel approved: the highest cost ratio first, then the higher cost, then the case number)
    and ``review_status`` (one of `REVIEW_STATUSES`). Publication: a row a hospital and pool with ``discharges``,
    ``applied``, ``approved``, ``approval_ratio`` (null without applications), ``approved_cost`` (yuan). Ledger:
    approved <= applied; approved <= cap of each pool; every application has one outcome.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, or float money.
    PolicyError
        The policy has no review.

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
    cap_reviews(0, policy)
    rules = policy.review
    assert rules is not None
    table = Columns(cases, columns=columns, optional=NAMES)
    edges = {"cost_ratio": rules.cost_ratio, "stay_ratio": rules.stay_ratio}
    wanted = [name for name, edge in edges.items() if edge is not None or name in table]
    table.require([*_NEEDED, *wanted, *(name for name in ("special_reason",) if name in table)])
    pools = pool_rows(table, policy)
    keys = keys_of(table, ["hospital", "pool"])
    cost = money(table, "total_cost")
    applied, decided = flag(table, "review_applied"), decisions(table, "review_approved")
    trigger = _triggers(table, rules)
    # Without a trigger in the policy the panel alone decides.
    eligible = (trigger >= 0) | (rules.cost_ratio is None and rules.stay_ratio is None)

    size = len(policy.pools)
    caps = np.array([cap_reviews(int(number), policy) for number in np.bincount(pools, minlength=size)])
    candidates = np.flatnonzero(applied & eligible & (decided == YES))
    rank = _ranks(table, candidates, pools, cost)
    status = np.full(table.rows, _NONE, np.int8)
    status[applied & (decided == OPEN)] = _PENDING
    status[applied & (decided == NO)] = _REFUSED
    status[applied & ~eligible] = _INELIGIBLE
    status[candidates] = np.where(rank[candidates] <= caps[pools[candidates]], _APPROVED, _OVER_CAP)
    added = {
        "review_trigger": labels(trigger, _TRIGGERS),
        "review_rank": pa.array(rank, mask=rank == 0),
        "review_status": labels(status, REVIEW_STATUSES),
    }
    publication = _publication(keys, applied, status == _APPROVED, cost)
    ledger = _ledger(policy, pools, applied, status, caps, publication)
    return Review(add_columns(cases, added), to_kind(publication, cases), ledger)


def _triggers(table: Columns, rules: ReviewRules) -> NDArray[np.int8]:
    """Return the number in `_TRIGGERS` of each row: of a special reason, then cost, then stay; -1 for none."""
    trigger = np.full(table.rows, -1, np.int8)
    if "special_reason" in table:
        trigger[table.codes("special_reason")[0] >= 0] = _TRIGGERS.index("reason")
    for name, edge in (("cost", rules.cost_ratio), ("stay", rules.stay_ratio)):
        if edge is not None:
            trigger[(trigger < 0) & (table.numbers(f"{name}_ratio") > float(edge))] = _TRIGGERS.index(name)
    return trigger


def _publication(keys: Keys, applied: Any, approved: Any, cost: Fen) -> pa.Table:
    """Return the statistics to be published, a row for each hospital and pool."""
    asked = np.bincount(keys.codes[applied], minlength=keys.size)
    given = np.bincount(keys.codes[approved], minlength=keys.size)
    return pa.table(
        {
            **keys.table,
            "discharges": np.bincount(keys.codes, minlength=keys.size),
            "applied": asked,
            "approved": given,
            "approval_ratio": pa.array(given / np.maximum(asked, 1), mask=asked == 0),
            "approved_cost": to_yuan(add_up(keys.codes, np.where(approved, cost, 0), keys.size)),
        }
    )


def _ledger(policy: Policy, pools: Any, applied: Any, status: Any, caps: Any, publication: pa.Table) -> pa.Table:
    """Check applications, approvals and caps of each pool."""
    ledger, where = Ledger("special review"), [f"pool {pool}" for pool in policy.pools]
    asked, approved, decided = (
        np.bincount(pools[rows], minlength=len(policy.pools))
        for rows in (applied, status == _APPROVED, status != _NONE)
    )
    counts: dict[str, Any] = {"digits": 0, "unit": "cases"}
    ledger.check("approved is at most applied", where, approved, asked, relation="<=", total=False, **counts)
    ledger.check("approved is at most the cap", where, approved, caps, relation="<=", total=False, **counts)
    ledger.check("applications with an outcome = applied", where, decided, asked, **counts)
    published = int(np.asarray(publication["approved"]).sum())
    ledger.check("approved at hospitals = approved in pools", ["all"], published, int(approved.sum()), **counts)
    return ledger.table()


def _ranks(table: Columns, candidates: Any, pools: Any, cost: Fen) -> NDArray[np.int64]:
    """Return the place of each candidate in its pool, from 1; 0 for other cases."""
    ratio = table.numbers("cost_ratio")[candidates] if "cost_ratio" in table else np.zeros(len(candidates))
    numbers, _ = table.codes("case_id")
    order = np.lexsort((numbers[candidates], -cost[candidates], -np.nan_to_num(ratio), pools[candidates]))
    rows = candidates[order]
    rank = np.zeros(table.rows, np.int64)
    first = np.searchsorted(pools[rows], pools[rows])
    rank[rows] = np.arange(len(rows)) - first + 1
    return rank
