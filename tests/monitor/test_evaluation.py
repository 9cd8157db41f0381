"""Quality evaluation: schemes are read strictly, scores equal a slow twin, missing values are findings."""

import random
import re
from decimal import Decimal, localcontext
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from evaluation_twin import evaluate_slowly

from drgdip import CaseError, PolicyError
from drgdip.monitor import EvaluationScheme, evaluate, indicators, read_evaluation
from drgdip.settle import appraise_hospitals, read_settlement
from drgdip.settle.rules import AppraisalRules

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "evaluation.toml"
VALUES = ROOT / "docs" / "examples" / "evaluation.csv"


def shares(rng, number):
    """Weights of six digits at most that add up to 1."""
    cuts = sorted(rng.sample(range(1, 1000), number - 1))
    return [Decimal(two - one) / 1000 for one, two in zip([0, *cuts], [*cuts, 1000], strict=True)]


def random_curve(rng, direction):
    edges = [Decimal(edge) / 100 for edge in sorted(rng.sample(range(10, 200), 5))]
    rising = [Decimal(score) / 7 for score in sorted(rng.sample(range(700), 5))]
    rising = [score.quantize(Decimal("0.000001")) for score in rising]
    scores = {
        "higher": rising,
        "lower": rising[::-1],
        "target": [rising[0], rising[2], rising[4], rising[3], rising[1]],
    }[direction]
    if direction == "target" and rng.random() < 0.5:
        bands = [
            {"at_least": a, "below": b, "score": s} for a, b, s in zip(edges, edges[1:], scores[1:4], strict=False)
        ]
        return {"kind": "bands", "otherwise": 0, "bands": bands}
    if rng.random() < 0.5:
        steps = [{"at_least": edge, "score": score} for edge, score in zip(edges[1:], scores[1:], strict=True)]
        return {"kind": "steps", "otherwise": scores[0], "steps": steps}
    return {"kind": "linear", "points": list(zip(edges, scores, strict=True))}


def random_scheme(rng, missing):
    dimensions = [
        {"id": f"d{place}", "name": f"D{place}", "weight": weight} for place, weight in enumerate(shares(rng, 4))
    ]
    indicators = []
    for dimension in dimensions:
        for weight in shares(rng, rng.randint(1, 4)):
            direction = rng.choice(["higher", "lower", "target"])
            part = {"id": f"i{len(indicators)}", "name": "I", "dimension": dimension["id"], "weight": weight}
            part |= {"direction": direction, "curve": random_curve(rng, direction)}
            measure = rng.choice(["value", "ratio", "difference"])
            if measure != "value":
                part["measure"] = measure
                part |= rng.choice([{"target": Decimal("0.97")}, {"target_column": "t"}])
            indicators.append(part)
    head = {"id": "random", "title": "random", "full": 100, "missing": missing}
    return EvaluationScheme.of(head | {"dimensions": dimensions, "indicators": indicators})


def random_rows(rng, scheme, number):
    edges = [Decimal(edge) / 100 for edge in range(10, 200)]
    rows = []
    for place in range(number):
        row = {"hospital": f"H{place:03}", "t": rng.choice([None, 0.0, 1.0, 0.93, -1.0])}
        for part in scheme.indicators:
            row[part.id] = rng.choice([None, float(rng.choice(edges)), round(rng.uniform(0, 2.2), 8)])
        rows.append(row)
    return rows


@pytest.mark.parametrize("missing", ["open", "reweight"])
@pytest.mark.parametrize("seed", range(8))
def test_scores_equal_a_slow_twin_in_decimals(seed, missing):
    rng = random.Random(seed)
    scheme = random_scheme(rng, missing)
    rows = random_rows(rng, scheme, 60)
    found = evaluate(rows, scheme)
    with localcontext(prec=60):
        scores, steps = evaluate_slowly(rows, scheme)
    assert len(found.scores) == len(rows)
    for row in found.scores.to_pylist():
        for name, score in scores[row["hospital"]].items():
            assert row[name] == (None if score is None else float(score)), (row["hospital"], name)
    for row in found.steps.to_pylist():
        x, score, reason = steps[row["hospital"], row["indicator"]]
        assert row["reason"] == reason
        assert row["measured"] == (None if x is None else float(x))
        assert row["score"] == (None if score is None else float(score))
    lost = {key for key, (_, _, reason) in steps.items() if reason}
    assert {(row["hospital"], row["indicator"]) for row in found.findings.to_pylist()} == lost
    assert len(lost) > 20


def test_every_step_can_be_redone_by_hand():
    """Scores times weights make the dimension, and dimensions times weights the total; the weights add up to 1."""
    rng = random.Random(1)
    scheme = random_scheme(rng, "reweight")
    found = evaluate(random_rows(rng, scheme, 40), scheme)
    totals = {row["hospital"]: row for row in found.scores.to_pylist()}
    for hospital, total in totals.items():
        dimensions = [row for row in found.dimensions.to_pylist() if row["hospital"] == hospital]
        for dimension in dimensions:
            own = [
                row
                for row in found.steps.to_pylist()
                if (row["hospital"], row["dimension"]) == (hospital, dimension["dimension"])
            ]
            assert dimension["missing"] == sum(row["reason"] is not None for row in own)
            known = [row for row in own if row["score"] is not None]
            if not known:
                assert dimension["score"] is dimension["weighted"] is None
                continue
            assert sum(row["weighted"] for row in known) == pytest.approx(dimension["score"], abs=1e-5)
            assert sum(row["weight"] for row in known) == pytest.approx(1, abs=1e-5)
            assert dimension["score"] == total[dimension["dimension"]]
        scored = [row["weighted"] for row in dimensions if row["weighted"] is not None]
        assert sum(scored) == pytest.approx(total["total"], abs=1e-5)


def test_the_example_is_marked_and_scores_as_worked_by_hand():
    scheme = read_evaluation(EXAMPLE)
    assert scheme.example
    found = evaluate(read_settlement(VALUES), scheme, by=["hospital", "pool"])
    assert "example numbers" in repr(found)
    scores = {row["hospital"]: row for row in found.scores.to_pylist()}
    # 14280 / 14000 = 1.02: 80 - 0.02 / 0.2 * 80; 0.95 / 1.02 = 0.931373: 0.131373 / 0.2 * 80, times 0.6, + 0.4 * 80.
    second = scores["市二院"]
    assert second["general"] == 72
    assert second["drgs"] == 63.52952
    assert second["audit"] == 40
    assert second["outcome"] == 0.5 * 45 + 0.5 * 60
    assert second["satisfaction"] == 62.5
    assert second["process"] == 60
    assert second["total"] == round(0.2 * (72 + 63.52952 + 40 + 52.5) + 0.1 * (62.5 + 60), 6)
    assert scores["县医院"]["total"] is None
    assert found.findings.to_pylist() == [
        {"hospital": "县医院", "pool": "职工", "indicator": "coding_check", "reason": "missing_value"}
    ]


def test_the_largest_numbers_that_a_scheme_may_have_are_exact():
    curve = {"kind": "linear", "points": [[-(10**12), 0], [10**12, 10**6]]}
    part = {"id": "i", "name": "I", "dimension": "d", "weight": 1, "direction": "higher", "curve": curve}
    head = {
        "id": "x",
        "title": "x",
        "full": 10**6,
        "missing": "open",
        "dimensions": [{"id": "d", "name": "D", "weight": 1}],
    }
    scheme = EvaluationScheme.of(head | {"indicators": [part]})
    found = evaluate([{"hospital": "A", "i": 10**12}, {"hospital": "B", "i": 3 * 10**11}], scheme)
    assert found.scores["total"].to_pylist() == [1e6, 650000.0]


def test_full_scores_give_a_full_total_whatever_the_weights():
    curve = {"kind": "linear", "points": [[0, 0], [1, 100]]}
    third = Decimal("0.333333")
    part = {"name": "I", "dimension": "d", "direction": "higher", "curve": curve}
    weights = [third, third, 1 - 2 * third]
    indicators = [part | {"id": f"i{place}", "weight": weight} for place, weight in enumerate(weights)]
    head = {"id": "x", "title": "x", "full": 100, "dimensions": [{"id": "d", "name": "D", "weight": 1}]}
    scheme = EvaluationScheme.of(head | {"missing": "reweight", "indicators": indicators})
    found = evaluate([{"hospital": "A", "i0": 1, "i1": 5, "i2": None}], scheme)
    assert found.scores["total"].to_pylist() == [100.0]


def test_a_missing_value_is_never_a_score_of_nothing():
    rows = [{"hospital": "A", **{part.id: None for part in read_evaluation(EXAMPLE).indicators}, "cost_target": 1}]
    for missing in ("open", "reweight"):
        scheme = read_evaluation(EXAMPLE).model_copy(update={"missing": missing})
        found = evaluate(rows, scheme)
        assert found.scores["total"].to_pylist() == [None]
        assert len(found.findings) == len(scheme.indicators)
        assert set(found.steps["score"].to_pylist()) == {None}


def test_what_is_no_number_is_a_finding():
    rows = read_settlement(VALUES).to_pylist()
    rows[0]["cmi"] = "很高"
    rows[1]["cost_target"] = "0"
    found = evaluate(rows, EXAMPLE)
    reasons = {(row["hospital"], row["indicator"]): row["reason"] for row in found.findings.to_pylist()}
    assert reasons == {
        ("市一院", "cmi"): "unreadable_value",
        ("市二院", "cost_per_discharge"): "missing_target",
        ("县医院", "coding_check"): "missing_value",
    }


def test_scores_feed_the_appraisal_of_the_year():
    """Points rewards and penalties of the year come of the total, or of dimensions."""
    rows = [row | {"coding_check": row["coding_check"] or "0.9"} for row in read_settlement(VALUES).to_pylist()]
    found = evaluate(rows, EXAMPLE, by=["hospital", "pool"])
    bands = [{"at_least": 90, "gives": Decimal("1.02")}, {"at_least": 0, "gives": Decimal("0.98")}]
    points = [{"hospital": row["hospital"], "pool": row["pool"], "points": 1000} for row in rows]
    for weights in ({"total": Decimal(1)}, {"drgs": Decimal("0.5"), "audit": Decimal("0.5")}):
        rules = AppraisalRules(lowest=0, highest=2, difference="fund", weights=weights, bands=bands)
        marks = {row["hospital"]: row for row in appraise_hospitals(found.scores, rules, points=points).to_pylist()}
        assert marks["市一院"]["points_change"] == 20
        assert marks["市二院"]["points_change"] == -20
    open_scores = evaluate(read_settlement(VALUES), EXAMPLE, by=["hospital", "pool"]).scores
    with pytest.raises(CaseError, match="missing or negative"):
        appraise_hospitals(open_scores, rules.model_copy(update={"weights": {"total": Decimal(1)}}))


@pytest.mark.parametrize("container", [list, pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_containers_and_order_change_nothing(container):
    rng = random.Random(5)
    scheme = random_scheme(rng, "reweight")
    rows = random_rows(rng, scheme, 30)
    expected = evaluate(rows, scheme)
    rng.shuffle(rows)
    found = evaluate(container(rows), scheme)
    for name in ("scores", "dimensions", "steps", "findings"):
        assert getattr(found, name).equals(getattr(expected, name)), name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_reports_show_steps_and_say_that_numbers_are_an_example(tmp_path, language):
    found = evaluate(read_settlement(VALUES), EXAMPLE)
    text = found.report(tmp_path / "report.html", language=language).read_text(encoding="utf-8")
    for words in ("example numbers", "Findings") if language == "en" else ("示例数值", "问题"):
        assert words in text
    assert "医疗服务效果" in text
    assert "0.7 ≤ x &lt; 0.85 → 80" in text
    with pytest.raises(Exception, match=r"\.xlsx or \.html"):
        found.report(tmp_path / "report.csv")


# Schemes are read strictly


def values():
    import tomllib

    return tomllib.loads(EXAMPLE.read_text(encoding="utf-8"), parse_float=Decimal)


def test_all_faults_are_told_at_once():
    wrong = values()
    wrong["missing"] = "zero"
    wrong["colour"] = "red"
    wrong["dimensions"][0]["weight"] = Decimal("0.3")
    wrong["dimensions"][1]["id"] = "total"
    first = wrong["indicators"][0]
    first["direction"] = "higher"
    wrong["indicators"][2]["curve"]["bands"][0]["below"] = Decimal("0.9")
    wrong["indicators"][3]["curve"]["kind"] = "spline"
    del wrong["indicators"][4]["name"]
    wrong["indicators"][5]["weight"] = 0.5  # a float
    wrong["indicators"][6]["curve"]["points"][1][1] = 120
    wrong["indicators"][7]["dimension"] = "none"
    with pytest.raises(PolicyError) as caught:
        EvaluationScheme.of(wrong)
    text = str(caught.value)
    for told in (
        "missing: is zero",
        "colour: there is no such field",
        "dimensions: the weights add up to 1.1",
        "dimensions.total: is a column of every result",
        "indicators.cost_per_discharge: the curve falls somewhere, though a higher value is better",
        "indicators.time_index.curve.bands: bands: the one from 0.85 begins before 0.9",
        "indicators.deduction_share.curve: ",
        "indicators.readmission_rate.name: is missing",
        "indicators.low_risk_mortality.weight: is a float",
        "indicators.satisfaction_survey.curve: gives 120, above full = 100",
        "indicators.coding_check.dimension: is none, which is none of",
    ):
        assert told in text, told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"target": 1}, "a target is not read where measure is value"),
        ({"measure": "ratio"}, "needs either target or target_column"),
        ({"measure": "ratio", "target": 0}, "a ratio needs one above 0"),
        ({"measure": "difference", "target": 1, "target_column": "t"}, "needs either"),
        ({"direction": "lower"}, "rises somewhere"),
        ({"direction": "target"}, "has its top at an end"),
        ({"curve": {"kind": "linear", "points": [[0, 5], [1, 5]]}}, "gives every value one score"),
        ({"curve": {"kind": "linear", "points": [[1, 0], [1, 5]]}}, "must rise"),
        ({"curve": {"kind": "linear", "points": [[0, -5], [1, 5]]}}, "greater than or equal to 0"),
        ({"curve": {"kind": "steps", "steps": [{"at_least": 1, "score": 5}]}}, "otherwise: is missing"),
        (
            {"direction": "target", "curve": {"kind": "linear", "points": [[0, 0], [1, 9], [2, 3], [3, 9], [4, 0]]}},
            "more than one top",
        ),
        ({"weight": Decimal("0.9")}, "add up to 0.9"),
        ({"dimension": "e"}, "dimensions.d: has no indicators"),
        ({"id": ""}, "id: "),
        ({"curve": {"kind": "linear", "points": [[0, 0], [10**13, 5]]}}, "less than or equal to 1000000000000"),
    ],
)
def test_each_fault_is_told(change, told):
    curve = {"kind": "linear", "points": [[0, 0], [1, 100]]}
    part = {"id": "i", "name": "I", "dimension": "d", "weight": 1, "direction": "higher", "curve": curve}
    head = {"id": "x", "title": "x", "full": 100, "missing": "open"}
    scheme = head | {"dimensions": [{"id": "d", "name": "D", "weight": 1}], "indicators": [part]}
    assert EvaluationScheme.of(scheme).indicators[0].id == "i"
    with pytest.raises(PolicyError, match=re.escape(told)):
        EvaluationScheme.of(scheme | {"indicators": [part | change]})


def test_citations_are_kept_beside_the_numbers():
    assert read_evaluation(EXAMPLE).citations["indicators.cmi.target"].source == "made up"


def test_files_and_tables_that_cannot_be_used_are_said(tmp_path):
    with pytest.raises(PolicyError, match="cannot be read"):
        read_evaluation(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("id = ", encoding="utf-8")
    with pytest.raises(PolicyError, match="is no TOML"):
        read_evaluation(tmp_path / "bad.toml")
    (tmp_path / "empty.toml").write_text('id = "x"\ndimensions = 1\nindicators = [1]\n', encoding="utf-8")
    with pytest.raises(
        PolicyError, match=r"title: is missing.*dimensions: is missing.*indicators\.1: is 1: give a table"
    ):
        read_evaluation(tmp_path / "empty.toml")
    table = read_settlement(VALUES)
    with pytest.raises(CaseError, match="lack cmi, coding_check, which example-six"):
        evaluate(table.drop_columns(["cmi", "coding_check"]), EXAMPLE)
    with pytest.raises(CaseError, match="县医院 twice"):
        evaluate(pa.concat_tables([table, table]), EXAMPLE)
    nameless = [
        row | {"hospital": row["hospital"] if place != 1 else None} for place, row in enumerate(table.to_pylist())
    ]
    with pytest.raises(CaseError, match="row 1 of the indicators has no hospital"):
        evaluate(nameless, EXAMPLE)
    renamed = table.rename_columns({"cmi": "病例组合指数"})
    assert evaluate(renamed, EXAMPLE, columns={"cmi": "病例组合指数"}).scores.equals(evaluate(table, EXAMPLE).scores)


def test_the_table_of_indicators_is_evaluated_as_it_is():
    rows = [
        {"hospital": h, "group": "A", "total_cost": c, "weight": w} for h, c, w in (("H1", 900, 1.2), ("H2", 1100, 0.9))
    ]
    curve = {"kind": "linear", "points": [[Decimal("0.8"), 0], [Decimal("1.2"), 100]]}
    part = {"id": "cmi", "name": "CMI", "dimension": "d", "weight": 1, "direction": "higher", "curve": curve}
    head = {
        "id": "x",
        "title": "x",
        "full": 100,
        "missing": "open",
        "dimensions": [{"id": "d", "name": "D", "weight": 1}],
    }
    found = evaluate(indicators(rows, which=["cmi", "mean_cost"]), EvaluationScheme.of(head | {"indicators": [part]}))
    assert found.scores.to_pylist() == [
        {"hospital": "H1", "d": 100.0, "total": 100.0},
        {"hospital": "H2", "d": 25.0, "total": 25.0},
    ]
