"""Files of cases as hospitals' systems write them, and every file that is none."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import GOLDEN, ROOT, read_deck

from drgdip import CaseError, group_one, read_cases
from drgdip.cases.readers import read_parts

HEADER = ["病案号", "性别", "年龄", "诊断", "备注"]
ROWS = [["1", "女", "59", "K22.301|J94.801", "甲"], ["2", "男", "", "J96.900", ""]]
EXPECTED = [
    {"case_id": "1", "sex": 2, "age": 59, "dx": ["K22.301", "J94.801"], "unreadable": None, "备注": "甲"},
    {"case_id": "2", "sex": 1, "age": None, "dx": ["J96.900"], "unreadable": None, "备注": None},
]


@pytest.fixture
def write(tmp_path):
    """A function that writes a file of the name and content given."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def text_of(delimiter=",", end="\n"):
    return "".join(delimiter.join(row) + end for row in [HEADER, *ROWS])


# --- CSV -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings(write, encoding, end):
    content = text_of(end=end).encode(encoding)
    path = write("cases.csv", b"\xfe\xff" + content if encoding == "utf-16-be" else content)
    assert read_cases(path).to_pylist() == EXPECTED


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.txt", "\t")])
def test_delimiters(write, name, delimiter):
    assert read_cases(write(name, text_of(delimiter))).to_pylist() == EXPECTED


def test_quoted_cells_with_line_breaks_quotes_and_delimiters(write):
    path = write("a.csv", 'dx,note,sex\nA1,"two\nlines, and a ""word""",1\n"A2|B2",,2\n')
    assert read_cases(path).to_pylist() == [
        {"sex": 1, "dx": ["A1"], "unreadable": None, "note": 'two\nlines, and a "word"'},
        {"sex": 2, "dx": ["A2", "B2"], "unreadable": None, "note": None},
    ]


def test_a_header_with_line_breaks(write):
    """Spreadsheets wrap long headers."""
    table = read_cases(write("a.csv", '"不足1周岁\n年龄",dx,"性\n别"\n3,A1,1\n4,A2,2\n'))
    assert table["dx"].to_pylist() == [["A1"], ["A2"]]
    assert table["age_days"].to_pylist() == [3, 4]


def test_rows_of_another_length_are_kept_and_marked(write):
    path = write("a.csv", "dx,sex,age\nA1,1,5\nA2\nA3,1,7,more,cells\n\nA4,2,8\n")
    assert read_cases(path).to_pylist() == [
        {"sex": 1, "age": 5, "dx": ["A1"], "unreadable": None, "overflow": None},
        {"sex": None, "age": None, "dx": ["A2"], "unreadable": "row", "overflow": None},
        {"sex": 1, "age": 7, "dx": ["A3"], "unreadable": "row", "overflow": "more,cells"},
        {"sex": 2, "age": 8, "dx": ["A4"], "unreadable": None, "overflow": None},
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig", "utf-16"])
def test_broken_rows_in_other_encodings(write, encoding):
    path = write("a.csv", "诊断,性别\nA1\nA2,女\n".encode(encoding))
    assert read_cases(path)["sex"].to_pylist() == [None, 2]
    assert read_cases(path)["unreadable"].to_pylist() == ["row", None]


def test_a_column_of_the_file_is_not_lost_to_ours(write):
    table = read_cases(write("a.csv", "dx,overflow\nA1,mine\nA2\nA3,mine,more\n"))
    assert table["overflow"].to_pylist() == ["mine", None, "mine"]
    assert table["overflow_"].to_pylist() == [None, None, "more"]


def test_wide_columns(write):
    path = write("a.csv", "主要诊断编码,其他诊断编码1,其他诊断编码2,主要手术编码\nA1,,B2,\n,B1,,1.1\n")
    table = read_cases(path)
    assert table["dx"].to_pylist() == [["A1", "B2"], [None, "B1"]]
    assert table["procs"].to_pylist() == [[], ["1.1"]]


def test_codes_are_normalised_in_files(write):
    table = read_cases(write("a.csv", "dx\n Ｊ11.000X001 | |C61.X00\n"))
    assert table["dx"].to_pylist() == [["J11.000x001", "C61.x00"]]


def test_text_where_a_number_belongs_is_marked(write):
    table = read_cases(write("a.csv", "dx,age,los\nA1,old,3.5\nA2,7,8\n"))
    assert table["age"].to_pylist() == [None, 7]
    assert table["unreadable"].to_pylist() == ["age los", None]


def test_ten_thousand_codes_in_a_row(write):
    codes = [f"A{number:05}.x00" for number in range(10_000)]
    for more in ("", "B2\n"):  # a row that is too short takes the careful way
        table = read_cases(write("a.csv", "dx,age\n" + "|".join(codes) + ",3\n" + more))
        assert table["dx"].to_pylist()[0] == codes
        assert table["age"].to_pylist()[0] == 3


def test_duplicate_numbers_are_kept(write):
    assert read_cases(write("a.csv", "id,dx\n7,A1\n7,A2\n"))["case_id"].to_pylist() == ["7", "7"]


def test_a_header_only_is_no_cases(write):
    for text in ("dx,sex\n", "dx,sex"):
        assert read_cases(write("a.csv", text)).num_rows == 0


def test_columns(write):
    path = write("a.csv", "Fall,Diagnosen,x\n7,A1|A2,y\n")
    table = read_cases(path, columns={"dx": "Diagnosen", "case_id": "Fall"})
    assert table.to_pylist() == [{"case_id": "7", "dx": ["A1", "A2"], "unreadable": None, "x": "y"}]


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_json_a_list_of_records_or_one(write):
    record = {"dx": ["A1", "A2"], "sex": "女", "age": 5, "note": "甲"}
    expected = [{"sex": 2, "age": 5, "dx": ["A1", "A2"], "unreadable": None, "note": "甲"}]
    assert read_cases(write("a.json", json.dumps([record]))).to_pylist() == expected
    assert read_cases(write("b.json", json.dumps(record, ensure_ascii=False))).to_pylist() == expected
    assert (
        read_cases(write("c.json", json.dumps([record], ensure_ascii=False).encode("gb18030"))).to_pylist() == expected
    )


def test_json_records_with_other_keys_and_forms(write):
    records = [{"dx": "A1|A2"}, {"dx": ["B1"], "age": "7"}, {"age": 8, "dx": None}]
    table = read_cases(write("a.json", json.dumps(records)))
    assert table["dx"].to_pylist() == [["A1", "A2"], ["B1"], []]
    assert table["age"].to_pylist() == [None, 7, 8]


def test_json_lines_with_a_broken_line(write):
    path = write("a.jsonl", '{"dx": "A1"}\n\n{"dx": "A2"\n[1]\n{"dx": ["A3"], "sex": 1}\n')
    table = read_cases(path)
    assert table["dx"].to_pylist() == [["A1"], [], [], ["A3"]]
    assert table["unreadable"].to_pylist() == [None, "row", "row", None]
    assert table["overflow"].to_pylist() == [None, '{"dx": "A2"', "[1]", None]
    assert group_one(table.to_pylist()[1], "chs-drg-2.0").reason == "unreadable_row"


def test_json_with_our_names_in_it(write):
    path = write("a.json", '[{"dx": "A1", "overflow": "mine", "unreadable": "x"}, 5]')
    table = read_cases(path)
    assert table["overflow"].to_pylist() == ["mine", None]
    assert table["overflow_"].to_pylist() == [None, "5"]
    assert table["unreadable"].to_pylist() == [None, "row"]


# --- Parquet ---------------------------------------------------------------------------------------------------------


def test_parquet_with_lists_and_dictionaries(tmp_path):
    table = pa.table(
        {
            "dx": pa.array([["A1", None, "A2"], None]),
            "procs": pa.array(["1.1|2.1", None]).dictionary_encode(),
            "性别": pa.array(["男", "女"]).dictionary_encode(),
            "age": pa.array([5.0, None]),
            "ward": pa.array([{"name": "x"}, None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_cases(tmp_path / "a.parquet").to_pylist() == [
        {"sex": 1, "age": 5, "dx": ["A1", "A2"], "procs": ["1.1", "2.1"], "unreadable": None, "ward": {"name": "x"}},
        {"sex": 2, "age": None, "dx": [], "procs": [], "unreadable": None, "ward": None},
    ]


@pytest.mark.parametrize("name", ["cases.dat", "cases"])
def test_the_format_can_be_told(write, name):
    path = write(name, "dx\nA1\n")
    assert read_cases(path, format="csv")["dx"].to_pylist() == [["A1"]]
    with pytest.raises(CaseError, match="the format of a file .* is not known"):
        read_cases(path)
    with pytest.raises(CaseError, match="format 'xlsx' is not one of auto, csv, json, jsonl, parquet"):
        read_cases(path, format="xlsx")


# --- files that are none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.json", b"", "the file is empty"),
        ("a.parquet", b"", "the file is empty"),
        ("a.csv", b"\n \n\n", "the first lines are blank; one of them should be a header"),
        ("a.csv", b"PK\x03\x04\x00\x00\x00", "is not a text file"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\xff\xfe\xfa", "is neither UTF-8 nor GB18030 text; save it as UTF-8"),
        ("a.csv", b"\xef\xbb\xbfdx,x\nA1,\xff\xff\xff\n", "is neither UTF-8 nor GB18030 text"),
        ("a.csv", b"dx,sex,dx\nA1,1,A2\n", "column 'dx' stands 2 times in the header"),
        ("a.csv", b"sex,age\n1,2\n", "no column holds diagnoses; the columns are 'sex', 'age'"),
        ("a.csv", "dx,性别,gender\nA1,1,1\n".encode(), "'性别' and 'gender' both stand for 'sex'"),
        ("a.csv", b"dx,x\nA1\n" + b"9" * 200_000 + b",1\n", "line 3: is not CSV: field larger than field limit"),
        ("a.json", b'{"dx": ', "is not JSON: "),
        ("a.json", b"[" * 100_000, "is not JSON: "),
        ("a.json", b'{"dx": "A1", "age": ' + b"9" * 5000 + b"}", "is not JSON: "),
        ("a.json", b'"A1"', "should hold records"),
        ("a.json", b"[1, 2]", "should hold records"),
        ("a.jsonl", b"one\ntwo\n", "should hold records"),
        ("a.jsonl", b'{"sex": 1}\n', "no column holds diagnoses; the columns are 'sex'"),
        ("a.parquet", b"PAR1 this is none", "is not a Parquet file"),
    ],
)
def test_a_file_that_is_none(write, name, content, message):
    path = write(name, content)
    with pytest.raises(CaseError) as caught:
        read_cases(path)
    assert message in str(caught.value)


def test_a_cell_that_is_too_long_is_told_with_the_last_line_that_was_read():
    content = b"dx,x\n" + b"A1,1\n" * 24 + b"A1\n" + b"9" * 200_000 + b",1\n"
    with pytest.raises(CaseError, match="behind line 21: is not CSV: field larger than field limit"):
        [*read_parts(content, rows=10)]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CaseError, match="nothing.csv: there is no such file"):
        read_cases(tmp_path / "nothing.csv")
    with pytest.raises(CaseError, match="the folder has no file of cases"):
        read_cases(tmp_path)


# --- real input ------------------------------------------------------------------------------------------------------


def test_the_golden_sample_reads_as_its_rows():
    table = read_cases(GOLDEN / "opendrg-sample.csv")
    for row, case in zip(read_deck("opendrg-sample"), table.to_pylist(), strict=True):
        assert case["dx"] == row["dx"].split("|")
        assert case["procs"] == (row["procs"].split("|") if row["procs"] else [])
        assert case["case_id"] == row["case_id"]
        assert case["unreadable"] is None


def test_the_example_of_the_repository():
    table = read_cases(ROOT / "docs" / "examples" / "discharges.csv")
    ids = table["case_id"].to_pylist()
    assert ids[:30] == [row["case_id"] for row in read_deck("opendrg-sample")]
    assert len(set(ids)) == len(ids) > 200
    assert all(number.startswith("SYN") for number in ids[30:])
