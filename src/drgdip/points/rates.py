"""Rates (费率) and point values (点值): what a weight or a point is worth in yuan, fixed, floating or elastic."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import to_arrow, to_kind
from drgdip._columns import Columns, add_columns, as_list, labels, nullable
from drgdip._sums import counts, sums, total
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points.trimming import Selection, spread
from drgdip.points.weighting import with_years, year_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip._columns import Codes, Floats, Keys
    from drgdip.points.trimming import CaseRule, Trim

__all__ = [
    "RATE_KEYS",
    "base_rate",
    "elastic_value",
    "estimated_value",
    "payment_standards",
    "point_value",
    "rate_table",
]

#: What a rate may depend on; the first that is stated decides which of two rows is the more special.
RATE_KEYS = ("group", "level", "pool")
_SPAN = 1 << 21
_FIRST, _LAST = -(1 << 20) + 1, (1 << 20) - 1


def rate_table(rates: Any) -> Any:
    """Check rates and coefficients, and bring them into one table by pool, level and group with dates of validity.

    Parameters
    ----------
    rates
        Any table with ``base_rate`` (yuan per weight or point) and as many of these as there are: ``pool``,
        ``level``, ``group``, ``coefficient`` (1 where missing), ``valid_from`` and ``valid_to`` (dates, both
        days included; null is open). A null key holds for all.

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
    coefficient by group and level (Yancheng, Yinchuan, Taizhou). Where several rows fit a case, one that names
    its group goes before one that does not, then one that names its level, then one that names its pool.

    Examples
    --------
    >>> rates = rate_table([{"level": "3", "base_rate": 13060}, {"level": "2", "base_rate": 9947}])
    >>> rates[0]["level"], rates[0]["base_rate"], rates[0]["coefficient"], rates[0]["pool"]
    ('3', 13060.0, 1.0, None)
    """
    columns = Columns(rates, ["base_rate"], what="the rates")
    _expect(columns, [*RATE_KEYS, "coefficient", "valid_from", "valid_to"])
    columns = Columns(
        rates,
        [name for name in (*RATE_KEYS, "base_rate", "coefficient", "valid_from", "valid_to") if name in columns],
        what="the rates",
    )
    rate = columns.numbers("base_rate")
    factor = columns.numbers("coefficient") if "coefficient" in columns else np.ones(columns.rows)
    factor = np.where(np.isnan(factor), 1.0, factor)
    for row in np.flatnonzero(~((rate > 0) & np.isfinite(rate))):
        raise PolicyError(f"the rates, row {row}: base_rate is {_shown(rate[row])}; give yuan above 0")
    for row in np.flatnonzero(~((factor >= 0) & np.isfinite(factor))):
        raise PolicyError(f"the rates, row {row}: the coefficient is {factor[row]!r}; give a number of at least 0")
    result: dict[str, Any] = {}
    for name in ("pool", "level", "group"):
        codes, values = (
            columns.codes(name) if name in columns else (np.full(columns.rows, -1), pa.array([], pa.string()))
        )
        result[name] = values.take(pa.array(codes, mask=codes < 0))
    for name in ("valid_from", "valid_to"):
        result[name] = columns.dates(name) if name in columns else pa.nulls(columns.rows, pa.date32())
    table = pa.table(result | {"base_rate": rate, "coefficient": factor})
    _Rates(table)
    return to_kind(table, rates)


def _expect(columns: Columns, optional: Sequence[str]) -> None:
    """Refuse a column that looks like a misspelt optional one."""
    for name in columns.names:
        error = UnknownNameError("column of the rates", name, optional)
        if name not in {*optional, "base_rate"} and error.nearest:
            raise error


def _shown(value: float) -> str:
    return "missing" if math.isnan(value) else f"{value!r}"


def _day_numbers(dates: pa.Array, missing: int) -> Codes:
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

    def rows_of(self, columns: Columns, names: dict[str, str], dates: Codes | None) -> Codes:
        """For each case the row of its rate, -1 where there is none."""
        found = np.full(columns.rows, -1, np.int64)
        for keys, rows in self.patterns:
            part = Columns(self.table.take(pa.array(rows)), what="the rates")
            of_row = part.keys(keys)
            unique = Columns(pa.table(of_row.table) if keys else pa.table({"all": ["all"]}), what="the rates")
            code = columns.match([names[key] for key in keys], unique, keys)
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


def payment_standards(
    table: Any,
    rates: Any,
    *,
    weight: str = "weight",
    coefficient: str | None = None,
    group: str = "group",
    level: str = "level",
    pool: str = "pool",
    date: str | datetime.date | None = None,
    digits: int | None = None,
) -> Any:
    """Compute payment standards (支付标准): weight x base rate x coefficient.

    Parameters
    ----------
    table
        Cases, or groups: any table with the weight, and with group, level and pool as far as the rates depend
        on them.
    rates
        Rates as for `rate_table`.
    weight
        The column of the weight (or of the points of a case, with the point value as base rate).
    coefficient
        A column of coefficients that takes the place of those of the rates, which must then all be 1.
    group, level, pool
        The columns of the keys.
    date
        The column of the date on which a rate must hold, such as discharged, or one date for all; needed when
        the rates have dates.
    digits
        Round the standard to so many decimals, half away from zero (四舍五入); None does not round. No source read
        says how standards are rounded.

    Returns
    -------
    The caller's table with ``base_rate``, ``coefficient``, ``standard`` (yuan), and ``standard_reason``: why
    there is none.

    Raises
    ------
    PolicyError
        As `rate_table`, and where the rates have dates and ``date`` is not given.

    Notes
    -----
    Source: 《医疗保障按病种付费管理暂行办法》 (2025), articles 16 and 17.

    Examples
    --------
    >>> rates = [{"base_rate": 9575.25, "coefficient": 0.92}]
    >>> payment_standards([{"group": "IU2F", "weight": 0.9258}], rates, digits=2)[0]["standard"]
    8155.59
    """
    prepared = _Rates(rate_table(to_arrow(rates)))
    names = {"group": group, "level": level, "pool": pool}
    needed = [names[key] for key in RATE_KEYS if any(key in keys for keys, _ in prepared.patterns)]
    if prepared.dated and date is None:
        raise PolicyError(
            "the rates have dates of validity: give date= the column of the cases' date, or one date for all"
        )
    columns = Columns(table, [*needed, weight, coefficient, date if isinstance(date, str) else None])
    when: Codes | None = None
    if prepared.dated and date is not None:
        if isinstance(date, str):
            when = _day_numbers(columns.dates(date), -(1 << 20))
        else:
            when = np.full(columns.rows, (date - datetime.date(1970, 1, 1)).days)
    row = prepared.rows_of(columns, names, when)
    rate = np.append(np.asarray(prepared.table["base_rate"]), np.nan)[row]
    factor = np.append(np.asarray(prepared.table["coefficient"]), np.nan)[row]
    if coefficient is not None:
        if (np.asarray(prepared.table["coefficient"]) != 1).any():
            raise PolicyError(f"both the rates and column {coefficient!r} give coefficients: leave one of them")
        factor = columns.numbers(coefficient)
    amount = columns.numbers(weight)
    standard = amount * rate * factor
    if digits is not None:
        standard = pc.round(nullable(standard), digits, "half_towards_infinity").to_numpy(zero_copy_only=False)
    why = np.full(columns.rows, -1, np.int8)
    why[~(factor >= 0)] = 2
    why[row < 0] = 1
    why[~(amount >= 0)] = 0
    standard = np.where(why >= 0, np.nan, standard)
    reasons = [
        "no weight of at least 0",
        "no rate holds for the pool, level, group and date",
        "no coefficient of at least 0",
    ]
    return add_columns(
        table,
        {
            "base_rate": nullable(rate),
            "coefficient": nullable(factor),
            "standard": nullable(standard),
            "standard_reason": labels(why, reasons),
        },
    )


def _by_key(given: Any, keys: Keys, by: str | None, what: str, *, low: float = 0.0, high: float = math.inf) -> Floats:
    """One number for all keys, or a number for each."""
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
        if by is not None and keys.size > 1 and high == math.inf:
            raise PolicyError(
                f"{what}={given!r} is one amount for {keys.size} pools: give an amount by {by}, "
                f"or by=None to take them together"
            )
        values = np.full(keys.size, float(given))
    bad = ~((values > low if low == 0 and high == 1 else values >= low) & (values <= high) & np.isfinite(values))
    if bad.any():
        bounds = "above 0 and at most 1" if high == 1 else f"of at least {low:g}"
        raise PolicyError(f"{what}={values[bad][0]!r}: give a number {bounds}")
    return values


def _pools(columns: Columns, by: str | None) -> Keys:
    keys = columns.keys([] if by is None else [by])
    missing = np.flatnonzero(keys.codes < 0)
    if len(missing):
        raise CaseError(
            f"column {by!r} of {columns.what} is empty in row {missing[0]}{_more(missing)}: every row needs its pool"
        )
    return keys


def _more(rows: Codes) -> str:
    return f" and {len(rows) - 1} more" if len(rows) > 1 else ""


def _complete(columns: Columns, name: str, why: str) -> Floats:
    values = columns.numbers(name)
    bad = np.flatnonzero(~((values >= 0) & np.isfinite(values)))
    if len(bad):
        shown = "missing" if math.isnan(values[bad[0]]) else f"{values[bad[0]]:g}"
        raise CaseError(f"column {name!r} of {columns.what} is {shown} in row {bad[0]}{_more(bad)}: {why}")
    return values


def base_rate(
    volume: Any,
    *,
    budget: Any,
    fund_share: Any,
    by: str | None = "pool",
    cases: str | None = "cases",
    weight: str = "weight",
    coefficient: str | None = None,
) -> Any:
    """Compute the base rate (费率) that a budget allows for a predicted volume, set at the start of the year.

    Parameters
    ----------
    volume
        The predicted cases: a table with a row a group (and pool, level, hospital …), or with a row a case.
    budget
        The fund's budget (yuan): a number, or a number for each pool.
    fund_share
        The share of the total cost that the fund pays (实际报销比), above 0 and at most 1: a number, or one for each
        pool. 1 where the budget is already that of the total cost.
    by
        The column of the pool (险种); None takes all rows together.
    cases
        The column of the number of predicted cases; None where each row is one case.
    weight, coefficient
        The columns of the weight and of the coefficient; without one, 1.

    Returns
    -------
    A table with a row a pool: the pool, ``cases``, ``total_weight`` (sum of cases x weight x coefficient),
    ``budget``, ``fund_share``, ``total_cost`` (budget / fund_share) and ``base_rate`` (total_cost /
    total_weight), in yuan.

    Raises
    ------
    CaseError
        A number of cases, weight or coefficient that is missing or negative, or a total weight of 0.
    PolicyError
        A budget or share that is missing for a pool or impossible.

    Notes
    -----
    Form of payment: 《医疗保障按病种付费管理暂行办法》 (2025), articles 16 and 17, fixed rate (固定费率). The formula
    follows from the definition; no source read prints it.

    Examples
    --------
    >>> volume = [{"group": "A", "cases": 100, "weight": 0.5}, {"group": "B", "cases": 50, "weight": 2.0}]
    >>> base_rate(volume, budget=1_050_000, fund_share=0.7, by=None)[0]["base_rate"]
    10000.0
    """
    columns = Columns(volume, [by, cases, weight, coefficient], what="the volume")
    pools = _pools(columns, by)
    n = np.ones(columns.rows) if cases is None else _complete(columns, cases, "give each row its number of cases")
    amount = n * _complete(columns, weight, "a group without a weight cannot be budgeted; borrow one, or take it out")
    if coefficient is not None:
        amount = amount * _complete(columns, coefficient, "give each row its coefficient")
    points = sums(pools.codes, amount, pools.size)
    _above_zero(points, pools, "the total weight")
    fund = _by_key(budget, pools, by, "budget")
    share = _by_key(fund_share, pools, by, "fund_share", high=1)
    money = fund / share
    result = {
        **pools.table,
        "cases": sums(pools.codes, n, pools.size),
        "total_weight": points,
        "budget": fund,
    }
    result |= {"fund_share": share, "total_cost": money, "base_rate": money / points}
    return to_kind(pa.table(result), volume)


def _above_zero(values: Floats, keys: Keys, what: str) -> None:
    for row in np.flatnonzero(~(values > 0)):
        where = ", ".join(f"{name} {column[int(row)].as_py()!r}" for name, column in keys.table.items())
        raise CaseError(f"{what}{' of ' + where if where else ''} is 0: there is nothing to divide by")


def point_value(
    cases: Any,
    *,
    fund: Any,
    fund_share: Any,
    by: str | None = "pool",
    points: str = "points",
    fixed: str | None = None,
) -> Any:
    """Compute the point value (点值) of each pool at the end of the year: money over points (浮动费率).

    Parameters
    ----------
    cases
        Any table with points: a row a case, a hospital, or a group.
    fund
        The final fund (yuan): a number, or a number for each pool.
    fund_share
        The payment ratio: what the fund booked over the total cost of the same cases, above 0 and at most 1; a
        number, or one for each pool. 1 where the money is already that of the total cost.
    by
        The column of the pool (统筹区 x 险种); None takes all rows together.
    points
        The column of the points.
    fixed
        A column of what is paid at fixed terms (yuan, null is 0), such as severe cases at a fixed rate, or
        rigid costs of drugs and consumables: it is taken off the money before the rest is divided. Give such
        cases only the points that still float.

    Returns
    -------
    A table with a row a pool: the pool, ``rows``, ``points``, ``fund``, ``fund_share``, ``total`` (fund /
    fund_share), ``fixed`` and ``point_value`` ((total - fixed) / points), in yuan.

    Raises
    ------
    CaseError
        Points that are missing or negative (see ``points_reason``), or that add up to 0.
    PolicyError
        Fixed payments above the money, or a fund or share that is missing for a pool or impossible.

    Notes
    -----
    Source: DIP 3.0 draft, chapter 5, settlement value (结算点值) = (fund / payment ratio) / total score, by pool;
    and chapter 4 for elastic forms with a fixed part. Points x value x payment ratio gives back the fund.

    Examples
    --------
    >>> cases = [{"pool": "resident", "points": 600}, {"pool": "resident", "points": 400}]
    >>> point_value(cases, fund=7000, fund_share=0.7)[0]["point_value"]
    10.0
    """
    columns = Columns(cases, [by, points, fixed])
    pools = _pools(columns, by)
    amount = _complete(
        columns, points, "points_reason says why; mend the case, or take it out knowing that the value rises"
    )
    all_points = sums(pools.codes, amount, pools.size)
    _above_zero(all_points, pools, "the sum of the points")
    money, share = _by_key(fund, pools, by, "fund"), _by_key(fund_share, pools, by, "fund_share", high=1)
    whole = money / share
    taken = np.zeros(pools.size)
    if fixed is not None:
        amounts = np.nan_to_num(columns.numbers(fixed))
        for row in np.flatnonzero(~(amounts >= 0))[:1]:
            raise CaseError(
                f"column {fixed!r} is {amounts[row]:g} in row {row}: what is paid at fixed terms is at least 0"
            )
        taken = sums(pools.codes, amounts, pools.size)
    for row in np.flatnonzero(taken > whole):
        raise PolicyError(
            f"what is paid at fixed terms, {taken[row]:.2f} yuan, is above the money, {whole[row]:.2f} yuan: "
            f"nothing is left to float"
        )
    result = {**pools.table, "rows": counts(pools.codes, pools.size), "points": all_points, "fund": money}
    result |= {
        "fund_share": share,
        "total": whole,
        "fixed": taken,
        "point_value": (whole - taken) / all_points,
    }
    return to_kind(pa.table(result), cases)


def elastic_value(
    cases: Any,
    *,
    total: Any,
    base_share: float,
    base_points: Any,
    cap: float | None,
    by: str | None = "pool",
    points: str = "points",
) -> Any:
    """Compute the values of the base volume and of the increment (弹性费率): the first fixed, the second floating.

    Parameters
    ----------
    cases
        Any table with points: a row a case, a hospital, or a group.
    total
        The money of the year for these cases (yuan): a number, or a number for each pool.
    base_share
        The share of the money for the base volume: 0.8 for 8:2, 0.7 for 7:3.
    base_points
        The points of the base volume, as agreed: a number, or a number for each pool.
    cap
        The highest value of a point of the increment (yuan); None sets no limit. The draft says that it is
        capped, not where.
    by
        The column of the pool; None takes all rows together.
    points
        The column of the points.

    Returns
    -------
    A table with a row a pool: the pool, ``points``, ``base_points``, ``increment_points`` (0 where the volume
    stays below the base), ``base_value`` (base money / base points), ``increment_value`` (the rest of the money
    / increment points; null without an increment), ``capped``, and ``unspent`` (money that neither part uses),
    in yuan.

    Notes
    -----
    Source: DIP 3.0 draft, chapter 4.

    Examples
    --------
    >>> year = [{"points": 110_000}]
    >>> row = elastic_value(year, total=100e6, base_share=0.8, base_points=80_000, cap=None, by=None)[0]
    >>> row["base_value"], round(row["increment_value"], 3)
    (1000.0, 666.667)
    """
    if not 0 < base_share <= 1:
        raise PolicyError(f"base_share={base_share!r}: give a share above 0 and at most 1, such as 0.8 for 8:2")
    if cap is not None and not (math.isfinite(cap) and cap >= 0):
        raise PolicyError(f"cap={cap!r}: give yuan of at least 0, or None")
    columns = Columns(cases, [by, points])
    pools = _pools(columns, by)
    amount = _complete(
        columns, points, "points_reason says why; mend the case, or take it out knowing that the value rises"
    )
    all_points = sums(pools.codes, amount, pools.size)
    money, agreed = _by_key(total, pools, by, "total"), _by_key(base_points, pools, by, "base_points")
    _above_zero(agreed, pools, "base_points")
    base_money = money * base_share
    base = base_money / agreed
    increment = np.maximum(all_points - agreed, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(increment > 0, (money - base_money) / increment, np.nan)
    value = free if cap is None else np.minimum(free, cap)
    spent = np.minimum(all_points, agreed) * base + np.nan_to_num(increment * value)
    # What the division leaves of a sum that is spent in full is no money.
    unspent = np.where(np.abs(money - spent) <= 1e-12 * money, 0.0, money - spent)
    result = {
        **pools.table,
        "points": all_points,
        "base_points": agreed,
        "increment_points": increment,
        "base_value": base,
    }
    result |= {"increment_value": nullable(value), "capped": value < free, "unspent": unspent}
    return to_kind(pa.table(result), cases)


def estimated_value(
    cases: Any,
    *,
    years: Mapping[int, float] | None,
    by: str | None = "pool",
    points: str = "points",
    cost: str = "total_cost",
    year: str = "year",
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    interval: str | None = None,
    interval_within: str | Sequence[str] = (),
    quadrant: tuple[str, str] | None = None,
    group: str = "group",
) -> Any:
    """Estimate the point value for the coming year from past cases (预估点值): cost over points, years weighted.

    Parameters
    ----------
    cases
        Any table with a row a case, with its points under the new weights.
    years
        The weight of each year, such as ``{2023: 1, 2024: 2, 2025: 7}``; None takes all cases alike. A pool
        without cases in a year goes by the others.
    by
        The column of the pool; None takes all rows together.
    points, cost, year, group
        The columns of the points, of the cost (yuan), of the year, and of the group, which is what is trimmed
        by.
    trim, rules
        Which cases count; see `trim_cases`. The draft has ``Trim("percentile", lower=2.5, upper=97.5)``.
    interval
        None, or the good interval (优值区间) that is taken of the cases: ``"one_dimensional"``, those whose cost is
        below the mean; ``"two_dimensional"``, the geometric median of the cases in a quadrant of cost and
        points.
    interval_within
        The columns within which the means of the interval are taken, such as ``"group"``; none takes the mean
        of the pool.
    quadrant
        For two dimensions, which side of the mean of cost and of points: ``("below", "above")`` are cheap cases
        with many points.

    Returns
    -------
    A table with a row a pool: the pool; ``cases``, and of them ``invalid``, ``excluded``, ``trimmed``,
    ``outside`` (of the interval) and ``n`` (used), which add up to it; ``cost`` and ``points`` (year-weighted
    sums; for two dimensions those of the median); and ``point_value`` (yuan).

    Raises
    ------
    CaseError
        Cases that count but have no points, or a pool whose points add up to 0.

    Notes
    -----
    Source: DIP 3.0 draft, chapter 5. The text names the two-dimensional interval without its axes: cost and
    points of a case, measured in the means of the pool, are this library's reading, and the value is cost over
    points of the median.

    Examples
    --------
    >>> cases = [{"year": 2024, "total_cost": 900}, {"year": 2025, "total_cost": 1100}]
    >>> cases = [case | {"group": "A", "points": 100} for case in cases]
    >>> estimated_value(cases, years={2024: 1, 2025: 3}, by=None)[0]["point_value"]
    10.5
    """
    kinds = ("one_dimensional", "two_dimensional")
    if interval is not None and interval not in kinds:
        raise UnknownNameError("interval", interval, kinds, hint=f"There are {' and '.join(kinds)}.")
    if (quadrant is not None) != (interval == "two_dimensional"):
        raise PolicyError(
            "quadrant= belongs to interval='two_dimensional': give both, such as ('below', 'above'), or neither"
        )
    if quadrant is not None and (len(quadrant) != 2 or not set(quadrant) <= {"below", "above"}):
        raise PolicyError(f"quadrant={quadrant!r}: say 'below' or 'above' the mean, for cost and for points")
    rules = with_years(rules, year, years)
    within = as_list(interval_within)
    trimmed_by = list((trim.within if trim else None) or ())
    columns = Columns(
        cases,
        [
            by,
            points,
            cost,
            group,
            *within,
            *trimmed_by,
            *(rule.column for rule in rules),
            year if years is not None else None,
        ],
    )
    pools = _pools(columns, by)
    selection = Selection(
        columns, columns.keys([group]), cost, trim=trim, rules=rules, positive=bool(trim and trim.log)
    )
    amount = columns.numbers(points)
    lost = np.flatnonzero(selection.used & ~((amount >= 0) & np.isfinite(amount)))
    if len(lost):
        raise CaseError(
            f"column {points!r} is missing or negative in row {lost[0]}{_more(lost)}: "
            f"give points, or leave the cases out by a rule"
        )
    weight = _year_weights(columns, year, years, selection.used)
    used = selection.used & (weight > 0)
    tally = selection.tally(pools.codes, pools.size)
    inside = used
    if interval is not None:
        inside = used & _in_interval(
            columns, within, by, used=used, costs=selection.costs, points=amount, quadrant=quadrant
        )
    codes = np.where(inside, pools.codes, -1)
    if quadrant is not None:
        money, score = _medians(codes, selection.costs, amount, weight, pools.size)
    else:
        money = sums(codes, np.where(inside, selection.costs * weight, 0.0), pools.size)
        score = sums(codes, np.where(inside, amount * weight, 0.0), pools.size)
    _above_zero(np.nan_to_num(score), pools, "the sum of the points that count")
    n = counts(codes, pools.size)
    trimmed = tally["below"] + tally["above"]
    everything = np.sum(list(tally.values()), axis=0)
    left_out = everything - tally["invalid"] - tally["excluded"] - trimmed
    result = {**pools.table, "cases": everything[: pools.size], "invalid": tally["invalid"][: pools.size]}
    result |= {"excluded": tally["excluded"][: pools.size], "trimmed": trimmed[: pools.size]}
    result |= {
        "outside": left_out[: pools.size] - n,
        "n": n,
        "cost": money,
        "points": score,
        "point_value": money / score,
    }
    return to_kind(pa.table(result), cases)


def _year_weights(columns: Columns, year: str, years: Mapping[int, float] | None, used: Any) -> Floats:
    if years is None:
        return np.ones(columns.rows)
    codes, weights = year_codes(columns, year, years, used)
    return np.append(weights, 0.0)[codes]


def _in_interval(
    columns: Columns,
    within: list[str],
    by: str | None,
    *,
    used: Any,
    costs: Floats,
    points: Floats,
    quadrant: tuple[str, str] | None,
) -> Any:
    keys = columns.keys(list(dict.fromkeys([*within, *([] if by is None else [by])])))
    codes = np.where(used, keys.codes, -1)
    mean_cost, _ = spread(codes, costs, keys.size)
    below = costs < np.append(mean_cost, np.nan)[codes]
    if quadrant is None:
        return below
    mean_points, _ = spread(codes, np.where(used, points, 0.0), keys.size)
    few = points < np.append(mean_points, np.nan)[codes]
    cost_side, points_side = quadrant
    return (below if cost_side == "below" else ~below) & (few if points_side == "below" else ~few)


def _medians(codes: Codes, costs: Floats, points: Floats, weight: Floats, size: int) -> tuple[Floats, Floats]:
    """The geometric median of cost and points of each code, weighted, each axis measured in its mean."""
    money, score = np.full(size, np.nan), np.full(size, np.nan)
    for code in range(size):
        rows = np.flatnonzero(codes == code)
        if not len(rows):
            continue
        # Sorted, so that the steps are the same for every order of the rows.
        rows = rows[np.lexsort((weight[rows], points[rows], costs[rows]))]
        plane = np.column_stack([costs[rows], points[rows]])
        unit = np.array([total(plane[:, axis]) / len(rows) for axis in (0, 1)])
        unit[unit == 0] = 1.0
        money[code], score[code] = geometric_median(plane / unit, weight[rows]) * unit
    return money, score


def geometric_median(plane: Floats, weight: Floats) -> Floats:
    """The point with the least weighted sum of distances.

    Each step is the better of Weiszfeld's and Newton's. Both crawl towards a median that is one of the points itself,
    so that the nearest one is tried each time.
    """
    centre = np.array([total(plane[:, axis] * weight) for axis in (0, 1)]) / total(weight)
    for _ in range(1000):
        away, distance = _away(plane, centre)
        nearest = plane[np.argmin(distance)]
        if _is_median(plane, weight, nearest):
            return np.asarray(nearest, np.float64)
        # A point that is not the median has no direction of its own.
        apart = distance > 1e-15
        pull, direction = weight[apart] / distance[apart], away[apart] / distance[apart, None]
        force = np.array([total(direction[:, axis] * weight[apart]) for axis in (0, 1)])
        steps = [force / total(pull)]
        bend = np.diag([total(pull)] * 2)
        for one in (0, 1):
            for other in (0, 1):
                bend[one, other] -= total(pull * direction[:, one] * direction[:, other])
        if abs(np.linalg.det(bend)) > 1e-12 * bend.trace() ** 2:
            newton = np.linalg.solve(bend, force)
            steps += [newton, newton / 2, newton / 8]
        step = min(steps, key=lambda step: _far(plane, weight, centre + step))
        if _far(plane, weight, centre + step) >= _far(plane, weight, centre) or np.abs(step).max() <= 1e-13:
            break
        centre = centre + step
    return centre


def _away(plane: Floats, place: Floats) -> tuple[Floats, Floats]:
    away = plane - place
    return away, np.hypot(away[:, 0], away[:, 1])


def _far(plane: Floats, weight: Floats, place: Floats) -> float:
    """The weighted sum of the distances from a place."""
    return total(_away(plane, place)[1] * weight)


def _is_median(plane: Floats, weight: Floats, point: Floats) -> bool:
    """Whether the other points pull at a point no more than it weighs."""
    away, distance = _away(plane, point)
    apart = distance > 1e-15
    pull = weight[apart] / distance[apart]
    return math.hypot(*(total(away[apart, axis] * pull) for axis in (0, 1))) <= total(weight[~apart])
