"""Weights made from weights or from parts of the cost: sub-scores, weights of parents, borrowed weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._columns import Columns, add_columns, as_list, labels, nullable
from drgdip._sums import sums
from drgdip.errors import PolicyError
from drgdip.points.weighting import weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip._columns import Floats

__all__ = ["borrow_weights", "derive_parent_weights", "score_parts"]


@reads_once
def score_parts(
    cases: Any,
    parts: Sequence[str],
    by: str | Sequence[str] = "group",
    *,
    columns: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """Compute sub-scores of parts of the cost, such as drugs and consumables.

    Parameters
    ----------
    cases
        Any table with a row a case.
    parts
        The columns of the parts, in yuan.
    by, columns, options
        As for `weights`. Each part takes the place of ``total_cost``.

    Returns
    -------
    A table with the key, and for each part ``<part>_n``, ``<part>_mean`` and ``<part>_score``: the group's mean
    of the part over the mean of the part of all cases, times the scale (1 unless given).

    Notes
    -----
    Source: DIP 3.0 draft, chapter 5 (药品分值, 耗材分值), which has no factor of 1000 here.

    Examples
    --------
    >>> cases = [{"group": "A", "drugs": 100}, {"group": "B", "drugs": 300}]
    >>> [(row["group"], row["drugs_score"]) for row in score_parts(cases, ["drugs"])]
    [('A', 0.5), ('B', 1.5)]
    """
    keys = as_list(by)
    if not parts:
        raise PolicyError("parts=[] names no column of cost: give at least one")
    table = to_arrow(cases)
    joined: dict[str, Any] = {}
    for part in as_list(parts):
        names = dict(columns or {})
        names["total_cost"] = names.get(part, part)
        found = weights(table, by, columns=names, **options)
        # Every part has the same cases, and so the same keys in the same order.
        joined |= {name: found[name] for name in keys}
        joined[f"{part}_n"] = found["n"]
        joined[f"{part}_mean"] = found["mean"]
        joined[f"{part}_score"] = found["raw_weight"]
    return to_kind(pa.table(joined), cases)


@reads_once
def derive_parent_weights(weights: Any, parents: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Give each group the weight that its parent as a whole has.

    Parameters
    ----------
    weights
        The table of `weights`: ``group``, ``n`` and ``raw_weight``.
    parents
        The parent of each group, such as the ADRG of a DRG: a mapping, or a table with the columns ``group``
        and ``parent``. The groups that share a parent are taken together, unstable ones too.
    columns
        The weights' names of columns by the library's names.

    Returns
    -------
    A table with ``group`` and ``weight``: the mean of the siblings' weights before any status, each as often as
    it has cases; null where no sibling has a case.

    Examples
    --------
    >>> table = [{"group": "BR21", "n": 9, "raw_weight": 1.0}, {"group": "BR25", "n": 1, "raw_weight": 2.0}]
    >>> [row["weight"] for row in derive_parent_weights(table, {"BR21": "BR2", "BR25": "BR2"})]
    [1.1, 1.1]
    """
    table = Columns(weights, ["group", "n", "raw_weight"], what="the weights", columns=columns or {})
    if isinstance(parents, Mapping):
        parents = pa.table({"group": list(parents), "parent": list(parents.values())}) if parents else []
    tree = Columns(parents, ["group", "parent"], what="the parents")
    place = table.match(["group"], tree)
    codes, _ = tree.codes("parent")
    family = np.append(codes, -1)[place]
    size = int(family.max(initial=-1)) + 1
    raw, n = table.numbers("raw_weight"), table.numbers("n")
    family_used = np.where(np.isnan(raw) | ~(n > 0), -1, family)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums(family_used, np.nan_to_num(raw * n), size) / sums(family_used, np.nan_to_num(n), size)
    found = np.append(mean, np.nan)[family]
    return to_kind(pa.table({"group": table.column("group"), "weight": nullable(found)}), weights)


@reads_once
def borrow_weights(weights: Any, sources: Mapping[str, Any], *, columns: Mapping[str, str] | None = None) -> Any:
    """Fill the weights that unstable and uncovered groups lack, from other tables or other groups.

    Parameters
    ----------
    weights
        A table with ``group``, ``weight`` and ``weight_status``, such as that of `weights`.
    sources
        The sources by name, in order of preference. A source is a table with ``group`` and ``weight`` on the same scale
        (`derive_parent_weights`, a national list). Or it is a mapping from a group to the neighbouring group whose
        weight it takes.
    columns
        The weights' names of columns by the library's names.

    Returns
    -------
    The same table. A filled row has the status ``borrowed``, and ``borrowed_from`` names its source. A group that no
    source helps keeps its status.

    Notes
    -----
    Borrowing changes the total weight. `restructure_weights` with no factors but a total brings it back.

    Examples
    --------
    >>> own = [{"group": "B", "weight": None, "weight_status": "unstable"}]
    >>> borrow_weights(own, {"national": [{"group": "B", "weight": 0.8}]})[0]
    {'group': 'B', 'weight': 0.8, 'weight_status': 'borrowed', 'borrowed_from': 'national'}
    """
    rows = Columns(weights, ["group", "weight", "weight_status"], what="the weights", columns=columns or {})
    own = rows.numbers("weight")
    found = own.copy()
    source = np.full(rows.rows, -1, np.int32)
    for number, (name, table) in enumerate(sources.items()):
        offered = _offered(rows, own, table, f"source {name!r}")
        taken = np.isnan(found) & ~np.isnan(offered)
        found[taken] = offered[taken]
        source[taken] = number
    status = [
        "borrowed" if taken else old
        for taken, old in zip(source >= 0, rows.column("weight_status").to_pylist(), strict=True)
    ]
    return add_columns(
        weights,
        {
            rows.own_name("weight"): nullable(found),
            rows.own_name("weight_status"): pa.array(status, pa.string()),
            "borrowed_from": labels(source, list(sources)).cast(pa.string()),
        },
    )


def _offered(rows: Columns, own: Floats, table: Any, what: str) -> Floats:
    """Return the weight that a source offers to each row, NaN where it has none."""
    if isinstance(table, Mapping):
        # A neighbour lends the weight it has itself, never one it borrowed.
        pairs = Columns(pa.table({"group": list(table), "neighbour": list(table.values())}), what=what)
        place = np.append(pairs.match(["neighbour"], rows, ["group"]), -1)[rows.match(["group"], pairs)]
        return np.asarray(np.append(own, np.nan)[place])
    other = Columns(table, ["group", "weight"], what=what)
    return np.asarray(np.append(other.numbers("weight"), np.nan)[rows.match(["group"], other)])
