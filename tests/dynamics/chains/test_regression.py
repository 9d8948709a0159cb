"""SGD on one weight against slow twins and the law of its batches."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles.chain_numbers import normals
from scipy import stats

from sgdiffusion.dynamics.chains.regression import regression_paths
from sgdiffusion.errors import TrainingError
from sgdiffusion.papers.chaudhari2018.theory.displacement import Regression

SEED = 20181710  # of every randomised test here
SYSTEM = Regression((0.2, 0.6, 1.0, 2.2), (-1.2, 0.8, 0.1, 0.9))


def paths(noise, initial, records, rate=0.1, batch=4, **options):
    return regression_paths(
        initial, SYSTEM.slopes, SYSTEM.offsets, rate, batch, records, noise=noise, seed=SEED, **options
    )


def test_gaussian_noise_against_its_twin():
    found = paths("gaussian", np.zeros((3, 1)), np.arange(1, 51))
    z, x = normals(SEED, 3, 50), np.zeros(3)
    for n in range(50):
        slope = SYSTEM.curvature * (x - SYSTEM.minimum)
        x = x - 0.1 * (slope + np.sqrt(SYSTEM.diffusion(x) / 4) * z[:, n])
        assert_allclose(found[:, n, 0], x, rtol=1e-10, atol=1e-12)


def test_batches_against_their_twin(slow_stream):
    found = paths("batch", np.array([[0.5], [-1.0]]), np.arange(1, 31), batch=3)
    a, c = np.array(SYSTEM.slopes), np.array(SYSTEM.offsets)
    for chain, x in enumerate((0.5, -1.0)):
        stream = slow_stream(SEED, chain)
        for n in range(30):
            drawn = [stream.below(4) for _ in range(3)]
            x = x - 0.1 * np.mean(a[drawn] * x - c[drawn])
            assert found[chain, n, 0] == pytest.approx(x, rel=1e-12, abs=1e-13)


def test_steps_are_means_over_batches_of_examples():
    # with the slopes equal, one step from 0 moves by η times a mean of b offsets drawn with replacement
    offsets = np.array([-3.0, 0.0, 1.0, 10.0])
    start = np.zeros((40000, 1))
    step = regression_paths(start, np.ones(4), offsets, 1.0, 2, [1], noise="batch", seed=SEED)[:, 0, 0]
    means, counts = np.unique(step, return_counts=True)
    pairs, weights = np.unique(np.add.outer(offsets, offsets) / 2, return_counts=True)
    assert_allclose(means, pairs)
    assert stats.chisquare(counts, weights / 16 * step.size).pvalue > 1e-3


@pytest.mark.parametrize("noise", ["batch", "gaussian"])
def test_chains_do_not_depend_on_batches_or_threads(noise):
    start = np.linspace(-1, 1, 7)[:, None]
    whole = paths(noise, start, [3, 10])
    assert_array_equal(paths(noise, start, [3, 10], threads=3), whole)
    assert_array_equal(paths(noise, start[:4], [3, 10]), whole[:4])


def test_bad_choices_and_rates_are_named():
    with pytest.raises(ValueError, match="'batch' or 'gaussian'"):
        paths("none", np.zeros((1, 1)), [1])
    with pytest.raises(TrainingError, match=r"chain 0 overflowed .* at step \d+"):
        paths("batch", np.zeros((1, 1)), [100], rate=100.0)
