"""The clinical part of cases as numbers that models learn from: age, sex, codes by category, how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drgdip._arrow import filled, one_chunk

if TYPE_CHECKING:
    from drgdip._columns import Codes, Floats
    from drgdip.monitor.signal_cases import Cases, Lists

__all__ = ["Features", "read_features"]

#: A model knows so many categories of a column; the rarer ones are one.
_CATEGORIES = 250
#: So many of the most frequent categories of other diagnoses are columns of their own.
_OTHERS = 24
#: A category of diagnoses has three characters (I63), one of procedures five (36.06).
_DIAGNOSIS, _PROCEDURE = 3, 5


class Features(NamedTuple):
    """Numbers by case and feature; ``categories`` are the places of those that are categories."""

    names: tuple[str, ...]
    values: Floats
    categories: tuple[int, ...]
    others: tuple[int, ...]

    def without_others(self) -> Features:
        """Return the features that do not come from other diagnoses, which make the severity."""
        kept = [place for place in range(len(self.names)) if place not in self.others]
        categories = tuple(kept.index(place) for place in self.categories)
        return Features(tuple(self.names[place] for place in kept), self.values[:, kept], categories, ())

    def counts(self) -> Floats:
        """Return age and how many codes there are, 0 where they are not known."""
        places = [self.names.index(name) for name in ("age", "diagnoses", "procedures")]
        return np.nan_to_num(self.values[:, places])


def read_features(cases: Cases, rows: Codes) -> Features:
    """Return the features of some cases."""
    parts: dict[str, Floats] = {name: _number(cases, name, rows) for name in ("age", "sex", "discharge")}
    dx = cases.lists("dx", rows)
    parts["diagnoses"] = dx.lengths.astype(np.float64)
    parts["principal_diagnosis"] = _category(_first(dx), _prefixes(dx, _DIAGNOSIS))
    if cases.has("procs"):
        procs = cases.lists("procs", rows)
        parts["procedures"] = procs.lengths.astype(np.float64)
        parts["principal_procedure"] = _category(_first(procs), _prefixes(procs, _PROCEDURE))
    else:
        parts["procedures"] = np.zeros(len(rows))
        parts["principal_procedure"] = np.full(len(rows), np.nan)
    held = _others(dx, _prefixes(dx, _DIAGNOSIS))
    names = (*parts, *held)
    values = np.column_stack([*parts.values(), *held.values()])
    categories = tuple(names.index(name) for name in ("principal_diagnosis", "principal_procedure"))
    others = ("diagnoses", *held)
    return Features(names, values, categories, tuple(names.index(name) for name in others))


def _number(cases: Cases, name: str, rows: Codes) -> Floats:
    """Return a number of the cases under the names that grouping reads, NaN where there is none."""
    if name not in cases.clinical.column_names:
        return np.full(len(rows), np.nan)
    column = one_chunk(cases.clinical[name]).cast("float64", safe=False)
    found: Floats = filled(column, np.nan)[rows]
    return found


def _first(lists: Lists) -> Codes:
    """Return the number of each case's first code, that of a missing one where it has none."""
    found = np.full(len(lists.offsets) - 1, len(lists.names) - 1)
    some = lists.lengths > 0
    found[some] = lists.number[lists.offsets[:-1][some]]
    return found


def _prefixes(lists: Lists, length: int) -> list[str]:
    """Return the category of each distinct code, "" for a missing one."""
    return [(text or "")[:length] for text in lists.names.to_pylist()]


def _ranked(prefixes: list[str], number: Codes) -> list[str]:
    """Return categories by how often they stand, the most frequent first, ties by name."""
    counted: dict[str, int] = {}
    for prefix, count in zip(prefixes, np.bincount(number, minlength=len(prefixes)).tolist(), strict=True):
        if prefix:
            counted[prefix] = counted.get(prefix, 0) + count
    return sorted(counted, key=lambda prefix: (-counted[prefix], prefix))


def _category(first: Codes, prefixes: list[str]) -> Floats:
    """Return the category of each case's first code by its rank, NaN for none; all rare ones are one."""
    ranks = {prefix: float(min(rank, _CATEGORIES)) for rank, prefix in enumerate(_ranked(prefixes, first))}
    found: Floats = np.array([ranks.get(prefix, np.nan) for prefix in prefixes])[first]
    return found


def _others(dx: Lists, prefixes: list[str]) -> dict[str, Floats]:
    """Return for the most frequent categories of other diagnoses which cases have them."""
    row = dx.row
    behind = np.arange(len(row)) > dx.offsets[:-1][row]
    often = _ranked(prefixes, dx.number[behind])[:_OTHERS]
    place = np.array([often.index(prefix) if prefix in often else -1 for prefix in prefixes])[dx.number]
    found = {}
    for rank, prefix in enumerate(often):
        held = np.zeros(len(dx.offsets) - 1)
        held[row[behind & (place == rank)]] = 1
        found[f"other_{prefix}"] = held
    return found
