"""New items outside the group, at their edges, in money and in points; and the effect of rules."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_payment import policy

from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import (
    clear_year,
    make_case_sheets,
    make_statements,
    measure_effect,
    pay_exclusions,
    price_cases,
    score_cases,
    settle_year,
)
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
    year = clear_year(found[:2], rule, budget={"p": 10**5, "q": 1}, accept={"payers_differ": "keep"})
    assert year.table[0]["entitlement"] == 20000
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
    unknown = score_cases([cases[0], cases[1] | {"excluded_amount": None}], rule, weights, mean_cost=9000)
    found = [(row["points"], row["points_status"], row["points_reason"]) for row in unknown]
    assert found == [(85, "priced", None), (None, "unpriced", "no_excluded_amount")]


YEAR = [
    {"case_id": str(n), "hospital": "HK"[n % 2], "pool": "p", "month": 1, "group": "A", "total_cost": cost}
    | {"fund_booked": cost - 3000, "patient_paid": 3000, "excluded_cost": item, "excluded_kind": item and "drug"}
    for n, (cost, item) in enumerate([(30000, 21000), (12000, None), (30000, 15000), (40000, D("35000.50"))])
]
ON_TOP = [18000, 0, 0, D("32000.50")]
WEIGHTS = [{"group": "A", "weight": 80}]
BUDGET = {"p": 10**5, "q": 1}


@pytest.mark.parametrize("form", ["fixed", "floating"])
def test_the_year_pays_new_items_and_shows_them(form):
    money = {"fund": "standards"} if form == "fixed" else {"fund": "budget"}
    rule = policy(
        form=form, points={"scale": 100}, rates=[{"base_rate": 90}], exclusion={"variant": "beijing-2022"}, year=money
    )
    tables = {"weights": WEIGHTS, "mean_cost": 9000, "budget": BUDGET}
    found = settle_year(YEAR, rule, exclusion_means=MEANS, **tables)
    assert [row["excluded_amount"] for row in found.cases] == ON_TOP
    bare = settle_year(YEAR, rule.replace(exclusion=None), **tables)
    for row, without, amount in zip(found.cases, bare.cases, ON_TOP, strict=True):
        if form == "fixed":
            assert row["standard"] == without["standard"] + amount == 80 * 90 + amount
        else:
            assert row["points"] == pytest.approx(80 + float(amount) / 90)
    accounts = {row["hospital"]: row for row in found.clearing.table}
    assert [accounts[name]["excluded"] for name in "HK"] == [18000, D("32000.50")]
    if form == "fixed":
        before = {row["hospital"]: row["entitlement"] for row in bare.clearing.table}
        assert all(accounts[name]["entitlement"] == before[name] + accounts[name]["excluded"] for name in "HK")
    else:
        points = {name: 160 + float(accounts[name]["excluded"]) / 90 for name in "HK"}
        assert all(accounts[name]["points"] == pytest.approx(points[name]) for name in "HK")
        assert sum(row["entitlement"] for row in found.clearing.table) == 10**5
    told = [row["how"] for row in make_statements(found.clearing, language="zh") if row["line"] == 1]
    assert [text.partition("；其中")[2] for text in told] == ["除外支付 18000.00 元", "除外支付 32000.50 元"]
    sheet = [row for row in make_case_sheets(found.cases) if row["case_id"] != "total"]
    rate = 90 if form == "fixed" else found.clearing.pools[0]["point_value"]
    for row in sheet:  # a calculator gives the standard
        on_top = row["excluded_amount"] if form == "fixed" else 0
        redone = (D(repr(row["points"])) * rate + on_top).quantize(D("0.01"), ROUND_HALF_UP)
        assert abs(redone - row["standard"]) <= (0 if form == "fixed" else D("0.01"))
    assert [row["reason"] for row in sheet if row["case_id"] == "2"] == [
        "the new item is not above a share of 0.64 of the cost"
    ]
    sums = {row["invariant"]: row["left"] for row in found.ledger.to_pylist() if row["step"] == "exclusions"}
    assert sums["paid on top + not paid + unknown = cases with new items"] == 3
    assert sums["amounts of cases with new items = all amounts"] == sum(ON_TOP)
    # The amounts may be known already, under other names of the columns too.
    known = [row | {"excluded_amount": amount} for row, amount in zip(YEAR, ON_TOP, strict=True)]
    assert settle_year(known, rule, **tables).clearing.table == found.clearing.table
    own = [{{"excluded_cost": "新药费用", "group": "病组"}.get(k, k): v for k, v in row.items()} for row in YEAR]
    names = {"excluded_cost": "新药费用", "group": "病组"}
    theirs = settle_year(own, rule, exclusion_means=MEANS, columns=names, **tables)
    assert theirs.clearing.table == found.clearing.table


def test_the_effect_of_new_items_and_of_caps():
    rule = policy(rates=[{"base_rate": 90}], points={"scale": 100}, exclusion={"variant": "beijing-2022"})
    rule = rule.replace(year={"fund": "standards"}, caps={"total_share": 0})
    inputs = {"weights": WEIGHTS, "budget": BUDGET, "exclusion_means": MEANS}
    inputs["money_caps"] = [{"group": "A", "cap": 60000}]
    found = measure_effect(YEAR, rule, "exclusion", inputs=inputs, by="hospital")
    assert [row["moved"] for row in found.table] == [18000, D("32000.50")]
    caps = measure_effect(YEAR, rule, "caps", inputs=inputs)
    taken = [row["over_cap"] for row in caps.b.clearing.table]
    assert sum(taken) == 4 * 4200 + sum(ON_TOP) - 60000
    assert [row["over_cap"] for row in caps.a.clearing.table] == [0, 0]


@pytest.mark.parametrize("form", ["fixed", "floating"])
def test_an_unknown_amount_is_a_finding_of_the_year(form):
    money = {"fund": "standards"} if form == "fixed" else {"fund": "budget"}
    rule = policy(
        form=form, points={"scale": 100}, rates=[{"base_rate": 90}], exclusion={"variant": "beijing-2022"}, year=money
    )
    cases = [*YEAR, YEAR[0] | {"case_id": "9", "excluded_kind": "food"}]
    tables = {"weights": WEIGHTS, "mean_cost": 9000, "budget": BUDGET, "exclusion_means": MEANS}
    with pytest.raises(CaseError, match="unpriced: 1 case .* in row 4: the amount for new items"):
        settle_year(cases, rule, **tables)
    found = settle_year(cases, rule, accept={"unpriced": "by_item"}, **tables)
    assert found.cases[4]["payable"] == 27000
    assert found.findings["reason"].to_pylist() == ["no_excluded_amount"]


def test_means_and_rule_belong_together():
    rule = policy(rates=[{"base_rate": 90}], points={"scale": 100}, exclusion={"variant": "beijing-2022"})
    rule = rule.replace(year={"fund": "standards"})
    tables = {"weights": WEIGHTS, "budget": BUDGET}
    with pytest.raises(PolicyError, match="pays new items: give exclusion_means="):
        settle_year(YEAR, rule, **tables)
    with pytest.raises(PolicyError, match=r"exclusion_means= is given, and .* add \[exclusion\]"):
        settle_year(YEAR, rule.replace(exclusion=None), exclusion_means=MEANS, **tables)
    with pytest.raises(PolicyError, match="have excluded_amount already"):
        settle_year([row | {"excluded_amount": 0} for row in YEAR], rule, exclusion_means=MEANS, **tables)
    floating = rule.replace(form="floating", year={"fund": "budget"})
    with pytest.raises(PolicyError, match="form = floating pays new items in points, which needs weights="):
        settle_year([row | {"points": 1.0} for row in YEAR], floating, budget=BUDGET, exclusion_means=MEANS)


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
    rule = base.replace(
        tcm={"higher": True},
        readmission={"days": 9, "factor": D("0.5"), "same": "group", "reduced": "earlier", "except_for": ()},
    )
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
