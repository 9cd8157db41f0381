"""Cross-region care: its account, and a local budget that does not pay for it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_payment import CASE as NUMBERED
from test_payment import policy

from drgdip.errors import CaseError, PolicyError
from drgdip.settle import clear_year, month, price_cases, settle_cross_region, settle_year

D = Decimal
#: The cases here have no numbers, so that many may be alike.
CASE = {name: value for name, value in NUMBERED.items() if name != "case_id"}
RATES = [{"base_rate": 950}]
FIXED = {"payable": "residual", "cross_region": "fixed", "cross_region_rates": RATES}


def under(rule, **more):
    return policy(
        form="floating",
        rates=[{"base_rate": 1000}],
        year={"fund": "budget"},
        cases={
            "payable": "residual",
            "cross_region": rule,
            **({"cross_region_rates": RATES} if rule == "fixed" else {}),
        }
        | more,
    )


def numbered(rows):
    return [row | {"case_id": str(number)} for number, row in enumerate(rows)]


LOCAL = {"month": 1, "list_status": "passed", "cross_region": False, "insured_region": None}
CASES = st.lists(
    st.fixed_dictionaries(
        {
            "hospital": st.sampled_from("HK"),
            "month": st.integers(1, 3),
            "cross_region": st.sampled_from([True, False, None]),
            "insured_region": st.sampled_from(["L", "M"]),
            "points": st.integers(1, 500).map(lambda number: number / 100),
            "list_status": st.sampled_from(["passed", "passed", "failed"]),
        }
    ),
    max_size=25,
).map(lambda rows: numbered([CASE | row for row in [*rows, LOCAL]]))
BUDGET = {"p": 10**6, "q": 1}


@given(CASES, st.sampled_from(["fixed", "value", "item"]))
def test_the_local_year_is_that_of_the_local_cases(cases, rule):
    """Whatever other regions' insured do, the local hospitals get what they would without them."""
    made = under(rule)
    priced = price_cases(cases, made).table
    local = [row for row in priced if not row["cross_region"]]
    whole, alone = (clear_year(rows, made, budget=BUDGET) for rows in (priced, local))
    assert whole.pools == alone.pools
    entitlement = {row["hospital"]: row["entitlement"] for row in alone.table}
    assert {row["hospital"]: row["entitlement"] for row in whole.table if row["hospital"] in entitlement} == entitlement
    assert sum(row["entitlement"] for row in whole.table) == sum(entitlement.values())
    paid = [sum(row["paid"] for row in month(rows, made).table) for rows in (priced, local)]
    assert paid[0] == paid[1]


@given(CASES, st.sampled_from(["fixed", "value", "item"]))
def test_the_account_equals_its_twin(cases, rule):
    made = under(rule)
    priced = price_cases(cases, made).table
    twin = {}
    for row in cases:
        if row["cross_region"]:
            line = twin.setdefault((row["insured_region"], row["month"]), [0, D(0)])
            line[0] += 1
            rate = {"fixed": 950, "value": 1000}.get(rule, 0)
            owed = D(600) if rule == "item" else D(repr(row["points"])) * rate - 300
            line[1] += 0 if row["list_status"] == "failed" else owed
    found = settle_cross_region(priced, made)
    assert {(r["insured_region"], r["month"]): [r["cases"], r["receivable"]] for r in found.table} == twin
    assert all(row["paid"] == 0 and row["difference"] == row["receivable"] for row in found.table)


def test_a_case_that_another_rule_pays_stays_on_the_account():
    """A bed-day or a reviewed case of another region is no case of the local budget either."""
    made = under("fixed", bed_day_rates={"p": 50, "q": 50})
    away = CASE | {"cross_region": True, "case_kind": "bed_day", "los": 10, "insured_region": "L", "month": 1}
    priced = price_cases(numbered([CASE | {"month": 1, "los": 1, "case_kind": "complete"}, away]), made).table
    assert priced[1]["payment_rule"] == "bed_day"
    cleared = clear_year(priced, made, budget=BUDGET)
    assert (cleared.table[0]["outside"], cleared.table[0]["cross_region"]) == (0, 1)
    row = settle_cross_region(priced, made, paid=[{"insured_region": "L", "month": 1, "paid": 150}]).table[0]
    assert (row["receivable"], row["difference"]) == (200, 50)


def test_inside_the_budget_where_the_policy_says_so():
    cases = numbered([CASE | {"cross_region": flag, "insured_region": "L"} for flag in (True, False)])
    same = under("same")
    found = clear_year(price_cases(cases, same).table, same, budget=BUDGET)
    assert (found.table[0]["points"], found.table[0]["cross_region"]) == (2, 0)
    local = under("fixed", cross_region_budget="local")
    found = clear_year(price_cases(cases, local).table, local, budget=BUDGET)
    assert (found.table[0]["outside"], found.table[0]["points"]) == (650, 1)
    with pytest.raises(PolicyError, match="pays for cross-region care from its budget"):
        settle_cross_region(price_cases(cases, local).table, local)
    with pytest.raises(PolicyError, match="say value to settle at local values"):
        under("same", cross_region_budget="account")


def test_a_year_settles_its_accounts_at_the_final_value():
    made = under("value")
    cases = numbered([CASE | {"cross_region": flag, "insured_region": "L", "month": 2} for flag in (True, False)])
    year = settle_year(cases, made, budget={"p": 800, "q": 1})
    # The one local point is worth 800 of the fund and 300 of its patient.
    assert [(r["insured_region"], r["month"], r["receivable"]) for r in year.cross_region] == [("L", 2, 800)]
    assert "receivable of the accounts = payable of the cases" in year.ledger["invariant"].to_pylist()
    unnamed = [{k: v for k, v in row.items() if k != "insured_region"} for row in cases]
    assert [(r["pool"], r["month"]) for r in settle_year(unnamed, made, budget=BUDGET).cross_region] == [("p", 2)]


@pytest.mark.parametrize(("rule", "share"), [("fixed", "0.5"), ("value", "0.75")])
def test_the_ratio_of_the_year_is_that_of_local_values_alone(rule, share):
    """A fixed rate has the fund's part that was set with it; the values of local cases go with the local ratio."""
    made = under(rule, payable="ratio", fund_share={"p": D("0.5"), "q": D("0.5")})
    local = CASE | {"month": 1, "cross_region": False, "total_cost": 1000, "fund_booked": 750, "patient_paid": 250}
    rows = [local, local | {"cross_region": True, "insured_region": "L"}]
    year = settle_year(numbered(rows), made, budget={"p": 900, "q": 1})
    standard = {"fixed": 950, "value": 1200}[rule]  # the one local point is worth 900 / 0.75
    assert [row["standard"] for row in year.cases] == [1200, standard]
    assert [row["payable"] for row in year.cases] == [900, standard * D(share)]
    assert year.cross_region[0]["receivable"] == standard * D(share)


def test_a_case_that_was_not_paid_has_no_price_at_the_end():
    """At the values of the year it would have one, and the account paid nothing for it."""
    made = under("same").replace(rates=[{"base_rate": 1000, "group": "A"}])
    rows = numbered([CASE | {"month": 1, "group": name, "cross_region": False} for name in "AB"])
    accept = {"unpriced": "leave_out"}
    year = settle_year(rows, made, budget={"p": 900, "q": 1}, accept=accept)
    assert [(row["payable"], row["payment_reason"]) for row in year.cases] == [(900, None), (None, "no_rate")]
    assert year.clearing.table[0]["entitlement"] == 900


def test_care_that_the_policy_does_not_name_is_refused_at_every_door():
    """Tianjin pays it at a fixed rate on an account, Jinhua from its budget: neither is guessed."""
    silent = policy(form="floating", rates=[{"base_rate": 1000}], year={"fund": "budget"})
    rows = numbered([CASE | {"month": 1, "cross_region": flag} for flag in (False, True, None)])
    priced = price_cases(rows, under("same")).table
    doors = [
        lambda: price_cases(rows, silent),
        lambda: month(priced, silent),
        lambda: clear_year(priced, silent, budget=BUDGET),
        lambda: settle_year(rows, silent, budget=BUDGET),
    ]
    for door in doors:
        with pytest.raises(PolicyError, match="cases.cross_region: policy 't' .* 1 cases are such, the first in row 1"):
            door()
    local = [row for row in rows if row["cross_region"] is not True]
    assert len(settle_year(local, silent, budget=BUDGET).cases) == 2


def test_a_case_without_its_region_is_refused():
    made = under("value")
    rows = [CASE | {"cross_region": True, "insured_region": name, "month": 1} for name in ("L", None)]
    with pytest.raises(CaseError, match="'insured_region' of the cases is empty in row 1"):
        settle_cross_region(price_cases(rows, made).table, made)
    with pytest.raises(CaseError, match="which has no cases"):
        settle_cross_region(
            price_cases(rows[:1], made).table, made, paid=[{"insured_region": "M", "month": 1, "paid": 1}]
        )
