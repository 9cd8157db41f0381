"""Coefficients (系数) from history: mean costs of parts over the mean of the whole, and their order by level."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, Reasons, add_columns, as_list, nullable, text_columns
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.points.inclusion import GROUPED
from drgdip.points.weighting import weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip.points.inclusion import CaseRule, Trim

__all__ = ["measure_cost_coefficients", "remove_inversion"]


@reads_once
def measure_cost_coefficients(
    cases: Any,
    by: str | Sequence[str],
    within: str | Sequence[str] = (),
    *,
    mean: str = "arithmetic",
    years: Mapping[int, float] | None = None,
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    statuses: Sequence[str] | None = GROUPED,
    min_cases: int | None = None,
    min_difference: float | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Measure coefficients in history: the mean cost of a part of the cases over the mean cost of the whole.

    With ``by="hospital", within="group"`` this is the cost coefficient (成本系数) of a hospital in a group. With
    ``by="level"`` and nothing within, it is the level coefficient of the city. With ``by="hospital"``,
    ``within="level"`` and ``columns={"total_cost": "weight"}``, it is the CMI of a hospital over that of its level.
    Coefficients of auxiliary types have conditions of their own: `build_auxiliary_table`.

    Parameters
    ----------
    cases
        Any table with a row a case: ``total_cost`` (yuan), ``year`` if ``years`` is given, and the columns of the other
        arguments.
    by
        The column or columns whose values make the parts.
    within
        The columns whose values make the wholes that parts are compared with. Without columns, the whole is all cases.
    mean, years, trim, rules, statuses, columns
        As for `weights`. A part and its whole are trimmed alike: ``trim.within`` None means the whole.
    min_cases
        A part with fewer cases gets the coefficient 1. None sets no limit.
    min_difference
        A whole whose parts differ by less, highest coefficient over lowest minus 1, gets 1 for all of them. None sets
        no limit.

    Returns
    -------
    A table with a row a part: the columns of ``within`` and ``by``; ``n`` (cases used); ``mean`` and
    ``whole_mean`` (yuan); ``raw_coefficient``, which is null where there is no mean above 0; ``coefficient``;
    ``reason`` (the code of why the coefficient is not the raw one).

    Notes
    -----
    Sources: 《金华市按病组点数法计费简明示意》 (2017) for hospital and group; DIP 3.0 draft, chapter 5, for
    levels: three years weighted, by disease where the difference is large and cases are enough. A hospital without
    history in a group gets no row. Jinhua 2017 takes 1 for it (see ``missing`` of `combine_coefficients`).

    Examples
    --------
    >>> cases = [{"group": "A", "level": "3", "total_cost": 12}, {"group": "A", "level": "2", "total_cost": 8}]
    >>> [(row["level"], row["coefficient"]) for row in measure_cost_coefficients(cases, by="level", within="group")]
    [('2', 0.8), ('3', 1.2)]
    """
    parts, wholes = as_list(by), as_list(within)
    if not parts or set(parts) & set(wholes):
        raise PolicyError(f"by={by!r} and within={within!r}: give columns for the parts, and others for the wholes")
    if trim is not None and trim.within is None:
        trim = replace(trim, within=tuple(wholes))
    options: dict[str, Any] = {"mean": mean, "years": years, "trim": trim, "rules": rules, "statuses": statuses}
    needed = [*parts, *wholes, "total_cost", *(trim.within or () if trim else ()), *(rule.column for rule in rules)]
    needed += [] if years is None else ["year"]
    given = Columns(cases, needed, columns=columns or {}, optional=["year", "status"])
    needed += ["status"] if "status" in given else []
    table = pa.table({name: given.column(name) for name in dict.fromkeys(needed)})
    keys = wholes or ["_all"]
    if not wholes:
        table = table.append_column("_all", pa.repeat("all", len(table)))
    whole = Columns(_keyed(weights(table, keys, **options), keys), what="the wholes")
    part = Columns(_keyed(weights(table, [*keys, *parts], **options), parts), what="the parts")
    mean_of_whole = np.append(whole.numbers("mean"), np.nan)[part.match(keys, whole)]
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = part.numbers("mean") / mean_of_whole
    raw[~np.isfinite(raw)] = np.nan
    reasons = Reasons(part.rows)
    reasons.note(np.isnan(raw), "no_mean_cost")
    if min_cases is not None:
        reasons.note(part.numbers("n") < min_cases, f"few_cases:{min_cases}")
    if min_difference is not None:
        near = _alike(raw, part.keys(keys).codes, ~reasons.noted, min_difference)
        reasons.note(near, f"small_difference:{min_difference:g}")
    result = {name: part.column(name) for name in [*wholes, *parts]}
    result |= {"n": part.column("n"), "mean": part.column("mean"), "whole_mean": nullable(mean_of_whole)}
    result |= {
        "raw_coefficient": nullable(raw),
        "coefficient": nullable(np.where(reasons.noted & ~np.isnan(raw), 1.0, raw)),
        "reason": reasons.column(),
    }
    return to_kind(text_columns(pa.table(result)), cases)


def _alike(raw: Floats, codes: Codes, compared: Any, min_difference: float) -> NDArray[np.bool_]:
    """Return the rows compared whose whole has parts that differ by less than asked."""
    lowest = np.full(int(codes.max(initial=-1)) + 2, np.inf)
    highest = np.zeros(len(lowest))
    np.minimum.at(lowest, codes[compared], raw[compared])
    np.maximum.at(highest, codes[compared], raw[compared])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((highest / lowest - 1 < min_difference)[codes] & compared)


def _keyed(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the rows of a table of weights that have a key."""
    return table.filter(pc.is_valid(table[keys[0]]))


@reads_once
def remove_inversion(
    coefficients: Any,
    order: Sequence[str],
    *,
    method: str,
    within: str | Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Make coefficients rise, or at least not fall, from each level to the next (无倒挂).

    Parameters
    ----------
    coefficients
        A table with ``level``, ``coefficient`` and, for pooling, ``n`` (cases), such as that of
        `measure_cost_coefficients`.
    order
        The levels from the lowest to the highest.
    method
        ``"pool"``: neighbouring levels that are inverted share their mean, each as often as it has cases. This keeps
        the sum of n x coefficient. ``"cap"``: a level gets at most the coefficient of each level above it.
    within
        The columns, such as the group, whose values are treated each by themselves.
    columns
        The table's names of columns by the library's names.

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
    needed = [*keys, "level", "coefficient", "n" if method == "pool" else None]
    table = Columns(coefficients, needed, what="the coefficients", columns=columns or {}, optional=["n"])
    rank = _ranks(table, order)
    before = table.numbers("coefficient")
    volume = table.numbers("n") if method == "pool" else np.ones(table.rows)
    if (~(volume[~np.isnan(before)] >= 0)).any():
        raise PolicyError(
            f"column {table.own_name('n')!r} of the coefficients: a number of cases is missing or negative"
        )
    after = before.copy()
    sets = table.keys(keys).codes
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
            table.own_name("coefficient"): nullable(after),
            "inverted": (after != before) & ~np.isnan(before),
        },
    )


def _ranks(table: Columns, order: Sequence[str]) -> Codes:
    """Return the place of each row's level in the order, -1 for rows without a level."""
    codes, values = table.codes("level")
    ranks = [str(name) for name in order]
    for value in values.to_pylist():
        if value not in ranks:
            raise PolicyError(f"the coefficients have the level {value!r}, which order={ranks} does not name: add it")
    return np.append([ranks.index(value) for value in values.to_pylist()], -1).astype(np.int64)[codes]


def _pooled(values: Floats, volume: Floats) -> Floats:
    """Return the nearest rising numbers: neighbours that fall are replaced by their mean."""
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
