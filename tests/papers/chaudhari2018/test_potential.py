"""Φ against β, loops of linear forces, singular noise: closed forms and simulations at small cost."""

import logging

import numpy as np
import pytest
from scipy.integrate import quad

from sgdiffusion.papers.chaudhari2018 import potential as study
from sgdiffusion.papers.chaudhari2018.settings import TheoryChecks
from sgdiffusion.papers.chaudhari2018.theory import linear_response as linear
from sgdiffusion.papers.chaudhari2018.theory import loops
from sgdiffusion.papers.task import Task


def test_the_example_has_the_diffusion_it_is_made_for():
    x = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(study.EXAMPLE.diffusion(x), 50 * (1 + x / 2 + x**2 / 2), rtol=1e-12)
    assert study.EXAMPLE.curvature == pytest.approx(1)
    assert study.EXAMPLE.minimum == pytest.approx(0, abs=1e-15)


def test_potential_is_the_integral():
    """Φ = ∫f′/D dx + β⁻¹ ln D, by quadrature."""
    temperature = 0.01
    x = np.linspace(-2, 2, 9)

    def slow(end):
        drift, _ = quad(lambda t: t / (50 * (1 + t / 2 + t**2 / 2)), 0, end)
        return drift + temperature * np.log(50 * (1 + end / 2 + end**2 / 2))

    expected = np.array([slow(end) for end in x])
    np.testing.assert_allclose(study.potential(x, temperature), expected - expected.min(), atol=1e-9)


def test_phi_depends_on_beta_in_closed_form():
    # argmin of x²/2-like Φ: f′ = −β⁻¹D′ with D/50 = 1 + x/2 + x²/2: x(1 + T) = −T/2
    assert study.EXAMPLE.mode(0.01) == pytest.approx(-0.25 / 1.5)
    assert study.change_of_shape((1e-6, 0.01)) > 0.1
    assert study.change_of_shape((1e-6, 1e-6)) == 0


def test_simulated_modes_follow_the_closed_form():
    table = study.mode_table(chains=200, records=100, seed=0, threads=1)
    sde = table[table["system"] == "sde"]
    # Euler's step of 0.02 shifts the mode by some per cent of the s.d.
    assert (np.abs(sde["mode"] - sde["closed"]) < 4 * sde["error"] + 0.05 * sde["sd"]).all()
    found = {row["quantity"]: row for row in study.mode_quantities(table, 200)}
    assert set(found) >= {"phi.sde.argmin_shift", "phi.batch.argmin_shift", "phi.network.argmin_shift"}
    assert found["phi.sde.argmin_shift"]["low"] > 0


def test_forces_meet_assumption_4_and_only_the_plane_closes():
    for system in (loops.PLANE, loops.FOUR):
        force = loops.force_matrix(*system)
        assert abs(np.trace(force)) < 1e-12
        assert loops.alignment(*system) < 1e-12
        np.testing.assert_allclose(np.linalg.eigvals(force).real, 0, atol=1e-9)
    plane, four = (loops.force_matrix(*system) for system in (loops.PLANE, loops.FOUR))
    assert loops.closest_return(plane, np.ones(2), turns=2) < 1e-6
    assert loops.closest_return(four, np.ones(4), turns=2) > 0.05


def test_a_rotation_returns_after_its_period():
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    assert loops.periods(turn) == pytest.approx([np.pi])
    assert loops.closest_return(turn, np.array([1.0, 0.0]), turns=1.2) < 1e-6
    both = np.zeros((4, 4))  # commensurate frequencies, 1 and 2: closed after the slow period
    both[:2, :2], both[2:, 2:] = turn / 2, turn
    assert loops.closest_return(both, np.ones(4), turns=1.2) < 1e-6


def test_singular_noise():
    found = {row["quantity"]: row["value"] for row in study.singular_quantities()}
    assert found["singular.aligned.least_variance"] == pytest.approx(0, abs=1e-12)
    # [[2, ½], [½, 1]] with noise on the first axis alone: Σ by hand from FΣ + ΣF = 2D
    assert found["singular.turned.least_variance"] > 0.01
    regular = linear.least_variance(study.HESSIAN, np.eye(2))
    assert regular == pytest.approx(1 / np.linalg.eigvalsh(study.HESSIAN).max())


def test_all_quantities_are_measured():
    run = TheoryChecks(
        kind="theory-checks", chains=100, linear_records=50, regression_records=50, potential_records=50
    )
    found = study.measure(Task("chaudhari2018", {}, 0, 1, "cpu", {}, logging.getLogger()), run)
    values = found["quantities"].set_index("quantity")
    # E f = ½ Tr D at β = 1 for every D; η and b together leave the variance, up to the step
    for name in ("remark15.excess_loss_ratio_1.5", "remark15.excess_loss_ratio_8", "remark11.variance_ratio"):
        row = values.loc[name]
        assert abs(row["value"] - 1) < 3 * (row["high"] - row["low"]) / 2 + 0.06
    assert list(found["potential"].columns) == ["temperature", "x", "phi"]
