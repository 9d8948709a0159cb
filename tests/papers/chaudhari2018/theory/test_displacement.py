"""Theorem 22 on one-weight regression: closed forms against definitions, quadrature and brute force."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.chaudhari2018.theory.displacement import Regression

SYSTEM = Regression((0.2, 0.6, 1.0, 2.2), (-1.2, 0.8, 0.1, 0.9))


def test_moments_against_a_loop_over_examples():
    x = 0.7
    gradients = [a * x - c for a, c in zip(SYSTEM.slopes, SYSTEM.offsets, strict=True)]
    mean = sum(gradients) / 4
    assert_allclose(mean, SYSTEM.curvature * (x - SYSTEM.minimum), rtol=1e-12)
    assert_allclose(SYSTEM.diffusion(x), sum((g - mean) ** 2 for g in gradients) / 4, rtol=1e-12)
    assert_allclose(SYSTEM.third_cumulant(x), sum((g - mean) ** 3 for g in gradients) / 4, rtol=1e-12)
    slope = (SYSTEM.diffusion(x + 1e-5) - SYSTEM.diffusion(x - 1e-5)) / 2e-5
    assert_allclose(SYSTEM.diffusion_slope(x), slope, rtol=1e-8)


@pytest.mark.parametrize("temperature", [0.02, 0.3])
def test_density_has_no_current(temperature):
    # Itô: the current −f′ρ − β⁻¹(Dρ)′ vanishes
    x, h = np.linspace(-1, 1.5, 26), 1e-5
    flux = SYSTEM.diffusion(x)
    log = SYSTEM.log_density(x, temperature)
    up, down = (
        SYSTEM.diffusion(x + s) * np.exp(SYSTEM.log_density(x + s, temperature) - log) for s in (h, -h)
    )
    force = SYSTEM.curvature * (x - SYSTEM.minimum)
    assert_allclose(temperature * (up - down) / (2 * h), -force, atol=1e-7 * flux.max())


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
def test_mode_is_the_maximum_of_the_density(temperature):
    found = minimize_scalar(
        lambda x: -float(SYSTEM.log_density(x, temperature)), bracket=(-0.5, 0.5), tol=1e-10
    )
    assert_allclose(SYSTEM.mode(temperature), found.x, atol=1e-6)


def test_theorem_22_holds_at_the_mode():
    # ∇f = −β⁻¹∇·D where ∇Φ = 0
    for temperature in (0.01, 0.1, 1.0):
        mode = SYSTEM.mode(temperature)
        gradient = SYSTEM.curvature * (mode - SYSTEM.minimum)
        assert_allclose(gradient, -temperature * SYSTEM.diffusion_slope(mode), rtol=1e-12)


def test_displacement_is_linear_with_the_stated_slope():
    slopes = [(SYSTEM.mode(t) - SYSTEM.minimum) / t for t in (1e-2, 1e-3, 1e-4)]
    errors = np.abs(np.array(slopes) - SYSTEM.sde_slope())
    assert_allclose(errors[:-1] / errors[1:], 10, rtol=0.05)
    assert errors[-1] < 1e-3


def test_skewness_of_the_batch_adds_a_term_of_the_same_order():
    assert_allclose(
        SYSTEM.sgd_slope() - SYSTEM.sde_slope(),
        2 / 3 * float(SYSTEM.third_cumulant(SYSTEM.minimum) / SYSTEM.diffusion(SYSTEM.minimum)),
    )
    symmetric = Regression((1.0, 1.0, 1.0), (-1.0, 0.0, 1.0))  # neither D′ nor κ₃
    assert (symmetric.sde_slope(), symmetric.sgd_slope()) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("slopes", "offsets", "message"),
    [
        ((1.0,), (0.0,), "at least two"),
        ((1.0, 2.0), (0.0,), "as many"),
        ((-1.0, 0.5), (0.0, 1.0), "no minimum"),
        ((1.0, 2.0), (1.0, 2.0), "agree at the minimum"),
    ],
)
def test_regressions_without_a_law_are_refused(slopes, offsets, message):
    with pytest.raises(MeasureError, match=message):
        Regression(slopes, offsets)


def test_singular_density_is_refused():
    with pytest.raises(MeasureError, match="singular"):
        Regression((1.0, 2.0), (0.0, 3.0)).log_density(0.0, 0.1)
