"""Points (点数) of cases: what each earns under the weights, coefficients and rules, with every step as a column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once
from drgdip._columns import Columns, add_columns
from drgdip._sums import blocks
from drgdip.errors import CaseError, PolicyError
from drgdip.points.expressions import Expression
from drgdip.points.inclusion import GROUPED, with_statuses
from drgdip.points.outlier_policies import OutlierPolicy, load_outlier_policy
from drgdip.points.outliers import columns_of
from drgdip.points.steps import CASE_KINDS, INCOMPLETE_NAMES, Parameter, Pricing, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes

__all__ = ["case_points"]

#: The column that a kind of case needs beside its cost.
_COLUMNS_OF_KINDS = {"bed_day": "los", "special_review": "reasonable_cost"}


@reads_once
def case_points(
    cases: Any,
    weights: Any,
    *,
    coefficient: str | float | None = None,
    auxiliary: str | float | None = None,
    outliers: OutlierPolicy | str | None = None,
    reference: Any = None,
    kind: str | None = None,
    incomplete: str | None = None,
    bed_day_points: str | float | None = None,
    mean_cost: float | None = None,
    scale: float | None = None,
    readmission: str | None = None,
    statuses: Sequence[str] | None = GROUPED,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute the points of each case.

    The points of an ordinary case are weight x factor x readmission factor. The factor is coefficient x auxiliary. For
    an outlier, the policy declares the factor.

    Parameters
    ----------
    cases
        Any table with a row a case: ``group``, and as the rules need ``total_cost`` (yuan), ``level``, ``los`` (days of
        bed-day cases) and ``reasonable_cost`` (yuan, as special review found).
    weights
        A table with ``group`` and ``weight`` on the scale that the points shall have. ``mean`` (yuan) is read where the
        denominator is the group's mean and ``reference`` is not given.
    coefficient
        The coefficient (系数) of the case: a column, or a number for all; None is 1.
    auxiliary
        The auxiliary coefficient (辅助目录系数): a column, or a number for all; None is 1.
    outliers
        The outlier policy, or the name of a variant. None treats no case as an outlier.
    reference
        The divisor of the policy, as for `classify_outliers`. None takes ``mean`` of the weights.
    kind
        The column of the kind of each case, one of `CASE_KINDS`. None takes all as complete.
    incomplete
        The factor on the weight of an incomplete stay, a formula over ratio (cost over the group's mean), coefficient
        and auxiliary. ``"min(1, ratio * coefficient)"`` is the rule of Zhejiang 2019, ``"min(1, ratio)"`` that of
        Jinhua 2017.
    bed_day_points
        The points of a day of bed-day cases: a column, or a number.
    mean_cost, scale
        The mean cost of all cases (yuan), and the points that a case of mean cost gets. Cases by item and after special
        review have the points cost / mean_cost x scale.
    readmission
        The column of a factor on the points, such as that of `mark_readmissions`.
    statuses
        The statuses of grouping under which the weight of a group is earned, where the table has the column ``status``.
        Others have the reason ``not_grouped``; None asks for no status. Cases by item, by day or after special
        review are priced without a group.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    The caller's table with a column for each step that takes part, so that the sum can be redone:
    ``case_kind``, ``weight``, ``coefficient``, ``auxiliary``, ``reference_cost``, ``cost_ratio``, ``outlier``,
    ``factor``, ``readmission_factor``. It always has ``points_rule`` (the formula that was used; a name without a
    column is 1), ``points``, ``points_status`` (one of `POINTS_STATUSES`) and ``points_reason`` (a code).

    Raises
    ------
    UnknownNameError
        A column that is not there.
    PolicyError
        The cases hold a kind for which no rule is given, or the weights have a group twice.

    Notes
    -----
    Sources: DIP 3.0 draft, chapter 5 (score = RW x κ x α); 《金华市按病组点数法计费简明示意》 (2017);
    浙江省住院费用 DRGs 点数付费暂行办法 (2019).

    Examples
    --------
    >>> cases = [{"group": "A", "total_cost": 5000.0}, {"group": "B", "total_cost": 100.0}]
    >>> for case in case_points(cases, [{"group": "A", "weight": 100.0}], coefficient=1.1):
    ...     print(case["points"], case["points_status"], case["points_reason"])
    110.00000000000001 priced None
    None unpriced group_not_in_weights
    """
    policy = load_outlier_policy(outliers) if isinstance(outliers, str) else outliers
    prices = Columns(weights, ["group", "weight"], what="the weights")
    needed = ["group", kind, readmission]
    needed += [given for given in (coefficient, auxiliary, bed_day_points) if isinstance(given, str)]
    needed += [] if policy is None else columns_of(policy, reference)
    needed += ["total_cost"] if policy is not None or kind is not None else []
    optional = ("total_cost", "level", "los", "reasonable_cost", "status")
    table = Columns(cases, needed, columns=columns or {}, optional=optional)
    kinds = _kinds(table, kind)
    present = {CASE_KINDS[code] for code in np.unique(kinds) if code >= 0}
    by_item = policy is not None and any(band.payment == "item" for band in policy.bands)
    by_item |= policy is not None and policy.zero_weight == "item" and bool((prices.numbers("weight") == 0).any())
    _check_means(present, mean_cost, scale, by_item=by_item)
    _check_rules(present, policy, incomplete, bed_day_points)
    table.require(name for kind, name in _COLUMNS_OF_KINDS.items() if kind in present)

    steps = Steps(
        coefficient=Parameter(table, coefficient, 1.0),
        auxiliary=Parameter(table, auxiliary, 1.0),
        readmission=Parameter(table, readmission, 1.0),
        bed_day_points=Parameter(table, bed_day_points, math.nan),
        days=table.numbers("los") if "bed_day" in present else None,
        reasonable=table.numbers("reasonable_cost") if "special_review" in present else None,
        points_of_yuan=math.nan if mean_cost is None or scale is None else scale / mean_cost,
        incomplete=None if incomplete is None else Expression(incomplete, INCOMPLETE_NAMES),
        shows_kind=kind is not None,
    )
    pricing = Pricing(table, policy, prices, steps, present, reference, _left_out(table, statuses))
    for part in blocks(table.rows):
        pricing.price(part, kinds[part])
    return add_columns(cases, pricing.result(kinds))


def _left_out(columns: Columns, statuses: Sequence[str] | None) -> NDArray[np.bool_]:
    """Return which cases have a status that earns no weight."""
    rules = with_statuses((), statuses, columns)
    return rules[0].violated(columns) if rules else np.zeros(columns.rows, bool)


def _kinds(columns: Columns, kind: str | None) -> Codes:
    """Return the place in `CASE_KINDS` of each case, -1 where the case has none."""
    if kind is None:
        return np.zeros(columns.rows, np.int8)
    codes, values = columns.codes(kind)
    known = pc.fill_null(pc.index_in(values, value_set=pa.array(CASE_KINDS)), -1).to_numpy(zero_copy_only=False)
    unknown = [value for value, code in zip(values.to_pylist(), known, strict=True) if code < 0]
    if unknown:
        raise CaseError(f"column {kind!r} holds {unknown[0]!r}: the kinds of a case are {', '.join(CASE_KINDS)}")
    return np.append(known, -1).astype(np.int8)[codes]


def _check_means(present: set[str], mean_cost: float | None, scale: float | None, *, by_item: bool) -> None:
    """Raise PolicyError where mean cost or scale is impossible, or missing for cases that are priced by their cost."""
    for name, value in (("mean_cost", mean_cost), ("scale", scale)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise PolicyError(f"{name}={value!r}: give a number above 0")
    if (present & {"special_review", "by_item"} or by_item) and (mean_cost is None or scale is None):
        raise PolicyError(
            "there are cases by item or after special review: give mean_cost= (yuan) and scale= of the weights"
        )


def _check_rules(
    present: set[str], policy: OutlierPolicy | None, incomplete: str | None, bed_day_points: str | float | None
) -> None:
    """Raise PolicyError where there are cases of a kind for which no rule is given."""
    if "incomplete" in present and incomplete is None:
        raise PolicyError(
            "there are incomplete stays: give incomplete= a formula such as 'min(1, ratio * coefficient)'"
        )
    if "bed_day" in present and bed_day_points is None:
        raise PolicyError("there are bed-day cases: give bed_day_points= the points of a day")
    if "blank" in present and (policy is None or policy.blank is None):
        raise PolicyError(
            "there are cases in blank groups: give outliers= a policy that says what they are worth (blank=)"
        )
