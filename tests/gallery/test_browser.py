"""The page in headless Chromium: quiet, offline, filtered by keyboard, fit for a phone and for the dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser, found

pytestmark = pytest.mark.skipif(
    found() is None, reason="no Chromium on the PATH (Debian: apt install chromium); test_static.py has run"
)
SHOWN = "document.querySelectorAll('tr.claim:not([hidden])').length"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser(found() or "") as browser:
        yield browser


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")], ids=str)
def shown(request, browser: Browser, page: Path) -> Browser:
    width, scheme = request.param
    browser.look(width, 900, scheme)
    browser.open(page)
    return browser


def test_no_complaints_and_nothing_asked_for_but_the_page(shown: Browser, page: Path):
    shown.evaluate("new Promise(done => setTimeout(done, 100))")
    assert shown.complaints() == []
    outside = [r for r in shown.requests() if not r.startswith("data:")]
    assert outside == [page.resolve().as_uri()]


def test_drawings_show_and_nothing_is_wider_than_the_window(shown: Browser):
    widths = shown.evaluate(
        "[...document.querySelectorAll('figure svg[role=img]')].map(i => i.getBoundingClientRect().width)"
    )
    assert len(widths) == 4
    assert min(widths) > 200
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [320, 600, 760, 1000])
def test_nothing_is_wider_than_windows_in_between(browser: Browser, page: Path, width: int):
    browser.look(width, 900)
    browser.open(page)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_drawings_follow_the_scheme(browser: Browser, page: Path):
    def looks(scheme: str) -> list[str]:
        browser.look(800, 600, scheme)
        browser.open(page)
        text, card = (
            f"getComputedStyle(document.querySelector('{s}'))" for s in ("figure svg text", ".card")
        )
        return browser.evaluate(f"[{text}.fill, {card}.backgroundColor]")

    assert looks("light") == ["rgb(28, 34, 39)", "rgb(255, 255, 255)"]
    assert looks("dark") == ["rgb(230, 228, 223)", "rgb(29, 33, 37)"]


def test_the_dark_is_dark(browser: Browser, page: Path):
    def ground(scheme: str) -> int:
        browser.look(800, 600, scheme)
        browser.open(page)
        return browser.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")

    assert ground("light") > 200 > 60 > ground("dark")


def test_filter_works_by_keyboard(browser: Browser, page: Path):
    browser.look(1280, 900)
    browser.open(page)
    assert browser.evaluate(SHOWN) == 8
    for _ in range(60):
        browser.press("Tab")
        if browser.evaluate("document.activeElement.dataset.value") == "fails":
            break
    browser.press("Enter")
    assert browser.evaluate(SHOWN) == 2
    assert browser.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert browser.evaluate("document.querySelector('.shown').textContent") == "2 of 8 claims"
    browser.press("Tab")
    browser.press(" ")
    assert browser.evaluate(SHOWN) == 2  # undecided, after fails
    pressed = "document.querySelectorAll('[data-filter=verdict][aria-pressed=true]').length"
    assert browser.evaluate(pressed) == 1


def click(browser: Browser, value: str) -> None:
    browser.evaluate(f"document.querySelector('[data-value={value}]').click()")


def type_in(browser: Browser, text: str) -> None:
    browser.evaluate(
        f"(() => {{ const q = document.querySelector('[name=q]'); q.value = '{text}';"
        " q.dispatchEvent(new Event('input')); })()"
    )


def test_filters_join_and_stand_in_the_address(browser: Browser, page: Path):
    browser.open(page)
    click(browser, "ziyin2025")
    assert browser.evaluate(SHOWN) == 4
    click(browser, "fails")
    assert browser.evaluate(SHOWN) == 1
    address = browser.evaluate("location.hash")
    assert address == "#claims?verdict=fails&paper=ziyin2025"
    browser.open(page, address)
    assert browser.evaluate(SHOWN) == 1
    assert browser.evaluate("document.querySelector('[data-value=fails]').ariaPressed") == "true"


def test_search_looks_for_every_word_and_says_when_nothing_fits(browser: Browser, page: Path):
    browser.open(page)
    type_in(browser, "FIG1 fails")
    assert browser.evaluate(SHOWN) == 2
    type_in(browser, "nowhere")
    assert browser.evaluate(SHOWN) == 0
    assert browser.evaluate("document.querySelector('.none').offsetHeight > 0")
    browser.evaluate("document.querySelector('.reset').click()")
    assert browser.evaluate(SHOWN) == 8


def test_focus_is_visible(browser: Browser, page: Path):
    browser.open(page)
    browser.press("Tab")
    style = "getComputedStyle(document.activeElement).outlineStyle"
    assert browser.evaluate(style) == "solid"


def test_there_are_no_buttons_for_verdicts_that_no_claim_has(browser: Browser, page: Path):
    browser.open(page)
    assert browser.evaluate("document.querySelector('[data-value=in-part]') === null")


def test_deep_links_reach_their_targets_whatever_the_filter(browser: Browser, page: Path):
    browser.look(1280, 600)
    browser.open(page, "#chaudhari2018-fig2")
    place = "document.querySelector(location.hash).getBoundingClientRect().top"
    assert 0 <= browser.evaluate(place) < 600
    click(browser, "fails")
    script = "location.hash = '#ziyin2025-claim-fig1-holds'; new Promise(done => setTimeout(done, 100))"
    browser.evaluate(script)
    assert 0 <= browser.evaluate(place) < 600
    assert browser.evaluate("document.querySelector(location.hash).offsetHeight") > 20


def test_command_is_copied(browser: Browser, page: Path):
    browser.open(page)
    script = """(() => {
        document.querySelectorAll('details').forEach(d => { d.open = true; });
        const button = document.querySelector('.copy');
        button.click();
        return new Promise(done => setTimeout(() => done(button.textContent), 200));
    })()"""
    assert browser.evaluate(script) == "Copied"


def test_print_hides_the_controls(browser: Browser, page: Path):
    browser.open(page)
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    try:
        assert browser.evaluate("getComputedStyle(document.querySelector('.filter')).display") == "none"
    finally:
        browser.call("Emulation.setEmulatedMedia", media="", features=[])
