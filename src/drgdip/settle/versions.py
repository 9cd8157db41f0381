"""Versions of cases: the rows that counted on a day, so that a year can be settled as of any day and again later."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip.errors import CaseError
from drgdip.settle._inputs import flag, keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["cases_on", "has_versions", "known_on", "pick_versions"]


@exactly
@reads_once
def pick_versions(
    cases: Any,
    as_of: datetime.date | None = None,
    *,
    key: Sequence[str] = ("case_id",),
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Return the version of each case that counts on a day.

    Parameters
    ----------
    cases
        A table with a row for each version of a case: the columns of `key`, ``as_of`` (the day from which the version
        counts), and where a day has several, ``version`` (a number: the highest counts). ``withdrawn`` (true or
        false) marks a version that takes the case back, as a refund of the whole stay does.
    as_of
        The day. None takes the last version of each case.
    key
        The columns that name a case.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    The rows that count, in the order of the table and in its kind. A table without ``as_of`` comes back as it is.

    Raises
    ------
    CaseError
        A row without a key or without a day, or two rows with the same key, day and version.

    Examples
    --------
    >>> first = {"case_id": "1", "points": 100, "as_of": datetime.date(2024, 2, 5)}
    >>> corrected = {"case_id": "1", "points": 90, "as_of": datetime.date(2024, 3, 9)}
    >>> [pick_versions([first, corrected], datetime.date(2024, month, 20))[0]["points"] for month in (2, 3)]
    [100, 90]
    """
    table = Columns(cases, columns=columns)
    if "as_of" not in table:
        return cases
    table.require(key)
    codes = keys_of(table, key).codes
    day = np.asarray(table.dates("as_of").to_numpy(zero_copy_only=False), "datetime64[D]")
    bad = np.flatnonzero(np.isnat(day))
    if len(bad):
        raise CaseError(f"column 'as_of' of {table.what} is empty in row {bad[0]}: give the day it counts from")
    version = table.numbers("version") if "version" in table else np.zeros(table.rows)
    order = np.lexsort((version, day, codes))
    if as_of is not None:
        order = order[day[order] <= np.datetime64(as_of)]
    same = codes[order[1:]] == codes[order[:-1]]
    twice = same & (day[order[1:]] == day[order[:-1]]) & ~(version[order[1:]] > version[order[:-1]])
    if twice.any():
        place = int(np.flatnonzero(twice)[0])
        one, other = sorted((int(order[place]), int(order[place + 1])))
        raise CaseError(
            f"{table.what} have two versions of one case with the same day in rows {one} and {other}: "
            "number them in the column version, or leave one of them"
        )
    last = order[np.append(~same, True)] if len(order) else order
    kept = np.sort(last[~flag(table, "withdrawn")[last]])
    return to_kind(to_arrow(cases).take(pa.array(kept)), cases)


def cases_on(cases: Any, as_of: datetime.date | None, columns: Mapping[str, str] | None) -> Any:
    """Return the version of each case that counts on a day. Raise CaseError where none does yet."""
    picked = pick_versions(cases, as_of, columns=columns)
    table = Columns(cases, columns=columns)
    if table.rows and not Columns(picked).rows and as_of is not None:
        days = pc.min(table.dates("as_of")).as_py()
        raise CaseError(f"no case counts on {as_of}: {table.what} count from {days} on, or are withdrawn")
    return picked


def has_versions(cases: Any, columns: Mapping[str, str] | None = None) -> bool:
    """Return whether a table says from which day each row counts."""
    return "as_of" in Columns(cases, columns=columns)


def known_on(given: Any, as_of: datetime.date | None) -> Any:
    """Return the rows of a table that count on a day; without a column as_of, or a day, all of them."""
    if given is None or as_of is None or not has_versions(given):
        return given
    day = np.asarray(Columns(given).dates("as_of").to_numpy(zero_copy_only=False), "datetime64[D]")
    return to_arrow(given).filter(pa.array(day <= np.datetime64(as_of)))
