"""Auxiliary types: which are triggered and for how much (DIP 3.0 draft, chapter 3), and which counts for a case."""

import math
import statistics

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from points_cases import make_cases

import drgdip
from drgdip import points
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points import CaseRule, Trim

FREE = {"group_cases": None, "type_cases": None, "cv_reduction": None}


def history(costs, group="A"):
    """Cases of a group by their types, joined by |."""
    return [{"group": group, "auxiliary_types": kind, "total_cost": cost} for kind in costs for cost in costs[kind]]


def cv(values):
    mean = statistics.fmean(values)
    return statistics.stdev(values) / mean if len(values) > 1 and mean else math.nan


def twin(cases, group_cases, type_cases, cv_reduction, left_out=()):
    """A group, a catalogue and a type at a time."""
    rows = {}
    split = [(case["group"], (case["auxiliary_types"] or "").split("|"), case["total_cost"]) for case in cases]
    for group in {name for name, _, _ in split}:
        costs = [cost for name, _, cost in split if name == group]
        kinds = {kind for name, found, _ in split if name == group for kind in found if kind}
        for catalogue in {kind.split(" ")[0] for kind in kinds}:
            parts = {}
            for name, found, cost in split:
                if name == group:
                    own = [kind for kind in found if kind.split(" ")[0] == catalogue]
                    parts.setdefault(own[0] if own else None, []).append(cost)
            known = [values for values in parts.values() if not math.isnan(cv(values))]
            cases_known = sum(map(len, known))
            within = sum(len(values) * cv(values) for values in known) / cases_known if known else math.nan
            total = cv(costs)
            reduction = 1 - within / total if total else math.nan
            for kind, values in parts.items():
                if kind is not None:
                    met = group not in left_out and len(costs) > group_cases and len(values) > type_cases
                    met = met and round(reduction, 12) >= cv_reduction
                    alpha = statistics.fmean(values) / statistics.fmean(costs)
                    rows[group, kind] = (len(values), len(costs), reduction, alpha if met else None)
    return rows


def typed_cases(rows, seed, groups=6):
    draw = np.random.default_rng(seed)
    icu = draw.choice(["icu 2-7", "icu 8-14", ""], rows, p=[0.2, 0.1, 0.7])
    age = draw.choice(["age 65+", "age 1-6", ""], rows, p=[0.3, 0.1, 0.6])
    cost = draw.lognormal(8, 0.4, rows) * np.select([icu == "icu 2-7", icu == "icu 8-14"], [2, 4], 1)
    group = draw.integers(0, groups, rows) * draw.integers(0, 2, rows)
    return [
        {
            "group": f"G{number}",
            "auxiliary_types": "|".join(filter(None, kinds)),
            "total_cost": round(float(value), 2),
        }
        for number, *kinds, value in zip(group, icu, age, cost, strict=True)
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("conditions", [(0, 0, 0), (60, 4, 0.05), (40, 9, 0.2)])
def test_the_table_agrees_with_its_twin(seed, conditions):
    cases = typed_cases(600, seed)
    asked = dict(zip(FREE, conditions, strict=True))
    found = points.build_auxiliary_table(cases, except_groups=["G2"], **asked)
    expected = twin(cases, *conditions, left_out=["G2"])
    assert [(row["group"], row["auxiliary_type"]) for row in found] == sorted(expected)
    for row in found:
        n, group_n, reduction, alpha = expected[row["group"], row["auxiliary_type"]]
        assert (row["n"], row["group_n"]) == (n, group_n)
        assert row["cv_reduction"] == pytest.approx(reduction, rel=1e-9, abs=1e-11)
        assert row["coefficient"] == (None if alpha is None else pytest.approx(alpha, rel=1e-12))
        assert row["triggered"] is (alpha is not None)
        assert (row["reason"] is None) is row["triggered"]
        assert row["auxiliary_catalogue"] == row["auxiliary_type"].split(" ")[0]
    assert len({row["triggered"] for row in found}) == 2


def test_by_hand():
    """Mean 20, sd 10: CV 0.5. Both parts have CV 0, so that it falls by all of it."""
    found = points.build_auxiliary_table(
        history({"icu 2-7": [30, 30, 30], "": [12.5, 12.5, 12.5, 12.5]}), group_cases=6, type_cases=2, cv_reduction=1
    )
    assert found == [
        {
            "group": "A",
            "auxiliary_catalogue": "icu",
            "auxiliary_type": "icu 2-7",
            "n": 3,
            "group_n": 7,
            "mean": 30.0,
            "group_mean": 20.0,
            "cv": 0.0,
            "group_cv": pytest.approx(statistics.stdev([30] * 3 + [12.5] * 4) / 20),
            "cv_reduction": 1.0,
            "coefficient": 1.5,
            "triggered": True,
            "reason": None,
        }
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        # More than n: a group or type of exactly n cases is not enough.
        ({"group_cases": 7}, "few_group_cases:7"),
        ({"type_cases": 3}, "few_type_cases:3"),
        ({"group_cases": 6.5, "type_cases": 2.5}, None),
        ({"cv_reduction": 0.97}, "small_cv_reduction:0.97"),
        ({"group_cases": 7, "type_cases": 3}, "few_group_cases:7"),
        ({"group_cases": 7, "relaxed": {"icu": {"group_cases": 6}}}, None),
        ({"cv_reduction": 0.97, "relaxed": {"icu": {"cv_reduction": None}}}, None),
        ({"except_groups": ["A"]}, "excluded_group"),
        ({"except_groups": "A"}, "excluded_group"),
        ({"except_groups": ["B"]}, None),
    ],
)
def test_every_condition(changes, reason):
    """The CV falls by 96 %."""
    cases = history({"icu 2-7": [30, 30, 30], "": [12, 13, 12.5, 12.5]})
    row = points.build_auxiliary_table(cases, **({"group_cases": 6, "type_cases": 2, "cv_reduction": 0.9} | changes))[0]
    assert row["reason"] == reason
    assert row["triggered"] is (reason is None)
    assert row["coefficient"] == (1.5 if reason is None else None)


def test_a_fall_by_exactly_what_is_asked_is_enough():
    """What the table shows is what is compared."""
    cases = history({"icu 2-7": [16, 24], "": [4, 16, 10]})
    reduction = points.build_auxiliary_table(cases, **FREE)[0]["cv_reduction"]
    assert points.build_auxiliary_table(cases, **FREE | {"cv_reduction": reduction})[0]["triggered"]
    assert not points.build_auxiliary_table(cases, **FREE | {"cv_reduction": reduction + 1e-11})[0]["triggered"]


def test_a_catalogue_may_raise_the_variation():
    """Two parts alike: the mean of the small samples is above the whole, so that even 0 is not met."""
    cases = history({"icu 2-7": [6, 14], "": [6, 14]})
    row = points.build_auxiliary_table(cases, **FREE | {"cv_reduction": 0})[0]
    assert row["cv_reduction"] == pytest.approx(1 - math.sqrt(1.5))
    assert row["reason"] == "small_cv_reduction:0"


def test_relaxed_is_for_one_catalogue():
    cases = history({"icu 2-7|age 65+": [30, 31], "age 65+": [10], "": [11, 12]})
    found = points.build_auxiliary_table(
        cases, group_cases=9, type_cases=0, cv_reduction=0, relaxed={"icu": {"group_cases": 4}}
    )
    assert [(row["auxiliary_type"], row["triggered"]) for row in found] == [("age 65+", False), ("icu 2-7", True)]


def test_what_has_no_number():
    single = points.build_auxiliary_table(history({"icu 2-7": [30]}), **FREE)[0]
    assert (single["cv"], single["group_cv"], single["cv_reduction"], single["coefficient"]) == (None, None, None, 1.0)
    asked = FREE | {"cv_reduction": 0.0}
    assert points.build_auxiliary_table(history({"icu 2-7": [30]}), **asked)[0]["reason"] == "no_cv_reduction"
    alike = points.build_auxiliary_table(history({"icu 2-7": [30, 30], "": [30]}), **asked)[0]
    assert (alike["group_cv"], alike["cv_reduction"], alike["reason"]) == (0.0, None, "no_cv_reduction")
    free = points.build_auxiliary_table(history({"icu 2-7": [0, 0], "": [0]}) + history({"": [1]}, "B"), **FREE)[0]
    assert (free["coefficient"], free["reason"]) == (None, "no_mean_cost")
    # A part of one case has no CV: the others are the mean.
    lone = points.build_auxiliary_table(history({"icu 2-7": [50], "": [10, 12]}), **FREE)[0]
    assert lone["cv_reduction"] == pytest.approx(1 - cv([10, 12]) / cv([50, 10, 12]))


def test_cases_without_types_or_groups_or_costs():
    assert points.build_auxiliary_table(history({"": [1, 2]}), **FREE) == []
    assert points.build_auxiliary_table(history({None: [1, 2]}), **FREE) == []
    cases = [*history({"icu 2-7": [30, None, -1], "": [10]}), {"group": None, "auxiliary_types": "icu 2-7"}]
    row = points.build_auxiliary_table(cases, **FREE)[0]
    assert (row["n"], row["group_n"], row["coefficient"]) == (1, 2, 1.5)
    none = points.build_auxiliary_table(history({"icu 2-7": [None], "": [10]}), **FREE)[0]
    assert (none["n"], none["mean"], none["reason"]) == (0, None, "no_mean_cost")
    empty = points.build_auxiliary_table(pa.Table.from_pylist(history({"": [1.0]})), **FREE)
    assert empty.num_rows == 0
    assert empty.column_names[0] == "group"


def test_if_every_case_has_one_type_its_coefficient_is_1():
    cases = [{**case, "auxiliary_types": "age 65+"} for case in typed_cases(200, 3)]
    found = points.build_auxiliary_table(cases, **FREE)
    assert [row["coefficient"] for row in found] == [1.0] * len(found)
    assert {row["cv_reduction"] for row in found} == {0.0}


@pytest.mark.parametrize(
    "options", [{}, {"trim": Trim("iqr", lower=1.5, upper=1.5)}, {"rules": [CaseRule("los", maximum=30)]}]
)
def test_the_parts_make_up_the_group(options):
    """Over the types and the cases without one, the sum of n x mean is that of the group; trimming is the group's."""
    frame = make_cases(3000, seed=2, groups=8).to_pandas()
    frame["auxiliary_types"] = np.where(frame["hospital"].isin(["H1", "H2"]), "icu 2-7", "icu none")
    found = points.build_auxiliary_table(frame, **FREE, **options)
    for _, rows in found.groupby("group"):
        assert rows["n"].sum() == rows["group_n"].iloc[0]
        assert (rows["n"] * rows["mean"]).sum() == pytest.approx((rows["group_n"] * rows["group_mean"]).iloc[0])
    weights = points.weights(frame, trim=options.get("trim"), rules=options.get("rules", ())).set_index("group")
    firsts = found.groupby("group")[["group_n", "group_mean", "group_cv"]].first()
    assert firsts.to_numpy() == pytest.approx(weights[["n", "mean", "cv"]].to_numpy())


def test_with_the_weights_of_years():
    frame = make_cases(2000, seed=4, groups=4).to_pandas()
    frame["auxiliary_types"] = np.where(frame["pool"] == "employee", "age 65+", None)
    years = {2022: 1, 2023: 2, 2024: 7}
    found = points.build_auxiliary_table(frame, **FREE, years=years)
    expected = points.measure_cost_coefficients(frame, "pool", "group", years=years).query("pool == 'employee'")
    assert found["coefficient"].to_numpy() == pytest.approx(expected["coefficient"].to_numpy(), rel=1e-14)
    assert found["n"].tolist() == expected["n"].tolist()


@given(st.permutations(typed_cases(40, 9, groups=2)))
def test_the_order_of_rows_does_not_matter(cases):
    asked = {"group_cases": 5, "type_cases": 1, "cv_reduction": 0.1}
    assert points.build_auxiliary_table(cases, **asked) == points.build_auxiliary_table(
        typed_cases(40, 9, groups=2), **asked
    )


def test_lists_and_texts_are_one():
    cases = typed_cases(100, 5)
    lists = [{**case, "auxiliary_types": list(filter(None, case["auxiliary_types"].split("|")))} for case in cases]
    expected = points.build_auxiliary_table(cases, **FREE)
    assert points.build_auxiliary_table(lists, **FREE) == expected
    assert points.build_auxiliary_table(pd.DataFrame(lists), **FREE)["n"].tolist() == [row["n"] for row in expected]
    counting = [row["auxiliary"] for row in points.apply_auxiliary(cases, expected)]
    # Polars has texts, and lists of them, in a layout of its own.
    for same in (cases, lists):
        frame = pl.DataFrame(same)
        assert points.build_auxiliary_table(frame, **FREE).to_dicts() == expected
        chosen = points.apply_auxiliary(frame, expected)
        assert chosen["auxiliary"].to_list() == counting


def test_two_types_of_one_catalogue_are_an_error():
    with pytest.raises(CaseError, match="row 1 has .*'icu 2-7' and 'icu 8-14'.*two types of 'icu'"):
        points.build_auxiliary_table(history({"": [1], "icu 2-7|age 65+|icu 8-14": [1]}), **FREE)
    twice = points.build_auxiliary_table(history({"": [1], "icu 2-7|icu 2-7": [3]}), **FREE)
    assert [row["n"] for row in twice] == [1]


@pytest.mark.parametrize(
    ("error", "options", "said"),
    [
        (PolicyError, {"group_cases": -1}, "group_cases=-1: give a number"),
        (PolicyError, {"group_cases": "15"}, "group_cases='15': give a number"),
        (PolicyError, {"relaxed": ["icu"]}, "relaxed=['icu']: give a dict"),
        (PolicyError, {"relaxed": {"icu": None}}, "relaxed={'icu': None}: give a dict"),
        (PolicyError, {"cv_reduction": math.nan}, "cv_reduction=nan"),
        (PolicyError, {"cv_reduction": 20}, "cv_reduction=20: give the part by which it falls, such as 0.2"),
        (PolicyError, {"relaxed": {"icu": {"type_cases": math.inf}}}, "type_cases=inf of icu"),
        (UnknownNameError, {"relaxed": {"icu": {"cases": 1}}}, "There are group_cases, type_cases, cv_reduction"),
        (UnknownNameError, {"relaxed": {"ICU": {}}}, "Did you mean 'icu'"),
        (UnknownNameError, {"columns": {"group": "groupe"}}, "no column 'groupe'"),
        (UnknownNameError, {"columns": {"auxiliary_types": "kinds"}}, "no column 'kinds'"),
        (UnknownNameError, {"columns": {"total_cost": "costs"}}, "no column 'costs'"),
        (
            CaseError,
            {"columns": {"auxiliary_types": "total_cost"}},
            "holds double: give lists of types, or texts joined by |",
        ),
        (
            CaseError,
            {"columns": {"auxiliary_types": "struct"}},
            "holds struct<a: int64>: give lists of types, or texts joined by |",
        ),
        (CaseError, {"rules": [CaseRule("group", only="B")]}, "none of the 3 cases can be used"),
    ],
)
def test_what_is_refused(error, options, said):
    cases = [{**case, "struct": {"a": 1}} for case in history({"icu 2-7": [3.0], "": [1.0, 2.0]})]
    with pytest.raises(error) as caught:
        points.build_auxiliary_table(cases, **{**FREE, **options})
    assert said in str(caught.value)


def test_the_conditions_have_no_default():
    with pytest.raises(TypeError, match="group_cases.*type_cases.*cv_reduction"):
        points.build_auxiliary_table([])


def test_the_group_may_have_another_name():
    cases = [{"病种": "A", "t": "icu 2-7", "c": cost} for cost in (1, 2)]
    names = {"group": "病种", "auxiliary_types": "t", "total_cost": "c"}
    found = points.build_auxiliary_table(cases, **FREE, columns=names)
    assert (found[0]["group"], found[0]["coefficient"]) == ("A", 1.0)
    chosen = points.apply_auxiliary(cases, found, columns=names)
    assert [row["auxiliary_type"] for row in chosen] == ["icu 2-7"] * 2


# --- the one that counts ---------------------------------------------------------------------------------------------


def test_the_highest_auxiliary_type_counts():
    table = [
        {"group": "A", "auxiliary_type": "icu", "coefficient": 1.6},
        {"group": "A", "auxiliary_type": "age", "coefficient": 1.1},
        {"group": "B", "auxiliary_type": "icu", "coefficient": 1.6},
        {"group": "B", "auxiliary_type": "cci", "coefficient": 1.6},
    ]
    types = [["age", "icu"], [], None, ["other"], ["age"], ["icu", "cci"]]
    cases = [{"group": "B" if "cci" in (kinds or []) else "A", "auxiliary_types": kinds} for kinds in types]
    found = points.apply_auxiliary(cases, table)
    assert [row["auxiliary"] for row in found] == [1.6, 1, 1, 1, 1.1, 1.6]
    assert [row["auxiliary_type"] for row in found][:4] == ["icu", None, None, None]
    texts = [
        {**case, "auxiliary_types": None if kinds is None else "|".join(kinds)}
        for case, kinds in zip(cases, types, strict=True)
    ]
    assert [row["auxiliary"] for row in points.apply_auxiliary(texts, table)] == [1.6, 1, 1, 1, 1.1, 1.6]
    backwards = points.apply_auxiliary(cases[::-1], table[::-1])
    assert [row["auxiliary_type"] for row in backwards][::-1] == [row["auxiliary_type"] for row in found]


def test_from_cases_to_points():
    """Types, the table of last year, the highest coefficient of a case, and its points: weight x coefficient x it."""
    rows = [(70, 0, 9_000), (70, 0, 11_000), (30, 0, 6_000), (30, 0, 6_400), (70, 8, 30_000), (71, 9, 33_600)]
    last_year = [
        {"group": "A", "age": age, "age_days": None, "icu_days": days, "total_cost": cost} for age, days, cost in rows
    ]
    typed = drgdip.find_auxiliary_types(last_year, "nhsa-dip-3.0", catalogues=["age", "icu"])
    table = points.build_auxiliary_table(typed, group_cases=5, type_cases=1, cv_reduction=0.2)
    assert [(row["auxiliary_type"], row["coefficient"]) for row in table] == [
        ("age 65+", pytest.approx(20_900 / 16_000)),
        ("icu 8-14", pytest.approx(31_800 / 16_000)),
    ]
    rows = [(66, 0), (66, 8), (66, 15), (30, 0)]
    this_year = [
        {"group": "A", "age": age, "age_days": None, "icu_days": days, "total_cost": 1.0} for age, days in rows
    ]
    cases = drgdip.find_auxiliary_types(this_year, "nhsa-dip-3.0", catalogues=["age", "icu"])
    cases = points.apply_auxiliary(cases, table)
    found = points.case_points(cases, points.weights(last_year, scale=1000), coefficient=1.1, auxiliary="auxiliary")
    assert [row["auxiliary_type"] for row in found] == ["age 65+", "icu 8-14", "age 65+", None]
    alphas = [20_900 / 16_000, 31_800 / 16_000, 20_900 / 16_000, 1]
    assert [row["points"] for row in found] == pytest.approx([1100 * alpha for alpha in alphas])
