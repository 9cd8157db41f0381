"""From priced cases to the money of each hospital: policies, budgets, months, the year, all to the fen.

Steps are pure functions: tables in, tables out, with a ledger of the sums that were checked.
"""

from __future__ import annotations

from drgdip._money import split
from drgdip.settle.annual import STAGES, Clearing, clear_year
from drgdip.settle.appraisal import appraise_hospitals, return_deposits
from drgdip.settle.audit import FINDING_KINDS, FINDINGS, audit_cases
from drgdip.settle.audits import AUDIT_STATES, charge_audits, measure_losses, remove_violations
from drgdip.settle.budget import (
    budget_by_factors,
    budget_by_growth,
    budget_by_item,
    budget_by_share,
)
from drgdip.settle.calendar import list_deadlines, mark_lists
from drgdip.settle.capital import Capital, advance_capital, check_prepayment
from drgdip.settle.caps import cap_money, cap_volumes, deduct_growth
from drgdip.settle.coverage import CoverageMinimum, list_coverage_minima, measure_coverage
from drgdip.settle.crossregion import settle_cross_region
from drgdip.settle.division import hold_reserve, split_budget
from drgdip.settle.effects import RULES_WITH_EFFECT, measure_effect
from drgdip.settle.exclusion import EXCLUDED_KINDS, Exclusion, list_exclusions, pay_exclusions
from drgdip.settle.files import read_settlement
from drgdip.settle.ledger import LEDGER, Step
from drgdip.settle.making import make_budget
from drgdip.settle.monthly import Months, month
from drgdip.settle.payers import divide_payers
from drgdip.settle.payment import LIST_STATUSES, PAYMENT_RULES, PAYMENT_STATUSES, price_cases
from drgdip.settle.payments import PAYMENT_KINDS, sum_payments
from drgdip.settle.policies import PolicyInfo, draft_policy, list_policies, load_policy, read_policy
from drgdip.settle.policy import Policy
from drgdip.settle.report import REPORT_FORMATS, write_papers, write_report
from drgdip.settle.review import REVIEW_STATUSES, Review, cap_reviews, review_cases
from drgdip.settle.rules import Citation, ShareBand
from drgdip.settle.scoring import prepare_cases, score_cases
from drgdip.settle.sharing import share_by_institution, share_surplus
from drgdip.settle.sheets import SHEET, make_case_sheets
from drgdip.settle.simulation import Simulation, simulate
from drgdip.settle.statements import make_statements
from drgdip.settle.surplus import measure_surplus
from drgdip.settle.versions import pick_versions
from drgdip.settle.year import Year, settle_year

__all__ = [
    "AUDIT_STATES",
    "EXCLUDED_KINDS",
    "FINDINGS",
    "FINDING_KINDS",
    "LEDGER",
    "LIST_STATUSES",
    "PAYMENT_KINDS",
    "PAYMENT_RULES",
    "PAYMENT_STATUSES",
    "REPORT_FORMATS",
    "REVIEW_STATUSES",
    "RULES_WITH_EFFECT",
    "SHEET",
    "STAGES",
    "Capital",
    "Citation",
    "Clearing",
    "CoverageMinimum",
    "Exclusion",
    "Months",
    "Policy",
    "PolicyInfo",
    "Review",
    "ShareBand",
    "Simulation",
    "Step",
    "Year",
    "advance_capital",
    "appraise_hospitals",
    "audit_cases",
    "budget_by_factors",
    "budget_by_growth",
    "budget_by_item",
    "budget_by_share",
    "cap_money",
    "cap_reviews",
    "cap_volumes",
    "charge_audits",
    "check_prepayment",
    "clear_year",
    "deduct_growth",
    "divide_payers",
    "draft_policy",
    "hold_reserve",
    "list_coverage_minima",
    "list_deadlines",
    "list_exclusions",
    "list_policies",
    "load_policy",
    "make_budget",
    "make_case_sheets",
    "make_statements",
    "mark_lists",
    "measure_coverage",
    "measure_effect",
    "measure_losses",
    "measure_surplus",
    "month",
    "pay_exclusions",
    "pick_versions",
    "prepare_cases",
    "price_cases",
    "read_policy",
    "read_settlement",
    "remove_violations",
    "return_deposits",
    "review_cases",
    "score_cases",
    "settle_cross_region",
    "settle_year",
    "share_by_institution",
    "share_surplus",
    "simulate",
    "split",
    "split_budget",
    "sum_payments",
    "write_papers",
    "write_report",
]
