"""The public face: its names, what importing it pulls in, and its documentation, whose examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest
from conftest import ROOT, SOURCE

import drgdip

FUNCTIONS = [name for name in drgdip.__all__ if inspect.isfunction(inspect.unwrap(getattr(drgdip, name)))]
CLASSES = [name for name in drgdip.__all__ if inspect.isclass(getattr(drgdip, name))]
MODULES = ["drgdip", *(found.name for found in pkgutil.walk_packages(drgdip.__path__, "drgdip."))]


def test_a_name_that_is_none():
    with pytest.raises(AttributeError, match="module 'drgdip' has no attribute 'group_many'"):
        drgdip.group_many  # noqa: B018


def test_errors_have_one_parent():
    for name in drgdip.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(drgdip, name), drgdip.DrgdipError)


def imported_by(code):
    """The modules that a fresh process has after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


HEAVY = {"numba", "pandas", "pyarrow", "polars"}


def test_importing_is_light():
    assert "drgdip" in imported_by("import drgdip")
    assert not imported_by("import drgdip") & (HEAVY | {"numpy", "pydantic"})


def test_grouping_one_case_is_light():
    call = "drgdip.{}({{'sex': 1, 'age': 5, 'dx': ['K22.301', 'J96.900']}}, 'chs-drg-2.0')"
    for name in ("group_one", "explain"):
        assert not imported_by("import drgdip\n" + call.format(name)) & HEAVY


def test_making_and_reading_cases_needs_no_numba():
    code = "import drgdip; drgdip.sample_cases(5, 'chs-drg-2.0'); drgdip.read_cases('docs/examples/discharges.csv')"
    assert "numba" not in imported_by(code)


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "src" / "drgdip" / "py.typed").exists()


# --- documentation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_it_takes_and_gives(name):
    function = getattr(drgdip, name)
    text = inspect.getdoc(function)
    signature = inspect.signature(function)
    sections = ["Examples"]
    if signature.parameters:
        sections.append("Parameters")
    if signature.return_annotation != "None":
        sections.append("Returns")
    for section in sections:
        assert f"\n{section}\n{'-' * len(section)}\n" in text, section
    for parameter in signature.parameters:
        assert parameter in text
    assert text.splitlines()[0].endswith(".")
    assert ">>> " in text


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_says_what_it_is(name):
    text = inspect.getdoc(getattr(drgdip, name))
    assert text.splitlines()[0].endswith(".")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_and_its_public_names_say_what_they_are(module):
    found = importlib.import_module(module)
    assert found.__doc__
    for name in getattr(found, "__all__", ()):
        thing = getattr(found, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = importlib.import_module(module)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in Unwrapping().find(found, module):
        runner.run(test)
    assert runner.failures == 0


class Unwrapping(doctest.DocTestFinder):
    """A finder that takes a wrapped function for one of the module that it is written in."""

    def _from_module(self, module, object):  # noqa: A002 - the name of the parent's parameter
        return super()._from_module(module, inspect.unwrap(object) if inspect.isfunction(object) else object)


def test_names_in_comments_and_docstrings_exist():
    """A text in single back quotes that begins with the package's name is a module or a name in one."""
    named = re.compile(r"(?<!`)`(drgdip(?:\.\w+)+)`(?!`)")
    found = {name for path in SOURCE.rglob("*.py") for name in named.findall(path.read_text(encoding="utf-8"))}
    assert len(found) > 30
    assert [name for name in sorted(found) if not exists(name)] == []


def exists(name):
    """Whether a dotted name is a module, or an attribute in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


def test_there_are_examples():
    """The finder of examples finds those of the public functions."""
    finder = doctest.DocTestFinder()
    for name in FUNCTIONS:
        found = finder.find(inspect.unwrap(getattr(drgdip, name)), name)
        assert sum(len(test.examples) for test in found) > 0
    module = importlib.import_module("drgdip.settle.annual")
    assert any(test.name.endswith(".clear_year") and test.examples for test in Unwrapping().find(module))
