"""Signals of stays of one patient: duplicates, overlaps, split stays, chains, admissions elsewhere on the same day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_numpy, one_chunk
from drgdip._money import add_up
from drgdip.monitor.signal_cases import Lists, first_of_each
from drgdip.monitor.signal_view import Amounts, Found
from drgdip.points.readmissions import DAYS, TRANSFERS, find_excepted, pair_stays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip.monitor.signal_cases import Cases
    from drgdip.monitor.signal_view import Finder, View

__all__ = ["STAY_SIGNALS"]


class _Stays(NamedTuple):
    """Stays of patients with several, in the order of patient, begin and end; ties by hospital and number.

    ``row`` is the row in the table; ``again`` is the place of the first of the same stay, -1 where it is the first.
    """

    row: Codes
    patient: Codes
    begin: Codes
    end: Codes
    hospital: Codes
    again: Codes

    def take(self, chosen: Codes) -> _Stays:
        return _Stays(*(part[chosen] for part in self))


def _stays(cases: Cases) -> _Stays:
    """Return the stays whose patient, hospital and dates are known, of patients with several."""
    patient = cases.columns.alike(["patient"])
    several = np.flatnonzero((np.bincount(patient + 1) > 1)[patient + 1] & (patient >= 0))
    begin, end = (cases.days(name)[several] for name in ("admitted", "discharged"))
    hospital = cases.columns.codes("hospital")[0][several]
    known = (end >= begin) & (hospital >= 0)  # a missing day is NaN, and nothing is at least NaN
    rows, who, where = several[known], patient[several][known].astype(np.int64), hospital[known].astype(np.int64)
    first, last = begin[known].astype(np.int64), end[known].astype(np.int64)
    order = np.lexsort((where, last, who * DAYS + first + DAYS // 2))
    stays = _Stays(rows[order], who[order], first[order], last[order], where[order], np.full(len(order), -1))
    return _by_number(stays, cases)


def _by_number(stays: _Stays, cases: Cases) -> _Stays:
    """Return the stays with those that are alike in the order of their numbers, and marked."""
    alike = np.ones(max(len(stays.row) - 1, 0), bool)
    for part in (stays.patient, stays.begin, stays.end, stays.hospital):
        alike &= part[1:] == part[:-1]
    starts = np.concatenate([[True], ~alike])[: len(stays.row)]
    block = np.cumsum(starts) - 1
    member = np.bincount(block)[block] > 1 if len(block) else np.zeros(0, bool)
    places = np.flatnonzero(member)
    rank = np.zeros(len(places), np.int64)
    if "case_id" in cases.columns and len(places):
        rank = filled(pc.rank(cases.texts("case_id", stays.row[places]), tiebreaker="dense").cast(pa.int64()), 0)
    order = np.arange(len(stays.row))
    order[places] = places[np.lexsort((stays.row[places], rank, block[places]))]
    again = np.where(starts, -1, np.flatnonzero(starts)[block]) if len(block) else stays.again
    return stays._replace(row=stays.row[order], again=again)


def _once(view: View) -> _Stays:
    """Return the stays that are not there a second time."""

    def make() -> _Stays:
        stays = _all(view)
        return stays.take(np.flatnonzero(stays.again < 0))

    found: _Stays = view.kept("stays", make)
    return found


def _all(view: View) -> _Stays:
    found: _Stays = view.kept("all stays", lambda: _stays(view.cases))
    return found


def _find_duplicates(view: View, **_: object) -> Found:
    stays = _all(view)
    twice = np.flatnonzero(stays.again >= 0)
    first = stays.again[twice]
    size = np.bincount(first, minlength=len(stays.row))[first] + 1
    rows = stays.row[twice]
    return Found(rows, view.own_prices(rows), size.astype(np.float64), counted=size, other_row=stays.row[first])


def _find_overlaps(view: View, **_: object) -> Found:
    stays = _once(view)
    # The latest end so far of the same patient, and whose it is: patients rise, so that one maximum runs through.
    latest = np.maximum.accumulate(stays.patient * DAYS + stays.end + DAYS // 2)
    holder = np.maximum.accumulate(np.where(first_of_each(latest), np.arange(len(latest)), 0))
    later = np.arange(1, len(latest))
    other = holder[later - 1]
    same = stays.patient[other] == stays.patient[later]
    lapping = same & (stays.begin[later] < stays.end[other])
    later, other = later[lapping], other[lapping]
    shared = np.minimum(stays.end[later], stays.end[other]) - stays.begin[later]
    return _pairs_found(view, stays.row[other], stays.row[later], shared.astype(np.float64))


def _find_elsewhere(view: View, **_: object) -> Found:
    stays = _once(view)
    earlier, later = _of_patients(view)
    chosen = (stays.begin[later] == stays.end[earlier]) & (stays.hospital[later] != stays.hospital[earlier])
    chosen &= ~_transferred(view, stays.row[earlier])
    first, second = stays.row[earlier[chosen]], stays.row[later[chosen]]
    return _pairs_found(view, first, second, np.zeros(len(first)))


def _transferred(view: View, rows: Codes) -> NDArray[np.bool_]:
    if "discharge" not in view.cases.columns:
        return np.zeros(len(rows), bool)
    return np.asarray(np.isin(view.cases.numbers("discharge")[rows], TRANSFERS))


def _find_splits(view: View, *, days: float, same: Sequence[str], **_: object) -> Found:
    stays = _once(view)
    view.cases.columns.require(same)
    keys = [stays.patient, stays.hospital]
    keys += [view.cases.columns.codes(name)[0][stays.row] for name in same]
    earlier, later, gap = _readmitted(view, stays, _follow(stays, _joined(keys)), days)
    return _pairs_found(view, stays.row[earlier], stays.row[later], gap, days)


def _joined(keys: list[Codes]) -> Codes:
    """Return several keys as one, -1 where one of them is below 0."""
    found = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        missing = (found < 0) | (key < 0)
        size = int(key.max(initial=-1)) + 1
        found = np.where(missing, -1, np.unique(found * size + key, return_inverse=True)[1])
    return found


def _readmitted(view: View, stays: _Stays, pairs: tuple[Codes, Codes], days: float) -> tuple[Codes, Codes, Floats]:
    """Return the pairs of which the later stay begins within so many days, and that no rule excepts."""
    earlier, later = pairs
    gap = (stays.begin[later] - stays.end[earlier]).astype(np.float64)
    near = (gap >= 0) & (gap <= days)
    earlier, later, gap = earlier[near], later[near], gap[near]
    columns = view.cases.columns
    kinds = ["transfer", *(["planned"] if "readmission_planned" in columns else [])]
    kept = ~find_excepted(columns, stays.row[earlier], stays.row[later], gap == 0, kinds)
    return earlier[kept], later[kept], gap[kept]


def _of_patients(view: View) -> tuple[Codes, Codes]:
    """Return pairs of places: each stay with the one of the same patient that ended last before it began."""

    def make() -> tuple[Codes, Codes]:
        return _follow(_once(view), _once(view).patient)

    found: tuple[Codes, Codes] = view.kept("pairs of patients", make)
    return found


def _follow(stays: _Stays, key: Codes) -> tuple[Codes, Codes]:
    """Return the places of stays, each with the one of the same key that ended last before it began."""
    pairs = pair_stays(key, stays.begin.astype(np.float64), stays.end.astype(np.float64), np.flatnonzero(key >= 0))
    return pairs.earlier, pairs.later


def _find_chains(view: View, *, days: float, stays: float, **_: object) -> Found:
    all_stays = _once(view)
    earlier, later, _gap = _readmitted(view, all_stays, _of_patients(view), days)
    before = np.arange(len(all_stays.row))
    before[later] = earlier
    while True:  # each stay points at the first of its chain in the end
        further = before[before]
        if np.array_equal(further, before):
            break
        before = further
    size = np.bincount(before, minlength=len(before))[before]
    member = np.flatnonzero((size >= stays) & (size > 1))
    member = member[np.lexsort((member, before[member]))]
    rows, head = all_stays.row[member], before[member]
    amounts = Amounts.none(len(rows), "at_first_stay")
    first = np.flatnonzero(first_of_each(head))
    merged = _as_one(view, rows, first)
    amounts.fen[first], amounts.known[first] = merged.fen, merged.known
    reasons = amounts.reasons.to_numpy(zero_copy_only=False).astype(object)
    reasons[first] = merged.reasons.to_numpy(zero_copy_only=False)
    amounts = amounts._replace(reasons=pa.array(reasons, pa.string()))
    counted = size[member]
    others = all_stays.row[head]
    return Found(rows, amounts, counted.astype(np.float64), limit=stays, counted=counted, other_row=others)


def _pairs_found(view: View, first: Codes, second: Codes, value: Floats, limit: float | None = None) -> Found:
    """Return the later stays of pairs, with the amount that payment as one stay would save."""
    both = np.stack([first, second], axis=1).ravel()
    amounts = _as_one(view, both, np.arange(0, len(both), 2))
    return Found(second, amounts, value, limit=limit, other_row=first)


def _as_one(view: View, rows: Codes, first: Codes) -> Amounts:
    """Return what stays are paid above what each set of them would be paid as one stay, by set.

    The stays of a set stand one behind the other; `first` are the places where sets begin. The one stay has the values
    and the principal codes of the first, the codes of all, their days together, and the last discharge.
    """
    if not view.priced:
        return Amounts.none(len(first), "prices_not_given")
    if view.scheme is None or not view.cases.has("dx"):
        return Amounts.none(len(first), "not_regrouped")
    if not len(first):
        return Amounts.none(0, "not_regrouped")
    changed: dict[str, object] = {}
    edges = np.concatenate([first, [len(rows)]])
    for name in ("dx", "procs"):
        if view.cases.has(name):
            lists = view.cases.lists(name, rows)
            changed[name] = Lists(lists.names, lists.number, lists.offsets[edges])
    sets = np.repeat(np.arange(len(first)), np.diff(edges))
    if view.cases.has("los"):
        days = np.bincount(sets, view.cases.los[rows])  # a stay of unknown length leaves the sum unknown
        changed["los"] = pa.array(np.nan_to_num(days).astype(np.int64), mask=np.isnan(days))
    last = edges[1:] - 1
    if "discharge" in view.cases.clinical.column_names:
        changed["discharge"] = one_chunk(view.cases.clinical["discharge"]).take(from_numpy(rows[last]))
    paid = view.own_prices(rows)
    # One stay without a price leaves the whole set without one, for its reason.
    unknown = np.zeros(len(first), bool)
    unknown[sets[~paid.known]] = True
    why = np.zeros(len(first), np.int64)
    why[sets[~paid.known][::-1]] = np.flatnonzero(~paid.known)[::-1]
    reasons = paid.reasons.take(pa.array(why, mask=~unknown))
    together = Amounts(add_up(sets, np.where(paid.known, paid.fen, 0), len(first)), ~unknown, reasons)
    return together.minus(view.prices(rows[last], view.regroup(rows[first], **changed)))


STAY_SIGNALS: Mapping[str, Finder] = {
    "duplicate_stay": _find_duplicates,
    "overlapping_stays": _find_overlaps,
    "same_day_elsewhere": _find_elsewhere,
    "split_stay": _find_splits,
    "readmission_chain": _find_chains,
}
