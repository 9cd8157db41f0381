"""Cases: how each is paid, what the fund owes, and what stays without a price."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drgdip import points
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import Policy, cap_reviews, prepare_cases, price_cases, review_cases

D = Decimal
CASE = {
    "case_id": "1",
    "hospital": "H",
    "pool": "p",
    "points": 1.0,
    "total_cost": 900,
    "fund_booked": 600,
    "patient_paid": 300,
}
CASE |= {"own_paid": 50, "out_of_scope": 30, "deductible": 20, "reimbursement_rate": 0.8, "deductions": 10, "los": 5}


def policy(rates=({"base_rate": 1000},), **changed):
    base = {
        "id": "t",
        "title": "t",
        "family": "drg",
        "pools": ["p", "q"],
        "form": "fixed",
        "rates": list(rates),
        "points": {"scale": 1},
        "cases": {"payable": "residual"},
        "month": {"ratio": 1},
        "year": {"fund": "standards"},
    }
    return Policy.of({**base, **changed})


def priced(case=None, rule=None, **options):
    return price_cases([CASE | (case or {})], rule or policy(), **options).table[0]


@pytest.mark.parametrize(
    ("cases", "payable"),
    [
        ({"payable": "residual"}, 700),
        ({"payable": "itemised"}, 710),  # (1,000 - 50 - 30 - 20) x 0.8 - 10
        ({"payable": "ratio", "fund_share": {"p": D("0.7"), "q": 1}}, 700),
        ({"payable": "item"}, 600),
    ],
)
def test_four_ways_to_find_what_the_fund_owes(cases, payable):
    assert priced(rule=policy(cases=cases))["payable"] == payable


def test_a_floor_lifts_what_is_below_0():
    low = {"points": 0.1}
    assert priced(low)["payable"] == -200
    assert priced(low, policy(cases={"payable": "residual", "floor": True}))["payable"] == 0


REVIEW = {"cap": D("0.05"), "outcome": "standard"}
ITEM_OUTLIERS = {"variant": "chongqing-2025-multiple"}


@pytest.mark.parametrize(
    ("case", "changed", "rule", "standard", "payable"),
    [
        ({}, {}, "points", 1000, 700),
        ({"case_kind": "by_item"}, {"cases": {"payable": "residual", "item_kinds": ["by_item"]}}, "item", 900, 600),
        ({"los": 61}, {"cases": {"payable": "residual", "longest_stay": 60}}, "item", 900, 600),
        ({"los": 60}, {"cases": {"payable": "residual", "longest_stay": 60}}, "points", 1000, 700),
        (
            {"case_kind": "bed_day", "los": 4},
            {"cases": {"payable": "residual", "bed_day_rates": {"p": 200}}},
            "bed_day",
            800,
            500,
        ),
        (
            {"cross_region": True},
            {"cases": {"payable": "residual", "cross_region": "fixed", "cross_region_rates": [{"base_rate": 950}]}},
            "cross_region",
            950,
            650,
        ),
        ({"cross_region": True}, {"cases": {"payable": "residual", "cross_region": "item"}}, "item", 900, 600),
        ({"cross_region": True}, {"cases": {"payable": "residual", "cross_region": "same"}}, "points", 1000, 700),
        ({"cross_region": False}, {}, "points", 1000, 700),
        ({"outlier": "high"}, {"outliers": ITEM_OUTLIERS}, "item", 900, 600),
        ({"outlier": "normal"}, {"outliers": ITEM_OUTLIERS}, "points", 1000, 700),
        ({"review_status": "approved", "reasonable_cost": 850}, {"review": REVIEW}, "review", 850, 550),
        ({"review_status": "over_cap", "reasonable_cost": 850}, {"review": REVIEW}, "points", 1000, 700),
        ({"review_status": "approved"}, {"review": REVIEW | {"outcome": "item"}}, "item", 900, 600),
    ],
)
def test_the_rule_of_a_case(case, changed, rule, standard, payable):
    found = priced(case, policy(**changed))
    assert (found["payment_rule"], found["standard"], found["payable"]) == (rule, standard, payable)


def test_the_profit_of_outliers_may_be_set_to_0():
    rule = policy(outliers=ITEM_OUTLIERS, cases={"payable": "residual", "neutral_outliers": True})
    found = price_cases([CASE | {"outlier": name} for name in ("normal", "high")], rule).table
    assert [(row["profit_formula"], row["adjustment"], row["profit"]) for row in found] == [(100, 0, 100), (0, 0, 0)]
    floating = policy(
        outliers={"variant": "dip-1.0"},
        form="floating",
        year={"fund": "budget"},
        cases={"payable": "residual", "neutral_outliers": True},
    )
    found = price_cases([CASE | {"outlier": "high"}], floating).table[0]
    assert (found["profit_formula"], found["adjustment"], found["profit"]) == (100, -100, 0)


BED_DAYS = {"payable": "residual", "bed_day_rates": {"p": 1}}


@pytest.mark.parametrize(
    ("case", "changed", "reason"),
    [
        ({"points": None}, {}, "bad_points"),
        ({"points": -0.5}, {}, "bad_points"),
        (
            {"pool": "q"},
            {"rates": [{"pool": "p", "base_rate": 1}]},
            "no_rate",
        ),
        (
            {"discharged": datetime.date(2023, 12, 31)},
            {"valid_from": "2024-01-01"},
            "outside_policy_dates",
        ),
        ({"discharged": None}, {"valid_to": "2024-01-01"}, "outside_policy_dates"),
        (
            {"case_kind": "bed_day", "los": None},
            {"cases": BED_DAYS},
            "bad_bed_days",
        ),
        ({"points": float("inf")}, {}, "bad_points"),
        ({"case_kind": "bed_day", "los": 1.5}, {"cases": BED_DAYS}, "bad_bed_days"),
        ({"case_kind": "bed_day", "los": 10**7}, {"cases": BED_DAYS}, "bad_bed_days"),
        ({"case_kind": "bed_day", "los": 3, "pool": "q"}, {"cases": BED_DAYS}, "no_rate"),
        ({"patient_paid": None}, {}, "missing_amount"),
        ({"total_cost": None}, {}, "missing_amount"),
        ({"fund_booked": -1}, {}, "negative_amount"),
        ({"reimbursement_rate": None}, {"cases": {"payable": "itemised"}}, "bad_reimbursement_rate"),
        ({"reimbursement_rate": 80.0}, {"cases": {"payable": "itemised"}}, "bad_reimbursement_rate"),
        ({"reimbursement_rate": -0.1}, {"cases": {"payable": "itemised"}}, "bad_reimbursement_rate"),
        ({"own_paid": None}, {"cases": {"payable": "itemised"}}, "missing_amount"),
        ({"review_status": "approved", "reasonable_cost": -1}, {"review": REVIEW}, "bad_reasonable_cost"),
    ],
)
def test_a_case_that_cannot_be_priced_stays_with_its_reason(case, changed, reason):
    discharged = {"discharged": datetime.date(2024, 1, 1), "los": 7}
    discharged |= {"own_paid": 0, "out_of_scope": 0, "deductible": 0, "reimbursement_rate": 0.8}
    found = price_cases([CASE | discharged, CASE | discharged | case], policy(**changed)).table
    assert found[0]["payment_status"] == "priced"
    assert (found[1]["payment_status"], found[1]["payment_reason"]) == ("unpriced", reason)
    assert [found[1][name] for name in ("standard", "payable", "profit")] == [None] * 3


def test_rates_by_pool_level_group_and_date():
    rates = [
        {"base_rate": 13060, "level": "3"},
        {"base_rate": 9947, "level": "2", "valid_to": "2023-12-31"},
        {"base_rate": 9948, "level": "2", "valid_from": "2024-01-01"},
        {"base_rate": 7782, "group": "GD25"},
    ]
    day = datetime.date
    cases = [
        ("3", "A", day(2024, 5, 1)),
        ("2", "A", day(2023, 12, 31)),
        ("2", "A", day(2024, 1, 1)),
        ("3", "GD25", day(2024, 1, 1)),
    ]
    cases = [CASE | {"level": level, "group": group, "discharged": date} for level, group, date in cases]
    assert [row["standard"] for row in price_cases(cases, policy(rates)).table] == [13060, 9947, 9948, 7782]


@given(st.decimals(0, 100, places=8), st.decimals(D("0.01"), 10**5, places=4), st.decimals(D("0.1"), 2, places=4))
def test_a_standard_is_weight_x_rate_x_coefficient_rounded_once(weight, rate, coefficient):
    found = priced({"points": float(weight)}, policy([{"base_rate": rate, "coefficient": coefficient}]))
    import decimal

    assert found["standard"] == (weight * rate * coefficient).quantize(D("0.01"), decimal.ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("case", "changed", "options", "kind", "message"),
    [
        ({"total_cost": 900.5}, {}, {}, CaseError, "'total_cost' of the cases holds floats"),
        ({}, {}, {"values": {"p": -1}}, PolicyError, r"values\['p'\]=-1: give a number of at least 0"),
        ({"pool": "x"}, {}, {}, UnknownNameError, "no pool 'x'"),
        ({}, {}, {"values": {"p": "much"}}, PolicyError, r"values\['p'\]='much' is no number"),
        ({}, {}, {"values": {"p": D(10) ** 30}}, PolicyError, "without measure"),
        ({}, {}, {"values": [{"pool": "p", "point_value": 1}] * 2}, PolicyError, "has a pool twice"),
        ({}, {}, {"values": {"q": 1}}, PolicyError, "no entry for the pool 'p'"),
        (
            {},
            {"form": "floating", "rates": [], "year": {"fund": "budget"}},
            {},
            PolicyError,
            "has no rates: give values=",
        ),
        (
            {"cross_region": "yes"},
            {"cases": {"payable": "residual", "cross_region": "item"}},
            {},
            CaseError,
            "give true and false",
        ),
    ],
)
def test_what_is_wrong_is_said(case, changed, options, kind, message):
    with pytest.raises(kind, match=message):
        priced(case, policy(**changed), **options)


def test_scoring_needs_its_coefficients():
    with pytest.raises(PolicyError, match="is 'level': give a table for each name in it"):
        prepare_cases([CASE], policy(points={"scale": 1, "coefficients": "level"}))
    with pytest.raises(PolicyError, match="names no table, but coefficients= is given"):
        prepare_cases([CASE], policy(), coefficients={"level": 1})


def test_missing_coefficients_of_a_new_group():
    rule = policy(points={"scale": 1, "coefficients": "cost", "missing": {"cost": 1}})
    cost = [{"hospital": "H", "group": "A", "coefficient": 1.5}]
    cases = [{"hospital": "H", "group": group, "discharge": 1} for group in "AB"]
    cases = prepare_cases(cases, rule, coefficients={"cost": cost})
    found = points.case_points(cases, [{"group": group, "weight": 2.0} for group in "AB"], **rule.for_points(cases))
    assert [row["points"] for row in found] == [3.0, 2.0]


def test_discharge_modes_make_a_stay_incomplete():
    rule = policy(
        points={"scale": 100, "incomplete": "min(1, ratio)"},
        cases={"payable": "residual", "incomplete_discharges": [2]},
    )
    cases = [{"group": "A", "discharge": mode, "total_cost": 500} for mode in (1, 2)]
    cases = prepare_cases(cases, rule)
    found = points.case_points(cases, [{"group": "A", "weight": 100.0, "mean": 1000.0}], **rule.for_points(cases))
    assert [(row["case_kind"], row["points"]) for row in found] == [("complete", 100.0), ("incomplete", 50.0)]


# Special review

REVIEWED = policy(review={"cap": D("0.1"), "cost_ratio": 2, "stay_ratio": 3, "outcome": "item"})


def applications(count=30, **changed):
    base = CASE | {
        "review_applied": True,
        "review_approved": True,
        "cost_ratio": 1.0,
        "stay_ratio": 1.0,
        "special_reason": None,
    }
    return [base | {"case_id": f"{number:03}", "hospital": f"H{number % 2}"} | changed for number in range(count)]


def test_every_outcome_of_special_review():
    cases = applications()
    cases[0] |= {"cost_ratio": 5.0}
    cases[1] |= {"stay_ratio": 4.0}
    cases[2] |= {"special_reason": "new technology", "total_cost": 5000}
    cases[3] |= {"cost_ratio": 2.5, "total_cost": 100}
    cases[4] |= {"cost_ratio": 9.0, "review_approved": False}
    cases[5] |= {"cost_ratio": 9.0, "review_approved": None}
    cases[6] |= {"review_applied": False}
    found = review_cases(cases, REVIEWED)
    statuses = [row["review_status"] for row in found.table[:8]]
    # Three of 30 may be approved: 5 times, 2.5 times, then the dearer of the two others.
    assert statuses == ["approved", "over_cap", "approved", "approved", "refused", "pending", "none", "ineligible"]
    assert [row["review_trigger"] for row in found.table[:4]] == ["cost", "stay", "reason", "cost"]
    assert [row["review_rank"] for row in found.table[:4]] == [1, 4, 3, 2]
    published = found.publication
    assert sum(row["applied"] for row in published) == 29
    assert [row["approved"] for row in published] == [2, 1]
    assert published[0]["approved_cost"] == 5900
    assert sum(row["discharges"] for row in published) == 30


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None]), st.floats(0, 9)), min_size=1, max_size=60),
    st.randoms(),
)
def test_the_cap_holds_and_order_does_not_matter(rows, random):
    cases = applications(len(rows))
    for case, (applied, decision, ratio) in zip(cases, rows, strict=True):
        case |= {"review_applied": applied, "review_approved": decision, "cost_ratio": ratio}
    found = review_cases(cases, REVIEWED)
    approved = [row["case_id"] for row in found.table if row["review_status"] == "approved"]
    wanted = [row for row in cases if row["review_applied"] and row["review_approved"] and row["cost_ratio"] > 2]
    assert len(approved) == min(len(wanted), cap_reviews(len(cases), REVIEWED))
    random.shuffle(cases)
    again = review_cases(cases, REVIEWED)
    assert sorted(row["case_id"] for row in again.table if row["review_status"] == "approved") == sorted(approved)
    assert again.publication == found.publication


def test_review_without_rule_or_money():
    with pytest.raises(PolicyError, match=r"add the section \[review\]"):
        review_cases(applications(), policy())
    with pytest.raises(PolicyError, match="at least 0"):
        cap_reviews(-1, REVIEWED)
    with pytest.raises(CaseError, match="holds floats"):
        review_cases(applications(total_cost=1.5), REVIEWED)
