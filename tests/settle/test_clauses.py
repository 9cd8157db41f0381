"""The page of clauses claims nothing that does not run: the example of every function that it names is run."""

import doctest
import functools
import re
from pathlib import Path

import pytest

import drgdip

PAGE = Path(__file__).parent.parent.parent / "docs" / "settlement" / "clauses.md"
LINES = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in LINES
    if not line.startswith(("| ---", "| clause"))
]
NAMES = sorted({name for row in ROWS for name in re.findall(r"`([\w.]+)`", row[-1])})


def test_every_row_names_functions_or_says_not_done():
    for row in ROWS:
        assert row[-1] == "not done" or re.fullmatch(r"`[\w.]+`(, `[\w.]+`)*", row[-1]), row
    done = sum(row[-1] != "not done" for row in ROWS)
    assert done >= 0.95 * len(ROWS), f"{done} of {len(ROWS)}"


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_function_that_is_claimed_runs(name):
    function = functools.reduce(getattr, name.split("."), drgdip)
    assert callable(function), name
    module = __import__(function.__module__, fromlist=["_"])
    found = doctest.DocTestFinder(recurse=False).find(function, name, module=module, globs=dict(vars(module)))
    examples = [test for test in found if test.examples]
    assert examples, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples:
        assert runner.run(test).failed == 0
