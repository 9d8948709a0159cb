"""Trainings of single large nets in legs of Adam and SGD, with the displacement recorded on the way.

An epoch takes ⌊n/b⌋ batches of exactly b examples in an order drawn from a stream named by run and epoch.
What chance decides is drawn from named streams, dropout from one for every block of steps, so that a
training that was interrupted resumes at the end of a block and ends where an uninterrupted one ends.

The displacement R(t) = ‖w(t) − w(0)‖ is over all trained weights (batch-norm's scales and shifts included,
its running statistics not), in double precision, after log-spaced steps t counted from the start of the
first leg. Beside it goes the displacement since the last leg began. SGD is plain: x ← x − η∇L, without
momentum. Adam has the parameters of Kingma & Ba (0.9, 0.999, 10⁻⁸). The optimiser starts afresh with every
leg.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion.dynamics.ensembles.ensemble import log_steps
from sgdiffusion.dynamics.ensembles.serial import ExampleLoss
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import draws
from sgdiffusion.dynamics.training.progress import ProgressLog
from sgdiffusion.dynamics.training.resumption import Resumption
from sgdiffusion.errors import TrainingError

BLOCK = 50  # steps between looks at the loss, reseedings of dropout and possible resume states
_OPTIMISERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class Leg(Protocol):
    """One optimiser at one rate until a fraction of the training."""

    @property
    def until(self) -> float: ...
    @property
    def optimiser(self) -> Literal["adam", "sgd"]: ...
    @property
    def rate(self) -> float: ...


@dataclass(frozen=True)
class Finetuned:
    """What one training recorded."""

    steps: NDArray[np.int64]
    """Recorded steps, log-spaced from the first to the last."""
    displacements: NDArray[np.float64]
    """R at the recorded steps."""
    since_last_leg: NDArray[np.float64]
    """‖w(t) − w(start of the last leg)‖; NaN before it begins."""
    losses: NDArray[np.float64]
    """Training loss of the recorded steps' batches, nats."""
    kept: NDArray[np.int64]
    """Steps of the kept weights."""
    theta: Tensor
    """[kept, d] on the CPU."""


@dataclass(frozen=True)
class _Plan:
    """What a training is, beside its net and its examples."""

    legs: Sequence[Leg]
    ends: list[int]
    """The last step of each leg."""
    batch: int
    moments: NDArray[np.int64]
    """Recorded steps."""
    kept: NDArray[np.int64]
    """Steps of the kept weights."""
    names: draws.Names

    @property
    def title(self) -> str:
        return _title(self.names)


def finetune(
    net: nn.Module,
    loss: ExampleLoss,
    data: Examples,
    legs: Sequence[Leg],
    *,
    steps: int,
    batch_size: int,
    per_decade: int,
    checkpoint_fractions: Sequence[float],
    names: draws.Names,
    resume: Path,
    code: str = "",
    resume_seconds: float = 600.0,
    log: logging.Logger | None = None,
) -> Finetuned:
    """Trains `net` in place on `data` (both on one device), or continues from `resume` where that fits.

    `names` are root seed, run and further names of the streams; `code` is a digest that a resumed training
    has to share. The caller discards `resume` once the result is stored.
    """
    log = log or logging.getLogger(__name__)
    ends = _ends(legs, steps, names)
    if batch_size > len(data):
        raise TrainingError(f"{_title(names)}: batches have {batch_size} of {len(data)} examples")
    plan = _Plan(
        legs=legs,
        ends=ends,
        batch=batch_size,
        moments=_moments(ends, per_decade),
        kept=np.unique([max(1, round(f * steps)) for f in checkpoint_fractions]),
        names=names,
    )
    running = _Running(net, loss, data, plan)
    progress = ProgressLog(log, plan.title, total=steps, per_epoch=len(data) // batch_size, every=10.0)
    resumption = Resumption(resume, running.digest(code), seconds=resume_seconds, log=log)
    done = 0
    if state := resumption.read():
        done = running.restore(state)
        log.info("%s: resumed after step %d", plan.title, done)
    progress.start(done)
    for first in range(done, steps, BLOCK):
        end = min(first + BLOCK, steps)
        progress.report(end, running.block(first, end))
        if resumption.due():
            resumption.write(running.state(end))
    return running.finish()


def _title(names: draws.Names) -> str:
    return "training " + "/".join(str(name) for name in names[1:])


def _ends(legs: Sequence[Leg], steps: int, names: draws.Names) -> list[int]:
    """The last step of each leg."""
    ends = [round(leg.until * steps) for leg in legs]
    if sorted(set(ends)) != ends or ends[-1] != steps:
        raise TrainingError(f"{_title(names)}: legs end at steps {ends}; they must increase up to {steps}")
    return ends


def _moments(ends: list[int], per_decade: int) -> NDArray[np.int64]:
    """Recorded steps: log-spaced from the start of the first leg, and from the start of the last."""
    start = ends[-2] if len(ends) > 1 else 0
    return np.union1d(log_steps(ends[-1], per_decade), log_steps(ends[-1] - start, per_decade) + start)


@dataclass
class _Running:
    """A training under way: its net, its optimiser, its origins and its records."""

    net: nn.Module
    loss: ExampleLoss
    data: Examples
    plan: _Plan
    optimiser: torch.optim.Optimizer = field(init=False)
    """That of the current leg; there is none before the first step."""
    leg: int = -1
    origin: list[Tensor] = field(init=False)
    """The weights at the start."""
    last_origin: list[Tensor] | None = None
    """The weights at the start of the last leg, once it has begun."""
    rows: list[tuple[float, ...]] = field(default_factory=list)
    theta: list[Tensor] = field(default_factory=list)
    order: tuple[int, Tensor] | None = None
    """The epoch last drawn, and its batches."""

    def __post_init__(self) -> None:
        self.origin = self.weights()

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    def weights(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.net.parameters()]

    def digest(self, code: str) -> str:
        """Of what a resumed training has to share: weights at the start, settings, examples, code."""
        plan = self.plan
        start = [float(parameters_to_vector(self.origin).double().sum()), int(self.data.x.numel())]
        legs = [[leg.optimiser, leg.rate, end] for leg, end in zip(plan.legs, plan.ends, strict=True)]
        moments = [plan.moments.tolist(), plan.kept.tolist()]
        text = json.dumps([plan.names, legs, plan.batch, moments, start, self.device.type, code])
        return hashlib.sha256(text.encode()).hexdigest()

    def restore(self, state: dict[str, Any]) -> int:
        """Goes back to a state; its finished steps."""
        self.net.load_state_dict(state["net"])
        self.origin = [t.to(self.device) for t in state["origin"]]
        if state["last_origin"] is not None:
            self.last_origin = [t.to(self.device) for t in state["last_origin"]]
        self.rows, self.theta = [tuple(row) for row in state["rows"]], list(state["theta"])
        self.begin_leg(state["leg"])
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])

    def state(self, step: int) -> dict[str, Any]:
        return {
            "step": step,
            "leg": self.leg,
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "origin": self.origin,
            "last_origin": self.last_origin,
            "rows": self.rows,
            "theta": self.theta,
        }

    def begin_leg(self, leg: int) -> None:
        settings = self.plan.legs[leg]
        self.optimiser = _OPTIMISERS[settings.optimiser](self.net.parameters(), lr=settings.rate)
        self.leg = leg

    def block(self, first: int, end: int) -> Tensor:
        """Steps first + 1 to end; the last loss, which is an error when it is not finite."""
        self.net.train()
        with draws.dropout(self.plan.names, first // BLOCK, self.device):
            for step in range(first, end):
                loss = self.step(step)
        if not bool(torch.isfinite(loss)):
            leg = self.plan.legs[self.leg]
            raise TrainingError(
                f"{self.plan.title} diverged by step {end}: its loss is not finite at rate {leg.rate:g} of "
                f"{leg.optimiser}; lower that rate"
            )
        return loss

    def step(self, step: int) -> Tensor:
        """One step, number `step` + 1, and what is recorded after it."""
        leg = int(np.searchsorted(self.plan.ends, step, side="right"))
        if leg != self.leg:
            self.begin_leg(leg)
            if leg == len(self.plan.legs) - 1:
                self.last_origin = self.weights()
        chosen = self.chosen(step)
        self.optimiser.zero_grad()
        loss = self.loss(self.net(self.data.x[chosen]), self.data.y[chosen]).mean()
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.record(step + 1, loss.detach())
        return loss.detach()

    def record(self, done: int, loss: Tensor) -> None:
        if done in self.plan.moments:
            last = np.nan if self.last_origin is None else self.distance(self.last_origin)
            self.rows.append((done, self.distance(self.origin), last, float(loss)))
        if done in self.plan.kept:
            self.theta.append(parameters_to_vector(self.net.parameters()).detach().cpu())

    def chosen(self, step: int) -> Tensor:
        """Indices of the batch of a step, in its epoch's order."""
        epoch, place = divmod(step, len(self.data) // self.plan.batch)
        if self.order is None or self.order[0] != epoch:
            drawn = draws.order(self.plan.names, epoch, examples=len(self.data), batch=self.plan.batch)
            self.order = epoch, drawn.to(self.device)
        return self.order[1][place]

    def distance(self, origin: list[Tensor]) -> float:
        pairs = zip(self.net.parameters(), origin, strict=True)
        squares = [(p.detach().double() - o.double()).square().sum() for p, o in pairs]
        return float(torch.stack(squares).sum().sqrt())

    def finish(self) -> Finetuned:
        steps, displacements, since, losses = np.array(self.rows, dtype=np.float64).T
        theta = torch.stack(self.theta)
        return Finetuned(steps.astype(np.int64), displacements, since, losses, self.plan.kept, theta)
