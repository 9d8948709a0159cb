"""Irreversibility: a rotating process in closed form, the level of the test on reversible ones."""

import numpy as np
import pytest
from scipy.signal import lfilter

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories import circulation as turning

LAGS = (1, 3, 10)


def rotating(n, decay, angle, seed):
    """y_{k+1} = decay·R(angle) y_k + noise with unit variance: C(τ) = decay^τ R(τ·angle)ᵀ, one plane."""
    noise = np.random.default_rng(seed).normal(size=(n, 2)) * np.sqrt((1 - decay**2) / 2)
    z = lfilter([1.0], [1.0, -decay * np.exp(1j * angle)], noise[:, 0] + 1j * noise[:, 1])
    return np.sqrt(2) * np.stack([z.real, z.imag], axis=1)


def reversible_path(n, columns, seed):
    """Autoregressions of all colours, mixed: reversible, since each is Gaussian and independent."""
    steps = np.random.default_rng(seed).normal(size=(n, columns))
    phi = np.linspace(0, 0.95, columns)
    made = [lfilter([1.0], [1.0, -a], steps[:, i]) * np.sqrt(1 - a * a) for i, a in enumerate(phi)]
    return np.stack(made, axis=1)


def measured(path, seed=0, segments=16, surrogates=99):
    return turning.circulation(path, LAGS, segments, surrogates, np.random.default_rng(seed))


def p_value(found):
    beyond = (found.reversed.max(axis=1) >= found.correlation.max()).sum()
    return (1 + beyond) / (1 + len(found.reversed))


def test_rotation_in_closed_form():
    decay, angle = 0.98, 0.2
    found = measured(rotating(64_000, decay, angle, 0))
    # A_12(τ) = decay^τ sin(τ·angle); over 1,300 memories of 50 the mean is known to about 0.03
    law = np.array([decay**lag * np.sin(lag * angle) for lag in LAGS])
    np.testing.assert_allclose(found.planes, law**2, atol=0.1)
    np.testing.assert_allclose(found.leading, law, atol=0.1)
    assert found.correlation[2] > 0.9


def test_many_weak_currents_are_no_strong_one():
    """Twenty planes that rotate a little count as much as one that rotates fully, in sum but not in any."""
    weak = [np.sqrt(0.2) * rotating(32_000, 0.98, 0.2, s) for s in range(20)]
    noise = np.sqrt(0.8) * np.random.default_rng(20).normal(size=(32_000, 40))
    found = measured(np.concatenate(weak, axis=1) + noise)
    law = 0.2 * 0.98**10 * np.sin(2.0)
    assert found.planes[2] == pytest.approx(20 * law**2, rel=0.2)
    assert found.leading[2] == pytest.approx(law, abs=0.05)


def test_the_statistics_are_their_definitions():
    path = np.random.default_rng(1).normal(size=(200, 3))
    parts = path.reshape(4, 50, 3)
    slow = [sum(np.outer(y[k], y[k + 4]) for k in range(46)) / 46 for y in parts]
    matrices = np.stack([(c - c.T) / 2 for c in slow])
    currents = matrices[:, *np.triu_indices(3, 1)]
    np.testing.assert_allclose(turning._currents(parts, 4), matrices, atol=1e-12)
    pairs = [currents[i] @ currents[j] for i in range(4) for j in range(4) if i != j]
    found = turning.circulation(path, (4,), 4, 2, np.random.default_rng(0))
    assert found.planes[0] == pytest.approx(np.mean(pairs))
    assert found.correlation[0] == pytest.approx(np.mean(pairs) / np.mean(np.sum(currents**2, axis=1)))


def test_a_segment_run_backwards_has_the_opposite_current():
    parts = rotating(500, 0.98, 0.2, 3).reshape(1, 500, 2)
    np.testing.assert_allclose(turning._currents(parts[:, ::-1], 3), -turning._currents(parts, 3), atol=1e-12)


def test_size_on_reversible_processes_and_power_on_rotation():
    """p ≤ 0.05 on a share of 200 reversible paths that five in a hundred explain; rotation is always seen."""
    p_values = np.array([p_value(measured(reversible_path(1600, 8, seed), seed)) for seed in range(200)])
    assert (p_values <= 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 200))
    mixed = np.concatenate([rotating(1600, 0.98, 0.2, 7), reversible_path(1600, 6, 8)], axis=1)
    assert p_value(measured(mixed)) == 0.01


def test_components_lose_the_drift_and_have_unit_variance():
    generator, n = np.random.default_rng(4), 3000
    fast = reversible_path(n, 5, 5) @ generator.normal(size=(5, 30))
    slow = np.outer(np.linspace(0, 100, n), generator.normal(size=30))
    found = turning.fast_components((fast + slow).astype(np.float32), 200, 10)
    assert found.shape == (n - 199, 5)  # there are no more than five
    np.testing.assert_allclose(found.T @ found / len(found), np.eye(5), atol=1e-3)


def test_errors():
    with pytest.raises(MeasureError, match="needs a path of 500, it has 499"):
        turning.fast_components(np.ones((499, 2)), 100, 1)
    with pytest.raises(MeasureError, match="at most 125, found 126"):
        turning.circulation(np.ones((1000, 2)), (126,), 2, 9, np.random.default_rng(0))
