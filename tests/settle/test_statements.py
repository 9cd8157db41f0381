"""Statements can be redone: a calculator that gets the printed formula gives the printed amount."""

from decimal import Decimal

import pyarrow as pa
import pytest
from settle_city import GIVEN, inputs_of, make_city, prepare

from drgdip.errors import UnknownNameError
from drgdip.settle import clear_year, load_policy, make_statements, read_policy, settle_year

POLICY = read_policy("docs/examples/policy.toml")


def calculate(formula):
    """Work out a formula of digits, signs and brackets in Decimal."""
    assert set(formula) <= set("0123456789.+-/()× ")
    words = "".join(f" {part} " if part in "()×/+-" else part for part in formula).split()
    code = " ".join(word if word in "()/+-" else "*" if word == "×" else f"D('{word}')" for word in words)
    return eval(code, {"__builtins__": {}, "D": Decimal})


def check(clearing):
    rows = make_statements(clearing).to_pylist()
    done = 0
    for row in rows:
        if row["formula"]:
            assert abs(calculate(row["formula"]) - row["amount"]) <= Decimal("0.01"), row
            assert row["how"]
            done += 1
        if row["sign"] == "=":
            assert calculate(row["formula"]) == row["amount"]
    return done


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_every_formula_of_a_year_gives_its_amount(name):
    policy = load_policy(name, **GIVEN[name])
    city = make_city(400)
    year = settle_year(prepare(city, policy), policy, **inputs_of(policy, city))
    assert check(year.clearing)
    if policy.form != "fixed":
        assert make_statements(year).equals(make_statements(year.clearing))
        filled = {row["line"] for row in make_statements(year.clearing).to_pylist() if row["formula"]}
        assert {1, 2} <= filled


def case(hospital, points, cost=9000):
    money = {"standard": points * 95, "payable": points * 95 - 3000, "total_cost": cost, "fund_booked": cost - 3000}
    place = {"hospital": hospital, "pool": "resident", "payment_rule": "points", "points": points}
    return {**place, **money, "patient_paid": 3000}


@pytest.mark.parametrize("difference", ["fund", "hospitals"])
def test_appraisal_is_redone_whoever_gets_it(difference):
    policy = POLICY.replace(appraisal={"lowest": Decimal("0.9"), "highest": Decimal("1.1"), "difference": difference})
    cases = pa.Table.from_pylist([case("A", 100), case("B", 77), case("C", 131)])
    given = [
        {"hospital": name, "pool": "resident", "appraisal": number}
        for name, number in (("A", Decimal("0.97")), ("B", Decimal("1.013")))
    ]
    clearing = clear_year(cases, policy, budget={"resident": 20000, "employee": 1}, appraisal=given)
    check(clearing)
    changed = [row for row in make_statements(clearing).to_pylist() if row["item"] == "appraisal" and row["formula"]]
    assert len(changed) == 3
    assert all(("+" in row["formula"]) == (difference == "hospitals") for row in changed)


def test_the_statement_in_chinese():
    clearing = clear_year([case("A", 100)], POLICY, budget={"resident": 6600, "employee": 1})
    rows = make_statements(clearing, language="zh")
    assert rows[0]["item_zh"] == "按点数（标准）分配"
    assert rows[0]["how"].startswith("（基金总额 - 点数外支付")
    assert rows[0]["formula"] == make_statements(clearing)[0]["formula"]
    with pytest.raises(UnknownNameError, match="languages are en, zh"):
        make_statements(clearing, language="fr")
