"""Preparations: what is done to the bytes of a data set before a network sees them.

Each is a function Arrays -> Inputs. Inputs are float32 [n, colour, height, width], in the canonical order of
`content`, and everything fitted (means, deviations, whitening) is fitted on the training images alone.

full        pixels / 255, minus the mean, divided by the standard deviation over all training pixels, one of
            each per colour. Deviations are population ones (divided by n).
pool7       28×28 images averaged over 4×4 blocks to 7×7, then as in `full`.
pool7-five  pool7 of the classes 0 to 4, at most 30,000 training images: the first ones in canonical order,
            which is unrelated to the class, so the classes keep the set's own proportions. (MNIST has
            30,596 training images of these five classes. The paper states N = 30,000 and five classes, not
            which.) Mean and deviation are those of the images kept.
pool7-odd   the same of the odd digits, of which MNIST has 30,508 training images.
grey28      32×32 colour images to the mean of their colours, the central 28×28 pixels, then as in `full`: the
            shape of MNIST's images, so that one network fits both.
gcn-zca     global contrast normalisation, then ZCA whitening (see `whitening`).
gcn-zca-weak  the same with a tenth of the regulariser, which whitens fine detail more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.data.content import Arrays, Bytes, canonical, content_digests
from sgdiffusion.data.store import Prepared, join_digests
from sgdiffusion.data.whitening import REGULARISER, contrast_normalised, fit_zca, whiten
from sgdiffusion.errors import DataError

FIVE = 5
FIVE_TRAIN = 30_000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """A prepared set: the inputs, the labels that belong to them, and the constants that were fitted."""

    x_train: Floats
    y_train: Bytes
    x_test: Floats
    y_test: Bytes
    constants: dict[str, Any] = field(default_factory=dict)


Transform = Callable[[Arrays], Inputs]


def full(arrays: Arrays) -> Inputs:
    """Normalisation by the training pixels' mean and standard deviation, per colour."""
    return _normalised(
        _channels_first(arrays.x_train), arrays.y_train, _channels_first(arrays.x_test), arrays.y_test
    )


def pool7(arrays: Arrays) -> Inputs:
    """7×7 average pooling, then normalisation."""
    return _normalised(pooled(arrays.x_train), arrays.y_train, pooled(arrays.x_test), arrays.y_test)


def pool7_five(arrays: Arrays) -> Inputs:
    """pool7 of the first 30,000 training images (and all test images) of the classes 0 to 4."""
    return _pool7_of(arrays, range(FIVE))


def pool7_odd(arrays: Arrays) -> Inputs:
    """The same of the classes 1, 3, 5, 7, 9, renumbered from 0."""
    return _pool7_of(arrays, range(1, 2 * FIVE, 2))


def _pool7_of(arrays: Arrays, classes: range) -> Inputs:
    train, test = (np.flatnonzero(np.isin(labels, classes)) for labels in (arrays.y_train, arrays.y_test))
    train = train[:FIVE_TRAIN]
    labels = [((y - classes.start) // classes.step).astype(y.dtype) for y in (arrays.y_train, arrays.y_test)]
    return pool7(Arrays(arrays.x_train[train], labels[0][train], arrays.x_test[test], labels[1][test]))


def grey28(arrays: Arrays) -> Inputs:
    """Mean over colours, central 28×28 pixels, then normalisation."""
    return _normalised(grey(arrays.x_train), arrays.y_train, grey(arrays.x_test), arrays.y_test)


def gcn_zca(arrays: Arrays) -> Inputs:
    """Global contrast normalisation, then ZCA fitted on the training images."""
    return _whitened(arrays, REGULARISER)


def gcn_zca_weak(arrays: Arrays) -> Inputs:
    """The same with a tenth of the usual regulariser."""
    return _whitened(arrays, REGULARISER / 10)


def _whitened(arrays: Arrays, regulariser: float) -> Inputs:
    shape = _channels_first(arrays.x_train[:1]).shape[1:]
    x_train = contrast_normalised(_channels_first(arrays.x_train).reshape(len(arrays.x_train), -1))
    x_test = contrast_normalised(_channels_first(arrays.x_test).reshape(len(arrays.x_test), -1))
    zca = fit_zca(x_train, regulariser)
    whiten(x_train, zca)
    whiten(x_test, zca)
    constants = {"zca_regulariser": zca.regulariser}
    return Inputs(
        x_train.reshape(-1, *shape), arrays.y_train, x_test.reshape(-1, *shape), arrays.y_test, constants
    )


def prepare(arrays: Arrays, set_name: str, preparation: str, transform: Transform, *, real: bool) -> Prepared:
    """Bring a data set into canonical order, transform it, and say what it is.

    The digest in the meta data is that of the whole data set's content, before the preparation.
    """
    digests = content_digests(arrays)
    inputs = transform(canonical(arrays))
    classes = int(max(inputs.y_train.max(), inputs.y_test.max())) + 1
    meta = {
        "set": set_name,
        "preparation": preparation,
        "real": real,
        "digest": join_digests(digests),
        "digests": digests,
        "classes": classes,
        "n_train": len(inputs.x_train),
        "n_test": len(inputs.x_test),
        "shape": list(inputs.x_train.shape[1:]),
        "constants": inputs.constants,
    }
    return Prepared(
        inputs.x_train,
        inputs.y_train.astype(np.int64),
        inputs.x_test,
        inputs.y_test.astype(np.int64),
        meta,
    )


def pooled(images: Bytes) -> Floats:
    """Means over 4×4 blocks of 28×28 images: [n, 28, 28] bytes -> [n, 1, 7, 7] from 0 to 255."""
    if images.shape[1:] != (28, 28):
        raise DataError(f"7×7 pooling needs grey images of 28×28 pixels, found {images.shape[1:]}.")
    sums = images.reshape(-1, 7, 4, 7, 4).sum(axis=(2, 4), dtype=np.uint16)  # at most 16 · 255: exact
    return (sums[:, None] / np.float32(16)).astype(np.float32)


def grey(images: Bytes) -> Floats:
    """[n, 32, 32, colour] bytes -> [n, 1, 28, 28] from 0 to 255: mean over colours of the central pixels."""
    if images.shape[1:3] != (32, 32) or images.ndim != 4:
        raise DataError(f"grey28 needs colour images of 32×32 pixels, found {images.shape[1:]}.")
    return images[:, 2:30, 2:30].mean(axis=3, dtype=np.float32)[:, None]


def _channels_first(images: Bytes) -> Bytes:
    """[n, h, w] or [n, h, w, colour] -> [n, colour, h, w]."""
    return images[:, None] if images.ndim == 3 else np.moveaxis(images, 3, 1)


def _normalised(train: NDArray[Any], y_train: Bytes, test: NDArray[Any], y_test: Bytes) -> Inputs:
    """(x/255 − mean)/std with mean and std over all training pixels of a colour, computed in float64."""
    mean, std = _pixel_moments(train)
    if not std.all():
        raise DataError("Normalisation is not defined: a colour of the training images is constant.")
    constants = {"mean": mean.tolist(), "std": std.tolist()}
    return Inputs(_standardised(train, mean, std), y_train, _standardised(test, mean, std), y_test, constants)


def _pixel_moments(images: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and population standard deviation of x/255 per colour, without a float64 copy of the images."""
    per_image = images.mean(axis=(2, 3), dtype=np.float64)
    mean = per_image.mean(axis=0)
    squares = np.zeros(images.shape[1])
    for start in range(0, len(images), 2000):
        block = images[start : start + 2000].astype(np.float64) - mean[:, None, None]
        squares += np.square(block).sum(axis=(0, 2, 3))
    variance = squares / (len(images) * images.shape[2] * images.shape[3])
    return mean / 255, np.sqrt(variance) / 255


def _standardised(
    images: NDArray[Any], mean: NDArray[np.float64], std: NDArray[np.float64]
) -> NDArray[np.float32]:
    scale, shift = (1 / (255 * std)).astype(np.float32), (mean / std).astype(np.float32)
    inputs = np.ascontiguousarray(images, dtype=np.float32)
    if inputs is images:
        inputs = inputs.copy()
    inputs *= scale[:, None, None]
    inputs -= shift[:, None, None]
    return inputs
