"""The pages are true: every snippet runs, every table equals the data, every link leads somewhere."""

import argparse
import contextlib
import csv
import doctest
import importlib.util
import inspect
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import pytest

from drgdip import REASONS, STATUSES, SchemeError, __all__, list_schemes, load_auxiliary, load_scheme, make_case_schema
from drgdip.cli import main
from drgdip.cli.parser import build_parser
from drgdip.cli.words import Words
from drgdip.grouper.changes import CHANGES
from drgdip.grouper.dip import workbook as dip
from drgdip.grouper.dip.auxiliary_rules import DIAGNOSES, NUMBERS
from drgdip.grouper.drg.model import COUNTS, KINDS, Evaluation
from drgdip.grouper.drg.workbook import SHEETS
from drgdip.grouper.grammar import CODE_VARIABLES, VALUE_VARIABLES
from drgdip.grouper.tables import AUXILIARY_COLUMNS, COLUMNS

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = [ENGLISH, CHINESE, *sorted((ROOT / "docs").rglob("*.md"))]
#: What stands behind the fence of a snippet that needs a package of an extra.
EXTRAS = {"notest-plot": "matplotlib", "notest-learn": "sklearn"}
LOOSE = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def name_of(page):
    return page.relative_to(ROOT).as_posix()


class Block(NamedTuple):
    """A fenced block: what stands behind the fence, its lines, and the line of the page that its text begins on."""

    tag: str
    text: str
    line: int


def blocks_of(page):
    blocks, inside = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if inside is None and line.startswith("```"):
            inside = Block(line[3:].strip(), "", number + 1)
        elif inside is not None and line == "```":
            blocks.append(inside)
            inside = None
        elif inside is not None:
            inside = inside._replace(text=inside.text + line + "\n")
    assert inside is None, f"{page}: the block from line {inside.line} has no end"
    return blocks


def table_of(page, *header):
    """The rows of the table with this header, each a tuple of cells."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"| {' | '.join(header)} |")
    assert set(lines[start + 1]) <= set("|-: ")
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]))
    return rows


def listed(names):
    """Names as a cell of a table has them."""
    return ", ".join(f"`{name}`" for name in names)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder that has the examples where the root of the repository has them, and in which snippets may write."""
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_snippet_runs(page, monkeypatch):
    """A page runs under the locale of its readers."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8" if ".zh-CN" in page.name else "C.UTF-8")
    namespace = {"__name__": "__main__"}
    ran = 0
    for block in blocks_of(page):
        language, _, condition = block.tag.partition(" ")
        package = EXTRAS.get(condition)
        if language == "python" and (package is None or importlib.util.find_spec(package)):
            run_python(block, page, namespace)
            ran += 1
        elif language == "console":
            run_console(block, page)
            ran += 1
    # The recipes for contributors change the repository: they are followed by hand.
    assert ran or page.parent.name == "contributing", f"{page} shows nothing that runs"


def run_python(block, page, namespace):
    if ">>>" not in block.text:
        exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), namespace)
        return
    test = doctest.DocTestParser().get_doctest(block.text, namespace, page.name, str(page), block.line - 1)
    told = io.StringIO()
    failed, tried = doctest.DocTestRunner(optionflags=LOOSE).run(test, out=told.write, clear_globs=False)
    assert tried
    assert not failed, told.getvalue()
    namespace.update(test.globs)


def run_console(block, page):
    """Run the commands of the library in a block and compare what each prints."""
    commands = []
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if line.startswith("$ "):
            commands.append((number, line[2:], []))
        else:
            assert commands, f"{page}, line {number}: a console block begins with a command"
            commands[-1][2].append(line)
    for number, command, output in commands:
        if command.startswith("python -m pip install"):
            command = command.partition(" && ")[2]  # noqa: PLW2901 - what is installed is what is tested
            if command == "python -m pytest":
                continue
        words = shlex.split(command)
        assert words[0] == "drgdip", f"{page}, line {number}: what runs {words[0]!r} here?"
        expected = "\n".join(output).rstrip()
        found = "\n".join(line.rstrip() for line in printed(words[1:]).splitlines()).rstrip()
        same = doctest.OutputChecker().check_output(expected + "\n", found + "\n", doctest.ELLIPSIS)
        assert same, f"{page}, line {number}: $ {command}\nprints\n{found}\nand not\n{expected}"


def printed(words):
    """What a command shows on a terminal."""
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = screen
    try:
        with contextlib.suppress(SystemExit):  # argparse ends --version and wrong words so
            main(words)
    finally:
        sys.stdout, sys.stderr = before
    return screen.buffer.getvalue().decode()


def test_console_blocks_are_compared_with_care():
    """The check of this file can fail."""
    block = Block("console", "$ drgdip schemes\nchs-drg-1.0-revised ...\nno such line\n", 1)
    with pytest.raises(AssertionError, match="line 1"):
        run_console(block, ENGLISH)
    with pytest.raises(AssertionError, match="Expected"):
        run_python(Block("python", ">>> 1 + 1\n3\n", 1), ENGLISH, {})


# Pages in two languages

PAIRS = [(page.with_name(page.name.replace(".zh-CN", "")), page) for page in PAGES if ".zh-CN" in page.name]
IN_BOTH = pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[name_of(page) for page, _ in PAIRS])


@IN_BOTH
def test_pages_in_two_languages_have_the_same_code(english, chinese):
    """The same lines are run; what they print is in the language of the page."""
    said = [[(block.tag, run_of(block)) for block in blocks_of(page)] for page in (english, chinese)]
    assert said[0] == said[1]


def run_of(block):
    """What a block runs, whatever the language that it asks for."""
    text, marks = block.text, ("$ ",) if block.tag == "console" else (">>> ", "... ")
    for words in (', "zh"', ', language="zh"', " --language zh"):
        text = text.replace(words, "")
    lines = text.splitlines()
    return [line for line in lines if line.startswith(marks)] or lines


@IN_BOTH
def test_pages_in_two_languages_have_the_same_sections_and_tables(english, chinese):
    shapes = []
    for page in (english, chinese):
        prose = re.sub(r"^```.*?^```$", "code", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        shapes.append(re.findall(r"^(?:#+ |code$|\|(?= *-)|- )", prose, flags=re.MULTILINE))
    assert shapes[0] == shapes[1]


@IN_BOTH
def test_pages_in_two_languages_lead_to_each_other(english, chinese):
    assert f"]({chinese.name})" in english.read_text(encoding="utf-8")
    assert f"]({english.name})" in chinese.read_text(encoding="utf-8")


def test_the_command_of_the_tests_is_the_one_that_the_checks_run():
    found = re.search(r"sed -n 's/(.*)/\\1/p' README\.md", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert found
    if shutil.which("sed"):
        command = ["sed", "-n", f"s/{found[1]}/\\1/p", "README.md"]
        lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        assert lines == ['python -m pip install -e ".[test]" && python -m pytest']
    shown = [block.text for block in blocks_of(ENGLISH) if "python -m pytest" in block.text]
    assert shown == ['$ python -m pip install -e ".[test]" && python -m pytest\n']


# Tables


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", aim.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{page}: {target}"


SCHEME_HEADS = {
    ENGLISH: ("id", "title", "revision", "MDC", "ADRG", "DRG", "MCC", "CC"),
    CHINESE: ("编号", "方案", "修订号", "MDC", "ADRG", "DRG", "MCC", "CC"),
}


@pytest.mark.parametrize("page", SCHEME_HEADS, ids=name_of)
def test_tables_of_schemes_equal_the_data(page):
    counts = ("mdc", "adrg", "drg", "mcc", "cc")
    expected = [
        (f"`{info.id}`", info.title, str(info.revision), *(f"{info.counts[name]:,}" for name in counts))
        for info in list_schemes()
        if not info.extends
    ]
    assert table_of(page, *SCHEME_HEADS[page]) == expected


@pytest.mark.parametrize(
    ("page", "header"),
    [(ENGLISH, ("status", "Chinese", "meaning")), (CHINESE, ("状态", "中文", "含义"))],
    ids=["README.md", "README.zh-CN.md"],
)
def test_tables_of_statuses_equal_the_data(page, header):
    assert [row[:2] for row in table_of(page, *header)] == [(f"`{key}`", name) for key, name in STATUSES.items()]


def test_the_table_of_reasons_equals_the_data():
    rows = table_of(ROOT / "docs" / "explain.md", "reason", "English", "Chinese")
    assert rows == [(f"`{reason}`", *words) for reason, words in REASONS.items()]


def test_the_tables_of_columns_equal_the_schema():
    rows = table_of(ROOT / "docs" / "cases.md", "column", "type", "what it holds")
    expected = [
        (f"`{field.name}`", f"`{field.type}`", field.metadata[b"description"].decode()) for field in make_case_schema()
    ]
    assert rows == expected
    chinese = table_of(ROOT / "docs" / "cases.zh-CN.md", "列", "类型", "含义")
    assert [row[:2] for row in chinese] == [row[:2] for row in expected]


def test_the_table_of_aliases_equals_the_data():
    names = defaultdict(list)
    with (ROOT / "src" / "drgdip" / "data" / "columns.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            names[row["column"], row["source"]].append(row["alias"])
    expected = [(f"`{column}`", source, listed(found)) for (column, source), found in names.items()]
    assert table_of(ROOT / "docs" / "cases.md", "column", "found in", "names") == expected


def test_the_tables_of_the_format_equal_the_loader():
    page = ROOT / "docs" / "scheme-format.md"
    files = table_of(page, "file", "columns", "one row is")
    assert [(name, columns) for name, columns, _ in files] == [
        (f"`{name}`", listed(columns) or "free") for name, columns in COLUMNS.items()
    ]

    def first(*header):
        return [row[0].strip("`") for row in table_of(page, *header)]

    assert first("option", "meaning") == [*(field.name for field in fields(Evaluation)), "variables"]
    assert first("kind", "of what") == list(KINDS)
    assert first("count", "of what") == list(COUNTS)
    codes = ["`dx`, the first", "`dx`, the others", "`procs`, the first", "`procs`, the others"]
    assert table_of(page, "variable", "case column") == [
        *((f"`{name}`", where) for name, where in zip(CODE_VARIABLES, codes, strict=True)),
        *((f"`{name}`", f"`{column}`") for name, column in VALUE_VARIABLES.items()),
    ]


def test_the_tables_of_auxiliary_types_equal_the_data():
    page, rules = ROOT / "docs" / "auxiliary.md", load_auxiliary("nhsa-dip-3.0")
    written = {}
    for row in (rules.folder / "conditions.csv").read_text(encoding="utf-8").splitlines()[1:]:
        catalogue, kind, *condition = row.split(",")
        written.setdefault((catalogue, kind), []).append(" ".join(condition))
    catalogues, conditions = [], []
    for name, part in rules.catalogues.items():
        catalogues.append((f"`{name}`", part.name, f"bands of `{part.bands}`" if part.bands else str(len(part.types))))
        if (name, "*") in written:
            conditions.append((f"`{name}`", "", listed(written[name, "*"])))
        kinds = [kind for catalogue, kind, _ in rows_of(rules.folder / "types.csv") if catalogue == name]
        for kind, own in zip(kinds, part.types, strict=True):
            conditions.append((f"`{name} {kind}`", own.meaning, listed(written.get((name, kind), []))))
    assert table_of(page, "catalogue", "Chinese", "types") == catalogues
    assert table_of(page, "type", "meaning", "conditions") == conditions
    parameters = [(f"`{name}`", f"{value:g}") for name, value in rules.parameters.items()]
    assert [row[:2] for row in table_of(page, "parameter", "draft", "meaning")] == parameters
    measures = [(f"`{name}`", listed(columns)) for name, columns in NUMBERS.items()]
    measures += [(f"`{name}`", "`dx`") for name in DIAGNOSES]
    assert [row[:2] for row in table_of(page, "measure", "columns", "what it is")] == measures
    files = [("`auxiliary.toml`", ""), *((f"`{name}`", listed(columns)) for name, columns in AUXILIARY_COLUMNS.items())]
    assert [row[:2] for row in table_of(page, "file", "columns", "one row is")] == files


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def test_every_fault_of_a_scheme_is_on_its_page():
    raised = set()
    for path in (ROOT / "src" / "drgdip" / "grouper").glob("*.py"):
        raised |= set(re.findall(r"(?:SchemeError|\.error)\(\s*\"([a-z_]+)\"", path.read_text(encoding="utf-8")))
    rows = table_of(ROOT / "docs" / "scheme-format.md", "problem", "what is wrong", "what to do")
    told = [row[0].strip("`") for row in rows]
    documented = inspect.getdoc(SchemeError).partition("problem\n")[2].partition("\nfile\n")[0]
    assert raised <= set(told)
    assert sorted(told) == sorted(re.findall(r"``([a-z_]+)``", documented))


@pytest.mark.parametrize("page", ["command-line.md", "command-line.zh-CN.md"])
def test_every_option_of_the_command_line_is_on_its_pages(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")

    def options(parser):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, inner in action.choices.items():
                    yield name
                    yield from options(inner)
            yield from action.option_strings

    known = options(build_parser(Words("en")))
    assert [option for option in known if f"`{option}" not in text and f" {option} " not in text] == []


def test_every_public_name_is_in_a_page():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES if ".zh-CN" not in page.name)
    assert [name for name in __all__ if not re.search(rf"\b{name}\b", text)] == []


def test_the_table_of_places_equals_the_data():
    expected = []
    for info in list_schemes():
        if info.extends:
            annex = load_scheme(info.id).annexes.get("unreachable.csv")
            unreachable = sum(row[0] == "drg" for row in annex.rows) if annex else 0
            expected.append(
                (
                    f"`{info.id}`",
                    info.place,
                    f"`{info.extends}`",
                    info.published,
                    f"{info.counts['drg']:,}",
                    str(unreachable),
                )
            )
    page = ROOT / "docs" / "schemes.md"
    assert table_of(page, "id", "place", "extends", "published", "DRG", "unreachable") == expected


def test_the_tables_of_changes_and_sheets_equal_the_code():
    page = ROOT / "docs" / "schemes.md"
    assert table_of(page, "change", "meaning") == [(f"`{name}`", text) for name, text in CHANGES.items()]
    sheets = table_of(page, "sheet", "first row of data", "columns that are read")
    words = {"order": "order", "mdc": "MDC", "adrg": "ADRG", "exclusion": "exclusion table"}
    assert sheets == [
        (
            f"`{title}`",
            str(start + 1),
            ", ".join(
                f"{chr(65 + place)} {words.get(name, name)}"
                for name, place in sorted(places.items(), key=lambda item: item[1])
            ),
        )
        for title, start, places in SHEETS.values()
    ]


def test_the_table_of_sheets_of_a_catalogue_equals_the_code():
    sheets = table_of(ROOT / "docs" / "dip.md", "sheet", "becomes", "columns that must be there")
    assert sheets == [
        (
            f"`{sheet}`",
            f"groups of kind `{kind}`" if kind else f"`{name}`",
            ", ".join(dip.COLUMNS[n][0] for n in needed),
        )
        for sheet, (name, kind, needed) in dip.SHEETS.items()
    ]


def test_every_open_point_of_a_scheme_is_told():
    """What a scheme's sources say stands word for word in its scheme.toml; the page leads there for each scheme."""
    text = (ROOT / "docs" / "data-sources.md").read_text(encoding="utf-8")
    for info in list_schemes():
        if not info.extends:
            assert f"\n## {info.id}\n" in text
            assert f"drgdip schemes show {info.id}" in text
