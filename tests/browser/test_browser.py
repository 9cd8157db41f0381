"""The pages of the library in a real Chromium: they fit screen and paper, load nothing, and run nothing."""

import importlib
import os
import shutil
from pathlib import Path

import pytest
from conftest import ROOT

from drgdip import monitor, move_cases, points, sample_cases, settle
from drgdip._html import make_page
from drgdip.grouper.explain import explain
from drgdip.grouper.group import group

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCHEMES = "chs-drg-2.0", "chs-drg-3.0"
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="session")
def browser():
    """A browser. Where it must be there (``DRGDIP_BROWSER`` is set), nothing is skipped."""
    if not os.environ.get("DRGDIP_BROWSER"):
        pytest.skip("a real browser is tried by .ci/run, or with DRGDIP_BROWSER=1")
    playwright = importlib.import_module("playwright.sync_api")
    assert CHROMIUM is not None, "there is no Chromium"
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def write_pages(folder: Path, language: str) -> None:
    """Write the pages of a year, of feedback, of a move, of returned groups and of a trace."""
    policy = settle.read_policy(EXAMPLES / "policy.toml")
    year = settle.settle_year(
        settle.read_settlement(EXAMPLES / "settlement.csv"), policy, budget={"employee": 60000, "resident": 40000}
    )
    settle.write_report(year, policy, folder / "report.html", language=language)
    settle.write_papers(year, policy, folder / "papers", language=language)
    cases = sample_cases(400, SCHEMES[0], seed=3)
    move_cases(cases, *SCHEMES).write(folder / "move.html", language=language)
    grouped = group(cases, SCHEMES[0])
    weights = points.weights(grouped)
    feedback = monitor.feedback(grouped, panels="mdc", weights=weights)
    monitor.write_feedback(feedback, folder / "feedback", language=language)
    returned = grouped.append_column(
        "returned_group", grouped["group"].combine_chunks().cast("string").take([*range(399), 0])
    )
    monitor.compare_returned(returned.drop_columns(list(grouped.column_names[-7:])), SCHEMES[0], by=None).report(
        folder / "returned.html", language=language
    )
    case = cases.slice(0, 1).to_pylist()[0] | {"dx": ["I63.900", "E87.600", "<script>alert(1)</script>"]}
    trace = make_page("trace", [explain(case, SCHEMES[0])._repr_html_()], language)
    (folder / "trace.html").write_text(trace, encoding="utf-8")


@pytest.fixture(scope="session", params=["en", "zh"])
def pages(request, tmp_path_factory):
    """The files of all pages in one language."""
    folder = tmp_path_factory.mktemp(request.param)
    write_pages(folder, request.param)
    return request.param, sorted(folder.rglob("*.html"))


#: A screen, and the width of A4 across between margins of 12 mm, in pixels of CSS.
SCREEN, PAPER = 1280, 1031


@pytest.fixture(scope="session")
def opened(browser, pages):
    """Each page of one language, open in the browser, with what it asked for and what it complained of."""
    language, paths = pages
    assert len(paths) >= 8
    found = []
    for path in paths:
        page = browser.new_page(viewport={"width": SCREEN, "height": 900})
        asked, said = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("dialog", lambda dialog, said=said: said.append(dialog.message))
        page.goto(path.as_uri())
        found.append((path, page, asked, said))
    yield language, found
    for _, page, *_ in found:
        page.close()


def width_of(page):
    return page.evaluate("document.documentElement.scrollWidth")


def test_pages_fit_a_screen_and_a_sheet(opened):
    for path, page, _, _ in opened[1]:
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": SCREEN, "height": 900})
        assert width_of(page) <= SCREEN, path.name
        page.emulate_media(media="print")
        page.set_viewport_size({"width": PAPER, "height": 730})
        assert width_of(page) <= PAPER, path.name


def test_pages_load_nothing_from_outside_and_run_nothing(opened):
    for path, _, asked, said in opened[1]:
        assert asked == [path.as_uri()], path.name
        assert said == [], path.name


def test_pages_say_their_language_and_what_they_are(opened):
    language, found = opened
    for path, page, _, _ in found:
        assert page.evaluate("document.documentElement.lang") == language, path.name
        assert page.title(), path.name


def test_numbers_stand_to_the_right_and_text_is_dark_on_light_or_light_on_dark(opened):
    for path, page, _, _ in opened[1]:
        cells = page.locator("td.n")
        if cells.count():
            assert cells.first.evaluate("cell => getComputedStyle(cell).textAlign") == "right", path.name
        for scheme in ("light", "dark"):
            page.emulate_media(media="screen", color_scheme=scheme)
            colour = page.evaluate("getComputedStyle(document.body).color")
            brightness = sum(map(float, colour.removeprefix("rgb(").removesuffix(")").split(","))) / 3
            assert (brightness > 128) == (scheme == "dark"), (path.name, colour)
            letters = page.locator("svg text")
            if letters.count():  # pictures are on white, whatever the page
                assert letters.first.evaluate("text => getComputedStyle(text).fill") == "rgb(0, 0, 0)", path.name
                white = page.locator("svg").first.evaluate("svg => getComputedStyle(svg).backgroundColor")
                assert white == "rgb(255, 255, 255)", path.name
