"""Homogeneity (同质性) of groups: how alike their costs are, and how much of the variance the groups explain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, as_list, nullable, text_columns
from drgdip._sums import counts, sums, total
from drgdip.errors import CaseError, PolicyError
from drgdip.points.inclusion import GROUPED, with_statuses
from drgdip.points.selection import Selection, percentiles, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats, Keys
    from drgdip.points.inclusion import CaseRule, Trim

__all__ = ["HomogeneityFigures", "homogeneity"]


class HomogeneityFigures(NamedTuple):
    """How good groups are, as two tables in the container of the cases.

    Attributes
    ----------
    groups
        A row a group: the key; ``n``, ``mean`` (yuan), ``sd`` and ``cv`` (of a sample), ``q1``, ``median``, ``q3``
        (yuan), and ``skew`` (adjusted for the number of cases). A figure that too few cases give is null.
    overall
        A row for each grouping and, with ``level``, for each level of it: ``grouping`` (its column), ``level`` (null
        for all cases), ``n``, ``groups``, ``mean``, ``sd``, ``cv``, ``riv``, ``riv_log``. Then ``groups_below`` and
        ``cases_below``: the shares of groups, and of cases in groups, whose cv is below the limit.
    """

    groups: Any
    overall: Any


@reads_once
def homogeneity(
    cases: Any,
    by: str | Sequence[str] = "group",
    *,
    cost: str = "total_cost",
    cv_limit: float = 1.0,
    level: str | None = None,
    against: Sequence[str | Sequence[str]] = (),
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    statuses: Sequence[str] | None = GROUPED,
    columns: Mapping[str, str] | None = None,
) -> HomogeneityFigures:
    """Tell how alike the costs within groups are, and how much of the variance of costs the groups explain.

    Parameters
    ----------
    cases
        Any table with a row a case: the cost, and the columns of ``by``, ``level``, ``against``, ``trim``, ``rules``.
    by
        The column of the group, or several columns whose values make the key.
    cost
        The column of the cost (yuan).
    cv_limit
        The coefficient of variation below which a group counts as homogeneous, above 0.
    level
        The column of the level of the hospital; None gives figures of all cases only.
    against
        Other groupings of the same cases, each as a column or a list of columns: groups of another scheme, a DIP
        catalogue, or the groups before a refinement. Only cases with a group under every grouping count.
    trim, rules
        Which cases count; see `trim_cases`. Trimming is by the groups of ``by``, for every grouping alike.
    statuses
        The statuses of grouping that count, where the table has the column ``status``; None counts every case.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A `HomogeneityFigures`: the figures by group, and those of each grouping. ``riv`` is the reduction in variance: 1
    less the squares of deviations from the means of the groups over those from the mean of all. It equals R² of a
    regression of the cost on the group. ``riv_log`` is the same of the logarithm, over costs above 0. Both are null
    where all costs are equal. Within a level, means are those of the level.

    Raises
    ------
    CaseError
        No case can be used.
    PolicyError
        A limit that is not above 0.

    Notes
    -----
    Places ask for a coefficient of variation below 1 in a group, after the national specification as others report it.

    Examples
    --------
    >>> cases = [{"group": group, "total_cost": cost} for group, cost in (("A", 90), ("A", 110), ("B", 300))]
    >>> found = homogeneity(cases)
    >>> found.groups[0]["mean"], round(found.groups[0]["cv"], 4), round(found.overall[0]["riv"], 4)
    (100.0, 0.1414, 0.9926)
    """
    if not (math.isfinite(cv_limit) and cv_limit > 0):
        raise PolicyError(f"cv_limit={cv_limit!r}: give a coefficient of variation above 0, usually 1")
    if cost != "total_cost":
        columns = dict(columns or {})
        columns["total_cost"] = columns.pop(cost, cost)
    groupings = [as_list(by), *map(as_list, against)]
    within = list((trim.within if trim else None) or ())
    needed = [
        *(name for names in groupings for name in names),
        "total_cost",
        level,
        *within,
        *(rule.column for rule in rules),
    ]
    table = Columns(cases, needed, columns=columns or {}, optional=["status"])
    rules = with_statuses(rules, statuses, table)
    keys = [table.keys(names) for names in groupings]
    positive = trim is not None and trim.log
    selection = Selection(table, keys[0], trim=trim, rules=rules, positive=positive)
    used = selection.used
    for other in keys[1:]:
        used &= other.codes >= 0
    if not used.any():
        raise CaseError(
            f"none of the {table.rows} cases can be used: homogeneity needs costs of at least 0 and a group"
        )

    layers: list[tuple[str | None, NDArray[np.bool_]]] = [(None, used)]
    if level is not None:
        codes, values = table.codes(level)
        layers += [(name, used & (codes == number)) for number, name in enumerate(values.to_pylist())]
    overall = [
        {"grouping": "+".join(names), "level": name, **_overall(key, kept, selection.costs, cv_limit)}
        for names, key in zip(groupings, keys, strict=True)
        for name, kept in layers
        if kept.any()
    ]
    groups = _by_group(keys[0], np.where(used, keys[0].codes, -1), selection.costs)
    return HomogeneityFigures(to_kind(groups, cases), to_kind(pa.Table.from_pylist(overall, _OVERALL), cases))


_FLOATS = ("mean", "sd", "cv", "riv", "riv_log", "groups_below", "cases_below")
_OVERALL = pa.schema(
    [("grouping", pa.string()), ("level", pa.string()), ("n", pa.int64()), ("groups", pa.int64())]
    + [(name, pa.float64()) for name in _FLOATS]
)


def _by_group(keys: Keys, codes: Codes, costs: Floats) -> pa.Table:
    """Return the figures of each group that has a case."""
    n = counts(codes, keys.size)
    mean, sd, cv = _figures(codes, costs, keys.size)
    first, median, third = percentiles(codes, costs, keys.size, [25.0, 50.0, 75.0])
    figures = {"mean": mean, "sd": sd, "cv": cv, "q1": first, "median": median, "q3": third}
    figures["skew"] = _skew(codes, costs, n, mean)
    result = pa.table({**keys.table, "n": n} | {name: nullable(values) for name, values in figures.items()})
    return text_columns(result).filter(pa.array(n > 0))


def _figures(codes: Codes, costs: Floats, size: int) -> tuple[Floats, Floats, Floats]:
    """Return mean, sd and coefficient of variation of each group, NaN where they cannot be computed."""
    mean, sd = spread(codes, costs, size)
    return mean, sd, np.divide(sd, mean, out=np.full(size, np.nan), where=mean > 0)


def _skew(codes: Codes, costs: Floats, n: Codes, mean: Floats) -> Floats:
    """Return the skewness of each group, adjusted for its number of cases; NaN below three, or where all are equal."""
    size = len(n)
    squares = sums(codes, costs, size, lambda chosen, values: (values - mean[chosen]) ** 2)
    cubes = sums(codes, costs, size, lambda chosen, values: (values - mean[chosen]) ** 3)
    known = (n > 2) & (squares > 0)
    n, squares, cubes = n[known].astype(float), squares[known], cubes[known]
    found = np.full(size, np.nan)
    found[known] = cubes / n / (squares / n) ** 1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    return found


def _overall(keys: Keys, kept: NDArray[np.bool_], costs: Floats, cv_limit: float) -> dict[str, Any]:
    """Return the figures of a grouping for some of the cases."""
    costs = costs[kept]
    codes = keys.codes[kept]
    n = counts(codes, keys.size)
    _, _, cv = _figures(codes, costs, keys.size)
    mean, sd, whole = (_number(values[0]) for values in _figures(np.zeros(len(costs), np.int8), costs, 1))
    below = cv < cv_limit
    positive = costs > 0
    return {
        "n": len(costs),
        "groups": int((n > 0).sum()),
        "mean": mean,
        "sd": sd,
        "cv": whole,
        "riv": _riv(codes, costs, keys.size),
        "riv_log": _riv(codes[positive], np.log(costs[positive]), keys.size),
        "groups_below": float(below.sum() / (n > 0).sum()),
        "cases_below": float(n[below].sum() / n.sum()),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _riv(codes: Codes, values: Floats, size: int) -> float | None:
    """Return the reduction in variance by the groups; None where there is no variance."""
    if not len(values) or values.min() == values.max():
        return None
    n = np.maximum(counts(codes, size), 1)
    mean = sums(codes, values, size) / n
    middle = total(values) / len(values)
    within = sums(codes, values, size, lambda chosen, own: (own - mean[chosen]) ** 2).sum()
    everything = sums(np.zeros(len(values), np.int8), values, 1, lambda _, own: (own - middle) ** 2)[0]
    return float(1 - within / everything)
