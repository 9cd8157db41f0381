"""Any sequence of corrections, audits and payments ends in the same final as settling the final data at once."""

import datetime
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from drgdip.settle import charge_audits, clear_year, month, read_policy, sum_payments

D = Decimal
POLICY = read_policy("docs/examples/policy.toml")
BUDGET = {"resident": 10**6, "employee": 10**6}
DAYS = [datetime.date(2024, number, 20) for number in range(1, 13)]
LEAVE = {"unpriced": "leave_out"}

yuan = st.integers(-(10**5), 10**6).map(lambda fen: D(fen).scaleb(-2))
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "case_id": st.sampled_from("12345678"),
            "as_of": st.sampled_from(DAYS),
            "hospital": st.sampled_from("AB"),
            "pool": st.sampled_from(["resident", "employee"]),
            "month": st.integers(1, 3),
            "payable": st.one_of(yuan, yuan, yuan, st.none()),
            "list_status": st.sampled_from(["passed", "passed", "passed", "late", "failed"]),
            "withdrawn": st.sampled_from([False, False, False, True]),
        }
    ),
    max_size=20,
    unique_by=lambda event: (event["case_id"], event["as_of"]),
)
AUDITS = st.lists(
    st.fixed_dictionaries(
        {
            "audit_id": st.sampled_from("xyz"),
            "as_of": st.sampled_from(DAYS),
            "hospital": st.sampled_from("ABZ"),
            "pool": st.just("resident"),
            "month": st.integers(1, 3),
            "state": st.sampled_from(["found", "notified", "appealed", "upheld", "upheld", "withdrawn"]),
            "amount": st.integers(0, 10**5).map(lambda fen: D(fen).scaleb(-2)),
        }
    ),
    max_size=8,
    unique_by=lambda event: (event["audit_id"], event["as_of"]),
)
#: What of the due the agency pays on each day, in tenths.
SHARES = st.lists(st.integers(0, 12), min_size=12, max_size=12)
#: Each pool has a case that is paid by points from the first day, so that there is something to divide by.
FIRST = [
    {
        "case_id": f"0 {pool}",
        "as_of": DAYS[0],
        "hospital": "A",
        "pool": pool,
        "month": 1,
        "payable": D(700),
        "list_status": "passed",
        "withdrawn": False,
    }
    for pool in ("resident", "employee")
]


def fen(amount):
    return amount.quantize(D("0.01"), ROUND_HALF_UP)


def whole(events):
    """The versions as priced cases: 7 points each, paid otherwise than by points, so that they keep their payable."""
    more = {"points": 7.0, "standard": D(900), "total_cost": D(5000), "fund_booked": D(800), "patient_paid": D(4200)}
    found = [*FIRST, *events]
    return [
        {**event, **more, "payment_rule": "points" if event in FIRST else "item", "review_status": None}
        for event in found
    ]


def standing(events, day, key):
    """The last event of each case or audit up to a day."""
    last = {}
    for event in sorted(events, key=lambda event: event["as_of"]):
        if event["as_of"] <= day:
            last[event[key]] = event
    return last.values()


def owed_twin(cases, audits, day, ratio):
    """What is owed by hospital, pool and month, case after case."""
    sums, taken = {}, {}
    for case in standing(cases, day, "case_id"):
        if not case["withdrawn"]:
            key = case["hospital"], case["pool"], case["month"]
            counts = case["payable"] is not None and case["list_status"] == "passed"
            sums[key] = sums.get(key, D(0)) + (case["payable"] if counts else 0)
    for audit in standing(audits, day, "audit_id"):
        key = audit["hospital"], audit["pool"], audit["month"]
        taken[key] = taken.get(key, D(0)) + (audit["amount"] if audit["state"] == "upheld" else 0)
    owed = {}
    for key in {*sums, *taken}:
        advance = fen(max(sums.get(key, D(0)), D(0)) * ratio)
        owed[key] = advance - min(taken.get(key, D(0)), advance)
    return owed


def by_key(rows):
    """The accounts that have something in them."""
    return {(row["hospital"], row["pool"]): row for row in rows if row["cases"] or row["paid"] or row["deductions"]}


def pay(found, share, day, number):
    """Pay a part of what is due, or take it back."""
    payments = []
    for row in found:
        amount = fen(row["due"] * share / 10)
        if amount:
            place = {name: row[name] for name in ("hospital", "pool", "month")}
            kind = "monthly" if amount > 0 else "recovery"
            payments.append({**place, "kind": kind, "amount": abs(amount), "date": day, "reference": f"{day}-{number}"})
    return payments


def run(events, audits, shares, check=lambda *_: None):
    """Settle and pay on each day, and return the payments."""
    cases, deductions = whole(events), charge_audits(audits, charged=["upheld"]).table if audits else None
    payments = [
        {"hospital": "A", "pool": "resident", "month": None, "kind": "prepayment", "amount": D(50),
         "date": DAYS[0], "reference": "advance"}
    ]  # fmt: skip
    for number, (day, share) in enumerate(zip(DAYS, shares, strict=True)):
        options = {"deductions": deductions or None, "as_of": day, "accept": LEAVE}
        found = month(cases, POLICY, payments=payments, **options)
        check(day, found, payments)
        payments = payments + pay(found.table, share, day, number)
    return payments


@settings(deadline=None, max_examples=40)
@given(EVENTS, AUDITS, SHARES)
def test_every_days_due_equals_its_twin_and_its_lines(events, audits, shares):
    cases = whole(events)

    def check(day, found, payments):
        owed = owed_twin(cases, audits, day, POLICY.month.ratio)
        paid = {}
        for row in payments:
            if row["kind"] != "prepayment":
                key = row["hospital"], row["pool"], row["month"]
                paid[key] = paid.get(key, D(0)) + (row["amount"] if row["kind"] == "monthly" else -row["amount"])
        due = {(row["hospital"], row["pool"], row["month"]): row["due"] for row in found.table}
        assert {key: due[key] for key in due if due[key]} == {
            key: amount for key in {*owed, *paid} if (amount := owed.get(key, D(0)) - paid.get(key, D(0)))
        }
        lines = {}
        for row in found.differences:
            key = row["hospital"], row["pool"], row["month"]
            lines[key] = lines.get(key, D(0)) + row["amount"]
        assert {key: amount for key, amount in lines.items() if amount} == {key: due[key] for key in due if due[key]}

    run(events, audits, shares, check)


@settings(deadline=None, max_examples=20)
@given(EVENTS, AUDITS, SHARES, SHARES)
def test_the_final_does_not_depend_on_how_the_months_were_paid(events, audits, one, other):
    cases, deductions = whole(events), charge_audits(audits, charged=["upheld"]).table if audits else None
    options = {"budget": BUDGET, "deductions": deductions or None, "accept": LEAVE}
    last = list(standing(cases, DAYS[-1], "case_id"))
    at_once = clear_year([{**case, "as_of": DAYS[0]} for case in last], POLICY, **options)
    account = {(row["hospital"], row["pool"]): row["entitlement"] for row in at_once.table}
    for shares in (one, other):
        payments = run(events, audits, shares)
        net = {(row["hospital"], row["pool"]): row["net"] for row in sum_payments(payments)}
        found = clear_year(cases, POLICY, payments=payments, **options)
        rows = {(row["hospital"], row["pool"]): row for row in found.table}
        assert {key: row["entitlement"] for key, row in rows.items() if row["cases"] or row["deductions"]} == {
            key: amount for key, amount in account.items() if rows[key]["cases"] or rows[key]["deductions"]
        }
        for key, row in rows.items():
            assert net.get(key, 0) + row["final"] == row["entitlement"] == account.get(key, 0)
        # What the pool does not give to hospitals is left: no fen is lost.
        for pool in found.pools:
            mine = [row for row in found.table if row["pool"] == pool["pool"]]
            assert sum(row["entitlement"] for row in mine) + pool["left"] == pool["budget"]


@settings(deadline=None, max_examples=15)
@given(EVENTS, AUDITS, SHARES, st.sampled_from(DAYS))
def test_a_year_is_redone_as_of_any_day(events, audits, shares, day):
    """What came later changes nothing: the year of a day is that of the tables cut at the day."""
    payments = run(events, audits, shares)
    cases, deductions = whole(events), charge_audits(audits, charged=["upheld"]).table if audits else []
    options = {"budget": BUDGET, "accept": LEAVE}
    then = {
        "payments": [row for row in payments if row["date"] <= day],
        "deductions": [row for row in deductions if row["as_of"] <= day] or None,
    }
    cut = [case for case in cases if case["as_of"] <= day]
    one = clear_year(cut, POLICY, **then, **options)
    other = clear_year(cases, POLICY, payments=payments, deductions=deductions or None, as_of=day, **options)
    assert by_key(one.table) == by_key(other.table)
    assert one.pools == other.pools
