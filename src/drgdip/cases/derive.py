"""Ages and the length of stay from dates, where the columns of a case do not have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_days
from drgdip._arrow import filled, from_numpy, one_chunk, valid
from drgdip.cases.fields import INFANT, UNREADABLE
from drgdip.cases.table import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["SOURCES", "derive", "whole_years"]


def whole_years(born: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return full years from a day to another, NaN where one is not known or the second is the earlier."""
    (first_year, first_month, first_day), (year, month, of_month) = _calendar(born), _calendar(day)
    before = (month < first_month) | ((month == first_month) & (of_month < first_day))
    years = np.asarray(year - first_year - before, dtype=np.float64)
    years[np.isnat(born) | np.isnat(day)] = np.nan
    years[~(years >= 0)] = np.nan
    return years


def _calendar(days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return year, month and day of the month, as numbers."""
    years, months = days.astype("datetime64[Y]"), days.astype("datetime64[M]")
    return years.astype(np.int64), months.astype(np.int64) % 12, (days - months).astype(np.int64)


#: The columns that are filled in, and the days of a case that each is reckoned from.
SOURCES = {"age": ("born", "admitted"), "age_days": ("born", "admitted"), "los": ("admitted", "discharged")}


def derive(cases: pa.Table, wanted: Collection[str] = tuple(SOURCES)) -> pa.Table:
    """Fill in the ages and the stay of cases (`drgdip.cases.table.to_cases`) where dates give them.

    The age is that on the day of admission; the day of birth is day 0 of the age in days, which only infants (age 0)
    have. An age in days below 365 without an age in years means 0 years. The length of stay is
    ``discharged - admitted``, 1 at least. A value that cannot be read stays as it is: unreadable. Dates are read only
    in the rows that lack something of what is ``wanted``.
    """
    if "age" in wanted:
        cases = _filled_in(cases, "age", _lacks(cases, "age"), whole_years)
        if "age_days" in cases.column_names:
            days = _numbers(cases, "age_days")
            infants = np.flatnonzero(_lacks(cases, "age") & (days >= 0) & (days < INFANT))
            cases = _fill(cases, "age", infants, np.zeros(len(infants)))
    if "age_days" in wanted:
        ages = _numbers(cases, "age")
        cases = _filled_in(cases, "age_days", _lacks(cases, "age_days") & ((ages == 0) | np.isnan(ages)), _infant_days)
    return _filled_in(cases, "los", _lacks(cases, "los"), _stay) if "los" in wanted else cases


def _infant_days(born: np.ndarray, admitted: np.ndarray) -> np.ndarray:
    days = _days_between(born, admitted)
    days[whole_years(born, admitted) != 0] = np.nan
    return days


def _stay(admitted: np.ndarray, discharged: np.ndarray) -> np.ndarray:
    days = _days_between(admitted, discharged)
    days[days < 1] = 1
    return days


def _lacks(cases: pa.Table, name: str) -> np.ndarray:
    """Return which rows have no value in a column, and none that cannot be read."""
    unread = marked(one_chunk(cases[UNREADABLE]), name)
    return ~unread if name not in cases.column_names else ~valid(one_chunk(cases[name])) & ~unread


def _numbers(cases: pa.Table, name: str) -> np.ndarray:
    """Return a column as numbers, NaN where there is none."""
    if name not in cases.column_names:
        return np.full(len(cases), np.nan)
    return filled(one_chunk(cases[name]).cast(pa.float64(), safe=False), np.nan)


def _days_between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return days from one to the other, NaN where one is not known or the second is the earlier."""
    days: np.ndarray = (last - first).astype(np.float64)
    days[np.isnat(first) | np.isnat(last)] = np.nan
    days[~(days >= 0)] = np.nan
    return days


def _filled_in(
    cases: pa.Table, name: str, lacking: np.ndarray, reckon: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> pa.Table:
    """Return cases with the values of a column that days give in the rows that lack them."""
    if not set(SOURCES[name]) <= set(cases.column_names) or not lacking.any():
        return cases
    rows = np.flatnonzero(lacking)
    first, last = (read_days(one_chunk(cases[day]).take(from_numpy(rows)))[0] for day in SOURCES[name])
    return _fill(cases, name, rows, reckon(first, last))


def _fill(cases: pa.Table, name: str, rows: np.ndarray, found: np.ndarray) -> pa.Table:
    """Return cases with what was found for some rows of a column, NaN for nothing."""
    known = ~np.isnan(found)
    if not known.any():
        return cases
    values, there = np.zeros(len(cases), np.int64), np.zeros(len(cases), bool)
    values[rows[known]], there[rows[known]] = found[known].astype(np.int64), True
    filling = from_numpy(values, there)
    if name not in cases.column_names:
        return cases.append_column(name, filling)
    column = pc.if_else(from_numpy(there), filling, one_chunk(cases[name]))
    return cases.set_column(cases.column_names.index(name), name, column)
