"""What the published reference set, figures/reference, says: headlines, counts, verdicts, numbers."""

import functools
import re
import shutil
from pathlib import Path

import pandas as pd
from sphinx.application import Sphinx

from generate.text import escaped, table
from sgdiffusion.config import load_claims
from sgdiffusion.config.texts import load_texts, texts_of_papers
from sgdiffusion.gallery import numbers, readme
from sgdiffusion.gallery.files import read_csv, read_json
from sgdiffusion.verdicts import Measured, Verdict, markdown

ROOT = Path(__file__).resolve().parents[2]
CONFIG, REFERENCE = ROOT / "config", ROOT / "figures" / "reference"
GALLERY = "gallery.html"  # the page of the reference set, beside the site's own


@functools.cache
def quantities(paper: str) -> dict[str, Measured]:
    """The measured numbers of a paper."""
    return numbers.measured(read_json(REFERENCE / "numbers.json"), paper)


@functools.cache
def verdict_table() -> pd.DataFrame:
    """The verdicts of the reference set."""
    return read_csv(REFERENCE / "verdicts.csv")


@functools.cache
def judged() -> dict[tuple[str, str], str]:
    """The same by paper and claim."""
    rows = verdict_table()
    return dict(zip(zip(rows["paper"], rows["claim"], strict=True), rows["verdict"], strict=True))


def verdict(paper: str, claim: str) -> str:
    """The published verdict of a claim."""
    return judged().get((paper, claim), f"{Verdict.NOT_TESTED} (newer than the reference set)")


def headlines() -> str:
    """What was found first, by paper."""
    return readme.headlines(REFERENCE, verdict_table(), texts_of_papers(CONFIG))


def counts() -> str:
    """How many claims of each paper have which verdict."""
    summary = readme.summary(verdict_table())
    links = {p: f"[{t.paper.short}](papers/{p}.md)" for p, t in texts_of_papers(CONFIG).items()}
    return markdown(summary.assign(paper=summary["paper"].map(links)))


def verdicts(paper: str) -> str:
    """The claims of a paper with their verdicts, each with a link to its entry in the map."""
    rows = [
        (f"[{escaped(c.source)}](#{anchor(paper, c.id)})", escaped(c.statement), verdict(paper, c.id))
        for c in load_claims(CONFIG, paper)
        if c.nature == "claim"
    ]
    found = load_texts(CONFIG, paper).findings
    link = gallery_link("gallery", f"{paper}-findings")
    last = f"Besides, there are {len(found)} findings on the text of the paper, in the {link}."
    return table(("where", "what the paper says", "verdict"), rows) + ("\n\n" + last if found else "")


def anchor(paper: str, claim: str) -> str:
    """The target of a claim's entry in the map."""
    return f"{paper}-{claim}"


def copy_gallery(app: Sphinx, error: Exception | None) -> None:
    """Puts the page of the reference set beside the site, so that both can be read offline."""
    if error is None and app.builder.format == "html":
        shutil.copyfile(REFERENCE / "index.html", Path(app.outdir) / GALLERY)


def gallery_link(text: str, place: str) -> str:
    """A link from a page in a folder of the site to a place of the gallery."""
    return f'<a href="../{GALLERY}#{place}">{text}</a>'


@functools.cache
def ids_of_gallery() -> set[str]:
    """The places of the gallery that a link may lead to."""
    return set(re.findall(r'\bid="([^"]+)"', (REFERENCE / "index.html").read_text("utf-8")))
