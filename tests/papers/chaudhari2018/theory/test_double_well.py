"""The double well of Fig. 4: every closed form against differentiation, quadrature or root finding."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import dblquad
from scipy.optimize import brentq
from scipy.special import iv

from sgdiffusion.papers.chaudhari2018.theory import double_well as dw
from sgdiffusion.papers.chaudhari2018.theory.orbits import first_return, path

POINTS = np.random.Generator(np.random.Philox(3)).uniform(-2, 2, (200, 2))
LAMBDAS = (0.0, 0.5, 1.5)


def derivative(function, axis, x=POINTS, step=1e-5):
    """Central difference; its error is about step²/6 times the third derivative, below 1e-8 here."""
    e = step * np.eye(2)[axis]
    return (function(x + e) - function(x - e)) / (2 * step)


def current(x):
    """J^ss = e^{−r⁴/4} (−x₂, x₁), the paper's stationary probability current for λ = 1."""
    return np.exp(-((x**2).sum(-1) ** 2) / 4)[..., None] * np.stack([-x[..., 1], x[..., 0]], axis=-1)


def stationary_density(x):
    """ρ^ss = e^{−Φ}/Z."""
    return np.exp(-dw.potential(x)) / dw.partition()


def test_gradient_of_the_potential():
    gradient = np.stack([derivative(dw.potential, 0), derivative(dw.potential, 1)], -1)
    assert_allclose(dw.potential_gradient(POINTS), gradient, atol=1e-8)


def test_current_is_the_rotated_gradient_of_the_stream_function():
    # and so ∇·J = 0 by equality of mixed derivatives
    rotated = np.stack([-derivative(dw.stream, 1), derivative(dw.stream, 0)], -1)
    assert_allclose(current(POINTS), rotated, atol=1e-8)
    assert_allclose(dw.stream(np.array([1e3, 0.0])), 0, atol=0)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_force_is_the_definition_and_does_not_overflow(lam):
    definition = lam * np.exp(dw.potential(POINTS))[..., None] * current(POINTS)
    assert_allclose(dw.force(POINTS, lam), definition, rtol=1e-12, atol=1e-15)
    assert_allclose(dw.loss_gradient(POINTS, lam), dw.potential_gradient(POINTS) - definition, atol=1e-13)
    assert np.isfinite(dw.force(np.array([[30.0, 30.0], [0.0, 60.0]]), lam)).all()


@pytest.mark.parametrize("lam", LAMBDAS)
def test_jacobian_and_curl_of_the_gradient(lam):
    jacobian = np.stack([derivative(lambda x: dw.loss_gradient(x, lam), k) for k in (0, 1)], -1)
    assert_allclose(dw.loss_jacobian(POINTS, lam), jacobian, atol=1e-7)
    curl = jacobian[..., 1, 0] - jacobian[..., 0, 1]
    assert_allclose(dw.loss_curl(POINTS, lam), curl, atol=2e-7)


def test_gradient_is_one_only_without_the_force():
    assert_allclose(dw.loss_curl(POINTS, 0.0), 0, atol=0)
    assert np.abs(dw.loss_curl(POINTS, 0.5)).max() > 1  # at the origin it is −2λe^{1/4} = −1.28


@pytest.mark.parametrize("lam", LAMBDAS)
def test_divergence_of_the_force_equals_its_component_along_the_potential(lam):
    # stationarity, ∇·(e^{−Φ} j) = e^{−Φ}(∇·j − j·∇Φ) = 0
    divergence = sum(derivative(lambda x, k=k: dw.force(x, lam)[..., k], k) for k in (0, 1))
    assert_allclose(dw.force_divergence(POINTS, lam), divergence, atol=1e-7)
    along = (dw.force(POINTS, lam) * dw.potential_gradient(POINTS)).sum(-1)
    assert_allclose(dw.force_divergence(POINTS, lam), along, atol=1e-12)


def test_the_example_violates_assumption_4():
    # ∇·j = 0 and j ⟂ ∇Φ would make this zero; at (1, 1) it is λ e^{1/2 − 1} · 1 · 1 · (2 − 1)
    assert_allclose(dw.force_divergence(np.array([1.0, 1.0]), 0.5), 0.5 * math.exp(-0.5), rtol=1e-14)


def test_theorem_22_holds_with_the_antisymmetric_matrix_of_the_stream_function():
    # ∇f = (D + Q)∇Φ − ∇·(D + Q) with D = 1, Q = λψe^Φ (0, −1; 1, 0) and (∇·Q)_i = ∂_k Q_ik
    lam = 1.5

    def q(x):
        return lam * dw.stream(x) * np.exp(dw.potential(x))

    gradient = dw.potential_gradient(POINTS)
    turned = q(POINTS)[..., None] * np.stack([-gradient[..., 1], gradient[..., 0]], -1)
    divergence = np.stack([-derivative(q, 1), derivative(q, 0)], -1)
    assert_allclose(dw.loss_gradient(POINTS, lam), gradient + turned - divergence, atol=1e-7)


def test_partition_function_against_bessel_functions_and_two_dimensions():
    # ∫ e^{−(s²−1)²/4} ds = (π/2) e^{−1/8} (I_{−1/4}(1/8) + I_{1/4}(1/8))
    well = math.pi / 2 * math.exp(-1 / 8) * (iv(-0.25, 1 / 8) + iv(0.25, 1 / 8))
    assert_allclose(dw.partition(), math.sqrt(2 * math.pi) * well, rtol=1e-12)
    total, _ = dblquad(lambda a, b: float(stationary_density(np.array([a, b]))), -9, 9, -5, 5)
    assert_allclose(total, 1, atol=1e-7)


def test_marginal_masses_against_quadrature():
    edges = np.linspace(-3, 3, 7)
    for axis in (0, 1):
        masses = dw.marginal_masses(edges, axis)

        def density(b, a, axis=axis):
            return float(stationary_density(np.array([a, b] if axis == 0 else [b, a])))

        direct = [
            dblquad(density, low, high, -8, 8, epsabs=1e-10)[0] for low, high in itertools.pairwise(edges[:4])
        ]
        assert_allclose(masses[:3], direct, atol=1e-8)
        assert_allclose(masses, masses[::-1], rtol=1e-12)
    assert_allclose(dw.marginal_masses(np.linspace(-9, 9, 91), 0).sum(), 1, rtol=1e-12)


@pytest.mark.parametrize("radius", [0.3, 1.0, 1.4])
def test_circles_are_closed_orbits_of_the_force(radius):
    found = first_return(lambda x: dw.force(x, 1.5), radius)
    assert_allclose(found.returned, radius, rtol=1e-9)
    assert_allclose(found.time, dw.loop_period(radius, 1.5), rtol=1e-9)


@pytest.mark.parametrize("lam", [0.1, 0.5, 0.7])
def test_critical_points_against_the_reduced_equation(lam):
    # x₂ = g x₁ and x₁² = 1 − g² leave one equation for g alone
    def reduced(g):
        x1 = math.sqrt(1 - g * g)
        return float(dw.rotation_rate(np.array([x1, g * x1]), lam)) - g

    g = brentq(reduced, 0, 1 - 1e-12, xtol=1e-15)
    x = math.sqrt(1 - g * g) * np.array([1, g])
    low, middle, high = dw.critical_points(lam)
    assert_allclose([low.x, middle.x, high.x], [-x, 0 * x, x], atol=1e-10)
    assert [low.kind, middle.kind, high.kind] == ["sink", "saddle", "sink"]


def test_critical_points_without_force_are_those_of_the_potential():
    points = dw.critical_points(0.0)
    assert_allclose([p.x for p in points], [(-1, 0), (0, 0), (1, 0)], atol=1e-12)
    assert_allclose(points[1].eigenvalues, [1, -1], atol=1e-12)
    assert_allclose(dw.most_likely_points(), [points[0].x, points[2].x], atol=1e-12)


def test_the_origin_turns_from_saddle_to_centre_at_the_onset():
    assert [p.kind for p in dw.critical_points(dw.ONSET - 0.01)] == ["sink", "saddle", "sink"]
    (only,) = dw.critical_points(dw.ONSET + 0.01)
    assert only.kind == "centre"
    assert_allclose(only.x, (0, 0), atol=1e-12)


def test_a_source_is_called_a_source():
    assert dw._kind(np.array([1.0, 2.0])) == "source"


@pytest.mark.parametrize("lam", [1.0, 1.5, 3.0])
def test_weak_focus_at_the_origin_decays_at_the_derived_rate(lam):
    # 1/H grows by κ a unit of time; corrections are relative O(H) and the oscillation within a turn, which
    # returns to the same phase at whole turns. H is about 1e-4 here, hence the tolerance of 1e-3.
    x, time, invariant = 0.01, 0.0, []
    for _ in range(6):
        turn = first_return(lambda p: -dw.loss_gradient(p, lam), x)
        # H = g₀r²/2 − x₁x₂, constant along the linearised flow, at (x, 0)
        invariant.append((time, 2 / (dw.origin_rotation(lam) * x**2)))
        x, time = turn.returned, time + turn.time
    (t0, h0), (t1, h1) = invariant[0], invariant[-1]
    assert_allclose((h1 - h0) / (t1 - t0), dw.focus_decay(lam), rtol=1e-3)


def test_focus_decay_is_refused_where_the_origin_is_a_saddle():
    with pytest.raises(ValueError, match="saddle"):
        dw.focus_decay(0.5)


def test_noise_free_paths_end_in_the_sinks():
    end = path(lambda x: -dw.loss_gradient(x, 0.5), (2.0, 1.0), np.linspace(0, 60, 5))[-1]
    assert_allclose(end, dw.critical_points(0.5)[2].x, atol=1e-8)


@pytest.mark.parametrize("x", [1.0, [1.0, 2.0, 3.0]])
def test_points_that_are_not_planar_are_refused(x):
    with pytest.raises(ValueError, match="shape"):
        dw.potential(x)
