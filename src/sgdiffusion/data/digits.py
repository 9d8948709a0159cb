"""Embedded stand-in for MNIST: the 1,797 handwritten digits of scikit-learn, 8×8 grey levels 0 to 16.

They need no download. Resized to 28×28 by bilinear interpolation (pixel centres, edges repeated), and split
within each class: of the images in canonical order the last sixth, rounded, is the test split.
"""

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.data.content import Arrays, Bytes, canonical_order

SIDE = 28
TEST_SHARE = 1 / 6


def interpolation(old: int, new: int) -> NDArray[np.float64]:
    """Matrix [new, old] of linear interpolation between pixel centres; beyond the outer ones, constant."""
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(centres.astype(int), old - 2)
    weights = np.zeros((new, old))
    weights[np.arange(new), left] = 1 - (centres - left)
    weights[np.arange(new), left + 1] = centres - left
    return weights


def digits(name: str = "digits") -> Arrays:
    """The digits as bytes [n, 28, 28], grey 16 becoming 255."""
    from sklearn.datasets import load_digits  # slow to import, and needed only to make this one set

    bunch = load_digits()
    matrix = interpolation(8, SIDE)
    grey = matrix @ bunch.images @ matrix.T * (255 / 16)
    images, labels = np.rint(grey).astype(np.uint8), bunch.target.astype(np.uint8)
    train, test = _stratified(images, labels)
    return Arrays(images[train], labels[train], images[test], labels[test])


def _stratified(images: Bytes, labels: Bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = canonical_order(images, labels)
    parts: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    for label in np.unique(labels):
        members = order[labels[order] == label]
        cut = len(members) - round(len(members) * TEST_SHARE)
        parts[0].append(members[:cut])
        parts[1].append(members[cut:])
    return np.concatenate(parts[0]), np.concatenate(parts[1])
