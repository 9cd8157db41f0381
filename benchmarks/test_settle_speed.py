"""A year of a made-up city, and the clearing of many cases; the yardstick is Arrow's own sum by hospital and pool.

``SETTLE_CASES`` sets how many cases: the figures of the README are of 10 million for clearing, 200,000 for the city.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "settle"))

from settle_city import GIVEN, inputs_of, make_city, prepare

from drgdip.points import case_points
from drgdip.settle import clear_year, load_policy, month, prepare_cases, price_cases, settle_year

CASES = int(os.environ.get("SETTLE_CASES", "200_000"))
USED = ["hospital", "pool", "month", "points", "payment_rule", "standard", "payable", "total_cost", "fund_booked"]
pytestmark = pytest.mark.benchmark(group="settle")


@pytest.fixture(scope="module")
def priced():
    policy = load_policy("jinhua", **GIVEN["jinhua"])
    city = prepare(make_city(CASES), policy)
    inputs = inputs_of(policy, city)
    budget = inputs.pop("budget")
    weights = inputs.pop("weights")
    prepared = prepare_cases(city, policy, coefficients=inputs.pop("coefficients"))
    scored = case_points(prepared, weights, **inputs, **policy.for_points(prepared))
    cases = price_cases(scored, policy).table
    return policy, cases.select([*USED, "patient_paid", "list_status"]), budget


def test_sum_of_arrow(benchmark, priced):
    _, cases, _ = priced
    sums = [(name, "sum") for name in ("points", "payable", "total_cost", "fund_booked", "patient_paid")]
    found = benchmark.pedantic(lambda: cases.group_by(["hospital", "pool"]).aggregate(sums), rounds=3)
    assert len(found) == 40


def test_month(benchmark, priced):
    policy, cases, _ = priced
    assert len(benchmark.pedantic(lambda: month(cases, policy), rounds=3).table) == 480


def test_clear_year(benchmark, priced):
    policy, cases, budget = priced
    assert len(benchmark.pedantic(lambda: clear_year(cases, policy, budget=budget), rounds=3).table) == 40


@pytest.mark.parametrize("name", GIVEN)
def test_year_of_a_city(benchmark, name):
    """From grouped cases to clearing, with every invariant checked."""
    policy = load_policy(name, **GIVEN[name])
    city = prepare(make_city(200_000), policy)
    inputs = inputs_of(policy, city)
    year = benchmark.pedantic(lambda: settle_year(city, policy, **inputs), rounds=1)
    assert sum(year.clearing.table["cases"].to_pylist()) == 200_000
