"""What is measured: synthetic cases, the ways to group them, memory, and the start of a process.

`test_tables.py` (pytest-benchmark) and `report.py` (one table) measure the same things.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import drgdip
from drgdip.grouper.drg import columnar
from drgdip.grouper.drg.compile import compile_scheme

SCHEME = "chs-drg-2.0"
#: What a hospital's table has for grouping; the other columns of synthetic cases would only be carried along.
COLUMNS = ["case_id", "sex", "age", "age_days", "newborn_weight", "los", "discharge", "dx", "procs"]
#: Rows that a thread of the yardstick looks up at a time, as many as a thread of the library groups.
PART = 131_072


@cache
def cases(rows, scheme=SCHEME):
    """Synthetic cases, always the same ones. Ten million are one million ten times over: making them takes minutes."""
    if rows > 1_000_000:
        return pa.concat_tables([cases(1_000_000, scheme)] * (rows // 1_000_000)).combine_chunks()
    return drgdip.sample_cases(rows, scheme, seed=1).select(COLUMNS).combine_chunks()


def index_in(table, scheme, threads):
    """The yardstick: pyarrow looks every code up in the table of the scheme's codes, and nothing else is done.

    A catalogue names beginnings of diagnoses; there the table is of the codes that occur.
    """
    lists = [table[name].chunk(0) for name in ("dx", "procs")]
    if scheme in {info.id for info in drgdip.list_catalogues()}:
        columns = [(codes, pc.unique(codes.flatten())) for codes in lists]
    else:
        compiled = compile_scheme(drgdip.load_scheme(scheme))
        columns = list(zip(lists, (compiled.dx.values, compiled.procs.values), strict=True))
    parts = [
        (column.slice(start, PART).flatten(), values)
        for start in range(0, len(table), PART)
        for column, values in columns
    ]
    if threads == 1:
        return lambda: [pc.index_in(codes, values) for codes, values in parts]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(lambda part: pc.index_in(*part), parts))


def kernel(encoded, scheme):
    """The compiled kernel alone, on one thread: numbers of codes in, numbers of outcomes out."""
    loaded = drgdip.load_scheme(scheme)
    compiled = compile_scheme(loaded)
    refused, values = columnar._refusals(encoded, loaded, compiled), columnar._value_matrix(encoded, compiled)  # noqa: SLF001
    retry = loaded.evaluation.retry_other_procedures
    missing = compiled.dx.missing, compiled.procs.missing
    codes = encoded.dx, encoded.dx_offsets, encoded.procs, encoded.proc_offsets

    def run():
        severity, code = np.empty(encoded.rows, np.uint8), np.empty(encoded.rows, np.int32)
        columnar.group_rows(
            compiled.tables, *missing, compiled.nothing, retry, *codes, values, refused.copy(), severity, code
        )

    return run


def joined(table):
    """A pandas frame with codes as one text, as from a CSV file."""
    texts = {name: pc.binary_join(table[name], "|") for name in ("dx", "procs")}
    for name, column in texts.items():
        table = table.set_column(table.column_names.index(name), name, column)
    return table.to_pandas()


def parquet(table):
    """A Parquet file of the cases, which goes when the process ends."""
    path = folder() / f"{len(table)}.parquet"
    pq.write_table(table, path)
    return path


def ipc(table):
    """An Arrow file of the cases, which goes when the process ends."""
    path = folder() / f"{len(table)}.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    return path


@cache
def _folder():
    return TemporaryDirectory(prefix="drgdip-")


def folder():
    """A folder of this process."""
    return Path(_folder().name)


def engine(name):
    """A way that groups with one engine on one thread."""
    return lambda table, scheme: lambda: drgdip.group(table, scheme, engine=name, threads=1)


def _grouping(prepare, threads=2):
    """A way that makes its input of the table once and groups it every time."""

    def ready(table, scheme):
        data = prepare(table, scheme)
        return lambda: drgdip.group(data, scheme, engine="columnar", threads=threads)

    return ready


def _reading(read):
    """A way that groups what it reads from a Parquet file every time."""

    def ready(table, scheme):
        path = parquet(table)
        return lambda: drgdip.group(read(path), scheme, engine="columnar", threads=2)

    return ready


def _streaming(table, scheme):
    path = parquet(table)
    return lambda: [*drgdip.group(ds.dataset(path), scheme, threads=2)]


def _arrow_frame(table, _):
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)


def _polars_frame(table, _):
    import polars as pl

    return pl.DataFrame(table)


_LISTS = ["dx.list.element", "procs.list.element"]
#: What is timed, by name: each makes, of a table and the id of a scheme, the function to time.
WAYS = {
    "index_in, 1 thread": lambda table, scheme: index_in(table, scheme, 1),
    "index_in, 2 threads": lambda table, scheme: index_in(table, scheme, 2),
    "encode, 1 thread": lambda table, scheme: lambda: drgdip.encode(table, scheme),
    "kernel, 1 thread": lambda table, scheme: kernel(drgdip.encode(table, scheme), scheme),
    "ids to groups, 1 thread": _grouping(drgdip.encode, threads=1),
    "ids to groups, 2 threads": _grouping(drgdip.encode),
    "Arrow, 1 thread": _grouping(lambda table, _: table, threads=1),
    "Arrow, 2 threads": _grouping(lambda table, _: table),
    "pandas, Arrow lists": _grouping(_arrow_frame),
    "pandas, joined text": _grouping(lambda table, _: joined(table)),
    "Polars": _grouping(_polars_frame),
    "Parquet file": _reading(pq.read_table),
    "Parquet file, dictionaries": _reading(lambda path: pq.read_table(path, read_dictionary=_LISTS)),
    "Parquet file, stream": _streaming,
}


def fresh(setup, statement, **environment):
    """Seconds that a statement takes in a fresh interpreter, after a setup."""
    code = dedent(f"""
        import time
        {setup}
        started = time.perf_counter()
        {statement}
        print(time.perf_counter() - started)
    """)
    return float(_run(code, environment).split()[-1])


FIRST_CASE = f"""drgdip.group_one({{"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"]}}, {SCHEME!r})"""
_LOAD = "import drgdip, pyarrow; cases = pyarrow.ipc.open_file({path!r}).read_all()"
_GROUP = f"drgdip.group(cases, {SCHEME!r}, engine='columnar')"


def first_batch(path, cache_folder):
    """Seconds of the first batch after ``import drgdip`` (kernels and scheme loaded, cases grouped)."""
    return fresh(_LOAD.format(path=str(path)), _GROUP, NUMBA_CACHE_DIR=str(cache_folder))


#: Bytes that a process has, and from now on has had at most (``ru_maxrss`` would have that of the parent).
_STATUS = """
        def status(name):
            return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))
        open("/proc/self/clear_refs", "w").write("5")
        held = status("VmRSS")"""


def memory(rows, threads=2):
    """Bytes a case that grouping takes above its input, in a fresh process.

    Returns
    -------
    ``result``: Arrow memory that the result holds; ``peak``: growth of the process to its highest point (Linux).
    """
    path = str(ipc(cases(rows)))
    code = dedent(f"""
        import json
        {_LOAD.format(path=path)}
        import pandas, polars
        drgdip.warmup({SCHEME!r})
        drgdip.group(cases.slice(0, 1000), {SCHEME!r}, engine="columnar", threads={threads})
        {_STATUS}
        allocated = pyarrow.total_allocated_bytes()
        grouped = drgdip.group(cases, {SCHEME!r}, engine="columnar", threads={threads})
        result, peak = pyarrow.total_allocated_bytes() - allocated, status("VmHWM") - held
        print(json.dumps({{"result": result / {rows}, "peak": peak / {rows}}}))
    """)
    return json.loads(_run(code, {}).splitlines()[-1])


def building(rows, base="nhsa-dip-2.0"):
    """Seconds that building a catalogue takes in a fresh process (`clock`, `processor`), `peak` as of `memory`."""
    path = str(ipc(drgdip.sample_cases(rows, base, seed=1)))
    code = dedent(f"""
        import json, tempfile, time
        {_LOAD.format(path=path)}
        drgdip.warmup({base!r})
        drgdip.group(cases.slice(0, 1000), {base!r}, engine="columnar")
        {_STATUS}
        started = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            drgdip.build_catalogue(cases, folder, base={base!r}, threshold=15)
        clock, processor = time.perf_counter() - started[0], time.process_time() - started[1]
        peak = (status("VmHWM") - held) / {rows}
        print(json.dumps({{"clock": clock, "processor": processor, "peak": peak}}))
    """)
    return json.loads(_run(code, {}).splitlines()[-1])


def _run(code, environment):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout
