"""Eigenvalues and their statistics against numpy, hand-made spectra and the dual path."""

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.diffusion import diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.spectra import (
    dual_eigenvalues,
    eigenvalues,
    require_nonnegative,
    spectral_distance,
    spectrum,
    statistics,
    threshold,
)


class TestEigenvalues:
    def test_against_the_loop_and_numpy(self, case, oracle):
        stream = PerExampleGradients(case.net, case.data, case.loss)
        found = eigenvalues(diffusion_matrix(stream, precision="float64"))
        expected = np.linalg.eigvalsh(oracle.diffusion(case))[::-1]
        np.testing.assert_allclose(found, expected, atol=1e-8 * expected[0])
        assert (np.diff(found) <= 0).all()

    def test_a_prescribed_spectrum(self):
        # rows ±√(N/2·λ_i)·q_i have mean 0 and D = Σ λ_i q_i q_iᵀ exactly
        wanted = np.array([5.0, 2.0, 2.0, 1e-3, 0.0])
        q = np.linalg.qr(np.random.default_rng(21).standard_normal((5, 5)))[0]
        rows = np.sqrt(5 * wanted)[:, None] * q.T
        matrix = diffusion_matrix([np.concatenate([rows, -rows])], precision="float64")
        before = matrix.lower.copy()
        np.testing.assert_allclose(eigenvalues(matrix), wanted, atol=1e-13)
        np.testing.assert_array_equal(matrix.lower, before)

    def test_blind_to_the_upper_triangle(self, mlp):
        matrix = diffusion_matrix(PerExampleGradients(mlp.net, mlp.data), precision="float64")
        expected = np.linalg.eigvalsh(matrix.dense())[::-1]
        matrix.lower[np.triu_indices(matrix.weights, 1)] = np.nan
        np.testing.assert_allclose(eigenvalues(matrix), expected, atol=1e-12 * expected[0])

    def test_a_large_rank_deficient_matrix_in_single_precision(self):
        """Errors stay far below the threshold λ_max·d·ε, so that rounding makes no rank of its own."""
        rows = np.random.default_rng(25).standard_normal((90, 700)) * np.geomspace(1, 0.03, 700)
        matrix = diffusion_matrix([rows.astype(np.float32)])
        expected = np.linalg.eigvalsh(matrix.dense().astype(float))[::-1]
        found = eigenvalues(matrix)
        # a backward stable solver: the rounding of d orthogonal transformations adds like a random walk
        atol = 4 * 700**0.5 * np.finfo(np.float32).eps * expected[0]
        np.testing.assert_allclose(found, expected, atol=atol)
        assert atol < threshold(found) / 5
        assert statistics(found).rank == 89  # 90 centred rows

    def test_trace_and_norm_agree_with_the_matrix(self, case):
        matrix = diffusion_matrix(PerExampleGradients(case.net, case.data, case.loss), precision="float64")
        found = statistics(eigenvalues(matrix))
        assert found.trace == pytest.approx(matrix.trace(), rel=1e-12)
        assert found.frobenius == pytest.approx(matrix.frobenius(), rel=1e-12)

    def test_single_precision_agrees_to_its_rounding(self, case):
        stream = PerExampleGradients(case.net, case.data, case.loss)
        single, double = (eigenvalues(diffusion_matrix(stream, precision=p)) for p in ("float32", "float64"))
        # absolute error of an eigenvalue ≤ ‖ΔD‖ ≈ √N · 6e-8 · λ_max with N = 90, and the solver's d · 6e-8
        np.testing.assert_allclose(single, double, atol=5e-6 * double[0])


class TestDual:
    @pytest.mark.parametrize("convention", ["with_replacement", "without_replacement"])
    @pytest.mark.parametrize("examples", [20, 90])
    def test_equals_the_full_matrix(self, case, examples, convention):
        data = (case.inputs[:examples], case.targets[:examples])
        stream = PerExampleGradients(case.net, data, case.loss)
        settings = {"convention": convention, "precision": "float64"}
        full = eigenvalues(diffusion_matrix(stream, **settings))
        found = dual_eigenvalues(stream, **settings)
        assert found.shape == full.shape
        np.testing.assert_allclose(found, full, atol=1e-12 * full[0])

    def test_the_cheaper_path_is_taken(self, mlp):
        few = PerExampleGradients(mlp.net, (mlp.inputs[:20], mlp.targets[:20]))
        assert not spectrum(few, precision="float64")[20:].any()  # exact zeros: the N×N path
        # the loop's rounding is not exactly zero below rank: the d×d path
        loader = PerExampleGradients(mlp.net, [(mlp.inputs[:20], mlp.targets[:20])])
        assert spectrum(loader, precision="float64")[20:].any()
        np.testing.assert_allclose(spectrum(few), spectrum(loader), atol=1e-5 * spectrum(few)[0])


class TestStatistics:
    values = np.array([4.0, 2.0, 1e-7, 0.0])

    def test_by_hand(self):
        found = statistics(self.values)
        assert found.mean == pytest.approx(1.5, rel=1e-7)
        assert found.sd == pytest.approx(np.sqrt(2.5**2 + 0.5**2 + 2 * 1.5**2) / 2, rel=1e-6)
        assert (found.mean_above, found.sd_above) == (3.0, 1.0)
        assert (found.rank, found.rank_percent, found.weights) == (2, 50.0, 4)
        assert found.trace == pytest.approx(6.0, rel=1e-7)
        assert found.frobenius == pytest.approx(np.sqrt(20.0))
        assert found.largest == 4.0
        assert found.threshold == pytest.approx(4 * 4 * 2.0**-23)
        assert found.row()["rank"] == 2

    def test_the_precision_decides_the_rank(self):
        assert statistics(self.values, "float32").rank == 2
        assert statistics(self.values, "float64").rank == 3

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_rank_is_numpys(self, dtype):
        rng = np.random.default_rng(22)
        factor = rng.standard_normal((30, 7)).astype(dtype)
        matrix = factor @ factor.T
        values = np.linalg.eigvalsh(matrix).astype(np.float64)
        assert statistics(values, dtype).rank == np.linalg.matrix_rank(matrix, hermitian=True) == 7

    def test_a_share_p_of_non_zeros_bounds_the_relative_spread(self):
        values = np.concatenate([np.ones(3), np.zeros(97)])
        found = statistics(values)  # equality: s.d./mean = √(1/p − 1) for equal non-zeros
        assert found.sd / found.mean == pytest.approx(np.sqrt(1 / 0.03 - 1))
        assert (found.mean_above, found.sd_above) == (1.0, 0.0)

    def test_a_zero_matrix_has_no_spectrum(self):
        with pytest.raises(MeasureError, match="all eigenvalues are zero"):
            statistics(np.zeros(3))


class TestNegative:
    def test_beyond_rounding_is_refused(self):
        with pytest.raises(MeasureError, match="negative beyond rounding"):
            statistics(np.array([1.0, -2e-3]))
        with pytest.raises(MeasureError, match="negative beyond rounding"):
            require_nonnegative(np.array([-1.0, -2.0]), "float64")

    def test_rounding_is_accepted_and_depends_on_the_precision(self):
        values = np.array([1.0, 0.0, -1e-5])
        require_nonnegative(values, "float32")
        with pytest.raises(MeasureError, match="negative beyond rounding"):
            require_nonnegative(values, "float64")

    def test_a_matrix_that_is_no_covariance(self):
        matrix = diffusion_matrix([np.random.default_rng(23).standard_normal((9, 3))], precision="float64")
        matrix.lower[2, 2] = -1.0
        with pytest.raises(MeasureError, match="positive semi-definite"):
            eigenvalues(matrix)

    def test_non_finite(self):
        with pytest.raises(MeasureError, match="non-finite"):
            statistics(np.array([1.0, np.nan]))


class TestDistance:
    values = np.geomspace(10.0, 1e-3, 40)

    def test_a_factor_is_its_logarithm(self):
        assert spectral_distance(self.values, 100.0 * self.values) == pytest.approx(2.0, rel=1e-12)

    def test_a_metric(self):
        other, third = np.geomspace(20.0, 1e-2, 40), np.linspace(3.0, 1.0, 40)
        forth, back = spectral_distance(self.values, other), spectral_distance(other, self.values)
        assert spectral_distance(self.values, self.values) == 0.0
        assert forth > 0
        assert forth == pytest.approx(back)
        assert spectral_distance(self.values, third) <= forth + spectral_distance(other, third) + 1e-12

    def test_against_sorted_differences(self):
        # equal numbers above threshold: W₁ is the mean of |log₁₀ ratio| in sorted order
        other = np.sort(np.random.default_rng(24).lognormal(size=40))[::-1]
        expected = np.abs(np.log10(self.values) - np.log10(other)).mean()
        assert spectral_distance(self.values, other) == pytest.approx(expected, rel=1e-12)

    def test_neither_multiplicity_nor_what_is_below_threshold_counts(self):
        twice = np.sort(np.concatenate([self.values, self.values, np.full(20, 1e-9), np.zeros(5)]))[::-1]
        assert threshold(twice) > 1e-9
        assert spectral_distance(self.values, twice) == pytest.approx(0.0, abs=1e-12)

    def test_zero_spectrum(self):
        with pytest.raises(MeasureError, match="all eigenvalues are zero"):
            spectral_distance(self.values, np.zeros(40))
