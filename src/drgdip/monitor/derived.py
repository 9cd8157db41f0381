"""Columns that indicators read and tables seldom have: weights, costs over the reference's means, marks of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_numbers
from drgdip._arrow import one_chunk
from drgdip._columns import Columns
from drgdip._sums import counts, sums
from drgdip.points import mark_readmissions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Floats

__all__ = ["derive_columns", "grouped_of"]


def grouped_of(columns: Columns) -> Any:
    """Return which cases are grouped: those of that status or, without the column ``status``, those with a group."""
    grouped = np.ones(columns.rows, bool)
    if "status" in columns:
        codes, values = columns.codes("status")
        grouped = np.append(np.asarray(pc.equal(values, "grouped")), False)[codes]
    if "group" in columns:
        grouped = grouped & (columns.codes("group")[0] >= 0)
    return grouped


def derive_columns(
    columns: Columns,
    *,
    region: Any,
    weights: Any,
    names: Mapping[str, str] | None,
    low_risk: Sequence[str] | None,
    basic: Sequence[str] | None,
    readmission_days: int | None,
) -> dict[str, Floats]:
    """Return the derived columns that the table and the other arguments give, NaN where a case has no value.

    A flag is 1 where it holds, and NaN where the case does not enter the sum.
    """
    if "group" not in columns:
        return {} if "status" not in columns else {"is_grouped": _flag(grouped_of(columns))}
    grouped = grouped_of(columns)
    found = {"is_grouped": _flag(grouped)}
    if weights is not None:
        table = Columns(weights, ["group", "weight"], what="the table weights=")
        place = columns.match(["group"], table)
        found["weight"] = np.where(grouped, np.append(table.numbers("weight"), np.nan)[place], np.nan)
    elif "weight" in columns:
        found["weight"] = np.where(grouped, _numbers(columns, "weight"), np.nan)
    if "total_cost" in columns:
        found["grouped_cost"] = np.where(grouped, _numbers(columns, "total_cost"), np.nan)
    reference = Columns(region, ["group"], what="the reference", columns=names or {}, optional=["total_cost", "los"])
    known = None
    for name, target in (("total_cost", "relative_cost"), ("los", "relative_stay")):
        if name in columns and name in reference:
            found[target], there = _relative(columns, reference, name, grouped)
            known = there if known is None else known
    found["in_reference"] = _flag(grouped if known is None else known)
    for name, groups in (("low_risk", low_risk), ("basic", basic)):
        if groups is not None:
            found[name] = _flag(grouped & _among(columns, groups))
    if readmission_days is not None and all(name in columns for name in ("patient", "admitted", "discharged")):
        found |= _readmissions(columns, readmission_days)
    return found


def _flag(holds: Any) -> Floats:
    return np.where(holds, 1.0, np.nan)


def _numbers(columns: Columns, name: str) -> Floats:
    return read_numbers(one_chunk(columns.column(name)))[0]


def _relative(columns: Columns, reference: Columns, name: str, grouped: Any) -> tuple[Floats, Any]:
    """Return a number of each grouped case over the reference's mean of its group, and which cases have one."""
    codes, values = reference.codes("group")
    numbers = _numbers(reference, name)
    counted = np.where(grouped_of(reference) & ~np.isnan(numbers), codes, -1)
    number = counts(counted, len(values))
    total = sums(counted, np.where(np.isnan(numbers), 0.0, numbers), len(values))
    mean = np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)
    place = columns.match(["group"], Columns(pa.table({"group": values}), ["group"], what="the reference"))
    mean_of_case = np.append(np.where(mean > 0, mean, np.nan), np.nan)[place]
    relative = np.where(grouped, _numbers(columns, name) / mean_of_case, np.nan)
    return relative, ~np.isnan(relative)


def _among(columns: Columns, groups: Sequence[str]) -> Any:
    codes, values = columns.codes("group")
    wanted = pa.array([str(group) for group in groups], pa.string())
    return np.append(np.asarray(pc.is_in(values, value_set=wanted)), False)[codes]


def _readmissions(columns: Columns, days: int) -> dict[str, Floats]:
    """Return which stays a readmission of the same patient follows, of those with patient and dates."""
    table = pa.table({name: columns.column(name) for name in ("patient", "admitted", "discharged")})
    marked = mark_readmissions(table, days=days, factor=0, same=[])
    after = np.asarray(marked["readmission_factor"]) == 0
    known = ~np.asarray(pc.fill_null(pc.equal(marked["readmission_reason"], "unknown_stay"), fill_value=False))
    return {"readmitted": _flag(after), "known_patient": _flag(known)}
