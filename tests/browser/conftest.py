"""A real Chromium, and every page that the library writes for a reader, in both languages."""

import shutil
from pathlib import Path

import pytest

from drgdip import monitor, move_cases, points, sample_cases, settle
from drgdip._html import make_page
from drgdip.grouper.explain import explain
from drgdip.grouper.group import group

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCHEMES = "chs-drg-2.0", "chs-drg-3.0"


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def write_pages(folder: Path, language: str) -> None:
    """Write the pages of a year, of feedback, of a move, of returned groups and of a trace."""
    policy = settle.read_policy("docs/examples/policy.toml")
    year = settle.settle_year(
        settle.read_settlement("docs/examples/settlement.csv"), policy, budget={"employee": 60000, "resident": 40000}
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
