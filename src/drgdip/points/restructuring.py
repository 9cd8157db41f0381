"""Restructuring (结构调整): some costs or weights are lifted, others lowered, and the total stays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._columns import Columns, add_columns, as_list, nullable
from drgdip._sums import sums
from drgdip.errors import CaseError, PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Floats

__all__ = ["restructure_costs", "restructure_weights"]


@reads_once
def restructure_costs(
    cases: Any,
    factors: Mapping[str, float],
    *,
    within: str | Sequence[str] = (),
    result: str = "restructured_cost",
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Scale the parts of the cost of each case, and keep the total cost.

    Parameters
    ----------
    cases
        Any table with a row a case.
    factors
        The factor of each part by its column (yuan), such as ``{"nursing": 1.3, "drugs": 0.9, "materials": 1}``. The
        parts named here make up the cost, so a part that keeps its worth is named with 1.
    within
        The columns, such as a panel, whose values keep their total each by themselves. Without columns, the total is
        that of all cases.
    result
        The name of the column of the new cost.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    The caller's table with ``cost_before`` (the sum of the parts), the new cost (both yuan) and
    ``restructuring_factor``, the number that keeps the total. The new cost is the sum of part x factor, times that
    number. The three are null where a part is missing or negative, or the set's key is missing.

    Raises
    ------
    PolicyError
        A factor below 0.
    CaseError
        The new costs of a set are all 0 though the old ones are not.

    Notes
    -----
    Weights of the new cost (`weights` with ``columns={"total_cost": result}``) have the total of the old.

    Source: 《医疗保障按病种付费管理暂行办法》 (2025), article 15. Local factors scale the parts of cost (medical,
    nursing, technology, drugs and consumables, management), and the total weight is kept.

    Examples
    --------
    >>> cases = [{"drugs": 60.0, "nursing": 40.0}, {"drugs": 50.0, "nursing": 50.0}]
    >>> new = restructure_costs(cases, {"drugs": 0.5, "nursing": 1.5})
    >>> [round(case["restructured_cost"], 2) for case in new], round(sum(case["restructured_cost"] for case in new), 9)
    ([94.74, 105.26], 200.0)
    """
    if not factors:
        raise PolicyError("factors={} names no part of the cost: give each part's column and factor")
    for part, factor in factors.items():
        if not (math.isfinite(factor) and factor >= 0):
            raise PolicyError(f"the factor {factor!r} of {part!r}: give a number of at least 0")
    keys = as_list(within)
    table = Columns(cases, [*factors, *keys], columns=columns or {})
    before, after = np.zeros(table.rows), np.zeros(table.rows)
    for part, factor in factors.items():
        amount = table.numbers(part)
        amount = np.where((amount >= 0) & np.isfinite(amount), amount, np.nan)
        before += amount
        after += amount * factor
    found = table.keys(keys)
    codes = np.where(np.isnan(before), -1, found.codes)
    old, new = sums(codes, before, found.size), sums(codes, after, found.size)
    lost = np.flatnonzero((new == 0) & (old > 0))
    if len(lost):
        where = ", ".join(f"{name} {values[int(lost[0])].as_py()!r}" for name, values in found.table.items())
        raise CaseError(
            f"the factors leave no cost{' in ' + where if where else ''}: no number can bring the total back"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        keep = np.append(np.where(new > 0, old / new, 1.0), np.nan)[codes]
    return add_columns(
        cases,
        {
            "cost_before": nullable(np.where(codes < 0, np.nan, before)),
            "restructuring_factor": nullable(keep),
            result: nullable(after * keep),
        },
    )


@reads_once
def restructure_weights(
    weights: Any,
    factors: Mapping[str, float] | str | None = None,
    *,
    absorb: str,
    total: float | None = None,
    within: str | Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Scale the weights of chosen groups, and keep the total weight.

    Parameters
    ----------
    weights
        A table with ``group``, ``weight`` and ``n`` (cases), such as that of `weights`.
    factors
        The factor of each chosen group, or the name of a column of factors (null: not chosen). None chooses no group,
        which only brings the total to ``total``.
    absorb
        The groups that make up for the change: ``"all"``, the chosen ones too, or the ``"others"``. With the others, a
        chosen group has exactly its weight times its factor.
    total
        The total of n x weight that each set shall have. None keeps the present total.
    within
        The columns, such as a panel (MDC), whose values keep their total each by themselves. Without columns, the total
        is that of all groups.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    The same table with the weight changed, ``weight_before`` and ``change`` (new over old, minus 1). ``total_before``
    and ``total_after`` are the sums of n x weight of the group's set. Groups without a weight stay without one.

    Raises
    ------
    UnknownNameError
        A chosen group that the table does not have.
    PolicyError
        The other groups cannot make up for the change.

    Notes
    -----
    Sources: 《医疗保障按病种付费管理暂行办法》 (2025), article 15, and DIP 3.0 draft, chapter 5: the total is kept;
    天津市医保局 2024-12-10: each MDC's panel keeps its own control total.

    Examples
    --------
    >>> table = [{"group": "A", "n": 10, "weight": 1.0}, {"group": "B", "n": 10, "weight": 1.0}]
    >>> [row["weight"] for row in restructure_weights(table, {"A": 1.2}, absorb="others")]
    [1.2, 0.8]
    """
    if absorb not in {"all", "others"}:
        raise UnknownNameError(
            "absorb", absorb, ["all", "others"], hint="Say who makes up for the change: all or others."
        )
    if total is not None and not (math.isfinite(total) and total > 0):
        raise PolicyError(f"total={total!r}: give a number above 0, or None to keep the total")
    keys = as_list(within)
    needed = ["group", "weight", "n", *keys, factors if isinstance(factors, str) else None]
    table = Columns(weights, needed, what="the weights", columns=columns or {})
    before, volume = table.numbers("weight"), table.numbers("n")
    factor = _factors(table, factors)
    bad = np.flatnonzero((before < 0) | ~(np.isnan(before) | (volume >= 0)) | (factor < 0))
    if len(bad):
        name = table.column("group")[int(bad[0])].as_py()
        raise PolicyError(f"group {name!r} has a negative weight or factor, or no number of cases: mend it")
    found = table.keys(keys)
    codes = np.where(np.isnan(before), -1, found.codes)
    chosen = ~np.isnan(factor)
    scaled = np.where(chosen, before * factor, before)
    target = sums(codes, volume * before, found.size)
    old = target.copy()
    if total is not None:
        target = np.full(found.size, float(total))
    stays = np.where(chosen & (codes >= 0), codes, -1) if absorb == "others" else np.full(table.rows, -1)
    gives = np.where(stays >= 0, -1, codes)
    left = target - sums(stays, volume * scaled, found.size)
    given = sums(gives, volume * scaled, found.size)
    changed = np.abs(target - given - (target - left)) > 1e-12 * np.abs(target)
    empty = np.flatnonzero(changed & (~(left >= 0) | (given <= 0)))
    if len(empty):
        where = ", ".join(f"{name} {values[int(empty[0])].as_py()!r}" for name, values in found.table.items())
        raise PolicyError(
            f"the chosen groups{' of ' + where if where else ''} need more than the total weight, "
            f"or no other group has cases to make up for them: lower the factors, or absorb='all'"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        keep = np.where(changed & (given > 0), left / given, 1.0)
        after = np.where(gives >= 0, scaled * np.append(keep, 1.0)[gives], scaled)
        change = np.where(before > 0, after / before - 1, np.nan)
    new = sums(codes, np.nan_to_num(volume * after), found.size)
    return add_columns(
        weights,
        {
            "weight_before": nullable(before),
            table.own_name("weight"): nullable(after),
            "change": nullable(change),
            "total_before": nullable(np.append(old, np.nan)[found.codes]),
            "total_after": nullable(np.append(new, np.nan)[found.codes]),
        },
    )


def _factors(columns: Columns, factors: Mapping[str, float] | str | None) -> Floats:
    """Return the factor of each row, NaN where the group is not chosen."""
    if isinstance(factors, str):
        return columns.numbers(factors)
    codes, values = columns.codes("group")
    known = values.to_pylist()
    for name in factors or {}:
        if str(name) not in known:
            raise UnknownNameError("group", str(name), known, hint="It is named in factors= and has no weight.")
    listed = {str(name): float(factor) for name, factor in (factors or {}).items()}
    return np.array([*(listed.get(value, math.nan) for value in known), math.nan])[codes]
