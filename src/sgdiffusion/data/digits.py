"""Embedded stand-in for MNIST: the 1,797 handwritten digits of scikit-learn, 8×8 grey levels 0 to 16.

They need no download. Resized to 28×28 by bilinear interpolation (pixel centres, edges repeated), and split
within each class: of the images in canonical order the last sixth, rounded, is the test split.
"""

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.data.content import Arrays, Bytes, canonical_order

SIDE = 28
TEST_PART = 6


def interpolation(old: int, new: int) -> NDArray[np.int64]:
    """2·new times the matrix [new, old] of linear interpolation between pixel centres; constant beyond them.

    The weights are whole multiples of 1/(2·new). As integers they make the digits the same bytes on every
    machine: many resized values lie exactly half-way between two grey levels.
    """
    centres = np.clip((2 * np.arange(new) + 1) * old - new, 0, 2 * new * (old - 1))
    left = np.minimum(centres // (2 * new), old - 2)
    right_weight = centres - 2 * new * left
    weights = np.zeros((new, old), dtype=np.int64)
    weights[np.arange(new), left] = 2 * new - right_weight
    weights[np.arange(new), left + 1] = right_weight
    return weights


def digits(name: str = "digits") -> Arrays:
    """The digits as bytes [n, 28, 28], grey 16 becoming 255, halves rounded up."""
    from sklearn.datasets import load_digits  # slow to import, and needed only to make this one set

    bunch = load_digits()
    matrix, unit = interpolation(8, SIDE), 16 * (2 * SIDE) ** 2
    grey = matrix @ bunch.images.astype(np.int64) @ matrix.T * 255
    images = ((2 * grey + unit) // (2 * unit)).astype(np.uint8)
    labels = bunch.target.astype(np.uint8)
    train, test = _stratified(images, labels)
    return Arrays(images[train], labels[train], images[test], labels[test])


def _stratified(images: Bytes, labels: Bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = canonical_order(images, labels)
    parts: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    for label in np.unique(labels):
        members = order[labels[order] == label]
        cut = len(members) - round(len(members) / TEST_PART)
        parts[0].append(members[:cut])
        parts[1].append(members[cut:])
    return np.concatenate(parts[0]), np.concatenate(parts[1])
