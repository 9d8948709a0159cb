"""The minima below draws of a posterior: plain gradient descent, λ̂ there, and who has the smaller one."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from sgdiffusion.papers.hennick2025.minima import descend, minima_quantities, minima_table
from sgdiffusion.papers.hennick2025.moons import network
from sgdiffusion.papers.hennick2025.posterior import Posterior
from sgdiffusion.papers.hennick2025.settings import Descent

from .conftest import CHAINS


@pytest.fixture(scope="module")
def draws(moons):
    """Two chains of three kept draws: the nets, pushed off their minima; one blows up at once."""
    kept = np.random.default_rng(0).normal(moons.theta[:2, None], 0.3, (2, 3, moons.theta.shape[1]))
    kept[1, 2] = 1e30
    none = np.zeros((2, 2))
    return Posterior(np.array([5, 9]), none, kept.astype(np.float32), none, 1.0, np.array([]))


@pytest.fixture(scope="module")
def descents(moons, draws):
    return descend(moons, draws, Descent(of_each_chain=2, steps=60, rate=0.05))


def test_the_descent_is_that_of_the_whole_gradient(moons, draws, descents):
    assert descents["start"].tolist() == [5, 5, 9]
    assert descents["blown_up"] == 1
    net, data = network(moons.width, moons.depth, 0), moons.data
    torch.nn.utils.vector_to_parameters(torch.from_numpy(draws.kept[0, 2].copy()), net.parameters())
    for _ in range(60):
        net.zero_grad()
        torch.nn.functional.cross_entropy(net(data.x), data.y).backward()
        with torch.no_grad():
            for weights in net.parameters():
                weights -= 0.05 * weights.grad
    found = torch.nn.utils.parameters_to_vector(net.parameters()).detach()
    assert_allclose(descents["theta"][1], found, rtol=1e-4, atol=1e-5)


def test_lambda_is_measured_at_every_minimum(moons, descents):
    table = minima_table(moons, descents, CHAINS, 0)
    assert table["start"].tolist() == [5, 5, 9]
    assert set(table.attrs["columns"]) == set(table.columns)
    net = network(moons.width, moons.depth, 0)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(descents["theta"][2].copy()), net.parameters())
    loss = torch.nn.functional.cross_entropy(net(moons.data.x), moons.data.y)
    assert table["loss"].iloc[2] == pytest.approx(float(loss.detach()), rel=1e-5)


def quantities(own, others):
    nets = pd.DataFrame({"llc": [*own, np.nan], "loss": 0.1})
    minima = pd.DataFrame({"llc": [v for _, v in others], "start": [s for s, _ in others], "loss": 0.2})
    return minima_quantities(nets, minima).set_index("quantity")


def test_the_smaller_one_is_counted_over_all_pairs():
    found = quantities([1.0, 2.0, 3.0, 4.0], [(0, 2.0), (0, 9.0), (1, 3.5)])
    share = found.loc["moons.llc_below_posterior"]
    # start 0: (1.5 + 4)/2 of 4 pairs, start 1: 3 of 4
    assert share["value"] == pytest.approx((5.5 / 2 / 4 + 3 / 4) / 2)
    assert share["n"] == 2
    assert 0 <= share["low"] <= share["high"] <= 1
    assert found.loc["moons.llc_posterior", "value"] == 3.5
    assert found.loc["moons.loss_sgd", "value"] == 0.1
    assert found.loc["moons.loss_posterior", "value"] == 0.2


def test_equal_laws_are_at_one_half_and_the_interval_covers_it():
    """Over 200 simulated pairs of samples of one law, 95 % intervals must cover 1/2 in at least 88 %: four
    binomial errors of 1.5 % below, and the nets' own error, which the interval does not have.
    """
    rng, inside, values = np.random.default_rng(3), 0, []
    for _ in range(200):
        others = [(start, v) for start in range(20) for v in rng.gamma(3.0, size=4)]
        row = quantities(rng.gamma(3.0, size=500), others).loc["moons.llc_below_posterior"]
        values.append(row["value"])
        inside += row["low"] <= 0.5 <= row["high"]
    assert inside >= 176
    assert np.mean(values) == pytest.approx(0.5, abs=4 * np.std(values) / np.sqrt(200))
