"""Training of many nets of one architecture as one computation, with displacements recorded on the way.

Every net has its own learning rate, batch size and seed. Its path depends on those and on its initial
weights alone (up to rounding), not on the nets beside it: an ensemble may be split or extended without
changing a member. Different batch sizes share one rectangle of the largest, which costs its full width:
group equal ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdiffusion.dynamics.ensembles.batched import Batched, nets_at_once
from sgdiffusion.dynamics.examples import Examples, gather
from sgdiffusion.errors import ConfigError, TrainingError

Optimiser = Literal["sgd", "adam"]
"""sgd: w ← w − ηg; adam: w ← w − η m̂/(√v̂ + ε) of Kingma & Ba (2015)."""

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # of Adam
_BLOCK = 32  # steps whose examples are chosen at once


@dataclass(frozen=True)
class Trained:
    """What M nets did."""

    theta: Tensor
    """[M, d] final weights; of a diverged net not finite."""
    steps: NDArray[np.int64]
    """Steps after which the following two were recorded."""
    displacements: NDArray[np.float64]
    """[M, records]: R(t) = ‖w(t) − w(0)‖."""
    losses: NDArray[np.float64]
    """[M, records]: loss of the mini-batch of the step that ended then, before it."""
    kept_steps: NDArray[np.int64]
    kept: Tensor
    """[M, kept, d]: weights after `kept_steps`."""

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """[M]: whether the weights ended infinite."""
        return ~torch.isfinite(self.theta).all(1).cpu().numpy()


def log_steps(steps: int, per_decade: int = 20) -> NDArray[np.int64]:
    """About `per_decade` whole steps per decade from 1 to `steps`, both included."""
    count = max(2, round(per_decade * np.log10(max(steps, 2))) + 1)
    return np.unique(np.rint(np.geomspace(1, steps, count)).astype(np.int64))


def train(
    net: Batched,
    data: Examples,
    starts: Tensor,
    optimiser: Optimiser,
    *,
    steps: int,
    rates: Sequence[float] | NDArray[np.float64],
    batch_sizes: Sequence[int] | NDArray[np.int64],
    seeds: Sequence[int],
    sampling: Literal["reshuffle", "replacement"] = "reshuffle",
    record: NDArray[np.int64] | None = None,
    keep: Sequence[int] = (),
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Trains one net from each row of `starts` [M, d] for `steps` steps.

    Displacements and losses are recorded after the steps `record` (log-spaced by default), weights after the
    steps `keep` (0: the start). An epoch of a net is ⌊n/b⌋ batches of exactly b examples. `progress` is
    called with finished and total net steps.
    """
    sizes = np.asarray(batch_sizes, dtype=np.int64)
    if optimiser not in get_args(Optimiser):
        raise ConfigError(f"the optimiser is 'sgd' or 'adam', not {optimiser!r}")
    _check(starts, sizes, rates, seeds, len(data), steps, keep)
    moments = log_steps(steps) if record is None else np.asarray(record, dtype=np.int64)
    width = chunk or nets_at_once(net, int(sizes.max()), data.x[0].numel(), 2 * starts.shape[1])
    parts = []
    for first in range(0, len(starts), width):
        rows = slice(first, first + width)
        batches = _Batches(list(seeds)[rows], sizes[rows], len(data), sampling, starts)
        speeds = torch.as_tensor(np.asarray(rates, dtype=np.float64)[rows]).to(starts)[:, None]
        part = _train_chunk(
            net,
            data,
            starts[rows],
            _Step(optimiser, starts[rows], speeds),
            batches,
            steps=steps,
            moments=moments,
            keep=keep,
        )
        parts.append(part)
        if progress is not None:
            progress(min(first + width, len(starts)) * steps, len(starts) * steps)
    return _join(parts)


def _check(
    starts: Tensor,
    sizes: NDArray[np.int64],
    rates: Sequence[float] | NDArray[np.float64],
    seeds: Sequence[int],
    examples: int,
    steps: int,
    keep: Sequence[int],
) -> None:
    counts = {"batch_sizes": len(sizes), "rates": len(rates), "seeds": len(seeds)}
    if wrong := {k: v for k, v in counts.items() if v != len(starts)}:
        raise ConfigError(f"{len(starts)} nets need as many of each, found {wrong}")
    if sizes.min() < 1 or sizes.max() > examples:
        raise ConfigError(f"batch sizes must be 1 to {examples} (the examples), found {sizes.tolist()}")
    if steps < 1 or any(not 0 <= k <= steps for k in keep):
        raise ConfigError(f"steps to keep must lie between 0 and {steps}, found {list(keep)}")


class _Batches:
    """The examples of every step, each net's from its own generator."""

    def __init__(
        self, seeds: list[int], sizes: NDArray[np.int64], examples: int, sampling: str, like: Tensor
    ):
        self._streams = [np.random.default_rng(s) for s in seeds]
        self._sizes, self._examples, self._sampling = sizes, examples, sampling
        self._left: list[NDArray[np.int64]] = [np.empty(0, np.int64) for _ in seeds]
        self._device, self._used = like.device, _BLOCK
        widest = int(sizes.max())
        self._chosen = np.zeros((_BLOCK, len(seeds), widest), np.int64)
        self.shares: Tensor | None = None
        if sizes.min() < widest:
            inside = np.arange(widest) < sizes[:, None]
            self.shares = torch.as_tensor(inside / sizes[:, None]).to(like)

    def next(self) -> Tensor:
        """[M, b] indices; beyond a net's own batch size they are 0 and have no share."""
        if self._used == _BLOCK:
            for i, size in enumerate(self._sizes):
                self._chosen[:, i, :size] = self._take(i, _BLOCK * int(size)).reshape(_BLOCK, size)
            self._block = torch.from_numpy(self._chosen).to(self._device)
            self._used = 0
        self._used += 1
        return self._block[self._used - 1]

    def _take(self, net: int, count: int) -> NDArray[np.int64]:
        if self._sampling == "replacement":
            return self._streams[net].integers(self._examples, size=count)
        size = int(self._sizes[net])
        usable = self._examples - self._examples % size
        parts, have = [self._left[net]], len(self._left[net])
        while have < count:
            parts.append(self._streams[net].permutation(self._examples)[:usable])
            have += usable
        line = np.concatenate(parts)
        self._left[net] = line[count:]
        return line[:count]


class _Step:
    """One step of the optimiser for all nets of a chunk, in place."""

    def __init__(self, optimiser: Optimiser, theta: Tensor, rates: Tensor):
        self._rates, self._count = rates, 0
        self._moments = None if optimiser == "sgd" else (torch.zeros_like(theta), torch.zeros_like(theta))

    def __call__(self, theta: Tensor, gradient: Tensor) -> None:
        self._count += 1
        if self._moments is None:
            theta.addcmul_(gradient, self._rates, value=-1)
        else:
            self._adam(theta, gradient, *self._moments)

    def _adam(self, theta: Tensor, gradient: Tensor, first: Tensor, second: Tensor) -> None:
        first.lerp_(gradient, 1 - _BETA1)
        second.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        bias1, bias2 = 1 - _BETA1**self._count, 1 - _BETA2**self._count
        scale = second.sqrt().div_(bias2**0.5).add_(_EPSILON)
        theta.addcmul_(first / scale, self._rates, value=-1 / bias1)


@torch.no_grad()
def _train_chunk(
    net: Batched,
    data: Examples,
    starts: Tensor,
    step: _Step,
    batches: _Batches,
    *,
    steps: int,
    moments: NDArray[np.int64],
    keep: Sequence[int],
) -> Trained:
    theta = starts.clone()
    marks, wanted = set(moments.tolist()), set(keep)
    reach, losses, kept = [], [], [starts.clone()] if 0 in wanted else []
    for t in range(1, steps + 1):
        chosen = batches.next()
        x, y = gather(data.x, chosen), gather(data.y, chosen)
        loss, gradient = net.gradients(theta, x, y, batches.shares)
        step(theta, gradient)
        if t in marks:
            reach.append((theta - starts).double().norm(dim=1))
            losses.append(loss.double())
        if t in wanted:
            kept.append(theta.clone())
    done = np.array(sorted(m for m in marks if m <= steps), dtype=np.int64)
    empty = theta.new_empty(len(theta), 0, theta.shape[1])
    return Trained(
        theta=theta,
        steps=done,
        displacements=_columns(reach, len(theta)),
        losses=_columns(losses, len(theta)),
        kept_steps=np.array(sorted(wanted), dtype=np.int64),
        kept=torch.stack(kept, 1) if kept else empty,
    )


def _columns(rows: list[Tensor], nets: int) -> NDArray[np.float64]:
    return torch.stack(rows, 1).cpu().numpy() if rows else np.empty((nets, 0))


def _join(parts: list[Trained]) -> Trained:
    return Trained(
        theta=torch.cat([p.theta for p in parts]),
        steps=parts[0].steps,
        displacements=np.concatenate([p.displacements for p in parts]),
        losses=np.concatenate([p.losses for p in parts]),
        kept_steps=parts[0].kept_steps,
        kept=torch.cat([p.kept for p in parts]),
    )


def refuse_total_loss(trained: Trained, what: str) -> None:
    """An error when every net of an ensemble diverged; single ones are for the caller to mark."""
    if trained.diverged.all():
        last = [int(trained.steps[np.isfinite(row)].max(initial=0)) for row in trained.losses]
        raise TrainingError(
            f"all {len(last)} nets of {what} diverged, the last finite loss was at step {max(last)}: "
            "lower the learning rates"
        )
