"""Every function takes every kind of table, gives back that kind, and leaves its input as it was."""

import decimal
import inspect
import math

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Restless
from points_cases import make_cases

import drgdip
from drgdip import points
from drgdip.errors import CaseError, DrgdipError, PolicyError, UnknownNameError
from drgdip.points import CaseRule, Trim

TABLE = make_cases(300, seed=7, groups=6)
WEIGHTS = points.weights(TABLE, scale=100)
MEANS = points.weights(TABLE, by=["group", "level"])


class Capsule:
    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


KINDS = {
    "pyarrow": lambda table: table,
    "chunks": lambda table: pa.concat_tables([table.slice(0, 100), table.slice(100)]),
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "pandas": lambda table: table.to_pandas(),
    "polars": pl.DataFrame,
    "lazy": lambda table: pl.DataFrame(table).lazy(),
    "duckdb": duckdb.from_arrow,
    "records": lambda table: table.to_pylist(),
    "capsule": Capsule,
}
RESULTS = {
    "pyarrow": pa.Table,
    "chunks": pa.Table,
    "batch": pa.RecordBatch,
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "duckdb": duckdb.DuckDBPyRelation,
    "records": list,
    "capsule": pa.Table,
}
FUNCTIONS = {
    "weights": lambda cases: points.weights(cases, trim=Trim("iqr", lower=1.5, upper=1.5)),
    "trim_cases": lambda cases: points.trim_cases(cases, Trim("sd", lower=2, upper=2)),
    "report_trimming": lambda cases: points.report_trimming(cases, rules=[CaseRule("los", maximum=60)]),
    "score_parts": lambda cases: points.score_parts(cases, ["total_cost", "los"]),
    "measure_cost_coefficients": lambda cases: points.measure_cost_coefficients(cases, "hospital", "group"),
    "build_auxiliary_table": lambda cases: points.build_auxiliary_table(
        cases, group_cases=20, type_cases=5, cv_reduction=0, columns={"auxiliary_types": "hospital"}
    ),
    "classify_outliers": lambda cases: points.classify_outliers(cases, "dip-1.0", reference=MEANS),
    "case_points": lambda cases: points.case_points(cases, WEIGHTS, outliers="dip-1.0", reference=MEANS),
    "combine_coefficients": lambda cases: points.combine_coefficients(
        cases, {"level": [{"level": level, "coefficient": level / 2} for level in (1, 2, 3)]}, "level"
    ),
    "set_payment_standards": lambda cases: points.set_payment_standards(
        cases, [{"pool": pool, "base_rate": 10.0} for pool in ("employee", "resident")], columns={"weight": "los"}
    ),
    "base_rate": lambda cases: points.base_rate(
        cases, budget={"employee": 1, "resident": 2}, fund_share=1, per_case=True, columns={"weight": "los"}
    ),
    "point_value": lambda cases: points.point_value(
        cases, fund={"employee": 1, "resident": 2}, fund_share=1, columns={"points": "los"}
    ),
    "compute_elastic_value": lambda cases: points.compute_elastic_value(
        cases, total=1, base_share=0.8, base_points=1, cap=None, by=None, columns={"points": "los"}
    ),
    "estimate_value": lambda cases: points.estimate_value(cases, years=None, columns={"points": "los"}),
    "restructure_costs": lambda cases: points.restructure_costs(cases, {"total_cost": 2, "los": 1}),
}


def rows_of(result):
    if isinstance(result, pl.LazyFrame):
        result = result.collect()
    if isinstance(result, pl.DataFrame):
        return result.to_dicts()
    if isinstance(result, pd.DataFrame):
        return result.astype(object).where(result.notna(), None).to_dict("records")
    if isinstance(result, duckdb.DuckDBPyRelation):
        return result.to_arrow_table().to_pylist()
    return result if isinstance(result, list) else result.to_pylist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_kind_and_same_rows(name, kind):
    expected = FUNCTIONS[name](TABLE.to_pylist())
    data = KINDS[kind](TABLE)
    found = FUNCTIONS[name](data)
    assert isinstance(found, RESULTS[kind])
    assert rows_of(found) == expected
    # The input is as it was.
    source = data.table if isinstance(data, Capsule) else data
    assert rows_of(source) == TABLE.to_pylist()


def as_pandas(rows):
    return rows.to_pandas() if isinstance(rows, pa.Table) else pd.DataFrame(rows)


LEVELS = [{"level": level, "coefficient": level / 2, "reason": "x"} for level in (1, 2, 3)]
RATES = [{"pool": pool, "level": None, "base_rate": 10.0} for pool in ("employee", "resident")]
PARENTS = [{"group": f"G{number:02}", "parent": f"P{number % 2}"} for number in range(6)]
AUXILIARY = [{"group": "G01", "auxiliary_type": "icu", "coefficient": 2.0}]
SECOND = {
    "weights": lambda table: points.case_points(TABLE, table(WEIGHTS)),
    "means": lambda table: points.classify_outliers(TABLE, "dip-1.0", reference=table(MEANS)),
    "group means": lambda table: points.case_points(
        TABLE, table(WEIGHTS), outliers=points.load_outlier_policy("dingzhou", low_formula="ratio")
    ),
    "coefficients": lambda table: points.combine_coefficients(TABLE, {"level": table(LEVELS)}, "level"),
    "rates": lambda table: points.set_payment_standards(TABLE, table(RATES), columns={"weight": "los"}),
    "parents": lambda table: points.derive_parent_weights(WEIGHTS, table(PARENTS)),
    "parents' weights": lambda table: pa.Table.from_pylist(
        rows_of(points.derive_parent_weights(table(WEIGHTS), {"G01": "P", "G02": "P"}))
    ),
    "sources": lambda table: points.borrow_weights(WEIGHTS, {"other": table(WEIGHTS)}),
    "auxiliary": lambda table: points.apply_auxiliary(
        TABLE.append_column("auxiliary_types", pa.repeat("icu", len(TABLE))), table(AUXILIARY)
    ),
}


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize("kind", [as_pandas, lambda rows: pl.DataFrame(as_pandas(rows))], ids=["pandas", "polars"])
def test_the_second_table_may_be_of_any_kind(name, kind):
    assert SECOND[name](kind).equals(SECOND[name](lambda rows: rows))


def test_columns_of_the_same_name_are_replaced():
    once = points.case_points(TABLE, WEIGHTS)
    twice = points.case_points(once, WEIGHTS)
    assert twice.column_names == once.column_names
    assert twice.equals(once)


def test_the_index_of_a_frame_stays():
    frame = TABLE.to_pandas().iloc[::-1]
    assert points.case_points(frame, WEIGHTS).index.tolist() == frame.index.tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.set_column(1, "group", table["group"].cast(pa.large_string())),
        lambda table: table.set_column(1, "group", pa.array(table["group"].to_pylist(), pa.string_view())),
        lambda table: table.set_column(1, "group", table["group"].dictionary_encode()),
        lambda table: pa.concat_tables(
            [part.set_column(1, "group", part["group"].dictionary_encode()) for part in (table[:50], table[50:])]
        ),
        lambda table: table.set_column(7, "total_cost", table["total_cost"].cast(pa.decimal128(18, 2))),
        lambda table: table.set_column(5, "year", table["year"].cast(pa.float64())),
        lambda table: table.set_column(5, "year", table["year"].cast(pa.string())),
        lambda table: table.set_column(5, "year", table["year"].cast(pa.int16())),
    ],
    ids=["large", "view", "dictionary", "dictionaries", "decimal", "float year", "text year", "short year"],
)
def test_layouts_of_columns(change):
    years = {2022: 1, 2023: 2, 2024: 7}
    assert points.weights(change(TABLE), years=years).equals(points.weights(TABLE, years=years))


def test_numbers_as_keys_match_texts():
    cases = [{"group": "A", "level": level} for level in (3, 2)]
    frame = pd.DataFrame([*cases, {"group": "A", "level": None}])  # pandas makes 3.0 and 2.0 of them
    table = [{"level": "3", "coefficient": 1.5}, {"level": "2", "coefficient": 1.0}]
    found = points.combine_coefficients(frame, {"level": table}, "level")
    assert found["coefficient"].tolist()[:2] == [1.5, 1.0]
    assert math.isnan(found["coefficient"][2])


def test_money_in_decimals():
    cases = [
        {"group": "A", "total_cost": decimal.Decimal("10.01")},
        {"group": "B", "total_cost": decimal.Decimal("30.03")},
    ]
    assert [row["weight"] for row in points.weights(cases)] == pytest.approx([0.5, 1.5])


def test_empty_tables():
    empty = TABLE.slice(0, 0)
    with pytest.raises(CaseError, match="there are no cases"):
        points.weights(empty)
    assert len(points.case_points(empty, WEIGHTS, outliers="dip-1.0", reference=MEANS)) == 0
    assert len(points.trim_cases(empty, Trim("iqr", lower=1.5, upper=1.5))) == 0
    assert len(points.set_payment_standards(empty, [{"base_rate": 1.0}], columns={"weight": "los"})) == 0
    assert points.case_points(TABLE, WEIGHTS.slice(0, 0))["points"].null_count == len(TABLE)


BAD = [None, -1.0, math.nan, math.inf, -math.inf, 0.0]


@pytest.mark.parametrize(
    "function", ["weights", "report_trimming", "classify_outliers", "case_points", "estimate_value"]
)
@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_cost_is_counted_or_has_its_reason(function, bad):
    rows = TABLE.to_pylist()
    rows[17] |= {"total_cost": bad, "los": 5}
    found = rows_of(FUNCTIONS[function](pa.Table.from_pylist(rows, TABLE.schema)))
    fine = bad == 0.0
    if function in {"weights", "report_trimming", "estimate_value"}:
        assert sum(row["cases"] for row in found) == len(rows)
        assert sum(row["invalid"] for row in found) == (0 if fine else 1)
    else:
        reason = found[17]["outlier_reason" if function == "classify_outliers" else "points_reason"]
        assert (reason is None) == fine
        assert len(found) == len(rows)


@pytest.mark.parametrize(
    ("call", "error", "what"),
    [
        (lambda: points.weights([{"total_cost": 1.0}]), UnknownNameError, "column 'group'"),
        (lambda: points.weights(TABLE, columns={"total_cost": "total"}), UnknownNameError, "Did you mean 'total_cost'"),
        (lambda: points.weights(TABLE, columns={"total_cost": "group"}), CaseError, "not numbers"),
        (lambda: points.weights([{"group": "A", "total_cost": 0.0}]), CaseError, "mean cost of all cases is 0"),
        (lambda: points.weights([{"group": "A", "total_cost": -1.0}]), CaseError, "none of the 1 cases"),
        (lambda: points.weights(TABLE, years={2022: 1, 2023: 2}), PolicyError, "cases of 2024"),
        (lambda: points.weights(TABLE, years={2022: 1, 2023: 2, 2024: 7, 2025: 1}), PolicyError, "names 2025"),
        (lambda: points.weights(TABLE, years={2022: 1, "2022": 1}), PolicyError, "a year twice"),
        (lambda: points.weights(TABLE, years={2022: -1}), PolicyError, "at least 0"),
        (lambda: points.weights(TABLE, years={}), PolicyError, "one of them more"),
        (lambda: points.weights(TABLE, mean="median"), UnknownNameError, "arithmetic and geometric"),
        (lambda: points.weights(TABLE, scale=0), PolicyError, "scale=0"),
        (lambda: points.weights(TABLE, base="all"), UnknownNameError, "the yuan of one point"),
        (lambda: points.weights(TABLE, base=-3), PolicyError, "above 0"),
        (lambda: points.weights(TABLE, groups=["G00"]), PolicyError, "groups= does not list"),
        (lambda: points.weights(TABLE, by="total_cost"), CaseError, "a key is a text"),
        (lambda: Trim("quartile", lower=1), UnknownNameError, "iqr, percentile, sd, bounds"),
        (lambda: Trim("iqr"), PolicyError, "lower=, upper= or both"),
        (lambda: Trim("percentile", lower=98, upper=2), PolicyError, "exchange them"),
        (lambda: Trim("percentile", upper=101), PolicyError, "between 0 and 100"),
        (lambda: Trim("sd", lower=-1), PolicyError, "at least 0"),
        (lambda: CaseRule("los"), PolicyError, "says nothing"),
        (lambda: points.weights(7), CaseError, "is no table"),
        (lambda: points.mark_readmissions(TABLE, days=-1, factor=0.5), PolicyError, "days=-1"),
        (lambda: points.score_parts(TABLE, []), PolicyError, "at least one"),
        (lambda: points.measure_cost_coefficients(TABLE, "group", "group"), PolicyError, "give columns for the parts"),
        (lambda: points.case_points(TABLE, WEIGHTS, coefficient="kappa"), UnknownNameError, "column 'kappa'"),
        (lambda: points.case_points(TABLE, [{"group": "A"}]), UnknownNameError, "columns of the weights"),
    ],
)
def test_errors_say_what_and_how_to_mend_it(call, error, what):
    with pytest.raises(error, match=what) as caught:
        call()
    assert isinstance(caught.value, DrgdipError)


def test_the_public_names_are_the_ones_that_are_there():
    assert sorted(points.__all__, key=str.lower) == sorted(set(points.__all__), key=str.lower)
    for name in points.__all__:
        assert getattr(points, name).__doc__ or name.isupper()
    assert drgdip.points is points


# --- sources that are read once --------------------------------------------------------------------------------------


def by_case(rows):
    """Results by case where there is a row a case; else the rows in an order of their own."""
    if rows and "case_id" in rows[0]:
        return {row["case_id"]: row for row in rows}
    return sorted(rows, key=repr)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_cases_without_an_order_are_read_once_and_keep_their_results(name):
    source = Restless(TABLE)
    assert by_case(rows_of(FUNCTIONS[name](source))) == by_case(rows_of(FUNCTIONS[name](TABLE)))
    assert source.readings == 1


@pytest.mark.parametrize("name", SECOND)
def test_second_tables_without_an_order_are_read_once(name):
    sources = []

    def give(table):
        sources.append(Restless(table))
        return sources[-1]

    expected = rows_of(SECOND[name](lambda table: table))
    assert by_case(rows_of(SECOND[name](give))) == by_case(expected)
    assert [source.readings for source in sources] == [1] * len(sources)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_lazy_plan_that_gives_another_order_each_time(name):
    """The plan of a group_by of Polars gives its rows in any order."""
    runs = []

    def shuffled(frame):
        runs.append(len(frame))
        return frame.sample(fraction=1, shuffle=True, seed=len(runs))

    lazy = pl.DataFrame(TABLE).lazy().map_batches(shuffled, schema=pl.DataFrame(TABLE).schema)
    result = FUNCTIONS[name](lazy)
    assert len(runs) == 1
    assert by_case(rows_of(result)) == by_case(rows_of(FUNCTIONS[name](pl.DataFrame(TABLE))))


def test_every_function_that_takes_cases_is_among_those():
    """A function that takes a table and is not here would not be known to read it once."""
    tried = {*FUNCTIONS, "add_points", "apply_auxiliary", "borrow_weights", "build_rate_table", "derive_parent_weights"}
    tried |= {"downgrade_tcm", "homogeneity", "mark_readmissions", "plot_ratios", "plot_weights", "remove_inversion"}
    tried |= {"restructure_weights", "take_higher_group"}
    first = {
        name: next(iter(inspect.signature(function).parameters), "")
        for name in points.__all__
        if inspect.isfunction(function := getattr(points, name))
    }
    tables = {name for name, parameter in first.items() if parameter in {"cases", "weights", "rates", "before"}}
    assert tables <= tried
    assert all(hasattr(getattr(points, name), "__wrapped__") for name in tables)
