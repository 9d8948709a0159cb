"""The largest eigenvalues of D(x) for networks too wide for a d×d matrix, with residuals, trace and norm.

D acts on a block V of k vectors through the stream of gradients, D V = (1/N) Σ_k g̃_k (g̃_kᵀ V) with
g̃_k = g_k − ḡ, one pass over the data per block. Memory: a subspace and its image, 2 · 3k vectors of length d
or 1 GiB, whichever is more, and one block of gradients; nothing of size d×d or N×d.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdiffusion.errors import InputError, MeasureError
from sgdiffusion.measures.noise.diffusion import Convention, normalisation
from sgdiffusion.measures.noise.gradients import blocks_of, moments
from sgdiffusion.measures.noise.products import Precision, require_precision
from sgdiffusion.measures.statistics.intervals import mean_interval

BASIS = 3  # the subspace may always grow to BASIS·k vectors before it is restarted from its best k,
BASIS_BYTES = 2**30  # and beyond that while it and its image stay under 1 GiB: larger converges sooner
SLICE = 2**12  # weights per partial sum of an inner product
REPEATABLE = 1e-4  # share of the gradients' scale by which ḡ may differ between passes: rounding, no redraw


@dataclass(frozen=True)
class TopEigenvalues:
    """The k largest eigenvalues λ̂ of D, descending, and what bounds them.

    ``residuals[i]`` = ‖D v_i − λ̂_i v_i‖₂ for the unit vector v_i: D, being symmetric, has an eigenvalue
    within that distance of λ̂_i; moreover λ̂_i never exceeds the true i-th eigenvalue. Both hold up to the
    rounding of the named precision. ``trace`` is exact. ``frobenius_low`` to
    ``frobenius_high`` is a 95 % interval of ‖D‖_F, both equal to ``frobenius`` where that is exact.
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    vectors: Tensor
    trace: float
    frobenius: float
    frobenius_low: float
    frobenius_high: float
    examples: int
    weights: int
    passes: int


def top_eigenvalues(
    gradients: Iterable[Any],
    k: int,
    *,
    seed: int,
    tolerance: float = 1e-4,
    passes: int = 50,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
    frobenius: Literal["exact", "probed"] | None = None,
    probes: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> TopEigenvalues:
    """The k largest eigenvalues of D by a thick-restarted block Krylov (Lanczos) iteration.

    Stops when every residual is below ``tolerance`` · λ̂_1, or at what the precision can reach, or after
    ``passes`` passes over the data; the residuals say what was reached. ``seed`` draws the
    start block and the probes. ``frobenius``: ``exact`` costs N²d operations and one pass per block of
    gradients, ``probed`` one pass with ``probes`` random vectors and gives an interval; by default it is not
    computed and NaN. ``progress`` is called with finished and allowed passes.
    """
    _check_options(tolerance, passes, precision, frobenius)
    operator = _Operator(gradients, convention, precision)
    if not 1 <= k <= operator.weights:
        raise MeasureError(
            f"asked for {k} eigenvalues of a matrix of order {operator.weights}: expected 1 to d"
        )
    generator = torch.Generator().manual_seed(seed)
    found = _krylov(operator, k, generator, tolerance, passes, progress)
    low = norm = high = math.nan
    if frobenius == "exact":
        low = norm = high = math.sqrt(_exact_square(operator))
    elif frobenius == "probed":
        low, norm, high = _probed_norm(operator, found, generator, probes)
    return TopEigenvalues(
        eigenvalues=found.values.cpu().numpy(),
        residuals=found.residuals.cpu().numpy(),
        vectors=found.vectors,
        trace=operator.trace,
        frobenius=norm,
        frobenius_low=low,
        frobenius_high=high,
        examples=operator.examples,
        weights=operator.weights,
        passes=operator.passes,
    )


def _check_options(tolerance: float, passes: int, precision: Precision, frobenius: str | None) -> None:
    require_precision(precision)
    if frobenius not in (None, "exact", "probed"):
        raise InputError("frobenius", f"unknown {frobenius!r}", "expected 'exact', 'probed' or None")
    if not tolerance > 0:
        raise InputError("tolerance", f"found {tolerance}", "give a positive share of the largest eigenvalue")
    if passes < 2:
        raise InputError("passes", f"found {passes}", "one pass finds the mean, at least one more is needed")


class _Operator:
    """V ↦ D V, one pass over the gradients for a whole block V; the first pass gives N, ḡ and Tr D."""

    def __init__(self, gradients: Iterable[Any], convention: Convention, precision: Precision) -> None:
        self.gradients, self.dtype = gradients, getattr(torch, precision)
        first = moments(gradients)
        self.examples, self.weights = first.examples, len(first.mean)
        self.scale = normalisation(first.examples, convention)
        self.trace = self.scale * first.spread
        self.mean = first.mean.to(self.dtype)
        self._slack = REPEATABLE * (float(first.mean.norm()) + math.sqrt(first.spread / first.examples))
        self.passes = 1

    def blocks(self) -> Iterator[Tensor]:
        """Blocks of g̃_k, centred before any product so that a large ḡ cannot drown the spread in rounding."""
        for rows in blocks_of(self.gradients):
            yield rows.to(self.dtype) - self.mean
        self.passes += 1

    def __call__(self, vectors: Tensor) -> Tensor:
        image, total, count = torch.zeros_like(vectors), torch.zeros_like(self.mean), 0
        for rows in self.blocks():
            image += rows.T @ _inner(rows.T, vectors).to(self.dtype)
            total += rows.sum(0)
            count += len(rows)
        self._require_same_data(total, count)
        return self.scale * image

    def _require_same_data(self, total: Tensor, count: int) -> None:
        drift = float(total.norm()) / max(count, 1)  # of centred gradients: zero but for rounding
        if count != self.examples or not drift <= self._slack:
            raise MeasureError(
                f"the gradients changed between passes ({self.examples} examples, then {count}, "
                f"mean gradient moved by {drift:.1e}): top-k needs the same examples in every pass, so "
                "fix the augmentation, or use the one-pass diffusion_matrix"
            )


@dataclass
class _Ritz:
    values: Tensor
    vectors: Tensor
    images: Tensor
    residuals: Tensor


def _krylov(
    operator: _Operator,
    k: int,
    generator: torch.Generator,
    tolerance: float,
    passes: int,
    progress: Callable[[int, int], None] | None,
) -> _Ritz:
    """Rayleigh–Ritz on a subspace enlarged by its k residuals until they are small.

    The residuals of a block Krylov space span its next block, so this is block Lanczos with full
    re-orthogonalisation; images D·basis are kept, so each residual is the true one, not a recurrence's.
    """
    affordable = BASIS_BYTES // (2 * operator.weights * operator.dtype.itemsize)
    basis = _orthonormal(_random(operator, k, generator), None, generator)
    images, worst = operator(basis), []
    while True:
        if progress is not None:
            progress(operator.passes, passes)
        values, rotation = torch.linalg.eigh(_symmetric(_inner(basis, images)))
        values, rotation = values.flip(0)[:k], rotation.flip(1)[:, :k].to(operator.dtype)
        vectors, image = basis @ rotation, images @ rotation
        errors = image - vectors * values.to(operator.dtype)
        ritz = _Ritz(values, vectors, image, _inner_diagonal(errors).sqrt())
        worst.append(float(ritz.residuals.max()) / max(float(values[0]), 1e-300))
        room = operator.weights - basis.shape[1]
        if (
            worst[-1] <= tolerance
            or operator.passes >= passes
            or not room
            or _at_rounding(worst, basis.dtype)
        ):
            return ritz
        if basis.shape[1] + k > max(BASIS * k, affordable):
            basis, images = ritz.vectors, ritz.images
        block = _orthonormal(errors[:, :room], basis, generator)
        basis, images = torch.cat([basis, block], 1), torch.cat([images, operator(block)], 1)


def _at_rounding(worst: list[float], dtype: torch.dtype) -> bool:
    """Whether the relative residuals are as small as the precision allows: below √ε and no longer halving."""
    small = worst[-1] < torch.finfo(dtype).eps ** 0.5
    return small and len(worst) > 4 and worst[-1] > 0.5 * min(worst[:-4])


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.T)


def _random(operator: _Operator, columns: int, generator: torch.Generator) -> Tensor:
    """Standard normal vectors, drawn on the CPU so that they are the same on every device."""
    drawn = torch.randn(operator.weights, columns, generator=generator, dtype=operator.dtype)
    return drawn.to(operator.mean.device)


def _inner(left: Tensor, right: Tensor) -> Tensor:
    """leftᵀ right, shape (m, k), for tall blocks (d, m) and (d, k), in double precision between slices.

    A single-precision sum over 10⁷ weights can be off by 10⁻³ (measured on column norms), which would make
    the basis that far from orthonormal and the eigenvalues wrong by as much.
    """
    slices = zip(torch.split(left, SLICE), torch.split(right, SLICE), strict=True)
    return torch.stack([(x.T @ y).double() for x, y in slices]).sum(0)


def _inner_diagonal(block: Tensor) -> Tensor:
    """‖column‖² of a tall block, summed in double precision."""
    return torch.stack([part.double().square().sum(0) for part in torch.split(block, SLICE)]).sum(0)


def _orthonormal(block: Tensor, basis: Tensor | None, generator: torch.Generator) -> Tensor:
    """An orthonormal block of the same width, orthogonal to ``basis``; vanished directions are drawn anew.

    Columns are orthonormalised by the eigenvectors of their products, block ← block · S U Λ^{−½}, with S
    scaling them to unit length; three rounds, since two reach rounding and one serves what is drawn anew.
    """
    lost_below = 10 * block.shape[1] * torch.finfo(block.dtype).eps
    for _ in range(3):
        if basis is not None:
            block = block - basis @ _inner(basis, block).to(block.dtype)
        products = _inner(block, block)
        scale = 1.0 / products.diagonal().sqrt().clamp_min(1e-100)
        values, vectors = torch.linalg.eigh(scale[:, None] * products * scale)
        lost = values < lost_below
        mix = scale[:, None] * vectors / values.clamp_min(lost_below).sqrt()
        block = block @ mix.to(block.dtype)
        if lost.any():
            fresh = torch.randn(len(block), int(lost.sum()), generator=generator, dtype=block.dtype)
            block[:, lost] = fresh.to(block.device) / len(block) ** 0.5
    return block


def _exact_square(operator: _Operator) -> float:
    """‖D‖_F² = scale² Σ_kl (g̃_k·g̃_l)², block against block; each block costs one pass over the data."""
    square = 0.0
    for left in operator.blocks():
        for right in operator.blocks():
            square += float(_inner(left.T, right.T).square().sum())
    return operator.scale**2 * square


def _probed_norm(
    operator: _Operator, found: _Ritz, generator: torch.Generator, probes: int
) -> tuple[float, float, float]:
    """‖D‖_F with its 95 % interval: ‖D V‖_F² exactly on the k found directions, the rest by random probes.

    ‖D‖_F² = ‖D V‖_F² + E ‖D (I − V Vᵀ) z‖² with z of independent ±1 (Hutchinson); the interval is Student's
    t over the probes. Removing the largest directions first makes it narrow.
    """
    if probes < 2:
        raise MeasureError(f"an interval needs at least two probes, found {probes}")
    signs = torch.randint(2, (operator.weights, probes), generator=generator)
    z = (2 * signs - 1).to(operator.mean.device, operator.dtype)
    z -= found.vectors @ _inner(found.vectors, z).to(operator.dtype)
    rest = _inner_diagonal(operator(z)).cpu().numpy()
    known = float(_inner_diagonal(found.images).sum())
    probed = mean_interval(rest)
    low, norm, high = (math.sqrt(known + max(0.0, part)) for part in (probed.low, probed.value, probed.high))
    return low, norm, high
