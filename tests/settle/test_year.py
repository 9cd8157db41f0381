"""Months and the year: against their twins, conserved to the fen, whatever the order, with what is wrong said."""

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settle_twins import month_twin, year_twin

from drgdip.errors import CaseError, DrgdipError, InvariantError, PolicyError, UnknownNameError
from drgdip.settle import (
    Policy,
    advance_capital,
    clear_year,
    mark_lists,
    measure_surplus,
    month,
    price_cases,
    share_surplus,
)
from drgdip.settle.ledger import Ledger

D = Decimal
BAND = [{"hospitals": D("0.85")}]


def policy(**changed):
    base = {
        "id": "t",
        "title": "t",
        "family": "drg",
        "pools": ["p", "q"],
        "form": "floating",
        "points": {"scale": 100},
        "cases": {"payable": "residual"},
        "month": {"ratio": D("0.9"), "late": "suspend"},
        "year": {
            "fund": "shared",
            "spending": "booked",
            "surplus": BAND,
            "overspend": BAND,
            "preclearing_ratio": D("0.95"),
        },
        "prepayment": {"months": D("1.5")},
        "appraisal": {"lowest": D("0.8"), "highest": D("1.2"), "difference": "fund"},
    }
    return Policy.of({**base, **changed})


POLICY = policy()
yuan = st.integers(0, 10**8).map(lambda fen: D(fen).scaleb(-2))
CASES = st.lists(
    st.fixed_dictionaries(
        {
            "hospital": st.sampled_from("ABC"),
            "pool": st.sampled_from("pq"),
            "month": st.integers(1, 3),
            "points": st.integers(0, 10**6).map(lambda number: number / 1000),
            "payment_rule": st.just("points"),
            "standard": yuan,
            "payable": yuan,
            "fund_booked": yuan,
            "patient_paid": yuan,
            "list_status": st.sampled_from(["passed", "passed", "passed", "late", "failed"]),
        }
    ).map(lambda case: case | {"total_cost": case["fund_booked"] + case["patient_paid"]}),
    min_size=1,
    max_size=25,
)


def with_points(cases):
    """At least one point that counts in each pool that has cases, so that there is something to divide by."""
    more = {"points": 1.0, "list_status": "passed"}
    return cases + [case | more for case in ({case["pool"]: case for case in cases}).values()]


@given(CASES)
def test_months_equal_their_twin(cases):
    expected = month_twin(cases, POLICY)
    found = month(cases, POLICY).table
    assert len(found) == len(expected)
    for row in found:
        line = expected[row["hospital"], row["pool"], row["month"]]
        assert {name: row[name] for name in line} == line
        assert row["paid"] + row["reserve"] == row["payable"]


@settings(deadline=None)
@given(CASES.map(with_points), st.integers(1, 10**10), st.integers(1, 10**10))
def test_the_year_equals_its_twin(cases, first, second):
    budget = {"p": D(first).scaleb(-2), "q": D(second).scaleb(-2)}
    spent = {
        pool: sum(c["fund_booked"] for c in cases if c["pool"] == pool and c["list_status"] != "failed")
        for pool in "pq"
    }
    found = clear_year(cases, POLICY, budget=budget)
    expected = year_twin(cases, POLICY, budget)
    for row in found.table:
        assert (row["base"], row["sharing"]) == expected.get((row["hospital"], row["pool"]), (0, 0))
    for row in found.pools:
        money = sum(line["base"] + line["sharing"] for line in found.table if line["pool"] == row["pool"])
        assert money == row["fund"]
        if any(line["pool"] == row["pool"] for line in found.table):
            assert row["spending"] + row["shared"] == row["fund"]
        assert row["spending"] == spent[row["pool"]]
        assert row["left"] + row["entitlement"] == row["budget"]


@settings(deadline=None)
@given(CASES.map(with_points), st.randoms())
def test_order_and_chunks_do_not_matter_and_nothing_is_changed(cases, random):
    table = pa.Table.from_pylist(cases)
    shuffled = list(range(len(cases)))
    random.shuffle(shuffled)
    cut = random.randrange(len(cases))
    other = table.take(pa.array(shuffled))
    other = pa.concat_tables([other.slice(0, cut), other.slice(cut)])
    budget = {"p": 10**6, "q": 10**6}
    for step in (lambda rows: month(rows, POLICY), lambda rows: clear_year(rows, POLICY, budget=budget)):
        before = table.to_pylist()
        one, two, again = step(table), step(other), step(table)
        assert one.table.equals(two.table)
        assert one.table.equals(again.table)
        assert one.ledger.equals(two.ledger)
        assert table.to_pylist() == before


@settings(deadline=None)
@given(CASES.map(with_points), st.data())
def test_more_points_never_mean_less_money(cases, data):
    row = data.draw(st.integers(0, len(cases) - 1))
    more = [case | ({"points": case["points"] + 10.0} if number == row else {}) for number, case in enumerate(cases)]
    case = cases[row]
    budget = {"p": 10**8, "q": 10**8}
    one, two = (clear_year(rows, policy(year={"fund": "budget"}), budget=budget).table for rows in (cases, more))
    for before, after in zip(one, two, strict=True):
        if (before["hospital"], before["pool"]) == (case["hospital"], case["pool"]):
            assert after["base"] >= before["base"]
        elif before["pool"] == case["pool"]:
            assert after["base"] <= before["base"]
        else:
            assert after == before


@given(CASES, st.data())
def test_correcting_one_case_changes_only_its_hospital_and_month(cases, data):
    row = data.draw(st.integers(0, len(cases) - 1))
    mended = [case | ({"payable": case["payable"] + 7} if number == row else {}) for number, case in enumerate(cases)]
    key = tuple(cases[row][name] for name in ("hospital", "pool", "month"))
    for before, after in zip(month(cases, POLICY).table, month(mended, POLICY).table, strict=True):
        if tuple(before[name] for name in ("hospital", "pool", "month")) != key:
            assert before == after


@given(st.integers(1, 10**10), st.integers(0, 2 * 10**10))
def test_surplus_and_overspend_are_shared_whole(budget, spent):
    found = share_surplus(D(budget).scaleb(-2), D(spent).scaleb(-2), POLICY)
    assert found["hospitals"] + found["fund"] == found["surplus"] == D(budget - spent).scaleb(-2)
    assert found["hospitals"] * found["surplus"] >= 0


@given(st.integers(0, 3 * 10**6), st.integers(0, 10**5))
def test_hospitals_never_lose_by_a_larger_surplus(spent, less):
    bands = [{"until": D("0.1"), "hospitals": D("0.9")}, {"until": D("0.3"), "hospitals": D("0.5")}, {"hospitals": 0}]
    rule = policy(
        year={"fund": "shared", "spending": "booked", "surplus": bands, "overspend": bands, "bands": "marginal"}
    )
    one, two = (share_surplus(10**6, amount, rule)["hospitals"] for amount in (spent + less, spent))
    assert two >= one


# One small city

CASE = {"pool": "p", "month": 1, "payment_rule": "points", "standard": 1000, "payable": 700, "total_cost": 1000}
CASE |= {"fund_booked": 700, "patient_paid": 300}
CITY = [CASE | {"hospital": name, "points": points} for name, points in (("A", 100.0), ("B", 50.0), ("B", 50.0))]
BUDGET = {"p": 2400, "q": 1}


def test_one_small_city_by_hand():
    """2,100 booked of 2,400: 255 of the surplus of 300 is shared by 100 : 100 points."""
    found = clear_year(CITY, POLICY, budget=BUDGET)
    a, b = found.table
    # (2,100 + 900) / 2 less what the patients paid, and half of 255.
    assert (a["base"], b["base"]) == (1200, 900)
    assert (a["sharing"], b["sharing"]) == (D("127.50"), D("127.50"))
    pool = found.pools[0]
    assert (pool["fund"], pool["left"]) == (2355, 45)
    assert pool["point_value"] == D("16.275")  # (2,355 + 900) / 200


def test_appraisal_deductions_payments_and_working_capital():
    appraisal = [{"hospital": "B", "pool": "p", "appraisal": 0.9}]
    options = {
        "deductions": [{"hospital": "A", "pool": "p", "deductions": D("27.50")}],
        "paid": [{"hospital": "A", "pool": "p", "paid": 600}, {"hospital": "A", "pool": "p", "paid": 200}],
        "working_capital": [{"hospital": "B", "pool": "p", "working_capital": 100}],
    }
    a, b = clear_year(CITY, POLICY, budget=BUDGET, appraisal=appraisal, **options).table
    assert (a["entitlement"], a["final"]) == (1300, 500)
    assert b["appraisal_change"] == D("-102.75")
    assert (b["entitlement"], b["final"]) == (D("924.75"), D("824.75"))
    among = policy(appraisal={"lowest": 0, "highest": 1, "difference": "hospitals"})
    found = clear_year(CITY, among, budget=BUDGET, appraisal=appraisal)
    assert sum(row["entitlement"] for row in found.table) == 2355
    assert found.pools[0]["appraisal_change"] == 0


def test_pre_clearing_pays_its_share_and_takes_nothing_back():
    paid = [{"hospital": "A", "pool": "p", "paid": 2000}]
    a, b = clear_year(CITY, POLICY, budget=BUDGET, paid=paid, stage="pre_clearing").table
    assert (a["final"], b["final"]) == (0, D("976.13"))  # 1,027.50 x 0.95
    a, b = clear_year(CITY, POLICY, budget=BUDGET, paid=paid).table
    assert (a["final"], b["final"]) == (D("-672.50"), D("1027.50"))


def test_a_month_whose_patients_paid_more_than_the_standards_pays_nothing():
    row = month([CITY[0] | {"payable": -5}], POLICY).table[0]
    assert (row["payable"], row["reserve"], row["paid"]) == (-5, -5, 0)


def test_points_rewards_move_money():
    change = [{"hospital": "A", "pool": "p", "points_change": 100}]
    a, b = clear_year(CITY, POLICY, budget=BUDGET, points_change=change).table
    assert (a["points"], a["points_change"], b["points"]) == (200, 100, 100)
    assert a["sharing"] == 170
    assert a["base"] + b["base"] == 2100


def test_cases_outside_the_points_come_off_first():
    outside = CASE | {"hospital": "A", "points": None, "payment_rule": "item"}
    found = clear_year([*CITY, outside], policy(year={"fund": "budget"}), budget=BUDGET)
    a, _ = found.table
    assert (a["outside"], found.pools[0]["outside"]) == (700, 700)
    assert sum(row["base"] for row in found.table) == 1700
    with pytest.raises(PolicyError, match="nothing is left for the points"):
        clear_year([*CITY, outside], policy(year={"fund": "budget"}), budget=BUDGET | {"p": 600})


def test_a_fixed_form_pays_its_standards_and_shares_the_difference():
    fixed = {"form": "fixed", "rates": [{"base_rate": 10}]}
    standards = clear_year(CITY, policy(**fixed, year={"fund": "standards"}), budget=BUDGET)
    assert [row["entitlement"] for row in standards.table] == [700, 1400]
    assert standards.pools[0]["left"] == 300
    year = {"fund": "shared", "spending": "payable", "surplus": BAND, "overspend": BAND}
    shared = clear_year(CITY, policy(**fixed, year=year), budget=BUDGET)
    assert [row["sharing"] for row in shared.table] == [85, 170]
    over = clear_year(CITY, policy(**fixed, year=year), budget=BUDGET | {"p": 1800})
    assert [row["sharing"] for row in over.table] == [-85, -170]


def test_a_pool_without_cases_keeps_its_budget():
    found = clear_year(CITY, POLICY, budget=BUDGET | {"q": 50})
    assert (found.pools[1]["fund"], found.pools[1]["left"]) == (0, 50)


def test_layers_of_the_surplus():
    priced = price_cases([case | {"group": "G"} for case in CITY], POLICY, values={"p": 11, "q": 1}).table
    pool, hospital, group = (
        measure_surplus(priced, by).table for by in ("pool", ["pool", "hospital"], ["pool", "group"])
    )
    assert pool[0]["profit"] == group[0]["profit"] == sum(row["profit"] for row in hospital) == -800


def test_working_capital_is_cut_in_proportion():
    last = [{"hospital": name, "pool": "p", "paid": paid} for name, paid in (("A", 1200), ("B", 600))]
    granted = [row["working_capital"] for row in advance_capital(last, POLICY).table]
    assert granted == [150, 75]
    granted = [row["working_capital"] for row in advance_capital(last, POLICY, available={"p": 100}).table]
    assert granted == [D("66.66"), D("33.33")]
    applied = [{"hospital": name, "pool": "p", "applied": 10} for name in "AB"]
    assert [row["working_capital"] for row in advance_capital(last, POLICY, applications=applied).table] == [10, 10]


def test_lists_in_time_late_and_failed():
    rule = policy(calendar={"upload_days": 7})
    day = datetime.date
    cases = [
        (day(2024, 1, 1), day(2024, 1, 8), None, "passed"),
        (day(2024, 1, 1), day(2024, 1, 9), True, "late"),
        (day(2024, 1, 1), None, None, "late"),
        (None, day(2024, 1, 1), None, "late"),
        (day(2024, 1, 1), day(2024, 1, 2), False, "failed"),
    ]
    rows = [{"discharged": out, "submitted": came, "list_passed": passed} for out, came, passed, _ in cases]
    found = mark_lists(rows, rule)
    assert [row["list_status"] for row in found] == [status for *_, status in cases]
    # Working days: from a Friday past a weekend and a holiday; from a Saturday as from the Friday before.
    working = policy(calendar={"upload_days": 1, "working_days": True})
    days = [{"discharged": day(2024, 3, number), "submitted": day(2024, 3, 5)} for number in (1, 2)]
    off = [{"day": day(2024, 3, 4), "working": False}]
    weekdays = [{"day": day(2024, 5, 1), "working": False}]
    assert [row["list_due"] for row in mark_lists(days, working, calendar=weekdays)] == [day(2024, 3, 4)] * 2
    assert [row["list_status"] for row in mark_lists(days, working, calendar=off)] == ["passed"] * 2
    made_up = [*off, {"day": day(2024, 3, 3), "working": True}]
    assert [row["list_due"] for row in mark_lists(days, working, calendar=made_up)] == [day(2024, 3, 3)] * 2
    # Without the days off the days of the calendar count, and the row says so.
    assert [row["list_due"] for row in mark_lists(days, working)] == [day(2024, 3, 2), day(2024, 3, 3)]
    assert [row["list_due_rule"] for row in mark_lists(days, working)] == ["calendar_days"] * 2
    with pytest.raises(PolicyError, match="does not say when lists are due"):
        mark_lists(days, POLICY)


# What is wrong is said


def change(**values):
    return [CASE | {"hospital": "A", "points": 1.0} | values]


BAD = {
    "float money": (
        lambda: clear_year(change(payable=0.5), POLICY, budget=BUDGET),
        CaseError,
        "'payable' of the cases holds floats",
    ),
    "missing money": (
        lambda: clear_year(change(fund_booked=None), POLICY, budget=BUDGET),
        CaseError,
        "missing_amount: 1 case with 0.00 yuan, in row 0: an amount is missing.*'leave_out'",
    ),
    "negative money": (
        lambda: clear_year(change(total_cost=-1), POLICY, budget=BUDGET),
        CaseError,
        "negative: 1 case with .* in row 0: an amount is below 0.*'by_item' or 'leave_out'",
    ),
    "a case without pool": (
        lambda: clear_year(change(pool=None), POLICY, budget=BUDGET),
        CaseError,
        "no_pool: 1 case with .* in row 0: pool is missing",
    ),
    "a case without hospital": (
        lambda: month(change(hospital=""), POLICY),
        CaseError,
        "no_hospital: 1 case with .* in row 0: hospital is missing",
    ),
    "another pool": (lambda: month(change(pool="x"), POLICY), CaseError, "no_pool.*'x'; policy 't' has p, q"),
    "no column": (lambda: month([{"hospital": "A"}], POLICY), UnknownNameError, "no column 'pool'"),
    "another list status": (lambda: month(change(list_status="lost"), POLICY), CaseError, "list_status holds 'lost'"),
    "another rule": (
        lambda: clear_year(change(payment_rule="x"), POLICY, budget=BUDGET),
        CaseError,
        "payment_rule holds 'x'",
    ),
    "points that are missing": (
        lambda: clear_year(change(points=None), POLICY, budget=BUDGET),
        CaseError,
        "'points' of the cases is missing in row 0",
    ),
    "no cases": (lambda: clear_year([], POLICY, budget=BUDGET), DrgdipError, "no column"),
    "a budget of 0": (
        lambda: clear_year(CITY, POLICY, budget=BUDGET | {"p": 0}),
        PolicyError,
        "budget= of the pool 'p' is 0.00",
    ),
    "a negative budget": (lambda: clear_year(CITY, POLICY, budget=BUDGET | {"p": -1}), PolicyError, "is negative"),
    "a float budget": (lambda: clear_year(CITY, POLICY, budget=BUDGET | {"p": 1.5}), PolicyError, "is a float"),
    "no budget": (lambda: clear_year(CITY, POLICY, budget={"p": 1}), PolicyError, "no amount for the pool 'q'"),
    "a budget of another pool": (
        lambda: clear_year(CITY, POLICY, budget=BUDGET | {"x": 1}),
        UnknownNameError,
        "no pool 'x'",
    ),
    "no points": (lambda: clear_year(change(points=0.0), POLICY, budget=BUDGET), PolicyError, "and no points"),
    "appraisal out of bounds": (
        lambda: clear_year(CITY, POLICY, budget=BUDGET, appraisal=[{"hospital": "A", "pool": "p", "appraisal": 2}]),
        PolicyError,
        r"hospital A pool p is 2, and the policy has 0.8 to 1.2",
    ),
    "no appraisal": (
        lambda: clear_year(CITY, POLICY, budget=BUDGET, appraisal=[{"hospital": "A", "pool": "p", "appraisal": None}]),
        CaseError,
        "'appraisal' of the table appraisal= is missing in row 0",
    ),
    "a negative deduction of the year": (
        lambda: clear_year(CITY, POLICY, budget=BUDGET, deductions=[{"hospital": "A", "pool": "p", "deductions": -1}]),
        PolicyError,
        "deductions= is negative in row 0",
    ),
    "no change of points": (
        lambda: clear_year(
            CITY, POLICY, budget=BUDGET, points_change=[{"hospital": "A", "pool": "p", "points_change": None}]
        ),
        CaseError,
        "'points_change' of the table points_change= is missing in row 0",
    ),
    "appraisal without rule": (
        lambda: clear_year(
            CITY, policy(appraisal=None), budget=BUDGET, appraisal=[{"hospital": "A", "pool": "p", "appraisal": 1}]
        ),
        PolicyError,
        "has no appraisal",
    ),
    "another hospital": (
        lambda: clear_year(CITY, POLICY, budget=BUDGET, paid=[{"hospital": "Z", "pool": "p", "paid": 1}]),
        CaseError,
        "hospital 'Z'.*has no cases",
    ),
    "too many points taken": (
        lambda: clear_year(
            CITY, POLICY, budget=BUDGET, points_change=[{"hospital": "A", "pool": "p", "points_change": -101}]
        ),
        PolicyError,
        "takes more points than there are at hospital A pool p",
    ),
    "another stage": (lambda: clear_year(CITY, POLICY, budget=BUDGET, stage="x"), PolicyError, "stage='x'"),
    "no pre-clearing": (
        lambda: clear_year(CITY, policy(year={"fund": "budget"}), budget=BUDGET, stage="pre_clearing"),
        PolicyError,
        "has no pre-clearing",
    ),
    "a negative deduction": (
        lambda: month(change(), POLICY, deductions=[{"hospital": "A", "pool": "p", "month": 1, "deductions": -1}]),
        PolicyError,
        "at least 0",
    ),
    "no prepayment": (lambda: advance_capital([], policy(prepayment=None)), PolicyError, "add the section"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(name):
    call, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        call()


def test_a_sum_that_does_not_agree_is_an_error_with_its_rows():
    ledger = Ledger("a step")
    with pytest.raises(InvariantError, match="a step: one = two does not hold. y: 3 yuan should be = 4") as caught:
        ledger.check("one = two", ["x", "y"], np.array([100, 300]), np.array([100, 400]))
    assert caught.value.rows.to_pylist()[0]["where"] == "y"
    assert (caught.value.step, caught.value.invariant, len(caught.value.rows)) == ("a step", "one = two", 1)
    with pytest.raises(InvariantError, match="and 1 more"):
        ledger.check("few", [str(n) for n in range(6)], 2, 1, relation="<=")
    assert ledger.table().num_rows == 0
