"""Working capital: eligibility, base, applications, division and repayment, against a slow twin."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_payment import policy

from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import advance_capital, check_prepayment
from drgdip.settle.money_rules import PrepaymentRules

D = Decimal


def rules(**changed):
    return PrepaymentRules(**{"months": D(1)} | changed)


def last(**paid):
    return [{"hospital": name, "pool": "p", "paid": amount} for name, amount in paid.items()]


def asked(**applied):
    return [{"hospital": name, "pool": "p", "applied": amount} for name, amount in applied.items()]


def granted(found):
    return {row["hospital"]: row["working_capital"] for row in found.table}


def reasons(found):
    return {row["hospital"]: row["reason"] for row in found.table}


def test_a_pool_may_prepay_by_its_balance_and_results():
    rule = rules(least_balance={"p": 12, "q": 6})
    good = {"pool": "p", "balance": 1200, "spending": 1200, "result": 0, "forecast": 0}
    pools = [
        good,
        good | {"pool": "q", "balance": D("599.99")},
        good | {"pool": "q", "balance": 600, "result": D("-0.01")},
        good | {"balance": 9999, "forecast": -1},
    ]
    for pool, expected in zip(pools, [None, "small_balance:6", "deficit_last_year", "deficit_forecast"], strict=True):
        row = check_prepayment([pool], rule)[0]
        assert (row["eligible"], row["reason"]) == (expected is None, expected)
    assert check_prepayment([good], rule)[0]["balance_months"] == 12
    found = advance_capital(last(H=1200), rule, pools=[good | {"balance": 1}])
    assert (granted(found), reasons(found)) == ({"H": 0}, {"H": "pool_not_eligible"})
    assert granted(advance_capital(last(H=1200), rule, pools=[good])) == {"H": 100}


def test_the_base_is_the_mean_month_of_the_years():
    assert granted(advance_capital(last(H=3600), rules(years=3, months=D("1.5")))) == {"H": 150}
    assert advance_capital(last(H=3600), rules(years=3)).table[0]["mean_month"] == 100


def test_applications_in_time_and_by_score():
    rule = rules(
        apply_from="01-01", apply_by="01-10", scores=[{"score": 60, "share": D("0.5")}, {"score": 80, "share": 1}]
    )
    day = datetime.date
    more = [(day(2026, 1, 1), 80), (day(2026, 1, 10), 79.9), (day(2026, 1, 11), 99), (None, 99), (day(2026, 1, 2), 59)]
    names = "ABCDE"
    rows = [
        {"hospital": name, "pool": "p", "applied": 90, "applied_on": on, "score": score}
        for name, (on, score) in zip(names, more, strict=True)
    ]
    found = advance_capital(last(**dict.fromkeys(names, 1200), F=1200), rule, applications=rows)
    assert list(granted(found).values()) == [90, 50, 0, 0, 0, 0]
    late = "applied_out_of_time"
    assert list(reasons(found).values()) == [None, "score_share", late, late, "score_share", "not_applied"]
    assert [found.publication[0][name] for name in ("hospitals", "applicants", "granted")] == [6, 5, 2]


def test_a_pool_that_has_less_divides_by_points_up_to_the_requests():
    rule = rules(divide="points")
    points = {"A": 10, "B": 10, "C": 20}
    rows = [row | {"points": points[row["hospital"]]} for row in asked(A=10, B=100, C=100)]
    found = advance_capital(last(A=1200, B=1200, C=1200), rule, applications=rows, available={"p": 100})
    # 100 by 10 : 10 : 20 gives A 25, of which it takes 10; the other 90 go by 10 : 20.
    assert granted(found) == {"A": 10, "B": 30, "C": 60}
    assert reasons(found) == {"A": None, "B": "pool_lacks_money", "C": "pool_lacks_money"}


amounts = st.integers(0, 10**6)


@given(st.lists(st.tuples(amounts, amounts, st.integers(0, 50)), min_size=1, max_size=8), st.integers(0, 10**6))
def test_division_by_points_equals_its_twin(rows, fen):
    names = [f"H{n}" for n in range(len(rows))]
    paid = [
        {"hospital": name, "pool": "p", "paid": D(row[0]).scaleb(-2)} for name, row in zip(names, rows, strict=True)
    ]
    given_ = [
        {"hospital": name, "pool": "p", "applied": D(row[1]).scaleb(-2), "points": row[2]}
        for name, row in zip(names, rows, strict=True)
    ]
    available = {"p": D(fen).scaleb(-2)}
    found = advance_capital(paid, rules(divide="points"), applications=given_, available=available)
    may = {row["hospital"]: min(row["applied"], row["highest"]) for row in found.table}
    if sum(may.values()) <= available["p"]:
        assert granted(found) == may
        return
    # Raise the water level: a hospital gets points x level, up to its grant, until the money is used.
    points = {name: row[2] for name, row in zip(names, rows, strict=True)}
    low, high = D(0), D(10**6)
    for _ in range(120):
        level = (low + high) / 2
        used = sum(min(points[name] * level, may[name]) for name in names)
        low, high = (level, high) if used <= available["p"] else (low, level)
    for name, amount in granted(found).items():
        assert abs(amount - min(points[name] * low, may[name])) <= D("0.02") * len(names)
    assert sum(granted(found).values()) <= available["p"]


@given(st.integers(0, 10**8), st.sets(st.integers(1, 12), min_size=1))
def test_repayments_come_to_the_advance(fen, months):
    found = advance_capital(last(H=D(fen).scaleb(-2)), rules(repay_months=tuple(months)))
    amounts = [row["amount"] for row in found.repayments]
    assert sum(amounts) == granted(found)["H"]
    if amounts:
        assert [row["month"] for row in found.repayments] == sorted(months)
        assert max(amounts) - min(amounts) <= D("0.01")


def test_a_whole_policy_and_its_section_alone_agree():
    made = policy(prepayment={"months": 2, "repay_months": [12]})
    assert advance_capital(last(H=1200), made).table == advance_capital(last(H=1200), made.prepayment).table
    with pytest.raises(UnknownNameError, match="'x'"):
        advance_capital([{"hospital": "H", "pool": "x", "paid": 1}], made)


FAULTS = {
    "no days of application": (
        lambda: advance_capital(last(H=1), rules(divide="points")),
        "reads points of applications",
    ),
    "no pools": (lambda: advance_capital(last(H=1), rules(least_balance={"p": 1})), "give pools="),
    "twice": (lambda: advance_capital(last(H=1), rules(), applications=[*asked(H=1), *asked(H=1)]), "hospital twice"),
    "below 0": (lambda: advance_capital(last(H=1), rules(), applications=asked(H=-1)), "negative amount"),
    "one date": (lambda: policy(prepayment={"months": 1, "apply_by": "01-10"}), "belong together"),
    "falling scores": (
        lambda: policy(prepayment={"months": 1, "scores": [{"score": 2, "share": 1}, {"score": 1, "share": 1}]}),
        "they must rise",
    ),
    "month twice": (lambda: policy(prepayment={"months": 1, "repay_months": [1, 1]}), "stands twice"),
    "unknown pool": (lambda: policy(prepayment={"months": 1, "least_balance": {"x": 1}}), "names the pool 'x'"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name):
    call, message = FAULTS[name]
    with pytest.raises(PolicyError, match=message):
        call()


def test_an_application_without_an_amount_is_refused():
    with pytest.raises(CaseError, match="'applied' of the table applications= is missing in row 0"):
        advance_capital(last(H=1), rules(), applications=asked(H=None))
    with pytest.raises(CaseError, match="which has no cases"):
        advance_capital(last(H=1), rules(), applications=asked(K=1))
