"""Chains that find their own step: what the search costs, how long the burn-in is, steps that are given."""

import math

import pytest
import torch
from oracles.potential import Potential

from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.measures.coefficients.learning_coefficient import recipe
from sgdiffusion.measures.coefficients.self_calibrated import at_step, self_calibrated

N, CHAINS = 300, 2
CURVATURES = torch.tensor([4.0, 1.0, 0.2], dtype=torch.float64)
FORWARD = 1 / 3  # of a gradient's cost: a pass forward against one forward and two backward


class Counting(Potential):
    """½ Σ a w² with slopes that the batch's examples shift; counts examples, by gradient and by loss."""

    def __init__(self):
        super().__init__(lambda w: 0.5 * (CURVATURES * w * w).sum(1), 3)
        self.cost = 0.0

    def losses(self, theta, x, y, shares=None):
        self.cost += FORWARD * len(theta) * x.shape[1]
        return super().losses(theta, x, y)

    def gradients(self, theta, x, y, shares=None):
        self.cost += len(theta) * x.shape[1]
        losses, gradient = super().gradients(theta, x, y)
        return losses, gradient + x.mean(1)


def examples(size=0.01):
    x = size * torch.randn(N, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Examples(x - x.mean(0), torch.zeros(N))


ORIGIN = torch.zeros(1, 3, dtype=torch.float64)


@pytest.mark.parametrize("batch", [None, 20])
def test_the_search_costs_a_tenth_of_the_steps_at_most(batch):
    """Two chains of a hundred draws, as the recipe has them: all gradients and losses that are computed."""
    net = Counting()
    run = self_calibrated(net, examples(), ORIGIN, recipe(N, batch_size=batch, draws=100), chains=CHAINS)
    steps = CHAINS * run.chain.steps * (batch or N)
    assert run.chain.steps >= 1000
    assert steps < net.cost < 1.1 * steps


def test_the_step_is_that_of_the_largest_stiffness():
    """ε h/4 = 0.1, h = nβ a + γ; pilots never leave the quadratic, so that nothing lowers it later."""
    chain = recipe(N, draws=20)
    run = self_calibrated(Counting(), examples(), ORIGIN, chain)
    expected = 0.4 / (chain.n_beta * 4 + chain.localisation)
    assert float(run.coefficients.table["step_size"][0]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("most", [math.inf, 2000, 500])
def test_the_burn_in_is_as_long_as_the_localisation_needs(most):
    """Σ ε = 2/γ: with γ = 0.1 that is some 10⁴ steps; the search has made three quarters of the first 500."""
    chain = recipe(N, draws=8, localisation=0.1)
    run = self_calibrated(Counting(), examples(), ORIGIN, chain, chains=CHAINS, most=most)
    needed = math.ceil(20 / float(run.coefficients.table["step_size"][0]))
    assert run.chain.burn_in == pytest.approx(min(needed, most), abs=2)
    assert run.chain.burn_in + run.missing == pytest.approx(needed, abs=2)


def test_a_given_step_is_kept():
    chain = Sgld(1e-3, 50.0, 10.0, draws=20, burn_in=100)
    run = at_step(Counting(), examples(), ORIGIN, chain, chains=CHAINS)
    assert run.coefficients.table["step_size"].tolist() == [1e-3]
    assert run.chain.burn_in == 200  # 2/(εγ)
