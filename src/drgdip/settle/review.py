"""Special review (特例单议): who may apply, how many are approved, and what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_kind
from drgdip._columns import Columns, add_columns, labels
from drgdip._money import add_up, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import decisions, flag, keys_of, money, pool_rows
from drgdip.settle.ledger import Ledger

if TYPE_CHECKING:
    from drgdip.settle.policy import Policy

__all__ = ["REVIEW_STATUSES", "Review", "review_cap", "special_review"]

#: none: not applied for; approved; refused by the panel; pending: the panel has not decided; ineligible: no trigger of
#: the policy fits; over_cap: the pool's cap is used up by cases that rank before it.
REVIEW_STATUSES = ("none", "approved", "refused", "pending", "ineligible", "over_cap")


class Review(NamedTuple):
    """The result of a special review.

    Attributes
    ----------
    table
        The caller's table with the outcome of each case.
    publication
        What is to be published, by hospital and pool.
    ledger
        What was checked.
    """

    table: Any
    publication: Any
    ledger: pa.Table


def review_cap(discharges: int, policy: Policy) -> int:
    """The most cases that special review may take: the policy's share of the discharges, rounded down.

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
    >>> review_cap(20000, read_policy("docs/examples/policy.toml"))
    1000
    """
    if policy.review is None:
        raise PolicyError(f"policy {policy.id!r} has no special review: add [review] with its cap and outcome")
    if discharges < 0:
        raise PolicyError(f"discharges={discharges}: give a number of at least 0")
    return int(policy.review.cap * discharges)


def special_review(cases: Any, policy: Policy) -> Review:
    """Decide special review: triggers, ranking, cap, and the statistics that are published.

    Parameters
    ----------
    cases
        All discharges of the period: ``case_id``, ``hospital``, ``pool``, ``review_applied`` (true or false),
        ``review_approved`` (the panel's decision: true, false, null while open), ``total_cost`` (yuan), and
        ``cost_ratio`` and ``stay_ratio`` (the stay over the group's mean stay) for triggers of the policy;
        ``special_reason`` (text: new technology, several departments …) makes a case eligible whatever its ratios.
    policy
        The policy: ``review.cap``, ``review.cost_ratio``, ``review.stay_ratio``.

    Returns
    -------
    Table: the caller's with ``review_trigger`` (cost, stay, reason; null for none), ``review_rank`` (in the pool,
    among what the panel approved: the highest cost ratio first, then the higher cost, then the case number) and
    ``review_status`` (one of `REVIEW_STATUSES`). Publication: a row a hospital and pool with ``discharges``,
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
    20). Publication by hospital: Tianjin notice of 2024; DIP 3.0 draft, chapter 6. How to rank when more are
    approved than the cap allows is not in the sources.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"hospital": "H", "pool": "resident", "total_cost": 9000, "review_applied": False, "cost_ratio": 1.0}
    >>> cases = [case | {"case_id": str(number), "review_approved": None} for number in range(20)]
    >>> for number in (3, 4):
    ...     cases[number] |= {"review_applied": True, "review_approved": True, "cost_ratio": float(number)}
    >>> reviewed = special_review(cases, policy)
    >>> reviewed.table[3]["review_status"], reviewed.table[4]["review_status"]
    ('over_cap', 'approved')
    """
    review_cap(0, policy)
    rules = policy.review
    assert rules is not None
    names = Columns(cases).names
    ratios = {"cost": ("cost_ratio", rules.cost_ratio), "stay": ("stay_ratio", rules.stay_ratio)}
    wanted = [name for name, edge in ratios.values() if edge is not None or name in names]
    optional = [name for name in ("special_reason",) if name in names]
    columns = Columns(
        cases, ["case_id", "hospital", "pool", "total_cost", "review_applied", "review_approved", *wanted, *optional]
    )
    pools, _ = pool_rows(columns, policy)
    keys = keys_of(columns, ["hospital", "pool"])
    cost = money(columns, "total_cost")
    applied, decided = flag(columns, "review_applied"), decisions(columns, "review_approved")

    trigger = np.full(columns.rows, -1, np.int8)
    if "special_reason" in columns:
        trigger[columns.codes("special_reason")[0] >= 0] = 2
    for number, (name, edge) in enumerate(ratios.values()):
        if edge is not None:
            trigger[(trigger < 0) & (columns.numbers(name) > float(edge))] = number
    # Without a trigger in the policy the panel alone decides.
    eligible = (trigger >= 0) | (rules.cost_ratio is None and rules.stay_ratio is None)

    size = len(policy.pools)
    caps = np.array([review_cap(int(number), policy) for number in np.bincount(pools, minlength=size)])
    candidates = np.flatnonzero(applied & eligible & (decided == 1))
    rank = _ranks(columns, candidates, pools, cost)
    status = np.zeros(columns.rows, np.int8)
    status[applied & (decided < 0)] = 3
    status[applied & (decided == 0)] = 2
    status[applied & ~eligible] = 4
    status[candidates] = np.where(rank[candidates] <= caps[pools[candidates]], 1, 5)
    approved = status == 1

    ledger, where = Ledger("special review"), [f"pool {pool}" for pool in policy.pools]
    counts = np.array([np.bincount(pools[rows], minlength=size) for rows in (applied, approved, status > 0)])
    ledger.check(
        "approved is at most applied", where, counts[1], counts[0], relation="<=", digits=0, unit="cases", total=False
    )
    ledger.check(
        "approved is at most the cap", where, counts[1], caps, relation="<=", digits=0, unit="cases", total=False
    )
    ledger.check("applications with an outcome = applied", where, counts[2], counts[0], digits=0, unit="cases")
    table = add_columns(
        cases,
        {
            "review_trigger": labels(trigger, ("cost", "stay", "reason")),
            "review_rank": pa.array(rank, mask=rank == 0),
            "review_status": labels(status, REVIEW_STATUSES),
        },
    )
    asked = np.bincount(keys.codes[applied], minlength=keys.size)
    given = np.bincount(keys.codes[approved], minlength=keys.size)
    publication = pa.table(
        {
            **keys.table,
            "discharges": np.bincount(keys.codes, minlength=keys.size),
            "applied": asked,
            "approved": given,
            "approval_ratio": pa.array(given / np.maximum(asked, 1), mask=asked == 0),
            "approved_cost": to_yuan(add_up(keys.codes, np.where(approved, cost, 0), keys.size)),
        }
    )
    ledger.check(
        "approved at hospitals = approved in pools",
        ["all"],
        int(given.sum()),
        int(counts[1].sum()),
        digits=0,
        unit="cases",
    )
    return Review(table, to_kind(publication, cases), ledger.table())


def _ranks(columns: Columns, candidates: Any, pools: Any, cost: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The place of each candidate in its pool, from 1; 0 for other cases."""
    ratio = columns.numbers("cost_ratio")[candidates] if "cost_ratio" in columns else np.zeros(len(candidates))
    numbers, _ = columns.codes("case_id")
    order = np.lexsort((numbers[candidates], -cost[candidates], -np.nan_to_num(ratio), pools[candidates]))
    rows = candidates[order]
    rank = np.zeros(columns.rows, np.int64)
    first = np.searchsorted(pools[rows], pools[rows])
    rank[rows] = np.arange(len(rows)) - first + 1
    return rank
