"""Flow (流向) of cases: shares of levels in groups and their change, and where patients of a place are treated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import read_once, to_kind
from drgdip._columns import as_list, nullable
from drgdip._sums import counts
from drgdip.monitor.derived import Facts, keys_of, rows_of_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Floats, Keys

__all__ = ["flows"]


def flows(
    cases: Any,
    to: str | Sequence[str] = "level",
    *,
    origin: str | Sequence[str] = (),
    groups: Sequence[str] | None = None,
    previous: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Measure where cases go: the share of each place in the cases of an origin, and its change.

    Parameters
    ----------
    cases
        Any table with a row a case: the columns of ``to`` and ``origin``; with groups also ``group``, and ``status``
        where it is there.
    to
        Where a case goes, such as the ``level`` of the hospital, or the region of care.
    origin
        Where it comes from, such as ``insured_region`` or ``pool``. Without it, all cases together.
    groups
        The groups that count, such as the basic ones (基层病组). Cases that are not grouped do not count. None takes
        all cases.
    previous
        The cases of an earlier period, under the same names.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    A table with a row an origin and place, of either period: the columns of ``origin`` and ``to``, ``cases``, and
    ``share`` (the part of the origin's cases, 0 to 1). With ``previous``, ``cases_previous``, ``share_previous``, and
    ``change``: the share less the earlier one, in points of a hundred (个百分点). A share is null where its origin has
    no case in the period. A case without a place has null there.

    Raises
    ------
    UnknownNameError
        A column that is missing.

    Notes
    -----
    Source: 江苏医改动态 no. 246, the shares of hospital levels in basic groups and their change against a year before.

    Examples
    --------
    >>> cases = [{"level": level, "group": "A"} for level in ("2", "2", "2", "3")]
    >>> for row in flows(cases, groups=["A"], previous=[*cases, *cases[3:]]):
    ...     print(row["level"], row["share"], round(row["change"], 2))
    2 0.75 15.0
    3 0.25 -15.0
    """
    origins, places = as_list(origin), as_list(to)
    now = _count(cases, [*origins, *places], groups, columns, "the cases")
    if previous is None:
        found, number = now
        result = {"cases": number, "share": nullable(_shares(found, number, len(origins)))}
        return to_kind(pa.table({**found.table, **result}), cases)
    then = _count(previous, [*origins, *places], groups, columns, "the previous cases")
    both = _joined(now[0], then[0])
    number, before = (_spread(both, keys, values) for keys, values in (now, then))
    share, earlier = (_shares(both, values, len(origins)) for values in (number, before))
    result = {
        "cases": number,
        "share": nullable(share),
        "cases_previous": before,
        "share_previous": nullable(earlier),
        "change": nullable((share - earlier) * 100),
    }
    return to_kind(pa.table({**both.table, **result}), cases)


def _count(
    table: Any, names: Sequence[str], groups: Sequence[str] | None, columns: Mapping[str, str] | None, what: str
) -> tuple[Keys, Any]:
    """Return the keys of a table's cases that count, and how many cases each has."""
    facts = Facts(read_once(table), names, basic=groups, columns=columns, what=what)
    keys = keys_of(facts, names)
    codes = keys.codes if groups is None else np.where(facts.flag("basic").holds, keys.codes, -1)
    number = counts(codes, keys.size)
    there = number > 0
    kept = {name: values.filter(pa.array(there)) for name, values in keys.table.items()}
    return keys._replace(table=kept, size=int(there.sum())), number[there]


def _joined(one: Keys, other: Keys) -> Keys:
    """Return the keys that either table has, in order; null is behind the others."""
    rows = sorted({*rows_of_keys(one), *rows_of_keys(other)}, key=lambda row: [(part is None, part) for part in row])
    columns = zip(*rows, strict=True) if rows else [() for _ in one.table]
    table = {name: pa.array(values, pa.string()) for name, values in zip(one.table, columns, strict=True)}
    return one._replace(table=table, size=len(rows))


def _spread(both: Keys, keys: Keys, values: Any) -> Any:
    """Return numbers of some keys in the order of others, 0 where a key has none."""
    found = dict(zip(rows_of_keys(keys), values.tolist(), strict=True))
    return np.array([found.get(row, 0) for row in rows_of_keys(both)], np.int64)


def _shares(keys: Keys, number: Any, origins: int) -> Floats:
    """Return the share of each row in the cases of its origin, NaN where that has none."""
    rows = [row[:origins] for row in rows_of_keys(keys)]
    place = {row: code for code, row in enumerate(dict.fromkeys(rows))}
    codes = np.array([place[row] for row in rows], np.int64)
    whole = np.bincount(codes, number, len(place))[codes] if len(codes) else np.zeros(0)
    found: Floats = np.full(len(codes), np.nan)
    np.divide(number, whole, out=found, where=whole > 0)
    return found
