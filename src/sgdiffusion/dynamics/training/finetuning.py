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
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion import streams
from sgdiffusion.dynamics.ensembles.ensemble import log_steps
from sgdiffusion.dynamics.ensembles.serial import ExampleLoss
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.errors import TrainingError

BLOCK = 50  # steps between looks at the loss, reseedings of dropout and possible resume states
Names = tuple[int, *tuple[int | str, ...]]
"""Root seed, then the names of the run."""


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
    names: Names,
    resume: Path,
    code: str = "",
    resume_seconds: float = 600.0,
    log: logging.Logger | None = None,
) -> Finetuned:
    """Trains `net` in place on `data` (both on one device), or continues from `resume` where that fits.

    `names` are root seed, run and further names of the streams; `code` is a digest that a resumed training
    has to share. The caller discards `resume` once the result is stored.
    """
    ends = [round(leg.until * steps) for leg in legs]
    if sorted(set(ends)) != ends or ends[-1] != steps or batch_size > len(data):
        raise TrainingError(
            f"{_title(names)}: legs end at steps {ends} of {steps} and batches have {batch_size} of "
            f"{len(data)} examples; legs must increase up to the last step and a batch must not exceed the "
            "data"
        )
    moments = np.union1d(
        log_steps(steps, per_decade), log_steps(steps - _start(ends), per_decade) + _start(ends)
    )
    kept = np.unique([max(1, round(f * steps)) for f in checkpoint_fractions])
    run = _Run(
        net, loss, data, legs, ends, batch_size, moments, kept, names, log or logging.getLogger(__name__)
    )
    done, saved = run.resume(resume, code), time.monotonic()
    for first in range(done, steps, BLOCK):
        run.block(first, min(first + BLOCK, steps))
        if time.monotonic() - saved >= resume_seconds:
            run.save(resume, min(first + BLOCK, steps))
            saved = time.monotonic()
    return run.finish()


def _start(ends: Sequence[int]) -> int:
    """The step at which the last leg begins."""
    return ends[-2] if len(ends) > 1 else 0


def _title(names: Names) -> str:
    return "training " + "/".join(str(name) for name in names[1:])


class _Run:
    """A running training: its net, its optimiser, its origins and its records."""

    def __init__(
        self,
        net: nn.Module,
        loss: ExampleLoss,
        data: Examples,
        legs: Sequence[Leg],
        ends: list[int],
        batch_size: int,
        moments: NDArray[np.int64],
        kept: NDArray[np.int64],
        names: Names,
        log: logging.Logger,
    ):
        self._net, self._loss, self._data, self._legs, self._ends = net, loss, data, legs, ends
        self._batch, self._names, self._log = batch_size, names, log
        self._moments, self._kept = moments, kept
        self._device = next(net.parameters()).device
        self._origin = self._weights()
        self._last_origin: list[Tensor] | None = None
        self._optimiser: torch.optim.Optimizer | None = None
        self._leg, self._epoch = -1, -1
        self._rows: list[tuple[float, ...]] = []
        self._theta: list[Tensor] = []
        self._began, self._seconds = time.monotonic(), 0.0
        self._reported = self._began

    def _weights(self) -> list[Tensor]:
        return [p.detach().clone() for p in self._net.parameters()]

    def _digest(self, code: str) -> str:
        """Of what a resumed training has to share: weights at the start, settings, examples, code."""
        ends = [float(parameters_to_vector(self._origin).double().sum()), int(self._data.x.numel())]
        legs = [[leg.optimiser, leg.rate, end] for leg, end in zip(self._legs, self._ends, strict=True)]
        moments = [self._moments.tolist(), self._kept.tolist()]
        text = json.dumps([self._names, legs, self._batch, moments, ends, self._device.type, code])
        return hashlib.sha256(text.encode()).hexdigest()

    def resume(self, path: Path, code: str) -> int:
        """Finished steps of the resume state, if it fits; otherwise 0 and a fresh start."""
        self._fingerprint = self._digest(code)
        if not path.is_file():
            return 0
        state = checkpoints.read_state(path)
        if state["digest"] != self._fingerprint:
            self._log.warning("%s belongs to other settings, data or code: training starts afresh", path)
            return 0
        self._net.load_state_dict(state["net"])
        self._origin = [t.to(self._device) for t in state["origin"]]
        if state["last_origin"] is not None:
            self._last_origin = [t.to(self._device) for t in state["last_origin"]]
        self._rows, self._theta = [tuple(row) for row in state["rows"]], list(state["theta"])
        self._seconds = state["seconds"]
        self._begin_leg(state["leg"])
        assert self._optimiser is not None
        self._optimiser.load_state_dict(state["optimiser"])
        self._log.info("%s: resumed after step %d", _title(self._names), state["step"])
        return int(state["step"])

    def save(self, path: Path, step: int) -> None:
        assert self._optimiser is not None
        content: dict[str, Any] = {
            "digest": self._fingerprint,
            "step": step,
            "leg": self._leg,
            "net": self._net.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "origin": self._origin,
            "last_origin": self._last_origin,
            "rows": self._rows,
            "theta": self._theta,
            "seconds": self._seconds + time.monotonic() - self._began,
        }
        checkpoints.write_state(path, content)

    def _begin_leg(self, leg: int) -> None:
        settings, weights = self._legs[leg], self._net.parameters()
        kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        self._optimiser, self._leg = kinds[settings.optimiser](weights, lr=settings.rate), leg

    def block(self, first: int, end: int) -> None:
        """Steps first + 1 to end; a loss that is not finite is an error."""
        devices = [self._device] if self._device.type == "cuda" else []
        self._net.train()
        with torch.random.fork_rng(devices=devices):
            # dropout can only draw from torch's global generator, which is put back after the block
            torch.manual_seed(streams.seed(*self._names, "dropout", first // BLOCK))
            for step in range(first, end):
                loss = self._step(step)
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                f"{_title(self._names)} diverged by step {end}: its loss is not finite at rate "
                f"{self._legs[self._leg].rate:g} of {self._legs[self._leg].optimiser}; lower that rate"
            )
        self._report(end, loss)

    def _step(self, step: int) -> Tensor:
        """One step, number `step` + 1, and what is recorded after it."""
        leg = int(np.searchsorted(self._ends, step, side="right"))
        if leg != self._leg:
            self._begin_leg(leg)
            if leg == len(self._legs) - 1:
                self._last_origin = self._weights()
        assert self._optimiser is not None
        chosen = self._chosen(step)
        self._optimiser.zero_grad()
        loss = self._loss(self._net(self._data.x[chosen]), self._data.y[chosen]).mean()
        torch.autograd.backward(loss)
        self._optimiser.step()
        if step + 1 in self._moments:
            last = np.nan if self._last_origin is None else self._distance(self._last_origin)
            self._rows.append((step + 1, self._distance(self._origin), last, float(loss.detach())))
        if step + 1 in self._kept:
            self._theta.append(parameters_to_vector(self._net.parameters()).detach().cpu())
        return loss.detach()

    def _chosen(self, step: int) -> Tensor:
        """Indices of the batch of a step, in its epoch's order."""
        per_epoch = len(self._data) // self._batch
        epoch, place = divmod(step, per_epoch)
        if epoch != self._epoch:
            generator = streams.generator(*self._names, "order", epoch)
            self._order = torch.from_numpy(generator.permutation(len(self._data))).to(self._device)
            self._epoch = epoch
        return self._order[place * self._batch : (place + 1) * self._batch]

    def _distance(self, origin: list[Tensor]) -> float:
        pairs = zip(self._net.parameters(), origin, strict=True)
        squares = [(p.detach().double() - o.double()).square().sum() for p, o in pairs]
        return float(torch.stack(squares).sum().sqrt())

    def _report(self, step: int, loss: Tensor) -> None:
        now, total = time.monotonic(), self._ends[-1]
        if now - self._reported < 10 and step < total:
            return
        self._reported = now
        self._log.info("%s: step %d of %d, loss %.4f", _title(self._names), step, total, float(loss))

    def finish(self) -> Finetuned:
        steps, displacements, since, losses = np.array(self._rows, dtype=np.float64).T
        theta = torch.stack(self._theta)
        return Finetuned(steps.astype(np.int64), displacements, since, losses, self._kept, theta)
