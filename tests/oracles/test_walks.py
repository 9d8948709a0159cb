"""Simulated processes against their exact laws: first the simulators, before they judge any estimator."""

import math

import numpy as np
import pytest
from oracles import walks
from scipy.stats import ks_1samp, norm

from sgdiffusion.errors import MeasureError


def test_gasket_is_the_gasket():
    for level in range(1, 6):
        graph = walks.sierpinski_gasket(level)
        assert len(graph.degrees) == (3 ** (level + 1) + 3) // 2
        assert sorted(set(graph.degrees.tolist())) == [2, 4]
        assert (graph.degrees == 2).sum() == 3  # the outer corners
    for vertex, row in enumerate(graph.neighbours):
        for other in row[: graph.degrees[vertex]]:
            assert math.dist(graph.places[vertex], graph.places[other]) == pytest.approx(1)
            assert vertex in graph.neighbours[other]


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_lattice(dimension):
    graph = walks.lattice(5, dimension)
    assert graph.neighbours.shape == (5**dimension, 2 * dimension)
    for vertex, row in enumerate(graph.neighbours):
        assert len(set(row.tolist())) == 2 * dimension
        apart = np.abs(graph.places[row] - graph.places[vertex])
        assert (np.minimum(apart, 5 - apart).sum(1) == 1).all()


def test_walks_against_the_transition_matrix():
    """Where walkers are, how often they are back and how much they saw, on a small gasket; 4 s.e. at
    2·10⁵.
    """
    graph, walkers = walks.sierpinski_gasket(2), 200_000
    walked = walks.walk(graph, walkers, [1, 2, 3, 5], np.random.default_rng(1), start=0)
    step = np.zeros((len(graph.degrees),) * 2)
    for vertex, row in enumerate(graph.neighbours):
        step[vertex, row[: graph.degrees[vertex]]] = 1 / graph.degrees[vertex]
    law = np.eye(len(step))[0]
    for t in range(1, 6):
        law = law @ step
        error = math.sqrt(law[0] * (1 - law[0]) / walkers)
        assert abs(walked.returns[t - 1] - law[0]) <= 4 * error
    counts = np.bincount(walked.vertices[:, -1], minlength=len(step))
    assert (np.abs(counts / walkers - law) <= 4.5 * np.sqrt(law * (1 - law) / walkers)).all()
    assert (walked.visited[:, 0] == 2).all()
    assert walked.times.tolist() == [1, 2, 3, 5]
    third = step[0] @ step @ step  # three distinct vertices after two steps, unless back at the start
    assert abs((walked.visited[:, 1] == 2).mean() - (step @ step)[0, 0]) < 4 * math.sqrt(0.25 / walkers)
    assert third.sum() == pytest.approx(1)


def test_displacements_from_own_starts():
    graph = walks.lattice(50, 1)
    walked = walks.walk(graph, 200, [1], np.random.default_rng(2))
    inner = (walked.starts > 0) & (walked.starts < 49)
    assert (walks.displacements(graph, walked)[inner] == 1).all()


def test_fractional_brownian_covariance():
    """E[x_s x_t] = ½(s^{2H} + t^{2H} − |t−s|^{2H}), 4·10⁴ paths and 5 standard errors; H = ½ is Brownian."""
    for hurst in (0.3, 0.5, 0.8):
        x = walks.fractional_brownian(hurst, 20_000, 12, np.random.default_rng(3), dimension=2)
        assert x.shape == (20_000, 12, 2)
        t = np.arange(1, 13.0)
        exact = 0.5 * (t[:, None] ** (2 * hurst) + t ** (2 * hurst) - np.abs(t[:, None] - t) ** (2 * hurst))
        flat = np.concatenate([x[..., 0], x[..., 1]])
        error = np.sqrt((exact**2 + np.outer(exact.diagonal(), exact.diagonal())) / len(flat))
        assert (np.abs(flat.T @ flat / len(flat) - exact) < 5 * error).all()
        assert ks_1samp(flat[:, -1] / 12**hurst, norm.cdf).pvalue > 1e-3
    assert abs(np.mean(x[..., 0] * x[..., 1])) < 5 * 12**1.6 / math.sqrt(20_000)


def test_waiting_walk_has_the_right_number_of_jumps():
    """E[x²] is the mean number of jumps; by time s there was none with probability s^{−α}."""
    x = walks.waiting_walk(0.6, 4000, [0.5, 20.0, 400.0], np.random.default_rng(4), chunk=8)
    assert (x[:, 0] == 0).all()
    none = (x[:, 1] == 0).mean()
    expected = 20**-0.6
    assert abs(none - expected) < 4 * math.sqrt(expected * (1 - expected) / 4000)
    assert (x[:, 2] ** 2).mean() > 3 * (x[:, 1] ** 2).mean()


def test_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(MeasureError, match="at least one step"):
        walks.walk(walks.lattice(5, 1), 3, [0, 1], rng)
    with pytest.raises(MeasureError, match="0 < H < 1"):
        walks.fractional_brownian(1.0, 3, 5, rng)
    with pytest.raises(MeasureError, match="0 < α < 1"):
        walks.waiting_walk(1.0, 3, [1.0], rng)
