"""Files are written whole or not at all, and hold no formula, no mark-up and no escape that is not ours."""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile

import pyarrow as pa
import pytest

import drgdip
from drgdip._books import html_table
from drgdip._files import guard_column, guard_text, replacing, unguard_text
from drgdip._text import shown
from drgdip._writers import TableWriter
from drgdip.cli import main

TEXTS = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "'=1", "''=1", "'plain", "-5", "+1.5", "-", "A00", "", None]


def test_an_interrupted_run_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old", encoding="utf-8")

    def write() -> None:
        with replacing(path) as part:
            part.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_that_fails_leaves_the_old_file(tmp_path, capsys, monkeypatch):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("dx,procs,sex,age,age_days,newborn_weight\nI63.900,,1,50,,\n", encoding="utf-8")
    out.write_text("old", encoding="utf-8")
    monkeypatch.setattr(TableWriter, "write", lambda *_: (_ for _ in ()).throw(drgdip.CaseError("stop")))
    assert main(["group", str(source), "--scheme", "chs-drg-2.0", "-o", str(out)]) == 1
    assert "stop" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "old"
    assert sorted(tmp_path.iterdir()) == [source, out]


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    with replacing(link) as part:
        part.write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_the_output_of_a_settlement_is_none_of_its_inputs(tmp_path, capsys):
    cases = tmp_path / "cases.xlsx"
    cases.write_bytes(b"old")
    words = ["settle", str(cases), "--policy", "docs/examples/policy.toml", "--budget", "employee=1", "-o", str(cases)]
    assert main(words) == 1
    assert "is the input" in capsys.readouterr().err
    assert cases.read_bytes() == b"old"


def test_a_closed_pipe_ends_quietly(tmp_path):
    path = tmp_path / "many.csv"
    row = "I63.900,,1,50,,\n"
    path.write_text("dx,procs,sex,age,age_days,newborn_weight\n" + row * 60_000, encoding="utf-8")
    words = [sys.executable, "-m", "drgdip", "group", str(path), "--scheme", "chs-drg-2.0", "-o", "-"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        said = process.stderr.read().decode()
        process.wait()
    assert "Error" not in said
    assert "Exception" not in said


def test_no_text_of_a_csv_file_begins_a_formula_and_all_read_back(tmp_path):
    path = tmp_path / "out.csv"
    table = pa.table({"case_id": TEXTS, "dx": ["A00"] * len(TEXTS), "=note": TEXTS})
    with path.open("wb") as file, TableWriter(file, "csv") as writer:
        writer.write(table)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["case_id", "dx", "'=note"]
    dangerous = [cell for row in rows for cell in row if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]
    assert sorted(set(dangerous)) == ["+1.5", "-", "-5"]
    from drgdip.cases.readers import read_table

    back = read_table(path)
    assert back.column_names == table.column_names
    assert back["=note"].to_pylist() == [text or None for text in TEXTS]


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_guarding_one_text_and_a_column_agree(text):
    assert guard_column(pa.array([text, None])).to_pylist() == [guard_text(text), None]
    assert unguard_text(guard_text(text)) == text


def test_excel_has_texts_and_no_formulas(tmp_path):
    pytest.importorskip("xlsxwriter")
    from drgdip._books import write_workbook

    write_workbook(tmp_path / "a.xlsx", {"one": pa.table({"=x": ["=1+1", "@y"]})}, title="t")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        sheet, texts = (book.read(name).decode() for name in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"))
    assert "<f" not in sheet
    assert sheet.count('t="s"') == 3
    assert "=1+1" in texts


def test_html_escapes_names_and_values():
    page = html_table(pa.table({"<b>": ["<script>", "a&b'\""]}))
    assert "<b>" not in page
    assert "<script>" not in page


def test_a_terminal_shows_escapes_as_text(tmp_path, capsys):
    assert shown("a\x1b[2J\r\nb\u202e") == r"a\x1b[2J\r\nb\u202e"
    path = tmp_path / "a.csv"
    path.write_text("id,dx,sex\n\x1b[2J,A00,1\n\x1b[2J,A00,1\n", encoding="utf-8")
    assert main(["group", str(path), "--scheme", "chs-drg-2.0"]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\x1b" not in drgdip.explain({"sex": 1, "age": 5, "dx": "A\x1b[2J", "procs": ""}, "chs-drg-2.0").text()
