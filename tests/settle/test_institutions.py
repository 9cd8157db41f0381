"""Retention by institution and caps: against slow twins, with the pool's money kept."""

import datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_payment import policy

from drgdip.errors import CaseError, PolicyError
from drgdip.settle import cap_money, cap_volumes, clear_year, deduct_growth, price_cases, share_by_institution
from drgdip.settle.money_rules import CapRules, InstitutionRules

D = Decimal
BANDS = {
    "surplus": [{"until": D("0.15"), "hospitals": 1}, {"hospitals": 0}],
    "surplus_bands": "whole",
    "overspend": [{"until": D("0.1"), "hospitals": D("0.5")}, {"hospitals": 1}],
    "overspend_bands": "marginal",
}
POOL = {"surplus": [{"hospitals": D("0.7")}], "overspend": [{"hospitals": D("0.4")}]}


def cents(value):
    return value.quantize(D("0.01"), ROUND_HALF_UP)


def kept(standard, cost):
    """What BANDS leave to a hospital, clause by clause."""
    if cost <= standard:
        return standard - cost if standard - cost <= D("0.15") * standard else D(0)
    over = cost - standard
    half = min(over, D("0.1") * standard)
    return -cents(half * D("0.5") + over - half)


yuan = st.integers(0, 10**7).map(lambda fen: D(fen).scaleb(-2))


@given(st.lists(st.tuples(yuan, yuan), min_size=1, max_size=9))
def test_bands_by_institution_equal_their_clauses(pairs):
    rows = [{"standard": standard, "total_cost": cost} for standard, cost in pairs]
    found = share_by_institution(rows, InstitutionRules(**BANDS, when="before"))
    for row in found:
        assert row["hospitals"] == kept(row["standard"], row["total_cost"])
        assert row["hospitals"] + row["fund"] == row["difference"] == row["standard"] - row["total_cost"]


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(849, 0), (850, 150), (1000, 0), (1100, -50), (1200, -150)],
)
def test_the_edges_of_the_bands(cost, expected):
    rules = InstitutionRules(**BANDS, when="before")
    assert share_by_institution([{"standard": 1000, "total_cost": cost}], rules)[0]["hospitals"] == expected


def city(*pairs):
    """A case of 10 points a hospital, with its cost; a third is the patient's."""
    return [
        {"hospital": f"H{n}", "pool": "p", "points": points, "total_cost": cost, "month": 1}
        | {"fund_booked": cost * 2 // 3, "patient_paid": cost - cost * 2 // 3}
        for n, (points, cost) in enumerate(pairs)
    ]


HOSPITALS = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 20000)), min_size=1, max_size=7)


@settings(deadline=None)
@given(HOSPITALS, st.sampled_from(["booked", "payable"]))
def test_before_the_bands_of_the_pool(pairs, spending):
    made = policy(
        rates=[{"base_rate": 100}],
        year={"fund": "shared", "spending": spending, **POOL},
        institutions={**BANDS, "when": "before"},
    )
    cases = city(*pairs)
    expected = {}
    for case in cases:
        standard = D(case["points"]) * 100
        change = kept(standard, D(case["total_cost"])) - (standard - case["total_cost"])
        expected[case["hospital"]] = (standard - case["patient_paid"], change)
    assume(any(owed + change > 0 for owed, change in expected.values()))
    found = clear_year(price_cases(cases, made).table, made, budget={"p": 5000, "q": 1})
    assert {row["hospital"]: (row["base"], row["retention"]) for row in found.table} == expected
    spent = sum(case["fund_booked"] for case in cases)
    if spending == "payable":
        spent = sum(owed + change for owed, change in expected.values())
    left = 5000 - spent
    shared = cents(left * (D("0.7") if left >= 0 else D("0.4")))
    assert found.pools[0]["shared"] == shared
    assert sum(row["entitlement"] for row in found.table) == spent + shared == found.pools[0]["fund"]


@settings(deadline=None)
@given(HOSPITALS, st.sampled_from(["fund", "hospitals"]))
def test_after_the_bands_of_the_pool(pairs, difference):
    floating = policy(form="floating", year={"fund": "budget"}, rates=[{"base_rate": 100}])
    made = floating.replace(institutions={**BANDS, "when": "after", "difference": difference})
    cases = city(*pairs)
    plain = clear_year(price_cases(cases, floating).table, floating, budget={"p": 50000, "q": 1})
    changes = []
    for case, row in zip(cases, plain.table, strict=True):
        standard = row["base"] + case["patient_paid"]
        changes.append(kept(standard, D(case["total_cost"])) - (standard - case["total_cost"]))
    rest = [row["base"] + change for row, change in zip(plain.table, changes, strict=True)]
    assume(difference == "fund" or any(part > 0 for part in rest))
    found = clear_year(price_cases(cases, made).table, made, budget={"p": 50000, "q": 1})
    retained = [row["retention"] for row in found.table]
    assert [row["base"] for row in found.table] == [row["base"] for row in plain.table]
    if difference == "fund":
        assert retained == changes
        assert found.pools[0]["retained"] == sum(changes) == found.pools[0]["fund"] - 50000
    else:
        assert sum(retained) == 0
        assert sum(row["entitlement"] for row in found.table) == 50000
        for row, change, weight in zip(found.table, changes, rest, strict=True):
            whole = sum(max(part, D(0)) for part in rest)
            assert abs(row["retention"] - change + sum(changes) * max(weight, D(0)) / whole) <= D("0.01")


def test_faults_of_institutions():
    with pytest.raises(PolicyError, match=r"institutions\.when = before compares fixed standards"):
        policy(form="floating", year={"fund": "budget"}, institutions={**BANDS, "when": "before"})
    with pytest.raises(PolicyError, match="difference and when = after belong together"):
        policy(institutions={**BANDS, "when": "after"})
    with pytest.raises(PolicyError, match="the bands of overspend"):
        policy(institutions={**BANDS, "overspend": [{"until": 1, "hospitals": 1}], "when": "before"})
    with pytest.raises(PolicyError, match=r"add the section \[institutions\]"):
        share_by_institution([{"standard": 1, "total_cost": 1}], policy())


# Caps


def test_a_cap_of_volume_takes_the_last_cases_of_each_key():
    day = datetime.date(2024, 1, 1)
    cases = [
        {"case_id": f"{n:02}", "hospital": "HK"[n % 2], "group": "A" if n < 8 else "B", "points": float(n)}
        | {"discharged": day + datetime.timedelta(20 - n // 2)}
        for n in range(12)
    ]
    cases[0]["points"] = None
    caps = [{"hospital": "H", "group": "A", "cap": 2}, {"hospital": "K", "group": "A", "cap": 0}]
    found = cap_volumes(cases, caps, CapRules(volume_factor=D("0.5"))).table
    expected = []
    for case in cases:
        limit = next((c["cap"] for c in caps if (c["hospital"], c["group"]) == (case["hospital"], case["group"])), None)
        before = [
            other
            for other in cases
            if (other["hospital"], other["group"]) == (case["hospital"], case["group"])
            and other["points"] is not None
            and (other["discharged"], other["case_id"]) < (case["discharged"], case["case_id"])
        ]
        expected.append(case["points"] is not None and limit is not None and len(before) >= limit)
    assert [row["over_volume"] for row in found] == expected
    assert [row["points"] for row in found] == [
        row["points"] if row["points"] is None or not over else row["points"] / 2
        for row, over in zip(cases, expected, strict=True)
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("HKL"), st.sampled_from("ABC"), st.integers(-50, 5000)), min_size=1, max_size=20
    ),
    st.integers(0, 100),
)
def test_capped_money_is_conserved(rows, percent):
    cases = [{"hospital": h, "pool": "p", "group": g, "payable": D(fen).scaleb(-2)} for h, g, fen in rows]
    caps = [{"group": "A", "cap": 10}, {"group": "B", "cap": D("0.01")}]
    found = cap_money(cases, caps, CapRules(total_share=D(percent) / 100))
    excess = {}
    for cap in caps:
        whole = sum(case["payable"] for case in cases if case["group"] == cap["group"])
        excess[cap["group"]] = max(whole - cap["cap"], D(0))
    assert sum(row["excess"] for row in found.table) == sum(excess.values())
    kept_money = sum(cents(part * percent / 100) for part in excess.values())
    assert sum(row["deductions"] for row in found.table) == sum(excess.values()) - kept_money
    for row in found.table:
        assert 0 <= row["deductions"] <= row["excess"]
        mine = [case for case in cases if case["hospital"] == row["hospital"] and case["group"] != "C"]
        assert row["payable"] == sum(case["payable"] for case in mine)


def test_growth_of_the_mean_per_discharge():
    rules = CapRules(growth_of="total_cost", highest_growth=D("0.1"), growth_share=D("0.5"))
    cases = [
        {"hospital": h, "pool": "p", "total_cost": cost} for h, cost in (("H", 130), ("H", 110), ("K", 80), ("N", 9))
    ]
    last = [{"hospital": "H", "pool": "p", "cases": 3, "total_cost": 300}]
    last += [{"hospital": "K", "pool": "p", "cases": 1, "total_cost": 80}]
    rows = deduct_growth(cases, last, rules).table
    assert [row["excess"] for row in rows] == [20, 0, 0]
    assert [row["deductions"] for row in rows] == [10, 0, 0]
    assert [row["reason"] for row in rows] == ["growth_above_cap", None, "no_last_year"]
    assert [row["growth"] for row in rows] == [pytest.approx(0.2), 0, None]


def test_faults_of_caps():
    cases = [
        {"case_id": 1, "hospital": "H", "pool": "p", "group": "A", "points": 1.0, "discharged": None, "payable": 1}
    ]
    with pytest.raises(PolicyError, match=r"caps\.volume_factor: add it to \[caps\]"):
        cap_volumes(cases, [{"group": "A", "cap": 1}], CapRules())
    rules = CapRules(volume_factor=0, total_share=0)
    with pytest.raises(CaseError, match="1 capped cases have no day of discharge, the first in row 0"):
        cap_volumes(cases, [{"group": "A", "cap": 1}], rules)
    with pytest.raises(PolicyError, match=r"the cap 0\.5 in row 0"):
        cap_volumes(cases, [{"group": "A", "cap": 0.5}], rules)
    with pytest.raises(PolicyError, match="name its key"):
        cap_money(cases, [{"cap": 1}], rules)
    with pytest.raises(PolicyError, match="no cap of at least 0 in row 0"):
        cap_money(cases, [{"group": "A", "cap": None}, {"group": "B", "cap": 1}], rules)
