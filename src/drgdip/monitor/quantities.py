"""Quantities (量): numbers of a case that add up, of which every indicator is made.

``data/monitor/quantities.csv`` says of each quantity which column it adds up, and which cases count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from drgdip._columns import nullable
from drgdip._money import add_up, to_yuan
from drgdip._once import once
from drgdip._sums import blocks, counts, sums
from drgdip.data import rows_of
from drgdip.monitor.derived import OF_GROUPED, case_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats, Keys
    from drgdip.monitor.derived import Facts

__all__ = ["Chosen", "Quantity", "Sums", "Total", "quantities", "quotient"]

# Up to this many pairs of key and group each has its place; above, those that occur are sorted.
_DENSE = 1 << 24


class Quantity(NamedTuple):
    """A quantity, and the cases that count.

    Attributes
    ----------
    quantity
        Its id.
    how
        ``count``: of cases. ``sum``: of ``value``. ``groups``: of distinct groups, which does not add up; with
        ``minimum``, of those whose sum of ``value`` is at least that.
    value
        The column that is added up.
    where
        The flag that a case has.
    column, only, minimum
        Another column, with the values or the least number that count.
    english, chinese
        Its names.
    """

    quantity: str
    how: str
    value: str
    where: str
    column: str
    only: tuple[str, ...]
    minimum: float | None
    english: str
    chinese: str

    @property
    def columns(self) -> frozenset[str]:
        """Return the names of the columns that it reads."""
        group = "group" if self.how == "groups" else ""
        return frozenset(filter(None, (self.value, self.where, self.column, group)))


class Total(NamedTuple):
    """A quantity by key: whole numbers (of cases, or of fen), or floats."""

    values: NDArray[Any]
    fen: bool

    @property
    def numbers(self) -> Floats:
        """Return the quantity as floats, of money in yuan."""
        return self.values / 100 if self.fen else self.values.astype(np.float64)

    def column(self) -> pa.Array:
        """Return the quantity as a column: whole numbers, yuan, or floats."""
        if self.fen:
            return to_yuan(self.values)
        return nullable(self.values) if self.values.dtype == np.float64 else self.values


@once
def quantities() -> Mapping[str, Quantity]:
    """Return the quantities by id."""
    found = {}
    for row in rows_of("monitor/quantities.csv"):
        read: dict[str, Any] = dict(row)
        read["only"] = tuple(filter(None, row["only"].split("|")))
        read["minimum"] = float(row["minimum"]) if row["minimum"] else None
        found[row["quantity"]] = Quantity(**read)
    return found


def quotient(above: Total, below: Total) -> Floats:
    """Return one quantity over another, NaN where that is 0. Money over another kind is in yuan."""
    known = (below.values != 0) & ~np.isnan(below.values)
    unit = 100.0 if above.fen and not below.fen else 1.0
    found: Floats = np.full(len(above.values), np.nan)
    np.divide(above.values, below.values * unit, out=found, where=known)
    return found


class Sums:
    """The sums of quantities by key.

    Parameters
    ----------
    facts
        The cases.
    keys
        Their keys.
    """

    def __init__(self, facts: Facts, keys: Keys) -> None:
        self.facts = facts
        self._keys = keys
        self._found: dict[tuple[str, tuple[str, ...]], Total] = {}

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return the columns of quantities that are not there."""
        read = sorted({column for name in names if name for column in quantities()[name].columns})
        return [column for column in read if not self.facts.has(column)]

    def of(self, *names: str) -> list[Total]:
        """Return the sums of quantities by key, over the cases that have the columns of all of them."""
        partly = self._partly(names)
        todo = [name for name in names if (name, partly) not in self._found]
        if todo:
            chosen = self._having(partly)
            for name in todo:
                self._found[name, partly] = self._total(quantities()[name], chosen)
        return [self._found[name, partly] for name in names]

    def chosen(self, *names: str) -> Chosen:
        """Return the keys of the cases that have the columns of all of some quantities."""
        return self._having(self._partly(names))

    def counted(self, quantity: Quantity, chosen: Chosen) -> Chosen:
        """Return the keys of those cases that count for a quantity."""
        if quantity.where:
            chosen = chosen.those(self.facts.flag(quantity.where).holds.__getitem__)
        if quantity.only:
            return chosen.those(self.facts.holding(quantity.column, quantity.only))
        if quantity.column:
            numbers, _, unit = self.facts.amounts(quantity.column)
            least = (quantity.minimum or 0) * unit
            return chosen.those(lambda part: numbers[part] >= least)
        return chosen

    def _partly(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the columns of quantities that some cases lack."""
        read = {column for name in names for column in quantities()[name].columns} - {"group"}
        if not read.isdisjoint(OF_GROUPED):
            read -= {"is_grouped"}
        return tuple(column for column in sorted(read) if self.facts.known(column) is not None)

    def _having(self, partly: Iterable[str]) -> Chosen:
        """Return the keys of the cases that have some columns."""
        chosen = Chosen(self._keys.codes)
        for column in partly:
            known = self.facts.known(column)
            if known is not None:
                chosen = chosen.those(known.__getitem__)
        return chosen

    def _total(self, quantity: Quantity, chosen: Chosen) -> Total:
        chosen = self.counted(quantity, chosen)
        if quantity.how == "count":
            return Total(counts(cast("Codes", chosen), self._keys.size), fen=False)
        if quantity.how == "groups":
            return Total(self._groups(quantity, chosen), fen=False)
        return _sum(self.facts, quantity.value, chosen, self._keys.size)

    def _groups(self, quantity: Quantity, chosen: Chosen) -> NDArray[np.int64]:
        """Return how many groups the cases of each key have, or those with a sum of at least the minimum."""
        groups, values = self.facts.columns.codes("group")
        cells: Any = chosen.within(groups, len(values))
        size = self._keys.size * len(values)
        if size > _DENSE:
            found, cells = np.unique(cells[:], return_inverse=True)
            missing = int(len(found) > 0 and found[0] < 0)
            cells, found = cells - missing, found[missing:]
        else:
            found = np.arange(size)
        there = counts(cells, len(found)) > 0
        if quantity.minimum is not None:
            total = _sum(self.facts, quantity.value, cells, len(found))
            there &= total.numbers >= quantity.minimum
        return np.bincount(found[there] // max(len(values), 1), minlength=self._keys.size)


class Chosen:
    """The key of each case, -1 for a case that does not count: made for a block of rows at a time, to save memory."""

    def __init__(self, codes: Codes, masks: tuple[Callable[[slice], Any], ...] = (), inner: Any = None) -> None:
        self._codes, self._masks, self._inner = codes, masks, inner

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, part: slice) -> Any:
        codes = self._codes[part]
        if self._inner is not None:
            more, size = self._inner
            codes = np.where((codes >= 0) & (more[part] >= 0), codes * np.int64(size) + more[part], -1)
        for mask in self._masks:
            codes = np.where(mask(part), codes, -1)
        return codes

    def those(self, mask: Callable[[slice], Any]) -> Chosen:
        """Return the keys of the cases that also have a property."""
        return Chosen(self._codes, (*self._masks, mask), self._inner)

    def within(self, codes: Codes, size: int) -> Chosen:
        """Return the keys joined with other codes, of so many values."""
        return Chosen(self._codes, self._masks, (codes, size))


def _sum(facts: Facts, name: str, chosen: Any, size: int) -> Total:
    """Return the sum of a column by code, exact whatever the order of the rows."""
    if case_columns()[name].kind == "money":
        fen, _ = facts.money(name)
        found = np.zeros(size, np.int64)
        for part in blocks(len(fen)):
            found += add_up(chosen[part], fen[part], size)
        return Total(found, fen=True)
    return Total(sums(chosen, facts.numbers(name)[0], size), fen=False)
