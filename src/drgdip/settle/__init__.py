"""From priced cases to what each hospital is paid: policies, budgets, months, the year, all to the fen.

Steps are pure functions: tables in, tables out, with a ledger of what was checked.
"""

from __future__ import annotations

from drgdip._money import split
from drgdip.settle.annual import STAGES, Clearing, clear_year, share_surplus, surplus
from drgdip.settle.budget import (
    budget_by_factors,
    budget_by_growth,
    budget_by_item,
    budget_by_share,
    hold_reserve,
    split_budget,
)
from drgdip.settle.coverage import coverage, coverage_minima
from drgdip.settle.files import read_settlement
from drgdip.settle.ledger import LEDGER, Step
from drgdip.settle.monthly import mark_lists, month, working_capital
from drgdip.settle.payment import LIST_STATUSES, PAYMENT_RULES, PAYMENT_STATUSES, price_cases, score_cases
from drgdip.settle.policy import Citation, Policy, ShareBand, list_presets, preset, read_policy
from drgdip.settle.report import REPORT_FORMATS, statements, write_report
from drgdip.settle.review import REVIEW_STATUSES, Review, review_cap, special_review
from drgdip.settle.simulation import Simulation, Year, settle_year, simulate

__all__ = [
    "LEDGER",
    "LIST_STATUSES",
    "PAYMENT_RULES",
    "PAYMENT_STATUSES",
    "REPORT_FORMATS",
    "REVIEW_STATUSES",
    "STAGES",
    "Citation",
    "Clearing",
    "Policy",
    "Review",
    "ShareBand",
    "Simulation",
    "Step",
    "Year",
    "budget_by_factors",
    "budget_by_growth",
    "budget_by_item",
    "budget_by_share",
    "clear_year",
    "coverage",
    "coverage_minima",
    "hold_reserve",
    "list_presets",
    "mark_lists",
    "month",
    "preset",
    "price_cases",
    "read_policy",
    "read_settlement",
    "review_cap",
    "score_cases",
    "settle_year",
    "share_surplus",
    "simulate",
    "special_review",
    "split",
    "split_budget",
    "statements",
    "surplus",
    "working_capital",
    "write_report",
]
