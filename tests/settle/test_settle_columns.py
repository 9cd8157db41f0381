"""Tables with other names of columns: every step takes them by `columns=`, and gives what it gives for our names."""

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from settle_city import GIVEN, inputs_of, make_city, prepare

from drgdip import points, settle
from drgdip.errors import UnknownNameError
from drgdip.settle import load_policy, measure_surplus, read_settlement, settle_year, simulate, split_budget
from drgdip.settle.payment import PRICE_COLUMNS

THEIRS = {
    "case_id": "病案号",
    "hospital": "医疗机构",
    "pool": "险种",
    "group": "病组",
    "level": "等级",
    "month": "月份",
    "patient": "人员编号",
    "admitted": "入院日期",
    "discharged": "出院日期",
    "los": "住院天数",
    "discharge": "离院方式",
    "total_cost": "总费用",
    "fund_booked": "基金记账",
    "patient_paid": "个人支付",
    "case_kind": "病例类型",
    "list_status": "清单状态",
    "cross_region": "异地",
    "review_applied": "申请特例",
    "review_approved": "同意特例",
    "reasonable_cost": "合理费用",
}


def renamed(table):
    return table.rename_columns([THEIRS.get(name, name) for name in table.column_names])


@pytest.mark.parametrize("name", GIVEN)
def test_a_year_under_other_names_is_the_same_year(name):
    policy = load_policy(name, **GIVEN[name])
    city = prepare(make_city(400), policy)
    inputs = inputs_of(policy, city)
    ours, theirs = settle_year(city, policy, **inputs), settle_year(renamed(city), policy, **inputs, columns=THEIRS)
    assert theirs.clearing.table.equals(ours.clearing.table)
    assert theirs.clearing.pools.equals(ours.clearing.pools)
    assert theirs.months.equals(ours.months)
    assert theirs.ledger.equals(ours.ledger)
    assert set(THEIRS.values()) <= set(theirs.cases.column_names)
    for column in ("points", *PRICE_COLUMNS):
        assert theirs.cases[column].to_pylist() == ours.cases[column].to_pylist()
    assert measure_surplus(theirs.cases, ["pool", "group"], columns=theirs.columns).table.equals(
        measure_surplus(ours.cases, ["pool", "group"]).table
    )


def test_a_report_of_a_year_under_other_names(tmp_path):
    policy = load_policy("jinhua", **GIVEN["jinhua"])
    city = prepare(make_city(200), policy)
    year = settle_year(renamed(city), policy, **inputs_of(policy, city), columns=THEIRS)
    text = settle.write_report(year, policy, tmp_path / "year.html").read_text(encoding="utf-8")
    assert "<h2>Surplus by group</h2>" in text


def test_two_years_under_other_names():
    policy = load_policy("jilin-drg", **GIVEN["jilin-drg"])
    city = prepare(make_city(300), policy)
    milder = policy.replace(year={"fund": "standards"})
    inputs = inputs_of(policy, city)
    ours = simulate(city, policy, milder, inputs_a=inputs)
    other = renamed(city)
    theirs = simulate((other, other.slice(0)), policy, milder, inputs_a=inputs, columns=THEIRS)
    assert theirs.table.equals(ours.table)


def test_columns_that_a_step_adds_stand_under_our_names():
    """Points that come with the cases under another name are not those that the weights give."""
    policy = settle.read_policy("docs/examples/policy.toml").replace(points={"scale": 100}, review=None)
    case = {"hospital": "H", "pool": "resident", "month": 1, "group": "A", "旧点数": 1.0}
    case |= {"total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    budget = {"resident": 6600, "employee": 1}
    weights = [{"group": "A", "weight": 100}]
    columns = {"points": "旧点数"}
    year = settle_year([case], policy, weights=weights, budget=budget, columns=columns)
    assert year.clearing.table[0]["points"] == 100
    year = settle_year([case], policy, budget=budget, columns=columns)
    assert year.clearing.table[0]["points"] == 1


def test_a_name_that_is_like_another_is_no_misspelling():
    """``discharge`` and ``discharged`` are two columns, and so are ``case_id`` and ``case_kind``."""
    policy = load_policy("jinhua", **GIVEN["jinhua"])
    city = prepare(make_city(200), policy)
    inputs = inputs_of(policy, city)
    ours = settle_year(city, policy, **inputs).clearing.table
    for name in ("discharge", "discharged", "case_kind"):
        other = city.rename_columns([f"x {own}" if own == name else own for own in city.column_names])
        assert settle_year(other, policy, **inputs, columns={name: f"x {name}"}).clearing.table.equals(ours)
    both = {"discharge": "discharge", "discharged": "discharged"}
    stays = points.mark_readmissions(city, days=10, factor=0.5, columns=both)
    assert stays.equals(points.mark_readmissions(city, days=10, factor=0.5))


def test_every_other_step_takes_names():
    policy = load_policy("nanjing", **GIVEN["nanjing"])
    day = datetime.date(2024, 1, 1)
    lists = settle.mark_lists([{"出院": day, "submitted": day}], policy, columns={"discharged": "出院"})
    assert lists[0]["list_status"] == "passed"
    last = [{"机构": "H", "pool": "resident", "金额": 1200}]
    advanced = settle.advance_capital(last, policy, columns={"hospital": "机构", "paid": "金额"}).table
    assert (advanced[0]["hospital"], advanced[0]["working_capital"]) == ("H", 100)
    row = {"coverage": "groups", "places": "pilots", "年度": 2023, "covered": 1, "all": 2}
    assert settle.measure_coverage([row], columns={"year": "年度"})[0]["share"] == 0.5
    held = policy.replace(budget={"method": "growth", "reserve": Decimal("0.1")})
    kept = settle.hold_reserve([{"pool": "resident", "金额": 10}], held, columns={"amount": "金额"}).table[0]
    assert (kept["金额"], kept["amount"], kept["reserve"]) == (10, 9, 1)


def test_a_budget_and_its_shares_have_names_of_their_own():
    budget = pa.table({"pool": ["p"], "金额": [3]})
    shares = [{"month": 1, "人次": 1}, {"month": 2, "人次": 2}]
    found = split_budget(budget, shares, "month", columns={"amount": "金额", "share": "人次"}).table
    assert found.column_names == ["pool", "month", "amount"]
    assert found["amount"].to_pylist() == [1, 2]


def test_files_with_names_of_their_own(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("点数,是否异地\n1.5,是\n", encoding="utf-8")
    table = read_settlement(path, columns={"points": "点数", "cross_region": "是否异地"})
    assert table.to_pylist() == [{"points": 1.5, "cross_region": True}]
    with pytest.raises(UnknownNameError, match=r"no column '点'.*columns= gives it for 'points'"):
        read_settlement(path, columns={"points": "点"})


def test_names_that_are_wrong_are_said():
    case = {"险种": "p", "状态": "late"}
    with pytest.raises(UnknownNameError, match="no column '险 种'"):
        measure_surplus([case], "pool", columns={"pool": "险 种"})
    policy = settle.read_policy("docs/examples/policy.toml")
    with pytest.raises(UnknownNameError, match="no column 'list_staus'. Did you mean 'list_status'"):
        settle.month([case], policy, columns={"list_staus": "状态"})


def test_values_of_points_and_of_a_clearing_are_values_of_settlement():
    """A value that one function returns is accepted by the next."""
    policy = settle.read_policy("docs/examples/policy.toml")
    case = {"hospital": "H", "pool": "resident", "month": 1, "points": 100.0}
    case |= {"total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    values = points.point_value([case], fund=9555, fund_share=1)
    assert settle.price_cases([case], policy, values=values).table[0]["standard"] == 9555
    budget = pa.table({"pool": ["resident", "employee"], "amount": [6600, 1]})
    year = settle_year([case], policy, budget=budget)
    priced = settle.price_cases([case], policy, values=year.clearing.pools).table[0]
    assert priced["standard"] == year.cases[0]["standard"]
