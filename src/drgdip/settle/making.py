"""The budget of a year as the policy says: its method, its cap, its reserve and its splits, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import reads_once, to_arrow
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.settle.budget import (
    budget_by_factors,
    budget_by_growth,
    budget_by_item,
    budget_by_share,
)
from drgdip.settle.division import hold_reserve, split_budget
from drgdip.settle.ledger import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import BudgetRules

__all__ = ["make_budget"]

# The function of each method, what it must be given, and what it may be given.
_METHODS: dict[str, tuple[Callable[..., Step], tuple[str, ...], tuple[str, ...]]] = {
    "growth": (budget_by_growth, ("last_year", "growth"), ()),
    "factors": (budget_by_factors, ("last_year", "factors"), ("agreed",)),
    "item": (budget_by_item, ("total", "less"), ()),
    "share": (budget_by_share, ("total", "share"), ()),
}


@exactly
@reads_once
def make_budget(policy: Policy, *, shares: Mapping[str, Any] | None = None, **inputs: Any) -> Step:
    """Make the budget of a year by the policy's method, hold its reserve, and split it in the policy's order.

    Parameters
    ----------
    policy
        The policy: ``budget.method``, ``budget.highest_growth``, ``budget.reserve`` and ``budget.split``.
    shares
        For each name of ``budget.split`` the table of shares that `split_budget` takes; None for a policy without
        splits, and where the budget by pool is wanted.
    inputs
        The method's own: ``last_year`` and ``growth`` for growth; ``last_year``, ``factors`` and perhaps ``agreed``
        for factors; ``total`` and ``less`` for item; ``total`` and ``share`` for share. Each is as its function
        `budget_by_growth`, `budget_by_factors`, `budget_by_item` or `budget_by_share` has it.

    Returns
    -------
    Table: a row a pool and each key of the splits with ``pool, …, amount`` (yuan, without the reserve). Ledger: the
    sums of every step.

    Raises
    ------
    PolicyError
        The policy says nothing of budgets, an input is missing, a pool has none, or the shares are not those of the
        policy's splits.
    UnknownNameError
        An input that the policy's method does not have.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> policy = policy.replace(budget={"method": "growth", "highest_growth": Decimal("0.04"), "split": ["month"]})
    >>> months = [{"month": 1, "share": 31}, {"month": 2, "share": 28}]
    >>> last_year = {"employee": 1000, "resident": 500}
    >>> made = make_budget(policy, last_year=last_year, growth={"agreed": Decimal("0.06")}, shares={"month": months})
    >>> for row in made.table.to_pylist()[:2]:
    ...     print(row["pool"], row["month"], row["amount"])
    employee 1 546.44
    employee 2 493.56
    """
    rules = policy.budget
    if rules is None:
        raise PolicyError(f"policy {policy.id!r} says nothing of budgets: add [budget] with method")
    make, needed, more = _METHODS[rules.method]
    for name in inputs:
        if name not in (*needed, *more):
            hint = f"The method {rules.method!r} takes {', '.join((*needed, *more))}."
            raise UnknownNameError("input of the budget", name, (*needed, *more), hint=hint)
    lacking = [name for name in needed if name not in inputs]
    if lacking:
        raise PolicyError(f"budget.method = {rules.method} needs {', '.join(lacking)}: give them by name")
    capped = {"highest": rules.highest_growth} if rules.method == "growth" else {}
    made = make(**inputs, **capped)
    _check_pools(made, policy)
    ledgers = [made.ledger]
    if rules.reserve:
        made = hold_reserve(made.table, policy)
        ledgers.append(made.ledger)
    table = to_arrow(made.table).select(["pool", "amount"])
    for name in _splits(rules, shares):
        part = split_budget(table, (shares or {})[name], name)
        table = to_arrow(part.table)
        ledgers.append(part.ledger)
    return Step(table, pa.concat_tables(ledgers))


def _check_pools(made: Step, policy: Policy) -> None:
    """Raise PolicyError where the budgets are not those of the policy's pools."""
    found = Columns(made.table, ["pool"]).column("pool").to_pylist()
    if set(found) != set(policy.pools):
        raise PolicyError(
            f"the budget is of {', '.join(found)}, and the policy has the pools {', '.join(policy.pools)}"
        )


def _splits(rules: BudgetRules, shares: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the policy's splits in order; none without shares. Raise PolicyError for shares of other splits."""
    if shares is None:
        return ()
    if set(shares) != set(rules.split):
        raise PolicyError(
            f"shares= is of {', '.join(shares) or 'nothing'}, and budget.split is {', '.join(rules.split) or 'none'}: "
            f"give one table for each"
        )
    return rules.split
