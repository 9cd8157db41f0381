"""What users and reviewers met when files and tables were read: each finding a test by its own name.

The numbers are those of the findings. Cases that were encoded for another scheme are in ``test_encoded.py``, codes of
a user's folder in ``test_folder_codes.py``, negative numbers and findings by rule in ``test_rows_alone.py``.
"""

import io
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from drgdip import describe_cases, explain, group, group_one, map_codes, points, read_cases, settle
from drgdip.errors import CaseError

SCHEME = "chs-drg-2.0"
DX = "I63.900"
GROUPED = ("grouped", None)


def answers(results):
    return [(row["status"], row["reason"]) for row in results]


def of_records(records):
    """The answers of records: among others by both engines, and each alone."""
    found = answers(group(records, SCHEME, engine="columnar"))
    assert found == answers(group(records, SCHEME, engine="reference"))
    assert found == answers(group_one(record, SCHEME)._asdict() for record in records)
    return found


# What users met on reading


def test_51_2300_that_was_read_as_the_number_51_23_is_not_guessed():
    cases = pd.read_csv(io.StringIO(f"sex,dx,procs\n1,{DX},51.2300\n1,{DX},\n"))
    assert answers(group(cases, SCHEME).to_dict("records"))[0] == ("invalid", "unreadable_procs")
    assert "dtype=str" in explain({"sex": 1, "dx": DX, "procs": 51.23}, SCHEME).text()


def test_a_diagnosis_code_beside_numbered_others_keeps_the_others():
    row = {"性别": 1, "年龄": 70, "诊断编码": DX, "其他诊断编码1": "E87.600"}
    assert group_one(row, SCHEME).group == group([row], SCHEME)[0]["group"] == "BR23"


def test_headers_that_nobody_knows_are_mapped_as_the_message_says():
    row = {"sex": 1, "age": 70, "主码": DX, "附码": "E87.600"}
    with pytest.raises(CaseError, match="columns="):
        group([row], SCHEME)
    assert group([row], SCHEME, columns={"dx_principal": "主码", "dx_others": "附码"})[0]["group"] == "BR23"


def test_a_message_4101a_from_memory():
    body = {"setlinfo": {"gend": "1", "age": "70"}, "diseinfo": [{"diag_code": DX, "maindiag_flag": "1"}]}
    message = {"infno": "4101A", "input": body}
    assert group_one(message, SCHEME).status == "grouped"
    assert answers(group(read_cases([message, message]), SCHEME).to_pylist()) == [GROUPED] * 2


def test_an_empty_list_of_cases_is_grouped_to_an_empty_list():
    assert group([], SCHEME) == []


def test_amounts_of_a_workbook_are_decimals():
    xlsxwriter = pytest.importorskip("xlsxwriter")
    pytest.importorskip("python_calamine")
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["诊断编码", "总费用", "统筹基金支付"])
        sheet.write_row(1, 0, [DX, 8123.5, 7000])
    assert read_cases(content.getvalue())["total_cost"].to_pylist() == [Decimal("8123.50")]


@pytest.mark.parametrize("make", [pa.Table.from_pylist, pd.DataFrame, pl.DataFrame, list])
def test_only_the_diagnoses_of_a_table_are_needed(make):
    assert len(group(make([{"dx": DX, "sex": 1}]), SCHEME)) == 1
    assert len(group(make([{"dx": DX}]), "nhsa-dip-2.0")) == 1


def test_one_bad_byte_spoils_one_row():
    content = f"sex,dx,name\n1,{DX},张\n1,{DX},".encode() + b"\xff\n" + f"1,{DX},李\n".encode()
    assert answers(group(read_cases(content), SCHEME).to_pylist()) == [GROUPED, ("invalid", "unreadable_row"), GROUPED]


def test_a_title_above_the_header_is_passed_over():
    assert read_cases(f"2024年出院病例\n性别,诊断编码\n1,{DX}\n".encode())["dx"].to_pylist() == [[DX]]


def test_weights_count_no_ambiguous_and_ungrouped_cases():
    """They counted in the mean of all: A, the one group, has the weight 1."""
    statuses = {"A": "grouped", "AQY": "ambiguous", None: "ungrouped"}
    cases = [
        {"group": name, "status": status, "total_cost": cost}
        for (name, status), cost in zip(statuses.items(), (10, 90, 5), strict=True)
    ]
    assert {row["group"]: row["weight"] for row in points.weights(cases) if row["n"]} == {"A": 1}


@pytest.mark.parametrize(("code", "said"), [("I63.9OO", "I63.9"), ("I63.900,E87.600", "E87.600"), ("脑梗死", "I63")])
def test_a_mistyped_code_a_separator_and_a_name_do_not_look_like_no_mdc(code, said):
    case = {"sex": 1, "age": 70, "dx": [code]}
    told = explain(case, SCHEME)
    assert (told.result.status, told.result.reason) == ("ungrouped", "unknown_principal_diagnosis")
    assert said in told.text()
    for engine in ("reference", "columnar"):
        assert group([case], SCHEME, engine=engine)[0]["reason"] == "unknown_principal_diagnosis"


def test_a_code_that_the_code_set_has_and_no_mdc_takes_is_not_unknown():
    case = {"sex": 1, "age": 70, "dx": ["B95.000"]}
    for scheme, reason in (("chs-drg-1.0-revised", "no_mdc"), (SCHEME, "principal_diagnosis_not_grouped")):
        assert {group([case], scheme, engine=engine)[0]["reason"] for engine in ("reference", "columnar")} == {reason}


def test_columns_with_codes_that_are_not_read_are_named():
    found = {row["column"]: row["note"] for row in describe_cases([{"dx": DX, "内码": "E87.600"}])}
    assert found["内码"] == "column_unused_dx"


# A source is read once


def test_case_points_of_a_plan_that_groups_by():
    """516 of 1,000 rows had the weight of another group."""
    cases = pl.DataFrame({"case_id": range(1000), "group": [f"G{number % 97}" for number in range(1000)]})
    weights = [{"group": f"G{number}", "weight": float(number)} for number in range(97)]
    plan = cases.lazy().group_by("case_id").agg(pl.col("group").first())
    found = points.case_points(plan, weights).collect()
    assert (found["points"] == found["group"].str.slice(1).cast(pl.Float64)).all()


def test_months_of_a_plan_without_an_order():
    """50 of 50 hospitals were paid otherwise."""
    numbers = range(1, 2001)
    rows = pl.DataFrame(
        {
            "case_id": map(str, numbers),
            "hospital": [f"H{number % 50}" for number in numbers],
            "pool": ["p"] * 2000,
            "month": [1] * 2000,
            **dict.fromkeys(("payable", "standard", "points", "total_cost"), numbers),
        }
    )
    plan = rows.lazy().group_by("case_id").agg(pl.all().exclude("case_id").first())
    rules = settle.read_policy("docs/examples/policy.toml").month
    paid = {row["hospital"]: row["paid"] for row in settle.month(plan, rules).table.collect().to_dicts()}
    assert paid == {row["hospital"]: row["paid"] for row in settle.month(rows, rules).table.to_dicts()}
    assert len(set(paid.values())) == 50


def test_a_relation_of_duckdb_keeps_its_results_beside_its_rows():
    """49,848 of 50,000 rows had another row's result."""
    codes = [DX, "J18.900", "K80.100", "E11.900", "nothing"]
    table = pa.table({"case_id": range(50_000), "sex": [1] * 50_000, "age": [50] * 50_000, "dx": codes * 10_000})
    expected = dict(zip(codes, group(table.slice(0, 5), SCHEME)["group"].to_pylist(), strict=True))
    found = group(duckdb.from_arrow(table).order("random()"), SCHEME).to_arrow_table().to_pylist()
    assert len(found) == 50_000
    assert all(row["group"] == expected[row["dx"]] for row in found)


def test_codes_of_a_reader_are_mapped_and_given_back():
    table = pa.table({"dx": ["I63.900", "A19.000x001"]})
    mapped = map_codes(table.to_reader(), "clinical-2.0", "nhsa-2.0").data
    assert mapped.num_rows == 2
    assert mapped.equals(map_codes(table, "clinical-2.0", "nhsa-2.0").data)


# Rows do not read their neighbours


def test_one_list_among_ages():
    assert of_records([{"sex": 1, "age": [71], "dx": DX}, {"sex": 1, "age": 71, "dx": DX}]) == [
        ("invalid", "unreadable_age"), GROUPED
    ]  # fmt: skip


def test_an_array_of_numpy_beside_a_text_keeps_the_other_diagnoses():
    records = [{"sex": 1, "age": 70, "dx": np.array([DX, "E87.600"])}, {"sex": 1, "age": 70, "dx": DX}]
    assert group(records, SCHEME)[0]["group"] == "BR23"
    assert group(pd.DataFrame(records), SCHEME)["group"][0] == "BR23"


def test_records_with_dx_beside_records_with_dx_principal():
    records = [{"sex": 1, "age": 70, "dx": DX}, {"sex": 1, "age": 70, "dx_principal": DX, "dx_other_1": "E87.600"}]
    assert of_records(records) == [GROUPED] * 2
    assert [row["group"] for row in group(records, SCHEME)] == ["BR25", "BR23"]


@pytest.mark.parametrize("flag", [True, np.True_])
def test_a_flag_is_no_sex(flag):
    assert of_records([{"sex": flag, "dx": DX}, {"sex": 1, "dx": DX}]) == [("invalid", "unreadable_sex"), GROUPED]


@pytest.mark.parametrize("age", ["0x10", -(2**63)])
def test_a_hexadecimal_number_and_the_smallest_one_are_no_ages(age):
    """NaN that was cast to a whole number is the smallest one."""
    assert of_records([{"sex": 1, "age": age, "dx": DX}]) == [("invalid", "unreadable_age")]
    assert of_records([{"sex": 1, "age": age, "dx": DX}, {"sex": 1, "age": 7, "dx": DX}])[0][1] == "unreadable_age"


@pytest.mark.parametrize("others", [[], [{"sex": 1, "dx": DX}], [{"sex": 1, "dx": [DX]}]])
def test_false_is_no_diagnosis(others):
    assert of_records([{"sex": 1, "dx": False}, *others])[0] == ("invalid", "unreadable_dx")


@pytest.mark.parametrize("index", [pa.int8(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()])
def test_a_null_in_a_list_of_categories_is_no_complication(index):
    """Without a sign there is no -1: the null became a code, and an MCC."""
    words = pa.DictionaryArray.from_arrays(pa.array([0, None], index), pa.array([DX, "E87.600"]))
    table = pa.table({"sex": [1], "age": [70], "dx": pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), words)})
    for engine in ("reference", "columnar"):
        assert group(table, SCHEME, engine=engine)["group"].to_pylist() == ["BR25"]


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_categories_enums_lists_of_them_and_long_numbers_of_polars(engine):
    codes = ["E87.600", DX]
    for kind in (pl.Categorical, pl.Enum(codes)):
        frame = pl.DataFrame({"sex": pl.Series([1], dtype=pl.Int128), "age": [70], "dx": pl.Series([DX], dtype=kind)})
        assert group(frame, SCHEME, engine=engine)["group"].to_list() == ["BR25"]
        frame = frame.with_columns(pl.Series("dx", [[DX, "E87.600"]], dtype=pl.List(kind)))
        assert group(frame, SCHEME, engine=engine)["group"].to_list() == ["BR23"]


# Quotes that are not closed


def test_an_open_quote_in_the_header_is_no_success_without_cases():
    with pytest.raises(CaseError, match="line 1: a quote in the header is not closed"):
        read_cases(f'sex,"dx,note\n1,{DX},x\n'.encode())


def test_an_open_quote_in_a_cell_does_not_make_one_row_of_four():
    content = f'sex,dx,note\n1,{DX},"open\n' + f"1,{DX},x\n" * 2 + f'1,{DX},"closed"\n'
    found = answers(group(read_cases(content.encode()), SCHEME).to_pylist())
    assert found == [("invalid", "unreadable_row"), *[GROUPED] * 3]
