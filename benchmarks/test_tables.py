"""Tables of cases: the columnar engine from every kind of input, by size and by threads, and its first batch.

`index_in` is the yardstick: pyarrow looking every code up in the scheme's table, without grouping anything. Ten million
cases are measured where DRGDIP_BENCHMARK_LARGE is set.
"""

import os

import measured
import pytest
from test_start import CLOCK

ROWS = 1_000_000
SIZES = [10_000, 100_000, 1_000_000, *([10_000_000] if os.environ.get("DRGDIP_BENCHMARK_LARGE") else [])]


def run(benchmark, ready, rows, rounds=5):
    """Time a way (`measured.WAYS`) over so many cases; where nothing is timed, over a few."""
    cases = measured.cases(rows if benchmark.enabled else 1_000)
    benchmark.pedantic(ready(cases, measured.SCHEME), rounds=rounds, warmup_rounds=1)
    if benchmark.enabled:
        benchmark.extra_info["cases a second"] = round(rows / benchmark.stats.stats.min)


@pytest.mark.benchmark(group="a million cases")
@pytest.mark.parametrize("way", measured.WAYS)
def test_way(benchmark, way):
    run(benchmark, measured.WAYS[way], ROWS)


@pytest.mark.benchmark(group="by size")
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("way", ["index_in, 2 threads", "Arrow, 2 threads"])
def test_size(benchmark, rows, way):
    run(benchmark, measured.WAYS[way], rows, rounds=3 if rows > ROWS else 5)


@pytest.mark.benchmark(group="engines")
@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_engine(benchmark, engine):
    run(benchmark, measured.engine(engine), 20_000, rounds=3)


@pytest.mark.benchmark(group="first batch", timer=CLOCK)
@pytest.mark.parametrize("cache", ["warm", "cold"])
def test_first_batch(benchmark, tmp_path, cache):
    """20,000 cases after ``import drgdip`` in a fresh interpreter, kernels compiled before (warm) or not (cold)."""
    path = measured.ipc(measured.cases(20_000 if benchmark.enabled else 1_000))
    measured.first_batch(path, tmp_path / "warm")
    folders = iter(range(100))

    def first():
        CLOCK.now += measured.first_batch(path, tmp_path / ("warm" if cache == "warm" else f"cold{next(folders)}"))

    benchmark.pedantic(first, rounds=5 if cache == "warm" else 3)
