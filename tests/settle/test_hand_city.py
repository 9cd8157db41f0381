"""Two cities by hand, month by month, against a spreadsheet in Decimal that knows nothing of the library.

Lists come late, are corrected, reviewed, audited and refunded; there are a prepayment and a deposit. Some patients are
insured elsewhere: in the Jinhua kind the local budget pays for them, in the Tianjin kind their regions do. On every day
of settlement each month's due, the regions' accounts and the year's final equal the spreadsheet's.
"""

import datetime
from decimal import Decimal

import pytest
from settle_city import GIVEN
from settle_twins import fen, year_twin

from drgdip.settle import charge_audits, load_policy, return_deposits, settle_year, split, sum_payments
from drgdip.settle.rules import DepositRules

D, DAY = Decimal, datetime.date
DAYS = [DAY(2024, 2, 20), DAY(2024, 3, 20), DAY(2024, 4, 22), DAY(2024, 12, 31)]
BUDGET = {"employee": D("400000.00"), "resident": D("260000.00")}
#: case, hospital, pool, month, points as a hundredth weight, cost, booked.
CASES = [
    ("1", "A", "employee", 1, 92, "9100.15", "6800.10"),
    ("2", "A", "employee", 1, 151, "14020.00", "10000.00"),
    ("3", "B", "employee", 1, 48, "4400.60", "3300.00"),
    ("4", "B", "resident", 1, 77, "6900.00", "4100.33"),
    ("5", "C", "resident", 1, 64, "6100.00", "3900.00"),
    ("6", "A", "resident", 2, 210, "19400.00", "11800.00"),
    ("7", "B", "employee", 2, 133, "12900.99", "9800.00"),
    ("8", "C", "employee", 2, 88, "8800.00", "6600.00"),
    ("9", "C", "resident", 2, 55, "5000.00", "2900.00"),
    ("10", "A", "employee", 3, 300, "52000.00", "36000.00"),
    ("11", "B", "resident", 3, 71, "7000.00", "4300.00"),
    ("12", "C", "employee", 3, 99, "9000.00", "6500.00"),
    ("13", "A", "resident", 1, 120, "11000.00", "6000.00"),
    ("14", "B", "employee", 1, 66, "6500.00", "4900.00"),
    ("15", "C", "resident", 2, 83, "8100.10", "4800.05"),
    ("16", "D", "resident", 3, 39, "3900.00", "2300.00"),
]
#: The cases of patients who are insured elsewhere. Hospital D has no others.
AWAY = {"14": "Langfang", "15": "Langfang", "16": "Cangzhou"}
#: What happens to a case, and when: lists that were late, corrected points, reviews, a refund, a move of the month.
EVENTS = [
    ("2", DAY(2024, 2, 5), {"list_status": "late"}),
    ("2", DAY(2024, 3, 2), {"list_status": "passed"}),
    ("3", DAY(2024, 3, 15), {"points": 41.25}),
    ("4", DAY(2024, 2, 6), {"list_status": "failed"}),
    ("4", DAY(2024, 4, 1), {"list_status": "passed", "points": 79.5}),
    ("5", DAY(2024, 4, 10), {"withdrawn": True}),
    ("7", DAY(2024, 4, 3), {"month": 3}),
    ("8", DAY(2024, 5, 5), {"list_status": "failed"}),
    ("10", DAY(2024, 6, 1), {"reviewed": True, "points": 470.0}),
    ("13", DAY(2024, 3, 19), {"points": 118.0}),
    ("13", DAY(2024, 4, 19), {"points": 121.125}),
    ("14", DAY(2024, 3, 8), {"points": 61.5}),
    ("15", DAY(2024, 3, 10), {"list_status": "late"}),
    ("15", DAY(2024, 4, 9), {"list_status": "passed"}),
    ("16", DAY(2024, 4, 8), {"list_status": "failed"}),
    ("16", DAY(2024, 7, 1), {"list_status": "passed"}),
]
AUDITS = [
    ("x", "A", "employee", 1, "upheld", DAY(2024, 3, 11), "250.00"),
    ("x", "A", "employee", 1, "withdrawn", DAY(2024, 5, 20), "250.00"),
    ("y", "B", "resident", 2, "notified", DAY(2024, 3, 12), "99.99"),
    ("y", "B", "resident", 2, "upheld", DAY(2024, 4, 12), "99.99"),
    ("z", "C", "resident", 2, "upheld", DAY(2024, 4, 2), "100000.00"),
]


def case_of(line, kind):
    number, hospital, pool, month, points, cost, booked = line
    return {
        "case_id": number,
        "hospital": hospital,
        "pool": pool,
        "level": "3",
        "group": "G05",
        "month": month,
        "points": float(points) * (10 if kind == "tianjin-drg" else 1),
        "total_cost": D(cost),
        "fund_booked": D(booked),
        "patient_paid": D(cost) - D(booked),
        "list_status": "passed",
        "withdrawn": False,
        "reviewed": False,
        "cross_region": number in AWAY,
        "insured_region": AWAY.get(number),
        "as_of": DAY(2024, month + 1, 4),
    }


def versions(kind):
    """Every version of every case, in the order of days."""
    last = {line[0]: case_of(line, kind) for line in CASES}
    rows = list(last.values())
    for number, day, event in sorted(EVENTS, key=lambda event: event[1]):
        change = dict(event)
        if "points" in change and kind == "tianjin-drg":
            change["points"] *= 10
        last[number] = {**last[number], **change, "as_of": day}
        rows.append(last[number])
    if kind == "tianjin-drg":
        more = {"review_applied": lambda row: row["case_id"] == "10", "reasonable_cost": lambda _: D("48000.01")}
        more["review_approved"] = lambda row: True if row["reviewed"] else None
        rows = [{**row, **{name: value(row) for name, value in more.items()}} for row in rows]
    return rows


def standing(rows, day):
    """The spreadsheet's rows as of a day: the last of each case."""
    last = {}
    for row in rows:
        if row["as_of"] <= day:
            last[row["case_id"]] = row
    return [row for row in last.values() if not row["withdrawn"]]


def is_away(row, kind):
    """Whether another region pays for a case."""
    return kind == "tianjin-drg" and row["case_id"] in AWAY


def payable(row, kind):
    """What the fund owes for a case at the estimated values."""
    rate = {"employee": D(91), "resident": D(86)}[row["pool"]]
    points = D(repr(row["points"]))
    if kind == "jinhua":
        return fen(points * rate) - row["patient_paid"]
    share = {"employee": D("0.7"), "resident": D("0.66")}[row["pool"]]
    return fen((D("48000.01") if row["reviewed"] else fen(points * rate / 10)) * share)


def deducted(day):
    """Deductions by hospital, pool and month as of a day."""
    last = {name: row for name, *row in AUDITS if row[4] <= day}
    sums = {}
    for hospital, pool, month, state, _, amount in last.values():
        if state == "upheld":
            key = hospital, pool, month
            sums[key] = sums.get(key, D(0)) + D(amount)
    return sums


def owed(rows, day, kind, ratio):
    """What is owed for the months."""
    taken, sums = deducted(day), {}
    for row in rows:
        key = row["hospital"], row["pool"], row["month"]
        local = row["list_status"] == "passed" and not is_away(row, kind)
        sums[key] = sums.get(key, D(0)) + (payable(row, kind) if local else 0)
    advance = {key: fen(max(sums.get(key, D(0)), D(0)) * ratio) for key in {*sums, *taken}}
    return {key: amount - min(taken.get(key, D(0)), amount) for key, amount in advance.items()}


def entitled(rows, day, kind, policy, kept):
    """The account of the year by hospital and pool."""
    if kind == "jinhua":
        account = {key: base + sharing for key, (base, sharing) in year_twin(rows, policy, BUDGET).items()}
    else:
        account = {}
        for pool, budget in BUDGET.items():
            mine = [row for row in rows if row["pool"] == pool and row["list_status"] != "failed"]
            mine = [row for row in mine if not is_away(row, kind)]
            names = sorted({row["hospital"] for row in rows if row["pool"] == pool})
            other = {
                name: sum((payable(r, kind) for r in mine if r["reviewed"] and r["hospital"] == name), D(0))
                for name in names
            }
            points = [
                sum((D(repr(r["points"])) for r in mine if not r["reviewed"] and r["hospital"] == name), D(0))
                for name in names
            ]
            for name, base in zip(names, split(budget - sum(other.values()), points), strict=True):
                account[name, pool] = base + other[name]
    for (hospital, pool, _), amount in deducted(day).items():
        account[hospital, pool] = account.get((hospital, pool), D(0)) - amount
    return {key: amount - kept.get(key, D(0)) for key, amount in account.items()}


def accounts(rows, kind):
    """The receivable of each insured region and month: the fixed rate x the fund's part, both set before the year.

    A late list counts, a failed one does not.
    """
    sums = {}
    for row in filter(lambda row: is_away(row, kind), rows):
        share = {"employee": D("0.7"), "resident": D("0.66")}[row["pool"]]
        amount = fen(fen(D(repr(row["points"])) * D("8.5")) * share)
        key = row["insured_region"], row["month"]
        sums[key] = sums.get(key, D(0)) + (amount if row["list_status"] != "failed" else 0)
    return sums


def check_outside(found):
    """The cases of special review come to what the account paid for them, by hospital and pool."""
    sums = {}
    for row in found.cases:
        if row["payment_rule"] == "review" and row["list_status"] != "failed":
            key = row["hospital"], row["pool"]
            sums[key] = sums.get(key, D(0)) + row["payable"]
    assert {(row["hospital"], row["pool"]): row["outside"] for row in found.clearing.table if row["outside"]} == sums


def check_accounts(found, rows, kind):
    """The accounts of other regions are the spreadsheet's. Hospital D cares for their patients alone."""
    check_outside(found)
    expected = accounts(rows, kind)
    assert {(row["insured_region"], row["month"]): row["receivable"] for row in found.cross_region or []} == expected
    money = [row["entitlement"] for row in found.clearing.table if row["hospital"] == "D"]
    passed = any(row["hospital"] == "D" and row["list_status"] == "passed" for row in rows)
    assert [amount != 0 for amount in money] == [passed and kind == "jinhua"] * len(money)
    assert bool(expected) == (kind == "tianjin-drg")


def audits():
    names = ("audit_id", "hospital", "pool", "month", "state", "as_of", "amount")
    return charge_audits(
        [dict(zip(names, (*row[:6], D(row[6])), strict=True)) for row in AUDITS], charged=["upheld"]
    ).table


@pytest.mark.parametrize("kind", ["jinhua", "tianjin-drg"])
def test_every_due_and_final_equals_the_spreadsheet(kind):
    policy = load_policy(kind, **GIVEN[kind])
    if kind == "tianjin-drg":  # a cap of 5 % of this few discharges is none
        policy = policy.replace(review={"cap": D("0.5"), "outcome": "standard"})
    cases = versions(kind)
    place = {"month": None, "date": DAY(2024, 1, 15), "reference": None}
    payments = [{**place, "hospital": "A", "pool": "employee", "kind": "prepayment", "amount": D("5000.00")}]
    options = {"budget": BUDGET, "deductions": audits()}
    rules = DepositRules(bands=[{"at_least": 90, "gives": 1}, {"at_least": 0, "gives": D("0.75")}])
    scores = [{"hospital": n, "pool": pool, "score": 95 if n == "A" else 80} for n in "ABCD" for pool in BUDGET]
    reasons = set()
    for number, day in enumerate(DAYS):
        rows = standing(cases, day)
        found = settle_year(cases, policy, payments=payments, as_of=day, **options)
        net = {}
        for row in payments:
            if row["month"] is not None:
                key = row["hospital"], row["pool"], row["month"]
                net[key] = net.get(key, D(0)) + (row["amount"] if row["kind"] == "monthly" else -row["amount"])
        claims = owed(rows, day, kind, policy.month.ratio)
        due = {key: claims.get(key, D(0)) - net.get(key, D(0)) for key in {*claims, *net}}
        assert {(row["hospital"], row["pool"], row["month"]): row["due"] for row in found.months} == due
        reasons |= {row["reason"] for row in found.differences}
        check_accounts(found, rows, kind)
        assert sum(row["amount"] for row in found.differences) == sum(due.values())

        kept = []
        if day == DAYS[-1]:  # the deposit is given back at the year
            held = return_deposits(found.months, scores, rules, columns={"deposit": "reserve"})
            kept = held.table
            found = settle_year(cases, policy, payments=payments, as_of=day, deposits_kept=kept, **options)
        forfeited = {(row["hospital"], row["pool"]): row["deposit_kept"] for row in kept}
        assert all(forfeited.get(("A", pool), 0) == 0 for pool in BUDGET)
        account = entitled(rows, day, kind, policy, forfeited)
        paid = {(row["hospital"], row["pool"]): row["net"] for row in sum_payments(payments, as_of=day)}
        table = {(row["hospital"], row["pool"]): row for row in found.clearing.table}
        for key, row in table.items():
            assert row["entitlement"] == account.get(key, D(0)), (day, key)
            assert paid.get(key, D(0)) + row["final"] == row["entitlement"]
        assert set(account) <= set(table)

        for key, amount in due.items():
            part = fen(amount / 2) if number == 0 else amount  # the first month is paid by half
            if part:
                where = dict(zip(("hospital", "pool", "month"), key, strict=True))
                kind_of = "monthly" if part > 0 else "recovery"
                payments.append({**where, "kind": kind_of, "amount": abs(part), "date": day, "reference": f"{day}"})
    assert {"first_payment", "late_list", "corrected_list", "withdrawn", "list_suspended", "audit", "appeal_won",
            "paid_otherwise", "reserve"} <= reasons  # fmt: skip
    assert ("review_outcome" in reasons) == (kind == "tianjin-drg")
    # All that is due was paid: asked again on the same day, nothing is.
    again = settle_year(cases, policy, payments=payments, as_of=DAYS[-1], **options)
    assert {row["due"] for row in again.months} == {0}
    # The year as of an earlier day is what it was then.
    march = settle_year(cases, policy, payments=payments, as_of=DAYS[1] - datetime.timedelta(days=1), **options)
    early = [row for row in payments if row["date"] < DAYS[1]]
    cut = [row for row in cases if row["as_of"] < DAYS[1]]
    then = settle_year(cut, policy, payments=early, as_of=DAYS[1] - datetime.timedelta(days=1), **options)
    assert march.clearing.table == then.clearing.table
    assert march.months == then.months
