"""Pages with generated parts: a module or a public name without its line is found here."""

from __future__ import annotations

import importlib.util

import pytest
from conftest import ROOT

spec = importlib.util.spec_from_file_location("build_pages", ROOT / "tools" / "build_pages.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)


@pytest.mark.parametrize("page", pages.PAGES)
def test_generated_parts_are_up_to_date(page):
    """`python tools/build_pages.py` writes them anew."""
    assert (ROOT / page).read_text(encoding="utf-8") == pages.built(page)


def test_every_module_has_a_line():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = {line.split("`")[1] for line in text.partition("## Modules")[2].splitlines() if line.startswith("| `")}
    assert listed == {str(path.relative_to(pages.SOURCE)) for path in pages.SOURCE.rglob("*.py")}


def test_every_module_says_what_it_is_for():
    assert "| |" not in pages.modules()
