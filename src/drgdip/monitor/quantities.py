"""Quantities (量): numbers of a case that add up, of which every indicator is made.

``data/monitor/quantities.csv`` says of each quantity which column it adds up, and which cases count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drgdip._arrays import read_numbers
from drgdip._arrow import one_chunk
from drgdip._once import once
from drgdip._sums import sums
from drgdip.data import rows_of
from drgdip.errors import CaseError
from drgdip.points import CaseRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip._columns import Columns, Floats, Keys

__all__ = ["Quantity", "Sums", "quantities"]


class Quantity(NamedTuple):
    """A quantity: the column that is added up (None counts cases), and the rule of the cases that count."""

    id: str
    value: str | None
    rule: CaseRule | None
    english: str
    chinese: str

    @property
    def columns(self) -> frozenset[str]:
        """Return the names of the columns that it reads."""
        return frozenset(filter(None, (self.value, self.rule and self.rule.column)))


@once
def quantities() -> Mapping[str, Quantity]:
    """Return the quantities by id."""
    found = {}
    for row in rows_of("monitor/quantities.csv"):
        only = tuple(filter(None, row["only"].split("|")))
        minimum = float(row["minimum"]) if row["minimum"] else None
        rule = CaseRule(row["column"], minimum=minimum, only=only) if row["column"] else None
        found[row["quantity"]] = Quantity(row["quantity"], row["value"] or None, rule, row["english"], row["chinese"])
    return found


class Sums:
    """The sums of quantities by key, each added up once.

    Parameters
    ----------
    columns
        The cases.
    keys
        Their keys.
    derived
        Columns that are not in the table, by name: numbers, NaN for none.
    """

    def __init__(self, columns: Columns, keys: Keys, derived: Mapping[str, Floats]) -> None:
        self._columns = columns
        self._keys = keys
        self._derived = derived
        self._found: dict[str, Floats] = {}

    def has(self, name: str) -> bool:
        """Return whether the columns of a quantity are there."""
        return all(map(self.has_column, quantities()[name].columns))

    def has_column(self, name: str) -> bool:
        """Return whether a column is in the table, or derived."""
        return name in self._derived or name in self._columns

    def of(self, name: str) -> Floats:
        """Return the sum of a quantity by key."""
        if name not in self._found:
            quantity = quantities()[name]
            values = np.ones(self._columns.rows) if quantity.value is None else self.values(quantity.value)
            codes = self._keys.codes
            out = np.isnan(values)
            if quantity.rule is not None:
                out |= quantity.rule.violated(self._columns)
            counted = np.where(out, -1, codes) if out.any() else codes
            self._found[name] = sums(counted, np.where(out, 0.0, values), self._keys.size)
        return self._found[name]

    def values(self, name: str) -> Floats:
        """Return the numbers of a column, NaN where there is none. Raise CaseError where one cannot be read."""
        if name in self._derived:
            return self._derived[name]
        numbers, failed = read_numbers(one_chunk(self._columns.column(name)))
        if failed.any():
            row = int(np.flatnonzero(failed)[0])
            held = self._columns.column(name)[row].as_py()
            raise CaseError(f"column {name!r} of {self._columns.what} holds {held!r} in row {row}: give numbers")
        return numbers
