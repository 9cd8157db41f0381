"""A real local Spark groups a frame with the function for ``mapInArrow``, and gives what `group` gives."""

from __future__ import annotations

import sys

import pyarrow.parquet as pq
import pytest

import drgdip
from drgdip.grouper.result import GroupResult

pyspark = pytest.importorskip("pyspark", reason="needs the extra 'spark' and Java")

SCHEME = "chs-drg-2.0"


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)  # else workers take whatever python3 is on the path
        yield from session_of(SparkSession.builder)


def session_of(builder):
    session = (
        builder.master("local[2]")
        .appName("drgdip")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "300")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.mark.filterwarnings("default")
def test_map_in_arrow_gives_what_group_gives(spark, tmp_path):
    from pyspark.sql.types import StringType, StructType

    cases = drgdip.sample_cases(2_000, SCHEME, seed=21)
    cases = cases.select(["case_id", "sex", "age", "age_days", "newborn_weight", "los", "discharge", "dx", "procs"])
    pq.write_table(cases, tmp_path / "cases.parquet")
    frame = spark.read.parquet(str(tmp_path / "cases.parquet")).repartition(3)

    schema = StructType(list(frame.schema.fields))
    for field in drgdip.make_result_fields():
        schema = schema.add(field.name, StringType())
    grouped = frame.mapInArrow(drgdip.group_batches(SCHEME), schema)

    rows = {row["case_id"]: tuple(row[name] for name in GroupResult._fields) for row in grouped.collect()}
    expected = drgdip.group(cases, SCHEME).to_pylist()
    assert rows == {row["case_id"]: tuple(row[name] for name in GroupResult._fields) for row in expected}
    assert len(rows) == 2_000
