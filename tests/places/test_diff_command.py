"""``drgdip diff`` and ``drgdip schemes --place``."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from conftest import DATA, ROOT, SMALL

from drgdip import diff_schemes
from drgdip.cli import main

CASES = ROOT / "docs" / "examples" / "discharges.csv"
CATALOGUE = DATA / "catalogues" / "small"
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
    code, said, _ = run("schemes", "--place", "云浮")
    assert (code, [line.split()[0] for line in said.splitlines()]) == (0, ["dip-yunfu-2023"])
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
    assert lines[2].startswith("         5 of 6  KV19 先天性代谢异常 -> KV15")
    assert lines[4:6] == ["  ... and 39 more moves", f"wrote {tmp_path / 'm.csv'}"]
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        assert sum(int(row["cases"]) for row in csv.DictReader(file)) == 330


def test_two_catalogues(run, tmp_path):
    """Words and codes of any length keep their columns; lists of codes are counted only."""
    folder = shutil.copytree(CATALOGUE, tmp_path / "local")
    groups = (folder / "groups.csv").read_text(encoding="utf-8")
    procedures = "|".join(f"11.{number:04d}" for number in range(1, 40))
    groups = groups.replace("C2,core,A41.9,11.0001", f"C2,core,A41.9,{procedures}").replace(
        "M3,mixed", "M3-longer,mixed"
    )
    (folder / "groups.csv").write_text(groups.replace(",100,1,", ",,1,"), encoding="utf-8")
    (folder / "excluded_diagnoses.csv").write_text("code\nA41.999\nA41.998\n", encoding="utf-8")
    head = (folder / "catalogue.toml").read_text(encoding="utf-8")
    head = head.replace('id = "small"', 'id = "local"').replace("excluded_diagnoses = 1", "excluded_diagnoses = 2")
    (folder / "catalogue.toml").write_text(head, encoding="utf-8")
    code, said, _ = run("diff", CATALOGUE, folder)
    assert code == 0
    assert said.splitlines() == [
        "small revision 1 -> local revision 1",
        "groups: score 1, procedures 1, id 1",
        "  score      C1        100 -> (none)",
        f"  procedures C2        11.0001 -> {procedures[:119]}…",
        "  id         M3-longer M3 -> M3-longer",
        "excluded_diagnoses: added 1",
    ]


def test_cases_under_a_scheme_and_a_catalogue(run, tmp_path):
    code, said, _ = run("diff", "chs-drg-2.0", "nhsa-dip-3.0", CASES, "--limit", "1", "-o", tmp_path / "pairs.jsonl")
    assert code == 0
    with (tmp_path / "pairs.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert {row["moved"] for row in rows} == {True, None}
    other = sum(row["cases"] for row in rows if row["before_status"] != row["after_status"])
    lines = said.splitlines()
    assert lines[1].startswith(f"330 cases: {other} change their status (")
    assert lines[3] == f"  ... and {len(rows) - 1} more pairs"


def test_codes_are_mapped_on_the_way_in(run, tmp_path):
    (tmp_path / "one.csv").write_text("dx,procs\nA15.000x011,\n", encoding="utf-8")
    for codes, line in (
        ((), "DIP47 A15.0; conservative -> FZ-1837 非耐药结核"),
        (("--codes", "clinical-2.0"), "DIP51 A15.1; conservative -> FZ-1836 耐药结核"),
    ):
        code, said, _ = run("diff", "nhsa-dip-2.0", "nhsa-dip-3.0", tmp_path / "one.csv", *codes)
        assert (code, said.splitlines()[-1].strip()) == (0, f"1 of 1  {line}")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("chs-drg-2.0", "chs-drg-9"), "there is no scheme or catalogue 'chs-drg-9'"),
        (("nhsa-dip-2.0", "nhsa-dip-3"), "there is no scheme or catalogue 'nhsa-dip-3'. Did you mean 'nhsa-dip-3.0'"),
        (("nhsa-dip-2.0", "chs-drg-2.0"), "Compare them on cases"),
        (("nhsa-dip-1.0", "nhsa-dip-2.0", CASES, "--codes", "nhsa-2.0"), "no cross-walk leads from nhsa-icd10-2.0"),
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
