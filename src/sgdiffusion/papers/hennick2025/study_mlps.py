"""The designed runs on MNIST in the workflow: training, coefficients, comparison (Fig 2, Table 4)."""

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.config.models import Data
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.papers.hennick2025 import design, runs
from sgdiffusion.papers.hennick2025.settings import Langevin, MlpDesign, MlpRuns, MlpTraining, Sensitivity
from sgdiffusion.papers.task import Task

Arrays = dict[str, NDArray[Any]]
Tables = dict[str, pd.DataFrame]
MEASURED = ("coefficients", "evaluations", "varied")


def train(
    task: Task, optimiser: str, images: Data, plan: MlpDesign, training: MlpTraining, data: Prepared
) -> dict[str, Arrays]:
    """One part of the designed runs of one optimiser: all nets of one architecture."""
    chosen = subset(data, images.n_train)
    table = design.design(optimiser, plan, task.root_seed)  # type: ignore[arg-type]
    part = table[table["part"] == int(task.wildcards["part"])]
    examples = design.as_data(chosen.x_train, chosen.y_train)
    return {"trained": design.pack(list(design.train_part(part, examples, training, task.log.info)))}


def measure(
    task: Task,
    images: Data,
    plan: Langevin,
    changes: list[Sensitivity],
    every: int,
    data: Prepared,
    trained: Arrays,
) -> Tables:
    """Learning coefficients along one part of the runs, their sensitivity, and the runs' ends."""
    chosen = subset(data, images.n_train, images.n_test)
    train = design.as_data(chosen.x_train, chosen.y_train)
    test = design.as_data(chosen.x_test, chosen.y_test)
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in MEASURED}
    for group in design.unpack(trained):
        names = ("hennick2025", task.wildcards["run"], int(group.runs[0]))
        seed = streams.seed(task.root_seed, *names, "coefficients")
        found["coefficients"].append(design.measure_coefficients(group, train, plan, seed=seed))
        found["evaluations"].append(design.evaluate(group, train, test))
        seed = streams.seed(task.root_seed, *names, "sensitivity")
        varied = design.measure_sensitivity(group, train, plan, changes, every=every, seed=seed)
        found["varied"].append(varied)
        task.log.info("runs %d to %d measured", group.runs[0], group.runs[-1])
    found["varied"] = [t for t in found["varied"] if len(t)] or found["varied"][:1]
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def collect(task: Task, plans: dict[str, MlpRuns], **inputs: Any) -> Tables:
    """Joins the parts of the runs of both optimisers: one row per run, correlations, contrasts.

    The inputs are lists over the parts, <name>_<optimiser>.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    for name, plan in plans.items():
        groups = [g for arrays in inputs[f"trained_{plan.optimiser}"] for g in design.unpack(arrays)]
        coefficients, evaluations, varied = (
            pd.concat(inputs[f"{k}_{plan.optimiser}"], ignore_index=True) for k in MEASURED
        )
        table = design.design(plan.optimiser, plan.design, task.root_seed)
        found = runs.optimiser_tables(table, groups, coefficients, evaluations, varied, plan, name)
        for key, value in found.items():
            parts.setdefault(key, []).append(value)
    tables = {key: pd.concat(values, ignore_index=True) for key, values in parts.items()}
    tables["correlations"] = runs.correlations(tables["runs"])
    contrasts = runs.contrast_quantities(tables["runs"], "mlps")
    rho = runs.correlation_quantities(tables["correlations"])
    return {**tables, "quantities": pd.concat([tables["quantities"], rho, contrasts])}
