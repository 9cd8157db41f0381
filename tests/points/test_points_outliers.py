import math

import numpy as np
import points_twins as twins
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from points_cases import make_cases

from drgdip import points
from drgdip.errors import CaseError, PolicyError, RuleError, UnknownNameError
from drgdip.points import Band, ByLevel, ByPercentile, ByWeight, OutlierPolicy


@pytest.fixture(scope="module")
def cases():
    return make_cases()


#: What each variant that leaves something open is given here.
GIVEN = {
    "dip-3.0-draft": {"high": 2.5},
    "jilin-2022": {"low_formula": "ratio * coefficient", "high_formula": "(ratio - 1) * coefficient"},
    "chongqing-2025-percentile": {"within": ("group",)},
    "harbin-2024": {"low_formula": "ratio * coefficient"},
    "dingzhou": {"low_formula": "ratio * coefficient"},
    "demonstration-platform": {
        "low": 0.3,
        "high": ByLevel({"3": 3}, other=2),
        "high_formula": "coefficient + ratio - 2",
    },
    "zhejiang-2025": {"very_low_formula": "ratio * coefficient"},
    "general-article": {"low_formula": "ratio * coefficient", "high_formula": "(ratio - 2) * coefficient"},
}
NAMES = points.list_outlier_policies()["name"]


def policy_of(name):
    return points.load_outlier_policy(name, **GIVEN.get(name, {}))


def one(cost, policy, *, standard=10000.0, coefficient=1.0, auxiliary=1.0, weight=1.0, **options):
    case = {"group": "A", "level": "3", "total_cost": cost, "standard": standard}
    return points.case_points(
        [case],
        [{"group": "A", "weight": weight, "mean": 10000.0}],
        outliers=policy,
        reference="standard",
        coefficient=coefficient,
        auxiliary=auxiliary,
        mean_cost=10000.0,
        scale=1,
        **options,
    )[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_has_its_citation(name):
    policy = policy_of(name)
    row = points.list_outlier_policies().row(name)
    assert policy.source == row.source != ""
    assert policy.grade in {"A", "B", "C", "D"}
    assert set(row.needs) == set(GIVEN.get(name, {}))


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_what_a_variant_leaves_open_must_be_given(name):
    with pytest.raises(PolicyError, match="leave open what must be given"):
        points.load_outlier_policy(name)
    with pytest.raises(UnknownNameError, match="leaves open"):
        points.load_outlier_policy(name, **GIVEN[name], nonsense=1)


@pytest.mark.parametrize("name", NAMES)
@given(
    ratio=st.one_of(st.sampled_from([0.2, 0.35, 0.4, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0]), st.floats(0, 8)),
    coefficient=st.sampled_from([0.6, 0.9, 1.0, 1.25]),
    auxiliary=st.sampled_from([1.0, 1.5]),
)
def test_twin_of_every_variant(name, ratio, coefficient, auxiliary):
    policy = policy_of(name)
    if any(isinstance(band.until, ByPercentile) for band in policy.bands):
        return  # a single case has no percentiles; see below
    # A power of two as standard, so that cost over standard is the ratio itself.
    row = one(ratio * 8192, policy, standard=8192.0, coefficient=coefficient, auxiliary=auxiliary)
    own = ratio / coefficient if policy.times_coefficient else ratio
    expected = twins.band(own, policy, weight=1.0, level="3")
    assert row["outlier"] == expected
    payment = next(band.payment for band in policy.bands if band.name == expected)
    if payment == "item":
        assert row["points"] == pytest.approx(ratio * 8192 / 10000)
        return
    values = {"ratio": own, "coefficient": coefficient, "auxiliary": auxiliary, "weight": 1.0}
    assert row["factor"] == pytest.approx(twins.factor(expected, policy, values), rel=1e-12, abs=1e-15)
    assert row["points_status"] == ("review" if payment == "review" else "priced")


def sides(policy, edge, formula_below, formula_above):
    """Jump of the factor at an edge: just above it minus just below it."""
    below, above = one(edge * (1 - 1e-9) * 10000, policy), one(edge * (1 + 1e-9) * 10000, policy)
    assert (below["outlier"], above["outlier"]) == (formula_below, formula_above)
    return above["factor"] - below["factor"]


def test_continuous_where_the_rule_says_so_and_only_there():
    dip = policy_of("dip-1.0")
    assert sides(dip, 0.5, "low", "normal") == pytest.approx(0.5, abs=1e-6)
    assert sides(dip, 2.0, "normal", "high") == pytest.approx(0, abs=1e-6)
    assert sides(dip, 5.0, "high", "extreme") == pytest.approx(0, abs=1e-6)
    zhejiang = policy_of("zhejiang-2025")
    assert sides(zhejiang, 0.4, "very_low", "low") == pytest.approx(0.2, abs=1e-6)
    assert sides(zhejiang, 0.8, "low", "normal") == pytest.approx(0, abs=1e-6)
    jining = policy_of("jining")
    assert sides(jining, 2.0, "normal", "high") == pytest.approx(0, abs=1e-6)
    assert sides(jining, 5.0, "high", "extreme") == pytest.approx(-3, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "edge", "at"),
    [
        ("dip-1.0", 0.5, "normal"),
        ("dip-1.0", 2.0, "normal"),
        ("dip-1.0", 5.0, "high"),
        ("jining", 0.5, "low"),
        ("jining", 2.0, "normal"),
        ("jining", 5.0, "high"),
        ("chongqing-2025-multiple", 0.4, "low"),
        ("jilin-2022", 0.35, "normal"),
        ("jilin-2022", 2.0, "normal"),
        ("dip-3.0-draft", 2.5, "high"),
        ("zhejiang-2025", 0.4, "very_low"),
        ("zhejiang-2025", 0.8, "low"),
    ],
)
def test_open_and_closed_edges(name, edge, at):
    assert one(edge * 10000, policy_of(name))["outlier"] == at


@given(coefficient=st.floats(0.6, 1.5), cost=st.floats(1, 2999))
def test_low_cases_of_dip_3_do_not_depend_on_the_coefficient(coefficient, cost):
    row = one(cost, policy_of("dip-3.0-draft"), coefficient=coefficient, weight=1000.0)
    assert row["outlier"] == "low"
    assert row["points"] == pytest.approx(1000 * cost / 10000, rel=1e-12)


def test_the_coefficient_moves_the_threshold_of_dip_3():
    policy = policy_of("dip-3.0-draft")
    assert one(4499, policy, coefficient=0.9)["outlier"] == "low"
    assert one(4501, policy, coefficient=0.9)["outlier"] == "normal"


@pytest.mark.parametrize("coefficient", [2, 2.0, "k"])
def test_one_coefficient_for_all_may_be_a_whole_number(coefficient):
    case = {"total_cost": 4000.0, "standard": 10000.0, "k": 2}
    policy = policy_of("dip-3.0-draft")
    assert policy.times_coefficient
    found = points.classify_outliers([case], policy, reference="standard", coefficient=coefficient)
    assert found[0]["cost_ratio"] == 0.2


def test_edges_by_level_and_by_weight():
    bands = (Band("normal", ByLevel({"3": 3}, other=2), True, "1"), Band("high", formula="1"))
    cases = [{"level": level, "total_cost": 250.0, "standard": 100.0} for level in (1, 2, 3)]
    found = points.classify_outliers(cases, OutlierPolicy("standard", bands), reference="standard")
    assert [case["outlier"] for case in found] == ["high", "high", "normal"]

    bands = (Band("normal", ByLevel({"3": 3}), True, "1"), Band("high", formula="1"))
    found = points.classify_outliers(cases, OutlierPolicy("standard", bands), reference="standard")
    assert [case["outlier"] for case in found] == [None, None, "normal"]
    assert found[0]["outlier_reason"] == "no_edge"

    tiers = ByWeight(((100, 3), (300, 2), (math.inf, 1.5)))
    bands = (Band("normal", tiers, True, "1"), Band("high", formula="1"))
    cases = [
        {"weight": weight, "total_cost": 100 * ratio, "standard": 100.0}
        for weight, ratio in ((100, 3), (100.1, 3), (100.1, 2), (300, 2), (301, 2), (301, 1.5), (None, 1.5))
    ]
    found = points.classify_outliers(cases, OutlierPolicy("standard", bands), reference="standard")
    expected = ["normal", "high", "normal", "normal", "high", "normal", None]
    assert [case["outlier"] for case in found] == expected


def test_the_dearest_five_per_cent(cases):
    policy = policy_of("chongqing-2025-percentile")
    table = cases.append_column("standard", pa.repeat(5000.0, len(cases)))
    found = points.classify_outliers(table, policy, reference="standard").to_pandas()
    for _, rows in found.groupby("group"):
        edge = twins.quantile(rows["cost_ratio"], 95)
        own = rows[(rows["cost_ratio"] > 0.4) & (rows["cost_ratio"] > edge * (1 + 1e-12))]
        assert set(rows.index[rows["outlier"] == "high"]) == set(own.index)
    assert (found["outlier"] == "high").sum() > 0
    assert set(found.loc[found["outlier"] == "high", "outlier_payment"]) == {"item"}


def test_reference_table_by_level(cases):
    means = points.weights(cases, by=["group", "level"])
    found = points.classify_outliers(cases, "dip-1.0", reference=means).to_pandas()
    expected = cases.to_pandas().groupby(["group", "level"])["total_cost"].transform("mean")
    assert found["reference_cost"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-12)
    ratio = cases.to_pandas()["total_cost"] / expected
    assert (found["outlier"] == "low").to_numpy().tolist() == (ratio < 0.5).tolist()
    assert found["outlier"].notna().all()


def test_a_case_of_each_fault():
    costs = [None, -1.0, 5.0, 5.0, math.inf, 0.0]
    means = [10.0, 10.0, 0.0, None, 10.0, 10.0]
    cases = [{"total_cost": cost, "standard": mean} for cost, mean in zip(costs, means, strict=True)]
    found = points.classify_outliers(cases, policy_of("chongqing-2025-multiple"), reference="standard")
    assert [case["outlier_reason"] for case in found] == [
        "missing_cost",
        "negative_cost",
        "no_reference_cost",
        "no_reference_cost",
        "missing_cost",
        None,
    ]
    assert found[5]["outlier"] == "low"


@pytest.mark.parametrize(("name", "points_of"), [("hubei", 100.0), ("xiaogan", 0.0)])
def test_groups_without_a_mean_in_hubei(name, points_of):
    row = one(5000.0, policy_of(name), standard=0.0, weight=100.0)
    assert (row["points"], row["points_status"]) == (points_of, "priced")
    assert one(5000.0, policy_of("jining"), standard=0.0)["points_reason"] == "no_reference_cost"
    # A group with weight 0 is paid by its cost.
    assert one(5000.0, policy_of(name), weight=0.0)["points"] == 0.5


def test_policies_that_cannot_be():
    good = Band("normal", formula="1")
    with pytest.raises(UnknownNameError, match="denominator"):
        OutlierPolicy("mean", (good,))
    with pytest.raises(PolicyError, match="the last has none"):
        OutlierPolicy("standard", (Band("low", 0.5, formula="1"),))
    with pytest.raises(PolicyError, match="do not rise"):
        OutlierPolicy("standard", (Band("a", 2.0, formula="1"), Band("b", 0.5, formula="1"), good))
    with pytest.raises(PolicyError, match="two have one name"):
        OutlierPolicy("standard", (Band("normal", 0.5, formula="1"), good))
    with pytest.raises(RuleError, match="the formula uses 'cost'"):
        Band("low", 0.5, formula="cost / 2")
    with pytest.raises(RuleError):
        Band("low", 0.5, formula="__import__('os')")
    with pytest.raises(PolicyError, match="cost ratio above 0"):
        Band("low", -1.0)
    with pytest.raises(PolicyError, match="the last of them infinite"):
        ByWeight(((100, 3), (300, 2)))
    with pytest.raises(UnknownNameError, match="outlier policy 'dip'"):
        points.load_outlier_policy("dip")


def test_a_reference_that_does_not_fit():
    case = [{"group": "A", "level": "3", "total_cost": 1.0}]
    with pytest.raises(PolicyError, match="need the columns group, level"):
        points.classify_outliers(case, "dip-1.0", reference=[{"group": "A", "mean": 1.0}])
    twice = [{"group": "A", "level": "3", "mean": 1.0}] * 2
    with pytest.raises(PolicyError, match="twice, in rows 0 and 1"):
        points.classify_outliers(case, "dip-1.0", reference=twice)
    with pytest.raises(PolicyError, match="give reference="):
        points.case_points(case, [{"group": "A", "weight": 1.0, "mean": 1.0}], outliers=policy_of("jilin-2022"))
    with pytest.raises(CaseError, match="holds string such as 'x', not numbers"):
        points.classify_outliers([{"total_cost": "x", "s": 1.0}], policy_of("jilin-2022"), reference="s")


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.01, 1e5)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_cases_are_classified_each_by_itself(rows, random):
    shuffled = list(enumerate(rows))
    random.shuffle(shuffled)
    policy = policy_of("dip-1.0")

    def found(pairs):
        costs, means = (np.array(column) for column in zip(*pairs, strict=True))
        table = pa.table({"total_cost": costs, "mean": means})
        return points.classify_outliers(table, policy, reference="mean")["outlier"].to_pylist()

    straight = found(rows)
    mixed = found([row for _, row in shuffled])
    assert [straight[number] for number, _ in shuffled] == mixed
