"""A place's own DIP catalogue (本地病种目录库) from its history of cases."""

from __future__ import annotations

import dataclasses
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from drgdip._arrow import filled, one_chunk, read_once, to_arrow
from drgdip.cases.table import with_fen
from drgdip.errors import CaseError
from drgdip.grouper.dip.catalogue import Catalogue, load_catalogue
from drgdip.grouper.dip.load import MOST_TERMS, catalogue_of
from drgdip.grouper.dip.model import TREATMENTS
from drgdip.grouper.dip.writing import groups_table, write_catalogue
from drgdip.grouper.group import group
from drgdip.grouper.history import (
    Combination,
    Made,
    counts_of,
    for_caller,
    is_one_of,
    parts_of,
    read_history,
    taken_groups,
    usable_rows,
)
from drgdip.grouper.tables import CATALOGUE, Table

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping

    import pyarrow as pa

    from drgdip.cases.names import ColumnNames

__all__ = ["build_catalogue", "related_increase"]

#: Lists of the base that its groups and options refer to.
_LISTS = (
    "primary_care.csv",
    "excluded_diagnoses.csv",
    "excluded_procedures.csv",
    "ignored_procedures.csv",
    "procedure_types.csv",
    "sets.csv",
)
#: A score has so many digits behind the point at most.
_DIGITS = Decimal("0.000001")


def build_catalogue(
    cases: Any,
    folder: str | os.PathLike[str],
    *,
    base: str | Catalogue = "nhsa-dip-2.0",
    id: str = "",  # noqa: A002 - the key of catalogue.toml
    title: str = "",
    issuer: str = "",
    threshold: int | None = None,
    coverage: float | None = None,
    increase: float = 0.10,
    mixed_threshold: int | None = None,
    mixed_cv_limit: float | None = None,
    score: Callable[[Any], Any] | None = None,
    low_level: str | Collection[str] = (),
    low_share: float | None = None,
    common: int | None = None,
    cv_limit: float = 0.7,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Catalogue:
    """Build a catalogue from cases and write it as a folder that loads.

    Parameters
    ----------
    cases
        A table of cases as for `drgdip.group`, with ``total_cost`` in yuan. Cases without a principal diagnosis, or
        without a readable cost above 0, are left out. The base's lists exclude others.
    folder
        Where to write; a folder that is not there yet, or is empty.
    base
        The catalogue, or the id of one, whose groups are kept where they have enough cases: a national one whose
        ``procedures`` are about the principal procedure. Its lists and options are taken over.
    id, title, issuer
        As in ``catalogue.toml``; id and title are the name of the folder if they are empty.
    threshold
        Cases that a core group needs, 1 or more (临界值); places take 15, or 50 for a province.
    coverage
        In its place: the share of cases that core groups are to take, above 0 and up to 1, such as 0.95. The threshold
        is then the highest that does; if none does, 1.
    increase
        The share by which a combination with related procedures must cost more than the principal procedure alone to
        be kept apart.
    mixed_threshold, mixed_cv_limit
        Cases that a mixed group needs, and the highest coefficient of variation that it may have; a mixed group that
        fails is left out, and its cases stay ungrouped. None sets no limit.
    score
        The source of the scores: a function of the grouped cases that gives a table with ``group`` and ``weight``, as
        ``functools.partial(drgdip.points.weights, scale=1000)``; None leaves scores empty. It gets a container of the
        kind of ``cases`` with the cases that are not left out: the caller's columns, case columns under their own names
        as well, and those of `drgdip.group` under the new catalogue. A group without a weight, or with null, has an
        empty score. Scores are written with six digits behind the point, halves rounded up, zeros at the end left out.
    low_level, low_share, common, cv_limit
        Conditions of a primary-care group (基层病种): hospitals of a low level, and the share of its cases that they
        must have. Then its number of cases (None for any), and its highest coefficient of variation. Without hospitals
        there are no such groups.
    columns
        Name in the table by case column, for names that are no alias.
    codes
        The edition of the cases' codes, as for `drgdip.group`; None takes them as they are.

    Returns
    -------
    The catalogue: groups of the base with enough cases, local core groups, and mixed groups by category and treatment
    for all cases that are left; codes that no group could name make none. ``statistics.csv`` has cases, mean cost and
    coefficient of variation (with n in the denominator) of each group, as the catalogue itself groups the cases. Equal
    cases give equal files, in any order of rows. The folder is written when everything has been computed.

    Raises
    ------
    UnknownNameError
        There is no such catalogue or edition.
    CaseError
        The table lacks a column or has no usable case; no group comes of the cases; the folder is not empty; an option
        is out of its range; or what ``score`` gives is no table of the groups.

    Notes
    -----
    National DIP 3.0 text (征求意见稿): threshold or 95 % coverage; related procedures of 10 % more cost; mixed groups
    by three characters and treatment, which may be left out below a threshold or above a coefficient of variation;
    primary-care groups that are common, with a coefficient of variation up to 0.7.

    Examples
    --------
    >>> import tempfile
    >>> history = [{"dx": ["K35.801"], "procs": ["47.0100"], "total_cost": 9000}] * 20
    >>> history += [{"dx": ["K35.801"], "procs": ["54.2100"], "total_cost": 4000}] * 5
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     built = build_catalogue(history, folder, threshold=15)
    >>> [(group.code, group.kind) for group in built.groups]
    [('DIP4622', 'core'), ('K35:surgery', 'mixed')]
    """
    national, path = load_catalogue(base), Path(folder)
    low_level = frozenset([low_level] if isinstance(low_level, str) else low_level)
    _check_place(national, path)
    _check_options(
        low_level=low_level,
        threshold=threshold,
        coverage=coverage,
        increase=increase,
        mixed_threshold=mixed_threshold,
        mixed_cv_limit=mixed_cv_limit,
        low_share=low_share,
        common=common,
        cv_limit=cv_limit,
    )
    source = read_once(cases)
    given = to_arrow(source)
    table = read_history(source, columns, codes, national, needs=["hospital"] if low_level else [])
    fen = np.nan_to_num(filled(one_chunk(with_fen(table)["total_cost"]), 0.0)).astype(np.int64)
    rows, taken = usable_rows(table, fen, national)
    cost = fen[rows]
    made = parts_of(table, national, rows)
    groups = _core_rows(national, taken, made, cost, threshold=threshold, coverage=coverage, increase=increase)

    name = path.resolve().name
    head = {"id": id or name, "title": title or name, "issuer": issuer}
    core = _catalogue(path, national, head, groups)
    left = taken_groups(group(table, core), core)[rows] < 0
    groups += _mixed_rows(made, left, cost, mixed_threshold, mixed_cv_limit)
    if not groups:
        raise CaseError(
            "no group comes of these cases: none has as many as it needs, nor do the codes make a mixed one"
        )
    built = _catalogue(path, national, head, groups)
    grouped = group(table, built)
    final = taken_groups(grouped, built)[rows]

    weights = None if score is None else score(for_caller(cases, given, table, grouped, rows))
    scores = {} if weights is None else _scores(weights, built)
    shares = _shares_of(table, rows, final, low_level, len(groups))
    limits = _PrimaryCare(low_share, common or 0, cv_limit)
    statistics = _describe(groups, final, cost, shares, limits, scores)
    finished = _catalogue(path, national, head, groups, statistics)
    write_catalogue(finished, path, _table(path, "groups.csv", groups))
    return load_catalogue(path)


class _PrimaryCare(NamedTuple):
    """Limits that make a group a primary-care one; without a share there are none."""

    low_share: float | None
    common: int
    cv_limit: float


def _core_rows(
    national: Catalogue,
    taken: np.ndarray,
    made: Made,
    cost: np.ndarray,
    *,
    threshold: int | None,
    coverage: float | None,
    increase: float,
) -> list[dict[str, str]]:
    """Return the rows of the base's groups that have enough cases, and of the place's own core groups."""
    loose = made.pair[taken < 0]
    sizes, others = counts_of(taken, len(national.groups)), counts_of(loose, len(made.pairs))
    least = threshold if threshold is not None else _threshold(np.concatenate([sizes, others]), coverage or 1.0)
    kept = sizes >= least
    source = groups_table(national)
    groups = [dict(zip(source.columns, row, strict=True)) for row, keep in zip(source.rows, kept, strict=True) if keep]
    return groups + [_core_row(one) for one in _local(national, kept, taken, made, cost, least, increase)]


def _shares_of(
    table: pa.Table, rows: np.ndarray, final: np.ndarray, low_level: Collection[str], size: int
) -> np.ndarray:
    """Return by group the share of its cases that hospitals of a low level have."""
    low = is_one_of(table["hospital"], low_level)[rows] if low_level else np.zeros(len(rows), dtype=bool)
    return np.asarray(counts_of(final[low], size) / np.maximum(counts_of(final, size), 1))


def _describe(
    groups: list[dict[str, str]],
    final: np.ndarray,
    cost: np.ndarray,
    shares: np.ndarray,
    limits: _PrimaryCare,
    scores: Mapping[str, str],
) -> list[dict[str, str]]:
    """Write score and primary-care flag into the rows of groups, and return the rows of ``statistics.csv``."""
    for one in groups:
        one |= {"score": scores.get(one["group"], ""), "primary_care": ""}
    statistics = []
    for number, own in _each(final, cost, len(groups)):
        one, n, (mean, cv) = groups[number], len(own), _mean_and_cv(own)
        often = limits.low_share is not None and shares[number] >= limits.low_share and n >= limits.common
        if often and cv <= limits.cv_limit:
            one["primary_care"] = "1"
        statistics.append({"group": one["group"], "n": str(n), "mean": f"{mean / 100:.2f}", "cv": f"{cv:.6f}"})
    return statistics


def related_increase(base: float, together: float) -> float:
    """Return the share by which a combination costs more than its principal procedure alone."""
    return (together - base) / base


def _check_place(national: Catalogue, folder: Path) -> None:
    if national.matching.procedures != "principal":
        raise CaseError(
            f"{national.id} asks for all procedures in any order; build upon one with a principal procedure"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CaseError(f"{folder} is there already; name a folder that is not, or is empty")


def _check_options(*, low_level: Collection[str], **options: float | None) -> None:
    if (options["threshold"] is None) is (options["coverage"] is None):
        raise CaseError(
            "give either threshold (cases that a core group needs) or coverage (share of cases in core groups)"
        )
    if bool(low_level) is (options["low_share"] is None):
        raise CaseError("low_level (hospitals) and low_share (the share they must have) go together")
    if options["common"] is not None and not low_level:
        raise CaseError("common (cases that a primary-care group needs) goes with low_level and low_share")
    for name, value in options.items():
        if value is None:
            continue
        if not isinstance(value, Real):
            raise CaseError(f"{name} is {value!r}; give a number")
        if name in {"threshold", "mixed_threshold", "common"} and not value >= 1:
            raise CaseError(f"{name} is {value}; give 1 or more")
        if name in {"coverage", "low_share"} and not 0 < value <= 1:
            raise CaseError(f"{name} is {value}; give a share above 0 and up to 1")
        if not value >= 0:
            raise CaseError(f"{name} is {value}; give 0 or more")


# --- the groups ------------------------------------------------------------------------------------------------------


def _threshold(sizes: np.ndarray, coverage: float) -> int:
    """Return the highest number of cases at which the pools that have so many take the share of all."""
    ordered = np.sort(sizes[sizes > 0])[::-1]
    reached = np.cumsum(ordered) / ordered.sum()
    return int(ordered[np.searchsorted(reached, coverage - 1e-12)])


def _local(
    national: Catalogue,
    kept: np.ndarray,
    taken: np.ndarray,
    made: Made,
    cost: np.ndarray,
    least: int,
    increase: float,
) -> list[Combination]:
    """Return core groups of the place: diagnosis and principal procedure, with related ones where these cost more."""
    known = {
        Combination(dx, code, tuple(sorted(term.codes[0] for term in one.related)))
        for one in national.groups
        if kept[one.order] and one.procedures is not None
        for dx in one.dx
        for code in (one.procedures[0].codes if one.procedures else ("",))
    }
    detailed = np.array([bool(one.related) or one.kind != "core" for one in national.groups], dtype=bool)
    free = (taken < 0) | ~kept[taken]
    whole = counts_of(made.pair[free], len(made.pairs))
    core = [Combination(*made.pairs[number], ()) for number in np.flatnonzero(whole >= least).tolist()]
    divisible = free | ~detailed[taken]
    exact = made.combination[divisible]
    n = counts_of(exact, len(made.combinations))
    total = counts_of(exact, len(made.combinations), cost[divisible])
    place = {one: number for number, one in enumerate(made.combinations)}
    for number in np.flatnonzero(n >= least).tolist():
        one = made.combinations[number]
        alone = place.get(one._replace(related=()), number)
        enough = one.related and alone != number and n[alone] and len(set(one.related)) < MOST_TERMS
        if enough and related_increase(total[alone] / n[alone], total[number] / n[number]) >= increase:
            core.append(one)
    return sorted(set(core) - known)


def _core_row(combination: Combination) -> dict[str, str]:
    related = "+".join(combination.related)
    procedures = "+".join(filter(None, (combination.procedure, related)))
    code = f"{combination.dx}:{procedures}".rstrip(":")
    return {
        "group": code,
        "kind": "core",
        "dx": combination.dx,
        "procedures": combination.procedure,
        "related": related,
        "origin": "local",
    }


def _mixed_rows(
    made: Made, left: np.ndarray, cost: np.ndarray, least: int | None, cv_limit: float | None
) -> list[dict[str, str]]:
    """Return the rows of mixed groups for the cases that are left."""
    found = []
    for number, own in _each(made.mix[left], cost[left], len(made.mixes)):
        if len(own) >= (least or 0) and (cv_limit is None or _mean_and_cv(own)[1] <= cv_limit):
            found.append(made.mixes[number])
    return [
        {
            "group": f"{dx}:{treatment}",
            "kind": "mixed",
            "dx": dx,
            "procedures": "*",
            "treatment": treatment,
            "origin": "local",
        }
        for dx, treatment in sorted(found, key=lambda one: (one[0], TREATMENTS.index(one[1])))
    ]


def _each(numbers: np.ndarray, cost: np.ndarray, size: int) -> Iterable[tuple[int, np.ndarray]]:
    """Yield the costs of each number that occurs, in order of size."""
    order = np.lexsort((cost, numbers))
    bounds = np.searchsorted(numbers[order], np.arange(size + 1))
    ordered = cost[order]
    for number in range(size):
        own = ordered[bounds[number] : bounds[number + 1]]
        if len(own):
            yield number, own


def _mean_and_cv(ordered: np.ndarray) -> tuple[float, float]:
    """Return mean and coefficient of variation of costs in order of size, so that the rows' order does not matter."""
    mean = int(ordered.sum()) / len(ordered)
    return mean, float(np.sqrt(np.mean((ordered - mean) ** 2)) / mean)


# --- scores ----------------------------------------------------------------------------------------------------------


def _scores(weights: Any, catalogue: Catalogue) -> dict[str, str]:
    """Return the score by group from the table that a function of the caller gave."""
    table = to_arrow(weights)
    absent = [name for name in ("group", "weight") if name not in table.column_names]
    if absent:
        raise CaseError(
            f"the table that score gives has no column {' and '.join(absent)}; it must have group and weight"
        )
    known = {one.code for one in catalogue.groups}
    scores: dict[str, str] = {}
    for code, weight in zip(table["group"].to_pylist(), table["weight"].to_pylist(), strict=True):
        if code is None:
            continue
        if code not in known:
            raise CaseError(f"the table that score gives names group {code!r}, which the catalogue has not")
        if code in scores:
            raise CaseError(f"the table that score gives has group {code!r} twice; give each group one weight")
        scores[code] = "" if weight is None else _score_text(code, weight)
    return scores


def _score_text(code: str, weight: Any) -> str:
    try:
        number = Decimal(weight)
        text = f"{abs(number).quantize(_DIGITS, ROUND_HALF_UP):f}"
    except (InvalidOperation, TypeError, ValueError):
        number, text = Decimal("NaN"), ""
    if number.is_nan() or number < 0:
        what = f"score gives group {code!r} the weight {weight!r}"
        raise CaseError(f"{what}; give a number of 0 or more, or null for none")
    return text.rstrip("0").rstrip(".")


# --- the folder ------------------------------------------------------------------------------------------------------


def _catalogue(
    folder: Path,
    national: Catalogue,
    head: Mapping[str, str],
    groups: list[dict[str, str]],
    statistics: list[dict[str, str]] | None = None,
) -> Catalogue:
    """Return the catalogue of these groups, with the lists and options of the base."""
    stages = tuple(dict.fromkeys((*national.matching.stages, "core", "mixed")))
    matching = dataclasses.asdict(national.matching.without_cost())  # mean costs come of the grouping
    whole = {
        **head,
        "published": "",
        "diagnosis_codes": national.info.diagnosis_codes,
        "procedure_codes": national.info.procedure_codes,
        "counts": {},
        "matching": matching | {"stages": stages},
        "provenance": {"base": f"{national.id} revision {national.info.revision} {national.info.sha256}"},
    }
    tables = {name: table for name, table in national.annexes.items() if name in _LISTS}
    tables["groups.csv"] = _table(folder, "groups.csv", groups)
    if statistics is not None:
        tables["statistics.csv"] = _table(folder, "statistics.csv", statistics)
    return Catalogue.of(catalogue_of(folder / CATALOGUE.head, whole, tables, sha256="", folder=folder))


def _table(folder: Path, name: str, rows: list[dict[str, str]]) -> Table:
    return Table(folder / name, {column: [row.get(column, "") for row in rows] for column in CATALOGUE.columns[name]})
