"""Global contrast normalisation and ZCA whitening.

GCN, per image over its d pixels of all colours:  x ← (x − mean(x)) / std(x), population deviation.

ZCA, fitted on the training images X (n × d):  m = mean over images, C = (1/n) Σ (x − m)(x − m)ᵀ = V Λ Vᵀ,
x ← V (Λ + ε)^(−1/2) Vᵀ (x − m), the symmetric whitening that stays closest to the image. The regulariser
ε = 0.1 (in units of the squared contrast, pixels having unit variance after GCN) is the customary one for
CIFAR: it limits the gain of directions with hardly any variance, which hold noise, to ε^(−1/2) ≈ 3.2.
The paper names GCN and ZCA but no constants, so this is an assumption.

The fit is in float64; images stay float32 and are worked on in blocks, so that 50,000 × 3,072 training
pixels need little more than their own 0.6 GB.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

REGULARISER = 0.1
BLOCK = 2000
CONSTANT = 1e-8
"""A standard deviation (of pixels from 0 to 255) below this is an image without contrast: it becomes 0."""


@dataclass(frozen=True)
class Zca:
    """A fitted whitening x -> matrix (x − mean)."""

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]
    regulariser: float


def contrast_normalised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """GCN of flat images [n, d]."""
    result = np.empty(images.shape, dtype=np.float32)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK].astype(np.float64)
        block -= block.mean(axis=1, keepdims=True)
        deviation = block.std(axis=1, keepdims=True)
        result[start : start + BLOCK] = block / np.where(deviation < CONSTANT, 1.0, deviation)
    return result


def fit_zca(images: NDArray[np.float32], regulariser: float = REGULARISER) -> Zca:
    """The whitening of flat images [n, d]: V (Λ + ε)^(−1/2) Vᵀ of their covariance (1/n), in float64."""
    count, size = images.shape
    mean = images.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((size, size))
    for start in range(0, count, BLOCK):
        block = images[start : start + BLOCK] - mean
        covariance += block.T @ block
    covariance /= count
    values, vectors = linalg.eigh(covariance, overwrite_a=True, check_finite=False)
    gains = 1 / np.sqrt(np.maximum(values, 0) + regulariser)  # rounding can leave values just below 0
    return Zca(mean, (vectors * gains) @ vectors.T, regulariser)


def whiten(images: NDArray[np.float32], zca: Zca) -> None:
    """Replace flat images [n, d] by their whitened ones, in place."""
    matrix = zca.matrix.astype(np.float32)
    mean = zca.mean.astype(np.float32)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK]
        np.matmul(block - mean, matrix, out=block)  # the matrix is symmetric: no transpose needed
