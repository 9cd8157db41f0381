"""Measure everything once and print the tables of ``docs/benchmarks.md``: ``python benchmarks/report.py``.

Every round measures every way once, so that what else the machine does meanwhile falls on all of them alike; the best
of the rounds counts. Ratios are of one run and carry over from machine to machine, times do not. The processor time of
all threads says what the work costs also where others use the machine.
"""

import argparse
import datetime
import os
import platform
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import measured
import pyarrow

import drgdip

#: Way, yardstick, and what the ratio of their times is wanted to be on a quiet machine.
RATIOS = [
    ("Arrow, 1 thread", "index_in, 1 thread", "≤ 3"),
    ("Arrow, 2 threads", "index_in, 1 thread", "≤ 3"),
    ("Arrow, 2 threads", "index_in, 2 threads", "≤ 3"),
    ("Arrow, 1 thread", "Arrow, 2 threads", "≥ 1.5"),
    ("ids to groups, 1 thread", "ids to groups, 2 threads", "≥ 1.5"),
    ("reference engine, 1 thread", "columnar engine, 1 thread", ""),
]


class Taken(NamedTuple):
    """Seconds by the clock, and of the processor in all threads."""

    clock: float
    processor: float


def timed(function):
    started = time.perf_counter(), time.process_time()
    function()
    return Taken(time.perf_counter() - started[0], time.process_time() - started[1])


def measure(ready, rounds):
    """Best of each function by name, all of them in turn."""
    for function in ready.values():
        function()
    found = {name: [] for name in ready}
    for _ in range(rounds):
        for name, function in ready.items():
            found[name].append(timed(function))
    return {name: Taken(*map(min, zip(*taken, strict=True))) for name, taken in found.items()}


def table(head, rows):
    print("|", " | ".join(head), "|")
    print("| ---", "| ---: " * (len(head) - 1) + "|")
    for row in rows:
        print("|", " | ".join(row), "|")
    print(flush=True)


def milliseconds(seconds):
    return f"{seconds * 1000:,.0f} ms"


def rate(rows, seconds):
    return f"{float(f'{rows / seconds:.3g}'):,.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--large", action="store_true", help="ten million cases as well (8 GB of memory, minutes)")
    options = parser.parse_args()
    rows, few = options.cases, 20_000

    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (drgdip, pyarrow))
    print(f"{datetime.date.today()}, {_machine()}, {os.cpu_count()} cores, load {_load()}")  # noqa: DTZ011
    print(f"Python {platform.python_version()}, {versions}; {measured.SCHEME}, {rows:,} synthetic cases,")
    print(f"best of {options.rounds} rounds\n")

    cases = measured.cases(rows)
    best = measure({name: ready(cases, measured.SCHEME) for name, ready in measured.WAYS.items()}, options.rounds)
    yardstick = best["index_in, 1 thread"].clock
    table(
        ["way", "time", "processor time", "cases/s", "to index_in on 1 thread"],
        [
            [name, *map(milliseconds, taken), rate(rows, taken.clock), f"{taken.clock / yardstick:.1f}"]
            for name, taken in best.items()
        ],
    )

    small = measured.cases(few)
    engines = {f"{name} engine, 1 thread": measured.engine(name)(small, measured.SCHEME) for name in _ENGINES}
    best |= measure(engines, 3)
    table(["engine", "cases/s"], [[name, rate(few, best[name].clock)] for name in engines])
    table(["ratio", "of times", "of processor times", "wanted"], [_ratio(best, *row) for row in RATIOS])

    sizes = [10_000, 100_000, 1_000_000, *([10_000_000] if options.large else [])]
    table(["cases", *_COMPARED], [_by_size(size, options.rounds) for size in sizes])
    schemes = [info.id for info in drgdip.list_schemes() if not info.extends]
    catalogues = [info.id for info in drgdip.list_catalogues() if info.place == "全国"]
    table(["scheme", *_COMPARED], [_by_scheme(name) for name in (*schemes, *catalogues)])

    bytes_ = measured.memory(rows)
    table(["memory a case above the input", "bytes"], [[name, f"{value:.0f}"] for name, value in bytes_.items()])
    table(["a catalogue from history", *_BUILDING], [_building(size) for size in sizes])
    table(["start, fresh interpreters", "best", "median"], [_start(*row) for row in _starts(few)])
    print(f"load at the end {_load()}")


_BUILDING = ("time", "processor time", "cases/s", "bytes a case above the input")
_ENGINES = ("reference", "columnar")
_COMPARED = ("time", "processor time", "cases/s", "to index_in on 2 threads")


def _ratio(best, way, other, wanted):
    of = [f"{one / two:.2f}" for one, two in zip(best[way], best[other], strict=True)]
    return [f"{way} / {other}", *of, wanted]


def _compare(cases, scheme, rounds):
    names = ["Arrow, 2 threads", "index_in, 2 threads"]
    found = measure({name: measured.WAYS[name](cases, scheme) for name in names}, rounds)
    grouping, yardstick = found.values()
    ratio = grouping.clock / yardstick.clock
    return [*map(milliseconds, grouping), rate(len(cases), grouping.clock), f"{ratio:.1f}"]


def _by_size(size, rounds):
    rounds = rounds if size > 100_000 else 3 * rounds
    return [f"{size:,}", *_compare(measured.cases(size), measured.SCHEME, 3 if size > 1_000_000 else rounds)]


def _building(size):
    """The best of three fresh processes."""
    found = [measured.building(size) for _ in range(3)]
    best = {name: min(one[name] for one in found) for name in found[0]}
    times = (milliseconds(best[name]) for name in ("clock", "processor"))
    return [f"{size:,} cases", *times, rate(size, best["clock"]), f"{best['peak']:.0f}"]


def _by_scheme(scheme):
    return [scheme, *_compare(measured.cases(250_000, scheme), scheme, 7)]


def _starts(rows):
    """What is started, how, and how often."""
    path = measured.ipc(measured.cases(rows))
    warm, cold = measured.folder() / "warm", (measured.folder() / f"cold{number}" for number in range(100))
    measured.first_batch(path, warm)
    yield "import drgdip", lambda: measured.fresh("", "import drgdip"), 5
    yield "first case after it, with its scheme", lambda: measured.fresh("import drgdip", measured.FIRST_CASE), 5
    yield f"first batch of {rows:,}, kernels compiled before", lambda: measured.first_batch(path, warm), 5
    yield f"first batch of {rows:,}, nothing compiled", lambda: measured.first_batch(path, next(cold)), 3


def _start(name, function, times):
    found = [function() for _ in range(times)]
    return [name, milliseconds(min(found)), milliseconds(statistics.median(found))]


def _machine():
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _load():
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
