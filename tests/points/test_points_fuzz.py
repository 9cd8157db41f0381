"""Whatever stands in a table: a result, or an error of the library that says why."""

import datetime
import decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drgdip import points
from drgdip.errors import DrgdipError

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 5),
    st.floats(),
    st.floats(0, 1e6),
    st.text(max_size=3),
    st.sampled_from(["A", "B", "3", "2024-01-05", "employee", "complete", "a|b"]),
    st.dates(),
    st.datetimes(),
    st.decimals(allow_nan=True, allow_infinity=True, places=2),
    st.lists(st.sampled_from(["icu", "age", None]), max_size=2),
    st.binary(max_size=2),
)
NAMES = (
    "group",
    "level",
    "pool",
    "year",
    "total_cost",
    "points",
    "weight",
    "admitted",
    "discharged",
    "patient",
    "kind",
)
#: Columns are often of one kind, as in life, and sometimes of several.
COLUMN = st.one_of(
    st.lists(SCALARS, min_size=3, max_size=3),
    st.lists(st.sampled_from(["A", "B", None, ""]), min_size=3, max_size=3),
    st.lists(st.floats(0, 1e7), min_size=3, max_size=3),
    st.lists(st.integers(-3, 3000), min_size=3, max_size=3),
    st.lists(st.dates(), min_size=3, max_size=3),
    st.lists(st.decimals(-5, 10**6, places=2), min_size=3, max_size=3),
)
TABLES = st.fixed_dictionaries(dict.fromkeys(NAMES, COLUMN))
WEIGHTS = [{"group": "A", "weight": 1.0, "mean": 100.0}, {"group": "B", "weight": None, "mean": 0.0}]
LEVEL = [{"level": "3", "coefficient": 1.0}]
DATED = [{"pool": "A", "base_rate": 1.0, "valid_from": "2024-01-01"}]
CALLS = {
    "weights": lambda cases: points.weights(cases, trim=points.Trim("iqr", 1.5, 1.5)),
    "geometric": lambda cases: points.weights(cases, mean="geometric", trim=points.Trim("sd", 2, 2, log=True)),
    "years": lambda cases: points.weights(cases, years={2024: 1, 2023: 0}),
    "two keys": lambda cases: points.weights(cases, ["group", "level"], max_cv=1.0),
    "rules": lambda cases: points.trim_cases(
        cases, rules=[points.CaseRule("year", minimum=1), points.CaseRule("pool", only="A")]
    ),
    "report": points.report_trimming,
    "coefficients": lambda cases: points.measure_cost_coefficients(cases, "level", "group"),
    "combine": lambda cases: points.combine_coefficients(cases, {"level": LEVEL}, "level", neutral="weight"),
    "classify": lambda cases: points.classify_outliers(cases, "chongqing-2025-multiple", reference="weight"),
    "inversion": lambda cases: points.remove_inversion(
        [{**row, "coefficient": row["weight"]} for row in cases],
        ["A", "B"],
        method="pool",
        columns={"level": "group", "n": "points"},
    ),
    "points": lambda cases: points.case_points(
        cases, WEIGHTS, outliers=points.load_outlier_policy("dingzhou", low_formula="ratio"), coefficient="weight"
    ),
    "kinds": lambda cases: points.case_points(
        cases,
        WEIGHTS,
        kind="kind",
        incomplete="min(1, ratio)",
        bed_day_points="points",
        mean_cost=5.0,
        scale=1,
        columns={"los": "year", "reasonable_cost": "total_cost"},
    ),
    "weights as the second table": lambda cases: points.case_points([{"group": "A"}], cases),
    "readmissions": lambda cases: points.mark_readmissions(cases, days=10, factor=0.5, except_groups=["A"]),
    "auxiliary": lambda cases: points.apply_auxiliary(
        cases, [{"auxiliary_type": "icu", "coefficient": 2.0}], columns={"auxiliary_types": "kind"}
    ),
    "auxiliary table": lambda cases: points.build_auxiliary_table(
        cases, group_cases=1, type_cases=None, cv_reduction=0.1, columns={"auxiliary_types": "kind"}
    ),
    "standards": lambda cases: points.set_payment_standards(cases, DATED, date="discharged", digits=2),
    "rates": lambda cases: points.build_rate_table(
        [{"base_rate": row["total_cost"], "pool": row["pool"], "valid_from": row["admitted"]} for row in cases]
    ),
    "value": lambda cases: points.point_value(cases, fund=5, fund_share=0.5, by=None, fixed="weight"),
    "base rate": lambda cases: points.base_rate(cases, budget=5, fund_share=0.5, by=None, columns={"cases": "points"}),
    "elastic": lambda cases: points.compute_elastic_value(
        cases, total=1, base_share=0.5, base_points=1, cap=2, by=None
    ),
    "estimate": lambda cases: points.estimate_value(
        cases, years=None, interval="two_dimensional", quadrant=("below", "above")
    ),
    "costs": lambda cases: points.restructure_costs(cases, {"total_cost": 2, "points": 1}, within="pool"),
    "restructure": lambda cases: points.restructure_weights(cases, absorb="all", total=5, columns={"n": "points"}),
    "borrow": lambda cases: points.borrow_weights(
        [{"group": "A", "weight": None, "weight_status": "unstable"}], {"other": cases, "next": {"A": "B"}}
    ),
    "western": lambda cases: points.take_higher_group(cases, WEIGHTS, columns={"western_group": "kind"}),
    "downgrade": lambda cases: points.downgrade_tcm(
        cases,
        minimum=0.5,
        columns={"western_group": "kind", "surgery": "total_cost", "tcm_treatment": "points"},
    ),
}


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=60)
@given(table=TABLES)
def test_a_result_or_an_error_that_says_why(name, table):
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    try:
        result = CALLS[name](rows)
    except DrgdipError as error:
        assert str(error)
        return
    assert isinstance(result, list)


def test_dates_and_decimals_are_among_them():
    rows = [{"group": datetime.date(2024, 1, 1), "total_cost": decimal.Decimal("5.00")}]
    assert points.weights(rows)[0]["group"] == "2024-01-01"
