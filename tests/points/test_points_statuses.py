"""Cases that are not grouped count only where a caller asks for them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from drgdip import points
from drgdip.errors import CaseError

STATUSES = ["grouped", "grouped", "ambiguous", "ungrouped", None]
CASES = pa.table(
    {
        "group": ["A", "A", "A", None, "B"],
        "total_cost": [100.0, 300.0, 8000.0, 50.0, 900.0],
        "points": [1.0, 1.0, 1.0, 1.0, 1.0],
        "level": ["1", "2", "2", "1", "1"],
        "auxiliary_types": [["x"], [], ["x"], [], []],
        "status": pa.array(STATUSES).dictionary_encode(),
    }
)


def test_weights_count_grouped_cases_and_tell_of_the_others():
    rows = points.weights(CASES).to_pylist()
    assert [(row["group"], row["cases"], row["excluded"], row["n"], row["mean"]) for row in rows] == [
        ("A", 3, 1, 2, 200.0),
        ("B", 1, 1, 0, None),
        (None, 1, 1, 0, None),
    ]


@pytest.mark.parametrize("statuses", [None, ("grouped", "ambiguous", "ungrouped")])
def test_other_statuses_count_where_they_are_asked_for(statuses):
    row = points.weights(CASES, statuses=statuses).to_pylist()[0]
    assert (row["n"], row["mean"]) == (3, 2800.0)


def test_a_table_without_statuses_counts_as_before():
    without = CASES.drop_columns(["status"])
    assert points.weights(without).equals(points.weights(CASES, statuses=None))


def test_the_column_of_the_status_can_have_another_name():
    named = CASES.rename_columns({"status": "drg_status"})
    assert points.weights(named).to_pylist()[0]["n"] == 3
    assert points.weights(named, columns={"status": "drg_status"}).equals(points.weights(CASES))


def test_trimming_leaves_them_out_with_a_reason():
    rows = points.trim_cases(CASES).to_pylist()
    assert [row["trim_status"] for row in rows] == ["used", "used", "excluded", "excluded", "excluded"]
    assert rows[2]["trim_reason"] == "excluded_by_rule:status = grouped"
    report = points.report_trimming(CASES).to_pylist()
    assert [row["used"] for row in report] == [2, 0, 0]


def test_what_is_made_from_weights_leaves_them_out():
    estimate = points.estimate_value(CASES, years=None, by=None).to_pylist()[0]
    assert (estimate["n"], estimate["excluded"], estimate["point_value"]) == (2, 3, 200.0)
    levels = points.measure_cost_coefficients(CASES, "level", within="group").to_pylist()
    assert [(row["level"], row["n"]) for row in levels if row["n"]] == [("1", 1), ("2", 1)]


def test_case_points_price_no_case_that_is_not_grouped():
    priced = points.case_points(CASES, [{"group": "A", "weight": 2.0}, {"group": "B", "weight": 3.0}])
    assert priced["points"].to_pylist() == [2.0, 2.0, None, None, None]
    assert priced["points_reason"].to_pylist() == [None, None, "not_grouped", "not_grouped", "not_grouped"]
    every = points.case_points(CASES, [{"group": "A", "weight": 2.0}, {"group": "B", "weight": 3.0}], statuses=None)
    assert every["points"].to_pylist() == [2.0, 2.0, 2.0, None, 3.0]
    kinds = CASES.append_column("case_kind", pa.array(["complete"] * 3 + ["by_item", "complete"]))
    options = {"kind": "case_kind", "mean_cost": 100.0, "scale": 1.0}
    assert points.case_points(kinds, [{"group": "A", "weight": 2.0}], **options)["points"].to_pylist()[3] == 0.5


def test_no_grouped_case_is_an_error_that_says_so():
    none = CASES.slice(2)
    with pytest.raises(CaseError, match="of which only those grouped count"):
        points.weights(none)
