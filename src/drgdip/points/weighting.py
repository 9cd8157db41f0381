"""Weights of groups from the costs of their cases: weights (权重), scores (分值) and benchmark points (基准点数)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, Reasons, as_list, labels, nullable, text_columns
from drgdip._sums import counts, total
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points.inclusion import GROUPED, with_statuses
from drgdip.points.selection import Selection, spread
from drgdip.points.years import Years, with_years

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Codes, Floats, Keys
    from drgdip.points.inclusion import CaseRule, Trim

__all__ = ["WEIGHT_STATUSES", "weights"]

#: stable (稳定): the weight can be used; unstable (非稳定): there are cases, but no weight to rely on; uncovered
#: (未覆盖): no case; borrowed: the weight comes from elsewhere.
WEIGHT_STATUSES = ("stable", "unstable", "uncovered", "borrowed")
_STABLE, _UNSTABLE, _UNCOVERED, _ = range(len(WEIGHT_STATUSES))
_MEANS = ("arithmetic", "geometric")
_BASES = ("balanced", "overall")


@reads_once
def weights(
    cases: Any,
    by: str | Sequence[str] = "group",
    *,
    scale: float = 1,
    mean: str = "arithmetic",
    years: Mapping[int, float] | None = None,
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    min_cases: int | None = None,
    max_cv: float | None = None,
    base: str | float = "balanced",
    benchmark: str | None = None,
    groups: Sequence[str] | None = None,
    statuses: Sequence[str] | None = GROUPED,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute the weight of each group: its mean cost over the mean cost of all, times a scale.

    Parameters
    ----------
    cases
        Any table with a row a case, the reference data: ``total_cost`` (yuan), ``year`` if ``years`` is given, and the
        columns of ``by``, ``trim`` and ``rules``.
    by
        The column of the group, or several columns whose values make the key (group and level, for example).
    scale
        The weight of a case of mean cost: 1 for relative weights, 1000 for DIP scores, 100 or 1000 for benchmark
        points.
    mean
        ``"arithmetic"`` or ``"geometric"``.
    years
        The weight of each year, such as ``{2022: 1, 2023: 2, 2024: 7}``. Every year of the cases must be named, with 0
        to leave it out. None takes all cases alike.
    trim, rules
        Which cases count; see `trim_cases`.
    min_cases
        A group with fewer cases is unstable; None sets no limit.
    max_cv
        A group whose coefficient of variation is above it is unstable; None sets no limit.
    base
        The divisor. ``"balanced"`` is the mean that makes the mean weight of the cases used equal to the scale; with
        arithmetic means and without year weights, this is the mean of all cases. ``"overall"`` is the mean of all
        cases by the same rule as the groups' means. A number is the yuan of one point (the quota method, 定额法:
        weight = mean / base, without the scale).
    benchmark
        The group that has the weight ``scale`` (the benchmark-disease method, 基准病种法), in place of ``base``.
    groups
        All groups of the scheme: those without a case get a row with the status uncovered.
    statuses
        The statuses of grouping that count, where the table has the column ``status``; None counts every case. The
        cases left out are ``excluded``.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``. With
        ``{"total_cost": "drugs"}`` the weights are sub-scores of drugs.

    Returns
    -------
    A table with a row a group, in the order of their codes: the key; ``cases``, and of them ``invalid``,
    ``excluded``, ``trimmed`` and ``n`` (used), which add up to it; ``share`` of all cases used; ``mean`` (yuan,
    of the kind and with the year weights asked for); ``sd`` and ``cv`` of the cases used, all years alike;
    ``raw_weight``; ``weight``, null where the group is not stable; ``weight_status``, one of `WEIGHT_STATUSES`;
    ``reason``, a code (`drgdip.reasons`). With ``years``, the column ``years`` counts those of the group. Cases without
    a group have the last row.

    Raises
    ------
    CaseError
        No case can be used, or their mean cost is 0.
    PolicyError
        Years that do not fit the cases, or a benchmark group without a mean.

    Notes
    -----
    With year weights a group's mean is the mean of its yearly means over the years in which the group occurs. These
    share the weights of the other years. The sources give the year weights (1:2:7 in the DIP 3.0 draft, 2:3:5 in
    Zhejiang from 2025) but no rule for a missing year. This rule is the library's.

    Source of the formula: 《医疗保障按病种付费管理暂行办法》 (2025), article 15; DIP 3.0 draft, chapter 5.

    Examples
    --------
    >>> cases = [{"group": group, "total_cost": cost} for group, cost in (("A", 6000), ("A", 10000), ("B", 20000))]
    >>> [(row["group"], row["n"], row["weight"]) for row in weights(cases, scale=100)]
    [('A', 2, 66.66666666666667), ('B', 1, 166.66666666666666)]
    """
    keys = as_list(by)
    if mean not in _MEANS:
        raise UnknownNameError("kind of mean", mean, _MEANS, hint=f"There are {' and '.join(_MEANS)}.")
    if not (math.isfinite(scale) and scale > 0):
        raise PolicyError(f"scale={scale!r}: give a number above 0, usually 1, 100 or 1000")
    within = list((trim.within if trim else None) or ())
    rules = with_years(rules, years)
    needed = [*keys, "total_cost", *within, *(rule.column for rule in rules), None if years is None else "year"]
    table = Columns(cases, needed, columns=columns or {}, optional=["year", "status"])
    rules = with_statuses(rules, statuses, table)
    found = table.keys(keys)
    positive = mean == "geometric" or (trim is not None and trim.log)
    selection = Selection(table, found, trim=trim, rules=rules, positive=positive)
    codes = np.where(selection.used, found.codes, -1)
    n = counts(codes, found.size)
    if not n.any():
        some = f"none of the {table.rows} cases can be used{_of(statuses, table)}"
        what = some if table.rows else "there are no cases"
        raise CaseError(
            f"{what}: weights need costs of at least 0 and a group; see report_trimming for what is left out"
        )

    yearly = Years(table, years, selection)
    means = yearly.means(codes, selection.costs, found.size, geometric=mean == "geometric")
    if benchmark is not None:
        divisor = _of_benchmark(benchmark, base, found, means) / scale
    elif isinstance(base, str):
        divisor = _of_all(base, n, means, yearly, selection, geometric=mean == "geometric") / scale
    elif math.isfinite(base) and base > 0:
        divisor = float(base)
    else:
        raise PolicyError(f"base={base!r}: the yuan of one point is a number above 0")
    plain, sd = spread(codes, selection.costs, found.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = means / divisor
        cv = np.where(plain > 0, sd / plain, np.nan)

    tally = selection.tally(found.codes, found.size)
    status, reasons = _judge(n, means, cv, min_cases, max_cv)
    result: dict[str, Any] = dict(found.table)
    result |= _tally_columns(tally, found.size)
    result |= {"share": n / n.sum(), "mean": nullable(means), "sd": nullable(sd), "cv": nullable(cv)}
    if years is not None:
        result["years"] = yearly.years_of(codes, found.size)
    result["raw_weight"] = nullable(raw)
    result["weight"] = nullable(np.where(status == _STABLE, raw, np.nan))
    result["weight_status"] = labels(status, WEIGHT_STATUSES)
    result["reason"] = reasons.column()
    complete = _with_uncovered(text_columns(pa.table(result)), keys, groups)
    return to_kind(_with_ungrouped(complete, keys, tally), cases)


def _of(statuses: Sequence[str] | None, table: Columns) -> str:
    """Return words for an error about the statuses that count."""
    return "" if statuses is None or "status" not in table else f", of which only those {' or '.join(statuses)} count"


def _of_benchmark(benchmark: str, base: str | float, found: Keys, means: Floats) -> float:
    """Return the mean cost of the benchmark group."""
    if base != "balanced":
        raise PolicyError("base= and benchmark= both say what is divided by: give one of them")
    if len(found.table) != 1:
        raise PolicyError(
            f"benchmark={benchmark!r} names a group, but the key is {', '.join(found.table)}: use one column"
        )
    (known,) = (values.to_pylist() for values in found.table.values())
    if benchmark not in known:
        raise UnknownNameError("group", benchmark, known, hint="The benchmark group needs cases.")
    value = means[known.index(benchmark)]
    if not value > 0:
        raise PolicyError(f"the benchmark group {benchmark!r} has no mean cost above 0: choose another")
    return float(value)


def _of_all(base: str, n: Codes, means: Floats, yearly: Years, selection: Selection, *, geometric: bool) -> float:
    """Return the mean cost of all cases, balanced over the groups or by the rule of the groups' means."""
    if base not in _BASES:
        hint = "Give 'balanced', 'overall', or the yuan of one point as a number."
        raise UnknownNameError("base", base, _BASES, hint=hint)
    if base == "balanced":
        some = ~np.isnan(means)
        value = total(np.where(some, n * np.where(some, means, 0.0), 0.0)) / n[some].sum() if some.any() else math.nan
    else:
        value = yearly.means(np.where(selection.used, 0, -1), selection.costs, 1, geometric=geometric)[0]
    if not value > 0:
        raise CaseError("the mean cost of all cases is 0: weights cannot be computed; see whether the costs were read")
    return float(value)


def _judge(n: Codes, means: Floats, cv: Floats, min_cases: int | None, max_cv: float | None) -> tuple[Codes, Reasons]:
    """Return the status of each group, and the reasons of those that are not stable."""
    reasons = Reasons(len(n))
    uncovered = (n == 0) | np.isnan(means)
    reasons.note(uncovered, "no_case_used")
    reasons.note(means == 0, "zero_mean_cost")
    if min_cases is not None:
        reasons.note(n < min_cases, f"few_cases:{min_cases}")
    if max_cv is not None:
        reasons.note(np.isnan(cv), "no_cv")
        reasons.note(cv > max_cv, f"high_cv:{max_cv:g}")
    status = np.where(uncovered, _UNCOVERED, np.where(reasons.noted, _UNSTABLE, _STABLE)).astype(np.int8)
    return status, reasons


def _tally_columns(tally: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the counts of cases of each group as columns."""
    part = {name: values[:size] for name, values in tally.items()}
    trimmed = part["below"] + part["above"]
    return {
        "cases": part["used"] + part["invalid"] + part["excluded"] + trimmed,
        "invalid": part["invalid"],
        "excluded": part["excluded"],
        "trimmed": trimmed,
        "n": part["used"],
    }


def _with_uncovered(result: pa.Table, keys: list[str], groups: Sequence[str] | None) -> pa.Table:
    """Add a row for each group of the scheme that has no case."""
    if groups is None:
        return result
    if len(keys) != 1:
        raise PolicyError(f"groups= lists groups, but the key is {', '.join(keys)}: use one column")
    listed = dict.fromkeys(str(group) for group in groups)
    found = set(result[keys[0]].to_pylist())
    unknown = sorted(found - set(listed))
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise PolicyError(
            f"cases have the group {unknown[0]!r}{more}, which groups= does not list: add it, or mend the cases"
        )
    missing = [group for group in listed if group not in found]
    rows = [
        {keys[0]: group, "weight_status": "uncovered", "reason": "no_case", "share": 0.0}
        | dict.fromkeys(("cases", "invalid", "excluded", "trimmed", "n"), 0)
        | ({"years": 0} if "years" in result.column_names else {})
        for group in missing
    ]
    joined = pa.concat_tables([result, pa.Table.from_pylist(rows, result.schema)])
    return joined.take(pc.sort_indices(joined[keys[0]]))


def _with_ungrouped(result: pa.Table, keys: list[str], tally: dict[str, Any]) -> pa.Table:
    """Add a row for the cases without a group."""
    last = {name: int(values[-1]) for name, values in tally.items()}
    cases = sum(last.values())
    if not cases:
        return result
    row = {
        **dict.fromkeys(keys),
        "cases": cases,
        "invalid": last["invalid"],
        "excluded": last["excluded"],
        "trimmed": 0,
        "n": 0,
        "share": 0.0,
        "reason": "without_group",
    }
    return pa.concat_tables([result, pa.Table.from_pylist([row], result.schema)])
