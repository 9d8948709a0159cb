"""The trainings of every paper: one network with one seed, resumed when interrupted."""

from typing import Any

import pandas as pd

from sgdiffusion.config.models import Training
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.papers.task import Task


def train_network(task: Task, run: Training, data: Prepared) -> dict[str, pd.DataFrame]:
    """Any network, by torch."""
    from sgdiffusion.dynamics.training import trainer

    return _train(task, run, data, trainer.train)


def train_fused(task: Task, run: Training, data: Prepared) -> dict[str, pd.DataFrame]:
    """Two-layer batch-norm nets, by compiled steps."""
    from sgdiffusion.dynamics.training import fused_fc  # compiles: the other trainer has no need of that

    return _train(task, run, data, fused_fc.train)


def _train(task: Task, run: Training, data: Prepared, train: Any) -> dict[str, pd.DataFrame]:
    """The metrics; the trainer writes checkpoints and history itself, beside them."""
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
