"""Coefficients (系数) of a case put together by a declared expression."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._columns import Columns, Reasons, add_columns, as_list, nullable
from drgdip._sums import sums
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.points.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from drgdip._columns import Floats

__all__ = ["combine_coefficients"]

# Columns that a table of coefficients may have beside its key, even where the cases have one of that name.
_NO_KEY = frozenset(
    (
        "coefficient",
        "raw_coefficient",
        "coefficient_before",
        "inverted",
        "n",
        "cases",
        "mean",
        "whole_mean",
        "reason",
        "name",
    )
)


@reads_once
def combine_coefficients(
    cases: Any,
    tables: Mapping[str, Any],
    expression: str,
    *,
    missing: Mapping[str, float] | None = None,
    uniform: Mapping[str, float] | Collection[str] | None = None,
    uniform_coefficient: float | None = None,
    bounds: tuple[float | None, float | None] = (None, None),
    neutral: str | None = None,
    neutral_within: str | Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Look up the coefficients of each case and put them together.

    Parameters
    ----------
    cases
        Any table with a row a case: the keys of the tables, and ``group`` for ``uniform``.
    tables
        Each coefficient by its name. It is a table with ``coefficient`` and its key: one or more columns that the cases
        have too (level, hospital, group, specialty …). Or it is the name of a column of the cases, or a number for all.
    expression
        The formula that puts them together, over those names, such as ``"level * (1 + specialty + academic)"``; see
        `Expression`.
    missing
        The coefficient of a case without an entry in a table, by the name of the coefficient. A case without an entry
        that is not named here gets no coefficient, and a reason.
    uniform
        Groups with one coefficient at all hospitals (基础病组), which goes before the expression. Give a coefficient by
        group, or the groups alone, such as ``scheme.basic_groups``, with ``uniform_coefficient``.
    uniform_coefficient
        The coefficient of the groups that ``uniform`` names without one. No source gives one for all places.
    bounds
        The lowest and highest coefficient. None leaves the side open. Uniform groups are not bounded.
    neutral
        The column of the weight, to keep the total: coefficients are divided by one number so that the sum of
        weight x coefficient is the sum of the weights. Uniform groups keep theirs, and the others make up for it.
    neutral_within
        The columns, such as the pool, whose values keep their total each by themselves.
    columns
        The table's names of columns by the library's names, such as ``{"hospital": "机构"}``.

    Returns
    -------
    The caller's table with a column ``<name>_coefficient`` for each coefficient, ``combined_coefficient`` (the
    expression), ``coefficient`` (after uniform groups, bounds and neutraliser) and ``coefficient_reason`` (a code:
    uniform, bounded, or which coefficient is missing).

    Raises
    ------
    RuleError
        The expression cannot be read, or uses a name that is not in ``tables``.
    PolicyError
        A table has a key twice, or uniform groups alone exceed the total.

    Notes
    -----
    No source read prescribes how local coefficients are put together, so there is no default. The neutraliser
    comes after the bounds and may move a coefficient past them by a little.

    Examples
    --------
    >>> cases = [{"group": "A", "level": 3}, {"group": "B", "level": 3}, {"group": "A", "level": 1}]
    >>> level = [{"level": 3, "coefficient": 1.2}]
    >>> for case in combine_coefficients(cases, {"level": level}, "level", uniform={"B": 1.02}):
    ...     print(case["coefficient"], case["coefficient_reason"])
    1.2 None
    1.02 uniform_group
    None no_coefficient:level
    """
    formula = Expression(expression, list(tables))
    low, high = bounds
    _check_tables(tables, formula, missing or {})
    if low is not None and high is not None and low > high:
        raise PolicyError(f"bounds={bounds!r}: the lower is above the upper, exchange them")
    within = as_list(neutral_within)
    read = {
        name: Columns(table, ["coefficient"], what=f"the table of {name!r}")
        for name, table in tables.items()
        if not isinstance(table, str | int | float)
    }
    shared = _keys_of(read, Columns(cases, columns=columns).names)
    wanted = [key for keys in shared.values() for key in keys]
    wanted += [table for table in tables.values() if isinstance(table, str)]
    wanted += [*within, *([] if neutral is None else [neutral]), *(["group"] if uniform else [])]
    given = Columns(cases, wanted, columns=columns or {}, optional=["group"])

    reasons = Reasons(given.rows)
    of_group = _of_groups(given, _uniform(uniform, uniform_coefficient))
    fixed = ~np.isnan(of_group)
    reasons.note(fixed, "uniform_group")
    values: dict[str, Floats] = {}
    for name, table in tables.items():
        found = _look_up(given, table, read.get(name), shared.get(name, []))
        if name in (missing or {}):
            found = np.where(np.isnan(found), (missing or {})[name], found)
        reasons.note(np.isnan(found), f"no_coefficient:{name}")
        values[name] = found
    combined = np.broadcast_to(np.asarray(formula(values), float), given.rows).copy()
    combined[~np.isfinite(combined)] = np.nan
    reasons.note(np.isnan(combined), "no_combined_coefficient")
    final = np.clip(combined, -math.inf if low is None else low, math.inf if high is None else high)
    reasons.note(final != combined, "bounded")
    final = np.where(fixed, of_group, final)
    if neutral is not None:
        final = _neutralise(given, final, fixed, neutral, within)
    added = {f"{name}_coefficient": nullable(np.asarray(value, float)) for name, value in values.items()}
    added |= {"combined_coefficient": nullable(combined), "coefficient": nullable(final)}
    return add_columns(cases, {**added, "coefficient_reason": reasons.column()})


def _check_tables(tables: Mapping[str, Any], formula: Expression, missing: Mapping[str, float]) -> None:
    """Raise an error where the expression does not use a table, or `missing` names none."""
    for name in tables:
        if name not in formula.names:
            raise PolicyError(
                f"the expression {formula.text!r} does not use {name!r}: leave it out of tables=, or use it"
            )
    for name in missing:
        if name not in tables:
            raise UnknownNameError("coefficient", name, tables, hint="It is named in missing= and not in tables=.")


def _keys_of(read: Mapping[str, Columns], names: Sequence[str]) -> dict[str, list[str]]:
    """Return the key of each table: the columns that it shares with the cases."""
    shared = {name: [key for key in table.names if key in names and key not in _NO_KEY] for name, table in read.items()}
    for name, keys in shared.items():
        if not keys:
            raise PolicyError(
                f"the table of {name!r} ({', '.join(read[name].names)}) shares no column with the cases: "
                f"name its key as the cases do"
            )
    return shared


def _look_up(cases: Columns, table: Any, read: Columns | None, keys: Sequence[str]) -> Floats:
    """Return a coefficient of each case, from a table by its key, a column or a number; NaN where there is none."""
    if isinstance(table, str):
        return cases.numbers(table)
    if read is None:
        return np.full(cases.rows, float(table))
    return np.append(read.numbers("coefficient"), np.nan)[cases.match(keys, read)]


def _uniform(groups: Mapping[str, float] | Collection[str] | None, coefficient: float | None) -> Mapping[str, float]:
    """Return the coefficient by uniform group. Raise PolicyError where groups alone come without their coefficient."""
    if isinstance(groups, Mapping):
        if coefficient is not None:
            raise PolicyError("uniform= has a coefficient for each group, so that uniform_coefficient= says it twice")
        return groups
    if groups and coefficient is None:
        raise PolicyError("uniform= names groups without their coefficient: give uniform_coefficient=, or a mapping")
    return dict.fromkeys(groups or (), coefficient or 0.0)


def _of_groups(cases: Columns, uniform: Mapping[str, float]) -> Floats:
    """Return the uniform coefficient of each case's group, NaN where it has none."""
    if not uniform:
        return np.full(cases.rows, np.nan)
    codes, known = cases.codes("group")
    listed = {str(name): float(value) for name, value in uniform.items()}
    return np.array([*(listed.get(value, math.nan) for value in known.to_pylist()), math.nan])[codes]


def _neutralise(columns: Columns, final: Floats, fixed: Any, neutral: str, within: list[str]) -> Floats:
    """Scale coefficients so that each set keeps its total weight; those that are fixed stay."""
    weight = columns.numbers(neutral)
    keys = columns.keys(within)
    counted = ~np.isnan(final) & (weight >= 0) & (keys.codes >= 0)
    codes = np.where(counted, keys.codes, -1)
    changed = np.where(counted & ~fixed, keys.codes, -1)
    kept = np.where(counted & fixed, keys.codes, -1)
    product = np.nan_to_num(weight * final)
    target = sums(codes, np.nan_to_num(weight), keys.size) - sums(kept, product, keys.size)
    now = sums(changed, product, keys.size)
    bad = np.flatnonzero((now > 0) & ~(target > 0))
    if len(bad):
        where = (
            ", ".join(f"{name} {values[int(bad[0])].as_py()!r}" for name, values in keys.table.items()) or "the cases"
        )
        raise PolicyError(
            f"the uniform groups of {where} take the whole total weight or more: lower their coefficients"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(now > 0, target / now, 1.0)
    return np.where(changed >= 0, final * np.append(share, 1.0)[changed], final)
