"""Case sheets: every case once, by hospital and month, with totals that a loop in Decimal gives."""

from collections import defaultdict
from decimal import Decimal

import pytest

from drgdip.errors import CaseError, UnknownNameError
from drgdip.settle import SHEET, make_case_sheets, price_cases, read_policy, read_settlement

POLICY = read_policy("docs/examples/policy.toml")
CASES = read_settlement("docs/examples/settlement.csv")
MONEY = ("standard", "total_cost", "fund_booked", "patient_paid", "payable")


@pytest.fixture(scope="module")
def priced():
    return price_cases(CASES, POLICY).table


def test_a_sheet_has_every_case_once_and_its_totals(priced):
    sheet = make_case_sheets(priced)
    assert sheet.schema.names == SHEET.names
    rows = sheet.to_pylist()
    cases, totals = [r for r in rows if r["group"]], [r for r in rows if not r["group"]]
    assert sorted(r["case_id"] for r in cases) == sorted(CASES["case_id"].to_pylist())
    slow = defaultdict(lambda: defaultdict(Decimal))
    for case in priced.to_pylist():
        place = (case["hospital"], case["pool"], case["month"])
        slow[place]["cases"] += 1
        slow[place]["difference"] += case["profit"]
        for name in MONEY:
            slow[place][name] += Decimal(case[name])
    assert len(totals) == len(slow)
    for total in totals:
        found = slow[total["hospital"], total["pool"], total["month"]]
        assert {name: total[name] for name in (*MONEY, "difference", "cases")} == found


def test_sheets_are_in_order_and_each_total_is_below_its_cases(priced):
    rows = make_case_sheets(priced).to_pylist()
    order = [(r["hospital"], r["pool"], r["month"], r["group"] is None, r["case_id"]) for r in rows]
    assert order == sorted(order)


def test_a_case_without_a_price_stays_and_says_why_and_is_in_no_total():
    cases = CASES.to_pylist()[:1]
    cases[0]["points"] = None
    case, total = make_case_sheets(price_cases(cases, POLICY).table, language="zh")
    assert (case["standard"], case["difference"]) == (None, None)
    assert case["reason"]
    assert not case["reason"].isascii()
    assert (total["case_id"], total["cases"], total["standard"]) == ("合计", 1, Decimal(0))
    assert total["total_cost"] == Decimal("6818.41")


def test_sheets_in_chinese(priced):
    row = make_case_sheets(priced, language="zh").to_pylist()[0]
    assert row["payment_rule"] == "按点数"
    with pytest.raises(UnknownNameError, match="en, zh"):
        make_case_sheets(priced, language="de")


def test_sheets_want_months_as_numbers(priced):
    rows = [{**row, "month": "January"} for row in priced.to_pylist()]
    with pytest.raises(CaseError, match="'month' of the cases holds string"):
        make_case_sheets(rows)
