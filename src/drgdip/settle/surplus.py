"""Profit and loss of cases by layer: region, institution, disease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, as_list
from drgdip._exact import exactly
from drgdip._money import add_up, read_money, round_over, to_yuan
from drgdip.settle._inputs import NAMES, keys_of, places
from drgdip.settle.ledger import Ledger, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["measure_surplus"]

_AMOUNTS = ("total_cost", "standard", "profit_formula", "adjustment", "profit")


@exactly
@reads_once
def measure_surplus(
    cases: Any,
    by: str | Sequence[str] = ("pool", "hospital"),
    *,
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Measure the surplus of a layer: region (pool), institution (hospital), disease (group).

    Parameters
    ----------
    cases
        Cases as `price_cases` gives them.
    by
        The columns of the layer: ``"pool"``, ``["pool", "hospital"]``, ``["pool", "group"]`` …
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    Table: a row for each key, with ``cases`` and ``unpriced``. The priced cases have the sums ``total_cost``,
    ``standard``, ``profit_formula``, ``adjustment`` and ``profit`` (yuan). ``mean_profit`` is yuan a priced case,
    rounded to the fen; null without any. Ledger: profit = standard - cost + adjustment; the layer has all cases.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing or holds floats.

    Notes
    -----
    The three layers are those of the DIP 3.0 draft, chapter 7. Places publish a profit of 0 for outliers; the
    adjustment makes it 0.

    Examples
    --------
    >>> case = {"pool": "resident", "total_cost": 9000, "standard": 10000, "profit_formula": 1000, "adjustment": 0}
    >>> measure_surplus([case | {"profit": 1000}], "pool").table[0]["profit"]
    Decimal('1000.00')
    """
    table = Columns(cases, [*as_list(by), *_AMOUNTS], columns=columns, optional=NAMES)
    keys = keys_of(table, as_list(by))
    read = {name: read_money(table.column(name), f"column {name!r} of the cases") for name in _AMOUNTS}
    known = read["standard"][1]
    sums = {name: add_up(keys.codes, np.where(known, fen, 0), keys.size) for name, (fen, _) in read.items()}
    number = np.bincount(keys.codes, minlength=keys.size)
    priced = np.bincount(keys.codes[known], minlength=keys.size)
    ledger = Ledger("surplus")
    expected = sums["standard"] - sums["total_cost"] + sums["adjustment"]
    ledger.check("profit = standard - cost + adjustment", places(keys), sums["profit"], expected)
    ledger.check("cases of the layer = cases", ["all"], int(number.sum()), table.rows, digits=0, unit="cases")
    mean = round_over(sums["profit"], 1, np.maximum(priced, 1))
    result = pa.table(
        {
            **keys.table,
            "cases": number,
            "unpriced": number - priced,
            **{name: to_yuan(fen) for name, fen in sums.items()},
            "mean_profit": to_yuan(mean, priced > 0),
        }
    )
    return Step(to_kind(result, cases), ledger.table())
