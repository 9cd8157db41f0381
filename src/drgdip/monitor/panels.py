"""Feedback (反馈) to panels of experts and to hospitals: monthly figures, control of weights, cases in dispute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import read_once, to_kind
from drgdip._columns import decode, labels, nullable
from drgdip._sums import counts
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.monitor.derived import Facts, keys_of
from drgdip.monitor.period import Period, choose
from drgdip.points import restructure_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["DISPUTES", "Feedback", "feedback"]

#: Why a case is in the list of disputes: the hospital objects, the case is in no group, it has no price, or special
#: review has not decided on it.
DISPUTES = ("objection", "not_grouped", "unpriced", "review")
_SHOWN = ("case_id", "group", "status", "reason", "points_reason", "payment_reason", "review_status", "objection")


class Feedback(NamedTuple):
    """The monthly figures for panels and hospitals.

    Attributes
    ----------
    panels
        Indicators by panel and month.
    hospitals
        Indicators by hospital and month, with those of all hospitals of the month beside them.
    panel_hospitals
        Indicators by panel, hospital and month, with those of the panel's month beside them.
    control
        A row a panel: ``groups``, ``n`` (grouped cases with a weight), ``total_before`` (their sum of weights),
        ``total_given``, ``over`` (the present total over the given one, less 1) and ``total_after``. None without
        weights.
    proposal
        The weights that keep each panel's total: ``panel``, ``group``, ``n``, ``weight_before``, ``weight`` and
        ``change``. None without weights.
    disputes
        The cases of `DISPUTES`: ``panel``, ``hospital``, ``month``, ``kind`` and what the cases have of number, group,
        status, reasons and objection.
    """

    panels: Any
    hospitals: Any
    panel_hospitals: Any
    control: Any
    proposal: Any
    disputes: Any


def feedback(
    cases: Any,
    panels: str | Mapping[str, str],
    *,
    which: Sequence[str] | None = None,
    weights: Any = None,
    totals: Mapping[str, float] | None = None,
    factors: Mapping[str, float] | None = None,
    absorb: str | None = None,
    small: int | None = None,
    low_risk: Sequence[str] | None = None,
    basic: Sequence[str] | None = None,
    readmission_days: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> Feedback:
    """Make the monthly feedback of panels and hospitals.

    Parameters
    ----------
    cases
        Any table with a row a case: ``hospital``, ``month`` (or ``discharged``), the column of the panels, and the
        columns of the indicators. For the list of disputes: ``objection`` (what the hospital wrote), ``status``,
        ``payment_status`` and ``review_status``, where they are there.
    panels
        The column of the panel of a case, such as ``"mdc"``; or the panel of each ``mdc``, such as ``{"MDCB":
        "neurology"}``. An MDC that is not named has no panel, and a row of its own.
    which, small, low_risk, basic, readmission_days, columns
        As in `indicators`.
    weights
        A table of ``group`` and ``weight``, for the control of weights.
    totals
        The total weight that each panel shall have (权重控制指标). Panels that are not named keep theirs.
    factors, absorb
        The factor of each group that a panel wants to change, and who makes up for it: ``"all"`` or ``"others"``
        (`drgdip.points.restructure_weights`). ``absorb`` is needed with totals or factors.

    Returns
    -------
    `Feedback`, each part a table of the caller's kind.

    Raises
    ------
    UnknownNameError
        A column, a panel or a group that is not there.
    PolicyError
        Totals or factors without weights or without ``absorb``; a panel that cannot make up for its factors.

    Notes
    -----
    天津市医保局 (2024-12-10): panels of an MDC see the indicators of their groups every month, and change weights
    within a total of their own. 《医疗保障按病种付费管理暂行办法》 (2025), article 15, keeps the total.

    Examples
    --------
    >>> rows = [("H1", "A", 1), ("H1", "B", 1), ("H2", "B", 1), ("H2", None, 1)]
    >>> cases = [{"hospital": h, "mdc": "MDCB", "group": g, "month": m} for h, g, m in rows]
    >>> table = [{"group": "A", "weight": 1.0}, {"group": "B", "weight": 2.0}]
    >>> found = feedback(cases, "mdc", weights=table, totals={"MDCB": 4.5}, absorb="all")
    >>> [(row["hospital"], row["cmi"], row["cmi_reference"]) for row in found.panel_hospitals]
    [('H1', 1.5, 1.6666666666666667), ('H2', 2.0, 1.6666666666666667)]
    >>> [(row["group"], row["weight"]) for row in found.proposal], found.disputes[0]["kind"]
    ([('A', 0.9), ('B', 1.8)], 'not_grouped')
    """
    if weights is None and (totals or factors):
        raise PolicyError("totals= and factors= change weights: give weights=, a table of group and weight")
    if (totals or factors) and absorb is None:
        raise PolicyError("totals= and factors= need absorb=: 'all' or 'others' make up for the change")
    table = read_once(cases)
    weights = None if weights is None else read_once(weights)
    options: dict[str, Any] = {"low_risk": low_risk, "basic": basic, "readmission_days": readmission_days}
    source = panels if isinstance(panels, str) else "mdc"
    facts = Facts(table, ["hospital", "month", source], weights=weights, columns=columns, **options)
    _add_panel(facts, panels)
    month, hospital = Period(facts, ["month"]), Period(facts, ["hospital", "month"])
    panel, both = Period(facts, ["panel", "month"]), Period(facts, ["panel", "hospital", "month"])
    chosen = choose(both.sums, which)
    control, proposal = (None, None) if weights is None else _control(facts, totals or {}, factors or {}, absorb)
    found = (
        panel.table(chosen, small=small),
        hospital.table(chosen, whole=month, small=small),
        both.table(chosen, whole=panel, small=small),
        control,
        proposal,
        _disputes(facts),
    )
    return Feedback(*(None if part is None else to_kind(part, cases) for part in found))


def _add_panel(facts: Facts, panels: str | Mapping[str, str]) -> None:
    """Add the column of panels to some cases."""
    if isinstance(panels, str):
        codes, values = facts.columns.codes(panels)
    else:
        own, mdcs = facts.columns.codes("mdc")
        values = pa.array(sorted({str(panel) for panel in panels.values()}), pa.string())
        place = {name: code for code, name in enumerate(values.to_pylist())}
        of_mdc = {str(mdc): place[str(panel)] for mdc, panel in panels.items()}
        codes = np.array([*(of_mdc.get(mdc, -1) for mdc in mdcs.to_pylist()), -1], np.int32)[own]
    facts.columns.add("panel", codes, values)


def _control(
    facts: Facts, totals: Mapping[str, float], factors: Mapping[str, float], absorb: str | None
) -> tuple[pa.Table, pa.Table]:
    """Return the totals of weights of panels, and the weights that bring them to those given."""
    table = _weights(facts)
    names, groups = table["panel"].to_pylist(), table["group"].to_pylist()
    _check_names("panel", totals, [name for name in dict.fromkeys(names) if name is not None], "totals=")
    _check_names("group", factors, groups, "factors=")
    figures, proposals = [], []
    for name in dict.fromkeys(names):
        part = table.filter(pa.array([other == name for other in names]))
        mine = {group: factors[group] for group in part["group"].to_pylist() if group in factors}
        given = None if name is None else totals.get(name)
        new = restructure_weights(part, mine or None, absorb=absorb or "all", total=given)
        before, after = (float(new[column][0].as_py()) for column in ("total_before", "total_after"))
        given = before if given is None else float(given)
        over = before / given - 1 if given else None
        row = (name, len(part), pc.sum(part["n"]).as_py(), before, given, over, after)
        figures.append(dict(zip(_CONTROL.names, row, strict=True)))
        proposals.append(new.select(_PROPOSAL.names))
    return pa.Table.from_pylist(figures, _CONTROL), pa.concat_tables([_PROPOSAL.empty_table(), *proposals])


def _weights(facts: Facts) -> pa.Table:
    """Return the groups of each panel with their cases and weight."""
    keys = keys_of(facts, ["panel", "group"])
    weight, known = facts.numbers("weight")
    codes = keys.codes if known is None else np.where(known, keys.codes, -1)
    number = counts(codes, keys.size)
    each = np.full(keys.size, np.nan)
    rows = np.flatnonzero(codes >= 0)
    each[codes[rows]] = weight[rows]
    kept = pa.array(number > 0)
    listed = {name: values.filter(kept) for name, values in keys.table.items()}
    return pa.table({**listed, "n": number[number > 0], "weight": nullable(each[number > 0])})


def _check_names(what: str, given: Mapping[str, float], known: Sequence[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise UnknownNameError(what, str(name), known, hint=f"It is named in {where}")


_CONTROL = pa.schema(
    [("panel", pa.string()), ("groups", pa.int64()), ("n", pa.int64())]
    + [(name, pa.float64()) for name in ("total_before", "total_given", "over", "total_after")]
)
_PROPOSAL = pa.schema(
    [("panel", pa.string()), ("group", pa.string()), ("n", pa.int64())]
    + [(name, pa.float64()) for name in ("weight_before", "weight", "change")]
)


def _disputes(facts: Facts) -> pa.Table:
    """Return the cases that somebody has still to decide on."""
    there = facts.columns
    kind = np.full(there.rows, -1, np.int8)
    wanted = (("review_status", ("pending",)), ("payment_status", ("unpriced",)), ("points_status", ("unpriced",)))
    for name, values in wanted:
        if name in there:
            number = DISPUTES.index("review" if name == "review_status" else "unpriced")
            kind[facts.among(name, values)] = number
    if "status" in there:
        kind[facts.among("status", ("ambiguous", "ungrouped", "invalid"))] = DISPUTES.index("not_grouped")
    elif "group" in there:
        kind[there.codes("group")[0] < 0] = DISPUTES.index("not_grouped")
    if "objection" in there:
        kind[there.codes("objection")[0] >= 0] = DISPUTES.index("objection")
    rows = np.flatnonzero(kind >= 0)
    table = {name: decode(there.codes(name)[0][rows], there.codes(name)[1]) for name in ("panel", "hospital", "month")}
    table["kind"] = labels(kind[rows], DISPUTES)
    for name in _SHOWN:
        if name in there:
            table[name] = decode(there.codes(name)[0][rows], there.codes(name)[1])
    found = pa.table(table)
    names = [name for name in found.column_names if name != "kind"]
    return found.take(pc.sort_indices(found, sort_keys=[(name, "ascending") for name in names]))
