"""What the step adds to λ̂, against the exact law of a chain and against chains themselves."""

import math

import numpy as np
import torch
from oracles import learning_coefficient as theory
from oracles.closed_forms import EMPTY
from oracles.potential import Potential

from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.measures.coefficients.learning_coefficient import learning_coefficients
from sgdiffusion.measures.coefficients.step_bias import gradient_noise

CURVATURES = [1.0, 0.6, 0.3, 0.1]
N_BETA, LOCALISATION = 80.0, 1.0


def euler_table(points):
    """A tenfold stiffness, and steps that add 0.3/0.7 to the variance of the stiffest direction."""
    a = torch.tensor(CURVATURES, dtype=torch.float64)
    net = Potential(lambda w: 0.5 * (a * w * w).sum(1), 4)
    step = 4 * 0.3 / (N_BETA + LOCALISATION)
    chain = Sgld(step, N_BETA, LOCALISATION, 200, burn_in=200, every=5, integrator="euler")
    start = torch.zeros(points, 4, dtype=torch.float64)
    return learning_coefficients(net, EMPTY, start, chain, seed=1).table, step


def test_euler_intervals_hold_the_truth_though_the_estimates_are_off():
    """30 points: 95 % less three standard errors of a share; without the allowance hardly any."""
    table, step = euler_table(30)
    exact = theory.quadratic_at(CURVATURES, N_BETA, LOCALISATION)
    biased = theory.quadratic_at(CURVATURES, N_BETA, LOCALISATION, step)
    assert ((table["low"] <= exact) & (exact <= table["high"])).mean() >= 0.83
    assert (table["low"] + table["step_bias"] <= exact).mean() < 0.5
    # λ̂ has nβ a/h of each term of the excess, at least 8/9 here; 30 means to a per cent or two
    assert biased - exact < table["step_bias"].mean() * 1.03
    assert table["step_bias"].mean() < 1.15 * (biased - exact)


def regression(rng):
    """½(w·x − y)² of 400 examples: data, w*, and curvatures."""
    x = rng.standard_normal((400, 2)) * [1.0, 0.5]
    y = x @ [[1.0], [-1.0]] + rng.standard_normal((400, 1))
    best = np.linalg.lstsq(x, y, rcond=None)[0].T
    return Examples(torch.tensor(x), torch.tensor(y)), torch.tensor(best), np.linalg.eigvalsh(x.T @ x / 400)


def test_averaged_chains_are_off_by_the_noise_of_their_batches():
    """60 chains, a batch of 10: λ̂'s excess is the step's bias within 4 standard errors, and is seen."""
    data, best, curvatures = regression(np.random.default_rng(3))
    net = batched(torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False)).double(), "squared")
    chain = Sgld(6e-3, 60.0, 0.5, 200, burn_in=400, every=10, batch_size=10)
    row = learning_coefficients(net, data, best, chain, chains=60, seed=2).table.iloc[0]
    error = (row.high - row.llc) / 2.0
    excess = row.llc - theory.quadratic_at(curvatures, 60.0, 0.5)
    assert abs(excess - row.step_bias) < 4 * math.hypot(error, 0.1 * row.step_bias)
    assert excess > 5 * error
    whole = learning_coefficients(net, data, best, Sgld(6e-3, 60.0, 0.5, 8), chains=2).table.iloc[0]
    assert whole.step_bias == 0


def test_noise_of_gradients_is_their_covariance():
    """4,000 × 8 batches against plain ones: trace at w* of E[e² x xᵀ]/b, curvature vᵀHv along unit draws v.

    Standard errors are 1.5 % and below; an eighth of the noise is in the mean that it is taken from.
    """
    data, best, _ = regression(np.random.default_rng(4))
    net = batched(torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False)).double(), "squared")
    trace, curvature = gradient_noise(net, data, best.expand(4000, 2), 10, seed=0)
    x, e = data.x.numpy(), (data.x @ best.T - data.y).numpy()
    covariance = (x * e).T @ (x * e) / len(x) / 10
    hessian = x.T @ x / len(x)
    assert abs(float(trace.mean()) / np.trace(covariance) - 1) < 0.05
    chosen = np.random.default_rng(5).integers(len(x), size=(20_000, 10))
    noise = (x * e)[chosen].mean(1)
    v = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    assert abs(float(curvature.mean()) / np.einsum("ki,ij,kj->k", v, hessian, v).mean() - 1) < 0.05
