"""Ages and the length of stay from dates, where the columns of a case do not have them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_days
from drgdip._arrow import filled, from_numpy, one_chunk, valid
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.table import marked

__all__ = ["derive", "whole_years"]


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


def derive(cases: pa.Table) -> pa.Table:
    """Fill in the ages and the stay of cases (`drgdip.cases.table.to_cases`) where dates give them.

    The age is that on the day of admission; the day of birth is day 0 of the age in days, which only infants (age 0)
    have. An age in days below 365 without an age in years means 0 years. The length of stay is
    ``discharged - admitted``, 1 at least. A value that cannot be read stays as it is: unreadable.
    """
    known = {
        name: read_days(cases[name])[0] for name in ("born", "admitted", "discharged") if name in cases.column_names
    }
    found: dict[str, np.ndarray] = {}
    if {"admitted", "discharged"} <= known.keys():
        stay = _days_between(known["admitted"], known["discharged"])
        found["los"] = np.maximum(1, stay)
    if {"born", "admitted"} <= known.keys():
        age = whole_years(known["born"], known["admitted"])
        found["age"] = age
        found["age_days"] = np.where(age == 0, _days_between(known["born"], known["admitted"]), np.nan)
    if "age_days" in cases.column_names:
        days = filled(one_chunk(cases["age_days"]).cast(pa.float64(), safe=False), np.nan)
        infant = np.where((days >= 0) & (days < 365), 0.0, np.nan)
        found["age"] = np.where(np.isnan(found["age"]), infant, found["age"]) if "age" in found else infant
    for name, values in found.items():
        cases = _fill(cases, name, values)
    return cases


def _days_between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return days from one to the other, NaN where one is not known or the second is the earlier."""
    days: np.ndarray = (last - first).astype(np.float64)
    days[np.isnat(first) | np.isnat(last)] = np.nan
    days[~(days >= 0)] = np.nan
    return days


def _fill(cases: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    """Return cases with values in a column where it has none."""
    missing = np.full(len(cases), True) if name not in cases.column_names else ~valid(one_chunk(cases[name]))
    known = missing & ~np.isnan(values) & ~marked(one_chunk(cases[UNREADABLE]), name)
    if not known.any():
        return cases
    filling = from_numpy(np.where(known, values, 0).astype(np.int64), known)
    if name not in cases.column_names:
        return cases.append_column(name, filling)
    column = pc.if_else(from_numpy(known), filling, one_chunk(cases[name]))
    return cases.set_column(cases.column_names.index(name), name, column)
