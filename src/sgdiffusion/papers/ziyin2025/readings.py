"""The studies of Ziyin, Li & Ueda (2025) under the other readings of what the paper leaves open."""

from collections.abc import Callable, Mapping

import pandas as pd

from sgdiffusion.config.readings import BASE, Reading
from sgdiffusion.errors import MeasureError, TrainingError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.balance import two_layer
from sgdiffusion.papers.ziyin2025.plane import contrast
from sgdiffusion.papers.ziyin2025.settings import Inversion, Plane, Subnetworks, TwoLayer
from sgdiffusion.papers.ziyin2025.subnetworks import subnetworks
from sgdiffusion.papers.ziyin2025.tanh import inversion

STUDIES: Mapping[str, Callable[..., dict[str, pd.DataFrame]]] = {
    "plane": contrast, "two-layer": two_layer, "inversion": inversion, "subnetworks": subnetworks,
}  # fmt: skip


def measure(
    task: Task, run: Plane | TwoLayer | Inversion | Subnetworks, readings: list[Reading]
) -> dict[str, pd.DataFrame]:
    """The quantities of a study under each reading but the base, which the study itself measures.

    A reading under which chains overflow or a net diverges is logged and left out.
    """
    parts = []
    for reading in readings:
        if reading.name == BASE:
            continue
        settings = type(run).model_validate(reading.applied(run.model_dump(mode="json")))
        try:
            found = STUDIES[run.kind](**settings.arguments(), seed=task.root_seed, threads=task.threads)
        except (MeasureError, TrainingError) as error:
            task.log.warning("%s cannot be measured: %s", reading.name, error)
            continue
        parts.append(found["quantities"].assign(reading=reading.name))
        task.log.info("%s measured", reading.name)
    if not parts:
        raise MeasureError(f"no reading of {run.kind} could be measured: see the log")
    return {"readings": pd.concat(parts, ignore_index=True)}
