"""The history of cases that a scheme or a catalogue is built from: which count, and which groups each could be of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import filled, from_numpy, one_chunk, to_kind, with_columns
from drgdip.cases.codes import walks_to
from drgdip.cases.crosswalks import map_cases
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.table import clean_codes, to_cases
from drgdip.errors import CaseError
from drgdip.grouper.dip.reference import situation_of
from drgdip.grouper.group import group

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.dip.catalogue import Catalogue
    from drgdip.grouper.drg.scheme import Scheme

__all__ = [
    "Combination",
    "Made",
    "counts_of",
    "encoded_values",
    "for_caller",
    "is_one_of",
    "parts_of",
    "places_of",
    "read_history",
    "taken_groups",
    "usable_rows",
]

#: Codes that groups can be of, as far as groups name them.
_DIAGNOSIS = re.compile(r"[A-Z]\d\d(\.\w|[A-Z0-9]\w?)?", re.ASCII)
_CATEGORY_CODE = re.compile(r"[A-Z]\d\d", re.ASCII)
_PROCEDURE = re.compile(r"[\w.]+")
#: Characters of a core group's diagnosis and of a mixed group's.
_CORE, _CATEGORY = 5, 3


class Combination(NamedTuple):
    """Diagnosis, principal procedure ("" for conservative treatment), and the other procedures in order."""

    dx: str
    procedure: str
    related: tuple[str, ...]


class Made(NamedTuple):
    """The parts of each case as numbers, -1 where no group could be of it, and the meaning of each number."""

    combination: np.ndarray
    combinations: list[Combination]
    pair: np.ndarray  # of diagnosis and principal procedure
    pairs: list[tuple[str, str]]
    mix: np.ndarray  # of category and treatment
    mixes: list[tuple[str, str]]


def read_history(
    given: Any,
    columns: ColumnNames | None,
    codes: str | None,
    national: Catalogue | Scheme,
    *,
    needs: Collection[str] = (),
) -> pa.Table:
    """Return the cases under canonical names, with the base's codes."""
    table = to_cases(given, columns)
    wanted = ["procs", "total_cost", *needs]
    absent = [name for name in wanted if name not in table.column_names]
    if absent:
        raise CaseError(f"building a {national.word} needs {' and '.join(absent)}, for which there is no column")
    if codes is not None:
        table = map_cases(table, walks_to(codes, national.info))
    for name in ("dx", "procs"):
        table = table.set_column(table.column_names.index(name), name, clean_codes(one_chunk(table[name])))
    return table


def for_caller(cases: Any, given: pa.Table, table: pa.Table, grouped: pa.Table, rows: np.ndarray) -> Any:
    """Return the usable cases in the caller's kind of container, with case columns and those of the result."""
    known = [name for name in table.column_names if name not in given.column_names and name != UNREADABLE]
    results = grouped.select([name for name in grouped.column_names if name not in table.column_names])
    whole = with_columns(with_columns(given, table.select(known)), results)
    if len(rows) < len(whole):
        whole = whole.take(from_numpy(rows))
    return to_kind(whole, cases)


def usable_rows(table: pa.Table, fen: np.ndarray, national: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of cases to build from, and the group of the base that takes each, by its order (-1 for none)."""
    first = group(table, national)
    rows = np.flatnonzero((fen > 0) & ~is_one_of(first["status"], ("invalid", "excluded")))
    if not len(rows):
        raise CaseError("no case has a principal diagnosis, a cost above 0 and is not excluded: nothing to build from")
    return rows, taken_groups(first, national)[rows]


def encoded_values(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, list[Any]]:
    """Return a column as numbers, one behind the last for null, and the values that they stand for."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries() if isinstance(column, pa.ChunkedArray) else column
        encoded = one_chunk(column)
    else:
        encoded = one_chunk(column).dictionary_encode()
    return filled(encoded.indices, len(encoded.dictionary)), encoded.dictionary.to_pylist()


def taken_groups(grouped: pa.Table, catalogue: Catalogue) -> np.ndarray:
    """Return the group of each case by its order in the catalogue, -1 for none."""
    numbers, groups = encoded_values(grouped["group"])
    orders = {one.code: one.order for one in catalogue.groups}
    return np.asarray(np.array([*(orders[code] for code in groups), -1])[numbers])


def places_of(column: pa.ChunkedArray, places: Mapping[str, int]) -> np.ndarray:
    """Return the place of each text of a column, -1 for one that has none."""
    numbers, found = encoded_values(column)
    return np.asarray(np.array([*(places.get(text, -1) for text in found), -1], dtype=np.int64)[numbers])


def is_one_of(column: pa.ChunkedArray, values: Collection[Any]) -> np.ndarray:
    """Return in which rows a column has one of some values."""
    numbers, found = encoded_values(column)
    return np.asarray(np.array([*(value in values for value in found), False])[numbers])


def parts_of(table: pa.Table, national: Catalogue, rows: np.ndarray) -> Made:
    """Return the parts of the cases in these rows; each distinct list of codes is looked at once."""
    dx, procs = one_chunk(table["dx"]), one_chunk(table["procs"])
    first = filled(dx.offsets, 0)
    principal, diagnoses = encoded_values(dx.values)
    starts = filled(procs.offsets, 0)
    ids, procedures = encoded_values(procs.values)
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
    return Made(combination[numbers], combinations, pair[numbers], pairs, mix[numbers], mixes)


def _numbered_lists(
    heads: np.ndarray, ids: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a number for each distinct row of a head and a list of ids, and a place where each stands.

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
    """Return equal numbers as equal numbers from 0 on."""
    return np.asarray(np.unique(numbers, return_inverse=True)[1], dtype=np.int64)


def _parts(
    dx: str, procs: tuple[str | None, ...], national: Catalogue
) -> tuple[Combination | None, tuple[str, str] | None]:
    """Return the combination of a case, if a group could be of it, and its category and treatment."""
    situation = situation_of([dx], procs, {}, national)
    core, category, combination = dx[:_CORE], dx[:_CATEGORY], None
    if _DIAGNOSIS.fullmatch(core) and all(map(_PROCEDURE.fullmatch, situation.procs)):
        if situation.conservative:
            combination = Combination(core, "", ())
        elif situation.principal is not None:
            combination = Combination(core, situation.principal, tuple(sorted(situation.others)))
    if situation.treatment is None or not _CATEGORY_CODE.fullmatch(category):
        return combination, None
    return combination, (category, situation.treatment)


def _numbered(keys: Iterable[Hashable]) -> tuple[np.ndarray, list[Any]]:
    """Return a number for each key, -1 for None, and the keys by number."""
    seen: dict[Hashable, int] = {}
    numbers = [-1 if key is None else seen.setdefault(key, len(seen)) for key in keys]
    return np.array(numbers, dtype=np.int64), list(seen)


def counts_of(numbers: np.ndarray, size: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Count each number from 0 on, or sum up its weights (exact up to 2^53)."""
    known = numbers >= 0
    return np.bincount(numbers[known], None if weights is None else weights[known], minlength=size)
