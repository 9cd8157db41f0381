"""Likely causes of differences, found by trying: altered cases are grouped, and those that give their group are kept.

Causes stand in the order of ``data/monitor/differences.csv``: those of few forms before those of many, which hit more
often by chance. Each trial groups all its altered cases at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import from_numpy, one_chunk, valid
from drgdip.cases.codes import editions_to
from drgdip.cases.table import clean_codes
from drgdip.grouper.group import name_required, results_of
from drgdip.monitor.differences import Answers, answers_of, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from drgdip.grouper.family import SchemeLike
    from drgdip.monitor.differences import Flags, Numbers, Words

__all__ = ["Causes", "find_causes"]

#: Cases whose codes are left out or exchanged one by one at a time, so that memory stays small.
_SLICE = 20_000
#: What stands in the place of a principal diagnosis that they do not know: a code of no table.
_NO_CODE = "?"
#: The columns that the weight of a newborn may come from.
_WEIGHTS = ("newborn_weight", "birth_weight", "admission_weight")


class Trial(NamedTuple):
    """Cases altered in one way.

    Attributes
    ----------
    cause, tried
        The cause, and what was tried where that is one thing for all cases.
    cases
        The altered cases.
    scheme, codes
        The scheme and the edition of codes under which they are grouped.
    owners
        The row of the differing cases that each altered case comes from, in order.
    labels
        The thing tried for each altered case, where it is not one for all.
    """

    cause: str
    tried: str | None
    cases: pa.Table
    scheme: SchemeLike
    codes: str | None
    owners: Numbers
    labels: pa.Array | None = None


class Causes(NamedTuple):
    """Which trials explain which cases.

    Attributes
    ----------
    cause
        The first cause that explains each case, as its place in ``ids_of("cause")``; the last place for none.
    tried
        The thing that was tried there.
    also
        The other causes that explain it, joined by ``|``; null for none.
    trials
        A trial a row: ``cause, tried, altered`` (cases that it alters), ``explains`` and ``alone`` (no other does).
    """

    cause: Numbers
    tried: list[str | None]
    also: list[str | None]
    trials: list[dict[str, Any]]


def find_causes(
    cases: pa.Table,
    theirs: Answers,
    scheme: SchemeLike,
    words: Mapping[str, Words],
    *,
    schemes: Sequence[SchemeLike],
    editions: Sequence[str] | None,
    codes: str | None,
) -> Causes:
    """Find the causes of differing cases, given under canonical names, by trying."""
    rows = len(cases)
    hits: dict[tuple[str, str | None], Flags] = {}
    altered: dict[tuple[str, str | None], Flags] = {}
    labels: dict[tuple[str, str | None], list[str | None]] = {}
    for trial in _trials(cases, scheme, schemes, editions, codes):
        key = trial.cause, trial.tried
        hit = hits.setdefault(key, np.zeros(rows, bool))
        altered.setdefault(key, np.zeros(rows, bool))[trial.owners] = True
        found = _hits(trial, theirs.take(trial.owners), words)
        owners, first = np.unique(trial.owners[found], return_index=True)
        hit[owners] = True
        if trial.labels is not None:
            texts = trial.labels.take(from_numpy(np.flatnonzero(found)[first])).to_pylist()
            noted = labels.setdefault(key, [None] * rows)
            for owner, text in zip(owners.tolist(), texts, strict=True):
                noted[owner] = text
    return _gathered(rows, hits, altered, labels)


def _hits(trial: Trial, theirs: Answers, words: Mapping[str, Words]) -> Flags:
    """Return which altered cases give the group, and the status where it is known, that came back."""
    ours = answers_of(results_of(trial.cases, trial.scheme, None, trial.codes), trial.scheme, words)
    same: Flags = ours["group"] == theirs["group"]
    same &= (theirs["status"] < 0) | (ours["status"] == theirs["status"])
    return same


def _gathered(
    rows: int,
    hits: Mapping[tuple[str, str | None], Flags],
    altered: Mapping[tuple[str, str | None], Flags],
    labels: Mapping[tuple[str, str | None], list[str | None]],
) -> Causes:
    names = ids_of("cause")
    # The trial that explains most cases of its cause comes first, then the one that was tried first.
    keys = sorted(hits, key=lambda key: (names.index(key[0]), -int(hits[key].sum())))
    cause = np.full(rows, len(names) - 1, np.int64)
    first = np.full(rows, -1)
    times = np.zeros(rows, np.int64)
    others: list[list[str]] = [[] for _ in range(rows)]
    for place, key in enumerate(keys):
        hit = hits[key]
        times += hit
        new = hit & (first < 0)
        cause[new], first[new] = names.index(key[0]), place
        for row in np.flatnonzero(hit & ~new).tolist():
            if key[0] not in others[row] and names[cause[row]] != key[0]:
                others[row].append(key[0])
    tried: list[str | None] = [None] * rows
    for row in np.flatnonzero(first >= 0).tolist():
        key = keys[first[row]]
        tried[row] = labels[key][row] if key in labels else key[1]
    trials = [
        {
            "cause": key[0],
            "tried": key[1],
            "altered": int(altered[key].sum()),
            "explains": int(hits[key].sum()),
            "alone": int((hits[key] & (times == 1)).sum()),
        }
        for key in keys
    ]
    return Causes(cause, tried, ["|".join(found) or None for found in others], trials)


# Trials


def _trials(
    cases: pa.Table,
    scheme: SchemeLike,
    schemes: Sequence[SchemeLike],
    editions: Sequence[str] | None,
    codes: str | None,
) -> Iterator[Trial]:
    """Yield the trials."""
    every = np.arange(len(cases))
    for cause, tried, altered in (*_values_missing(cases, scheme), *_values_moved(cases, scheme)):
        known = np.flatnonzero(altered[1])
        yield Trial(cause, tried, altered[0].take(from_numpy(known)), scheme, codes, known)
    for other in schemes:
        if all(column in cases.column_names for column in name_required(other)):
            yield Trial("other_scheme", _named(other, schemes), cases, other, codes, every)
    for edition in _editions(scheme, editions, codes):
        yield Trial("other_codes", edition or "as written", cases, scheme, edition, every)
    for start in range(0, len(cases), _SLICE):
        part = cases.slice(start, _SLICE)
        part = part.set_column(part.column_names.index("dx"), "dx", clean_codes(one_chunk(part["dx"])))
        if "procs" in part.column_names:
            part = part.set_column(part.column_names.index("procs"), "procs", clean_codes(one_chunk(part["procs"])))
        for trial in _code_trials(part, scheme, codes):
            yield trial._replace(owners=trial.owners + start)


def _named(scheme: SchemeLike, schemes: Sequence[SchemeLike]) -> str:
    """Return the id of a scheme, with its revision where another one has the same id."""
    alike = sum(other.id == scheme.id for other in schemes)
    return scheme.id if alike == 1 else f"{scheme.id} revision {scheme.info.revision}"


def _editions(scheme: SchemeLike, editions: Sequence[str] | None, codes: str | None) -> list[str | None]:
    """Return the editions of codes to be tried: those named, or all from which the codes can be mapped."""
    if editions is not None:
        return list(editions)
    found: list[str | None] = [edition for edition in editions_to(scheme.info) if edition != codes]
    return found if codes is None else [None, *found]


def _values_missing(cases: pa.Table, scheme: SchemeLike) -> Iterator[tuple[str, str, tuple[pa.Table, Flags]]]:
    """Yield the cases without one value that the scheme reads, and which of them have it."""
    for column in scheme.value_columns:
        columns = [name for name in (_WEIGHTS if column == "newborn_weight" else (column,)) if _has(cases, name)]
        if not columns:
            continue
        altered, known = cases, np.zeros(len(cases), bool)
        for name in columns:
            place = cases.column_names.index(name)
            known |= valid(one_chunk(cases[name]))
            altered = altered.set_column(place, name, pa.nulls(len(cases), cases.schema.field(name).type))
        yield "value_missing", column, (altered, known)


def _values_moved(cases: pa.Table, scheme: SchemeLike) -> Iterator[tuple[str, str, tuple[pa.Table, Flags]]]:
    """Yield the cases with the other weight of newborns, and with an age of one more or less."""
    kind = scheme.newborn_weight
    if kind and "newborn_weight" in scheme.value_columns:
        other = {"birth": "admission_weight", "admission": "birth_weight"}[kind]
        if _has(cases, other):
            known = valid(one_chunk(cases[other]))
            yield "other_weight", other, (_with(cases, "newborn_weight", one_chunk(cases[other])), known)
    for cause, column in (("age_days", "age_days"), ("age_years", "age")):
        if column not in scheme.value_columns or not _has(cases, column):
            continue
        for step in (1, -1):
            moved = pc.add(one_chunk(cases[column]), step)
            known = valid(pc.if_else(pc.greater_equal(moved, 0), moved, None))
            yield cause, f"{column} {step:+d}", (_with(cases, column, moved), known)


def _has(cases: pa.Table, column: str) -> bool:
    return column in cases.column_names


def _with(cases: pa.Table, column: str, values: pa.Array) -> pa.Table:
    if not _has(cases, column):
        return cases.append_column(column, values)
    return cases.set_column(cases.column_names.index(column), column, values)


def _code_trials(cases: pa.Table, scheme: SchemeLike, codes: str | None) -> Iterator[Trial]:
    """Yield the trials that change lists of codes: cut, with another one first, or with one left out."""
    kinds = [kind for kind in ("dx", "procs") if _has(cases, kind)]
    lists = {kind: _Lists.of(one_chunk(cases[kind])) for kind in kinds}
    for kind, cause, kept in (("dx", "only_principal", 1), ("procs", "no_procedures", 0)):
        if kind in lists:
            owners = np.flatnonzero(lists[kind].lengths > kept)
            yield _trial(cause, cases, scheme, codes, kind, owners, lists[kind].cut(owners, kept))
    for kind, cause in (("dx", "other_principal"), ("procs", "other_procedure")):
        if kind in lists:
            owners, places = lists[kind].each(first=1)
            exchanged = lists[kind].exchanged(owners, places)
            labels = lists[kind].at(owners, places)
            yield _trial(cause, cases, scheme, codes, kind, owners, exchanged, labels)
    for kind in kinds:
        owners, places = lists[kind].each(first=0)
        without = lists[kind].without(owners, places, instead=_NO_CODE if kind == "dx" else None)
        yield _trial("code_unknown", cases, scheme, codes, kind, owners, without, lists[kind].at(owners, places))


def _trial(
    cause: str,
    cases: pa.Table,
    scheme: SchemeLike,
    codes: str | None,
    kind: str,
    owners: Numbers,
    lists: pa.Array,
    labels: pa.Array | None = None,
) -> Trial:
    altered = _with(cases.take(from_numpy(owners)), kind, lists)
    return Trial(cause, None, altered, scheme, codes, owners, labels)


class _Lists(NamedTuple):
    """Lists of codes as one array of all codes, with the place where each list begins."""

    codes: pa.Array
    starts: Numbers
    lengths: Numbers

    @classmethod
    def of(cls, lists: pa.Array) -> _Lists:
        """Return a column of lists so."""
        lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
        return cls(lists.flatten(), np.concatenate([[0], np.cumsum(lengths)])[:-1], lengths)

    def each(self, *, first: int) -> tuple[Numbers, Numbers]:
        """Return the row and the place in its list of every code from a place on."""
        number = np.maximum(self.lengths - first, 0)
        owners = np.repeat(np.arange(len(number)), number)
        places = np.arange(len(owners)) - np.repeat(np.cumsum(number) - number, number) + first
        return owners, places

    def at(self, owners: Numbers, places: Numbers) -> pa.Array:
        """Return the codes at some places."""
        return self.codes.take(from_numpy(self.starts[owners] + places))

    def _taken(self, owners: Numbers) -> tuple[Numbers, Numbers]:
        """Return for the lists of some rows the place among all codes, and the place in the list, of each code."""
        lengths = self.lengths[owners]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.repeat(self.starts[owners], lengths) + within, within

    def cut(self, owners: Numbers, kept: int) -> pa.Array:
        """Return the lists of some rows with so many codes from the first."""
        places, within = self._taken(owners)
        return _as_lists(self.codes.take(from_numpy(places[within < kept])), np.full(len(owners), kept))

    def exchanged(self, owners: Numbers, places: Numbers) -> pa.Array:
        """Return the lists of some rows with the code of a place first, and the first one in that place."""
        taken, within = self._taken(owners)
        place = np.repeat(places, self.lengths[owners])
        start = np.repeat(self.starts[owners], self.lengths[owners])
        taken = np.where(within == 0, start + place, np.where(within == place, start, taken))
        return _as_lists(self.codes.take(from_numpy(taken)), self.lengths[owners])

    def without(self, owners: Numbers, places: Numbers, *, instead: str | None) -> pa.Array:
        """Return the lists of some rows without the code of a place; for the first one stands `instead`, if given."""
        taken, within = self._taken(owners)
        out = within == np.repeat(places, self.lengths[owners])
        lengths = self.lengths[owners] - 1
        if instead is None:
            return _as_lists(self.codes.take(from_numpy(taken[~out])), lengths)
        held = out & (within == 0)
        codes = pc.if_else(from_numpy(held), instead, self.codes.take(from_numpy(taken)))
        return _as_lists(codes.filter(from_numpy(~out | held)), lengths + (places == 0))


def _as_lists(codes: pa.Array, lengths: Numbers) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(from_numpy(offsets), codes)
