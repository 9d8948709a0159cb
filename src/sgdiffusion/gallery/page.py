"""The gallery: one self-contained page of a preset, from its files, claims and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sgdiffusion import __version__
from sgdiffusion.config.models import Claim
from sgdiffusion.config.texts import Captions, Texts
from sgdiffusion.gallery import numbers
from sgdiffusion.gallery.content import (
    SHOWN,
    Chapter,
    Plate,
    Reader,
    caption,
    formula,
    plate,
    sentence,
)
from sgdiffusion.gallery.drawings import palette
from sgdiffusion.gallery.files import read_csv
from sgdiffusion.gallery.origins import Origins

NATURES = {  # of what stands among the claims and is no claim of the paper
    "construction": "True however it is measured",
    "implementation": "Checks our code, not the paper",
    "project": "Stated by us, not by the paper",
}
_TITLE = "sgdiffusion: three papers on stochastic gradient descent as a diffusion, replicated and judged"
CITATION = (  # as CITATION.cff has it
    f"@software{{sgdiffusion, title = {{{_TITLE}}}, author = {{{{The sgdiffusion authors}}}}, "
    f"version = {{{__version__}}}}}"
)
TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("drawings.js", "curves.js", "page.js")
COLOURS = "/* the colours of the drawings */"  # in style.css


@dataclass(frozen=True)
class Items:
    """What a preset consists of: figures and tables by paper, and what is left out, with reasons."""

    preset: str
    figures: Mapping[str, Sequence[str]]
    tables: Mapping[str, Sequence[str]]
    across: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of no paper alone, in cross/
    left_out: Sequence[Mapping[str, str]] = field(default=())
    code: Mapping[str, Any] = field(default_factory=dict)  # functions by rule, figure and table

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Items":
        """From the content of items.json."""
        papers = content["papers"]
        return cls(
            preset=content["preset"],
            figures={p: papers[p]["figures"] for p in papers},
            tables={p: papers[p]["tables"] for p in papers},
            across=content.get("across", {}),
            left_out=content["left_out"],
            code=content.get("code", {}),
        )


def chapters(
    folder: Path,
    items: Items,
    texts: Mapping[str, Texts],
    claims: Mapping[str, Sequence[Claim]],
    origins: Origins,
    command: str,
) -> list[Chapter]:
    """One per paper, from the files of figures/<preset>/."""
    found = numbers.read(folder / "numbers.json")
    findings, choices = read_csv(folder / "findings.csv"), read_csv(folder / "assumptions.csv")
    made = []
    for paper, figures in items.figures.items():
        entries = found["papers"].get(paper, {})
        reader = Reader(folder, items.preset, paper, texts[paper], claims[paper], entries, origins, command)
        made.append(reader.chapter(figures, items.tables[paper], findings, choices))
    return made


def across(
    folder: Path, items: Items, captions: Captions, origins: Origins, command: str
) -> dict[str, list[Plate]]:
    """The figures and tables that belong to no paper alone."""
    return {
        kind: [
            plate(
                folder / "cross",
                n,
                caption(captions, n, f"{n} of all papers"),
                items.preset,
                origins,
                command,
            )
            for n in names
        ]
        for kind, names in items.across.items()
    }


def render(
    papers: Sequence[Chapter],
    cross: Mapping[str, Sequence[Plate]],
    items: Items,
    note: str,
    description: str,
    glossary: Mapping[str, str],
) -> str:
    """The page as HTML; styles, script and images inside."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"sentence": sentence, "formula": formula}
    totals = {v: n for v in SHOWN if (n := sum(c.counts[v] for c in papers))}
    html = environment.get_template("page.html.j2").render(
        papers=papers,
        cross=cross,
        shown_as=SHOWN,
        natures=NATURES,
        apart=sum(not j.counted for c in papers for j in c.claims),
        totals=totals,
        preset=items.preset,
        description=description,
        note=note,
        left_out=items.left_out,
        glossary=glossary,
        citation=CITATION,
        shown={p: {*items.figures[p], *items.tables[p]} for p in items.figures},
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup("".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)),
    )
    return html.replace(COLOURS, palette(html))


def build(
    folder: Path,
    items: Items,
    texts: Mapping[str, Texts],
    claims: Mapping[str, Sequence[Claim]],
    captions: Captions,
    *,
    note: str,
    description: str,
    command: str,
) -> str:
    """The page of figures/<preset>/; `command` rebuilds what is put for {target}."""
    origins = Origins(Path(), folder, items.code)
    papers = chapters(folder, items, texts, claims, origins, command)
    cross = across(folder, items, captions, origins, command)
    return render(papers, cross, items, note, description, captions.glossary)
