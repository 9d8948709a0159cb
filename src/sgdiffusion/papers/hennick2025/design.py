"""The designed runs on MNIST (Hennick & De Baerdemacker 2025, Fig. 2, Table 4, appendix): which nets, their
training in batched groups, and the learning coefficient along each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion import networks, streams
from sgdiffusion.dynamics.chains.averages import accuracy, average_loss
from sgdiffusion.dynamics.ensembles.batched import Batched, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import Optimiser, Trained, log_steps, train
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError, DataError
from sgdiffusion.papers.hennick2025.coefficients import (
    COLUMNS,
    SENSITIVITY_COLUMNS,
    Progress,
    coefficient_table,
    points_of,
    sensitivity_table,
)
from sgdiffusion.papers.hennick2025.settings import Langevin, MlpDesign, MlpTraining, Sensitivity
from sgdiffusion.papers.tables import documented

Array = NDArray[np.float64]
_GOLDEN = (np.sqrt(5) - 1) / 2
_TEST_BATCH = 1000

DESIGN_COLUMNS = {
    "part": "number of the architecture: width × depth",
    "run": "number of the run, unique within an optimiser",
    "optimiser": "sgd (plain) or adam",
    "width": "units of each hidden layer",
    "depth": "hidden layers",
    "batch_size": "examples per step",
    "rate": "learning rate",
    "seed": "of initial weights and order of examples",
}


def design(optimiser: Optimiser, plan: MlpDesign, root_seed: int) -> pd.DataFrame:
    """Every width × depth × batch size, each with `rates_per_cell` learning rates.

    The rates are spread over [lowest, highest] on a logarithmic scale: one in each of as many equal strata,
    at a place inside that moves from cell to cell by the golden ratio. So rate and the factors are nearly
    uncorrelated, and every part of the range is used in every marginal.
    """
    if not plan.lowest_rate < plan.highest_rate:
        raise ConfigError(
            f"a design needs lowest_rate < highest_rate, found {plan.lowest_rate} and {plan.highest_rate}"
        )
    rows: list[tuple[Any, ...]] = []
    shapes = [(w, d) for w in plan.widths for d in plan.depths]
    cells = [(part, b) for part in range(len(shapes)) for b in plan.batch_sizes]
    for cell, (part, batch) in enumerate(cells):
        inside = (0.5 + cell * _GOLDEN) % 1
        for stratum in range(plan.rates_per_cell):
            place = (stratum + inside) / plan.rates_per_cell
            rate = float(plan.lowest_rate * (plan.highest_rate / plan.lowest_rate) ** place)
            run = len(rows)
            seed = streams.seed(root_seed, "hennick2025", optimiser, run)
            rows.append((part, run, optimiser, *shapes[part], batch, rate, seed))
    return documented(rows, DESIGN_COLUMNS)


@dataclass(frozen=True)
class Group:
    """Trained runs of one architecture and batch size, as arrays."""

    runs: NDArray[np.int64]
    width: int
    depth: int
    steps: NDArray[np.int64]
    displacements: Array
    """[runs, records]."""
    kept_steps: NDArray[np.int64]
    kept: NDArray[np.float32]
    """[runs, kept, d]; the last is the end."""


_GROUP_ARRAYS = ("runs", "steps", "displacements", "kept_steps", "kept")


def pack(groups: Sequence[Group]) -> dict[str, NDArray[Any]]:
    """All groups as the arrays of one npz file."""
    out: dict[str, NDArray[Any]] = {"shapes": np.array([(g.width, g.depth) for g in groups])}
    for i, group in enumerate(groups):
        out |= {f"{name}_{i}": np.asarray(getattr(group, name)) for name in _GROUP_ARRAYS}
    return out


def unpack(arrays: Mapping[str, NDArray[Any]]) -> list[Group]:
    """The groups of a file."""
    if "shapes" not in arrays:
        raise DataError("a file of trained groups lacks the array shapes: train the design again")
    return [
        Group(width=int(w), depth=int(d), **{name: arrays[f"{name}_{i}"] for name in _GROUP_ARRAYS})
        for i, (w, d) in enumerate(arrays["shapes"])
    ]


def network(inputs: int, classes: int, width: int, depth: int, seed: int) -> nn.Module:
    """ReLU perceptron with batch-norm before each activation."""
    generator = torch.Generator().manual_seed(seed)
    return networks.build(
        "mlp", in_shape=(inputs,), classes=classes, generator=generator, width=width, depth=depth
    )


def as_data(x: NDArray[Any], y: NDArray[Any]) -> Examples:
    """Images as rows, labels."""
    flat = np.ascontiguousarray(np.asarray(x, dtype=np.float32).reshape(len(x), -1))
    return Examples(torch.from_numpy(flat), torch.from_numpy(np.asarray(y, dtype=np.int64).copy()))


def train_part(
    table: pd.DataFrame, data: Examples, plan: MlpTraining, progress: Callable[[str], None] | None = None
) -> Iterator[Group]:
    """The runs of one part of a design in batched groups: those of one batch size are one computation.

    Every run takes the same number of steps, whatever its batch size, so that all have one time axis.
    """
    classes = int(data.y.max()) + 1
    keep = sorted({max(1, round(f * plan.steps)) for f in plan.checkpoints} | {plan.steps})
    for _, part in table.groupby(["width", "depth", "batch_size"]):
        width, depth, batch = (int(part[c].iloc[0]) for c in ("width", "depth", "batch_size"))
        if batch > len(data):
            raise ConfigError(f"batch size {batch} is larger than the {len(data)} examples")
        seeds = part["seed"].tolist()
        nets = [network(data.x.shape[1], classes, width, depth, s) for s in seeds]
        trained = train(
            batched(nets[0], statistics="batch"),
            data,
            stack(nets),
            part["optimiser"].iloc[0],
            steps=plan.steps,
            rates=part["rate"].to_numpy(copy=True),
            batch_sizes=part["batch_size"].to_numpy(copy=True),
            seeds=[s ^ 1 for s in seeds],
            record=log_steps(plan.steps),
            keep=keep,
        )
        if progress is not None:
            progress(f"trained {len(part)} nets of {depth} × {width}, batch {batch}")
        yield _group(part, width, depth, trained)


def _group(part: pd.DataFrame, width: int, depth: int, trained: Trained) -> Group:
    return Group(
        runs=part["run"].to_numpy(),
        width=width,
        depth=depth,
        steps=trained.steps,
        displacements=trained.displacements,
        kept_steps=trained.kept_steps,
        kept=trained.kept.numpy(),
    )


KEYS = {"run": "number of the run", "step": "training steps"}


def measure_coefficients(
    group: Group, data: Examples, plan: Langevin, *, seed: int, progress: Progress | None = None
) -> pd.DataFrame:
    """λ̂ of every run of a group at every kept step; runs that diverged are left out.

    Batch-norm uses the statistics of the chain's mini-batches, as in training: the loss then has the
    rescaling symmetries of the net that was trained.
    """
    alive = np.isfinite(group.kept).all(axis=(1, 2))
    if not alive.any():
        return documented([], KEYS | COLUMNS)
    points = points_of(group.kept[alive])
    table = coefficient_table(group_net(group, data), data, points, plan, seed=seed, progress=progress)
    order = pd.MultiIndex.from_product([group.runs[alive], group.kept_steps], names=["run", "step"])
    return documented(pd.concat([order.to_frame(index=False), table], axis=1), KEYS | COLUMNS)


def measure_sensitivity(
    group: Group,
    data: Examples,
    plan: Langevin,
    changes: Sequence[Sensitivity],
    *,
    every: int,
    seed: int,
) -> pd.DataFrame:
    """λ̂ at the end of every `every`-th run under other settings; column `point` is the run."""
    chosen = (group.runs % every == 0) & np.isfinite(group.kept).all(axis=(1, 2))
    if not chosen.any():
        return documented([], SENSITIVITY_COLUMNS)
    points = points_of(group.kept[chosen, -1:])
    table = sensitivity_table(group_net(group, data), data, points, plan, changes, seed=seed)
    return documented(table.assign(point=group.runs[chosen][table["point"]]), SENSITIVITY_COLUMNS)


def group_net(group: Group, data: Examples) -> Batched:
    """The batched net of a group's architecture."""
    net = network(data.x.shape[1], int(data.y.max()) + 1, group.width, group.depth, 0)
    return batched(net, statistics="batch")


EVALUATION_COLUMNS = {
    "run": "number of the run",
    "train_loss": "mean cross-entropy over the training set at the end, nats, batch-norm by batches of 1000",
    "test_accuracy": "share of the test set classified rightly at the end, batch-norm by batches of 1000",
    "displacement": "R at the end",
    "diverged": "whether the weights ended infinite",
}


def evaluate(group: Group, data: Examples, test: Examples) -> pd.DataFrame:
    """Loss, accuracy and displacement of a group's runs at the end."""
    net, theta = group_net(group, data), torch.from_numpy(group.kept[:, -1])
    batch = min(_TEST_BATCH, len(data), len(test))
    facts: dict[str, Tensor] = {
        "train_loss": average_loss(net, data.x, data.y, theta, batch=batch),
        "test_accuracy": accuracy(net, test.x, test.y, theta, batch=batch),
    }
    return documented(
        {
            "run": group.runs,
            **{k: v.numpy() for k, v in facts.items()},
            "displacement": group.displacements[:, -1],
            "diverged": ~np.isfinite(group.kept[:, -1]).all(axis=1),
        },
        EVALUATION_COLUMNS,
    )
