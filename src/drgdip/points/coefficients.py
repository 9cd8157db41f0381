"""Coefficients (系数): from history, from tables, and put together by a declared expression."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import to_kind
from drgdip._columns import Columns, add_columns, as_list, labels, nullable, text_columns
from drgdip._sums import sums
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.points.expressions import Expression
from drgdip.points.weighting import weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Floats
    from drgdip.points.trimming import CaseRule, Trim

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

__all__ = ["combine_coefficients", "cost_coefficients", "remove_inversion"]


def cost_coefficients(
    cases: Any,
    by: str | Sequence[str],
    within: str | Sequence[str] = (),
    *,
    cost: str = "total_cost",
    mean: str = "arithmetic",
    years: Mapping[int, float] | None = None,
    year: str = "year",
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    min_cases: int | None = None,
    min_difference: float | None = None,
) -> Any:
    """Compute coefficients from history: the mean cost of a part of the cases over the mean cost of the whole.

    With ``by="hospital", within="group"`` this is the cost coefficient (成本系数) of a hospital in a group; with
    ``by="level"`` and nothing within, the level coefficient of the city; and with ``cost="weight"``,
    ``by="hospital"``, ``within="level"`` the CMI of a hospital over that of its level. Those of auxiliary types have
    conditions of their own: `auxiliary_table`.

    Parameters
    ----------
    cases
        Any table with a row a case.
    by
        The column or columns whose values make the parts.
    within
        The columns whose values make the wholes that parts are compared with; none compares with all cases.
    cost, mean, years, year, trim, rules
        As for `weights`. A part and its whole are trimmed alike: ``trim.within`` None means the whole.
    min_cases
        A part with fewer cases gets the coefficient 1; None sets no limit.
    min_difference
        A whole whose parts differ by less, highest coefficient over lowest minus 1, gets 1 for all of them;
        None sets no limit.

    Returns
    -------
    A table with a row a part: the columns of ``within`` and ``by``; ``n`` (cases used); ``mean`` and
    ``whole_mean`` (yuan); ``raw_coefficient``, which is null where there is no mean above 0; ``coefficient``;
    ``reason`` (why the coefficient is not the raw one).

    Notes
    -----
    Sources: 《金华市按病组点数法计费简明示意》 (2017) for hospital and group; DIP 3.0 draft, chapter 5, for
    levels: three years weighted, by disease where the difference is large and cases are enough. A
    hospital that has no history in a group gets no row; Jinhua 2017 takes 1 for it (see ``missing`` of
    `combine_coefficients`).

    Examples
    --------
    >>> cases = [{"group": "A", "level": "3", "total_cost": 12}, {"group": "A", "level": "2", "total_cost": 8}]
    >>> [(row["level"], row["coefficient"]) for row in cost_coefficients(cases, by="level", within="group")]
    [('2', 0.8), ('3', 1.2)]
    """
    parts, wholes = as_list(by), as_list(within)
    if not parts or set(parts) & set(wholes):
        raise PolicyError(f"by={by!r} and within={within!r}: give columns for the parts, and others for the wholes")
    if trim is not None and trim.within is None:
        trim = replace(trim, within=tuple(wholes))
    options: dict[str, Any] = {
        "cost": cost,
        "mean": mean,
        "years": years,
        "year": year,
        "trim": trim,
        "rules": rules,
    }
    needed = [*parts, *wholes, cost, *(trim.within or () if trim else ()), *(rule.column for rule in rules)]
    needed += [year] if years is not None else []
    columns = Columns(cases, needed)
    table = pa.table({name: columns.column(name) for name in dict.fromkeys(needed)})
    whole_columns = wholes or ["_all"]
    if not wholes:
        table = table.append_column("_all", pa.repeat("all", len(table)))
    whole = Columns(_keyed(weights(table, whole_columns, **options), whole_columns), what="the wholes")
    part_table = _keyed(weights(table, [*wholes, *parts], **options), parts)
    if not wholes:
        part_table = part_table.append_column("_all", pa.repeat("all", len(part_table)))
    part = Columns(part_table, what="the parts")
    place = part.match(whole_columns, whole)
    mean_of_whole = np.append(whole.numbers("mean"), np.nan)[place]
    n = part.numbers("n")
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = part.numbers("mean") / mean_of_whole
    raw[~np.isfinite(raw)] = np.nan
    final, why = raw.copy(), np.full(part.rows, -1, np.int8)
    why[np.isnan(raw)] = 0
    if min_cases is not None:
        few = ~np.isnan(raw) & (n < min_cases)
        final[few], why[few] = 1.0, 1
    if min_difference is not None:
        codes = part.keys(whole_columns).codes
        lowest = np.full(int(codes.max(initial=-1)) + 2, np.inf)
        highest = np.zeros(len(lowest))
        compared = ~np.isnan(raw) & (why < 0)
        np.minimum.at(lowest, codes[compared], raw[compared])
        np.maximum.at(highest, codes[compared], raw[compared])
        with np.errstate(divide="ignore", invalid="ignore"):
            near = (highest / lowest - 1 < min_difference)[codes] & compared
        final[near], why[near] = 1.0, 2
    reasons = [
        "no mean cost above 0",
        f"fewer than {min_cases} cases",
        f"parts differ by less than {min_difference}",
    ]
    result = {name: part.column(name) for name in [*wholes, *parts]}
    result |= {"n": part.column("n"), "mean": part.column("mean"), "whole_mean": nullable(mean_of_whole)}
    result |= {
        "raw_coefficient": nullable(raw),
        "coefficient": nullable(final),
        "reason": labels(why, reasons),
    }
    return to_kind(text_columns(pa.table(result)), cases)


def _keyed(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The rows of a table of weights that have a key."""
    return table.filter(pc.is_valid(table[keys[0]]))


def remove_inversion(
    coefficients: Any,
    order: Sequence[str],
    *,
    method: str,
    within: str | Sequence[str] = (),
    level: str = "level",
    n: str = "n",
) -> Any:
    """Make coefficients rise, or at least not fall, from each level to the next (无倒挂).

    Parameters
    ----------
    coefficients
        A table with the level, ``coefficient`` and the number of cases, such as that of `cost_coefficients`.
    order
        The levels from the lowest to the highest.
    method
        ``"pool"``: neighbouring levels that are inverted share their mean, each as often as it has cases, which
        keeps the sum of n x coefficient; ``"cap"``: a level gets at most the coefficient of each level above
        it.
    within
        The columns, such as the group, whose values are treated each by themselves.
    level, n
        The columns of the level and of the number of cases.

    Returns
    -------
    The same table with ``coefficient`` changed, ``coefficient_before``, and ``inverted``: whether it was
    changed. Rows without a coefficient stay as they are.

    Notes
    -----
    The DIP 3.0 draft (chapter 5) asks for no inversion between levels and leaves the way open.

    Examples
    --------
    >>> table = [{"level": "2", "n": 1, "coefficient": 1.2}, {"level": "3", "n": 3, "coefficient": 1.0}]
    >>> [row["coefficient"] for row in remove_inversion(table, ["2", "3"], method="pool")]
    [1.05, 1.05]
    >>> [row["coefficient"] for row in remove_inversion(table, ["2", "3"], method="cap")]
    [1.0, 1.0]
    """
    if method not in {"pool", "cap"}:
        raise UnknownNameError("method against inversion", method, ["pool", "cap"], hint="There are pool and cap.")
    keys = as_list(within)
    columns = Columns(
        coefficients, [*keys, level, "coefficient", n if method == "pool" else None], what="the coefficients"
    )
    codes, values = columns.codes(level)
    ranks = [str(name) for name in order]
    unknown = [value for value in values.to_pylist() if value not in ranks]
    if unknown:
        raise PolicyError(f"the coefficients have the level {unknown[0]!r}, which order={ranks} does not name: add it")
    rank = np.append([ranks.index(value) for value in values.to_pylist()], -1)[codes]
    before = columns.numbers("coefficient")
    volume = columns.numbers(n) if method == "pool" else np.ones(columns.rows)
    if (~(volume[~np.isnan(before)] >= 0)).any():
        raise PolicyError(f"column {n!r} of the coefficients: a number of cases is missing or negative")
    after = before.copy()
    sets = columns.keys(keys).codes
    rows = np.flatnonzero(~np.isnan(before) & (rank >= 0) & (sets >= 0))
    rows = rows[np.lexsort((rank[rows], sets[rows]))]
    for chosen in np.split(rows, np.flatnonzero(np.diff(sets[rows])) + 1):
        if len(chosen) < 2 or (np.diff(before[chosen]) >= 0).all():
            continue
        if method == "cap":
            after[chosen] = np.minimum.accumulate(before[chosen][::-1])[::-1]
        else:
            after[chosen] = _pooled(before[chosen], volume[chosen])
    return add_columns(
        coefficients,
        {
            "coefficient_before": nullable(before),
            "coefficient": nullable(after),
            "inverted": (after != before) & ~np.isnan(before),
        },
    )


def _pooled(values: Floats, volume: Floats) -> Floats:
    """The nearest rising numbers: neighbours that fall are replaced by their mean."""
    stretches: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), volume.tolist(), strict=True):
        mean, cases, length = value, weight, 1
        while stretches and stretches[-1][0] > mean:
            last, more, longer = stretches.pop()
            both = more + cases
            mean = (last * more + mean * cases) / both if both else (last * longer + mean * length) / (longer + length)
            cases, length = both, length + longer
        stretches.append((mean, cases, length))
    return np.concatenate([np.full(length, mean) for mean, _, length in stretches])


def combine_coefficients(  # noqa: PLR0915 - one step of the calculation after the other
    cases: Any,
    tables: Mapping[str, Any],
    expression: str,
    *,
    missing: Mapping[str, float] | None = None,
    uniform: Mapping[str, float] | None = None,
    group: str = "group",
    bounds: tuple[float | None, float | None] = (None, None),
    neutral: str | None = None,
    neutral_within: str | Sequence[str] = (),
) -> Any:
    """Look up the coefficients of each case and put them together.

    Parameters
    ----------
    cases
        Any table with a row a case.
    tables
        Each coefficient by its name: a table with ``coefficient`` and one or more columns that the cases have
        too (level, hospital, group, specialty …), which are its key; the name of a column of the cases; or a
        number for all.
    expression
        How they are put together, over those names, such as ``"level * (1 + specialty + academic)"``; see
        `Expression`.
    missing
        What a case without an entry in a table gets, by the name of the coefficient. A case without an entry
        for which nothing is said here gets no coefficient, and a reason.
    uniform
        Groups with one coefficient at all hospitals (基础病组), whatever the expression says.
    group
        The column of the group, read for ``uniform``.
    bounds
        The lowest and highest coefficient; None leaves the side open. Uniform groups are not bounded.
    neutral
        The column of the weight, to keep the total: coefficients are divided by one number so that the sum of
        weight x coefficient is the sum of the weights. Uniform groups keep theirs, and the others make up for
        it.
    neutral_within
        The columns, such as the pool, whose values keep their total each by themselves.

    Returns
    -------
    The caller's table with a column ``<name>_coefficient`` for each coefficient, ``combined_coefficient`` (the
    expression), ``coefficient`` (after uniform groups, bounds and neutraliser) and ``coefficient_reason``
    (uniform, bounded, or which one is missing).

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
    1.02 uniform for the group
    None no level coefficient
    """
    formula = Expression(expression, list(tables))
    unread = [name for name in tables if name not in formula.names]
    if unread:
        raise PolicyError(
            f"the expression {expression!r} does not use {unread[0]!r}: leave it out of tables=, or use it"
        )
    for name in missing or {}:
        if name not in tables:
            raise UnknownNameError("coefficient", name, tables, hint="It is named in missing= and not in tables=.")
    read = {
        name: Columns(table, ["coefficient"], what=f"the table of {name!r}")
        for name, table in tables.items()
        if not isinstance(table, str | int | float)
    }
    own = Columns(cases)
    shared = {
        name: [key for key in table.names if key in own.names and key not in _NO_KEY] for name, table in read.items()
    }
    for name, keys in shared.items():
        if not keys:
            names = ", ".join(read[name].names)
            raise PolicyError(
                f"the table of {name!r} ({names}) shares no column with the cases: name its key as the cases do"
            )
    within = as_list(neutral_within)
    wanted = [key for keys in shared.values() for key in keys if key in own.names]
    wanted += [table for table in tables.values() if isinstance(table, str)]
    wanted += within
    wanted += [name for name in (neutral, group if uniform else None) if name is not None]
    columns = Columns(cases, wanted)

    values: dict[str, Any] = {}
    absent = np.full(columns.rows, -1, np.int16)
    for number, (name, table) in enumerate(tables.items()):
        if isinstance(table, str):
            found = columns.numbers(table)
        elif isinstance(table, int | float):
            found = np.full(columns.rows, float(table))
        else:
            found = np.append(read[name].numbers("coefficient"), np.nan)[columns.match(shared[name], read[name])]
        lone = np.isnan(found)
        if missing and name in missing:
            found = np.where(lone, missing[name], found)
        else:
            absent[lone & (absent < 0)] = number
        values[name] = found
    combined = np.broadcast_to(np.asarray(formula(values), float), columns.rows).copy()
    combined[~np.isfinite(combined)] = np.nan
    final, why = combined.copy(), np.where(absent >= 0, absent + 4, -1).astype(np.int16)
    why[np.isnan(combined) & (why < 0)] = 3
    low, high = bounds
    if low is not None and high is not None and low > high:
        raise PolicyError(f"bounds={bounds!r}: the lower is above the upper, exchange them")
    clipped = np.clip(final, -math.inf if low is None else low, math.inf if high is None else high)
    why[clipped != final] = np.where(np.isnan(final), why, 1)[clipped != final]
    final = clipped
    fixed = np.zeros(columns.rows, bool)
    if uniform:
        codes, known = columns.codes(group)
        listed = {str(name): float(value) for name, value in uniform.items()}
        of_group = np.array([*(listed.get(value, math.nan) for value in known.to_pylist()), math.nan])[codes]
        fixed = ~np.isnan(of_group)
        final, why = np.where(fixed, of_group, final), np.where(fixed, np.int16(0), why)
    if neutral is not None:
        final = _neutralise(columns, final, fixed, neutral, within)
    reasons = ["uniform for the group", "bounded", "", "the expression gives no number"]
    reasons += [f"no {name} coefficient" for name in tables]
    added = {f"{name}_coefficient": nullable(np.asarray(value, float)) for name, value in values.items()}
    added |= {"combined_coefficient": nullable(combined), "coefficient": nullable(final)}
    return add_columns(cases, {**added, "coefficient_reason": labels(why, reasons)})


def _neutralise(columns: Columns, final: Floats, fixed: Any, neutral: str, within: list[str]) -> Floats:
    """Coefficients under which each set keeps its total weight; those that are fixed stay."""
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
