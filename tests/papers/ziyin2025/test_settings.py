"""Settings of Ziyin, Li & Ueda's runs are the arguments of their studies; bad ones give one message."""

import inspect
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers.ziyin2025.items import STUDIES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def configuration():
    return Configuration(ROOT / "config")


@pytest.mark.parametrize("run_id", [name for name, study in STUDIES.items() if study.model])
@pytest.mark.parametrize("preset", ["full", "demo", "smoke"])
def test_settings_are_arguments_of_the_study(configuration, run_id: str, preset: str):
    module, name = STUDIES[run_id].function.split(":")
    study = getattr(import_module(f"sgdiffusion.papers.ziyin2025.{module}"), name)
    arguments = configuration.run(preset, "ziyin2025", run_id).arguments()
    inspect.signature(study).bind(**arguments, seed=0)


def test_every_run_is_known_here(configuration):
    runs = {name for name in STUDIES if not name.startswith("train-")}
    assert set(configuration.runs("full", "ziyin2025")) == runs


def test_full_scale_has_the_draws_that_were_promised(configuration):
    assert configuration.run("full", "ziyin2025", "densities").chains >= 100_000
    assert configuration.run("full", "ziyin2025", "tails").depths == [1, 2, 3, 4, 5]
    assert configuration.run("full", "ziyin2025", "depth-scaling").seeds >= 3


def test_claims_speak_of_every_figure_and_theorem():
    sources = " ".join(c.source for c in load_claims(ROOT / "config", "ziyin2025"))
    for part in ("Fig 1", "Fig 2, left", "Fig 2, right", "Fig 3, left", "Fig 3, mid", "Fig 3, right", "Fig 4",
                 "Fig 5, left", "Fig 5, mid", "Fig 5, right", "Table 1", "Theorem 3.1", "Corollary 3.3",
                 "Eq. 4", "Eq. 12", "Eq. 14", "Eq. 15", "Theorem 4.1"):  # fmt: skip
        assert part in sources


@pytest.mark.parametrize(
    ("run_id", "change", "expected"),
    [
        ("tails", {"temperature": 0.0}, ["temperature", "greater than 0"]),
        ("balance-rate", {"decays": [-0.1]}, ["decays.0", "greater than or equal to 0"]),
        ("densities", {"laws": ["odd"]}, ["laws.0", "'above'"]),
        ("densities", {"accuracy": 2.0}, ["accuracy", "less than or equal to 1"]),
        ("plane", {"chains": 1}, ["chains", "greater than or equal to 2"]),
        ("two-layer", {"batches": [1, 2]}, ["rates and batches are pairs, found 4 and 2"]),
        ("two-layer", {"batches": [1]}, ["batches", "at least 2"]),
        ("transition", {"kind": "tails"}, ["runs.transition"]),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, run_id: str, change: dict, expected: list[str]):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    path = tmp_path / "config/ziyin2025/experiments.yaml"
    content = yaml.safe_load(path.read_text())
    content["runs"][run_id].update(change)
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError) as error:
        Configuration(tmp_path / "config")
    for part in ("ziyin2025/experiments.yaml", run_id, *expected):
        assert part in str(error.value)
