"""From grouped cases to prices: weights, scores, outliers, coefficients, points, rates and point values.

Tables in, tables out, in the caller's own container. A group is an opaque text, so that everything works for DRG and
DIP alike and for groups of one's own.
"""

from __future__ import annotations

from drgdip.points.addons import add_points
from drgdip.points.auxiliary import apply_auxiliary, build_auxiliary_table
from drgdip.points.borrowing import borrow_weights, derive_parent_weights, score_parts
from drgdip.points.coefficients import measure_cost_coefficients, remove_inversion
from drgdip.points.combining import combine_coefficients
from drgdip.points.estimates import estimate_value
from drgdip.points.expressions import Expression
from drgdip.points.homogeneity import HomogeneityFigures, homogeneity
from drgdip.points.inclusion import TRIM_METHODS, CaseRule, Trim
from drgdip.points.outlier_policies import (
    DENOMINATORS,
    PAYMENTS,
    Band,
    ByLevel,
    ByPercentile,
    ByWeight,
    OutlierPolicy,
    list_outlier_policies,
    load_outlier_policy,
)
from drgdip.points.outliers import classify_outliers
from drgdip.points.plotting import plot_ratios, plot_weights
from drgdip.points.pricing import case_points
from drgdip.points.published import list_weights, load_standards, load_weights
from drgdip.points.rates import RATE_KEYS, build_rate_table, set_payment_standards
from drgdip.points.readmissions import READMISSION_EXCEPTIONS, mark_readmissions
from drgdip.points.restructuring import restructure_costs, restructure_weights
from drgdip.points.selection import TRIM_STATUSES
from drgdip.points.steps import CASE_KINDS, POINTS_STATUSES
from drgdip.points.tcm import TCM_PARTS, downgrade_tcm, take_higher_group
from drgdip.points.trimming import report_trimming, trim_cases
from drgdip.points.values import base_rate, compute_elastic_value, point_value
from drgdip.points.weighting import WEIGHT_STATUSES, weights

__all__ = [
    "CASE_KINDS",
    "DENOMINATORS",
    "PAYMENTS",
    "POINTS_STATUSES",
    "RATE_KEYS",
    "READMISSION_EXCEPTIONS",
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
    "HomogeneityFigures",
    "OutlierPolicy",
    "Trim",
    "add_points",
    "apply_auxiliary",
    "base_rate",
    "borrow_weights",
    "build_auxiliary_table",
    "build_rate_table",
    "case_points",
    "classify_outliers",
    "combine_coefficients",
    "compute_elastic_value",
    "derive_parent_weights",
    "downgrade_tcm",
    "estimate_value",
    "homogeneity",
    "list_outlier_policies",
    "list_weights",
    "load_outlier_policy",
    "load_standards",
    "load_weights",
    "mark_readmissions",
    "measure_cost_coefficients",
    "plot_ratios",
    "plot_weights",
    "point_value",
    "remove_inversion",
    "report_trimming",
    "restructure_costs",
    "restructure_weights",
    "score_parts",
    "set_payment_standards",
    "take_higher_group",
    "trim_cases",
    "weights",
]
