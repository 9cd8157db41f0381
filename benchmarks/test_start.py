"""What a program pays before its first group: each measurement is a fresh interpreter."""

import subprocess
import sys
from textwrap import dedent

import pytest

ROUNDS = 10
CASE = {"sex": 1, "age": 71, "dx": ["I63.900", "I69.300", "E87.600"]}


class Clock:
    """A clock that goes by what the other interpreter measured, without the time to start it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


CLOCK = Clock()
pytestmark = pytest.mark.benchmark(group="start", timer=CLOCK)


def measure(benchmark, setup, statement, *, light=True):
    """Time a statement in fresh interpreters; ``light``: neither numba nor pandas may be there after it."""
    code = dedent(f"""
        import sys, time
        {setup}
        started = time.perf_counter()
        {statement}
        taken = time.perf_counter() - started
        assert not {light} or not {{"numba", "pandas"}} & sys.modules.keys()
        print(taken)
    """)

    def run():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        CLOCK.now += float(done.stdout.split()[-1])

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1)


def test_import_pyarrow(benchmark):
    """The yardstick."""
    measure(benchmark, "", "import pyarrow")


def test_import(benchmark):
    measure(benchmark, "", "import drgdip")


def test_import_names(benchmark):
    measure(benchmark, "", "from drgdip import explain, group_one, load_scheme")


@pytest.mark.parametrize("scheme", ["chs-drg-1.0-revised", "chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0"])
def test_first_case_after_import(benchmark, scheme):
    """The scheme's load is in it."""
    measure(benchmark, "import drgdip", f"assert drgdip.group_one({CASE!r}, {scheme!r}).status == 'grouped'")


def test_read_a_file(benchmark):
    measure(benchmark, "import drgdip", "drgdip.read_cases('docs/examples/discharges.csv')", light=False)
