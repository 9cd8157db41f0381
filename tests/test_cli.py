"""The command line: group, explain and schemes, on good files and bad ones."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import GOLDEN, LOCAL, SCHEMES, SMALL, answer_of, read_deck

from drgdip import GroupResult, group_one, list_catalogues, read_cases
from drgdip._version import __version__
from drgdip.cases import readers
from drgdip.cli import main

SAMPLE = str(GOLDEN / "opendrg-sample.csv")
FIELDS = list(GroupResult._fields)


@pytest.fixture
def deck(tmp_path):
    """The sample without its answers, which are named as the result is."""
    rows = read_deck("opendrg-sample")
    names = [name for name in rows[0] if name not in {*FIELDS, "recorded_drg"}]
    path = tmp_path / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def run(capsys):
    """A function that runs the command line: its exit code, what it said and its notes."""

    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


# --- group -----------------------------------------------------------------------------------------------------------


def read_back(path, form):
    if form == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]
    if form == "json":
        return json.loads(path.read_text(encoding="utf-8"))
    if form == "jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("told", [False, True])
def test_every_format_reads_back(deck, tmp_path, run, form, told):
    out = tmp_path / ("result" if told else f"result.{form}")
    code, said, notes = run("group", deck, "--scheme", "chs-drg-1.1", "-o", out, *(["--format", form] if told else []))
    assert (code, notes) == (0, "")
    assert f"wrote {out}" in said
    rows, given = read_back(out, form), read_deck("opendrg-sample")
    assert list(rows[0])[-7:] == FIELDS
    assert [(row["mdc"], row["adrg"], row["group"], row["status"]) for row in rows] == [answer_of(row) for row in given]
    assert [row["dx"] for row in rows] == [row["dx"] for row in given]


def test_the_summary_counts(deck, run):
    code, said, _ = run("group", deck, "--scheme", "chs-drg-1.1")
    assert code == 0
    results = [group_one(case, "chs-drg-1.1") for case in read_cases(deck).to_pylist()]
    statuses = Counter(result.status for result in results)
    groups = Counter(result.group for result in results if result.status == "grouped")
    assert said.startswith(f"{deck}: 30 cases under chs-drg-1.1 revision 2 (国家医疗保障")
    for status in ("grouped", "ambiguous", "ungrouped", "invalid"):
        (line,) = [line for line in said.splitlines() if line.split()[:1] == [status]]
        assert line.split()[1:3] == [str(statuses[status]), f"{statuses[status] / 30:.2%}"]
    assert f"in {len(groups)} groups" in said
    first = min(groups, key=lambda group: (-groups[group], group))
    assert re.search(rf"commonest groups\n\s+{groups[first]}  {first} ", said)


def test_the_summary_says_why(tmp_path, run):
    path = tmp_path / "a.csv"
    path.write_text("id,dx,sex,age\n1,K22.301,9,5\n2,K22.301,old,5\n3,,1,5\n4,Z99,1,5\n4,ZZZ,1\n", encoding="utf-8")
    code, said, notes = run("group", path, "--scheme", "chs-drg-2.0")
    assert code == 0
    for reason in ("invalid_sex: sex is neither", "unreadable_sex: sex cannot be read", "unreadable_row: the row has"):
        assert f"       1  {reason}" in said
    assert "missing_principal_diagnosis: principal diagnosis is missing" in said
    assert "unknown_principal_diagnosis: principal diagnosis is in neither the code set nor the scheme" in said
    assert "note: row 2: sex cannot be read" in notes
    assert "note: row 5: row cannot be read" in notes
    assert "note: 1 case number stands more than once, the first '4'; each row is grouped" in notes
    assert "note: no column for procs, age_days, newborn_weight" in notes


def test_a_broken_row_is_kept_and_reported(tmp_path, run):
    path, out = tmp_path / "a.csv", tmp_path / "out.csv"
    path.write_text("dx,sex,procs\nK22.301,2,\nK22.301\nK22.301,2,42.0902,x\n", encoding="utf-8")
    code, said, notes = run("group", path, "--scheme", "chs-drg-2.0", "-o", out)
    rows = read_back(out, "csv")
    assert code == 0
    assert [row["status"] for row in rows] == ["grouped", "invalid", "invalid"]
    assert [row["reason"] for row in rows] == [None, "unreadable_row", "unreadable_row"]
    assert rows[2]["overflow"] == "x"
    assert notes.count("row cannot be read") == 2
    assert "invalid            2    66.67%" in said


def test_many_broken_rows_are_counted_not_listed(tmp_path, run):
    path = tmp_path / "a.csv"
    path.write_text("dx,sex\n" + "A1\n" * 12, encoding="utf-8")
    _, _, notes = run("group", path, "--scheme", "chs-drg-2.0")
    assert notes.count("row cannot be read") == 5
    assert "note: … and 7 more that cannot be read; their status is invalid" in notes


def test_nothing_of_the_input_changes(tmp_path, run):
    """The input's columns and cells as they were, results on the right, rows in order."""
    path, out = tmp_path / "a.csv", tmp_path / "out.csv"
    path.write_text('note,诊断,性别\n"a ""b"", c", K22.301 ,女\n,X59.900,m\n', encoding="utf-8")
    assert run("group", path, "--scheme", "chs-drg-2.0", "-o", out)[0] == 0
    rows = read_back(out, "csv")
    assert list(rows[0]) == ["note", "诊断", "性别", *FIELDS]
    assert [row["诊断"] for row in rows] == [" K22.301 ", "X59.900"]
    assert rows[0]["note"] == 'a "b", c'
    assert [row["性别"] for row in rows] == ["女", "m"]


def test_the_screen_as_output(deck, capfdbinary):
    assert main(["group", str(deck), "--scheme", "chs-drg-1.1", "-o", "-", "--format", "jsonl"]) == 0
    output = capfdbinary.readouterr()
    rows = [json.loads(line) for line in output.out.decode().splitlines()]
    assert [row["group"] for row in rows] == [row["group"] for row in read_deck("opendrg-sample")]
    assert b"30 cases under chs-drg-1.1" in output.err


def test_csv_for_spreadsheets_keeps_its_byte_order_mark(tmp_path, run):
    for encoding, mark in (("utf-8-sig", True), ("gb18030", True), ("utf-8", False)):
        path, out = tmp_path / "a.csv", tmp_path / "out.csv"
        path.write_text("dx,性别\nK22.301,女\n", encoding=encoding)
        assert run("group", path, "--scheme", "chs-drg-2.0", "-o", out)[0] == 0
        assert out.read_bytes().startswith(b"\xef\xbb\xbf") is mark
        assert "GZ19" in out.read_text(encoding="utf-8")


def test_parts_are_put_together(tmp_path, run, monkeypatch):
    """A file of several chunks gives what one chunk gives, in every format."""
    path = tmp_path / "a.csv"
    path.write_text("id,dx,sex\n" + "".join(f"{n},K22.301,{n % 3}\n" for n in range(10)), encoding="utf-8")
    for form in ("csv", "json", "jsonl", "parquet"):
        monkeypatch.setattr(readers, "PART", 20_000)
        whole = tmp_path / f"whole.{form}"
        said = run("group", path, "--scheme", "chs-drg-2.0", "-o", whole)[1]
        monkeypatch.setattr(readers, "PART", 4)
        parts = tmp_path / f"parts.{form}"
        assert run("group", path, "--scheme", "chs-drg-2.0", "-o", parts)[1] == said.replace("whole", "parts")
        assert read_back(parts, form) == read_back(whole, form)
        assert len(read_back(parts, form)) == 10


def test_a_parquet_file_says_what_made_it(tmp_path, run):
    out = tmp_path / "out.parquet"
    assert run("group", SAMPLE, "--scheme", "chs-drg-2.0", "--prefix", "new_", "-o", out)[0] == 0
    assert pq.read_schema(out).metadata[b"drgdip.scheme"] == b"chs-drg-2.0"


def test_lists_in_csv(tmp_path, run):
    """Lists of a JSON file are joined in CSV; a blank principal code keeps its place."""
    path, out = tmp_path / "a.json", tmp_path / "out.csv"
    rows = [{"dx": ["K22.301", "J94.801"], "sex": 2, "n": [1, 2]}, {"dx": [None, "J94.801"], "sex": 1, "n": None}]
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert run("group", path, "--scheme", "chs-drg-2.0", "-o", out)[0] == 0
    written = read_back(out, "csv")
    assert [row["dx"] for row in written] == ["K22.301|J94.801", "|J94.801"]
    assert [row["n"] for row in written] == ["1|2", None]
    assert [row["status"] for row in written] == ["grouped", "invalid"]


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
def test_no_cases(tmp_path, run, form):
    path, out = tmp_path / "a.csv", tmp_path / f"out.{form}"
    path.write_text("dx,sex\n", encoding="utf-8")
    code, said, _ = run("group", path, "--scheme", "chs-drg-2.0", "-o", out)
    assert code == 0
    assert "0 cases under chs-drg-2.0" in said
    assert read_back(out, form) == []


def test_columns_and_prefix(tmp_path, run):
    path, out = tmp_path / "a.csv", tmp_path / "out.csv"
    path.write_text("Diagnosen,Geschlecht,group\nK22.301,F,mine\n", encoding="utf-8")
    told = ["--columns", "dx=Diagnosen", "--columns", "sex=Geschlecht"]
    code, _, problem = run("group", path, "--scheme", "chs-drg-2.0", *told)
    assert code == 1
    assert "has columns group already; give --prefix new_" in problem
    code, *_ = run("group", path, "--scheme", "chs-drg-2.0", "-o", out, "--prefix", "new_", *told)
    assert code == 0
    (row,) = read_back(out, "csv")
    assert list(row) == ["Diagnosen", "Geschlecht", "group", *[f"new_{name}" for name in FIELDS]]
    assert (row["group"], row["new_group"]) == ("mine", "GZ19")


def test_a_folder_as_scheme(tmp_path, run):
    path = tmp_path / "a.csv"
    path.write_text("dx,sex,age\nB01.100,1,40\n", encoding="utf-8")
    code, said, _ = run("group", path, "--scheme", SMALL)
    assert code == 0
    assert "1 case under small revision 3 (小方案" in said
    assert "1  BR25 神经内科轻" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["group", "nothing.csv", "--scheme", "chs-drg-2.0"], "nothing.csv: there is no such file"),
        (
            ["group", SAMPLE, "--scheme", "chs-drg-2"],
            "there is no scheme or catalogue 'chs-drg-2'. Did you mean 'chs-drg-2.0'",
        ),
        (["group", SAMPLE, "--scheme", "./none"], "none: there is no such folder"),
        (["group", SAMPLE, "--scheme", "chs-drg-2.0"], "has columns mdc, adrg, group, status already; give --prefix"),
        (["group", SAMPLE, "--scheme", "chs-drg-2.0", "--prefix", "x", "--columns", "dx"], "say it as COLUMN=NAME"),
        (
            ["group", SAMPLE, "--scheme", "chs-drg-2.0", "--prefix", "x", "--columns", "dx=d"],
            "there is no column in the table 'd'",
        ),
        (
            ["group", SAMPLE, "--scheme", "chs-drg-2.0", "--prefix", "x", "--format", "csv"],
            "there is no -o to say where",
        ),
        (["group", SAMPLE, "--scheme", "chs-drg-2.0", "--prefix", "x", "-o", "out.xls"], "the format of a file .xls"),
        (["group", SAMPLE, "--scheme", "chs-drg-2.0", "--prefix", "x", "-o", "no/folder/a.csv"], "cannot be written"),
        (["explain", "--scheme", "chs-drg-2.0"], "name a FILE and --case, or give the case's --dx"),
        (["explain", SAMPLE, "--scheme", "chs-drg-2.0"], "say which case with --case; the first of"),
        (["explain", SAMPLE, "--scheme", "chs-drg-2.0", "--case", "2205887"], "Did you mean '22058878'"),
        (["explain", "--dx", "A1", "--scheme", "chs"], "there is no scheme or catalogue 'chs'"),
        (["schemes", "show", "chs-drg-9.9"], "there is no scheme or catalogue 'chs-drg-9.9'. Did you mean"),
    ],
)
def test_what_cannot_be_done_is_said_and_exits_with_1(arguments, message, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said, problem = run(*arguments)
    assert code == 1
    assert said == ""
    assert problem.startswith("drgdip: ")
    assert message in problem
    assert "Traceback" not in problem
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["group"],
        ["group", SAMPLE],
        ["group", SAMPLE, "--scheme", "x", "--format", "xls"],
        ["explain", "--scheme", "x", "--language", "fr"],
        ["regroup"],
        ["schemes", "hide"],
    ],
)
def test_wrong_words_exit_with_2(arguments, run):
    code, _, problem = run(*arguments)
    assert code == 2
    assert problem.startswith("usage: drgdip")


def test_a_file_that_cannot_be_grouped_leaves_the_output_alone(tmp_path, run):
    path, out = tmp_path / "a.csv", tmp_path / "out.csv"
    path.write_text("sex,age\n1,2\n", encoding="utf-8")
    out.write_text("mine", encoding="utf-8")
    code, _, problem = run("group", path, "--scheme", "chs-drg-2.0", "-o", out)
    assert code == 1
    assert "no column holds diagnoses" in problem
    assert out.read_text(encoding="utf-8") == "mine"


def test_the_input_is_not_written_over(tmp_path, run):
    path = tmp_path / "a.csv"
    path.write_text("dx,sex\nK22.301,2\n", encoding="utf-8")
    code, _, problem = run("group", path, "--scheme", "chs-drg-2.0", "-o", tmp_path / "." / "a.csv")
    assert code == 1
    assert "a.csv: is the input; write to another file" in problem
    assert path.read_text(encoding="utf-8") == "dx,sex\nK22.301,2\n"


def test_progress_on_a_terminal_only(tmp_path, run, monkeypatch):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"dx": ["K22.301"] * 9, "sex": [1] * 9, "procs": [""] * 9}), path)
    monkeypatch.setattr(readers, "PART", 4)
    quiet = run("group", path, "--scheme", "chs-drg-2.0")[2]
    assert "%" not in quiet
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["group", str(path), "--scheme", "chs-drg-2.0"]) == 0
    shown = terminal.getvalue()
    assert re.findall(r"\[(#+)\.*\] +(\d+)% (\d) cases", shown)[-1] == ("#" * 30, "100", "9")
    assert shown.count("\r[") == 3


# --- explain ---------------------------------------------------------------------------------------------------------


def test_explain_a_case_of_a_file(run):
    code, said, _ = run("explain", SAMPLE, "--scheme", "chs-drg-1.1", "--case", "22058878")
    assert code == 0
    assert said.startswith("case 22058878 · chs-drg-1.1 · grouped\ngroup: MDCG → GZ1 → GZ13")
    assert "✓ GZ13" in said
    brief = run("explain", SAMPLE, "--scheme", "chs-drg-1.1", "--case", "22058878", "--brief")[1]
    assert "✓" not in brief
    assert said.startswith(brief.rstrip("\n"))


def test_explain_from_options(run):
    options = ["--sex", "2", "--age", "59", "--dx", "K22.301|J94.801", "--procs", "42.0902", "--los", "3"]
    code, said, _ = run("explain", "--scheme", "chs-drg-2.0", *options, "--language", "zh")
    assert code == 0
    assert said.startswith("病例 · chs-drg-2.0 · 分组成功\n病组：MDCG → GC1 → GC19")
    trace = json.loads(run("explain", "--scheme", "chs-drg-2.0", *options, "--json")[1])
    assert trace["result"]["group"] == "GC19"
    assert trace["case"]["los"] == 3


def test_explain_says_when_a_number_stands_twice(tmp_path, run):
    path = tmp_path / "a.csv"
    path.write_text("id,dx,sex\n7,K22.301,1\n7,J96.900,2\n", encoding="utf-8")
    code, said, notes = run("explain", path, "--scheme", "chs-drg-2.0", "--case", "7")
    assert code == 0
    assert "principal diagnosis: K22.301" in said
    assert "note: case 7 stands 2 times; the first is shown" in notes


def test_explain_without_numbers_in_the_file(tmp_path, run):
    path = tmp_path / "a.csv"
    path.write_text("Fall,dx,sex\n7,K22.301,1\n", encoding="utf-8")
    code, _, problem = run("explain", path, "--scheme", "chs-drg-2.0", "--case", "7")
    assert code == 1
    assert "has no column of case numbers; say which it is with --columns case_id=NAME" in problem
    assert run("explain", path, "--scheme", "chs-drg-2.0", "--case", "7", "--columns", "case_id=Fall")[0] == 0


# --- schemes ---------------------------------------------------------------------------------------------------------


def test_schemes_are_listed(run):
    code, said, _ = run("schemes")
    assert code == 0
    catalogues = [info.id for info in list_catalogues()]
    assert [line.split()[0] for line in said.splitlines()] == [*sorted(SCHEMES + LOCAL), *catalogues]
    assert "26 MDC  409 ADRG  634 DRG" in said


@pytest.mark.parametrize("scheme", [*SCHEMES, SMALL])
def test_a_scheme_is_shown_with_its_notes(run, scheme):
    code, said, _ = run("schemes", "show", scheme)
    assert code == 0
    for word in ("issuer", "revision", "sha256", "counts:", "where from:", "notes:", "set_rows"):
        assert word in said


# --- as a process ----------------------------------------------------------------------------------------------------


def process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "drgdip", *arguments], capture_output=True, encoding="utf-8", check=False, **options
    )


def test_version():
    done = process("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"drgdip {__version__}")


def test_a_process_groups_and_fails_with_a_code(deck):
    done = process("group", str(deck), "--scheme", "chs-drg-1.1")
    assert done.returncode == 0, done.stderr
    assert "30 cases under chs-drg-1.1" in done.stdout
    failed = process("group", "nothing.csv", "--scheme", "chs-drg-1.1")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "drgdip: nothing.csv: there is no such file\n"


def test_a_reader_that_has_seen_enough():
    """`drgdip ... | head` ends without a traceback."""
    command = f'"{sys.executable}" -m drgdip explain --scheme chs-drg-2.0 --sex 1 --dx K22.301 --json | head -1'
    done = subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8", check=False)
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr


def test_output_in_a_terminal_without_utf_8(deck):
    """Chinese names on a screen that cannot show them end in no traceback."""
    done = process("group", str(deck), "--scheme", "chs-drg-1.1", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "30 cases under chs-drg-1.1" in done.stdout


def test_a_real_terminal(deck):
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "drgdip", "group", str(deck), "--scheme", "chs-drg-1.1"],
        stdout=slave,
        stderr=slave,
        check=False,
    )
    os.close(slave)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert done.returncode == 0
    assert "30 cases under chs-drg-1.1" in shown


# --- warmup ----------------------------------------------------------------------------------------------------------


def test_warmup(run):
    code, said, _ = run("warmup", "chs-drg-2.0")
    assert code == 0
    assert said.startswith("kernels are compiled; cache: ")
    assert run("warmup", "chs-drg-20")[0] == 1


def test_a_place_without_a_scheme_is_told_what_there_is(capsys):
    assert main(["schemes", "--place", "金华"]) == 1
    assert "its province's latest is zj-drg-1.0-zhejiang-2022" in capsys.readouterr().err
