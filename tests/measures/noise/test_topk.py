"""The top-k path against dense eigenvalues, its residual bound, its exact and its probed norm."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sgdiffusion.errors import InputError, MeasureError
from sgdiffusion.measures.noise import topk
from sgdiffusion.measures.noise.diffusion import diffusion_matrix, gram_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.spectra import eigenvalues
from sgdiffusion.measures.noise.topk import top_eigenvalues

EXACT = {"precision": "float64", "tolerance": 1e-11}


def rows_with_spectrum(values, seed=0):
    """2d rows whose D has exactly these eigenvalues: ±√(d·λ_i)·q_i."""
    d = len(values)
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    rows = np.sqrt(d * np.asarray(values))[:, None] * q.T
    return np.concatenate([rows, -rows])


@pytest.mark.parametrize("convention", ["with_replacement", "without_replacement"])
def test_equals_the_dense_loop(case, oracle, convention):
    stream = PerExampleGradients(case.net, case.data, case.loss, chunk=32)
    found = top_eigenvalues(stream, 6, seed=1, convention=convention, frobenius="exact", **EXACT)
    dense = oracle.diffusion(case, convention)
    expected = np.linalg.eigvalsh(dense)[::-1]
    # 1e-8 relative is the accuracy promised; residuals of 1e-11 leave far less
    np.testing.assert_allclose(found.eigenvalues, expected[:6], rtol=1e-8)
    assert found.trace == pytest.approx(np.trace(dense), rel=1e-10)
    assert found.frobenius == pytest.approx(np.linalg.norm(dense), rel=1e-10)
    assert found.frobenius_low == found.frobenius == found.frobenius_high
    assert (found.examples, found.weights) == (90, stream.weights)


def test_equals_the_exact_matrix_path_in_single_precision(case):
    stream = PerExampleGradients(case.net.float(), case.data, case.loss)
    dense = eigenvalues(diffusion_matrix(stream))
    found = top_eigenvalues(stream, 4, seed=1, tolerance=1e-5)
    # both carry the rounding of √N · 6e-8 · λ_max; residuals of 1e-5 enter squared
    np.testing.assert_allclose(found.eigenvalues, dense[:4], atol=5e-6 * dense[0])


def test_vectors_are_orthonormal_eigenvectors(mlp, oracle):
    found = top_eigenvalues(PerExampleGradients(mlp.net, mlp.data), 5, seed=2, **EXACT)
    v, dense = found.vectors.numpy(), oracle.diffusion(mlp)
    np.testing.assert_allclose(v.T @ v, np.eye(5), atol=1e-12)
    residuals = np.linalg.norm(dense @ v - v * found.eigenvalues, axis=0)
    np.testing.assert_allclose(residuals, found.residuals, atol=1e-13)


@pytest.mark.parametrize("passes", [2, 3, 5])
def test_the_bounds_hold_when_it_is_stopped_early(passes):
    values = np.geomspace(1.0, 1e-2, 60)
    rows = torch.from_numpy(rows_with_spectrum(values))
    found = top_eigenvalues([rows], 3, seed=3, passes=passes, precision="float64", frobenius="probed")
    assert found.passes == passes + 1  # one for the probes
    assert found.residuals.max() > 1e-4  # not converged: otherwise nothing is tested
    nearest = np.abs(values[:, None] - found.eigenvalues).min(0)
    assert (nearest <= found.residuals + 1e-14).all()
    assert (found.eigenvalues <= values[:3] + 1e-14).all()


def test_restarts_reach_the_same_values(monkeypatch):
    monkeypatch.setattr(topk, "BASIS_BYTES", 0)
    values = np.geomspace(1.0, 1e-3, 80)
    found = top_eigenvalues([rows_with_spectrum(values)], 4, seed=4, passes=200, **EXACT)
    assert found.passes > 2 + topk.BASIS  # it did restart
    np.testing.assert_allclose(found.eigenvalues, values[:4], rtol=1e-10)


def test_a_tolerance_beyond_the_precision_does_not_use_up_the_passes():
    values = np.geomspace(1.0, 1e-2, 60)
    found = top_eigenvalues([rows_with_spectrum(values)], 3, seed=3, tolerance=1e-12, passes=500)
    assert found.passes < 100
    np.testing.assert_allclose(found.eigenvalues, values[:3], rtol=1e-5)
    assert 0 < found.residuals.max() < 1e-5


def test_multiple_eigenvalues_and_more_than_the_rank():
    values = np.array([3.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    found = top_eigenvalues([rows_with_spectrum(values)], 7, seed=5, **EXACT)
    np.testing.assert_allclose(found.eigenvalues, values[:7], atol=1e-12)
    whole = top_eigenvalues([rows_with_spectrum(values)], 9, seed=5, **EXACT)
    np.testing.assert_allclose(whole.eigenvalues, values, atol=1e-12)


def test_identical_gradients_have_only_zeros():
    found = top_eigenvalues([np.ones((5, 8))], 2, seed=6, frobenius="probed")
    np.testing.assert_allclose(found.eigenvalues, 0.0, atol=1e-12)
    assert found.frobenius == pytest.approx(0.0, abs=1e-12)


def test_the_seed_decides():
    rows = rows_with_spectrum(np.geomspace(1.0, 0.1, 30))
    first, again, other = (top_eigenvalues([rows], 2, seed=s, frobenius="probed") for s in (7, 7, 8))
    assert first.frobenius == again.frobenius != other.frobenius
    assert torch.equal(first.vectors, again.vectors)


class TestNorm:
    values = np.concatenate([[10.0, 5.0], np.full(60, 0.5)])

    def test_exact_over_several_blocks(self):
        blocks = np.array_split(rows_with_spectrum(self.values), 7)
        found = top_eigenvalues(blocks, 2, seed=9, precision="float64", frobenius="exact")
        assert found.frobenius == pytest.approx(math.sqrt(np.square(self.values).sum()), rel=1e-12)

    def test_it_costs_nothing_unless_it_is_asked_for(self):
        found = top_eigenvalues([rows_with_spectrum(self.values)], 2, seed=9, precision="float64")
        assert math.isnan(found.frobenius)

    def test_the_interval_covers_the_truth_and_is_narrow(self):
        # Unconverged vectors leave a rest with spread. 200 independent seeds: a 95 % interval covers in
        # 190 ± 3.1; fewer than 180 would be more than three standard errors below.
        rows = torch.from_numpy(rows_with_spectrum(np.geomspace(1.0, 1e-3, 50)))
        truth = math.sqrt(np.square(np.geomspace(1.0, 1e-3, 50)).sum())
        runs = [
            top_eigenvalues([rows], 2, seed=s, passes=3, precision="float64", frobenius="probed")
            for s in range(200)
        ]
        assert sum(run.frobenius_low <= truth <= run.frobenius_high for run in runs) >= 180
        assert np.mean([run.frobenius for run in runs]) == pytest.approx(truth, rel=0.01)
        assert np.mean([run.frobenius_high - run.frobenius_low for run in runs]) < 0.25 * truth

    def test_one_probe_gives_no_interval(self):
        with pytest.raises(MeasureError, match="at least two probes, found 1"):
            top_eigenvalues([np.eye(4)], 1, seed=9, frobenius="probed", probes=1)


class TestRefused:
    @pytest.mark.parametrize("k", [0, 5])
    def test_too_few_or_too_many(self, k):
        with pytest.raises(MeasureError, match=f"asked for {k} eigenvalues of a matrix of order 4"):
            top_eigenvalues([np.eye(4)], k, seed=1)

    def test_unknown_precision(self):
        with pytest.raises(MeasureError, match="unknown precision 'half'"):
            top_eigenvalues([np.eye(4)], 1, seed=1, precision="half")

    def test_data_that_are_redrawn_in_each_pass(self):
        class Redrawn:
            generator = torch.Generator().manual_seed(10)

            def __iter__(self):
                yield torch.randn(50, 4, generator=self.generator)

        with pytest.raises(MeasureError, match="gradients changed between passes"):
            top_eigenvalues(Redrawn(), 1, seed=1)

    def test_a_one_shot_iterator(self):
        with pytest.raises(MeasureError, match=r"changed between passes \(4 examples, then 0"):
            top_eigenvalues(iter([np.eye(4)]), 1, seed=1)


def wide_case(width, examples=12):
    generator = torch.Generator().manual_seed(11)
    net = nn.Sequential(nn.Linear(200, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    net = nn.Sequential(net, nn.Linear(width, 5)).eval()
    inputs = torch.randn(examples, 200, generator=generator)
    return PerExampleGradients(net, (inputs, torch.randint(5, (examples,), generator=generator)))


@pytest.mark.parametrize("width", [500, pytest.param(3100, marks=pytest.mark.slow)])
def test_a_network_too_wide_for_its_matrix(width):
    # d = 353,505 (a matrix of 500 GB) and, slow, d = 10,248,605; the N×N products know the truth
    with torch.random.fork_rng():
        torch.manual_seed(12)
        stream = wide_case(width)
    dual = gram_matrix(stream, precision="float64")
    expected = eigenvalues(dual)
    found = top_eigenvalues(stream, 3, seed=12, tolerance=1e-5, frobenius="exact")
    np.testing.assert_allclose(found.eigenvalues, expected[:3], rtol=1e-4)  # float32 sums over d weights
    assert found.trace == pytest.approx(dual.trace(), rel=1e-5)
    assert found.frobenius == pytest.approx(dual.frobenius(), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frobenius": "none"}, "frobenius: unknown 'none'; expected 'exact', 'probed' or None"),
        ({"tolerance": -1}, "tolerance: found -1"),
        ({"passes": 0}, "passes: found 0"),
    ],
)
def test_misspelt_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        top_eigenvalues([np.eye(4)], 1, seed=0, **options)


def test_a_module_in_the_place_of_its_gradients_is_refused():
    with pytest.raises(InputError, match=r"gradients: a module \(Linear\); give PerExampleGradients"):
        top_eigenvalues(nn.Linear(2, 2), 1, seed=0)
