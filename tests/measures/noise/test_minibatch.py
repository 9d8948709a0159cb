"""App. A: the variance of mini-batch gradients by enumeration, then the drawn estimate against it."""

import itertools

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.diffusion import diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.minibatch import COLUMNS, minibatch_variance

N = 6
ROWS = np.random.default_rng(31).standard_normal((N, 3)) + np.array([2.0, -1.0, 0.5])


def variance_over(batches):
    """Covariance of the mini-batch mean over equally likely batches, all of them listed."""
    means = np.array([ROWS[list(batch)].mean(0) for batch in batches]) - ROWS.mean(0)
    return means.T @ means / len(means)


class TestLaw:
    """The conventions of D against all possible batches: no sampling, no tolerance but rounding."""

    @pytest.mark.parametrize("b", [1, 2, 3])
    def test_with_replacement(self, b):
        matrix = diffusion_matrix([ROWS], convention="with_replacement", precision="float64").dense()
        np.testing.assert_allclose(variance_over(list(itertools.product(range(N), repeat=b))), matrix / b)

    @pytest.mark.parametrize("b", range(1, N + 1))
    def test_without_replacement(self, b):
        matrix = diffusion_matrix([ROWS], convention="without_replacement", precision="float64").dense()
        expected = (1 - b / N) / b * matrix
        found = variance_over(list(itertools.combinations(range(N), b)))
        np.testing.assert_allclose(found, expected, atol=1e-14)

    def test_the_printed_factor_of_the_mean_misses_it(self):
        # App. A.2 prints 1 − 1/(N−1) before ḡḡᵀ; the variance over all subsets wants 1 + 1/(N−1).
        second, mean = ROWS.T @ ROWS / (N - 1), np.outer(ROWS.mean(0), ROWS.mean(0))
        found = variance_over(list(itertools.combinations(range(N), 2))) * 2 / (1 - 2 / N)
        np.testing.assert_allclose(found, second - (1 + 1 / (N - 1)) * mean, atol=1e-13)
        np.testing.assert_allclose(second - (1 - 1 / (N - 1)) * mean - found, 2 / (N - 1) * mean, atol=1e-13)


def measure(rows, sizes, convention, draws=300, seed=32):
    generator = np.random.default_rng(seed)
    return minibatch_variance(rows, sizes, convention=convention, draws=draws, generator=generator)


@pytest.mark.parametrize("convention", ["with_replacement", "without_replacement"])
def test_drawn_batches_of_a_network_have_the_predicted_variance(case, oracle, convention):
    stream = PerExampleGradients(case.net, case.data, case.loss, chunk=16)
    table = measure(stream, [1, 9, 45], convention)
    trace = np.trace(oracle.diffusion(case, convention))
    share = 1 - np.array([1, 9, 45]) / 90 if convention == "without_replacement" else 1.0
    np.testing.assert_allclose(table["predicted"], share * trace / np.array([1, 9, 45]), rtol=1e-10)
    # 18 comparisons over all cases: four standard errors (the 95 % interval is 1.97 of them wide)
    error = (table["high"] - table["low"]) / 2 / 1.968
    assert (np.abs(table["measured"] - table["predicted"]) < 4 * error).all()
    assert (error < 0.15 * table["predicted"]).all()


def test_the_whole_set_has_no_variance_without_replacement(mlp):
    table = measure(PerExampleGradients(mlp.net, mlp.data), [90], "without_replacement", draws=5)
    assert table["predicted"].item() == 0.0
    assert table["measured"].item() < 1e-25  # squared rounding


def test_columns_are_documented():
    table = measure([ROWS], [2], "with_replacement", draws=4)
    assert list(table.columns) == list(COLUMNS) == list(table.attrs["columns"])
    assert table.loc[0, ["batch_size", "sampling", "draws"]].tolist() == [2, "with_replacement", 4]


class TestRefused:
    @pytest.mark.parametrize(("size", "convention"), [(7, "without_replacement"), (0, "with_replacement")])
    def test_sizes_that_cannot_be_drawn(self, size, convention):
        with pytest.raises(MeasureError, match=f"cannot draw batches of {size} from 6 examples"):
            measure([ROWS], [size], convention)

    def test_one_draw(self):
        with pytest.raises(MeasureError, match="at least two draws, found 1"):
            measure([ROWS], [2], "with_replacement", draws=1)

    def test_a_one_shot_iterator(self):
        with pytest.raises(MeasureError, match="6 examples, then 0"):
            measure(iter([ROWS]), [2], "with_replacement")
