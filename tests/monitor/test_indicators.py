"""Indicators against their definitions computed case by case, for any container, order and chunking."""

import datetime
import random
from decimal import Decimal

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from monitor_cases import BASIC, DAYS, LOW_RISK, TWINS, WEIGHTS, add_readmissions, make_cases, twin

from drgdip.errors import CaseError, UnknownNameError
from drgdip.monitor import describe_indicators, indicators, list_indicators, translate_indicators
from drgdip.monitor.quantities import quantities
from drgdip.settle import measure_surplus

TABLE = [{"group": group, "weight": weight} for group, weight in WEIGHTS.items()]
OPTIONS = {"weights": TABLE, "low_risk": LOW_RISK, "basic": BASIC, "readmission_days": DAYS}


def without_marks(cases):
    return [{name: value for name, value in case.items() if name != "readmitted"} for case in cases]


def same(found, wanted):
    return found is None if wanted is None else found == pytest.approx(float(wanted), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("by", [["hospital"], ["hospital", "month"], ["pool", "level"], []])
def test_every_indicator_is_its_definition(seed, by):
    cases = add_readmissions(make_cases(seed, gaps=seed % 2 == 0))
    rows = indicators(without_marks(cases), by or None, **OPTIONS)
    wanted = twin(cases, by)
    assert set(TWINS) == set(list_indicators()["id"]), "a twin for every indicator"
    assert len(rows) == len(wanted)
    for row in rows:
        own = wanted[tuple(type(cases[0][name])(row[name]) for name in by)]
        for name, value in own.items():
            found = float(row[name]) if row[name] is not None else None
            assert same(found, value), (by, name, row[name], value)


def test_money_is_exact():
    cases = make_cases(3)
    for row in indicators(cases, which=["total_cost", "profit", "fund"]):
        mine = [case for case in cases if case["hospital"] == row["hospital"]]
        for name, column in (("total_cost", "total_cost"), ("profit", "profit"), ("fund", "fund_booked")):
            assert isinstance(row[name], Decimal)
            assert row[name] == sum(case[column] for case in mine if case[column] is not None)


def test_reference_and_previous_stand_beside():
    now, region = (add_readmissions(make_cases(seed, size)) for seed, size in ((1, 300), (3, 500)))
    then = add_readmissions([case for case in make_cases(2, 250) if case["hospital"] != "H2"])
    wanted, before, whole = twin(now, ["hospital"], region), twin(then, ["hospital"], region), twin(region, [])[()]
    rows = indicators(without_marks(now), reference=without_marks(region), previous=without_marks(then), **OPTIONS)
    for row in rows:
        key = (row["hospital"],)
        for name in TWINS:
            value, last = wanted[key][name], before[key][name] if key in before else None
            assert same(None if row[name] is None else float(row[name]), value), name
            assert same(row[f"{name}_reference"], whole[name]), name
            assert same(row[f"{name}_previous"], last), name
            change = (float(value) - float(last)) / float(last) if value is not None and last and last > 0 else None
            assert same(row[f"{name}_change"], change), name


def containers(cases):
    table = pa.Table.from_pylist(cases)
    order = list(range(len(cases)))
    random.Random(7).shuffle(order)
    half = len(cases) // 2
    yield "arrow", table
    yield "permuted", table.take(order)
    yield "chunked", pa.concat_tables([table.slice(0, 3), table.slice(3, half - 3), table.slice(half)])
    yield "batch", table.combine_chunks().to_batches()[0]
    yield "pandas", pd.DataFrame(cases)
    yield "arrow in pandas", table.to_pandas(types_mapper=pd.ArrowDtype)
    yield "polars", pl.DataFrame(table)
    yield "lazy", pl.DataFrame(table).lazy()
    yield "duckdb", duckdb.from_arrow(table)
    yield "stream", pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=37))


def plain(result):
    if isinstance(result, pa.RecordBatch):
        result = pa.Table.from_batches([result])
    if isinstance(result, pl.LazyFrame):
        result = result.collect()
    if isinstance(result, pl.DataFrame):
        result = result.to_arrow()
    if isinstance(result, duckdb.DuckDBPyRelation):
        result = result.to_arrow_table()
    if isinstance(result, pa.Table):
        return result.to_pylist()
    return [
        {name: None if value is None or value != value else value for name, value in row.items()}
        for row in result.to_dict("records")
    ]


def test_every_container_order_and_chunking_gives_one_answer():
    cases = make_cases(5, 500)
    wanted = indicators(cases, ["hospital", "month"], previous=make_cases(6), parts=True, small=20, **OPTIONS)
    for what, table in containers(cases):
        found = indicators(table, ["hospital", "month"], previous=make_cases(6), parts=True, small=20, **OPTIONS)
        assert plain(found) == wanted, what


def test_parts_add_up_across_keys():
    cases = make_cases(8)
    of_all = indicators(cases, None, parts=True, **OPTIONS)[0]
    by_key = indicators(cases, ["hospital", "month"], parts=True, **OPTIONS)
    for row in list_indicators():
        for part, name in ((row.numerator, "numerator"), (row.denominator, "denominator")):
            if part and quantities()[part].how != "groups":
                total = sum(key[f"{row.id}_{name}"] for key in by_key)
                wanted = of_all[f"{row.id}_{name}"]
                assert total == wanted if not isinstance(wanted, float) else total == pytest.approx(wanted), row.id


def test_cases_without_a_key_stand_apart():
    rows = indicators([{"hospital": "H", "dept": None}, {"hospital": None, "dept": "D"}], ["hospital", "dept"])
    assert [(row["hospital"], row["dept"], row["discharges"]) for row in rows] == [("H", None, 1), (None, "D", 1)]


def test_the_month_comes_from_the_discharge():
    cases = make_cases(4)
    for case in cases:
        case["month"] = case["discharged"] and f"{case['discharged']:%Y-%m}"
    wanted = indicators(cases, ["hospital", "month"], **OPTIONS)
    without = [{name: value for name, value in case.items() if name != "month"} for case in cases]
    assert indicators(without, ["hospital", "month"], **OPTIONS) == wanted


def test_three_layers_are_those_of_settlement():
    cases = [case | {"profit_formula": case["standard"] - case["total_cost"]} for case in make_cases(9, gaps=False)]
    cases = [case | {"profit": case["profit_formula"], "adjustment": Decimal(0)} for case in cases]
    for by in (["pool"], ["pool", "hospital"], ["pool", "level"]):
        wanted = measure_surplus(cases, by).table
        found = indicators(cases, by, which=["standard", "total_cost", "profit"])
        names = [*by, "standard", "total_cost", "profit"]
        assert [[row[name] for name in names] for row in found] == [[row[name] for name in names] for row in wanted]


def test_columns_of_the_caller():
    cases = [{"医院": "H1", "总费用": "9000.10"}, {"医院": "H1", "总费用": "1000"}]
    row = indicators(cases, columns={"hospital": "医院", "total_cost": "总费用"})[0]
    assert (row["discharges"], row["total_cost"], row["mean_cost"]) == (2, Decimal("10000.10"), 5000.05)
    with pytest.raises(UnknownNameError, match="total_costs"):
        indicators(cases, columns={"hospital": "医院", "total_costs": "总费用"})


def test_small_numbers_are_marked_by_the_caller_alone():
    cases = [{"hospital": "H", "total_cost": 5}, {"hospital": "H", "total_cost": None}]
    which = ["discharges", "mean_cost"]
    assert "small" not in indicators(cases, which=which)[0]
    assert [indicators(cases, which=which, small=n)[0]["small"] for n in (1, 2, 3)] == [
        None,
        "mean_cost",
        "discharges|mean_cost",
    ]


def test_what_is_not_computed_is_said():
    cases = [{"hospital": "H", "group": "A", "total_cost": 10}, {"hospital": "H", "group": None, "total_cost": None}]
    described = describe_indicators(cases)
    computed = [row.id for row in described if row.computed]
    assert computed == [name for name in indicators(cases)[0] if name != "hospital"]
    assert all(row.needs and row.cases is None for row in described if not row.computed)
    assert [described.row(name).cases for name in ("discharges", "mean_cost", "grouped", "cost_index")] == [2, 1, 2, 1]
    assert described.row("cmi").needs == "weights= or a column 'weight'"
    with pytest.raises(CaseError, match="low_risk= and a column 'group'"):
        indicators(cases, which=["low_risk_mortality"])
    with pytest.raises(UnknownNameError, match="mean_cost"):
        indicators(cases, which=["mean_costs"])


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [("total_cost", "many", "give yuan"), ("los", "long", "give numbers"), ("tcm", "perhaps", "true or false")],
)
def test_a_value_that_cannot_be_read_is_said_with_its_row(column, value, wanted):
    with pytest.raises(CaseError, match=rf"{column}.*'{value}' in row 1.*{wanted}"):
        indicators([{"hospital": "H", column: None}, {"hospital": "H", column: value}])


def test_a_flag_in_words():
    cases = [{"hospital": "H", "tcm": word} for word in ("是", "否", "1", "yes", None)]
    assert indicators(cases, which=["tcm_share"], parts=True)[0] == {
        "hospital": "H",
        "tcm_share": 0.75,
        "tcm_share_numerator": 3,
        "tcm_share_denominator": 4,
    }


def test_dip_cases_have_their_basic_diseases_and_their_surgery():
    cases = [
        {"hospital": "H", "status": "grouped", "group": "A", "primary_care": True, "treatment": "surgery"},
        {"hospital": "H", "status": "grouped", "group": "B", "primary_care": False, "treatment": "conservative"},
        {"hospital": "H", "status": "ungrouped", "group": None, "primary_care": True, "treatment": None},
    ]
    row = indicators(cases)[0]
    assert (row["basic_share"], row["surgical_share"], row["grouping_rate"]) == (0.5, 0.5, pytest.approx(2 / 3))


def test_an_own_flag_of_readmission_counts():
    cases = [{"hospital": "H", "readmitted": flag} for flag in (True, False, None, False)]
    assert indicators(cases, which=["readmission_rate"])[0]["readmission_rate"] == pytest.approx(1 / 3)


def test_headings_of_both_languages_name_every_column_once():
    table = pa.Table.from_pylist(indicators(make_cases(2), previous=make_cases(3), parts=True, small=9, **OPTIONS))
    for language in ("en", "zh"):
        names = translate_indicators(table, language).column_names
        assert len(set(names)) == len(names) == table.num_columns
    assert "次均费用（同比）" in names
    with pytest.raises(UnknownNameError):
        translate_indicators(table, "fr")


def test_blocks_and_places_do_not_matter(monkeypatch):
    """Rows are added by blocks, and pairs of key and group are counted in two ways."""
    cases = make_cases(11, 300)
    wanted = indicators(cases, ["hospital", "month"], parts=True, **OPTIONS)
    monkeypatch.setattr("drgdip._sums.BLOCK", 7)
    assert indicators(pa.Table.from_pylist(cases), ["hospital", "month"], parts=True, **OPTIONS).to_pylist() == wanted
    monkeypatch.setattr("drgdip.monitor.quantities._DENSE", 1)
    assert indicators(cases, ["hospital", "month"], parts=True, **OPTIONS) == wanted


def test_an_amount_beyond_all_money_is_said_with_its_row(monkeypatch):
    monkeypatch.setattr("drgdip._sums.BLOCK", 2)
    costs = pa.array([Decimal(1), Decimal(2), Decimal(3), Decimal(10**15)], pa.decimal128(20, 2))
    with pytest.raises(CaseError, match="total_cost.*in row 3: give yuan"):
        indicators(pa.table({"hospital": ["H"] * 4, "total_cost": costs}))


def test_a_table_without_rows():
    table = pa.Table.from_pylist(make_cases(1)).slice(0, 0)
    assert indicators(table, previous=make_cases(2), small=3, **OPTIONS).num_rows == 0
    row = indicators(table, None, **OPTIONS).to_pylist()[0]
    assert (row["discharges"], row["total_cost"], row["cmi"], row["groups"]) == (0, Decimal(0), None, 0)


def test_a_change_needs_an_earlier_value_above_nothing():
    now, then = ([{"hospital": "H", "profit": profit}] for profit in (50, -100))
    row = indicators(now, previous=then)[0]
    assert (row["profit_previous"], row["profit_change"]) == (-100.0, None)


def test_one_group_may_be_given_alone():
    cases = [{"hospital": "H", "group": group} for group in ("G01", "G", "1")]
    assert indicators(cases, which=["basic_share"], basic="G01")[0]["basic_share"] == pytest.approx(1 / 3)


def test_texts_numbers_and_dictionaries_are_read_alike():
    cases = make_cases(12, 200, gaps=False)
    wanted = indicators(cases, **OPTIONS)
    texts = [
        {name: value if name in ("admitted", "discharged") else str(value) for name, value in c.items()} for c in cases
    ]
    texts = [case | {"group": case["group"] if case["group"] != "None" else None} for case in texts]
    assert indicators(texts, **OPTIONS) == wanted
    table = pa.Table.from_pylist(cases)
    for name in ("hospital", "group", "status", "outlier", "discharge"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table[name].dictionary_encode())
    assert indicators(table, **OPTIONS).to_pylist() == wanted


def test_two_stays_of_a_day_follow_each_other_in_any_order():
    day, later = datetime.date(2024, 5, 1), datetime.date(2024, 5, 20)
    stays = [("H1", "P", day, day), ("H2", "P", day, day), ("H3", "Q", day, day), ("H4", None, day, day)]
    stays += [("H5", "R", day, later), ("H6", "R", later, later)]
    names = ("hospital", "patient", "admitted", "discharged")
    cases = [dict(zip(names, stay, strict=True)) for stay in stays]
    for order in (cases, cases[::-1]):
        rows = indicators(order, which=["readmission_rate"], readmission_days=0)
        assert [row["readmission_rate"] for row in rows] == [1, 1, 0, None, 1, 0]


def test_neither_gain_nor_loss_is_no_loss():
    cases = [{"hospital": "H", "group": group, "profit": profit} for group, profit in (("A", 5), ("A", -5), ("B", 0))]
    row = indicators([*cases, {"hospital": "H", "group": "C", "profit": -1}])[0]
    assert (row["gain_share"], row["surplus_group_share"]) == (0.5, pytest.approx(2 / 3))


def test_a_group_without_costs_gives_no_index():
    cases = [{"hospital": "H", "group": group, "total_cost": cost} for group, cost in (("A", 0), ("B", 4), ("B", 6))]
    row = indicators(cases, which=["cost_index"], parts=True)[0]
    assert (row["cost_index"], row["cost_index_denominator"]) == (1, 2)


def test_own_flags_of_groups_hold_for_grouped_cases_alone():
    cases = [
        {"hospital": "H", "group": group, "basic": True, "low_risk": True, "discharge": 5} for group in ("A", None)
    ]
    row = indicators([*cases, cases[0] | {"basic": False, "low_risk": False}], parts=True)[0]
    parts = ("basic_share_numerator", "basic_share_denominator", "low_risk_mortality_denominator")
    assert [row[name] for name in parts] == [1, 2, 1]


def test_the_weight_of_a_case_that_is_not_grouped_does_not_count():
    cases = [{"hospital": "H", "status": status, "weight": 2.0} for status in ("grouped", "ungrouped")]
    assert indicators(cases, which=["total_weight", "cmi"])[0] == {"hospital": "H", "total_weight": 2.0, "cmi": 2.0}
    with pytest.raises(UnknownNameError, match="group"):
        indicators(cases, weights=TABLE)
