"""Working capital (周转金, 预付金): which pools may advance it, how much each hospital gets, and how it is repaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._columns import Columns, Reasons, add_columns, nullable
from drgdip._exact import exactly
from drgdip._money import fen_of, read_money, round_over, scaled, split_fen, to_yuan
from drgdip._notebook import shown
from drgdip.errors import CaseError, PolicyError
from drgdip.settle._inputs import amounts_by, keys_of, matched, places
from drgdip.settle._sections import pool_numbers, section_of
from drgdip.settle.ledger import Ledger
from drgdip.settle.money_rules import PrepaymentRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Keys
    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = ["Capital", "advance_capital", "check_prepayment"]

_SHARE = 10**12


@shown
class Capital(NamedTuple):
    """Working capital that was advanced.

    Attributes
    ----------
    table
        A row a hospital and pool: the base, the request, the amount and its reason.
    publication
        A row a pool: hospitals that applied and got something, and the money.
    repayments
        A row a hospital, pool and month of repayment: payments of the kind ``recovery``.
    ledger
        Sums that were checked.
    """

    table: Any
    publication: Any
    repayments: Any
    ledger: pa.Table


@exactly
@reads_once
def check_prepayment(pools: Any, policy: Policy | PrepaymentRules, *, columns: Mapping[str, str] | None = None) -> Any:
    """Check which pools may advance working capital, by their balance and their results.

    Parameters
    ----------
    pools
        A table with a row a pool: ``pool``, and in yuan ``balance`` (accumulated) and ``spending`` (of the last 12
        months). ``result`` is income less spending of last year, ``forecast`` the same of the coming 12 months.
    policy
        A policy with ``prepayment.least_balance``, or its section ``prepayment``.
    columns
        The table's names of columns by the library's names, such as ``{"balance": "累计结余"}``.

    Returns
    -------
    The caller's table with ``balance_months`` (null without spending), ``eligible`` and ``reason`` (a code).

    Raises
    ------
    CaseError, UnknownNameError
        A column or an amount that is missing.
    PolicyError
        The policy does not say how many months the balance of a pool must cover.

    Notes
    -----
    12 months of spending for employees, 6 for residents, and no deficit last year nor in the forecast: the notice
    《关于做好医保基金预付工作的通知》, 2024-11-11.

    Examples
    --------
    >>> rules = PrepaymentRules(months=1, least_balance={"employee": 12, "resident": 6})
    >>> pool = {"spending": 1200, "result": 10, "forecast": 0}
    >>> pools = [pool | {"pool": "employee", "balance": 1100}, pool | {"pool": "resident", "balance": 700}]
    >>> [(row["balance_months"], row["eligible"], row["reason"]) for row in check_prepayment(pools, rules)]
    [(11.0, False, 'small_balance:12'), (7.0, True, None)]
    """
    rules = section_of(policy, "prepayment", PrepaymentRules)
    table = Columns(pools, ["pool", "balance", "spending", "result", "forecast"], what="the pools", columns=columns)
    pool_numbers(policy, table)
    names = keys_of(table, ["pool"])
    if names.size < table.rows:
        raise CaseError("the pools have one twice: leave one of the rows")
    amounts = {name: _all_money(table, name) for name in ("balance", "spending", "result", "forecast")}
    reasons = Reasons(table.rows)
    months = np.full(table.rows, np.nan)
    for row, number in enumerate(names.codes):
        pool = names.table["pool"][int(number)].as_py()
        if pool not in rules.least_balance:
            raise PolicyError(f"prepayment.least_balance has no months for the pool {pool!r}: add them")
        needed, spent = rules.least_balance[pool], int(amounts["spending"][row])
        if int(amounts["balance"][row]) * 12 < needed * spent:
            reasons.note(np.arange(table.rows) == row, f"small_balance:{needed:f}")
        months[row] = int(amounts["balance"][row]) * 12 / spent if spent > 0 else np.nan
    reasons.note(amounts["result"] < 0, "deficit_last_year")
    reasons.note(amounts["forecast"] < 0, "deficit_forecast")
    added = {"balance_months": nullable(months), "eligible": ~reasons.noted, "reason": reasons.column()}
    return add_columns(pools, added)


@exactly
@reads_once
def advance_capital(
    last_year: Any,
    policy: Policy | PrepaymentRules,
    *,
    applications: Any = None,
    available: Mapping[str, Any] | None = None,
    pools: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Capital:
    """Advance the working capital (周转金) of a year to hospitals.

    Parameters
    ----------
    last_year
        A table with ``hospital``, ``pool`` and ``paid`` (yuan): the payments of the last ``prepayment.years`` years,
        any number of rows a hospital.
    policy
        A policy with ``prepayment``, or that section.
    applications
        A row for each hospital and pool that applies: ``hospital``, ``pool``, ``applied`` (yuan); ``applied_on`` (a
        date) where the policy has days to apply; ``score`` where it has scores; ``points`` where it divides by points.
        None grants each hospital the highest amount, which a policy with such rules refuses.
    available
        The most that each pool gives, yuan by pool; None sets no limit. Above it all are cut, by requests or points.
    pools
        The pools as for `check_prepayment`, where the policy has ``prepayment.least_balance``.
    columns
        The names of columns of last year's table by the library's names, such as ``{"paid": "拨付金额"}``.

    Returns
    -------
    A `Capital`. Ledger: no hospital gets more than it may or applied for, no pool gives more than it has, and the
    repayments come to the working capital.

    - Its table has ``mean_month``, ``highest`` (months x mean month x the score's share), ``applied`` and
      ``working_capital`` (yuan), and ``reason``: the code why it is less than applied for.
    - Its publication has ``pool``, ``hospitals``, ``applicants``, ``granted``, ``applied``, ``working_capital`` and
      ``available``.
    - Its repayments have ``hospital``, ``pool``, ``month``, ``kind`` (recovery) and ``amount``.

    Raises
    ------
    CaseError, UnknownNameError
        A column or an amount that is missing, or an application of a hospital without payments.
    PolicyError
        The policy has no prepayment, or a rule of it reads a table that is not given.

    Notes
    -----
    《医疗保障按病种付费管理暂行办法》 (2025), article 26. 《关于做好医保基金预付工作的通知》, 2024-11-11: about a month
    of the mean of the last one to three years. Hospitals apply in the first ten days of January, for drugs and
    consumables. Weight on reliable hospitals: Tianjin notice of 2024. An amount that is cut is rounded down; the pool
    keeps the rest.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> advance_capital([{"hospital": "H1", "pool": "resident", "paid": 1200}], policy).table[0]["working_capital"]
    Decimal('100.00')
    """
    rules = section_of(policy, "prepayment", PrepaymentRules)
    table = Columns(last_year, ["hospital", "pool", "paid"], what="last year's payments", columns=columns)
    _, names = pool_numbers(policy, table)
    keys = keys_of(table, ["hospital", "pool"])
    pool = np.array([names.index(name) for name in keys.table["pool"].to_pylist()], np.int64)
    paid = amounts_by(last_year, "paid", keys, "last_year", columns)
    highest = round_over(np.maximum(paid, 0), int(rules.months.scaleb(6)), 12 * rules.years * 10**6)
    reasons = Reasons(keys.size)
    may = _eligible(rules, policy, pools, names)[pool]
    reasons.note(~may, "pool_not_eligible")
    requests = _Requests.of(applications, keys, rules, reasons, highest)
    limit = round_over(highest, requests.share, _SHARE)
    reasons.note(requests.applied > limit, "highest_working_capital")
    granted = np.where(may & requests.in_time, np.minimum(requests.applied, limit), 0)
    before, most = granted.copy(), None
    if available is not None:
        most = np.array([max(fen_of(available.get(name, 0), f"available[{name!r}]"), 0) for name in names])
        for number in range(len(names)):
            mine = pool == number
            granted[mine] = _divide(granted[mine], requests.weight[mine], int(most[number]), rules.divide)
    reasons.note(granted < before, "pool_lacks_money")
    repayments = _repayments(keys, granted, rules)
    ledger = _check(keys, names, pool, granted, (highest, requests.applied, most), repayments)
    result = pa.table(
        {
            **keys.table,
            "mean_month": to_yuan(round_over(paid, 1, 12 * rules.years)),
            "highest": to_yuan(limit),
            "applied": to_yuan(requests.applied),
            "working_capital": to_yuan(granted),
            "reason": reasons.column().cast(pa.string()),
        }
    )
    publication = _publication(names, pool, requests.applied, granted, most)
    shown = (to_kind(made, last_year) for made in (result, publication, repayments))
    return Capital._make((*shown, ledger.table()))


class _Requests(NamedTuple):
    """The applications: fen, which came in time, the share of the highest by score, and weights to divide by."""

    applied: Fen
    in_time: NDArray[np.bool_]
    share: Fen
    weight: Fen

    @classmethod
    def of(cls, given: Any, keys: Keys, rules: PrepaymentRules, reasons: Reasons, highest: Fen) -> _Requests:
        """Read the applications. Raise PolicyError where a rule reads what is not there."""
        needed = ["applied", *_needed(rules)]
        if given is None:
            if len(needed) > 1:
                raise PolicyError(f"the policy reads {', '.join(needed[1:])} of applications: give applications=")
            whole = np.full(keys.size, _SHARE, np.int64)
            return cls(highest, np.ones(keys.size, bool), whole, highest)
        table, row = matched(given, needed, keys, "applications")
        if len(np.unique(row)) < len(row):
            raise PolicyError("applications= has a hospital twice in one pool: leave one of the rows")
        applied, in_time = np.zeros(keys.size, np.int64), np.zeros(keys.size, bool)
        applied[row] = _all_money(table, "applied")
        if (applied < 0).any():
            raise PolicyError("applications= has a negative amount: give yuan of at least 0")
        there = np.zeros(keys.size, bool)
        there[row] = True
        in_time[row] = _in_time(table, rules)
        reasons.note(~there, "not_applied")
        reasons.note(there & ~in_time, "applied_out_of_time")
        share = np.full(keys.size, _SHARE, np.int64)
        if rules.scores:
            share[row] = _shares(table, rules)
            reasons.note(there & (share < _SHARE) & (applied > round_over(highest, share, _SHARE)), "score_share")
        weight = applied.copy()
        if rules.divide == "points":
            weight[row] = scaled(table.numbers("points"), 6, "the points of applications=")
        return cls(applied, in_time, share, np.maximum(weight, 0))


def _needed(rules: PrepaymentRules) -> list[str]:
    """Return the columns of applications that the rules read."""
    wanted = {"applied_on": rules.apply_by, "score": rules.scores, "points": rules.divide == "points"}
    return [name for name, rule in wanted.items() if rule]


def _in_time(table: Columns, rules: PrepaymentRules) -> NDArray[np.bool_]:
    """Return which applications came within the days of the policy; without such days all."""
    if rules.apply_from is None or rules.apply_by is None:
        return np.ones(table.rows, bool)
    days = [day.as_py() for day in table.dates("applied_on")]
    return np.array([day is not None and rules.apply_from <= f"{day:%m-%d}" <= rules.apply_by for day in days], bool)


def _shares(table: Columns, rules: PrepaymentRules) -> Fen:
    """Return the share of the highest amount by the score of each application: 0 below the lowest, or without one."""
    score = np.nan_to_num(table.numbers("score"), nan=-1.0)
    place = np.searchsorted([float(band.score) for band in rules.scores], score, side="right")
    return np.array([0, *(int(band.share.scaleb(12)) for band in rules.scores)], np.int64)[place]


def _eligible(
    rules: PrepaymentRules, policy: Policy | PrepaymentRules, pools: Any, names: tuple[str, ...]
) -> NDArray[np.bool_]:
    """Return which pools may advance money: all where the policy does not ask for a balance."""
    if not rules.least_balance:
        return np.ones(len(names), bool)
    if pools is None:
        raise PolicyError("the policy has prepayment.least_balance: give pools= with balance, spending and results")
    checked = to_arrow(check_prepayment(pools, policy)).to_pylist()
    found = {row["pool"]: row["eligible"] for row in checked}
    for name in names:
        if name not in found:
            raise PolicyError(f"pools= has no row for the pool {name!r}: add it")
    return np.array([found[name] for name in names], bool)


def _divide(granted: Fen, weight: Fen, most: int, way: str) -> Fen:
    """Return amounts that come to at most a sum, in proportion to them or to weights. The pool keeps the rest."""
    if int(granted.sum()) <= most:
        return granted
    if way == "requests":
        return _parts(granted, most)
    # By points no hospital gets more than its grant; what that frees goes to the others, until it frees nothing.
    given, free = np.zeros_like(granted), (granted > 0) & (weight > 0)
    while free.any():
        part = _parts(weight[free], most - int(given.sum()))
        full = part >= granted[free]
        if not full.any():
            given[free] = part
            break
        rows = np.flatnonzero(free)[full]
        given[rows], free[rows] = granted[rows], False
    return given


def _parts(weights: Fen, whole: int) -> Fen:
    """Return the parts of a sum in proportion to weights, rounded down."""
    total = int(weights.sum())
    return np.array([int(weight) * whole // total for weight in weights], np.int64)


def _repayments(keys: Keys, granted: Fen, rules: PrepaymentRules) -> pa.Table:
    """Return the payments by which the working capital comes back, in equal parts to the fen."""
    months = sorted(rules.repay_months)
    rows = np.repeat(np.flatnonzero(granted > 0), len(months))
    place = np.repeat(np.arange(int((granted > 0).sum())), len(months))
    parts = split_fen(granted[granted > 0], np.ones(len(rows), np.int64), place) if len(rows) else granted[:0]
    return pa.table(
        {
            **{name: column.take(pa.array(rows, pa.int64())) for name, column in keys.table.items()},
            "month": pa.array(months * int((granted > 0).sum()), pa.int64()),
            "kind": pa.array(["recovery"] * len(rows), pa.string()),
            "amount": to_yuan(parts),
        }
    )


def _publication(
    names: tuple[str, ...], pool: NDArray[np.integer], applied: Fen, granted: Fen, most: Fen | None
) -> pa.Table:
    """Return the sums of each pool that are published."""
    size = len(names)
    count = {
        "hospitals": np.bincount(pool, minlength=size),
        "applicants": np.bincount(pool[applied > 0], minlength=size),
        "granted": np.bincount(pool[granted > 0], minlength=size),
    }
    sums = {
        name: [int(fen[pool == row].sum()) for row in range(size)] for name, fen in (("a", applied), ("g", granted))
    }
    return pa.table(
        {
            "pool": pa.array(names, pa.string()),
            **count,
            "applied": to_yuan(np.array(sums["a"], np.int64)),
            "working_capital": to_yuan(np.array(sums["g"], np.int64)),
            "available": to_yuan(np.zeros(size, np.int64), np.zeros(size, bool)) if most is None else to_yuan(most),
        }
    )


def _check(
    keys: Keys,
    names: tuple[str, ...],
    pool: NDArray[np.integer],
    granted: Fen,
    bounds: tuple[Fen, Fen, Fen | None],
    repayments: pa.Table,
) -> Ledger:
    """Check the amounts of hospitals and pools against what they may have."""
    ledger, where = Ledger("working capital"), places(keys)
    highest, applied, most = bounds
    ledger.check("granted is at most months x mean month", where, granted, highest, relation="<=")
    ledger.check("granted is at most applied", where, granted, applied, relation="<=")
    if most is not None:
        given = np.array([int(granted[pool == row].sum()) for row in range(len(names))], np.int64)
        there = [f"pool {name}" for name in names]
        ledger.check("granted is at most what there is", there, given, most, relation="<=", total=False)
    if len(repayments):
        back, _ = read_money(repayments["amount"], "the repayments")
        ledger.check("repayments = working capital", ["all"], int(back.sum()), int(granted.sum()))
    return ledger


def _all_money(table: Columns, name: str) -> Fen:
    """Return a column of money of either sign as fen. Raise CaseError where an amount is missing."""
    fen, known = read_money(table.column(name), f"column {name!r} of {table.what}")
    if not known.all():
        raise CaseError(f"column {name!r} of {table.what} is missing in row {int(np.argmin(known))}: give yuan")
    return fen
