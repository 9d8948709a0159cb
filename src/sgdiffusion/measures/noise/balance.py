"""Noise balance of a layer pair with rescaling symmetry, exactly over a data set (Ziyin, Li & Ueda 2025,
Thm 3.1).

Two linear layers h ← W₁x + b₁, o ← W₂φ(h) + b₂ with a positively homogeneous φ (ReLU, leaky ReLU,
identity) are symmetric under u_j → λu_j, w_j → w_j/λ for every hidden unit j: u_j is row j of W₁ with b₁ⱼ,
w_j column j of W₂. With δ = ∂ℓ/∂o of one example, x̃ = (x, 1) and φ'_j its slope,

    A_{ki} = ∂ℓ/∂(u_i w_k) = δ_k φ'_j x̃_i      (for indices k, i of the same unit j),
    C₁ = E[AᵀA] − E[Aᵀ]E[A],  C₂ = E[AAᵀ] − E[A]E[Aᵀ]      (block diagonal over the units),
    uᵀC₁u = Σ_k Var(∂ℓ/∂w_k) = Tr Cov(∇_w ℓ),   wᵀC₂w = Tr Cov(∇_u ℓ),
    d/dt (‖u‖² − ‖w‖²) = −T (uᵀC₁u − wᵀC₂w).

E is the mean over the examples given (1/N). All terms are per hidden unit; the whole layer is their sum,
its extreme eigenvalues are those over all blocks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import Loss

# Euler's identity u·∇_u ℓ = w·∇_w ℓ has to hold this well, relative to its size, for φ to count as
# homogeneous.
HOMOGENEITY = 1e-4


@dataclass(frozen=True)
class Balance:
    """Both sides of the noise balance, one entry per hidden unit."""

    u_squared: Tensor
    w_squared: Tensor
    u_noise: Tensor  # uᵀC₁u = Tr Cov(∇_w ℓ)
    w_noise: Tensor  # wᵀC₂w = Tr Cov(∇_u ℓ)
    u_gradient: Tensor  # ‖E ∇_u ℓ‖²
    w_gradient: Tensor  # ‖E ∇_w ℓ‖²
    c1: tuple[Tensor, Tensor]  # smallest and largest eigenvalue of C₁
    c2: tuple[Tensor, Tensor]  # and of C₂

    @property
    def noise_ratio(self) -> float:
        """uᵀC₁u / wᵀC₂w of the whole layer: one at noise balance."""
        return float(self.u_noise.sum() / self.w_noise.sum())

    @property
    def norm_ratio(self) -> float:
        """‖u‖²/‖w‖² of the whole layer."""
        return float(self.u_squared.sum() / self.w_squared.sum())

    def bound(self) -> tuple[float, float]:
        """Eq. 4: [λ₂ₘ/λ₁ᴹ, λ₂ᴹ/λ₁ₘ] of the whole layer holds ‖u‖²/‖w‖² at noise balance; ∞ where λ₁ₘ = 0."""
        lowest, highest = float(self.c1[0].min().clamp(min=0)), float(self.c1[1].max())
        low = float(self.c2[0].min().clamp(min=0)) / highest if highest > 0 else 0.0
        # Rounding leaves eigenvalues of a singular matrix at about 1e-16 of the largest.
        singular = lowest <= 1e-12 * highest
        return low, float("inf") if singular else float(self.c2[1].max()) / lowest

    def rescaling(self) -> Tensor:
        """λ per unit that takes (λu, w/λ) to noise balance: λ⁴ = wᵀC₂w/uᵀC₁u (the C do not change with λ)."""
        return (self.w_noise / self.u_noise) ** 0.25


@dataclass(frozen=True)
class _Passes:
    """What the pair saw: inputs with a one for the bias, hidden activities, slopes φ', and δ."""

    inputs: Tensor
    hidden: Tensor
    slopes: Tensor
    delta: Tensor


def _record(net: nn.Module, first: nn.Linear, second: nn.Linear, x: Tensor, y: Tensor, loss: Loss) -> _Passes:
    seen: dict[str, Tensor] = {}

    def keep(_: nn.Module, arguments: tuple[Tensor, ...], output: Tensor, name: str) -> None:
        seen[f"{name} in"], seen[f"{name} out"] = arguments[0], output

    hooks = [
        first.register_forward_hook(lambda m, a, o: keep(m, a, o, "first")),
        second.register_forward_hook(lambda m, a, o: keep(m, a, o, "second")),
    ]
    try:
        with torch.enable_grad():
            examples = loss(net(x), y)
            if examples.shape != (len(x),):
                raise MeasureError(f"the loss must give one number per example, got {tuple(examples.shape)}")
            gradients = torch.autograd.grad(
                examples.sum(), [seen["second out"], seen["second in"], seen["first out"]]
            )
    except KeyError as missing:
        raise MeasureError(f"the network did not use the given pair of layers ({missing})") from missing
    finally:
        for hook in hooks:
            hook.remove()
    delta, at_hidden, at_before = gradients
    before, hidden = seen["first out"].detach(), seen["second in"].detach()
    _require_homogeneous(before, hidden, at_before, at_hidden)
    slopes = torch.where(before != 0, hidden / torch.where(before != 0, before, 1), torch.zeros_like(before))
    inputs = seen["first in"].detach()
    if first.bias is not None:
        inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], 1)
    return _Passes(inputs, hidden, slopes, delta)


def _require_homogeneous(before: Tensor, hidden: Tensor, at_before: Tensor, at_hidden: Tensor) -> None:
    """h·∂ℓ/∂h = φ·∂ℓ/∂φ unit by unit and example by example: φ is positively homogeneous and acts unit by
    unit.
    """
    if before.ndim != 2 or before.shape != hidden.shape:
        raise MeasureError(
            "the two layers must be linear, one directly after the other up to an activation: found "
            f"{tuple(before.shape)} between them before and {tuple(hidden.shape)} after it"
        )
    left, right = before * at_before, hidden * at_hidden
    worst, size = float((left - right).abs().max()), float(right.abs().max())
    if worst > HOMOGENEITY * size:
        raise MeasureError(
            "the activation between the layers is not positively homogeneous (Euler's identity fails by "
            f"{worst:.3g} "
            f"of {size:.3g}): the pair has no rescaling symmetry; use ReLU, leaky ReLU or none"
        )


def _variance_terms(sides: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Σ Var and Σ mean² over the other side's components, per unit, of gradients weights[n, j] · sides[n,
    ·].
    """
    n = len(sides)
    mean = weights.T @ sides / n
    second = (weights**2).T @ (sides**2).sum(1) / n
    squared_mean = (mean**2).sum(1)
    return second - squared_mean, squared_mean


def _extreme_eigenvalues(rows: Tensor, size: Tensor, weights: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Extremes per unit j of E[s w_j² r rᵀ] − Σ_k E[o_k w_j r] E[o_k w_j r]ᵀ (s = Σ_k o_k²)."""
    n, lows, highs = len(rows), [], []
    for j in range(weights.shape[1]):
        scaled = rows * weights[:, j : j + 1]
        second = (scaled * size[:, None]).T @ scaled / n
        cross = other.T @ scaled / n
        values = torch.linalg.eigvalsh(second - cross.T @ cross)
        lows.append(values[0])
        highs.append(values[-1])
    return torch.stack(lows), torch.stack(highs)


def layer_pair(
    net: nn.Module,
    first: nn.Linear,
    second: nn.Linear,
    x: Tensor,
    y: Tensor,
    loss: Loss,
    eigenvalues: bool = True,
) -> Balance:
    """Both sides of the noise balance of two successive linear layers of `net`, over the examples (x, y).

    `loss(outputs, targets)` gives one number per example. Without `eigenvalues`, those of C₁ and C₂ are NaN.
    """
    with torch.no_grad():
        passes = _record(net, first, second, x, y, loss)
        inputs, slopes, delta = passes.inputs, passes.slopes, passes.delta
        # ∇_{w_j} = h_j δ; ∇_{u_j} = (δ·w_j) φ'_j x̃.
        u_noise, w_gradient = _variance_terms(delta, passes.hidden)
        w_noise, u_gradient = _variance_terms(inputs, (delta @ second.weight) * slopes)
        u_squared = (first.weight**2).sum(1)
        if first.bias is not None:
            u_squared = u_squared + first.bias**2
        none = torch.full_like(u_noise, float("nan"))
        c1, c2 = (none, none), (none, none)
        if eigenvalues:
            c1 = _extreme_eigenvalues(inputs, (delta**2).sum(1), slopes, delta)
            c2 = _extreme_eigenvalues(delta, (inputs**2).sum(1), slopes, inputs)
    return Balance(
        u_squared, (second.weight**2).sum(0).detach(), u_noise, w_noise, u_gradient, w_gradient, c1, c2
    )  # fmt: skip
