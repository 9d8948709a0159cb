"""What the gallery says in words: config/<paper>/texts.yaml, one file per paper.

A text may hold placeholders for measured numbers, so that no number is typed by hand:

    {fig3b.variance_ratio}          the value with its interval
    {fig3b.variance_ratio|value}    the value alone
    {fig3b.outside_brownian|percent}  the value of a share, in per cent
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sgdiffusion.config.load import parse, read_yaml, unique_ids
from sgdiffusion.config.models import Region, Strict, Text
from sgdiffusion.papers import PAPERS

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Heading(Strict):
    """Which paper this is."""

    title: Text
    short: Text = Field(description="authors and year, as one cites it in a sentence")
    authors: Text
    venue: Text
    arxiv: Annotated[str, Field(pattern=r"^\d{4}\.\d{5}$")]
    subject: Text = Field(description="what the paper says, in a sentence or two")
    coverage: Text | None = Field(default=None, description="what of it is measured here, and what is not")


class Headline(Strict):
    """What the page and the README begin with: one finding in a sentence with its number."""

    text: Text = Field(description="may hold placeholders for quantities")
    claim: Id | None = Field(None, description="the claim it is about")
    verdict: str = Field("Holds", description="the claim's verdict that it speaks of; told with no other")
    finding: Id | None = Field(None, description="or the finding")

    @model_validator(mode="after")
    def _about_one(self) -> "Headline":
        if (self.claim is None) == (self.finding is None):
            raise ValueError("a headline is about a claim or a finding, one of them")
        return self


class Caption(Strict):
    """A figure or table in the gallery."""

    title: Text
    text: Text = Field(description="the caption: what is shown, and what to see in it")
    alt: str = Field("", description="what a reader who cannot see a figure needs; tables need none")
    claims: list[Id] = Field(
        default=[], description="claims it bears on, beside those whose id begins with its name"
    )


class Finding(Strict):
    """An error or ambiguity of the paper, with what demonstrates it."""

    id: Id
    source: Text = Field(description="figure, table, equation or remark of the paper")
    kind: Literal["error", "ambiguity", "scope", "null", "construction"] = Field(
        description="error: fails its own equation; ambiguity: cannot be as printed, or has two readings; "
        "scope: true in a smaller range than stated; null: explained by chance or by a simpler process; "
        "construction: forced by how it was made"
    )
    statement: Text = Field(description="may hold placeholders for quantities")
    demonstrated_by: list[Region] = Field(
        min_length=1, description="measured numbers, and where they lie if the finding is right"
    )
    shown_in: list[Text] = Field(default=[], description="figures and tables that show it")


class Argument(Strict):
    """A verdict argued in words."""

    id: Id
    title: Text
    claims: list[Id] = Field(min_length=1)
    rests_on: list[Region] = Field(
        min_length=1, description="measured numbers the words rest on: outside, the page says so"
    )
    paragraphs: list[Text] = Field(min_length=1, description="may hold placeholders for quantities")


class Captions(Strict):
    """config/cross/texts.yaml: what belongs to no paper alone."""

    figures: dict[str, Caption] = {}
    tables: dict[str, Caption] = {}
    glossary: dict[Text, Text] = {}


class Texts(Captions):
    """config/<paper>/texts.yaml."""

    paper: Heading
    headlines: list[Headline] = []
    composite: list[Text] = Field(default=[], description="figures in the README's image")
    findings: list[Finding] = []
    arguments: list[Argument] = []


def load_captions(folder: Path) -> Captions:
    """The captions of what is shown across the papers."""
    path = folder / "cross" / "texts.yaml"
    return parse(Captions, read_yaml(path), str(path))


def texts_of_papers(folder: Path) -> dict[str, "Texts"]:
    """The words of every paper that the folder has."""
    return {p: load_texts(folder, p) for p in PAPERS if (folder / p / "texts.yaml").is_file()}


def load_texts(folder: Path, paper: str) -> Texts:
    """The texts of one paper; ids must be unique within their section."""
    path = folder / paper / "texts.yaml"
    texts = parse(Texts, read_yaml(path), str(path))
    for section in ("findings", "arguments"):
        unique_ids(getattr(texts, section), f"{path}: {section}")
    return texts
