"""The words of the typeset report: config/cross/report.yaml; all else comes from the texts.

Placeholders stand for numbers, as in texts.py. A paper's own paragraphs name its quantities, and what the
paper prints for them ({published.fig3b.variance_ratio|value}); all paragraphs may name the facts of the run
({run.claims|value}).
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pydantic import Field

from sgdiffusion.config.load import parse, read_yaml
from sgdiffusion.config.models import Strict, Text
from sgdiffusion.config.texts import Id, Texts
from sgdiffusion.errors import ConfigError


class Meanings(Strict):
    """What each verdict means."""

    holds: Text
    in_part: Text
    fails: Text
    depends_on_the_reading: Text
    undecided: Text
    not_comparable: Text
    not_tested: Text

    def meaning(self, slug: str) -> str:
        """Of the verdict whose name in CSS this is."""
        return str(getattr(self, slug.replace("-", "_")))


class Equation(Strict):
    """A formula of a paper."""

    math: Text = Field(description="in Typst's notation")
    source: Text = Field(description="where the paper has it")


class PaperWords(Strict):
    """What the report says of one paper beside its texts."""

    says: list[Text] = Field(min_length=1, description="what the paper claims")
    equations: list[Equation] = []
    methods: list[Text] = Field(min_length=1, description="what is done here")
    results: list[Text] = Field(min_length=1, description="what was measured, whatever it is")
    figures: list[Id] = Field(min_length=1, description="the figures of the article")


class Report(Strict):
    """config/cross/report.yaml."""

    title: Text
    authors: Text
    summary: list[Text]
    workflow: list[Text] = Field(description="how results are made")
    judging: list[Text] = Field(description="how a claim is judged")
    verdicts: Meanings
    across: list[Text] = Field(description="what the papers' measurements give on the others' networks")
    limits: list[Text]
    choices: list[Text] = Field(description="on what the papers leave open")
    cost: list[Text]
    provenance: list[Text]
    references: list[Text] = Field(description="beside the papers themselves")
    papers: dict[str, PaperWords] = Field(
        default={}, description="a paper without words shows its texts alone"
    )

    def checked(self, texts: Mapping[str, Texts], source: str) -> "Report":
        """Itself, if every paper and figure that it names is there."""
        _known(self.papers, texts, f"{source}: papers")
        for paper, words in self.papers.items():
            _known(words.figures, texts[paper].figures, f"{source}: papers.{paper}.figures")
        return self


def _known(names: Iterable[str], there: Collection[str], where: str) -> None:
    if unknown := [name for name in names if name not in there]:
        raise ConfigError(f"{where}: found {unknown[0]!r}; allowed: {', '.join(there)}")


def load_report(folder: Path, texts: Mapping[str, Texts]) -> Report:
    """The report's words, checked against the texts of the papers."""
    path = folder / "cross" / "report.yaml"
    return parse(Report, read_yaml(path), str(path)).checked(texts, str(path))
