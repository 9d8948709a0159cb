"""The diffusion matrix D(x) of Chaudhari & Soatto (2018), Def. 1, exactly and from a stream of gradients.

Two conventions, named after how a mini-batch is drawn:

- ``with_replacement`` (Def. 1): D = (1/N) Σ_k g_k g_kᵀ − ḡ ḡᵀ, and Var(∇f_b) = D/b;
- ``without_replacement`` (App. A.2): D = (1/(N−1)) Σ_k (g_k − ḡ)(g_k − ḡ)ᵀ, and
  Var(∇f_b) = (1/b)(1 − b/N) D. In App. A.2's form (1/(N−1)) Σ_k g_k g_kᵀ − c ḡ ḡᵀ this is c = 1 + 1/(N−1);
  with the printed c = 1 − 1/(N−1) the variance would not vanish at b = N (``tests`` show it on all subsets).

Sums run over centred gradients g_k − c with c the mean of the first rows, so that ḡ ḡᵀ is never subtracted
from a sum much larger than D; one pass suffices, which also serves data that are redrawn in each pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import blas

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.gradients import as_block

Convention = Literal["with_replacement", "without_replacement"]
Precision = Literal["float32", "float64"]

ROWS = 2048  # rows per symmetric product: fewer and the d×d triangle is read too often (measured)


def normalisation(examples: int, convention: Convention) -> float:
    """1/N with replacement, 1/(N−1) without: the factor before Σ_k (g_k − ḡ)(g_k − ḡ)ᵀ."""
    if convention == "with_replacement":
        return 1.0 / examples
    if convention != "without_replacement":
        raise MeasureError(
            f"unknown convention {convention!r}: expected 'with_replacement' or 'without_replacement'"
        )
    if examples < 2:
        raise MeasureError("the 1/(N−1) convention needs at least two examples, found one")
    return 1.0 / (examples - 1)


@dataclass(frozen=True)
class DiffusionMatrix:
    """D(x): its lower triangle in Fortran order (what lies above the diagonal has no meaning), ḡ and N."""

    lower: NDArray[Any]
    mean_gradient: NDArray[np.float64]
    examples: int
    convention: Convention
    precision: Precision

    @property
    def weights(self) -> int:
        """d."""
        return len(self.lower)

    def dense(self) -> NDArray[Any]:
        """D as a full symmetric array (a copy)."""
        strict = np.tril(self.lower, -1)
        return strict + strict.T + np.diag(self.lower.diagonal())

    def trace(self) -> float:
        """Tr D = Σ_i λ_i, summed in double precision."""
        return float(self.lower.diagonal().sum(dtype=np.float64))

    def frobenius(self) -> float:
        """‖D‖_F = (Σ_i λ_i²)^½, summed in double precision column by column."""
        columns = (self.lower[j:, j].astype(np.float64) for j in range(self.weights))
        return float(np.sqrt(sum(2.0 * column @ column - column[0] ** 2 for column in columns)))


def diffusion_matrix(
    gradients: Iterable[Any],
    *,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
) -> DiffusionMatrix:
    """D(x) from blocks (n, d) of per-example gradients, in one pass, accumulated at the named precision.

    Memory: one d×d array, of which only the lower triangle is touched, and two blocks. Blocks on an
    accelerator are accumulated there.
    """
    gram = _Gram(precision)
    for rows in gradients:
        gram.add(as_block(rows))
    return gram.finish(convention)


def gram_matrix(
    gradients: Iterable[Any],
    *,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
) -> DiffusionMatrix:
    """The N×N dual K_kl = (g_k − ḡ)·(g_l − ḡ)/N (or /(N−1)): the same non-zero eigenvalues as D.

    The cheap side when N < d; it holds all N gradients. The result is a ``DiffusionMatrix`` of order N.
    """
    blocks = [_to_numpy(as_block(rows), precision) for rows in gradients]
    if not blocks:
        raise MeasureError("no gradients: the stream is empty")
    centred = np.concatenate(blocks)
    del blocks
    examples = len(centred)
    mean = centred.mean(0, dtype=np.float64)
    centred -= mean.astype(centred.dtype)
    scale = normalisation(examples, convention)
    lower = _syrk(precision)(scale, centred.T, trans=1, lower=1)
    _require_finite(lower.diagonal())
    return DiffusionMatrix(lower, mean, examples, convention, precision)


def _syrk(precision: Precision) -> Any:
    if precision not in ("float32", "float64"):
        raise MeasureError(f"unknown precision {precision!r}: expected 'float32' or 'float64'")
    return blas.ssyrk if precision == "float32" else blas.dsyrk


def _to_numpy(rows: torch.Tensor, precision: Precision) -> NDArray[Any]:
    return rows.detach().cpu().numpy().astype(precision, copy=False)


def _require_finite(diagonal: NDArray[Any]) -> None:
    # A NaN or an infinity in any gradient reaches the diagonal, so d numbers tell about N·d.
    bad = np.flatnonzero(~np.isfinite(diagonal))
    if len(bad):
        raise MeasureError(
            f"the sum of gradient products is not finite at {len(bad)} diagonal entries (first: {bad[0]}); "
            "the gradients hold NaN or infinity, or their squares overflow; use precision='float64' or check "
            "the network"
        )


class _Gram:
    """Running sums of (g − c)(g − c)ᵀ, lower triangle, and of g − c, with c the mean of the first rows."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self._product = _syrk(precision)
        self._examples = self._filled = 0
        self._started = False

    def add(self, rows: torch.Tensor) -> None:
        if not len(rows):
            return
        if not self._started:
            self._start(rows)
        if rows.shape[1] != len(self._shift):
            raise MeasureError(f"a block has {rows.shape[1]} columns, the first had {len(self._shift)}")
        self._examples += len(rows)
        if self._device.type != "cpu":
            self._add_there(rows)
            return
        array = _to_numpy(rows, self.precision)
        for start in range(0, len(array), ROWS):
            self._buffered(array[start : start + ROWS])

    def _start(self, rows: torch.Tensor) -> None:
        self._started, self._device = True, rows.device
        self._shift = _to_numpy(rows.mean(0, dtype=torch.float64), "float64").astype(self.precision)
        d = len(self._shift)
        self._sum = np.zeros(d)
        if rows.device.type == "cpu":
            # Fresh zero pages above the diagonal are never touched, hence never held in memory.
            self._lower = np.zeros((d, d), self.precision, order="F")
            self._buffer = np.empty((ROWS, d), self.precision)
        else:
            kind = getattr(torch, self.precision)
            self._there = torch.zeros(d, d, dtype=kind, device=rows.device)

    def _buffered(self, array: NDArray[Any]) -> None:
        if self._filled + len(array) > ROWS:
            self._flush()
        rows = self._buffer[self._filled : self._filled + len(array)]
        np.subtract(array, self._shift, out=rows)
        self._filled += len(array)

    def _flush(self) -> None:
        rows = self._buffer[: self._filled]
        self._sum += rows.sum(0, dtype=np.float64)
        # rows.T is in Fortran order and lower is overwritten: nothing of size d×d is copied.
        self._lower = self._product(1.0, rows.T, 1.0, self._lower, lower=1, overwrite_c=1)
        self._filled = 0

    def _add_there(self, rows: torch.Tensor) -> None:
        centred = rows.to(self._there.dtype) - torch.as_tensor(self._shift, device=rows.device)
        self._there.addmm_(centred.T, centred)
        self._sum += centred.sum(0, dtype=torch.float64).cpu().numpy()

    def finish(self, convention: Convention) -> DiffusionMatrix:
        if not self._examples:
            raise MeasureError("no gradients: the stream is empty")
        if self._device.type == "cpu":
            self._flush()
        else:
            self._lower = self._there.cpu().numpy().T
        offset = self._sum / self._examples  # ḡ − c, small against the spread of the gradients
        self._subtract_mean_and_scale(offset, normalisation(self._examples, convention))
        _require_finite(self._lower.diagonal())
        mean = self._shift.astype(np.float64) + offset
        return DiffusionMatrix(self._lower, mean, self._examples, convention, self.precision)

    def _subtract_mean_and_scale(self, offset: NDArray[np.float64], scale: float) -> None:
        """Σ (g − c)(g − c)ᵀ becomes scale · [Σ (g − c)(g − c)ᵀ − N (ḡ − c)(ḡ − c)ᵀ], column by column."""
        narrow = offset.astype(self.precision)
        for j, value in enumerate(self._examples * offset):
            column = self._lower[j:, j]
            column -= narrow[j:] * self._lower.dtype.type(value)
            column *= self._lower.dtype.type(scale)
