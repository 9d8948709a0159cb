"""Noise balance of every rescaling symmetry of a network (Ziyin, Li & Ueda 2025, Thm 3.1).

A pair (u, w) has ℓ(λu, w/λ) = ℓ(u, w) (`symmetries` finds them). Then u·∇_u ℓ = w·∇_w ℓ (Euler),
‖u‖² − ‖w‖² has no drift but

    d/dt (‖u‖² − ‖w‖²) = −T (uᵀC₁u − wᵀC₂w),   uᵀC₁u = Tr Cov(∇_w ℓ),  wᵀC₂w = Tr Cov(∇_u ℓ),

with Cov over the examples given (1/N). The traces come from per-example gradients, so that any such pair has
them; `balance` has the same for two linear layers from one backward pass, and unit by unit.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sgdiffusion.errors import InputError, MeasureError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.measures.noise.balance import HOMOGENEITY
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.symmetries import Part, Symmetry, find_symmetries


class PairBalance(NamedTuple):
    """Both sides of the noise balance, and the squared norms."""

    u_noise: float  # uᵀC₁u = Tr Cov(∇_w ℓ)
    w_noise: float  # wᵀC₂w = Tr Cov(∇_u ℓ)
    u_squared: float
    w_squared: float
    u_gradient: float  # ‖E ∇_u ℓ‖²
    w_gradient: float


def balanced_pairs(gradients: PerExampleGradients, found: Sequence[Symmetry]) -> list[Symmetry]:
    """The symmetries that have a balance: two sides, all weights differentiated."""
    names = set(gradients.names)
    return [s for s in found if s.w and all(part.name in names for part in (*s.u, *s.w))]


def pair_balances(
    gradients: PerExampleGradients,
    pairs: Sequence[Symmetry] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[PairBalance]:
    """Both sides of every pair whose weights are all differentiated, in one pass over the examples.

    ``pairs``: by default all that `find_symmetries` finds.
    """
    found = find_symmetries(_held(gradients)).found if pairs is None else pairs
    pairs = balanced_pairs(gradients, found)
    if not pairs:
        raise MeasureError("no pair of layers with a rescaling symmetry: nothing to balance")
    gradients = gradients.of(part.name for pair in pairs for part in (*pair.u, *pair.w))
    sides = [(_Side(gradients, pair.u), _Side(gradients, pair.w)) for pair in pairs]
    count = 0
    for block in gradients:
        count += len(block)
        for pair, (u, w) in zip(pairs, sides, strict=True):
            _require_symmetry(pair, u.add(block), w.add(block))
        if progress is not None and gradients.examples is not None:
            progress(count, gradients.examples)
    out = []
    for u, w in sides:
        (u_trace, u_mean), (w_trace, w_mean) = u.covariance(count), w.covariance(count)
        out.append(PairBalance(w_trace, u_trace, u.squared, w.squared, u_mean, w_mean))
    return out


def _held(gradients: PerExampleGradients) -> PerExampleGradients:
    """The same over examples that are held, of which the search takes the first."""
    if isinstance(gradients.data, Inputs):
        return gradients
    if gradients.examples is None:
        raise InputError("data", "a loader", "read it first: inputs.data.read_data(loader)")
    x, y = (torch.as_tensor(part) for part in gradients.data)
    return gradients.of(gradients.names, Inputs((x, y)))


class _Side:
    """Running sums of the gradients of one side's weights."""

    def __init__(self, gradients: PerExampleGradients, parts: Sequence[Part]) -> None:
        ends = torch.tensor([0, *gradients.sizes]).cumsum(0).tolist()
        starts = dict(zip(gradients.names, itertools.pairwise(ends), strict=True))
        parameters = dict(gradients.module.named_parameters())
        self._places = [(slice(*starts[part.name]), part.mask) for part in parts]
        self._values = [_chosen(parameters[p.name].detach().flatten(), p.mask).double() for p in parts]
        self._sums = [torch.zeros_like(values) for values in self._values]
        self._squares = 0.0
        self.squared = float(sum(float(v.square().sum()) for v in self._values))

    def add(self, block: Tensor) -> Tensor:
        """Take a block of gradients in; the products x·∇_x ℓ of its examples."""
        products = torch.zeros(len(block), dtype=torch.float64, device=block.device)
        for (place, mask), values, sums in zip(self._places, self._values, self._sums, strict=True):
            rows = _chosen(block[:, place], mask)
            sums += rows.sum(0, dtype=torch.float64)
            self._squares += float(torch.linalg.vector_norm(rows, dtype=torch.float64)) ** 2
            products += rows.double() @ values
        return products

    def covariance(self, count: int) -> tuple[float, float]:
        """Trace of the covariance of the gradients, and the squared norm of their mean."""
        mean = sum(float((sums / count).square().sum()) for sums in self._sums)
        return self._squares / count - mean, mean


def _chosen(rows: Tensor, mask: Tensor | None) -> Tensor:
    return rows if mask is None else rows[..., mask.flatten()]


def _require_symmetry(pair: Symmetry, left: Tensor, right: Tensor) -> None:
    """u·∇_u ℓ = w·∇_w ℓ for every example."""
    worst, size = float((left - right).abs().max()), float(right.abs().max())
    if worst > HOMOGENEITY * size:
        raise MeasureError(
            f"{pair.name} is no pair: u·∇ℓ and w·∇ℓ of an example differ by {worst:.3g} of {size:.3g}; "
            "is a weight shared or used twice?"
        )
