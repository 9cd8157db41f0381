"""Months that were paid: what is due is a difference, and every difference says why."""

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from drgdip.errors import CaseError, DrgdipError, PolicyError
from drgdip.settle import clear_year, month, pick_versions, read_policy, settle_year, sum_payments
from drgdip.settle.rules import MonthRules

D = Decimal
POLICY = read_policy("docs/examples/policy.toml")
RULES = MonthRules(ratio=D("0.9"), late="suspend")
DAY = datetime.date
PLACE = {"hospital": "A", "pool": "resident", "month": 1}
PRICED = {**PLACE, "points": 100, "standard": 1200, "list_status": "passed", "review_status": None}


def case(number, payable, **more):
    return {**PRICED, "case_id": str(number), "payable": payable, **more}


def payment(amount, kind="monthly", **more):
    return {**PLACE, "kind": kind, "amount": amount, "date": DAY(2024, 2, 20), "reference": None, **more}


def lines(found):
    return [(row["reason"], row["cases"], row["amount"]) for row in found.differences]


# Kinds of payments


def test_the_kind_says_which_way_the_money_went():
    kinds = ["monthly", "prepayment", "supplement", "recovery", "deduction", "deposit", "return"]
    row = sum_payments([payment(10 ** (number + 1), kind) for number, kind in enumerate(kinds)])[0]
    assert [row[kind] for kind in kinds] == [D(10) ** (number + 1) for number in range(7)]
    assert row["net"] == 10 + 100 + 1000 - 10_000 - 100_000 - 1_000_000 + 10_000_000
    assert row["payments"] == 7


def test_payments_of_a_later_day_do_not_count():
    payments = [payment(10), payment(5, date=DAY(2024, 3, 20))]
    sums = [sum_payments(payments, as_of=day)[0]["net"] for day in (DAY(2024, 3, 19), DAY(2024, 3, 20))]
    assert sums == [10, 15]


BAD = {
    "negative": ([payment(-1)], "negative"),
    "no amount": ([payment(None), payment(1)], "missing"),
    "unknown kind": ([payment(1, "refund")], "kind of payment.*refund"),
    "no kind": ([payment(1, None), payment(1)], "empty"),
    "twice": ([payment(1, reference="7"), payment(2), payment(1, reference="7")], "twice.*rows 0 and 2"),
    "no day": ([payment(1, date=None), payment(1)], "no date in row 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_payments_that_cannot_be_counted_are_refused(name):
    payments, message = BAD[name]
    with pytest.raises(DrgdipError, match=message):
        sum_payments(payments, as_of=DAY(2025, 1, 1))


def test_one_reference_may_pay_several_hospitals():
    assert len(sum_payments([payment(1, reference="7"), payment(1, reference="7", hospital="B")])) == 2


# What is due


def test_a_month_that_was_not_paid_is_due_whole():
    found = month([case(1, 1000)], RULES, payments=[payment(5, month=2)])
    assert [(row["month"], row["paid"], row["paid_before"], row["due"]) for row in found.table] == [
        (1, 900, 0, 900),
        (2, 0, 5, -5),
    ]
    assert lines(found) == [("first_payment", 1, 1000), ("reserve", 0, -100), ("paid_otherwise", 0, -5)]


CHANGES = {
    # name: (before, now, reason, cases, change of payable)
    "late list": (case(1, 1000, list_status="late"), case(1, 1000), "late_list", 1000),
    "failed list mended": (case(1, 1000, list_status="failed"), case(1, 1000), "late_list", 1000),
    "list never sent": (None, case(1, 1000), "late_list", 1000),
    "corrected list": (case(1, 1000), case(1, 700), "corrected_list", -300),
    "review": (case(1, 1000), case(1, 1500, review_status="approved"), "review_outcome", 500),
    "review decides the price": (case(1, None, review_status="open"), case(1, 9, review_status="approved"),
                                 "review_outcome", 9),
    "price found": (case(1, None), case(1, 1000), "price_found", 1000),
    "list failed later": (case(1, 1000), case(1, 1000, list_status="failed"), "list_suspended", -1000),
    "price lost": (case(1, 1000), case(1, None), "price_lost", -1000),
    "withdrawn": (case(1, 1000), None, "withdrawn", -1000),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_says_why(name):
    before, now, reason, change = CHANGES[name]
    other = case(2, 5000)
    stood = [other, *([before] if before else [])]
    accept = {"unpriced": "leave_out"}
    was = month(stood, RULES, accept=accept).table[0]["paid"]
    found = month([other, *([now] if now else [])], RULES, payments=[payment(was)], before=stood, accept=accept)
    assert lines(found) == [(reason, 1, change), ("reserve", 0, D(-change) / 10)]
    assert found.table[0]["due"] == D(change) * 9 / 10


def test_a_case_that_moved_leaves_its_old_month():
    stood = [case(1, 1000), case(2, 1000, month=2)]
    payments = [payment(900), payment(900, month=2)]
    found = month([case(1, 1000, month=2), case(2, 1000, month=2)], RULES, payments=payments, before=stood)
    assert [row["due"] for row in found.table] == [-900, 900]
    assert lines(found) == [
        ("corrected_list", 1, -1000),
        ("reserve", 0, 100),
        ("corrected_list", 1, 1000),
        ("reserve", 0, -100),
    ]


def test_audits_and_appeals_have_a_reason_by_the_day_from_which_they_count():
    cases, audit = [case(1, 1000)], {**PLACE, "deductions": 50}
    later = [audit | {"as_of": DAY(2024, 3, 1)}]
    found = month(cases, RULES, payments=[payment(900)], before=cases, deductions=later)
    assert lines(found) == [("audit", 0, -50)]
    # Before that day there is nothing to deduct.
    early = month(cases, RULES, payments=[payment(900)], before=cases, deductions=later, as_of=DAY(2024, 2, 28))
    assert (lines(early), early.table[0]["deductions"]) == ([], 0)


def test_what_was_paid_otherwise_than_owed_is_said():
    found = month([case(1, 1000)], RULES, payments=[payment(850)], before=[case(1, 1000)])
    assert lines(found) == [("paid_otherwise", 0, 50)]
    # Nobody says how the cases stood: the difference has no other reason.
    assert lines(month([case(1, 1000)], RULES, payments=[payment(850)])) == [("paid_otherwise", 0, 50)]


def test_later_months_are_not_settled():
    cases = [case(1, 1000), case(2, 2000, month=2), case(3, 3000, month=3)]
    found = month(cases, RULES, month=2, payments=[payment(900), payment(1, month=3)])
    assert [(row["month"], row["due"]) for row in found.table] == [(1, 0), (2, 1800)]
    with pytest.raises(DrgdipError, match="month='March'"):
        month(cases, RULES, month="March")


def test_deposits_withheld_are_entered_gross_or_net():
    cases = [case(1, 1000)]
    gross = [payment(1000), payment(100, "deposit")]
    assert month(cases, RULES, payments=gross).table[0]["due"] == 0
    # Prepayments and returned deposits are no payment of a month.
    more = [*gross, payment(77, "prepayment"), payment(77, "return")]
    assert month(cases, RULES, payments=more).table[0]["due"] == 0


def test_deductions_of_a_hospital_without_cases_wait_for_the_year():
    found = month([case(1, 1000)], RULES, deductions=[{**PLACE, "hospital": "Z", "deductions": 10}])
    assert [(row["hospital"], row["cases"], row["open_deductions"], row["paid"]) for row in found.table] == [
        ("A", 1, 0, 900),
        ("Z", 0, 10, 0),
    ]


# Budgets of months, and hospitals that do not send


def test_the_months_budget_gives_the_value():
    rules = POLICY.replace(month={"ratio": D("0.9"), "value": "budget"})
    assert rules.cases.payable == "residual"
    cases = [
        case(1, 1, points=30, patient_paid=100, payment_rule="points"),
        case(2, 1, hospital="B", points=70, patient_paid=400, payment_rule="points"),
        case(3, 600, hospital="B", points=5, patient_paid=9, payment_rule="item"),
    ]
    budget = [{"pool": "resident", "month": 1, "amount": 10600}]
    table = month(cases, rules, budget=budget).table
    # (10600 - 600 + 500) x 30 % - 100, and x 70 % - 400 + 600.
    assert [row["payable"] for row in table] == [3050, 7550]
    assert [row["budget_change"] for row in table] == [3049, 6949]
    for wrong, message in (
        (None, "give budget="),
        ([{"pool": "resident", "month": 2, "amount": 1}], "no amount for pool"),
    ):
        with pytest.raises(DrgdipError, match=message):
            month(cases, rules, budget=wrong)
    with pytest.raises(DrgdipError, match="month.value or month.cap"):
        month(cases, RULES, budget=budget)


def test_the_months_budget_caps_the_estimates():
    rules = MonthRules(ratio=1, cap=True)
    cases = [case(1, 3000), case(2, 1000, hospital="B"), case(3, -100, hospital="C")]
    budget = [{"pool": "resident", "month": 1, "amount": 1900}]
    # 3900 is cut by 2000, which falls on A and B as 3 to 1.
    assert [row["payable"] for row in month(cases, rules, budget=budget).table] == [1500, 500, -100]
    budget[0]["amount"] = 3900
    assert [row["payable"] for row in month(cases, rules, budget=budget).table] == [3000, 1000, -100]
    paid = [payment(1500), payment(500, hospital="B")]
    found = month(cases, rules, budget=budget, payments=paid)
    assert sum(row["due"] for row in found.table) == 2000


def test_a_hospital_that_does_not_send_waits_with_its_whole_month():
    cases = [
        case(1, 1000),
        case(2, 500, list_status="late", pool="employee"),
        case(3, 70, month=2),
        case(4, 9, hospital="B"),
    ]
    paid = [row["paid"] for row in month(cases, MonthRules(ratio=1, late="suspend_hospital")).table]
    assert paid == [0, 0, 70, 9]
    assert sum(row["paid"] for row in month(cases, MonthRules(ratio=1, late="suspend")).table) == 1079
    with pytest.raises(PolicyError, match=r"month\.late: .* 1 cases have one, the first in row 1: say suspend \(the"):
        month(cases, MonthRules(ratio=1))


# Versions


def version(day, **more):
    return {"case_id": "1", "as_of": DAY(2024, 2, day), **more}


def test_the_last_version_of_a_day_counts():
    rows = [
        version(9, x=2, version=2),
        version(5, x=0, version=1),
        version(9, x=1, version=1),
        {**version(1, x=9), "case_id": "2", "version": 1},
    ]
    assert [[row["x"] for row in pick_versions(rows, DAY(2024, 2, day))] for day in (1, 4, 5, 8, 9, 10)] == [
        [9], [9], [0, 9], [0, 9], [2, 9], [2, 9],
    ]  # fmt: skip
    assert [row["x"] for row in pick_versions(rows)] == [2, 9]
    plain = [{"case_id": "1"}]
    assert pick_versions(plain) is plain


def test_a_withdrawn_case_is_out_until_it_comes_back():
    rows = [version(1, x=1, withdrawn=False), version(2, x=1, withdrawn=True), version(3, x=2, withdrawn=False)]
    assert [[row["x"] for row in pick_versions(rows, DAY(2024, 2, day))] for day in (1, 2, 3)] == [[1], [], [2]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([version(1, x=1), version(1, x=2)], "two versions.*rows 0 and 1"),
        ([version(1, x=1), {"case_id": "1", "as_of": None, "x": 1}], "'as_of'.*row 1"),
        ([version(1, x=1), {"case_id": None, "as_of": DAY(2024, 2, 1), "x": 1}], "'case_id'.*row 1"),
    ],
)
def test_versions_that_cannot_be_told_apart_are_refused(rows, message):
    with pytest.raises(DrgdipError, match=message):
        pick_versions(rows)


def test_a_day_on_which_no_case_counts_is_said():
    """A list of records without rows has no columns, so that the error named one that is missing."""
    cases = [case(1, 1000, as_of=DAY(2024, 2, 5))]
    early = DAY(2024, 2, 4)
    message = "no case counts on 2024-02-04: the cases count from 2024-02-05 on, or are withdrawn"
    for rows in (cases, pa.Table.from_pylist(cases)):
        for door in (
            lambda rows=rows: month(rows, MonthRules(ratio=1), as_of=early),
            lambda rows=rows: clear_year(rows, POLICY, budget={"p": 1}, as_of=early),
            lambda rows=rows: settle_year(rows, POLICY, budget={"p": 1}, as_of=early),
        ):
            with pytest.raises(CaseError, match=message):
                door()


def test_the_versions_of_the_last_payment_are_the_earlier_cases():
    cases = [
        case(1, 1000, as_of=DAY(2024, 2, 5)),
        case(1, 700, as_of=DAY(2024, 3, 5)),
        case(1, 1, as_of=DAY(2024, 4, 5)),
    ]
    payments = [payment(900), payment(270, "recovery", date=DAY(2024, 3, 20))]
    march = month(cases, RULES, payments=payments, as_of=DAY(2024, 3, 19))
    assert lines(march) == [("corrected_list", 1, -300), ("reserve", 0, 30)]
    again = month(cases, RULES, payments=payments, as_of=DAY(2024, 3, 31))
    assert (lines(again), again.table[0]["due"]) == ([], 0)


# The year


def test_the_year_takes_payments_and_redoes_none():
    cases = [
        {
            **case(1, 500, hospital=name),
            "payment_rule": "points",
            "total_cost": 600,
            "fund_booked": 470,
            "patient_paid": 130,
        }
        for name in ("A", "B")
    ]
    payments = [payment(100), payment(30, "prepayment", month=None), payment(20, "recovery"), payment(7, hospital="Z")]
    found = clear_year(cases, POLICY, budget={"resident": 1000, "employee": 1}, payments=payments)
    rows = {row["hospital"]: row for row in found.table}
    assert (rows["A"]["paid"], rows["A"]["working_capital"], rows["B"]["paid"]) == (80, 30, 0)
    assert rows["A"]["final"] == rows["A"]["entitlement"] - 110
    assert (rows["Z"]["cases"], rows["Z"]["entitlement"], rows["Z"]["final"]) == (0, 0, -7)
    with pytest.raises(DrgdipError, match="leave paid= and working_capital= out"):
        clear_year(cases, POLICY, budget={"resident": 1000, "employee": 1}, payments=payments, paid=[])


def test_a_year_as_of_a_day_is_the_same_later():
    cases = [
        {
            **case(number, None, points=points, as_of=day),
            "level": "3",
            "group": "X",
            "total_cost": 9000,
            "fund_booked": 6000,
            "patient_paid": 3000,
        }
        for number, points, day in ((1, 100, DAY(2024, 2, 5)), (2, 80, DAY(2024, 2, 6)), (1, 90, DAY(2024, 3, 9)))
    ]
    options = {"budget": {"resident": 20000, "employee": 1}}
    payments = [payment(1000), payment(500, date=DAY(2024, 3, 20))]
    then = settle_year(cases[:2], POLICY, payments=payments[:1], **options)
    now = settle_year(cases, POLICY, payments=payments, as_of=DAY(2024, 3, 1), **options)
    assert now.clearing.table == then.clearing.table
    assert now.months == then.months
    last = settle_year(cases, POLICY, payments=payments, **options)
    assert last.clearing.table != then.clearing.table
    assert [row["reason"] for row in last.differences] == ["paid_otherwise"]  # nothing changed since
    march = settle_year(cases, POLICY, payments=payments[:1], **options)
    assert [row["reason"] for row in march.differences] == ["corrected_list", "reserve", "paid_otherwise"]
