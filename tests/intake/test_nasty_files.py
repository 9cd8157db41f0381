"""The same file at every door gives the same answer: files as hospitals have them, with the status of each row by hand.

Each file goes through `read_cases` and `group` with both engines, through ``drgdip group``, row by row through
`group_one`, through `check_cases` and through `read_settlement`.
"""

import io
import json
import zipfile
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drgdip import check_cases, explain, group, group_one, read_cases
from drgdip.cli import main
from drgdip.errors import CaseError
from drgdip.settle import read_settlement

SCHEME = "chs-drg-2.0"
OK = ("grouped", None)
NO_DX = ("invalid", "missing_principal_diagnosis")
NO_SEX = ("invalid", "missing_sex")
BAD_DX, BAD_PROCS = ("invalid", "unreadable_dx"), ("invalid", "unreadable_procs")
BAD_ROW, BAD_AGE = ("invalid", "unreadable_row"), ("invalid", "unreadable_age")
BAD_SEX = ("invalid", "unreadable_sex")
ODD_SEX = ("invalid", "invalid_sex")


class Nasty(NamedTuple):
    """A file: its name, its content, and what becomes of each row."""

    name: str
    content: bytes
    rows: list


def text(content, encoding="utf-8"):
    return content.encode(encoding)


def excel(rows):
    xlsxwriter = pytest.importorskip("xlsxwriter")
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if hasattr(cell, "isoformat"):
                    sheet.write_datetime(row, column, cell, day)
                else:
                    sheet.write(row, column, cell)
    return buffer.getvalue()


def parquet(**columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def listed(*diagnoses, **general):
    """A settlement list."""
    fields = {"medcasno": "1", "gend": "1", "age": "71", **general}
    return {
        "setlinfo": fields,
        "diseinfo": [dict(zip(("diag_code", "maindiag_flag"), one, strict=False)) for one in diagnoses],
    }


def message(*bodies):
    return text(json.dumps([{"infno": "4101A", "input": body} for body in bodies]))


DX = "I63.900"
HQMS = ["A48", "A12C", "A14", "C03C", "C06x01C", "C06X02C", "C14x01C", *(f"F{n}" for n in range(300))]

FILES = [
    # encodings
    Nasty("utf8.csv", text(f"性别,年龄,诊断编码\n男,71,{DX}\n"), [OK]),
    Nasty("mark.csv", text(f"性别,年龄,诊断编码\n男,71,{DX}\n", "utf-8-sig"), [OK]),
    Nasty("gb18030.csv", text(f"性别,年龄,诊断编码\n男,71,{DX}\n", "gb18030"), [OK]),
    Nasty("utf16.csv", text(f"性别,年龄,诊断编码\n男,71,{DX}\n", "utf-16"), [OK]),
    Nasty(
        "bad_byte.csv", text(f"sex,dx,name\n1,{DX},张\n1,{DX},") + b"\xff\n" + text(f"2,{DX},李\n"), [OK, BAD_ROW, OK]
    ),
    Nasty("bad_mark.csv", text(f"sex,dx,name\n1,{DX},张\n", "utf-8-sig") + b"1,I63.900,\xff\n", [OK, BAD_ROW]),
    Nasty(
        "bad_gbk.csv",
        text(f"sex,dx,姓名\n1,{DX},张三\n1,{DX},李", "gb18030") + b"\xff\n1,I63.900,\xcd\xf5\n",
        [OK, BAD_ROW, OK],
    ),
    Nasty("cut.csv", text(f"sex,dx,name\n1,{DX},a\n1,{DX},张三")[:-1], [OK, BAD_ROW]),
    # separators, line ends, quotes
    Nasty("tab.tsv", text(f"sex\tdx\n1\t{DX}\n"), [OK]),
    Nasty("semicolon.csv", text(f"sex;dx\n1;{DX}\n"), [OK]),
    Nasty("crlf.csv", text(f"sex,dx\r\n1,{DX}\r\n2,\r\n"), [OK, NO_DX]),
    Nasty("no_end.csv", text(f"sex,dx\n1,{DX}"), [OK]),
    Nasty("breaks.csv", text(f'sex,dx,note\n1,{DX},"one\ntwo, and\nthree"\n2,{DX},x\n'), [OK, OK]),
    Nasty("legal.csv", text(f'sex,dx,note\n1,{DX},"one\na, b, c\nthree"\n2,{DX},x\n'), [OK, OK]),
    Nasty("open.csv", text(f'sex,dx,note\n1,{DX},"open\n2,{DX},x\n1,{DX},y\n'), [BAD_ROW, OK, OK]),
    Nasty("open_later.csv", text(f'sex,dx,note\n1,{DX},"open\n2,{DX},x\n1,{DX},"y"\n'), [BAD_ROW, OK, OK]),
    Nasty("quote_inside.csv", text(f'sex,dx,note\n1,{DX},5" wire\n2,{DX},x\n'), [OK, OK]),
    Nasty("short.csv", text(f"sex,dx,age\n1,{DX},71\n1,{DX}\n1,{DX},71,9\n"), [OK, BAD_ROW, BAD_ROW]),
    Nasty("blank_rows.csv", text(f"\n\nsex,dx\n\n1,{DX}\n\n"), [OK]),
    Nasty("title.csv", text(f"某医院病例\n制表：病案室\n性别,诊断编码\n男,{DX}\n"), [OK]),
    Nasty("wrapped.csv", text(f'"性\n别","诊断\n编码"\n1,{DX}\n'), [OK]),
    Nasty("formula.csv", text(f"sex,dx,note\n1,{DX},'=1+1\n"), [OK]),
    # values
    Nasty("missing.csv", text(f"sex,age,dx,procs\n1,无,{DX},-\nNULL,71,{DX},/\n1,71,N/A,\n"), [OK, NO_SEX, NO_DX]),
    Nasty("units.csv", text(f"sex,age,dx\n1,71岁,{DX}\n1,３天,{DX}\n1,７１ 周岁,{DX}\n"), [OK, BAD_AGE, OK]),
    Nasty(
        "numbers.csv",
        text(f"sex,age,dx\n1,71.0,{DX}\n1,0x1F,{DX}\n1,1e1,{DX}\n1,-3,{DX}\n"),
        [OK, BAD_AGE, BAD_AGE, BAD_AGE],
    ),
    Nasty("width.csv", text("sex,age,dx\n１,７１,Ｉ６３．９００\n"), [OK]),
    Nasty("sexes.csv", text(f"sex,dx\n男性,{DX}\nF,{DX}\n9,{DX}\nmale?,{DX}\n"), [OK, OK, ODD_SEX, BAD_SEX]),
    Nasty("joined.csv", text(f"sex,dx\n1,{DX}|E87.600\n1,|E87.600\n"), [OK, NO_DX]),
    Nasty("capital.csv", text("sex,dx\n1,J11.000X001\n"), [OK]),
    # columns
    Nasty("families.csv", text(f"性别,诊断编码,其他诊断编码1\n1,{DX},E87.600\n"), [OK]),
    Nasty("name_beside.csv", text(f"性别,主要诊断,主要诊断编码\n1,脑梗死,{DX}\n"), [OK]),
    Nasty("series.csv", text(f"性别,诊断编码1,诊断编码2\n1,{DX},E87.600\n"), [OK]),
    Nasty("spaces.csv", text(f" 性 别 ,年龄（岁）,主要诊断（编码）\n1,71,{DX}\n"), [OK]),
    Nasty(
        "hqms.csv",
        text(",".join(HQMS) + "\n" + ",".join(["7", "1", "71", DX, "", "E87.600", "-", *["-"] * 300]) + "\n"),
        [OK],
    ),
    Nasty("no_procs.csv", text(f"sex,dx\n1,{DX}\n"), [OK]),
    Nasty("no_rows.csv", text("sex,dx\n"), []),
    Nasty(
        "days.csv", text(f"sex,dx,入院日期,出院日期\n1,{DX},2024/5/1,20240509\n1,{DX},45413,2024年5月9日\n"), [OK, OK]
    ),
    # JSON
    Nasty("list.json", text(json.dumps([{"sex": 1, "dx": [DX, "E87.600"]}, {"sex": 1, "dx": []}])), [OK, NO_DX]),
    Nasty("one.json", text(json.dumps({"sex": 1, "dx": DX})), [OK]),
    Nasty("empty.json", b"[]", []),
    Nasty(
        "number.json",
        text(json.dumps([{"sex": 1, "dx": 63.9}, {"sex": 1, "dx": [DX, 7]}, {"sex": 1, "dx": DX}])),
        [BAD_DX, BAD_DX, OK],
    ),
    Nasty(
        "nested.json",
        text(json.dumps([{"sex": 1, "dx": {"a": 1}}, {"sex": 1, "dx": [[DX]]}, {"sex": 1, "dx": DX}])),
        [BAD_DX, BAD_DX, OK],
    ),
    Nasty(
        "flag.json",
        text(json.dumps([{"sex": 1, "dx": False}, {"sex": True, "dx": DX}, {"sex": 1, "dx": DX}])),
        [BAD_DX, BAD_SEX, OK],
    ),
    Nasty(
        "ages.json",
        text(json.dumps([{"sex": 1, "age": [71], "dx": DX}, {"sex": 1, "age": "71岁", "dx": DX}])),
        [BAD_AGE, OK],
    ),
    Nasty(
        "procs.json",
        text(json.dumps([{"sex": 1, "dx": DX, "procs": 51.23}, {"sex": 1, "dx": DX, "procs": None}])),
        [BAD_PROCS, OK],
    ),
    Nasty(
        "shapes.json",
        text(json.dumps([{"sex": 1, "dx": DX}, {"sex": 1, "dx_principal": DX, "dx_other_1": "E87.600"}])),
        [OK, OK],
    ),
    Nasty(
        "huge.json",
        text(json.dumps([{"sex": 1, "age": 2**53 + 1, "dx": DX}, {"sex": 1, "age": -(2**63), "dx": DX}])),
        [OK, BAD_AGE],
    ),
    Nasty(
        "lines.jsonl",
        text(json.dumps({"sex": 1, "dx": DX}) + "\n{broken\n" + json.dumps({"sex": 2, "dx": DX})),
        [OK, BAD_ROW, OK],
    ),
    Nasty(
        "bad_byte.json", b'[{"sex": 1, "dx": "I63.900", "name": "\xff"}, {"sex": 1, "dx": "I63.900"}]', [BAD_ROW, OK]
    ),
    # settlement lists
    Nasty("message.json", message(listed((DX, "1"), ("E87.600", "0"))), [OK]),
    Nasty("bare.json", text(json.dumps(listed(("E87.600", "0"), (DX, "1")))), [OK]),
    Nasty("no_main.json", message(listed((DX, "0"))), [NO_DX]),
    Nasty("two_mains.json", message(listed(("X99.X", "1"), (DX, "1"))), [OK]),
    Nasty("tcm.json", message(listed(("BNP120", "1"), (DX, "1"), ("A07.01.01", "0"))), [OK]),
    Nasty("tcm_only.json", message(listed(("BNP120", "1"), (DX, "0"))), [NO_DX]),
    Nasty("number_code.json", message(listed((63.9, "1"))), [BAD_DX]),
    Nasty("capitals.json", text(json.dumps({"SETLINFO": {"GEND": "2"}, "DISEINFO": [{"DIAG_CODE": DX}]})), [OK]),
    # Parquet
    Nasty("dictionary.parquet", parquet(sex=[1, 1], dx=pa.array([DX, None]).dictionary_encode()), [OK, NO_DX]),
    Nasty("large.parquet", parquet(sex=[1], dx=pa.array([[DX]], pa.large_list(pa.large_string()))), [OK]),
    Nasty("floats.parquet", parquet(sex=[1.0, 1.0], dx=pa.array([63.9, None], pa.float64())), [BAD_DX, NO_DX]),
    Nasty("bytes.parquet", parquet(sex=[1], dx=pa.array([DX.encode()], pa.binary())), [OK]),
    Nasty("nulls.parquet", parquet(sex=[1], dx=pa.nulls(1)), [NO_DX]),
]


def excel_files():
    import datetime

    return [
        Nasty("plain.xlsx", excel([["性别", "年龄", "诊断编码"], ["男", 71, DX]]), [OK]),
        Nasty(
            "numbers.xlsx",
            excel([["sex", "dx", "procs"], [1, 63.9, ""], [1, DX, 51.23], [1, DX, ""]]),
            [BAD_DX, BAD_PROCS, OK],
        ),
        Nasty("title.xlsx", excel([["某医院病例"], [], ["性别", "诊断编码"], ["女", DX]]), [OK]),
        Nasty("dates.xlsx", excel([["sex", "dx", "入院日期"], [1, DX, datetime.datetime(2024, 5, 1)]]), [OK]),  # noqa: DTZ001
    ]


def answers(results):
    return [(row["status"], row["reason"]) for row in results]


def check_every_door(nasty, tmp_path, capsys):
    path, out = tmp_path / nasty.name, tmp_path / "out.jsonl"
    path.write_bytes(nasty.content)
    cases = read_cases(path)
    if "sex" not in cases.column_names:
        pytest.fail("every file has a column of sexes")
    for engine in ("reference", "columnar"):
        assert answers(group(cases, SCHEME, engine=engine).to_pylist()) == nasty.rows, engine
    assert read_cases(nasty.content, format=format_of(nasty.name)).equals(cases)
    assert answers([group_one(row, SCHEME)._asdict() for row in cases.to_pylist()]) == nasty.rows
    assert main(["group", str(path), "--scheme", SCHEME, "-o", str(out)]) == 0
    capsys.readouterr()
    assert answers(json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()) == nasty.rows
    wrong = {
        finding["row"]
        for finding in check_cases(cases, SCHEME).to_pylist()
        if finding["rule"].startswith(("unreadable_", "missing_", "invalid_sex"))
    }
    assert {row for row, (status, _) in enumerate(nasty.rows) if status == "invalid"} <= wrong


def format_of(name):
    return {"tsv": "csv", "csv": "csv", "json": "json", "jsonl": "jsonl", "parquet": "parquet", "xlsx": "excel"}[
        name.rpartition(".")[2]
    ]


def test_there_are_sixty_files_of_different_names():
    assert len({nasty.name for nasty in FILES}) == len(FILES) >= 60


@pytest.mark.parametrize("nasty", FILES, ids=lambda nasty: nasty.name)
def test_every_door_gives_the_same_answer(nasty, tmp_path, capsys):
    check_every_door(nasty, tmp_path, capsys)


@pytest.mark.parametrize("place", range(4))
def test_workbooks(place, tmp_path, capsys):
    pytest.importorskip("python_calamine")
    check_every_door(excel_files()[place], tmp_path, capsys)


@pytest.mark.parametrize(
    "nasty", [n for n in FILES if n.name.endswith(".json") and n.rows and "byte" not in n.name], ids=lambda n: n.name
)
def test_raw_records_give_what_their_file_gives(nasty):
    content = json.loads(nasty.content)
    records = content if isinstance(content, list) else [content]
    assert answers([group_one(record, SCHEME)._asdict() for record in records]) == nasty.rows
    assert [explain(record, SCHEME).result.status for record in records] == [status for status, _ in nasty.rows]
    assert answers(group(read_cases(records), SCHEME).to_pylist()) == nasty.rows
    assert answers(group(records, SCHEME)) == nasty.rows


def test_a_folder_and_a_zip_are_their_files(tmp_path):
    some = [nasty for nasty in FILES if nasty.name in {"utf8.csv", "list.json", "dictionary.parquet", "open.csv"}]
    some.sort(key=lambda nasty: nasty.name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for nasty in some:
            (tmp_path / nasty.name).write_bytes(nasty.content)
            archive.writestr(nasty.name, nasty.content)
        archive.writestr("notes.doc", b"x")
        archive.writestr("__MACOSX/._utf8.csv", b"x")
    (tmp_path / "~$lock.xlsx").write_bytes(b"x")
    (tmp_path / "notes.doc").write_bytes(b"x")
    (tmp_path / "deeper").mkdir()
    expected = [row for nasty in some for row in nasty.rows]
    for source, others in ((tmp_path, ["deeper/", "notes.doc"]), (buffer.getvalue(), ["notes.doc"])):
        cases = read_cases(source)
        assert answers(group(cases, SCHEME).to_pylist()) == expected
        assert len(set(cases["source"].to_pylist())) == len(some)
        assert json.loads(cases.schema.metadata[b"drgdip.skipped_files"]) == others


def test_a_folder_of_one_file_names_it_and_the_verbs_what_they_passed_over(tmp_path, capsys):
    (tmp_path / "one.jsonl").write_bytes(
        text(f'{{"sex": 1, "dx": "{DX}"}}\n\n{{"sex": 1\n{{"sex": 2, "dx": "{DX}"}}\n')
    )
    (tmp_path / "readme.md").write_bytes(b"x")
    assert read_cases(tmp_path)["source"].to_pylist() == [str(tmp_path / "one.jsonl")] * 3
    for words in (["group", str(tmp_path)], ["check", str(tmp_path), "--language", "zh"]):
        assert main([*words, "--scheme", SCHEME]) == 0
    told = capsys.readouterr().err
    assert "1 file of no known ending passed over: readme.md" in told
    assert "1 row cannot be read: line 3" in told
    assert "未读取1个文件：readme.md" in told
    assert "1行读不出：第3行" in told


def test_open_files_and_standard_input(capsys, monkeypatch):
    content = text(f"sex,dx\n1,{DX}\n")
    assert answers(group(read_cases(io.BytesIO(content)), SCHEME).to_pylist()) == [OK]
    assert answers(group(read_cases(io.StringIO(content.decode())), SCHEME).to_pylist()) == [OK]
    for verb in ("group", "check"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert main([verb, "-", "--scheme", SCHEME]) == 0
        assert "1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "-", "--case", "7", "--scheme", SCHEME],
        ["diff", "chs-drg-2.0", "chs-drg-3.0", "-"],
        ["diff", "chs-drg-2.0", "chs-drg-3.0", "--cases", "-"],
    ],
)
def test_every_verb_reads_standard_input_and_says_what_it_passed_over(words, capsys, monkeypatch):
    content = text(f"Title\nid,sex,dx\n7,1,{DX}\n8,1\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(words) == 0
    told = capsys.readouterr().err
    assert "above the header passed over: Title" in told
    assert "cannot be read: line 4" in told


#: Files with values of several kinds in a column of codes or ages: settlement, which reads neither, has their texts.
TEXTS_IN_SETTLEMENT = {"number.json", "nested.json", "flag.json", "ages.json", "numbers.xlsx"}


def check_settlement(nasty, tmp_path):
    """Settlement has no status for a row: it refuses what grouping marks, and has the same values of the rest."""
    path = tmp_path / nasty.name
    path.write_bytes(nasty.content)
    cases = read_cases(path)
    marks = cases["unreadable"].to_pylist() if "unreadable" in cases.column_names else []
    refused = {"row", "admitted", "discharged", "discharge"}
    if any(refused & set((mark or "").split()) for mark in marks):
        with pytest.raises(CaseError, match=r"row \d") as caught:
            read_settlement(path)
        return str(caught.value)
    table = read_settlement(path)
    assert len(table) == len(cases) == len(nasty.rows)
    if nasty.name not in TEXTS_IN_SETTLEMENT:
        assert answers(group(table, SCHEME).to_pylist()) == nasty.rows
    return None


@pytest.mark.parametrize("nasty", FILES, ids=lambda nasty: nasty.name)
def test_settlement_reads_the_same_rows_or_says_which_it_cannot(nasty, tmp_path):
    said = check_settlement(nasty, tmp_path)
    broken = [row for row, answer in enumerate(nasty.rows) if answer == BAD_ROW]
    if broken:
        assert f"row {broken[0]} cannot be read" in said
    assert (said is not None) == bool(broken or nasty.name == "days.csv")


@pytest.mark.parametrize("place", range(4))
def test_settlement_reads_the_same_rows_of_workbooks(place, tmp_path):
    pytest.importorskip("python_calamine")
    assert check_settlement(excel_files()[place], tmp_path) is None


def test_the_lines_of_broken_rows_are_told(tmp_path, capsys):
    nasty = next(nasty for nasty in FILES if nasty.name == "open_later.csv")
    (tmp_path / "a.csv").write_bytes(nasty.content)
    assert json.loads(read_cases(tmp_path / "a.csv").schema.metadata[b"drgdip.unreadable_lines"]) == [2]
    assert main(["group", str(tmp_path / "a.csv"), "--scheme", SCHEME]) == 0
    assert "line 2" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "a.csv"), "--scheme", SCHEME, "--language", "zh"]) == 0
    assert "1行读不出：第2行" in capsys.readouterr().err
