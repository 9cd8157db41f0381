"""A place's own DRGs (本地细分组) from its history of cases: the core groups of a national scheme, divided anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from drgdip._arrays import read_days
from drgdip._arrow import filled, from_numpy, one_chunk, read_once, to_arrow
from drgdip.cases.table import with_fen
from drgdip.errors import CaseError
from drgdip.grouper.drg.cells import Sources, count_cells, no_cells
from drgdip.grouper.drg.drafting import Row, base_rows, draft, rows_of_branch, trial
from drgdip.grouper.drg.features import Feature, check_features
from drgdip.grouper.drg.scheme import Scheme, load_scheme
from drgdip.grouper.drg.splitting import SplitCriteria, Wishes, divide
from drgdip.grouper.drg.wishes import Wish, read_wishes, rules_of_divisions, why_kept
from drgdip.grouper.group import group
from drgdip.grouper.history import encoded_values, for_caller, is_one_of, places_of, read_history
from drgdip.grouper.refinement import Found, Refinement, candidates_of, decisions_of, notes_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.drg.model import Adrg

__all__ = ["build_scheme"]


def build_scheme(
    cases: Any,
    id: str,  # noqa: A002 - the key of scheme.toml
    *,
    features: Sequence[Feature],
    criteria: SplitCriteria,
    base: str | os.PathLike[str] | Scheme = "chs-drg-2.0",
    title: str = "",
    issuer: str = "",
    place: str = "",
    published: str = "",
    decisions: Any = None,
    trim: Callable[[Any], Any] | None = None,
    weights: Callable[[Any], Any] | None = None,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Refinement:
    """Build a place's own scheme from cases: each core group (ADRG) of the base is divided by declared criteria.

    Parameters
    ----------
    cases
        A table of cases as for `drgdip.group`, with ``total_cost`` in yuan. Cases that the base does not group, or
        without a readable cost above 0, do not count. Some criteria need ``hospital`` or ``discharged``.
    id, title, issuer, place, published
        As in ``scheme.toml``; the title is the id if it is empty.
    features
        The features that core groups may be divided by, see `Feature`; of equal divisions, the feature that comes first
        is taken.
    criteria
        The criteria that a division must meet, see `SplitCriteria`.
    base
        The scheme, or the id or folder of one, whose core groups are divided. It extends no other.
    decisions
        Manual decisions, a table with ``adrg``, ``action``, ``about`` and, if you like, ``note``. ``keep`` leaves the
        groups of the base; ``merge`` makes one group. ``forbid`` rules out a division (``severity: MCC | CC+none``),
        all of a feature (``severity``), or all (``*``); several stand in rows, or with ; between them. ``force`` takes
        a division whatever the criteria say; these decide about its parts. The ``decisions`` of an earlier result can
        be given: rows without an action are passed over.
    trim
        A function that says which cases count, as ``functools.partial(drgdip.points.trim_cases, trim=..., by="adrg")``.
        It gets the grouped cases in the caller's kind of container, and returns them in the same order, with a column
        ``trim_status``: used ones count.
    weights
        A function of the cases grouped by the new scheme that gives their weights, as `drgdip.points.weights`.
    columns
        Name in the table by case column, for names that are no alias.
    codes
        The edition of the cases' codes, as for `drgdip.group`; None takes them as they are.

    Returns
    -------
    A `Refinement`: the scheme, every decision and every division tried. Equal cases give equal schemes, in any order
    of rows. A core group without cases keeps the groups of the base. So do an ambiguous one, one whose groups do not
    take every case, and one whose groups go by rules that no feature has.

    Raises
    ------
    UnknownNameError
        There is no such scheme or edition.
    CaseError
        The table lacks a column or has no usable case; features share a name or a mark; a decision cannot be read.

    Notes
    -----
    Of the divisions that meet all criteria, the one with most groups is taken; of these, the one that explains most
    variance of costs. Where few divisions are possible, all are tried. Else, the best of each step is followed, and
    ``decisions`` says so. The core groups stay those of the nation, as the measures of 2025 ask.

    Examples
    --------
    >>> stays = [{"sex": 1, "age": 60, "dx": ["K22.301"], "procs": [], "total_cost": 4000 + at} for at in range(30)]
    >>> stays += [{**stay, "age": 9, "total_cost": stay["total_cost"] * 2} for stay in stays]
    >>> age = Feature.bands("age", [17], marks="0")
    >>> built = build_scheme(stays, "mine", features=[age], criteria=SplitCriteria(min_cases=20, difference=0.2))
    >>> [(drg.code, drg.name) for adrg in built.scheme.adrgs if adrg.code == "GZ1" for drg in adrg.drgs]
    [('GZ10', '其他消化系统疾病，年龄＜17岁'), ('GZ19', '其他消化系统疾病，年龄≥17岁')]
    """
    national = load_scheme(base)
    if national.info.extends:
        raise CaseError(f"{national.id} extends {national.info.extends}; build upon that, or upon another national one")
    if not national.folder.is_dir():
        raise CaseError(
            f"{national.id} is no folder that a scheme could extend; write it with to_folder, and load that"
        )
    check_features(features)
    adrgs = {adrg.code: adrg for adrg in national.adrgs}
    wishes = read_wishes(decisions, adrgs, features)
    source = read_once(cases)
    given = to_arrow(source)
    needs = [
        *(["hospital"] if criteria.hospital_share is not None else []),
        *(["discharged"] if criteria.years else []),
    ]
    table = read_history(source, columns, codes, national, needs=needs)
    fen = np.nan_to_num(filled(one_chunk(with_fen(table)["total_cost"]), 0.0))
    grouped = group(table, national)
    rows = _usable(grouped, fen)
    counted = rows if trim is None else rows[_kept(trim(for_caller(cases, given, table, grouped, rows)), len(rows))]
    known = rules_of_divisions(features)
    kept = {code: why_kept(adrg, wishes.get(code), known) for code, adrg in adrgs.items()}
    divisible = [adrg for code, adrg in adrgs.items() if not kept[code]]
    found = _search(table, grouped, fen, counted, _Task(national, divisible, features, criteria, wishes))

    drgs: list[Row] = []
    for code, adrg in adrgs.items():
        drgs += rows_of_branch(adrg, found[code].branch, features) if code in found else base_rows(adrg)
    head: dict[str, Any] = {"id": id, "title": title or id, "issuer": issuer, "place": place, "published": published}
    head["provenance"] = {"base": f"{national.id} revision {national.info.revision} {national.info.sha256}"}
    head["notes"] = notes_of(features, criteria, len(counted))
    tables, files = draft(national, drgs, features, head, Path(id))
    scheme = Scheme.of(tables)
    made = None
    if weights is not None:
        made = to_arrow(weights(for_caller(cases, given, table, group(table, scheme), rows)))
    candidates = candidates_of(found, features)
    return Refinement(scheme, decisions_of(adrgs, scheme, found, features, wishes, kept), candidates, made, files)


class _Task(NamedTuple):
    """All that a search is told beside the cases."""

    base: Scheme
    divisible: list[Adrg]
    features: Sequence[Feature]
    criteria: SplitCriteria
    wishes: Mapping[str, Wish]


# --- the cases -------------------------------------------------------------------------------------------------------


def _usable(grouped: pa.Table, fen: np.ndarray) -> np.ndarray:
    """Return the rows of cases that the base groups, with a cost above 0."""
    rows = np.flatnonzero((fen > 0) & is_one_of(grouped["status"], ("grouped",)))
    if not len(rows):
        raise CaseError("no case is grouped under the base and has a cost above 0: nothing to build from")
    return rows


def _kept(trimmed: Any, rows: int) -> np.ndarray:
    """Return which cases a function of the caller lets count."""
    table = to_arrow(trimmed)
    if "trim_status" not in table.column_names or len(table) != rows:
        raise CaseError(f"trim must give back its {rows} cases with a column trim_status, as points.trim_cases does")
    used = is_one_of(table["trim_status"], ("used",))
    if not used.any():
        raise CaseError("trim lets no case count; give wider limits")
    return used


def _search(table: pa.Table, grouped: pa.Table, fen: np.ndarray, rows: np.ndarray, task: _Task) -> dict[str, Found]:
    """Return the best division of each core group that has cases."""
    place = {adrg.code: number for number, adrg in enumerate(task.divisible)}
    adrg = places_of(grouped["adrg"], place)[rows]
    rows, adrg = rows[adrg >= 0], adrg[adrg >= 0]
    taken = table.take(from_numpy(rows)) if len(rows) < len(table) else table
    parts = np.zeros((len(rows), len(task.features)), dtype=np.int8)
    for number, feature in enumerate(task.features):
        parts[:, number] = _parts(taken, task, feature)
    kept = (parts >= 0).all(axis=1)  # a value that a feature reads and no one can makes a case invalid
    hospital = None
    if task.criteria.hospital_share is not None:
        hospital = encoded_values(taken["hospital"])[0].astype(np.int64)[kept]
    year = _years(taken["discharged"])[kept] if task.criteria.years else None
    sources = Sources(adrg[kept], fen[rows][kept], parts[kept], hospital, year)
    counted = dict(count_cells(sources, len(task.divisible), task.criteria))
    found = {}
    for number, one in enumerate(task.divisible):
        wishes = task.wishes[one.code].wishes if one.code in task.wishes else Wishes()
        cells = counted.get(number)
        if cells is None and not (wishes.whole or wishes.forced):
            continue
        cells = cells or no_cells(len(task.features))
        allowed = [at for at, feature in enumerate(task.features) if feature.is_for(one.code)]
        branch, tried, exhaustive = divide(cells, task.features, allowed, task.criteria, wishes)
        squares = float(cells.squares.sum())
        riv = branch.explained / squares if squares > 0 else None
        found[one.code] = Found(branch, tried, exhaustive, int(cells.n.sum()), riv)
    return found


def _parts(cases: pa.Table, task: _Task, feature: Feature) -> np.ndarray:
    """Return the part of each case, as the engine finds it, -1 where it refuses the case."""
    scheme = Scheme.of(trial(task.base, feature, task.divisible))
    numbers = {f"{adrg.code}.{number}": number for adrg in task.divisible for number in range(len(feature.parts))}
    return places_of(group(cases, scheme)["group"], numbers)


def _years(column: pa.ChunkedArray) -> np.ndarray:
    """Return the year of discharge from the first one on; an unreadable day is of a year of its own."""
    days, _ = read_days(one_chunk(column))  # an unreadable day is NaT, which sorts first
    return np.asarray(np.unique(days.astype("datetime64[Y]").astype(np.int64), return_inverse=True)[1])
