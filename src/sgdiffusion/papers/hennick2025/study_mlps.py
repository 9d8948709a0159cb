"""The designed runs on MNIST in the workflow: training, coefficients, comparison (Fig 2, Table 4)."""

from dataclasses import replace
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.config.models import Data
from sgdiffusion.config.readings import Reading
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.papers.hennick2025 import design
from sgdiffusion.papers.hennick2025.coefficients import COLUMNS, sensitivity_quantities
from sgdiffusion.papers.hennick2025.readings import (
    Designed,
    both_optimisers,
    chains_of,
    collected,
    flagged,
    other_chains,
)
from sgdiffusion.papers.hennick2025.settings import MlpDesign, MlpRuns, MlpTraining
from sgdiffusion.papers.tables import documented
from sgdiffusion.papers.task import Task

Arrays = dict[str, NDArray[Any]]
Tables = dict[str, pd.DataFrame]


def train(
    task: Task, optimiser: str, images: Data, plan: MlpDesign, training: MlpTraining, data: Prepared
) -> dict[str, Arrays]:
    """One part of the designed runs of one optimiser: all nets of one architecture."""
    chosen = subset(data, images.n_train)
    table = design.design(optimiser, plan, task.root_seed)  # type: ignore[arg-type]
    part = table[table["part"] == int(task.wildcards["part"])]
    examples = design.as_data(chosen.x_train, chosen.y_train)
    return {"trained": design.pack(list(design.train_part(part, examples, training, task.log.info)))}


def measure(task: Task, images: Data, run: MlpRuns, data: Prepared, trained: Arrays) -> Tables:
    """Learning coefficients along one part of the runs, and the runs' ends at every length."""
    seen, test = _examples(images, data)
    found: dict[str, list[pd.DataFrame]] = {"coefficients": [], "evaluations": []}
    for group in design.unpack(trained):
        found["coefficients"].append(_coefficients(task, group, seen, run))
        for length in run.training.lengths:
            ends = design.evaluate(group, seen, test, length, run.training.checkpoints)
            found["evaluations"].append(ends)
        task.log.info("runs %d to %d measured", group.runs[0], group.runs[-1])
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def _examples(images: Data, data: Prepared) -> tuple[Examples, Examples]:
    """For training and for the test."""
    chosen = subset(data, images.n_train, images.n_test)
    return design.as_data(chosen.x_train, chosen.y_train), design.as_data(chosen.x_test, chosen.y_test)


def _coefficients(task: Task, group: design.Group, train: Examples, run: MlpRuns) -> pd.DataFrame:
    """λ̂ along the runs of a group, by the chains and at the length of these settings."""
    seed = streams.seed(
        task.root_seed, "hennick2025", task.wildcards["run"], int(group.runs[0]), "coefficients"
    )
    cut = group.until(run.length, run.training.checkpoints)
    return design.measure_coefficients(cut, train, run.coefficients, seed=seed)


def vary(
    task: Task, images: Data, run: MlpRuns, readings: list[Reading], data: Prepared, trained: Arrays
) -> Tables:
    """Learning coefficients along some runs of one part by the chains of every other reading."""
    seen, _ = _examples(images, data)
    parts = []
    for group in design.unpack(trained):
        some = group.only(design.spread_over(group.runs, run.readings_every))
        for chains, settings in other_chains(run, readings).items():
            if len(some.runs):
                parts.append(_coefficients(task, some, seen, settings).assign(chains_of=chains))
        task.log.info("runs %s measured", some.runs.tolist())
    empty = documented([], design.KEYS | COLUMNS | {"chains_of": "see readings.chains_of"})
    return {"varied": pd.concat(parts, ignore_index=True) if parts else empty}


def collect(task: Task, plans: dict[str, MlpRuns], readings: list[Reading], **inputs: Any) -> Tables:
    """Joins the parts of the runs of both optimisers and reads them: as the runs' settings say, and as every
    reading does.

    The inputs are lists over the parts, <name>_<optimiser>.
    """
    both = [_designed(task, name, plan, inputs) for name, plan in plans.items()]

    def measured(reading: Reading) -> tuple[pd.DataFrame, float]:
        found = both_optimisers(both, reading)
        return found["quantities"], flagged(found["coefficients"])

    tables, rows = both_optimisers(both), collected(readings, measured, task.log)
    changes = {d.name: d.sensitivity(readings) for d in both}
    own = [sensitivity_quantities(table, name) for name, table in changes.items()]
    tables["quantities"] = pd.concat([tables["quantities"], *own], ignore_index=True)
    tables["sensitivity"] = pd.concat(list(changes.values()), ignore_index=True)
    return {**tables, "readings": rows}


def _designed(task: Task, name: str, plan: MlpRuns, inputs: dict[str, Any]) -> Designed:
    """What the inputs hold of the runs of one optimiser."""
    files = {
        key.removesuffix(f"_{plan.optimiser}"): v for key, v in inputs.items() if key.endswith(plan.optimiser)
    }
    base, varied, ends = (
        pd.concat(files[k], ignore_index=True) for k in ("coefficients", "varied", "evaluations")
    )
    chains = dict(list(varied.groupby("chains_of"))) | {chains_of(plan): base}
    # the weights are measured by now, and gigabytes
    groups = [
        replace(g, kept=g.kept[:, :, :0].copy()) for arrays in files["trained"] for g in design.unpack(arrays)
    ]
    table = design.design(plan.optimiser, plan.design, task.root_seed)
    return Designed(name, plan, table, groups, chains, ends)
