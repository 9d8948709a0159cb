"""Null processes: their laws, and the fit that finds them again."""

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories import nulls


def test_fit_finds_an_autoregression():
    truth = nulls.Fit(np.array([0.9]), np.array([2.0]), np.zeros(1))
    paths = nulls.ornstein_uhlenbeck(np.random.default_rng(0), 20_000, truth, 50, burn_in=200)
    fit = nulls.fit_ar1(paths + 3.0)
    error = np.sqrt((1 - 0.9**2) / 20_000 / 50)
    bias = (1 + 3 * 0.9) / 20_000
    assert fit.phi.mean() == pytest.approx(0.9, abs=4 * error + bias)
    assert fit.sigma.mean() == pytest.approx(2.0, rel=4 / np.sqrt(2 * 20_000 * 50))
    # s.e. of a mean of an AR(1): σ/(1 − φ)/√n
    assert fit.mean.mean() == pytest.approx(3.0, abs=4 * 2 / 0.1 / np.sqrt(20_000 * 50))


def test_fit_of_a_random_walk_is_below_one():
    """Dickey and Fuller: n(φ̂ − 1) has mean about −5.3 with a constant in the regression."""
    paths = nulls.brownian(np.random.default_rng(1), 1000, 2000)
    scaled = 1000 * (nulls.fit_ar1(paths).phi - 1)
    error = scaled.std() / np.sqrt(2000)
    assert scaled.mean() == pytest.approx(-5.3, abs=4 * error + 0.2)  # 0.2: n is finite, −5.3 is rounded


def test_brownian_burn_in_and_variance():
    paths = nulls.brownian(np.random.default_rng(2), 50, 20_000, burn_in=100)
    relative = 4 * np.sqrt(2 / 20_000)
    assert paths[0].var() == pytest.approx(101, rel=relative)
    assert paths[-1].var() == pytest.approx(150, rel=relative)
    assert np.diff(paths, axis=0).var() == pytest.approx(1, rel=4 * np.sqrt(2 / paths.size))


def test_ornstein_uhlenbeck_starts_at_its_mean_and_relaxes():
    fit = nulls.Fit(np.array([0.95]), np.array([1.0]), np.array([5.0]))
    young = nulls.ornstein_uhlenbeck(np.random.default_rng(3), 4, fit, 10_000)
    old = nulls.ornstein_uhlenbeck(np.random.default_rng(3), 4, fit, 10_000, burn_in=300)
    relative = 4 * np.sqrt(2 / 10_000)
    assert young[0].var() == pytest.approx(1.0, rel=relative)
    assert old[0].var() == pytest.approx(1 / (1 - 0.95**2), rel=relative)


def test_paths_are_drawn_from_all_weights():
    fit = nulls.Fit(np.array([0.0, 0.0]), np.array([1.0, 100.0]), np.zeros(2))
    spread = nulls.ornstein_uhlenbeck(np.random.default_rng(4), 500, fit, 100).std(axis=0)
    share = (spread > 10).mean()
    assert share == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(100))


def test_errors():
    with pytest.raises(MeasureError, match="at least 4 snapshots"):
        nulls.fit_ar1(np.zeros((3, 1)))
    with pytest.raises(MeasureError, match="does not move"):
        nulls.fit_ar1(np.ones((30, 2)))
