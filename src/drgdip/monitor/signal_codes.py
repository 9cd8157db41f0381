"""Signals of codes: cases that another principal code, or one code less, would put into another group."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_numpy, one_chunk
from drgdip._columns import Columns
from drgdip.cases.numbered import codes_of
from drgdip.monitor.signal_cases import Lists, batches, first_of_each
from drgdip.monitor.signal_hospitals import severe_of
from drgdip.monitor.signal_view import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip.monitor.signal_cases import Cases
    from drgdip.monitor.signal_view import Finder, View

__all__ = ["CODE_SIGNALS"]

#: The condition of a diagnosis that was absent at admission.
_ABSENT = "4"


class _Swaps(NamedTuple):
    """Cases with another code in the first place: which case (a place among those given), its code, and its group."""

    case: Codes
    code: Codes
    group: pa.Array


def _swap(view: View, rows: Codes, name: str, lists: Lists, tried: NDArray[np.bool_]) -> _Swaps:
    """Group cases again with each of some codes in the first place; the others keep their order."""
    row, start = lists.row, lists.offsets[:-1]
    place = np.arange(len(row)) - start[row]
    chosen = np.flatnonzero(tried)
    cases, codes, groups = [], [], []
    for piece in batches(lists.lengths[row[chosen]]):
        picked = chosen[piece]
        case = row[picked]
        length = lists.lengths[case]
        offsets = np.concatenate([[0], np.cumsum(length)])
        at = np.arange(offsets[-1]) - np.repeat(offsets[:-1], length)
        moved = np.repeat(place[picked], length)
        at = np.where(at == 0, moved, np.where(at <= moved, at - 1, at))
        swapped = Lists(lists.names, lists.number[np.repeat(start[case], length) + at], offsets)
        groups.append(view.regroup(rows[case], **{name: swapped}))
        cases.append(case)
        codes.append(lists.number[picked])
    nothing = [np.zeros(0, np.int64)]
    return _Swaps(np.concatenate(cases or nothing), np.concatenate(codes or nothing), _joined(groups))


def _joined(parts: list[pa.Array]) -> pa.Array:
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def _others(lists: Lists) -> NDArray[np.bool_]:
    """Return which codes stand behind a known first one, are known, another than it, and there for the first time."""
    row, number = lists.row, lists.number
    place = np.arange(len(row)) - lists.offsets[:-1][row]
    found = lists.known & _principal(lists)[row] & (place > 0)
    behind, back = np.flatnonzero(place > 0), 1
    while len(behind):  # those with so many codes before them
        found[behind[number[behind] == number[behind - back]]] = False
        back += 1
        behind = behind[place[behind] >= back]
    return found


def _principal(lists: Lists) -> NDArray[np.bool_]:
    """Return which cases have a known first code."""
    held = np.zeros(len(lists.offsets) - 1, bool)
    some = lists.lengths > 0
    held[some] = lists.known[lists.offsets[:-1][some]]
    return held


def _present(view: View, rows: Codes, lists: Lists) -> NDArray[np.bool_]:
    """Return which diagnoses are not marked as absent at admission."""
    if not view.cases.has("dx_conditions"):
        return np.ones(len(lists.number), bool)
    marks = codes_of(one_chunk(view.cases.clinical["dx_conditions"]).take(from_numpy(rows)))
    absent = marks.among(frozenset({_ABSENT}))
    widest = max(int(lists.lengths.max(initial=0)), int(marks.place.max(initial=-1)) + 1)
    place = np.arange(len(lists.number)) - lists.offsets[:-1][lists.row]
    return ~np.isin(lists.row * widest + place, (marks.row * widest + marks.place)[absent])


def _nearest(view: View, *, rows: Codes, far: float, low: bool) -> Found:
    """Return the cases that another principal diagnosis puts into a group whose mean is nearer to their cost.

    Of several such groups the one with the nearest mean counts, then the first by name.
    """
    lists = view.cases.lists("dx", rows)
    swaps = _swap(view, rows, "dx", lists, _others(lists) & _present(view, rows, lists))
    there = view.places(swaps.group)
    cost = view.cases.cost[rows][swaps.case]
    name = "total_cost"
    own, other = view.mean_of(name, view.place[rows][swaps.case]), view.mean_of(name, there)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(np.log(cost / other))
        fits = (other < own) & (distance < np.abs(np.log(cost / own))) if low else (other > own) & (cost <= far * other)
    kept = np.flatnonzero(fits)
    kept = kept[np.lexsort((kept, there[kept], distance[kept], swaps.case[kept]))]
    kept = kept[first_of_each(swaps.case[kept])]
    mine, groups = rows[swaps.case[kept]], swaps.group.take(from_numpy(kept))
    paid = view.own_prices(mine) if low else view.costs(mine)
    return Found(
        mine,
        paid.minus(view.prices(mine, groups)),
        (cost / own)[kept],
        (cost / other)[kept],
        far,
        view.counted(name, view.place[mine]),
        lists.names.take(from_numpy(swaps.code[kept])),
        groups,
    )


def _find_swaps(view: View, *, ratio: float, **_: object) -> Found:
    rows = np.flatnonzero(view.ratio("total_cost") < ratio)
    return _nearest(view, rows=rows, far=ratio, low=True)


def _find_absent(view: View, **_: object) -> Found:
    cases = view.cases
    marks = codes_of(one_chunk(cases.clinical["dx_conditions"]))
    absent = marks.row[(marks.place == 0) & marks.among(frozenset({_ABSENT}))]
    rows = absent[cases.group[0][absent] >= 0]
    lists = cases.lists("dx", rows)
    tried = _others(lists) & _present(view, rows, lists)
    first = np.unique(lists.row[tried], return_index=True)[1]
    one = np.zeros(len(tried), bool)
    one[np.flatnonzero(tried)[first]] = True
    place = (np.arange(len(tried)) - lists.offsets[:-1][lists.row])[one] + 1
    swaps = _swap(view, rows, "dx", lists, one)
    mine = rows[swaps.case]
    elsewhere = np.asarray(pc.fill_null(pc.not_equal(swaps.group, cases.group_texts(mine)), fill_value=False))
    picked = from_numpy(np.flatnonzero(elsewhere))
    mine, groups = mine[elsewhere], swaps.group.take(picked)
    amounts = view.own_prices(mine).minus(view.prices(mine, groups))
    code = lists.names.take(from_numpy(swaps.code[elsewhere]))
    return Found(mine, amounts, place[elsewhere].astype(np.float64), code=code, other_group=groups)


def _find_low_coding(view: View, *, ratio: float, **_: object) -> Found:
    rows = np.flatnonzero(view.ratio("total_cost") > ratio)
    return _nearest(view, rows=rows, far=ratio, low=False)


# --- reversal ---


class _Orders(NamedTuple):
    """How often two codes stand in one order among the reference's cases, the principal one first.

    A pair is one number: first x size + second, by their places among ``names``. ``held`` has a hospital before the
    pair, of those pairs alone that some peers might find reversed (``rare``) and of their reverses.
    """

    names: pa.Array
    hospitals: pa.Array
    pairs: Codes
    number: Codes
    rare: Codes
    held: Codes
    held_number: Codes

    @property
    def size(self) -> int:
        return len(self.names)

    def reverse(self, pairs: Codes) -> Codes:
        return np.asarray(pairs % self.size * self.size + pairs // self.size)

    def peers(self, pairs: Codes, hospital: Codes) -> Codes:
        """Return how many cases of other hospitals have each pair."""
        own = hospital * self.size**2 + pairs
        return _count(self.pairs, self.number, pairs) - np.where(
            hospital < 0, 0, _count(self.held, self.held_number, own)
        )


def _count(keys: Codes, number: Codes, wanted: Codes) -> Codes:
    """Return the numbers of keys, which are in order; 0 for those that are not there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, number[place], 0)


def _pairs(lists: Lists, numbers: Codes, size: int) -> Iterator[tuple[Codes, Codes]]:
    """Yield cases and their pairs, part by part. `numbers` has the place of each code among those of the reference."""
    for piece in batches(lists.lengths):
        part = lists.part(piece)
        others, row = _others(part), part.row
        first = numbers[part.number[part.offsets[:-1][row[others]]]].astype(np.int64)
        second = numbers[part.number[others]]
        both = (first >= 0) & (second >= 0)
        yield row[others][both] + piece.start, first[both] * size + second[both]


def _orders(reference: Cases, name: str, least: float) -> _Orders:
    """Return the orders of pairs; `least` is the least number of the usual order for its reverse to be rare."""
    lists = reference.lists(name)
    size = len(lists.names)
    numbers = np.append(np.arange(size - 1), -1)
    hospital, hospitals = reference.columns.codes("hospital")
    every = list(_pairs(lists, numbers, size))
    pairs, number = _added([np.unique(pair, return_counts=True) for _, pair in every])
    usual = pairs[number >= max(least, 1)]
    rare = np.sort(usual % size * size + usual // size)
    asked = np.union1d(rare, usual)
    parts = []
    for row, pair in every:
        kept = np.isin(pair, asked) & (hospital[row] >= 0)
        parts.append(np.unique(hospital[row[kept]].astype(np.int64) * size**2 + pair[kept], return_counts=True))
    return _Orders(lists.names, hospitals, pairs, number, rare, *_added(parts))


def _added(parts: Sequence[tuple[Codes, Codes]]) -> tuple[Codes, Codes]:
    """Return the keys of all parts in order, and the sums of their numbers."""
    nothing = [np.zeros(0, np.int64)]
    keys, where = np.unique(np.concatenate([key for key, _ in parts] or nothing), return_inverse=True)
    number = np.concatenate([number for _, number in parts] or nothing)
    return keys, np.bincount(where, number, len(keys)).astype(np.int64)


def _find_reversed(view: View, name: str, share: float, min_cases: float) -> Found:
    """Return the cases with a pair of codes in an order that is rare among peers, and elsewhere in the usual one.

    Of several such pairs the rarest order counts, then the first code by name.
    """
    cases = view.cases
    orders = _orders(view.reference, name, min_cases * (1 - share))
    lists = cases.lists(name)
    numbers = filled(pc.index_in(lists.names, value_set=orders.names), -1)
    numbers[-1] = -1
    hospital, hospitals = cases.columns.codes("hospital")
    hospital = np.append(filled(pc.index_in(hospitals, value_set=orders.hospitals), -1), -1)[hospital].astype(np.int64)
    found = []
    for row, pair in _pairs(lists, numbers, orders.size):
        likely = np.isin(pair, orders.rare) & (cases.group[0][row] >= 0)
        row, pair = row[likely], pair[likely]  # noqa: PLW2901 - of what is left
        this, usual = orders.peers(pair, hospital[row]), orders.peers(orders.reverse(pair), hospital[row])
        part = np.divide(this, this + usual, out=np.full(len(row), np.nan), where=this + usual > 0)
        kept = (part <= share) & (this + usual >= min_cases)
        found.append((row[kept], pair[kept] % orders.size, part[kept], (this + usual)[kept]))
    nothing = [(np.zeros(0, np.int64),) * 4]
    row, second, part, total = (np.concatenate(columns) for columns in zip(*(found or nothing), strict=True))
    rank = np.argsort(pc.sort_indices(orders.names).to_numpy())[second]
    return _in_usual_order(view, name, row, orders.names.take(from_numpy(second)), (part, total, rank), share)


def _in_usual_order(
    view: View, name: str, row: Codes, code: pa.Array, evidence: tuple[Floats, Codes, Codes], share: float
) -> Found:
    """Return the cases that group elsewhere with their code in the first place."""
    rows, case = np.unique(row, return_inverse=True)
    lists = view.cases.lists(name, rows)
    wanted = filled(pc.index_in(code, value_set=lists.names), -1)
    asked = case * len(lists.names) + wanted
    key = lists.row * len(lists.names) + lists.number
    swaps = _swap(view, rows, name, lists, _others(lists) & np.isin(key, asked))
    order = np.argsort(asked)
    place = order[np.searchsorted(asked, swaps.case * len(lists.names) + swaps.code, sorter=order)]
    part, total, rank = evidence[0][place], evidence[1][place], evidence[2][place]
    own = view.cases.group_texts(rows[swaps.case])
    kept = np.flatnonzero(np.asarray(pc.fill_null(pc.not_equal(swaps.group, own), fill_value=False)))
    kept = kept[np.lexsort((rank[kept], part[kept], swaps.case[kept]))]
    kept = kept[first_of_each(swaps.case[kept])]
    mine, groups = rows[swaps.case[kept]], swaps.group.take(from_numpy(kept))
    amounts = view.own_prices(mine).minus(view.prices(mine, groups))
    texts = lists.names.take(from_numpy(swaps.code[kept]))
    return Found(mine, amounts, part[kept], None, share, total[kept], texts, groups)


def _find_reversed_diagnoses(view: View, *, share: float, min_cases: float, **_: object) -> Found:
    return _find_reversed(view, "dx", share, min_cases)


def _find_reversed_procedures(view: View, *, share: float, min_cases: float, **_: object) -> Found:
    return _find_reversed(view, "procs", share, min_cases)


# --- one code that lifts the case ---


class _Without(NamedTuple):
    """Cases that group elsewhere without the code that gives them their severity: row, code, and that group."""

    row: Codes
    code: pa.Array
    group: pa.Array


def _without(view: View, rows: Codes) -> _Without:
    """Group cases again without the code that gives them their severity, and return those that group elsewhere."""
    codes, names = view.cases.columns.codes("severity_code")
    lists = view.cases.lists("dx", rows)
    decisive = filled(pc.index_in(names, value_set=lists.names), -1)[codes[rows]]
    first = np.zeros(len(lists.number), bool)
    first[lists.offsets[:-1][lists.lengths > 0]] = True  # a principal diagnosis stays what it is
    kept = lists.keep(first | (lists.number != decisive[lists.row]))
    other = view.regroup(rows, dx=kept)
    elsewhere = np.asarray(pc.fill_null(pc.not_equal(other, view.cases.group_texts(rows)), fill_value=False))
    chosen = np.flatnonzero(elsewhere)
    code = names.take(from_numpy(codes[rows][chosen].astype(np.int64)))
    return _Without(rows[chosen], code, other.take(from_numpy(chosen)))


def _severe_rows(cases: Cases) -> Codes:
    return np.flatnonzero(severe_of(cases) & (cases.columns.codes("severity_code")[0] >= 0) & (cases.group[0] >= 0))


def _lone(view: View, found: _Without, value: Floats, limit: float, counted: Codes) -> Found:
    amounts = view.own_prices(found.row).minus(view.prices(found.row, found.group))
    return Found(found.row, amounts, value, None, limit, counted, found.code, found.group)


def _find_rare(view: View, *, share: float, min_cases: float, **_: object) -> Found:
    rows = _severe_rows(view.cases)
    with_code, everyone = (_peers(view, rows, names) for names in (["adrg", "severity_code"], ["adrg"]))
    part = np.divide(with_code, everyone, out=np.full(len(rows), np.nan), where=everyone > 0)
    chosen = np.flatnonzero((part <= share) & (everyone >= min_cases))
    rows, part, everyone = rows[chosen], part[chosen], everyone[chosen]
    found = _without(view, rows)
    place = np.searchsorted(rows, found.row)
    return _lone(view, found, part[place], share, everyone[place])


def _peers(view: View, rows: Codes, names: list[str]) -> Codes:
    """Return how many grouped cases of the reference's other hospitals have the values of each case in columns."""
    reference = view.reference
    number = []
    for keys in (names, [*names, "hospital"]):
        held = reference.columns.keys(keys)
        size = np.bincount(held.codes[reference.grouped & (held.codes >= 0)], minlength=held.size)
        if reference is view.cases:
            codes = held.codes
        else:
            codes = view.cases.columns.match(keys, Columns(pa.table(held.table), what="the reference"))
        number.append(np.append(size, 0)[codes[rows]])
    return np.asarray(number[0] - number[1])


def _find_unsupported(view: View, *, ratio: float, **_: object) -> Found:
    found = _without(view, _severe_rows(view.cases))
    there = view.places(found.group)
    names = ["total_cost", "los"]
    names += ["drug_cost"] if all("drug_cost" in side.columns for side in (view.cases, view.reference)) else []
    shares = []
    for name in names:
        numbers = view.cases.cost if name == "total_cost" else view.cases.numbers(name)
        shares.append(numbers[found.row] / view.mean_of(name, there))
    value = np.max(shares, axis=0)  # one that is missing is NaN, and so is the greatest
    chosen = np.flatnonzero(value < ratio)
    picked = from_numpy(chosen)
    kept = _Without(found.row[chosen], found.code.take(picked), found.group.take(picked))
    return _lone(view, kept, value[chosen], ratio, view.counted("total_cost", there[chosen]))


CODE_SIGNALS: Mapping[str, Finder] = {
    "principal_swap": _find_swaps,
    "principal_absent": _find_absent,
    "low_coding": _find_low_coding,
    "reversed_diagnosis": _find_reversed_diagnoses,
    "reversed_procedure": _find_reversed_procedures,
    "lone_rare_severity": _find_rare,
    "lone_unsupported_severity": _find_unsupported,
}
