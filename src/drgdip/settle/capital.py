"""Working capital (周转金): advances to hospitals for the year."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import to_kind
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip._money import fen_of, round_over, to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import amounts_by, keys_of, places, pool_rows
from drgdip.settle.ledger import Ledger, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy

__all__ = ["advance_capital"]


@exactly
def advance_capital(
    last_year: Any,
    policy: Policy,
    *,
    available: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Advance the working capital (周转金) of a year to hospitals.

    Parameters
    ----------
    last_year
        A table with ``hospital``, ``pool`` and ``paid`` (yuan): last year's payments, any number of rows a hospital;
        or with ``applied`` (yuan) too, where hospitals apply for less.
    policy
        The policy: ``prepayment.months``, the number of mean months.
    available
        The most that each pool gives, yuan by pool; None sets no limit. Above it all are cut in proportion.
    columns
        The table's names of columns by the library's names, such as ``{"paid": "拨付金额"}``.

    Returns
    -------
    Table: a row a hospital and pool with ``mean_month``, ``highest`` (months x mean month), ``applied`` and
    ``working_capital``. Ledger: no hospital gets more than it may or applied for, and no pool gives more than it has.

    Raises
    ------
    PolicyError
        The policy has no prepayment.

    Notes
    -----
    《医疗保障按病种付费管理暂行办法》 (2025), article 26; by application in the Tianjin notice of 2024.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> advance_capital([{"hospital": "H1", "pool": "resident", "paid": 1200}], policy).table[0]["working_capital"]
    Decimal('100.00')
    """
    if policy.prepayment is None:
        raise PolicyError(f"policy {policy.id!r} has no prepayment: add [prepayment] with months")
    if policy.prepayment is None:
        raise PolicyError(f"policy {policy.id!r} has no prepayment: add [prepayment] with months")
    what = "last year's payments"
    table = Columns(last_year, ["hospital", "pool", "paid"], what=what, columns=columns, optional=["applied"])
    pool_of_row = pool_rows(table, policy)
    keys = keys_of(table, ["hospital", "pool"])
    paid = amounts_by(last_year, "paid", keys, "last_year", columns)
    highest = round_over(paid, int(policy.prepayment.months.scaleb(6)), 12 * 10**6)
    applied = amounts_by(last_year, "applied", keys, "last_year", columns) if "applied" in table else highest
    granted = np.minimum(applied, highest)
    ledger, where = Ledger("working capital"), places(keys)
    if available is not None:
        pools = np.zeros(keys.size, int)
        pools[keys.codes] = pool_of_row
        for number, pool in enumerate(policy.pools):
            mine, most = pools == number, max(fen_of(available.get(pool, 0), f"available[{pool!r}]"), 0)
            granted[mine] = _cut(granted[mine], most)
            total, there = int(granted[mine].sum()), [f"pool {pool}"]
            ledger.check(f"granted to {pool} is at most what there is", there, total, most, relation="<=")
    ledger.check("granted is at most months x mean month", where, granted, highest, relation="<=")
    ledger.check("granted is at most applied", where, granted, applied, relation="<=")
    result = pa.table(
        {
            **keys.table,
            "mean_month": to_yuan(round_over(paid, 1, 12)),
            "highest": to_yuan(highest),
            "applied": to_yuan(applied),
            "working_capital": to_yuan(granted),
        }
    )
    return Step(to_kind(result, last_year), ledger.table())


def _cut(granted: Fen, most: int) -> Fen:
    """Return amounts cut in proportion to come to at most a sum. Each is rounded down: the pool keeps the rest."""
    asked = int(granted.sum())
    if asked <= most:
        return granted
    return np.array([int(part) * most // asked for part in granted], np.int64)
