"""The checks run the command that the README gives, so that what a newcomer types is what is tested."""

from __future__ import annotations

import os
import re
import subprocess

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPT = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def readme_command():
    found = [
        line.removeprefix("$ ")
        for line in README.splitlines()
        if line.startswith("$ python -m pip install") and "python -m pytest" in line
    ]
    assert len(found) == 1, "the README has one command that installs and tests"
    return found[0]


def test_the_checks_run_the_command_of_the_readme():
    """The script's own line that finds the command finds this one, and it is run as it is."""
    finder = re.search(r"test_command=\$\((sed .+ README\.md)\)", SCRIPT)
    done = subprocess.run(["bash", "-c", finder[1]], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == readme_command() + "\n"
    assert '\neval "$test_command"\n' in SCRIPT
    others = [line for line in SCRIPT.splitlines() if "pytest" in line and "test_command" not in line]
    assert others == [
        "python -m pytest -n 0 tests/test_spark.py",
        "DRGDIP_BROWSER=1 python -m pytest -n 0 tests/browser",
    ], "Spark and a browser are too large for the README's command"


def test_the_checks_stop_at_the_first_failure():
    assert SCRIPT.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in SCRIPT
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    for command in ("ruff check .", "ruff format --check .", "mypy", "python -m build --wheel"):
        assert f"\n{command}" in SCRIPT


def test_the_chinese_readme_gives_the_same_commands():
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    assert f"$ {readme_command()}" in chinese.splitlines()
