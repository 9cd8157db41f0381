"""Readmissions (再入院): stays that another stay of the same patient follows within so many days."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once
from drgdip._columns import Columns, Reasons, add_columns, as_list
from drgdip.errors import PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats

__all__ = ["DAYS", "READMISSION_EXCEPTIONS", "TRANSFERS", "find_excepted", "mark_readmissions", "pair_stays"]

#: Kinds of readmission that a rule may leave out. transfer: the earlier stay ended in a transfer (discharge 2 or 3), or
#: the later one began on that day at another hospital. planned: the earlier stay announced it
#: (``readmission_planned``). death: the patient died in the later stay (discharge 5).
READMISSION_EXCEPTIONS = ("transfer", "planned", "death")
_COLUMNS_OF = {"transfer": ("discharge", "hospital"), "planned": ("readmission_planned",), "death": ("discharge",)}
#: Modes of discharge: transfers, and death.
TRANSFERS, _DEATH = (2, 3), 5
#: Keys and days share 64 bits: a day since 1970 fits 24 of them.
DAYS = 1 << 24


@reads_once
def mark_readmissions(
    cases: Any,
    *,
    days: int,
    factor: float,
    same: str | Sequence[str] = "group",
    reduced: str = "earlier",
    except_for: Sequence[str] = ("transfer",),
    except_groups: Sequence[str] = (),
    except_diagnoses: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Mark stays that are followed by a readmission (再入院) within so many days, with the factor on their points.

    A readmission belongs to the stay of the same patient that ended last before it began. So nested and chained stays
    have one pair each.

    Parameters
    ----------
    cases
        Any table with a row a case: ``patient``, ``admitted``, ``discharged``, the columns of ``same``, and those of
        the exceptions: ``discharge`` (1 to 5, 9), ``hospital``, ``readmission_planned`` (true or false), ``group``,
        ``dx_principal``.
    days
        A stay that begins at most so many days after the discharge from another is a readmission.
    factor
        The factor on the points of the reduced stay.
    same
        The columns, one or several, that must be the same in both stays for the rule to hold, such as
        ``["pool", "adrg"]``. None (``()``) takes any two stays of a patient.
    reduced
        ``"earlier"`` or ``"later"``: the stay that loses points.
    except_for
        Some of `READMISSION_EXCEPTIONS`. A transfer reads ``discharge`` and ``hospital`` where the cases have them.
    except_groups
        Groups of the later stay that the rule does not hold for, such as those of radiotherapy and chemotherapy.
    except_diagnoses
        Beginnings of principal diagnoses of the later stay that the rule does not hold for, such as ``"Z51"``.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    The caller's table with ``readmission_days`` (on the stay that is reduced: from the discharge of the one to the
    admission of the other); ``readmission_factor`` (1 where nothing is reduced); and ``readmission_reason``, a code.

    Raises
    ------
    PolicyError, UnknownNameError
        A number, a way or an exception that there is not, or a column that is missing.

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
    for name in except_for:
        if name not in READMISSION_EXCEPTIONS:
            raise UnknownNameError("exception", str(name), READMISSION_EXCEPTIONS)
    keys = ["patient", *as_list(same)]
    needed = [*keys, "admitted", "discharged", "group" if except_groups else None]
    needed += ["dx_principal" if except_diagnoses else None]
    needed += [name for kind in except_for if kind != "transfer" for name in _COLUMNS_OF[kind]]
    optional = ["group", "discharge", "hospital", "dx_principal", "readmission_planned"]
    table = Columns(cases, needed, columns=columns or {}, optional=optional)
    begin, end = _days(table, "admitted"), _days(table, "discharged")
    found = table.alike(keys)
    unknown = (found < 0) | np.isnan(begin) | np.isnan(end) | (end < begin)
    pairs = pair_stays(found, begin, end, np.flatnonzero(~unknown))
    same_day = begin[pairs.later] == end[pairs.earlier]
    free = find_excepted(table, pairs.earlier, pairs.later, same_day, except_for)
    free |= _begins(table, "group", pairs.later, except_groups, whole=True)
    free |= _begins(table, "dx_principal", pairs.later, except_diagnoses, whole=False)
    gap = begin[pairs.later] - end[pairs.earlier]
    row = pairs.earlier if reduced == "earlier" else pairs.later
    after, excepted = np.full(table.rows, np.nan), np.zeros(table.rows, bool)
    # Where stays overlap, one may have several readmissions: the nearest that is no exception counts, set last.
    several = np.flatnonzero((np.bincount(row, minlength=table.rows) > 1)[row])
    several = several[np.lexsort((gap[several], free[several] & (gap[several] <= days)))[::-1]]
    for chosen in (slice(None), several):
        after[row[chosen]], excepted[row[chosen]] = gap[chosen], free[chosen]
    lapped = pairs.lapped_earlier if reduced == "earlier" else pairs.lapped_later
    overlap = np.isnan(after) & (lapped < 0)
    after[overlap] = lapped[overlap]
    within = (after >= 0) & (after <= days)
    reasons = Reasons(table.rows)
    reasons.note(within & excepted, "excepted_readmission")
    reasons.note(within, f"{'readmitted' if reduced == 'earlier' else 'readmission'}:{days}")
    reasons.note(lapped < 0, "overlapping_stays")
    reasons.note(unknown, "unknown_stay")
    return add_columns(
        cases,
        {
            "readmission_days": pa.array(np.nan_to_num(after).astype(np.int64), mask=np.isnan(after)),
            "readmission_factor": np.where(within & ~excepted, factor, 1.0),
            "readmission_reason": reasons.column(),
        },
    )


class _Pairs(NamedTuple):
    """Rows of stays and of those that follow them, and by row the days (below 0) by which it overlaps a neighbour."""

    earlier: Codes
    later: Codes
    lapped_earlier: Floats
    lapped_later: Floats


def pair_stays(found: Codes, begin: Floats, end: Floats, rows: Codes) -> _Pairs:
    """Pair every stay with the one of the same key that ended last before it began."""
    rows = rows[np.bincount(found[rows])[found[rows]] > 1]  # most patients have one stay, which has no neighbour
    first, last = begin[rows].astype(np.int64) + DAYS // 2, end[rows].astype(np.int64) + DAYS // 2
    key = found[rows].astype(np.int64)
    # By their ends, so that the last of those up to a begin is the one before it. Stays of no length follow the order.
    order = np.argsort(first, kind="stable")
    order = order[np.argsort((key * DAYS + last)[order], kind="stable")]
    ends = (key * DAYS + last)[order]
    before = np.searchsorted(ends, (key * DAYS + first)[order], side="right") - 1
    before = np.minimum(before, np.arange(len(rows)) - 1)
    there = before >= 0
    there[there] = key[order][before[there]] == key[order][there]
    # By their ends, stays of a key overlap only where one begins before the end of the one before it.
    lapping = np.zeros(int(key.max(initial=-1)) + 2, bool)
    lapping[key[order][1:][(key[order][1:] == key[order][:-1]) & (first[order][1:] < last[order][:-1])]] = True
    lapped = _overlaps(found, begin, end, rows[lapping[key]])
    return _Pairs(rows[order[before[there]]], rows[order[there]], *lapped)


def _overlaps(found: Codes, begin: Floats, end: Floats, rows: Codes) -> tuple[Floats, Floats]:
    """Return by row the days (below 0) by which the next stay begins before it ends, or it begins before others end."""
    order = rows[np.lexsort((end[rows], begin[rows], found[rows]))]
    one, two = order[:-1], order[1:]
    same = found[one] == found[two]
    # Keys rise, so that the latest end so far is of the same key wherever the row before is.
    latest = np.maximum.accumulate(found[order].astype(np.int64) * DAYS + end[order].astype(np.int64) + DAYS // 2)
    begun = found[two].astype(np.int64) * DAYS + begin[two].astype(np.int64) + DAYS // 2
    earlier, later = np.full(len(found), np.nan), np.full(len(found), np.nan)
    for target, row, gap in ((earlier, one, begin[two] - end[one]), (later, two, begun - latest[:-1])):
        lapped = same & (gap < 0)
        target[row[lapped]] = gap[lapped]
    return earlier, later


def find_excepted(
    table: Columns, earlier: Codes, later: Codes, same_day: NDArray[np.bool_], except_for: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which pairs of rows are no readmission under the kinds of `READMISSION_EXCEPTIONS`.

    `same_day` are the pairs whose later stay began on the day on which the earlier one ended.
    """
    free = np.zeros(len(earlier), bool)
    modes = table.numbers("discharge") if "discharge" in table and except_for else np.full(table.rows, np.nan)
    if "transfer" in except_for:
        free |= np.isin(modes[earlier], TRANSFERS)
        if "hospital" in table:
            place, _ = table.codes("hospital")
            free |= (place[earlier] != place[later]) & same_day
    if "planned" in except_for:
        free |= _begins(table, "readmission_planned", earlier, ["true"], whole=True)
    if "death" in except_for:
        free |= modes[later] == _DEATH
    return free


def _begins(table: Columns, name: str, rows: Codes, wanted: Sequence[str], *, whole: bool) -> NDArray[np.bool_]:
    """Return which rows hold one of some texts, whole or as their beginning."""
    if not wanted:
        return np.zeros(len(rows), bool)
    codes, values = table.codes(name)
    starts = tuple(str(text) for text in wanted)
    held = [value in starts if whole else value.startswith(starts) for value in values.to_pylist()]
    return np.array([*held, False])[codes[rows]]


def _days(columns: Columns, name: str) -> Floats:
    """Return dates as days since 1970, NaN where missing."""
    return np.asarray(columns.dates(name).cast(pa.int32()).cast(pa.float64()).to_numpy(zero_copy_only=False))
