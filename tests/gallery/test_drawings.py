"""Drawings of the page in a browser: values under pointer and arrows, zoom, panels on a phone, curves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser, found

pytestmark = pytest.mark.skipif(
    found() is None, reason="no Chromium on the PATH (Debian: apt install chromium)"
)
CARD = "document.querySelector('#chaudhari2018-fig1 .card')"
READ = "document.querySelector('#chaudhari2018-fig1 .value-read').textContent"
BOX = f"{CARD}.querySelector('svg').getAttribute('viewBox')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser(found() or "") as browser:
        yield browser


@pytest.fixture
def wide(browser: Browser, page: Path) -> Browser:
    browser.look(1280, 900)
    browser.open(page)
    return browser


def point_at(browser: Browser, mark: str, dx: float = 0.0) -> None:
    """Moves the pointer over a mark of the first drawing."""
    browser.evaluate(
        f"""(() => {{
            const mark = {CARD}.querySelector('{mark}');
            mark.scrollIntoView({{ block: 'center' }});
            const box = mark.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2 + {dx}, box.y + box.height / 2];
            mark.dispatchEvent(new PointerEvent('pointermove', {{ clientX: x, clientY: y, bubbles: true }}));
        }})()"""
    )


def test_the_pointer_reads_the_nearest_point_in_units_of_its_axes(wide: Browser):
    point_at(wide, "[data-label=measured] use:nth-of-type(2)", dx=3.0)
    assert wide.evaluate(READ) == "measured: steps 1; loss 20"
    assert wide.evaluate(f"{CARD}.querySelectorAll('.ring').length") == 1
    point_at(wide, "[data-label=decay] use:nth-of-type(3)")
    assert wide.evaluate(READ) == "decay: x 100; y 0.01"  # a logarithmic axis
    assert wide.evaluate(f"{CARD}.querySelectorAll('.ring').length") == 1


def test_arrows_go_from_point_to_point(wide: Browser):
    wide.evaluate(f"{CARD}.focus()")
    told = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"):
        wide.evaluate(f"{CARD}.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }}))")
        told.append(wide.evaluate(READ))
    assert told == [
        "measured: steps 0; loss 10", "measured: steps 1; loss 20", "measured: steps 0; loss 10",
        "decay: x 100; y 0.01",
    ]  # fmt: skip


def test_zoom_by_button_and_key_and_back(wide: Browser):
    whole = wide.evaluate(BOX)
    wide.evaluate("document.querySelector('#chaudhari2018-fig1 .tools button').click()")
    width = float(wide.evaluate(BOX).split()[2])
    assert width == pytest.approx(float(whole.split()[2]) / 1.5, rel=1e-3)
    wide.evaluate(f"{CARD}.dispatchEvent(new KeyboardEvent('keydown', {{ key: '0' }}))")
    assert [float(v) for v in wide.evaluate(BOX).split()] == pytest.approx([float(v) for v in whole.split()])


def test_a_phone_shows_one_panel_under_another_and_print_the_whole(browser: Browser, page: Path):
    browser.look(390, 900)
    browser.open(page)
    count = f"{CARD}.querySelectorAll('svg.drawing').length"
    assert browser.evaluate(count) == 3  # two axes, one legend
    size = f"getComputedStyle({CARD}.querySelector('svg')).width"
    scale = f"parseFloat({size}) / {CARD}.querySelector('svg').viewBox.baseVal.width"
    assert browser.evaluate(scale) > 1.2  # letters of 7 points are more than 8 pixels high
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate(count) == 1
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(count) == 3


def test_a_curve_is_drawn_when_it_is_opened(wide: Browser):
    assert wide.evaluate("document.querySelector('.curve svg') === null")
    toggled = "new Promise(done => curve.addEventListener('toggle', () => setTimeout(done, 0)))"
    script = f"const curve = document.querySelector('.curve'); curve.open = true; return {toggled};"
    wide.evaluate(f"(() => {{ {script} }})()")
    points = "[...document.querySelectorAll('.curve circle[data-label]')]"
    assert wide.evaluate(f"{points}.map(p => p.dataset.label)") == [
        "batch=20: Fails, 95 % interval 8 to 10", "base: Fails, 95 % interval 8 to 10",
    ]  # fmt: skip
    heights = wide.evaluate(f"{points}.map(p => Number(p.getAttribute('cy')))")
    assert heights[0] > heights[1]  # 7.5 lies below 9
    rows = "[...document.querySelectorAll('.curve .changed')].length"
    assert wide.evaluate(rows) == 2  # the one reading that differs, and the legend
