"""From priced cases to the money of each hospital: policies, budgets, months, the year, all to the fen.

Steps are pure functions: tables in, tables out, with a ledger of the sums that were checked.
"""

from __future__ import annotations

from drgdip._money import split
from drgdip.settle.annual import STAGES, Clearing, clear_year
from drgdip.settle.audit import FINDING_KINDS, FINDINGS, audit_cases
from drgdip.settle.budget import (
    budget_by_factors,
    budget_by_growth,
    budget_by_item,
    budget_by_share,
)
from drgdip.settle.capital import advance_capital
from drgdip.settle.coverage import CoverageMinimum, list_coverage_minima, measure_coverage
from drgdip.settle.division import hold_reserve, split_budget
from drgdip.settle.files import read_settlement
from drgdip.settle.ledger import LEDGER, Step
from drgdip.settle.making import make_budget
from drgdip.settle.monthly import mark_lists, month
from drgdip.settle.payment import LIST_STATUSES, PAYMENT_RULES, PAYMENT_STATUSES, price_cases
from drgdip.settle.policies import PolicyInfo, draft_policy, list_policies, load_policy, read_policy
from drgdip.settle.policy import Policy
from drgdip.settle.report import REPORT_FORMATS, write_papers, write_report
from drgdip.settle.review import REVIEW_STATUSES, Review, cap_reviews, review_cases
from drgdip.settle.rules import Citation, ShareBand
from drgdip.settle.scoring import prepare_cases
from drgdip.settle.sharing import share_surplus
from drgdip.settle.sheets import SHEET, make_case_sheets
from drgdip.settle.simulation import Simulation, simulate
from drgdip.settle.statements import make_statements
from drgdip.settle.surplus import measure_surplus
from drgdip.settle.year import Year, settle_year

__all__ = [
    "FINDINGS",
    "FINDING_KINDS",
    "LEDGER",
    "LIST_STATUSES",
    "PAYMENT_RULES",
    "PAYMENT_STATUSES",
    "REPORT_FORMATS",
    "REVIEW_STATUSES",
    "SHEET",
    "STAGES",
    "Citation",
    "Clearing",
    "CoverageMinimum",
    "Policy",
    "PolicyInfo",
    "Review",
    "ShareBand",
    "Simulation",
    "Step",
    "Year",
    "advance_capital",
    "audit_cases",
    "budget_by_factors",
    "budget_by_growth",
    "budget_by_item",
    "budget_by_share",
    "cap_reviews",
    "clear_year",
    "draft_policy",
    "hold_reserve",
    "list_coverage_minima",
    "list_policies",
    "load_policy",
    "make_budget",
    "make_case_sheets",
    "make_statements",
    "mark_lists",
    "measure_coverage",
    "measure_surplus",
    "month",
    "prepare_cases",
    "price_cases",
    "read_policy",
    "read_settlement",
    "review_cases",
    "settle_year",
    "share_surplus",
    "simulate",
    "split",
    "split_budget",
    "write_papers",
    "write_report",
]
