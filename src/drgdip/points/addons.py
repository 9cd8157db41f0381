"""Points on top of those of the weight: by case, by group, or by any key that a table shares with the cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once
from drgdip._columns import Columns, add_columns, decode, nullable
from drgdip.errors import PolicyError

if TYPE_CHECKING:
    from drgdip._columns import Floats

__all__ = ["add_points", "added_to"]


@reads_once
def add_points(cases: Any, added: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Add points to cases, such as those for new technology or for diseases where Chinese medicine excels.

    Parameters
    ----------
    cases
        Cases as `case_points` gives them: ``points``, ``points_rule`` where there is one, and the key of ``added``.
    added
        Points by group (a mapping), the name of a column of the cases, or a table with ``points`` and its key: one or
        more columns that the cases have too, such as ``case_id`` or ``group`` and ``level``.
    columns
        The cases' names of columns by the library's names, such as ``{"group": "病组"}``.

    Returns
    -------
    The caller's table with ``added_points`` (0 where there are none), and with them in its own column of points. A case
    without points stays without. ``points_rule`` names them.

    Raises
    ------
    PolicyError
        Points that are negative or no numbers, a key that is there twice, or a table without a key of the cases.

    Examples
    --------
    >>> cases = [{"group": "A", "points": 100.0}, {"group": "B", "points": 50.0}, {"group": "A", "points": None}]
    >>> [row["points"] for row in add_points(cases, {"A": 8})]
    [108.0, 50.0, None]
    """
    table = Columns(cases, ["points"], columns=columns or {}, optional=["group", "points_rule"])
    more = added_to(table, added)
    bad = np.flatnonzero(~((more >= 0) & np.isfinite(more)))
    if len(bad):
        raise PolicyError(f"added= gives {more[bad[0]]} points to row {bad[0]}: give a number of at least 0")
    points = table.numbers("points")
    more = np.where(np.isnan(points), 0.0, more)
    result: dict[str, Any] = {"added_points": more, table.own_name("points"): nullable(points + more)}
    if "points_rule" in table:
        rule = decode(*table.codes("points_rule"))
        longer = pc.binary_join_element_wise(rule, pa.scalar("added_points"), " + ")
        result[table.own_name("points_rule")] = pc.if_else(pa.array(more > 0), longer, rule).dictionary_encode()
    return add_columns(cases, result)


def added_to(table: Columns, added: Any) -> Floats:
    """Return the points that are added to each case, 0 where there are none."""
    if isinstance(added, str):
        table.require([added])
        return np.nan_to_num(table.numbers(added))
    if isinstance(added, Mapping):
        codes, values = table.codes("group")
        listed = {str(group): float(number) for group, number in added.items()}
        return np.array([*(listed.get(value, 0.0) for value in values.to_pylist()), 0.0])[codes]
    read = Columns(added, ["points"], what="the table added=")
    keys = [name for name in read.names if name in table.names and name != "points"]
    if not keys:
        raise PolicyError(
            f"the table added= ({', '.join(read.names)}) shares no column with the cases: name its key as they do"
        )
    return np.append(read.numbers("points"), 0.0)[table.match(keys, read)]
