"""The built preset's report: an article of the length of one, with every number that its words name."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from sgdiffusion.config.report import load_report
from sgdiffusion.config.texts import texts_of_papers
from sgdiffusion.gallery.fill import PLACEHOLDER


@pytest.fixture(scope="module")
def figures(smoked) -> Path:
    folder, done = smoked
    assert done.returncode == 0, done.text[-10000:]
    return folder / "figures/smoke"


def test_the_report_has_the_length_of_an_article(figures: Path):
    content = (figures / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert 12 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 20
    assert json.loads((figures / "report.json").read_text())["rule"] == "typeset_report"


def test_every_number_of_the_cross_examination_that_the_words_name_is_measured(figures: Path):
    config = figures.parents[1] / "config"
    words = load_report(config, texts_of_papers(config)).across
    named = {match[1] for text in words for match in PLACEHOLDER.finditer(text)}
    table = pd.read_csv(figures / "cross/table_cross.csv")
    assert named <= set(table["quantity"])
