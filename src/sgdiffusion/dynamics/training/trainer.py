"""The torch trainer: SGD with (Nesterov) momentum on arrays that stay on the device.

An epoch takes ⌊N/b⌋ batches of exactly b examples (one batch of N when N < b), so that the noise of every
step is the D/b of one b; without replacement the N mod b left-over examples change every epoch.
"""

import logging
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from sgdiffusion.config.models import Training
from sgdiffusion.dynamics.training import arrays, augmentation, draws, loop
from sgdiffusion.dynamics.training.setup import set_up
from sgdiffusion.errors import TrainingError

_CHECK_EVERY = 200  # steps between looks at the losses, which wait for the device


def train(
    settings: Training,
    data: arrays.Splits,
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
) -> loop.TrainedRun:
    """Train one seed of a run family, or continue it from `folder`/resume.pt when that fits.

    `code` is a digest of the code that a resumed training has to share; `resume_seconds` the time between
    resume states. `folder` receives checkpoints.pt and, when the settings ask for snapshots, trajectory.zarr.
    """
    setup = set_up(
        settings,
        data,
        run_id=run_id,
        seed=seed,
        root_seed=root_seed,
        classes=classes,
        device=_available(device),
        dtype=dtype,
        code=code,
        trainer="torch",
    )
    log = log or logging.getLogger(__name__)
    return loop.run(setup, setup.network(), _begin, folder=folder, resume_seconds=resume_seconds, log=log)


def _begin(running: loop.Running) -> loop.Epoch:
    return partial(_epoch, running)


def _epoch(running: loop.Running, epoch: int, rate: float) -> tuple[float, float]:
    setup, net, train = running.setup, running.net, running.setup.train
    order, choices = setup.order(epoch), setup.choices(epoch)
    losses = torch.zeros(setup.steps, device=setup.device, dtype=train.x.dtype)
    wrong = torch.zeros((), dtype=torch.int64, device=setup.device)
    net.train()
    with draws.dropout(setup.names, epoch, setup.device):
        for step, index in enumerate(order):
            x, y = train.x[index], train.y[index]
            if choices is not None:
                x = augmentation.flip_crop(x, choices[step])
            running.optimiser.zero_grad()
            outputs = net(x)
            loss = F.cross_entropy(outputs, y)
            torch.autograd.backward(loss)
            running.optimiser.step()
            losses[step] = loss.detach()
            wrong += (outputs.detach().argmax(1) != y).sum()
            if (step + 1) % _CHECK_EVERY == 0:
                loop.check_finite(running, losses, epoch, rate)
            if step + 1 < setup.steps:
                running.progress.report(epoch * setup.steps + step + 1, losses[step])
    loop.check_finite(running, losses, epoch, rate)
    return losses.double().mean().item(), wrong.item() / order.numel()


def _available(device: torch.device | str) -> torch.device:
    try:
        torch.empty(1, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"device {str(device)!r} is not available here ({error}); choose cpu in the profile"
        ) from error
