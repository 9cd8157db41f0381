"""Numbers by pool: rows by their pool, an amount for each pool, and columns that must be complete."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip.errors import CaseError, PolicyError, UnknownNameError

if TYPE_CHECKING:
    from drgdip._columns import Codes, Columns, Floats, Keys

__all__ = ["and_more", "check_divisor", "complete_numbers", "numbers_by_pool", "pools_of"]


def numbers_by_pool(given: Any, keys: Keys, by: str | None, what: str, *, share: bool = False) -> Floats:
    """Return a number for each key: yuan or points of at least 0, or shares above 0 and at most 1."""
    if isinstance(given, Mapping):
        if by is None:
            raise PolicyError(
                f"{what}= gives numbers by key, but by=None: give one number, or name the column of the key"
            )
        known = keys.table[by].to_pylist()
        listed = {str(name): float(value) for name, value in given.items()}
        for name in known:
            if name not in listed:
                raise PolicyError(f"{what}= has no entry for {by} {name!r}: add it")
        for name in listed:
            if name not in known:
                raise UnknownNameError(by, name, known, hint=f"It is named in {what}= and has no row.")
        values = np.array([listed[name] for name in known], float)
    else:
        if by is not None and keys.size > 1 and not share:
            raise PolicyError(
                f"{what}={given!r} is one amount for {keys.size} pools: give an amount by {by}, "
                f"or by=None to take them together"
            )
        values = np.full(keys.size, float(given))
    bad = ~((values > 0) & (values <= 1)) if share else ~((values >= 0) & np.isfinite(values))
    if bad.any():
        bounds = "above 0 and at most 1" if share else "of at least 0"
        raise PolicyError(f"{what}={values[bad][0]!r}: give a number {bounds}")
    return values


def pools_of(columns: Columns, by: str | None) -> Keys:
    """Return the pool of each row."""
    keys = columns.keys([] if by is None else [by])
    missing = np.flatnonzero(keys.codes < 0)
    if len(missing):
        raise CaseError(
            f"column {columns.own_name(by or '')!r} of {columns.what} is empty in row {missing[0]}{and_more(missing)}: "
            f"every row needs its pool"
        )
    return keys


def and_more(rows: Codes) -> str:
    """Return how many rows there are beside the first, for a message."""
    return f" and {len(rows) - 1} more" if len(rows) > 1 else ""


def complete_numbers(columns: Columns, name: str, why: str) -> Floats:
    """Return a column of numbers of at least 0; raise CaseError where one is missing or negative."""
    values = columns.numbers(name)
    bad = np.flatnonzero(~((values >= 0) & np.isfinite(values)))
    if len(bad):
        shown = "missing" if math.isnan(values[bad[0]]) else f"{values[bad[0]]:g}"
        own = columns.own_name(name)
        raise CaseError(f"column {own!r} of {columns.what} is {shown} in row {bad[0]}{and_more(bad)}: {why}")
    return values


def check_divisor(values: Floats, keys: Keys, what: str) -> None:
    """Raise CaseError where a divisor is 0."""
    for row in np.flatnonzero(~(values > 0)):
        where = ", ".join(f"{name} {column[int(row)].as_py()!r}" for name, column in keys.table.items())
        raise CaseError(f"{what}{' of ' + where if where else ''} is 0: there is nothing to divide by")
