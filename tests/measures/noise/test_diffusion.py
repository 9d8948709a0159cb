"""D(x) against a per-example float64 loop and closed forms, its conventions, paths and refusals."""

import numpy as np
import pytest
import torch
from torch import nn

from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import half_squared_error
from sgdiffusion.measures.noise import diffusion as module
from sgdiffusion.measures.noise.diffusion import diffusion_matrix, gram_matrix, normalisation
from sgdiffusion.measures.noise.gradients import PerExampleGradients

CONVENTIONS = ["with_replacement", "without_replacement"]


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.fixture(params=["cpu", "device"])
def path(request, monkeypatch):
    """Both accumulations; the accelerator's is plain torch and runs on the CPU just as well."""
    if request.param == "device":
        monkeypatch.setattr(module, "_Gram", module._DeviceGram)
    return request.param


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_equals_the_loop_over_examples(case, oracle, convention, path):
    stream = PerExampleGradients(case.net, case.data, case.loss, chunk=16)
    found = diffusion_matrix(stream, convention=convention, precision="float64")
    # 1e-8 relative is the accuracy promised for double precision; rounding leaves far less
    assert relative(found.dense(), oracle.diffusion(case, convention)) < 1e-8
    np.testing.assert_allclose(found.mean_gradient, oracle.gradients(case).mean(0), rtol=1e-10, atol=1e-13)
    assert (found.examples, found.weights, found.convention) == (90, stream.weights, convention)


def test_trace_and_norm_are_those_of_the_full_matrix(case):
    found = diffusion_matrix(PerExampleGradients(case.net, case.data, case.loss), precision="float64")
    assert found.trace() == pytest.approx(np.trace(found.dense()), rel=1e-12)
    assert found.frobenius() == pytest.approx(np.linalg.norm(found.dense()), rel=1e-12)


class TestClosedForms:
    def test_linear_regression(self):
        # f = ½ (w·x + b − y)²: g = r z with residual r and z = (x, 1), so D = ZᵀR²Z/N − (Zᵀr)(Zᵀr)ᵀ/N²
        rng = np.random.default_rng(11)
        x, y = rng.standard_normal((200, 4)), rng.standard_normal((200, 1))
        net = nn.Linear(4, 1).double().eval()
        z = np.column_stack([x, np.ones(200)])
        r = (x @ net.weight.detach().numpy().T + net.bias.detach().numpy() - y)[:, 0]
        expected = z.T @ np.diag(r**2) @ z / 200 - np.outer(z.T @ r, z.T @ r) / 200**2
        found = diffusion_matrix(PerExampleGradients(net, (x, y), half_squared_error), precision="float64")
        assert relative(found.dense(), expected) < 1e-12

    def test_linear_regression_at_the_optimum_has_isotropic_noise(self):
        # x ~ N(0, I), y = w·x + σ ε: at the true w, g = −σ ε x, so D → σ² I. Entries of D are means of
        # N products with variance at most 9σ⁴ − σ⁴ = 8σ⁴; five standard errors, seed 12.
        rng, n, sigma = np.random.default_rng(12), 20_000, 0.7
        x = rng.standard_normal((n, 3))
        net = nn.Linear(3, 1, bias=False).double().eval()
        y = x @ net.weight.detach().numpy().T + sigma * rng.standard_normal((n, 1))
        found = diffusion_matrix(PerExampleGradients(net, (x, y), half_squared_error), precision="float64")
        np.testing.assert_allclose(found.dense(), sigma**2 * np.eye(3), atol=5 * sigma**2 * (8 / n) ** 0.5)

    @pytest.mark.parametrize("convention", CONVENTIONS)
    def test_softmax_regression(self, convention):
        # g = (p − e_y) ⊗ z with z = x: D over the data is E[(p−e)(p−e)ᵀ ⊗ xxᵀ] minus the mean's square
        rng = np.random.default_rng(13)
        x, y = rng.standard_normal((150, 5)), rng.integers(4, size=150)
        net = nn.Linear(5, 4, bias=False).double().eval()
        logits = x @ net.weight.detach().numpy().T
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        delta = p - np.eye(4)[y]
        second = np.einsum("ka,ki,kb,kj->aibj", delta, x, delta, x).reshape(20, 20)
        mean = np.einsum("ka,ki->ai", delta, x).ravel() / 150
        expected = (second - 150 * np.outer(mean, mean)) * normalisation(150, convention)
        stream = PerExampleGradients(net, (x, y))
        found = diffusion_matrix(stream, convention=convention, precision="float64")
        assert relative(found.dense(), expected) < 1e-12


class TestAccumulation:
    def rows(self, n=5000, d=6):
        rng = np.random.default_rng(14)
        return rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + 3.0

    @pytest.mark.parametrize("sizes", [[5000], [1, 4999], [0, 700, 0, 2048, 2052, 200], [2048, 2048, 904]])
    def test_blocks_may_be_of_any_size(self, oracle, path, sizes):
        rows = self.rows()
        blocks = np.split(rows, np.cumsum(sizes)[:-1])
        found = diffusion_matrix(blocks, precision="float64")
        assert relative(found.dense(), oracle.of(rows, "with_replacement")) < 1e-12

    def test_single_precision_loses_single_precision_only(self, oracle, path):
        rows = self.rows()
        found = diffusion_matrix([rows], precision="float32")
        assert found.lower.dtype == np.float32
        # rounding of N = 5,000 products: √N · 6e-8 = 4e-6
        assert relative(found.dense(), oracle.of(rows, "with_replacement")) < 1e-5

    def test_a_mean_far_above_the_spread_does_not_cancel(self, oracle, path):
        # The mean is 300 times the spread: Σ g gᵀ − N ḡ ḡᵀ in float32 would lose 300² · 6e-8 = 5e-3 of D.
        rows = (self.rows() + 1000.0).astype(np.float32)
        found = diffusion_matrix([rows], precision="float32")
        assert relative(found.dense(), oracle.of(rows.astype(np.float64), "with_replacement")) < 1e-5

    def test_the_first_rows_need_not_be_typical(self, oracle, path):
        rows = np.sort(self.rows(), axis=0)
        found = diffusion_matrix(np.array_split(rows, 50), precision="float64")
        assert relative(found.dense(), oracle.of(rows, "with_replacement")) < 1e-12

    def test_blocks_are_left_as_they_were(self, path):
        block = torch.from_numpy(self.rows())
        before = block.clone()
        diffusion_matrix([block], precision="float64")
        assert torch.equal(block, before)


class TestDual:
    @pytest.mark.parametrize("convention", CONVENTIONS)
    def test_gradient_products(self, case, oracle, convention):
        rows = oracle.gradients(case)
        centred = rows - rows.mean(0)
        expected = centred @ centred.T / (90 if convention == "with_replacement" else 89)
        stream = PerExampleGradients(case.net, case.data, case.loss)
        found = gram_matrix(stream, convention=convention, precision="float64")
        assert relative(found.dense(), expected) < 1e-11
        assert (found.examples, found.weights) == (90, 90)

    def test_blocks_are_left_as_they_were(self):
        block = np.random.default_rng(15).standard_normal((4, 9))
        before = block.copy()
        gram_matrix([block], precision="float64")
        np.testing.assert_array_equal(block, before)


@pytest.mark.parametrize("function", [diffusion_matrix, gram_matrix])
class TestRefused:
    def test_no_gradients(self, function):
        with pytest.raises(MeasureError, match="stream is empty"):
            function([])

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_non_finite_gradients(self, function, bad):
        rows = np.ones((4, 3))
        rows[2, 1] = bad
        with np.errstate(invalid="ignore"), pytest.raises(MeasureError, match="not finite"):
            function([rows])

    def test_an_unknown_precision(self, function):
        with pytest.raises(MeasureError, match="unknown precision 'float16'"):
            function([np.ones((2, 2))], precision="float16")

    def test_an_unknown_convention(self, function):
        with pytest.raises(MeasureError, match="unknown convention 'biased'"):
            function([np.ones((2, 2))], convention="biased")

    def test_one_example_without_replacement(self, function):
        with pytest.raises(MeasureError, match="at least two examples"):
            function([np.ones((1, 2))], convention="without_replacement")


def test_blocks_of_different_width_are_refused():
    with pytest.raises(MeasureError, match="3 columns, the first had 2"):
        diffusion_matrix([np.ones((1, 2)), np.ones((1, 3))])


def test_a_matrix_beyond_the_machine_is_refused_before_it_is_allocated():
    wide = torch.zeros(1).expand(1, 10**7)
    with pytest.raises(MeasureError, match=r"d = 10,000,000 weights needs .* use top_eigenvalues"):
        diffusion_matrix([wide])
