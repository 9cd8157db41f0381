"""A made-up city's year under every preset, from grouped cases to clearing, with every sum kept."""

from decimal import Decimal

import pyarrow as pa
import pytest
from settle_city import GIVEN, inputs_of, make_city, prepare

from drgdip._arrow import to_arrow
from drgdip.settle import load_policy, measure_surplus, settle_year, simulate

CITY = make_city(3000)


@pytest.fixture(scope="module")
def years():
    found = {}
    for name, given in GIVEN.items():
        policy = load_policy(name, **given)
        found[name] = policy, settle_year(prepare(CITY, policy), policy, **inputs_of(policy, CITY))
    return found


def total(table, name):
    return sum((value for value in table[name].to_pylist() if value is not None), Decimal(0))


@pytest.mark.parametrize("name", GIVEN)
def test_the_city_has_everything_and_the_year_keeps_it(name, years):
    policy, year = years[name]
    cases, months, clearing = year.cases, year.months, year.clearing
    assert cases["case_id"].to_pylist() == CITY["case_id"].to_pylist()
    assert pa.compute.sum(months["cases"]).as_py() == pa.compute.sum(clearing.table["cases"]).as_py() == len(CITY)
    assert set(months["month"].to_pylist()) == set(range(1, 13))
    assert len(clearing.table) == 40
    paid = total(months, "paid") + (total(year.pre_clearing.table, "final") if year.pre_clearing else 0)
    assert paid + total(clearing.table, "final") == total(clearing.table, "entitlement")
    for pool in clearing.pools.to_pylist():
        mine = [row for row in clearing.table.to_pylist() if row["pool"] == pool["pool"]]
        assert sum(row["base"] + row["sharing"] + row["outside"] for row in mine) == pool["fund"]
        assert pool["entitlement"] + pool["left"] == pool["budget"]
        if policy.year.fund == "budget":
            assert pool["left"] == 0
        if policy.year.fund == "shared":
            assert pool["fund"] == pool["spending"] + pool["shared"]
    assert pa.compute.sum(months["suspended"]).as_py() > 0
    assert len(year.ledger) > 10
    assert set(cases["payment_status"].to_pylist()) <= {"priced", "review"}


@pytest.mark.parametrize("name", ["jinhua", "tianjin-drg", "jilin-dip"])
def test_at_the_value_of_the_year_cases_come_to_what_hospitals_get(name, years):
    """Each case is rounded to the fen by itself, so that the sums differ by less than half a fen a case."""
    _, year = years[name]
    counted = year.cases.filter(pa.compute.not_equal(year.cases["list_status"], "failed"))
    by_points = counted.filter(pa.compute.equal(counted["payment_rule"].cast(pa.string()), "points"))
    earned = total(year.clearing.table, "base") + total(year.clearing.table, "sharing")
    # The value itself is rounded to 8 decimals.
    slack = Decimal("0.005") * len(by_points) + sum(map(Decimal, year.clearing.table["points"].to_pylist())) * Decimal(
        "1e-8"
    )
    assert abs(total(by_points, "payable") - earned) <= slack


def test_rules_are_used(years):
    def rules(name):
        return set(years[name][1].cases["payment_rule"].to_pylist())

    assert rules("jinhua") == {"points"}
    assert rules("tianjin-drg") == {"points", "cross_region", "review"}
    assert rules("nanjing") == {"points", "item"}
    assert (
        years["tianjin-dip"][1].review.publication["applied"].to_pylist()
        == years["tianjin-drg"][1].review.publication["applied"].to_pylist()
    )
    kinds = set(years["jinhua"][1].cases["case_kind"].to_pylist())
    assert kinds == {"complete", "incomplete", "bed_day", "special_review"}
    assert 0.5 in years["jinhua"][1].cases["readmission_factor"].to_pylist()


def test_profit_of_all_layers_is_the_same(years):
    cases = years["jinhua"][1].cases
    profits = {
        total(to_arrow(measure_surplus(cases, by).table), "profit")
        for by in ("pool", ["pool", "hospital"], "group", "level")
    }
    assert len(profits) == 1


def test_simulating_a_policy_against_itself_moves_nothing(years):
    policy, year = years["jinhua"]
    inputs = inputs_of(policy, CITY)
    found = simulate(prepare(CITY, policy), policy, policy, inputs_a=inputs, by="level")
    assert set(found.table["moved"].to_pylist()) == {Decimal("0.00")}
    assert found.b.clearing.table.equals(year.clearing.table)


def test_a_simulation_says_what_moves(years):
    policy, _ = years["jilin-drg"]
    milder = policy.replace(year={"fund": "standards"})
    inputs = inputs_of(policy, CITY, "0.5")
    cases = prepare(CITY, policy)
    for by in (["pool", "hospital"], "level", "pool", "group"):
        found = simulate(cases, policy, milder, inputs_a=inputs, by=by)
        # Sharing is settled with hospitals, not with cases: their standards are the same.
        assert total(found.table, "moved") == 0
    pools = [year.clearing.pools for year in (found.a, found.b)]
    assert total(pools[0], "entitlement") < total(pools[1], "entitlement")
    # Two schemes: the same cases under other groups.
    other = cases.set_column(cases.column_names.index("group"), "group", pa.array(["G05"] * len(cases)))
    found = simulate((cases, other), policy, policy, inputs_a=inputs, by="group").table.to_pylist()
    assert sum(row["cases_a"] for row in found) == sum(row["cases_b"] for row in found) == len(cases)
    assert [row["cases_b"] for row in found if row["group"] != "G05"] == [0] * 29
    assert sum(row["moved"] for row in found) == sum(row["payable_b"] - row["payable_a"] for row in found)


@pytest.mark.parametrize("name", ["jinhua", "nanjing", "tianjin-dip"])
def test_the_order_of_the_cases_does_not_matter(name, years):
    policy, year = years[name]
    cases = prepare(CITY, policy)
    order = list(range(0, len(cases), 2)) + list(range(1, len(cases), 2))
    again = settle_year(cases.take(pa.array(order)), policy, **inputs_of(policy, CITY))
    assert again.clearing.table.equals(year.clearing.table)
    assert again.clearing.pools.equals(year.clearing.pools)
    assert again.months.equals(year.months)
    assert again.ledger.equals(year.ledger)
