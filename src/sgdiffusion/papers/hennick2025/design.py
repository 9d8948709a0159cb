"""The designed runs on MNIST (Hennick & De Baerdemacker 2025, Fig. 2, Table 4, appendix): which nets, their
training in batched groups, and the learning coefficient along each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from sgdiffusion import networks, streams
from sgdiffusion.dynamics.chains.averages import accuracy, average_loss, with_statistics
from sgdiffusion.dynamics.ensembles.batched import Batched, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import Optimiser, Trained, log_steps, train
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError, DataError
from sgdiffusion.papers.hennick2025.coefficients import COLUMNS, Progress, coefficient_table, points_of
from sgdiffusion.papers.hennick2025.settings import Langevin, MlpDesign, MlpTraining
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
    ends: dict[str, int]
    """Steps of every length."""

    def until(self, length: str, checkpoints: Sequence[float]) -> "Group":
        """The same runs as one of the shorter trainings would have left them, with its checkpoints."""
        last = self.ends[length]
        recorded = self.steps <= last
        at = np.isin(self.kept_steps, _at(checkpoints, last))
        return replace(
            self,
            steps=self.steps[recorded],
            displacements=self.displacements[:, recorded],
            kept_steps=self.kept_steps[at],
            kept=self.kept[:, at],
        )

    def only(self, runs: NDArray[np.int64]) -> "Group":
        """Those of its runs that are among `runs`."""
        chosen = np.isin(self.runs, runs)
        return replace(
            self,
            runs=self.runs[chosen],
            displacements=self.displacements[chosen],
            kept=self.kept[chosen],
        )


_GROUP_ARRAYS = ("runs", "steps", "displacements", "kept_steps", "kept")


def _at(checkpoints: Sequence[float], last: int) -> list[int]:
    """Steps of the checkpoints of a training of `last` steps."""
    return sorted({max(1, round(f * last)) for f in checkpoints} | {last})


def pack(groups: Sequence[Group]) -> dict[str, NDArray[Any]]:
    """All groups as the arrays of one npz file."""
    out: dict[str, NDArray[Any]] = {
        "shapes": np.array([(g.width, g.depth) for g in groups]),
        "lengths": np.array(list(groups[0].ends)),
        "ends": np.array([list(g.ends.values()) for g in groups]),
    }
    for i, group in enumerate(groups):
        out |= {f"{name}_{i}": np.asarray(getattr(group, name)) for name in _GROUP_ARRAYS}
    return out


def unpack(arrays: Mapping[str, NDArray[Any]]) -> list[Group]:
    """The groups of a file."""
    if missing := [name for name in ("shapes", "lengths", "ends") if name not in arrays]:
        raise DataError(f"a file of trained groups lacks the array {missing[0]}: train the design again")
    lengths = [str(name) for name in arrays["lengths"]]
    groups = []
    for i, (w, d) in enumerate(arrays["shapes"]):
        own = {name: arrays[f"{name}_{i}"] for name in _GROUP_ARRAYS}
        ends = dict(zip(lengths, arrays["ends"][i].tolist(), strict=True))
        groups.append(Group(width=int(w), depth=int(d), ends=ends, **own))
    return groups


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

    One training goes to the longest of the plan's lengths and serves all: it keeps the checkpoints of each,
    and a shorter training with the same seed is its beginning.
    """
    classes = int(data.y.max()) + 1
    for _, part in table.groupby(["width", "depth", "batch_size"]):
        width, depth, batch = (int(part[c].iloc[0]) for c in ("width", "depth", "batch_size"))
        if batch > len(data):
            raise ConfigError(f"batch size {batch} is larger than the {len(data)} examples")
        ends = {name: length.at(batch, len(data)) for name, length in plan.lengths.items()}
        longest = max(ends.values())
        seeds = part["seed"].tolist()
        nets = [network(data.x.shape[1], classes, width, depth, s) for s in seeds]
        trained = train(
            batched(nets[0], statistics="batch"),
            data,
            stack(nets),
            part["optimiser"].iloc[0],
            steps=longest,
            rates=part["rate"].to_numpy(copy=True),
            batch_sizes=part["batch_size"].to_numpy(copy=True),
            seeds=[s ^ 1 for s in seeds],
            record=np.union1d(log_steps(longest), list(ends.values())),
            keep=sorted({step for last in ends.values() for step in _at(plan.checkpoints, last)}),
        )
        if progress is not None:
            progress(f"trained {len(part)} nets of {depth} × {width}, batch {batch}, {longest} steps")
        yield _group(part, width, depth, ends, trained)


def _group(part: pd.DataFrame, width: int, depth: int, ends: dict[str, int], trained: Trained) -> Group:
    return Group(
        runs=part["run"].to_numpy(),
        width=width,
        depth=depth,
        ends=ends,
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
    rescaling symmetries of the net that was trained. With the running ones of each w* it has not.
    """
    alive = np.isfinite(group.kept).all(axis=(1, 2))
    if not alive.any():
        return documented([], KEYS | COLUMNS)
    points = points_of(group.kept[alive])
    if plan.batch_norm == "batch":
        table = coefficient_table(group_net(group, data), data, points, plan, seed=seed, progress=progress)
    else:
        table = _with_own_statistics(group, data, points, plan, seed)
    order = pd.MultiIndex.from_product([group.runs[alive], group.kept_steps], names=["run", "step"])
    return documented(pd.concat([order.to_frame(index=False), table], axis=1), KEYS | COLUMNS)


def _with_own_statistics(
    group: Group, data: Examples, points: Tensor, plan: Langevin, seed: int
) -> pd.DataFrame:
    """λ̂ in evaluation mode, one weight vector after the other: each has statistics of its own."""
    net, parts = network(data.x.shape[1], int(data.y.max()) + 1, group.width, group.depth, 0), []
    for i, point in enumerate(points):
        vector_to_parameters(point.clone(), net.parameters())
        own = batched(with_statistics(net, data.x), statistics="running")
        parts.append(coefficient_table(own, data, point[None], plan, seed=seed + i))
    return pd.concat(parts, ignore_index=True)


def spread_over(runs: NDArray[np.int64], every: int) -> NDArray[np.int64]:
    """About one in `every` of the runs, spread evenly over cells and rates by the golden ratio."""
    return runs[(runs + 0.5) * _GOLDEN % 1 < 1 / every]


def group_net(group: Group, data: Examples) -> Batched:
    """The batched net of a group's architecture."""
    net = network(data.x.shape[1], int(data.y.max()) + 1, group.width, group.depth, 0)
    return batched(net, statistics="batch")


EVALUATION_COLUMNS = {
    "run": "number of the run",
    "length": "name of the length it was trained to",
    "train_loss": "mean cross-entropy over the training set at the end, nats, batch-norm by batches of 1000",
    "test_accuracy": "share of the test set classified rightly at the end, batch-norm by batches of 1000",
    "accuracy_gain": "of the training set, from the first checkpoint of the second half to the end",
    "displacement": "R at the end",
    "diverged": "whether the weights ended infinite",
}


def evaluate(
    group: Group, data: Examples, test: Examples, length: str, checkpoints: Sequence[float]
) -> pd.DataFrame:
    """Loss, accuracies and displacement of a group's runs at the end of one length."""
    cut, net = group.until(length, checkpoints), group_net(group, data)
    batch = min(_TEST_BATCH, len(data), len(test))
    half = int(np.searchsorted(cut.kept_steps, cut.ends[length] / 2))
    theta, before = (torch.from_numpy(np.ascontiguousarray(cut.kept[:, i])) for i in (-1, half))
    own = {i: accuracy(net, data.x, data.y, t, batch=batch) for i, t in enumerate((before, theta))}
    facts: dict[str, Tensor] = {
        "train_loss": average_loss(net, data.x, data.y, theta, batch=batch),
        "test_accuracy": accuracy(net, test.x, test.y, theta, batch=batch),
        "accuracy_gain": own[1] - own[0],
    }
    return documented(
        {
            "run": group.runs,
            "length": length,
            **{k: v.numpy() for k, v in facts.items()},
            "displacement": cut.displacements[:, -1],
            "diverged": ~np.isfinite(cut.kept[:, -1]).all(axis=1),
        },
        EVALUATION_COLUMNS,
    )
