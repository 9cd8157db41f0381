"""The traps that others fell into, each kept shut by a test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

import drgdip

SOURCE = Path(drgdip.__file__).parent


def test_numba_is_asked_to_compile_in_one_place_only():
    """Its disk cache takes no account of options: two decorators on one body would share one binary."""
    users = [
        path.name for path in SOURCE.rglob("*.py") if re.search(r"\b(njit|numba\.jit|vectorize)\b", path.read_text())
    ]
    assert users == ["_jit.py"]
    text = (SOURCE / "_jit.py").read_text()
    assert "parallel" not in text
    kernels = [path for path in SOURCE.rglob("*.py") if "@kernel" in path.read_text()]
    names = [name for path in kernels for name in re.findall(r"@kernel\ndef (\w+)", path.read_text())]
    assert len(names) == len(set(names)) > 0


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_kernels_run_where_no_cache_can_be_written():
    """Numba raises when a cached function is declared and no folder is writable; ours is then compiled uncached."""
    code = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []   # as on a read-only image: no place for a cache is found
import drgdip
print(drgdip.group([{"sex": 2, "age": 59, "dx": "K22.301", "procs": ""}], "chs-drg-2.0", engine="columnar")[0]["group"])
"""
    assert run(code) == ["GZ19"]


def test_the_cache_goes_where_it_is_told(tmp_path):
    code = """
import drgdip
drgdip.warmup()
print(drgdip.show_versions()["kernel cache"])
"""
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path))[-1].startswith(str(tmp_path))
    assert list(tmp_path.rglob("*.nbc"))


def test_string_views_which_have_no_index_are_grouped():
    """Polars hands out large_list<string_view>, for which pyarrow has no index_in."""
    views = pa.array([["K22.301"]] * 300, pa.large_list(pa.string_view()))
    table = pa.table({"sex": [2] * 300, "age": [59] * 300, "dx": views, "procs": views.slice(0, 300)})
    assert set(drgdip.group(table, "chs-drg-2.0", engine="columnar")["group"].to_pylist()) == {"GZ19"}


def test_money_of_synthetic_cases_is_rounded_half_away_from_zero_to_the_fen():
    """np.round and round are half-even and binary; decimals are not."""
    rounded = pc.round(pa.array([0.125, -0.125], pa.float64()).cast(pa.decimal128(6, 3)), 2, "half_towards_infinity")
    assert [str(value) for value in rounded.to_pylist()] == ["0.130", "-0.130"]
    costs = drgdip.sample_cases(200, "chs-drg-2.0")["total_cost"]
    assert costs.type == pa.decimal128(18, 2)


def test_kernels_run_without_the_lock_of_the_interpreter():
    """While a kernel runs in one thread, another one goes on: else two threads would be slower than one."""
    cases = drgdip.sample_cases(1, "chs-drg-2.0")
    many = pa.concat_tables([cases] * 64).combine_chunks()
    many = pa.concat_tables([many] * 2048).combine_chunks()
    encoded = drgdip.encode(many, "chs-drg-2.0")
    from drgdip.grouper.drg import columnar

    scheme = drgdip.load_scheme("chs-drg-2.0")
    inside, ticks, stop = threading.Event(), [], threading.Event()

    def tick():
        while not stop.is_set():
            if inside.is_set():
                ticks.append(1)
            time.sleep(0)

    real = columnar.group_rows

    def marked(*arguments):
        inside.set()
        real(*arguments)
        inside.clear()

    ticker = threading.Thread(target=tick)
    ticker.start()
    before = sys.getswitchinterval()
    sys.setswitchinterval(10)  # so that only a lock that is let go of lets the other thread run
    try:
        columnar.group_rows = marked
        columnar.group_encoded(encoded, scheme)
    finally:
        columnar.group_rows = real
        sys.setswitchinterval(before)
        stop.set()
        ticker.join()
    assert len(ticks) > 10
