import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate as quad
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory import data_law, laws, phases
from sgdiffusion.papers.ziyin2025.theory.fokker_planck import EffectiveDiffusion, relative_current
from sgdiffusion.papers.ziyin2025.theory.stationary import PointMass, StationaryLaw

EXAMPLE = data_law.gaussian_linear(0.5, 0.3)  # T_c = 0.847


def _trapezoid_mass(law: StationaryLaw, relative_width: float) -> float:
    """∫ p by the trapezoidal rule in t, which converges geometrically on the line: blind to the panels."""
    low, high = law.panels.edges[0], law.panels.edges[-1]
    # Finer than the mode and than the parabola g (half-width √Δ/α₁ at α₂/α₁), as long as memory lasts.
    width = np.exp(-0.5 * np.log(max(1e-12, _curvature(law))))
    step = max(min(width / 10, relative_width / 6, 0.05), (high - low) / 1e6)
    t = np.arange(low, high, step)
    return float(np.exp(law.log_mass(t) - law.panels.log_integral).sum() * step)


def _curvature(law: StationaryLaw) -> float:
    m, h = law.panels.mode, 1e-4
    f = law.log_mass(np.array([m - h, m, m + h]))
    return float(2 * f[1] - f[0] - f[2]) / h**2


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    log_k=st.floats(-1.5, 1.0),
    log_noise=st.floats(-1.5, 1.0),
    log_t=st.floats(-2.5, 1.0),
    depth=st.integers(0, 5),
    width=st.integers(1, 5),
    near=st.floats(0.02, 0.9),
    decay=st.sampled_from([0.0, 0.3]),
    second=st.booleans(),
)
def test_every_density_is_normalised_and_stationary(
    log_k, log_noise, log_t, depth, width, near, decay, second
):
    """∫p = 1 to 1e-8 and relative current below 1e-6, over a random sweep of data law, T, D, d, γ and
    order.
    """
    c = data_law.gaussian_linear(10**log_k, 10**log_noise)
    temperature, rate = 10**log_t, 0.0
    if depth == 0:
        width, decay = 1, decay * c.beta2
        rate = temperature if second and not decay else 0.0
        law = laws.depth_zero(c, temperature, decay, rate)
    elif depth == 1:
        decay = decay * c.beta2
        rate = near * phases.second_order_critical_temperature(c) if second and not decay else 0.0
        temperature = rate or near * phases.critical_temperature(c, decay)
        law = laws.depth_one(c, temperature, decay, rate)
    else:
        decay = 0.0
        law = laws.deep(c, temperature, depth, width)
    v = law.quantile(np.linspace(0.02, 0.98, 25))
    model = EffectiveDiffusion(c, temperature, depth, width, decay, rate)
    assert relative_current(law, model, v[np.abs(v) > 1e-200]).max() < 1e-6
    relative_width = 1.0 if depth == 0 else np.sqrt(c.delta) / c.alpha2
    assert _trapezoid_mass(law, relative_width) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("gap", [1e-3, 1e-6])
def test_just_below_the_transition(gap):
    """p ~ v^{−1+a} with a = (T_c/T − 1)/2 → 0: the median runs to zero like 2^{−1/a}, the mass stays one."""
    temperature = phases.critical_temperature(EXAMPLE) * (1 - gap)
    law = laws.depth_one(EXAMPLE, temperature)
    a = (1 / (1 - gap) - 1) / 2
    assert law.origin == pytest.approx(a - 1, rel=1e-9)
    t = np.array([-1.0 / a, -2.0 / a])
    # Far below every scale of the data the law is exactly v^a; C is its constant.
    ratio = law.panels.below(t)
    assert ratio[0] / ratio[1] == pytest.approx(math.e, rel=1e-6)
    assert law.sf(1e-300) == pytest.approx(1 - law.cdf(1e-300), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_eqs_12_and_15_as_printed(temperature):
    """Against the printed expressions, normalised by scipy's quadrature in v."""
    c, root = EXAMPLE, math.sqrt(EXAMPLE.delta)

    def eq12(v):
        angle = math.atan((c.alpha1 * v - c.alpha2) / root)
        power = -1 - c.beta1 / (2 * temperature * c.alpha1)
        weight = (c.alpha2 * c.beta1 - c.alpha1 * c.beta2) / (temperature * c.alpha1 * root)
        return (c.alpha1 * v**2 - 2 * c.alpha2 * v + c.alpha3) ** power * math.exp(-weight * angle)

    def eq15(v):
        angle = math.atan((c.alpha1 * v - c.alpha2) / root)
        power = -1 - c.beta2 / (4 * temperature * c.alpha3)
        weight = (c.alpha3 * c.beta1 - c.alpha2 * c.beta2) / (2 * temperature * c.alpha3 * root)
        front = v ** (c.beta2 / (2 * c.alpha3 * temperature) - 1.5)
        return front * (c.alpha1 * v**2 - 2 * c.alpha2 * v + c.alpha3) ** power * math.exp(-weight * angle)

    pieces = [-np.inf, -1, 0, 0.4, 0.6, 1, np.inf]
    norm = sum(quad.quad(eq12, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in pairwise(pieces))
    law = laws.depth_zero(c, temperature)
    for v in (-0.5, 0.3, 0.5, 2.0):
        assert float(law.density(v)) == pytest.approx(eq12(v) / norm, rel=1e-8)
    pieces = pieces[2:]
    norm = sum(quad.quad(eq15, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in pairwise(pieces))
    law = laws.depth_one(c, temperature)
    for v in (0.01, 0.3, 0.5, 2.0, 40.0):
        assert float(law.density(v)) == pytest.approx(eq15(v) / norm, rel=1e-7)
        assert float(law.sf(v)) == pytest.approx(
            quad.quad(eq15, v, np.inf, epsabs=0, epsrel=1e-12)[0] / norm, rel=1e-6
        )


@pytest.mark.parametrize(("depth", "width"), [(2, 1), (3, 4), (5, 2)])
def test_eq_14s_potential_by_the_hypergeometric_function(depth, width):
    """∫ v^{−q} (β₁v − β₂)/g by 2F1 of the two complex roots of g, in 30 digits, against partial fractions."""
    c, temperature, n = EXAMPLE, 0.2, depth + 1
    q = mpmath.mpf(2 * depth) / n
    root = mpmath.mpc(c.alpha2, mpmath.sqrt(c.delta)) / c.alpha1

    def potential(v):
        # 1/g = [1/(v − r) − 1/(v − r̄)]/(2i√Δ), and ∫ v^{−p}/(v − r) dv = −v^{1−p}/((1−p) r) 2F1(1, 1−p;
        # 2−p; v/r)
        def primitive(p):
            return (
                -(v ** (1 - p)) / ((1 - p) * root) * mpmath.hyp2f1(1, 1 - p, 2 - p, v / root)
            ).imag / mpmath.sqrt(c.delta)

        return c.beta1 * primitive(q - 1) - c.beta2 * primitive(q)

    law = laws.deep(c, temperature, depth, width)

    def log_p(v):
        g = c.alpha1 * v**2 - 2 * c.alpha2 * v + c.alpha3
        strength = width ** (1 - 2 / n) / (n * temperature)
        return -3 * (1 - 1 / n) * math.log(v) - math.log(g) - strength * float(potential(mpmath.mpf(v)))

    for v in (0.1, 0.45, 3.0, 50.0):
        expected = log_p(v) - log_p(1.0)
        assert float(law.log_density(v) - law.log_density(1.0)) == pytest.approx(expected, abs=1e-9)


def test_deep_reduces_to_shallow_and_depth_one_ignores_width():
    v = np.array([0.2, 0.5, 0.9])
    assert laws.deep(EXAMPLE, 0.1, 1, 7).density(v) == pytest.approx(laws.depth_one(EXAMPLE, 0.1).density(v))
    assert laws.deep(EXAMPLE, 0.1, 0, 3).density(v) == pytest.approx(laws.depth_zero(EXAMPLE, 0.3).density(v))


def test_negative_signal_is_the_mirror():
    negative = data_law.gaussian_linear(-0.5, 0.3)
    assert isinstance(laws.invariant_law(negative, 0.1, 1), PointMass)
    mirrored = laws.depth_one(negative.mirrored(), 0.1)
    assert mirrored.density(0.4) == pytest.approx(laws.depth_one(EXAMPLE, 0.1).density(0.4))
    with pytest.raises(MeasureError, match="mirrored"):
        laws.deep(negative, 0.1, 2)


def test_deep_laws_approach_the_infinite_depth_law():
    """d = D/5 at T = 0.2, i.e. κ = 1: the distance of the cdfs falls like 1/D."""
    limit = laws.infinite_depth(EXAMPLE, 1.0)
    v = limit.quantile(np.linspace(0.1, 0.9, 9))
    distance = [np.abs(laws.deep(EXAMPLE, 0.2, 5 * m, m).cdf(v) - limit.cdf(v)).max() for m in (10, 20, 40)]
    assert distance[2] < 0.02
    assert distance[1] / distance[0] == pytest.approx(0.5, abs=0.15)
    assert distance[2] / distance[1] == pytest.approx(0.5, abs=0.15)


def test_infinite_depth_law_concentrates_at_the_minimiser_or_at_zero():
    assert laws.infinite_depth(EXAMPLE, 1e4).mean() == pytest.approx(EXAMPLE.minimiser, rel=1e-2)
    assert float(laws.infinite_depth(EXAMPLE, 1e-3).quantile(0.5)) < 0.02


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_tail_exponent_of_the_densities(depth):
    temperature = 0.1 if depth == 1 else 2.0
    law = laws.deep(EXAMPLE, temperature, depth)
    slope = np.diff(law.log_density(np.array([1e5, 1e6]))) / math.log(10)
    assert slope == pytest.approx(-phases.tail_exponent(EXAMPLE, temperature, depth), rel=2e-3)
    assert law.tail == pytest.approx(phases.tail_exponent(EXAMPLE, temperature, depth))


@pytest.mark.parametrize("order", [0.0, 0.3])
def test_tail_exponent_at_depth_zero_and_second_order(order):
    zero = laws.depth_zero(EXAMPLE, 0.3, learning_rate=order)
    assert zero.tail == pytest.approx(phases.tail_exponent(EXAMPLE, 0.3, 0, order))
    one = laws.depth_one(EXAMPLE, 0.3, learning_rate=order)
    assert one.tail == pytest.approx(phases.tail_exponent(EXAMPLE, 0.3, 1, order))
    for law in (zero, one):
        assert np.diff(law.log_density(np.array([1e5, 1e6]))) / math.log(10) == pytest.approx(
            -law.tail, rel=2e-3
        )


def test_second_order_transition():
    critical = phases.second_order_critical_temperature(EXAMPLE)
    below = laws.depth_one(EXAMPLE, 0.999 * critical, learning_rate=0.999 * critical)
    assert -1 < below.origin < -0.999
    with pytest.raises(MeasureError, match="only δ"):
        laws.depth_one(EXAMPLE, 1.001 * critical, learning_rate=1.001 * critical)
    for law in (laws.depth_zero, laws.depth_one):
        with pytest.raises(MeasureError, match="without weight decay"):
            law(EXAMPLE, 0.1, 0.1, 0.1)


def test_quantiles_and_samples():
    """Kolmogorov-Smirnov of 2,000 draws (seed 7) at 1 %, and the inverse to 1e-12 in probability."""
    for law in (laws.depth_zero(EXAMPLE, 0.5), laws.depth_one(EXAMPLE, 0.5), laws.deep(EXAMPLE, 0.5, 3, 2)):
        q = np.array([1e-6, 0.01, 0.5, 0.99, 1 - 1e-6])
        assert law.cdf(law.quantile(q)) == pytest.approx(q, abs=1e-12)
        draws = law.sample(np.random.default_rng(7), 2000)
        assert stats.kstest(draws, law.cdf).pvalue > 0.01
        with pytest.raises(MeasureError, match="strictly"):
            law.quantile(1.0)


def test_moments_against_closed_forms_and_their_existence():
    for temperature in (0.05, 0.3, 0.49):
        law = laws.depth_zero(EXAMPLE, temperature)
        assert law.mean() == pytest.approx(EXAMPLE.minimiser, rel=1e-8)
        assert law.moment(2) == pytest.approx(phases.second_moment(EXAMPLE, temperature), rel=1e-7)
    law = laws.depth_zero(EXAMPLE, 0.5)
    assert not law.moment_exists(2)
    with pytest.raises(MeasureError, match="does not exist"):
        law.moment(2)
    one = laws.depth_one(EXAMPLE, 0.1)
    assert one.moment_exists(2)
    assert not one.moment_exists(2.5)
    assert one.moment_exists(-1)
    expected, _ = quad.quad(lambda v: v**2 * float(one.density(v)), 0, np.inf, limit=200)
    assert one.moment(2) == pytest.approx(expected, rel=1e-5)
    assert one.variance() == pytest.approx(expected - one.mean() ** 2, rel=1e-4)
    # At the stationary state the mean gradient of any function vanishes; for v itself, E[A] = 0.
    model = EffectiveDiffusion(EXAMPLE, 0.1)
    assert quad.quad(lambda v: float(model.drift(v) * one.density(v)), 0, np.inf, limit=200)[
        0
    ] == pytest.approx(0, abs=1e-6)


def test_outside_the_support():
    law = laws.depth_one(EXAMPLE, 0.1)
    assert law.log_density(-1.0) == -np.inf
    assert law.cdf(np.array([-1.0, 0.0])) == pytest.approx([0, 0])
    assert law.sf(-1.0) == 1


def test_invariant_law_says_why_there_is_no_density():
    assert isinstance(laws.invariant_law(EXAMPLE, 0.1, 0, 1, 0.2), StationaryLaw)
    assert isinstance(laws.invariant_law(EXAMPLE, 0.1, 1, 1, 0.2), StationaryLaw)
    assert isinstance(laws.invariant_law(EXAMPLE, 9.0, 3), StationaryLaw)
    for arguments, reason in (
        ((0.9, 1), "T_c"),
        ((0.1, 1, 1, 0.6), "favoured"),
        ((0.1, 2, 1, 0.1), "weight decay"),
    ):
        law = laws.invariant_law(EXAMPLE, *arguments)
        assert isinstance(law, PointMass)
        assert reason in law.reason
        assert law.location == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: laws.depth_zero(EXAMPLE, 0.0), "temperature"),
        (lambda: laws.depth_one(EXAMPLE, -1.0), "temperature"),
        (lambda: laws.depth_one(EXAMPLE, 0.9), "T_c"),
        (lambda: laws.depth_one(data_law.gaussian_linear(1, 0), 0.1), "interpolation"),
        (lambda: laws.deep(EXAMPLE, 0.1, -1), "depth"),
        (lambda: laws.infinite_depth(EXAMPLE, 0.0), "κ"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(MeasureError, match=message):
        call()


def test_support_ends_and_missing_transition():
    law = laws.depth_zero(EXAMPLE, 0.1)
    assert law.cdf(np.array([-1e12, 1e12])) == pytest.approx([0, 1])
