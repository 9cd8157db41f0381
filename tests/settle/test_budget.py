"""Budgets: made by four methods, split to the fen."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import (
    budget_by_factors,
    budget_by_growth,
    budget_by_item,
    budget_by_share,
    hold_reserve,
    make_budget,
    read_policy,
    split,
    split_budget,
)
from drgdip.settle.rules import BudgetRules

D = Decimal


def test_growth_has_a_cap():
    growth = {"prices": D("0.05"), "admissions": D("0.04")}
    assert budget_by_growth({"p": 100}, growth).table[0]["amount"] == 109
    assert budget_by_growth({"p": 100}, growth, highest=D("0.06")).table[0]["amount"] == 106
    assert budget_by_growth({"p": D("0.10")}, {"x": D("0.05")}).table[0]["amount"] == D("0.11")  # 0.105, half away


def test_factors_are_renegotiated_by_name():
    with pytest.raises(PolicyError, match="'prises': is none of the factors prices"):
        budget_by_factors({"p": 1}, {"prices": 0}, agreed={"prises": 0})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: budget_by_growth({"p": 0.5}, {}), "is a float"),
        (lambda: budget_by_growth({"p": 1}, {"x": 0.5}), r"growth\['x'\]=0.5 is a float"),
        (lambda: budget_by_growth({"p": 0}, {}), "budget of 'p' would be 0"),
        (lambda: budget_by_growth({"p": 100}, {"x": -2}), "would be -100"),
        (lambda: budget_by_item({"p": 100}, {"other": {"p": 100}}), "would be 0"),
        (lambda: budget_by_item({"p": 100}, {"other": {"q": 1}}), r"less\['other'\] has no amount for the pool 'p'"),
        (lambda: budget_by_share({"p": 100}, {}), "no entry for the pool 'p'"),
        (lambda: budget_by_share({"p": 100}, {"p": D("1.1")}), "at most 1"),
        (
            lambda: split_budget([{"pool": "p", "amount": -1}], [{"month": 1, "share": 1}], "month"),
            "no amount of at least 0",
        ),
        (
            lambda: split_budget([{"pool": "p", "amount": 1}], [{"month": 1, "share": 0}], "month"),
            "have nothing for the budget of pool 'p'",
        ),
        (
            lambda: split_budget([{"pool": "p", "amount": 1}], [{"month": 1, "share": -1}], "month"),
            "share of row 0 is -1",
        ),
        (lambda: split_budget([{"pool": "p", "amount": 1.5}], [{"month": 1, "share": 1}], "month"), "holds floats"),
        (
            lambda: split_budget([{"pool": "p", "amount": 1}], [{"pool": "q", "month": 1, "share": 1}], "month"),
            "have nothing for the budget of pool 'p'",
        ),
    ],
)
def test_bad_budgets(call, message):
    with pytest.raises((PolicyError, CaseError), match=message):
        call()


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=4), st.lists(st.integers(1, 10**6), min_size=1, max_size=12)
)
def test_splitting_by_month_and_form_keeps_every_fen(fen, shares):
    budget = pa.table(
        {
            "pool": [f"p{n}" for n in range(len(fen))],
            "amount": pa.array([D(f).scaleb(-2) for f in fen], pa.decimal128(18, 2)),
        }
    )
    months = [{"month": number, "share": share} for number, share in enumerate(shares)]
    parts = split_budget(budget, months, "month")
    forms = split_budget(parts.table, [{"form": "drg", "share": D("0.7")}, {"form": "other", "share": 0.3}], "form")
    assert forms.table.num_rows == len(fen) * len(shares) * 2
    for row, whole in enumerate(budget["amount"].to_pylist()):
        mine = [line for line in forms.table.to_pylist() if line["pool"] == f"p{row}"]
        assert sum(line["amount"] for line in mine) == whole
        of_months = [line["amount"] for line in parts.table.to_pylist() if line["pool"] == f"p{row}"]
        assert of_months == split(whole, shares)


def test_shares_may_depend_on_the_pool_and_their_order_does_not_matter():
    shares = [
        {"pool": "b", "hospital": "H1", "share": 1},
        {"pool": "a", "hospital": "H2", "share": 1},
        {"pool": "a", "hospital": "H1", "share": 1},
    ]
    budget = [{"pool": "a", "amount": D("0.01")}, {"pool": "b", "amount": 2}]
    found = split_budget(budget, shares, "hospital").table
    assert found == split_budget(budget, shares[::-1], "hospital").table
    assert [(row["pool"], row["hospital"], row["amount"]) for row in found] == [
        ("a", "H1", D("0.01")),  # the tie goes to the hospital that sorts first
        ("a", "H2", 0),
        ("b", "H1", 2),
    ]


@given(st.integers(0, 10**12), st.decimals(0, 1, places=4))
def test_a_reserve_and_what_is_left_make_the_budget(fen, share):
    policy = read_policy("docs/examples/policy.toml").replace(budget={"method": "growth", "reserve": share})
    row = hold_reserve([{"pool": "p", "amount": D(fen).scaleb(-2)}], policy).table[0]
    assert row["amount"] + row["reserve"] == D(fen).scaleb(-2)
    assert abs(row["reserve"] - D(fen).scaleb(-2) * share) <= D("0.005")


def test_a_reserve_needs_its_rule():
    with pytest.raises(PolicyError, match=r"add the section \[budget\]"):
        hold_reserve([], read_policy("docs/examples/policy.toml"))


# By the policy

SHARES = {
    "care": [{"care": "inpatient", "share": 7}, {"care": "outpatient", "share": 3}],
    "month": [{"month": month, "share": 1} for month in range(1, 13)],
}


def by_policy(**budget):
    return read_policy("docs/examples/policy.toml").replace(budget=budget)


def test_the_policy_decides_on_method_cap_reserve_and_split():
    rule = by_policy(method="growth", highest_growth=Decimal("0.04"), reserve=Decimal("0.05"), split=["care", "month"])
    last_year = {"employee": 1000, "resident": 500}
    made = make_budget(rule, last_year=last_year, growth={"all": Decimal("0.06")}, shares=SHARES)
    rows = made.table.to_pylist()
    assert list(rows[0]) == ["pool", "care", "month", "amount"]
    assert len(rows) == 2 * 2 * 12
    employee = sum(row["amount"] for row in rows if row["pool"] == "employee")
    assert employee == Decimal(1000) * Decimal("1.04") * Decimal("0.95")
    inpatient = [row["amount"] for row in rows if row["pool"] == "employee" and row["care"] == "inpatient"]
    assert sum(inpatient) == employee * 7 / 10
    assert {row["step"] for row in made.ledger.to_pylist()} == {"budget by growth", "hold reserve", "split budget"}


@pytest.mark.parametrize(
    ("method", "inputs", "amount"),
    [
        ("factors", {"last_year": {"employee": 100, "resident": 1}, "factors": {"ageing": Decimal("0.1")}}, 110),
        ("item", {"total": {"employee": 100, "resident": 1}, "less": {}}, 100),
        (
            "share",
            {"total": {"employee": 100, "resident": 1}, "share": dict.fromkeys(["employee", "resident"], 1)},
            100,
        ),
    ],
)
def test_every_method_of_a_policy_is_one_of_the_functions(method, inputs, amount):
    table = make_budget(by_policy(method=method), **inputs).table
    assert table.filter(pc.equal(table["pool"], "employee"))["amount"].to_pylist() == [amount]


@pytest.mark.parametrize(
    ("budget", "inputs", "error", "message"),
    [
        ({"method": "growth"}, {"last_year": {}}, PolicyError, "needs growth"),
        ({"method": "growth"}, {"total": 1}, UnknownNameError, "takes last_year, growth"),
        (
            {"method": "growth"},
            {"last_year": {"employee": 1}, "growth": {}},
            PolicyError,
            "policy has the pools employee, resident",
        ),
        (
            {"method": "growth", "split": ["care"]},
            {"last_year": {"employee": 1, "resident": 1}, "growth": {}, "shares": SHARES},
            PolicyError,
            "budget.split is care",
        ),
    ],
)
def test_budgets_that_are_not_the_policys(budget, inputs, error, message):
    with pytest.raises(error, match=message):
        make_budget(by_policy(**budget), **inputs)


def test_a_cap_on_growth_goes_with_growth():
    with pytest.raises(PolicyError, match="highest_growth caps method = growth"):
        by_policy(method="item", highest_growth=1)


def test_growth_by_pool_and_the_cap_of_a_policy():
    last_year = {"employee": 1000, "resident": 2000}
    growth = {"admissions": {"employee": D("0.03"), "resident": D("0.01")}, "prices": D("0.02")}
    rules = BudgetRules(method="growth", highest_growth=D("0.04"))
    found = budget_by_growth(last_year, growth).table
    assert [(row["growth"], row["amount"]) for row in found] == [(D("0.05"), 1050), (D("0.03"), 2060)]
    policy = read_policy("docs/examples/policy.toml").replace(budget=rules.model_dump())
    for rule in (rules, policy):
        assert [row["amount"] for row in budget_by_growth(last_year, growth, policy=rule).table] == [1040, 2060]
    capped = budget_by_growth(last_year, growth, highest={"employee": 1, "resident": D("0.025")}, policy=rules).table
    assert [row["amount"] for row in capped] == [1050, 2050]
    with pytest.raises(PolicyError, match=r"growth\['x'\] has no entry for the pool 'resident'"):
        budget_by_growth(last_year, {"x": {"employee": 0}})


def test_rates_by_pool_are_no_parts_for_every_pool():
    """Both pools got 6 % where one was given 5 and the other 1."""
    last_year = {"employee": 1000, "resident": 2000}
    rates = {"employee": D("0.05"), "resident": D("0.01")}
    for budget in (budget_by_growth, budget_by_factors):
        with pytest.raises(PolicyError, match="has employee, resident, which are pools.*as one part"):
            budget(last_year, rates)
        assert [row["amount"] for row in budget(last_year, {"agreed": rates}).table] == [1050, 2020]
    assert [row["amount"] for row in budget_by_growth(last_year, D("0.05")).table] == [1050, 2100]


def test_a_budget_is_accepted_by_the_next_step():
    first = budget_by_growth({"employee": 1000}, {"x": D("0.05")}).table
    again = budget_by_factors(first, {"y": {"employee": D("0.1")}}).table
    assert [row["amount"] for row in again] == [1155]
    assert hold_reserve(again, BudgetRules(method="factors", reserve=D("0.1"))).table[0]["amount"] == D("1039.50")
    with pytest.raises(PolicyError, match=r"add the section \[budget\]"):
        hold_reserve(again, read_policy("docs/examples/policy.toml"))
