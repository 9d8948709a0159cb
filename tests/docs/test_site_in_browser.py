"""The site in headless Chromium, read as files: quiet, offline, fit for a phone, searched."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gallery.chromium import Browser, found

pytestmark = pytest.mark.skipif(
    found() is None, reason="no Chromium on the PATH (Debian: apt install chromium); test_site.py has run"
)
PAGES = (
    "index",
    "papers/chaudhari2018",
    "tutorials/resnet18",
    "reference/claims-ziyin2025",
    "reference/interface",
    "guide/configuration",
)

FOUND = """new Promise(done => {
    let left = 200;  // of tries, 0.1 s apart
    const look = () => {
        const links = [...document.querySelectorAll('.search li a')].map(a => a.href);
        if (links.some(link => link.includes('concepts')) || !left--) done(links);
        else setTimeout(look, 100);
    };
    look();
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser(found() or "") as browser:
        yield browser


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", PAGES)
def test_quiet_offline_and_no_wider_than_the_window(browser: Browser, site: Path, page: str, width: int):
    browser.look(width, 900)
    browser.open(site / f"{page}.html")
    assert browser.complaints() == []
    assert not [r for r in browser.requests() if not r.startswith(("file:", "data:"))]
    assert browser.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_a_search_finds_a_page(browser: Browser, site: Path):
    browser.look(1280, 900)
    browser.open(site / "search.html", "?q=temperature")
    found_pages = browser.evaluate(FOUND)
    assert any("concepts" in address for address in found_pages), found_pages
