"""Auxiliary types (辅助分型): their coefficients from last year's cases, and the one that counts for a case."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, Reasons, add_columns, as_list, decode, nullable, text_columns
from drgdip._sums import sums
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points.inclusion import GROUPED
from drgdip.points.weighting import weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip._columns import Codes
    from drgdip.points.inclusion import CaseRule, Trim

__all__ = ["apply_auxiliary", "build_auxiliary_table"]

#: The conditions that trigger a type, as `build_auxiliary_table` names it.
_CONDITIONS = ("group_cases", "type_cases", "cv_reduction")
#: The columns of `build_auxiliary_table`.
_COLUMNS = pa.schema(
    [
        ("group", pa.string()),
        ("auxiliary_catalogue", pa.string()),
        ("auxiliary_type", pa.string()),
        ("n", pa.int64()),
        ("group_n", pa.int64()),
        ("mean", pa.float64()),
        ("group_mean", pa.float64()),
        ("cv", pa.float64()),
        ("group_cv", pa.float64()),
        ("cv_reduction", pa.float64()),
        ("coefficient", pa.float64()),
        ("triggered", pa.bool_()),
        ("reason", pa.string()),
    ]
)
_PART = "auxiliary_part"
# Reductions are compared to so many decimals, so that a fall from 1 to 0.8 is one by 0.2 whatever floats make of it.
_DECIMALS = 12


@reads_once
def build_auxiliary_table(
    cases: Any,
    *,
    group_cases: float | None,
    type_cases: float | None,
    cv_reduction: float | None,
    relaxed: Mapping[str, Mapping[str, float | None]] | None = None,
    except_groups: str | Sequence[str] = (),
    mean: str = "arithmetic",
    years: Mapping[int, float] | None = None,
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    statuses: Sequence[str] | None = GROUPED,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Build from last year's cases the table of auxiliary types that each group triggers, with their coefficients.

    Parameters
    ----------
    cases
        Any table with a row a case: ``group``, ``total_cost`` (yuan), ``auxiliary_types``, such as
        `drgdip.find_auxiliary_types` gives, and ``year`` if ``years`` is given. Types are lists, or texts joined by
        ``|``. The first word of a type is its catalogue, of which a case has at most one type.
    group_cases
        The group must have more cases than this. None sets no limit.
    type_cases
        The type must have more cases in the group than this. None sets no limit.
    cv_reduction
        The catalogue must lower the coefficient of variation of the group by at least this part, such as 0.2. None
        sets no limit.
    relaxed
        Other values of the three for a catalogue, such as ``{"icu": {"cv_reduction": None}}``.
    except_groups
        Groups in which no type is triggered: TCM-advantage groups (中医优势病种) and bed-day groups.
    mean, years, trim, rules, statuses, columns
        As for `weights`. The parts of a group and the group are trimmed alike: ``trim.within`` None means the group.

    Returns
    -------
    A table with a row for each type of a group, for `apply_auxiliary`: the group; ``auxiliary_catalogue``,
    ``auxiliary_type``; ``n`` and ``group_n`` (cases used); ``mean`` and ``group_mean`` (yuan); ``cv`` and
    ``group_cv``; ``cv_reduction``; ``coefficient`` (mean over group mean, null where the type is not triggered);
    ``triggered``; ``reason`` (the code of why not).

    Raises
    ------
    CaseError
        A case has two types of one catalogue, or no case can be used.
    PolicyError
        A condition that is no number of at least 0, or a reduction above 1.
    UnknownNameError
        A column that the table does not have, or a catalogue in ``relaxed`` that no case has a type of.

    Notes
    -----
    Source: DIP 3.0 draft, chapter 3: cases of the group and cases of the type above a number, reduction of the CV
    such as 20 %. The place sets all of them, and relaxes them for ICU days. The formula of the reduction is the
    library's reading: 1 - (mean CV of the parts into which the catalogue divides the group, each as often as it has
    cases) / CV of the group. The cases without a type of the catalogue are a part. A part without a CV (a single case)
    is left out.

    Examples
    --------
    >>> costs = {"icu 2-7": (30, 34), "": (9, 10, 11)}
    >>> history = [{"group": "A", "auxiliary_types": kind, "total_cost": c} for kind in costs for c in costs[kind]]
    >>> row = build_auxiliary_table(history, group_cases=4, type_cases=1, cv_reduction=0.2)[0]
    >>> row["auxiliary_type"], row["n"], row["mean"], row["group_mean"], row["triggered"]
    ('icu 2-7', 2, 32.0, 18.8, True)
    >>> round(row["group_cv"], 4), round(row["cv_reduction"], 4), round(row["coefficient"], 4)
    (0.6464, 0.8525, 1.7021)
    """
    asked = {"group_cases": group_cases, "type_cases": type_cases, "cv_reduction": cv_reduction}
    relaxed = relaxed or {}
    _check_conditions(asked, relaxed)
    if trim is not None and trim.within is None:
        trim = replace(trim, within=("group",))
    options: dict[str, Any] = {"mean": mean, "years": years, "trim": trim, "rules": rules, "statuses": statuses}
    needed = ["group", "total_cost", *(trim.within or () if trim else ()), *(rule.column for rule in rules)]
    needed += [] if years is None else ["year"]
    given = Columns(cases, ["auxiliary_types", *needed], columns=columns or {}, optional=["year", "status"])
    needed += ["status"] if "status" in given else []
    table = pa.table({name: given.column(name) for name in dict.fromkeys(needed)})
    whole = Columns(_grouped(weights(table, **options)), what="the groups")
    left_out = np.isin(whole.column("group").to_pylist(), [str(name) for name in as_list(except_groups)])

    rows, texts = _types_of(given)
    of_type, names = Columns(pa.table({"type": texts}), what="the auxiliary types").codes("type")
    known = names.to_pylist()
    catalogues: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(known):
        catalogues[name.partition(" ")[0]].append(number)
    for name in relaxed:
        if name not in catalogues:
            hint = "No case has a type of it: leave it out of relaxed=, or mend the name."
            raise UnknownNameError("auxiliary catalogue", name, catalogues, hint=hint)
    results = [_COLUMNS.empty_table()]
    for catalogue, numbers in catalogues.items():
        chosen = np.isin(of_type, numbers)
        part = _parts(rows[chosen], of_type[chosen], given.rows, known, catalogue)
        parts = _grouped(weights(table.append_column(_PART, pa.array(part)), ["group", _PART], **options))
        conditions = {**asked, **relaxed.get(catalogue, {})}
        results.append(_judged(Columns(parts, what="the parts"), whole, left_out, known, catalogue, conditions))
    joined = pa.concat_tables(results)
    return to_kind(joined.sort_by([("group", "ascending"), ("auxiliary_type", "ascending")]), cases)


def _check_conditions(asked: Mapping[str, float | None], relaxed: Mapping[str, Mapping[str, float | None]]) -> None:
    """Raise an error for a condition that is unknown or impossible."""
    if not isinstance(relaxed, Mapping) or not all(isinstance(values, Mapping) for values in relaxed.values()):
        raise PolicyError(f"relaxed={relaxed!r}: give a dict of conditions by catalogue, such as {{'icu': {{...}}}}")
    for where, conditions in (("", asked), *((f" of {name}", values) for name, values in relaxed.items())):
        for name, value in conditions.items():
            if name not in _CONDITIONS:
                raise UnknownNameError("condition", name, _CONDITIONS, hint=f"There are {', '.join(_CONDITIONS)}.")
            if value is not None and not (isinstance(value, Real) and math.isfinite(value) and value >= 0):
                raise PolicyError(f"{name}={value!r}{where}: give a number of at least 0, or None")
            if name == "cv_reduction" and value is not None and value > 1:
                raise PolicyError(f"cv_reduction={value!r}{where}: give the part by which it falls, such as 0.2")


def _grouped(table: pa.Table) -> pa.Table:
    """Return the rows of a table of weights that have a group."""
    return table.filter(pc.is_valid(table["group"]))


def _parts(rows: Codes, of_type: Codes, size: int, known: Sequence[str], catalogue: str) -> Codes:
    """Return for each case the number of its type of a catalogue plus 1, 0 for none."""
    part = np.zeros(size, np.int64)
    part[rows] = of_type + 1
    twice = np.flatnonzero(part[rows] != of_type + 1)
    if len(twice):
        row = int(rows[twice[0]])
        both = f"{known[int(of_type[twice[0]])]!r} and {known[int(part[row]) - 1]!r}"
        raise CaseError(
            f"row {row} has {both}, two types of {catalogue!r} (the first word of a type is its catalogue): leave the "
            f"one that is tried first"
        )
    return part


def _judged(
    parts: Columns,
    whole: Columns,
    left_out: Any,
    known: Sequence[str],
    catalogue: str,
    conditions: Mapping[str, float | None],
) -> pa.Table:
    """Return the types of a catalogue in each group, and whether they are triggered."""
    place = parts.match(["group"], whole)
    n, mean, cv = (parts.numbers(name) for name in ("n", "mean", "cv"))
    group_n, group_mean, group_cv = (whole.numbers(name)[place] for name in ("n", "mean", "cv"))
    counted = np.where(np.isnan(cv), -1, place)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = sums(counted, np.nan_to_num(n * cv), whole.rows) / sums(counted, n, whole.rows)
        reduction = np.round(1 - within[place] / group_cv, _DECIMALS)
        coefficient = mean / group_mean
    reduction[~np.isfinite(reduction)] = np.nan

    more, many, falls = (conditions[name] for name in _CONDITIONS)
    reasons = Reasons(parts.rows)
    reasons.note(left_out[place], "excluded_group")
    reasons.note(~np.isfinite(coefficient), "no_mean_cost")
    if more is not None:
        reasons.note(~(group_n > more), f"few_group_cases:{more:g}")
    if many is not None:
        reasons.note(~(n > many), f"few_type_cases:{many:g}")
    if falls is not None:
        reasons.note(np.isnan(reduction), "no_cv_reduction")
        reasons.note(reduction < falls, f"small_cv_reduction:{falls:g}")
    part = parts.column(_PART).cast(pa.int64()).to_numpy()
    result = {
        "group": parts.column("group"),
        "auxiliary_catalogue": pa.repeat(catalogue, parts.rows),
        "auxiliary_type": pa.array([None, *known], pa.string()).take(pa.array(part)),
        "n": parts.column("n"),
        "group_n": pa.array(group_n.astype(np.int64)),
        "mean": nullable(mean),
        "group_mean": nullable(group_mean),
        "cv": nullable(cv),
        "group_cv": nullable(group_cv),
        "cv_reduction": nullable(reduction),
        "coefficient": nullable(np.where(reasons.noted, np.nan, coefficient)),
        "triggered": pa.array(~reasons.noted),
        "reason": reasons.column(),
    }
    return text_columns(pa.table(result)).filter(pa.array(part > 0))


def _types_of(columns: Columns) -> tuple[Codes, pa.Array]:
    """Return the row of each type, and the types, of a column of lists or of texts joined by ``|``."""
    column = columns.column("auxiliary_types")
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    try:
        if pa.types.is_null(kind):
            column = column.cast(pa.list_(pa.string()))
        elif not pa.types.is_nested(kind):
            column = pc.split_pattern(column.cast(pa.string()) if pa.types.is_string_view(kind) else column, "|")
        lists = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        return pc.list_parent_indices(lists).to_numpy(zero_copy_only=False), pc.list_flatten(lists)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        name = columns.own_name("auxiliary_types")
        raise CaseError(f"column {name!r} holds {kind}: give lists of types, or texts joined by |") from error


@reads_once
def apply_auxiliary(cases: Any, table: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Give each case the highest coefficient of the auxiliary types (辅助目录) that it triggers.

    Parameters
    ----------
    cases
        Any table with a row a case: ``auxiliary_types``, lists or texts joined by ``|``, and ``group`` if the table has
        it.
    table
        The coefficients, such as that of `build_auxiliary_table`: ``auxiliary_type`` and ``coefficient``, and ``group``
        where they differ by group.
    columns
        The cases' names of columns by the library's names.

    Returns
    -------
    The caller's table with ``auxiliary_type`` (the one that counts) and ``auxiliary`` (its coefficient; 1 where
    nothing is triggered, or nothing that the table names).

    Notes
    -----
    Several triggered types do not multiply: the highest coefficient counts. Source: DIP 3.0 draft, chapter 5.

    Examples
    --------
    >>> table = [{"auxiliary_type": "icu 2-7", "coefficient": 1.6}, {"auxiliary_type": "age 65+", "coefficient": 1.1}]
    >>> apply_auxiliary([{"auxiliary_types": ["age 65+", "icu 2-7"]}], table)[0]["auxiliary"]
    1.6
    """
    prices = Columns(table, ["auxiliary_type", "coefficient"], what="the auxiliary coefficients")
    by_group = "group" in prices
    given = Columns(
        cases, ["auxiliary_types", "group" if by_group else None], columns=columns or {}, optional=["group"]
    )
    rows, texts = _types_of(given)
    flat: dict[str, Any] = {"auxiliary_type": texts}
    keys = ["auxiliary_type"]
    if by_group:
        codes, values = given.codes("group")
        flat["group"] = decode(codes[rows], values)
        keys.append("group")
    place = Columns(pa.table(flat)).match(keys, prices)
    value = np.append(prices.numbers("coefficient"), np.nan)[place]
    names, known = prices.codes("auxiliary_type")
    type_of = np.append(names, -1)[place]
    # The last of a stable order by row, coefficient and name is the highest: ties fall the same way in any order.
    good = np.flatnonzero(~np.isnan(value))
    order = good[np.lexsort((type_of[good], value[good], rows[good]))]
    best, code = np.ones(given.rows), np.full(given.rows, -1, np.int32)
    best[rows[order]], code[rows[order]] = value[order], type_of[order]
    chosen = pc.take(known, pa.array(code, mask=code < 0))
    return add_columns(cases, {"auxiliary_type": chosen, "auxiliary": best})
