"""Which name of a table is which column: families joined, contradictions refused, advice that works, every door."""

from __future__ import annotations

import ast
import json
import re

import pyarrow as pa
import pytest

import drgdip
from drgdip import CaseError, UnknownNameError
from drgdip.__main__ import main
from drgdip.cases.fields import read_record
from drgdip.cases.names import expand_columns, find_name, resolve
from drgdip.cases.table import clean_codes, to_cases

MAIN, MORE = "I63.900", ["E87.600", "I10.x00"]


def lists_of(row, columns=None, column="dx"):
    """A list of codes, of a table and of a record, which must be alike."""
    table = to_cases(pa.table({name: [value] for name, value in row.items()}), columns, need_dx=False)
    found = clean_codes(table[column].combine_chunks()).to_pylist()[0]
    assert read_record(row, columns)[0][column] == found
    return found


@pytest.mark.parametrize(
    "names",
    [
        ("C03C", "其他诊断编码1", "其他诊断编码2"),
        ("主要诊断编码", "C06x01C", "C06X2C"),
        ("诊断编码", "其他诊断编码1", "其他诊断编码2"),
        ("出院诊断编码", "次要诊断编码1", "次要诊断编码2"),
        ("dx", "其他诊断编码1", "其他诊断编码2"),
        ("诊断编码1", "诊断编码2", "诊断编码3"),
        ("出院诊断编码01", "出院诊断编码02", "出院诊断编码10"),
        ("主要诊断ICD编码", "其他诊断ICD编码1", "其他诊断ICD编码2"),
        ("出院主要诊断ICD10", "其他诊断1编码", "其他诊断2编码"),
        ("主要诊断(编码)", "其他诊断编码（1）", "其他诊断编码（2）"),
        ("主诊断", "次诊断1", "次诊断2"),
        ("出院主诊断编码", "诊断编码1", "诊断编码2"),
        ("ZYZD", "其他诊断编码1", "其他诊断编码2"),
    ],
)
def test_a_principal_code_of_one_family_with_others_of_another(names):
    row = dict(zip(names, [MAIN, *MORE], strict=True))
    assert lists_of(row) == [MAIN, *MORE]
    assert lists_of(dict(reversed(row.items()))) == [MAIN, *MORE]


@pytest.mark.parametrize(
    "names",
    [
        ("主要手术操作编码", "C35x01C"),
        ("手术及操作编码", "其他手术操作编码1"),
        ("手术及操作编码1", "手术及操作编码2"),
        ("手术操作编码1", "手术操作编码2"),
        ("主手术编码", "次手术1"),
        ("C14x1C", "其他手术编码"),
    ],
)
def test_procedures_are_joined_alike(names):
    assert lists_of(dict(zip(names, ["47.0100", "54.2101"], strict=True)), column="procs") == ["47.0100", "54.2101"]


@pytest.mark.parametrize("whole", ["A01.000|B02.900", ["A01.000", "B02.900"]])
def test_a_whole_list_stands_before_the_others(whole):
    assert lists_of({"诊断编码": whole, "其他诊断编码1": "I10.x00"}) == ["A01.000", "B02.900", "I10.x00"]


@pytest.mark.parametrize("empty", [None, "", "-"])
def test_an_empty_head_is_a_principal_code_that_is_missing(empty):
    table = pa.table({"诊断编码": pa.array([empty, "A01.000|B1"]), "其他诊断编码1": ["I10.x00", None]})
    found = clean_codes(to_cases(table)["dx"].combine_chunks()).to_pylist()
    assert found == [[None, "I10.x00"], ["A01.000", "B1"]]


@pytest.mark.parametrize(
    ("names", "used"),
    [
        (("主要诊断", "主要诊断编码"), "主要诊断编码"),
        (("主要诊断", "诊断编码"), "诊断编码"),
        (("诊断", "主要诊断编码"), "主要诊断编码"),
        (("主要诊断", "C03C"), "C03C"),
        (("dx", "主要诊断"), "dx"),
    ],
)
def test_a_name_that_says_code_goes_before_a_bare_one(names, used):
    row = {name: MAIN if name == used else "脑梗死" for name in names}
    assert lists_of(row) == [MAIN]
    assert set(resolve(names).passed_over) == set(names) - {used}


def test_bare_others_beside_others_that_say_code_are_names():
    row = {"C03C": MAIN, "其他诊断编码1": "I10.x00", "其他诊断1": "高血压"}
    assert lists_of(row) == [MAIN, "I10.x00"]


CONFLICTS = [
    ("诊断编码", "主要诊断编码"),
    ("dx", "C03C"),
    ("C03C", "主要诊断编码"),
    ("dx", "dx_principal"),
    ("诊断编码", "出院诊断编码"),
    ("诊断编码1", "出院诊断编码1"),
    ("手术操作编码", "主要手术操作编码"),
    ("性别", "gender"),
]


@pytest.mark.parametrize("names", CONFLICTS)
def test_the_advice_of_an_error_works_when_it_is_followed(names, tmp_path, capsys):
    """Every way that the message names is tried, in Python and on the command line."""
    row = {"sex": 1, "age": 70, "procs": "", **dict.fromkeys(names, MAIN)}
    if "手术" in names[0]:
        row.pop("procs")
    if not any("诊断" in name or name in {"dx", "C03C"} for name in names):
        row["dx"] = MAIN
    if "性别" in names:
        row |= dict.fromkeys(names, 1)
        row.pop("sex")
    doors = [
        lambda **more: drgdip.group([row], "chs-drg-2.0", **more),
        lambda **more: drgdip.group_one(row, "chs-drg-2.0", **more),
        lambda **more: drgdip.explain(row, "chs-drg-2.0", **more),
    ]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([row]), encoding="utf-8")
    for door in doors:
        with pytest.raises(CaseError) as error:
            door()
        ways = [ast.literal_eval(found) for found in re.findall(r"columns=(\{.*?\})", str(error.value))]
        assert ways
        for columns in ways:
            door(columns=columns)
    options = re.findall(r"\((--columns .*?) on the command line\)", str(error.value))
    assert len(options) == len(ways)
    for told in options:
        assert main(["group", str(file), "--scheme", "chs-drg-2.0", *told.split()]) == 0
    capsys.readouterr()


def test_two_ways_to_say_the_principal_code_by_hand_are_refused_with_a_third():
    row = {"a": MAIN, "b": "I10.x00"}
    with pytest.raises(CaseError, match="gives both 'dx' and 'dx_principal'") as error:
        lists_of(row, {"dx": "b", "dx_principal": "a"})
    columns = ast.literal_eval(re.search(r"columns=(\{.*?\})", str(error.value))[1])
    assert lists_of(row, columns) == [MAIN, "I10.x00"]


@pytest.mark.parametrize(
    ("columns", "codes"),
    [
        ({"dx": "main"}, [MAIN]),
        ({"dx": ["main", "more 2"]}, [MAIN, "E87.600"]),
        ({"dx_principal": "main", "dx_others": "more *"}, [MAIN, *MORE]),
        ({"dx_principal": "main", "dx_others": ["more 10", "more 2"]}, [MAIN, "I10.x00", "E87.600"]),
        ({"dx_principal": "main", "dx_others": "more 10"}, [MAIN, "I10.x00"]),
        ({"dx_principal": "main", "dx_others": []}, [MAIN]),
        ({"dx_others": "more *"}, [None, *MORE]),
    ],
)
def test_lists_are_mapped_by_hand(columns, codes):
    row = {"main": MAIN, "more 10": "I10.x00", "more 2": "E87.600"}
    assert lists_of(row, columns) == codes


def test_a_pattern_is_of_numbers_in_their_order_and_takes_brackets_as_they_are():
    names = ["x[10]", "x[9]", "x[1]", "y"]
    assert expand_columns({"dx_others": "x[*]"}, names) == {"dx_others": ("x[1]", "x[9]", "x[10]")}


@pytest.mark.parametrize(
    ("columns", "kind", "words"),
    [
        ({"dx_others": "nothing*"}, UnknownNameError, r"nothing\*"),
        ({"sex": ["a", "b"]}, CaseError, "2 names for 'sex'"),
        ({"dx": []}, CaseError, "0 names for 'dx'"),
        ({"dx_numbered": "a"}, UnknownNameError, "no case column 'dx_numbered'"),
    ],
)
def test_what_cannot_be_mapped(columns, kind, words):
    with pytest.raises(kind, match=words):
        resolve(["a", "b"], columns)


def test_every_door_takes_lists_and_patterns(tmp_path, capsys):
    row = {"sex": 1, "age": 70, "main": MAIN, "m1": MORE[0], "m2": MORE[1], "procs": ""}
    columns = {"dx_principal": "main", "dx_others": ["m1", "m2"]}
    table = pa.Table.from_pylist([row])
    expected = drgdip.group_one({"sex": 1, "age": 70, "dx": [MAIN, *MORE], "procs": []}, "chs-drg-2.0")
    assert drgdip.group_one(row, "chs-drg-2.0", columns=columns) == expected
    assert drgdip.explain(row, "chs-drg-2.0", columns=columns).result == expected
    for engine in ("reference", "columnar"):
        grouped = drgdip.group(table, "chs-drg-2.0", columns=columns, engine=engine)
        assert grouped["group"].to_pylist() == [expected.group]
    stream = drgdip.group(table.to_reader(), "chs-drg-2.0", columns=columns).read_all()
    assert stream["group"].to_pylist() == [expected.group]
    encoded = drgdip.encode(table, "chs-drg-2.0", columns=columns)
    assert drgdip.group(encoded, "chs-drg-2.0")["group"].to_pylist() == [expected.group]
    known = pa.table({"sex": [1], "age": [70], "dx": [[MAIN, *MORE]], "procs": [""]})
    findings = [drgdip.check_cases(known, "chs-drg-2.0"), drgdip.check_cases(table, "chs-drg-2.0", columns=columns)]
    assert findings[0].to_pylist() == findings[1].to_pylist()
    assert drgdip.map_codes(table, "clinical-2.0", columns=columns).report["column"].to_pylist() == ["main", "m1", "m2"]
    assert drgdip.diff_cases(table, "chs-drg-1.1", "chs-drg-2.0", columns=columns).num_rows == 1
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([row]), encoding="utf-8")
    assert drgdip.read_cases(file, columns=columns)["dx"].to_pylist() == [[MAIN, *MORE]]
    out = tmp_path / "out.json"
    options = ["--columns", "dx_principal=main", "--columns", "dx_others=m1", "--columns", "dx_others=m2"]
    assert main(["group", str(file), "--scheme", "chs-drg-2.0", "-o", str(out), *options]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))[0]["group"] == expected.group
    capsys.readouterr()


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("年龄(岁)", "age"),
        ("年龄（天）", "age_days"),
        ("年龄_天", "age_days"),
        ("患者年龄", "age"),
        ("总费用（元）", "total_cost"),
        ("总费用_元", "total_cost"),
        ("新生儿出生体重(g)", "birth_weight"),
        ("实际 住院 天数（天）", "los"),
        ("DX", "dx"),
    ],
)
def test_units_and_brackets_do_not_count(name, column):
    assert find_name([name], column) == name
    assert resolve([name]).single == {column: name}


@pytest.mark.parametrize("name", ["年龄(月)", "总费用(万元)", "新生儿出生体重(千克)", "主要诊断名称", "住院天数(小时)"])
def test_another_unit_or_a_name_is_no_alias(name):
    assert resolve([name]) == resolve([])


def test_columns_of_settlement_have_their_names_in_the_same_table():
    names = ["统筹基金支付", "个人支付", "患者ID", "月份", "医院等级"]
    found = {
        column: find_name(names, column) for column in ("fund_booked", "patient_paid", "patient", "month", "level")
    }
    assert list(found.values()) == names
    assert resolve(names).single == {}
    assert find_name(names, "group") is None


def test_what_read_cases_gives_is_read_alike_again(tmp_path):
    """The column of names that was passed over is still there, and stays passed over."""
    file = tmp_path / "cases.csv"
    file.write_text(
        "主要诊断,主要诊断编码,其他诊断编码1,性别,年龄,手术操作编码\n脑梗死,I63.900,E87.600,1,70,\n", "utf-8"
    )
    cases = drgdip.read_cases(file)
    assert "主要诊断" in cases.column_names
    assert drgdip.read_cases(file, columns={"dx": "其他诊断编码1"})["dx"].to_pylist() == [["E87.600"]]
    for again in (cases, cases.to_pandas(), cases.to_pylist()):
        assert to_cases(again)["dx"].to_pylist()[0] == ["I63.900", "E87.600"]
    assert drgdip.group_one(cases.to_pylist()[0], "chs-drg-2.0").group == "BR23"
