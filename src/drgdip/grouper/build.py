"""A place's own DIP catalogue (本地病种目录库) from its history of cases."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import filled, one_chunk, to_arrow
from drgdip.cases import clean_codes, to_cases
from drgdip.errors import CaseError
from drgdip.grouper.catalogue import STAGES, TREATMENTS, Catalogue, load_catalogue
from drgdip.grouper.group import group
from drgdip.grouper.match import situation_of
from drgdip.grouper.tables import CATALOGUE, read_folder

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from drgdip.grouper.catalogue import Matching

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
_PREFIX = re.compile(r"[A-Z]\d\d")
_CODE = re.compile(r"[\w.]+")
_CHUNK = 65_536
#: Characters of a core group's diagnosis and of a mixed group's.
_CORE, _CATEGORY = 5, 3


class _Combination(NamedTuple):
    """Diagnosis, principal procedure ("" for conservative treatment), and the other procedures in order."""

    dx: str
    procedure: str
    related: tuple[str, ...]


class _Found(NamedTuple):
    """What a case is made of: a combination, if it can be a group's, and its category and treatment."""

    combination: _Combination | None
    category: str
    treatment: str | None


def build_catalogue(
    cases: Any,
    folder: str | os.PathLike[str],
    *,
    base: str | Catalogue,
    id: str,  # noqa: A002 - the key of catalogue.toml
    title: str,
    issuer: str,
    threshold: int | None = None,
    coverage: float | None = None,
    increase: float = 0.10,
    score: Callable[[float, float], float] | None = None,
    low_level: Collection[str] = (),
    low_share: float | None = None,
    cv_limit: float = 0.7,
    columns: Mapping[str, str] | None = None,
) -> Catalogue:
    """Build a catalogue from cases and write it as a folder that loads.

    Parameters
    ----------
    cases
        A table of cases as for `drgdip.group`, with ``total_cost`` in yuan. Cases without a principal diagnosis or a
        cost above 0 are left out, and so are those that the base's lists exclude.
    folder
        Where to write; a folder that is not there yet, or is empty.
    base
        The catalogue, or the id of one, whose groups are kept where they have enough cases: a national one whose
        ``procedures`` are about the principal procedure. Its lists and options are taken over.
    id, title, issuer
        As in ``catalogue.toml``.
    threshold
        Cases that a core group needs, 1 or more (临界值); places take 15, or 50 for a province.
    coverage
        In its place: the share of cases that core groups are to take, above 0 and up to 1, such as 0.95. The threshold
        is then the highest that does; if none does, 1.
    increase
        What a combination with related procedures must cost more than the principal procedure alone to be kept
        apart, as a share.
    score
        The score of a group from its mean cost and the mean cost of all cases, in yuan; None leaves scores empty.
        ``lambda mean, overall: mean / overall * 1000`` is the mean-cost method.
    low_level, low_share, cv_limit
        Hospitals of a low level, the share of a group's cases that they must have, and the highest coefficient of
        variation, for a primary-care group (基层病种). Without hospitals there are none.
    columns
        Name in the table by case column, for names that are no alias.

    Returns
    -------
    The catalogue: groups of the base with enough cases, local core groups, and mixed groups by category and treatment
    for all cases that are left; ``statistics.csv`` has cases, mean cost and coefficient of variation (with n in the
    denominator) of each group, as the catalogue itself groups the cases. Equal cases give equal files, in any order of
    rows.

    Raises
    ------
    UnknownNameError
        There is no such catalogue.
    CaseError
        The table lacks a column, has no usable case; the folder is not empty; or an option is out of its range.

    Notes
    -----
    National DIP 3.0 text (征求意见稿): threshold or 95 % coverage; related procedures of 10 % more cost; mixed groups
    by three characters and treatment; primary-care groups with a coefficient of variation up to 0.7.

    Examples
    --------
    >>> import tempfile
    >>> history = [{"dx": ["K35.801"], "procs": ["47.0100"], "total_cost": 9000}] * 20
    >>> history += [{"dx": ["K35.801"], "procs": ["54.2100"], "total_cost": 4000}] * 5
    >>> options = {"base": "nhsa-dip-2.0", "id": "mine", "title": "本地目录", "issuer": "本地"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     built = build_catalogue(history, folder, threshold=15, **options)
    >>> [(group.code, group.kind) for group in built.groups]
    [('DIP4622', 'core'), ('K35:surgery', 'mixed')]
    """
    national = load_catalogue(base)
    path = Path(folder)
    _check(national, path, threshold, coverage, low_level=low_level, low_share=low_share)
    table, fen, hospitals = _history(cases, columns, needs_hospital=bool(low_level))
    first = group(table, national)
    status = np.array(first["status"].to_pylist(), dtype=object)
    rows = np.flatnonzero((fen > 0) & ~np.isin(status, ("invalid", "excluded")))
    if not len(rows):
        raise CaseError("no case has a principal diagnosis, a cost above 0 and is not excluded: nothing to build from")
    taken = first["group"].to_pylist()
    numbers, combinations = _combinations(table, national)
    pools = _pools(taken, numbers, combinations, rows)
    least = threshold if threshold is not None else _threshold(pools, coverage or 1.0)
    source = read_folder(national.folder, CATALOGUE)[0]["groups.csv"]
    kept = {code for code, pool in pools.items() if isinstance(code, str) and len(pool) >= least}
    groups = [dict(zip(source.columns, row, strict=True)) for row in source.rows if row[0] in kept]
    groups += [
        _core_row(one) for one in _local(national, kept, taken, numbers, combinations, fen, rows, least, increase)
    ]
    stages = tuple(dict.fromkeys((*national.matching.stages, "core", "mixed")))
    # The means come of the grouping, so that they cannot lead it.
    prefer = tuple(name for name in national.matching.prefer if name != "nearest_mean") or ("order",)
    matching = dataclasses.replace(national.matching, stages=stages, prefer=prefer)
    head = {"id": id, "title": title, "issuer": issuer}
    core = _write(path, national, matching, head, groups)
    usable = table.take(pa.array(rows))
    left = [code is None for code in group(usable, core)["group"].to_pylist()]
    groups += _mixed_rows({combinations[numbers[row]][1:] for row in rows[left].tolist()})
    built = _write(path, national, matching, head, groups)
    final = group(usable, built)["group"].to_pylist()
    held: dict[str, list[int]] = defaultdict(list)
    for row, code in zip(rows.tolist(), final, strict=True):
        if code is not None:
            held[code].append(row)
    overall = int(fen[rows].sum()) / len(rows)
    statistics = []
    for one in groups:
        own = held[one["group"]]
        if not own:
            continue
        mean, cv = _mean_and_cv(fen[own])
        one["score"] = "" if score is None else _plain(score(mean / 100, overall / 100))
        share = sum(hospitals[row] in low_level for row in own) / len(own) if low_level else 0.0
        one["primary_care"] = "1" if low_share is not None and share >= low_share and cv <= cv_limit else ""
        statistics.append({"group": one["group"], "n": len(own), "mean": f"{mean / 100:.2f}", "cv": f"{cv:.6f}"})
    _write_table(path / "statistics.csv", statistics)
    return _write(path, national, matching, head, groups)


def _mean_and_cv(fen: np.ndarray) -> tuple[float, float]:
    """Mean and coefficient of variation; costs are summed in order of size, so that the rows' order does not matter."""
    ordered = np.sort(fen)
    mean = int(ordered.sum()) / len(ordered)
    return mean, float(np.sqrt(np.mean((ordered - mean) ** 2)) / mean)


def _check(
    national: Catalogue,
    folder: Path,
    threshold: int | None,
    coverage: float | None,
    *,
    low_level: Collection[str],
    low_share: float | None,
) -> None:
    if national.matching.procedures != "principal":
        raise CaseError(
            f"{national.id} asks for all procedures in any order; build upon one with a principal procedure"
        )
    if (threshold is None) is (coverage is None):
        raise CaseError(
            "give either threshold (cases that a core group needs) or coverage (share of cases in core groups)"
        )
    if threshold is not None and threshold < 1:
        raise CaseError(f"threshold is {threshold}; give 1 or more")
    if coverage is not None and not 0 < coverage <= 1:
        raise CaseError(f"coverage is {coverage}; give a share above 0 and up to 1")
    if bool(low_level) is (low_share is None):
        raise CaseError("low_level (hospitals) and low_share (the share they must have) go together")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CaseError(f"{folder} is there already; name a folder that is not, or is empty")


def _history(
    cases: Any, columns: Mapping[str, str] | None, *, needs_hospital: bool
) -> tuple[pa.Table, np.ndarray, list[Any]]:
    """The cases, their costs in fen (0 for none), and their hospitals."""
    table = to_cases(to_arrow(cases), columns)
    wanted = ["procs", "total_cost", *(["hospital"] if needs_hospital else [])]
    absent = [name for name in wanted if name not in table.column_names]
    if absent:
        raise CaseError(f"building a catalogue needs {' and '.join(absent)}, for which there is no column")
    try:
        yuan = filled(one_chunk(table["total_cost"]).cast(pa.float64()), 0.0)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CaseError(f"total_cost is no column of numbers: {error}") from error
    fen = np.rint(np.nan_to_num(yuan, nan=0.0, posinf=0.0, neginf=0.0) * 100).astype(np.int64)
    table = table.set_column(table.column_names.index("dx"), "dx", clean_codes(one_chunk(table["dx"])))
    table = table.set_column(table.column_names.index("procs"), "procs", clean_codes(one_chunk(table["procs"])))
    return table, fen, table["hospital"].to_pylist() if needs_hospital else []


def _combinations(table: pa.Table, national: Catalogue) -> tuple[np.ndarray, list[_Found]]:
    """By case the number of what it is made of, and each of these once."""
    seen: dict[tuple[str, tuple[str | None, ...]], int] = {}
    found: list[_Found] = []
    numbers = np.empty(len(table), dtype=np.int32)
    row = 0
    for batch in table.select(["dx", "procs"]).to_batches(_CHUNK):
        for dx, procs in zip(batch["dx"].to_pylist(), batch["procs"].to_pylist(), strict=True):
            key = ((dx or [None])[0] or "", tuple(procs or ()))
            if key not in seen:
                seen[key] = len(found)
                found.append(_found(*key, national))
            numbers[row] = seen[key]
            row += 1
    return numbers, found


def _found(dx: str, procs: tuple[str | None, ...], national: Catalogue) -> _Found:
    situation = situation_of([dx], procs, {}, national)
    plain = _PREFIX.fullmatch(dx[:_CATEGORY]) is not None and all(map(_CODE.fullmatch, situation.procs))
    if not plain:
        return _Found(None, "", None)
    combination = None
    if situation.conservative:
        combination = _Combination(dx[:_CORE], "", ())
    elif situation.principal is not None:
        combination = _Combination(dx[:_CORE], situation.principal, tuple(sorted(situation.others)))
    return _Found(combination, dx[:_CATEGORY], situation.treatment)


def _pools(
    taken: list[str | None], numbers: np.ndarray, found: list[_Found], rows: np.ndarray
) -> dict[str | tuple[str, str], list[int]]:
    """Cases by group of the base, and those without one by diagnosis and principal procedure."""
    pools: dict[str | tuple[str, str], list[int]] = defaultdict(list)
    for row in rows.tolist():
        combination = found[numbers[row]].combination
        code = taken[row]
        if code is not None:
            pools[code].append(row)
        elif combination is not None:
            pools[combination[:2]].append(row)
    return pools


def _threshold(pools: Mapping[Any, list[int]], coverage: float) -> int:
    """The highest number of cases at which the pools that have so many take the share of all."""
    sizes = sorted(map(len, pools.values()), reverse=True)
    reached = np.cumsum(sizes) / sum(sizes)
    return sizes[int(np.searchsorted(reached, coverage - 1e-12))]


def _local(
    national: Catalogue,
    kept: set[str],
    taken: list[str | None],
    numbers: np.ndarray,
    found: list[_Found],
    fen: np.ndarray,
    rows: np.ndarray,
    least: int,
    increase: float,
) -> list[_Combination]:
    """Core groups of the place: diagnosis and principal procedure, and with related ones where these cost more."""
    known = {
        _Combination(dx, code, tuple(sorted(term.codes[0] for term in one.related)))
        for one in national.groups
        if one.code in kept and one.procedures is not None
        for dx in one.dx
        for code in (one.procedures[0].codes if one.procedures else ("",))
    }
    detailed = {one.code for one in national.groups if one.related or one.kind != "core"}
    whole: dict[tuple[str, str], int] = defaultdict(int)
    exact: dict[_Combination, list[int]] = defaultdict(list)
    for row in rows.tolist():
        combination, code = found[numbers[row]].combination, taken[row]
        if combination is None:
            continue
        if code not in kept:
            whole[combination[:2]] += 1
        if code not in kept or code not in detailed:
            exact[combination].append(row)
    core = [_Combination(*pair, ()) for pair, count in whole.items() if count >= least]
    for combination, own in exact.items():
        bare = exact.get(combination._replace(related=()), [])
        if combination.related and len(own) >= least and bare:
            alone, together = fen[bare].mean(), fen[own].mean()
            if related_increase(float(alone), float(together)) >= increase:
                core.append(combination)
    return sorted(set(core) - known)


def related_increase(base: float, together: float) -> float:
    """By what share a combination with related procedures costs more than the principal procedure alone."""
    return (together - base) / base


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


def _mixed_rows(asked: Iterable[tuple[str, str | None]]) -> list[dict[str, str]]:
    typed = sorted((dx, TREATMENTS.index(treatment)) for dx, treatment in asked if dx and treatment)
    return [
        {
            "group": f"{dx}:{TREATMENTS[place]}",
            "kind": "mixed",
            "dx": dx,
            "procedures": "*",
            "treatment": TREATMENTS[place],
            "origin": "local",
        }
        for dx, place in typed
    ]


def _plain(number: float) -> str:
    text = f"{number:.6f}"
    return text.rstrip("0").rstrip(".")


def _write(
    folder: Path, national: Catalogue, matching: Matching, head: Mapping[str, str], groups: list[dict[str, str]]
) -> Catalogue:
    """Write the folder, with the lists of the base, and load it."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_table(folder / "groups.csv", groups, CATALOGUE.columns["groups.csv"])
    for name in _LISTS:
        if (national.folder / name).is_file():
            shutil.copyfile(national.folder / name, folder / name)
    counts = Counter(row["kind"] for row in groups)
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in head.items())
    text += 'published = ""\nrevision = 1\n'
    text += "".join(f"{key} = {_toml(getattr(national.info, key))}\n" for key in ("diagnosis_codes", "procedure_codes"))
    text += f"\n[counts]\ngroups = {len(groups)}\n"
    text += "".join(f"{kind} = {counts[kind]}\n" for kind in STAGES if counts[kind])
    text += "\n[matching]\n"
    text += "".join(f"{key} = {_toml(value)}\n" for key, value in dataclasses.asdict(matching).items())
    text += (
        f"\n[provenance]\nbase = {_toml(f'{national.id} revision {national.info.revision} {national.info.sha256}')}\n"
    )
    (folder / CATALOGUE.head).write_text(text, encoding="utf-8", newline="\n")
    return load_catalogue(folder)


def _toml(value: str | tuple[str, ...]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write_table(path: Path, rows: list[dict[str, Any]], columns: Sequence[str] | None = None) -> None:
    names = columns or CATALOGUE.columns[path.name]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([row.get(name, "") for name in names] for row in rows)
