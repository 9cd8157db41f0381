"""Coverage by disease payment of a place's institutions, groups and fund, against the minima of a plan."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once
from drgdip._columns import Columns, add_columns
from drgdip._exact import exactly
from drgdip._listing import Listing
from drgdip._money import read_money
from drgdip.data import rows_of
from drgdip.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CoverageMinimum", "list_coverage_minima", "measure_coverage"]

_PLAN = "policies/jilin-coverage.csv"


class CoverageMinimum(NamedTuple):
    """The coverage that a plan asks for by the end of a year.

    Attributes
    ----------
    id
        Coverage, places and year, such as ``groups-pilots-2023``.
    coverage
        ``institutions``, ``groups`` or ``fund``.
    places
        ``pilots`` or ``others``; ``drg_pilots`` for institutions.
    year
        Year by the end of which the minimum holds.
    minimum
        Share of 1.
    added
        Share that the plan adds in the year, where it states that; else None.
    """

    id: str
    coverage: str
    places: str
    year: int
    minimum: Decimal
    added: Decimal | None


def list_coverage_minima() -> Listing[CoverageMinimum]:
    """List the coverage that Jilin's plan asks of its places, year by year.

    Returns
    -------
    A listing with a `CoverageMinimum` for each coverage, kind of place and year. Demands of the plan without a number,
    such as all eligible institutions, are not in it.

    Notes
    -----
    《吉林省DRG/DIP支付方式改革三年行动计划》, 2022-05-18.

    Examples
    --------
    >>> [str(row.minimum) for row in list_coverage_minima() if row.coverage == "institutions"]
    ['0.40', '0.70', '1.00']
    """
    minima: list[CoverageMinimum] = []
    reached: dict[tuple[str, str], Decimal] = {}
    for row in rows_of(_PLAN):
        key, number = (row["coverage"], row["places"]), Decimal(row["minimum"]).quantize(Decimal("0.01"))
        stepwise = row["counted"] == "added"
        reached[key] = reached.get(key, Decimal(0)) + number if stepwise else number
        name = "-".join((*key, row["year"]))
        minima.append(CoverageMinimum(name, *key, int(row["year"]), reached[key], number if stepwise else None))
    return Listing(minima, CoverageMinimum._fields)


@exactly
@reads_once
def measure_coverage(counts: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Measure coverage, and compare it with Jilin's plan.

    Parameters
    ----------
    counts
        A table with ``coverage``, ``places`` and ``year`` as in `list_coverage_minima`, and ``covered`` and ``all``:
        numbers of institutions or groups, or yuan of the fund.
    columns
        The table's names of columns by the library's names, such as ``{"year": "年度"}``.

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
    >>> measured = measure_coverage([row])[0]
    >>> measured["share"], measured["met"]
    (0.8, True)
    """
    keys = ["coverage", "places", "year"]
    table = Columns(counts, [*keys, "covered", "all"], what="the counts", columns=columns)
    minima = list_coverage_minima()
    place = table.match(keys, Columns(minima.to_arrow(), what="the plan"))
    covered, there = read_money(table.column("covered"), "column 'covered' of the counts")
    whole, known = read_money(table.column("all"), "column 'all' of the counts")
    bad = np.flatnonzero(~(there & known & (covered >= 0) & (covered <= whole) & (whole > 0)))
    if len(bad):
        raise PolicyError(f"the counts, row {bad[0]}: give 0 <= covered <= all, and all above 0")
    lowest = [*(row.minimum for row in minima), None]
    minimum = [lowest[code] for code in place]
    met = [
        None if least is None else int(part) >= least * int(total)
        for part, total, least in zip(covered, whole, minimum, strict=True)
    ]
    shares = {"minimum": pa.array(minimum, pa.decimal128(3, 2)), "met": pa.array(met, pa.bool_())}
    return add_columns(counts, {"share": covered / whole, **shares})
