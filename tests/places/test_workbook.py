"""A workbook in the official layout becomes a scheme, and a scheme becomes a folder."""

from __future__ import annotations

import hashlib
import sys

import pytest
from conftest import PLACES, SMALL, files_of

from drgdip import Scheme, SchemeError, group_one, load_scheme
from drgdip.grouper.drg.workbook import SHEETS, read_workbook
from drgdip.grouper.drg.writing import table_rows

xlsxwriter = pytest.importorskip("xlsxwriter")
pytest.importorskip("python_calamine")

#: A small scheme as its workbook has it: sheet, then rows with the columns that are read.
BOOK = {
    "MDC": [
        ("MDCA", "先期分组", "", 10),
        ("MDCB", "神经系统疾病", "(ZYZD in DI_B00)", 20),
        ("0000", "未入组", "", 99),
    ],
    "ADRG": [
        ("", "AA1", "移植", "ZYSS in OP_AA1", "MDCA", 1),
        ("", "BR2", "脑缺血", "ZYZD in\nDI_BR2_x000D_\n", "MDCB", 205),
        ("", "BB1", "神经手术", "(ZYSS in OP_BB1)", "MDCB", 201),
        ("", "BK1", "神经操作", "length(OP_BB1 ∩ {ZYSS, QTSS}) >= 2", "MDCB", 203),
        ("", "BQY", "歧义病案", "ZYSS in OP_ALL", "MDCB", 204),
        ("", "B00", "未入组", "", "MDCB", 209),
        ("", "000", "未入组", "", "0000", 999),
    ],
    "DRG": [
        ("AA19", "移植", "", "AA1", "MDCA", 1),
        ("BB19", "神经手术", "", "BB1", "MDCB", 2),
        ("BK19", "神经操作", "", "BK1", "MDCB", 3),
        ("BR25", "脑缺血，不伴", "", "BR2", "MDCB", 5),
        ("BR21", "脑缺血，伴", "QTZD in {MCC, CC}", "BR2", "MDCB", 4),
        ("BQY", "歧义病案", "", "BQY", "MDCB", 6),
        ("B009", "未入组", "", "B00", "MDCB", 7),
        ("0000", "未入组", "", "000", "0000", 9),
    ],
    "集合": [
        ("DI_B00", "I63.900"),
        ("DI_B00", "I69.300"),
        ("DI_BR2", " I63.900 "),
        ("OP_AA1", "33.5000"),
        ("OP_BB1", "01.2400X001"),
        ("OP_ALL", "33.5000"),
        ("OP_ALL", "40.1100"),
        ("OP_ALL", "01.2400x001"),
        ("OP_VALID", "40.1100"),
    ],
    "CC": [("E87.600", "低钾血症", "", "CC"), ("I69.300", "脑梗死后遗症", 7, "CC"), ("J96.000", "呼衰", "7", "MCC")],
    "排除表": [(7, "I63.900")],
}


def save(path, book, *, empty=2):
    """A workbook with titles above the data, an empty row and an empty column on the right."""
    file = xlsxwriter.Workbook(path)
    for sheet, rows in book.items():
        page = file.add_worksheet(sheet)
        start = next((start for title, start, _ in SHEETS.values() if title == sheet), 0)
        page.write_row(0, 0, ["分组方案配置信息", sheet])
        for line, row in enumerate(rows, start=start):
            page.write_row(line, 0, row)
        page.write(start + len(rows) + empty, 9, "")
    file.close()
    return path


@pytest.fixture
def book(tmp_path):
    return save(tmp_path / "地方.xlsx", BOOK)


def test_a_workbook_is_a_scheme(book):
    scheme = Scheme.from_workbook(book)
    assert [mdc.code for mdc in scheme.mdcs] == ["MDCA", "MDCB"]
    kinds = [(adrg.code, adrg.order, adrg.kind) for adrg in scheme.mdcs[1].adrgs]
    assert kinds == [
        ("BB1", 1, "surgical"),
        ("BK1", 2, "procedure"),
        ("BQY", 3, "ambiguous"),
        ("BR2", 4, "medical"),
        ("B00", 5, "ungroupable"),
    ]
    assert [drg.code for drg in scheme.mdcs[1].adrgs[3].drgs] == ["BR21", "BR25"]
    assert str(scheme.mdcs[1].adrgs[3].rule) == "ZYZD in DI_BR2"
    assert scheme.sets["OP_BB1"] == {"01.2400x001"}
    assert scheme.severity["I69.300"].exclusion == scheme.severity["J96.000"].exclusion == "7"
    assert scheme.severity["E87.600"].exclusion == ""
    assert scheme.exclusions == {"7": {"I63.900"}}
    assert (scheme.id, scheme.info.title) == ("地方", "地方")
    assert scheme.evaluation == load_scheme("chs-drg-3.0").evaluation
    assert scheme.info.sha256 == hashlib.sha256(book.read_bytes()).hexdigest()
    assert scheme.folder == book


def test_it_groups_cases(book):
    scheme = Scheme.from_workbook(
        str(book), scheme_id="mine", title="一个地方", issuer="我", place="这里", published="2026"
    )
    assert (scheme.id, scheme.info.title, scheme.info.place, scheme.info.published) == (
        "mine",
        "一个地方",
        "这里",
        "2026",
    )
    for dx, procs, group in (
        (["I63.900", "E87.600"], [], "BR21"),
        (["I63.900", "I69.300"], [], "BR25"),
        (["I63.900"], ["01.2400X001"], "BB19"),
        (["I63.900"], ["40.1100"], "BQY"),
        (["I69.300"], [], "B009"),
        (["I69.300"], ["33.5000"], "AA19"),
    ):
        assert group_one({"sex": 1, "age": 60, "dx": dx, "procs": procs}, scheme).group == group


def test_the_first_letter_of_a_code_is_its_mdc_in_a_workbook(tmp_path):
    """Of an ambiguous ADRG and of one in the first MDC; the folder states it in ``result_mdc``."""
    renamed = {"BQY": "AQY", "AA1": "BA1"}
    sheets = {name: [tuple(renamed.get(cell, cell) for cell in row) for row in BOOK[name]] for name in ("ADRG", "DRG")}
    book = BOOK | sheets
    Scheme.from_workbook(save(tmp_path / "a.xlsx", book)).to_folder(tmp_path / "folder")
    scheme = load_scheme(tmp_path / "folder")
    named = {adrg.code: adrg.result_mdc for adrg in scheme.adrgs if adrg.result_mdc != adrg.mdc}
    assert named == {"AQY": "MDCA", "BA1": "MDCB"}
    for procs, mdc in (("40.1100", "MDCA"), ("33.5000", "MDCB")):
        assert group_one({"sex": 1, "age": 60, "dx": ["I69.300"], "procs": [procs]}, scheme).mdc == mdc


def test_options_are_those_of_a_scheme_like_it(book):
    scheme = Scheme.from_workbook(book, like="chs-drg-1.1")
    assert scheme.evaluation == load_scheme("chs-drg-1.1").evaluation


def test_rows_behind_an_unconditional_one_are_listed(tmp_path):
    drgs = [row for row in BOOK["DRG"] if row[0] != "BR21"] + [("BR21", "脑缺血，伴", "QTZD in MCC", "BR2", "MDCB", 8)]
    scheme = Scheme.from_workbook(save(tmp_path / "a.xlsx", BOOK | {"DRG": drgs}))
    rows = [("drg", "BR2", "2", "BR21", "BR25 before it takes every case")]
    assert list(scheme.annexes["unreachable.csv"].rows) == rows
    scheme.to_folder(tmp_path / "folder")
    assert list(load_scheme(tmp_path / "folder").annexes["unreachable.csv"].rows) == rows


def changed(sheet, number, row):
    """The book with one row of a sheet, counted from 0, another."""
    return BOOK | {sheet: [*BOOK[sheet][:number], row, *BOOK[sheet][number + 1 :]]}


@pytest.mark.parametrize(
    ("book", "problem", "sheet", "row", "what"),
    [
        (
            changed("ADRG", 1, ("", "BR2", "x", "ZYZD on DI", "MDCB", 5)),
            "bad_rule",
            "ADRG",
            4,
            "the rule of BR2 cannot",
        ),
        (changed("ADRG", 1, ("", "BR2", "x", "ZYZD in DI_X", "MDCB", 5)), "unknown_set", "ADRG", 4, "names set 'DI_X'"),
        (
            changed("ADRG", 1, ("", "B12", "x", "", "MDCB", 5)),
            "unknown_value",
            "ADRG",
            4,
            "'B12' does not say the kind",
        ),
        (changed("ADRG", 1, ("", "B", "x", "", "MDCB", 5)), "unknown_value", "ADRG", 4, "'B' does not say the kind"),
        (changed("ADRG", 1, ("", "BR2", "x", "", "", 5)), "empty_cell", "ADRG", 4, "column 'mdc' is empty"),
        (changed("DRG", 3, ("BR25", "x", "", "BR9", "", 5)), "unknown_parent", "DRG", 6, "belongs to ADRG 'BR9'"),
        (changed("DRG", 3, ("BR25", "x", "", "BR2", "", "five")), "bad_number", "DRG", 6, "order 'five'"),
        (changed("DRG", 3, ("BR25", "x", "", "BR2", "", 2.5)), "bad_number", "DRG", 6, "order '2.5'"),
        (changed("MDC", 1, ("MDCA", "x", "", 20)), "duplicate", "MDC", 5, "code MDCA: already on line 4"),
        (changed("CC", 1, ("I69.300", "x", 8, "CC")), "unknown_exclusion", "CC", 4, "names exclusion table '8'"),
        (changed("CC", 1, ("I69.300", "x", 7, "C")), "unknown_value", "CC", 4, "level 'C' of I69.300"),
        (changed("集合", 1, ("DI_B00", "I63.900")), "duplicate", "集合", 4, "already on line 3"),
    ],
)
def test_a_fault_names_sheet_and_row(book, problem, sheet, row, what, tmp_path):
    path = save(tmp_path / "book.xlsx", book)
    with pytest.raises(SchemeError) as caught:
        Scheme.from_workbook(path)
    assert caught.value.problem == problem
    assert caught.value.file == f"{path} [{sheet}]"
    assert caught.value.row == row
    assert what in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.xlsx", "text.xlsx", "."])
def test_what_is_no_workbook(name, tmp_path):
    (tmp_path / "text.xlsx").write_text("no workbook", encoding="utf-8")
    with pytest.raises(SchemeError, match="not a workbook") as caught:
        Scheme.from_workbook(tmp_path / name)
    assert caught.value.problem == "bad_workbook"


def test_a_sheet_that_is_missing(tmp_path):
    path = save(tmp_path / "a.xlsx", {name: rows for name, rows in BOOK.items() if name != "排除表"})
    with pytest.raises(SchemeError, match="there is no sheet 排除表. A scheme's workbook has the sheets MDC, ADRG"):
        Scheme.from_workbook(path)


def test_without_the_extra(book, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(SchemeError, match=r"drgdip\[excel\]"):
        read_workbook(book, dict.fromkeys(("id", "title", "issuer", "place", "published"), ""), load_scheme(SMALL))


# --- folders ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", [SMALL, "chs-drg-3.0", "chs-drg-2.0-nanjing-2024", "chs-drg-1.0-revised-changzhou-2022"]
)
def test_a_folder_is_the_scheme_again(source, tmp_path):
    scheme = load_scheme(source)
    scheme.to_folder(tmp_path / "deep" / "folder")
    again = load_scheme(tmp_path / "deep" / "folder")
    for name in ("mdcs", "sets", "severity", "exclusions", "evaluation", "notes", "names", "variables"):
        assert getattr(again, name) == getattr(scheme, name), name
    for name in ("id", "title", "issuer", "place", "published", "revision", "diagnosis_codes", "provenance"):
        assert getattr(again.info, name) == getattr(scheme.info, name), name
    assert again.info.extends == ""
    for name, table in scheme.annexes.items():
        assert list(again.annexes[name].rows) == list(table.rows)
    assert table_rows(again) == table_rows(scheme)


def test_a_folder_is_written_the_same_each_time(tmp_path):
    scheme = load_scheme(PLACES[0])
    for name in ("one", "two"):
        scheme.to_folder(tmp_path / name)
    load_scheme(tmp_path / "one").to_folder(tmp_path / "three")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == files_of(tmp_path / "three")


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    for path in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(SchemeError, match="there are files already. Give a new folder"):
            load_scheme(SMALL).to_folder(path)
    assert files_of(tmp_path) == {"mine.txt": b"mine"}


def test_workbook_and_folder_agree(book, tmp_path):
    scheme = Scheme.from_workbook(book, scheme_id="mine", title="t", issuer="i", published="2026")
    scheme.to_folder(tmp_path / "folder")
    again = load_scheme(tmp_path / "folder")
    assert again.mdcs == scheme.mdcs
    assert again.info.counts["adrg"] == 4
    assert again.info.counts["ungroupable_groups"] == 1
