"""How alike two diffusion matrices are as matrices: direction, leading subspace and size.

Eigenvalues cannot tell: matrices of one spectrum may point anywhere. ⟨A, B⟩ = Tr AB; the cosine
⟨A, B⟩/(‖A‖‖B‖) is 1 for A = cB alone, and 0 where nothing is shared.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas
from scipy.sparse.linalg import LinearOperator, eigsh

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.diffusion import centred_rows, diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.spectra import triangle_eigenvalues

Array = NDArray[Any]


@dataclass(frozen=True)
class Noise:
    """D(x) of Definition 1, as its lower triangle or, with fewer examples than weights, as R with D = RᵀR."""

    lower: Array | None = None
    rows: Array | None = None

    def trace(self) -> float:
        if self.rows is not None:
            return float(np.square(self.rows, dtype=np.float64).sum())
        return float(self._triangle().diagonal().sum(dtype=np.float64))

    def inner(self, other: "Noise") -> float:
        """⟨A, B⟩ = Σ_ij A_ij B_ij, summed in double precision."""
        if self.rows is not None and other.rows is not None:
            return float(np.square(self.rows @ other.rows.T, dtype=np.float64).sum())
        a, b = self._triangle(), other._triangle()
        columns = ((a[j:, j].astype(np.float64), b[j:, j]) for j in range(len(a)))
        return float(sum(2.0 * x @ y - x[0] * y[0] for x, y in columns))

    def eigenvalues(self) -> Array:
        """All d eigenvalues, descending; D is in single precision."""
        if self.rows is None:
            return triangle_eigenvalues(self._triangle(), "float32")
        side = self.rows.shape[1]
        values = triangle_eigenvalues(self.rows @ self.rows.T, "float32")[:side]
        return np.concatenate([values, np.zeros(side - len(values))])

    def leading(self, count: int) -> Array:
        """The eigenvectors of the `count` largest eigenvalues, as columns."""
        side = len(self.lower) if self.lower is not None else self.rows.shape[1]  # type: ignore[union-attr]
        if not 0 < count < side:
            raise MeasureError(f"leading directions must be 1 to {side - 1}, found {count}")
        operator = LinearOperator((side, side), matvec=self._times, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(side)  # the same every time
        _, vectors = eigsh(operator, k=count, which="LA", v0=start, tol=1e-6)
        return np.asarray(vectors)

    def _times(self, vector: Array) -> Array:
        if self.rows is not None:
            return np.asarray(self.rows.T @ (self.rows @ vector.astype(self.rows.dtype)), dtype=np.float64)
        lower = self._triangle()
        product = blas.ssymv if lower.dtype == np.float32 else blas.dsymv
        return np.asarray(product(1.0, lower, vector.astype(lower.dtype), lower=1), dtype=np.float64)

    def _triangle(self) -> Array:
        if self.lower is None:
            raise MeasureError("a matrix held by its rows cannot be compared with one held as a triangle")
        return self.lower


def noise(gradients: PerExampleGradients) -> Noise:
    """D in the cheaper form: N centred rows where there are fewer examples than weights."""
    if gradients.examples is not None and gradients.examples < gradients.weights:
        rows = centred_rows(gradients, "float32")[0]
        return Noise(rows=rows / np.float32(np.sqrt(len(rows))))
    return Noise(lower=diffusion_matrix(gradients).lower)


def cosine(first: Noise, second: Noise) -> float:
    """⟨A, B⟩/(‖A‖‖B‖) in Frobenius norms."""
    return first.inner(second) / float(np.sqrt(first.inner(first) * second.inner(second)))


def overlap(first: Array, second: Array) -> float:
    """‖VᵀW‖²/k of two orthonormal bases of k directions: 1 for one subspace, k/d for directions at random."""
    return float(np.square(first.T @ second).sum() / first.shape[1])
