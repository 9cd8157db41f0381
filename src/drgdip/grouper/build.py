"""A place's own DIP catalogue (本地病种目录库) from its history of cases."""

from __future__ import annotations

import dataclasses
import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import filled, from_numpy, one_chunk, to_arrow, to_kind, with_columns
from drgdip.cases.codes import walks_to
from drgdip.cases.crosswalks import map_cases
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.table import clean_codes, to_cases, with_fen
from drgdip.errors import CaseError
from drgdip.grouper.dip.catalogue import Catalogue, load_catalogue
from drgdip.grouper.dip.load import MOST_TERMS, catalogue_of
from drgdip.grouper.dip.model import TREATMENTS
from drgdip.grouper.dip.reference import situation_of
from drgdip.grouper.dip.writing import groups_table, write_catalogue
from drgdip.grouper.group import group
from drgdip.grouper.tables import CATALOGUE, Table

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping


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
#: Codes that groups can be of, as far as groups name them.
_DIAGNOSIS = re.compile(r"[A-Z]\d\d(\.\w|[A-Z0-9]\w?)?", re.ASCII)
_CATEGORY_CODE = re.compile(r"[A-Z]\d\d", re.ASCII)
_PROCEDURE = re.compile(r"[\w.]+")
#: Characters of a core group's diagnosis and of a mixed group's.
_CORE, _CATEGORY = 5, 3
#: A score has so many digits behind the point at most.
_DIGITS = Decimal("0.000001")


class _Combination(NamedTuple):
    """Diagnosis, principal procedure ("" for conservative treatment), and the other procedures in order."""

    dx: str
    procedure: str
    related: tuple[str, ...]


class _Made(NamedTuple):
    """What each case is made of, as numbers, -1 where it is nothing that a group could be of; and what they mean."""

    combination: np.ndarray
    combinations: list[_Combination]
    pair: np.ndarray  # of diagnosis and principal procedure
    pairs: list[tuple[str, str]]
    mix: np.ndarray  # of category and treatment
    mixes: list[tuple[str, str]]


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
    columns: Mapping[str, str] | None = None,
    codes: str | None = None,
) -> Catalogue:
    """Build a catalogue from cases and write it as a folder that loads.

    Parameters
    ----------
    cases
        A table of cases as for `drgdip.group`, with ``total_cost`` in yuan. Cases without a principal diagnosis or a
        cost above 0 that can be read are left out, and so are those that the base's lists exclude.
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
        What a combination with related procedures must cost more than the principal procedure alone to be kept
        apart, as a share.
    mixed_threshold, mixed_cv_limit
        Cases that a mixed group needs, and the highest coefficient of variation that it may have; a mixed group that
        fails is left out, and its cases stay ungrouped. None sets no limit.
    score
        What gives the scores: a function of the grouped cases that gives a table with ``group`` and ``weight``, such as
        ``functools.partial(drgdip.points.weights, scale=1000)``; None leaves scores empty. It gets a container of the
        kind of ``cases`` with the cases that are not left out: the caller's columns, case columns under their own names
        as well, and those of `drgdip.group` under the new catalogue. A group without a weight, or with null, has an
        empty score. Scores are written with six digits behind the point, halves rounded up, zeros at the end left out.
    low_level, low_share, common, cv_limit
        Hospitals of a low level, the share of a group's cases that they must have, the cases that it must have (None
        for any number), and the highest coefficient of variation, for a primary-care group (基层病种). Without
        hospitals there are none.
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
    given = to_arrow(cases)
    table = _history(given, columns, codes, national, needs_hospital=bool(low_level))
    fen = np.nan_to_num(filled(one_chunk(with_fen(table)["total_cost"]), 0.0)).astype(np.int64)
    rows, taken = _usable(table, fen, national)
    cost = fen[rows]
    made = _made(table, national, rows)

    loose = made.pair[taken < 0]
    sizes, others = _counts(taken, len(national.groups)), _counts(loose, len(made.pairs))
    least = threshold if threshold is not None else _threshold(np.concatenate([sizes, others]), coverage or 1.0)
    kept = sizes >= least
    source = groups_table(national)
    groups = [dict(zip(source.columns, row, strict=True)) for row, keep in zip(source.rows, kept, strict=True) if keep]
    groups += [_core_row(one) for one in _local(national, kept, taken, made, cost, least, increase)]

    name = path.resolve().name
    head = {"id": id or name, "title": title or name, "issuer": issuer}
    core = _catalogue(path, national, head, groups)
    left = _taken(group(table, core), core)[rows] < 0
    groups += _mixed_rows(made, left, cost, mixed_threshold, mixed_cv_limit)
    if not groups:
        raise CaseError(
            "no group comes of these cases: none has as many as it needs, nor do the codes make a mixed one"
        )
    built = _catalogue(path, national, head, groups)
    grouped = group(table, built)
    final = _taken(grouped, built)[rows]

    scores: Mapping[str, str] = {}
    if score is not None:
        scores = _scores(score(_for_score(cases, given, table, grouped, rows)), built)
    low = _is_one_of(table["hospital"], low_level)[rows] if low_level else np.zeros(len(rows), dtype=bool)
    shares = _counts(final[low], len(groups)) / np.maximum(_counts(final, len(groups)), 1)
    for one in groups:
        one |= {"score": scores.get(one["group"], ""), "primary_care": ""}
    statistics = []
    for number, own in _each(final, cost, len(groups)):
        one, n, (mean, cv) = groups[number], len(own), _mean_and_cv(own)
        if low_share is not None and shares[number] >= low_share and n >= (common or 0) and cv <= cv_limit:
            one["primary_care"] = "1"
        statistics.append({"group": one["group"], "n": str(n), "mean": f"{mean / 100:.2f}", "cv": f"{cv:.6f}"})
    finished = _catalogue(path, national, head, groups, statistics)
    write_catalogue(finished, path, _table(path, "groups.csv", groups))
    return load_catalogue(path)


def related_increase(base: float, together: float) -> float:
    """By what share a combination with related procedures costs more than the principal procedure alone."""
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


# --- the cases -------------------------------------------------------------------------------------------------------


def _history(
    given: pa.Table, columns: Mapping[str, str] | None, codes: str | None, national: Catalogue, *, needs_hospital: bool
) -> pa.Table:
    """The cases under canonical names, with the base's codes."""
    table = to_cases(given, columns)
    wanted = ["procs", "total_cost", *(["hospital"] if needs_hospital else [])]
    absent = [name for name in wanted if name not in table.column_names]
    if absent:
        raise CaseError(f"building a catalogue needs {' and '.join(absent)}, for which there is no column")
    if codes is not None:
        table = map_cases(table, walks_to(codes, national.info))
    for name in ("dx", "procs"):
        table = table.set_column(table.column_names.index(name), name, clean_codes(one_chunk(table[name])))
    return table


def _usable(table: pa.Table, fen: np.ndarray, national: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    """The rows of cases to build from, and by the order of the base's groups which group takes each; -1 for none."""
    first = group(table, national)
    rows = np.flatnonzero((fen > 0) & ~_is_one_of(first["status"], ("invalid", "excluded")))
    if not len(rows):
        raise CaseError("no case has a principal diagnosis, a cost above 0 and is not excluded: nothing to build from")
    return rows, _taken(first, national)[rows]


def _encoded(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, list[Any]]:
    """A column as numbers, one behind the last for null, and the values that they stand for."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries() if isinstance(column, pa.ChunkedArray) else column
        encoded = one_chunk(column)
    else:
        encoded = one_chunk(column).dictionary_encode()
    return filled(encoded.indices, len(encoded.dictionary)), encoded.dictionary.to_pylist()


def _taken(grouped: pa.Table, catalogue: Catalogue) -> np.ndarray:
    """By its order in the catalogue, the group of each case; -1 for none."""
    numbers, groups = _encoded(grouped["group"])
    orders = {one.code: one.order for one in catalogue.groups}
    return np.asarray(np.array([*(orders[code] for code in groups), -1])[numbers])


def _is_one_of(column: pa.ChunkedArray, values: Collection[Any]) -> np.ndarray:
    numbers, found = _encoded(column)
    return np.asarray(np.array([*(value in values for value in found), False])[numbers])


def _made(table: pa.Table, national: Catalogue, rows: np.ndarray) -> _Made:
    """What the cases in these rows are made of: each distinct list of codes is looked at once."""
    dx, procs = one_chunk(table["dx"]), one_chunk(table["procs"])
    first = filled(dx.offsets, 0)
    principal, diagnoses = _encoded(dx.values)
    starts = filled(procs.offsets, 0)
    ids, procedures = _encoded(procs.values)
    diagnoses, procedures = [*diagnoses, None], [*procedures, None]
    # A case without diagnoses is not usable: there is a first one in each of these rows.
    numbers, where = _numbered_lists(principal[first[rows]], ids, starts[rows], starts[rows + 1])
    found = [
        _parts(
            diagnoses[principal[first[row]]] or "",
            tuple([procedures[at] for at in ids[starts[row] : starts[row + 1]]]),
            national,
        )
        for row in rows[where].tolist()
    ]
    combination, combinations = _numbered(one for one, _ in found)
    pair, pairs = _numbered(None if one is None else one[:2] for one, _ in found)
    mix, mixes = _numbered(one for _, one in found)
    return _Made(combination[numbers], combinations, pair[numbers], pairs, mix[numbers], mixes)


def _numbered_lists(
    heads: np.ndarray, ids: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A number for each distinct row of a head and a list of ids, and a place where each stands.

    One id after the other is taken into the numbers. Rows of unequal lengths differ from the beginning, so that those
    with one number are all longer than a place, or none is.
    """
    lengths = stops - starts
    numbers = _compact(heads * (lengths.max(initial=0) + 1) + lengths)
    size = int(ids.max(initial=0)) + 1
    longer = np.flatnonzero(lengths)
    for at in range(int(lengths.max(initial=0))):
        longer = longer[lengths[longer] > at]
        free = int(numbers.max()) + 1
        numbers[longer] = free + _compact(numbers[longer] * size + ids[starts[longer] + at])
    _, where, compact = np.unique(numbers, return_index=True, return_inverse=True)
    return compact, where


def _compact(numbers: np.ndarray) -> np.ndarray:
    """Equal numbers as equal numbers from 0 on."""
    return np.asarray(np.unique(numbers, return_inverse=True)[1], dtype=np.int64)


def _parts(
    dx: str, procs: tuple[str | None, ...], national: Catalogue
) -> tuple[_Combination | None, tuple[str, str] | None]:
    """The combination that a case is, if it can be a group's, and its category and treatment."""
    situation = situation_of([dx], procs, {}, national)
    core, category, combination = dx[:_CORE], dx[:_CATEGORY], None
    if _DIAGNOSIS.fullmatch(core) and all(map(_PROCEDURE.fullmatch, situation.procs)):
        if situation.conservative:
            combination = _Combination(core, "", ())
        elif situation.principal is not None:
            combination = _Combination(core, situation.principal, tuple(sorted(situation.others)))
    if situation.treatment is None or not _CATEGORY_CODE.fullmatch(category):
        return combination, None
    return combination, (category, situation.treatment)


def _numbered(keys: Iterable[Hashable]) -> tuple[np.ndarray, list[Any]]:
    """A number for each key, -1 for None, and the keys by number."""
    seen: dict[Hashable, int] = {}
    numbers = [-1 if key is None else seen.setdefault(key, len(seen)) for key in keys]
    return np.array(numbers, dtype=np.int64), list(seen)


def _counts(numbers: np.ndarray, size: int, weights: np.ndarray | None = None) -> np.ndarray:
    """How many there are of each number from 0 on, or the sum of their weights (exact up to 2^53)."""
    known = numbers >= 0
    return np.bincount(numbers[known], None if weights is None else weights[known], minlength=size)


# --- the groups ------------------------------------------------------------------------------------------------------


def _threshold(sizes: np.ndarray, coverage: float) -> int:
    """The highest number of cases at which the pools that have so many take the share of all."""
    ordered = np.sort(sizes[sizes > 0])[::-1]
    reached = np.cumsum(ordered) / ordered.sum()
    return int(ordered[np.searchsorted(reached, coverage - 1e-12)])


def _local(
    national: Catalogue,
    kept: np.ndarray,
    taken: np.ndarray,
    made: _Made,
    cost: np.ndarray,
    least: int,
    increase: float,
) -> list[_Combination]:
    """Core groups of the place: diagnosis and principal procedure, and with related ones where these cost more."""
    known = {
        _Combination(dx, code, tuple(sorted(term.codes[0] for term in one.related)))
        for one in national.groups
        if kept[one.order] and one.procedures is not None
        for dx in one.dx
        for code in (one.procedures[0].codes if one.procedures else ("",))
    }
    detailed = np.array([bool(one.related) or one.kind != "core" for one in national.groups], dtype=bool)
    free = (taken < 0) | ~kept[taken]
    whole = _counts(made.pair[free], len(made.pairs))
    core = [_Combination(*made.pairs[number], ()) for number in np.flatnonzero(whole >= least).tolist()]
    divisible = free | ~detailed[taken]
    exact = made.combination[divisible]
    n = _counts(exact, len(made.combinations))
    total = _counts(exact, len(made.combinations), cost[divisible])
    place = {one: number for number, one in enumerate(made.combinations)}
    for number in np.flatnonzero(n >= least).tolist():
        one = made.combinations[number]
        alone = place.get(one._replace(related=()), number)
        enough = one.related and alone != number and n[alone] and len(set(one.related)) < MOST_TERMS
        if enough and related_increase(total[alone] / n[alone], total[number] / n[number]) >= increase:
            core.append(one)
    return sorted(set(core) - known)


def _core_row(combination: _Combination) -> dict[str, str]:
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
    made: _Made, left: np.ndarray, cost: np.ndarray, least: int | None, cv_limit: float | None
) -> list[dict[str, str]]:
    """Mixed groups for the cases that are left."""
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
    """The costs of each number that occurs, in order of size."""
    order = np.lexsort((cost, numbers))
    bounds = np.searchsorted(numbers[order], np.arange(size + 1))
    ordered = cost[order]
    for number in range(size):
        own = ordered[bounds[number] : bounds[number + 1]]
        if len(own):
            yield number, own


def _mean_and_cv(ordered: np.ndarray) -> tuple[float, float]:
    """Mean and coefficient of variation of costs in order of size, so that the rows' order does not matter."""
    mean = int(ordered.sum()) / len(ordered)
    return mean, float(np.sqrt(np.mean((ordered - mean) ** 2)) / mean)


# --- scores ----------------------------------------------------------------------------------------------------------


def _for_score(cases: Any, given: pa.Table, table: pa.Table, grouped: pa.Table, rows: np.ndarray) -> Any:
    """The usable cases in the caller's kind of container, with case columns and those of the result."""
    known = [name for name in table.column_names if name not in given.column_names and name != UNREADABLE]
    results = grouped.select([name for name in grouped.column_names if name not in table.column_names])
    whole = with_columns(with_columns(given, table.select(known)), results)
    if len(rows) < len(whole):
        kinds = [field.with_type(_takeable(field.type)) for field in whole.schema]
        whole = whole.cast(pa.schema(kinds)).take(from_numpy(rows))
    return to_kind(whole, cases)


def _takeable(kind: pa.DataType) -> pa.DataType:
    """A type of which Arrow can take rows: it cannot of Polars' views of texts."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lists = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return lists(kind.value_field.with_type(_takeable(kind.value_type)))
    return pa.large_string() if pa.types.is_string_view(kind) else kind


def _scores(weights: Any, catalogue: Catalogue) -> dict[str, str]:
    """Score by group, from the table that a function of the caller gave."""
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
    """The catalogue of these groups, with the lists and options of the base."""
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
