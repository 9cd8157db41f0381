"""Rates of cases, as whole multiples of the policy's smallest step: from its rates, or from values by pool."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._columns import Columns
from drgdip._money import LARGEST, rounded
from drgdip.errors import PolicyError
from drgdip.points import set_payment_standards
from drgdip.settle._inputs import numbers_by_pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import Rate

__all__ = ["of_pools", "point_rates", "rates_of"]


def point_rates(table: Columns, policy: Policy, pools: Any, values: Any) -> tuple[Fen, NDArray[np.bool_]]:
    """Return the yuan of a point for each row, and which rows have one."""
    if values is None:
        if not policy.rates:
            raise PolicyError(f"policy {policy.id!r} has no rates: give values= the point value of each pool")
        return rates_of(table, policy.rates, policy.rounding.values)
    numbers = numbers_by_pool(values, "point_value", "values")
    lacking = "values= has no entry for the pool {!r}: add it"
    return of_pools(numbers, policy, pools, policy.rounding.values, lacking), np.ones(table.rows, bool)


def of_pools(
    numbers: Mapping[str, Decimal], policy: Policy, pools: NDArray[np.integer], digits: int, lacking: str
) -> Fen:
    """Return the number of each row's pool, in multiples of ``10 ** -digits``."""
    for number in np.unique(pools):
        if policy.pools[number] not in numbers:
            raise PolicyError(lacking.format(policy.pools[number]))
    of_pool = _whole((numbers.get(pool, Decimal(0)) for pool in policy.pools), digits)
    return np.asarray(of_pool[pools])


def rates_of(table: Columns, rates: Sequence[Rate], digits: int) -> tuple[Fen, NDArray[np.bool_]]:
    """Return the rate of each row by pool, level, group and day of discharge, and which rows have one."""
    # The row of the rate is looked up by a base rate that is its number, so that the rate itself stays exact.
    numbered = [
        {**rate.model_dump(exclude={"base_rate", "coefficient"}), "base_rate": float(number)}
        for number, rate in enumerate(rates, start=1)
    ]
    dated = any(rate.valid_from or rate.valid_to for rate in rates)
    keys = [name for name in ("pool", "level", "group", "discharged") if name in table]
    cases = pa.table({**{name: table.column(name) for name in keys}, "weight": np.ones(table.rows)})
    found = set_payment_standards(cases, numbered, date="discharged" if dated else None)
    place = Columns(found, ["base_rate"]).numbers("base_rate")
    exact_rates = _whole([Decimal(0), *(rate.base_rate * rate.coefficient for rate in rates)], digits)
    return exact_rates[np.nan_to_num(place).astype(int)], ~np.isnan(place)


def _whole(numbers: Iterable[Decimal], digits: int) -> Fen:
    """Return numbers as whole multiples of ``10 ** -digits``. Raise PolicyError for one without measure."""
    whole = [rounded(number, digits) if abs(number) < LARGEST else LARGEST for number in numbers]
    if any(abs(number) >= LARGEST for number in whole):
        raise PolicyError("a rate or value is without measure: give yuan")
    return np.array(whole, np.int64)
