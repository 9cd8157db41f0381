"""Moving from one DRG scheme to another with a hospital's own cases: what moves, why, and what it weighs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list, from_numpy, one_chunk, read_once, to_arrow
from drgdip._columns import Columns, nullable
from drgdip.cases.messages import with_lists_read
from drgdip.cases.table import to_cases, with_fen
from drgdip.errors import CaseError, DrgdipError
from drgdip.grouper.drg.losses import loss_of
from drgdip.grouper.drg.scheme import Scheme
from drgdip.grouper.drg.swaps import SWAPS, Swaps
from drgdip.grouper.flows import Side, Texts, flow_table, mdc_table, status_table, texts_of, total_table
from drgdip.grouper.group import results_of
from drgdip.grouper.load import load_any
from drgdip.grouper.move import Move
from drgdip.grouper.record import record_of
from drgdip.grouper.result import GroupResult
from drgdip.points.weighting import weights as compute_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import SchemeLike

    #: A group or an ADRG with a status, as numbers.
    Keys = NDArray[np.int64]

__all__ = ["move_cases"]

#: Reasons of a case that moves: those of `SWAPS`, and three that no change of tables alone gives.
_REASONS = (*SWAPS, "several_changes", "renumbered", "not_grouped_code")
_SEVERAL, _RENUMBERED, _NOT_GROUPED = range(len(SWAPS), len(_REASONS))


def move_cases(
    cases: Any,
    before: str | Scheme,
    after: str | Scheme,
    *,
    weights: tuple[Any, Any] | None = None,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Move:
    """Group cases under two DRG schemes, and say what moves, for which reason, and what it weighs.

    Parameters
    ----------
    cases
        As for `drgdip.group`; no stream, since the cases are grouped several times. A year of a hospital's cases.
    before, after
        Two DRG schemes, or ids of them.
    weights
        Weights under the two schemes: a pair of mappings from group to weight, or of tables with the columns ``group``
        and ``weight`` (such as published lists). None computes both from these cases (`drgdip.points.weights`) if they
        have ``total_cost``, in yuan; without it all weights are null.
    columns, codes
        As for `drgdip.group`.

    Returns
    -------
    A `drgdip.grouper.move.Move`, whose attributes are Arrow tables. It prints a summary, draws the flows, and writes
    a workbook or a page.

    Raises
    ------
    DrgdipError
        One is a DIP catalogue: it has no MDCs and ADRGs. `drgdip.diff_cases` compares groups of any two.
    UnknownNameError, CaseError
        As for `drgdip.group`; weights that are no pair, or no numbers.

    Notes
    -----
    **Reasons.** A group after is the same as one before if ADRGs of one MDC have one name, or else one code; so a group
    that has another code alone is ``renumbered``. Each change is made alone to the scheme before. The reason of a case
    is the first change that leads it to its new group: ``list_changed``, ``severity_list_changed``,
    ``exclusion_changed``, ``rule_changed``, ``new_group``, ``group_gone``, ``order_changed``, ``option_changed``. If
    none does, the reason is the first that takes the case out of its old group; if none does that either, it is
    ``several_changes``. The ADRG is compared before the group. ``not_grouped_code`` goes before
    all: the case was grouped, and the scheme after lists its principal diagnosis as not grouping.
    `drgdip.describe_reason` gives the texts.

    **Weights.** Grouped cases alone have a weight; all others count 0. With weights of the same cases the CMI of all is
    1 under both schemes: the MDCs and the flows say who gains.

    Examples
    --------
    >>> cases = [{"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"], "procs": []}] * 3
    >>> move = move_cases(cases, "chs-drg-2.0", "chs-drg-3.0")
    >>> move
    <Move chs-drg-2.0 -> chs-drg-3.0: 3 cases, 3 change their group, 0 lost>
    >>> [(row["before"], row["after"], row["reason"]) for row in move.drg_flows.to_pylist()]
    [('BR23', 'BR29', 'new_group')]
    """
    schemes = _drg(before), _drg(after)
    read, columns = with_lists_read(read_once(cases), columns)
    known = to_cases(read, columns)
    results = [results_of(known, scheme, None, codes) for scheme in schemes]
    weighed = _weights(known, results, weights)
    old, new = sides = tuple(map(_side, results, schemes, weighed))
    swaps = Swaps(*schemes)
    lost = np.flatnonzero(_is(old.status, "grouped") & ~_is(new.status, "grouped"))
    reasons = _reasons(known, sides, swaps, codes, lost)
    return Move(
        before=schemes[0].id,
        after=schemes[1].id,
        statuses=status_table(old, new),
        totals=total_table(old, new),
        mdcs=mdc_table(old, new),
        adrg_flows=flow_table(old, new, reasons[0], level="adrg"),
        drg_flows=flow_table(old, new, reasons[1], level="group"),
        lost=_lost(lost, known, schemes, results, sides, reasons[1], swaps, codes),
        cases=_case_table(known, sides, reasons),
    )


def _drg(scheme: str | SchemeLike) -> Scheme:
    loaded = load_any(scheme)
    if loaded.family != Scheme.family:
        raise DrgdipError(
            f"{loaded.id} is a {loaded.family} {loaded.word}, which has no MDCs and ADRGs: compare the groups of any "
            "two with diff_cases(cases, before, after), or drgdip diff BEFORE AFTER FILE on the command line"
        )
    return cast("Scheme", loaded)


def _side(result: pa.Table, scheme: Scheme, weights: NDArray[np.float64]) -> Side:
    adrg, group, mdc, status = (texts_of(result[name]) for name in ("adrg", "group", "mdc", "status"))
    none = np.array([text is None for text in adrg.values], bool)[adrg.numbers]
    values = adrg.values + group.values
    numbers = np.where(none, group.numbers + len(adrg.values), adrg.numbers)
    return Side(_distinct(Texts(numbers, values)), group, mdc, status, weights, scheme.names)


def _distinct(texts: Texts) -> Texts:
    """Return texts with one number for each."""
    number_of: dict[str | None, int] = {}
    place = np.array([number_of.setdefault(text, len(number_of)) for text in texts.values], np.int64)
    return Texts(place[texts.numbers], list(number_of))


# Weights


def _weights(cases: pa.Table, results: list[pa.Table], given: tuple[Any, Any] | None) -> list[NDArray[np.float64]]:
    """Return the weight of each case under both schemes: 0 if it is not grouped, NaN if it is not known."""
    if given is None:
        if "total_cost" not in cases.column_names:
            return [np.full(len(cases), np.nan) for _ in results]
        fen = with_fen(cases)["total_cost"].to_numpy()
        lists: list[Mapping[str, float]] = [_own_weights(result, fen / 100) for result in results]
    elif isinstance(given, tuple | list) and len(given) == 2:
        lists = [_given_weights(side, name) for side, name in zip(given, ("before", "after"), strict=True)]
    else:
        raise CaseError("weights is a pair: those under the scheme before, and those under the scheme after")
    found = []
    for result, weights in zip(results, lists, strict=True):
        group = texts_of(result["group"])
        by_group = np.array([weights.get(text or "", np.nan) for text in group.values], np.float64)
        found.append(np.where(_is(texts_of(result["status"]), "grouped"), by_group[group.numbers], 0.0))
    return found


def _own_weights(result: pa.Table, costs: NDArray[np.float64]) -> Mapping[str, float]:
    """Return the weights that the grouped cases give; none where no grouped case has a cost."""
    group, grouped = texts_of(result["group"]), _is(texts_of(result["status"]), "grouped")
    if not (grouped & (costs >= 0)).any():
        return {}
    groups = Texts(np.where(grouped, group.numbers, len(group.values)), [*group.values, None])
    rows = compute_weights(pa.table({"group": _encoded(groups), "total_cost": nullable(costs)})).to_pylist()
    return {row["group"]: row["weight"] for row in rows if row["group"] is not None and row["weight"] is not None}


def _is(texts: Texts, text: str) -> NDArray[np.bool_]:
    """Return which cases have a text."""
    has: NDArray[np.bool_] = np.array([value == text for value in texts.values], bool)[texts.numbers]
    return has


def _given_weights(given: Any, side: str) -> Mapping[str, float]:
    if isinstance(given, Mapping):
        return {str(group): _number(weight, side) for group, weight in given.items() if weight is not None}
    table = Columns(given, ["group", "weight"], what=f"the weights of the scheme {side}")
    groups, weights = table.column("group").to_pylist(), table.numbers("weight")
    doubled = len(groups) - len(set(groups))
    if doubled:
        raise CaseError(f"the weights of the scheme {side} name {doubled} groups twice: leave one row of each")
    return {str(group): float(weight) for group, weight in zip(groups, weights, strict=True) if weight == weight}


def _number(weight: Any, side: str) -> float:
    try:
        return float(weight)
    except (TypeError, ValueError) as error:
        raise CaseError(f"the weights of the scheme {side} have {weight!r}, which is no number") from error


# Reasons


def _reasons(
    cases: pa.Table, sides: tuple[Side, ...], swaps: Swaps, codes: str | None, lost: NDArray[np.int64]
) -> tuple[Texts, Texts]:
    """Return the reason of each case between ADRGs and between groups; None of one that stays."""
    before, after = sides
    numbers: dict[tuple[str | None, str | None], int] = {}
    labels = swaps.pairs.labels
    old = [_keys(side, before.status, labels, numbers) for side in (before.adrg, before.group)]
    new = [_keys(side, after.status, {}, numbers) for side in (after.adrg, after.group)]
    differs = [was != now for was, now in zip(old, new, strict=True)]
    # Where the ADRG is another, so is the group: the reason is the same for both.
    level = np.where(differs[0], 0, 1)
    moved = np.flatnonzero(differs[0] | differs[1])
    was, now = (np.where(level == 0, pair[0], pair[1])[moved] for pair in (old, new))
    leads, leaves = (np.full(len(moved), _SEVERAL) for _ in range(2))
    some = cases.take(from_numpy(moved))
    for place, change in enumerate(SWAPS):
        made = _side_keys(results_of(some, swaps.scheme(change), None, codes), numbers)
        then = np.where(level[moved] == 0, made[0], made[1])
        leads[(leads == _SEVERAL) & (then == now)] = place
        leaves[(leaves == _SEVERAL) & (then != was)] = place
    found = np.full(len(cases), -1)
    found[moved] = np.where(leads != _SEVERAL, leads, leaves)
    barred = swaps.after.not_grouped.get("diagnosis", frozenset())
    if barred:
        found[[row for row, code in zip(lost.tolist(), _principal(cases, lost), strict=True) if code in barred]] = (
            _NOT_GROUPED
        )
    reasons = []
    for place, (was_at, now_at) in enumerate(((before.adrg, after.adrg), (before.group, after.group))):
        raw: dict[tuple[str | None, str | None], int] = {}
        renamed = _keys(was_at, before.status, {}, raw) != _keys(now_at, after.status, {}, raw)
        here = np.where(differs[0], found, -1) if place == 0 else found
        here = np.where(renamed & (here < 0), _RENUMBERED, np.where(renamed, here, -1))
        reasons.append(Texts(here + 1, [None, *_REASONS]))
    return reasons[0], reasons[1]


def _keys(
    groups: Texts, status: Texts, labels: Mapping[str, str], numbers: dict[tuple[str | None, str | None], int]
) -> Keys:
    """Return a number for each case's group, called by its label, and status."""
    codes = groups.numbers * len(status.values) + status.numbers
    number_of = np.zeros(len(groups.values) * len(status.values), np.int64)
    present = np.zeros(len(number_of), bool)
    present[codes] = True
    for code in np.flatnonzero(present).tolist():
        group, what = groups.values[code // len(status.values)], status.values[code % len(status.values)]
        key = (None if group is None else labels.get(group, group), what)
        number_of[code] = numbers.setdefault(key, len(numbers))
    found: Keys = number_of[codes]
    return found


def _side_keys(result: pa.Table, numbers: dict[tuple[str | None, str | None], int]) -> tuple[Keys, Keys]:
    adrg, group, status = (texts_of(result[name]) for name in ("adrg", "group", "status"))
    none = np.array([text is None for text in adrg.values], bool)[adrg.numbers]
    joined = _distinct(
        Texts(np.where(none, group.numbers + len(adrg.values), adrg.numbers), adrg.values + group.values)
    )
    return _keys(joined, status, {}, numbers), _keys(group, status, {}, numbers)


def _principal(cases: pa.Table, rows: NDArray[np.int64]) -> list[str | None]:
    """Return the principal diagnosis of some cases."""
    return [codes[0] if codes else None for codes in one_chunk(cases["dx"]).take(from_numpy(rows)).to_pylist()]


# Tables of cases


def _case_table(cases: pa.Table, sides: tuple[Side, ...], reasons: tuple[Texts, Texts]) -> pa.Table:
    """Return every case with its groups, the reason and its weights."""
    rows = np.arange(len(cases))
    columns: dict[str, Any] = {"row": from_numpy(rows), "case_id": _ids(cases)}
    for name, side in zip(("before", "after"), sides, strict=True):
        for part in ("adrg", "group", "status"):
            columns[f"{name}_{part}"] = _encoded(getattr(side, part))
    columns["adrg_reason"], columns["reason"] = map(_encoded, reasons)
    return pa.table(
        columns
        | {f"weight_{name}": nullable(side.weights) for name, side in zip(("before", "after"), sides, strict=True)}
    )


def _encoded(texts: Texts) -> pa.Array:
    values = [text for text in texts.values if text is not None]
    place = np.array([-1 if text is None else values.index(text) for text in texts.values], np.int32)[texts.numbers]
    return pa.DictionaryArray.from_arrays(pa.array(place, mask=place < 0), from_list(values, pa.string()))


def _ids(cases: pa.Table) -> pa.Array:
    if "case_id" not in cases.column_names:
        return from_list([None] * len(cases), pa.string())
    return one_chunk(to_arrow(cases)["case_id"]).cast(pa.string())


def _lost(
    rows: NDArray[np.int64],
    cases: pa.Table,
    schemes: tuple[Scheme, Scheme],
    results: list[pa.Table],
    sides: tuple[Side, ...],
    reasons: Texts,
    swaps: Swaps,
    codes: str | None,
) -> pa.Table:
    """Return the cases that were grouped and are not, each with the condition that now fails."""
    some = from_numpy(rows)
    answers = [result.take(some).to_pylist() for result in results]
    names = [name for name in cases.column_names if name not in {"proc_dates", "dx_conditions"}]
    records = cases.select(names).take(some).to_pylist()
    ids = _ids(cases).take(some).to_pylist()
    found: list[dict[str, Any]] = []
    changes, principal = reasons.at(rows), _principal(cases, rows)
    for place, (row, was, now) in enumerate(zip(rows.tolist(), *answers, strict=True)):
        read = tuple(record_of(records[place], scheme, codes)[0] for scheme in schemes)
        loss = loss_of((read[0], read[1]), schemes, (GroupResult(**was), GroupResult(**now)), swaps.pairs)
        found.append(
            {
                "row": row,
                "case_id": ids[place],
                "principal_diagnosis": principal[place],
                "before": was["group"],
                "before_name": schemes[0].names.get(was["group"]),
                "after": now["group"],
                "after_status": now["status"],
                "after_reason": now["reason"],
                "reason": changes[place],
                "where": loss.where,
                "turned_away_by": loss.row,
                "condition": loss.condition,
                "codes": "|".join(loss.codes) or None,
                "weight_before": None if np.isnan(sides[0].weights[row]) else float(sides[0].weights[row]),
            }
        )
    kinds = {"row": pa.int64(), "weight_before": pa.float64()}
    names = ["row", "case_id", "principal_diagnosis", "before", "before_name", "after", "after_status", "after_reason"]
    names += ["reason", "where", "turned_away_by", "condition", "codes", "weight_before"]
    return pa.table({name: from_list([row[name] for row in found], kinds.get(name, pa.string())) for name in names})
