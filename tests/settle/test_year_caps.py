"""Caps of a policy in the whole year: against a slow twin in Decimal, in ledger and statements, with money kept."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settle_twins import fen
from test_payment import policy
from test_statements import calculate

from drgdip.errors import PolicyError
from drgdip.settle import clear_year, make_case_sheets, make_statements, price_cases, settle_year

D = Decimal
DAY = datetime.date(2024, 1, 1)
GROWTH = {"growth_of": "total_cost", "highest_growth": D("0.1"), "growth_share": D("0.5")}
CAPS = [{"group": "A", "cap": 1000}, {"group": "B", "cap": D("250.50")}]
LAST = [{"hospital": name, "pool": pool, "cases": 3, "total_cost": 3000} for name in "HK" for pool in "pq"]
BUDGET = {"p": D("9000.00"), "q": D("5000.00")}


def case(number, hospital, pool, group, points, cost, **more):
    booked = cost * 2 // 3
    money = {"total_cost": cost, "fund_booked": booked, "patient_paid": cost - booked}
    row = {"case_id": f"{number:03}", "hospital": hospital, "pool": pool, "group": group, "points": float(points)}
    return {**row, **money, "month": 1, "discharged": DAY + datetime.timedelta(number), **more}


ROWS = st.lists(
    st.tuples(
        st.sampled_from("HKL"), st.sampled_from("pq"), st.sampled_from("ABC"), st.integers(1, 40), st.integers(30, 3000)
    ),
    min_size=2,
    max_size=14,
)


def city(rows):
    fixed = [("H", "p", "A", 30, 900), ("K", "q", "B", 20, 500)]  # both pools have cases
    return [case(number, *row) for number, row in enumerate([*fixed, *rows])]


def made(form, **caps):
    money = {"rates": [{"base_rate": 30}], "cases": {"payable": "ratio", "fund_share": {"p": D("0.7"), "q": D("0.6")}}}
    year = {"fund": "standards" if form == "fixed" else "budget"}
    return policy(form=form, year=year, caps=caps, **money)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.sampled_from(["fixed", "floating"]), st.integers(0, 100))
def test_money_and_growth_above_caps_equal_their_clauses(rows, form, percent):
    share, cases = D(percent) / 100, city(rows)
    rule, plain = made(form, total_share=share, **GROWTH), made(form)
    bare = settle_year(cases, plain, budget=BUDGET)
    found = settle_year(cases, rule, budget=BUDGET, money_caps=CAPS, last_year=LAST)
    over_cap, over_growth = {}, {}
    for limit in CAPS:  # at the value of the year, which the year without caps has
        mine = [row for row in bare.cases if row["group"] == limit["group"]]
        whole = sum((row["payable"] for row in mine), D(0))
        excess = max(whole - limit["cap"], D(0))
        for row in mine:
            key = row["hospital"], row["pool"]
            part = (excess - fen(excess * share)) * row["payable"] / whole
            over_cap[key] = over_cap.get(key, D(0)) + part
    for last in LAST:
        key = last["hospital"], last["pool"]
        costs = [row["total_cost"] for row in cases if (row["hospital"], row["pool"]) == key]
        over = sum(costs) - D(len(costs)) * 1000 * D("1.1")
        over_growth[key] = max(fen(over) / 2, D(0))
    for row, before in zip(found.clearing.table, bare.clearing.table, strict=True):
        key = row["hospital"], row["pool"]
        assert abs(row["over_cap"] - over_cap.get(key, D(0))) <= D("0.02")
        assert abs(row["over_growth"] - over_growth.get(key, D(0))) <= D("0.01")
        assert row["entitlement"] == before["entitlement"] - row["over_cap"] - row["over_growth"]
        assert row["paid"] + row["working_capital"] + row["final"] == row["entitlement"]
        assert row["paid"] == before["paid"]
    for pool, before in zip(found.clearing.pools, bare.clearing.pools, strict=True):
        assert pool["left"] == before["left"] + pool["over_cap"] + pool["over_growth"]
    for line in make_statements(found.clearing):
        if line["formula"]:
            caps = line["formula"].count("(1 - ") if line["item"] == "money above a cap" else 1
            assert abs(calculate(line["formula"]) - line["amount"]) <= D("0.015") * caps, line
        if line["item"] in {"money above a cap", "growth of the mean above the limit"}:
            assert bool(line["formula"]) == (line["amount"] != 0) == bool(line["how"])


def test_the_pre_clearing_pays_no_more_than_the_caps_leave():
    rule = made("fixed", total_share=0)
    rule = rule.replace(year={"fund": "standards", "preclearing_ratio": D("0.9")})
    cases = [case(n, "H", "p", "A", 30, 900) for n in range(4)]
    found = settle_year(cases, rule, budget=BUDGET, money_caps=CAPS)
    for account in (found.pre_clearing.table, found.clearing.table):
        assert (account[0]["over_cap"], account[0]["entitlement"]) == (4 * 630 - 1000, 1000)


def test_cases_that_are_in_no_sum_are_under_no_cap():
    rule = made("fixed", total_share=0, **GROWTH)
    rule = rule.replace(
        cases={"payable": "item", "cross_region": "item"}, year={"fund": "standards"}, rates=[{"base_rate": 30}]
    )
    cases = [case(n, "H", "p", "A", 30, 900) for n in range(3)]
    cases[1]["list_status"] = "failed"
    cases[2] |= {"cross_region": True, "insured_region": "X"}
    found = settle_year(cases, rule, budget=BUDGET, money_caps=[{"group": "A", "cap": 600}], last_year=LAST)
    assert (found.clearing.table[0]["over_cap"], found.clearing.table[0]["over_growth"]) == (0, 0)
    assert found.clearing.caps is None


def test_a_case_accepted_by_item_counts_at_the_amount_booked_under_a_floating_form():
    rule = made("floating", total_share=0)
    cases = [case(0, "H", "p", "A", 30, 900), case(1, "K", "p", "B", 30, 900), case(2, "K", "q", "C", 1, 9)]
    cases[0]["points"] = None
    found = settle_year(
        cases, rule, budget=BUDGET, accept={"unpriced": "by_item"}, money_caps=[{"group": "A", "cap": 500}]
    )
    assert found.clearing.table[0]["over_cap"] == 100  # 600 booked


def test_volume_caps_come_after_review_and_before_prices():
    rule = made("floating", volume_factor=D("0.3"))
    cases = [case(n, "HK"[n % 2], "p", "A", 10, 300) for n in range(4)] + [case(9, "H", "q", "B", 1, 9)]
    cases[0]["list_status"] = "failed"
    found = settle_year(cases, rule, budget=BUDGET, volume_caps=[{"group": "A", "cap": 2}])
    assert [row["points"] for row in found.cases] == [10, 10, 10, 3, 1]
    assert [row["points"] for row in found.clearing.table] == [10, 1, 13]
    assert [row["payable"] for row in found.cases][3] == fen(found.clearing.table[2]["base"] * 3 / 13)
    assert sum(row["entitlement"] for row in found.clearing.table) == sum(BUDGET.values())
    sheet = make_case_sheets(found.cases, language="zh")
    assert [row["reason"] for row in sheet if row["case_id"] == "003"] == ["超出病例数控制，点数按0.3倍计"]
    invariants = {row["invariant"] for row in found.ledger.to_pylist()}
    assert "|points left + points taken - points| is at most a step a case above" in invariants


def test_the_table_and_the_rule_belong_together():
    cases = [case(0, "H", "p", "A", 10, 300), case(1, "H", "q", "A", 10, 300)]
    given_ = {"volume_caps": [{"group": "A", "cap": 2}], "money_caps": CAPS, "last_year": LAST}
    rules = {"volume_caps": {"volume_factor": 0}, "money_caps": {"total_share": 0}, "last_year": GROWTH}
    for name, numbers in rules.items():
        with pytest.raises(PolicyError, match=f"needs {name}=: give the table"):
            settle_year(cases, made("fixed", **numbers), budget=BUDGET)
        with pytest.raises(PolicyError, match=rf"{name}= is given, .* add it to \[caps\]"):
            settle_year(cases, made("fixed"), budget=BUDGET, **{name: given_[name]})
        settle_year(cases, made("fixed", **numbers), budget=BUDGET, **{name: given_[name]})
    with pytest.raises(PolicyError, match="growth_share: a cap on growth needs growth_of, highest_growth"):
        made("fixed", growth_of="payable", highest_growth=0)
    twice = [{"group": "A", "cap": 1}, {"group": "A", "cap": 2}]
    with pytest.raises(PolicyError, match="two caps of the same group: leave one"):
        settle_year(cases, made("fixed", total_share=0), budget=BUDGET, money_caps=twice)


def test_own_names_of_columns():
    rule = made("floating", total_share=0, volume_factor=D("0.5"), **GROWTH)
    cases = [case(n, "H", "p", "A", 10, 3000) for n in range(3)] + [case(9, "K", "q", "B", 1, 9)]
    names = {"points": "点数", "group": "病组", "total_cost": "总费用", "payable": "应付"}
    tables = {"volume_caps": [{"group": "A", "cap": 2}], "money_caps": CAPS, "last_year": LAST}
    ours = settle_year(cases, rule, budget=BUDGET, **tables)
    theirs = [{names.get(name, name): value for name, value in row.items()} for row in cases]
    del names["payable"]
    found = settle_year(theirs, rule, budget=BUDGET, columns=names, **tables)
    assert found.clearing.table == ours.clearing.table
    assert ours.clearing.table[0]["over_cap"] > 0
    priced = price_cases(cases, rule).table
    alone = clear_year(priced, made("floating", **GROWTH), budget=BUDGET, last_year=LAST)
    assert alone.table[0]["over_growth"] > 0
