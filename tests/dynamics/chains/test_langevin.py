"""Langevin paths: kernels against slow twins and exact laws."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles.chain_numbers import normals
from oracles.linear_steady_states import euler_covariance, exact_covariance
from scipy import stats
from scipy.linalg import expm, solve_discrete_lyapunov

from sgdiffusion.dynamics.chains import langevin as lg
from sgdiffusion.dynamics.chains.blocks import spaced_records
from sgdiffusion.errors import ConfigError, TrainingError
from sgdiffusion.papers.chaudhari2018.theory import double_well as dw
from sgdiffusion.papers.chaudhari2018.theory.linear_response import decompose

SEED = 20181710  # of every randomised test here
DRIFT = np.array([[1.0, 0.6, 0.0], [-0.4, 0.8, 0.3], [0.0, 0.1, 1.5]])
DIFFUSION = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, -0.2], [0.0, -0.2, 0.8]])
BETA = 3.0


def exact_step(drift, covariance, step):
    """The exact transition over `step` with this stationary covariance C: e^{−hF} and chol(C − M C Mᵀ)."""
    turn = expm(-step * np.asarray(drift))
    return turn, np.linalg.cholesky(covariance - turn @ covariance @ turn.T)


@pytest.mark.parametrize("lam", [0.0, 1.5])
def test_double_well_against_its_twin(lam):
    """Heun's scheme in NumPy, from the closed forms of theory.double_well."""
    start, h = np.random.Generator(np.random.Philox(1)).normal(size=(5, 2)), 0.02
    paths = lg.double_well_paths(start, lam, h, np.arange(1, 201), seed=SEED)
    z, x = normals(SEED, 5, 400).reshape(5, 200, 2), start
    for n in range(200):
        noise, drift = math.sqrt(2 * h) * z[:, n], -dw.loss_gradient(x, lam)
        x = x + h / 2 * (drift - dw.loss_gradient(x + h * drift + noise, lam)) + noise
        assert_allclose(paths[:, n], x, rtol=1e-10, atol=1e-10)


def test_linear_paths_against_their_twin():
    turn, noise = lg.euler_step(DRIFT, DIFFUSION, BETA, 0.05)
    start = np.ones((4, 3))
    paths = lg.linear_paths(start, turn, noise, np.arange(1, 51), seed=SEED)
    z, x = normals(SEED, 4, 150).reshape(4, 50, 3), start
    for n in range(50):
        x = x @ turn.T + z[:, n] @ noise.T
        assert_allclose(paths[:, n], x, rtol=1e-11, atol=1e-12)


def test_chains_do_not_depend_on_batches_or_threads():
    start = np.linspace(-1, 1, 14).reshape(7, 2)
    whole = lg.double_well_paths(start, 1.5, 0.05, [9, 14, 19], seed=SEED)
    for threads in (2, 3, 16):
        assert_array_equal(
            lg.double_well_paths(start, 1.5, 0.05, [9, 14, 19], seed=SEED, threads=threads), whole
        )
    assert_array_equal(lg.double_well_paths(start[:4], 1.5, 0.05, [9, 14, 19], seed=SEED), whole[:4])
    assert not np.any(lg.double_well_paths(start, 1.5, 0.05, [9, 14, 19], seed=SEED + 1) == whole)


def test_records_are_every_so_many_steps_after_the_burn_in():
    steps = spaced_records(3, every=5, burn_in=4)
    assert steps.tolist() == [9, 14, 19]
    every_step = lg.double_well_paths([[0.5, 0.0]], 0.5, 0.05, np.arange(20), seed=SEED)
    assert_array_equal(every_step[0, 0], [0.5, 0.0])
    assert_array_equal(
        lg.double_well_paths([[0.5, 0.0]], 0.5, 0.05, steps, seed=SEED)[0], every_step[0, steps]
    )


def test_heun_step_is_two_drifts_averaged_and_of_second_order():
    x, z, h = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -1.0]), 0.1
    turn, noise = lg.heun_step(DRIFT, DIFFUSION, BETA, h)
    kick = lg.euler_step(DRIFT, DIFFUSION, BETA, h)[1] @ z
    predicted = x - h * DRIFT @ x + kick
    assert_allclose(turn @ x + noise @ z, x - h / 2 * DRIFT @ (x + predicted) + kick, rtol=1e-12)
    exact, errors = exact_covariance(DRIFT, DIFFUSION, BETA), []
    for h in (0.1, 0.05):
        turn, noise = lg.heun_step(DRIFT, DIFFUSION, BETA, h)
        errors.append(np.abs(solve_discrete_lyapunov(turn, noise @ noise.T) - exact).max())
    assert 3.5 < errors[0] / errors[1] < 4.5


@pytest.mark.parametrize("scheme", ["exact", "euler"])
def test_linear_paths_have_the_covariance_of_their_scheme(scheme):
    step = 0.25
    if scheme == "exact":
        covariance = exact_covariance(DRIFT, DIFFUSION, BETA)
        turn, noise = exact_step(DRIFT, covariance, step)
    else:
        covariance = euler_covariance(DRIFT, DIFFUSION, BETA, step)
        turn, noise = lg.euler_step(DRIFT, DIFFUSION, BETA, step)
    last = lg.linear_paths(np.zeros((20000, 3)), turn, noise, [81], seed=SEED)[:, 0]
    # a sample covariance of normal numbers has the variance (C_ii C_kk + C_ik²)/n
    diagonal = np.diag(covariance)
    error = np.sqrt((np.outer(diagonal, diagonal) + covariance**2) / len(last))
    assert np.abs((last.T @ last / len(last) - covariance) / error).max() < 4.5
    for k in range(3):
        assert stats.kstest(last[:, k] / math.sqrt(diagonal[k]), "norm").pvalue > 1e-3


def test_lag_correlation_shows_the_antisymmetric_part_of_lemma_20():
    # E[(x_{t+h} − x_t) x_tᵀ]/h → −FU⁻¹/β = −(D + Q)/β, whose antisymmetric part is −Q/β
    step = 0.02
    turn, noise = lg.euler_step(DRIFT, DIFFUSION, BETA, step)
    records = spaced_records(400, every=50, burn_in=500)
    x = lg.linear_paths(np.zeros((500, 3)), turn, noise, records, seed=SEED)
    # states 50 steps apart: E[x_{t+τ} x_tᵀ] = turn^50 C
    product = np.einsum("cti,ctk->cik", x[:, 1:], x[:, :-1]) / (x.shape[1] - 1)
    mean, error = product.mean(0), product.std(0, ddof=1) / math.sqrt(len(product))
    exact = np.linalg.matrix_power(turn, 50) @ euler_covariance(DRIFT, DIFFUSION, BETA, step)
    assert np.abs((mean - exact) / error).max() < 4.5
    assert np.abs((mean - mean.T) / error).max() > 20  # the rotation is seen
    q = decompose(DRIFT, DIFFUSION).antisymmetric
    assert np.sign((mean - mean.T)[0, 1]) == -np.sign(q[0, 1])


@pytest.mark.parametrize("lam", [0.0, 1.5])
def test_double_well_reaches_the_boltzmann_law(lam):
    """χ² over 8 × 8 cells of equal probability, one state of each of 20,000 independent chains."""
    start = np.tile([1.5, 1.5], (20000, 1))
    x = lg.double_well_paths(start, lam, 0.05, [401], seed=SEED)[:, 0]
    # a burn-in of 20 leaves e^{−0.79·20} = 1e-7 of the start (slowest mode of the grid operator at λ = 0)
    fine = np.linspace(-6, 6, 4801)
    cuts = [
        np.interp(
            np.linspace(0, 1, 9)[1:-1], np.concatenate([[0], np.cumsum(dw.marginal_masses(fine, axis))]), fine
        )
        for axis in (0, 1)
    ]
    cell = np.searchsorted(cuts[0], x[:, 0]) * 8 + np.searchsorted(cuts[1], x[:, 1])
    assert stats.chisquare(np.bincount(cell, minlength=64)).pvalue > 1e-3


def test_heun_is_of_second_order():
    """Bias of E[x₂²] = 1 at λ = 0, of order h²; Euler's would be h/(2 − h)."""
    start, bias = np.zeros((2000, 2)), {}
    for h in (0.1, 0.05):
        records = spaced_records(300, every=5, burn_in=50)
        second = (lg.double_well_paths(start, 0.0, h, records, seed=SEED)[..., 1] ** 2).mean(1)
        bias[h] = second.mean() - 1
        # x₂ ← (1 − h + h²/2)x₂ + (1 − h/2)√(2h)ξ
        exact = 2 * h * (1 - h / 2) ** 2 / (1 - (1 - h + h * h / 2) ** 2) - 1
        assert abs(bias[h] - exact) < 4 * second.std(ddof=1) / math.sqrt(len(second))
    assert abs(bias[0.1]) < 0.1 / (2 - 0.1) / 4


@pytest.mark.parametrize("records", [[], [3, 3], [-1], [0.5]])
def test_bad_records_are_refused(records):
    with pytest.raises(ConfigError, match="increasing whole numbers"):
        lg.double_well_paths(np.zeros((1, 2)), 0.0, 0.1, records, seed=1)


def test_a_diverging_path_names_chain_and_step():
    start = np.array([[0.0, 0.0], [40.0, 0.0]])  # beyond √(2/h) the cubic drift overshoots and grows
    with pytest.raises(TrainingError, match=r"chain 1 overflowed .* at step [1-9]: .*shorter"):
        lg.double_well_paths(start, 0.0, 0.1, [30, 60], seed=1)
    with pytest.raises(TrainingError, match=r"chain 0 overflowed .* at step 40: .*shorter"):
        lg.linear_paths(np.ones((1, 1)), [[2.0]], [[0.0]], [100], seed=1)  # 2⁴⁰ > 10¹² first
