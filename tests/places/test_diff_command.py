"""``drgdip diff`` and ``drgdip schemes --place``."""

from __future__ import annotations

import csv

import pytest
from conftest import DATA, ROOT, SMALL

from drgdip import diff_schemes
from drgdip.cli import main

CASES = ROOT / "docs" / "examples" / "discharges.csv"
LOCAL = DATA / "schemes" / "local"


@pytest.fixture
def run(capfd):
    """A function that runs the command line: exit code, standard output, standard error."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_schemes_of_a_place(run):
    code, said, _ = run("schemes", "--place", "Handan")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == [
        "chs-drg-1.1-handan-2022",
        "chs-drg-2.0-handan-2025",
        "chs-drg-2.0-handan-2026",
    ]
    code, said, problem = run("schemes", "--place", "Atlantis")
    assert (code, said) == (1, "")
    assert "there is no place 'Atlantis'" in problem


def test_a_local_scheme_is_shown_with_its_base(run):
    code, said, _ = run("schemes", "show", "chs-drg-2.0-shanxi-2024")
    assert code == 0
    assert "  extends    chs-drg-2.0\n" in said
    assert "damaged: suspected defect of the source" in said


def test_changes_are_summed_up_and_the_first_shown(run):
    code, said, _ = run("diff", SMALL, LOCAL, "--limit", "1")
    assert code == 0
    assert said.splitlines() == [
        "small revision 3 -> local revision 1",
        "evaluation: option 1",
        "  option   adrg_fallthrough false -> true",
        "drg: added 1, renamed 1, rule 1",
        "  added    BR24   神经内科老",
        "  ... and 2 more",
        "sets: gone 3, added 5",
        "severity: level 1, exclusion 1, added 1",
        "exclusions: moved 1",
    ]
    assert run("diff", SMALL, SMALL)[1].splitlines()[1:] == ["nothing changed"]


def test_every_change_is_written(run, tmp_path):
    code, said, _ = run("diff", SMALL, LOCAL, "-o", tmp_path / "changes.csv")
    assert code == 0
    assert said.endswith(f"wrote {tmp_path / 'changes.csv'}\n")
    with (tmp_path / "changes.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    expected = diff_schemes(SMALL, LOCAL).to_pylist()
    assert written == [{name: text or "" for name, text in row.items()} for row in expected]
    code, said, told = run("diff", SMALL, LOCAL, "-o", "-", "--format", "jsonl")
    assert (code, len(said.splitlines())) == (0, len(expected))
    assert "drg: added 1" in told


def test_cases_that_move(run, tmp_path):
    code, said, _ = run(
        "diff", "chs-drg-2.0", "chs-drg-2.0-nanjing-2024", CASES, "--limit", "2", "-o", tmp_path / "m.csv"
    )
    assert code == 0
    lines = said.splitlines()
    assert lines[1] == "330 cases: 73 change their group (22.12%)"
    assert lines[4:6] == ["  ... and 39 more moves", f"wrote {tmp_path / 'm.csv'}"]
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        assert sum(int(row["cases"]) for row in csv.DictReader(file)) == 330


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("chs-drg-2.0", "chs-drg-9"), "there is no scheme 'chs-drg-9'"),
        (("./nowhere", "chs-drg-2.0"), "there is no such folder"),
        (("chs-drg-2.0", "chs-drg-1.1", "nothing.csv"), "nothing.csv"),
        (("chs-drg-2.0", "chs-drg-1.1", CASES, "-o", CASES), "is the input; write to another file"),
        (("chs-drg-2.0", "chs-drg-1.1", "--format", "csv"), "there is no -o to say where"),
    ],
)
def test_bad_input(run, arguments, problem):
    code, _, told = run("diff", *arguments)
    assert code == 1
    assert problem in told
    assert told.startswith("drgdip: ")
