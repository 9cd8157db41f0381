"""The command line after the group: indicators and signals, on the screen and in files."""

from __future__ import annotations

import csv
import itertools
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, rows_of

import drgdip
from drgdip import monitor, settle
from drgdip._listing import width_of
from drgdip.cli import main

SETTLEMENT = ROOT / "docs" / "examples" / "settlement.csv"


@pytest.fixture
def run(capsys, monkeypatch):
    """A function that runs the command line: its exit code, what it said and its notes."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Sample cases in a file, of which some are not grouped."""
    cases = drgdip.sample_cases(300, "chs-drg-2.0", seed=5)
    path = tmp_path_factory.mktemp("made") / "cases.parquet"
    pq.write_table(cases, path)
    return path, drgdip.group(cases, "chs-drg-2.0")


def blocks_of(said):
    """The tables on the screen: lists of rows, each a list of cells."""
    parts = [part.splitlines() for part in said.split("\n\n")[1:]]
    return [[re.split(r" {2,}", line.strip()) for line in part if "  " in line] for part in parts]


# --- indicators --------------------------------------------------------------------------------------------------


def test_the_file_has_the_indicators_of_the_library(run, tmp_path):
    out = tmp_path / "out.csv"
    code, said, _ = run("indicators", SETTLEMENT, "--by", "hospital,month", "-o", out, "--parts")
    assert code == 0
    assert f"wrote {out}" in said
    expected = monitor.indicators(settle.read_settlement(SETTLEMENT), ["hospital", "month"], parts=True).to_pylist()
    found = rows_of(out)
    assert list(found[0]) == list(expected[0])
    for mine, theirs in zip(found, expected, strict=True):
        assert [mine["hospital"], mine["month"]] == [theirs["hospital"], theirs["month"]]
        for name in list(theirs)[2:]:
            assert (mine[name] == "") == (theirs[name] is None)
            assert not mine[name] or float(mine[name]) == pytest.approx(float(theirs[name]))


def test_cases_are_grouped_first_under_a_scheme(run, made, tmp_path):
    path, grouped = made
    out = tmp_path / "out.jsonl"
    code, said, notes = run("indicators", path, "--scheme", "chs-drg-2.0", "--by", "mdc", "-o", out, "--limit", 2)
    assert code == 0
    expected = monitor.indicators(grouped, "mdc").to_pylist()
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for mine, theirs in zip(found, expected, strict=True):
        for name, value in theirs.items():
            assert mine[name] == (value if value is None or isinstance(value, str) else pytest.approx(value)) or float(
                mine[name]
            ) == pytest.approx(float(value))
    assert f"{path}: 300 cases, {len(expected)} rows, " in said
    assert f"... and {len(expected) - 2} more rows; -o OUT writes all" in said
    ungrouped = sum(status != "grouped" for status in grouped["status"].to_pylist())
    assert ungrouped
    assert f"note: {ungrouped} of 300 cases are not grouped: they do not count for indicators of groups" in notes


def test_groups_of_the_file_stay(run, made, tmp_path):
    _, grouped = made
    path = tmp_path / "grouped.parquet"
    pq.write_table(grouped.replace_schema_metadata(None), path)
    alone = run("indicators", path, "--which", "discharges,grouped,groups")
    again = run("indicators", path, "--which", "discharges,grouped,groups", "--scheme", "chs-drg-1.1")
    assert alone[:2] == again[:2]
    assert "has a column group, and its groups stay" in again[2]
    assert "has a column group" not in alone[2]


def test_the_screen_is_aligned_in_both_languages(run):
    for language in ("en", "zh"):
        _, said, _ = run("indicators", SETTLEMENT, "--by", "hospital,month", "--language", language)
        tables = [part.splitlines() for part in said.split("\n\n")[1:]]
        assert len(tables) > 1  # blocks that fit the terminal
        for table in tables:
            assert len({width_of(line) for line in table}) == 1
            assert all(width_of(line) <= 100 for line in table)
            assert len(table) == 10
    assert said.startswith(f"{SETTLEMENT}：24例，9行，13项指标\n")
    heads = [head for table in blocks_of(said) for head in table[0]]
    assert heads[:4] == ["医疗机构", "月份", "出院人次", "入组人次"]
    assert re.search(r"City Hospital +1 +3 +3 +100\.00% +3 +1\.0467 +20,040\.94", said)


def test_numbers_on_the_screen_are_in_their_unit(run):
    _, said, _ = run("indicators", SETTLEMENT, "--which", "discharges,cost_index,total_cost,burden_rate", "--by", "")
    assert blocks_of(said) == [
        [["discharges", "cost_index", "total_cost", "burden_rate"], ["24", "1.0000", "164,276.92", "31.61%"]]
    ]


def test_books_hold_numbers(run, tmp_path):
    calamine = pytest.importorskip("python_calamine")
    arguments = ("indicators", SETTLEMENT, "--which", "discharges,total_cost,mean_cost", "--language", "zh")
    assert run(*arguments, "-o", tmp_path / "out.xlsx")[0] == 0
    book = calamine.CalamineWorkbook.from_path(tmp_path / "out.xlsx")
    assert book.sheet_names == ["指标"]
    head, first, *_ = book.get_sheet_by_name("指标").to_python()
    assert head == ["医疗机构", "出院人次", "医疗总费用", "次均费用"]
    assert first == ["City Hospital", 8.0, 62872.06, 7859.0075]
    assert run(*arguments, "-o", tmp_path / "out.html")[0] == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<td>City Hospital</td><td class='n'>8</td><td class='n'>62,872.06</td>" in page


def test_tables_beside_the_cases(run, tmp_path):
    weights, low = tmp_path / "weights.csv", tmp_path / "low.csv"
    weights.write_text("group,weight\nBR23,0.8\nIU23,0.7\nGD25,1.1\nES35,0.5\n", encoding="utf-8")
    low.write_text("group\nBR23\n", encoding="utf-8")
    out = tmp_path / "out.csv"
    which = "cmi,cost_index,basic_share"
    code, *_ = run(
        *("indicators", SETTLEMENT, "--which", which, "--weights", weights, "--basic", low),
        *("--reference", SETTLEMENT, "--previous", SETTLEMENT, "--small", 100, "-o", out),
    )
    assert code == 0
    cases = settle.read_settlement(SETTLEMENT)
    expected = monitor.indicators(
        *(cases, "hospital"),
        which=which.split(","),
        weights=settle.read_settlement(weights),
        basic=["BR23"],
        reference=cases,
        previous=cases,
        small=100,
    ).to_pylist()
    for mine, theirs in zip(rows_of(out), expected, strict=True):
        assert list(mine) == list(theirs)
        for name, value in theirs.items():
            assert mine[name] == value or float(mine[name]) == pytest.approx(value)
    assert expected[0]["small"] == "cmi|cost_index|basic_share"


def test_which_indicators_a_file_gives(run):
    code, said, _ = run("indicators", SETTLEMENT, "--describe")
    assert code == 0
    (table,) = blocks_of(said)[:1]
    states = {row[0]: row[-2] for row in table[1:]}
    assert len(states) == len(monitor.list_indicators())
    assert (states["mean_cost"], states["cmi"]) == ("True", "False")
    assert "weights= or a column 'weight'" in said
    code, said, _ = run("indicators", SETTLEMENT, "--describe", "--language", "zh")
    assert "次均费用" in said


def test_a_file_of_the_field_is_asked_in_its_own_words(run, tmp_path):
    path, out = tmp_path / "本院.csv", tmp_path / "out.csv"
    text = "医疗机构名称,DRG编码,医疗总费用,出院科室\n甲,BR23,6000.50,内科\n甲,BR23,7000.50,内科\n乙,,5000,外科\n"
    path.write_bytes(text.encode("gb18030"))
    code, said, notes = run(
        *("indicators", path, "--columns", "group=DRG编码", "--by", "出院科室，医疗机构名称"),
        *("--which", "出院人次,次均费用", "--language", "zh", "-o", out),
    )
    assert code == 0, notes
    assert blocks_of(said)[0] == [
        ["科室", "医疗机构", "出院人次", "次均费用"],
        ["内科", "甲", "2", "6,500.50"],
        ["外科", "乙", "1", "5,000.00"],
    ]
    assert "注意：3例中有1例未入组" in notes
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")  # for spreadsheets, as the input is not UTF-8


def test_several_files_stand_one_below_the_other(run, made):
    path, _ = made
    _, said, _ = run("indicators", SETTLEMENT, SETTLEMENT, "--by", "", "--which", "discharges")
    assert said.split()[-1] == "48"
    _, said, _ = run("indicators", path, path, "--by", "", "--which", "discharges", "--scheme", "chs-drg-2.0")
    assert said.split()[-1] == "600"
    code, _, notes = run("indicators", path, SETTLEMENT, "--scheme", "chs-drg-2.0")
    assert (code, "no column holds diagnoses" in notes) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "ward"], "there is no column 'ward'"),
        (["--which", "cmii"], "there is no indicator 'cmii'. Did you mean 'cmi'"),
        (["--which", "cmi"], "indicator 'cmi' needs weights= or a column 'weight'"),
        (["--codes", "clinical-2.0"], "--codes goes with --scheme"),
        (
            ["--columns", "dx=a", "--columns", "dx=b"],
            "--columns names dx again: without --scheme a column has one name",
        ),
        (["--columns", "hospital"], "say it as COLUMN=NAME"),
        (["--columns", "group=DRG"], "there is no column 'DRG'"),
        (["--scheme", "chs-drg-9"], "there is no scheme or catalogue 'chs-drg-9'"),
        (["--weights", "no-such.csv"], "no-such.csv"),
        (["--low-risk", "{low}"], "has no column group"),
        (["-o", "{file}"], "is the input; write to another file"),
        (["--reference", "{other}", "-o", "{other}"], "is the input; write to another file"),
        (["--format", "csv"], "there is no -o to say where"),
    ],
)
def test_what_cannot_be_used_is_said(run, tmp_path, arguments, said):
    path = tmp_path / "cases.csv"
    path.write_bytes(SETTLEMENT.read_bytes())
    low = tmp_path / "low.csv"
    low.write_text("name\nBR23\n", encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_bytes(SETTLEMENT.read_bytes())
    words = [
        word.replace("{low}", str(low)).replace("{other}", str(other)).replace("{file}", str(path))
        for word in arguments
    ]
    code, out, notes = run("indicators", path, *words)
    assert (code, out) == (1, "")
    assert said in notes
    assert path.read_bytes() == other.read_bytes() == SETTLEMENT.read_bytes()


def test_wrong_words_end_with_2(run):
    assert run("indicators")[0] == 2
    assert run("indicators", SETTLEMENT, "--small", "many")[0] == 2
    assert run("signals", SETTLEMENT, "--format", "excel")[0] == 2


# --- signals -----------------------------------------------------------------------------------------------------

LONG = "[long_stay]\nratio = 3\n\n[split_stay]\ndays = 15\n"


@pytest.fixture
def stays(tmp_path):
    """A file of grouped stays: one far too long, two that are one, and the parameters."""
    rows = [
        {"case_id": f"S{place}", "hospital": "医院甲", "patient": f"P{place}", "group": "A", "los": days,
         "admitted": "2024-01-01", "discharged": "2024-01-05", "total_cost": "1000.00"}
        for place, days in enumerate((4, 5, 6, 5, 40))
    ]  # fmt: skip
    rows.append({**rows[0], "case_id": "S9", "admitted": "2024-01-08", "discharged": "2024-01-12"})
    path, parameters = tmp_path / "stays.csv", tmp_path / "p.toml"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    parameters.write_text(LONG, encoding="utf-8")
    return path, parameters


def test_the_file_has_the_signals_of_the_library(run, stays, tmp_path):
    path, parameters = stays
    out = tmp_path / "out.parquet"
    code, said, notes = run("signals", path, "--parameters", parameters, "-o", out)
    assert code == 0
    expected = monitor.signals(settle.read_settlement(path), parameters=parameters)
    assert pq.read_table(out).to_pylist() == expected.to_pylist()
    kinds = set(expected["signal"].to_pylist())
    assert {"long_stay", "split_stay"} <= kinds
    assert said.startswith(
        f"{path}: 6 cases, {len(expected)} rows of {len(kinds)} signals, reasons to look and no verd"
    )
    assert "         1  long_stay: over-long stay\n" in said
    assert re.search(r"4 +S4 +医院甲 +A +long_stay +\S+ +- +3 +-", said)
    assert re.search(r"note: \d+ of \d+ signals do not run: --plan says what they lack", notes)


def test_signals_in_chinese(run, stays, tmp_path):
    path, parameters = stays
    out = tmp_path / "out.csv"
    code, said, _ = run("signals", path, "--parameters", parameters, "--language", "zh", "-o", out, "--limit", 1)
    assert code == 0
    assert "仅供核查，不作认定" in said
    assert "long_stay：超长住院" in said
    assert "可用-o写入文件" in said
    rows = rows_of(out)
    assert list(rows[0])[:5] == ["行号", "病案号", "医疗机构", "病组", "疑点"]
    assert {row["疑点"] for row in rows} >= {"超长住院", "分解住院"}
    assert {row["无金额原因"] for row in rows} <= {
        "",
        "未提供权重和费率，未计算金额",
        "未提供分组方案或诊断，未重新分组",
        "按病组付费的金额与此无关",
    }
    tables = [part.splitlines() for part in said.split("\n\n")[1:]]
    assert len({width_of(line) for line in tables[0][:2]}) == 1


def test_what_signals_lack(run, stays):
    path, parameters = stays
    code, said, _ = run("signals", path, "--parameters", parameters, "--plan")
    assert code == 0
    states = {row[0]: row[-1] for row in blocks_of(said)[0][1:]}
    assert len(states) == len(monitor.list_signals())
    assert (states["long_stay"], states["short_stay"]) == ("runs", "no parameter ratio")
    code, _, notes = run("signals", path, "--which", "住院时间过短")
    assert (code, "signal short_stay needs the parameter ratio" in notes) == (1, True)
    code, _, notes = run("signals", path, "--parameters", path)
    assert (code, "no TOML file of parameters" in notes) == (1, True)


def test_signals_of_cases_that_are_grouped_first(run, made, tmp_path):
    path, grouped = made
    parameters = tmp_path / "p.toml"
    parameters.write_text(LONG + "[high_cost]\nratio = 2\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    code, *_ = run("signals", path, "--scheme", "chs-drg-2.0", "--parameters", parameters, "-o", out)
    assert code == 0
    expected = monitor.signals(grouped, "chs-drg-2.0", parameters=parameters).to_pylist()
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(row["row"], row["signal"]) for row in found] == [(row["row"], row["signal"]) for row in expected]
    assert expected


def test_a_table_without_rows_is_shown_by_its_heads(run, tmp_path):
    path = tmp_path / "empty.parquet"
    pq.write_table(pa.table({"hospital": pa.array([], pa.string()), "group": pa.array([], pa.string())}), path)
    code, said, _ = run("indicators", path)
    assert code == 0
    assert "0 cases, 0 rows" in said
    assert [len(table) for table in itertools.islice(blocks_of(said), 1)] == [1]


# --- a scheme by its place ---------------------------------------------------------------------------------------


def test_a_place_names_the_scheme_of_every_verb(run):
    cases, returned = ROOT / "docs" / "examples" / "discharges.csv", ROOT / "docs" / "examples" / "returned.csv"
    for words in (
        ("indicators", cases, "--by", "mdc", "--which", "grouped"),
        ("signals", cases, "--plan"),
        ("certify", returned, "--returned", "返回分组"),
    ):
        _, by_id, _ = run(*words, "--scheme", "chs-drg-2.0-nanjing-2024")
        code, by_place, notes = run(*words, "--place", "南京", "--date", "2026-01-01")
        assert (code, by_place) == (0, by_id)
        assert "note: 南京 is grouped under chs-drg-2.0-nanjing-2024" in notes


def test_a_day_or_an_edition_without_a_scheme_is_refused(run):
    for verb in ("indicators", "signals"):
        for language, words in {"en": ("goes with --place", "goes with --scheme"), "zh": ("同用", "同用")}.items():
            for option, said in zip((("--date", "2026"), ("--codes", "clinical-2.0")), words, strict=True):
                code, _, notes = run(verb, SETTLEMENT, *option, "--language", language)
                assert code == 1
                assert option[0] in notes
                assert said in notes
