"""A study of Ziyin, Li & Ueda (2025) under the other readings of what the paper leaves open."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

import pandas as pd

from sgdiffusion.config.readings import BASE, Reading
from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.settings import Simulation

Tables = dict[str, pd.DataFrame]
S = TypeVar("S", bound=Simulation)


def varied(run: S, readings: list[Reading]) -> Iterator[tuple[str, S]]:
    """Each reading but the base, which the study itself measures: its name and the settings under it."""
    for reading in readings:
        if reading.name != BASE:
            yield reading.name, type(run).model_validate(reading.applied(run.model_dump(mode="json")))


def measured(study: Callable[..., Tables], task: Task, run: Simulation, readings: list[Reading]) -> Tables:
    """The quantities of a study whose arguments are the run's settings, under each reading but the base.

    The function of each study that calls this stands in the study's module: an edit of one makes stale its
    own readings alone, and readings of chains need not import what trains networks.
    """
    calls = (
        (name, partial(study, **settings.arguments(), seed=task.root_seed, threads=task.threads))
        for name, settings in varied(run, readings)
    )
    return joined(task, calls)


def joined(task: Task, calls: Iterable[tuple[str, Callable[[], Tables]]]) -> Tables:
    """The quantities that each call gives, by reading; one whose chains overflow is logged and left out."""
    parts = []
    for name, call in calls:
        try:
            found = call()["quantities"]
        except MeasureError as error:
            task.log.warning("%s cannot be measured: %s", name, error)
            continue
        parts.append(found.assign(reading=name))
        task.log.info("%s measured", name)
    if not parts:
        raise MeasureError("no reading could be measured: see the log")
    return {"readings": pd.concat(parts, ignore_index=True)}
