"""The ensemble of identical nets on two moons (Hennick & De Baerdemacker 2025): training and storage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion import networks, streams
from sgdiffusion.data.moons import moons
from sgdiffusion.dynamics.ensembles.batched import Batched, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import Trained, log_steps, refuse_total_loss, train
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import DataError
from sgdiffusion.papers.hennick2025.settings import MoonsTraining

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Moons:
    """A trained ensemble as arrays."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    width: int
    depth: int
    theta: NDArray[np.float32]
    """[nets, d] at the end."""
    steps: NDArray[np.int64]
    displacements: Array
    losses: Array
    kept_steps: NDArray[np.int64]
    kept: NDArray[np.float32]
    """[nets, kept, d] along the way."""
    late_steps: NDArray[np.int64]
    late: NDArray[np.float32]
    """[some nets, snapshots, d] evenly in the second half of the training."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For storage in one npz file."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Moons":
        """The ensemble of a file."""
        if missing := [f.name for f in fields(cls) if f.name not in arrays]:
            raise DataError(f"a file of moons nets lacks {', '.join(missing)}: train the ensemble again")
        values: dict[str, Any] = {f.name: arrays[f.name] for f in fields(cls)}
        return cls(**values | {k: int(values[k]) for k in ("width", "depth")})

    def first(self, nets: int) -> "Moons":
        """The first of its nets alone; the snapshots as they are."""
        cut = ("theta", "displacements", "losses", "kept")
        return replace(self, **{name: getattr(self, name)[:nets] for name in cut})

    @property
    def data(self) -> Examples:
        return Examples(torch.from_numpy(self.x), torch.from_numpy(self.y))

    @property
    def net(self) -> Batched:
        return batched(network(self.width, self.depth, 0))


def network(width: int, depth: int, seed: int) -> nn.Module:
    """A fully connected ReLU net without batch-norm, 2 inputs and 2 classes."""
    generator = torch.Generator().manual_seed(seed)
    return networks.build(
        "mlp", in_shape=(2,), classes=2, generator=generator, width=width, depth=depth, batch_norm=False
    )


def train_moons(plan: MoonsTraining, root_seed: int, progress: Progress | None = None) -> Moons:
    """Nets of one architecture on one sample, differing in initial weights and order of examples.

    Weights are kept at the stated fractions of the training; for the first `late_nets` nets also evenly
    through its second half.
    """
    x, y = moons(plan.examples, plan.noise, streams.generator(root_seed, "hennick2025", "moons", "sample"))
    seeds = [streams.seed(root_seed, "hennick2025", "moons", "net", i) for i in range(plan.nets)]
    at = sorted({max(1, round(f * plan.steps)) for f in plan.checkpoints} | {plan.steps})
    late = np.unique(np.linspace(plan.steps // 2, plan.steps, plan.late_snapshots).astype(int)).tolist()
    data, parts = Examples(torch.from_numpy(x), torch.from_numpy(y)), []
    for some, keep in ((seeds[: plan.late_nets], sorted({*at, *late})), (seeds[plan.late_nets :], at)):
        if some:
            parts.append(_train(plan, data, some, keep, progress))
    for part in parts:
        refuse_total_loss(part, "moons nets")
    first = parts[0]
    return Moons(
        x=x,
        y=y,
        width=plan.width,
        depth=plan.depth,
        theta=torch.cat([p.theta for p in parts]).numpy(),
        steps=first.steps,
        displacements=np.concatenate([p.displacements for p in parts]),
        losses=np.concatenate([p.losses for p in parts]),
        kept_steps=np.array(at),
        kept=np.concatenate([_kept_at(p, at) for p in parts]),
        late_steps=np.array(late),
        late=_kept_at(first, late),
    )


def _train(
    plan: MoonsTraining, data: Examples, seeds: list[int], keep: list[int], progress: Progress | None
) -> Trained:
    size = len(seeds)
    return train(
        batched(network(plan.width, plan.depth, 0)),
        data,
        _starts(plan, seeds),
        "sgd",
        steps=plan.steps,
        rates=[plan.rate] * size,
        batch_sizes=[plan.batch_size] * size,
        seeds=[s ^ 1 for s in seeds],
        record=log_steps(plan.steps),
        keep=keep,
        progress=progress,
    )


def _starts(plan: MoonsTraining, seeds: list[int]) -> Tensor:
    return stack([network(plan.width, plan.depth, s) for s in seeds])


def _kept_at(trained: Trained, steps: list[int]) -> NDArray[np.float32]:
    return np.asarray(trained.kept.numpy()[:, np.isin(trained.kept_steps, steps)])
