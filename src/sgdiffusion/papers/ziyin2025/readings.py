"""A study of Ziyin, Li & Ueda (2025) under the other readings of what the paper leaves open."""

from collections.abc import Callable

import pandas as pd

from sgdiffusion.config.readings import BASE, Reading
from sgdiffusion.errors import MeasureError, TrainingError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.settings import Simulation

Tables = dict[str, pd.DataFrame]


def measured(study: Callable[..., Tables], task: Task, run: Simulation, readings: list[Reading]) -> Tables:
    """The quantities of a study under each reading but the base, which the study itself measures.

    A reading under which chains overflow or a net diverges is logged and left out. The function of each
    study that calls this stands in the study's module: an edit of one makes stale its own readings alone, and
    readings of chains need not import what trains networks.
    """
    parts = []
    for reading in readings:
        if reading.name == BASE:
            continue
        settings = type(run).model_validate(reading.applied(run.model_dump(mode="json")))
        try:
            found = study(**settings.arguments(), seed=task.root_seed, threads=task.threads)
        except (MeasureError, TrainingError) as error:
            task.log.warning("%s cannot be measured: %s", reading.name, error)
            continue
        parts.append(found["quantities"].assign(reading=reading.name))
        task.log.info("%s measured", reading.name)
    if not parts:
        raise MeasureError("no reading could be measured: see the log")
    return {"readings": pd.concat(parts, ignore_index=True)}
