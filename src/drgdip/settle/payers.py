"""Payers (支付方) apart: how much of a year each of them owes to each hospital."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, labels
from drgdip._exact import exactly
from drgdip._money import add_up, to_yuan
from drgdip.settle._inputs import NAMES, amounts_by, keys_of, on_account, optional_money, places
from drgdip.settle._payers import read_paid
from drgdip.settle._sections import section_of
from drgdip.settle.ledger import Ledger, Step
from drgdip.settle.money_rules import PayerRules
from drgdip.settle.payment import FAILED, list_states

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.settle.annual import Clearing
    from drgdip.settle.policy import Policy

__all__ = ["divide_payers"]


@exactly
@reads_once
def divide_payers(clearing: Clearing, cases: Any, policy: Policy, *, columns: Mapping[str, str] | None = None) -> Step:
    """Divide the entitlement of each hospital among the payers whom the group payment concerns.

    Each payer owes what it booked. The one that ``payers.bears`` names owes the rest: the difference between the
    group payment and the booked sums, with sharing, appraisal and deductions.

    Parameters
    ----------
    clearing
        The result of `clear_year`.
    cases
        The priced cases that were cleared.
    policy
        The policy: ``payers.concerns`` and ``payers.bears``.
    columns
        The cases' names of columns by the library's names, such as ``{"paid_basic": "统筹基金支付"}``.

    Returns
    -------
    Table: a row a hospital, pool and payer with ``booked`` (yuan), ``difference`` (what it bears) and ``amount`` (the
    sum of both). Ledger: the amounts of the payers make the entitlement.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, or cases of a hospital that was not cleared.
    PolicyError
        The policy has no rule on payers.

    Notes
    -----
    Group payment for the basic, serious-illness and large-amount funds together: Anhui, employees of the province.

    Examples
    --------
    >>> from drgdip.settle import clear_year, price_cases, read_policy
    >>> payers = {"concerns": ["basic", "serious_illness"], "bears": "basic"}
    >>> policy = read_policy("docs/examples/policy.toml").replace(payers=payers)
    >>> case = {"hospital": "H", "pool": "resident", "points": 100, "total_cost": 9000}
    >>> case |= {"paid_basic": 5000, "paid_serious_illness": 1000, "paid_medical_aid": 500, "paid_cash": 2500}
    >>> priced = price_cases([case], policy).table
    >>> cleared = clear_year(priced, policy, budget={"resident": 6600, "employee": 1})
    >>> [(row["payer"], str(row["booked"]), str(row["amount"])) for row in divide_payers(cleared, priced, policy).table]
    [('basic', '5000.00', '5510.00'), ('serious_illness', '1000.00', '1000.00')]
    """
    rules = section_of(policy, "payers", PayerRules)
    table = Columns(cases, columns=columns, optional=[*NAMES, *(f"paid_{name}" for name in rules.concerns)])
    table.require(["hospital", "pool", "payable"])
    keys = keys_of(Columns(clearing.table, what="the clearing"), ["hospital", "pool"])
    row = table.match(["hospital", "pool"], Columns(pa.table(keys.table), what="the clearing"))
    row = np.where(_counted(table, policy), row, -1)
    entitlement = amounts_by(clearing.table, "entitlement", keys, "clearing", signed=True)
    paid = read_paid(table, rules, lambda name: optional_money(table, name)[0])
    booked = {name: add_up(row, fen, keys.size) for name, fen in paid.by_payer.items()}
    amounts = dict(booked)
    amounts[rules.bears] = entitlement - sum(fen for name, fen in booked.items() if name != rules.bears)
    ledger = Ledger("payers")
    ledger.check("payers' amounts = entitlement", places(keys), np.add.reduce(list(amounts.values())), entitlement)
    size = len(rules.concerns)
    spread = np.repeat(np.arange(keys.size), size)
    before, after = (np.stack([given[name] for name in rules.concerns], axis=1).ravel() for given in (booked, amounts))
    result = pa.table(
        {
            **{name: column.take(pa.array(spread)) for name, column in keys.table.items()},
            "payer": labels(np.tile(np.arange(size), keys.size), rules.concerns).cast(pa.string()),
            "booked": to_yuan(before),
            "difference": to_yuan(after - before),
            "amount": to_yuan(after),
        }
    )
    return Step(to_kind(result, cases), ledger.table())


def _counted(table: Columns, policy: Policy) -> Any:
    """Return which cases the local budget pays for."""
    known = optional_money(table, "payable")[1]
    return known & (list_states(table) != FAILED) & ~on_account(table, policy)
