"""Compiled training of two-layer batch-norm nets (linear → batch-norm → ReLU → linear, cross-entropy).

Networks this small are bound by call overhead: a whole epoch runs in one compiled call, on the very memory
of the torch module and its optimiser, so that evaluation, checkpoints, weight history and resumption are
those of the torch trainer and both trainers take the same steps from the same streams, up to rounding.
"""

import logging
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from sgdiffusion.config.models import Training
from sgdiffusion.dynamics.training import arrays, loop
from sgdiffusion.dynamics.training.fused_kernel import Array, Layers, Net, Step, Work, run_epoch
from sgdiffusion.dynamics.training.setup import set_up
from sgdiffusion.errors import TrainingError


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
    """`trainer.train` with the compiled kernel: same streams, files, resumption and results."""
    if torch.device(device).type != "cpu":
        raise TrainingError(f"the fused kernel runs on the CPU, not on {device}: use the torch trainer")
    setup = set_up(
        settings,
        data,
        run_id=run_id,
        seed=seed,
        root_seed=root_seed,
        classes=classes,
        device=torch.device("cpu"),
        dtype=dtype,
        code=code,
        trainer="fused",
    )
    log = log or logging.getLogger(__name__)
    net = setup.network()
    refuse_unsupported(settings, net)
    return loop.run(setup, net, _begin, folder=folder, resume_seconds=resume_seconds, log=log)


def _begin(running: loop.Running) -> loop.Epoch:
    """Net and optimiser, as they are now, become views of the kernel's memory and stay the owners of all
    state.
    """
    state, work = _bind(running.net, running.optimiser, running.setup.batch)
    inputs = np.ascontiguousarray(running.setup.train.x.flatten(1).numpy())
    return partial(_epoch, running, inputs, state, work)


def _epoch(
    running: loop.Running, inputs: Array, state: Net, work: Work, epoch: int, rate: float
) -> tuple[float, float]:
    setup, order = running.setup, running.setup.order(epoch).numpy()
    losses = np.empty(setup.steps)
    step = _step(running.net, setup.settings, rate, inputs.dtype)
    wrong = run_epoch(inputs, setup.train.y.numpy(), order, state, work, step, losses)
    cast(torch.Tensor, _norm(running.net).num_batches_tracked).add_(setup.steps)
    if not (np.isfinite(losses).all() and np.isfinite(state.weights).all()):
        loop.check_finite(running, torch.from_numpy(losses), epoch, rate)
    return float(losses.mean()), wrong / order.size


def refuse_unsupported(settings: Training, net: nn.Module) -> None:
    """Only what the kernel computes: two layers with batch-norm and ReLU, no dropout, no augmentation."""
    kinds = [nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    found = [type(layer) for layer in net] if isinstance(net, nn.Sequential) else [type(net)]
    if found != kinds or settings.augmentation != "none":
        layers = ", ".join(kind.__name__ for kind in found)
        raise TrainingError(
            "the fused kernel trains linear → batch-norm → ReLU → linear without dropout or augmentation; "
            f"found {layers} with augmentation {settings.augmentation!r}: use the torch trainer"
        )


def _bind(net: nn.Module, optimiser: torch.optim.SGD, batch: int) -> tuple[Net, Work]:
    """One vector each for weights and velocities; the module and its optimiser become views of them."""
    parameters = list(net.parameters())
    weights = parameters_to_vector(parameters).detach().clone()
    vector_to_parameters(weights, parameters)
    buffers = [optimiser.state[p].get("momentum_buffer") for p in parameters]
    velocity = parameters_to_vector(
        [torch.zeros_like(p) if b is None else b for p, b in zip(parameters, buffers, strict=True)]
    )
    start = 0
    for p in parameters:
        optimiser.state[p]["momentum_buffer"] = velocity[start : start + p.numel()].view_as(p)
        start += p.numel()
    layers = Layers(*(p.detach().numpy() for p in parameters))
    norm = _norm(net)
    mean = cast(torch.Tensor, norm.running_mean).numpy()
    variance = cast(torch.Tensor, norm.running_var).numpy()
    state = Net(weights.numpy(), velocity.numpy(), layers, mean, variance)
    return state, _work(layers, batch)


def _work(layers: Layers, batch: int) -> Work:
    (hidden, features), classes = layers.weight.shape, len(layers.head)
    dtype = layers.weight.dtype
    gradient = np.empty(sum(a.size for a in layers), dtype)
    ends = np.cumsum([a.size for a in layers])
    views = Layers(*(g.reshape(a.shape) for g, a in zip(np.split(gradient, ends[:-1]), layers, strict=True)))
    return Work(
        rows=np.empty((batch, features), dtype),
        inputs=np.empty((features, batch), dtype),
        normalised=np.empty((hidden, batch), dtype),
        hidden=np.empty((hidden, batch), dtype),
        outputs=np.empty((classes, batch), dtype),
        inverse=np.empty(hidden, dtype),
        gradient=gradient,
        layers=views,
    )


def _step(net: nn.Module, settings: Training, rate: float, dtype: np.dtype[Any]) -> Step:
    sgd, norm, number = settings.optimiser, _norm(net), dtype.type
    return Step(
        rate=number(rate),
        momentum=number(sgd.momentum),
        nesterov=sgd.nesterov and sgd.momentum > 0,
        decay=number(sgd.weight_decay),
        eps=number(norm.eps),
        forget=number(norm.momentum),
    )


def _norm(net: nn.Module) -> nn.BatchNorm1d:
    return cast(nn.BatchNorm1d, cast(nn.Sequential, net)[2])
