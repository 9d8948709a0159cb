"""The symmetric product AᵀA of a large matrix in BLAS, its lower triangle only: half the operations.

It is summed in blocks of SIDE rows and columns. In one piece OpenBLAS's syrk on several threads writes past a
buffer of fixed size where the result is large, and the process dies: measured with 0.3.30 and 0.3.31 on two
threads, at 26,000 rows in single precision and 15,500 in double with the kernels for AVX-512, at 40,000 and
26,000 with those for AVX2. The general product, which the blocks off the diagonal are, is cut by BLAS itself.
"""

from itertools import combinations_with_replacement
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from sgdiffusion.errors import MeasureError

Precision = Literal["float32", "float64"]
Matrix = NDArray[Any]

SIDE = 8192  # about half of the least that was seen to fail
_ROUTINES = {"float32": (blas.ssyrk, blas.sgemm), "float64": (blas.dsyrk, blas.dgemm)}


def require_precision(precision: Precision) -> None:
    """Refuses an unknown precision."""
    if precision not in _ROUTINES:
        raise MeasureError(f"unknown precision {precision!r}: expected 'float32' or 'float64'")


class SymmetricSum:
    """A running sum of AᵀA over matrices A of `side` columns."""

    def __init__(self, side: int, precision: Precision) -> None:
        require_precision(precision)
        self._side, self._precision = side, precision
        self._cuts = [slice(start, min(start + SIDE, side)) for start in range(0, side, SIDE)]
        # Fresh zero pages above the diagonal of a block are never touched, hence never held in memory.
        self._blocks = {
            (i, j): np.zeros((_length(self._cuts[i]), _length(self._cuts[j])), precision, order="F")
            for j, i in combinations_with_replacement(range(len(self._cuts)), 2)
        }

    def add(self, matrix: Matrix, factor: float = 1.0) -> None:
        """Adds factor · AᵀA; A in Fortran order, or in C order: then copied if there are several blocks."""
        syrk, gemm = _ROUTINES[self._precision]
        turned = int(matrix.flags.f_contiguous)
        parts = [matrix[:, cut] for cut in self._cuts]
        if not turned:  # BLAS reads Fortran order
            parts = [np.ascontiguousarray(part).T for part in parts]
        for (i, j), block in self._blocks.items():
            if i == j:
                done = syrk(factor, parts[i], 1.0, block, trans=turned, lower=1, overwrite_c=1)
            else:
                more = {"trans_a": turned, "trans_b": 1 - turned, "overwrite_c": 1}
                done = gemm(factor, parts[i], parts[j], 1.0, block, **more)
            self._blocks[i, j] = done

    def lower(self) -> Matrix:
        """The sum's lower triangle, in Fortran order; what lies above has no meaning. Ends the sum."""
        if len(self._cuts) == 1:
            return self._blocks.pop((0, 0))
        whole = np.zeros((self._side, self._side), self._precision, order="F")
        for i, j in list(self._blocks):
            whole[self._cuts[i], self._cuts[j]] = self._blocks.pop((i, j))
        return whole


def _length(cut: slice) -> int:
    return int(cut.stop - cut.start)
