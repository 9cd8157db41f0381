"""From grouped cases to prices: weights, scores, outliers, coefficients, points, rates and point values.

Tables in, tables out, in the caller's own container; a group is an opaque text, so that everything works for
DRG and DIP alike and for groups of one's own.
"""

from __future__ import annotations

from drgdip.points.auxiliary import auxiliary_coefficients, auxiliary_table
from drgdip.points.coefficients import (
    combine_coefficients,
    cost_coefficients,
    remove_inversion,
)
from drgdip.points.expressions import Expression
from drgdip.points.outliers import (
    DENOMINATORS,
    PAYMENTS,
    Band,
    ByLevel,
    ByPercentile,
    ByWeight,
    OutlierPolicy,
    classify_outliers,
    list_outlier_policies,
    outlier_policy,
)
from drgdip.points.plotting import plot_ratios, plot_weights
from drgdip.points.pricing import CASE_KINDS, POINTS_STATUSES, case_points, mark_readmissions
from drgdip.points.published import list_weights, standards_of, weights_of
from drgdip.points.rates import (
    RATE_KEYS,
    base_rate,
    elastic_value,
    estimated_value,
    payment_standards,
    point_value,
    rate_table,
)
from drgdip.points.restructuring import restructure_costs, restructure_weights
from drgdip.points.tcm import TCM_PARTS, downgrade_tcm, higher_of_groups
from drgdip.points.trimming import TRIM_METHODS, TRIM_STATUSES, CaseRule, Trim, trim_cases, trim_report
from drgdip.points.weighting import WEIGHT_STATUSES, borrow_weights, parent_weights, part_scores, weights

__all__ = [
    "CASE_KINDS",
    "DENOMINATORS",
    "PAYMENTS",
    "POINTS_STATUSES",
    "RATE_KEYS",
    "TCM_PARTS",
    "TRIM_METHODS",
    "TRIM_STATUSES",
    "WEIGHT_STATUSES",
    "Band",
    "ByLevel",
    "ByPercentile",
    "ByWeight",
    "CaseRule",
    "Expression",
    "OutlierPolicy",
    "Trim",
    "auxiliary_coefficients",
    "auxiliary_table",
    "base_rate",
    "borrow_weights",
    "case_points",
    "classify_outliers",
    "combine_coefficients",
    "cost_coefficients",
    "downgrade_tcm",
    "elastic_value",
    "estimated_value",
    "higher_of_groups",
    "list_outlier_policies",
    "list_weights",
    "mark_readmissions",
    "outlier_policy",
    "parent_weights",
    "part_scores",
    "payment_standards",
    "plot_ratios",
    "plot_weights",
    "point_value",
    "rate_table",
    "remove_inversion",
    "restructure_costs",
    "restructure_weights",
    "standards_of",
    "trim_cases",
    "trim_report",
    "weights",
    "weights_of",
]
