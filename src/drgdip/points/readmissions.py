"""Readmissions (再入院): stays that another stay of the same patient follows within so many days."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once
from drgdip._columns import Columns, Reasons, add_columns, as_list
from drgdip.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Codes, Floats

__all__ = ["mark_readmissions"]


@reads_once
def mark_readmissions(
    cases: Any,
    *,
    days: int,
    factor: float,
    same: str | Sequence[str] = "group",
    reduced: str = "earlier",
    except_groups: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Mark stays that are followed by a readmission (再入院) within so many days, with the factor on their points.

    Parameters
    ----------
    cases
        Any table with a row a case: ``patient``, ``admitted``, ``discharged``, and ``group`` for the exceptions.
    days
        A stay that begins at most so many days after the discharge from another is a readmission.
    factor
        The factor on the points of the reduced stay.
    same
        The columns, one or several, that must be the same in both stays for the rule to hold.
    reduced
        ``"earlier"`` or ``"later"``: the stay that loses points.
    except_groups
        Groups that the rule does not hold for, such as those of radiotherapy and chemotherapy.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    The caller's table with ``readmission_days`` (on the stay that is reduced: from the discharge of the one to the
    admission of the other); ``readmission_factor`` (1 where nothing is reduced); and ``readmission_reason``, a code.

    Notes
    -----
    Rules read: the same DRG within 15 days, the earlier stay's points halved except for radiotherapy and
    chemotherapy (Zhejiang 2019); the same group within 10 days (Jinhua 2017, where the text of the reduction is
    incomplete). The numbers are arguments, since places differ.

    Examples
    --------
    >>> import datetime
    >>> stays = [
    ...     {"admitted": datetime.date(2024, 1, 1), "discharged": datetime.date(2024, 1, 5)},
    ...     {"admitted": datetime.date(2024, 1, 20), "discharged": datetime.date(2024, 1, 25)},
    ... ]
    >>> stays = [stay | {"patient": "P", "group": "A"} for stay in stays]
    >>> [stay["readmission_factor"] for stay in mark_readmissions(stays, days=15, factor=0.5)]
    [0.5, 1.0]
    """
    if days < 0 or not (math.isfinite(factor) and factor >= 0):
        raise PolicyError(f"days={days!r}, factor={factor!r}: give days of at least 0 and a factor of at least 0")
    if reduced not in {"earlier", "later"}:
        raise PolicyError(f"reduced={reduced!r}: say 'earlier' or 'later'")
    keys = ["patient", *as_list(same)]
    needed = [*keys, "admitted", "discharged", "group" if except_groups else None]
    table = Columns(cases, needed, columns=columns or {}, optional=["group"])
    begin, end = _days(table, "admitted"), _days(table, "discharged")
    found = table.keys(keys).codes
    unknown = (found < 0) | np.isnan(begin) | np.isnan(end) | (end < begin)
    after = _gaps(found, begin, end, np.flatnonzero(~unknown), earlier=reduced == "earlier")
    excepted = np.zeros(table.rows, bool)
    if except_groups:
        codes, values = table.codes("group")
        listed = pc.is_in(values, value_set=pa.array([str(name) for name in except_groups], pa.string()))
        excepted = np.append(np.asarray(listed), False)[codes]
    within = (after >= 0) & (after <= days)
    reasons = Reasons(table.rows)
    reasons.note(within & excepted, "excepted_readmission")
    reasons.note(within, f"{'readmitted' if reduced == 'earlier' else 'readmission'}:{days}")
    reasons.note(after < 0, "overlapping_stays")
    reasons.note(unknown, "unknown_stay")
    return add_columns(
        cases,
        {
            "readmission_days": pa.array(np.nan_to_num(after).astype(np.int64), mask=np.isnan(after)),
            "readmission_factor": np.where(within & ~excepted, factor, 1.0),
            "readmission_reason": reasons.column(),
        },
    )


def _gaps(found: Codes, begin: Floats, end: Floats, rows: Codes, *, earlier: bool) -> Floats:
    """Return the days from one stay to the next of the same key, on the earlier or the later one; else NaN."""
    order = rows[np.lexsort((end[rows], begin[rows], found[rows]))]
    next_to = found[order[1:]] == found[order[:-1]]
    gap = begin[order[1:]] - end[order[:-1]]
    marked = order[:-1] if earlier else order[1:]
    after = np.full(len(found), np.nan)
    after[marked[next_to]] = gap[next_to]
    return after


def _days(columns: Columns, name: str) -> Floats:
    """Return dates as days since 1970, NaN where missing."""
    return np.asarray(columns.dates(name).cast(pa.int32()).cast(pa.float64()).to_numpy(zero_copy_only=False))
