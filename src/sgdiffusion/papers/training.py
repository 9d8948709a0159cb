"""The trainings of every paper: one network with one seed, resumed when interrupted."""

from typing import Any

import pandas as pd

from sgdiffusion.config.models import Training
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers.task import Task


def train_network(task: Task, run: Training, data: Prepared) -> dict[str, pd.DataFrame]:
    """Any network, by torch."""
    from sgdiffusion.dynamics.training import trainer

    return _train(task, run, data, "torch", trainer.train)


def train_fused(task: Task, run: Training, data: Prepared) -> dict[str, pd.DataFrame]:
    """Two-layer batch-norm nets, by compiled steps."""
    from sgdiffusion.dynamics.training import fused_fc  # compiles: the other trainer has no need of that

    return _train(task, run, data, "fused", fused_fc.train)


def _train(task: Task, run: Training, data: Prepared, trainer: str, train: Any) -> dict[str, pd.DataFrame]:
    """The metrics; the trainer writes checkpoints and history itself, beside them."""
    if run.trainer != trainer:  # the registry chooses, so that an edit of one leaves what the other made
        name = f"{task.paper}/{task.wildcards['run']}"
        raise ConfigError(f"{name}: found trainer {run.trainer!r}, but its study in items.py is {trainer!r}")
    seed = int(task.wildcards["seed"])
    task.seeds.append(seed)
    trained = train(
        run,
        subset(data, run.data.n_train, run.data.n_test),
        run_id=f"{task.paper}/{task.wildcards['run']}",
        seed=seed,
        root_seed=task.root_seed,
        classes=data.meta["classes"],
        folder=task.outputs["checkpoints"].parent,
        device=task.device,
        code=task.code,
        log=task.log,
    )
    return {"metrics": trained.metrics}
