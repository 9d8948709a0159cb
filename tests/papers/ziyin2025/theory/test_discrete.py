"""Exact statements about discrete SGD, against Monte Carlo of their definitions."""

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory import data_law, discrete, phases


def _batches(rng, count, batch, scale=1.0):
    x = scale * rng.normal(size=(count, batch))
    return np.mean(x**2, 1), lambda k, s: np.mean(k * x**2 + s * x * rng.normal(size=x.shape), 1)


@pytest.mark.parametrize(
    ("k", "noise", "rate", "batch"), [(1.0, 0.7, 0.3, 1), (0.1, 1.0, 0.2, 1), (0.5, 1.0, 0.9, 4)]
)
def test_lyapunov_exponent(k, noise, rate, batch):
    """400,000 draws, seed 11; four standard errors."""
    _, cross = _batches(np.random.default_rng(11), 400_000, batch)
    b = cross(k, noise)
    growth = [np.log(np.abs(1 + sign * 2 * rate * b)) for sign in (1, -1)]
    best = max(growth, key=np.mean)
    error = best.std() / np.sqrt(b.size)
    assert abs(discrete.lyapunov_exponent(k, noise, rate, batch) - best.mean()) < 4 * error


def test_transition_in_the_weak_signal_limit():
    """T_c σ²/k → 1 − 9k²/σ² (S = 1), whereas the laws of first and second order say 2 and 3."""
    for k in (0.02, 0.03):
        exact = discrete.critical_temperature(k, 1.0)
        assert (1 - exact / k) / k**2 == pytest.approx(9, rel=0.08)
        c = data_law.gaussian_linear(k, 1.0)
        missed = discrete.quartic_critical_temperature(k, 1.0) - exact
        assert abs(missed) < 0.1 * (phases.critical_temperature(c) - exact)
        assert (1 - phases.critical_temperature(c) / k) / k**2 == pytest.approx(2, rel=0.01)
        assert (1 - phases.second_order_critical_temperature(c) / k) / k**2 == pytest.approx(3, rel=0.01)


def test_scale_of_the_inputs_only_rescales():
    """x → 2x with y = kx + ε: at fixed k the gradient noise grows, T_c follows k/(s²(2k² + σ²/s²))."""
    assert discrete.lyapunov_exponent(0.3, 0.6, 0.1, 2, 1.0) == pytest.approx(
        discrete.lyapunov_exponent(0.3, 0.6 * 2, 0.1 / 4, 2, 2.0), rel=1e-9
    )


@pytest.mark.parametrize(("rate", "batch"), [(0.3, 1), (0.5, 2)])
def test_kesten_root(rate, batch):
    """E|1 − 2ηq|^κ = 1 by a million draws, seed 13; four standard errors."""
    kappa = discrete.tail_exponent(rate, batch) - 1
    q, _ = _batches(np.random.default_rng(13), 1_000_000, batch)
    values = np.abs(1 - 2 * rate * q) ** kappa
    assert abs(values.mean() - 1) < 4 * values.std() / 1000
    assert kappa > 0


def test_kesten_exponent_where_the_second_moment_diverges():
    """κ = 2 exactly where η E[q²] = E[q]: η = 1/3 at S = 1; the continuous law puts it at β₁/α₁ = 1/2."""
    assert discrete.tail_exponent(1 / 3) == pytest.approx(3, rel=1e-6)
    assert phases.tail_exponent(data_law.gaussian_linear(1.0, 1.0), 0.5, 0) == pytest.approx(3)


def test_second_moment_by_recursion():
    """v' = (1 − 2ηq)v + 2η mean(xy): 20,000 chains of 300 steps, seed 17; four standard errors over
    chains.
    """
    k, noise, rate, batch = 0.5, 0.4, 0.1, 2
    rng, v = np.random.default_rng(17), np.full(20_000, 0.5)
    for _ in range(300):
        x = rng.normal(size=(v.size, batch))
        y = k * x + noise * rng.normal(size=x.shape)
        v -= rate * np.mean(2 * x * (v[:, None] * x - y), 1)
    exact = discrete.second_moment(k, noise, rate, batch)
    assert abs(np.mean(v**2) - exact) < 4 * np.std(v**2) / np.sqrt(v.size)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discrete.lyapunov_exponent(1, 0, 0.1), "noise"),
        (lambda: discrete.critical_temperature(-1, 1), "positive"),
        (lambda: discrete.critical_temperature(1, 1), "no collapse"),
        (lambda: discrete.tail_exponent(5.0), "no stationary law"),
        (lambda: discrete.tail_exponent(1e-4), "lighter"),
        (lambda: discrete.second_moment(1, 1, 0.4), "diverges at η = 0.3333"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(MeasureError, match=message):
        call()
