"""Weights, outliers and points of many cases; the yardstick is pandas' own mean by group.

``POINTS_CASES`` sets how many cases: the figures of the README are of 10 million.
"""

import os
import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from drgdip import points

CASES = int(os.environ.get("POINTS_CASES", "200_000"))
YEARS = {2022: 1, 2023: 2, 2024: 7}
TRIM = points.Trim("iqr", lower=1.5, upper=1.5)
pytestmark = pytest.mark.benchmark(group="points")


def texts(random, names):
    return pa.DictionaryArray.from_arrays(
        pa.array(random.integers(0, len(names), CASES).astype(np.int32)), pa.array(names)
    ).cast(pa.string())


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(0)
    return pa.table(
        {
            "group": texts(random, [f"G{number:03}" for number in range(800)]),
            "level": texts(random, ["1", "2", "3"]),
            "pool": texts(random, ["employee", "resident"]),
            "total_cost": np.round(random.lognormal(9, 0.8, CASES), 2),
            "year": pa.array(random.integers(2022, 2025, CASES), pa.int16()),
            "coefficient": random.choice([0.8, 1.0, 1.2], CASES),
        }
    )


@pytest.fixture(scope="module")
def prices(cases):
    return points.weights(cases, scale=1000), points.weights(cases, ["group", "level"])


class Peak:
    """The most memory that the process has above what it had, looked at every few milliseconds."""

    def __enter__(self):
        self.base = self.top = self._now()
        self.running = True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()

    def _watch(self):
        while self.running:
            self.top = max(self.top, self._now())
            time.sleep(0.002)

    @staticmethod
    def _now():
        with open("/proc/self/statm") as file:  # noqa: PTH123 - read thousands of times
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def bytes(self):
        return self.top - self.base


def measure(benchmark, cases, used, call):
    """Time a call, and note its memory above the input and the result, over the columns that it reads."""
    with Peak() as peak:
        result = call()
    new = [name for name in result.column_names if name not in cases.column_names]
    made = sum(result[name].nbytes for name in new) if len(result) == len(cases) else 0
    read = sum(cases[name].nbytes for name in used)
    benchmark.extra_info["bytes a case"] = round(peak.bytes / CASES, 1)
    benchmark.extra_info["of them the result"] = round(made / CASES, 1)
    benchmark.extra_info["work memory over the columns read"] = round((peak.bytes - made) / read, 2)
    benchmark.pedantic(call, rounds=3)


def test_mean_by_group_of_pandas(benchmark, cases):
    """The yardstick."""
    frame = cases.select(["group", "total_cost"]).to_pandas()

    def means():
        return frame.groupby("group")["total_cost"].mean()

    benchmark.pedantic(means, rounds=3, warmup_rounds=1)


def test_weights(benchmark, cases):
    measure(benchmark, cases, ["group", "total_cost"], lambda: points.weights(cases))


def test_weights_with_trimming_and_years(benchmark, cases):
    used = ["group", "total_cost", "year"]
    measure(benchmark, cases, used, lambda: points.weights(cases, trim=TRIM, years=YEARS, scale=1000))


def test_classify_outliers(benchmark, cases, prices):
    used = ["group", "level", "total_cost"]
    measure(benchmark, cases, used, lambda: points.classify_outliers(cases, "dip-1.0", reference=prices[1]))


def test_points_with_outliers(benchmark, cases, prices):
    used = ["group", "level", "total_cost", "coefficient"]
    weights, means = prices
    measure(
        benchmark,
        cases,
        used,
        lambda: points.case_points(cases, weights, outliers="dip-1.0", reference=means, coefficient="coefficient"),
    )


def test_payment_standards(benchmark, cases):
    rates = [
        {"pool": pool, "level": level, "base_rate": 9000.0} for pool in ("employee", "resident") for level in "123"
    ]
    table = cases.rename_columns({"coefficient": "weight"})
    used = ["pool", "level", "weight"]
    measure(benchmark, table, used, lambda: points.set_payment_standards(table, rates))


def test_point_value(benchmark, cases):
    used = ["pool", "total_cost"]
    fund = {"employee": 1e9, "resident": 1e9}

    def value():
        return points.point_value(cases, fund=fund, fund_share=0.7, columns={"points": "total_cost"})

    measure(benchmark, cases, used, value)
