"""Problems whose λ̂ at a finite temperature is known, many at once, for the coverage of its interval."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from oracles import learning_coefficient as theory
from oracles.linear_posterior import linear_at, most_singular
from torch import Tensor, nn

from sgdiffusion.dynamics.ensembles.batched import Batched
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.measures.coefficients.learning_coefficient import default_n_beta

EMPTY = Examples(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1))


class Problem(NamedTuple):
    """Points of one net with E[nβ K] at each, and λ where it is the limit."""

    family: str
    net: Batched
    data: Examples
    examples: int
    """n, of which nβ = n/ln n."""
    batch_size: int | None
    localisation: float
    points: Tensor
    exact: np.ndarray
    limit: np.ndarray


class Cases(Batched):
    """A loss of its own for each case: rows of θ, equally many in a row to each, to losses and gradients.

    `function(θ, parameters)` is the loss of the examples given, if it uses any.
    """

    def __init__(self, function: Callable[..., Tensor], parameters: Tensor, weights: int):
        self._function, self._parameters, self.weights = function, parameters, weights

    def outputs(self, theta, x):
        raise NotImplementedError

    def losses(self, theta, x, y, shares=None):
        return self.gradients(theta, x, y)[0]

    def gradients(self, theta, x, y, shares=None):
        each, rest = divmod(len(theta), len(self._parameters))
        assert not rest, "all cases have to be computed together"
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            losses = self._function(leaf, self._parameters.repeat_interleave(each, 0), x, y)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach(), gradient


SIDE = 20


def quadratics(cases: int, rng: np.random.Generator) -> Problem:
    """d = 1 … 20 in turn, curvatures log-uniform over up to three decades, all examples in every step."""
    n, gamma = 1000, 1.0
    curvatures = np.zeros((cases, SIDE))
    for case in range(cases):
        d = case % SIDE + 1
        curvatures[case, :d] = 10 ** (rng.uniform(0, 3) * (rng.random(d) - 1) + 1)
    exact = [theory.quadratic_at(a, default_n_beta(n), gamma) for a in curvatures]
    limit = (curvatures > 0).sum(1) / 2
    net = Cases(lambda w, a, x, y: 0.5 * (a * w * w).sum(1), torch.tensor(curvatures), SIDE)
    points = torch.zeros(cases, SIDE, dtype=torch.float64)
    return Problem("quadratic", net, EMPTY, n, None, gamma, points, np.array(exact), limit)


def regressions(cases: int, rng: np.random.Generator) -> Problem:
    """Regression by mini-batches: L = mean ½(Σ s_k x_k w_k − e)², e being the residuals that w = 0 leaves."""
    n, gamma, batch = 500, 10.0, 50
    x, e = rng.standard_normal((n, SIDE)), rng.standard_normal(n)
    e -= x @ np.linalg.lstsq(x, e, rcond=None)[0]
    scales = np.zeros((cases, SIDE))
    for case in range(cases):
        d = case % SIDE + 1
        scales[case, :d] = 10 ** (rng.uniform(0, 1.5) * (rng.random(d) - 1) + 0.5)
    exact = []
    for s in scales:
        used = (x * s)[:, s > 0]
        curvatures = np.linalg.eigvalsh(used.T @ used / n)
        exact.append(theory.quadratic_at(curvatures, default_n_beta(n), gamma))

    def loss(w, s, x, y):
        predicted = torch.bmm(x.expand(len(w), -1, -1), (s * w)[:, :, None])[:, :, 0]
        return 0.5 * (predicted - y).square().mean(1)

    net, data = Cases(loss, torch.tensor(scales), SIDE), Examples(torch.tensor(x), torch.tensor(e))
    net.units = 1 - SIDE  # an example counts little: all cases are to be computed together
    points, limit = torch.zeros(cases, SIDE, dtype=torch.float64), (scales > 0).sum(1) / 2
    return Problem("regression, batch 50", net, data, n, batch, gamma, points, np.array(exact), limit)


def crossings(cases: int, rng: np.random.Generator) -> Problem:
    """f w₁²w₂² with factors f from 1 to 100."""
    n, gamma = 1000, 1.0
    factors = 10 ** rng.uniform(0, 2, cases)
    exact = [theory.crossing_at(f * default_n_beta(n), gamma) for f in factors]
    net = Cases(lambda w, f, x, y: f[:, 0] * (w[:, 0] * w[:, 1]).square(), torch.tensor(factors)[:, None], 2)
    points = torch.zeros(cases, 2, dtype=torch.float64)
    return Problem("w₁²w₂²", net, EMPTY, n, None, gamma, points, np.array(exact), np.full(cases, 0.5))


def reduced_ranks(cases: int, rng: np.random.Generator) -> Problem:
    """½‖BA‖² at A = B = 0, of sizes up to 4 with at most two hidden units or outputs."""
    n, gamma, side = 1000, 1.0, 4
    sizes, masks = [], []
    while len(sizes) < cases:
        inputs, hidden, outputs = (int(v) for v in rng.integers(1, side + 1, size=3))
        if min(hidden, outputs) <= 2:
            sizes.append((inputs, hidden, outputs))
            mask = torch.zeros(2, side, side, dtype=torch.float64)
            mask[0, :hidden, :inputs] = mask[1, :outputs, :hidden] = 1
            masks.append(mask)

    def loss(w, masks, x, y):
        a, b = (w.view(-1, 2, side, side) * masks).unbind(1)
        return 0.5 * torch.bmm(b, a).square().sum((1, 2))

    exact = [theory.reduced_rank_at(*s, default_n_beta(n), gamma) for s in sizes]
    limit = [theory.reduced_rank(*s, 0).value for s in sizes]
    points = torch.zeros(cases, 2 * side * side, dtype=torch.float64)
    net = Cases(loss, torch.stack(masks), points.shape[1])
    return Problem("reduced rank", net, EMPTY, n, None, gamma, points, np.array(exact), np.array(limit))


def linear_net(widths: Sequence[int], rank: int) -> tuple[Batched, Examples, Tensor]:
    """A linear torch net whose loss is ½‖product − diagonal‖² exactly, since inputs √n e_i have unit
    covariance; its most singular minimum [1, d]."""
    layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths)]
    x = torch.eye(widths[0], dtype=torch.float64) * math.sqrt(widths[0])
    y = torch.zeros(widths[0], widths[-1], dtype=torch.float64)
    y[range(rank), range(rank)] = math.sqrt(widths[0])
    point = torch.cat([torch.tensor(w).flatten() for w in most_singular(widths, rank)])
    return batched(nn.Sequential(*layers).double(), "squared"), Examples(x, y), point[None]


def deep_linear(widths: Sequence[int], rank: int, copies: int, rng: np.random.Generator) -> Problem:
    """One deep linear net with `copies` sets of chains; E[nβ K] by Gibbs sampling."""
    n, gamma = 1000, 10.0
    net, data, point = linear_net(widths, rank)
    value, _ = linear_at(
        *(most_singular(widths, rank), default_n_beta(n), gamma), chains=100, sweeps=600, generator=rng
    )
    exact, limit = np.full(copies, value), np.full(copies, theory.deep_linear(widths, rank).value)
    return Problem("deep linear", net, data, n, None, gamma, point.repeat(copies, 1), exact, limit)
