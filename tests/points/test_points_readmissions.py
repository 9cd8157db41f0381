"""Readmissions by declared rules: pairs of nested, chained and overlapping stays, and every exception."""

import datetime
import random

import pyarrow as pa
import pytest

from drgdip import points
from drgdip._columns import Columns
from drgdip.errors import PolicyError, UnknownNameError


def stay(first, last, **more):
    day = datetime.date(2024, 1, 1)
    dates = {"admitted": day + datetime.timedelta(first), "discharged": day + datetime.timedelta(last)}
    return {"patient": "P", "pool": "p", "hospital": "H", "group": "A", "adrg": "AA", "discharge": 1, **dates, **more}


def factors(stays, **options):
    return [
        row["readmission_factor"] for row in points.mark_readmissions(stays, **{"days": 10, "factor": 0.5} | options)
    ]


def twin(stays, days, factor, reduced, same, excepted):
    """For each later stay the one that ended last before it; of several readmissions of a stay any may reduce it."""
    rows = sorted(range(len(stays)), key=lambda row: (stays[row]["discharged"], stays[row]["admitted"], row))
    result = [1.0] * len(stays)
    for place, later in enumerate(rows):
        two = stays[later]
        before = [
            row
            for row in rows[:place]
            if all(stays[row][name] == two[name] for name in ("patient", *same))
            and stays[row]["discharged"] <= two["admitted"]
        ]
        if not before:
            continue
        one = stays[before[-1]]
        if (two["admitted"] - one["discharged"]).days <= days and not excepted(one, two):
            result[before[-1] if reduced == "earlier" else later] = factor
    return result


def is_excepted(one, two):
    moved = one["hospital"] != two["hospital"] and one["discharged"] == two["admitted"]
    return one["discharge"] in {2, 3} or moved or two["discharge"] == 5 or two["group"] == "C"


@pytest.mark.parametrize("reduced", ["earlier", "later"])
@pytest.mark.parametrize("same", [("group",), ("pool", "adrg"), ()])
def test_any_stays_agree_with_their_twin(reduced, same):
    source = random.Random(7)
    stays = []
    for number in range(600):
        first = source.randrange(0, 90)
        more = {name: source.choice(values) for name, values in (("pool", "pq"), ("group", "ABC"), ("hospital", "HK"))}
        more |= {"patient": f"P{number % 90}", "adrg": source.choice("XY"), "discharge": source.choice([1, 1, 2, 5])}
        stays.append(stay(first, first + source.choice([0, 0, 1, 4, 30]), **more))
    options = {"same": same, "reduced": reduced, "except_for": ("transfer", "death"), "except_groups": ["C"]}
    found = factors(stays, **options)
    assert found == twin(stays, 10, 0.5, reduced, same, is_excepted)
    assert 0.5 in found


def test_nested_and_chained_stays_have_one_pair_each():
    nested = [stay(0, 30), stay(5, 10), stay(32, 35)]
    assert factors(nested) == [0.5, 1, 1]
    assert factors(nested, reduced="later") == [1, 1, 0.5]
    reasons = [
        row["readmission_reason"] for row in points.mark_readmissions(nested, days=1, factor=0.5, reduced="later")
    ]
    assert reasons == [None, "overlapping_stays", None]
    chained = [stay(0, 5), stay(8, 12), stay(14, 20), stay(40, 41)]
    assert factors(chained) == [0.5, 0.5, 1, 1]
    assert factors(chained, reduced="later") == [1, 0.5, 0.5, 1]


def test_a_stay_that_overlaps_two_others_is_seen():
    stays = [stay(0, 30), stay(5, 10), stay(12, 14)]
    found = points.mark_readmissions(stays, days=1, factor=0.5, reduced="later")
    assert [row["readmission_reason"] for row in found] == [None, "overlapping_stays", "overlapping_stays"]
    assert [row["readmission_days"] for row in found] == [None, -25, 2]


def test_a_transfer_on_the_same_day_is_no_readmission():
    moved = [stay(0, 5), stay(5, 9, hospital="K")]
    assert factors(moved) == [1, 1]
    assert factors(moved, except_for=()) == [0.5, 1]
    assert factors([stay(0, 5, discharge=2), stay(6, 9)]) == [1, 1]
    assert factors([stay(0, 5), stay(5, 9)]) == [0.5, 1]  # the same hospital split one stay


def test_planned_stays_deaths_and_cycles_of_treatment():
    two = [stay(0, 5, readmission_planned=True), stay(8, 9, readmission_planned=None, discharge=5)]
    assert factors(two) == [0.5, 1]
    assert factors(two, except_for=["planned"]) == [1, 1]
    assert factors(two, except_for=["death"]) == [1, 1]
    cycle = [stay(0, 5, dx_principal="C50.900"), stay(8, 9, dx_principal="Z51.103")]
    assert factors(cycle, except_diagnoses=["Z51"]) == [1, 1]
    assert factors(cycle[::-1], except_diagnoses=["C50"]) == [1, 0.5]  # of the later stay alone


def test_the_nearest_readmission_that_counts_reduces():
    stays = [stay(0, 5), stay(6, 20, discharge=5), stay(7, 9)]
    assert factors(stays, except_for=["death"]) == [0.5, 1, 1]


def test_faults():
    with pytest.raises(UnknownNameError, match="transfers"):
        factors([stay(0, 1)], except_for=["transfers"])
    with pytest.raises(UnknownNameError, match="readmission_planned"):
        factors([stay(0, 1)], except_for=["planned"])
    with pytest.raises(PolicyError, match="reduced='both'"):
        factors([stay(0, 1)], reduced="both")


ALIKE = [
    ([3, 1, None, 3, 2, 1], pa.int64()),
    ([10**15, 5, 10**15, None, 5, 7], pa.int64()),
    ([(1 << 63) + 3, (1 << 63) + 1, (1 << 63) + 3, None], pa.uint64()),
    ([-(1 << 63), -(1 << 63) + 1, -(1 << 63)], pa.int64()),
    ([-4, -2, -4, 0, None, -2], pa.int8()),
    (["b", "a", "", "b", None, "c"], pa.string()),
    (["b", "a", "", "b", None, "c"], pa.large_string()),
    (["b", "a", "", "b", None, "c"], pa.dictionary(pa.int32(), pa.string())),
    ([1.0, 2.0, None, 1.0, 3.0, 2.0], pa.float64()),
    ([None, None], pa.null()),
    ([None, None], pa.int64()),
    ([], pa.int64()),
]


@pytest.mark.parametrize(("values", "kind"), ALIKE)
def test_patients_are_told_apart_without_order(values, kind):
    columns = Columns(pa.table({"patient": pa.array(values, kind)}))
    codes, wanted = columns.alike(["patient"]), columns.codes("patient")[0]
    assert ((codes < 0) == (wanted < 0)).all()
    assert ((codes[:, None] == codes) == (wanted[:, None] == wanted)).all()
