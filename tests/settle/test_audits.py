"""Audits: deductions come and go with the states of audits; the loss of a violation is a payment less another."""

import datetime
from decimal import Decimal

import pytest

from drgdip.errors import DrgdipError
from drgdip.settle import charge_audits, clear_year, measure_losses, month, price_cases, read_policy, remove_violations
from drgdip.settle.rules import MonthRules

D, DAY = Decimal, datetime.date
UPHELD = ["upheld"]
POLICY = read_policy("docs/examples/policy.toml")
AUDIT = {"audit_id": "7", "hospital": "A", "pool": "resident", "month": 1, "case_id": None, "reason": "split stay"}


def audit(state="upheld", day=None, **more):
    given = {**AUDIT, "state": state, "amount": 100, "points": None, "multiple": 1, **more}
    return given if day is None else {**given, "as_of": day}


def changes(audits, **options):
    return [
        (row["state"], row["month"], row["deductions"])
        for row in charge_audits(audits, **{"charged": ["upheld"], **options}).table
    ]


def test_an_audit_is_deducted_from_the_state_that_is_charged():
    days = [DAY(2024, number, 1) for number in (2, 3, 4, 5)]
    states = ["found", "notified", "appealed", "upheld"]
    audits = [audit(state, day) for state, day in zip(states, days, strict=True)]
    assert changes(audits) == [("upheld", 1, 100)]
    # A place that withholds from the notice on gives back while there is an appeal.
    assert changes(audits, charged=["notified", "upheld"]) == [
        ("notified", 1, 100),
        ("appealed", 1, -100),
        ("upheld", 1, 100),
    ]


def test_an_audit_that_moves_to_another_month_leaves_the_old_one():
    audits = [audit(day=DAY(2024, 3, 1)), audit(day=DAY(2024, 4, 1), month=2, amount=30)]
    assert changes(audits) == [("upheld", 1, 100), ("upheld", 1, -100), ("upheld", 2, 30)]
    days = [row["as_of"] for row in charge_audits(audits, charged=UPHELD).table]
    assert days == [DAY(2024, 3, 1)] + [DAY(2024, 4, 1)] * 2


def test_multiples_and_points():
    assert changes([audit(multiple=2.5, amount=D("0.13"))]) == [("upheld", 1, D("0.33"))]  # 0.325
    in_points = [audit(amount=None, points=12.5, multiple=2)]
    row = charge_audits(in_points, charged=UPHELD).table[0]
    assert (row["deductions"], row["points_change"]) == (0, -25)
    row = charge_audits(in_points, charged=UPHELD, values={"resident": D("95.5")}).table[0]
    assert (row["deductions"], row["points_change"]) == (D("2387.50"), 0)


def test_months_and_the_year_take_audits_as_they_stand():
    audits = charge_audits([audit(day=DAY(2024, 3, 1)), audit("withdrawn", DAY(2024, 5, 1))], charged=UPHELD).table
    case = {"hospital": "A", "pool": "resident", "month": 1, "case_id": "1", "points": 100, "standard": 9550}
    cases = [case | {"payable": 1000}]
    paid = [{**AUDIT, "kind": "monthly", "amount": 800, "date": DAY(2024, 4, 20)}]

    def lines(day):
        found = month(cases, MonthRules(ratio=D("0.9")), deductions=audits, payments=paid, before=cases, as_of=day)
        return found.table[0]["paid"], [(row["reason"], row["amount"]) for row in found.differences]

    assert lines(DAY(2024, 4, 30)) == (800, [])
    assert lines(DAY(2024, 5, 2)) == (900, [("appeal_won", 100)])
    priced = price_cases([case | {"level": "3", "total_cost": 9, "fund_booked": 6, "patient_paid": 3}], POLICY).table
    budget = {"resident": 10000, "employee": 1}
    sums = [
        clear_year(priced, POLICY, budget=budget, deductions=audits, as_of=DAY(2024, number, 2)).table[0]["deductions"]
        for number in (2, 4, 5)
    ]
    assert sums == [0, 100, 0]


def test_a_hospital_without_cases_owes_its_audits():
    audits = charge_audits([audit(hospital="Z")], charged=UPHELD).table
    case = {"hospital": "A", "pool": "resident", "month": 1, "points": 100, "level": "3", "total_cost": 9}
    priced = price_cases([case | {"fund_booked": 6, "patient_paid": 3}], POLICY).table
    rows = clear_year(priced, POLICY, budget={"resident": 10000, "employee": 1}, deductions=audits).table
    assert [(row["hospital"], row["cases"], row["final"]) for row in rows][1] == ("Z", 0, -100)


# The loss of a violation


CASE = {"case_id": "1", "dx": ["I21", "J96", "E11"], "procs": ["36.0601", "00.66"]}
MONEY = {"total_cost": D("9000.00"), "fund_booked": D("6000.00"), "patient_paid": D("3000.00")}


def test_codes_and_items_go_out():
    violations = [
        {"case_id": "1", "code": "J96", "amount": None, "fund_amount": None},
        {"case_id": "1", "code": "00.66", "amount": D("1000.50"), "fund_amount": 700},
    ]
    others = [{**CASE, **MONEY, "case_id": name} for name in ("0", "2")]
    found = remove_violations([others[0], {**CASE, **MONEY}, others[1]], violations)
    assert [(row["case_id"], row["dx"], row["procs"]) for row in found] == [("1", ["I21", "E11"], ["36.0601"])]
    assert [found[0][name] for name in MONEY] == [D("7999.50"), 5300, D("2699.50")]


def test_the_loss_is_one_payment_less_the_other():
    paid = [{"case_id": name, "hospital": "A", "pool": "resident", "group": "X1", "payable": 6000} for name in "123"]
    without = [
        {"case_id": "3", "group": "X3", "payable": D("4500.10")},
        {"case_id": "1", "group": "X2", "payable": 6500},
        {"case_id": "2", "group": None, "payable": None},
    ]
    rows = measure_losses(paid, without).table
    assert [(row["case_id"], row["group_without"], row["loss"]) for row in rows] == [
        ("3", "X3", D("1499.90")),
        ("1", "X2", -500),
        ("2", None, None),
    ]


BAD = {
    "unknown state": (lambda: charge_audits([audit("closed")], charged=UPHELD), "state.*closed"),
    "unknown charged": (lambda: charge_audits([audit()], charged=["paid"]), "charged= names it"),
    "both": (lambda: charge_audits([audit(points=1.0)], charged=UPHELD), "row 0 needs either"),
    "neither": (lambda: charge_audits([audit(amount=None), audit(audit_id="8")], charged=UPHELD), "row 0 needs either"),
    "negative": (lambda: charge_audits([audit(amount=-1)], charged=UPHELD), "at least 0"),
    "negative multiple": (lambda: charge_audits([audit(multiple=-1)], charged=UPHELD), "'multiple'.*row 0"),
    "two states a day": (lambda: charge_audits([audit(), audit("withdrawn")], charged=UPHELD), "two states of '7'"),
    "no value": (
        lambda: charge_audits([audit(amount=None, points=1.0)], charged=UPHELD, values={"q": 1}),
        "pool 'resident'",
    ),
    "principal": (lambda: remove_violations([CASE], [{"case_id": "1", "code": "I21"}]), "principal diagnosis"),
    "no such code": (lambda: remove_violations([CASE], [{"case_id": "1", "code": "Z00"}]), "no code Z00"),
    "no such case": (lambda: remove_violations([CASE], [{"case_id": "9", "code": "J96"}]), "name the case 9"),
    "too much": (
        lambda: remove_violations([{**CASE, **MONEY}], [{"case_id": "1", "amount": 9001, "fund_amount": 1}]),
        "not within its total_cost",
    ),
    "fund without amount": (
        lambda: remove_violations([{**CASE, **MONEY}], [{"case_id": "1", "fund_amount": 1}]),
        "no amount",
    ),
    "not paid": (
        lambda: measure_losses(
            [{"case_id": "1", "hospital": "A", "pool": "p", "payable": 1}], [{"case_id": "2", "payable": 1}]
        ),
        "row 0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(name):
    call, message = BAD[name]
    with pytest.raises(DrgdipError, match=message):
        call()
