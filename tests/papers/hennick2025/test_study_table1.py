"""Table 1's trainings in the workflow: what an interruption must not lose."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import torch

from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.hennick2025 import study_table1 as study
from sgdiffusion.papers.hennick2025.settings import LargerTraining
from sgdiffusion.papers.task import Task

TRAINING = LargerTraining.model_validate(
    {"steps": 20, "batch_size": 4, "per_decade": 10, "checkpoints": [0.5, 1.0],
     "legs": [{"until": 1.0, "optimiser": "sgd", "rate": 0.1}]}
)  # fmt: skip


def test_the_resume_state_stays_until_all_outputs_are_written(tmp_path: Path, monkeypatch):
    resume, trained = tmp_path / checkpoints.RESUME, tmp_path / "trained.pt"

    def finetune(*_, resume: Path, **__):
        checkpoints.write_state(resume, {})
        return SimpleNamespace(kept=torch.tensor([10, 20]), theta=torch.zeros(2, 3))

    monkeypatch.setattr(study, "finetune", finetune)
    monkeypatch.setattr(study, "problem_of", lambda *_: SimpleNamespace(net=None, loss=None, train=None))
    monkeypatch.setattr(study.table1, "displacement_table", lambda _: pd.DataFrame())
    wildcards = {"run": "table1-vision", "model": "resnet18_cifar10"}
    task = Task("hennick2025", wildcards, 0, 1, "cpu", {"trained": trained}, logging.getLogger())
    assert set(study.train(task, TRAINING, {}, {})) == {"displacement"}
    assert trained.exists()
    assert resume.exists(), "the displacement is not yet written: a full disk now would lose the training"
    for call in task.afterwards:
        call()
    assert not resume.exists()
