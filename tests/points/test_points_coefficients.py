import itertools
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from points_cases import make_cases

import drgdip
from drgdip import points
from drgdip.errors import PolicyError, RuleError, UnknownNameError
from drgdip.points import Trim


@pytest.fixture(scope="module")
def cases():
    return make_cases()


@pytest.mark.parametrize(("by", "within"), [("hospital", "group"), ("level", ()), ("level", ["group", "pool"])])
def test_cost_coefficients_agree_with_their_twin(cases, by, within):
    frame = cases.to_pandas().astype({"level": str})
    wholes = [within] if isinstance(within, str) else list(within)
    found = points.measure_cost_coefficients(frame, by, within)
    means = frame.groupby([*wholes, by])["total_cost"].mean()
    whole = frame.groupby(wholes)["total_cost"].mean() if wholes else frame["total_cost"].mean()
    expected = means / (whole.reindex(means.index.droplevel(-1)).to_numpy() if wholes else whole)
    assert len(found) == len(expected)
    for row in found.to_dict("records"):
        key = tuple(row[name] for name in [*wholes, by])
        assert row["coefficient"] == pytest.approx(expected[key if wholes else key[0]], rel=1e-12)


def test_cost_coefficients_over_three_years(cases):
    years = {2022: 1, 2023: 2, 2024: 7}
    found = points.measure_cost_coefficients(cases.to_pandas(), "level", years=years).set_index("level")["coefficient"]
    frame = cases.to_pandas()

    def mean(rows):
        return sum(weight * rows.loc[rows["year"] == year, "total_cost"].mean() for year, weight in years.items()) / 10

    for level, rows in frame.groupby("level"):
        assert found[str(level)] == pytest.approx(mean(rows) / mean(frame), rel=1e-12)


def test_trimming_is_that_of_the_whole(cases):
    trim = Trim("iqr", lower=1.5, upper=1.5)
    found = points.measure_cost_coefficients(cases, "hospital", "group", trim=trim)
    kept = points.report_trimming(cases, trim)
    assert sum(found["n"].to_pylist()) == sum(kept["used"].to_pylist())
    # The parts of a whole make up its mean.
    frame = found.to_pandas()
    for _, rows in frame.groupby("group"):
        assert np.average(rows["coefficient"], weights=rows["n"]) == pytest.approx(1, rel=1e-12)


def test_few_cases_and_small_differences():
    costs = {"1": [8.0, 9.0], "2": [10.0, 10.0], "3": [12.0]}
    cases = [{"group": "A", "level": level, "total_cost": cost} for level in costs for cost in costs[level]]
    found = points.measure_cost_coefficients(cases, "level", "group", min_cases=2)
    assert [row["reason"] for row in found] == [None, None, "few_cases:2"]
    assert found[2]["coefficient"] == 1 != found[2]["raw_coefficient"]
    assert [
        row["coefficient"] for row in points.measure_cost_coefficients(cases, "level", "group", min_difference=0.5)
    ] == [
        1,
        1,
        1,
    ]
    kept = points.measure_cost_coefficients(cases, "level", "group", min_difference=0.3)
    assert [row["coefficient"] for row in kept] == [row["raw_coefficient"] for row in found]


def test_cmi_over_that_of_the_level():
    cases = [
        {"hospital": name, "level": "3", "weight": weight} for name, weight in (("H", 2.0), ("H", 1.0), ("I", 0.5))
    ]
    found = points.measure_cost_coefficients(cases, "hospital", "level", columns={"total_cost": "weight"})
    assert [row["coefficient"] for row in found] == pytest.approx([1.5 / (3.5 / 3), 0.5 / (3.5 / 3)])


def pooled_twin(values, volume):
    """The same by merging any two neighbours that fall, until none does."""
    sets = [[number] for number in range(len(values))]

    def mean(members):
        cases = sum(volume[number] for number in members)
        if not cases:
            return sum(values[number] for number in members) / len(members)
        return sum(values[number] * volume[number] for number in members) / cases

    while True:
        for place in range(len(sets) - 1):
            if mean(sets[place]) > mean(sets[place + 1]):
                sets[place : place + 2] = [sets[place] + sets[place + 1]]
                break
        else:
            return [mean(members) for members in sets for _ in members]


LEVELS = st.lists(st.tuples(st.floats(0.3, 2), st.integers(1, 99)), min_size=2, max_size=5)


@given(LEVELS)
def test_no_inversion(rows):
    values, volume = zip(*rows, strict=True)
    order = [str(number) for number in range(len(rows))]
    table = [
        {"level": name, "n": n, "coefficient": value} for name, value, n in zip(order, values, volume, strict=True)
    ]
    pooled = [row["coefficient"] for row in points.remove_inversion(table[::-1], order, method="pool")][::-1]
    assert pooled == pytest.approx(pooled_twin(values, volume), rel=1e-9)
    assert all(low <= high * (1 + 1e-12) for low, high in itertools.pairwise(pooled))
    kept = sum(value * n for value, n in zip(pooled, volume, strict=True))
    assert kept == pytest.approx(sum(value * n for value, n in zip(values, volume, strict=True)), rel=1e-12)
    capped = [row["coefficient"] for row in points.remove_inversion(table, order, method="cap")]
    assert capped == [min(values[number:]) for number in range(len(values))]


def test_no_inversion_within_groups_and_gaps():
    table = pd.DataFrame(
        {
            "group": ["A", "A", "A", "B", "B", "B"],
            "level": [1, 2, 3, 1, 2, 3],
            "n": [1, 1, 1, 1, 1, 1],
            "coefficient": [1.2, np.nan, 1.0, 0.8, 1.0, 1.1],
        }
    )
    found = points.remove_inversion(table, ["1", "2", "3"], method="pool", within="group")
    assert found["coefficient"].tolist()[0] == pytest.approx(1.1)
    assert math.isnan(found["coefficient"][1])
    assert found["inverted"].tolist() == [True, False, True, False, False, False]
    assert table["coefficient"][0] == 1.2
    with pytest.raises(PolicyError, match="level '3', which order="):
        points.remove_inversion(table, ["1", "2"], method="cap")


TABLES = {
    "level": [{"level": 1, "coefficient": 0.9}, {"level": 2, "coefficient": 1.0}, {"level": 3, "coefficient": 1.2}],
    "specialty": [{"hospital": "H1", "group": "G05", "coefficient": 0.05}],
    "academic": 0.02,
}


def test_combination_agrees_with_its_twin(cases):
    found = points.combine_coefficients(
        cases,
        TABLES,
        "level * (1 + specialty + academic)",
        missing={"specialty": 0.0},
        uniform={"G00": 1.02},
        bounds=(0.95, None),
    ).to_pylist()
    level = {1: 0.9, 2: 1.0, 3: 1.2}
    for row in found:
        special = 0.05 if (row["hospital"], row["group"]) == ("H1", "G05") else 0.0
        combined = level[row["level"]] * (1 + special + 0.02)
        assert row["combined_coefficient"] == pytest.approx(combined, rel=1e-15)
        expected = 1.02 if row["group"] == "G00" else max(combined, 0.95)
        assert row["coefficient"] == pytest.approx(expected, rel=1e-15)
        reason = "uniform_group" if row["group"] == "G00" else "bounded" if combined < 0.95 else None
        assert row["coefficient_reason"] == reason
    assert {row["coefficient_reason"] for row in found} == {None, "bounded", "uniform_group"}


@pytest.mark.parametrize("within", [(), "pool", ["pool", "year"]])
def test_the_neutraliser_keeps_the_total(cases, within):
    weights = points.weights(cases)
    weighted = points.case_points(cases, weights)
    found = points.combine_coefficients(
        weighted,
        {"level": TABLES["level"]},
        "level",
        uniform={"G00": 1.02},
        neutral="weight",
        neutral_within=within,
    ).to_pandas()
    product = found["weight"] * found["coefficient"]
    if within:
        keys = [within] if isinstance(within, str) else within
        before, after = (series.groupby([found[key] for key in keys]).sum() for series in (found["weight"], product))
        assert after.to_numpy() == pytest.approx(before.to_numpy(), rel=1e-12)
    else:
        assert product.sum() == pytest.approx(found["weight"].sum(), rel=1e-12)
    assert set(found.loc[found["group"] == "G00", "coefficient"]) == {1.02}
    # Among the others only one number is between before and after in a set.
    if not within:
        ratio = (found["coefficient"] / found["combined_coefficient"])[found["group"] != "G00"]
        assert ratio.max() == pytest.approx(ratio.min(), rel=1e-12)


def test_uniform_groups_may_not_take_everything():
    cases = [{"group": "A", "weight": 1.0}, {"group": "B", "weight": 1.0}]
    with pytest.raises(PolicyError, match="take the whole total weight or more"):
        points.combine_coefficients(cases, {"k": 1.0}, "k", uniform={"A": 2.5}, neutral="weight")


def test_what_is_missing_is_said():
    cases = [{"level": 9}, {"level": 1}, {"level": None}]
    found = points.combine_coefficients(cases, {"level": TABLES["level"]}, "level")
    assert [row["coefficient"] for row in found] == [None, 0.9, None]
    assert [row["coefficient_reason"] for row in found] == ["no_coefficient:level", None, "no_coefficient:level"]
    divided = points.combine_coefficients([{"a": 1.0, "b": 0.0}], {"a": "a", "b": "b"}, "a / b")
    assert divided[0]["coefficient_reason"] == "no_combined_coefficient"


def test_expressions_that_cannot_be():
    case = [{"level": 1}]
    with pytest.raises(RuleError, match="uses 'specialty'"):
        points.combine_coefficients(case, {"level": TABLES["level"]}, "level * specialty")
    with pytest.raises(PolicyError, match="does not use 'academic'"):
        points.combine_coefficients(case, {"level": TABLES["level"], "academic": 1.0}, "level")
    with pytest.raises(PolicyError, match="shares no column with the cases"):
        points.combine_coefficients(case, {"hospital": [{"hospital": "H", "coefficient": 1.0}]}, "hospital")
    with pytest.raises(PolicyError, match="have level 1 twice"):
        points.combine_coefficients(case, {"level": [*TABLES["level"], TABLES["level"][0]]}, "level")
    with pytest.raises(UnknownNameError, match="missing="):
        points.combine_coefficients(case, {"level": TABLES["level"]}, "level", missing={"leval": 1})
    for text in ("level +", "level ** 2", "level if 1 else 2", "abs(level)", "level.real", "'a'", "True", "min(level)"):
        with pytest.raises(RuleError):
            points.combine_coefficients(case, {"level": TABLES["level"]}, text)


FORMULAS = st.recursive(
    st.sampled_from(["a", "b", "c", "2", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
        inner.map(lambda text: f"(-{text})"),
    ),
    max_leaves=8,
)


@given(FORMULAS, st.lists(st.floats(0.1, 10), min_size=3, max_size=3))
def test_expressions_agree_with_python(text, values):
    names = dict(zip("abc", values, strict=True))
    expression = points.Expression(text)
    try:
        expected = eval(text, {"__builtins__": {}, "min": min, "max": max}, names)
    except ZeroDivisionError:
        assert not math.isfinite(expression(names))
        return
    assert expression(names) == expected
    columns = {name: np.array([value, value]) for name, value in names.items()}
    assert np.broadcast_to(expression(columns), 2).tolist() == [expected, expected]


def test_the_higher_of_two_groups():
    weights = [
        {"group": "T", "weight": 0.9},
        {"group": "W", "weight": 1.1},
        {"group": "E", "weight": 0.9},
        {"group": "N", "weight": None},
    ]
    pairs = [("T", "W"), ("W", "T"), ("T", "E"), ("T", None), ("N", "W"), ("W", "N"), ("X", "Y")]
    cases = [{"group": own, "western_group": western} for own, western in pairs]
    found = points.take_higher_group(cases, weights)
    assert [row["paid_group"] for row in found] == ["W", "W", "T", "T", "W", "W", "X"]
    assert [row["paid_weight"] for row in found] == [1.1, 1.1, 0.9, 0.9, 1.1, 1.1, None]


def test_the_share_of_chinese_medicine():
    parts = {
        "tcm_treatment": 20.0,
        "patent_medicine": 20.0,
        "decoction_pieces": 20.0,
        "surgery": 10.0,
        "materials": 30.0,
    }
    cases = [
        {"group": "T", "western_group": "W", **parts},
        {"group": "T", "western_group": "W", **parts, "materials": 30.01},
        {"group": "T", "western_group": None, **parts, "materials": 99.0},
        {"group": "T", "western_group": "W", **dict.fromkeys(parts, 0.0)},
        {"group": "T", "western_group": "W", **parts, "surgery": -1.0},
        {"group": "T", "western_group": "W", **parts, "surgery": None},
    ]
    found = points.downgrade_tcm(cases, minimum=0.6)
    assert [row["paid_group"] for row in found] == ["T", "W", "T", "W", "T", "T"]
    assert [row["downgrade_reason"] for row in found][3:5] == ["no_part_cost", "negative_part"]
    assert found[0]["tcm_ratio"] == pytest.approx(0.6)
    with pytest.raises(UnknownNameError, match="columns= gives it for 'needles'"):
        points.downgrade_tcm(cases, minimum=0.6, columns={"needles": "x"})
    with pytest.raises(UnknownNameError, match="Did you mean 'surgery'"):
        points.downgrade_tcm(cases, minimum=0.6, columns={"surgeri": "materials"})
    with pytest.raises(PolicyError, match="none of the parts"):
        points.downgrade_tcm(pa.table({"group": ["T"], "western_group": ["W"]}), minimum=0.6)


def test_basic_groups_of_a_scheme_are_taken_as_they_are():
    basic = drgdip.load_scheme("chs-drg-3.0").basic_groups
    assert len(basic) == 31
    cases = [{"group": basic[0], "level": "3"}, {"group": "ZZ99", "level": "3"}]
    tables = {"level": [{"level": "3", "coefficient": 1.2}]}
    found = points.combine_coefficients(cases, tables, "level", uniform=basic, uniform_coefficient=1.02)
    assert [case["coefficient"] for case in found] == [1.02, 1.2]
    with pytest.raises(PolicyError, match="groups without their coefficient"):
        points.combine_coefficients(cases, tables, "level", uniform=basic)
    with pytest.raises(PolicyError, match="says it twice"):
        points.combine_coefficients(cases, tables, "level", uniform={"ZZ99": 1}, uniform_coefficient=1.0)
