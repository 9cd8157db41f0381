import math

import numpy as np
import pandas as pd
import points_twins as twins
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from points_cases import make_cases

from drgdip import points
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points import CaseRule, Trim


@pytest.fixture(scope="module")
def cases():
    return make_cases()


TRIMS = [
    None,
    Trim("iqr", lower=1.5, upper=1.5),
    Trim("iqr", lower=0.5, upper=1.5),
    Trim("iqr", upper=1.0, min_cases=5),
    Trim("percentile", lower=2.5, upper=97.5),
    Trim("percentile", upper=90.0),
    Trim("sd", lower=3.0, upper=3.0),
    Trim("sd", lower=1.0, upper=2.0, log=True),
    Trim("iqr", lower=1.5, upper=1.5, log=True),
    Trim("bounds", lower=100.0, upper=20000.0),
]
YEARS = {2022: 1, 2023: 2, 2024: 7}


def by_group(table, column="weight"):
    return {row["group"]: row[column] for row in table.to_pylist()}


@pytest.mark.parametrize("trim", TRIMS, ids=str)
@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
@pytest.mark.parametrize("years", [None, YEARS], ids=["alike", "years"])
@pytest.mark.parametrize("base", ["balanced", "overall", 125.0])
def test_agrees_with_its_twin(cases, trim, mean, years, base):
    expected, n, near = twins.weights(cases.to_pandas(), scale=100, mean=mean, years=years, trim=trim, base=base)
    found = points.weights(cases, scale=100, mean=mean, years=years, trim=trim, base=base)
    assert not near
    assert by_group(found, "n") == n
    assert by_group(found) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("trim", TRIMS, ids=str)
@pytest.mark.parametrize("scale", [1, 100, 1000])
@pytest.mark.parametrize("years", [None, YEARS], ids=["alike", "years"])
@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_mean_weight_is_the_scale(cases, trim, scale, years, mean):
    found = points.weights(cases, scale=scale, trim=trim, years=years, mean=mean)
    total = math.fsum(row["n"] * row["weight"] for row in found.to_pylist())
    assert total / sum(found["n"].to_pylist()) == pytest.approx(scale, rel=1e-12)
    assert math.fsum(found["share"].to_pylist()) == pytest.approx(1, rel=1e-12)


def test_counts_add_up(cases):
    rows = cases.to_pylist()
    rows[0]["total_cost"] = None
    rows[1]["total_cost"] = -1.0
    rows[2]["group"] = None
    rows[3]["total_cost"] = math.inf
    rules = [CaseRule("los", maximum=60), CaseRule("pool", only=("employee",))]
    found = points.weights(pa.Table.from_pylist(rows), trim=TRIMS[1], rules=rules).to_pylist()
    for row in found:
        assert row["cases"] == row["invalid"] + row["excluded"] + row["trimmed"] + row["n"]
    assert sum(row["cases"] for row in found) == len(rows)
    assert found[-1]["group"] is None
    assert found[-1]["weight_status"] is None
    assert found[-1]["reason"] == "without_group"


# Costs in whole fen, and costs that are not: sums are exact in any order for both.
COSTS = st.one_of(
    st.integers(1, 10**9).map(lambda fen: fen / 100),
    st.floats(1e-3, 1e9, allow_nan=False),
)
CASES = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from([2022, 2023, 2024]), COSTS), min_size=1, max_size=60
)


def table_of(rows):
    group, year, cost = zip(*rows, strict=True)
    return pa.table({"group": group, "year": year, "total_cost": pa.array(cost, pa.float64())})


@given(rows=CASES, trim=st.sampled_from(TRIMS), seed=st.randoms(use_true_random=False), cut=st.integers(0, 60))
def test_neither_order_nor_chunks_matter(rows, trim, seed, cut):
    present = {year: YEARS[year] for _, year, _ in rows}
    shuffled = rows.copy()
    seed.shuffle(shuffled)
    table = table_of(shuffled)
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    first, second = None, None
    try:
        first = points.weights(table_of(rows), trim=trim, years=present)
        second = points.weights(chunked, trim=trim, years=present)
    except (CaseError, PolicyError) as error:  # a year or all cases may be trimmed away: in both orders
        with pytest.raises(type(error)):
            points.weights(chunked, trim=trim, years=present)
        return
    assert first.equals(second)  # to the last bit


@given(rows=CASES, trim=st.sampled_from(TRIMS), mean=st.sampled_from(["arithmetic", "geometric"]))
def test_twin_on_anything(rows, trim, mean):
    table = table_of(rows)
    frame = table.to_pandas()
    used, near = twins.trimmed(frame, trim)
    assume(not near and len(used))
    expected, n, _ = twins.weights(frame, trim=trim, mean=mean)
    found = points.weights(table, trim=trim, mean=mean)
    assert {group: number for group, number in by_group(found, "n").items() if number} == n
    weights = {group: weight for group, weight in by_group(found).items() if weight is not None}
    assert weights == pytest.approx(expected, rel=1e-9)


@given(rows=CASES, weights=st.lists(st.integers(1, 9), min_size=3, max_size=3), times=st.integers(2, 4))
def test_copies_of_a_year_change_nothing(rows, weights, times):
    one = table_of([(group, 2022, cost) for group, _, cost in rows])
    copies = pa.concat_tables(
        [table_of([(group, year, cost) for group, _, cost in rows]) for year in (2022, 2023, 2024)]
    )
    years = dict(zip((2022, 2023, 2024), weights, strict=True))
    expected = by_group(points.weights(one))
    assert by_group(points.weights(copies, years=years)) == pytest.approx(expected, rel=1e-12)
    # The same year several times over: twice the cases, the same means.
    repeated = pa.concat_tables([one] * times)
    assert by_group(points.weights(repeated, years={2022: 3})) == pytest.approx(expected, rel=1e-12)


def test_a_missing_year_gives_its_weight_to_the_others():
    rows = [("A", 2022, 100), ("A", 2023, 200), ("A", 2024, 400), ("B", 2023, 300), ("B", 2024, 600)]
    found = points.weights(table_of(rows), years=YEARS)
    assert by_group(found, "mean") == {"A": (100 + 2 * 200 + 7 * 400) / 10, "B": (2 * 300 + 7 * 600) / 9}
    assert by_group(found, "years") == {"A": 3, "B": 2}


def test_a_year_of_weight_0_is_left_out_and_counted():
    rows = [("A", 2022, 100), ("A", 2023, 200), ("B", 2022, 50), ("B", 2023, 400)]
    found = points.weights(table_of(rows), years={2022: 0, 2023: 1}).to_pylist()
    assert [(row["mean"], row["n"], row["excluded"]) for row in found] == [(200, 1, 1), (400, 1, 1)]


def test_scale_of_drift():
    # Halves of a million cases whose plain float sums differ by order.
    random = np.random.default_rng(3)
    cost = random.lognormal(8, 2, 200_000)
    group = random.integers(0, 5, len(cost)).astype(str)
    order = random.permutation(len(cost))
    plain = [pd.Series(cost[rows]).cumsum().iloc[-1] for rows in (slice(None), order)]
    assert plain[0] != plain[1]
    found = [
        points.weights(pa.table({"group": group[rows], "total_cost": cost[rows]})) for rows in (slice(None), order)
    ]
    assert found[0].equals(found[1])
    exact = {name: math.fsum(cost[group == name]) / (group == name).sum() for name in "01234"}
    assert by_group(found[0], "mean") == pytest.approx(exact, rel=2e-16)


def test_statuses():
    rows = [("A", 2022, cost) for cost in (90, 100, 110)] + [("B", 2022, 50)]
    rows += [("C", 2022, cost) for cost in (1, 1, 1000)] + [("D", 2022, 0), ("D", 2022, 0), ("D", 2022, 0)]
    found = points.weights(table_of(rows), min_cases=2, max_cv=1.0, groups=["A", "B", "C", "D", "E"]).to_pylist()
    assert [(row["group"], row["weight_status"], row["weight"] is None) for row in found] == [
        ("A", "stable", False),
        ("B", "unstable", True),
        ("C", "unstable", True),
        ("D", "unstable", True),
        ("E", "uncovered", True),
    ]
    assert [row["reason"] for row in found][:2] == [None, "few_cases:2"]
    assert found[2]["reason"] == "high_cv:1"
    assert found[3]["reason"] == "zero_mean_cost"
    # What the weight would be stays visible, and the total holds over it.
    assert math.fsum(row["n"] * row["raw_weight"] for row in found[:4]) == pytest.approx(10)


def test_single_case_has_no_variation():
    row = points.weights(table_of([("A", 2022, 5.0)]), max_cv=1.0).to_pylist()[0]
    assert (row["sd"], row["cv"]) == (None, None)
    assert row["reason"] == "no_cv"
    assert points.weights(table_of([("A", 2022, 5.0)])).to_pylist()[0]["weight"] == 1


def test_benchmark_group():
    rows = [("A", 2022, 300), ("B", 2022, 100), ("C", 2022, 50)]
    found = points.weights(table_of(rows), scale=1000, benchmark="B")
    assert by_group(found) == {"A": 3000, "B": 1000, "C": 500}
    with pytest.raises(UnknownNameError, match="there is no group 'X'"):
        points.weights(table_of(rows), benchmark="X")
    with pytest.raises(PolicyError, match="give one of them"):
        points.weights(table_of(rows), benchmark="B", base="overall")


def test_key_of_several_columns(cases):
    found = points.weights(cases, by=["group", "level"]).to_pylist()
    expected = cases.to_pandas().groupby(["group", "level"])["total_cost"].mean()
    assert {(row["group"], int(row["level"])): row["mean"] for row in found} == pytest.approx(expected.to_dict())
    assert [(row["group"], row["level"]) for row in found] == sorted((row["group"], row["level"]) for row in found)


def test_trimming_within_other_columns(cases):
    frame = cases.to_pandas()
    trim = Trim("iqr", lower=1.5, upper=1.5, within=("group", "year"))
    kept, near = twins.trimmed(frame, trim, ["group", "year"])
    assert not near
    found = points.weights(cases, trim=trim)
    assert by_group(found, "n") == kept.groupby("group").size().to_dict()
    everywhere = points.weights(cases, trim=Trim("percentile", lower=2.5, upper=97.5, within=()))
    low, high = (twins.quantile(frame["total_cost"], percentile) for percentile in (2.5, 97.5))
    assert sum(everywhere["n"].to_pylist()) == frame["total_cost"].between(low, high).sum()


def test_trim_cases_say_why(cases):
    frame = points.trim_cases(cases.to_pandas(), TRIMS[1], rules=[CaseRule("los", minimum=2, maximum=60)])
    report = points.report_trimming(frame, TRIMS[1], rules=[CaseRule("los", minimum=2, maximum=60)])
    tally = pd.crosstab(frame["group"], frame["trim_status"])
    for row in report.to_dict("records"):
        for status in points.TRIM_STATUSES:
            assert row[status] == tally.loc[row["group"]].get(status, 0)
    assert math.isclose(report["cost"].sum(), frame["total_cost"].sum())
    excluded = frame[frame["trim_status"] == "excluded"]
    assert set(excluded["trim_reason"]) == {"excluded_by_rule:los >= 2, <= 60"}
    above = frame[frame["trim_status"] == "above"]
    assert len(above)
    assert (above["total_cost"] > above["upper_limit"]).all()
    kept = frame[frame["trim_status"] == "used"]
    assert kept["trim_reason"].isna().all()
    assert (kept["total_cost"].between(kept["lower_limit"], kept["upper_limit"])).all()


@pytest.mark.parametrize("log", [False, True])
def test_a_cost_at_the_limit_stays(log):
    rows = [("A", 2022, 100.0)] * 5
    for method, lower, upper in (("iqr", 1.5, 1.5), ("percentile", 2.5, 97.5), ("sd", 3, 3)):
        found = points.weights(table_of(rows), trim=Trim(method, lower=lower, upper=upper, log=log))
        assert found["n"].to_pylist() == [5]


def test_part_scores():
    rows = [
        {"group": "A", "drugs": 10.0, "consumables": 0.0},
        {"group": "A", "drugs": 30.0, "consumables": 0.0},
        {"group": "B", "drugs": 40.0, "consumables": 9.0},
    ]
    found = points.score_parts(rows, ["drugs", "consumables"])
    assert [row["drugs_score"] for row in found] == pytest.approx([20 / (80 / 3), 40 / (80 / 3)])
    assert [row["consumables_score"] for row in found] == [0, 3]


def test_borrowing_in_order():
    own = points.weights(
        table_of([("AB1", 2022, 100)] * 9 + [("AB3", 2022, 400)] + [("AC1", 2022, 100)] * 9),
        min_cases=5,
        groups=["AB1", "AB3", "AC1", "AD1", "AE1", "AF1"],
    )
    parents = {"AB1": "AB", "AB3": "AB", "AC1": "AC", "AD1": "AD"}
    sources = {
        "parent": points.derive_parent_weights(own, parents),
        "national": [{"group": "AD1", "weight": 7.0}, {"group": "AB3", "weight": 9.0}],
        "neighbour": {"AE1": "AC1", "AF1": "AE1"},
    }
    found = {row["group"]: row for row in points.borrow_weights(own, sources).to_pylist()}
    mean = (9 * 100 + 400 + 9 * 100) / 19
    assert found["AB3"]["weight"] == pytest.approx((9 * 100 + 400) / 10 / mean)
    assert [found[group]["borrowed_from"] for group in ("AB1", "AB3", "AD1", "AE1", "AF1")] == [
        None,
        "parent",
        "national",
        "neighbour",
        None,
    ]
    assert found["AE1"]["weight"] == found["AC1"]["weight"]
    # A neighbour that has no weight of its own lends none.
    assert (found["AF1"]["weight_status"], found["AB3"]["weight_status"]) == ("uncovered", "borrowed")


@settings(max_examples=30)
@given(
    st.lists(st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-9), max_size=50),
    st.randoms(use_true_random=False),
)
def test_sums_are_exact_in_any_order(values, random):
    from drgdip._sums import total

    shuffled = values.copy()
    random.shuffle(shuffled)
    assert total(np.array(values)) == total(np.array(shuffled))
    assert total(np.array(values)) == pytest.approx(math.fsum(values), rel=1e-15, abs=1e-14 * sum(map(abs, values)))
