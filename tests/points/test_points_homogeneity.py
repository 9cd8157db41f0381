import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import Restless
from points_cases import make_cases

from drgdip import points
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.points import Trim


@pytest.fixture(scope="module")
def cases():
    return make_cases()


def valid(cases):
    """The cases that count, as the documentation says it."""
    frame = cases.to_pandas()
    return frame[frame["group"].notna() & (frame["group"] != "") & (frame["total_cost"] >= 0)]


def riv_twin(frame, key, cost):
    within = ((cost - cost.groupby(frame[key]).transform("mean")) ** 2).sum()
    return 1 - within / ((cost - cost.mean()) ** 2).sum()


def test_figures_by_group_are_those_of_pandas(cases):
    found = points.homogeneity(cases).groups.to_pandas().set_index("group")
    by = valid(cases).groupby("group")["total_cost"]
    twin = pd.DataFrame(
        {
            "n": by.size(),
            "mean": by.mean(),
            "sd": by.std(),
            "cv": by.std() / by.mean(),
            "q1": by.quantile(0.25),
            "median": by.median(),
            "q3": by.quantile(0.75),
            "skew": by.skew(),
        }
    )
    pd.testing.assert_frame_equal(found, twin, rtol=1e-9, check_index_type=False, check_names=False)


def test_overall_figures_are_those_of_pandas(cases):
    found = points.homogeneity(cases, level="level", against=["hospital"], cv_limit=0.8).overall.to_pylist()
    frame = valid(cases)
    frame = frame[frame["hospital"].notna()]
    rows = []
    for key in ("group", "hospital"):
        rows += [(key, None, frame), *((key, str(level), part) for level, part in frame.groupby("level"))]
    assert len(found) == len(rows)
    for (key, level, part), row in zip(rows, found, strict=True):
        cost = part["total_cost"].astype(float)
        cv = cost.groupby(part[key]).std() / cost.groupby(part[key]).mean()
        size = cost.groupby(part[key]).size()
        positive = part[cost > 0]
        assert (row["grouping"], row["level"], row["n"], row["groups"]) == (key, level, len(part), len(size))
        assert row["riv"] == pytest.approx(riv_twin(part, key, cost), rel=1e-9)
        assert row["riv_log"] == pytest.approx(
            riv_twin(positive, key, np.log(positive["total_cost"].astype(float))), rel=1e-9
        )
        assert row["cv"] == pytest.approx(cost.std() / cost.mean(), rel=1e-9)
        assert row["groups_below"] == pytest.approx((cv < 0.8).mean())
        assert row["cases_below"] == pytest.approx(size[cv < 0.8].sum() / size.sum())


def test_r_squared_of_a_regression_on_the_groups(cases):
    frame = valid(cases)
    cost = frame["total_cost"].to_numpy(float)
    dummies = pd.get_dummies(frame["group"]).to_numpy(float)
    fitted = dummies @ np.linalg.lstsq(dummies, cost, rcond=None)[0]
    r_squared = np.corrcoef(fitted, cost)[0, 1] ** 2
    assert points.homogeneity(cases).overall["riv"][0].as_py() == pytest.approx(r_squared, rel=1e-9)


@pytest.mark.parametrize("change", ["order", "chunks", "twice"])
def test_neither_order_nor_chunks_matter(cases, change):
    plain = points.homogeneity(cases, level="level")
    order = np.random.default_rng(5).permutation(len(cases))
    if change == "order":
        changed = cases.take(pa.array(order))
    elif change == "chunks":
        changed = pa.concat_tables([cases.slice(0, 7), cases.slice(7, 1), cases.slice(8)])
    else:
        doubled = points.homogeneity(pa.concat_tables([cases, cases]))
        assert doubled.overall["riv"][0].as_py() == pytest.approx(plain.overall["riv"][0].as_py(), rel=1e-12)
        return
    found = points.homogeneity(changed, level="level")
    assert found.groups.equals(plain.groups)
    assert found.overall.equals(plain.overall)


def test_trimmed_cases_do_not_count(cases):
    trim = Trim("iqr", lower=1.5, upper=1.5)
    trimmed = points.trim_cases(cases, trim)
    used = trimmed.filter(pa.compute.equal(trimmed["trim_status"].cast(pa.string()), "used"))
    assert points.homogeneity(cases, trim=trim).groups.equals(points.homogeneity(used).groups)


def test_a_grouping_that_lacks_a_case_leaves_it_out_of_both():
    rows = [
        {"group": "A", "dip": "1", "total_cost": 10},
        {"group": "A", "dip": "1", "total_cost": 30},
        {"group": "B", "dip": None, "total_cost": 500},
    ]
    found = points.homogeneity(rows, against=["dip"])
    assert [(row["grouping"], row["n"], row["riv"]) for row in found.overall] == [("group", 2, 0.0), ("dip", 2, 0.0)]


def test_figures_that_cannot_be_computed_are_null():
    found = points.homogeneity([{"group": "A", "total_cost": 0}, {"group": "B", "total_cost": 0}])
    assert found.groups[0] | {"skew": None} == found.groups[0]
    assert (found.groups[0]["sd"], found.groups[0]["cv"]) == (None, None)
    assert (found.overall[0]["riv"], found.overall[0]["riv_log"], found.overall[0]["cv"]) == (None, None, None)


def test_columns_may_have_other_names(cases):
    columns = {name: f"列 {name}" for name in cases.column_names}
    found = points.homogeneity(cases.rename_columns(list(columns.values())), level="level", columns=columns)
    assert found.overall.equals(points.homogeneity(cases, level="level").overall)


def test_cases_without_an_order_are_read_once(cases):
    source = Restless(cases)
    assert points.homogeneity(source, level="level").overall.equals(points.homogeneity(cases, level="level").overall)
    assert source.readings == 1


def test_another_column_of_cost():
    rows = [{"group": "A", "drugs": 1.0, "total_cost": 9.0}, {"group": "B", "drugs": 3.0, "total_cost": 9.0}]
    assert [row["mean"] for row in points.homogeneity(rows, cost="drugs").groups] == [1.0, 3.0]
    assert points.homogeneity(rows, cost="x", columns={"x": "drugs"}).overall[0]["riv"] == 1.0


def test_errors_say_what_to_mend():
    with pytest.raises(CaseError, match="none of the 1 cases"):
        points.homogeneity([{"group": None, "total_cost": 1}])
    with pytest.raises(PolicyError, match="cv_limit=0"):
        points.homogeneity([{"group": "A", "total_cost": 1}], cv_limit=0)
    with pytest.raises(UnknownNameError, match="level"):
        points.homogeneity([{"group": "A", "total_cost": 1}], level="level")
