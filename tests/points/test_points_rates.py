import datetime
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from points_cases import make_cases

from drgdip import points
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points import Trim
from drgdip.points.medians import geometric_median


@pytest.fixture(scope="module")
def cases():
    return make_cases()


# The four layouts that places publish, as rows of one table.
LAYOUTS = {
    "one rate, coefficients by level": [
        {"level": "1", "base_rate": 9435.25, "coefficient": 0.75},
        {"level": "3", "base_rate": 9435.25, "coefficient": 1.2},
        {"group": "BR25", "base_rate": 9435.25, "coefficient": 1.02},
    ],
    "a rate by level": [{"level": "1", "base_rate": 7782}, {"level": "3", "base_rate": 13060}],
    "a rate by level and pool": [
        {"level": "3", "pool": "employee", "base_rate": 9865},
        {"level": "3", "pool": "resident", "base_rate": 9391},
        {"level": "1", "pool": "employee", "base_rate": 9651},
    ],
    "a coefficient by group and level": [
        {"group": "BR25", "level": "3", "base_rate": 7938.236995, "coefficient": 1.43480804},
        {"group": "BR25", "level": "1", "base_rate": 7938.236995, "coefficient": 1.18583676},
        {"base_rate": 7938.236995},
    ],
}


def best_row(case, rows):
    """The most special row that fits, by trying all of them."""
    found, rank = None, (-1,) * 3
    for row in rows:
        keys = [row.get(name) for name in ("group", "level", "pool")]
        fits = all(key is None or key == case[name] for key, name in zip(keys, ("group", "level", "pool"), strict=True))
        begin, end = row.get("valid_from") or datetime.date.min, row.get("valid_to") or datetime.date.max
        special = tuple(key is not None for key in keys)
        if fits and begin <= case["discharged"] <= end and special > rank:
            found, rank = row, special
    return found


CASES = [
    {"group": group, "level": level, "pool": pool, "weight": 1.5, "discharged": datetime.date(2024, 6, 1)}
    for group in ("BR25", "ES35")
    for level in ("1", "3")
    for pool in ("employee", "resident")
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_four_layouts(layout):
    rows = LAYOUTS[layout]
    for case, found in zip(CASES, points.set_payment_standards(CASES, rows), strict=True):
        row = best_row(case, rows)
        if row is None:
            assert found["standard"] is None
            assert found["standard_reason"] == "no_rate"
        else:
            assert found["standard"] == pytest.approx(1.5 * row["base_rate"] * row.get("coefficient", 1), rel=1e-15)
            assert found["standard_reason"] is None


KEYS = st.tuples(*[st.sampled_from([None, "a", "b"])] * 3)
DAYS = st.one_of(st.none(), st.integers(0, 20).map(lambda n: datetime.date(2024, 1, 1) + datetime.timedelta(n)))
RATES = st.lists(st.tuples(KEYS, DAYS, DAYS, st.integers(1, 99)), min_size=1, max_size=12)


@given(
    RATES,
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc"), DAYS), min_size=1, max_size=12
    ),
)
def test_look_up_agrees_with_its_twin(given_rates, given_cases):
    rows = [
        {"group": key[0], "level": key[1], "pool": key[2], "valid_from": begin, "valid_to": end, "base_rate": rate}
        for key, begin, end, rate in given_rates
    ]
    early, late = datetime.date.min, datetime.date.max
    backwards = any((row["valid_from"] or early) > (row["valid_to"] or late) for row in rows)
    overlap = any(
        [one[name] for name in ("group", "level", "pool")] == [other[name] for name in ("group", "level", "pool")]
        and (one["valid_from"] or early) <= (other["valid_to"] or late)
        and (other["valid_from"] or early) <= (one["valid_to"] or late)
        for place, one in enumerate(rows)
        for other in rows[:place]
    )
    if backwards or overlap:
        with pytest.raises(PolicyError, match=r"before valid_from|dates overlap"):
            points.build_rate_table(rows)
        return
    cases = [
        {"group": group, "level": level, "pool": pool, "discharged": day or datetime.date(2024, 1, 10), "weight": 2.0}
        for group, level, pool, day in given_cases
    ]
    found = points.set_payment_standards(cases, rows, date="discharged")
    expected = [best_row(case, rows) for case in cases]
    assert [row["base_rate"] for row in found] == [None if row is None else row["base_rate"] for row in expected]


def test_dates_of_validity():
    rows = [
        {"base_rate": 9435.25, "valid_from": "2022-01-01", "valid_to": "2022-12-31"},
        {"base_rate": 8728.30, "valid_from": "2023-01-01"},
    ]
    days = ["2021-12-31", "2022-01-01", "2022-12-31", "2023-01-01", "2031-01-01", None]
    cases = [{"weight": 1.0, "discharged": day} for day in days]
    found = points.set_payment_standards(cases, rows, date="discharged")
    assert [row["standard"] for row in found] == [None, 9435.25, 9435.25, 8728.30, 8728.30, None]
    one_day = points.set_payment_standards(cases, rows, date=datetime.date(2022, 5, 5))
    assert {row["standard"] for row in one_day} == {9435.25}
    with pytest.raises(PolicyError, match="give date="):
        points.set_payment_standards(cases, rows)
    with pytest.raises(PolicyError, match="rows 0 and 1: both hold for all, and their dates overlap"):
        points.build_rate_table([rows[0], {**rows[1], "valid_from": "2022-12-31"}])


def test_rates_that_cannot_be():
    with pytest.raises(PolicyError, match="row 1: base_rate is missing"):
        points.build_rate_table([{"base_rate": 1.0}, {"level": "1", "base_rate": None}])
    with pytest.raises(PolicyError, match="give yuan above 0"):
        points.build_rate_table([{"base_rate": 0}])
    with pytest.raises(PolicyError, match="both hold for level '3'"):
        points.build_rate_table([{"level": 3, "base_rate": 1.0}, {"level": "3", "base_rate": 2.0}])
    with pytest.raises(UnknownNameError, match="Did you mean 'level'"):
        points.build_rate_table([{"levle": 3, "base_rate": 1.0}])
    with pytest.raises(UnknownNameError, match="there is no column 'level'"):
        points.set_payment_standards([{"weight": 1.0}], [{"level": 3, "base_rate": 1.0}])
    with pytest.raises(PolicyError, match="both the rates and column 'k'"):
        points.set_payment_standards(
            [{"weight": 1.0, "k": 1.0}], [{"base_rate": 1.0, "coefficient": 2.0}], coefficient="k"
        )


def test_rounding_is_half_away_from_zero_and_only_when_asked():
    cases = [{"weight": weight} for weight in (0.125, 0.375, 0.5)]
    found = points.set_payment_standards(cases, [{"base_rate": 1}], digits=2)
    assert [row["standard"] for row in found] == [0.13, 0.38, 0.5]
    assert [row["standard"] for row in points.set_payment_standards(cases, [{"base_rate": 1}])] == [0.125, 0.375, 0.5]


def test_what_has_no_standard():
    cases = [
        {"weight": weight, "k": k} for weight, k in ((None, 1.0), (-1.0, 1.0), (1.0, None), (1.0, -1.0), (0.0, 1.0))
    ]
    found = points.set_payment_standards(cases, [{"base_rate": 2.0}], coefficient="k")
    assert [row["standard"] for row in found] == [None, None, None, None, 0]
    assert [row["standard_reason"] for row in found][::2] == [
        "no_weight",
        "bad_coefficient",
        None,
    ]


def test_base_rate_and_back():
    volume = [
        {"pool": pool, "group": group, "cases": n, "weight": weight, "kappa": kappa}
        for pool, group, n, weight, kappa in (
            ("employee", "A", 1000, 0.5, 1.0),
            ("employee", "B", 10, 20.0, 1.2),
            ("resident", "A", 3000, 0.5, 0.9),
        )
    ]
    rates = points.base_rate(
        volume,
        budget={"employee": Decimal("5180000.00"), "resident": 8_100_000},
        fund_share={"employee": 0.7, "resident": 0.6},
        coefficient="kappa",
    )
    assert [row["pool"] for row in rates] == ["employee", "resident"]
    assert [row["total_weight"] for row in rates] == [740, 1350]
    assert [row["base_rate"] for row in rates] == pytest.approx([10000, 10000])
    # Paying the predicted volume by that rate spends the budget.
    paid = points.set_payment_standards(volume, rates[:1] + rates[1:], coefficient="kappa")
    for row, pool in zip(rates, ("employee", "resident"), strict=True):
        money = sum(case["cases"] * case["standard"] for case in paid if case["pool"] == pool)
        assert money * row["fund_share"] == pytest.approx(row["budget"])
    together = points.base_rate(volume, budget=14_000_000, fund_share=1, by=None)
    assert together[0]["base_rate"] == pytest.approx(14_000_000 / (500 + 200 + 1500))
    one_each = points.base_rate([{"weight": 0.5}, {"weight": 1.5}], budget=100, fund_share=0.5, by=None, per_case=True)
    assert one_each[0]["base_rate"] == 100


POINTS = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.01, 1e6)), min_size=1, max_size=40)


@given(POINTS, st.floats(1, 1e9), st.floats(0.1, 1), st.randoms(use_true_random=False))
def test_the_value_gives_back_the_fund(rows, fund, share, random):
    cases = [{"pool": pool, "points": amount} for pool, amount in rows]
    funds = dict.fromkeys(sorted({pool for pool, _ in rows}), fund)
    found = points.point_value(cases, fund=funds, fund_share=share)
    for row in found:
        own = [case["points"] for case in cases if case["pool"] == row["pool"]]
        assert row["point_value"] == pytest.approx(fund / share / math.fsum(own), rel=1e-12)
        assert row["points"] * row["point_value"] * share == pytest.approx(fund, rel=1e-12)
        assert row["rows"] == len(own)
    random.shuffle(cases)
    assert points.point_value(cases, fund=funds, fund_share=share) == found


def test_severe_cases_fixed_and_mild_ones_floating():
    cases = [{"points": 0.0, "fixed": 500.0}, {"points": 60.0, "fixed": None}, {"points": 40.0, "fixed": None}]
    row = points.point_value(cases, fund=700, fund_share=0.7, by=None, fixed="fixed")[0]
    assert (row["total"], row["fixed"], row["point_value"]) == pytest.approx((1000, 500, 5))
    with pytest.raises(PolicyError, match="nothing is left to float"):
        points.point_value(cases, fund=300, fund_share=0.7, by=None, fixed="fixed")


def test_elastic_values():
    def value(amount, **options):
        given_options = {"total": 1000.0, "base_share": 0.7, "base_points": 100, "cap": None, "by": None} | options
        return points.compute_elastic_value([{"points": amount}], **given_options)[0]

    row = value(160.0)
    assert (row["base_value"], row["increment_value"], row["unspent"]) == (7, 5, 0)
    capped = value(110.0, cap=7.0)
    assert (capped["increment_value"], capped["capped"], capped["unspent"]) == (7, True, 230)
    below = value(80.0)
    assert (below["increment_points"], below["increment_value"], below["unspent"]) == (0, None, 440)
    assert value(100.0)["increment_value"] is None
    for case in (row, capped, below):
        paid = min(case["points"], 100) * case["base_value"] + case["increment_points"] * (case["increment_value"] or 0)
        assert paid + case["unspent"] == pytest.approx(1000)
    with pytest.raises(PolicyError, match="8:2"):
        value(1.0, base_share=8)


def test_estimated_value_is_cost_over_points(cases):
    weights = points.weights(cases, scale=1000)
    scored = points.case_points(cases, weights)
    years = {2022: 1, 2023: 2, 2024: 7}
    trim = Trim("percentile", lower=2.5, upper=97.5)
    found = points.estimate_value(scored, years=years, trim=trim)
    kept = points.trim_cases(scored, trim).to_pandas()
    kept = kept[kept["trim_status"] == "used"]
    for row in found.to_pylist():
        rows = kept[kept["pool"] == row["pool"]]
        weight = rows["year"].map(years)
        expected = (rows["total_cost"] * weight).sum() / (rows["points"] * weight).sum()
        assert row["point_value"] == pytest.approx(expected, rel=1e-11)
        assert row["cases"] == row["n"] + row["trimmed"] + row["invalid"] + row["excluded"] + row["outside"]
    assert sum(row["cases"] for row in found.to_pylist()) == len(cases)
    # Without trimming and by all pools, the points of a year's own cases are worth the mean cost over the scale.
    alone = points.estimate_value(scored, years=None, by=None).to_pylist()[0]
    assert alone["point_value"] == pytest.approx(np.mean(cases["total_cost"].to_numpy()) / 1000, rel=1e-12)


def test_the_good_interval_in_one_dimension(cases):
    scored = points.case_points(cases, points.weights(cases, scale=1000))
    frame = scored.to_pandas()
    found = points.estimate_value(scored, years=None, by=None, interval="one_dimensional").to_pylist()[0]
    below = frame[frame["total_cost"] < frame["total_cost"].mean()]
    assert found["point_value"] == pytest.approx(below["total_cost"].sum() / below["points"].sum(), rel=1e-12)
    assert (found["n"], found["outside"]) == (len(below), len(frame) - len(below))
    own = points.estimate_value(scored, years=None, by=None, interval="one_dimensional", interval_within="group")
    means = frame.groupby("group")["total_cost"].transform("mean")
    below = frame[frame["total_cost"] < means]
    assert own.to_pylist()[0]["point_value"] == pytest.approx(
        below["total_cost"].sum() / below["points"].sum(), rel=1e-12
    )


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0.1, 9), st.integers(1, 7)), min_size=3, max_size=15))
def test_the_geometric_median_has_the_least_sum_of_distances(rows):
    plane, weight = np.array([row[:2] for row in rows]), np.array([row[2] for row in rows], float)

    def far(point):
        return (np.hypot(*(plane - point).T) * weight).sum()

    centre = geometric_median(plane, weight)
    least = far(centre)
    # No case, and no point around, does better.
    for point in [*plane, *(centre + 1e-3 * np.array(step) for step in ((1, 0), (-1, 0), (0, 1), (0, -1)))]:
        assert least <= far(point) * (1 + 1e-6) + 1e-12


def test_the_good_interval_in_two_dimensions(cases):
    scored = points.case_points(cases, points.weights(cases, scale=1000)).to_pandas()
    found = points.estimate_value(
        scored, years=None, by=None, interval="two_dimensional", quadrant=("below", "above")
    ).to_dict("records")[0]
    inside = scored[
        (scored["total_cost"] < scored["total_cost"].mean()) & (scored["points"] >= scored["points"].mean())
    ]
    assert found["n"] == len(inside)
    assert inside["total_cost"].min() <= found["cost"] <= inside["total_cost"].max()
    assert found["point_value"] == found["cost"] / found["points"]
    shuffled = scored.sample(frac=1, random_state=1)
    again = points.estimate_value(
        shuffled, years=None, by=None, interval="two_dimensional", quadrant=("below", "above")
    ).to_dict("records")[0]
    assert again == found
    with pytest.raises(PolicyError, match="quadrant="):
        points.estimate_value(scored, years=None, by=None, interval="two_dimensional")


def test_money_that_cannot_be():
    cases = [{"pool": "a", "points": 1.0}, {"pool": "b", "points": 2.0}]
    with pytest.raises(PolicyError, match="no entry for pool 'b'"):
        points.point_value(cases, fund={"a": 1}, fund_share=1)
    with pytest.raises(UnknownNameError, match="there is no pool 'c'"):
        points.point_value(cases, fund={"a": 1, "b": 1, "c": 1}, fund_share=1)
    with pytest.raises(PolicyError, match="one amount for 2 pools"):
        points.point_value(cases, fund=5, fund_share=1)
    with pytest.raises(PolicyError, match="above 0 and at most 1"):
        points.point_value(cases, fund={"a": 1, "b": 1}, fund_share=70)
    with pytest.raises(CaseError, match="'points' of the cases is missing in row 1 and 1 more"):
        points.point_value([*cases[:1], {"pool": "a"}, {"pool": "a", "points": math.nan}], fund=1, fund_share=1)
    with pytest.raises(CaseError, match="'pool' of the cases is empty in row 1"):
        points.point_value([cases[0], {"pool": None, "points": 1.0}], fund=1, fund_share=1)
    with pytest.raises(CaseError, match="the sum of the points is 0"):
        points.point_value([{"points": 0.0}], fund=1, fund_share=1, by=None)
    with pytest.raises(CaseError, match="cannot be budgeted"):
        points.base_rate([{"cases": 1, "weight": None}], budget=1, fund_share=1, by=None)
    table = pa.table({"group": ["A"], "points": pa.array([None], pa.float64()), "total_cost": [1.0]})
    with pytest.raises(CaseError, match="missing or negative in row 0"):
        points.estimate_value(table, years=None, by=None)
