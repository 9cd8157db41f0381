"""The command line: build, on the files of the documentation and on bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import rows_of

import drgdip
from drgdip import points
from drgdip.cli import main
from drgdip.grouper.drg.plans import read_plan

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
HISTORY, PLAN = EXAMPLES / "history.csv", EXAMPLES / "refine.toml"
HEAD = ["--base", "chs-drg-2.0", "--id", "mine"]


def run(*words):
    return main([str(word) for word in ("build", *words)])


def test_the_folder_is_what_the_function_gives(tmp_path, capsys):
    assert not run(HISTORY, "--plan", PLAN, *HEAD, "-o", tmp_path / "a", "--place", "某市", "--language", "zh")
    told = capsys.readouterr().out.splitlines()
    plan = read_plan(PLAN)
    made = drgdip.build_scheme(
        drgdip.read_cases(HISTORY), "mine", features=plan.features, criteria=plan.criteria, place="某市"
    )
    assert (tmp_path / "a" / "drg.csv").read_bytes() == made.files["drg.csv"]
    loaded = drgdip.load_scheme(tmp_path / "a")
    assert (loaded.info.place, loaded.info.extends) == ("某市", "chs-drg-2.0")
    assert "practice of places" in loaded.notes["criterion_difference"]
    assert [row["split"] for row in rows_of(tmp_path / "a" / "decisions.csv") if row["split"]] == [
        split for split in made.decisions["split"].to_pylist() if split
    ]
    weights = {row["group"]: float(row["weight"]) for row in rows_of(tmp_path / "a" / "weights.csv") if row["weight"]}
    trim = points.Trim(**plan.trim)
    expected = points.weights(drgdip.group(drgdip.read_cases(HISTORY), loaded), trim=trim).to_pylist()
    assert weights == pytest.approx({row["group"]: row["weight"] for row in expected if row["weight"]})
    assert told == ["共 428 例", "细分组 634 个（国家分组 634 个），1 个核心病组有变化", f"已写入 {tmp_path / 'a'}"]


def test_several_files_are_one_history_and_decisions_hold(tmp_path, capsys):
    lines = HISTORY.read_text(encoding="utf-8").splitlines(keepends=True)
    for name, part in (("2023.csv", lines[1:200]), ("2024.csv", lines[200:])):
        (tmp_path / name).write_text(lines[0] + "".join(part), encoding="utf-8")
    files = [tmp_path / "2023.csv", tmp_path / "2024.csv"]
    assert not run(HISTORY, "--plan", PLAN, *HEAD, "-o", tmp_path / "one")
    assert not run(*files, "--plan", PLAN, *HEAD, "-o", tmp_path / "two")
    for name in ("drg.csv", "decisions.csv", "candidates.csv", "scheme.toml"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    (tmp_path / "panel.csv").write_text("adrg,action,about,note\nBT1,keep,,专家会\n", encoding="utf-8-sig")
    assert not run(*files, "--plan", PLAN, *HEAD, "-o", tmp_path / "kept", "--decisions", tmp_path / "panel.csv")
    again = tmp_path / "kept" / "decisions.csv"
    assert not run(*files, "--plan", PLAN, *HEAD, "-o", tmp_path / "again", "--decisions", again)
    assert again.read_bytes() == (tmp_path / "again" / "decisions.csv").read_bytes()
    assert "core groups that differ: 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        ("", "section criteria is missing"),
        ("[criteria]\nmin_cases = 3\n", "section features is missing"),
        ("[criteria]\ngain = 0.1\n[[features]]\nkind = 'severity'\n", "min_cases is missing"),
        ("[criteria]\nmin_cases = 3\nmax = 1\n[[features]]\nkind = 'severity'\n", "'max' is no criterion"),
        ("[criteria]\nmin_cases = { source = 'x' }\n[[features]]\nkind = 'severity'\n", "write min_cases as a value"),
        ("[criteria]\nmin_cases = 3\n[[features]]\nkind = 'sex'\n", "kind of feature"),
        ("[criteria]\nmin_cases = 3\n[[features]]\nkind = 'bands'\n", "cannot be read"),
        ("[criteria]\nmin_cases = 3\n[features]\nkind = 'severity'\n", "[[features]] for each"),
        ("[criteria]\nmin_cases = 3\n[[features]]\nkind = 'severity'\n[trim]\nkind = 3\n", "[trim] cannot be read"),
        ("[rules]\nx = 1\n", "unknown section 'rules'"),
        ("min_cases", "not a TOML file"),
    ],
)
def test_a_plan_that_cannot_be_read_is_said(plan, what, tmp_path, capsys):
    (tmp_path / "plan.toml").write_text(plan, encoding="utf-8")
    assert run(HISTORY, "--plan", tmp_path / "plan.toml", *HEAD, "-o", tmp_path / "a") == 1
    assert what in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_other_faults_are_said(tmp_path, capsys):
    assert run(HISTORY, "--plan", tmp_path / "none.toml", *HEAD, "-o", tmp_path / "a") == 1
    assert run(HISTORY, "--plan", PLAN, *HEAD, "-o", tmp_path) == 0
    assert run(HISTORY, "--plan", PLAN, *HEAD, "-o", tmp_path) == 1
    assert run(EXAMPLES / "discharges.csv", "--plan", PLAN, *HEAD, "-o", tmp_path / "b") == 1
    assert run(HISTORY, "--plan", PLAN, *HEAD, "-o", tmp_path / "c", "--decisions", tmp_path / "none.csv") == 1
    told = capsys.readouterr().err
    for what in ("no such plan", "is there already", "no case has a cost", "decisions cannot be read"):
        assert what in told
