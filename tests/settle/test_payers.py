"""Payers apart: who is concerned, who bears the difference, and amounts that make the whole."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_payment import policy

from drgdip.errors import PolicyError, UnknownNameError
from drgdip.settle import audit_cases, clear_year, divide_payers, measure_surplus, month, price_cases, settle_year
from drgdip.settle.money_rules import FUNDS, PATIENT_PAYERS

D = Decimal
RULES = {"concerns": ["basic", "serious_illness"], "bears": "serious_illness"}
SHARED = {"fund": "shared", "spending": "booked", "surplus": [{"hospitals": D("0.7")}], "overspend": [{"hospitals": 1}]}
PAID = {f"paid_{name}": 0 for name in (*FUNDS, *PATIENT_PAYERS)}
amounts = st.integers(0, 10**6).map(lambda fen: D(fen).scaleb(-2))
CASES = st.lists(
    st.fixed_dictionaries(
        {
            "hospital": st.sampled_from("HK"),
            "points": st.integers(1, 900).map(lambda number: number / 100),
            "list_status": st.sampled_from(["passed", "passed", "failed"]),
            **{f"paid_{name}": amounts for name in (*FUNDS, *PATIENT_PAYERS)},
        }
    ),
    max_size=12,
).map(lambda rows: [*rows, {"hospital": "H", "points": 1.0, "list_status": "passed", **PAID, "paid_basic": D(9)}])


def whole(case):
    return case | {"pool": "p", "month": 1, "total_cost": sum(case[name] for name in PAID)}


@given(CASES)
def test_every_case_and_hospital_equals_its_twin(cases):
    made = policy(form="floating", rates=[{"base_rate": 1000}], payers=RULES, year={"fund": "budget"})
    cases = [whole(case) for case in cases]
    priced = price_cases(cases, made).table
    for case, row in zip(cases, priced, strict=True):
        concerned = case["paid_basic"] + case["paid_serious_illness"]
        others = case["total_cost"] - concerned
        assert (row["fund_booked"], row["patient_paid"]) == (concerned, others)
        assert row["payable"] == D(repr(case["points"])) * 1000 - others
        assert row["payable_basic"] == case["paid_basic"]
        assert row["payable_basic"] + row["payable_serious_illness"] == row["payable"]
    cleared = clear_year(priced, made, budget={"p": 10**6, "q": 1})
    divided = divide_payers(cleared, priced, made).table
    for account in cleared.table:
        mine = {row["payer"]: row for row in divided if row["hospital"] == account["hospital"]}
        booked = sum(
            case["paid_basic"]
            for case in cases
            if case["hospital"] == account["hospital"] and case["list_status"] != "failed"
        )
        assert (mine["basic"]["amount"], mine["basic"]["difference"]) == (booked, 0)
        assert sum(row["amount"] for row in mine.values()) == account["entitlement"]


def test_without_the_rule_the_sums_are_the_callers():
    made = policy(rates=[{"base_rate": 1000}], year=SHARED, payers=RULES)
    case = whole({"hospital": "H", "points": 1.0, **PAID, "paid_basic": D(600), "paid_cash": D(300)})
    apart = price_cases([case], made).table
    plain = made.replace(payers=None)
    one = price_cases([case | {"fund_booked": 600, "patient_paid": 300}], plain).table
    assert apart[0]["payable"] == one[0]["payable"]
    assert month(apart, made).table == month(one, plain).table
    assert measure_surplus(apart, "hospital").table == measure_surplus(one, "hospital").table
    with pytest.raises(PolicyError, match=r"add the section \[payers\]"):
        divide_payers(clear_year(one, plain, budget={"p": 1000, "q": 1}), one, plain)


def test_a_year_with_other_names_of_the_payers():
    made = policy(
        form="floating",
        rates=[{"base_rate": 1000}],
        year={"fund": "budget"},
        payers=RULES,
        cases={"payable": "residual"},
    )
    case = whole({"hospital": "H", "points": 1.0, **PAID, "paid_basic": D(600), "paid_cash": D(300)})
    theirs = {"统筹支付" if name == "paid_basic" else name: value for name, value in case.items()}
    names = {"paid_basic": "统筹支付"}
    ours = settle_year([case], made, budget={"p": 800, "q": 1})
    found = settle_year([theirs], made, budget={"p": 800, "q": 1}, columns=names)
    assert found.clearing.table == ours.clearing.table
    assert found.cases[0]["payable_serious_illness"] == 200
    divided = divide_payers(found.clearing, found.cases, made, columns=found.columns).table
    assert [(row["payer"], row["amount"]) for row in divided] == [("basic", 600), ("serious_illness", 200)]


def test_faults():
    made = policy(rates=[{"base_rate": 1000}], payers=RULES)
    case = whole({"hospital": "H", "points": 1.0, **PAID})
    with pytest.raises(UnknownNameError, match="paid_basic"):
        price_cases([{name: value for name, value in case.items() if name != "paid_basic"}], made)
    rows = price_cases([case | {"paid_cash": None}, case | {"paid_basic": -1}, case], made).table
    assert [row["payment_reason"] for row in rows] == ["missing_amount", "negative_amount", None]
    assert [row["payable_basic"] for row in rows] == [None, None, 0]
    with pytest.raises(PolicyError, match="bears = other is none of those concerned: basic"):
        policy(payers={"concerns": ["basic"], "bears": "other"})
    with pytest.raises(PolicyError, match="has one twice"):
        policy(payers={"concerns": ["basic", "basic"], "bears": "basic"})
    with pytest.raises(PolicyError, match="payers"):
        policy(payers={"concerns": ["cash"], "bears": "cash"})


def test_the_audit_adds_up_the_payers():
    made = policy(rates=[{"base_rate": 1000}], payers=RULES)
    case = whole({"hospital": "H", "points": 1.0, **PAID, "paid_basic": D(600), "paid_cash": D(300)})
    rows = [case, case | {"paid_medical_aid": D("0.02")}, case | {"paid_basic": D(901)}, case | {"paid_cash": None}]
    rows = [row | {"case_id": str(number)} for number, row in enumerate(rows)]
    found = {(row["row"], row["kind"]) for row in audit_cases(rows, made)}
    assert found == {(1, "payers_differ"), (2, "above_cost"), (2, "payers_differ"), (3, "missing_amount")}
