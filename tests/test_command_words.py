"""The command line in two languages: one table of texts, the language of a run, help, errors and consoles."""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from string import Formatter

import pytest
from conftest import ROOT, SOURCE
from hypothesis import given
from hypothesis import strategies as st

from drgdip import make_case_schema
from drgdip._listing import width_of
from drgdip.cli import main
from drgdip.cli.parser import build_parser
from drgdip.cli.parsing import wrap
from drgdip.cli.signs import replace_signs
from drgdip.cli.words import Words, find_language, translate
from drgdip.data import rows_of
from drgdip.errors import UnknownNameError
from drgdip.grouper.changes import CHANGES
from drgdip.grouper.dip.model import STAGES

WORDS = {row["id"]: (row["english"], row["chinese"]) for row in rows_of("cli/words.csv")}
EN, ZH = Words("en"), Words("zh")
FILE = str(ROOT / "docs" / "examples" / "discharges.csv")
SETTLED = [
    str(ROOT / "docs" / "examples" / "settlement.csv"),
    "--policy",
    str(ROOT / "docs" / "examples" / "policy.toml"),
]
BUDGET = ["--budget", "employee=64000", "--budget", "resident=44000"]


# --- the table -------------------------------------------------------------------------------------------------------


def used_names():
    """What the modules ask for: whole ids, and patterns of ids that are put together."""
    whole, patterns = set(), set()
    for path in sorted((SOURCE / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "add_verb" and isinstance(node.args[1], ast.Constant):
                whole |= {f"{node.args[1].value}.help", f"{node.args[1].value}.description"}
            elif called in {"say", "_say", "self"}:
                found = node.args[0]
                for part in (found.body, found.orelse) if isinstance(found, ast.IfExp) else (found,):
                    if isinstance(part, ast.Constant):
                        whole.add(part.value)
                    elif isinstance(part, ast.JoinedStr) and isinstance(part.values[0], ast.Constant):
                        ends = [re.escape(v.value) if isinstance(v, ast.Constant) else r"[\w-]+" for v in part.values]
                        patterns.add("".join(ends))
    return whole, patterns


def test_every_text_is_used_and_every_used_text_is_there():
    whole, patterns = used_names()
    assert whole - WORDS.keys() == set()
    # Messages of argparse and of the library are found by what they say in English.
    idle = {name for name in WORDS if name not in whole and not name.startswith(("argparse.", "library."))}
    assert {name for name in idle if not any(re.fullmatch(pattern, name) for pattern in patterns)} == set()
    assert all(any(re.fullmatch(pattern, name) for name in WORDS) for pattern in patterns)


def test_texts_that_are_put_together_are_there():
    wanted = {f"change.{name}" for name in CHANGES} | {f"stage.{name}" for name in STAGES}
    wanted |= {f"check.level_{level}" for level in ("error", "warning", "info")}
    wanted |= {f"settle.treatment_{name}" for name in ("settled", "by_item", "left_out")}
    wanted |= {f"policies.form_{name}" for name in ("fixed", "floating", "elastic", "open")}
    sources = "".join(path.read_text(encoding="utf-8") for path in (SOURCE / "grouper").glob("d*/diff.py"))
    tables = set(re.findall(r'_(?:changes|rows|groups)\(\s*"(\w+)"', sources)) | {"severity", "sets", "primary_care"}
    assert wanted | {f"table.{name}" for name in tables} <= WORDS.keys()


def test_texts_stand_in_order_without_gaps():
    assert list(WORDS) == sorted(WORDS)
    assert [name for name, texts in WORDS.items() if not all(texts)] == []


def placeholders(text):
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("name", WORDS)
def test_both_languages_fill_the_same_placeholders(name):
    english, chinese = WORDS[name]
    assert placeholders(english) == placeholders(chinese)


@pytest.mark.parametrize("name", WORDS)
def test_chinese_texts_are_chinese(name):
    english, chinese = WORDS[name]
    plain = re.sub(r"\{[^}]*\}", "", english)
    terms = {"table.mdc", "table.adrg", "table.drg", "schemes.fact_sha256", "list.and"}
    if re.search(r"[a-z]{3}", plain) and name not in terms:
        assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert not re.search(r"[\u4e00-\u9fff][,;?!]", chinese), "marks between Chinese words are Chinese"


def test_numbers_have_their_nouns():
    assert EN("summary.head", cases=1, scheme="x", revision=2, title="t") == "1 case under x revision 2 (t)"
    assert EN("summary.head", cases=1234, scheme="x", revision=2, title="t") == "1,234 cases under x revision 2 (t)"
    assert ZH("summary.head", cases=1234, scheme="x", revision=2, title="t") == "1,234 例，按 x 修订号 2（t）分组"
    assert EN("settle.uncounted", number=1) == "1 case does not count: its list failed, or it has no price"
    assert EN("settle.uncounted", number=3) == "3 cases do not count: lists failed, or they have no price"
    assert EN("summary.doubled", number=1, first="'7'").startswith("1 case number stands more than once")
    with pytest.raises(UnknownNameError, match="there is no text 'grou.help'. Did you mean 'group.help'"):
        EN("grou.help")


# --- the language of a run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "ZH_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE", "LC_MESSAGES": "zh_CN"}, "zh"),
        ({"LANG": "zh_CN", "LC_MESSAGES": "en_US"}, "en"),
        ({"LC_MESSAGES": "en_US", "LC_ALL": "zh_CN"}, "zh"),
        ({"LANG": "zh_CN", "LC_ALL": ""}, "zh"),
        ({"LC_CTYPE": "zh_CN"}, "en"),
    ],
)
def test_the_locale_decides(environment, language):
    assert find_language(["schemes"], environment) == language
    assert find_language(["schemes"], environment, system="Chinese (Simplified)_China") == (
        "zh" if language == "zh" or not set(environment) - {"LC_CTYPE"} else "en"
    )


@pytest.mark.parametrize(
    ("words", "language"),
    [
        (["--language", "zh", "schemes"], "zh"),
        (["schemes", "--language=zh"], "zh"),
        (["--language", "zh", "schemes", "--language", "en"], "en"),
        (["schemes", "--lang", "zh"], "zh"),
        (["--", "--language", "zh"], "en"),
        (["--language"], "en"),
        (["--language", "fr"], "en"),
        (["--limit", "zh"], "en"),
    ],
)
def test_the_option_goes_before_the_locale(words, language):
    assert find_language(words, {"LC_ALL": "C"}) == language
    other = {"--language", "zh"} <= set(words) and "--" not in words
    assert find_language(words, {"LANG": "zh_CN"}) == ("en" if words[-1] == "en" and other else "zh")


def test_a_console_without_chinese_gets_english_unless_told():
    assert [find_language([], {"LANG": "zh_CN"}, encoding=code) for code in ("ascii", "cp437", "gbk", "")] == [
        *("en", "en", "zh", "zh")
    ]
    assert find_language(["--language", "zh"], {"LANG": "zh_CN"}, encoding="ascii") == "zh"


@pytest.mark.parametrize(
    "words",
    [["--language", "zh", "schemes", "--place", "云浮"], ["schemes", "--place", "云浮", "--language", "zh"]],
)
def test_the_option_stands_before_the_verb_or_behind_it(words, capsys):
    assert main(words) == 0
    assert "修订号 1" in capsys.readouterr().out


def test_the_option_reaches_the_verbs_of_a_verb(capsys, monkeypatch):
    assert main(["schemes", "show", "chs-drg-2.0", "--language", "zh"]) == 0
    assert "发布单位" in capsys.readouterr().out
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["--language", "en", "schemes", "show", "chs-drg-2.0"]) == 0
    assert "  issuer     " in capsys.readouterr().out


# --- help and wrong words --------------------------------------------------------------------------------------------


def parsers(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def names_of(parser):
    """Words that are the same in both languages: of the commands, the columns, the formats."""
    names = {"drgdip", "by", "lines", "zip", "first", "unpriced", "item", "clinical", "html", "xlsx", "svg", "schemes"}
    names |= {
        "Excel",
        "Parquet",
        "dx",
        "others",
        "principal",
        "procs",
        "points",
        "weight",
        "group",
        "name",
        "duplicate",
    }
    for inner in parsers(parser):
        for action in inner._actions:
            names |= {*re.findall(r"[a-z]+", " ".join(action.option_strings)), *map(str, action.choices or ())}
            if action.metavar and not isinstance(action.metavar, tuple):
                names |= {*re.findall(r"[a-z]+", action.metavar)}
    return names


def english_left(text, parser):
    """English words of a text that are no names of the command line."""
    fields = {part for name in (*make_case_schema().names, "patient", "rate") for part in name.split("_")}
    return sorted(set(re.findall(r"[A-Za-z]*[a-z][a-z]+", text)) - names_of(parser) - fields)


@pytest.mark.parametrize("number", range(16))
def test_help_is_all_in_its_language(number, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    english, chinese = (list(parsers(build_parser(say)))[number] for say in (EN, ZH))
    said = chinese.format_help()
    assert english_left(said, build_parser(EN)) == []
    assert said.startswith("用法：drgdip")
    assert "显示本帮助后退出" in said
    assert all(width_of(line) <= 80 for line in said.splitlines())
    assert "-h, --help" in said
    spoken = re.sub("其他诊断编码", "", english.format_help())
    assert not re.search(r"[\u4e00-\u9fff：，。]", spoken)


def test_no_parser_is_left_out():
    assert len(list(parsers(build_parser(ZH)))) == 16


WRONG = [
    ([], "缺少必需的参数：COMMAND"),
    (["group"], "缺少必需的参数：FILE"),
    (["group", "a.csv"], "下列参数须给出其中一个：--scheme --place"),
    (["group", "a.csv", "--scheme"], "参数 --scheme：需要给出一个值"),
    (["group", "a.csv", "--scheme", "x", "--format", "xls"], "参数 --format：没有 'xls' 这一选择（可选："),
    (["group", "a.csv", "--scheme", "x", "--place", "y"], "参数 --place：不能与参数 --scheme 同时使用"),
    (["group", "a.csv", "--place", "x", "--date", "soon"], "参数 --date：'soon' 不是日期"),
    (["group", "a.csv", "--scheme", "x", "--names=1"], "参数 --names：该选项不带值"),
    (["group", "a.csv", "--scheme", "x", "--nothing"], "无法识别的参数：--nothing"),
    (["group", "a.csv", "--scheme", "x", "--co", "y"], "选项 --co 有歧义，可能是 --codes, --columns"),
    (["regroup"], "没有 'regroup' 这一选择（可选："),
    (["diff", "a", "b", "--limit", "x"], "取值 'x' 无法识别（要求 int）"),
    (["diff", "a", "b", "--weights", "x"], "参数 --weights：需要给出2个值"),
    (["explain", "--language", "fr"], "没有 'fr' 这一选择"),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_wrong_words_are_told_in_chinese(words, message, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(SystemExit) as stop:
        main(words)
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert said.startswith("用法：drgdip")
    assert re.search(r"^drgdip.*：错误：", said, re.MULTILINE)
    assert message in said.replace(", --weights", "")
    told = said.splitlines()[-1]
    given_words = {part for word in words for part in re.findall(r"[a-z]+", word)} | {"int"}
    assert set(english_left(told, build_parser(EN))) <= given_words


@pytest.mark.parametrize(("words", "_"), WRONG)
def test_wrong_words_in_english_are_those_of_argparse(words, _, capsys):
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr().err
    assert said.startswith("usage: drgdip")
    assert re.search(r"^drgdip.*: error: ", said, re.MULTILINE)
    assert not re.search(r"[\u4e00-\u9fff]", said)


def test_a_message_that_no_text_has_stays():
    assert translate("something new of argparse", ZH, "argparse") == "something new of argparse"
    assert translate("expected one argument", ZH, "library") == "expected one argument"


@given(st.text(st.sampled_from("按病组编码，。：（）abc12 -"), max_size=200), st.integers(8, 40))
def test_lines_of_help_fit_and_lose_nothing(text, width):
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert width_of(line) <= width or not re.search(r"\S\s+\S|[\u4e00-\u9fff].*[\u4e00-\u9fff]", line[:-3])
    assert not any(
        re.match("[，。：）]", line) for line in lines[1:] if width > 30 and not re.search("[，。：）]{3}", text)
    )


# --- every verb, on good files and bad ones --------------------------------------------------------------------------

BAD = "no,sex,dx,x\n1,9,I63.900,a\n1,1\n2,old,,b\n3,1,Z99,c\n"
VERBS = {
    "group": ["group", FILE, "--scheme", "chs-drg-2.0"],
    "group a catalogue": ["group", FILE, "--scheme", "nhsa-dip-2.0"],
    "group to a file": ["group", FILE, "--scheme", "chs-drg-2.0", "--names", "-o", "out.csv"],
    "group by place": ["group", FILE, "--place", "南京", "--date", "2026"],
    "group a bad file": ["group", "bad.csv", "--scheme", "chs-drg-2.0", "--columns", "case_id=no"],
    "group a bad folder": ["group", "folder", "--scheme", "chs-drg-2.0"],
    "group twice": ["group", "out.csv", "--scheme", "chs-drg-2.0"],
    "group no diagnoses": ["group", "blank.csv", "--scheme", "chs-drg-2.0"],
    "group no scheme": ["group", FILE, "--scheme", "chs-drg-2"],
    "group a scheme like none": ["group", FILE, "--scheme", "zzzzzzzzzz"],
    "group a scheme that is a place": ["group", FILE, "--scheme", "南京"],
    "group another format": ["check", "note.doc", "--scheme", "chs-drg-2.0"],
    "diff what has no table in common": ["diff", "chs-drg-2.0", "dip-hainan-2023"],
    "settle without a budget": ["settle", *SETTLED, "--budget", "employee=1"],
    "group nothing": ["group", "none.csv", "--scheme", "chs-drg-2.0"],
    "group a place that has none": ["group", FILE, "--place", "杭州", "--date", "2026"],
    "group a place that has both": ["group", FILE, "--place", "全国", "--date", "2026"],
    "group no place": ["group", FILE, "--place", "Atlantis"],
    "a date alone": ["group", FILE, "--scheme", "chs-drg-2.0", "--date", "2026"],
    "a format alone": ["group", FILE, "--scheme", "chs-drg-2.0", "--format", "csv"],
    "a wrong column": ["group", FILE, "--scheme", "chs-drg-2.0", "--columns", "dx"],
    "an old workbook": ["group", FILE, "--scheme", "chs-drg-2.0", "-o", "out.xls"],
    "a workbook on the screen": ["group", FILE, "--scheme", "chs-drg-2.0", "-o", "-", "--format", "excel"],
    "no folder to write": ["group", FILE, "--scheme", "chs-drg-2.0", "-o", "no/folder/out.csv"],
    "over the input": ["group", "bad.csv", "--scheme", "chs-drg-2.0", "-o", "bad.csv"],
    "check": ["check", FILE, "--scheme", "chs-drg-2.0"],
    "check a bad file": ["check", "bad.csv", "--scheme", "chs-drg-2.0", "--limit", "age=0:120", "-o", "found.csv"],
    "check a wrong limit": ["check", FILE, "--scheme", "chs-drg-2.0", "--limit", "age"],
    "explain": ["explain", FILE, "--case", "22089767", "--scheme", "chs-drg-2.0", "--brief"],
    "explain a case": ["explain", "--scheme", "chs-drg-2.0", "--dx", "I63.900"],
    "explain one of two": ["explain", "bad.csv", "--case", "1", "--scheme", "chs-drg-2.0", "--columns", "case_id=no"],
    "explain no case": ["explain", "--scheme", "chs-drg-2.0"],
    "explain which": ["explain", FILE, "--scheme", "chs-drg-2.0"],
    "explain a case that is not there": ["explain", FILE, "--case", "2206210", "--scheme", "chs-drg-2.0"],
    "explain without numbers": ["explain", "folder/a.csv", "--case", "1", "--scheme", "chs-drg-2.0"],
    "schemes": ["schemes"],
    "schemes of a place": ["schemes", "--place", "云浮"],
    "schemes show": ["schemes", "show", "chs-drg-2.0-nanjing-2024"],
    "diff": ["diff", "chs-drg-2.0-handan-2025", "chs-drg-2.0-handan-2026", "--limit", "2"],
    "diff the same": ["diff", "chs-drg-2.0", "chs-drg-2.0"],
    "diff catalogues": ["diff", "nhsa-dip-2.0", "nhsa-dip-3.0", "--limit", "1", "-o", "out.xlsx"],
    "diff cases": ["diff", "chs-drg-2.0", "chs-drg-2.0-nanjing-2024", FILE, "--limit", "1"],
    "diff families": ["diff", "chs-drg-2.0", "dip-hainan-2023", FILE, "--limit", "1"],
    "diff a move": ["diff", "chs-drg-2.0", "chs-drg-3.0", "--cases", FILE, "-o", "move.html"],
    "diff weights alone": ["diff", "chs-drg-2.0", "chs-drg-3.0", "--weights", "a", "b"],
    "diff cases twice": ["diff", "chs-drg-2.0", "chs-drg-3.0", FILE, "--cases", FILE],
    "diff a move to csv": ["diff", "chs-drg-2.0", "chs-drg-3.0", "--cases", FILE, "-o", "move.csv"],
    "warmup": ["warmup", "chs-drg-2.0"],
    "policies": ["policies"],
    "settle": ["settle", *SETTLED, *BUDGET, "-o", "year.html", "--papers", "papers"],
    "settle nothing": ["settle", SETTLED[0]],
    "settle to a document": ["settle", *SETTLED, *BUDGET, "-o", "year.doc"],
    "settle a wrong pair": ["settle", *SETTLED, "--budget", "x"],
    "settle a pair twice": ["settle", *SETTLED, "--budget", "a=1", "--budget", "a=2"],
    "settle coefficients alone": ["settle", *SETTLED, *BUDGET, "--mean-cost", "1"],
    "settle without points": ["settle", "blank.csv", *SETTLED[1:], *BUDGET],
    "settle twice the same": ["settle", "twice.csv", *SETTLED[1:], *BUDGET, "--accept", "duplicate=first"],
    "settle an empty folder": ["settle", "folder", *SETTLED[1:], *BUDGET],
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with files that are good and bad."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text(BAD, encoding="utf-8")
    (tmp_path / "blank.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "note.doc").write_text("x", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.csv").write_text("Ward 7\nsex,dx,code\n1,I63.900,I63.900\n", encoding="utf-8")
    (tmp_path / "folder" / "note.doc").write_text("x", encoding="utf-8")
    lines = Path(SETTLED[0]).read_text(encoding="utf-8").splitlines()
    (tmp_path / "twice.csv").write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
    (tmp_path / "out.csv").write_text("dx,group\nI63.900,x\n", encoding="utf-8")
    return tmp_path


def fragments(column):
    """Parts of texts between names and numbers that are of one language, and long enough to be known again."""
    other = "".join(texts[1 - column] for texts in WORDS.values())
    parts = {part.strip() for texts in WORDS.values() for part in re.split(r"\{[^}]*\}", texts[column])}
    long = re.compile(r"(?=.*[a-z] ).{9}" if column == 0 else r"(?=.*[\u4e00-\u9fff]).{6}")
    return {part for part in parts if long.match(part) and part not in other}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", VERBS)
def test_every_verb_speaks_its_language(name, language, capsys):
    code = main([*VERBS[name], "--language", language])
    said = capsys.readouterr()
    text = said.out + said.err
    assert code in {0, 1}
    assert "Traceback" not in text
    assert not re.search(r"\{\w*[:!}]", text), "every placeholder is filled"
    other = [part for part in fragments(("zh", "en").index(language)) if part in text]
    assert other == []
    if language == "zh":
        assert re.search(r"[\u4e00-\u9fff]", text)
        assert "note:" not in said.err
    wanted = 0 if not said.err.startswith("drgdip: ") else 1
    assert code == wanted


def test_both_languages_write_the_same(place, capsys):
    for form in ("csv", "jsonl"):
        said = []
        for language in ("en", "zh"):
            words = ["group", "bad.csv", "--scheme", "chs-drg-2.0", "--names", "-o", f"{language}.{form}"]
            assert main([*words, "--language", language]) == 0
            said.append((place / f"{language}.{form}").read_bytes())
        assert said[0] == said[1]
    capsys.readouterr()


@pytest.mark.usefixtures("place")
def test_the_summary_in_chinese_is_aligned_and_has_an_example_of_each_reason(capsys):
    assert main(["group", "bad.csv", "--scheme", "chs-drg-2.0", "--columns", "case_id=no", "--language", "zh"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shares = [line for line in lines if line.rstrip().endswith("%") or "个病组" in line]
    assert len({width_of(line[: line.index("%")]) for line in shares}) == 1
    assert any(line.startswith("  分组成功") for line in shares)
    assert "         1  unreadable_sex：性别无法识别：应为1/2、男/女或M/F（病例 2）" in lines
    assert any("unknown_principal_diagnosis：主要诊断编码不在编码集和分组方案中（病例 3）" in line for line in lines)


def test_an_example_without_a_number_is_a_row_whatever_the_parts(place, capsys, monkeypatch):
    from drgdip.cases import readers

    rows = ["dx,sex", *["I63.900,1"] * 7, "Z99,1", "Z99,1"]
    (place / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for size in (20_000, 3):
        monkeypatch.setattr(readers, "PART", size)
        assert main(["group", "rows.csv", "--scheme", "chs-drg-2.0"]) == 0
        told = capsys.readouterr().out
        assert (
            "2  unknown_principal_diagnosis: principal diagnosis is in neither the code set nor the scheme (row 8)"
            in told
        )


# --- consoles --------------------------------------------------------------------------------------------------------


def process(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "drgdip", *words], capture_output=True, check=False, env=os.environ | environment
    )


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "latin-1", "utf-8"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_console_ends_in_a_traceback(encoding, language):
    for words in (
        ["explain", "--scheme", "chs-drg-2.0", "--sex", "1", "--dx", "I63.900"],
        ["diff", "--help"],
        ["group", "none.csv", "--place", "南京"],
    ):
        done = process(*words, "--language", language, PYTHONIOENCODING=encoding)
        assert b"Traceback" not in done.stderr
        assert done.returncode == (1 if words[0] == "group" else 0), done.stderr
    case = ("--scheme", "chs-drg-2.0", "--sex", "1", "--dx", "I63.900")
    done = process("explain", *case, "--full", PYTHONIOENCODING=encoding)
    yes, no = {"gbk": "√×", "latin-1": "+×", "ascii": "+x"}.get(encoding, "✓✗")
    said = done.stdout.decode(encoding)
    assert f"  {yes} MDCA" in said
    assert f"    {no} AA1" in said


def test_signs_have_others_in_their_place():
    def shown(text, encoding):
        import codecs

        codecs.register_error("drgdip.test", replace_signs)
        return text.encode(encoding, "drgdip.test")

    assert shown("✓✗→·…", "ascii") == b"+x>-~"
    assert shown("✓✗→·…病", "gbk").decode("gbk") == "√×→·…病"
    assert shown("病\udc80", "ascii") == rb"\u75c5\udc80"
    with pytest.raises(UnicodeDecodeError):
        replace_signs(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"))


def test_help_loads_no_tables_of_numbers():
    code = "import sys; from drgdip.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'numpy', 'pyarrow', 'pandas', 'numba', 'pydantic'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.endswith("[]\n")
