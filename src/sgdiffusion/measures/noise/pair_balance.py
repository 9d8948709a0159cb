"""Noise balance of every rescaling-symmetric pair of layers of a net in layers (Ziyin et al. 2025, Thm 3.1).

A pair (u, w) has ℓ(λu, w/λ) = ℓ(u, w): w are the weights of a linear layer or a convolution; u are weights
and bias of the one before or, where batch-norm follows that one, batch-norm's scale and shift, with only
positively homogeneous layers between them. Then u·∇_u ℓ = w·∇_w ℓ (Euler), ‖u‖² − ‖w‖² has no drift but

    d/dt (‖u‖² − ‖w‖²) = −T (uᵀC₁u − wᵀC₂w),   uᵀC₁u = Tr Cov(∇_w ℓ),  wᵀC₂w = Tr Cov(∇_u ℓ),

with Cov over the examples given (1/N). The traces come from per-example gradients, so that any such pair has
them; `balance` has the same for two linear layers from one backward pass, and unit by unit.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.balance import HOMOGENEITY
from sgdiffusion.measures.noise.gradients import PerExampleGradients

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
HOMOGENEOUS = (
    nn.Identity, nn.ReLU, nn.LeakyReLU, nn.Flatten, nn.Dropout,
    nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d,
)  # fmt: skip


class Pair(NamedTuple):
    """Names of the parameters of both sides."""

    u: tuple[str, ...]
    w: str


class PairBalance(NamedTuple):
    """Both sides of the noise balance, and the squared norms."""

    u_noise: float  # uᵀC₁u = Tr Cov(∇_w ℓ)
    w_noise: float  # wᵀC₂w = Tr Cov(∇_u ℓ)
    u_squared: float
    w_squared: float


def symmetric_pairs(net: nn.Module) -> list[Pair]:
    """The pairs in the order of the layers."""
    if not isinstance(net, nn.Sequential):
        raise MeasureError(
            f"pairs of layers are found in an nn.Sequential, got {type(net).__name__}: in other modules the "
            "order of use is not known"
        )
    pairs: list[Pair] = []
    before: tuple[str, ...] = ()  # the u that is scaled where we are; none: the next layer has no partner
    for name, layer in net.named_children():
        own = tuple(f"{name}.{key}" for key, _ in layer.named_parameters())
        if isinstance(layer, WEIGHTED):
            if before:
                pairs.append(Pair(before, f"{name}.weight"))
            before = own
        elif isinstance(layer, NORMS):
            before = own
        elif not isinstance(layer, HOMOGENEOUS):
            before = ()
    return pairs


def pair_balances(gradients: PerExampleGradients) -> list[PairBalance]:
    """Both sides of every pair whose weights are all differentiated, in one pass over the examples."""
    places = dict(
        zip(gradients.names, torch.split(torch.arange(gradients.weights), gradients.sizes), strict=True)
    )
    pairs = [p for p in symmetric_pairs(gradients.module) if places.keys() >= {*p.u, p.w}]
    if not pairs:
        raise MeasureError("no pair of layers with a rescaling symmetry: nothing to balance")
    sides = [(torch.cat([places[name] for name in pair.u]), places[pair.w]) for pair in pairs]
    parameters = dict(gradients.module.named_parameters())
    values = torch.cat([parameters[name].detach().flatten() for name in gradients.names]).double()
    columns = torch.cat([torch.cat(side) for side in sides])
    sums, count = torch.zeros(2, len(columns), dtype=torch.float64), 0
    for block in gradients:
        rows = block[:, columns].double()
        sums += torch.stack([rows.sum(0), rows.square().sum(0)]).cpu()
        count += len(rows)
        for pair, (u, w) in zip(pairs, sides, strict=True):
            _require_symmetry(pair, block[:, u].double() @ values[u], block[:, w].double() @ values[w])
    mean, second = sums / count
    variance = torch.zeros(gradients.weights, dtype=torch.float64)
    variance[columns] = second - mean.square()
    found = [(variance[w], variance[u], values[u].square(), values[w].square()) for u, w in sides]
    return [PairBalance._make(float(part.sum()) for part in parts) for parts in found]


def _require_symmetry(pair: Pair, left: Tensor, right: Tensor) -> None:
    """u·∇_u ℓ = w·∇_w ℓ for every example."""
    worst, size = float((left - right).abs().max()), float(right.abs().max())
    if worst > HOMOGENEITY * size:
        raise MeasureError(
            f"{pair.u[0]} and {pair.w} are no pair: u·∇ℓ and w·∇ℓ of an example differ by {worst:.3g} of "
            f"{size:.3g}; is a weight shared or used twice?"
        )
