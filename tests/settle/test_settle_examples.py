"""The worked examples on settlement, by id."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from drgdip.points import compute_elastic_value
from drgdip.settle import (
    Policy,
    cap_reviews,
    clear_year,
    list_coverage_minima,
    measure_surplus,
    month,
    price_cases,
    share_surplus,
)

EXAMPLES = {
    example["id"]: example
    for example in json.loads(
        (Path(__file__).parent.parent / "data" / "settle" / "worked_examples.json").read_text(encoding="utf-8"),
        parse_float=Decimal,
    )
}
BASE = {
    "id": "t",
    "title": "t",
    "family": "drg",
    "pools": ["p"],
    "form": "floating",
    "points": {"scale": 100},
    "cases": {"payable": "residual"},
    "month": {"ratio": 1},
    "year": {"fund": "budget"},
}
# The examples name some of the money of a case and leave the rest open.
OTHER_MONEY = {"payers_differ": "keep", "above_cost": "keep"}
MONEY = {"pool": "p", "hospital": "H", "month": 1, "fund_booked": 0, "patient_paid": 0, "total_cost": 0}


def policy(**sections):
    return Policy.of({**BASE, **sections})


def fixed(rate, **sections):
    year = {"fund": "standards"}
    return policy(form="fixed", rates=[{"base_rate": rate}], year=year, points={"scale": 1}, **sections)


def example(number):
    return (
        EXAMPLES[number]["inputs"],
        EXAMPLES[number]["expected"],
        Decimal(str(EXAMPLES[number]["tol"])) + Decimal("1e-9"),
    )


def fen(value):
    return Decimal(value).quantize(Decimal("0.01"))


@pytest.mark.parametrize("number", ["C05", "C06", "C07"])
def test_months_of_a_hospital_in_chongqing(number):
    given, expected, tolerance = example(number)
    formula = given["standard"] - given["total_cost"]
    row = {"hospital": "H", "total_cost": given["total_cost"], "standard": given["standard"], "profit_formula": formula}
    row |= {"adjustment": given["official_PL"] - formula, "profit": given["official_PL"]}
    found = measure_surplus([row], "hospital").table[0]
    assert abs(found["profit_formula"] - expected["formula"]) <= tolerance
    assert abs(found["adjustment"] - expected["adjustment"]) <= tolerance
    assert abs(given["total_cost"] / given["cases"] - expected["mean_cost"]) <= tolerance


def test_c08_c09_profit_adds_up_and_its_mean():
    given, expected, tolerance = example("C08")
    zero = Decimal("0.00")
    rows = [
        {"g": "A", "total_cost": zero, "standard": p, "profit_formula": p, "adjustment": zero, "profit": p}
        for p in given["months"]
    ]
    assert abs(measure_surplus(rows, "g").table[0]["profit"] - expected) <= tolerance
    given, expected, tolerance = example("C09")
    profit = given["PL"]
    parts = [profit] + [zero] * (given["cases"] - 1)
    rows = [
        {"g": "A", "total_cost": zero, "standard": p, "profit_formula": p, "adjustment": zero, "profit": p}
        for p in parts
    ]
    assert abs(measure_surplus(rows, "g").table[0]["mean_profit"] - expected["mean"]) <= tolerance


def test_n04_the_payment_ratio_is_what_the_fund_booked_over_the_cost():
    given, _, tolerance = example("N04")
    rule = policy(cases={"payable": "ratio"})
    case = {**MONEY, "points": 1, "payment_rule": "points", "standard": 1, "payable": 1}
    case |= {"total_cost": Decimal(given["cost"]), "fund_booked": given["fund"]}
    found = clear_year([case], rule, budget={"p": 100}, accept=OTHER_MONEY).pools[0]["fund_share"]
    assert abs(found - Decimal("0.6193")) <= tolerance


def test_p06_elastic_increment():
    given, _, tolerance = example("P06")
    value = compute_elastic_value(
        [{"pool": "p", "points": 110000}], total={"p": 1e8}, base_share=0.8, base_points={"p": 80000}, cap=None
    )
    assert abs(value[0]["increment_value"] / value[0]["base_value"] - 2 / 3) < tolerance
    # The year pays base and increment: all of the money without a cap, less of it with one.
    case = {
        **MONEY,
        "points": given["points"],
        "payment_rule": "points",
        "standard": 1,
        "payable": 1,
        "total_cost": 1,
        "fund_booked": 1,
    }
    for cap, paid in ((None, 100000000), (500, 80000000 + 30000 * 500)):
        rules = {"base_share": given["base_share"], "base_points": {"p": given["base_points"]}, "cap": cap}
        found = clear_year([case], policy(form="elastic", elastic=rules), budget={"p": 100000000})
        assert found.table[0]["base"] == paid
        assert found.pools[0]["left"] == 100000000 - paid


def test_p07_monthly_formula():
    given, expected, tolerance = example("P07")
    rule = fixed(given["rate"], month={"ratio": given["ratio"]})
    cases = [
        {**MONEY, "points": 1, "patient_paid": Decimal(given["patients"]) / given["weight"]}
        for _ in range(given["weight"])
    ]
    taken = [{"hospital": "H", "pool": "p", "month": 1, "deductions": given["deduct"]}]
    found = month(price_cases(cases, rule).table, rule, deductions=taken, accept=OTHER_MONEY).table[0]["paid"]
    assert abs(found - expected) <= tolerance


def test_r08_surplus_shared_by_points():
    given, expected, tolerance = example("R08")
    rule = shared(surplus=[{"hospitals": Decimal("0.85")}], overspend=[{"hospitals": Decimal("0.85")}])
    spent = {"A": 600, "B": 340}
    cases = [
        {
            **MONEY,
            "hospital": name,
            "points": points,
            "payment_rule": "points",
            "standard": 1,
            "payable": 1,
            "fund_booked": spent[name],
        }
        for name, points in given["points"].items()
    ]
    found = clear_year(cases, rule, budget={"p": given["budget"]}, accept=OTHER_MONEY)
    for row in found.table:
        assert abs(row["sharing"] - expected[row["hospital"]]) <= tolerance
    assert abs(found.pools[0]["left"] - expected["fund"]) <= tolerance


def shared(**bands):
    return policy(year={"fund": "shared", "spending": "booked", **bands})


def test_r11_bands_of_overspend():
    given, expected, tolerance = example("R11")
    bands = [("0.05", "0.4"), ("0.1", "0.5"), (None, "1")]
    bands = [{"until": until and Decimal(until), "hospitals": Decimal(part)} for until, part in bands]
    rule = shared(surplus=[{"hospitals": 1}], overspend=bands, bands="marginal")
    spent = given["budget"] * (1 + given["over"])
    found = share_surplus(given["budget"], spent, rule)
    assert abs(-found["fund"] - expected) <= tolerance
    # With the band of the last yuan for all, hospitals bear everything.
    whole = shared(surplus=[{"hospitals": 1}], overspend=bands, bands="whole")
    assert share_surplus(given["budget"], spent, whole)["fund"] == 0


def test_t02_value_and_one_case():
    rule = policy(cases={"payable": "residual"})
    case = {**MONEY, "points": 1000, "total_cost": 800, "payment_rule": "points", "standard": 1, "payable": 1}
    rest = {**case, "points": 3 * 10**9 - 1000}
    value = clear_year([case, rest], rule, budget={"p": 3 * 10**9}, accept=OTHER_MONEY).pools[0]["point_value"]
    assert value == 1
    assert price_cases([case], rule, values={"p": value}).table[0]["profit"] == 200


def test_t03_t04_t05_profit_of_a_case():
    given, expected, _ = example("T03")
    rule = fixed(given["standard"])
    found = price_cases([{**MONEY, "points": 1, "total_cost": cost} for cost in given["costs"]], rule).table
    assert [row["profit"] for row in found] == expected
    given, expected, _ = example("T04")
    found = price_cases([{**MONEY, "points": given["score"], "total_cost": given["cost"]}], fixed(given["value"])).table
    assert found[0]["profit"] == expected
    given, expected, _ = example("T05")
    found = price_cases(
        [{**MONEY, "points": float(given["weight"]), "total_cost": given["cost"]}], fixed(given["value"])
    ).table
    assert (found[0]["standard"], found[0]["profit"]) == (expected["S"], expected["PL"])


def test_t06_payable_with_and_without_floor():
    given, expected, tolerance = example("T06")
    patient = given["total"] - given["fund_paid"]
    for score, floor, standard, payable in (
        (given["base_score"], True, expected["S_employee"], expected["payable"]),
        (Decimal("27.7173"), True, Decimal("2107.34"), 0),
        (Decimal("27.7173"), False, Decimal("2107.34"), Decimal("2107.34") - patient),
    ):
        rule = fixed(given["value_employee"], cases={"payable": "residual", "floor": floor})
        case = {**MONEY, "points": float(score * given["kappa"]), "total_cost": given["total"], "patient_paid": patient}
        found = price_cases([case], rule).table[0]
        assert abs(found["standard"] - standard) <= tolerance
        assert abs(found["payable"] - payable) <= tolerance


def test_t08_coverage():
    given, _, _ = example("T08")
    rows = list_coverage_minima()
    added = [row.added for row in rows if row.coverage == "institutions"]
    assert added == given["institutions"]
    assert sum(added) == 1
    for kind, name in (("groups", "drg_groups"), ("fund", "fund")):
        assert [row.minimum for row in rows if (row.coverage, row.places) == (kind, "pilots")] == given[name]
    assert rows.row("groups-pilots-2023").year == 2023


def test_t09_cap_of_special_review():
    given, expected, _ = example("T09")
    for family, cap in (("DRG", "0.05"), ("DIP", "0.005")):
        rule = policy(review={"cap": Decimal(cap), "outcome": "item"})
        assert cap_reviews(given["discharges"], rule) == expected[family]
