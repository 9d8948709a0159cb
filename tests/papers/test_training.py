"""The trainings of the papers: each by the trainer that its settings name."""

import logging
from pathlib import Path

import pytest

from sgdiffusion.config import Configuration
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers import training
from sgdiffusion.papers.task import Task

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("run", "train"), [("tiny-fc", "train_network"), ("small-fc", "train_fused")])
def test_another_trainer_than_the_settings_name_is_refused(run: str, train: str):
    settings = Configuration(ROOT / "config").run("smoke", "chaudhari2018", run)
    task = Task("chaudhari2018", {"run": run, "seed": "0"}, 0, 1, "cpu", {}, logging.getLogger())
    with pytest.raises(ConfigError, match=f"{run}: found trainer '{settings.trainer}', but its study"):
        getattr(training, train)(task, settings, None)
