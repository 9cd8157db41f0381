"""New items outside the group, at their edges, in money and in points; and the effect of rules."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_payment import policy

from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import clear_year, measure_effect, pay_exclusions, price_cases, score_cases, settle_year
from drgdip.settle.money_rules import ExclusionRules

D = Decimal
BEIJING = ExclusionRules(variant="beijing-2022")
MEANS = [{"group": "A", "mean": 10000.5, "mean_drug": 3000, "mean_consumable": 100.25}]
CASE = {"group": "A", "total_cost": 30000, "excluded_cost": 21000, "excluded_kind": "drug"}


def one(**changed):
    return pay_exclusions([CASE | changed, CASE], MEANS, BEIJING)[0]


fen = st.integers(1, 10**7).map(lambda number: D(number).scaleb(-2))


@given(st.lists(st.tuples(fen, fen, st.sampled_from(["drug", "consumable"])), min_size=1, max_size=9))
def test_amounts_equal_their_clauses(rows):
    cases = [{"group": "A", "total_cost": c, "excluded_cost": i, "excluded_kind": kind} for c, i, kind in rows]
    cases += [CASE, CASE | {"excluded_kind": "consumable"}]
    for case, row in zip(cases, pay_exclusions(cases, MEANS, BEIJING), strict=True):
        cost, item = D(case["total_cost"]), D(case["excluded_cost"])
        if item > cost:
            assert (row["excluded_amount"], row["exclusion_reason"]) == (None, "excluded_above_cost")
            continue
        part = D(3000) if case["excluded_kind"] == "drug" else D("100.25")
        on_top = max(item - part, D(0)).quantize(D("0.01"), ROUND_HALF_UP)
        eligible = cost > 2 * D("10000.5") and item > D("0.64") * cost
        assert row["excluded_amount"] == (on_top if eligible else 0)


@pytest.mark.parametrize(
    ("changed", "amount", "reason"),
    [
        ({}, 18000, None),
        ({"total_cost": 20001, "excluded_cost": 15000}, 0, "small_cost_ratio:2"),
        ({"total_cost": D("20001.01"), "excluded_cost": 15000}, 12000, None),
        ({"excluded_cost": 19200}, 0, "small_item_share:0.64"),
        ({"excluded_cost": D("19200.01")}, D("16200.01"), None),
        ({"excluded_cost": None}, 0, None),
        ({"excluded_kind": "food"}, None, "unknown_excluded_kind"),
        ({"group": "X"}, None, "no_group_mean"),
        ({"excluded_cost": 30001}, None, "excluded_above_cost"),
    ],
)
def test_edges_are_exclusive_and_what_is_unknown_is_null(changed, amount, reason):
    row = one(**changed)
    assert (row["excluded_amount"], row["exclusion_reason"]) == (amount, reason)


def test_a_fixed_standard_gets_the_amount_and_a_missing_one_is_no_zero():
    rule = policy(rates=[{"base_rate": 100}], exclusion={"variant": "beijing-2022"}, year={"fund": "standards"})
    base = {
        "hospital": "H",
        "pool": "p",
        "points": 100.0,
        "total_cost": 30000,
        "fund_booked": 21000,
        "patient_paid": 9000,
    }
    amounts = [D("18000"), D(0), None]
    found = price_cases([base | {"excluded_amount": amount} for amount in amounts], rule).table
    assert [row["standard"] for row in found] == [28000, 10000, None]
    assert [row["payable"] for row in found] == [19000, 1000, None]
    assert found[2]["payment_reason"] == "no_excluded_amount"
    assert clear_year(found[:2], rule, budget={"p": 10**5, "q": 1}).table[0]["entitlement"] == 20000
    with pytest.raises(UnknownNameError, match="excluded_amount"):
        price_cases([base], rule)


def test_floating_points_get_its_worth():
    rule = policy(
        form="floating", points={"scale": 100}, exclusion={"variant": "beijing-2022"}, year={"fund": "budget"}
    )
    cases = [{"group": "A", "excluded_amount": D(450)}, {"group": "A", "excluded_amount": D(0)}]
    weights = [{"group": "A", "weight": 80.0}]
    found = score_cases(cases, rule, weights, mean_cost=9000)
    assert [row["points"] for row in found] == [85, 80]
    with pytest.raises(PolicyError, match="give mean_cost="):
        score_cases(cases, rule, weights)
    with pytest.raises(CaseError, match="'excluded_amount' of the cases is missing in row 1"):
        score_cases([cases[0], cases[1] | {"excluded_amount": None}], rule, weights, mean_cost=9000)


def test_rules_of_a_place_and_their_faults():
    own = ExclusionRules(cost_ratio=D("1.5"), item_share=D("0.5"), amount="0.8 * (item - mean_part)")
    assert pay_exclusions([CASE], MEANS, own)[0]["excluded_amount"] == 14400
    made = policy(exclusion={"variant": "beijing-2022"})
    assert (made.exclusion.cost_ratio, made.exclusion.item_share) == (2, D("0.64"))
    assert pay_exclusions([CASE], MEANS, made)[0]["excluded_amount"] == 18000
    for changed, message in (
        ({"variant": "x"}, "There are beijing-2022"),
        ({"cost_ratio": 2}, r"exclusion\.item_share: is missing"),
        ({"variant": "beijing-2022", "amount": "price"}, "the formula uses 'price'"),
    ):
        with pytest.raises(PolicyError, match=message):
            policy(exclusion=changed)
    with pytest.raises(PolicyError, match=r"add the section \[exclusion\]"):
        pay_exclusions([CASE], MEANS, policy())


# The effect of a rule


def test_the_effect_is_the_year_with_less_the_year_without():
    base = policy(rates=[{"base_rate": 10}], points={"scale": 100, "added": {"T": 3}}, year={"fund": "standards"})
    rule = base.replace(tcm={"higher": True}, readmission={"days": 9, "factor": D("0.5")})
    money = {"pool": "p", "month": 1, "total_cost": 900, "fund_booked": 600, "patient_paid": 300, "patient": "P"}
    cases = [
        money
        | {"case_id": str(n), "hospital": "HK"[n % 2], "group": "T", "western_group": "W" if n < 3 else None}
        | {"admitted": f"2024-01-{10 + 4 * n}", "discharged": f"2024-01-{12 + 4 * n}"}
        for n in range(4)
    ]
    inputs = {"weights": [{"group": "T", "weight": 90}, {"group": "W", "weight": 100}], "budget": {"p": 9999, "q": 1}}
    inputs["added_points"] = [{"case_id": "0", "points": 7}]
    whole = settle_year(cases, rule, **inputs)
    bare = {
        "tcm": rule.replace(tcm=None),
        "readmission": rule.replace(readmission=None),
        "added_points": rule.replace(points={"scale": 100}),
    }
    for name, without in bare.items():
        given_ = {key: value for key, value in inputs.items() if (key, name) != ("added_points", "added_points")}
        alone = settle_year(cases, without, **given_)
        found = measure_effect(cases, rule, name, inputs=inputs, by="hospital").table
        for hospital, row in zip("HK", found, strict=True):
            sums = [
                (
                    sum(r["points"] for r in year.cases if r["hospital"] == hospital),
                    sum(r["payable"] for r in year.cases if r["hospital"] == hospital),
                )
                for year in (alone, whole)
            ]
            assert (row["points_a"], row["points_b"]) == (sums[0][0], sums[1][0])
            assert row["moved"] == sums[1][1] - sums[0][1]
        assert any(row["moved"] for row in found)


def test_a_rule_that_is_not_there_has_no_effect():
    with pytest.raises(UnknownNameError, match="tcms"):
        measure_effect([], policy(), "tcms", inputs={})
    for name in ("tcm", "added_points"):
        with pytest.raises(PolicyError, match=f"has no {name}: there is no effect"):
            measure_effect([], policy(), name, inputs={})
