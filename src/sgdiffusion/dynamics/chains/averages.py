"""Averages over all examples for many nets at once: loss, accuracy, batch-norm statistics of a stack of
nets.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from sgdiffusion.dynamics.ensembles.batched import Batched, nets_at_once, norms
from sgdiffusion.errors import MeasureError

_EXAMPLES = 2000  # in a block, where its size is free


def blocks(net: Batched, examples: int, batch: int | None) -> Iterator[slice]:
    """Consecutive blocks of `batch` examples; where the net couples examples, only whole ones.

    Batch-norm by the batch makes the loss depend on the batch size, so that averages have to use the size of
    the dynamics they are compared with.
    """
    size = min(batch or examples, examples)
    last = examples - size if net.couples else examples - 1
    for first in range(0, last + 1, size):
        yield slice(first, first + size)


@torch.no_grad()
def average_loss(
    net: Batched,
    x: Tensor,
    y: Tensor,
    theta: Tensor,
    *,
    batch: int | None = None,
    order_seed: int = 0,
) -> Tensor:
    """L_n of each row of θ, [M] float64, over the examples in a random order fixed by `order_seed`."""
    order = torch.from_numpy(np.random.default_rng(order_seed).permutation(len(x))).to(x.device)
    total = torch.zeros(len(theta), dtype=torch.float64, device=theta.device)
    seen = 0
    for block in blocks(net, len(x), batch or _fitting(net, x)):
        chosen = order[block]
        inputs, targets = x[chosen][None], y[chosen][None]
        for rows in _rows(net, theta, len(chosen), x):
            total[rows] += net.losses(theta[rows], inputs, targets).double() * len(chosen)
        seen += len(chosen)
    return total / seen


@torch.no_grad()
def accuracy(
    net: Batched,
    x: Tensor,
    labels: Tensor,
    theta: Tensor,
    *,
    batch: int | None = None,
) -> Tensor:
    """Share of the examples that each row of θ classifies rightly, [M] float64."""
    if labels.is_floating_point():
        raise MeasureError("accuracy needs whole-number labels, found floating-point targets")
    right = torch.zeros(len(theta), dtype=torch.float64, device=theta.device)
    seen = 0
    for block in blocks(net, len(x), batch or _fitting(net, x)):
        inputs, targets = x[block][None], labels[block]
        for rows in _rows(net, theta, len(targets), x):
            found = net.outputs(theta[rows], inputs).argmax(-1)
            right[rows] += (found == targets).sum(-1).double()
        seen += len(targets)
    return right / seen


def _fitting(net: Batched, x: Tensor) -> int | None:
    """Without coupling the block size is free."""
    return None if net.couples else min(_EXAMPLES, len(x))


def _rows(net: Batched, theta: Tensor, examples: int, x: Tensor) -> Iterator[slice]:
    size = nets_at_once(net, examples, x[0].numel())
    for first in range(0, len(theta), size):
        yield slice(first, first + size)


def with_statistics(net: nn.Module, x: Tensor, batch: int = 1000) -> nn.Module:
    """The net in evaluation mode, batch-norm's statistics being their means over batches of `x`."""
    for module in norms(net).values():
        module.reset_running_stats()
        module.momentum = None  # torch's word for a plain mean
    net.train()
    with torch.no_grad():
        for part in x.chunk(math.ceil(len(x) / batch)):
            net(part)
    return net.eval()
