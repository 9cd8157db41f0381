"""Indicators of the cases of a table by key, and what stands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._columns import as_list, nullable
from drgdip._listing import Listing
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import CaseError, UnknownNameError
from drgdip.monitor.derived import keys_of, needs_of, rows_of_keys
from drgdip.monitor.quantities import Sums, quantities, quotient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drgdip._columns import Floats, Keys
    from drgdip.monitor.derived import Facts

__all__ = ["Indicator", "Period", "choose", "list_indicators"]


class Indicator(NamedTuple):
    """An indicator: a quotient of two quantities, or a sum of one.

    Attributes
    ----------
    id, english, chinese
        The name of its column, and its names in the field.
    numerator, denominator
        Quantities (``data/monitor/quantities.csv``); without a denominator the numerator is the indicator.
    formula, unit
        In words; count, ratio, index, weight, points, days or yuan.
    direction
        ``higher`` or ``lower`` where the field calls that better, else ``none``.
    source, grade
        Where the formula is read, and the grade of the evidence: A a primary document, B an official draft, C a
        third party, R practice without a document.
    """

    id: str
    english: str
    chinese: str
    numerator: str
    denominator: str
    formula: str
    unit: str
    direction: str
    source: str
    grade: str


@once
def _listed() -> Listing[Indicator]:
    return Listing([Indicator(**row) for row in rows_of("monitor/indicators.csv")], Indicator._fields)


def list_indicators() -> Listing[Indicator]:
    """List the indicators.

    Returns
    -------
    A row an `Indicator`.

    Examples
    --------
    >>> list_indicators().row("cmi").chinese, list_indicators().row("cmi").formula
    ('CMI', 'Σ weight / n grouped with a weight')
    """
    return _listed()


class Period:
    """The cases of a table by key, of which indicators are computed.

    Parameters
    ----------
    facts
        The cases.
    by
        The columns of the key.
    """

    def __init__(self, facts: Facts, by: Sequence[str]) -> None:
        self.facts = facts
        self.keys: Keys = keys_of(facts, by)
        self.sums = Sums(facts, self.keys)

    def values(self, row: Indicator) -> Floats:
        """Return an indicator by key, NaN where the denominator is 0 or its columns are missing."""
        if self.sums.lacks([row.numerator, row.denominator]):
            return np.full(self.keys.size, np.nan)
        if not row.denominator:
            return self.sums.of(row.numerator)[0].numbers
        return quotient(*self.sums.of(row.numerator, row.denominator))

    def cases(self, row: Indicator) -> Any:
        """Return how many cases an indicator rests on: its denominator, where that counts cases."""
        below = quantities().get(row.denominator)
        if below is not None and below.how == "count":
            return self.sums.of(row.numerator, row.denominator)[1].values
        return self.sums.of(*filter(None, (row.numerator, row.denominator)), "discharges")[-1].values

    def places(self, other: Period) -> Any:
        """Return for each key the place of its part in another period's keys, their number where there is none."""
        found = {key: place for place, key in enumerate(rows_of_keys(other.keys))}
        part = self.keys._replace(table={name: self.keys.table[name] for name in other.keys.table})
        rows = rows_of_keys(part) if part.table else [()] * self.keys.size
        return np.array([found.get(key, other.keys.size) for key in rows], np.int64)

    def table(
        self,
        rows: Iterable[Indicator],
        *,
        whole: Period | None = None,
        before: Period | None = None,
        parts: bool = False,
        small: int | None = None,
    ) -> pa.Table:
        """Return a table with a row a key: indicators, beside those of a reference and of an earlier period."""
        result: dict[str, Any] = dict(self.keys.table)
        marks: list[list[str]] = [[] for _ in range(self.keys.size)]
        place_whole = None if whole is None else self.places(whole)
        place_before = None if before is None else self.places(before)
        for row in rows:
            values = self.values(row)
            result |= self._own(row, values, parts=parts)
            if whole is not None:
                result[f"{row.id}_reference"] = nullable(np.append(whole.values(row), np.nan)[place_whole])
            if before is not None:
                then = np.append(before.values(row), np.nan)[place_before]
                change = np.full(len(then), np.nan)
                np.divide(values - then, then, out=change, where=then > 0)
                result |= {f"{row.id}_previous": nullable(then), f"{row.id}_change": nullable(change)}
            if small is not None:
                for key in np.flatnonzero(self.cases(row) < small):
                    marks[key].append(row.id)
        if small is not None:
            result["small"] = pa.array(["|".join(mark) or None for mark in marks], pa.string())
        return pa.table(result)

    def _own(self, row: Indicator, values: Floats, *, parts: bool) -> dict[str, Any]:
        """Return the column of an indicator, and those of its parts."""
        sums = self.sums.of(*filter(None, (row.numerator, row.denominator)))
        found = {row.id: nullable(values) if row.denominator else sums[0].column()}
        if parts:
            found[f"{row.id}_numerator"] = sums[0].column()
            found[f"{row.id}_denominator"] = sums[1].column() if row.denominator else np.ones(self.keys.size, np.int64)
        return found


def choose(sums: Sums, which: Iterable[str] | None) -> list[Indicator]:
    """Return the indicators asked for, or all whose columns are there."""
    if which is None:
        return [row for row in _listed() if not sums.lacks([row.numerator, row.denominator])]
    chosen = []
    for name in as_list(which if isinstance(which, str) else list(which)):
        if name not in _listed()["id"]:
            raise UnknownNameError("indicator", name, _listed()["id"], hint="See list_indicators().")
        row = _listed().row(name)
        lacking = sums.lacks([row.numerator, row.denominator])
        if lacking:
            raise CaseError(f"indicator {name!r} needs {needs_of(lacking)}")
        chosen.append(row)
    return chosen
