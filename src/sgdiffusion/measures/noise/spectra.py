"""Eigenvalues of the diffusion matrix and the statistics that Chaudhari & Soatto (2018) publish of them.

Conventions that change the numbers, all named: the precision whose machine epsilon sets the rank threshold
λ_max·d·ε ("as numpy does"; single precision gives ranks of the published size), and the eigenvalues a mean
and standard deviation are over: all d of them, or those above the threshold only (``_above``).
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.diffusion import (
    Convention,
    DiffusionMatrix,
    diffusion_matrix,
    gram_matrix,
)
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.products import Precision

Values = NDArray[np.float64]


def eigenvalues(matrix: DiffusionMatrix) -> Values:
    """All d eigenvalues of D, descending, in double precision whatever D was accumulated in.

    LAPACK works at D's own precision, on one copy of the array (2.9 GB at d = 26,982 in single precision).
    """
    return triangle_eigenvalues(matrix.lower, matrix.precision)


def triangle_eigenvalues(lower: NDArray[Any], precision: Precision) -> Values:
    """The same of a lower triangle alone."""
    found = torch.linalg.eigvalsh(torch.from_numpy(lower), UPLO="L").numpy()
    values = found[::-1].astype(np.float64)
    require_nonnegative(values, precision)
    return values


def dual_eigenvalues(
    gradients: PerExampleGradients,
    *,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
) -> Values:
    """All d eigenvalues of D from the N×N matrix of gradient products: the fast path when N < d.

    D and its dual share their non-zero eigenvalues; the d − N others are exactly zero.
    """
    gram = gram_matrix(gradients, convention=convention, precision=precision)
    values = eigenvalues(gram)
    d = gradients.weights
    if gram.examples > d:
        return values[:d]  # the others are zero in exact arithmetic
    return np.concatenate([values, np.zeros(d - gram.examples)])


def spectrum(
    gradients: PerExampleGradients,
    *,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
) -> Values:
    """All d eigenvalues of D(x), descending, by the cheaper of the d×d and the N×N path.

    The N×N path needs to know N beforehand, so that data given as a loader take the d×d path.
    """
    if gradients.examples is not None and gradients.examples < gradients.weights:
        return dual_eigenvalues(gradients, convention=convention, precision=precision)
    return eigenvalues(diffusion_matrix(gradients, convention=convention, precision=precision))


def threshold(values: Values, precision: Precision = "float32", weights: int | None = None) -> float:
    """λ_max · d · ε with ε the machine epsilon of the named precision: eigenvalues below count as zero.

    d is the number of the values, or of ``weights`` where they are only some of them.
    """
    return float(values.max() * (weights or len(values)) * np.finfo(precision).eps)


def require_nonnegative(values: Values, precision: Precision) -> None:
    """Refuse eigenvalues that are more negative than rounding explains: D is positive semi-definite.

    Rounding: λ_max · ε · max(d, 1000); the second for small d, where the sums over N examples dominate
    (their rounding grows like √N).
    """
    if not np.isfinite(values).all():
        raise MeasureError("the spectrum holds non-finite eigenvalues: check the network and its gradients")
    largest, lowest = float(np.abs(values).max()), float(values.min())
    allowed = largest * float(np.finfo(precision).eps) * max(len(values), 1000)
    if lowest < -allowed:
        raise MeasureError(
            f"the smallest eigenvalue {lowest:.3e} is negative beyond rounding (largest {largest:.3e}, "
            f"d {len(values)}, {precision}: down to -{allowed:.1e} is rounding); a diffusion matrix is "
            "positive semi-definite, so this is no covariance of gradients or it lost precision: try float64"
        )


@dataclass(frozen=True)
class SpectrumStatistics:
    """Statistics of one spectrum; s.d. are population ones (divided by the number of eigenvalues).

    ``rank`` is None, and what depends on it NaN, where the threshold λ_max·d·ε is above λ_max itself: in
    single precision from 8.4 million weights on, no eigenvalue can be told from rounding by that rule.
    """

    weights: int
    mean: float
    sd: float
    mean_above: float
    sd_above: float
    trace: float
    frobenius: float
    largest: float
    threshold: float
    rank: int | None
    rank_percent: float

    def row(self) -> dict[str, Any]:
        """As one row of a table."""
        return asdict(self)


def statistics(values: Values, precision: Precision = "float32") -> SpectrumStatistics:
    """Mean, s.d., trace, norm and rank of a spectrum, over all eigenvalues and over those above threshold."""
    require_nonnegative(values, precision)
    cut = threshold(values, precision)
    if cut <= 0:
        raise MeasureError("all eigenvalues are zero: every example has the same gradient, D has no spectrum")
    above = values[values > cut]
    decided = cut < values.max()
    return SpectrumStatistics(
        weights=len(values),
        mean=float(values.mean()),
        sd=float(values.std()),
        mean_above=float(above.mean()) if decided else math.nan,
        sd_above=float(above.std()) if decided else math.nan,
        trace=float(values.sum()),
        frobenius=float(np.sqrt(values @ values)),
        largest=float(values.max()),
        threshold=cut,
        rank=len(above) if decided else None,
        rank_percent=100.0 * len(above) / len(values) if decided else math.nan,
    )


def spectral_distance(first: Values, second: Values, precision: Precision = "float32") -> float:
    """Distance of two spectra in decades: Wasserstein-1 between their log₁₀ λ above threshold.

    W₁ = ∫₀¹ |log₁₀ λ₁(q) − log₁₀ λ₂(q)| dq over quantiles q, each spectrum normalised to unit mass: by how
    many decades eigenvalues of the same rank share differ on average. A spectrum scaled by c is |log₁₀ c|
    away; the level and the shape both count, the number of eigenvalues does not.
    """
    from scipy.stats import wasserstein_distance  # slow to import

    logs = []
    for values in (first, second):
        statistics(values, precision)  # refuses what has no spectrum
        logs.append(np.log10(values[values > threshold(values, precision)]))
    return float(wasserstein_distance(*logs))
