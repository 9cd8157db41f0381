"""The published, derived and implementers' examples that concern points, by id and at their tolerance."""

import json
from pathlib import Path

import pytest

from drgdip import points

EXAMPLES = {
    example["id"]: example
    for example in json.loads(
        (Path(__file__).parent.parent / "data" / "points" / "worked_examples.json").read_text(encoding="utf-8")
    )
}


def standard(weight, rate, coefficient=1.0):
    table = [{"weight": weight}]
    return points.set_payment_standards(table, [{"base_rate": rate, "coefficient": coefficient}])[0]["standard"]


def price(case, weights=(("A", 1.0, None),), **options):
    table = [{"group": group, "weight": weight, "mean": mean} for group, weight, mean in weights]
    return points.case_points([{"group": "A", **case}], table, **options)[0]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name[0] == "S" and name not in {"S33", "S34"}] + ["C01"])
def test_payment_standard(name):
    given = EXAMPLES[name]
    inputs = given["inputs"]
    found = standard(inputs["weight"], inputs["rate"], inputs["coefficient"])
    assert found == pytest.approx(given["expected"], abs=given["tol"])


def test_s02_lines():
    row = next(row for row in points.load_standards("jilin", 2022).to_pylist() if row["group"] == "ES35")
    value = EXAMPLES["S02"]["expected"]
    assert row["low_line"] == pytest.approx(0.35 * value, abs=0.01) == pytest.approx(1800.130214, abs=0.01)
    assert row["high_line"] == pytest.approx(2 * value, abs=0.01) == pytest.approx(10286.45837, abs=0.01)


def test_s33_one_rate_fits_all_of_beijing():
    given = EXAMPLES["S33"]
    weights = points.load_weights("beijing", 2022).to_pylist()
    fees = {row["group"]: row["standard"] for row in points.load_standards("beijing", 2022).to_pylist()}
    pairs = [(row["weight"], fees[row["group"]]) for row in weights if row["weight"] is not None]
    assert len(pairs) == 647
    assert (given["inputs"]["weight"], given["inputs"]["standard"]) in pairs
    assert (given["inputs"]["weight2"], given["inputs"]["standard2"]) in pairs
    # The standard divided by the rate is the weight; the base of the quota method is that rate.
    assert max(abs(fee / 20425 - weight) for weight, fee in pairs) <= given["tol"]
    assert max(abs(fee / 20600 - weight) for weight, fee in pairs) > given["tol"]


def test_s34_two_pools_and_a_low_line():
    given = EXAMPLES["S34"]
    inputs, expected = given["inputs"], given["expected"]
    rates = [
        {"pool": "employee", "base_rate": inputs["rate_employee"]},
        {"pool": "resident", "base_rate": inputs["rate_resident"]},
    ]
    groups = [{"weight": inputs["weight"], "pool": pool} for pool in ("employee", "resident")]
    policy = points.load_outlier_policy("harbin-2024", low_formula=None)
    for row in points.set_payment_standards(groups, rates):
        assert row["standard"] == pytest.approx(expected[row["pool"]], abs=given["tol"])
        line = expected[row["pool"] + "_low"]
        sides = [{**row, "total_cost": line - 0.01}, {**row, "total_cost": line + 0.01}]
        found = points.classify_outliers(sides, policy, reference="standard")
        assert [case["outlier"] for case in found] == ["low", "normal"]
        assert policy.bands[0].until == inputs["low"]


def test_c03_what_a_downgrade_costs():
    given = EXAMPLES["C03"]
    case = {"group": "IU2F", "western_group": "IU23", "tcm_treatment": 59.0, "western_drugs": 41.0}
    down = points.downgrade_tcm([case], minimum=0.6)[0]
    assert down["paid_group"] == "IU23"
    weights = {"IU2F": 0.9258, "IU23": given["inputs"]["b"] / (9575.25 * 0.92)}
    kept, paid = (standard(weights[group], 9575.25, 0.92) for group in (down["group"], down["paid_group"]))
    assert kept - paid == pytest.approx(given["expected"], abs=given["tol"])


def test_c04_a_weight_backed_out_of_its_standard():
    given = EXAMPLES["C04"]
    # With the yuan of one point as base, the weight is the cost over it.
    cases = [{"group": "IS2Z", "total_cost": given["inputs"]["standard"]}]
    found = points.weights(cases, base=9575.25 * 0.92)[0]["weight"]
    assert found == pytest.approx(given["expected"], abs=given["tol"])
    assert standard(given["expected"], 9575.25, 0.92) == pytest.approx(given["inputs"]["standard"], abs=0.005)


def test_p05_a_low_case_is_worth_its_cost():
    given = EXAMPLES["P05"]
    inputs = given["inputs"]
    policy = points.load_outlier_policy("dip-3.0-draft", high=3.0)
    case = {"level": "3", "total_cost": inputs["cost"]}
    means = [{"group": "A", "level": "3", "mean": inputs["standard"]}]
    weights = [("A", inputs["RW"], None)]
    row = price(case, weights, coefficient=inputs["kappa"], outliers=policy, reference=means)
    assert row["outlier"] == "low"
    assert row["points"] == pytest.approx(given["expected"], abs=given["tol"])


def test_p06_value_of_the_increment():
    given = EXAMPLES["P06"]
    inputs = given["inputs"]
    row = points.compute_elastic_value(
        [{"points": inputs["points"]}],
        total=inputs["total"],
        base_share=inputs["base_share"],
        base_points=inputs["base_points"],
        cap=None,
        by=None,
    )[0]
    assert row["base_value"] == pytest.approx(80 / 80000, rel=1e-12)
    assert row["increment_value"] == pytest.approx(20 / 30000, rel=1e-12)
    assert row["increment_value"] / row["base_value"] == pytest.approx(2 / 3, abs=given["tol"])


@pytest.mark.parametrize("name", ["Q01", "Q02", "Q03", "Q04", "Q05", "Q06"])
def test_deviation_factor(name):
    given = EXAMPLES[name]
    means = [{"group": "A", "level": "3", "mean": given["inputs"]["A"]}]
    case = {"level": "3", "total_cost": given["inputs"]["cost"]}
    row = price(case, outliers="dip-1.0", reference=means)
    assert row["factor"] == pytest.approx(given["expected"], abs=given["tol"])
    assert row["points_status"] == ("review" if name == "Q06" else "priced")


@pytest.mark.parametrize(("name", "base_variant"), [("Q07", 135.0), ("Q08", 90.0 * 5)])
def test_jining(name, base_variant):
    given = EXAMPLES[name]
    inputs = given["inputs"]
    case = {"level": "3", "total_cost": inputs["cost"]}
    means = [{"group": "A", "level": "3", "mean": inputs["A"]}]
    options = {"weights": [("A", inputs["RW"], None)], "coefficient": inputs["kappa"], "reference": means}
    assert price(case, outliers="jining", **options)["points"] == pytest.approx(given["expected"], abs=given["tol"])
    assert price(case, outliers="hubei", **options)["points"] == pytest.approx(base_variant, abs=1e-9)


def test_q09_blank_group():
    given = EXAMPLES["Q09"]
    inputs = given["inputs"]
    case = {"level": "3", "total_cost": inputs["cost"], "kind": "blank"}
    means = [{"group": "A", "level": "3", "mean": inputs["mean"]}]
    row = price(case, [("A", inputs["RW"], None)], outliers="jining", reference=means, kind="kind")
    assert row["points"] == pytest.approx(given["expected"], abs=given["tol"])


def test_r01_benchmark_points():
    given = EXAMPLES["R01"]
    cases = [{"group": "A", "total_cost": given["inputs"]["group_mean"]}, {"group": "B", "total_cost": 7500}]
    found = points.weights(cases, scale=100)
    assert sum(row["mean"] for row in found) / 2 == given["inputs"]["city_mean"]
    assert found[0]["weight"] == pytest.approx(given["expected"], abs=given["tol"])


@pytest.mark.parametrize("name", ["R02", "R03"])
def test_incomplete_stay(name):
    given = EXAMPLES[name]
    inputs = given["inputs"]
    row = price(
        {"total_cost": inputs["cost"], "kind": "incomplete"},
        [("A", inputs["BP"], inputs["mean"])],
        coefficient=inputs["kappa"],
        kind="kind",
        incomplete="min(1, ratio * coefficient)",
    )
    assert row["points"] == pytest.approx(given["expected"], abs=given["tol"])


def test_r04_readmission_halves_the_earlier_stay():
    given = EXAMPLES["R04"]
    stays = [
        {"patient": "P", "group": "A", "admitted": "2019-03-01", "discharged": "2019-03-05"},
        {"patient": "P", "group": "A", "admitted": "2019-03-20", "discharged": "2019-03-25"},
        {"patient": "Q", "group": "RE1", "admitted": "2019-03-01", "discharged": "2019-03-05"},
        {"patient": "Q", "group": "RE1", "admitted": "2019-03-10", "discharged": "2019-03-12"},
    ]
    marked = points.mark_readmissions(stays, days=15, factor=0.5, except_groups=["RE1"])
    weights = [{"group": group, "weight": given["inputs"]["points"]} for group in ("A", "RE1")]
    found = points.case_points(marked, weights, readmission="readmission_factor")
    assert [row["points"] for row in found] == [given["expected"], 120.0, 120.0, 120.0]


@pytest.mark.parametrize("name", ["R05", "R06", "R07"])
def test_low_points_of_zhejiang(name):
    given = EXAMPLES[name]
    inputs = given["inputs"]
    policy = points.load_outlier_policy("zhejiang-2025", very_low_formula="ratio * coefficient")
    row = price({"total_cost": inputs["r"] * 10000}, [("A", inputs["BP"], 10000.0)], outliers=policy)
    assert row["points"] == pytest.approx(given["expected"], abs=given["tol"])


def test_t02_value_of_a_point():
    row = points.point_value([{"points": 30e8}], fund=30e8, fund_share=1, by=None)[0]
    assert row["point_value"] == 1
    inputs = EXAMPLES["T02"]["inputs"]
    assert standard(inputs["case_points"], row["point_value"]) - inputs["cost"] == 200


def test_t04_score_times_value():
    given = EXAMPLES["T04"]
    inputs = given["inputs"]
    assert standard(inputs["score"], inputs["value"]) - inputs["cost"] == pytest.approx(
        given["expected"], abs=given["tol"]
    )


def test_t05_weight_times_value():
    given = EXAMPLES["T05"]
    inputs = given["inputs"]
    found = standard(inputs["weight"], inputs["value"])
    assert found == pytest.approx(given["expected"]["S"], abs=given["tol"])
    assert found - inputs["cost"] == pytest.approx(given["expected"]["PL"], abs=given["tol"])


def test_t06_score_and_value_by_pool():
    given = EXAMPLES["T06"]
    inputs, expected = given["inputs"], given["expected"]
    row = price({}, [("A", inputs["base_score"], None)], coefficient=inputs["kappa"])
    # The tool shows four decimals; the tolerance of the example is on the money.
    assert row["points"] == pytest.approx(expected["score"], abs=5e-5)
    rates = [{"pool": pool, "base_rate": inputs[f"value_{pool}"]} for pool in ("employee", "resident")]
    cases = [{"pool": pool, "points": row["points"]} for pool in ("employee", "resident")]
    found = points.set_payment_standards(cases, rates, columns={"weight": "points"})
    for case in found:
        assert case["standard"] == pytest.approx(expected[f"S_{case['pool']}"], abs=given["tol"])
    patient = inputs["total"] - inputs["fund_paid"]
    assert max(found[0]["standard"] - patient, 0) == pytest.approx(expected["payable"], abs=given["tol"])


def test_t11_capped_groups_of_yantai():
    rows = {row["group"]: row for row in points.load_weights("yantai", 2023).to_pylist()}
    for group, cap in EXAMPLES["T11"]["inputs"].items():
        assert rows[group]["case_cap"] == cap
    assert sum("capped" in row["flags"].split("|") for row in rows.values()) == 26
