"""Rates (费率) by pool, level and group with dates of validity, and the payment standards (支付标准) that they give."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._columns import Columns, Reasons, add_columns, nullable
from drgdip.errors import PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drgdip._columns import Codes

__all__ = ["RATE_KEYS", "build_rate_table", "set_payment_standards"]

#: The columns that a rate may depend on. The first that is stated decides which of two rows is the more special.
RATE_KEYS = ("group", "level", "pool")
_RATE_COLUMNS = (*RATE_KEYS, "base_rate", "coefficient", "valid_from", "valid_to")
# Days since 1970 of a rate without a beginning or an end. Keys and days are one number, so far apart.
_FIRST, _LAST = -(1 << 20) + 1, (1 << 20) - 1
_SPAN = 1 << 21
_NO_DATE = -(1 << 20)


@reads_once
def build_rate_table(rates: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Build one table of rates and coefficients by pool, level and group with dates of validity, and check it.

    Parameters
    ----------
    rates
        Any table with ``base_rate`` (yuan per weight or point). It may have ``pool``, ``level``, ``group``,
        ``coefficient`` (1 where missing), and ``valid_from`` and ``valid_to`` (dates, both days included, null is
        open). A null key holds for all.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    A table with the columns ``pool, level, group, valid_from, valid_to, base_rate, coefficient``, in the order
    given.

    Raises
    ------
    PolicyError
        A rate that is missing or not above 0, a coefficient below 0, dates in the wrong order, or two rows of
        one key whose dates overlap.

    Notes
    -----
    The four layouts that places publish are all rows of this table: one rate and coefficients by level (Suzhou,
    Lanzhou); a rate by level (Wuxi, Qingdao); by level and pool (Linyi, Wuhan, Tongchuan); one rate and a
    coefficient by group and level (Yancheng, Yinchuan, Taizhou). Several rows may fit a case: a row
    that names the group goes first, then a row that names the level, then a row that names the pool.

    Examples
    --------
    >>> rates = build_rate_table([{"level": "3", "base_rate": 13060}, {"level": "2", "base_rate": 9947}])
    >>> rates[0]["level"], rates[0]["base_rate"], rates[0]["coefficient"], rates[0]["pool"]
    ('3', 13060.0, 1.0, None)
    """
    given = Columns(rates, ["base_rate"], what="the rates", columns=columns or {}, optional=_RATE_COLUMNS)
    _expect(name for name in given.names if name not in set((columns or {}).values()))
    given.require(name for name in _RATE_COLUMNS if name in given)
    rate = given.numbers("base_rate")
    factor = given.numbers("coefficient") if "coefficient" in given else np.ones(given.rows)
    factor = np.where(np.isnan(factor), 1.0, factor)
    for row in np.flatnonzero(~((rate > 0) & np.isfinite(rate))):
        raise PolicyError(f"the rates, row {row}: base_rate is {_shown(rate[row])}; give yuan above 0")
    for row in np.flatnonzero(~((factor >= 0) & np.isfinite(factor))):
        raise PolicyError(f"the rates, row {row}: the coefficient is {factor[row]!r}; give a number of at least 0")
    result: dict[str, Any] = {}
    for name in ("pool", "level", "group"):
        result[name] = pa.nulls(given.rows, pa.string())
        if name in given:
            codes, values = given.codes(name)
            result[name] = values.take(pa.array(codes, mask=codes < 0))
    for name in ("valid_from", "valid_to"):
        result[name] = given.dates(name) if name in given else pa.nulls(given.rows, pa.date32())
    table = pa.table(result | {"base_rate": rate, "coefficient": factor})
    _Rates(table)
    return to_kind(table, rates)


def _expect(names: Iterable[str]) -> None:
    """Raise UnknownNameError for a column that looks like a misspelt optional one."""
    optional = [name for name in _RATE_COLUMNS if name != "base_rate"]
    for name in names:
        error = UnknownNameError("column of the rates", name, optional)
        if name not in _RATE_COLUMNS and error.nearest:
            raise error


def _shown(value: float) -> str:
    """Return a number for a message."""
    return "missing" if math.isnan(value) else f"{value!r}"


def _day_numbers(dates: pa.Array, missing: int) -> Codes:
    """Return dates as days since 1970."""
    return np.asarray(pc.fill_null(dates.cast(pa.int32()), missing), np.int64)


class _Rates:
    """A checked table of rates, ready for look-ups."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.dated = bool(len(table) - table["valid_from"].null_count or len(table) - table["valid_to"].null_count)
        begin = _day_numbers(table["valid_from"].combine_chunks(), _FIRST)
        end = _day_numbers(table["valid_to"].combine_chunks(), _LAST)
        for row in np.flatnonzero(end < begin):
            raise PolicyError(f"the rates, row {row}: valid_to lies before valid_from; exchange them")
        self.begin, self.end = begin, end
        given = {name: np.asarray(pc.is_valid(table[name])) for name in RATE_KEYS}
        pattern = sum(
            (given[name].astype(int) << place for place, name in enumerate(reversed(RATE_KEYS))),
            np.zeros(len(table), int),
        )
        self.patterns: list[tuple[list[str], Codes]] = []
        for number in range(7, -1, -1):
            rows = np.flatnonzero(pattern == number)
            if len(rows):
                names = [name for place, name in enumerate(reversed(RATE_KEYS)) if number >> place & 1]
                self.patterns.append((names, rows))
                self._check(names, rows)

    def _check(self, names: list[str], rows: Codes) -> None:
        """Raise PolicyError where the dates of two rows of one key overlap."""
        keys = Columns(self.table.take(pa.array(rows)), what="the rates").keys(names)
        order = np.lexsort((self.begin[rows], keys.codes))
        ordered, codes = rows[order], keys.codes[order]
        for place in np.flatnonzero((codes[1:] == codes[:-1]) & (self.end[ordered[:-1]] >= self.begin[ordered[1:]])):
            first, second = sorted((int(ordered[place]), int(ordered[place + 1])))
            key = ", ".join(f"{name} {self.table[name][first].as_py()!r}" for name in names) or "all"
            raise PolicyError(
                f"the rates, rows {first} and {second}: both hold for {key}, and their dates overlap; "
                f"end one before the other begins"
            )

    def rows_of(self, columns: Columns, dates: Codes | None) -> Codes:
        """Return for each case the row of its rate, -1 where there is none."""
        found = np.full(columns.rows, -1, np.int64)
        for keys, rows in self.patterns:
            part = Columns(self.table.take(pa.array(rows)), what="the rates")
            of_row = part.keys(keys)
            unique = Columns(pa.table(of_row.table) if keys else pa.table({"all": ["all"]}), what="the rates")
            code = columns.match(keys, unique)
            order = np.lexsort((self.begin[rows], of_row.codes))
            starts = of_row.codes[order].astype(np.int64) * _SPAN + self.begin[rows[order]]
            when = np.int64(0) if dates is None else dates
            place = np.searchsorted(starts, code.astype(np.int64) * _SPAN + when, side="right") - 1
            row = rows[order][np.maximum(place, 0)]
            fits = (
                (code >= 0)
                & (place >= 0)
                & (of_row.codes[order][np.maximum(place, 0)] == code)
                & (self.end[row] >= when)
            )
            found = np.where((found < 0) & fits, row, found)
        return found


@reads_once
def set_payment_standards(
    cases: Any,
    rates: Any,
    *,
    coefficient: str | None = None,
    date: str | datetime.date | None = None,
    digits: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Set payment standards (支付标准): weight x base rate x coefficient.

    Parameters
    ----------
    cases
        Cases, or groups: any table with ``weight``, and with ``group``, ``level`` and ``pool`` as far as the rates
        depend on them.
    rates
        Rates as for `build_rate_table`.
    coefficient
        A column of coefficients that takes the place of those of the rates, which must then all be 1.
    date
        The column of the date on which a rate must hold, such as discharged, or one date for all. It is needed when
        the rates have dates.
    digits
        Round the standard to so many decimals, half away from zero (四舍五入). None does not round. No source read
        says how standards are rounded.
    columns
        The table's names of columns by the library's names. ``{"weight": "points"}`` prices points, with the point
        value as base rate.

    Returns
    -------
    The caller's table with ``base_rate``, ``coefficient``, ``standard`` (yuan), and ``standard_reason``, the code of
    why there is none.

    Raises
    ------
    PolicyError
        As `build_rate_table`, and where the rates have dates and ``date`` is not given.

    Notes
    -----
    Source: 《医疗保障按病种付费管理暂行办法》 (2025), articles 16 and 17.

    Examples
    --------
    >>> rates = [{"base_rate": 9575.25, "coefficient": 0.92}]
    >>> set_payment_standards([{"group": "IU2F", "weight": 0.9258}], rates, digits=2)[0]["standard"]
    8155.59
    """
    prepared = _Rates(build_rate_table(to_arrow(rates)))
    if prepared.dated and date is None:
        raise PolicyError(
            "the rates have dates of validity: give date= the column of the cases' date, or one date for all"
        )
    keys = [key for key in RATE_KEYS if any(key in names for names, _ in prepared.patterns)]
    needed = [*keys, "weight", coefficient, date if isinstance(date, str) else None]
    table = Columns(cases, needed, columns=columns or {}, optional=RATE_KEYS)
    row = prepared.rows_of(table, _days_of(table, date) if prepared.dated else None)
    rate = np.append(np.asarray(prepared.table["base_rate"]), np.nan)[row]
    factor = np.append(np.asarray(prepared.table["coefficient"]), np.nan)[row]
    if coefficient is not None:
        if (np.asarray(prepared.table["coefficient"]) != 1).any():
            raise PolicyError(f"both the rates and column {coefficient!r} give coefficients: leave one of them")
        factor = table.numbers(coefficient)
    amount = table.numbers("weight")
    standard = amount * rate * factor
    if digits is not None:
        standard = pc.round(nullable(standard), digits, "half_towards_infinity").to_numpy(zero_copy_only=False)
    reasons = Reasons(table.rows)
    reasons.note(~(amount >= 0), "no_weight")
    reasons.note(row < 0, "no_rate")
    reasons.note(~(factor >= 0), "bad_coefficient")
    return add_columns(
        cases,
        {
            "base_rate": nullable(rate),
            "coefficient": nullable(factor),
            "standard": nullable(np.where(reasons.noted, np.nan, standard)),
            "standard_reason": reasons.column(),
        },
    )


def _days_of(table: Columns, date: str | datetime.date | None) -> Codes:
    """Return the day of each row since 1970, from a column or one date for all."""
    if isinstance(date, datetime.date):
        return np.full(table.rows, (date - datetime.date(1970, 1, 1)).days)
    return _day_numbers(table.dates(date or ""), _NO_DATE)
