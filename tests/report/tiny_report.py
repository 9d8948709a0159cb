"""The report of the gallery's small preset: its words, its content, and every number that its pages show."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import typst
from tiny_preset import PAPERS, claims, items, texts, write_preset

from sgdiffusion.config.report import Report
from sgdiffusion.config.texts import Captions, Texts
from sgdiffusion.report.content import content
from sgdiffusion.report.typesetting import TEMPLATE, fonts, laid_out

HOSTILE = r"#panic() $x *b _c `d <e> @f \ [g] {h // /* = - + "  # what Typst would read as markup
PARTS = ("workflow", "judging", "across", "limits", "choices", "cost", "provenance")
VERDICTS = (
    "holds",
    "in_part",
    "fails",
    "depends_on_the_reading",
    "undecided",
    "not_comparable",
    "not_tested",
)
PAPER = {
    "says": ["It says that d_s is small."],
    "equations": [{"math": "a/b", "source": "Eq. one"}],
    "methods": ["We look."],
    "results": ["It is {bad}, printed {published.bad|value}; {absent}."],
    "figures": ["fig1"],
}
WORDS = {
    "title": "A report",
    "authors": "A, B",
    "summary": ["It has {run.claims|value} claims. " + HOSTILE],
    **{part: [f"On {part}."] for part in PARTS},
    "verdicts": dict.fromkeys(VERDICTS, "So."),
    "references": ["C. Long ago."],
    "papers": {PAPERS[0]: PAPER},
}


def said(folder: Path, **changes: Any) -> dict[str, Any]:
    """What the report of the folder prints."""
    words = {PAPERS[0]: texts(), PAPERS[1]: Texts(paper=texts().paper)}
    report = Report.model_validate({**WORDS, **changes}).checked(words, "report.yaml")
    return content(
        folder,
        words,
        {p: claims() for p in PAPERS},
        Captions(glossary={"word": "a sign"}),
        report,
        "some figures",
    )


def write_whole(folder: Path) -> Path:
    """The small preset with its list of items and the verdicts of all papers."""
    write_preset(folder)
    own = items()
    papers = {p: {"figures": own.figures[p], "tables": own.tables[p]} for p in own.figures}
    listing = {"preset": "tiny", "papers": papers, "across": own.across, "left_out": own.left_out}
    (folder / "items.json").write_text(json.dumps(listing))
    tables = [pd.read_csv(folder / p / "verdicts.csv").assign(paper=p) for p in PAPERS]
    pd.concat(tables).to_csv(folder / "verdicts.csv", index=False)
    return folder


def shown(content: dict[str, Any], counters: str = "1") -> list[str]:
    """Every word with a digit that the pages show, found by Typst itself while it sets them.

    Pages, headings, figures and lists are counted in figures or, with counters="a", in letters.
    """
    mark = r'#show regex("\S*\d\S*"): it => [#it#metadata(it.text)<shown>]'
    lists = f'#set figure(numbering: "{counters}")\n#set enum(numbering: "{counters}.")'
    with laid_out(content) as folder:
        template = folder / TEMPLATE.name
        text = re.sub(r'numbering: "[1A](\.1)?"', f'numbering: "{counters}"', template.read_text())
        template.write_text(text)
        (folder / "marked.typ").write_text(f'{mark}\n{lists}\n#include "{TEMPLATE.name}"')
        found = typst.query(folder / "marked.typ", "<shown>", "value", root=folder, font_paths=fonts())
    return list(json.loads(found))
