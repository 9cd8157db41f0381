"""The pages of the library in a real Chromium: they fit screen and paper, load nothing, and run nothing."""

import pytest

#: A screen, and the width of A4 across between margins of 12 mm, in pixels of CSS.
SCREEN, PAPER = 1280, 1031


@pytest.fixture
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
