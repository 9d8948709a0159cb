"""Fig 5 right of Ziyin, Li & Ueda (2025): tanh nets of several depths, trained over a grid of learning rates.

Rates and depths are powers of two, so that the same trainings give both cuts: at a fixed learning rate η,
and at a fixed ηD as the infinite-depth limit asks for. That limit keeps dS/(Dη), so that a fixed η with a
width in proportion to the depth is its third cut. Cuts in which a net has failed, with a
test error beyond `failed`, say nothing of depth.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sgdiffusion import networks
from sgdiffusion.config.readings import Reading
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError
from sgdiffusion.measures.statistics.intervals import mean_interval
from sgdiffusion.papers.tables import documented, estimated, finite_quantities, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import Array, named_seed
from sgdiffusion.papers.ziyin2025.readings import Tables, joined, varied
from sgdiffusion.papers.ziyin2025.settings import DepthScaling

Init = Literal["torch", "xavier"]
SLOWEST = 3  # octaves above the lowest rate from which nets of a width in proportion to D are trained

COLUMNS = {
    "shape": "constant: one width; proportional: width in proportion to D",
    "depth": "D, hidden layers",
    "width": "units of a layer",
    "rate": "learning rate η",
    "scaled_rate": "η D",
    "seed": "of initial weights and batches",
    "test_error": "share of wrong test images at the end (a net with infinite weights counts as 1)",
    "diverged": "whether the weights ended infinite",
}


def _errors(net: BatchedMlp, theta: Tensor, data: Prepared) -> Array:
    """Test error of every net, in pieces of the test set; 1 where the outputs are not finite."""
    x, y = torch.from_numpy(data.x_test), torch.from_numpy(data.y_test)
    wrong = torch.zeros(len(theta))
    for i in range(0, len(x), 500):
        outputs = net.outputs(theta, x[None, i : i + 500])
        right = (outputs.argmax(-1) == y[i : i + 500]) & torch.isfinite(outputs).all(-1)
        wrong += (~right).sum(1)
    return np.asarray(wrong.double() / len(x))


def _train_depth(
    data: Prepared,
    depth: int,
    width: int,
    rates: Sequence[float],
    seeds: int,
    init: Init,
    batch: int,
    epochs: int,
    root: int,
) -> pd.DataFrame:
    grid = list(product(rates, range(seeds)))
    nets = [
        networks.build(
            "deep-tanh", in_shape=data.x_train.shape[1:], classes=data.meta["classes"], width=width,
            depth=depth, init=init,
            generator=torch.Generator().manual_seed(named_seed(root, "depths", depth, s)),
        )
        for _, s in grid
    ]  # fmt: skip
    net = BatchedMlp(nets[0], "cross-entropy")
    images = Examples(torch.from_numpy(data.x_train), torch.from_numpy(data.y_train))
    trained = ensemble.train(
        net, images, stack(nets), "sgd", steps=epochs * (len(images) // batch),
        rates=[rate for rate, _ in grid], batch_sizes=[batch] * len(grid),
        seeds=[named_seed(root, "depths", "batches", depth, s) for _, s in grid],
        record=np.array([1]),
    )  # fmt: skip
    error = _errors(net, trained.theta, data)
    return pd.DataFrame(
        {"shape": "constant", "depth": depth, "width": width, "rate": [r for r, _ in grid],
         "scaled_rate": [r * depth for r, _ in grid],
         "seed": [s for _, s in grid], "test_error": np.where(trained.diverged, 1.0, error),
         "diverged": trained.diverged}
    )  # fmt: skip


def trained_errors(data: Prepared, run: DepthScaling, root_seed: int) -> pd.DataFrame:
    """Test errors over depths, rates η = lowest · 2^j and seeds, at one width and at widths ∝ D."""
    if any(d & (d - 1) for d in run.depths) or 2 ** (run.octaves - 1) <= max(run.depths):
        raise ConfigError(f"depths must be powers of two below 2^{run.octaves - 1}, found {run.depths}")
    chosen = subset(data, run.data.n_train, run.data.n_test)
    if len(chosen.x_train) < run.batch:
        raise ConfigError(
            f"batch {run.batch} is larger than the training set of {len(chosen.x_train)} images"
        )
    rates = [run.lowest_rate * 2.0**j for j in range(run.octaves)]
    common = (run.seeds, run.init, run.batch, run.epochs, root_seed)
    parts = [_train_depth(chosen, d, run.width, rates, *common) for d in run.depths]
    for depth in run.depths:
        wide = _train_depth(chosen, depth, run.width_per_depth * depth, rates[SLOWEST:], *common)
        parts.append(wide.assign(shape="proportional"))
    return documented(pd.concat(parts, ignore_index=True), COLUMNS)


def train(task: Task, run: DepthScaling, data: Prepared) -> Tables:
    """Trains tanh nets of several depths on images, over learning rates and seeds, and tests them."""
    task.seeds.extend(range(run.seeds))
    return {"errors": trained_errors(data, run, task.root_seed)}


def train_readings(task: Task, run: DepthScaling, readings: list[Reading], data: Prepared) -> Tables:
    """The same under every other reading that trains in another way."""
    task.seeds.extend(range(run.seeds))
    parts = []
    for name, settings in varied(run, readings):
        if settings.model_copy(update={"failed": run.failed}) != run:
            parts.append(trained_errors(data, settings, task.root_seed).assign(reading=name))
            task.log.info("%s trained", name)
    columns = COLUMNS | {"reading": "under which the nets were trained"}
    return {"errors": documented(pd.concat(parts, ignore_index=True) if parts else [], columns)}


def measure(task: Task, run: DepthScaling, errors: pd.DataFrame) -> Tables:
    """Fig 5 right: how far the depths differ in each cut."""
    return {"quantities": finite_quantities(_quantities(errors, run.failed))}


def depth_readings(
    task: Task, run: DepthScaling, readings: list[Reading], errors: pd.DataFrame, trained: pd.DataFrame
) -> Tables:
    """The same under other readings: by their own nets, `trained`, or by those of the run, `errors`."""
    own = dict(list(trained.groupby("reading")))
    calls = (
        (name, partial(measure, task, settings, own.get(name, errors)))
        for name, settings in varied(run, readings)
    )
    return joined(task, calls)


def depth_range(table: pd.DataFrame, by: str, values: Array) -> pd.Series:
    """Largest minus smallest test error over the depths, per seed, averaged over the given values of `by`."""
    cut = table[table[by].isin(values)].groupby(["seed", by])["test_error"]
    return (cut.max() - cut.min()).groupby("seed").mean()


def _sound(table: pd.DataFrame, by: str, failed: float) -> set[float]:
    """Values of `by` at which there are nets of every depth and none has failed."""
    cut = table.groupby(by)
    whole = cut["depth"].nunique() == table["depth"].nunique()
    return set(whole.index[whole & (cut["test_error"].max() <= failed)])


def _quantities(table: pd.DataFrame, failed: float) -> list[dict[str, Any]]:
    """How far the depths differ when all have the same η, when each has η/D, and with widths in proportion.

    Over the η of the shallowest net (at D = 1 the cuts agree) at which no net of any cut has failed.
    """
    constant, wide = (table[table["shape"] == s] for s in ("constant", "proportional"))
    cuts = {"fixed": (constant, "rate"), "scaled": (constant, "scaled_rate"), "proportional": (wide, "rate")}
    values = np.array(sorted(set.intersection(*(_sound(*cut, failed) for cut in cuts.values()))))
    rows = [quantity("fig5c.sound_cuts", len(values))]
    if not len(values):
        return rows
    ranges = {name: depth_range(part, by, values) for name, (part, by) in cuts.items()}
    rows += [estimated(f"fig5c.range_{name}", mean_interval(v)) for name, v in ranges.items()]
    for name in ("scaled", "proportional"):
        part, by = cuts[name]
        error = part[part[by].isin(values)].groupby("seed")["test_error"].mean()
        rows.append(estimated(f"fig5c.{name}_over_error", mean_interval(ranges[name] / error)))
        difference = mean_interval(ranges["fixed"] - ranges[name])
        rows.append(estimated(f"fig5c.range_fixed_minus_{name}", difference))
    return rows
