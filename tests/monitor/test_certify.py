"""The verb certify, and the pages about returned groups."""

import re
from pathlib import Path

import pytest

from drgdip.cli import main
from drgdip.monitor import list_differences

ROOT = Path(__file__).parents[2]
FILE = str(ROOT / "docs" / "examples" / "returned.csv")
WORDS = ["certify", FILE, "--returned", "返回分组", "--scheme", "chs-drg-2.0"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_is_written_in_both_languages(tmp_path, capsys, language):
    path = tmp_path / "report.html"
    salt = ["--salt", "a secret of our own"]
    assert main([*WORDS, "--language", language, "--drop", "0.05", *salt, "-o", str(path)]) == 0
    told = capsys.readouterr()
    page = path.read_text(encoding="utf-8")
    for words in ("alarms", "likely causes", "wrote") if language == "en" else ("报警", "可能原因", "已写入"):
        assert words in told.out
    assert "2025-04" in told.out
    for words in ("Likely causes", "Examples") if language == "en" else ("可能原因", "示例病例"):
        assert words in page
    assert "22058878" not in page  # no number of a case
    assert "salt" not in told.err


def test_without_a_salt_a_note_says_that_the_examples_name_cases(tmp_path, capsys):
    assert main([*WORDS, "-o", str(tmp_path / "report.xlsx")]) == 0
    assert "--salt makes them anonymous" in capsys.readouterr().err


def test_a_file_without_dates_is_compared_as_a_whole(tmp_path, capsys):
    path = tmp_path / "cases.csv"
    path.write_text("sex,age,dx,back\n1,71,I63.900|E87.600,BR23\n1,71,I63.900|E87.600,\n", encoding="utf-8")
    assert main(["certify", str(path), "--returned", "back", "--scheme", "chs-drg-2.0"]) == 0
    told = capsys.readouterr()
    assert "2 cases, 1 compared, 1 without a returned group, 0 differ" in told.out
    assert "no column month or discharged" in told.err


def test_another_period_and_another_scheme_are_named(tmp_path, capsys):
    path = tmp_path / "cases.csv"
    path.write_text("sex,age,dx,back,季度\n1,71,I63.900|E87.600,BR29,一\n", encoding="utf-8")
    words = ["certify", str(path), "--returned", "back", "--scheme", "chs-drg-2.0", "--other", "chs-drg-3.0"]
    assert main([*words, "--by", "季度"]) == 0
    assert "another scheme or revision: chs-drg-3.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--returned", "none"], "there is no column 'none'"),
        (["-o", "report.pdf"], ".xlsx or .html"),
        (["--drop", "5"], "drop='5'"),
        (["--salt", "short"], "16 or more"),
        (["--by", "none"], "there is no column 'none'"),
    ],
)
def test_what_cannot_be_is_said(capsys, more, told):
    assert main([*WORDS, *more]) == 1
    assert told in capsys.readouterr().err


def test_the_input_is_never_written_over(tmp_path, capsys):
    path = tmp_path / "cases.html"
    path.write_text("sex,age,dx,back\n1,71,I63.900,BR23\n", encoding="utf-8")
    words = ["certify", str(path), "--input-format", "csv", "--returned", "back", "--scheme", "chs-drg-2.0"]
    assert main([*words, "-o", str(path)]) == 1
    assert "is the input" in capsys.readouterr().err


@pytest.mark.parametrize("page", ["returned.md", "returned.zh-CN.md"])
def test_the_table_of_differences_equals_the_data(page):
    text = (ROOT / "docs" / "monitor" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (class|cause) \| (.+) \| (.+) \|$", text, flags=re.MULTILINE)
    assert rows == [(row.id, row.kind, row.english, row.chinese) for row in list_differences()]


@pytest.mark.parametrize("page", ["returned", "evaluation"])
def test_pages_of_both_languages_have_the_same_snippets(page):
    pages = [(ROOT / "docs" / "monitor" / f"{page}{end}").read_text(encoding="utf-8") for end in (".md", ".zh-CN.md")]
    blocks = [re.findall(r"^```.*?^```$", text, flags=re.MULTILINE | re.DOTALL) for text in pages]
    assert blocks[0] == blocks[1] != []
