"""Coverage: how much of a place's institutions, groups and fund is paid by disease, against what a plan asks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from drgdip._columns import Columns, add_columns
from drgdip._money import read_money
from drgdip.data import rows_of
from drgdip.errors import PolicyError

__all__ = ["coverage", "coverage_minima"]

_PLAN = "policies/jilin-coverage.csv"


def coverage_minima() -> pa.Table:
    """List the coverage that Jilin's plan asks of its places, year by year.

    Returns
    -------
    A table with ``coverage`` (institutions, groups, fund), ``places`` (pilots, others; drg_pilots for institutions),
    ``year``, ``minimum`` (share of 1, to be reached by the end of the year) and ``added`` (what the plan adds in
    the year, where it states that; else null). What the plan says without a number, such as all eligible
    institutions, is not in it.

    Notes
    -----
    《吉林省DRG/DIP支付方式改革三年行动计划》, 2022-05-18.

    Examples
    --------
    >>> rows = coverage_minima().to_pylist()
    >>> [str(row["minimum"]) for row in rows if row["coverage"] == "institutions"]
    ['0.40', '0.70', '1.00']
    """
    result: list[dict[str, Any]] = []
    reached: dict[tuple[str, str], Decimal] = {}
    for row in rows_of(_PLAN):
        key, number = (row["coverage"], row["places"]), Decimal(row["minimum"])
        stepwise = row["counted"] == "added"
        reached[key] = reached.get(key, Decimal(0)) + number if stepwise else number
        result.append(
            {
                "coverage": row["coverage"],
                "places": row["places"],
                "year": int(row["year"]),
                "minimum": reached[key],
                "added": number if stepwise else None,
            }
        )
    share = pa.decimal128(3, 2)
    schema = [("coverage", pa.string()), ("places", pa.string()), ("year", pa.int64()), ("minimum", share)]
    return pa.Table.from_pylist(result, pa.schema([*schema, ("added", share)]))


def coverage(counts: Any) -> Any:
    """Compare coverage with what Jilin's plan asks.

    Parameters
    ----------
    counts
        A table with ``coverage``, ``places`` and ``year`` as in `coverage_minima`, and ``covered`` and ``all``: numbers
        of institutions or groups, or yuan of the fund.

    Returns
    -------
    The caller's table with ``share`` (covered over all), ``minimum`` (null where the plan has no number) and ``met``.

    Raises
    ------
    PolicyError
        A number that is missing or negative, more covered than there is, or nothing to cover.

    Examples
    --------
    >>> row = {"coverage": "groups", "places": "pilots", "year": 2023, "covered": 500, "all": 625}
    >>> coverage([row])[0]["share"], coverage([row])[0]["met"]
    (0.8, True)
    """
    columns = Columns(counts, ["coverage", "places", "year", "covered", "all"], what="the counts")
    minima = Columns(coverage_minima(), what="the plan")
    keys = ["coverage", "places", "year"]
    place = columns.match(keys, minima)
    covered, there = read_money(columns.column("covered"), "column 'covered' of the counts")
    whole, known = read_money(columns.column("all"), "column 'all' of the counts")
    bad = np.flatnonzero(~(there & known & (covered >= 0) & (covered <= whole) & (whole > 0)))
    if len(bad):
        raise PolicyError(f"the counts, row {bad[0]}: give 0 <= covered <= all, and all above 0")
    lowest = [*minima.column("minimum").to_pylist(), None]
    met = [
        None if lowest[code] is None else int(part) >= lowest[code] * int(total)
        for part, total, code in zip(covered, whole, place, strict=True)
    ]
    minimum = pa.array([lowest[code] for code in place], pa.decimal128(3, 2))
    return add_columns(counts, {"share": covered / whole, "minimum": minimum, "met": pa.array(met, pa.bool_())})
