"""Langevin paths: the generator against published vectors, kernels against slow twins and exact laws."""

import math

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.linalg import expm, solve_discrete_lyapunov

from sgdiffusion.dynamics.chains import langevin as lg
from sgdiffusion.dynamics.chains.langevin import Plan
from sgdiffusion.errors import TrainingError
from sgdiffusion.papers.chaudhari2018.theory import double_well as dw
from sgdiffusion.papers.chaudhari2018.theory.displacement import Regression
from sgdiffusion.papers.chaudhari2018.theory.linear_response import decompose, stationary_covariance

SEED = 20181710  # of every randomised test here
SYSTEM = Regression((0.2, 0.6, 1.0, 2.2), (-1.2, 0.8, 0.1, 0.9))
DRIFT = np.array([[1.0, 0.6, 0.0], [-0.4, 0.8, 0.3], [0.0, 0.1, 1.5]])
DIFFUSION = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, -0.2], [0.0, -0.2, 0.8]])
BETA = 3.0


@njit
def _words(counter, key):
    return lg._philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_generator_gives_the_published_words(counter, key, words):
    """The known answers of Philox4x32-10 that its authors distribute."""
    found = _words(np.array(counter, dtype=np.uint64), np.array(key, dtype=np.uint64))
    assert [int(w) for w in found] == words


def test_normals_are_normal_and_independent():
    z = lg.normals(SEED, 200, 500, 3)
    n = z.size
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    # five standard errors each
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / n)
    for shifted in (z[1:] * z[:-1], z[:, 1:] * z[:, :-1], z[..., 1:] * z[..., :-1]):
        assert abs(shifted.mean()) < 5 / math.sqrt(shifted.size)


def test_normals_depend_on_seed_chain_and_step_alone():
    z = lg.normals(SEED, 4, 6, 5)
    assert_array_equal(z[2:, 3:], lg.normals(SEED, 2, 3, 5, first_chain=2, first_step=3))
    assert not np.any(z == lg.normals(SEED + 1, 4, 6, 5))
    assert not np.any(z == lg.normals(SEED + (1 << 40), 4, 6, 5))  # the seed's upper half counts too


def euler_and_heun_twins(x, lam, h, z):
    """One step of both schemes in NumPy, from the closed forms of theory.double_well."""
    noise = math.sqrt(2 * h) * z
    drift = -dw.loss_gradient(x, lam)
    euler = x + h * drift + noise
    return euler, x + h / 2 * (drift - dw.loss_gradient(euler, lam)) + noise


@pytest.mark.parametrize("scheme", ["euler", "heun"])
@pytest.mark.parametrize("lam", [0.0, 1.5])
def test_double_well_against_its_twin(scheme, lam):
    start = np.random.Generator(np.random.Philox(1)).normal(size=(5, 2))
    paths = lg.double_well_paths(start, lam, 0.02, Plan(records=200, seed=SEED), scheme)
    z, x = lg.normals(SEED, 5, 200, 2), start
    for n in range(200):
        euler, heun = euler_and_heun_twins(x, lam, 0.02, z[:, n])
        x = euler if scheme == "euler" else heun
        assert_allclose(paths[:, n], x, rtol=1e-10, atol=1e-10)


def test_linear_paths_against_their_twin():
    turn, noise = lg.euler_step(DRIFT, DIFFUSION, BETA, 0.05)
    start = np.ones((4, 3))
    paths = lg.linear_paths(start, turn, noise, Plan(records=50, seed=SEED))
    z, x = lg.normals(SEED, 4, 50, 4), start  # an odd dimension leaves the last of each pair unused
    for n in range(50):
        x = x @ turn.T + z[:, n, :3] @ noise.T
        assert_allclose(paths[:, n], x, rtol=1e-11, atol=1e-12)


def test_regression_with_gaussian_noise_against_its_twin():
    plan = Plan(records=50, seed=SEED)
    paths = lg.regression_paths(np.zeros((3, 1)), SYSTEM.slopes, SYSTEM.offsets, 0.1, 4, plan, "gaussian")
    z, x = lg.normals(SEED, 3, 50, 1)[..., 0], np.zeros(3)
    for n in range(50):
        slope = SYSTEM.curvature * (x - SYSTEM.minimum)
        x = x - 0.1 * (slope + np.sqrt(SYSTEM.diffusion(x) / 4) * z[:, n])
        assert_allclose(paths[:, n, 0], x, rtol=1e-10, atol=1e-12)


def test_regression_steps_are_means_over_batches_of_examples():
    # with the slopes equal, one step from 0 moves by η times a mean of b offsets drawn with replacement
    offsets = np.array([-3.0, 0.0, 1.0, 10.0])
    plan = Plan(records=1, seed=SEED)
    step = lg.regression_paths(np.zeros((40000, 1)), np.ones(4), offsets, 1.0, 2, plan)[:, 0, 0]
    means, counts = np.unique(step, return_counts=True)
    pairs, weights = np.unique(np.add.outer(offsets, offsets) / 2, return_counts=True)
    assert_allclose(means, pairs)
    assert stats.chisquare(counts, weights / 16 * step.size).pvalue > 1e-3


def test_chains_do_not_depend_on_batches_order_or_threads():
    start = np.linspace(-1, 1, 14).reshape(7, 2)
    plan = Plan(records=3, seed=SEED, every=5, burn_in=4)
    whole = lg.double_well_paths(start, 1.5, 0.05, plan)
    for threads in (2, 3, 16):
        other = Plan(records=3, seed=SEED, every=5, burn_in=4, threads=threads)
        assert_array_equal(lg.double_well_paths(start, 1.5, 0.05, other), whole)
    tail = Plan(records=3, seed=SEED, every=5, burn_in=4, first_chain=4)
    assert_array_equal(lg.double_well_paths(start[4:], 1.5, 0.05, tail), whole[4:])


def test_records_are_every_so_many_steps_after_the_burn_in():
    every_step = lg.double_well_paths([[0.5, 0.0]], 0.5, 0.05, Plan(records=19, seed=SEED))
    sparse = lg.double_well_paths([[0.5, 0.0]], 0.5, 0.05, Plan(records=3, seed=SEED, every=5, burn_in=4))
    assert_array_equal(sparse[0], every_step[0, [8, 13, 18]])


def test_a_continued_path_is_the_uninterrupted_one():
    start = np.zeros((3, 2))
    whole = lg.double_well_paths(start, 1.5, 0.05, Plan(records=20, seed=SEED))
    first = lg.double_well_paths(start, 1.5, 0.05, Plan(records=12, seed=SEED))
    rest = lg.double_well_paths(first[:, -1], 1.5, 0.05, Plan(records=8, seed=SEED, first_step=12))
    assert_array_equal(np.concatenate([first, rest], axis=1), whole)


def test_exact_step_has_the_exact_transition_and_stationary_law():
    covariance = stationary_covariance(DRIFT, DIFFUSION, BETA)
    turn, noise = lg.exact_step(DRIFT, covariance, 0.7)
    assert_allclose(turn, expm(-0.7 * DRIFT), rtol=1e-12)
    assert_allclose(turn @ covariance @ turn.T + noise @ noise.T, covariance, rtol=1e-12, atol=1e-14)


def test_heun_step_is_two_drifts_averaged_and_of_second_order():
    x, z, h = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -1.0]), 0.1
    turn, noise = lg.heun_step(DRIFT, DIFFUSION, BETA, h)
    kick = lg.euler_step(DRIFT, DIFFUSION, BETA, h)[1] @ z
    predicted = x - h * DRIFT @ x + kick
    assert_allclose(turn @ x + noise @ z, x - h / 2 * DRIFT @ (x + predicted) + kick, rtol=1e-12)
    exact, errors = stationary_covariance(DRIFT, DIFFUSION, BETA), []
    for h in (0.1, 0.05):
        turn, noise = lg.heun_step(DRIFT, DIFFUSION, BETA, h)
        errors.append(np.abs(solve_discrete_lyapunov(turn, noise @ noise.T) - exact).max())
    assert 3.5 < errors[0] / errors[1] < 4.5


@pytest.mark.parametrize("scheme", ["exact", "euler"])
def test_linear_paths_have_the_covariance_of_their_scheme(scheme):
    step = 0.25
    covariance = stationary_covariance(DRIFT, DIFFUSION, BETA, 0.0 if scheme == "exact" else step)
    turn, noise = (
        lg.exact_step(DRIFT, covariance, step)
        if scheme == "exact"
        else lg.euler_step(DRIFT, DIFFUSION, BETA, step)
    )
    last = lg.linear_paths(np.zeros((20000, 3)), turn, noise, Plan(records=1, seed=SEED, burn_in=80))[:, 0]
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
    plan = Plan(records=400, seed=SEED, every=50, burn_in=500)
    x = lg.linear_paths(np.zeros((500, 3)), turn, noise, plan)
    # states 50 steps apart: E[x_{t+τ} x_tᵀ] = turn^50 C
    product = np.einsum("cti,ctk->cik", x[:, 1:], x[:, :-1]) / (x.shape[1] - 1)
    mean, error = product.mean(0), product.std(0, ddof=1) / math.sqrt(len(product))
    exact = np.linalg.matrix_power(turn, 50) @ stationary_covariance(DRIFT, DIFFUSION, BETA, step)
    assert np.abs((mean - exact) / error).max() < 4.5
    assert np.abs((mean - mean.T) / error).max() > 20  # the rotation is seen
    q = decompose(DRIFT, DIFFUSION).antisymmetric
    assert np.sign((mean - mean.T)[0, 1]) == -np.sign(q[0, 1])


@pytest.mark.parametrize("lam", [0.0, 1.5])
def test_double_well_reaches_the_boltzmann_law(lam):
    """χ² over 8 × 8 cells of equal probability, one state of each of 20,000 independent chains."""
    start = np.tile([1.5, 1.5], (20000, 1))
    x = lg.double_well_paths(start, lam, 0.05, Plan(records=1, seed=SEED, burn_in=400))[:, 0]
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


def test_heun_is_of_higher_order_than_euler():
    """Bias of E[x₂²] = 1 at λ = 0, where Euler's is exactly h/(2 − h); Heun's is of order h²."""
    start = np.zeros((2000, 2))
    bias, error = {}, {}
    for scheme in ("euler", "heun"):
        for h in (0.1, 0.05):
            plan = Plan(records=300, seed=SEED, every=5, burn_in=50)
            x = lg.double_well_paths(start, 0.0, h, plan, scheme)
            second = (x[..., 1] ** 2).mean(1)
            bias[scheme, h] = second.mean() - 1
            error[scheme, h] = second.std(ddof=1) / math.sqrt(len(second))
    for h in (0.1, 0.05):
        assert abs(bias["euler", h] - h / (2 - h)) < 4 * error["euler", h]
        # x₂ ← (1 − h + h²/2)x₂ + (1 − h/2)√(2h)ξ
        exact = 2 * h * (1 - h / 2) ** 2 / (1 - (1 - h + h * h / 2) ** 2) - 1
        assert abs(bias["heun", h] - exact) < 4 * error["heun", h]
    assert abs(bias["heun", 0.1]) < abs(bias["euler", 0.1]) / 4


def test_bad_plans_and_choices_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Plan(records=0, seed=1)
    with pytest.raises(ValueError, match="burn_in"):
        Plan(records=1, seed=1, burn_in=-1)
    with pytest.raises(ValueError, match="'heun' or 'euler'"):
        lg.double_well_paths(np.zeros((1, 2)), 0.0, 0.1, Plan(records=1, seed=1), "milstein")
    with pytest.raises(ValueError, match="'batch' or 'gaussian'"):
        lg.regression_paths(np.zeros((1, 1)), [1.0], [0.0], 0.1, 1, Plan(records=1, seed=1), "none")


def test_a_diverging_path_names_chain_and_step():
    start = np.array([[0.0, 0.0], [40.0, 0.0]])  # beyond √(2/h) the cubic drift overshoots and grows
    with pytest.raises(TrainingError, match=r"chain 6 is not finite at step 30: .*shorter"):
        lg.double_well_paths(start, 0.0, 0.1, Plan(records=2, seed=1, every=30, first_chain=5))
