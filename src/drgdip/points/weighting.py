"""Weights of groups from the costs of their cases: weights (权重), scores (分值) and benchmark points (基准点数)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import to_arrow, to_kind
from drgdip._columns import Columns, add_columns, as_list, labels, nullable, text_columns
from drgdip._sums import counts, sums, total
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points.trimming import CaseRule, Selection, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip._columns import Codes, Floats, Keys
    from drgdip.points.trimming import Trim

__all__ = ["WEIGHT_STATUSES", "borrow_weights", "parent_weights", "part_scores", "weights"]

#: stable (稳定): the weight can be used; unstable (非稳定): there are cases, but no weight to rely on; uncovered
#: (未覆盖): no case; borrowed: the weight comes from elsewhere.
WEIGHT_STATUSES = ("stable", "unstable", "uncovered", "borrowed")
_MEANS = ("arithmetic", "geometric")


def weights(
    cases: Any,
    by: str | Sequence[str] = "group",
    *,
    cost: str = "total_cost",
    scale: float = 1,
    mean: str = "arithmetic",
    years: Mapping[int, float] | None = None,
    year: str = "year",
    trim: Trim | None = None,
    rules: Sequence[CaseRule] = (),
    min_cases: int | None = None,
    max_cv: float | None = None,
    base: str | float = "balanced",
    benchmark: str | None = None,
    groups: Sequence[str] | None = None,
) -> Any:
    """Compute the weight of each group: its mean cost over the mean cost of all, times a scale.

    Parameters
    ----------
    cases
        Any table with a row a case: the reference data.
    by
        The column of the group, or several columns whose values make the key (group and level, for example).
    cost
        The column of the cost, in yuan. A column of drugs or consumables gives their sub-scores.
    scale
        What a case of mean cost gets: 1 for relative weights, 1000 for DIP scores, 100 or 1000 for benchmark
        points.
    mean
        ``"arithmetic"`` or ``"geometric"``.
    years
        The weight of each year, such as ``{2022: 1, 2023: 2, 2024: 7}``; every year of the cases must be named,
        with 0 to leave it out. None takes all cases alike.
    year
        The column of the year, which is read only when ``years`` is given.
    trim, rules
        Which cases count; see `trim_cases`.
    min_cases
        A group with fewer cases is unstable; None sets no limit.
    max_cv
        A group whose coefficient of variation is above it is unstable; None sets no limit.
    base
        What is divided by: ``"balanced"``, the mean that makes the mean weight of the cases used equal to the
        scale (with arithmetic means and without year weights this is the mean of all cases); ``"overall"``, the
        mean of all cases by the same rule as the groups' means; or a number, the yuan of one point (the quota
        method, 定额法: weight = mean / base, the scale does not enter).
    benchmark
        The group that has the weight ``scale`` (the benchmark-disease method, 基准病种法), in place of ``base``.
    groups
        All groups of the scheme: those without a case get a row with the status uncovered.

    Returns
    -------
    A table with a row a group, in the order of their codes: the key; ``cases``, and of them ``invalid``,
    ``excluded``, ``trimmed`` and ``n`` (used), which add up to it; ``share`` of all cases used; ``mean`` (yuan,
    of the kind and with the year weights asked for); ``sd`` and ``cv`` of the cases used, all years alike;
    ``raw_weight``; ``weight``, null where the group is not stable; ``weight_status``, one of `WEIGHT_STATUSES`;
    ``reason``. With ``years``, also ``years``: how many of them the group occurs in. Cases without a group have
    the last row.

    Raises
    ------
    CaseError
        No case can be used, or their mean cost is 0.
    PolicyError
        Years that do not fit the cases, or a benchmark group without a mean.

    Notes
    -----
    With year weights a group's mean is the mean of its yearly means over the years in which the group occurs:
    the weights of the other years are shared among these. The sources give the year weights (1:2:7 in the DIP
    3.0 draft, 2:3:5 in Zhejiang from 2025) but no rule for a missing year; this one is the library's.

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
    rules = with_years(rules, year, years)
    columns = Columns(
        cases, [*keys, cost, *within, *(rule.column for rule in rules), year if years is not None else None]
    )
    found = columns.keys(keys)
    geometric = mean == "geometric"
    positive = geometric or (trim is not None and trim.log)
    selection = Selection(columns, found, cost, trim=trim, rules=rules, positive=positive)
    codes = np.where(selection.used, found.codes, -1)
    n = counts(codes, found.size)
    if not n.any():
        what = "there are no cases" if not columns.rows else f"none of the {columns.rows} cases can be used"
        raise CaseError(f"{what}: weights need costs of at least 0 and a group; see trim_report for what is left out")

    yearly = _Years(columns, year, years, selection)
    means = yearly.means(codes, selection.costs, found.size, geometric=geometric)
    plain, sd = spread(codes, selection.costs, found.size)
    divisor = _divisor(
        base,
        benchmark,
        keys,
        found=found,
        n=n,
        means=means,
        yearly=yearly,
        selection=selection,
        geometric=geometric,
        scale=scale,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = means / divisor
        cv = np.where(plain > 0, sd / plain, np.nan)

    tally = selection.tally(found.codes, found.size)
    status, reason = _judge(n, means, cv, min_cases, max_cv)
    columns_out: dict[str, Any] = dict(found.table)
    columns_out |= _tally_columns(tally, found.size)
    columns_out["share"] = n / n.sum()
    columns_out["mean"] = nullable(means)
    columns_out["sd"] = nullable(sd)
    columns_out["cv"] = nullable(cv)
    if years is not None:
        columns_out["years"] = yearly.years_of(codes, found.size)
    columns_out["raw_weight"] = nullable(raw)
    columns_out["weight"] = nullable(np.where(status == 0, raw, np.nan))
    columns_out["weight_status"] = labels(status, WEIGHT_STATUSES)
    columns_out["reason"] = pa.array(reason, pa.string())
    result = _with_uncovered(text_columns(pa.table(columns_out)), keys, groups)
    return to_kind(_with_ungrouped(result, keys, tally), cases)


def with_years(rules: Sequence[CaseRule], year: str, years: Mapping[int, float] | None) -> tuple[CaseRule, ...]:
    """The rules of inclusion, and one that leaves out the years of weight 0."""
    unused = tuple(str(name) for name, weight in (years or {}).items() if weight == 0)
    return (*rules, CaseRule(year, without=unused)) if unused else tuple(rules)


def year_codes(columns: Columns, year: str, years: Mapping[int, float], used: Any) -> tuple[Codes, Floats]:
    """The year of each case as a code, and the weight of each code."""
    named = {str(name): float(weight) for name, weight in years.items()}
    if len(named) < len(years):
        raise PolicyError(f"years={dict(years)!r} names a year twice: leave one of them")
    if not named or min(named.values()) < 0 or not math.isfinite(sum(named.values())) or not sum(named.values()):
        raise PolicyError(f"years={dict(years)!r}: give each year a weight of at least 0, and one of them more")
    codes, values = columns.codes(year)
    lost = np.flatnonzero(used & (codes < 0))
    if len(lost):
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise CaseError(f"column {year!r} is empty in row {lost[0]}{more}: fill it, or leave the cases out by a rule")
    present = set(values.take(pa.array(np.flatnonzero(counts(np.where(used, codes, -1), len(values))))).to_pylist())
    for name in sorted(present - set(named)):
        raise PolicyError(
            f"there are cases of {name}, which years={dict(years)!r} does not name: give it a weight, 0 to leave it out"
        )
    for name in sorted({name for name, weight in named.items() if weight} - present):
        raise PolicyError(
            f"years={dict(years)!r} names {name}, but no case that counts is of that year: "
            f"leave it out, or mend the cases"
        )
    return codes, np.array([named.get(name, 0.0) for name in values.to_pylist()])


class _Years:
    """Means by year, joined by the years' weights."""

    def __init__(self, columns: Columns, year: str, years: Mapping[int, float] | None, selection: Selection) -> None:
        self.weights = np.ones(1)
        self.codes: Codes | None = None
        if years is None:
            return
        self.codes, self.weights = year_codes(columns, year, years, selection.used)

    def _cells(self, codes: Codes) -> Codes:
        if self.codes is None:
            return codes
        size = int(codes.max(initial=0)) + 1
        wide = codes if size * len(self.weights) < 1 << 31 else codes.astype(np.int64)
        return np.where((codes < 0) | (self.codes < 0), -1, wide * np.int32(len(self.weights)) + self.codes)

    def means(self, codes: Codes, costs: Floats, size: int, *, geometric: bool) -> Floats:
        """The mean of each code, NaN where there is no case in a year that counts."""
        shape = (size, len(self.weights))
        cells = self._cells(codes)
        n = counts(cells, size * len(self.weights)).reshape(shape)
        change = (lambda _, values: np.log(values)) if geometric else None
        sum_ = sums(cells, costs, size * len(self.weights), change).reshape(shape)
        share = np.where(n > 0, self.weights, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(n > 0, sum_ / n, 0.0)
            mean = np.where(n > 0, np.exp(mean), 0.0) if geometric else mean
            top = np.array([math.fsum(row) for row in mean * share])
            mean = top / np.array([math.fsum(row) or math.nan for row in share])
            return np.asarray(mean, np.float64)

    def years_of(self, codes: Codes, size: int) -> Codes:
        """In how many years that count each code occurs."""
        n = counts(self._cells(codes), size * len(self.weights)).reshape(size, -1)
        return np.asarray(((n > 0) & (self.weights > 0)).sum(axis=1), np.int64)


def _divisor(
    base: str | float,
    benchmark: str | None,
    keys: list[str],
    *,
    found: Keys,
    n: Codes,
    means: Floats,
    yearly: _Years,
    selection: Selection,
    geometric: bool,
    scale: float,
) -> float:
    """The yuan that one unit of weight stands for."""
    if benchmark is not None:
        if base != "balanced":
            raise PolicyError("base= and benchmark= both say what is divided by: give one of them")
        if len(keys) != 1:
            raise PolicyError(
                f"benchmark={benchmark!r} names a group, but the key is {', '.join(keys)}: use one column"
            )
        known = found.table[keys[0]].to_pylist()
        if benchmark not in known:
            raise UnknownNameError("group", benchmark, known, hint="The benchmark group needs cases.")
        value = means[known.index(benchmark)]
        if not value > 0:
            raise PolicyError(f"the benchmark group {benchmark!r} has no mean cost above 0: choose another")
        return float(value / scale)
    if isinstance(base, str):
        if base == "balanced":
            some = ~np.isnan(means)
            value = (
                total(np.where(some, n * np.where(some, means, 0.0), 0.0)) / n[some].sum() if some.any() else math.nan
            )
        elif base == "overall":
            value = yearly.means(np.where(selection.used, 0, -1), selection.costs, 1, geometric=geometric)[0]
        else:
            hint = "Give 'balanced', 'overall', or the yuan of one point as a number."
            raise UnknownNameError("base", base, ("balanced", "overall"), hint=hint)
        if not value > 0:
            raise CaseError(
                "the mean cost of all cases is 0: weights cannot be computed; see whether the costs were read"
            )
        return float(value / scale)
    if not (math.isfinite(base) and base > 0):
        raise PolicyError(f"base={base!r}: the yuan of one point is a number above 0")
    return float(base)


def _judge(
    n: Codes, means: Floats, cv: Floats, min_cases: int | None, max_cv: float | None
) -> tuple[Codes, list[str | None]]:
    status = np.zeros(len(n), np.int8)
    reason: list[str | None] = [None] * len(n)
    for row in range(len(n)):
        why = None
        if n[row] == 0 or math.isnan(means[row]):
            status[row], reason[row] = 2, "no case that counts"
            continue
        if means[row] == 0:
            why = "the mean cost is 0"
        elif min_cases is not None and n[row] < min_cases:
            why = f"{n[row]} cases, fewer than {min_cases}"
        elif max_cv is not None and math.isnan(cv[row]):
            why = "a single case has no coefficient of variation"
        elif max_cv is not None and cv[row] > max_cv:
            why = f"the coefficient of variation {cv[row]:.4g} is above {max_cv:g}"
        if why is not None:
            status[row], reason[row] = 1, why
    return status, reason


def _tally_columns(tally: dict[str, Any], size: int) -> dict[str, Any]:
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
        {keys[0]: group, "weight_status": "uncovered", "reason": "no case", "share": 0.0}
        | dict.fromkeys(("cases", "invalid", "excluded", "trimmed", "n"), 0)
        | ({"years": 0} if "years" in result.column_names else {})
        for group in missing
    ]
    joined = pa.concat_tables([result, pa.Table.from_pylist(rows, result.schema)])
    return joined.take(pc.sort_indices(joined[keys[0]]))


def _with_ungrouped(result: pa.Table, keys: list[str], tally: dict[str, Any]) -> pa.Table:
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
        "reason": "cases without a group",
    }
    return pa.concat_tables([result, pa.Table.from_pylist([row], result.schema)])


def part_scores(cases: Any, parts: Sequence[str], by: str | Sequence[str] = "group", **options: Any) -> Any:
    """Compute sub-scores of parts of the cost, such as drugs and consumables.

    Parameters
    ----------
    cases
        Any table with a row a case.
    parts
        The columns of the parts, in yuan.
    by, options
        As for `weights`.

    Returns
    -------
    A table with the key, and for each part ``<part>_n``, ``<part>_mean`` and ``<part>_score``: the group's mean
    of the part over the mean of the part of all cases, times the scale (1 unless given).

    Notes
    -----
    Source: DIP 3.0 draft, chapter 5 (药品分值, 耗材分值), which has no factor of 1000 here.

    Examples
    --------
    >>> cases = [{"group": "A", "drugs": 100}, {"group": "B", "drugs": 300}]
    >>> [(row["group"], row["drugs_score"]) for row in part_scores(cases, ["drugs"])]
    [('A', 0.5), ('B', 1.5)]
    """
    keys = as_list(by)
    if not parts:
        raise PolicyError("parts=[] names no column of cost: give at least one")
    table = to_arrow(cases)
    joined: dict[str, Any] = {}
    for part in as_list(parts):
        found = weights(table, by, cost=part, **options)
        # Every part has the same cases, and so the same keys in the same order.
        joined |= {name: found[name] for name in keys}
        joined[f"{part}_n"] = found["n"]
        joined[f"{part}_mean"] = found["mean"]
        joined[f"{part}_score"] = found["raw_weight"]
    return to_kind(pa.table(joined), cases)


def parent_weights(weights: Any, parents: Any, *, group: str = "group", parent: str = "parent") -> Any:
    """Give each group the weight that its parent as a whole has.

    Parameters
    ----------
    weights
        The table of `weights`.
    parents
        The parent of each group, such as the ADRG of a DRG: a mapping, or a table with the columns ``group``
        and ``parent``. The groups that share a parent are taken together, unstable ones too.
    group, parent
        The columns of the group and of its parent.

    Returns
    -------
    A table with ``group`` and ``weight``: the mean of the siblings' weights before any status, each as often as
    it has cases; null where no sibling has a case.

    Examples
    --------
    >>> table = [{"group": "BR21", "n": 9, "raw_weight": 1.0}, {"group": "BR25", "n": 1, "raw_weight": 2.0}]
    >>> [row["weight"] for row in parent_weights(table, {"BR21": "BR2", "BR25": "BR2"})]
    [1.1, 1.1]
    """
    columns = Columns(weights, [group, "n", "raw_weight"], what="the weights")
    if isinstance(parents, Mapping):
        parents = pa.table({group: list(parents), parent: list(parents.values())}) if parents else []
    tree = Columns(parents, [group, parent], what="the parents")
    place = columns.match([group], tree)
    codes, _ = tree.codes(parent)
    family = np.append(codes, -1)[place]
    size = int(family.max(initial=-1)) + 1
    raw, n = columns.numbers("raw_weight"), columns.numbers("n")
    family_used = np.where(np.isnan(raw) | ~(n > 0), -1, family)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums(family_used, np.nan_to_num(raw * n), size) / sums(family_used, np.nan_to_num(n), size)
    found = np.append(mean, np.nan)[family]
    return to_kind(pa.table({group: columns.column(group), "weight": nullable(found)}), weights)


def borrow_weights(weights: Any, sources: Mapping[str, Any], *, group: str = "group") -> Any:
    """Fill the weights that unstable and uncovered groups lack, from other tables or other groups.

    Parameters
    ----------
    weights
        A table with ``group``, ``weight`` and ``weight_status``, such as that of `weights`.
    sources
        Where to look, in order of preference: a name for each source, and a table with ``group`` and ``weight``
        on the same scale (`parent_weights`, a national list), or a mapping from group to the neighbouring group
        whose weight it takes.
    group
        The column of the group.

    Returns
    -------
    The same table; a filled row has the status ``borrowed``. ``borrowed_from`` names the source. A group that
    no source helps keeps its status.

    Notes
    -----
    Borrowing changes the total weight. `restructure_weights` with no factors but a total brings it back.

    Examples
    --------
    >>> own = [{"group": "B", "weight": None, "weight_status": "unstable"}]
    >>> borrow_weights(own, {"national": [{"group": "B", "weight": 0.8}]})[0]
    {'group': 'B', 'weight': 0.8, 'weight_status': 'borrowed', 'borrowed_from': 'national'}
    """
    columns = Columns(weights, [group, "weight", "weight_status"], what="the weights")
    own = columns.numbers("weight")
    found = own.copy()
    source = np.full(columns.rows, -1, np.int32)
    for number, (name, table) in enumerate(sources.items()):
        if isinstance(table, Mapping):
            # A neighbour lends the weight it has itself, never one it borrowed.
            pairs = Columns(pa.table({group: list(table), "neighbour": list(table.values())}), what=f"source {name!r}")
            place = np.append(pairs.match(["neighbour"], columns, [group]), -1)[columns.match([group], pairs)]
            offered = np.append(own, np.nan)[place]
        else:
            other = Columns(table, [group, "weight"], what=f"source {name!r}")
            offered = np.append(other.numbers("weight"), np.nan)[columns.match([group], other)]
        taken = np.isnan(found) & ~np.isnan(offered)
        found[taken] = offered[taken]
        source[taken] = number
    status = [
        "borrowed" if taken else old
        for taken, old in zip(source >= 0, columns.column("weight_status").to_pylist(), strict=True)
    ]
    return add_columns(
        weights,
        {
            "weight": nullable(found),
            "weight_status": pa.array(status, pa.string()),
            "borrowed_from": labels(source, list(sources)).cast(pa.string()),
        },
    )
