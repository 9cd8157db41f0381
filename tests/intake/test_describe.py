"""What a table is understood to hold: `describe_cases`, the metadata of `read_cases`, notes of the command line."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pytest

import drgdip
from drgdip.__main__ import main

ROW = {
    "主要诊断": "脑梗死",
    "主要诊断编码": "I63.900",
    "其他诊断编码1": None,
    "医院自编": "I63.900;E87.600",
    "操作内码": ["47.0100"],
    "门诊诊断编码": "I63.9",
    "费用": "12.50",
    "床号": "A03",
    "入径诊断码": "脑梗死",
    "sex": 1,
}


def rows_of(cases, *more, **options):
    found = drgdip.describe_cases(cases, *more, **options)
    return {row["column"] or row["used_as"]: row for row in (found if isinstance(found, list) else found.to_pylist())}


def test_a_row_for_each_column_says_what_it_is_used_as():
    rows = rows_of([ROW, ROW])
    assert list(rows) == list(ROW)
    assert {name: row["used_as"] for name, row in rows.items() if row["used_as"]} == {
        "主要诊断编码": "dx_principal",
        "其他诊断编码1": "dx_others",
        "sex": "sex",
    }
    assert {name: row["note"] for name, row in rows.items() if row["note"]} == {
        "主要诊断": "column_passed_over:主要诊断编码",
        "医院自编": "column_unused_dx",
        "操作内码": "column_unused_procs",
        "门诊诊断编码": "column_other_codes",
    }
    assert (rows["其他诊断编码1"]["filled"], rows["其他诊断编码1"]["examples"]) == (0, None)
    assert (rows["主要诊断"]["filled"], rows["主要诊断"]["examples"]) == (2, "脑梗死")


def test_columns_that_a_scheme_misses_are_rows():
    rows = rows_of([ROW], "chs-drg-1.1")
    missing = {name: row["note"] for name, row in rows.items() if row["column"] is None}
    assert missing == {
        "procs": "column_absent:procs",
        "age": "column_needed:age",
        "age_days": "column_absent:age_days",
        "newborn_weight": "column_absent:newborn_weight",
        "birth_weight": "column_absent:birth_weight",
    }


def test_columns_by_hand_are_used():
    rows = rows_of([ROW], columns={"procs": "操作内码", "dx_others": "医院*"})
    assert (rows["操作内码"]["used_as"], rows["医院自编"]["used_as"]) == ("procs", "dx_others")
    assert rows["医院自编"]["note"] is None


def test_examples_are_few_and_short():
    rows = rows_of(pa.table({"dx": [f"A{number:02}.{'1' * 40}" for number in range(50)]}))
    assert rows_of(pa.table({"dx": [["A01.000", "B02.900"]]}))["dx"]["examples"] == "A01.000|B02.900"
    assert rows["dx"]["filled"] == 50
    assert [len(example) for example in rows["dx"]["examples"].split("; ")] == [24] * 3


@pytest.mark.parametrize("values", [["12.50", "47.01"], ["A03", "B04"], ["", None], ["脑梗死", "I63.900", "x"], [1, 2]])
def test_what_is_no_column_of_codes(values):
    table = pa.table({"dx": ["A1"] * len(values), "other": pa.array(values)})
    assert drgdip.describe_cases(table)["note"].to_pylist() == [None, None]


def test_the_kind_of_container_comes_back():
    frame = drgdip.describe_cases(pd.DataFrame([ROW]))
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["column", "used_as", "filled", "examples", "note"]
    assert isinstance(drgdip.describe_cases([ROW]), list)
    assert drgdip.describe_cases(pa.table({"dx": pa.array([], pa.string())})).num_rows == 1


def test_every_note_has_its_texts():
    notes = {row["note"] for row in drgdip.describe_cases([ROW], "chs-drg-1.1")} - {None}
    codes = {reason.code for reason in drgdip.list_reasons("columns")}
    assert {note.partition(":")[0] for note in notes} == codes
    for note in notes:
        assert drgdip.describe_reason(note) != drgdip.describe_reason(note, "zh")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cases.csv"
    text = (
        "case_id,主要诊断,主要诊断编码,医保主要诊断编码,内码,性别,手术操作编码\n1,脑梗死,I63.900,I63.900,E87.600,1,\n"
    )
    path.write_text(text, encoding="utf-8")
    return path


def test_read_cases_keeps_what_it_understood(file):
    kept = json.loads(drgdip.read_cases(file).schema.metadata[b"drgdip.columns"])
    assert kept == {
        "used": {"case_id": "case_id", "性别": "sex", "主要诊断编码": "dx_principal", "手术操作编码": "procs"},
        "passed_over": {"主要诊断": "主要诊断编码"},
        "codes": {"医保主要诊断编码": "dx", "内码": "dx"},
    }


@pytest.mark.parametrize(
    ("verb", "language"),
    [
        (["group"], "en"),
        (["check", "--language", "zh"], "zh"),
        (["explain", "--case", "1", "--language", "zh"], "zh"),
        (["explain", "--case", "1"], "en"),
    ],
)
def test_the_command_line_says_which_codes_are_not_used(file, capsys, verb, language):
    assert main([verb[0], str(file), "--scheme", "chs-drg-1.1", *verb[1:]]) == 0
    said = capsys.readouterr().err
    text = drgdip.describe_reason("column_unused_dx", language)
    advice = "--columns dx_others=医保主要诊断编码"
    sign = "：" if language == "zh" else ": "
    assert f"医保主要诊断编码{sign}{text}" in said
    assert advice in said
    assert "主要诊断: " not in said.replace("医保主要诊断编码", "")
    if verb[0] == "group":
        assert "no column for age" in said
    assert main([verb[0], str(file), "--scheme", "chs-drg-1.1", *verb[1:], *advice.split()]) == 0
    assert "医保主要诊断编码: " not in capsys.readouterr().err
