"""Figures of groups that a caller gives: weights, scores, rates and payment standards, as lists of places have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from drgdip.errors import CaseError

__all__ = ["MEASURES", "Figure", "figures_by_group"]

#: The columns of a list that are figures of a group.
MEASURES = ("weight", "score", "base_rate", "standard")
#: The columns that tell several figures of a group apart.
_APART = ("level", "pool")


class Figure(NamedTuple):
    """A figure of a group: its measure, its value, and the level or pool that it is for ("" for all)."""

    measure: str
    value: Any
    of: str = ""


def figures_by_group(weights: Any) -> dict[str, tuple[Figure, ...]]:
    """Return the figures that a caller gives, by group.

    Parameters
    ----------
    weights
        Weights by group, or a table with a column ``group`` and some of `MEASURES`, such as
        `drgdip.points.load_weights` and `drgdip.points.load_standards` give.

    Raises
    ------
    CaseError
        The table lacks the column ``group`` or every measure, or is no table.
    """
    if isinstance(weights, Mapping):
        return {str(group): (Figure("weight", value),) for group, value in weights.items() if value is not None}
    from drgdip._arrow import to_arrow  # it needs Arrow, which one record does not

    table = to_arrow(weights)
    measures = [name for name in MEASURES if name in table.column_names]
    if "group" not in table.column_names or not measures:
        raise CaseError(f"weights has the columns {', '.join(table.column_names)}; give group and {MEASURES[0]}")
    figures: dict[str, list[Figure]] = {}
    for row in table.to_pylist():
        of = ", ".join(f"{name} {row[name]}" for name in _APART if row.get(name) is not None)
        mine = figures.setdefault(str(row["group"]), [])
        mine += [Figure(name, row[name], of) for name in measures if row[name] is not None]
    return {group: tuple(mine) for group, mine in figures.items()}
