"""Workbooks, names of groups, and schemes by place on the command line."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from python_calamine import CalamineWorkbook

from drgdip import _books, diff_schemes, load_catalogue, load_scheme, read_cases
from drgdip._books import BookWriter
from drgdip.cases import readers
from drgdip.cli import main
from drgdip.errors import CaseError

FILE = ROOT / "docs" / "examples" / "discharges.csv"


@pytest.fixture
def run(capsys):
    """A function that runs the command line: its exit code, what it said and its notes."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def rows_of(path):
    """The rows of the one sheet of a workbook."""
    book = CalamineWorkbook.from_path(str(path))
    assert len(book.sheet_names) == 1
    return book.get_sheet_by_index(0).to_python(skip_empty_area=False)


def sheet_of(path):
    """The XML of the one sheet."""
    with zipfile.ZipFile(path) as book:
        return book.read("xl/worksheets/sheet1.xml").decode()


# --- workbooks -------------------------------------------------------------------------------------------------------


def test_a_workbook_has_what_csv_has(run, tmp_path):
    words = ["group", FILE, "--scheme", "chs-drg-2.0", "--names", "-o"]
    for name in ("a.xlsx", "a.csv"):
        assert run(*words, tmp_path / name)[0] == 0
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert rows_of(tmp_path / "a.xlsx") == list(csv.reader(file))


def test_a_workbook_is_the_same_whatever_the_parts(run, tmp_path, monkeypatch):
    for size in (20_000, 7):
        monkeypatch.setattr(readers, "PART", size)
        assert run("group", FILE, "--scheme", "chs-drg-2.0", "-o", tmp_path / f"{size}.xlsx")[0] == 0
    assert rows_of(tmp_path / "7.xlsx") == rows_of(tmp_path / "20000.xlsx")
    assert len(rows_of(tmp_path / "7.xlsx")) == 331


def test_a_workbook_reads_back(run, tmp_path):
    assert run("group", FILE, "--scheme", "chs-drg-2.0", "-o", tmp_path / "a.xlsx")[0] == 0
    assert read_cases(tmp_path / "a.xlsx")["dx"].to_pylist() == read_cases(FILE)["dx"].to_pylist()


def test_the_ending_does_not_matter_when_the_format_is_told(run, tmp_path):
    assert run("group", FILE, "--scheme", "chs-drg-2.0", "-o", tmp_path / "a", "--format", "excel")[0] == 0
    assert len(rows_of(tmp_path / "a")) == 331


def test_differences_go_to_a_workbook(run, tmp_path):
    assert run("diff", "chs-drg-2.0-handan-2025", "chs-drg-2.0-handan-2026", "-o", tmp_path / "a.xlsx")[0] == 0
    expected = diff_schemes("chs-drg-2.0-handan-2025", "chs-drg-2.0-handan-2026")
    header, *rows = rows_of(tmp_path / "a.xlsx")
    assert header == expected.column_names
    assert rows == [[text or "" for text in row.values()] for row in expected.to_pylist()]
    words = ["diff", "chs-drg-2.0", "chs-drg-2.0-nanjing-2024", FILE, "-o", tmp_path / "b.xlsx"]
    assert run(*words)[0] == 0
    header, *rows = rows_of(tmp_path / "b.xlsx")
    assert sum(row[header.index("cases")] for row in rows) == 330


def test_texts_never_start_a_formula(run, tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "out.xlsx"
    texts = ["=1+1", "+1", "@x", "http://a.b", "00123", "{=1}"]
    path.write_text("dx,note\n" + "".join(f"I63.900,{text}\n" for text in texts), encoding="utf-8")
    assert run("group", path, "--scheme", "chs-drg-2.0", "-o", out)[0] == 0
    assert [row[1] for row in rows_of(out)[1:]] == texts
    sheet = sheet_of(out)
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet


def test_the_head_is_frozen_and_columns_are_wide_enough(run, tmp_path):
    assert run("group", FILE, "--scheme", "chs-drg-2.0", "--names", "-o", tmp_path / "a.xlsx")[0] == 0
    sheet = sheet_of(tmp_path / "a.xlsx")
    assert '<pane ySplit="1"' in sheet
    assert 'state="frozen"' in sheet
    widths = re.findall(r'<col min="(\d+)" max="(\d+)" width="([\d.]+)"', sheet)
    assert sum(int(last) - int(first) + 1 for first, last, _ in widths) == len(rows_of(tmp_path / "a.xlsx")[0])
    assert max(float(width) for *_, width in widths) > 48  # the names of groups
    assert min(float(width) for *_, width in widths) > 8


def test_numbers_stay_numbers_and_nothing_is_lost(run, tmp_path):
    """A file of columns with types: whole numbers, dates, lists, money, and what Excel cannot hold as a number."""
    path, out = tmp_path / "a.parquet", tmp_path / "out.xlsx"
    columns = {
        "dx": [["I63.900", "E87.600"], ["I63.900"], None],
        "n": [1, 12345678901234567, None],
        "x": [1.5, float("nan"), float("inf")],
        "money": pa.array([Decimal("12.30"), Decimal("123456789012345.67"), None], pa.decimal128(20, 2)),
        "flag": [True, False, None],
    }
    pq.write_table(pa.table(columns), path)
    assert run("group", path, "--scheme", "chs-drg-2.0", "-o", out)[0] == 0
    rows = [row[:5] for row in rows_of(out)]
    assert rows == [
        ["dx", "n", "x", "money", "flag"],
        ["I63.900|E87.600", 1, 1.5, 12.3, True],
        ["I63.900", "12345678901234567", "", "123456789012345.67", False],
        ["", "", "inf", "", ""],
    ]


@pytest.mark.parametrize(
    ("limit", "size", "message"),
    [
        ("_ROWS", 330, "more than 329 rows do not fit into Excel: write CSV or Parquet"),
        ("_COLUMNS", 15, "16 columns; Excel holds 15: write CSV or Parquet"),
        ("_CELL", 20, "a cell of Excel holds 20 characters: write CSV"),
    ],
)
def test_more_than_excel_holds_is_refused_and_the_old_file_stays(limit, size, message, run, tmp_path, monkeypatch):
    monkeypatch.setattr(_books, limit, size)
    out = tmp_path / "a.xlsx"
    out.write_text("mine", encoding="utf-8")
    code, said, problem = run("group", FILE, "--scheme", "chs-drg-2.0", "-o", out)
    assert (code, said) == (1, "")
    assert message in problem
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]
    assert out.read_text(encoding="utf-8") == "mine"
    monkeypatch.setattr(_books, limit, 10_000)
    assert run("group", FILE, "--scheme", "chs-drg-2.0", "-o", out)[0] == 0


def test_a_sheet_that_is_just_full_is_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_books, "_ROWS", 331)
    assert run("group", FILE, "--scheme", "chs-drg-2.0", "-o", tmp_path / "a.xlsx")[0] == 0


def test_the_limits_are_those_of_excel():
    assert (_books._ROWS, _books._COLUMNS, _books._CELL) == (2**20, 2**14, 2**15 - 1)
    with BookWriter(io.BytesIO(), name="a.xlsx") as writer:
        writer.write(pa.table({"x": ["a" * (2**15 - 1)]}))
        with pytest.raises(CaseError, match=r"a\.xlsx: row 2, x: a cell of Excel holds 32,767"):
            writer.write(pa.table({"x": ["a" * 2**15]}))


def test_no_cases_still_have_a_head(run, tmp_path):
    (tmp_path / "a.csv").write_text("dx,sex\n", encoding="utf-8")
    assert run("group", tmp_path / "a.csv", "--scheme", "chs-drg-2.0", "-o", tmp_path / "a.xlsx")[0] == 0
    assert rows_of(tmp_path / "a.xlsx")[0][:3] == ["dx", "sex", "mdc"]


# --- names of groups -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["chs-drg-2.0", "nhsa-dip-2.0"])
def test_names_stand_behind_codes(scheme, run, tmp_path):
    out = tmp_path / "a.parquet"
    assert run("group", FILE, "--scheme", scheme, "--names", "--prefix", "my_", "-o", out)[0] == 0
    table = pq.read_table(out)
    place = table.column_names.index("my_group")
    assert table.column_names[place + 1] == "my_group_name"
    labels = (load_scheme if "drg" in scheme else load_catalogue)(scheme).labels
    assert table["my_group_name"].to_pylist() == [labels.get(group) for group in table["my_group"].to_pylist()]
    assert table["my_group_name"].null_count < len(table)
    plain = tmp_path / "b.parquet"
    assert run("group", FILE, "--scheme", scheme, "--prefix", "my_", "-o", plain)[0] == 0
    assert pq.read_table(plain).equals(table.drop_columns("my_group_name"))


def test_a_column_of_names_is_not_written_over(run, tmp_path):
    (tmp_path / "a.csv").write_text("dx,group_name\nI63.900,mine\n", encoding="utf-8")
    words = ["group", tmp_path / "a.csv", "--scheme", "chs-drg-2.0", "-o", tmp_path / "b.csv"]
    code, _, problem = run(*words, "--names")
    assert code == 1
    assert "has columns group_name already; give --prefix" in problem
    assert run(*words)[0] == 0
    assert run(*words, "--names", "--prefix", "x_")[0] == 0


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["南京", "Nanjing", "320100", "南京市"])
def test_a_place_stands_for_its_scheme(place, run, tmp_path):
    out = [tmp_path / "a.csv", tmp_path / "b.csv"]
    code, said, notes = run("group", FILE, "--place", place, "--date", "2026-01-01", "-o", out[0])
    assert code == 0
    assert "330 cases under chs-drg-2.0-nanjing-2024" in said
    assert f"note: {place} is grouped under chs-drg-2.0-nanjing-2024 (" in notes
    assert run("group", FILE, "--scheme", "chs-drg-2.0-nanjing-2024", "-o", out[1])[0] == 0
    assert out[0].read_bytes() == out[1].read_bytes()


def test_the_date_chooses_among_the_schemes_of_a_place(run):
    for date, scheme in (("2025", "2.0-handan-2025"), ("2026-06", "2.0-handan-2026"), (None, "2.0-handan-2026")):
        words = ["explain", "--place", "邯郸", "--dx", "I63.900", "--brief"]
        code, said, _ = run(*words, *(["--date", date] if date else []))
        assert code == 0
        assert f"chs-drg-{scheme} " in said


@pytest.mark.parametrize("verb", ["group", "check"])
def test_a_place_may_have_a_catalogue_only(verb, run):
    code, _, notes = run(verb, FILE, "--place", "云浮")
    assert code == 0
    assert "note: 云浮 is grouped under dip-yunfu-2023" in notes


@pytest.mark.parametrize(("language", "word"), [("en", "no single scheme"), ("zh", "没有可直接选用的分组方案")])
def test_a_place_without_its_own_is_offered_what_there_is(language, word, run):
    code, said, problem = run("group", FILE, "--place", "杭州", "--date", "2026-01-01", "--language", language)
    assert (code, said) == (1, "")
    assert word in problem
    lines = problem.splitlines()[1:]
    assert [line.replace("，", ",").split(",")[0].strip() for line in lines] == [
        *("zj-drg-1.0-zhejiang-2022", "chs-drg-2.0", "nhsa-dip-2.0")
    ]
    assert "浙江" in lines[0]


def test_a_place_with_both_families_asks_which(run):
    code, _, problem = run("explain", "--place", "全国", "--date", "2026", "--dx", "I63.900")
    assert code == 1
    assert "name one with --scheme chs-drg-2.0 or --scheme nhsa-dip-2.0" in problem


def test_places_and_dates_that_are_none(run, capsys):
    code, _, problem = run("group", FILE, "--place", "Nanjin", "--language", "zh")
    assert code == 1
    assert "没有名为 'Nanjin' 的地区。是否指 'Nanjing'" in problem
    code, _, problem = run("group", FILE, "--place", "Nanjin")
    assert "there is no place 'Nanjin'. Did you mean 'Nanjing'" in problem
    code, _, problem = run("group", FILE, "--place", "拉萨", "--date", "1999")
    assert (code, "There is no national one for that day either." in problem) == (1, True)
    for date in ("2026-13", "20260101", "", "soon", "2026-1-1"):
        with pytest.raises(SystemExit):
            main(["group", str(FILE), "--place", "南京", "--date", date])
        assert "is no date" in capsys.readouterr().err
