"""The page before axe-core, in headless Chromium: no finding of any rule, at three widths, light and dark.

The rules come from the package axe-core-python, which stands in the lock, so that an environment made
from it has them. It holds axe 4.4: SGDIFFUSION_AXE names the axe.min.js of a later one, SGDIFFUSION_PAGE
another page than the small one, such as a whole run's. Rules that axe counts as experimental are on where
they bear on the page.
"""

import json
import os
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from chromium import Browser, found

pytestmark = [
    pytest.mark.skipif(found() is None, reason="no Chromium on the PATH (Debian: apt install chromium)"),
    pytest.mark.skipif(
        find_spec("axe_core_python") is None, reason="this environment is older than the lock"
    ),
]
MORE_RULES = ("link-in-text-block", "target-size", "label-content-name-mismatch")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser(
        found() or "", patience_s=300.0
    ) as browser:  # axe looks at every node, on a busy machine slowly
        yield browser


def rules() -> str:
    """axe itself: the one that the environment names, or that of the lock."""
    named = os.environ.get("SGDIFFUSION_AXE")
    file = Path(named) if named else files("axe_core_python").joinpath("axe.min.js")
    return file.read_text(encoding="utf-8")


def findings(browser: Browser) -> list[str]:
    """What axe finds on the open page, everything unfolded: rule, how grave, where."""
    browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    browser.evaluate("new Promise((done) => setTimeout(done, 500))")  # curves are drawn when they are opened
    browser.evaluate(rules())
    known = json.dumps(MORE_RULES)
    script = f"""(async () => {{
        const known = new Set(axe.getRules().map(rule => rule.ruleId));
        const more = {known}.filter(name => known.has(name)).map(name => [name, {{ enabled: true }}]);
        const found = await axe.run(document, {{ rules: Object.fromEntries(more) }});
        const told = (v, node) => `${{v.impact}}: ${{v.id}}: ${{node.html.slice(0, 200)}}`;
        return found.violations.flatMap(v => v.nodes.map(node => told(v, node)));
    }})()"""
    return browser.evaluate(script)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_axe_finds_nothing(browser: Browser, page: Path, width: int, scheme: str):
    browser.look(width, 900, scheme)
    browser.open(Path(os.environ.get("SGDIFFUSION_PAGE", page)))
    assert findings(browser) == []


def test_axe_sees_what_is_wrong(browser: Browser, page: Path, tmp_path: Path):
    html = page.read_text(encoding="utf-8")
    (tmp_path / "broken.html").write_text(
        re.sub(r'(role="img") aria-label="[^"]*"', r"\1", html).replace('lang="en"', ""), "utf-8"
    )
    browser.open(tmp_path / "broken.html")
    rules = {finding.split(": ")[1] for finding in findings(browser)}
    assert {"html-has-lang", "svg-img-alt"} <= rules
