"""Densities from chains: errors that are right, distances that know their noise, modes that are found."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erf

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws.density import (
    WithError,
    cell_masses,
    jackknife,
    most_likely_point,
    over_chains,
    total_variation,
)

SEED = 8  # of every randomised test here
EDGES = np.linspace(-4, 4, 33)
LAW = np.diff(0.5 * erf(EDGES / math.sqrt(2)))


def generator(k=0):
    return np.random.Generator(np.random.Philox(SEED + k))


def autoregressive(rng, chains, records, memory=0.8):
    """Stationary normal chains with lag-one correlation ``memory``: correlated within, not between."""
    x = np.empty((chains, records))
    x[:, 0] = rng.normal(size=chains)
    for n in range(1, records):
        x[:, n] = memory * x[:, n - 1] + math.sqrt(1 - memory**2) * rng.normal(size=chains)
    return x[..., None]


def test_mean_over_chains_and_its_error():
    found = over_chains([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]])
    assert_allclose(found.value, [3, 2])
    assert_allclose(found.error, [2 / math.sqrt(3), 0])
    low, high = found.interval(2.0)
    assert_allclose(high - low, 4 * found.error)


def test_jackknife_of_a_mean_is_its_standard_error():
    x = generator().normal(size=(40, 3))
    found = jackknife(x, lambda part: part.mean(0), blocks=40)
    assert_allclose(found.error, over_chains(x).error, rtol=1e-10)


def test_cell_masses_against_a_loop():
    x = generator().normal(size=(7, 30, 2))
    edges = [np.linspace(-1, 2, 5), np.linspace(-2, 2, 4)]
    shares = np.stack([np.histogram2d(c[:, 0], c[:, 1], edges)[0] / 30 for c in x])
    found = cell_masses(x, edges)
    assert_allclose(found.value, shares.mean(0), atol=1e-15)
    assert_allclose(found.error, shares.std(0, ddof=1) / math.sqrt(7), atol=1e-15)


def test_errors_of_correlated_chains_cover_the_law():
    # z-scores over 20 well-filled cells and 20 repetitions: their variance is 1 with s.d. about √(2/400) if
    # independent; neighbouring cells are correlated, so three times that
    z = []
    for k in range(20):
        found = cell_masses(autoregressive(generator(k), 200, 40), [EDGES])
        z.append((found.value - LAW)[6:26] / found.error[6:26])
    assert abs(np.var(z) - 1) < 3 * 3 * math.sqrt(2 / 400)


def test_distance_of_a_sample_of_the_law_is_what_noise_gives():
    ratios = []
    for k in range(10):
        x = autoregressive(generator(k), 200, 40)
        found = total_variation(cell_masses(x, [EDGES]), LAW, x.size)
        ratios.append(found.ratio)
    # s.d. of one ratio is spread/expected, about √(π/2 − 1)/√32 = 0.13, more with correlated cells: 0.2
    assert abs(np.mean(ratios) - 1) < 4 * 0.2 / math.sqrt(10)


def test_distance_of_another_law_is_seen():
    x = autoregressive(generator(), 200, 40) + 0.3
    found = total_variation(cell_masses(x, [EDGES]), LAW, x.size)
    assert found.ratio > 3
    # TV of N(0.3, 1) from N(0, 1) is erf(0.3/(2√2)) = 0.119
    assert_allclose(found.total_variation, 0.119, atol=4 * found.spread + found.expected)


@pytest.mark.parametrize("truth", [0.0, 0.15])
def test_mode_of_a_skew_density(truth):
    # Gamma(k = 9) in units of its s.d. has its mode 1/√k = 1/3 of a s.d. below its mean
    rng = generator(3)
    x = (rng.gamma(9.0, size=(200, 2000, 1)) - 9) / 3 + 1 / 3 + truth
    found = most_likely_point(x, [0.0], [1.2])
    assert found.error[0] < 0.01
    assert abs(found.value[0] - truth) < 4 * found.error[0]


def test_mode_in_the_plane():
    rng = generator(4)
    x = rng.normal(size=(100, 2000, 2)) @ np.array([[1.0, 0.4], [0.0, 0.7]]) + [0.2, -0.1]
    found = most_likely_point(x, [0.0, 0.0], [1.0, 0.8], bins=16)
    assert np.all(np.abs(found.value - [0.2, -0.1]) < 4 * found.error)
    assert np.all(found.error < 0.02)


def test_results_do_not_depend_on_the_order_of_chains_within_blocks():
    x = autoregressive(generator(), 10, 50)
    assert_array_equal(cell_masses(x, [EDGES]).value, cell_masses(x[::-1], [EDGES]).value)


def test_undefined_measurements_are_refused():
    x = autoregressive(generator(), 4, 200)
    with pytest.raises(MeasureError, match="at least 2 chains"):
        over_chains([1.0])
    with pytest.raises(MeasureError, match="at least 2 chains"):
        jackknife(x[:1], np.mean)
    with pytest.raises(MeasureError, match="each of the 1 coordinates"):
        cell_masses(x, [EDGES, EDGES])
    with pytest.raises(MeasureError, match="at least 2 chains"):
        cell_masses(x[:1], [EDGES])
    with pytest.raises(MeasureError, match="no cell holds"):
        total_variation(WithError(np.zeros(32), np.zeros(32)), LAW, 100)
    with pytest.raises(MeasureError, match="too few"):
        most_likely_point(x, [20.0], [0.5])
    with pytest.raises(MeasureError, match="no maximum inside"):
        most_likely_point(autoregressive(generator(), 200, 100), [1.5], [0.6])
