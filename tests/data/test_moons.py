"""The two-moons sample: geometry, balance, seeds."""

import numpy as np
import pytest

from sgdiffusion.data.moons import grid, moons
from sgdiffusion.errors import DataError


def test_noiseless_points_lie_on_two_half_circles():
    points, labels = moons(101, 0.0, np.random.default_rng(0))
    upper, lower = points[labels == 0], points[labels == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1, rtol=1e-6)
    np.testing.assert_allclose(np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1, rtol=1e-6)
    assert upper[:, 1].min() >= -1e-6
    assert lower[:, 1].max() <= 0.5 + 1e-6
    assert (len(upper), len(lower)) == (51, 50)
    assert points.dtype == np.float32


def test_noise_and_seed():
    clean, _ = moons(4000, 0.0, np.random.default_rng(1))
    noisy, labels = moons(4000, 0.3, np.random.default_rng(1))
    assert (noisy - clean).std() == pytest.approx(0.3, rel=0.05)  # 8000 numbers: one standard error is 0.8 %
    again, same = moons(4000, 0.3, np.random.default_rng(1))
    assert np.array_equal(noisy, again)
    assert np.array_equal(labels, same)


def test_grid_covers_the_moons():
    points = grid(7)
    assert points.shape == (49, 2)
    assert points.min(0).tolist() == [-1.5, -1.0]
    assert points.max(0).tolist() == [2.5, 1.5]


def test_errors():
    with pytest.raises(DataError, match="at least two examples"):
        moons(1, 0.1, np.random.default_rng(0))
