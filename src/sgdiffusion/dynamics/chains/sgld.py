"""Stochastic gradient Langevin dynamics: many chains from many starting points as one computation.

A chain samples p(w) ∝ exp{−nβ L_n(w) − (γ/2)‖w − c‖²} by

    w ← w − (ε/2) (nβ ∇L_B(w) + γ (w − c)) + √ε ξ,   ξ ~ N(0, 1),

with the loss L_B of a fresh mini-batch (mean over its examples, not the sum), step size ε and localisation γ
about the centre c (the start by default; 0 gives a Gaussian prior of variance 1/γ). The injected noise has
variance ε, so that ε/2 is the time step of dw = −½∇U dt + dW. The literature's other convention, drift ε and
noise 2ε, is the same chain at twice our ε.

At a finite step this chain (integrator "euler") inflates the variance of a direction of stiffness h by the
factor 1/(1 − εh/4). The integrator "averaged", the default, uses (ξ_t + ξ_{t+1})/2 in the place of ξ_t
(Leimkuhler & Matthews 2013): its stationary variance is right for every quadratic, its error otherwise O(ε²),
at the same cost. Both add the noise of mini-batch gradients to what they inject (measures' `step_bias`).

Each chain has its own seed, and its path depends on no other chain beside rounding. The mini-batches may have
a seed of their own that chains share (`examples_seed`): then they are fetched and read once for all of them,
which for small nets is most of the time of a step.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from sgdiffusion.dynamics.ensembles.batched import Batched, nets_at_once
from sgdiffusion.dynamics.examples import Examples, gather
from sgdiffusion.errors import ConfigError, require_choice

Integrator = Literal["averaged", "euler"]
_BLOCK = 1 << 13  # numbers per chain drawn from its generator at once: a call costs far more than a number


@dataclass(frozen=True)
class Sgld:
    """What is sampled and for how long; the loss is recorded at every draw."""

    step_size: float
    """ε; may be overridden per chain."""
    n_beta: float
    """nβ, the inverse temperature times the number of examples; n/ln n for the learning coefficient, n being
    the number of all examples that L_n is the mean over, whatever the batch size."""
    localisation: float
    """γ."""
    draws: int
    burn_in: int = 0
    """Steps before the first draw."""
    every: int = 1
    """Steps from draw to draw."""
    batch_size: int | None = None
    """Examples per step, drawn with replacement; None: all examples in every step."""
    integrator: Integrator = "averaged"

    def __post_init__(self) -> None:
        require_choice("integrator", self.integrator, Integrator)
        if not (self.step_size > 0 and self.n_beta > 0 and self.localisation >= 0):
            raise ConfigError(f"SGLD needs step_size > 0, n_beta > 0 and localisation ≥ 0, found {self}")
        batch = 1 if self.batch_size is None else self.batch_size
        if min(self.draws, self.every, batch) < 1 or self.burn_in < 0:
            raise ConfigError(f"SGLD needs draws, every and batch_size ≥ 1 and burn_in ≥ 0, found {self}")

    @property
    def steps(self) -> int:
        """Gradient steps of a chain."""
        return self.burn_in + self.draws * self.every


@dataclass(frozen=True)
class Chains:
    """What C chains recorded."""

    losses: Tensor
    """[C, draws] float64: L_B(w), mini-batch of the draw's own step, before the step; NaN once diverged."""
    references: Tensor | None
    """[C, draws]: L_B(c) at the reference points on the same mini-batches, where asked for."""
    diverged: Tensor
    """[C]: the draw at which the loss was no longer finite, −1 if it always was."""
    final: Tensor
    """[C, d]: weights after the last step (of a diverged chain: where it began)."""
    kept: Tensor
    """[C, k, d]: weights at the kept draws."""
    forces: Tensor | None
    """[C, draws]: ‖nβ ∇L_B + γ(w − c)‖² at the draws, NaN once diverged; with the integrator "euler"."""


def chain_seeds(seed: int, chains: int) -> list[int]:
    """Seeds of independent chains."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(chains, np.uint64) >> np.uint64(1)]


class Streams:
    """Normal numbers and example indices, each chain's from its own two generators, drawn in blocks."""

    def __init__(
        self,
        seeds: list[int],
        examples: int,
        batch: int | None,
        like: Tensor,
        averaged: bool = False,
        examples_seed: int | None = None,
    ):
        weights = like.shape[1]
        self._noise = [torch.Generator(like.device).manual_seed(s) for s in seeds]
        chosen_by = seeds if examples_seed is None else [examples_seed]
        words = [int(np.random.SeedSequence(s).generate_state(1, np.uint64)[0] >> 1) for s in chosen_by]
        self._choice = [torch.Generator(like.device).manual_seed(w) for w in words]
        self._examples, self._batch = examples, batch
        self._block = max(1, _BLOCK // weights)
        self._normals = like.new_empty(len(seeds), self._block, weights)
        self._rows = max(1, _BLOCK // (batch or _BLOCK))
        self._used, self._drawn = self._block, self._rows
        self._before = self._fresh().clone() if averaged else None
        self._mean = self._before.clone() if self._before is not None else None

    def normals(self) -> Tensor:
        """[C, d], valid until the next call; averaged: half the sum of this call's numbers and the next's."""
        fresh = self._fresh()
        if self._before is None or self._mean is None:
            return fresh
        # two buffers in turn: fresh memory of a large net costs as much as the numbers in it
        mean, self._before, self._mean = self._before, self._mean, self._before
        self._before.copy_(fresh)
        return mean.add_(fresh).mul_(0.5)

    def _fresh(self) -> Tensor:
        if self._used == self._block:
            for row, generator in zip(self._normals, self._noise, strict=True):
                row.normal_(generator=generator)
            self._used = 0
        self._used += 1
        return self._normals[:, self._used - 1]

    def indices(self) -> Tensor:
        """[C, b], fresh at every call; [1, b] for all chains where these share them."""
        assert self._batch is not None
        if self._drawn == self._rows:
            size = (self._rows, self._batch)
            device = self._normals.device
            rows = [torch.randint(self._examples, size, generator=g, device=device) for g in self._choice]
            self._indices, self._drawn = torch.stack(rows), 0
        self._drawn += 1
        return self._indices[:, self._drawn - 1]


def sample(
    net: Batched,
    data: Examples,
    starts: Tensor,
    sgld: Sgld,
    seeds: list[int],
    *,
    centres: Tensor | None = None,
    step_sizes: Tensor | None = None,
    references: Tensor | None = None,
    keep: int = 0,
    chunk: int | None = None,
    examples_seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Chains:
    """One chain from each row of `starts` [C, d].

    `step_sizes` [C] go before sgld.step_size; `references` [C, d] are points whose loss is computed on the
    mini-batch of every draw; `keep` > 0 keeps the weights of every `keep`-th draw. `chunk` chains are in work
    together (as many as fit into the cache by default). With `examples_seed` the mini-batch of a step is the
    same for all chains and drawn from this seed, as a chain of this seed would draw its own. `progress` is
    called with finished and total chain steps.
    """
    if len(seeds) != len(starts):
        raise ConfigError(f"{len(starts)} chains need as many seeds, found {len(seeds)}")
    batch = len(data) if sgld.batch_size is None else sgld.batch_size
    size = chunk or nets_at_once(net, batch, data.x[0].numel(), _BLOCK, shared=examples_seed is not None)
    centres = starts if centres is None else centres
    steps = starts.new_full((len(starts),), sgld.step_size) if step_sizes is None else step_sizes.to(starts)
    parts = []
    for first in range(0, len(starts), size):
        rows = slice(first, first + size)
        update = _Update(sgld, steps[rows], centres[rows])
        compared = None if references is None else references[rows]
        recorder = _Recorder(starts[rows], sgld, keep, compared)
        averaged = sgld.integrator == "averaged"
        own = Streams(seeds[rows], len(data), sgld.batch_size, starts, averaged, examples_seed)
        parts.append(_sample_chunk(net, data, sgld, starts[rows], own, update, recorder))
        if progress is not None:
            progress(min(first + size, len(starts)) * sgld.steps, len(starts) * sgld.steps)
    return _combined(parts)


def interleave(parts: list[Chains]) -> Chains:
    """The first chain of every part, then the second of every part, …; the parts have equally many."""
    return _combined(parts, lambda tensors: torch.stack(tensors, 1).flatten(0, 1))


def _combined(parts: list[Chains], join: Callable[[list[Tensor]], Tensor] = torch.cat) -> Chains:
    """One after the other, or as `join` says; what no part has there is None."""
    values = {f.name: [getattr(p, f.name) for p in parts] for f in fields(Chains)}
    joined: dict[str, Any] = {name: None if v[0] is None else join(v) for name, v in values.items()}
    return Chains(**joined)


class _Update:
    """The step w ← w − (ε/2) (nβ g + γ(w − c)) + √ε ξ as three passes over the weights."""

    def __init__(self, sgld: Sgld, step_sizes: Tensor, centres: Tensor):
        scale = step_sizes[:, None]
        self._centres, self._local, self._sgld = centres, sgld.localisation > 0, sgld
        self._pull = scale * (sgld.localisation / 2)
        self._drift = scale * (-sgld.n_beta / 2)
        self._noise = scale.sqrt()

    def stop(self, chains: Tensor) -> None:
        """No further movement of these chains."""
        for factor in (self._pull, self._drift, self._noise):
            factor[chains] = 0

    def force(self, theta: Tensor, gradient: Tensor) -> Tensor:
        """‖nβ g + γ(w − c)‖² [C]."""
        pull = self._sgld.localisation * (theta - self._centres)
        return pull.add_(gradient, alpha=self._sgld.n_beta).square_().sum(1)

    def step(self, theta: Tensor, gradient: Tensor, normals: Tensor) -> None:
        if self._local:
            theta.lerp_(self._centres, self._pull)
        theta.addcmul_(gradient, self._drift).addcmul_(normals, self._noise)


@torch.no_grad()
def _sample_chunk(
    net: Batched,
    data: Examples,
    sgld: Sgld,
    starts: Tensor,
    streams: Streams,
    update: _Update,
    recorder: "_Recorder",
) -> Chains:
    theta = starts.clone()
    for step in range(sgld.steps):
        x, y = _examples(data, streams, sgld.batch_size)
        losses, gradient = net.gradients(theta, x, y)
        since = step - sgld.burn_in
        if since >= 0 and since % sgld.every == 0:
            recorder.record(since // sgld.every, losses, theta, net, x, y)
            recorder.record_force(since // sgld.every, theta, gradient, update)
        update.step(theta, gradient, streams.normals())
        if not bool(torch.isfinite(losses).all()):
            recorder.give_up(max(0, since // sgld.every), losses, theta, update)
    return recorder.finish(theta)


def _examples(data: Examples, streams: Streams, batch: int | None) -> tuple[Tensor, Tensor]:
    if batch is None:
        return data.x[None], data.y[None]
    chosen = streams.indices()
    return gather(data.x, chosen), gather(data.y, chosen)


class _Recorder:
    """Losses and weights at the draws; a chain that diverges goes back to its start and stays there."""

    def __init__(self, starts: Tensor, sgld: Sgld, keep: int, references: Tensor | None):
        chains = len(starts)
        self._starts, self._keep, self._reference_points = starts, keep, references
        self._losses = torch.full((chains, sgld.draws), torch.nan, dtype=torch.float64)
        self._references = None if references is None else self._losses.clone()
        self._forces = self._losses.clone() if sgld.integrator == "euler" else None
        self._diverged = torch.full((chains,), -1)
        self._kept: list[Tensor] = []

    def record(self, draw: int, losses: Tensor, theta: Tensor, net: Batched, x: Tensor, y: Tensor) -> None:
        self._losses[:, draw] = losses
        if self._references is not None and self._reference_points is not None:
            self._references[:, draw] = net.losses(self._reference_points, x, y)
        if self._keep and draw % self._keep == 0:
            self._kept.append(theta.clone())

    def record_force(self, draw: int, theta: Tensor, gradient: Tensor, update: _Update) -> None:
        if self._forces is not None:
            self._forces[:, draw] = update.force(theta, gradient)

    def give_up(self, draw: int, losses: Tensor, theta: Tensor, update: _Update) -> None:
        lost = ~torch.isfinite(losses).cpu()
        self._diverged[lost & (self._diverged < 0)] = draw
        theta[lost] = self._starts[lost]
        update.stop(lost)

    def finish(self, theta: Tensor) -> Chains:
        for chain in torch.nonzero(self._diverged >= 0)[:, 0]:
            self._losses[chain, self._diverged[chain] :] = torch.nan
            if self._forces is not None:
                self._forces[chain, self._diverged[chain] :] = torch.nan
        empty = theta.new_empty(len(theta), 0, theta.shape[1])
        kept = torch.stack(self._kept, 1) if self._kept else empty
        return Chains(self._losses, self._references, self._diverged, theta, kept, self._forces)
