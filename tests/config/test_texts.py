"""Texts of the gallery: valid, unique ids, and naming only claims that exist."""

from pathlib import Path

import pytest
import yaml

from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.config.texts import Texts, load_captions, load_texts
from sgdiffusion.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PAPERS = Configuration(ROOT / "config").papers()


@pytest.mark.parametrize("paper", PAPERS)
def test_texts_name_claims_that_exist(paper: str):
    texts = load_texts(ROOT / "config", paper)
    claims = {c.id for c in load_claims(ROOT / "config", paper)}
    named = [c for part in (texts.figures, texts.tables) for entry in part.values() for c in entry.claims]
    named += [c for argument in texts.arguments for c in argument.claims]
    assert set(named) <= claims


@pytest.mark.parametrize("paper", PAPERS)
def test_figures_have_an_alternative_text(paper: str):
    for name, caption in load_texts(ROOT / "config", paper).figures.items():
        assert len(caption.alt) > 30, name


def test_captions_across_the_papers_are_valid():
    assert len(load_captions(ROOT / "config").figures["cross"].alt) > 30


def minimal(**changes) -> dict:
    paper = {
        "title": "t",
        "short": "A 2018",
        "authors": "a",
        "venue": "v",
        "arxiv": "1710.11029",
        "subject": "s",
    }
    return {"paper": paper, **changes}


def finding(**changes) -> dict:
    base = {
        "id": "f",
        "source": "Fig 1",
        "kind": "error",
        "statement": "s",
        "demonstrated_by": [{"quantity": "q", "low": 0.0}],
    }
    return {**base, **changes}


def test_a_finding_needs_a_demonstration(tmp_path: Path):
    (tmp_path / "p").mkdir()
    path = tmp_path / "p/texts.yaml"
    path.write_text(yaml.safe_dump(minimal(findings=[finding(demonstrated_by=[])])))
    with pytest.raises(ConfigError, match=r"findings\.0\.demonstrated_by"):
        load_texts(tmp_path, "p")


def test_an_id_is_used_once(tmp_path: Path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p/texts.yaml").write_text(yaml.safe_dump(minimal(findings=[finding(), finding()])))
    with pytest.raises(ConfigError, match=r"findings\.id: used more than once: f"):
        load_texts(tmp_path, "p")


def test_sections_may_be_empty():
    texts = Texts.model_validate(minimal())
    assert texts.findings == []
    assert texts.figures == {}
