"""Published figures and worked examples on indicators, by id, and a bulletin of Jiangsu as it prints them."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from drgdip.monitor import flows, indicators

EXAMPLES = {
    example["id"]: example
    for example in json.loads(
        (Path(__file__).parent.parent / "data" / "monitor" / "worked_examples.json").read_text(encoding="utf-8")
    )
}


def example(number):
    return EXAMPLES[number]["inputs"], EXAMPLES[number]["expected"], EXAMPLES[number]["tol"]


def split(amount, cases):
    """An amount of whole units over some cases, as evenly as whole units allow."""
    each, rest = divmod(amount, cases)
    return [each + (place < rest) for place in range(cases)]


def discharges(cases, **amounts):
    """A table of cases of one hospital, with columns whose sums are given: money in fen, days as they are."""
    table = {"hospital": ["H"] * cases}
    for name, amount in amounts.items():
        parts = split(amount, cases)
        table[name] = parts if name == "los" else [Decimal(part) / 100 for part in parts]
    return pa.table(table)


def test_the_bulletin_of_jiangsu_as_printed():
    """Nanjing, January 2022 (江苏医改动态 no. 246): the figures of the month and their change against a year before."""
    now = discharges(86_580, total_cost=120_978_407_200, fund_booked=74_920_310_000, los=609_212)
    then = discharges(80_487, total_cost=129_902_724_400, fund_booked=83_069_420_100, los=670_786)
    now = now.append_column("status", pa.array(["grouped"] * 86_312 + ["ungrouped"] * 268))
    now = now.append_column("matched", pa.array([True] * 86_571 + [False] * 9))
    row = indicators(now, None, previous=then).to_pylist()[0]
    assert f"{row['discharges']:,}" == "86,580"
    assert f"{row['total_cost'] / 10_000:,.0f}" == "120,978"
    assert f"{row['fund'] / 10_000:,.2f}" == "74,920.31"
    assert f"{row['mean_stay']:.4f}" == "7.0364"
    assert f"{row['mean_cost']:,.2f}" == "13,973.02"
    changes = {"discharges": 7.57, "total_cost": -6.87, "fund": -9.81, "mean_stay": -15.57, "mean_cost": -13.42}
    assert {name: round(row[f"{name}_change"] * 100, 2) for name in changes} == changes
    assert (round(row["grouping_rate"] * 100, 2), round(row["match_rate"] * 100, 2)) == (99.69, 99.99)


def test_n02_the_mean_a_year_before():
    inputs, expected, tolerance = example("N02")
    cases = [{"hospital": "H", "total_cost": inputs["published"]}]
    row = indicators(cases, previous=[{"hospital": "H", "total_cost": expected}])[0]
    assert row["mean_cost_previous"] == pytest.approx(expected, abs=tolerance)
    assert round(row["mean_cost_change"], 4) == inputs["change"]


def test_n04_the_share_of_the_fund():
    inputs, expected, _ = example("N04")
    cases = [{"hospital": "H", "fund_booked": inputs["fund"], "total_cost": inputs["cost"]}]
    assert f"{indicators(cases)[0]['fund_rate']:.2%}".replace("%", " %") == expected


def test_n05_the_flow_of_basic_groups():
    """Shares of the levels and their change, from counts whose shares print as the bulletin's."""
    inputs, _, _ = example("N05")

    def cases(counts):
        levels = np.repeat(["level 3", "level 2", "level 1", "other"], counts)
        return pa.table({"level": levels, "group": ["basic"] * len(levels)})

    rows = flows(cases([5422, 3324, 900, 354]), groups=["basic"], previous=cases([56376, 31802, 8806, 3016]))
    found = {row["level"]: (round(row["share"] * 100, 2), round(row["change"], 2)) for row in rows.to_pylist()}
    wanted = dict(
        zip(
            ["level 3", "level 2", "level 1", "other"],
            zip(inputs["shares"], inputs["changes"], strict=True),
            strict=True,
        )
    )
    assert found == wanted


@pytest.mark.parametrize("number", ["C05", "C06", "C07"])
def test_profit_of_a_hospital_by_month(number):
    inputs, expected, tolerance = example(number)
    amounts = {name: round(inputs[name] * 100) for name in ("total_cost", "standard")}
    row = indicators(discharges(inputs["cases"], profit=round(inputs["official_PL"] * 100), **amounts)).to_pylist()[0]
    assert row["discharges"] == inputs["cases"]
    assert row["mean_cost"] == pytest.approx(expected["mean_cost"], abs=tolerance)
    assert float(row["profit"]) == inputs["official_PL"]
    formula = row["standard"] - row["total_cost"]
    assert float(formula) == pytest.approx(expected["formula"], abs=tolerance)
    assert float(row["profit"] - formula) == pytest.approx(expected["adjustment"], abs=tolerance)


def test_c08_profit_of_months_adds_up():
    inputs, expected, _ = example("C08")
    cases = [{"hospital": "H", "month": n, "profit": Decimal(str(profit))} for n, profit in enumerate(inputs["months"])]
    months = indicators(cases, ["hospital", "month"])
    assert sum(row["profit"] for row in months) == indicators(cases)[0]["profit"] == Decimal(str(expected))


def test_c09_mean_profit_of_a_group():
    inputs, expected, _ = example("C09")
    group = discharges(inputs["cases"], profit=round(inputs["PL"] * 100)).to_pylist()
    cases = [case | {"group": inputs["group"]} for case in group]
    rest = round((inputs["of"] - inputs["PL"]) * 100)
    cases.append({"hospital": "H", "group": "other", "profit": Decimal(rest) / 100})
    rows = {row["group"]: row for row in indicators(cases, "group")}
    assert round(rows[inputs["group"]]["mean_profit"], 2) == expected["mean"]
    share = rows[inputs["group"]]["profit"] / sum(row["profit"] for row in rows.values())
    assert f"{share:.0%} ({share:.4f})".replace("%", " %") == expected["share"]


def test_t07_cases_that_are_not_grouped():
    inputs, expected, _ = example("T07")
    grouped = inputs["cases"] - inputs["ungrouped"]
    cases = [{"hospital": "H", "status": "grouped" if n < grouped else "ungrouped"} for n in range(inputs["cases"])]
    assert f"{1 - indicators(cases)[0]['grouping_rate']:.2%}".replace("%", " %") == expected


@pytest.mark.parametrize(("number", "base"), [("X001", "city_mean"), ("X003", "benchmark_mean")])
def test_cmi_of_insurance_from_scores(number, base):
    """A hospital with cataract alone: the score over 1000 is its CMI, by the base that the pool takes."""
    inputs, expected, tolerance = example(number)
    score = inputs["group_mean"] / inputs[base] * 1000
    weights = [{"group": "cataract", "weight": score / 1000}]
    row = indicators([{"hospital": "H", "group": "cataract"}] * 3, weights=weights)[0]
    assert row["cmi"] * 1000 == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("number", ["X005", "X007", "X009", "X011", "X013", "X015"])
def test_profit_of_departments(number):
    inputs, expected, tolerance = example(number)
    case = {"dept": inputs["department"], "standard": inputs["income_wan"] * 10_000}
    case |= {"total_cost": inputs["cost_wan"] * 10_000}
    case["profit"] = case["standard"] - case["total_cost"]
    row = indicators([case], "dept")[0]
    assert row["profit"] == expected["PL_wan"] * 10_000
    assert row["profit_rate"] * 100 == pytest.approx(expected["rate_percent"], abs=tolerance)


def test_x017_change_of_cmi():
    inputs, expected, _ = example("X017")
    now, then = ([{"hospital": "H", "group": "A", "weight": inputs[when]}] for when in ("after", "before"))
    assert f"{indicators(now, previous=then)[0]['cmi_change']:+.1%}".replace("%", " %") == expected


def test_every_example_has_a_test():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{number}"' in text for number in EXAMPLES)
