"""Settings of Table 1's optional runs: the shipped ones are consistent, wrong ones are named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from sgdiffusion.config import Configuration
from sgdiffusion.data.sources import read_sources
from sgdiffusion.papers.hennick2025.settings import LargerLanguage, LargerVision

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def runs() -> dict[str, LargerVision | LargerLanguage]:
    found = Configuration(ROOT / "config").runs("full", "hennick2025")
    return {name: run for name, run in found.items() if name.startswith("table1")}


def test_what_the_runs_name_can_be_fetched(runs):
    table = read_sources(ROOT / "data" / "sources.csv", ROOT / "data" / "digests.csv")
    roles = {name: source.files[0].role for name, source in table.items()}
    language = runs["table1-language"]
    assert {roles[m] for m in language.models} == {"model"}
    assert roles[language.text] == "text"
    assert roles[runs["table1-vision"].sets[0]] == "archive"
    assert runs["table1-cifar"].training == runs["table1-vision"].training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoints": [0.5, 0.2, 1.0]}, "checkpoints must increase and end at 1.0"),
        ({"legs": [{"until": 0.5, "optimiser": "sgd", "rate": 0.1}]}, "legs.until must increase and end"),
    ],
)
def test_trainings_end_at_their_last_step(runs, change: dict, message: str):
    plain = runs["table1-vision"].model_dump()
    with pytest.raises(ValidationError, match=message):
        LargerVision.model_validate({**plain, "training": {**plain["training"], **change}})


def test_a_text_needs_a_number_of_blocks(runs):
    with pytest.raises(ValidationError, match="n_train and n_test are needed"):
        LargerLanguage.model_validate({**runs["table1-language"].model_dump(), "n_train": None})
