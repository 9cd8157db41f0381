"""Scores of hospitals, and what they give: coefficients, points, deposits."""

from decimal import Decimal

import pytest

from drgdip.errors import DrgdipError
from drgdip.settle import appraise_hospitals, clear_year, month, price_cases, read_policy, return_deposits
from drgdip.settle._account import Account
from drgdip.settle.rules import AppraisalRules, DepositRules

D = Decimal
POLICY = read_policy("docs/examples/policy.toml")
BUDGET = {"resident": 30000, "employee": 1}


def at(hospital, **more):
    return {"hospital": hospital, "pool": "resident", **more}


def cases(**points):
    rows = [
        at(name, month=1, level="3", points=value, total_cost=9000, fund_booked=6000, patient_paid=3000)
        for name, value in points.items()
    ]
    return price_cases(rows, POLICY).table


BANDS = [{"at_least": 90, "gives": 1}, {"at_least": 60, "gives": D("0.95")}, {"at_least": 0, "gives": D("0.9")}]
RULES = {"lowest": 0, "highest": 2, "difference": "fund", "weights": {"a": D("0.25"), "b": D("0.75")}, "bands": BANDS}


@pytest.mark.parametrize(
    ("a", "b", "score", "coefficient"),
    [(100, 100, 100, 1), (90, 90, 90, 1), (100, 86.6, 89.95, 0.95), (60, 60, 60, 0.95),
     (0, 79.9, 59.925, 0.9), (0, 0, 0, 0.9)],
)  # fmt: skip
def test_a_score_falls_in_the_first_band_that_it_reaches(a, b, score, coefficient):
    row = appraise_hospitals([at("A", a=a, b=b)], AppraisalRules(**RULES))[0]
    assert (row["score"], row["appraisal"]) == (score, coefficient)


def test_the_appraisal_changes_money_or_points_by_the_same_share():
    rules = POLICY.replace(appraisal=RULES)
    priced, scores = cases(A=100, B=100), [at("A", a=70, b=70), at("B", a=99, b=99)]
    found = appraise_hospitals(scores, rules, points=[at("A", points=100.0), at("B", points=100.0)])
    assert [row["points_change"] for row in found] == [-5, 0]
    plain = clear_year(priced, rules, budget=BUDGET).table
    by_money = clear_year(priced, rules, budget=BUDGET, appraisal=found).table
    assert by_money[0]["entitlement"] == plain[0]["entitlement"] * D("0.95")
    by_points = clear_year(priced, rules, budget=BUDGET, points_change=found)
    # Points are won and lost among hospitals: the money of the pool stays.
    assert [row["points"] for row in by_points.table] == [95, 100]
    assert sum(row["entitlement"] for row in by_points.table) == sum(row["entitlement"] for row in plain)


@pytest.fixture
def balances():
    """Return a function that appraises made-up balances under a rule."""

    def appraise(earned, factors, difference):
        import numpy as np

        account = Account.__new__(Account)
        account.policy = POLICY.replace(appraisal={"lowest": 0, "highest": 2, "difference": difference})
        account.earned = np.array(earned, np.int64)
        account.factor = np.array([int(D(str(factor)) * 10**12) for factor in factors], np.int64)
        account.year = type("Year", (), {"pool": np.zeros(len(earned), int)})
        account.appraise(None)
        return account.appraised.tolist()

    return appraise


def test_a_coefficient_of_one_changes_nothing(balances):
    for difference in ("fund", "hospitals"):
        assert balances([1000, -1000, 1000], [1, 1, 1], difference) == [1000, -1000, 1000]


def test_a_bad_appraisal_makes_no_debt_less(balances):
    assert balances([1000, -1000], [0.9, 0.5], "fund") == [900, -1000]
    # The 100 that A loses go to those that are owed money, as 900 to 1000.
    assert balances([1000, -1000, 1000], [0.9, 0.5, 1], "hospitals") == [947, -1000, 1053]


def test_what_nobody_can_get_is_refused(balances):
    with pytest.raises(DrgdipError, match="nobody is left"):
        balances([1000, -5], [0, 1], "hospitals")


# Deposits


def test_a_deposit_comes_back_by_score_and_the_year_keeps_the_rest():
    priced = cases(A=100, B=100)
    months = month(priced, POLICY).table
    scores = [at("A", score=95), at("B", score=75)]
    rules = DepositRules(bands=[{"at_least": 90, "gives": 1}, {"at_least": 0, "gives": D("0.8")}])
    found = return_deposits(months, scores, rules, columns={"deposit": "reserve"}).table
    reserve = months[1]["reserve"]
    assert reserve == D("655.00")
    assert [(row["returned"], row["deposit_kept"]) for row in found] == [
        (reserve, 0),
        (reserve * D("0.8"), reserve / 5),
    ]
    plain = clear_year(priced, POLICY, budget=BUDGET)
    kept = clear_year(priced, POLICY, budget=BUDGET, deposits_kept=found)
    assert [row["entitlement"] for row in kept.table] == [
        plain.table[0]["entitlement"],
        plain.table[1]["entitlement"] - reserve / 5,
    ]
    assert next(pool["left"] for pool in kept.pools if pool["pool"] == "resident") == reserve / 5 + next(
        pool["left"] for pool in plain.pools if pool["pool"] == "resident"
    )


def test_nothing_was_withheld_where_the_reserve_is_negative():
    rows = [at("A", deposit=100), at("A", deposit=-40)]
    assert (
        return_deposits(rows, [at("A", score=1)], DepositRules(bands=[{"at_least": 0, "gives": 1}])).table[0]["deposit"]
        == 100
    )


def appraisal(scores, **changed):
    return appraise_hospitals(scores, AppraisalRules(**{**RULES, **changed}))


BAD = {
    "no weights": (lambda: appraise_hospitals([at("A")], POLICY), "add weights and bands"),
    "weights not 1": (lambda: AppraisalRules(**{**RULES, "weights": {"a": D("0.5")}}), "add up to 0.5"),
    "bands that rise": (lambda: AppraisalRules(**{**RULES, "bands": BANDS[::-1]}), "must fall"),
    "no score": (lambda: appraisal([at("A", a=1, b=None), at("B", a=1, b=2)]), "'b'.*row 0"),
    "twice": (lambda: appraisal([at("A", a=1, b=1)] * 2), "twice"),
    "below all bands": (lambda: appraisal([at("A", a=1, b=1)], bands=BANDS[:1]), "a score of 1 is below"),
    "more than the deposit": (lambda: DepositRules(bands=[{"at_least": 0, "gives": 2}]), "at most 1"),
    "no rule": (lambda: return_deposits([at("A", deposit=1)], [], POLICY), r"\[deposit\]"),
    "deposit without score": (
        lambda: return_deposits([at("A", deposit=1)], [at("B", score=1)], DepositRules(bands=BANDS)),
        "lack hospital A"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(name):
    call, message = BAD[name]
    with pytest.raises((DrgdipError, ValueError), match=message):
        call()
