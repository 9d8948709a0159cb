"""Displacements, returns and trends: against their definitions, and on paths whose motion is known."""

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories import drift
from sgdiffusion.measures.trajectories.nulls import brownian


def exponent(path, first, last):
    squares = drift.squared_displacement(path, last)
    lags = np.unique(np.geomspace(first, last, 30).astype(int))
    return drift.growth_exponent(lags, np.sqrt(squares[lags]), first, last)


def test_displacement_is_its_definition():
    path = np.random.default_rng(0).normal(size=(80, 35)).cumsum(axis=0) + 7
    found = drift.squared_displacement(path, 60)
    slow = [np.mean(np.sum((path[lag:] - path[: 80 - lag]) ** 2, axis=1)) for lag in range(61)]
    np.testing.assert_allclose(found, slow, atol=1e-9)
    with pytest.raises(MeasureError, match="between 1 and 79, found 80"):
        drift.squared_displacement(path, 80)


def test_growth_of_known_motions():
    generator, n = np.random.default_rng(1), 2000
    line = np.arange(n)[:, None] * generator.normal(size=(1, 30))
    assert exponent(line, 10, 400) == pytest.approx(1, abs=1e-9)
    # 400 independent walks, the longest lag a tenth of the path
    assert exponent(brownian(generator, n, 400), 2, 200) == pytest.approx(0.5, abs=0.02)
    assert exponent(generator.normal(size=(n, 400)), 2, 200) == pytest.approx(0, abs=0.01)
    with pytest.raises(MeasureError, match="no exponent from 2 lags"):
        drift.growth_exponent(np.array([1.0, 2.0, 5.0]), np.ones(3), 1.5, 9)


def test_a_closed_loop_returns_and_a_line_does_not():
    k = np.arange(1201)
    loop = np.stack([np.cos(2 * np.pi * k / 300), np.sin(2 * np.pi * k / 300)], axis=1)
    squares = drift.squared_displacement(loop, 400)
    # on a circle D(τ) = 2 sin(πτ/T): up to 2 at half a turn, back to 0 after a whole one
    np.testing.assert_allclose(np.sqrt(squares), 2 * np.abs(np.sin(np.pi * k[:401] / 300)), atol=1e-6)
    falls = drift.falls(squares)
    assert falls[150] == pytest.approx(0, abs=1e-9)
    assert falls[225] == pytest.approx(1 - np.sqrt(0.5), abs=1e-6)
    assert falls[300:].min() > 0.999
    assert drift.smallest_displacement(loop, 300) == pytest.approx(0, abs=1e-9)
    assert drift.smallest_displacement(loop, 150) == pytest.approx(2, abs=1e-9)
    line = drift.squared_displacement(np.stack([k, 2 * k], axis=1), 400)
    assert drift.falls(line).max() == pytest.approx(0, abs=1e-9)


def test_detrending_is_least_squares():
    generator = np.random.default_rng(2)
    time = np.linspace(0, 3, 300)
    path = generator.normal(size=(300, 40)) + np.outer(time**2, generator.normal(size=40))
    rest, share = drift.detrended(path, 3)
    slow = np.stack([y - np.polyval(np.polyfit(time, y, 3), time) for y in path.T], axis=1)
    np.testing.assert_allclose(rest, slow, atol=1e-9)
    np.testing.assert_allclose(share, 1 - slow.var(axis=0) / path.var(axis=0), atol=1e-9)
    _, whole = drift.detrended(np.outer(time**3, np.ones(2)), 3)
    np.testing.assert_allclose(whole, 1, atol=1e-12)


def test_displacement_ratio():
    generator = np.random.default_rng(3)
    line = np.arange(500)[:, None] * np.ones((1, 3))
    np.testing.assert_allclose(drift.displacement_ratio(line, 50), 50)
    walk = drift.displacement_ratio(brownian(generator, 20_000, 60), 20)
    assert walk.mean() == pytest.approx(1, abs=4 * walk.std() / np.sqrt(60))
    # white levels: both displacements are 2σ², so the ratio is 1/q
    np.testing.assert_allclose(
        drift.displacement_ratio(generator.normal(size=(50_000, 4)), 10), 0.1, rtol=0.05
    )
