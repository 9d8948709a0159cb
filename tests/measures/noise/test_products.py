"""AᵀA in blocks against one product in double precision, in both memory orders, and where one piece dies."""

import subprocess
import sys

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise import products
from sgdiffusion.measures.noise.diffusion import diffusion_matrix, gram_matrix
from sgdiffusion.measures.noise.products import SymmetricSum

BIG = """
import numpy as np
from sgdiffusion.measures.noise.products import SymmetricSum
d = 29_412  # the All-CNN's for a hundred classes
products = SymmetricSum(d, "float32")
products.add(np.ones((1024, d), np.float32))
lower = products.lower()
print({float(lower[i, j]) for i, j in [(0, 0), (d - 1, 0), (d - 1, d - 1), (d // 2, d // 3), (9000, 8191)]})
"""


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("side", "precision", "close"), [(23, "float64", 1e-13), (22, "float32", 1e-5)])
@pytest.mark.parametrize("block", [1, 7, 11, 22, 40])
def test_blocks_are_those_of_one_product(monkeypatch, order, side, precision, close, block):
    """Relative to the largest entry: rounding of sums of 60 products, twice."""
    monkeypatch.setattr(products, "SIDE", block)
    draw = np.random.default_rng(3)
    first, second = (np.array(draw.standard_normal((n, side)), precision, order=order) for n in (41, 19))
    running = SymmetricSum(side, precision)
    running.add(first, 0.5)
    running.add(second)
    found = running.lower()
    exact = 0.5 * first.astype(float).T @ first + second.astype(float).T @ second
    assert found.flags.f_contiguous
    assert found.dtype == precision
    assert np.abs(np.tril(found - exact)).max() < close * np.abs(exact).max()


@pytest.mark.parametrize("matrix", [diffusion_matrix, gram_matrix])
def test_d_and_its_dual_do_not_depend_on_the_blocks(monkeypatch, matrix):
    rows = np.random.default_rng(4).standard_normal((33, 17))
    whole = matrix([rows], precision="float64")
    monkeypatch.setattr(products, "SIDE", 8)
    in_blocks = matrix([rows], precision="float64")
    np.testing.assert_allclose(in_blocks.dense(), whole.dense(), rtol=0, atol=1e-13)


def test_an_unknown_precision_is_named():
    with pytest.raises(MeasureError, match="'float16': expected"):
        SymmetricSum(3, "float16")  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_side_at_which_one_piece_dies_is_summed():
    """Two threads: in one piece OpenBLAS ends with SIGSEGV on AVX-512, with 1,024 rows and not with 512."""
    threads = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", BIG], env=threads, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{1024.0}"
