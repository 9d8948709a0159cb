"""Remark 13 by D itself: does the diffusion matrix stay what it is while the weights move?

Compared are the instants of one training with its end, beside two baselines: other seeds at the end, where
nothing is shared but data and architecture, and the first epoch, when the weights have just begun to move.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from sgdiffusion.config.models import Training
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.measures.noise.alignment import Noise, cosine, noise, overlap
from sgdiffusion.measures.noise.gradients import Data, PerExampleGradients
from sgdiffusion.measures.statistics.intervals import geometric_mean_interval, mean_interval
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.task import Task

Array = NDArray[np.float64]
DIRECTIONS = 10  # one for each class: the gradients of a class share their largest part
CONSTANCY_COLUMNS = {
    "kind": "training: an instant of one seed and its end; seeds: two seeds at the end",
    "seed": "first matrix's seed",
    "other_seed": "second matrix's seed",
    "fraction": "first matrix's instant, share of the training",
    "other_fraction": "second matrix's instant",
    "cosine": "Tr AB/(‖A‖‖B‖) of the two matrices",
    "overlap": f"share that the subspaces of the {DIRECTIONS} largest eigenvalues have in common",
    "trace_ratio": "Tr A/Tr B",
}


Measured = tuple[Noise, Array]  # D and its leading directions


def measured(module: nn.Module, data: Data) -> Measured:
    found = noise(PerExampleGradients(module, data))
    return found, found.leading(DIRECTIONS)


def alike(first: Measured, second: Measured) -> tuple[float, float, float]:
    """Cosine, overlap and ratio of traces of two matrices."""
    (a, v), (b, w) = first, second
    return cosine(a, b), overlap(v, w), a.trace() / b.trace()


def constancy_table(checkpoints: Mapping[int, Mapping[float, nn.Module]], data: Data) -> pd.DataFrame:
    """Every instant of each seed against its end, and every pair of seeds at the end."""
    rows: list[tuple[Any, ...]] = []
    ends: dict[int, Measured] = {}
    for seed, instants in checkpoints.items():
        *earlier, last = sorted(instants)
        ends[seed] = measured(instants[last], data)
        for fraction in earlier:
            found = alike(measured(instants[fraction], data), ends[seed])
            rows.append(("training", seed, seed, fraction, last, *found))
    for (seed, a), (other, b) in itertools.combinations(ends.items(), 2):
        rows.append(("seeds", seed, other, 1.0, 1.0, *alike(a, b)))
    return table_of(rows)


def table_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """The table of comparisons, its columns documented."""
    return documented(rows, CONSTANCY_COLUMNS)


def quantities(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """`<name>.cosine_20_100` …, `.overlap_…`, `.trace_ratio_…` over seeds; `…_seeds` over pairs of seeds."""
    rows = []
    training = table[table["kind"] == "training"]
    for (first, last), part in training.groupby(["fraction", "other_fraction"]):
        label = f"{100 * float(first):g}_{100 * float(last):g}"  # type: ignore[arg-type]
        rows += [
            estimated(f"{name}.cosine_{label}", mean_interval(part["cosine"])),
            estimated(f"{name}.overlap_{label}", mean_interval(part["overlap"])),
            estimated(f"{name}.trace_ratio_{label}", geometric_mean_interval(part["trace_ratio"])),
        ]
    between = table[table["kind"] == "seeds"]
    for column in ("cosine", "overlap") if len(between) else ():
        found = mean_interval(between[column])
        rows.append(estimated(f"{name}.{column}_seeds", found, over="pairs of seeds"))
    return pd.DataFrame(rows)


def measure(task: Task, run: Training, data: Prepared, checkpoints: list[Path]) -> dict[str, pd.DataFrame]:
    """D at the instants of every seed of a training, compared as matrices (Remark 13)."""
    chosen = subset(data, run.data.n_train)
    instants = {
        seed: {f: module.to(task.device) for f, module in stored.modules(path).items()}
        for seed, path in enumerate(checkpoints)
    }
    table = constancy_table(instants, (chosen.x_train, chosen.y_train))
    return {"constancy": table, "quantities": quantities(table, task.wildcards["run"])}
