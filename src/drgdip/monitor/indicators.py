"""Indicators (指标) by any key, as quotients of sums, beside a reference and a previous period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import read_once, to_kind
from drgdip._columns import Columns, as_list, nullable
from drgdip._listing import Listing
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import CaseError, UnknownNameError
from drgdip.monitor.derived import derive_columns
from drgdip.monitor.quantities import Sums, quantities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drgdip._columns import Floats, Keys

__all__ = ["Indicator", "indicators", "list_indicators"]


class Indicator(NamedTuple):
    """An indicator: a quotient of two quantities, or a sum of one.

    Attributes
    ----------
    id, english, chinese
        The name of its column, and its names in the field.
    numerator, denominator
        Quantities; without a denominator the numerator is the indicator. Both are empty for ``groups``, which counts
        distinct groups and does not add up.
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
    ('CMI', 'Σ weight / grouped')
    """
    return _listed()


def indicators(
    cases: Any,
    by: str | Sequence[str] = "hospital",
    *,
    reference: Any = None,
    previous: Any = None,
    weights: Any = None,
    which: Sequence[str] | None = None,
    parts: bool = False,
    small: int | None = None,
    low_risk: Sequence[str] | None = None,
    basic: Sequence[str] | None = None,
    readmission_days: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute indicators of grouped cases, a row a key.

    Parameters
    ----------
    cases
        Any table with a row a case: the columns of ``by``, and those that the indicators read (docs/monitor).
        Without a column ``status``, a case with a ``group`` is grouped.
    by
        The column of the key, or several: ``hospital``, ``dept``, ``doctor``, ``mdc``, ``month`` … None takes all
        cases together.
    reference
        The cases of the region to compare with, under the same names. They give the mean cost and stay of each group
        for ``cost_index`` and ``time_index``, and a row of indicators. None takes the cases themselves.
    previous
        The cases of an earlier period, under the same names.
    weights
        A table of ``group`` and ``weight``. None reads the column ``weight`` of the cases.
    which
        The ids of `list_indicators`. None takes all whose columns are there.
    parts
        Whether the numerator and the denominator of each indicator follow it.
    small
        A key with fewer discharges is marked in the column ``small``. None marks none: no source gives a number.
    low_risk
        The groups of low risk, for ``low_risk_mortality`` (`risk_groups`).
    basic
        The basic groups (基层病组) of the place, for ``basic_share``; `drgdip.Scheme` has them as ``basic_groups``.
    readmission_days
        For ``readmission_rate``: a stay that begins at most so many days after another of the same ``patient``.
        Needs ``admitted`` and ``discharged``. Places use 10 to 31 days, so that none is built in.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A table with a row a key, in order: the columns of ``by``, then a column an indicator by its id (floats; null where
    the denominator is 0). With ``parts``, ``{id}_numerator`` and ``{id}_denominator`` follow. With a reference,
    ``{id}_reference`` is the indicator of all its cases. With ``previous``, ``{id}_previous`` is that of the same key,
    and ``{id}_change`` the change as a share of it (同比). Cases without a key do not count.

    Raises
    ------
    UnknownNameError
        An indicator or a column that is not there.
    CaseError
        ``which`` names an indicator whose columns the cases do not have; a number that cannot be read.

    Notes
    -----
    The sources differ on the cost index. ``cost_index`` weighs each group by its cases. ``cost_to_standard`` divides
    plain sums, as hospitals under DIP do: another number. Sums do not depend on the order of the rows.

    Examples
    --------
    >>> cases = [{"hospital": h, "group": g, "total_cost": c} for h, g, c in (("H1", "A", 900), ("H2", "A", 1100))]
    >>> for row in indicators(cases, which=["discharges", "mean_cost", "cost_index"]):
    ...     print(row)
    {'hospital': 'H1', 'discharges': 1.0, 'mean_cost': 900.0, 'cost_index': 0.9}
    {'hospital': 'H2', 'discharges': 1.0, 'mean_cost': 1100.0, 'cost_index': 1.1}
    """
    names = [] if by is None else as_list(by)
    given = read_once(cases)
    region = given if reference is None else read_once(reference)
    options: dict[str, Any] = {"low_risk": low_risk, "basic": basic, "readmission_days": readmission_days}

    def table_of(table: Any, what: str, by: Sequence[str]) -> _Table:
        return _Table(table, by, region=region, weights=weights, what=what, columns=columns, **options)

    mine = table_of(given, "the cases", names)
    chosen = _chosen(mine, which)
    result: dict[str, Any] = dict(mine.keys.table)
    whole = None if reference is None else table_of(region, "the reference", [])
    before = None if previous is None else table_of(read_once(previous), "the previous cases", names)
    places = None if before is None else _places(mine, before, names)
    for row in chosen:
        values = mine.values(row)
        result[row.id] = nullable(values)
        if parts and row.numerator:
            result[f"{row.id}_numerator"] = nullable(mine.sums.of(row.numerator))
            result[f"{row.id}_denominator"] = nullable(mine.denominator(row))
        if whole is not None:
            result[f"{row.id}_reference"] = nullable(np.broadcast_to(whole.values(row), mine.keys.size).copy())
        if before is not None and places is not None:
            then = np.append(before.values(row), np.nan)[places]
            result[f"{row.id}_previous"] = nullable(then)
            result[f"{row.id}_change"] = nullable(_quotient(values - then, then))
    if small is not None:
        result["small"] = mine.sums.of("discharges") < small
    return to_kind(pa.table(result), cases)


class _Table:
    """A table of cases with its keys and sums."""

    def __init__(
        self, table: Any, by: Sequence[str], *, region: Any, weights: Any, what: str, columns: Any, **options: Any
    ) -> None:
        asked = sorted({name for quantity in quantities().values() for name in quantity.columns} | {"group"})
        self.columns = Columns(table, by, what=what, columns=columns or {}, optional=asked)
        self.keys: Keys = self.columns.keys(by)
        derived = derive_columns(self.columns, region=region, weights=weights, names=columns, **options)
        self.sums = Sums(self.columns, self.keys, derived)

    def has(self, row: Indicator) -> bool:
        """Return whether the columns of an indicator are there."""
        if not row.numerator:
            return "group" in self.columns
        return all(self.sums.has(name) for name in filter(None, (row.numerator, row.denominator)))

    def denominator(self, row: Indicator) -> Floats:
        """Return the denominator of an indicator by key, 1 where it has none."""
        return self.sums.of(row.denominator) if row.denominator else np.ones(self.keys.size)

    def values(self, row: Indicator) -> Floats:
        """Return an indicator by key, NaN where the denominator is 0 or its columns are missing."""
        if not self.has(row):
            return np.full(self.keys.size, np.nan)
        if row.numerator:
            return _quotient(self.sums.of(row.numerator), self.denominator(row))
        return self._groups()

    def _groups(self) -> Floats:
        """Return how many groups the cases of each key have."""
        codes, values = self.columns.codes("group")
        grouped = ~np.isnan(self.sums.values("is_grouped")) & (codes >= 0) & (self.keys.codes >= 0)
        pairs = np.unique(self.keys.codes[grouped].astype(np.int64) * len(values) + codes[grouped])
        found: Floats = np.bincount(pairs // max(len(values), 1), minlength=self.keys.size).astype(np.float64)
        return found


def _quotient(numerator: Floats, denominator: Floats) -> Floats:
    known = (denominator != 0) & ~np.isnan(denominator)
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=known)


def _chosen(table: _Table, which: Iterable[str] | None) -> list[Indicator]:
    """Return the indicators asked for, or all whose columns are there."""
    if which is None:
        return [row for row in _listed() if table.has(row)]
    chosen = []
    for name in which:
        if name not in _listed()["id"]:
            raise UnknownNameError("indicator", name, _listed()["id"], hint="See list_indicators().")
        row = _listed().row(name)
        if not table.has(row):
            raise CaseError(f"indicator {name!r} needs {_needs(table, row)}")
        chosen.append(row)
    return chosen


_REMEDIES = {
    "weight": "weights= or a column 'weight'",
    "relative_cost": "columns 'group' and 'total_cost'",
    "relative_stay": "columns 'group' and 'los'",
    "grouped_cost": "columns 'group' and 'total_cost'",
    "in_reference": "a column 'group'",
    "is_grouped": "a column 'group' or 'status'",
    "low_risk": "low_risk= and a column 'group'",
    "basic": "basic= and a column 'group'",
    "readmitted": "readmission_days= and columns 'patient', 'admitted', 'discharged'",
    "known_patient": "readmission_days= and columns 'patient', 'admitted', 'discharged'",
}


def _needs(table: _Table, row: Indicator) -> str:
    """Return in words what an indicator lacks."""
    if not row.numerator:
        return "a column 'group'"
    names = {name for part in filter(None, (row.numerator, row.denominator)) for name in quantities()[part].columns}
    missing = sorted(name for name in names if not table.sums.has_column(name))
    return "; ".join(dict.fromkeys(_REMEDIES.get(name, f"a column {name!r}") for name in missing))


def _places(mine: _Table, before: _Table, names: Sequence[str]) -> Any:
    """Return for each key the place of the same key in the previous period, -1 where there is none."""
    if not names:
        return np.zeros(1, np.int64)
    other = Columns(pa.table(before.keys.table), names, what="the keys of the previous cases")
    return Columns(pa.table(mine.keys.table), names, what="the keys of the cases").match(names, other)
