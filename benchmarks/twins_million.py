"""Compare the engines on a million generated cases a scheme: ``python benchmarks/twins_million.py``.

The cases are those of `tests/test_twins.py`, with other seeds: every way through a scheme, what nearly misses it, codes
added, doubled, unknown or missing, and nonsense; a tenth are synthetic discharges. Ends with 1 if the engines differ
anywhere.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import drgdip

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from generated import adversarial, differences, table

#: Cases that a worker makes and compares at a time.
PART = 50_000


def compare(scheme, seed):
    """Seconds to make and to compare a part, how many cases it has, and what differs."""
    started = time.perf_counter()
    synthetic = seed % 10 == 0
    cases = drgdip.sample_cases(PART, scheme, seed) if synthetic else table(adversarial(scheme, PART, seed))
    made = time.perf_counter()
    found = [(seed, *difference) for difference in differences(cases, scheme)]
    return made - started, time.perf_counter() - made, len(cases), found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("schemes", nargs="*", default=[info.id for info in drgdip.list_schemes()], metavar="SCHEME")
    parser.add_argument("--cases", type=int, default=1_000_000, help="least number of cases a scheme")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    wrong = 0
    with ProcessPoolExecutor(options.workers) as pool:
        for scheme in options.schemes:
            started = time.perf_counter()
            parts = [pool.submit(compare, scheme, seed) for seed in range(100, 100 + -(-options.cases // PART))]
            making, comparing, rows, found = zip(*(part.result() for part in parts), strict=True)
            differing = [difference for part in found for difference in part]
            wrong += len(differing)
            print(
                f"{scheme}: {sum(rows):,} cases, {len(differing)} differences, {time.perf_counter() - started:.0f} s "
                f"(making the cases {sum(making):.0f} s, grouping them with both engines {sum(comparing):.0f} s, "
                f"on {options.workers} processes)",
                flush=True,
            )
            for seed, row, column, columnar, reference in differing[:20]:
                print(f"  part {seed}, row {row}, {column}: columnar {columnar!r}, reference {reference!r}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
