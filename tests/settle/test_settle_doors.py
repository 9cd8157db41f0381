"""Every step takes every kind of table, gives back that kind, and shows examples that run."""

import doctest
import importlib

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from settle_city import GIVEN, inputs_of, make_city, prepare

from drgdip import settle
from drgdip.settle import load_policy, measure_coverage, settle_year, split_budget

POLICY = load_policy("jinhua", **GIVEN["jinhua"])
CITY = prepare(make_city(200), POLICY)
INPUTS = inputs_of(POLICY, CITY)
KINDS = {
    "pyarrow": (lambda table: table, pa.Table),
    "chunks": (lambda table: pa.concat_tables([table.slice(0, 70), table.slice(70)]), pa.Table),
    "batch": (lambda table: table.combine_chunks().to_batches()[0], pa.RecordBatch),
    "pandas": (lambda table: table.to_pandas(), pd.DataFrame),
    "polars": (pl.DataFrame, pl.DataFrame),
    "lazy": (lambda table: pl.DataFrame(table).lazy(), pl.LazyFrame),
    "duckdb": (duckdb.from_arrow, duckdb.DuckDBPyRelation),
    "records": (lambda table: table.to_pylist(), list),
}


def plain(table):
    from drgdip._arrow import to_arrow

    columns = to_arrow(table)
    return {name: [str(value) for value in columns[name].to_pylist()] for name in ("hospital", "pool", "final")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_year_of_every_kind_of_table(kind):
    give, expected = KINDS[kind]
    year = settle_year(give(CITY), POLICY, **INPUTS)
    for table in (
        year.cases,
        year.months,
        year.review.table,
        year.review.publication,
        year.clearing.table,
        year.clearing.pools,
    ):
        assert isinstance(table, expected)
    assert isinstance(year.ledger, pa.Table)
    assert plain(year.clearing.table) == plain(settle_year(CITY, POLICY, **INPUTS).clearing.table)


@pytest.mark.parametrize("kind", ["pyarrow", "pandas", "polars", "duckdb", "records"])
def test_other_steps_of_every_kind(kind):
    give, expected = KINDS[kind]
    assert isinstance(
        split_budget(give(pa.table({"pool": ["p"], "amount": [5]})), [{"month": 1, "share": 1}], "month").table,
        expected,
    )
    counts = pa.table({"coverage": ["fund"], "places": ["pilots"], "year": [2024], "covered": [7], "all": [10]})
    assert isinstance(measure_coverage(give(counts)), expected)


@pytest.mark.parametrize(
    "name",
    [
        "annual",
        "budget",
        "capital",
        "coverage",
        "files",
        "monthly",
        "payment",
        "policies",
        "policy",
        "report",
        "review",
        "scoring",
        "sharing",
        "simulation",
        "statements",
        "surplus",
        "year",
    ],
)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(f"drgdip.settle.{name}")
    failed, tried = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert tried
    assert not failed


def test_every_public_function_has_an_example():
    for name in settle.__all__:
        value = getattr(settle, name)
        if callable(value) and not isinstance(value, type):
            assert ">>>" in value.__doc__, name
