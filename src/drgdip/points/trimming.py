"""Trimming (截尾) shown: of each case whether it counts for means, and of each group how many do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, add_columns, as_list, nullable
from drgdip._sums import sums
from drgdip.points.inclusion import GROUPED, with_statuses
from drgdip.points.selection import TRIM_STATUSES, Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Keys
    from drgdip.points.inclusion import CaseRule, Trim

__all__ = ["report_trimming", "trim_cases"]


def _select(
    cases: Any,
    by: str | Sequence[str],
    trim: Trim | None,
    rules: Sequence[CaseRule],
    names: Mapping[str, str] | None,
    statuses: Sequence[str] | None,
) -> tuple[Keys, Selection]:
    """Return the keys of the cases, and which of them count."""
    keys = as_list(by)
    within = list((trim.within if trim else None) or ())
    needed = [*keys, "total_cost", *within, *(rule.column for rule in rules)]
    columns = Columns(cases, needed, columns=names or {}, optional=["status"])
    rules = with_statuses(rules, statuses, columns)
    found = columns.keys(keys)
    positive = trim is not None and trim.log
    return found, Selection(columns, found, trim=trim, rules=rules, positive=positive)


@reads_once
def trim_cases(
    cases: Any,
    trim: Trim | None = None,
    *,
    by: str | Sequence[str] = "group",
    rules: Sequence[CaseRule] = (),
    statuses: Sequence[str] | None = GROUPED,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Tell of each case whether it counts for means, and if not, why.

    Parameters
    ----------
    cases
        Any table with a row a case: ``total_cost`` (yuan), and the columns of ``by``, ``trim`` and ``rules``.
    trim
        How far from the others a cost may lie. None trims nothing.
    by
        The column or columns of the group.
    rules
        Rules of inclusion. A case that one of them leaves out has no part in the limits.
    statuses
        The statuses of grouping that count, where the table has the column ``status``; None counts every case. The
        cases left out are ``excluded``.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    The caller's table with ``trim_status`` (one of `TRIM_STATUSES`), ``trim_reason`` (a code), and ``lower_limit``
    and ``upper_limit`` of the case's set (yuan, null where there is none).

    Raises
    ------
    UnknownNameError
        A column that the table does not have.

    Examples
    --------
    >>> from drgdip.points import Trim
    >>> cases = [{"group": "A", "total_cost": cost} for cost in (90, 100, 110, 120, 900)]
    >>> [case["trim_status"] for case in trim_cases(cases, Trim("iqr", lower=1.5, upper=1.5))]
    ['used', 'used', 'used', 'used', 'above']
    """
    _, selection = _select(cases, by, trim, rules, columns, statuses)
    codes = selection.sets.codes
    lower, upper = (
        np.append(np.where(np.isinf(limit), np.nan, limit), np.nan) for limit in (selection.lower, selection.upper)
    )
    return add_columns(
        cases,
        {
            "trim_status": selection.status_names(),
            "trim_reason": selection.reasons(),
            "lower_limit": nullable(lower[codes]),
            "upper_limit": nullable(upper[codes]),
        },
    )


@reads_once
def report_trimming(
    cases: Any,
    trim: Trim | None = None,
    *,
    by: str | Sequence[str] = "group",
    rules: Sequence[CaseRule] = (),
    statuses: Sequence[str] | None = GROUPED,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Count for each group which cases count for means, and what the others cost.

    Parameters
    ----------
    cases, trim, by, rules, statuses, columns
        As for `trim_cases`.

    Returns
    -------
    A table with a row a group: the key; ``cases``, and of them ``used``, ``invalid``, ``excluded``, ``below``
    and ``above``, which add up to it; ``cost`` and ``cost_used`` (yuan). Cases without a group have the last
    row.

    Examples
    --------
    >>> from drgdip.points import Trim
    >>> cases = [{"group": "A", "total_cost": cost} for cost in (90, 100, 110, 120, 900)]
    >>> row = report_trimming(cases, Trim("iqr", lower=1.5, upper=1.5))[0]
    >>> row["cases"], row["used"], row["above"], row["cost"], row["cost_used"]
    (5, 4, 1, 1320.0, 420.0)
    """
    keys, selection = _select(cases, by, trim, rules, columns, statuses)
    tally = selection.tally(keys.codes, keys.size)
    everything = np.sum(list(tally.values()), axis=0)
    rows = keys.size + bool(everything[-1])
    codes = np.where(keys.codes < 0, keys.size, keys.codes)
    money = np.where(np.isfinite(selection.costs), selection.costs, 0.0)
    report: dict[str, Any] = {
        name: pa.concat_arrays([values, pa.nulls(rows - keys.size, pa.string())]) for name, values in keys.table.items()
    }
    report |= {"cases": everything[:rows]}
    report |= {name: tally[name][:rows] for name in TRIM_STATUSES}
    report["cost"] = sums(codes, money, keys.size + 1)[:rows]
    report["cost_used"] = sums(np.where(selection.used, codes, -1), money, keys.size + 1)[:rows]
    return to_kind(pa.table(report), cases)
