import math

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory import data_law


def from_sample(x, y):
    """The constants of the empirical law of a sample, by their definitions."""
    square, cross = x**2, x * y
    (alpha1, alpha2), (_, alpha3) = np.cov(square, cross, ddof=0)
    return data_law.DataConstants(alpha1, alpha2, alpha3, square.mean(), cross.mean())


def test_gaussian_example_has_the_papers_constants():
    c = data_law.gaussian_linear(0.7, 0.4)
    assert (c.alpha1, c.alpha2, c.beta1, c.beta2) == pytest.approx((2, 1.4, 1, 0.7), rel=1e-14)
    assert c.alpha3 == pytest.approx(2 * 0.7**2 + 0.4**2, rel=1e-14)
    assert c.minimiser == pytest.approx(0.7)
    assert c.delta == pytest.approx(2 * 0.4**2, rel=1e-12)


def test_constants_are_the_gradients_moments():
    """E[g] = 2(β₁v − β₂) and Var[g] = 4g(v) for g = 2x(vx − y): exact over a finite sample."""
    rng = np.random.default_rng(3)
    x, y, v = rng.normal(size=50), rng.exponential(size=50), 1.7
    c = from_sample(x, y)
    gradient = 2 * x * (v * x - y)
    assert gradient.mean() == pytest.approx(2 * (c.beta1 * v - c.beta2), rel=1e-12)
    assert gradient.var() == pytest.approx(4 * float(c.noise(v)), rel=1e-12)


def test_named_laws_match_large_samples():
    """One million draws, seed 5; tolerance five standard errors of each constant (batches of 10⁴)."""
    rng = np.random.default_rng(5)
    x = rng.standard_t(30, size=(100, 10_000))
    y = 0.5 * x + 0.3 * rng.normal(size=x.shape)
    batches = [from_sample(a, b) for a, b in zip(x, y, strict=True)]
    exact = data_law.linear_law(0.5, 0.3, 30 / 28, 3 * (30 / 28) ** 2 * 28 / 26)  # Student's moments
    for name in ("alpha1", "alpha2", "alpha3", "beta1", "beta2"):
        values = np.array([getattr(b, name) for b in batches])
        assert abs(values.mean() - getattr(exact, name)) < 5 * values.std() / 10


def test_mirror_and_noise():
    c = data_law.gaussian_linear(0.7, 0.4)
    assert c.mirrored().mirrored() == c
    v = np.linspace(-3, 3, 7)
    assert c.mirrored().noise(v) == pytest.approx(c.noise(-v), rel=1e-13)
    assert c.noise(v) == pytest.approx(2 * v**2 - 2 * c.alpha2 * v + c.alpha3, rel=1e-12)


def test_uncorrelated_products():
    """b = xy of a sample of 40 pairs, crossed with every x: empirical independence is exact."""
    rng = np.random.default_rng(6)
    x, b = np.meshgrid(rng.normal(size=40), 1 + rng.normal(size=40))
    c = from_sample(x.ravel(), (b / x).ravel())
    exact = data_law.uncorrelated(np.mean(x**2), np.mean(x**4), b.mean(), b.var())
    for name in ("alpha1", "alpha2", "alpha3", "beta1", "beta2"):
        assert getattr(c, name) == pytest.approx(getattr(exact, name), rel=1e-9, abs=1e-9)


def test_interpolation_has_no_delta():
    assert data_law.gaussian_linear(1.3, 0.0).delta == 0.0
    assert data_law.near_interpolation(1.3, 0.2, 1.0, 3.0).delta == 0.0
    assert data_law.near_interpolation(1.3, 0.2, 1.0, 3.0).beta2 == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data_law.DataConstants(1, 2, 1, 1, 1), "negative"),
        (lambda: data_law.DataConstants(0, 0, 1, 1, 1), "Var"),
        (lambda: data_law.DataConstants(1, 0, 1, 0, 1), "need"),
        (lambda: data_law.DataConstants(1, math.nan, 1, 1, 1), "alpha2 is nan"),
        (lambda: data_law.linear_law(1, 1, 1, math.inf), "alpha1 is inf"),
        (lambda: data_law.gaussian_linear(1, -1), "standard deviation"),
        (lambda: data_law.require_temperature(0), "positive"),
        (lambda: data_law.require_temperature(math.nan), "positive"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(MeasureError, match=message):
        call()
