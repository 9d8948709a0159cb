"""Lemmas 6 and 20: two ways to the same decomposition, closed forms, and refusals."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.chaudhari2018.theory import linear_response as lr


def random_system(rng, size):
    """A drift with eigenvalues right of 1/2 and a positive definite diffusion matrix."""
    drift = rng.normal(size=(size, size))
    drift += (0.5 - min(0.0, np.linalg.eigvals(drift).real.min())) * np.eye(size)
    root = rng.normal(size=(size, size))
    return drift, root @ root.T + 0.3 * np.eye(size)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_both_routes_to_lemma_20_agree_and_satisfy_it(size):
    drift, diffusion = random_system(np.random.Generator(np.random.Philox(size)), size)
    by_law, by_force = lr.decompose(drift, diffusion), lr.decompose_by_force(drift, diffusion)
    for name in ("curvature", "antisymmetric", "scaled_covariance"):
        assert_allclose(getattr(by_law, name), getattr(by_force, name), rtol=1e-8, atol=1e-9)
    g = diffusion + by_law.antisymmetric
    assert_allclose(g @ by_law.curvature, drift, rtol=1e-9, atol=1e-9)
    assert_allclose(g @ drift.T, drift @ g.T, rtol=1e-9, atol=1e-9)
    assert_allclose(by_law.antisymmetric, -by_law.antisymmetric.T, atol=0)
    assert_allclose(by_law.curvature, by_law.curvature.T, rtol=1e-9)


def test_decomposition_of_a_rotating_system():
    # F = 1 + ω(0, −1; 1, 0) and D = 1 give U = 1 and Q = F − 1
    turn = 0.7 * np.array([[0.0, -1.0], [1.0, 0.0]])
    found = lr.decompose(np.eye(2) + turn, np.eye(2))
    assert_allclose(found.curvature, np.eye(2), atol=1e-12)
    assert_allclose(found.antisymmetric, turn, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 7.0])
def test_lemma_6_isotropic_noise_gives_the_loss_itself(scale):
    drift = np.array([[2.0, 0.5], [0.5, 1.0]])
    found = lr.decompose(drift, scale * np.eye(2))
    assert_allclose(found.curvature, drift / scale, rtol=1e-12)
    assert_allclose(found.antisymmetric, 0, atol=1e-13 * scale)
    assert lr.misfit(found.curvature, drift) < 1e-12


def test_lemma_6_anisotropic_noise_does_not():
    drift = np.array([[2.0, 0.0], [0.0, 1.0]])
    misfits = [
        lr.misfit(lr.decompose(drift, lr.anisotropic(math.pi / 5, r)).curvature, drift)
        for r in (1, 1.2, 2, 8)
    ]
    assert misfits[0] < 1e-12
    assert np.all(np.diff(misfits) > 0.02)
    # along the axes of F the potential is Σ F_ii x_i²/(2 D_ii): U = diag(2/√r, √r), c = (4/√r + √r)/5
    r = 8.0
    u = np.array([2 / math.sqrt(r), math.sqrt(r)])
    c = (2 * u[0] + u[1]) / 5
    expected = np.linalg.norm(u - c * np.array([2, 1])) / np.linalg.norm(u)
    assert_allclose(
        lr.misfit(lr.decompose(drift, lr.anisotropic(0.0, r)).curvature, drift), expected, rtol=1e-12
    )


def test_misfit_is_the_least_over_scales():
    rng = np.random.Generator(np.random.Philox(4))
    u, f = rng.normal(size=(2, 3, 3))
    scan = [np.linalg.norm(u - c * f) / np.linalg.norm(u) for c in np.linspace(-3, 3, 60001)]
    assert_allclose(lr.misfit(u, f), min(scan), rtol=1e-6)


def test_anisotropic_matrix_has_the_stated_eigenvalues_and_axes():
    matrix = lr.anisotropic(0.3, 4.0)
    assert_allclose(np.linalg.eigvalsh(matrix), [0.5, 2.0])
    axis = np.array([math.cos(0.3), math.sin(0.3)])
    assert_allclose(matrix @ axis, 2 * axis)


@pytest.mark.parametrize(
    ("drift", "diffusion", "message"),
    [
        (np.eye(2), np.eye(3), "square and of one size"),
        (np.eye(2), np.diag([1.0, 0.0]), "positive definite"),
        (np.eye(2), np.array([[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (np.diag([1.0, -0.1]), np.eye(2), "no steady state.*-0.1"),
    ],
)
def test_systems_without_a_law_are_refused(drift, diffusion, message):
    with pytest.raises(MeasureError, match=message):
        lr.decompose(drift, diffusion)
