"""Signals of cost and stay against the mean of the group, and of cost that stands elsewhere or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import from_numpy
from drgdip._columns import Columns
from drgdip.monitor.signal_cases import amounts_of, batches
from drgdip.monitor.signal_view import Amounts, Found
from drgdip.points.readmissions import DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip.monitor.signal_view import Finder, View

__all__ = ["COST_SIGNALS"]

_ON_ADVICE = 1
#: Days of the week since 1970-01-01, a Thursday: Friday is 1, Saturday 2.
_FRIDAY, _SATURDAY = 1, 2


def _found(
    view: View, name: str, chosen: NDArray[np.bool_], value: Floats, limit: float, amounts: Amounts | None = None
) -> Found:
    """Return the rows of a mask, compared with the mean of their group."""
    rows = np.flatnonzero(chosen)
    amounts = Amounts.none(len(rows), "no_counterfactual") if amounts is None else amounts
    return Found(rows, amounts, value[rows], limit=limit, counted=view.counted(name, view.place[rows]))


def _find_low_standard(view: View, *, ratio: float, days: float, **_: object) -> Found:
    value = view.ratio("total_cost")
    chosen = (value < ratio) & (view.cases.los <= days) & ~_with_procedures(view)
    if "discharge" in view.cases.columns:
        chosen &= view.cases.numbers("discharge") == _ON_ADVICE
    return _found(view, "total_cost", chosen, value, ratio, view.own_prices(np.flatnonzero(chosen)))


def _with_procedures(view: View) -> NDArray[np.bool_]:
    """Return which cases have a procedure."""

    def make() -> NDArray[np.bool_]:
        lists = view.cases.lists("procs")
        return np.asarray(np.bincount(lists.row[lists.known], minlength=view.cases.rows) > 0)

    found: NDArray[np.bool_] = view.kept("with procedures", make)
    return found


def _find_hanging_beds(view: View, *, ratio: float, **_: object) -> Found:
    cases = view.cases
    begin, end = cases.days("admitted"), cases.days("discharged")
    weekday = np.mod(begin, 7)
    monday = begin + np.where(weekday == _FRIDAY, 3, 2)
    over = ((weekday == _FRIDAY) | (weekday == _SATURDAY)) & (end >= monday)
    mean = view.mean_of("total_cost", view.place) / view.mean_of("los", view.place)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = cases.cost / cases.los / mean
    chosen = over & (value < ratio) & ~_with_procedures(view)
    return _found(view, "total_cost", chosen, value, ratio, view.own_prices(np.flatnonzero(chosen)))


def _find_long(view: View, *, ratio: float, **_: object) -> Found:
    value = view.ratio("los")
    return _found(view, "los", value > ratio, value, ratio)


def _find_short(view: View, *, ratio: float, **_: object) -> Found:
    value = view.ratio("los")
    return _found(view, "los", value < ratio, value, ratio)


def _find_cheap(view: View, *, ratio: float, **_: object) -> Found:
    value = view.ratio("total_cost")
    rows = np.flatnonzero(value < ratio)
    return _found(view, "total_cost", value < ratio, value, ratio, view.own_prices(rows).minus(view.costs(rows)))


def _find_dear(view: View, *, ratio: float, **_: object) -> Found:
    value = view.ratio("total_cost")
    rows = np.flatnonzero(value > ratio)
    return _found(view, "total_cost", value > ratio, value, ratio, view.costs(rows).minus(view.own_prices(rows)))


def _find_without_cost(view: View, **_: object) -> Found:
    fen, known = amounts_of(view.cases.columns, "procedure_cost")
    rows = np.flatnonzero(_with_procedures(view) & known & (fen == 0) & (view.cases.group[0] >= 0))
    lists = view.cases.lists("procs", rows)
    empty = lists.keep(np.zeros(len(lists.number), bool))
    other = view.regroup(rows, procs=empty)
    differs = np.asarray(pc.fill_null(pc.not_equal(other, view.cases.group_texts(rows)), fill_value=True))
    rows, other, lists = rows[differs], other.filter(from_numpy(differs)), lists.take(np.flatnonzero(differs))
    known_lists = lists.keep(lists.known)
    code = known_lists.names.take(from_numpy(known_lists.number[known_lists.offsets[:-1]]))
    amounts = view.own_prices(rows).minus(view.prices(rows, other))
    return Found(rows, amounts, np.zeros(len(rows)), code=code, other_group=other)


def _find_missing(view: View, *, usual: float, share: float, **_: object) -> Found:
    items, cases = view.tables["items"], view.cases
    keys = ["hospital", "case_id"] if "hospital" in items and "hospital" in cases.columns else ["case_id"]
    row = items.match(keys, cases.columns)
    item, names = items.codes("item")
    known = (row >= 0) & (item >= 0)
    pairs = np.unique(row[known].astype(np.int64) * max(len(names), 1) + item[known])
    row, item = np.divmod(pairs, max(len(names), 1))
    group, groups = cases.group
    grouped = group[row] >= 0
    row, item = row[grouped], item[grouped]
    # The cases with items, by group; the items that enough of them have.
    with_items = np.unique(row)
    number = np.bincount(group[with_items], minlength=len(groups))
    having = np.bincount(group[row] * len(names) + item, minlength=len(groups) * len(names))
    having = having.reshape(len(groups), len(names))
    part = np.divide(having, number[:, None], out=np.zeros(having.shape), where=number[:, None] > 0)
    is_usual = (part >= usual) & (having > 0)
    due = is_usual.sum(axis=1)[group[with_items]]
    there = np.bincount(row, is_usual[group[row], item], minlength=cases.rows)[with_items]
    value = np.divide(due - there, due, out=np.full(len(due), np.nan), where=due > 0)
    chosen = np.flatnonzero((value >= share) & (there < due))
    rows = with_items[chosen]
    code = names.take(from_numpy(_most_usual_absent(rows, np.where(is_usual, part, -1.0), group[rows], pairs)))
    amounts = Amounts.none(len(rows), "no_counterfactual")
    return Found(rows, amounts, value[chosen], due[chosen].astype(float), share, number[group[rows]], code)


def _most_usual_absent(rows: Codes, part: Floats, group: Codes, pairs: Codes) -> Codes:
    """Return of each row the item that it lacks and most cases of its group have, the first of several.

    `part` is by group and item, below 0 for items that are not usual; `pairs` are row x items + item, in order.
    """
    items = part.shape[1]
    found = np.zeros(len(rows), np.int64)
    for piece in batches(np.full(len(rows), items)):
        absent = part[group[piece]]
        key = rows[piece, None] * items + np.arange(items)
        place = np.minimum(np.searchsorted(pairs, key), len(pairs) - 1)
        found[piece] = np.where(pairs[place] == key, -1.0, absent).argmax(axis=1)
    return found


def _find_shifted(view: View, *, days: float, share: float, **_: object) -> Found:
    visits, cases = view.tables["outpatient"], view.cases
    keys = ["patient", "hospital"] if "hospital" in visits else ["patient"]
    held = visits.keys(keys)
    place = cases.columns.match(keys, Columns(pa.table(held.table), keys, what="the patients of outpatient="))
    day = np.asarray(visits.dates("date").cast(pa.int32()).cast(pa.float64()).to_numpy(zero_copy_only=False))
    fen, known = amounts_of(visits, "cost")
    used = np.flatnonzero(known & (held.codes >= 0) & ~np.isnan(day))
    stamp = held.codes[used].astype(np.int64) * DAYS + day[used].astype(np.int64) + DAYS // 2
    order = np.argsort(stamp, kind="stable")
    stamp, running = stamp[order], np.concatenate([[0], np.cumsum(fen[used][order])])
    begin = cases.days("admitted")
    asked = np.flatnonzero((place >= 0) & ~np.isnan(begin) & cases.fen[1] & (cases.fen[0] > 0))
    last = place[asked].astype(np.int64) * DAYS + begin[asked].astype(np.int64) + DAYS // 2
    before = np.searchsorted(stamp, last, side="right")
    moved = running[before] - running[np.searchsorted(stamp, last - int(days), side="left")]
    value = moved / cases.fen[0][asked]
    chosen = np.flatnonzero((value >= share) & (moved > 0))
    rows = asked[chosen]
    amounts = Amounts(moved[chosen], np.ones(len(rows), bool), pa.nulls(len(rows), pa.string()))
    return Found(rows, amounts, value[chosen], limit=share)


COST_SIGNALS: Mapping[str, Finder] = {
    "low_standard_admission": _find_low_standard,
    "weekend_hanging_bed": _find_hanging_beds,
    "long_stay": _find_long,
    "short_stay": _find_short,
    "low_cost": _find_cheap,
    "high_cost": _find_dear,
    "procedure_without_cost": _find_without_cost,
    "missing_service": _find_missing,
    "cost_shift": _find_shifted,
}
