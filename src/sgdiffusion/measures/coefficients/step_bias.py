"""By how much a finite step can inflate λ̂.

At step ε the energy U = nβ L + (γ/2)‖w − c‖² of a chain lies above that of the law it is to sample. On a
quadratic loss with stiffnesses h_i, whose mini-batch slopes have the variances c_i, the excess is

    euler      ½ Σ (εh_i/4 + ε(nβ)²c_i/4)/(1 − εh_i/4) = (ε/8) E‖nβ ∇L_B + γ(w − c)‖²,
    averaged   ½ Σ (ε(nβ)²c_i/4)/(1 − εh_i/4) ≈ (ε/8) (nβ)² Tr Cov(∇L_B)/(1 − εh/4),

h being the stiffness along the noise (of a draw of it). Of each term nβ L, and so λ̂, has the share
nβ a_i/h_i ≤ 1: its bias lies between 0 and the excess. Elsewhere the excess is of this order, while the step
is small.
"""

import torch
from torch import Tensor

from sgdiffusion.dynamics.chains.sgld import Chains, Sgld
from sgdiffusion.dynamics.ensembles.batched import Batched, nets_at_once
from sgdiffusion.dynamics.examples import Examples, gather
from sgdiffusion.measures.coefficients.langevin_calibration import curvature_product

_BATCHES = 8  # for the gradient's covariance, its own to each chain: four give the trace to √(2/28) at worst
_LARGEST = 0.9  # of εh/4: at 1 a chain is unstable, and its noise h is only an estimate


def step_bias(
    net: Batched, data: Examples, chains: Chains, sgld: Sgld, step_sizes: Tensor, *, seed: int
) -> Tensor:
    """The excess of each chain [C] float64; with averaged noise it is measured where the chains ended."""
    steps = step_sizes.detach().cpu().double()
    if sgld.integrator == "euler":
        assert chains.forces is not None
        return steps / 8 * chains.forces.mean(1)
    if sgld.batch_size is None:
        return torch.zeros_like(steps)
    trace, curvature = gradient_noise(net, data, chains.final, sgld.batch_size, seed)
    stiffness = sgld.n_beta * curvature + sgld.localisation
    return steps / 8 * sgld.n_beta**2 * trace / (1 - (steps * stiffness / 4).clamp(0, _LARGEST))


@torch.no_grad()
def gradient_noise(
    net: Batched, data: Examples, weights: Tensor, batch_size: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Tr Cov(∇L_B) and the curvature of L along a draw of that noise, at each weight vector [C], float64.

    Batches are drawn with replacement, as by the chains.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (_BATCHES, len(weights), batch_size)
    batches = torch.randint(len(data), shape, generator=generator).to(data.x.device)
    size = nets_at_once(net, batch_size, data.x[0].numel())
    found = [
        _gradient_noise(net, data, weights[i : i + size], batches[:, i : i + size])
        for i in range(0, len(weights), size)
    ]
    traces, curvatures = zip(*found, strict=True)
    return torch.cat(traces).cpu(), torch.cat(curvatures).cpu()


def _gradient_noise(net: Batched, data: Examples, theta: Tensor, batches: Tensor) -> tuple[Tensor, Tensor]:
    total, squares = torch.zeros_like(theta), theta.new_zeros(len(theta), dtype=torch.float64)
    for chosen in batches:
        x, y = gather(data.x, chosen), gather(data.y, chosen)
        gradient = net.gradients(theta, x, y)[1]
        total += gradient
        squares += gradient.square().sum(1)
    trace = (squares - total.square().sum(1) / _BATCHES) / (_BATCHES - 1)
    # the last batch's own part of the gradient is a draw of the noise
    noise = gradient - total / _BATCHES
    length = noise.norm(dim=1, keepdim=True)
    noise = torch.where(length > 0, noise / length, noise)
    x, y = gather(data.x, batches[0]), gather(data.y, batches[0])
    return trace.clamp_min(0), (curvature_product(net, theta, noise, x, y) * noise).sum(1).double()
