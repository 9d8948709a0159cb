"""‖∇f(x)‖ of the full training loss along a weight history, in evaluation or training mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from sgdiffusion.errors import MeasureError

Mode = Literal["evaluation", "training"]
MODES: tuple[Mode, ...] = ("evaluation", "training")


def gradient_norms(
    module: nn.Module, weights: NDArray[Any], buffers: NDArray[Any], x: Tensor, y: Tensor, mode: Mode
) -> NDArray[np.float64]:
    """‖∇f(x_k)‖/√d for each row of `weights` (snapshots, d) with its row of `buffers`.

    f is the mean cross-entropy over all examples in one batch. evaluation: batch-norm uses the running
    statistics that the training had at the snapshot; training: those of the whole set at these weights,
    the gradient being taken through them. The module is left as it was found.
    """
    _check(module, weights, buffers, mode)
    out = np.empty(len(weights))
    with _borrowed(module, mode):
        parameters = list(module.parameters())
        kind, device = parameters[0].dtype, parameters[0].device
        inputs, labels = x.to(device, kind), y.to(device)
        for k, (row, statistics) in enumerate(zip(weights, buffers, strict=True)):
            vector_to_parameters(torch.tensor(row, dtype=kind, device=device), parameters)
            _set_statistics(module, torch.tensor(statistics, dtype=kind, device=device))
            gradients = torch.autograd.grad(F.cross_entropy(module(inputs), labels), parameters)
            out[k] = sum(float(g.double().square().sum()) for g in gradients)
    if not np.isfinite(out).all():
        raise MeasureError(f"the gradient at snapshot {int(np.argmin(np.isfinite(out)))} is not finite")
    return np.sqrt(out / weights.shape[1])


def _check(module: nn.Module, weights: NDArray[Any], buffers: NDArray[Any], mode: Mode) -> None:
    d = sum(p.numel() for p in module.parameters())
    m = sum(b.numel() for b in _statistics(module))
    if weights.shape[1:] != (d,) or buffers.shape != (len(weights), m):
        raise MeasureError(
            f"the module has {d} weights and {m} running statistics, the history holds "
            f"{weights.shape[1:]} and {buffers.shape[1:]} per snapshot: it belongs to another network"
        )
    random = [
        n for n, part in module.named_modules() if isinstance(part, nn.modules.dropout._DropoutNd) and part.p
    ]
    if mode == "training" and random:
        raise MeasureError(
            f"dropout ({', '.join(random)}) makes the gradient in training mode random: use evaluation mode"
        )


def _statistics(module: nn.Module) -> list[Tensor]:
    return [b for b in module.buffers() if b.is_floating_point()]


def _set_statistics(module: nn.Module, values: Tensor) -> None:
    buffers = _statistics(module)
    for buffer, part in zip(buffers, torch.split(values, [b.numel() for b in buffers]), strict=True):
        buffer.copy_(part.view_as(buffer))


@contextmanager
def _borrowed(module: nn.Module, mode: Mode) -> Iterator[None]:
    """The module in the wanted mode for the block; its own weights, statistics and mode afterwards."""
    was_training = module.training
    state = {name: value.clone() for name, value in module.state_dict().items()}
    module.train(mode == "training")
    try:
        yield
    finally:
        module.load_state_dict(state)
        module.train(was_training)
