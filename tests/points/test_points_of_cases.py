import datetime
import math

import pyarrow as pa
import pytest
from points_cases import make_cases

from drgdip import points
from drgdip.errors import CaseError, PolicyError, UnknownNameError

WEIGHTS = [
    {"group": "A", "weight": 100.0, "mean": 10000.0},
    {"group": "B", "weight": 50.0, "mean": 5000.0},
    {"group": "U", "weight": None, "mean": 900.0},
]


def test_every_kind_of_case():
    cases = [
        {"group": "A", "kind": "complete", "total_cost": 9000.0},
        {"group": "A", "kind": "incomplete", "total_cost": 4000.0},
        {"group": "B", "kind": "bed_day", "total_cost": 9000.0, "los": 30},
        {"group": "B", "kind": "special_review", "total_cost": 99000.0, "reasonable_cost": 80000.0},
        {"group": "X", "kind": "by_item", "total_cost": 2500.0},
    ]
    found = points.case_points(
        cases,
        WEIGHTS,
        coefficient=1.1,
        kind="kind",
        incomplete="min(1, ratio * coefficient)",
        bed_day_points=3.5,
        mean_cost=8000.0,
        scale=100,
    )
    assert [row["points"] for row in found] == pytest.approx([110, 44, 105, 1000, 31.25])
    assert {row["points_status"] for row in found} == {"priced"}
    assert [row["points_rule"] for row in found] == [
        "weight * coefficient",
        "weight * min(1, ratio * coefficient)",
        "days * bed_day_points",
        "reasonable_cost / mean_cost * scale",
        "cost / mean_cost * scale",
    ]


def test_incomplete_stay_without_the_coefficient():
    case = [{"group": "A", "kind": "incomplete", "total_cost": 4000.0}]
    options = {"kind": "kind", "coefficient": 1.1}
    assert points.case_points(case, WEIGHTS, incomplete="min(1, ratio)", **options)[0]["points"] == 40


def test_faults_keep_their_row_and_say_why():
    cases = [
        {"group": "A", "kind": "complete", "total_cost": 1.0, "k": 1.0, "alpha": 1.0},
        {"group": "X", "kind": "complete", "total_cost": 1.0, "k": 1.0, "alpha": 1.0},
        {"group": None, "kind": "complete", "total_cost": 1.0, "k": 1.0, "alpha": 1.0},
        {"group": "U", "kind": "complete", "total_cost": 1.0, "k": 1.0, "alpha": 1.0},
        {"group": "A", "kind": "complete", "total_cost": 1.0, "k": None, "alpha": 1.0},
        {"group": "A", "kind": "complete", "total_cost": 1.0, "k": 1.0, "alpha": -1.0},
        {"group": "A", "kind": None, "total_cost": 1.0, "k": 1.0, "alpha": 1.0},
        {"group": "A", "kind": "incomplete", "total_cost": None, "k": 1.0, "alpha": 1.0},
        {"group": "A", "kind": "by_item", "total_cost": -5.0, "k": 1.0, "alpha": 1.0},
        {"group": "A", "kind": "bed_day", "total_cost": 1.0, "los": None, "k": 1.0, "alpha": 1.0},
        {"group": "A", "kind": "special_review", "total_cost": 1.0, "reasonable_cost": None, "k": 1.0, "alpha": 1.0},
        {"group": "U", "kind": "incomplete", "total_cost": 1.0, "k": 1.0, "alpha": 1.0},
    ]
    found = points.case_points(
        cases,
        WEIGHTS,
        coefficient="k",
        auxiliary="alpha",
        kind="kind",
        incomplete="min(1, ratio)",
        bed_day_points=1.0,
        mean_cost=1.0,
        scale=1,
    )
    assert len(found) == len(cases)
    assert [row["points_reason"] for row in found] == [
        None,
        "group_not_in_weights",
        "group_not_in_weights",
        "group_without_weight",
        "bad_coefficient",
        "bad_auxiliary",
        "unknown_case_kind",
        "missing_cost",
        "negative_cost",
        "bad_days",
        "bad_reasonable_cost",
        "group_without_weight",
    ]
    for row in found[1:]:
        assert (row["points"], row["points_status"], row["points_rule"]) == (None, "unpriced", None)


def test_a_band_without_a_formula_leaves_the_case_unpriced():
    policy = points.load_outlier_policy("general-article", low_formula=None, high_formula=None)
    cases = [{"group": "A", "total_cost": cost, "standard": 10000.0} for cost in (1000.0, 10000.0, 40000.0)]
    found = points.case_points(cases, WEIGHTS, outliers=policy, reference="standard")
    assert [row["points"] for row in found] == [None, 100, None]
    assert [row["outlier"] for row in found] == ["low", "normal", "high"]
    assert found[0]["points_reason"] == "no_formula"


def test_a_formula_may_not_take_points_away():
    bands = (points.Band("normal", formula="ratio - 2"),)
    policy = points.OutlierPolicy("group_mean", bands)
    row = points.case_points([{"group": "A", "total_cost": 100.0}], WEIGHTS, outliers=policy)[0]
    assert (row["points"], row["points_reason"]) == (None, "no_formula_value")


def test_the_sum_can_be_redone_from_the_columns():
    cases = make_cases(3000, seed=5)
    weights = points.weights(cases, scale=1000, min_cases=3)
    level = points.measure_cost_coefficients(cases, by="level")
    priced = points.combine_coefficients(cases, {"level": level}, "level")
    means = points.weights(cases, by=["group", "level"])
    policy = points.load_outlier_policy("dip-3.0-draft", high=3.0)
    found = points.case_points(priced, weights, coefficient="coefficient", outliers=policy, reference=means)
    rows = found.to_pylist()
    level_of = {row["level"]: row["coefficient"] for row in level.to_pylist()}
    weight_of = {row["group"]: row["weight"] for row in weights.to_pylist()}
    mean_of = {(row["group"], row["level"]): row["mean"] for row in means.to_pylist()}
    outliers = set()
    for row in rows:
        outliers.add(row["outlier"])
        weight, kappa = weight_of[row["group"]], level_of[str(row["level"])]
        if weight is None:
            assert row["points_reason"] == "group_without_weight"
            continue
        standard = mean_of[row["group"], str(row["level"])]
        if row["total_cost"] < 0.5 * standard * kappa * (1 - 1e-12):
            expected = weight * row["total_cost"] / standard
        else:
            expected = weight * kappa
        assert row["points"] == pytest.approx(expected, rel=1e-12)
        assert row["points"] == pytest.approx(row["weight"] * row["factor"], rel=1e-12)
    assert outliers == {"low", "normal", "high"}


def test_missing_rules_are_asked_for():
    def price(kind, **options):
        return points.case_points(
            [{"group": "A", "kind": kind, "total_cost": 1.0, "los": 2}], WEIGHTS, kind="kind", **options
        )

    with pytest.raises(PolicyError, match="give incomplete="):
        price("incomplete")
    with pytest.raises(PolicyError, match="give bed_day_points="):
        price("bed_day")
    with pytest.raises(PolicyError, match="give mean_cost="):
        price("by_item")
    with pytest.raises(PolicyError, match="give outliers="):
        price("blank")
    with pytest.raises(CaseError, match="holds 'whole': the kinds of a case are complete"):
        price("whole")
    with pytest.raises(UnknownNameError, match="there is no column 'reasonable_cost'"):
        price("special_review", mean_cost=1.0, scale=1)
    with pytest.raises(PolicyError, match="group 'A' twice, in rows 0 and 3"):
        points.case_points([{"group": "A"}], [*WEIGHTS, WEIGHTS[0]])


def day(number):
    return datetime.date(2024, 1, 1) + datetime.timedelta(number)


def stay(patient, first, last, group="A"):
    return {"patient": patient, "group": group, "admitted": day(first), "discharged": day(last)}


def twin_of_readmissions(stays, days, factor, excepted):
    """For each stay the factor, by looking at every other stay."""
    factors = []
    for number, one in enumerate(stays):
        after = [
            (other["admitted"], other["discharged"])
            for place, other in enumerate(stays)
            if place != number
            and (other["patient"], other["group"]) == (one["patient"], one["group"])
            and other["admitted"] >= one["discharged"]
        ]
        gap = (min(after)[0] - one["discharged"]).days if after else None
        reduced = gap is not None and gap <= days and one["group"] not in excepted
        factors.append(factor if reduced else 1.0)
    return factors


def test_readmissions_agree_with_their_twin():
    import random

    source = random.Random(4)
    stays = []
    for patient in range(60):
        start = 0
        for _ in range(source.randrange(1, 6)):
            start += source.randrange(1, 25)
            end = start + source.randrange(0, 9)
            stays.append(stay(f"P{patient}", start, end, source.choice("AB")))
            start = end + 1
    source.shuffle(stays)
    found = points.mark_readmissions(stays, days=10, factor=0.5, except_groups=["B"])
    expected = twin_of_readmissions(stays, 10, 0.5, {"B"})
    assert [row["readmission_factor"] for row in found] == expected
    assert 0.5 in expected
    assert "excepted_readmission" in {row["readmission_reason"] for row in found}


def test_readmissions_at_the_edge_and_in_doubt():
    stays = [
        stay("P", 0, 5),
        stay("P", 15, 20),
        stay("P", 31, 33),
        stay("Q", 0, 9),
        stay("Q", 5, 7),
        {**stay("R", 0, 3), "discharged": None},
        stay("S", 9, 3),
    ]
    found = points.mark_readmissions(stays, days=10, factor=0.4)
    assert [row["readmission_factor"] for row in found] == [0.4, 1, 1, 1, 1, 1, 1]
    assert [row["readmission_days"] for row in found[:4]] == [10, 11, None, -4]
    assert found[3]["readmission_reason"] == "overlapping_stays"
    assert found[5]["readmission_reason"] == found[6]["readmission_reason"] == "unknown_stay"
    assert found[0]["readmission_reason"] == "readmitted:10"
    later = points.mark_readmissions(stays, days=10, factor=0.4, reduced="later")
    assert [row["readmission_factor"] for row in later][:3] == [1, 0.4, 1]
    assert later[1]["readmission_reason"] == "readmission:10"


def test_readmissions_read_dates_as_texts_and_times():
    texts = [
        {**row, "admitted": f"{row['admitted']}", "discharged": f"{row['discharged']}"}
        for row in (stay("P", 0, 5), stay("P", 9, 12))
    ]
    times = pa.table(
        {
            "patient": ["P", "P"],
            "group": ["A", "A"],
            "admitted": pa.array(["2024-01-01T09:00:00", "2024-01-10T01:00:00"]).cast(pa.timestamp("s")),
            "discharged": pa.array(["2024-01-06T23:00:00", "2024-01-13T00:00:00"]).cast(pa.timestamp("s")),
        }
    )
    assert [row["readmission_factor"] for row in points.mark_readmissions(texts, days=4, factor=0.5)] == [0.5, 1]
    assert points.mark_readmissions(times, days=4, factor=0.5)["readmission_days"].to_pylist() == [4, None]
    with pytest.raises(CaseError, match="no dates"):
        points.mark_readmissions([{**texts[0], "admitted": "soon"}], days=4, factor=0.5)


def test_points_do_not_depend_on_chunks():
    cases = make_cases(500, seed=2)
    chunked = pa.concat_tables([cases.slice(0, 123), cases.slice(123)])
    weights = points.weights(cases)
    straight = points.case_points(cases, weights, coefficient=1.2)
    assert points.case_points(chunked, weights, coefficient=1.2)["points"].to_pylist() == straight["points"].to_pylist()
    assert math.fsum(straight["points"].to_pylist()) == pytest.approx(1.2 * len(cases))
