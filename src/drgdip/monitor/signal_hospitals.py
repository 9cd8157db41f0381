"""Signals of hospitals: severe cases beside the peers, growth beside the peers, and the pattern of refused patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_numpy
from drgdip.monitor.signal_view import Amounts, Found
from drgdip.points.readmissions import TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip.monitor.signal_cases import Cases
    from drgdip.monitor.signal_view import Finder, View

__all__ = ["HOSPITAL_SIGNALS", "severe_of"]

_SEVERE = ("CC", "MCC")


def severe_of(cases: Cases) -> NDArray[np.bool_]:
    """Return which grouped cases have a CC or MCC that counts."""
    codes, values = cases.columns.codes("severity")
    held = np.append(np.asarray(pc.is_in(values, value_set=pa.array(_SEVERE))), False)
    return np.asarray(held[codes] & cases.grouped)


def _found(
    names: pa.Array, chosen: NDArray[np.bool_], value: Floats, expected: Floats, limit: float, counted: Codes
) -> Found:
    rows = np.flatnonzero(chosen)
    amounts = Amounts.none(len(rows), "no_counterfactual")
    none = np.full(len(rows), -1)
    held = names.take(from_numpy(rows))
    return Found(none, amounts, value[rows], expected[rows], limit, counted[rows], hospital=held)


def _over(a: Floats | Codes, b: Floats | Codes) -> Floats:
    found: Floats = np.divide(a, b, out=np.full(len(b), np.nan), where=b > 0)
    return found


def _find_severe(view: View, *, z: float, ratio: float, **_: object) -> Found:
    cases = view.cases
    hospital, names = cases.columns.codes("hospital")
    adrg, groups = cases.columns.codes("adrg")
    counted = np.flatnonzero((hospital >= 0) & (adrg >= 0) & cases.grouped)
    cell = hospital[counted].astype(np.int64) * len(groups) + adrg[counted]
    shape = (len(names), len(groups))
    size = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    severe = np.bincount(cell[severe_of(cases)[counted]], minlength=shape[0] * shape[1]).reshape(shape)
    peers = size.sum(axis=0) - size
    # Without peers an ADRG says nothing of the hospital, and does not enter.
    rate = np.divide(severe.sum(axis=0) - severe, peers, out=np.zeros(shape), where=peers > 0)
    size, severe = np.where(peers > 0, size, 0), np.where(peers > 0, severe, 0)
    # Both the hospital's number and the peers' rate are of chance.
    spread = size * rate * (1 - rate) * (1 + np.divide(size, peers, out=np.zeros(shape), where=peers > 0))
    seen, due, total = severe.sum(axis=1), (size * rate).sum(axis=1), size.sum(axis=1)
    score = _over(seen - due, np.sqrt(spread.sum(axis=1)))
    chosen = (score > z) & (_over(seen, due) > ratio)
    return _found(names, chosen, _over(seen, total), _over(due, total), ratio, total)


def _periods(view: View) -> tuple[pa.Array, Cases, Codes, Codes]:
    """Return the hospitals, the previous cases, and the hospital of each case of this and of the previous period."""
    previous = view.previous
    assert previous is not None  # the signal names the table
    hospital, names = view.cases.columns.codes("hospital")
    before, others = previous.columns.codes("hospital")
    place = filled(pc.index_in(others, value_set=names), -1)
    return names, previous, hospital, np.append(place, -1)[before]


def _find_growth(view: View, *, z: float, ratio: float, **_: object) -> Found:
    names, previous, now, then = _periods(view)
    size = np.bincount(now[now >= 0], minlength=len(names))
    old = np.bincount(then[then >= 0], minlength=len(names))
    # A hospital that is no longer there is a peer too.
    all_old = int((previous.columns.codes("hospital")[0] >= 0).sum())
    growth, peers = _over(size, old), _over(size.sum() - size, all_old - old)
    score = _over(size - old * peers, np.sqrt(size + old * peers**2))
    chosen = (score > z) & (growth > ratio * peers)
    return _found(names, chosen, growth, peers, ratio, size)


def _find_refusals(view: View, *, z: float, **_: object) -> Found:
    names, previous, now, then = _periods(view)
    periods = ((view.cases, now), (previous, then))
    fell, value, expected, size = _change(names, periods, severe_of)
    rose = _change(names, periods, _transferred)[0]
    return _found(names, (-fell > z) & (rose > z), value, expected, z, size)


def _change(
    names: pa.Array, periods: tuple[tuple[Cases, Codes], ...], of: Callable[[Cases], NDArray[np.bool_]]
) -> tuple[Floats, Floats, Floats, Codes]:
    """Return by hospital the z of the change of a share, the share of both periods, and the cases of the first."""
    parts = []
    for cases, hospital in periods:
        counted = (hospital >= 0) & cases.grouped
        size = np.bincount(hospital[counted], minlength=len(names))
        parts.append((np.bincount(hospital[counted & of(cases)], minlength=len(names)), size))
    (now, size), (then, old) = parts
    pooled = _over(now + then, size + old)
    spread = pooled * (1 - pooled) * (_over(np.ones(len(size)), size) + _over(np.ones(len(old)), old))
    value, expected = _over(now, size), _over(then, old)
    return _over(value - expected, np.sqrt(spread)), value, expected, size


def _transferred(cases: Cases) -> NDArray[np.bool_]:
    return np.asarray(np.isin(cases.numbers("discharge"), TRANSFERS))


HOSPITAL_SIGNALS: Mapping[str, Finder] = {
    "severity_share": _find_severe,
    "volume_growth": _find_growth,
    "refusal": _find_refusals,
}
