"""The site builds without a warning, leads nowhere dead, asks nothing of the network, and is complete."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from sgdiffusion.config import load_claims
from sgdiffusion.config.models import Settings, Training
from sgdiffusion.gallery.fill import PLACEHOLDER
from sgdiffusion.library.names import PUBLIC
from sgdiffusion.papers import PAPERS
from sgdiffusion.papers.hennick2025.table1 import ROW_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
DOCS, CONFIG = ROOT / "docs", ROOT / "config"
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset", "video": "src"}


class Page(HTMLParser):
    """Places, links and loaded files of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        given = dict(attrs)
        self.ids |= {given[k] for k in ("id", "name") if given.get(k)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if given.get(LOADED.get(tag, "")) and given.get("rel") not in ("next", "prev", "index", "search"):
            self.loaded.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = {p.resolve(): Page(p.read_text(encoding="utf-8")) for p in site.rglob("*.html")}
    assert len(found) > len(list(DOCS.rglob("*.md")))
    return found


def outside(address: str) -> bool:
    return bool(re.match(r"([a-z][a-z+.-]*:)?//", address))


def test_every_link_leads_to_a_place_that_exists(pages: dict[Path, Page]):
    dead = []
    for path, page in pages.items():
        if path.name == "gallery.html":  # links to the files beside it; has tests of its own
            continue
        for link in page.links:
            if outside(link) or link.startswith("mailto:"):
                continue
            file, _, place = unquote(link).partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.exists() or (place and target in pages and place not in pages[target].ids):
                dead.append(f"{path.name}: {link}")
    assert not dead


def test_no_page_loads_anything_from_outside(site: Path, pages: dict[Path, Page]):
    loaded = {f"{path.name}: {a}" for path, page in pages.items() for a in page.loaded if outside(a)}
    styles = {
        f"{path.name}: {a}"
        for path in site.rglob("*.css")
        for a in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")]+)", path.read_text(encoding="utf-8"))
        if outside(a)
    }
    assert not loaded | styles
    missing = [
        a
        for path, page in pages.items()
        for a in page.loaded
        if not a.startswith("data:") and not (path.parent / unquote(a).partition("?")[0]).exists()
    ]
    assert not missing


def test_search_works_from_a_file(site: Path):
    """The index is a script, which a page may load from a file, where it may fetch nothing."""
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(")
    assert "papers/ziyin2025" in index


def test_generated_pages_hold_everything(site: Path, pages: dict[Path, Page]):
    assert not [path.name for path in pages if "<!-- generated" in path.read_text(encoding="utf-8")]
    for paper in PAPERS:
        there = pages[(site / "reference" / f"claims-{paper}.html").resolve()].ids
        claims = {f"{paper}-{claim.id}" for claim in load_claims(CONFIG, paper)}
        assert claims <= there
    interface = pages[(site / "reference" / "interface.html").resolve()].ids
    assert {f"sgdiffusion.{name}" for name in PUBLIC} <= interface
    assert "(not run)" not in (site / "index.html").read_text(encoding="utf-8")
    words = (site / "guide" / "configuration.html").read_text(encoding="utf-8")
    assert all(f">{key}<" in words for model in (Settings, Training) for key in model.model_fields)


def test_every_claim_leads_to_a_function(site: Path):
    for paper in PAPERS:
        text = (site / "reference" / f"claims-{paper}.html").read_text(encoding="utf-8")
        entries = re.split(r'<section id="', text)[2:]
        assert len(entries) == len(load_claims(CONFIG, paper))
        without = [e.split('"')[0] for e in entries if "src/sgdiffusion/papers/" not in e]
        assert not without
        for file in set(re.findall(r"src/sgdiffusion/[\w/]+\.py", text)):
            assert (ROOT / file).is_file(), file


@pytest.mark.parametrize("paper", PAPERS)
def test_a_page_on_a_paper_names_only_numbers_that_its_claims_or_findings_rest_on(paper: str):
    text = (DOCS / "papers" / f"{paper}.md").read_text(encoding="utf-8")
    placed = {m[1] for m in PLACEHOLDER.finditer(text)}
    claimed = {r.quantity for claim in load_claims(CONFIG, paper) for r in claim.accept}
    written = set(re.findall(r"[a-z0-9][\w.-]*\.[\w.-]+", (CONFIG / paper / "texts.yaml").read_text()))
    assert placed
    assert placed <= claimed | written


def test_every_row_of_table_1_has_its_record():
    """From a clean commit, on real images; a row with diagnoses says so in its record."""
    rows = sorted((ROOT / "docs/measured").glob("table1-*.csv"))
    assert rows
    for path in rows:
        row = pd.read_csv(path, keep_default_na=False).iloc[0]
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert list(row.index) == list(ROW_COLUMNS)
        assert not record["git"]["dirty"]
        assert record["data_status"] == "real"
        assert bool(row["marks"]) == any(warning.startswith("row:") for warning in record["warnings"])
        assert row["slope_low"] <= row["slope"] <= row["slope_high"]
        assert row["spectral_dimension"] == pytest.approx(2 * row["mean_llc"] * row["slope"], rel=1e-4)
