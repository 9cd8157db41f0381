"""A table of cases as signals read it: columns once, codes as lists of numbers, cases as grouping reads them."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrays import plain_texts, read_numbers
from drgdip._arrow import from_numpy, names_of, one_chunk
from drgdip._columns import Columns
from drgdip._money import read_amounts
from drgdip._sums import counts, sums
from drgdip.cases.aliases import base_of
from drgdip.cases.case import TYPES
from drgdip.cases.fields import READERS, UNREADABLE
from drgdip.cases.numbered import numbers_of
from drgdip.cases.table import as_lists, case_columns, to_cases
from drgdip.errors import CaseError
from drgdip.monitor.derived import grouped_of
from drgdip.monitor.signal_rules import signals_by_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip._money import Fen

__all__ = ["Cases", "Lists", "amounts_of", "batches", "clinical_names", "first_of_each"]

#: The columns that are read of cases to be grouped again.
_READ = frozenset({*READERS, "dx_conditions", UNREADABLE})


class Lists(NamedTuple):
    """The codes of some cases: a number for each among ``names``, case by case."""

    names: pa.Array
    number: Codes
    offsets: Codes

    @classmethod
    def of(cls, column: pa.Array) -> Lists:
        """Return the codes of a column, normalised; the last of the names is null, of a missing code."""
        names, number, lengths = numbers_of(column)
        return cls(pa.array([*names, None], pa.string()), number, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which codes are not missing."""
        return np.less(self.number, len(self.names) - 1)

    @property
    def lengths(self) -> Codes:
        """How many codes each case has."""
        return np.diff(self.offsets)

    @property
    def row(self) -> Codes:
        """The case of each code."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    def take(self, rows: Codes) -> Lists:
        """Return the codes of some cases."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        place = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - self.offsets[rows], lengths)
        return Lists(self.names, self.number[place], offsets)

    def part(self, rows: slice) -> Lists:
        """Return the codes of the cases of a slice."""
        offsets = self.offsets[rows.start : rows.stop + 1]
        return Lists(self.names, self.number[offsets[0] : offsets[-1]], offsets - offsets[0])

    def keep(self, kept: NDArray[np.bool_]) -> Lists:
        """Return the codes of a mask."""
        offsets = np.concatenate([[0], np.cumsum(kept)])[self.offsets]
        return Lists(self.names, self.number[kept], offsets)

    def column(self) -> pa.Array:
        """Return them as a column."""
        return pa.LargeListArray.from_arrays(from_numpy(self.offsets), self.names.take(from_numpy(self.number)))


class Cases:
    """A table of cases: its columns, and its cases under the names that grouping reads.

    Parameters
    ----------
    data
        Any table, which can be read again.
    what
        Its name in messages.
    columns
        The table's names by the library's names.
    """

    def __init__(self, data: Any, what: str, columns: Mapping[str, Any] | None) -> None:
        given = columns or {}
        # The names of code lists may be several; those grouping reads alone.
        plain = {name: theirs for name, theirs in given.items() if isinstance(theirs, str) and "*" not in theirs}
        plain = {name: theirs for name, theirs in plain.items() if name not in {"dx", "procs"}}
        asked = sorted({name for signal in signals_by_id().values() for name in signal.columns})
        self.columns = Columns(data, what=what, columns=plain, optional=asked)
        self.rows = self.columns.rows
        self._data = data
        self._whole: dict[str, Lists] = {}
        self._clinical = clinical_names(given)
        self._lists = {"dx", "procs", "dx_conditions"} & set(
            case_columns(names_of(data), self._clinical, need_dx=False)
        )

    def has(self, *names: str) -> bool:
        """Return whether columns are there."""
        return all(name in self._lists or name in self.columns for name in names)

    @cached_property
    def clinical(self) -> pa.Table:
        """The cases under the names and types that grouping reads."""
        table = to_cases(self._data, self._clinical, need_dx=False)
        table = table.select([name for name in table.column_names if name in _READ])
        if "dx_conditions" in table.column_names:
            place = table.column_names.index("dx_conditions")
            table = table.set_column(place, "dx_conditions", as_lists(one_chunk(table[place])))
        return table

    def lists(self, name: str, rows: Codes | None = None) -> Lists:
        """Return the codes of a column, of all cases or of some."""
        if rows is not None:
            return Lists.of(one_chunk(self.clinical[name]).take(from_numpy(rows)))
        if name not in self._whole:
            self._whole[name] = Lists.of(one_chunk(self.clinical[name]))
        return self._whole[name]

    def numbers(self, name: str) -> Floats:
        """Return a column of numbers, NaN where there is none. Raise CaseError where one cannot be read."""
        column = one_chunk(self.columns.column(name))
        numbers, failed = read_numbers(column)
        _refuse_unreadable(failed, column, f"column {name!r} of {self.columns.what}")
        return numbers

    def texts(self, name: str, rows: Codes | pa.Array) -> pa.Array:
        """Return a column of some cases as texts, null where there is none."""
        if name not in self.columns:
            return pa.nulls(len(rows), pa.string())
        places = rows if isinstance(rows, pa.Array) else from_numpy(np.asarray(rows, np.int64))
        return plain_texts(one_chunk(self.columns.column(name))).take(places).cast(pa.string())

    def days(self, name: str) -> Floats:
        """Return a column of dates as days since 1970, NaN where missing."""
        return np.asarray(self.columns.dates(name).cast(pa.int32()).cast(pa.float64()).to_numpy(zero_copy_only=False))

    @cached_property
    def fen(self) -> tuple[Fen, NDArray[np.bool_]]:
        """The total cost in fen, and which cases have one."""
        return amounts_of(self.columns, "total_cost")

    @cached_property
    def cost(self) -> Floats:
        """The total cost in yuan, NaN where missing."""
        fen, known = self.fen
        return np.where(known, fen / 100, np.nan)

    @cached_property
    def los(self) -> Floats:
        """The stay in days, NaN where missing."""
        return self.numbers("los")

    @cached_property
    def grouped(self) -> NDArray[np.bool_]:
        """Which cases are grouped."""
        return np.asarray(grouped_of(self.columns))

    @cached_property
    def group(self) -> tuple[Codes, pa.Array]:
        """The group of each case as a code, -1 where it is not grouped, and the groups."""
        codes, values = self.columns.codes("group")
        return np.where(self.grouped, codes, -1), values

    def group_texts(self, rows: Codes) -> pa.Array:
        """Return the groups of some cases, null where not grouped."""
        codes, values = self.group
        return values.take(pa.array(codes[rows], mask=codes[rows] < 0))

    def sum_by_group(self, values: Floats) -> tuple[Codes, Floats]:
        """Return by group how many cases have a value, and the sum."""
        codes, groups = self.group
        counted = np.where(np.isnan(values), -1, codes)
        return counts(counted, len(groups)), sums(counted, np.nan_to_num(values), len(groups))


def clinical_names(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names that a caller gives of the columns of a case, which grouping takes too."""
    return {name: theirs for name, theirs in columns.items() if base_of(name) in TYPES}


def amounts_of(columns: Columns, name: str) -> tuple[Fen, NDArray[np.bool_]]:
    """Return a column of yuan in fen, and which rows have an amount. Raise CaseError where one cannot be read."""
    column = one_chunk(columns.column(name))
    fen, known, failed = read_amounts(column)
    _refuse_unreadable(failed, column, f"column {name!r} of {columns.what}")
    return fen, known


def _refuse_unreadable(failed: NDArray[np.bool_], column: pa.Array, where: str) -> None:
    if failed.any():
        row = int(np.flatnonzero(failed)[0])
        raise CaseError(f"{where} holds {column[row].as_py()!r} in row {row}: give numbers")


def first_of_each(keys: Codes) -> NDArray[np.bool_]:
    """Return which rows are the first of their key, where rows with the same key stand together."""
    return np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)]


def batches(weights: Codes, most: int = 1 << 21) -> list[slice]:
    """Return slices of rows that each have about so much work, for lists that are made and dropped."""
    total = np.concatenate([[0], np.cumsum(weights)])
    starts = [0]
    while starts[-1] < len(weights):
        following = int(np.searchsorted(total, total[starts[-1]] + most, side="right")) - 1
        starts.append(max(following, starts[-1] + 1))
    return [slice(*edges) for edges in pairwise(starts)]
