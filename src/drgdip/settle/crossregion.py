"""Cross-region care (异地就医): what other regions owe for their insured, and what they paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._columns import Columns, as_list
from drgdip._exact import exactly
from drgdip._money import add_up, scaled, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import NAMES, amounts_by, keys_of, on_account, optional_money, pool_rows
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.payment import FAILED, list_states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip.settle.policy import Policy

__all__ = ["settle_cross_region"]

_MONEY = ("total_cost", "standard", "payable")


@exactly
@reads_once
def settle_cross_region(
    cases: Any,
    policy: Policy,
    *,
    paid: Any = None,
    by: str | Sequence[str] = ("insured_region", "month"),
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Settle the care of other regions' insured: the account of each insured region and month.

    The cases are settled at the place of care's groups, at the rates or values that ``cases.cross_region`` names. They
    are in no sum of `month` and `clear_year`, whose money is the local budget.

    Parameters
    ----------
    cases
        Cases as `price_cases` gives them, with ``cross_region`` (true or false), ``pool``, ``points``, ``total_cost``,
        ``standard``, ``payable`` (yuan), the columns of ``by``, and ``list_status`` where lists may have failed.
    policy
        A policy whose cross-region care is on an account.
    paid
        Payments of the regions: a table with the columns of ``by`` and ``paid`` (yuan), any number of rows a key.
    by
        The columns to keep accounts by. ``["hospital", "month"]`` gives the money that each hospital is owed.
    columns
        The table's names of columns by the library's names, such as ``{"insured_region": "参保地"}``.

    Returns
    -------
    Table: a row a key with ``cases``, and of them ``not_counted`` (failed or unpriced); of the others ``points``,
    ``total_cost``, ``standard`` and ``receivable`` (the fund's part, yuan); then ``paid`` and ``difference``
    (receivable - paid). Ledger: the accounts have all cross-region cases and their money.

    Raises
    ------
    CaseError, UnknownNameError
        A cross-region case without its region or month, or a payment for an account that has no cases.
    PolicyError
        The policy pays for cross-region care from its budget.

    Notes
    -----
    Fixed rate, groups and standards of the place of care: 天津市医保局 落实 2.0 版分组方案通知, 2024-12-10. Inside the
    budget: 金华市 DRG 付费国家试点工作方案, 2019.

    Examples
    --------
    >>> from drgdip.settle import price_cases, read_policy
    >>> rules = {"payable": "residual", "cross_region": "value"}
    >>> policy = read_policy("docs/examples/policy.toml").replace(cases=rules)
    >>> case = {"pool": "resident", "points": 100, "total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> case |= {"cross_region": True, "insured_region": "Langfang", "month": 1}
    >>> paid = [{"insured_region": "Langfang", "month": 1, "paid": 6000}]
    >>> row = settle_cross_region(price_cases([case], policy).table, policy, paid=paid).table[0]
    >>> row["receivable"], row["paid"], row["difference"]
    (Decimal('6550.00'), Decimal('6000.00'), Decimal('550.00'))
    """
    if not policy.cases.has_account:
        raise PolicyError(
            f"policy {policy.id!r} pays for cross-region care from its budget: set cases.cross_region to fixed, value "
            "or item, and cross_region_budget to account"
        )
    names = as_list(by)
    flags = Columns(cases, ["cross_region"], columns=columns, optional=NAMES)
    mine = pa.array(on_account(flags, policy))
    table = Columns(to_arrow(cases).filter(mine), columns=columns, optional=[*NAMES, *names])
    table.require([*names, "pool", "points", *_MONEY, *(name for name in ("list_status",) if name in table)])
    pool_rows(table, policy)
    keys = keys_of(table, names)
    owed, known = optional_money(table, "payable")
    counts = known & (list_states(table) != FAILED)
    points = scaled(table.numbers("points"), policy.rounding.points, "the points")

    def of(values: Any) -> Any:
        """Add up the values of the counted cases by key."""
        return add_up(keys.codes, np.where(counts, values, 0), keys.size)

    receivable, received = of(owed), amounts_by(paid, "paid", keys, "paid")
    number, left_out = (np.bincount(keys.codes[rows], minlength=keys.size) for rows in (slice(None), ~counts))
    ledger = Ledger("cross-region")
    whole = int(owed[counts].sum())
    ledger.check("receivable of the accounts = payable of the cases", ["all"], int(receivable.sum()), whole)
    cases_there = int(np.asarray(mine).sum())
    ledger.check(
        "cases of the accounts = cross-region cases", ["all"], int(number.sum()), cases_there, unit="cases", digits=0
    )
    result = pa.table(
        {
            **keys.table,
            "cases": number,
            "not_counted": left_out,
            "points": of(points) / 10.0**policy.rounding.points,
            "total_cost": to_yuan(of(optional_money(table, "total_cost")[0])),
            "standard": to_yuan(of(optional_money(table, "standard")[0])),
            "receivable": to_yuan(receivable),
            "paid": to_yuan(received),
            "difference": to_yuan(receivable - received),
        }
    )
    return Step(to_kind(result, cases), ledger.table())
