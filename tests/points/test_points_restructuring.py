import math

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from points_cases import make_cases

from drgdip import points
from drgdip.errors import CaseError, PolicyError, UnknownNameError


@pytest.fixture(scope="module")
def cases():
    return make_cases()


ROWS = st.lists(
    st.tuples(
        st.sampled_from("MN"), st.integers(0, 500), st.floats(0.05, 40), st.one_of(st.none(), st.floats(0.5, 1.5))
    ),
    min_size=2,
    max_size=20,
)


def table_of(rows):
    return [
        {"group": f"G{number:02}", "panel": panel, "n": n, "weight": weight, "factor": factor}
        for number, (panel, n, weight, factor) in enumerate(rows)
    ]


def total(rows, column="weight"):
    return math.fsum(row["n"] * row[column] for row in rows)


@given(ROWS, st.sampled_from([(), "panel"]))
def test_absorbed_by_all(rows, within):
    table = table_of(rows)
    found = points.restructure_weights(table, "factor", absorb="all", within=within)
    for panel in "MN" if within else [None]:
        chosen = [row for row in found if panel in {None, row["panel"]}]
        assert total(chosen) == pytest.approx(total(chosen, "weight_before"), rel=1e-11)
        for row in chosen:
            if total(chosen):
                assert row["total_before"] == pytest.approx(row["total_after"], rel=1e-11)
        # Twin: weight x factor x one number.
        scaled = math.fsum(row["n"] * row["weight_before"] * (row["factor"] or 1) for row in chosen)
        keep = total(chosen, "weight_before") / scaled if scaled else 1
        for row in chosen:
            assert row["weight"] == pytest.approx(row["weight_before"] * (row["factor"] or 1) * keep, rel=1e-9)


@given(ROWS)
def test_absorbed_by_the_others(rows):
    table = table_of(rows)
    fixed = math.fsum(row["n"] * row["weight"] * row["factor"] for row in table if row["factor"])
    others = math.fsum(row["n"] * row["weight"] for row in table if not row["factor"])
    left = total(table) - fixed
    assume(others > 1e-3 and left > 1e-3)
    found = points.restructure_weights(table, "factor", absorb="others")
    assert total(found) == pytest.approx(total(table), rel=1e-9)
    for row in found:
        expected = row["weight_before"] * (row["factor"] or left / others)
        assert row["weight"] == pytest.approx(expected, rel=1e-9)
        assert row["change"] == pytest.approx(row["weight"] / row["weight_before"] - 1, rel=1e-6, abs=1e-12)


def test_factors_by_name_and_a_new_total():
    table = [
        {"group": "A", "n": 10, "weight": 1.0},
        {"group": "B", "n": 10, "weight": 1.0},
        {"group": "C", "n": 5, "weight": None},
    ]
    found = points.restructure_weights(table, {"A": 1.5}, absorb="others", total=24)
    assert [row["weight"] for row in found] == pytest.approx([1.5, 0.9, None])
    found = points.restructure_weights(table, absorb="all", total=40)
    assert [row["weight"] for row in found] == [2, 2, None]
    assert found[0]["total_before"] == 20
    assert table[0]["weight"] == 1


def test_borrowing_and_then_the_total(cases):
    own = points.weights(cases, min_cases=40)
    assert own["weight"].null_count
    borrowed = points.borrow_weights(
        own, {"raw": own.select(["group", "raw_weight"]).rename_columns(["group", "weight"])}
    )
    n = len(cases)
    for row in points.restructure_weights(borrowed, absorb="all", total=2.0 * n).to_pylist():
        assert row["weight"] == pytest.approx(2 * row["raw_weight"])
        assert row["total_after"] == pytest.approx(2 * n)


def test_weights_that_cannot_be_restructured():
    table = [{"group": "A", "n": 10, "weight": 1.0}, {"group": "B", "n": 10, "weight": 1.0}]
    with pytest.raises(PolicyError, match="need more than the total weight"):
        points.restructure_weights(table, {"A": 3}, absorb="others")
    with pytest.raises(PolicyError, match="no other group has cases"):
        points.restructure_weights(table, {"A": 1.1, "B": 1.1}, absorb="others")
    with pytest.raises(UnknownNameError, match="there is no group 'X'"):
        points.restructure_weights(table, {"X": 1.1}, absorb="all")
    with pytest.raises(PolicyError, match="negative weight or factor"):
        points.restructure_weights(table, {"A": -1}, absorb="all")
    with pytest.raises(UnknownNameError, match="Say who makes up"):
        points.restructure_weights(table, {"A": 1.1}, absorb="some")


PARTS = st.lists(
    st.tuples(st.sampled_from("PQ"), st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5)), min_size=1, max_size=30
)


@given(PARTS, st.tuples(*[st.floats(0.5, 2)] * 3), st.sampled_from([(), "panel"]))
def test_parts_of_cost(rows, factors, within):
    names = ("nursing", "drugs", "materials")
    cases = [dict(zip(("panel", *names), row, strict=True)) for row in rows]
    found = points.restructure_costs(cases, dict(zip(names, factors, strict=True)), within=within)
    for panel in {row["panel"] for row in found} if within else [None]:
        chosen = [row for row in found if panel in {None, row["panel"]}]
        before = math.fsum(row["cost_before"] for row in chosen)
        after = math.fsum(row["restructured_cost"] for row in chosen)
        assert after == pytest.approx(before, rel=1e-9, abs=1e-300)
        for row in chosen:
            scaled = sum(row[name] * factor for name, factor in zip(names, factors, strict=True))
            assert row["restructured_cost"] == pytest.approx(scaled * row["restructuring_factor"], rel=1e-12)


def test_total_weight_stays_under_restructured_costs(cases):
    costs = cases["total_cost"].to_numpy()
    table = cases.append_column("drugs", pa.array(costs * 0.4)).append_column("nursing", pa.array(costs * 0.6))
    new = points.restructure_costs(table, {"drugs": 0.8, "nursing": 1.3})
    weights = points.weights(new, columns={"total_cost": "restructured_cost"}).to_pylist()
    assert math.fsum(row["n"] * row["weight"] for row in weights) == pytest.approx(len(cases), rel=1e-12)


def test_costs_that_cannot_be_restructured():
    cases = [{"drugs": 5.0, "nursing": 0.0}, {"drugs": None, "nursing": 1.0}, {"drugs": -1.0, "nursing": 1.0}]
    found = points.restructure_costs(cases, {"drugs": 2, "nursing": 1})
    assert [row["restructured_cost"] for row in found] == [5.0, None, None]
    with pytest.raises(CaseError, match="leave no cost"):
        points.restructure_costs(cases, {"drugs": 0, "nursing": 1})
    with pytest.raises(PolicyError, match="at least 0"):
        points.restructure_costs(cases, {"drugs": -1})
