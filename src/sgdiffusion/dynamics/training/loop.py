"""The epochs of a training, whatever takes its steps: metrics, checkpoints, weight history, resumption.

Every random choice comes from a stream named by run, seed, purpose and epoch, so that a resumed training
needs no generator state and ends, on the CPU with equal threads, bit for bit where an uninterrupted one ends.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.dynamics.training.progress import ProgressLog
from sgdiffusion.dynamics.training.resumption import Resumption
from sgdiffusion.dynamics.training.schedule import epoch_at, rates
from sgdiffusion.dynamics.training.setup import Setup
from sgdiffusion.errors import TrainingError

COLUMNS = {
    "run_id": "run family",
    "seed": "index of the seed within the family",
    "epoch": "finished epochs",
    "rate": "learning rate η during the epoch",
    "train_loss": "mean cross-entropy of the epoch's batches, training mode, nats",
    "train_error": "share of the epoch's examples classified wrongly, training mode",
    "test_loss": "mean cross-entropy over the test set after the epoch, evaluation mode, nats",
    "test_error": "share of the test set classified wrongly after the epoch, evaluation mode",
    "seconds": "wall time since the start of the training, interruptions not counted, s",
}
_EVALUATION_BATCH = 1000
_MOST_ROWS = 1000  # longer trainings get a row of metrics every ⌊epochs/1000⌋ epochs

Epoch = Callable[[int, float], tuple[float, float]]
"""All steps of an epoch at a rate: mean loss and share of errors over its batches."""


@dataclass(frozen=True)
class TrainedRun:
    """Where a finished training left its results.

    `metrics` (COLUMNS) has one row per epoch, fewer in long trainings.
    """

    run_id: str
    seed: int
    metrics: pd.DataFrame
    checkpoints: Path
    trajectory: Path | None


@dataclass
class Running:
    """A training under way: what its steps change, and what it has recorded."""

    setup: Setup
    net: nn.Module
    optimiser: torch.optim.SGD
    history: checkpoints.History | None
    progress: ProgressLog
    rows: list[dict[str, float]] = field(default_factory=list)
    states: dict[float, checkpoints.State] = field(default_factory=dict)
    evaluations: dict[float, dict[str, float]] = field(default_factory=dict)


def run(
    setup: Setup,
    net: nn.Module,
    begin: Callable[[Running], Epoch],
    *,
    folder: Path,
    resume_seconds: float,
    log: logging.Logger,
) -> TrainedRun:
    """All epochs of `net` that are left; `begin` gives what takes the steps, once the weights are where they
    go on.
    """
    epochs = setup.settings.epochs
    running = _start(setup, net, folder, log)
    resumption = Resumption(
        folder / checkpoints.RESUME, setup.meta["digest"], seconds=resume_seconds, log=log
    )
    done = _resume(running, resumption, log)
    take_steps = begin(running)
    eta = rates(setup.settings.schedule, epochs)
    for epoch in range(done, epochs):
        rate = float(eta[epoch])
        for group in running.optimiser.param_groups:
            group["lr"] = rate
        close_epoch(running, epoch, rate, *take_steps(epoch, rate))
        if resumption.due() and epoch + 1 < epochs:
            resumption.write(_state(running, epoch + 1))
    trained = _finish(running, folder)
    resumption.discard()
    return trained


def _start(setup: Setup, net: nn.Module, folder: Path, log: logging.Logger) -> Running:
    settings, history = setup.settings, None
    every = settings.snapshot_every
    if every is not None:
        snapshots = np.arange(0, settings.epochs + 1, every)
        widths = len(_weights(net)), len(statistics(net))
        dtype = setup.meta["dtype"].removeprefix("torch.")
        history = checkpoints.History(folder, snapshots, *widths, dtype=dtype)
    progress = ProgressLog(log, setup.title, total=settings.epochs * setup.steps, per_epoch=setup.steps)
    return Running(setup, net, _optimiser(net, setup), history, progress)


def _optimiser(net: nn.Module, setup: Setup) -> torch.optim.SGD:
    sgd = setup.settings.optimiser
    return torch.optim.SGD(
        net.parameters(),
        lr=setup.settings.schedule[0].rate,
        momentum=sgd.momentum,
        nesterov=sgd.nesterov and sgd.momentum > 0,
        weight_decay=sgd.weight_decay,
        fused=setup.device.type in ("cpu", "cuda"),
    )


def _resume(running: Running, resumption: Resumption, log: logging.Logger) -> int:
    """Finished epochs of the resume state, if there is one that fits; otherwise 0 and a fresh start."""
    state, history = resumption.read(), running.history
    if state and history and not history.resume(state["history"]):
        resumption.refuse("has lost its weight history")
        state = None
    if state is None:
        if history:
            history.start()
        _snapshot(running)
        running.progress.start(0)
        return 0
    running.net.load_state_dict(state["net"])
    running.optimiser.load_state_dict(state["optimiser"])
    running.rows, running.states = state["rows"], state["states"]
    running.evaluations = state["evaluations"]
    epoch = int(state["epoch"])
    running.progress.start(epoch * running.setup.steps, state["seconds"])
    log.info("%s: resumed after epoch %d", running.setup.title, epoch)
    return epoch


def _state(running: Running, epoch: int) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "seconds": running.progress.seconds(),
        "net": running.net.state_dict(),
        "optimiser": running.optimiser.state_dict(),
        "rows": running.rows,
        "states": running.states,
        "evaluations": running.evaluations,
        "history": running.history.state() if running.history else None,
    }


def close_epoch(running: Running, epoch: int, rate: float, train_loss: float, train_error: float) -> None:
    """What is to be kept after an epoch: its metrics, a snapshot, checkpoints."""
    setup, settings, done = running.setup, running.setup.settings, epoch + 1
    if settings.snapshot_every and done % settings.snapshot_every == 0:
        _snapshot(running)
    due = [f for f in settings.checkpoints if epoch_at(f, settings.epochs) == done]
    if not due and done % max(1, settings.epochs // _MOST_ROWS):
        running.progress.report(done * setup.steps, train_loss)
        return
    test_loss, test_error = evaluate(running.net, setup.test)
    row = {
        "epoch": done,
        "rate": rate,
        "train_loss": train_loss,
        "train_error": train_error,
        "test_loss": test_loss,
        "test_error": test_error,
        "seconds": running.progress.seconds(),
    }
    running.rows.append(row)
    running.progress.report(done * setup.steps, train_loss, test_error)
    for fraction in due:
        _keep(running, fraction, test_loss, test_error)


def _snapshot(running: Running) -> None:
    if running.history:
        running.history.append(_weights(running.net), statistics(running.net))


def _keep(running: Running, fraction: float, test_loss: float, test_error: float) -> None:
    train_loss, train_error = evaluate(running.net, running.setup.train)
    state = running.net.state_dict()
    running.states[fraction] = {name: t.detach().cpu().clone() for name, t in state.items()}
    running.evaluations[fraction] = {
        "train_loss": train_loss,
        "train_error": train_error,
        "test_loss": test_loss,
        "test_error": test_error,
    }


def _finish(running: Running, folder: Path) -> TrainedRun:
    """Puts the results under their final names."""
    trajectory = running.history.finish() if running.history else None
    path = folder / checkpoints.CHECKPOINTS
    checkpoints.save(path, running.states, running.setup.meta | {"evaluations": running.evaluations})
    _, run_id, seed = running.setup.names
    rows = pd.DataFrame(running.rows).to_dict("list")
    metrics = pd.DataFrame({"run_id": run_id, "seed": seed, **rows})
    metrics.attrs["columns"] = COLUMNS
    return TrainedRun(run_id, seed, metrics, path, trajectory)


def check_finite(running: Running, losses: Tensor, epoch: int, rate: float) -> None:
    """The epoch's losses so far, and the weights: an overflow of the last step shows only in these."""
    bad = torch.nonzero(~losses.isfinite())
    weights_finite = all(bool(p.isfinite().all()) for p in running.net.parameters())
    if len(bad) or not weights_finite:
        setup = running.setup
        where = f"step {int(bad[0]) + 1}" if len(bad) else "its last steps"
        raise TrainingError(
            f"training {setup.title} diverged in epoch {epoch + 1}, {where} of {setup.steps}: the loss or a "
            f"weight is not finite at learning rate {rate:g}; lower the rates of its schedule"
        )


@torch.no_grad()
def evaluate(net: nn.Module, examples: Examples) -> tuple[float, float]:
    """Mean cross-entropy (nats) and share of wrong classifications, in evaluation mode."""
    net.eval()
    x, y = examples.x, examples.y
    loss = torch.zeros((), dtype=torch.float64, device=x.device)
    wrong = torch.zeros((), dtype=torch.int64, device=x.device)
    batches = zip(torch.split(x, _EVALUATION_BATCH), torch.split(y, _EVALUATION_BATCH), strict=True)
    for inputs, labels in batches:
        outputs = net(inputs)
        loss += F.cross_entropy(outputs, labels, reduction="sum").double()
        wrong += (outputs.argmax(1) != labels).sum()
    return loss.item() / len(x), wrong.item() / len(x)


def _weights(net: nn.Module) -> NDArray[Any]:
    return parameters_to_vector(net.parameters()).detach().cpu().numpy()


def statistics(net: nn.Module) -> NDArray[Any]:
    """Batch-norm's running means and variances as one vector, in the order of the net's buffers."""
    floating = [b.detach().cpu().flatten() for b in net.buffers() if b.is_floating_point()]
    return torch.cat(floating).numpy() if floating else np.empty(0, np.float32)
