"""The studies of Ziyin, Li & Ueda (2025) under the other readings of what the paper leaves open."""

from collections.abc import Callable

import pandas as pd

from sgdiffusion.config.readings import BASE, Reading
from sgdiffusion.errors import MeasureError, TrainingError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.balance import two_layer
from sgdiffusion.papers.ziyin2025.plane import contrast
from sgdiffusion.papers.ziyin2025.settings import Inversion, Plane, Subnetworks, TwoLayer
from sgdiffusion.papers.ziyin2025.subnetworks import subnetworks
from sgdiffusion.papers.ziyin2025.tanh import inversion

Tables = dict[str, pd.DataFrame]


# a function for each study, so that an edit of one makes stale its own readings alone
def plane(task: Task, run: Plane, readings: list[Reading]) -> Tables:
    """Fig 1's numbers under other readings."""
    return _measured(contrast, task, run, readings)


def two_layer_net(task: Task, run: TwoLayer, readings: list[Reading]) -> Tables:
    """Those of Fig 2 and Theorem 3.1."""
    return _measured(two_layer, task, run, readings)


def fluctuation_inversion(task: Task, run: Inversion, readings: list[Reading]) -> Tables:
    """Those of Fig 5, mid."""
    return _measured(inversion, task, run, readings)


def theorem41(task: Task, run: Subnetworks, readings: list[Reading]) -> Tables:
    """Those of Theorem 4.1."""
    return _measured(subnetworks, task, run, readings)


def _measured(
    study: Callable[..., Tables],
    task: Task,
    run: Plane | TwoLayer | Inversion | Subnetworks,
    readings: list[Reading],
) -> Tables:
    """The quantities of a study under each reading but the base, which the study itself measures.

    A reading under which chains overflow or a net diverges is logged and left out.
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
        raise MeasureError(f"no reading of {run.kind} could be measured: see the log")
    return {"readings": pd.concat(parts, ignore_index=True)}
