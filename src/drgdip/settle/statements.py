"""Statements: the account of each hospital, line by line, to be checked by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import to_arrow, to_kind
from drgdip._exact import exactly
from drgdip._money import YUAN

if TYPE_CHECKING:
    from drgdip.settle.annual import Clearing

__all__ = ["LINES", "make_statements"]

#: Column of the clearing, whether it is added (+), taken off (-) or a result (=), English, Chinese.
LINES = (
    ("base", "+", "money by points or standards", "按点数（标准）分配"),
    ("sharing", "+", "part of the surplus or overspend", "结余分享或超支分担"),
    ("retention", "+", "own surplus or overspend kept or borne", "本院结余留用或超支分担"),
    ("outside", "+", "cases paid otherwise than by points", "点数外支付"),
    ("appraisal_change", "+", "appraisal", "考核增减"),
    ("deductions", "-", "audit deductions", "审核扣款"),
    ("entitlement", "=", "entitlement of the year", "年度应付"),
    ("paid", "-", "paid in months and pre-clearing", "已付"),
    ("working_capital", "-", "working capital advanced", "周转金"),
    ("final", "=", "still to be paid", "应补付"),
)


@exactly
def make_statements(clearing: Clearing) -> Any:
    """Make the statement (结算单) of each hospital: its account as lines that add up from top to bottom.

    Parameters
    ----------
    clearing
        The result of `clear_year`.

    Returns
    -------
    A table with, for each hospital and pool, a row a line: ``hospital, pool, line`` (from 1), ``sign`` (+ added, -
    taken off, = the sum so far), ``item``, ``item_zh``, ``amount`` (yuan), and ``how`` the amount comes about.

    Examples
    --------
    >>> from drgdip.settle import clear_year, read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"hospital": "H", "pool": "resident", "points": 100, "payment_rule": "points", "standard": 9550}
    >>> case |= {"payable": 6550, "total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> for row in make_statements(clear_year([case], policy, budget={"resident": 6600, "employee": 1})):
    ...     if row["amount"]:
    ...         print(row["sign"], row["amount"], row["item"], "|", row["how"])
    + 6000.00 money by points or standards | 100 of 100 points
    + 510.00 part of the surplus or overspend | of 510.00 shared in the pool
    = 6510.00 entitlement of the year | sum of the lines above
    = 6510.00 still to be paid | sum of the lines above
    """
    pools = {row["pool"]: row for row in to_arrow(clearing.pools).to_pylist()}
    rows = []
    for account in to_arrow(clearing.table).to_pylist():
        pool = pools[account["pool"]]
        how = {
            "base": f"{account['points']:g} of {pool['points']:g} points",
            "sharing": f"of {pool['shared']} shared in the pool",
            "appraisal_change": f"coefficient {account['appraisal']:g}",
            "entitlement": "sum of the lines above",
            "final": "sum of the lines above",
        }
        for number, (name, sign, item, chinese) in enumerate(LINES, start=1):
            line = {"line": number, "sign": sign, "item": item, "item_zh": chinese, "amount": account[name]}
            rows.append({"hospital": account["hospital"], "pool": account["pool"], **line, "how": how.get(name, "")})
    kinds = {"line": pa.int64(), "amount": YUAN}
    names = ("hospital", "pool", "line", "sign", "item", "item_zh", "amount", "how")
    table = pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in names]))
    return to_kind(table, clearing.table)
