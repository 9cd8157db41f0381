"""Agreement of own and returned groups by any key, what is counted of all rows, and falls from period to period."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list
from drgdip._columns import decode, nullable
from drgdip._sums import counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip.monitor.differences import Flags, Numbers

__all__ = ["View", "agreement", "counts_table", "falls", "view_of"]


class View(NamedTuple):
    """Rows by a key: no row is without one, for a part that is missing is a value of its own, null.

    Attributes
    ----------
    codes
        The key of each row as its place in `table`.
    table
        The keys in order, a column a part; nulls stand last.
    size
        How many keys there are.
    """

    codes: Numbers
    table: dict[str, pa.Array]
    size: int

    def columns(self, rows: Numbers) -> dict[str, pa.Array]:
        """Return the key of some rows, a column a part."""
        return {name: decode(self.codes[rows], values) for name, values in self.table.items()}


def view_of(parts: Mapping[str, tuple[Any, pa.Array]], rows: int) -> View:
    """Return the rows by columns, each given as codes (below 0 for none) with its values as texts in order."""
    joined = np.zeros(rows, np.int64)
    for codes, values in parts.values():
        joined = joined * (len(values) + 1) + np.where(np.asarray(codes) < 0, len(values), codes)
    found, inverse = np.unique(joined, return_inverse=True)
    table: dict[str, pa.Array] = {}
    rest = found
    for name, (_, values) in reversed(list(parts.items())):
        place = rest % (len(values) + 1)
        table[name] = decode(np.where(place == len(values), -1, place), values)
        rest = rest // (len(values) + 1)
    return View(inverse.reshape(-1), dict(reversed(list(table.items()))), len(found))


def agreement(
    view: View, compared: Flags, same: Mapping[str, Flags], names: Mapping[str, str] | None = None
) -> pa.Table:
    """Return by key the cases, those without a returned group, those compared, and what agrees at each level.

    Names of keys stand beside them where they are given.
    """
    table: dict[str, Any] = dict(view.table)
    if names is not None:
        keys = next(iter(view.table.values())).to_pylist()
        table["name"] = from_list([names.get(key) for key in keys], pa.string())
    total = counts(view.codes, view.size)
    with_group = counts(np.where(compared, view.codes, -1), view.size)
    table |= {"cases": total, "not_returned": total - with_group, "compared": with_group}
    for level, agrees in same.items():
        number = counts(np.where(agrees, view.codes, -1), view.size)
        table[f"{level}_agrees"] = number
        some = with_group > 0
        share = np.divide(number, with_group, out=np.full(view.size, np.nan), where=some)
        table[f"{level}_share"] = nullable(share)
    return pa.table(table)


def counts_table(compared: Flags, agrees: Flags, undated: Flags, unread: Flags) -> pa.Table:
    """Return what became of all rows: ``measure, cases``. Compared and not returned add up to the cases."""
    numbers = {
        "cases": len(compared),
        "not_returned": int((~compared).sum()),
        "compared": int(compared.sum()),
        "agreeing": int((compared & agrees).sum()),
        "differing": int((compared & ~agrees).sum()),
        "without_period": int(undated.sum()),
        "status_unread": int(unread.sum()),
    }
    return pa.table(
        {"measure": from_list(list(numbers), pa.string()), "cases": from_list(list(numbers.values()), pa.int64())}
    )


_FALLS = {
    "level": pa.string(),
    "compared": pa.int64(),
    "share": pa.float64(),
    "before": pa.float64(),
    "earlier": pa.float64(),
    "fall_before": pa.float64(),
    "fall_earlier": pa.float64(),
    "alarm": pa.bool_(),
}


def falls(periods: pa.Table, by: Sequence[str], levels: Sequence[str], drop: Fraction | None) -> pa.Table:
    """Return the fall of agreement in each period, against the one before and against all earlier ones together.

    The last column of ``by`` is the period; periods are compared within the other ones. A period without compared cases
    and the one without a name have no fall. Shares are compared as fractions, so that a fall of just ``drop`` counts.
    """
    found: list[dict[str, Any]] = []
    if by:
        rows = [row for row in periods.to_pylist() if row[by[-1]] is not None and row["compared"]]
        rows.sort(key=lambda row: [_natural(row[name] or "") for name in by])
        for level in levels:
            past: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
            for row in rows:
                key = tuple(row[name] for name in by[:-1])
                earlier = past.setdefault(key, [])
                now = row[f"{level}_agrees"], row["compared"]
                found.append({name: row[name] for name in by} | {"level": level} | _fall(now, earlier, drop))
                earlier.append(now)
    schema = pa.schema([*((name, pa.string()) for name in by), *_FALLS.items()])
    return pa.Table.from_pylist(found, schema)


def _fall(now: tuple[int, int], earlier: Sequence[tuple[int, int]], drop: Fraction | None) -> dict[str, Any]:
    share = Fraction(*now)
    row: dict[str, Any] = {"compared": now[1], "share": float(share), "alarm": None if drop is None else False}
    if earlier:
        before = Fraction(*earlier[-1])
        pooled = Fraction(sum(number for number, _ in earlier), sum(number for _, number in earlier))
        row |= {"before": float(before), "earlier": float(pooled)}
        row |= {"fall_before": float(before - share), "fall_earlier": float(pooled - share)}
        if drop is not None:
            row["alarm"] = max(before, pooled) - share >= drop
    return row


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key by which 2025年9月 stands before 2025年10月."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text)]
