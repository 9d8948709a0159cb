"""Does a path go round? Time irreversibility by lagged covariances, against paths run backwards.

On a cycle one direction of weight space follows another, so that C(τ) = ⟨y_k y_{k+τ}ᵀ⟩ is not symmetric. A
reversible process (detailed balance, no current) has C(τ) = C(τ)ᵀ, whatever its colours. The antisymmetric
parts of separate segments of a path are multiplied with one another, so that noise has mean zero; run
backwards a segment keeps all but the sign of its current, and so gives a reversible surrogate.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories.fluctuations import blocks

Array = NDArray[Any]


class Circulation(NamedTuple):
    """Agreement of the antisymmetric parts A(τ) of a path's segments, at each lag."""

    correlation: (
        Array  # mean over pairs of segments of A·A′ over the mean of A²: 0 without current, at most 1
    )
    planes: Array  # mean of Σ_{i<j} A_ij A′_ij, over all planes: one in which all variance rotates has sin²ωτ
    leading: Array  # A′ in the plane where A rotates most: sin ωτ if all of its variance rotates
    reversed: Array  # (surrogates, lags): the correlation with segments run backwards at random


def fast_components(weights: Array, window: int, count: int) -> Array:
    """The `count` leading principal components, of unit variance, of the path minus its moving mean.

    The mean over `window` snapshots takes out drift and whatever is slower; the ends are cut.
    """
    kept = len(weights) - window + 1
    if len(weights) < 5 * window:
        raise MeasureError(
            f"a moving mean of {window} snapshots needs a path of {5 * window}, it has {len(weights)}"
        )
    rest = np.empty((kept, weights.shape[1]), np.float32)
    first = 0
    for block in blocks(weights):
        sums = np.cumsum(np.concatenate([np.zeros((1, block.shape[1])), block - block[0]]), axis=0)
        mean = (sums[window:] - sums[:-window]) / window
        rest[:, first : first + block.shape[1]] = (block - block[0])[window // 2 :][:kept] - mean
        first += block.shape[1]
    rest -= rest.mean(axis=0)
    values, vectors = np.linalg.eigh((rest.T @ rest).astype(np.float64) / kept)
    lead = values[::-1][:count] > 1e-6 * values[-1]  # below that single precision has nothing to say
    chosen = vectors[:, ::-1][:, :count][:, lead] / np.sqrt(values[::-1][:count][lead])
    return np.asarray(rest @ chosen.astype(np.float32), dtype=np.float64)


def circulation(
    components: Array, lags: Sequence[int], segments: int, surrogates: int, generator: np.random.Generator
) -> Circulation:
    """Current of a path (snapshots, components) of unit variance, from equal segments, and its null.

    With A_s the entries above the diagonal of (C_s(τ) − C_s(τ)ᵀ)/2, S segments and G = A Aᵀ:
    planes = (1ᵀG1 − tr G)/(S(S − 1)), correlation = (1ᵀG1 − tr G)/((S − 1) tr G); in a surrogate the vector
    of ones is one of random signs, the same at all lags.
    """
    length = len(components) // segments
    if max(lags) > length // 4:
        raise MeasureError(f"lags of a circulation must be at most {length // 4}, found {max(lags)}")
    parts = components[: length * segments].reshape(segments, length, -1)
    signs = generator.choice([-1.0, 1.0], (surrogates, segments))
    correlations, planes, leading, null = [], [], [], []
    for lag in lags:
        matrices = _currents(parts, lag)
        leading.append(_leading(matrices))
        currents = matrices[:, *np.triu_indices(parts.shape[2], 1)]
        gram = currents @ currents.T
        scale = (segments - 1) * np.trace(gram)
        excess = gram.sum() - np.trace(gram)
        correlations.append(excess / scale)
        planes.append(excess / (segments * (segments - 1)))
        null.append((np.einsum("si,ij,sj->s", signs, gram, signs) - np.trace(gram)) / scale)
    return Circulation(np.array(correlations), np.array(planes), np.array(leading), np.stack(null, axis=1))


def _currents(parts: Array, lag: int) -> Array:
    """Each segment's (C(τ) − C(τ)ᵀ)/2, (segments, components, components)."""
    lagged = np.swapaxes(parts[:, :-lag], 1, 2) @ parts[:, lag:] / (parts.shape[1] - lag)
    return np.asarray((lagged - np.swapaxes(lagged, 1, 2)) / 2)


def _leading(matrices: Array) -> float:
    """The plane of the largest singular value in half of the segments, seen in the others; both ways."""
    halves = matrices[::2].mean(axis=0), matrices[1::2].mean(axis=0)
    found = []
    for chosen, other in (halves, halves[::-1]):
        left, _, right = np.linalg.svd(chosen)
        found.append(left[:, 0] @ other @ right[0])
    return float(np.mean(found))
