"""The covariances against their equation, a closed form, and each other."""

import numpy as np
from numpy.testing import assert_allclose
from oracles.linear_steady_states import euler_covariance, exact_covariance

DRIFT = np.array([[1.0, -0.7, 0.2], [0.7, 1.5, 0.0], [0.1, 0.3, 0.8]])
DIFFUSION = np.array([[1.0, 0.2, 0.0], [0.2, 0.5, 0.1], [0.0, 0.1, 2.0]])


def test_eulers_tends_to_the_exact_one_in_first_order_of_the_step():
    exact = exact_covariance(DRIFT, DIFFUSION, 5.0)
    assert_allclose(DRIFT @ exact + exact @ DRIFT.T, 2 * DIFFUSION / 5, atol=1e-12)
    deviations = [np.abs(euler_covariance(DRIFT, DIFFUSION, 5.0, h) - exact).max() for h in (0.02, 0.01)]
    assert 1.9 < deviations[0] / deviations[1] < 2.2


def test_one_weight():
    # C = 2β⁻¹Dh/(1 − (1 − fh)²) = β⁻¹D/(f(1 − fh/2))
    assert_allclose(euler_covariance([[2.0]], [[3.0]], 4.0, 0.1), 3 / 4 / (2 * 0.9), rtol=1e-12)
