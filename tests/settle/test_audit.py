"""What enters a settlement: every kind of finding, every way to accept it, and where each fen went."""

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drgdip import list_reasons
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import (
    FINDING_KINDS,
    FINDINGS,
    audit_cases,
    clear_year,
    month,
    price_cases,
    read_policy,
    settle_year,
)

D = Decimal
POLICY = read_policy("docs/examples/policy.toml").replace(review=None)
DATED = POLICY.replace(valid_from=datetime.date(2024, 1, 1), valid_to=datetime.date(2024, 12, 31))
DAY = datetime.date(2024, 1, 9)
CASE = {
    "case_id": "1",
    "patient": "P1",
    "hospital": "H1",
    "pool": "resident",
    "month": 1,
    "admitted": datetime.date(2024, 1, 2),
    "discharged": DAY,
    "points": 100.0,
    "total_cost": D(9000),
    "fund_booked": D(6000),
    "patient_paid": D(3000),
}
OTHER = CASE | {"case_id": "2", "patient": "P2"}
REFUND = CASE | {"total_cost": D(-9000), "fund_booked": D(-6000), "patient_paid": D(-3000)}
BUDGET = {"resident": 20000, "employee": 1}
#: Changes of the second of two cases, and the one finding that each makes.
ONE = {
    "no number": ({"case_id": None}, None),
    "another number and patient": ({}, None),
    "the same number": ({"case_id": "1"}, ("duplicate", "same_case_id")),
    "the same number, one day mended": (
        {"case_id": "1", "admitted": datetime.date(2024, 1, 3)},
        ("duplicate", "same_case_id"),
    ),
    "the same number of another stay": (
        {"case_id": "1", "admitted": datetime.date(2024, 1, 10), "discharged": datetime.date(2024, 1, 11)},
        None,
    ),
    "the same number of another hospital": ({"case_id": "1", "hospital": "H2"}, None),
    "the same patient and days": ({"patient": "P1"}, ("same_stay", "same_stay")),
    "fund above cost": ({"fund_booked": D(9001), "patient_paid": D(0)}, ("above_cost", "paid_above_cost")),
    "a fen more": ({"patient_paid": D("3000.01")}, None),
    "two fen more": ({"patient_paid": D("3000.02")}, ("payers_differ", "payers_differ")),
    "a negative part": ({"fund_booked": D(-1), "patient_paid": D(9001)}, ("negative", "negative_amount")),
    "no amount": ({"patient_paid": None}, ("missing_amount", "missing_amount")),
    "no pool": ({"pool": ""}, ("no_pool", "missing_pool")),
    "another pool": ({"pool": "x"}, ("no_pool", "unknown_pool")),
    "no hospital": ({"hospital": None}, ("no_hospital", "missing_hospital")),
    "no month": ({"month": None}, ("no_month", "missing_month")),
    "another month": ({"month": 2}, ("month_differs", "month_differs")),
    "outside the policy": (
        {"discharged": datetime.date(2025, 1, 1), "admitted": datetime.date(2024, 12, 30)},
        ("outside_dates", "outside_policy_dates"),
    ),
    "no discharge": ({"discharged": None}, ("outside_dates", "outside_policy_dates")),
}


@pytest.mark.parametrize("name", ONE)
def test_each_kind_is_found_and_nothing_else(name):
    changed, expected = ONE[name]
    found = audit_cases([CASE, OTHER | changed], DATED)
    kinds = {(row["kind"], row["reason"]) for row in found if row["row"] == 1}
    if expected is None:
        assert found == []
    else:
        assert expected in kinds
        # An amount above the cost does not make the cost either.
        assert kinds - {expected} <= {("payers_differ", "payers_differ"), ("above_cost", "paid_above_cost")}
        assert {row["row"] for row in found} <= ({0, 1} if expected[0] in {"duplicate", "same_stay"} else {1})


def test_the_findings_have_their_columns_reasons_and_ways():
    cases = pa.Table.from_pylist([CASE, OTHER | {"patient_paid": D(2000)}])
    found = audit_cases(cases, POLICY)
    assert found.schema == FINDINGS
    assert found.to_pylist() == [
        {
            "row": 1,
            "case_id": "2",
            "hospital": "H1",
            "pool": "resident",
            "month": "1",
            "kind": "payers_differ",
            "reason": "payers_differ",
            "columns": "total_cost fund_booked patient_paid",
            "amount": D("6000.00"),
            "accepts": "keep leave_out",
        }
    ]
    assert audit_cases(cases.slice(0, 1), POLICY).schema == FINDINGS
    known = {reason.code for reason in list_reasons("settle")}
    assert {expected[1] for _, expected in ONE.values() if expected} <= known


@pytest.mark.parametrize(
    ("month_name", "differs"),
    [
        (1, False),
        ("01", False),
        ("2024-01", False),
        ("202401", False),
        ("2024年1月", False),
        ("1月", False),
        ("January", False),
        (12, True),
        ("2023-01", True),
        ("202402", True),
    ],
)
def test_a_month_is_that_of_the_discharge_however_it_is_written(month_name, differs):
    found = audit_cases([CASE | {"month": month_name}], POLICY)
    assert [row["kind"] for row in found] == ["month_differs"] * differs


def test_the_year_that_is_settled_is_checked():
    cases = [CASE, OTHER | {"discharged": datetime.date(2024, 1, 10)}]
    assert audit_cases(cases, POLICY, year=2024) == []
    assert {row["reason"] for row in audit_cases(cases, POLICY, year=2025)} == {"outside_year", *()}
    days = (datetime.date(2024, 1, 1), DAY)
    assert [row["row"] for row in audit_cases(cases, POLICY, year=days)] == [1]
    with pytest.raises(PolicyError, match="year='2024': give a year such as 2024"):
        audit_cases(cases, POLICY, year="2024")


def test_lists_that_were_never_sent():
    lists = [{"case_id": "1"}]
    assert [row["row"] for row in audit_cases([CASE, OTHER], POLICY, lists=lists)] == [1]
    lists = [{"case_id": number, "hospital": "H2"} for number in "12"]
    assert [row["kind"] for row in audit_cases([CASE, OTHER], POLICY, lists=lists)] == ["list_never_sent"] * 2
    cases = [CASE | {"submitted": DAY}, OTHER | {"submitted": None}]
    assert [row["row"] for row in audit_cases(cases, POLICY)] == [1]
    # A list that is marked late is suspended by the month: it is no secret.
    assert audit_cases([case | {"list_status": "late"} for case in cases], POLICY) == []


def test_the_status_of_grouping_and_the_price_are_findings():
    cases = [CASE | {"status": "grouped"}, OTHER | {"status": "ungrouped", "points": None}]
    priced = price_cases(cases, POLICY).table
    found = {(row["row"], row["kind"], row["reason"]) for row in audit_cases(priced, POLICY)}
    assert found == {(1, "not_grouped", "not_grouped"), (1, "unpriced", "bad_points")}
    # A status of something else says nothing.
    assert audit_cases([CASE | {"status": "paid"}], POLICY) == []


def settle(cases, accept=None, policy=POLICY, **options):
    return settle_year(cases, policy, budget=BUDGET, accept=accept, **options)


def test_a_list_given_twice_is_refused_and_then_paid_once():
    cases = [CASE, CASE, OTHER]
    with pytest.raises(CaseError, match=r"duplicate: 2 cases with 12,000.00 yuan, in rows 0, 1.*'first' or 'last' or"):
        settle(cases)
    alone = settle([CASE, OTHER])
    for way, row in (("first", 1), ("last", 0)):
        year = settle(cases, {"duplicate": way})
        assert year.clearing.table == alone.clearing.table
        assert [case["payment_reason"] for case in year.cases].index("left_out") == row
        assert [found["treatment"] for found in year.findings.to_pylist()][row] == "left_out"
    both = settle(cases, {"duplicate": "leave_out"})
    assert both.clearing.table[0]["cases"] == 1


def test_each_set_of_twins_keeps_one():
    """Three rows are one case by chains of days, two have no days, and one text is long."""
    third = CASE | {"discharged": datetime.date(2024, 1, 8)}
    fourth = third | {"admitted": datetime.date(2024, 1, 1)}
    undated = OTHER | {"case_id": "住院号" * 9, "admitted": None, "discharged": None}
    rows = [CASE, third, undated, fourth, undated]
    for cases in (rows, pa.Table.from_pylist(rows)):
        year = settle(cases, {"duplicate": "first"})
        assert [row["row"] for row in year.findings.to_pylist() if row["treatment"] == "left_out"] == [1, 3, 4]
        year = settle(cases, {"duplicate": "last"})
        assert [row["row"] for row in year.findings.to_pylist() if row["treatment"] == "left_out"] == [0, 1, 2]


NUMBERS = st.sampled_from(["", "1", "2", "12345678", "123456789", "12345678\x00", "住", "住院" * 20, None])


@given(st.lists(st.tuples(NUMBERS, st.sampled_from(["A", "B"])), min_size=1, max_size=12), st.integers(0, 3))
def test_twins_are_those_that_comparing_all_pairs_finds(rows, cut):
    table = pa.table({"case_id": [number for number, _ in rows], "hospital": [hospital for _, hospital in rows]})
    table, rows = table.slice(cut), rows[cut:]
    twin = [bool(row[0]) and rows.count(row) > 1 for row in rows]
    found = {row["row"] for row in audit_cases(table, POLICY).to_pylist() if row["kind"] == "duplicate"}
    assert found == {place for place, is_twin in enumerate(twin) if is_twin}


def test_a_case_without_points_gives_its_money_to_nobody_in_silence():
    cases = [CASE, OTHER | {"points": None}]
    with pytest.raises(CaseError, match=r"unpriced: 1 case with 6,000.00 yuan, in row 1: points are missing"):
        settle(cases)
    left = settle(cases, {"unpriced": "leave_out"})
    assert left.clearing.table[0]["not_counted"] == 1
    paid = settle(cases, {"unpriced": "by_item"})
    row = paid.clearing.table[0]
    assert (row["not_counted"], row["outside"]) == (0, D(6000))
    assert [case["payment_rule"] for case in paid.cases] == ["points", "item"]
    assert paid.cases[1]["payment_status"] == "priced"
    assert [(row["way"], row["treatment"]) for row in paid.findings.to_pylist()] == [("by_item", "by_item")]


def test_a_refund_cancels_its_case_or_takes_back_what_was_booked():
    cases = [CASE, REFUND, OTHER]
    assert [(row["row"], row["kind"]) for row in audit_cases(cases, POLICY)] == [(1, "refund")]
    cancelled = settle(cases, {"refund": "cancel"})
    assert cancelled.clearing.table == settle([OTHER]).clearing.table
    by_item = settle(cases, {"refund": "by_item"}).clearing.table[0]
    assert (by_item["outside"], by_item["cases"]) == (D(-6000), 3)
    # Part of a case cannot cancel it.
    part = REFUND | {"total_cost": D(-900), "fund_booked": D(-600), "patient_paid": D(-300)}
    assert [row["kind"] for row in audit_cases([CASE, part], POLICY)] == ["negative"]
    assert settle([CASE, part], {"negative": "by_item"}).clearing.table[0]["outside"] == D(-600)


def test_rows_that_are_left_out_keep_their_place_among_the_cases():
    cases = pa.Table.from_pylist([CASE | {"pool": "x"}, OTHER, CASE | {"case_id": "3", "patient": "P3", "pool": None}])
    year = settle(cases, {"no_pool": "leave_out"})
    assert year.cases["case_id"].to_pylist() == ["1", "2", "3"]
    assert year.cases["payment_reason"].to_pylist() == ["left_out", None, "left_out"]
    assert year.cases["payable"].is_valid().to_pylist() == [False, True, False]
    assert year.findings["row"].to_pylist() == [0, 2]
    frame = cases.to_pandas()
    frame.index = [7, 7, 9]
    assert settle(frame, {"no_pool": "leave_out"}).cases["payment_reason"].isna().tolist() == [False, True, False]


def test_every_step_refuses_and_accepts_for_itself():
    priced = price_cases([CASE, OTHER | {"points": None}], POLICY).table
    for step in (
        lambda **more: month(priced, POLICY, **more),
        lambda **more: clear_year(priced, POLICY, budget=BUDGET, **more),
    ):
        with pytest.raises(CaseError, match="unpriced: 1 case"):
            step()
        found = step(accept={"unpriced": "by_item"})
        assert found.findings["kind"].to_pylist() == ["unpriced"]
        assert any("accepted: unpriced, by_item" in text for text in found.ledger["invariant"].to_pylist())


def test_other_kinds_and_ways_are_refused():
    with pytest.raises(UnknownNameError, match="no kind of finding 'duplicates'.*Did you mean 'duplicate'"):
        settle([CASE], {"duplicates": "first"})
    with pytest.raises(PolicyError, match=r"accept\['duplicate'\]='keep': say one of first, last, leave_out"):
        settle([CASE], {"duplicate": "keep"})


LOOSE = st.lists(
    st.fixed_dictionaries(
        {
            "case_id": st.sampled_from(["1", "2", "3", None]),
            "patient": st.sampled_from(["P1", "P2"]),
            "hospital": st.sampled_from(["H1", "H2", None]),
            "pool": st.sampled_from(["resident", "employee", "x"]),
            "month": st.sampled_from([1, 2, None]),
            "discharged": st.sampled_from([DAY, datetime.date(2024, 2, 9), None]),
            "admitted": st.just(datetime.date(2024, 1, 2)),
            "points": st.sampled_from([100.0, 50.0, None]),
            "fund_booked": st.sampled_from([D(6000), D(-6000), D(1), None]),
            "patient_paid": st.sampled_from([D(3000), D(0)]),
            "total_cost": st.sampled_from([D(9000), D(-9000), D(1)]),
        }
    ),
    min_size=1,
    max_size=8,
)
WAYS = st.fixed_dictionaries({kind: st.sampled_from(ways) for kind, ways in FINDING_KINDS.items()})


@settings(deadline=None, max_examples=150)
@given(LOOSE, WAYS)
def test_accepted_findings_account_for_every_fen_that_is_not_paid(cases, accept):
    """Cases that count and findings that were left out are all cases, and so is their money."""
    good = [CASE | {"case_id": f"good {pool}", "patient": f"good {pool}", "pool": pool} for pool in BUDGET]
    cases = [*good, *cases]
    try:
        found = clear_year(price_all(cases), POLICY, budget={"resident": 10**6, "employee": 10**6}, accept=accept)
    except PolicyError as error:
        assert "nothing is left for the points" in str(error) or "no points" in str(error)
        return
    left = {row["row"] for row in found.findings.to_pylist() if row["treatment"] == "left_out"}
    counted = [case for number, case in enumerate(cases) if number not in left]
    assert sum(row["cases"] - row["not_counted"] for row in found.table) == len(counted)
    assert sum(row["fund_booked"] for row in found.table) == sum(case["fund_booked"] for case in counted)


def price_all(cases):
    """Cases with prices that a caller made for himself, those without points without one."""
    made = []
    for case in cases:
        known = case["points"] is not None
        money = {"standard": D(100), "payable": D(70)} if known else {"standard": None, "payable": None}
        made.append(case | money | {"payment_rule": "points"})
    return made
