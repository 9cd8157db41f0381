"""Points under a policy: Chinese medicine by the higher of two groups, its share of cost, and points on top."""

import datetime
import random
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from test_payment import policy

from drgdip import points
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.settle import score_cases, settle_year

D = Decimal
WEIGHTS = [
    {"group": name, "weight": weight, "mean": weight * 100} for name, weight in (("T", 90.0), ("W", 100.0), ("X", 60.0))
]
LEVELS = [
    {"group": g, "level": lv, "coefficient": c} for g, lv, c in (("T", "3", 1.2), ("W", "3", 1.0), ("X", "3", 2.0))
]
LEVELS += [{"group": g, "level": "1", "coefficient": 0.9} for g in "TWX"]
DAY = datetime.date(2024, 1, 1)


def case(number, source):
    own, western = source.choice([("T", "W"), ("T", "X"), ("T", None), ("W", None), ("N", "W"), ("T", "N")])
    return {
        "case_id": str(number),
        "patient": str(number % 40),
        "pool": "p",
        "group": own,
        "western_group": western,
        "level": source.choice("13"),
        "total_cost": source.choice([1000, 9000, 40000]),
        "admitted": DAY + datetime.timedelta(source.randrange(60)),
        "discharged": DAY + datetime.timedelta(60 + source.randrange(5)),
        "tcm_treatment": source.choice([0, 100]),
        "western_drugs": 50,
    }


SOURCE = random.Random(3)
CASES = [case(number, SOURCE) for number in range(300)]
RULE = policy(
    points={"scale": 100, "coefficients": "level"},
    outliers={"variant": "dip-1.0"},
    readmission={"days": 90, "factor": D("0.5"), "same": "any", "reduced": "earlier", "except_for": ["transfer"]},
)
INPUTS = {
    "coefficients": {"level": LEVELS},
    "reference": [{"group": r["group"], "level": lv, "mean": r["mean"]} for r in WEIGHTS for lv in "13"],
}


def plain(cases, rule=RULE, **more):
    return score_cases(cases, rule.replace(tcm=None), WEIGHTS, **INPUTS, **more)


def both():
    """The points of every case in its own and in its Western group, scored alone and without readmission."""
    rule = RULE.replace(readmission=None)
    own = plain(CASES, rule)
    western = plain([row | {"group": row["western_group"] or "none"} for row in CASES], rule)
    return own, western


def test_the_higher_points_count_step_by_step():
    found = score_cases(CASES, RULE.replace(tcm={"higher": True}), WEIGHTS, **INPUTS)
    factor = [row["readmission_factor"] for row in plain(CASES)]
    chosen = set()
    for row, mine, theirs, left in zip(found, *both(), factor, strict=True):
        one, two = mine["points"], theirs["points"] if row["western_group"] else None
        wins = two is not None and (one is None or two > one)
        expected = theirs if wins else mine
        assert row["points"] == (None if expected["points"] is None else pytest.approx(expected["points"] * left))
        assert row["paid_group"] == (row["western_group"] if wins else row["group"])
        for name in ("weight", "level_coefficient", "coefficient", "outlier", "points_status", "points_reason"):
            assert row[name] == expected[name], name
        assert row["readmission_factor"] == left
        chosen.add((wins, row["group"]))
    assert {(True, "T"), (False, "T"), (True, "N"), (False, "W")} <= chosen


def test_a_small_share_falls_back_whatever_is_higher():
    tcm = {"higher": True, "minimum": D("0.6")}
    found = score_cases(CASES, RULE.replace(tcm=tcm, readmission=None), WEIGHTS, **INPUTS)
    for row, theirs in zip(found, both()[1], strict=True):
        if row["western_group"] and row["tcm_treatment"] == 0:
            assert (row["downgraded"], row["paid_group"], row["points"]) == (
                True,
                row["western_group"],
                theirs["points"],
            )
        else:
            assert not row["downgraded"]


def test_every_container_and_other_names():
    rule = RULE.replace(tcm={"higher": True})
    expected = [row["points"] for row in score_cases(CASES, rule, WEIGHTS, **INPUTS)]
    table = pa.Table.from_pylist(CASES)
    assert score_cases(table, rule, WEIGHTS, **INPUTS)["points"].to_pylist() == expected
    frame = score_cases(pd.DataFrame(CASES), rule, WEIGHTS, **INPUTS)
    assert [None if pd.isna(value) else value for value in frame["points"]] == expected
    theirs = table.rename_columns(["病组" if name == "group" else name for name in table.column_names])
    found = score_cases(theirs, rule, WEIGHTS, **INPUTS, columns={"group": "病组"})
    assert found["points"].to_pylist() == expected
    assert found["病组"].to_pylist() == [row["group"] for row in CASES]


def test_points_on_top():
    rule = policy(points={"scale": 100, "added": {"T": 5}})
    cases = [{"case_id": n, "group": g} for n, g in enumerate("TWN")]
    found = score_cases(cases, rule, WEIGHTS, added=[{"case_id": 0, "points": 1.5}, {"case_id": 1, "points": 2}])
    assert [(row["points"], row["added_points"]) for row in found] == [(96.5, 6.5), (102, 2), (None, 0)]
    assert [row["points_rule"] for row in found] == ["weight + added_points"] * 2 + [None]
    with pytest.raises(PolicyError, match="gives -1.0 points to row 0"):
        points.add_points(found, {"T": -1})
    with pytest.raises(PolicyError, match="shares no column with the cases"):
        points.add_points(found, [{"id": 1, "points": 1}])
    with pytest.raises(PolicyError, match="twice"):
        points.add_points(found, [{"case_id": 0, "points": 1}] * 2)


def test_a_year_pays_the_higher_points():
    rule = policy(rates=[{"base_rate": 10}], points={"scale": 100}, tcm={"higher": True}, year={"fund": "standards"})
    money = {"pool": "p", "hospital": "H", "month": 1, "total_cost": 900, "fund_booked": 600, "patient_paid": 300}
    cases = [money | {"group": "T", "western_group": "W"}, money | {"group": "T", "western_group": None}]
    year = settle_year(cases, rule, weights=WEIGHTS, budget={"p": 10**4, "q": 1}, added_points={"T": 1})
    assert [row["standard"] for row in year.cases] == [1010, 910]


def test_faults():
    with pytest.raises(PolicyError, match="give higher = true, or minimum"):
        policy(tcm={})
    with pytest.raises(UnknownNameError, match="western_group"):
        score_cases([{"group": "T"}], policy(points={"scale": 1}, tcm={"higher": True}), WEIGHTS)
    with pytest.raises(PolicyError, match="under tcm give a table by group"):
        score_cases(CASES, RULE.replace(tcm={"higher": True}), WEIGHTS, **INPUTS | {"reference": "total_cost"})
