"""The diffusion matrix D(x) of Chaudhari & Soatto (2018), Def. 1, exactly and from a stream of gradients.

Two conventions, named after how a mini-batch is drawn:

- ``with_replacement`` (Def. 1): D = (1/N) Σ_k g_k g_kᵀ − ḡ ḡᵀ, and Var(∇f_b) = D/b;
- ``without_replacement`` (App. A.2): D = (1/(N−1)) Σ_k (g_k − ḡ)(g_k − ḡ)ᵀ, and
  Var(∇f_b) = (1/b)(1 − b/N) D. In App. A.2's form (1/(N−1)) Σ_k g_k g_kᵀ − c ḡ ḡᵀ this is c = 1 + 1/(N−1);
  with the printed c = 1 − 1/(N−1) the variance would not vanish at b = N (``tests`` show it on all subsets).

Sums run over centred gradients g_k − c with c the mean of the first rows, so that ḡ ḡᵀ is never subtracted
from a sum much larger than D; one pass suffices, which also serves data that are redrawn in each pass.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.gradients import blocks_of
from sgdiffusion.measures.noise.products import Precision, SymmetricSum, require_precision

Convention = Literal["with_replacement", "without_replacement"]

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

    Memory: one d×d array, of which little more than the lower triangle is touched, and three blocks of
    gradients. Blocks on an accelerator are accumulated there.
    """
    require_precision(precision)  # before the work
    gram: _Gram | None = None
    for rows in blocks_of(gradients):
        if gram is None and len(rows):
            _require_memory(rows.shape[1], precision)
            gram = (_Gram if rows.device.type == "cpu" else _DeviceGram)(rows, precision)
        if gram is not None:
            gram.add(rows)
    if gram is None:
        raise MeasureError("no gradients: the stream is empty")
    return gram.finish(convention)


def centred_rows(gradients: Iterable[Any], precision: Precision) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """All gradients less their mean (N, d), and the mean in double precision."""
    centred = _all_rows(gradients, precision)
    mean = centred.mean(0, dtype=np.float64)
    centred -= mean.astype(centred.dtype)
    return centred, mean


def gram_matrix(
    gradients: Iterable[Any],
    *,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
) -> DiffusionMatrix:
    """The N×N dual K_kl = (g_k − ḡ)·(g_l − ḡ)/N (or /(N−1)): the same non-zero eigenvalues as D.

    The cheap side when N < d; it holds all N gradients, once where N is known beforehand. The result is a
    ``DiffusionMatrix`` of order N.
    """
    centred, mean = centred_rows(gradients, precision)
    examples = len(centred)
    products = SymmetricSum(examples, precision)
    products.add(centred.T, normalisation(examples, convention))
    lower = products.lower()
    _require_finite(lower.diagonal())
    return DiffusionMatrix(lower, mean, examples, convention, precision)


def _all_rows(gradients: Iterable[Any], precision: Precision) -> NDArray[Any]:
    """All gradients (N, d) as one new array."""
    examples, weights = (getattr(gradients, name, None) for name in ("examples", "weights"))
    if examples is None or weights is None:
        blocks = [_to_numpy(rows, precision) for rows in blocks_of(gradients)]
        if not blocks:
            raise MeasureError("no gradients: the stream is empty")
        return np.concatenate(blocks)
    rows, filled = np.empty((examples, weights), precision), 0
    for block in blocks_of(gradients):
        rows[filled : filled + len(block)] = _to_numpy(block, precision)
        filled += len(block)
    return rows


def _to_numpy(rows: torch.Tensor, precision: Precision) -> NDArray[Any]:
    return rows.detach().cpu().numpy().astype(precision, copy=False)


def _require_memory(weights: int, precision: Precision) -> None:
    triangle = weights**2 * np.dtype(precision).itemsize // 2
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if triangle > present:
        raise MeasureError(
            f"the diffusion matrix of d = {weights:,} weights needs {triangle / 2**30:,.0f} GiB, the machine "
            f"has {present / 2**30:,.0f}: use top_eigenvalues, which never forms it"
        )


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
    """Running sums of (g − c)(g − c)ᵀ and of g − c, with c the mean of the first rows: here in BLAS.

    Only the lower triangle is computed, half the operations of a general product.
    """

    def __init__(self, first: torch.Tensor, precision: Precision) -> None:
        self.precision, self._examples = precision, 0
        self._shift = first.mean(0, dtype=torch.float64).cpu().numpy().astype(precision)
        self._sum = np.zeros(len(self._shift))
        self._allocate(first.device)

    def _allocate(self, device: torch.device) -> None:
        d = len(self._shift)
        self._products = SymmetricSum(d, self.precision)
        self._buffer = np.empty((ROWS, d), self.precision)
        self._filled = 0

    def add(self, rows: torch.Tensor) -> None:
        if rows.shape[1] != len(self._shift):
            raise MeasureError(f"a block has {rows.shape[1]} columns, the first had {len(self._shift)}")
        self._examples += len(rows)
        for part in torch.split(rows, ROWS):
            self._accumulate(part)

    def _accumulate(self, rows: torch.Tensor) -> None:
        if self._filled + len(rows) > ROWS:
            self._flush()
        centred = self._buffer[self._filled : self._filled + len(rows)]
        np.subtract(_to_numpy(rows, self.precision), self._shift, out=centred)
        self._filled += len(rows)

    def _flush(self) -> None:
        rows = self._buffer[: self._filled]
        self._sum += rows.sum(0, dtype=np.float64)
        self._products.add(rows)
        self._filled = 0

    def _lower_triangle(self) -> NDArray[Any]:
        self._flush()
        return self._products.lower()

    def finish(self, convention: Convention) -> DiffusionMatrix:
        """scale · [Σ (g − c)(g − c)ᵀ − N (ḡ − c)(ḡ − c)ᵀ], column by column below the diagonal."""
        lower = self._lower_triangle()
        offset = self._sum / self._examples  # ḡ − c, small against the spread of the gradients
        narrow, scale = offset.astype(self.precision), normalisation(self._examples, convention)
        for j, value in enumerate(self._examples * offset):
            column = lower[j:, j]
            column -= narrow[j:] * lower.dtype.type(value)
            column *= lower.dtype.type(scale)
        _require_finite(lower.diagonal())
        mean = self._shift.astype(np.float64) + offset
        return DiffusionMatrix(lower, mean, self._examples, convention, self.precision)


class _DeviceGram(_Gram):
    """The same sums on the gradients' own accelerator, by general products, which are fast there."""

    def _allocate(self, device: torch.device) -> None:
        d, kind = len(self._shift), getattr(torch, self.precision)
        self._there = torch.zeros(d, d, dtype=kind, device=device)
        self._centre = torch.as_tensor(self._shift, device=device)

    def _accumulate(self, rows: torch.Tensor) -> None:
        centred = rows.to(self._there.dtype) - self._centre
        self._there.addmm_(centred.T, centred)
        self._sum += centred.sum(0, dtype=torch.float64).cpu().numpy()

    def _lower_triangle(self) -> NDArray[Any]:
        return self._there.cpu().numpy().T
