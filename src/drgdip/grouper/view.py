"""Cases as checks see them, and what a check finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrays import read_days
from drgdip._arrow import filled, from_list, from_numpy, one_chunk
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.numbered import Codes, codes_of
from drgdip.cases.table import marked

if TYPE_CHECKING:
    from drgdip.grouper.family import SchemeLike

__all__ = ["Finding", "Limits", "View", "as_text", "at", "of_codes"]

Limits = Mapping[str, tuple[float, float]]


class Finding(NamedTuple):
    """The rows in which a rule is broken, each with a value as text."""

    rule: str
    rows: np.ndarray
    values: pa.Array
    field: str = ""


@dataclass(frozen=True)
class View:
    """Cases as the checks see them; columns are made ready when a check first asks for them."""

    cases: pa.Table
    scheme: SchemeLike
    limits: Limits
    faults: pa.Array | None

    def has(self, *names: str) -> bool:
        """Return whether columns are there and hold anything."""
        there = self.cases.column_names
        return all(name in there and self.cases[name].null_count < len(self.cases) for name in names)

    def column(self, name: str) -> pa.Array:
        """Return a column as one array, all null if it is not there."""
        if name not in self.cases.column_names:
            return pa.nulls(len(self.cases))
        column = one_chunk(self.cases[name])
        return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column

    def numbers(self, name: str) -> np.ndarray:
        """Return a column of numbers, NaN for missing ones."""
        return filled(self.column(name).cast(pa.float64(), safe=False), np.nan)

    def days(self, name: str) -> np.ndarray:
        """Return a column of days, NaT for missing ones."""
        return read_days(self.column(name))[0]

    def bad(self, name: str) -> np.ndarray:
        """Return in which rows a column cannot be read."""
        return marked(self.column(UNREADABLE), name)

    @cached_property
    def dx(self) -> Codes:
        """The diagnoses."""
        return codes_of(self.column("dx"))

    @cached_property
    def procs(self) -> Codes:
        """The procedures."""
        return codes_of(self.column("procs"))


def at(rule: str, broken: np.ndarray, values: pa.Array | None = None, field: str = "") -> Finding:
    """Return a rule broken in the rows of a mask, with the value of a column there."""
    rows = np.flatnonzero(broken)
    if values is None:
        return Finding(rule, rows, pa.nulls(len(rows), pa.string()), field)
    chosen = values.take(from_numpy(rows))
    return Finding(rule, rows, chosen if pa.types.is_string(chosen.type) else as_text(chosen), field)


def as_text(values: pa.Array) -> pa.Array:
    """Return values as texts."""
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return from_list([None if value is None else str(value) for value in values.to_pylist()], pa.string())


def of_codes(rule: str, broken: np.ndarray, codes: Codes) -> Finding:
    """Return a rule broken by the codes of a mask."""
    return Finding(rule, codes.row[broken], codes.texts(broken))
