"""Groups that are tried before the national ones: ten of Chinese medicine, against their published rules."""

from __future__ import annotations

import csv
import random
from collections import defaultdict

import pytest
from conftest import DATA

from drgdip import group, group_one, load_scheme, points

TCM, BASE = "chs-drg-2.0-chongqing-tcm-2025", "chs-drg-2.0"
ANSWER = ("mdc", "adrg", "group", "status")


def rows_of(name):
    with (DATA / "tcm" / f"chongqing-2025-{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


GROUPS = sorted(rows_of("groups"), key=lambda row: int(row["order"]))
DIAGNOSES, PROCEDURES = defaultdict(set), defaultdict(lambda: defaultdict(set))
for _row in rows_of("codes"):
    if _row["kind"] == "diagnosis":
        DIAGNOSES[_row["group"]].add(_row["code"])
    else:
        PROCEDURES[_row["group"]][_row["class"]].add(_row["code"])


def published(case):
    """The group by the text of the rules, None where none of the ten takes the case."""
    for row in GROUPS:
        name = row["group"]
        covered = sum(not codes.isdisjoint(case["procs"]) for codes in PROCEDURES[name].values())
        enough = {"any": 1, "three_of_four": 3}[row["procedures"]]
        long = case["los"] is not None and case["los"] >= int(row["min_stay_days"])
        if case["dx"][0] in DIAGNOSES[name] and long and covered >= enough:
            return "MDCI", row["adrg"], name, "grouped"
    return None


def made_cases(count):
    """Cases around the rules: diagnoses of the lists, procedures of one to four classes, stays about the limits."""
    rng = random.Random(20261128)
    diagnoses = sorted(set().union(*DIAGNOSES.values()))
    others = ["I10.x00x002", "J18.900", "S06.000", "S27.000", "E11.900", "S36.100"]
    for _ in range(count):
        principal = rng.choice(diagnoses)
        homes = [name for name, codes in DIAGNOSES.items() if principal in codes]
        classes = list(PROCEDURES[rng.choice([*homes * 4, *PROCEDURES])].values())
        procs = [rng.choice(sorted(codes)) for codes in rng.sample(classes, rng.randint(1, len(classes)))]
        procs += rng.sample(["79.3500x001", "81.5400", "89.0000"], rng.choice([0, 0, 1]))
        rng.shuffle(procs)
        yield {
            "sex": rng.choice([1, 2]),
            "age": rng.randint(18, 90),
            "los": rng.choice([None, 1, 9, 10, 11, 12, 13, 19, 20, 21, 40]),
            "dx": [principal, *rng.sample(others, rng.randint(0, 3))],
            "procs": procs,
        }


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_cases_get_the_groups_of_the_published_rules(engine):
    cases = list(made_cases(4000))
    ten = [published(case) for case in cases]
    national = [tuple(row[name] for name in ANSWER) for row in group(cases, BASE, engine=engine)]
    found = [tuple(row[name] for name in ANSWER) for row in group(cases, TCM, engine=engine)]
    assert found == [one or other for one, other in zip(ten, national, strict=True)]
    assert {one[2] for one in ten if one} == {row["group"] for row in GROUPS}
    assert sum(one is None for one in ten) > 1000
    assert sum(one is not None for one in ten) > 800


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "IU2F"),
        ({"los": 9}, "IU29"),
        ({"los": None}, "IU29"),
        ({"procs": ["17.92110", "17.91100"]}, "IU29"),
        ({"procs": ["17.92110", "17.92610", "17.91100"]}, "IU29"),  # two of one class
        ({"procs": ["81.5400", "17.92110", "17.91100", "17.91330"]}, "IU2F"),  # a principal procedure of another kind
        ({"dx": ["M54.500", "M54.501"]}, "IU29"),  # only the principal diagnosis counts
    ],
)
def test_one_change_to_a_case(change, expected):
    case = {"sex": 1, "age": 60, "los": 10, "dx": ["M54.501"], "procs": ["17.92110", "17.91100", "17.91330"]} | change
    assert group_one(case, TCM).group == expected


def test_the_ten_come_before_multiple_trauma():
    """As published; one result of the fund's says that multiple trauma comes first (notes of the scheme)."""
    case = {"sex": 1, "age": 40, "los": 20, "dx": ["S42.300", "S27.000", "S06.200"], "procs": ["17.97240"]}
    assert group_one(case, BASE).mdc == "MDCZ"
    assert group_one(case, TCM)[:4] == ("MDCI", "IS2", "IS2R", "grouped")
    assert "ZZ1" in load_scheme(TCM).notes["trauma"]


def test_what_a_share_below_the_limit_costs():
    """The published example: the base rate and the coefficient of the hospital, weights of IU2F and IU23."""
    case = {"sex": 1, "age": 60, "los": 10, "dx": ["M54.501"], "procs": ["17.92110", "17.91100", "17.91330"]}
    stay = {"group": group_one(case, TCM).group, "western_group": "IU23"}
    weights = {"IU2F": 0.9258, "IU23": 0.6524}
    paid = []
    for chinese in (600.0, 590.0):
        parts = {"tcm_treatment": chinese, "western_drugs": 1000.0 - chinese}
        row = points.downgrade_tcm([stay | parts], minimum=0.6)[0]
        table = [{"weight": weights[row["paid_group"]]}]
        paid += points.set_payment_standards(table, [{"base_rate": 9575.25, "coefficient": 0.92}])
    assert [round(row["standard"], 2) for row in paid] == [8155.59, 5747.14]


def test_the_result_of_an_adrg_of_the_first_mdc_names_another_mdc(make_scheme):
    scheme = make_scheme(
        {"MDCA": "", "MDCB": "ZYZD in D1"},
        {("MDCA", "BT1"): "NL < 10", ("MDCA", "XA1"): "NL < 20", ("MDCA", "AA1"): "NL < 30", ("MDCB", "AB1"): ""},
        {("BT1", "BT19"): "", ("XA1", "XA19"): "", ("AA1", "AA19"): "", ("AB1", "AB19"): ""},
        sets={"D1": ["A1"]},
    )
    expected = {5: ("MDCB", "BT19"), 15: ("MDCA", "XA19"), 25: ("MDCA", "AA19"), 35: ("MDCB", "AB19")}
    cases = [{"age": age, "dx": "A1", "procs": ""} for age in expected]
    for engine in ("reference", "columnar"):
        assert [(row["mdc"], row["group"]) for row in group(cases, scheme, engine=engine)] == list(expected.values())
