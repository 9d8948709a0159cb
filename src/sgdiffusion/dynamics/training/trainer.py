"""The torch trainer: SGD with (Nesterov) momentum on arrays that stay on the device.

An epoch takes ⌊N/b⌋ batches of exactly b examples (one batch of N when N < b), so that the noise of every
step is the D/b of one b; without replacement the N mod b left-over examples change every epoch. Every random
choice comes from a stream named by run, seed, purpose and epoch, so that a resumed training needs no
generator state and ends, on the CPU with equal threads, bit for bit where an uninterrupted one ends.
"""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion import networks, streams
from sgdiffusion.config.models import Training
from sgdiffusion.dynamics.training import arrays, augmentation, checkpoints
from sgdiffusion.dynamics.training.progress import Progress
from sgdiffusion.dynamics.training.schedule import epoch_at, rates
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
_CHECK_EVERY = 200  # steps between looks at the losses, which wait for the device


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


def train(
    settings: Training,
    data: arrays.Arrays,
    *,
    run_id: str,
    seed: int,
    root_seed: int,
    folder: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    classes: int | None = None,
    code: str = "",
    resume_seconds: float = 60.0,
    log: logging.Logger | None = None,
) -> TrainedRun:
    """Train one seed of a run family, or continue it from `folder`/resume.pt when that fits.

    `code` is a digest of the code that a resumed training has to share; `resume_seconds` the time between
    resume states. `folder` receives checkpoints.pt and, when the settings ask for snapshots, trajectory.zarr.
    """
    log = log or logging.getLogger(__name__)
    names = (root_seed, run_id, seed)
    return run(Job(settings, data, names, folder, _device(device), dtype, classes, code, log), resume_seconds)


def run(job: "Job", resume_seconds: float) -> TrainedRun:
    """All epochs that are left, with a resume state every so many seconds."""
    done = job.resume()
    epochs = job.settings.epochs
    eta = rates(job.settings.schedule, epochs)
    saved = time.monotonic()
    for epoch in range(done, epochs):
        job.epoch(epoch, float(eta[epoch]))
        if time.monotonic() - saved >= resume_seconds and epoch + 1 < epochs:
            job.save_resume_state(epoch + 1)
            saved = time.monotonic()
    return job.finish()


class Job:
    """One training of one seed: its network, its data on the device, its streams and its files."""

    trainer = "torch"

    def __init__(
        self,
        settings: Training,
        data: arrays.Arrays,
        names: tuple[int, str, int],
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        classes: int | None,
        code: str,
        log: logging.Logger,
    ) -> None:
        self.settings, self.names, self.folder, self.device, self.log = settings, names, folder, device, log
        arrays.check(data)
        self.x, self.y = arrays.to_device(data.x_train, data.y_train, device, dtype)
        self.x_test, self.y_test = arrays.to_device(data.x_test, data.y_test, device, dtype)
        self.classes = classes or int(max(data.y_train.max(), data.y_test.max())) + 1
        self.meta = self._meta(arrays.digest(data), str(dtype), code)
        self.net = self._network().to(device, dtype)
        self.optimiser = _optimiser(self.net, settings, device)
        self.batch = min(settings.batch_size, len(self.x))
        self._refuse_single_examples()
        self.steps = len(self.x) // self.batch
        self._row_every = max(1, settings.epochs // _MOST_ROWS)
        self.rows: list[dict[str, float]] = []
        self.states: dict[float, checkpoints.State] = {}
        self.evaluations: dict[float, dict[str, float]] = {}
        self.history = self._history(dtype)
        self.progress = Progress(log, f"{names[1]} seed {names[2]}", settings.epochs, self.steps)

    def _meta(self, data_digest: str, dtype: str, code: str) -> dict[str, Any]:
        root_seed, run_id, seed = self.names
        plain = self.settings.model_dump(mode="json", exclude={"assumptions", "seeds"})
        meta = {
            "run_id": run_id,
            "seed": seed,
            "root_seed": root_seed,
            "network": plain["network"],
            "in_shape": list(self.x.shape[1:]),
            "classes": self.classes,
            "epochs": self.settings.epochs,
            "settings": plain,
            "data_digest": data_digest,
            "dtype": dtype,
            "device": self.device.type,
            "trainer": self.trainer,
            "code": code,
        }
        text = json.dumps(meta, sort_keys=True)
        return meta | {"digest": hashlib.sha256(text.encode()).hexdigest()}

    def _network(self) -> nn.Module:
        spec = self.settings.network
        return networks.build(
            spec.name,
            in_shape=tuple(self.x.shape[1:]),
            classes=self.classes,
            generator=torch.Generator().manual_seed(streams.seed(*self.names, "init")),
            init=spec.init,
            dropout=spec.dropout,
            **spec.sizes,
        )

    def _refuse_single_examples(self) -> None:
        if self.batch == 1 and any(
            isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in self.net.modules()
        ):
            raise TrainingError(
                f"training {self.names[1]}: batch-norm has no variance in batches of one example; "
                "set batch_size to at least 2"
            )

    def _history(self, dtype: torch.dtype) -> checkpoints.History | None:
        every = self.settings.snapshot_every
        if every is None:
            return None
        epochs = np.arange(0, self.settings.epochs + 1, every)
        widths = len(self._weights()), len(statistics(self.net))
        return checkpoints.History(self.folder, epochs, *widths, dtype=str(dtype).removeprefix("torch."))

    def _weights(self) -> NDArray[Any]:
        return parameters_to_vector(self.net.parameters()).detach().cpu().numpy()

    def _snapshot(self) -> None:
        if self.history:
            self.history.append(self._weights(), statistics(self.net))

    def resume(self) -> int:
        """Finished epochs of the resume state, if it fits these settings; otherwise 0 and a fresh start."""
        path = self.folder / checkpoints.RESUME
        if not path.is_file():
            return self._start()
        state = checkpoints.read_state(path)
        if state["digest"] != self.meta["digest"]:
            self.log.warning("%s belongs to other settings, data or code: training starts afresh", path)
            return self._start()
        if self.history and not self.history.resume(state["history"]):
            self.log.warning("%s has lost its weight history: training starts afresh", path)
            return self._start()
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rows, self.states, self.evaluations = state["rows"], state["states"], state["evaluations"]
        self.progress.start(state["epoch"], state["seconds"])
        self.log.info("%s: resumed after epoch %d", self.progress.name, state["epoch"])
        return int(state["epoch"])

    def _start(self) -> int:
        if self.history:
            self.history.start()
        self._snapshot()
        self.progress.start(0, 0.0)
        return 0

    def save_resume_state(self, epoch: int) -> None:
        content = {
            "digest": self.meta["digest"],
            "epoch": epoch,
            "seconds": self.progress.seconds(),
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rows": self.rows,
            "states": self.states,
            "evaluations": self.evaluations,
            "history": self.history.state() if self.history else None,
        }
        checkpoints.write_state(self.folder / checkpoints.RESUME, content)

    def epoch(self, epoch: int, rate: float) -> None:
        """One epoch, its metrics, and what is to be kept after it."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        train_loss, train_error = self._steps(epoch, rate)
        if self.settings.snapshot_every and (epoch + 1) % self.settings.snapshot_every == 0:
            self._snapshot()
        due = [f for f in self.settings.checkpoints if epoch_at(f, self.settings.epochs) == epoch + 1]
        if not due and (epoch + 1) % self._row_every:
            return
        test_loss, test_error = evaluate(self.net, self.x_test, self.y_test)
        row = {
            "epoch": epoch + 1,
            "rate": rate,
            "train_loss": train_loss,
            "train_error": train_error,
            "test_loss": test_loss,
            "test_error": test_error,
            "seconds": self.progress.seconds(),
        }
        self.rows.append(row)
        self.progress.report(epoch + 1, 0, train_loss, test_error)
        for fraction in due:
            self._keep(fraction, test_loss, test_error)

    def _steps(self, epoch: int, rate: float) -> tuple[float, float]:
        """One epoch's steps; mean loss and share of errors over its batches."""
        self.net.train()
        order = self._order(epoch)
        choices = self._choices(epoch)
        losses = torch.zeros(self.steps, device=self.device, dtype=self.x.dtype)
        wrong = torch.zeros((), dtype=torch.int64, device=self.device)
        with _seeded(streams.seed(*self.names, "dropout", epoch), self.device):
            for step, index in enumerate(order):
                x, y = self.x[index], self.y[index]
                if choices is not None:
                    x = augmentation.flip_crop(x, choices[step])
                self.optimiser.zero_grad()
                outputs = self.net(x)
                loss = F.cross_entropy(outputs, y)
                torch.autograd.backward(loss)
                self.optimiser.step()
                losses[step] = loss.detach()
                wrong += (outputs.detach().argmax(1) != y).sum()
                if (step + 1) % _CHECK_EVERY == 0:
                    self._check_finite(losses, epoch, rate)
                self.progress.report(epoch, step + 1, losses[step])
        self._check_finite(losses, epoch, rate)
        return losses.double().mean().item(), wrong.item() / (self.steps * self.batch)

    def _order(self, epoch: int) -> Tensor:
        """(steps, b) indices into the training set."""
        generator = streams.generator(*self.names, "order", epoch)
        count = self.steps * self.batch
        if self.settings.sampling == "reshuffle":
            flat = generator.permutation(len(self.x))[:count]
        else:
            flat = generator.integers(0, len(self.x), count)
        return torch.from_numpy(flat).to(self.device).view(self.steps, self.batch)

    def _choices(self, epoch: int) -> Tensor | None:
        if self.settings.augmentation == "none":
            return None
        generator = streams.generator(*self.names, "augmentation", epoch)
        drawn = augmentation.draw(generator, self.steps * self.batch)
        return torch.from_numpy(drawn).to(self.device).view(self.steps, self.batch, 3)

    def _check_finite(self, losses: Tensor, epoch: int, rate: float) -> None:
        """The epoch's losses so far, and the weights: an overflow of the last step shows only in these."""
        bad = torch.nonzero(~losses.isfinite())
        weights_finite = all(bool(p.isfinite().all()) for p in self.net.parameters())
        if len(bad) or not weights_finite:
            _, run_id, seed = self.names
            where = f"step {int(bad[0]) + 1}" if len(bad) else "its last steps"
            raise TrainingError(
                f"training {run_id} seed {seed} diverged in epoch {epoch + 1}, {where} of {self.steps}: the "
                f"loss or a weight is not finite at learning rate {rate:g}; lower the rates of its schedule"
            )

    def _keep(self, fraction: float, test_loss: float, test_error: float) -> None:
        train_loss, train_error = evaluate(self.net, self.x, self.y)
        self.states[fraction] = {name: t.detach().cpu().clone() for name, t in self.net.state_dict().items()}
        self.evaluations[fraction] = {
            "train_loss": train_loss,
            "train_error": train_error,
            "test_loss": test_loss,
            "test_error": test_error,
        }

    def finish(self) -> TrainedRun:
        """Put the results under their final names; the resume state has done its duty."""
        trajectory = self.history.finish() if self.history else None
        path = self.folder / checkpoints.CHECKPOINTS
        checkpoints.save(path, self.states, self.meta | {"evaluations": self.evaluations})
        checkpoints.discard(self.folder / checkpoints.RESUME)
        _, run_id, seed = self.names
        metrics = pd.DataFrame({"run_id": run_id, "seed": seed, **pd.DataFrame(self.rows).to_dict("list")})
        metrics.attrs["columns"] = COLUMNS
        return TrainedRun(run_id, seed, metrics, path, trajectory)


@torch.no_grad()
def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and share of wrong classifications, in evaluation mode."""
    net.eval()
    loss = torch.zeros((), dtype=torch.float64, device=x.device)
    wrong = torch.zeros((), dtype=torch.int64, device=x.device)
    for inputs, labels in zip(
        torch.split(x, _EVALUATION_BATCH), torch.split(y, _EVALUATION_BATCH), strict=True
    ):
        outputs = net(inputs)
        loss += F.cross_entropy(outputs, labels, reduction="sum").double()
        wrong += (outputs.argmax(1) != labels).sum()
    return loss.item() / len(x), wrong.item() / len(x)


def statistics(net: nn.Module) -> NDArray[Any]:
    """Batch-norm's running means and variances as one vector, in the order of the net's buffers."""
    floating = [b.detach().cpu().flatten() for b in net.buffers() if b.is_floating_point()]
    return torch.cat(floating).numpy() if floating else np.empty(0, np.float32)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout can only draw from torch's global generator: seed it for the block and put it back after."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _optimiser(net: nn.Module, settings: Training, device: torch.device) -> torch.optim.SGD:
    sgd = settings.optimiser
    return torch.optim.SGD(
        net.parameters(),
        lr=settings.schedule[0].rate,
        momentum=sgd.momentum,
        nesterov=sgd.nesterov and sgd.momentum > 0,
        weight_decay=sgd.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )


def _device(device: torch.device | str) -> torch.device:
    try:
        torch.empty(1, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"device {str(device)!r} is not available here ({error}); choose cpu in the profile"
        ) from error
