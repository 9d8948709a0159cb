"""The estimator against quadratics, normal crossings and linear networks; diagnoses; baselines."""

import math

import numpy as np
import pytest
import torch
from oracles import learning_coefficient as theory
from oracles.closed_forms import EMPTY, linear_net
from oracles.potential import Potential
from torch import nn

from sgdiffusion import networks
from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched import Batched, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError, MeasureError
from sgdiffusion.measures.coefficients import learning_coefficient as llc
from sgdiffusion.measures.coefficients.langevin_calibration import calibrate


class PaddedNets(Batched):
    """½‖BA − C‖² with A, B, C of any size up to `side`, padded with zeros: many sizes in one computation.

    `masks` [cases, …] are those of A and B and C; equally many rows of θ in a row belong to each case.
    Padding adds flat directions, which do not change λ.
    """

    def __init__(self, side, masks):
        self.side, self.weights, self.masks = side, 2 * side * side, masks

    def outputs(self, theta, x):
        raise NotImplementedError

    def losses(self, theta, x, y, shares=None):
        return self.gradients(theta, x, y)[0]

    def gradients(self, theta, x, y, shares=None):
        masks = self.masks.repeat_interleave(len(theta) // len(self.masks), 0)
        (a, b), (mask_a, mask_b, c) = (
            t.view(len(t), -1, self.side, self.side).unbind(1) for t in (theta, masks)
        )
        a, b = a * mask_a, b * mask_b
        error = torch.bmm(b, a) - c
        slopes = [torch.bmm(b.mT, error) * mask_a, torch.bmm(error, a.mT) * mask_b]
        return 0.5 * error.square().sum((1, 2)), torch.stack(slopes, 1).flatten(1)


def padded(cases, side):
    """The most singular minimum, A, B and C the same diagonal of `rank` ones: there the local coefficient is
    the global one of the theorem; and the masks."""
    points, masks = [], []
    for (inputs, hidden, outputs), rank in cases:
        mask = torch.zeros(3, side, side, dtype=torch.float64)
        mask[0, :hidden, :inputs] = mask[1, :outputs, :hidden] = 1
        point = torch.zeros(2, side, side, dtype=torch.float64)
        point[:, range(rank), range(rank)] = mask[2, range(rank), range(rank)] = 1
        points.append(point.flatten())
        masks.append(mask.flatten())
    return torch.stack(points), torch.stack(masks)


def reduced_rank_cases(side):
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(20):
        widths = tuple(int(w) for w in rng.integers(1, side + 1, size=3))
        cases.append((widths, int(rng.integers(0, min(widths) + 1))))
    return cases


def estimate_cases(side, n_beta, steps):
    points, masks = padded(reduced_rank_cases(side), side)
    net = PaddedNets(side, masks)
    sgld = Sgld(1.0, n_beta, 1.0, steps // 10, steps // 2, 5, integrator="averaged")
    epsilon = calibrate(net, EMPTY, points, sgld, share=0.1).step_sizes
    return llc.learning_coefficients(net, EMPTY, points, sgld, seed=0, step_sizes=epsilon).table


def check_reduced_rank(side, n_beta, steps):
    """At least 18 of 20 intervals over four chains, with their allowance, hold the closed form."""
    cold, hot = estimate_cases(side, n_beta, steps), estimate_cases(side, n_beta / 10, steps // 4)
    found = theory.with_temperature_allowance(cold, hot, 10)
    exact = np.array([theory.reduced_rank(*sizes, rank).value for sizes, rank in reduced_rank_cases(side)])
    assert ((found["low"] <= exact) & (exact <= found["high"])).sum() >= 18  # 19 are expected
    # intervals of half-width 20 % or estimates that are 8 % off on average would prove nothing
    assert np.median((found["high"] - found["low"]) / 2 / exact) < 0.2
    assert -0.08 < (found["llc"] / exact - 1).mean() < 0.05


def test_reduced_rank_regression():
    check_reduced_rank(4, n_beta=300.0, steps=6000)


@pytest.mark.slow
def test_reduced_rank_regression_at_larger_sizes():
    check_reduced_rank(8, n_beta=3000.0, steps=30_000)


def estimate_deep(widths, rank, *, n_beta, steps, chains, seed):
    net, data, point = linear_net(widths, rank)
    sgld = Sgld(1.0, n_beta, 1.0, steps // 10, steps // 2, 5, integrator="averaged")
    epsilon = calibrate(net, data, point, sgld, rounds=3, seed=seed).step_sizes
    found = llc.learning_coefficients(
        net, data, point, sgld, chains=chains, seed=seed, baseline="full", step_sizes=epsilon
    )
    return found.table.iloc[0]


@pytest.mark.parametrize("sizes", [(2, 1, 3), (3, 2, 2)])
def test_finite_temperature_average(sizes):
    """The sampler alone, without the limit nβ → ∞: 24 chains, tolerance 3.5 standard errors."""
    row = estimate_deep(sizes, 0, n_beta=50.0, steps=2000, chains=24, seed=1)
    exact = theory.reduced_rank_at(*sizes, 50.0, 1.0)
    error = (row.high - row.low) / 2 / 2.069  # Student's quantile of 23 degrees of freedom
    assert abs(row.llc - exact) < 3.5 * error
    assert error < 0.06 * exact


@pytest.mark.parametrize(("widths", "rank"), [((2, 3, 2, 2), 1), ((3, 2, 2, 2, 3), 2), ((1, 2, 1, 1), 1)])
def test_deep_linear_networks(widths, rank):
    """Aoyagi's value in the interval of eight chains, widened by 20 % for nβ/γ² of a few hundred only."""
    exact = theory.deep_linear(widths, rank).value
    row = estimate_deep(widths, rank, n_beta=500.0, steps=2000, chains=8, seed=2)
    assert row.low <= exact <= row.high + 0.2 * exact
    assert (row.high - row.low) / 2 < 0.3 * exact


def test_quadratic_is_half_the_number_of_curved_directions():
    """λ = r/2: 7 of 12 directions curved, exact up to γ/(nβ a); batch of 3 points, each with own ε."""
    a = torch.cat([torch.linspace(0.5, 2, 7), torch.zeros(5)]).double()
    net = Potential(lambda w: 0.5 * (a * w * w).sum(1), 12)
    sgld = Sgld(1.0, 1e4, 1.0, 2000, 500, integrator="averaged")
    steps = torch.tensor([2e-5, 4e-5, 8e-5], dtype=torch.float64)
    found = llc.learning_coefficients(
        *(net, EMPTY, torch.zeros(3, 12, dtype=torch.float64), sgld), chains=8, seed=4, step_sizes=steps
    )
    table = found.table
    assert found.traces.shape == (3, 8, 2000)
    assert ((table.low <= 3.5) & (table.high >= 3.5)).all()
    assert table.step_size.tolist() == steps.tolist()
    assert (table.high - table.low).max() < 0.5
    assert set(table.attrs["columns"]) == set(table.columns)


def test_normal_crossing():
    """w₁²w₂²: λ = 1/2 with m = 2; at nβ = 10² still E[nβK] = 0.354, which the chains have to give."""
    net = Potential(lambda w: (w[:, 0] * w[:, 1]).square(), 2)
    origin = torch.zeros(1, 2, dtype=torch.float64)
    sgld = Sgld(1e-3, 1e2, 1.0, 600, 2000, 5, integrator="averaged")
    row = llc.learning_coefficients(net, EMPTY, origin, sgld, chains=100, seed=1).table.iloc[0]
    exact = theory.crossing_at(1e2, 1.0)
    error = (row.high - row.low) / 2 / 1.984
    assert abs(row.llc - exact) < 3.5 * error
    assert error < 0.02


def trained_net():
    """A small classifier near its minimum, by full-batch descent."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=g)
    y = (x[:, 0] + 0.8 * torch.randn(200, generator=g) > 0).long()
    net = networks.build("mlp", in_shape=(3,), classes=2, generator=g, width=4, batch_norm=False)
    kernel, theta = batched(net), stack([net])
    for _ in range(600):
        theta = theta - 0.5 * kernel.gradients(theta, x[None], y[None])[1]
    return kernel, Examples(x, y), theta


def test_baselines_agree_and_pairing_narrows():
    net, data, theta = trained_net()
    sgld = Sgld(2e-4, llc.default_n_beta(200), 10.0, 40, 200, 10, batch_size=20)
    rows = {
        b: llc.learning_coefficients(net, data, theta, sgld, chains=6, seed=3, baseline=b).table.iloc[0]
        for b in ("paired", "full")
    }
    spread = {b: r.high - r.low for b, r in rows.items()}
    assert spread["paired"] < spread["full"]
    for name in ("paired", "full"):
        assert rows[name].low <= rows["full" if name == "paired" else "paired"].llc <= rows[name].high
    assert rows["full"].baseline == pytest.approx(
        float(net.losses(theta, data.x[None], data.y[None])), rel=1e-5
    )


def test_baseline_is_the_loss_of_the_mode_the_network_is_in():
    """Running statistics in evaluation mode; those of the batches only by name."""
    torch.manual_seed(1)  # of some weights both losses are alike
    g = torch.Generator().manual_seed(1)
    layers = [nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)]
    net = nn.Sequential(*layers).double()
    x, y = torch.randn(60, 3, generator=g, dtype=torch.float64), torch.arange(60) % 2
    with torch.no_grad():
        net.train()(20 * x)  # statistics that are not those of the data
    data, chain = Examples(x, y), Sgld(1e-6, 1.0, 1.0, 8)

    def baselines(statistics):
        given = (batched(net, statistics=statistics), data, stack([net]), chain)
        return [llc.learning_coefficients(*given, baseline=b).table.baseline[0] for b in ("paired", "full")]

    running = nn.functional.cross_entropy(net.eval()(x), y).item()
    assert baselines("running") == pytest.approx([running] * 2, rel=1e-9)
    assert (by_batch := baselines("batch")) != pytest.approx([running] * 2, rel=1e-2)
    batch = nn.functional.cross_entropy(net.train()(x), y).item()
    assert by_batch == pytest.approx([batch] * 2, rel=1e-9)


def test_an_all_frozen_network_has_no_coefficient():
    net = nn.Linear(3, 2)
    for p in net.parameters():
        p.requires_grad_(False)
    with pytest.raises(ConfigError, match="all are frozen"):
        batched(net)


def test_what_cannot_be_measured_is_refused_before_sampling():
    class Untouched(Potential):
        def gradients(self, theta, x, y, shares=None):
            raise AssertionError("it was sampled")

    net = Untouched(lambda w: w.pow(2).sum(1), 2)
    points, chain = torch.zeros(2, 2, dtype=torch.float64), Sgld(1e-3, 1.0, 1.0, 20)
    wrong = [
        (points, Sgld(1e-3, 1.0, 1.0, 7), {}, r"one chain of 8 draws, found 4 of 7"),
        (points, chain, {"chains": 0}, "one chain of 8 draws, found 0 of 20"),
        (points, chain, {"baseline": "pared"}, "baseline must be 'paired' or 'full', found 'pared'"),
        (points, chain, {"on_divergence": "ignore"}, "on_divergence must be 'raise' or 'flag'"),
        (points, chain, {"step_sizes": torch.ones(3)}, "2 points need a positive step size each"),
        (points, chain, {"step_sizes": -torch.ones(2)}, "positive step size"),
        (points[0], chain, {}, r"rows of 2 weights, found \[2\]"),
        (points[:, :1], chain, {}, r"rows of 2 weights, found \[2, 1\]"),
    ]
    for given, plan, options, message in wrong:
        with pytest.raises(ConfigError, match=message):
            llc.learning_coefficients(net, EMPTY, given, plan, **options)


def test_recipe_takes_its_temperature_from_all_examples():
    chain = llc.recipe(500, batch_size=100)
    assert chain.n_beta == 500 / math.log(500)
    assert (chain.batch_size, chain.integrator) == (100, "averaged")


def test_default_n_beta():
    assert llc.default_n_beta(1000) == 1000 / math.log(1000)
    with pytest.raises(MeasureError, match="two examples"):
        llc.default_n_beta(1)


def test_divergence_is_an_error_that_names_chain_draw_and_step():
    net = Potential(lambda w: w.pow(4).sum(1), 2)
    points = torch.ones(2, 2, dtype=torch.float64)
    steps = torch.tensor([1e-4, 10.0], dtype=torch.float64)
    given = (net, EMPTY, points, Sgld(1.0, 1.0, 0.0, 20))
    with pytest.raises(
        MeasureError, match=r"4 of 8 .* point 1, chain 0, draw \d+: .* step size 10\. Try 2\.5"
    ):
        llc.learning_coefficients(*given, step_sizes=steps)
    table = llc.learning_coefficients(*given, step_sizes=steps, on_divergence="flag").table
    assert table.diverged.tolist() == [0, 4]
    assert math.isnan(table.llc[1])
    assert table.diagnoses[1] == "diverged"
    with pytest.raises(MeasureError, match="step size 10"):
        llc.learning_coefficients(net, EMPTY, points, Sgld(10.0, 1.0, 0.0, 20))


def flags_of(traces, weights=100):
    losses = np.asarray(traces, dtype=float)[None]
    given = (losses, np.zeros_like(losses), 1.0, np.array([1e-3]), weights, np.zeros((1, 4)))
    return llc.summarise(*given).table.diagnoses[0]


def test_flags():
    noise = np.random.default_rng(1).standard_normal((4, 400))
    assert flags_of(5 + noise) == ""
    assert flags_of(-5 + noise) == "negative"
    assert flags_of(80 + noise) == "above-regular"
    assert "drifting" in flags_of(5 + noise + np.linspace(0, 2, 400))
    assert "disagreeing" in flags_of(5 + noise + 2 * np.arange(4)[:, None])
    assert "short" in flags_of(5 + np.cumsum(noise, axis=1) / 10)
    one_lost = 5 + noise
    one_lost[2, 100:] = np.nan
    assert flags_of(one_lost) == "diverged"


def test_interval_of_one_chain_uses_its_effective_draws():
    trace = np.random.default_rng(2).standard_normal((1, 1000))
    low, high = llc.interval(trace)
    assert (high - low) / 2 == pytest.approx(1.96 / math.sqrt(1000), rel=0.15)


def test_points_share_the_mini_batches_of_their_chains_in_turn():
    """Chains that cannot move see the batches alone: the k-th of every point the same, two of one point not;
    and the first point's are those it has alone.
    """
    net, data, theta = trained_net()
    sgld = Sgld(1e-12, 1.0, 0.0, 8, batch_size=20)
    both, alone = (
        llc.learning_coefficients(net, data, points, sgld, chains=3, seed=3, baseline="full").traces
        for points in (theta.repeat(2, 1), theta)
    )
    np.testing.assert_allclose(both[0], both[1], atol=1e-4)
    np.testing.assert_allclose(both[0], alone[0], atol=1e-4)
    assert np.abs(both[0, 0] - both[0, 1]).max() > 0.01
