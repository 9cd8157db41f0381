"""Names: every function that reads a table takes `columns=`, and every reason is a code of the table of reasons."""

import inspect
import re
from pathlib import Path

import pyarrow as pa
import pytest
from points_cases import make_cases

import drgdip
from drgdip import points
from drgdip.errors import CaseError, UnknownNameError
from drgdip.points import CaseRule, Trim
from drgdip.reasons import LANGUAGES, describe_reason, reasons_of

CASES = make_cases(200, seed=3, groups=5)
POINTED = CASES.append_column("points", CASES["los"])
TYPED = CASES.append_column("auxiliary_types", CASES["hospital"])
WEIGHTS = points.weights(CASES)
GROUPS = WEIGHTS.append_column("level", pa.repeat("1", len(WEIGHTS))).append_column("coefficient", WEIGHTS["weight"])
MEANS = points.weights(CASES, ["group", "level"])
LEVELS = {"level": points.measure_cost_coefficients(CASES, "level"), "stay": "los"}
RATES = [{"pool": "employee", "level": "3", "base_rate": 9.0}, {"base_rate": 8.0, "coefficient": 1.5}]
ICU = [{"group": "G00", "auxiliary_type": "H1", "coefficient": 2.0}]
STAYS = [
    {"patient": "P", "group": "A", "admitted": f"2024-01-{first:02}", "discharged": f"2024-01-{last:02}"}
    for first, last in ((1, 4), (9, 12), (30, 31))
]
TREATED = [{"group": "G00", "western_group": "G01", "tcm_treatment": 5.0, "surgery": 9.0, "materials": None}]
YEARS = {2022: 1, 2023: 2, 2024: 7}
FUNDS = {"employee": 10, "resident": 9}
DINGZHOU = points.load_outlier_policy("dingzhou", low_formula="ratio")

#: Each function that reads a table: the table, and what it is asked beside.
CALLS = {
    "weights": (CASES, (), {"years": YEARS, "rules": [CaseRule("los", maximum=60)]}),
    "trim_cases": (CASES, (Trim("sd", 2, 2, within="level"),), {}),
    "report_trimming": (CASES, (), {"by": ["hospital", "group"]}),
    "score_parts": (CASES, (["los"],), {}),
    "measure_cost_coefficients": (CASES, ("hospital", "group"), {"years": YEARS}),
    "combine_coefficients": (CASES, (LEVELS, "level * stay"), {"uniform": {"G00": 1}, "neutral": "year"}),
    "classify_outliers": (CASES, ("dip-1.0",), {"reference": MEANS}),
    "case_points": (CASES, (WEIGHTS,), {"outliers": DINGZHOU, "auxiliary": "los"}),
    "set_payment_standards": (CASES.append_column("weight", CASES["los"]), (RATES,), {}),
    "build_rate_table": (pa.Table.from_pylist(RATES), (), {}),
    "base_rate": (GROUPS, (), {"budget": 5, "fund_share": 0.5, "by": "level", "coefficient": "share"}),
    "point_value": (POINTED, (), {"fund": FUNDS, "fund_share": 1}),
    "compute_elastic_value": (POINTED, (), {"total": FUNDS, "base_share": 0.7, "base_points": FUNDS, "cap": 2}),
    "estimate_value": (POINTED, (), {"years": YEARS, "trim": Trim("iqr", 1, 1)}),
    "build_auxiliary_table": (TYPED, (), {"group_cases": 9, "type_cases": 1, "cv_reduction": 0}),
    "apply_auxiliary": (TYPED, (ICU,), {}),
    "mark_readmissions": (pa.Table.from_pylist(STAYS), (), {"days": 9, "factor": 0.5, "except_groups": ["B"]}),
    "take_higher_group": (pa.Table.from_pylist(TREATED), (WEIGHTS,), {}),
    "downgrade_tcm": (pa.Table.from_pylist(TREATED), (), {"minimum": 0.6}),
    "add_points": (POINTED, ({"G00": 2},), {}),
    "restructure_costs": (CASES, ({"total_cost": 1, "los": 2},), {"within": "pool"}),
    "restructure_weights": (GROUPS, ({"G00": 1.1},), {"absorb": "others", "within": "level"}),
    "remove_inversion": (GROUPS, (["1"],), {"method": "pool", "within": "group"}),
    "borrow_weights": (GROUPS, ({"next": {"G00": "G01"}},), {}),
    "derive_parent_weights": (GROUPS, ({"G00": "P"},), {}),
}


def their(name):
    return f"列 {name}"


@pytest.mark.parametrize("name", CALLS)
def test_columns_may_have_other_names(name):
    """The result is the same, but that the caller's own columns keep the caller's names."""
    table, args, options = CALLS[name]
    function = getattr(points, name)
    columns = {column: their(column) for column in table.column_names}
    back = {theirs: column for column, theirs in columns.items()}
    renamed = table.rename_columns(list(columns.values()))
    expected = function(table, *args, **options)
    found = function(renamed, *args, **options, columns=columns)
    ours = found.rename_columns([back.get(column, column) for column in found.column_names])
    assert ours.select(expected.column_names).equals(expected)
    frame = function(renamed.to_pandas(), *args, **options, columns=columns)
    assert frame[found.column_names].equals(found.to_pandas())


def test_every_function_that_reads_a_table_takes_columns():
    functions = {name for name in points.__all__ if inspect.isfunction(getattr(points, name))}
    taking = {name for name in functions if "columns" in inspect.signature(getattr(points, name)).parameters}
    assert taking == set(CALLS) | {"homogeneity", "plot_weights", "plot_ratios"}
    assert {name.split("_")[0] for name in functions - taking} == {"list", "load"}


def test_a_name_that_is_not_read_is_let_be_and_a_misspelt_one_is_not():
    """One mapping serves for all steps of a notebook."""
    found = points.weights(CASES, columns={"hospital": "hospital", "level": "los"})
    assert found.equals(WEIGHTS)
    with pytest.raises(UnknownNameError, match=r"no column 'totl_cost'. Did you mean 'total_cost'"):
        points.weights(CASES, columns={"totl_cost": "los"})
    with pytest.raises(UnknownNameError, match=r"no column 'lost'. Did you mean 'los' .*columns= gives it for 'level'"):
        points.weights(CASES, columns={"level": "lost"})
    with pytest.raises(UnknownNameError, match=r"columns=\{'total_cost': \.\.\.\} gives it another name"):
        points.weights(CASES.drop_columns(["total_cost"]))
    twice = pa.table([CASES["group"], CASES["los"], CASES["los"]], names=["group", "x", "x"])
    with pytest.raises(CaseError, match="2 columns named 'x'"):
        points.weights(twice, columns={"total_cost": "x"})


def test_a_name_goes_before_a_column_of_that_name():
    table = CASES.append_column("drugs", CASES["los"])
    found = points.weights(table, columns={"total_cost": "drugs"})
    assert found.equals(points.weights(CASES, columns={"total_cost": "los"}))
    assert not found.equals(WEIGHTS)


# --- reasons ---------------------------------------------------------------------------------------------------------

PACKAGE = Path(drgdip.__file__).parent
#: The modules that give reasons of points: DIP's auxiliary types are made for points.
GIVERS = [*(PACKAGE / "points").glob("*.py"), PACKAGE / "grouper" / "dip" / "auxiliary.py"]
SOURCES = "".join(path.read_text(encoding="utf-8") for path in GIVERS)


def test_every_reason_of_points_is_given_by_some_function():
    assert [code for code in reasons_of("points") if not re.search(rf"\b{code}\b", SOURCES)] == []


@pytest.mark.parametrize(
    ("reason", "english", "chinese"),
    [
        ("no_coefficient:level", "there is no level coefficient", "缺少系数：level"),
        ("few_cases:15", "fewer than 15 cases", "病例数不足15例"),
        (
            CaseRule("los", minimum=2, maximum=60).reason,
            "a rule of inclusion leaves the case out: los >= 2, <= 60",
            "不符合纳入规则：los >= 2, <= 60",
        ),
        (
            CaseRule("kind", only=("a", "b"), without="c").reason,
            "a rule of inclusion leaves the case out: kind = a|b, != c",
            "不符合纳入规则：kind = a|b, != c",
        ),
    ],
)
def test_reasons_speak_two_languages(reason, english, chinese):
    assert [describe_reason(reason, language) for language in LANGUAGES] == [english, chinese]


def test_reasons_of_results_are_in_the_table():
    """Whatever the outcome, a column of reasons holds codes that `describe_reason` knows."""
    results = [getattr(points, name)(table, *args, **options) for name, (table, args, options) in CALLS.items()]
    results += [points.load_weights(row.place, row.year) for row in points.list_weights()]
    results.append(points.weights(CASES, min_cases=60, max_cv=0.5, groups=[f"G{number:02}" for number in range(9)]))
    columns = [column for result in results for name, column in columns_of(result) if name.endswith("reason")]
    said = {value for column in columns for value in column.to_pylist() if value is not None}
    assert len(said) > 12
    for reason in said:
        assert reason.partition(":")[0] in reasons_of("points")
        assert "{}" not in describe_reason(reason)


def columns_of(table):
    return list(zip(table.column_names, table.columns, strict=True))
