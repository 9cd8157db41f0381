"""One door for every table: the same kind comes back, with every row in its place."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import drgdip
from drgdip.grouper.result import GroupResult

SCHEME = "chs-drg-2.0"
ENGINES = ["reference", "columnar"]
FIELDS = list(GroupResult._fields)


@pytest.fixture(scope="module")
def cases() -> pa.Table:
    plain = ["case_id", "sex", "age", "age_days", "newborn_weight", "los", "discharge", "dx", "procs"]
    return drgdip.sample_cases(700, SCHEME, seed=5).select(plain)


@pytest.fixture(scope="module")
def expected(cases) -> list[tuple]:
    return [tuple(drgdip.group_one(case, SCHEME)) for case in cases.to_pylist()]


def results_of(container) -> list[tuple]:
    """The result columns of any container, as tuples with None for missing."""
    if isinstance(container, list):
        return [tuple(row[name] for name in FIELDS) for row in container]
    if isinstance(container, pl.LazyFrame):
        container = container.collect()
    if isinstance(container, pl.DataFrame):
        return container.select(FIELDS).rows()
    if isinstance(container, pd.DataFrame):
        values = container[FIELDS].astype(object)
        return [tuple(row) for row in values.where(values.notna(), None).itertuples(index=False)]
    table = container.to_arrow_table() if isinstance(container, duckdb.DuckDBPyRelation) else container
    return [tuple(row[name] for name in FIELDS) for row in table.select(FIELDS).to_pylist()]


class Capsule:
    """A table that only has the Arrow capsule."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


CONTAINERS = {
    "table": (lambda t: t, pa.Table),
    "chunked table": (lambda t: pa.concat_tables([t.slice(0, 100), t.slice(100, 1), t.slice(101)]), pa.Table),
    "record batch": (lambda t: t.combine_chunks().to_batches()[0], pa.RecordBatch),
    "pandas": (lambda t: t.to_pandas(), pd.DataFrame),
    "pandas arrow": (lambda t: t.to_pandas(types_mapper=pd.ArrowDtype), pd.DataFrame),
    "polars": (pl.from_arrow, pl.DataFrame),
    "polars lazy": (lambda t: pl.from_arrow(t).lazy(), pl.LazyFrame),
    "duckdb": (duckdb.from_arrow, duckdb.DuckDBPyRelation),
    "records": (lambda t: t.to_pylist(), list),
    "capsule": (Capsule, pa.Table),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_the_same_kind_comes_back_with_the_same_results(name, engine, cases, expected):
    make, kind = CONTAINERS[name]
    grouped = drgdip.group(make(cases), SCHEME, engine=engine)
    assert isinstance(grouped, kind)
    assert results_of(grouped) == expected


LAYOUTS = {
    "list<string>": pa.list_(pa.string()),
    "large_list<large_string>": pa.large_list(pa.large_string()),
    "list<string_view>": pa.list_(pa.string_view()),
    "large_list<string_view>": pa.large_list(pa.string_view()),
    "list<dictionary>": pa.list_(pa.dictionary(pa.int16(), pa.string())),
    "large_list<dictionary<large>>": pa.large_list(pa.dictionary(pa.int32(), pa.large_string())),
    "list_view<string>": pa.list_view(pa.string()),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_code_lists(layout, engine, cases, expected):
    changed = cases
    for column in ("dx", "procs"):
        values = pa.array(cases[column].to_pylist(), LAYOUTS[layout])
        changed = changed.set_column(changed.column_names.index(column), column, values)
    assert results_of(drgdip.group(changed, SCHEME, engine=engine)) == expected
    middle = drgdip.group(changed.slice(33, 100), SCHEME, engine=engine)
    assert results_of(middle) == expected[33:133]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_codes_as_joined_text(kind, engine, cases, expected):
    changed = cases
    for column in ("dx", "procs"):
        texts = pa.array(["|".join(codes) for codes in cases[column].to_pylist()]).cast(kind)
        changed = changed.set_column(changed.column_names.index(column), column, texts)
    assert results_of(drgdip.group(changed, SCHEME, engine=engine)) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_fixed_size_lists_with_nulls_behind(engine, cases, expected):
    width = max(len(codes) for column in ("dx", "procs") for codes in cases[column].to_pylist())
    changed = cases
    for column in ("dx", "procs"):
        padded = [codes + [None] * (width - len(codes)) for codes in cases[column].to_pylist()]
        values = pa.array(padded, pa.list_(pa.string(), width))
        changed = changed.set_column(changed.column_names.index(column), column, values)
    assert results_of(drgdip.group(changed, SCHEME, engine=engine)) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_of_any_kind(engine, cases, expected):
    for kind in (pa.int8(), pa.int32(), pa.uint64(), pa.float32(), pa.float64(), pa.string(), pa.decimal128(20, 0)):
        changed = cases
        for column in ("sex", "age"):
            values = cases[column].combine_chunks().cast(kind)
            changed = changed.set_column(changed.column_names.index(column), column, values)
        assert results_of(drgdip.group(changed, SCHEME, engine=engine)) == expected, kind


def test_a_null_list_over_codes_that_are_not_its_own():
    codes = pa.array(["A00.000", "K22.301", "J94.801"])
    column = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), codes, mask=pa.array([True, False]))
    table = pa.table({"sex": [1, 1], "age": [40, 40], "dx": column, "procs": pa.nulls(2, pa.list_(pa.string()))})
    for engine in ENGINES:
        grouped = drgdip.group(table, SCHEME, engine=engine)
        assert grouped["reason"].to_pylist() == ["missing_principal_diagnosis", None]


@pytest.mark.parametrize("offsets", [[0, 2, 1, 3], [0, 3, 3, 2]])
def test_a_broken_list_is_refused_before_a_kernel_reads_it(offsets):
    from drgdip.grouper.drg.compile import compile_scheme
    from drgdip.grouper.encoded import _encode_lists

    codes = pa.array(["A00.000", "K22.301", "J94.801"])
    buffers = [None, pa.py_buffer(np.array(offsets, dtype=np.int32))]
    broken = pa.Array.from_buffers(pa.list_(pa.string()), 3, buffers, children=[codes])
    with pytest.raises(drgdip.CaseError, match="broken"):
        _encode_lists(broken, compile_scheme(drgdip.load_scheme(SCHEME)).dx)


def test_other_columns_and_the_index_are_untouched(cases):
    frame = cases.slice(0, 5).to_pandas()
    frame.index = pd.Index([9, 3, 3, 7, 1], name="row")
    frame["note"] = [object()] * 5
    grouped = drgdip.group(frame, SCHEME)
    pd.testing.assert_frame_equal(grouped[frame.columns], frame)
    assert list(grouped.columns) == [*frame.columns, *FIELDS]
    assert str(grouped["group"].dtype) == "category"


def test_a_column_that_stands_twice(cases):
    frame = cases.slice(0, 3).to_pandas()
    twice = pd.concat([frame, frame[["dx"]]], axis=1)
    for table in (twice, pa.table([*cases.columns, cases["dx"]], names=[*cases.column_names, "dx"])):
        with pytest.raises(drgdip.CaseError, match="'dx' stands 2 times"):
            drgdip.group(table, SCHEME)


def test_names_that_are_no_texts(cases, expected):
    frame = cases.to_pandas().assign(**{"7": 1}).rename(columns={"7": 7})
    grouped = drgdip.group(frame, SCHEME)
    assert results_of(grouped) == expected
    assert 7 in grouped.columns


def test_the_input_is_not_changed(cases):
    frame = cases.to_pandas()
    before = frame.copy(deep=True)
    drgdip.group(frame, SCHEME, engine="columnar")
    pd.testing.assert_frame_equal(frame, before)


def test_result_columns_are_dictionaries_and_the_schema_says_what_made_them(cases):
    grouped = drgdip.group(cases, SCHEME, engine="columnar")
    assert all(grouped.schema.field(name).type == pa.dictionary(pa.int32(), pa.string()) for name in FIELDS)
    info = drgdip.load_scheme(SCHEME).info
    metadata = {key.decode(): value.decode() for key, value in grouped.schema.metadata.items()}
    assert metadata["drgdip.scheme"] == SCHEME
    assert metadata["drgdip.revision"] == str(info.revision)
    assert metadata["drgdip.sha256"] == info.sha256
    assert metadata["drgdip.version"] == drgdip.__version__
    assert "synthetic" in metadata, "what the caller's schema said is kept"


@pytest.mark.parametrize("scheme", ["chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0", "nhsa-dip-3.0", "dip-yunfu-2023"])
def test_the_dictionaries_are_those_of_the_scheme_whatever_the_cases(scheme):
    """So that pandas has the same categories for few cases and for many, and tables of parts can be joined."""
    few, many = drgdip.sample_cases(3, scheme, seed=1), drgdip.sample_cases(500, scheme, seed=2)
    results = [
        drgdip.group(cases, scheme, engine=engine) for cases in (few, many) for engine in ("reference", "columnar")
    ]
    for field in drgdip.make_result_fields(scheme=scheme):
        if field.type == pa.string():
            dictionaries = [table[field.name].chunk(0).dictionary for table in results]
            assert all(dictionary.equals(dictionaries[0]) for dictionary in dictionaries)
    frames = [table.select(["group"]).to_pandas() for table in results]
    assert str(pd.concat(frames)["group"].dtype) == "category"


def test_a_saved_result_can_be_proved_again(cases, tmp_path):
    pq.write_table(drgdip.group(cases, SCHEME), tmp_path / "grouped.parquet")
    saved = pq.read_table(tmp_path / "grouped.parquet")
    again = drgdip.group(saved.drop_columns(FIELDS), saved.schema.metadata[b"drgdip.scheme"].decode())
    assert results_of(again) == results_of(saved)


def test_names_of_the_caller(cases, expected):
    renamed = cases.rename_columns([{"dx": "my codes", "sex": "s"}.get(name, name) for name in cases.column_names])
    grouped = drgdip.group(renamed, SCHEME, columns={"dx": "my codes", "sex": "s"}, prefix="new_")
    assert [tuple(row.values()) for row in grouped.select([f"new_{name}" for name in FIELDS]).to_pylist()] == expected


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_names_of_columns_that_grouping_does_not_read_are_passed_over(cases, expected, engine):
    """One mapping serves every function of the library."""
    priced = cases.append_column("price", pa.array([100] * len(cases)))
    names = {"total_cost": "price"}
    assert results_of(drgdip.group(priced, SCHEME, columns=names, engine=engine)) == expected
    assert drgdip.encode(priced, SCHEME, columns=names).rows == len(cases)
    with pytest.raises(drgdip.UnknownNameError, match="prices"):
        drgdip.group(priced, SCHEME, columns={"total_cost": "prices"}, engine=engine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["dx"]), "no column holds diagnoses"),
        (lambda t: t.drop_columns(["procs"]), "needs procs"),
        (lambda t: t.drop_columns(["sex"]), "needs sex"),
        (lambda t: t.append_column("group", t["case_id"]), "columns group already"),
        (lambda _: 5, "a int is no table"),
        (lambda _: [1, 2], "a list is no table"),
    ],
)
def test_tables_that_cannot_be_grouped(change, message, cases):
    for engine in ENGINES:
        with pytest.raises(drgdip.CaseError, match=message):
            drgdip.group(change(cases), SCHEME, engine=engine)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "fast"}, "engine 'fast' is not one of"),
        ({"threads": 0}, "threads is 0"),
        ({"columns": {"dx": "nowhere"}}, "no column in the table 'nowhere'"),
        ({"columns": {"diagnosis": "dx"}}, "no case column 'diagnosis'"),
    ],
)
def test_options_that_make_no_sense(options, message, cases):
    with pytest.raises(drgdip.DrgdipError, match=message):
        drgdip.group(cases, SCHEME, **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_no_rows(name, engine, cases):
    make, kind = CONTAINERS[name]
    if name in {"records", "record batch"}:  # an empty list has no columns; an empty table no batch
        return
    grouped = drgdip.group(make(cases.slice(0, 0)), SCHEME, engine=engine)
    assert isinstance(grouped, kind)
    assert results_of(grouped) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_values_that_cannot_be_read_keep_their_rows(engine):
    rows = [
        {"sex": "男", "age": "59", "dx": "K22.301", "procs": ""},
        {"sex": "x", "age": "59", "dx": "K22.301", "procs": ""},
        {"sex": "女", "age": "old", "dx": "K22.301", "procs": ""},
        {"sex": None, "age": None, "dx": None, "procs": None},
    ]
    grouped = drgdip.group(rows, SCHEME, engine=engine)
    assert [row["status"] for row in grouped] == ["grouped", "invalid", "invalid", "invalid"]
    assert [row["reason"] for row in grouped] == [None, "unreadable_sex", "unreadable_age", "missing_sex"]


def test_encoded_cases_are_grouped_again_and_again(cases, expected):
    encoded = drgdip.encode(cases, SCHEME)
    for threads in (1, 2):
        assert results_of(drgdip.group(encoded, SCHEME, threads=threads)) == expected
    assert encoded.rows == len(cases)
    with pytest.raises(drgdip.CaseError, match="encoded for a scheme with other codes"):
        drgdip.group(encoded, "chs-drg-1.1")


def test_what_can_be_read_only_once_is_encoded_whole(cases, expected):
    assert results_of(drgdip.group(drgdip.encode(cases.to_reader(), SCHEME), SCHEME)) == expected


def test_streams_stay_streams(cases, expected, tmp_path):
    for threads in (1, 2):
        reader = drgdip.group(cases.to_reader(max_chunksize=64), SCHEME, threads=threads)
        assert isinstance(reader, pa.RecordBatchReader)
        assert reader.schema.names == [*cases.column_names, *FIELDS]
        assert reader.schema.metadata[b"drgdip.scheme"] == SCHEME.encode()
        assert results_of(reader.read_all()) == expected
    pq.write_table(cases, tmp_path / "cases.parquet", row_group_size=100)
    dataset = ds.dataset(tmp_path / "cases.parquet")
    assert results_of(drgdip.group(dataset, SCHEME).read_all()) == expected
    assert results_of(drgdip.group(dataset.scanner(batch_size=50), SCHEME).read_all()) == expected


def test_a_stream_is_read_only_as_far_as_it_is_asked_for(cases):
    asked = []

    def batches():
        for number in range(1000):
            asked.append(number)
            yield cases.combine_chunks().to_batches()[0].slice(0, 10)

    source = pa.RecordBatchReader.from_batches(cases.schema, batches())
    reader = drgdip.group(source, SCHEME, threads=2)
    for _ in range(3):
        reader.read_next_batch()
    assert len(asked) <= 10


def test_errors_of_a_stream_come_at_once(cases):
    with pytest.raises(drgdip.CaseError, match="needs procs"):
        drgdip.group(cases.drop_columns(["procs"]).to_reader(), SCHEME)


def test_batches_for_engines_that_hand_them_out(cases, expected):
    function = drgdip.group_batches(SCHEME)
    grouped = pa.Table.from_batches(function(iter(cases.to_batches(max_chunksize=100))))
    assert grouped.schema.field("group").type == pa.string()
    assert [field.name for field in drgdip.make_result_fields(prefix="x_")] == [f"x_{name}" for name in FIELDS]
    assert results_of(grouped) == expected


def test_automatic_choice_of_the_engine(cases, monkeypatch):
    """Few rows go to the reference engine, many to the kernels."""
    import drgdip.grouper.group as door

    seen: list[str] = []
    real = door._group_with_reference
    monkeypatch.setattr(door, "_group_with_reference", lambda *a: (seen.append("reference"), real(*a))[1])
    drgdip.warmup(SCHEME)
    drgdip.group(cases.slice(0, door._SMALL - 1), SCHEME)
    assert seen == ["reference"]
    drgdip.group(cases.slice(0, door._SMALL), SCHEME)
    assert seen == ["reference"]


def run(code: str) -> str:
    """Run a program in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_polars_frame_imports_no_pandas():
    output = run("""
        import sys, drgdip, polars as pl
        columns = {"sex": ["男"] * 300, "age": [40, None] * 150, "dx": ["A00|K22.301"] * 300, "procs": [[]] * 300}
        frame = pl.DataFrame(columns)
        for engine in ("reference", "columnar"):
            drgdip.group(frame, "chs-drg-2.0", engine=engine)
            drgdip.group(frame.lazy(), "chs-drg-2.0", engine=engine).collect()
        print("pandas" in sys.modules)
    """)
    assert output == "False"


def test_threads_of_the_caller(cases, expected):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        grouped = list(pool.map(lambda _: results_of(drgdip.group(cases, SCHEME, engine="columnar")), range(8)))
    assert all(results == expected for results in grouped)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes(method):
    output = run(f"""
        import multiprocessing, warnings
        warnings.simplefilter("ignore")
        import drgdip

        def work(seed):
            cases = drgdip.sample_cases(400, "chs-drg-2.0", seed=seed)
            return drgdip.group(cases, "chs-drg-2.0", engine="columnar")["group"].to_pylist()

        if __name__ == "__main__":
            before = [work(seed) for seed in (1, 2)]
            context = multiprocessing.get_context("{method}")
            if "{method}" == "spawn":
                import sys, tempfile, pathlib
                folder = tempfile.mkdtemp()
                pathlib.Path(folder, "worker.py").write_text(
                    "import drgdip\\n"
                    "def work(seed):\\n"
                    "    cases = drgdip.sample_cases(400, 'chs-drg-2.0', seed=seed)\\n"
                    "    return drgdip.group(cases, 'chs-drg-2.0', engine='columnar')['group'].to_pylist()\\n"
                )
                sys.path.insert(0, folder)
                from worker import work
            with context.Pool(2) as pool:
                print(pool.map(work, [1, 2]) == before)
    """)
    assert output == "True"


def test_a_lock_held_at_a_fork_does_not_hang_the_child():
    output = run("""
        import os, threading, warnings
        warnings.simplefilter("ignore")
        from drgdip._locks import ForkSafeLock
        lock = ForkSafeLock()
        held, done = threading.Event(), threading.Event()

        def hold():
            with lock:
                held.set()
                done.wait()

        threading.Thread(target=hold).start()
        held.wait()
        child = os.fork()
        if child == 0:
            with lock:
                os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        done.set()
    """)
    assert output == "7"


def test_versions_are_shown(capsys):
    versions = drgdip.show_versions()
    printed = capsys.readouterr().out
    assert f"drgdip {drgdip.__version__}" in printed
    assert {"python", "numpy", "pyarrow", "numba", "kernel cache"} <= versions.keys()


def test_warmup_prepares_a_scheme():
    from drgdip.grouper.drg.compile import compile_scheme

    drgdip.warmup("chs-drg-1.1")
    assert drgdip.load_scheme("chs-drg-1.1") in compile_scheme.made
    with pytest.raises(drgdip.UnknownNameError):
        drgdip.warmup("chs-drg-9")


def test_numpy_scalars_and_masks(cases, expected):
    records = [{**row, "sex": np.int8(row["sex"]), "age": np.float64(row["age"])} for row in cases.to_pylist()]
    assert results_of(drgdip.group(records, SCHEME)) == expected


# --- names of the caller for one case --------------------------------------------------------------------------------


def test_columns_of_one_case():
    case = {"gender": 2, "years": 59, "main": "K22.301", "ops": "42.0902", "no": 7}
    columns = {"sex": "gender", "age": "years", "dx": "main", "procs": "ops", "case_id": "no"}
    plain = {"sex": 2, "age": 59, "dx": "K22.301", "procs": "42.0902", "case_id": 7}
    for scheme in ("chs-drg-2.0", "nhsa-dip-2.0"):
        assert drgdip.group_one(case, scheme, columns=columns) == drgdip.group_one(plain, scheme)
        assert drgdip.explain(case, scheme, columns=columns).to_dict() == drgdip.explain(plain, scheme).to_dict()
        (row,) = drgdip.group([case], scheme, columns=columns)
        assert row["group"] == drgdip.group_one(plain, scheme).group


def test_a_name_of_the_caller_goes_before_names_of_ours():
    case = {"sex": 1, "性别": 1, "x": 2, "age": 59, "dx": "K22.301", "主要诊断编码": "I10.x00", "main": "O80.000"}
    columns = {"sex": "x", "dx": "main"}
    plain = {"sex": 2, "age": 59, "dx": "O80.000"}
    assert drgdip.group_one(case, "chs-drg-2.0", columns=columns) == drgdip.group_one(plain, "chs-drg-2.0")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"diagnoses": "main"}, "there is no case column 'diagnoses'"),
        ({"dx_main": "main"}, "there is no case column 'dx_main'"),
        ({"性别": "main"}, "there is no case column '性别'"),
        ({"dx": "mian"}, "there is no key of the case 'mian'"),
    ],
)
def test_columns_of_one_case_that_are_none(columns, message):
    for function in (drgdip.group_one, drgdip.explain):
        with pytest.raises(drgdip.UnknownNameError, match=message):
            function({"main": "K22.301"}, "chs-drg-2.0", columns=columns)
