"""Special review over a year: cycles, the cap that runs on, approvals so far, and amounts that are open."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_payment import CASE, policy

from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import price_cases, review_cases, settle_year

D = Decimal


def under(cycle, cap="0.1", **more):
    return policy(review={"cap": D(cap), "cycle": cycle, "outcome": "standard", **more})


def case(number, month=1, *, applied=False, approved=None, **more):
    base = CASE | {"case_id": f"{number:03}", "hospital": f"H{number % 2}", "month": month, "cost_ratio": 1.0}
    return base | {"review_applied": applied, "review_approved": approved} | more


def statuses(found):
    return [row["review_status"] for row in found.table]


def twin(cases, cap, length, over):
    """Case by case: in each cycle the candidates by rank, while the cap of the year or of the cycle has room."""
    approved, seen, used = set(), 0, 0
    for number in range(12 // length):
        mine = [row for row in cases if (row["month"] - 1) // length == number]
        seen, used = (len(mine), 0) if over == "cycle" else (seen + len(mine), used)
        wanted = [row for row in mine if row["review_applied"] and row["review_approved"]]
        for row in sorted(wanted, key=lambda row: (-row["cost_ratio"], row["case_id"])):
            if used < int(cap * seen):
                approved.add(row["case_id"])
                used += 1
    return approved


ROWS = st.lists(
    st.tuples(st.integers(1, 12), st.booleans(), st.sampled_from([True, True, False, None]), st.floats(0, 9)),
    min_size=1,
    max_size=60,
)


@given(ROWS, st.sampled_from(["month", "quarter", "year"]), st.sampled_from(["year", "cycle"]))
def test_the_running_cap_equals_its_twin(rows, cycle, over):
    cases = [
        case(number, month, applied=applied, approved=decision, cost_ratio=ratio)
        for number, (month, applied, decision, ratio) in enumerate(rows)
    ]
    found = review_cases(cases, under(cycle, "0.2", cap_over=over))
    approved = {row["case_id"] for row in found.table if row["review_status"] == "approved"}
    assert approved == twin(cases, D("0.2"), {"month": 1, "quarter": 3, "year": 12}[cycle], over)


def test_a_month_at_a_time_is_the_year_at_once():
    cases = [case(n, 1 + n // 10, applied=n % 3 == 0, approved=True, cost_ratio=n % 7) for n in range(120)]
    whole = statuses(review_cases(cases, under("month")))
    piecemeal, seen = [], {"pool": "p", "discharges": 0, "approved": 0}
    for month in range(1, 13):
        found = review_cases([row for row in cases if row["month"] == month], under("month"), so_far=[seen])
        piecemeal += statuses(found)
        seen["discharges"] += 10
        seen["approved"] += statuses(found).count("approved")
    assert piecemeal == whole
    # The same again from the cases themselves: approvals of earlier runs stay, whatever comes with a higher ratio.
    first = review_cases(cases[:60], under("year"))
    dearer = [case(n, 7, applied=True, approved=True, cost_ratio=50.0) for n in range(60, 120)]
    both = review_cases([*first.table, *(row | {"review_status": None} for row in dearer)], under("year"))
    assert {n for n, s in enumerate(statuses(both)) if s == "approved"} > {
        n for n, s in enumerate(statuses(first)) if s == "approved"
    }
    assert statuses(both).count("approved") == 12


def test_an_approval_that_the_panel_took_back_falls():
    cases = [case(n, applied=n == 0, approved=False, review_status="approved" if n == 0 else None) for n in range(20)]
    assert statuses(review_cases(cases, under(None)))[0] == "refused"


def test_the_publication_has_every_outcome_by_cycle():
    cases = [case(n, 1 + 6 * (n // 20), fund_booked=600) for n in range(40)]
    cases[0] |= {"review_applied": True, "review_approved": True}
    cases[2] |= {"review_applied": True, "review_approved": False}
    cases[20] |= {"review_applied": True}
    rows = review_cases(cases, under("quarter")).publication
    assert [(r["hospital"], r["cycle"]) for r in rows] == [("H0", "Q1"), ("H0", "Q3"), ("H1", "Q1"), ("H1", "Q3")]
    first, third = rows[0], rows[1]
    assert [first[name] for name in ("discharges", "applied", "approved", "refused", "pending")] == [10, 2, 1, 1, 0]
    assert (first["applied_cost"], first["approved_cost"], first["approved_fund"]) == (1800, 900, 600)
    assert (third["applied"], third["pending"], third["approval_ratio"]) == (1, 1, 0)


def test_cycles_by_the_day_of_discharge():
    cases = [case(n, discharged=datetime.date(2024 + n % 2, 1 + n % 12, 1)) for n in range(24)]
    names = {row["cycle"] for row in review_cases(cases, under("quarter")).publication}
    assert {"2024-Q1", "2025-Q4"} <= names


def test_faults_of_cycles_and_of_approvals_so_far():
    with pytest.raises(CaseError, match="reviews each month, and 1 cases, the first in row 1"):
        review_cases([case(0), case(1, 13)], under("month"))
    with pytest.raises(PolicyError, match="so_far= has approved 0.5 in row 0"):
        review_cases([case(0)], under(None), so_far=[{"pool": "p", "discharges": 1, "approved": 0.5}])
    with pytest.raises(PolicyError, match="cap_over is cycle"):
        review_cases([case(0)], under("month", cap_over="cycle"), so_far=[])
    kept = [case(n, applied=True, approved=True, review_status="approved") for n in range(2)]
    with pytest.raises(PolicyError, match="2 cases were approved already, and the cap leaves room for 0"):
        review_cases(kept, under(None))


@pytest.mark.parametrize("outcome", ["standard", "points"])
def test_an_approved_case_with_its_amount_open_is_in_review(outcome):
    rule = under(None, outcome=outcome)
    approved = CASE | {"review_status": "approved", "reasonable_cost": None}
    row = price_cases([approved], rule).table[0]
    assert (row["payment_rule"], row["payment_status"], row["payment_reason"]) == (
        "points",
        "review",
        "review_amount_open",
    )
    assert row["standard"] == price_cases([CASE], rule).table[0]["standard"]
    without = price_cases([approved | {"points": None}], rule).table[0]
    assert (without["payment_status"], without["standard"]) == ("review", None)
    item = price_cases([approved], under(None) if outcome == "points" else rule.replace(review=ITEM)).table[0]
    assert item["payment_reason"] == ("review_amount_open" if outcome == "points" else None)


ITEM = {"cap": D("0.1"), "outcome": "item"}


def test_an_open_amount_in_a_year_of_points():
    rule = policy(
        form="floating",
        year={"fund": "budget"},
        points={"scale": 100},
        review={"cap": D("0.5"), "outcome": "points"},
    )
    rows = [case(n, applied=True, approved=True, group="A", reasonable_cost=900 * (1 - n) or None) for n in range(2)]
    rows += [case(n, group="A", reasonable_cost=None) for n in range(2, 4)]
    year = settle_year(
        [{k: v for k, v in row.items() if k != "points"} for row in rows],
        rule,
        weights=[{"group": "A", "weight": 10.0}],
        mean_cost=1000,
        values={"p": 100},
        budget={"p": 3000, "q": 1},
    )
    assert [row["payment_status"] for row in year.cases] == ["priced", "review", "priced", "priced"]
    assert [row["points"] for row in year.cases] == [90, 10, 10, 10]


def test_the_section_alone_decides_as_the_whole_policy():
    made = under("quarter")
    cases = [case(n, 1 + n // 10, applied=n % 3 == 0, approved=True, pool="pq"[n % 2]) for n in range(60)]
    so_far = [{"pool": "p", "discharges": 7, "approved": 0}]
    whole, alone = (review_cases(cases, given_, so_far=so_far) for given_ in (made, made.review))
    assert alone.table == whole.table
    assert alone.publication == whole.publication
    with pytest.raises(UnknownNameError, match="named in so_far="):
        review_cases(cases, made.review, so_far=[{"pool": "x", "discharges": 1, "approved": 0}])
