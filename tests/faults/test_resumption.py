"""A training that is killed again and again, at random operations on its files, ends at the same bits."""

import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import zarr  # noqa: F401  (once, not in every fork)

from sgdiffusion.config.models import Training
from sgdiffusion.dynamics.training import checkpoints, trainer

sys.path.insert(0, str(Path(__file__).parent))

from kills import at_operation

SETTINGS = Training.model_validate(
    {
        "kind": "training",
        "network": {"name": "mlp", "sizes": {"width": 4, "depth": 1}},
        "data": {"set": "mnist", "preparation": "pool7"},
        "schedule": [{"until": 0.5, "rate": 0.1}, {"until": 1.0, "rate": 0.01}],
        "batch_size": 4,
        "epochs": 6,
        "checkpoints": [0.5, 1.0],
        "snapshot_every": 1,
    }
)


def data() -> SimpleNamespace:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 1, 3, 3)).astype(np.float32), np.arange(8) % 2
    return SimpleNamespace(x_train=x, y_train=y, x_test=x, y_test=y)


def train(folder: Path) -> None:
    """The whole training; its state is kept after every epoch."""
    where = {"folder": folder, "resume_seconds": 0.0}
    trainer.train(SETTINGS, data(), run_id="p/r", seed=0, root_seed=0, **where)


def results(folder: Path) -> tuple[bytes, bytes]:
    """The file of checkpoints as it is, and the weights of the history."""
    weights = checkpoints.trajectory(folder / checkpoints.TRAJECTORY)["weights"].tobytes()
    return (folder / checkpoints.CHECKPOINTS).read_bytes(), weights


@pytest.mark.parametrize("runs", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_a_training_killed_at_random_ends_at_the_same_bits(tmp_path: Path, runs: int):
    torch.set_num_threads(1)
    train(tmp_path / "whole")
    expected, chance = results(tmp_path / "whole"), random.Random(0)
    operations = 1
    while at_operation(operations, lambda n=operations: train(tmp_path / f"count-{n}")):
        operations *= 2
    kills = 0
    for run in range(runs):
        folder = tmp_path / f"run-{run}"
        while at_operation(chance.randrange(operations), lambda folder=folder: train(folder)):
            kills += 1
            if (resume := folder / checkpoints.RESUME).exists():
                assert set(checkpoints.read_state(resume)) >= {"digest", "net"}
        assert results(folder) == expected
        assert sorted(p.name for p in folder.iterdir()) == [checkpoints.CHECKPOINTS, checkpoints.TRAJECTORY]
    assert kills >= runs // 2
