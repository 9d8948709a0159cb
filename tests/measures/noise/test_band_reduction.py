"""Eigenvalues by way of a band, against LAPACK's one-stage solver in double precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdiffusion.measures.noise import spectra
from sgdiffusion.measures.noise.band_reduction import band_eigenvalues, chase, reduce_to_band
from sgdiffusion.measures.noise.diffusion import DiffusionMatrix


def random_symmetric(order, seed, rank=None, dtype=np.float64):
    rows = np.random.default_rng(seed).standard_normal((rank or order + 3, order))
    return np.asfortranarray(rows.T @ rows, dtype)


def error(matrix, width=64):
    """Largest error of an eigenvalue over the largest eigenvalue, against LAPACK in double precision."""
    truth = np.linalg.eigvalsh(matrix.astype(float))
    return np.abs(band_eigenvalues(matrix.copy(order="F"), width) - truth).max() / np.abs(truth).max()


# A backward stable solver errs by a modest polynomial of the order times ε: 4·√n·ε for the rounding of n
# orthogonal transformations that adds like a random walk, 100·ε for small n.
@settings(deadline=None, max_examples=60)
@given(order=st.integers(1, 150), width=st.integers(1, 20), seed=st.integers(0, 99))
def test_any_order_and_width(order, width, seed):
    assert error(random_symmetric(order, seed), width) < 100 * np.finfo(float).eps


def test_single_precision():
    assert error(random_symmetric(700, 1, dtype=np.float32)) < 4 * 700**0.5 * np.finfo(np.float32).eps


@pytest.mark.parametrize("rank", [1, 5, 40])
def test_rank_deficient(rank):
    """Panels of zeros give reflectors that are identities."""
    assert error(random_symmetric(200, 2, rank=rank), width=16) < 100 * np.finfo(float).eps


@pytest.mark.parametrize(
    "matrix", [np.diag(np.arange(90.0)), np.zeros((90, 90)), np.eye(90), np.diag(np.ones(89), 1)]
)
def test_nothing_to_eliminate(matrix):
    symmetric = np.asfortranarray(matrix + matrix.T)
    found = band_eigenvalues(symmetric.copy(order="F"), 8)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(symmetric), atol=1e-12 * 180)


def test_indefinite_and_blind_to_the_upper_triangle():
    matrix = random_symmetric(130, 3)
    matrix -= np.trace(matrix) / 130 * np.eye(130)
    truth = np.linalg.eigvalsh(matrix)
    matrix[np.triu_indices(130, 1)] = np.nan
    found = band_eigenvalues(matrix, 8)
    np.testing.assert_allclose(found, truth, atol=100 * np.finfo(float).eps * np.abs(truth).max())


def test_both_stages_keep_the_spectrum():
    """The band as a dense matrix, and the tridiagonal, are similar to the matrix."""
    matrix, width = random_symmetric(77, 4), 6
    truth = np.linalg.eigvalsh(matrix)
    band = reduce_to_band(matrix.copy(order="F"), width)
    dense = sum(np.diag(band[: 77 - o, o], -o) for o in range(width + 1))
    assert not band[:, width + 1 :].any()
    close = {"rtol": 0, "atol": 100 * np.finfo(float).eps * truth[-1]}
    np.testing.assert_allclose(np.linalg.eigvalsh(dense), truth, **close)
    diagonal, beside = chase(band, width)
    tridiagonal = np.diag(diagonal) + np.diag(beside, -1)
    np.testing.assert_allclose(np.linalg.eigvalsh(tridiagonal), truth, **close)


@pytest.mark.parametrize("overwrite", [False, True])
def test_large_diffusion_matrices_take_this_way(monkeypatch, overwrite):
    matrix = random_symmetric(100, 5)
    diffusion = DiffusionMatrix(matrix.copy(order="F"), np.zeros(100), 100, "with_replacement", "float64")
    one_stage = spectra.eigenvalues(diffusion)
    monkeypatch.setattr(spectra, "BAND_FROM", 100)
    found = spectra.eigenvalues(diffusion, overwrite=overwrite)
    np.testing.assert_allclose(found, one_stage, atol=100 * np.finfo(float).eps * one_stage[0])
    assert np.array_equal(diffusion.lower, matrix) is not overwrite
