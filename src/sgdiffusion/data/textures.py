"""Embedded stand-in for CIFAR-10 and CIFAR-100: seeded synthetic textures of 32×32 pixels in three colours.

A class is a pair of gratings (orientation, frequency, colour of each). An image of it adds what a class does
not fix, the nuisances: phases, contrasts, jitter of orientation, frequency and colour, a background of
coloured noise with a 1/f spectrum (neighbouring pixels and colours correlated, as in photographs, so that
whitening has something to do), and a disc of clutter cut from a texture of another, random class. The jitter
lets neighbouring classes overlap, so that a small convolutional net learns them far above chance but not
perfectly.

Classes, training images and test images come from streams of their own: other sizes draw other images of the
same classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.data.content import Arrays, Bytes
from sgdiffusion.streams import generator

SEED = 0
SIDE = 32

ANGLE_JITTER = 0.2
"""Standard deviation of a grating's orientation around its class, in radians."""
FREQUENCY_JITTER = 0.16
"""Standard deviation of the logarithm of its frequency."""
COLOUR_JITTER = 0.7
"""Length, relative to the unit class colour, of the random part of its colour."""
NOISE = 1.3
"""Standard deviation of the background, relative to the mean contrast of one grating."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Classes:
    """Two gratings a class: orientation [c, 2] in radians, log frequency [c, 2], colour [c, 2, 3]."""

    angle: Floats
    log_frequency: Floats
    colour: Floats


def textures10(name: str = "textures10", n_train: int = 5_000, n_test: int = 1_000) -> Arrays:
    """Ten texture classes."""
    return textures(10, n_train, n_test)


def textures100(name: str = "textures100", n_train: int = 10_000, n_test: int = 2_000) -> Arrays:
    """A hundred texture classes."""
    return textures(100, n_train, n_test)


def textures(classes: int, n_train: int, n_test: int, seed: int = SEED) -> Arrays:
    """A texture set with that many classes; every class has the same number of images, to within one."""
    name = f"textures{classes}"
    laws = draw_classes(classes, generator(seed, name, "classes"))
    train = _split(laws, n_train, generator(seed, name, "train"))
    test = _split(laws, n_test, generator(seed, name, "test"))
    return Arrays(*train, *test)


def draw_classes(count: int, rng: np.random.Generator) -> Classes:
    """Orientations uniform, frequencies log-uniform from 2 to 7 periods an image, colours uniform."""
    angle = rng.uniform(0, np.pi, (count, 2))
    log_frequency = rng.uniform(np.log(2), np.log(7), (count, 2))
    return Classes(angle, log_frequency, _unit(rng.normal(size=(count, 2, 3))))


def _split(laws: Classes, count: int, rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    labels = np.arange(count) % len(laws.angle)
    blocks = [
        _render(laws, labels[start : start + 500], rng) for start in range(0, count, 500)
    ]  # blocks bound the memory
    return np.concatenate(blocks), labels.astype(np.uint8)


def _render(laws: Classes, labels: NDArray[np.int64], rng: np.random.Generator) -> Bytes:
    image = _gratings(laws, labels, rng)
    clutter = _gratings(laws, rng.integers(len(laws.angle), size=len(labels)), rng)
    image = np.where(_discs(len(labels), rng), clutter, image)
    image += NOISE * _coloured_noise(len(labels), rng)
    brightness = rng.normal(0, 25, (len(labels), 1, 1, 3))
    return np.clip(np.rint(128 + brightness + 30 * image), 0, 255).astype(np.uint8)


def _gratings(laws: Classes, labels: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Sums of two jittered gratings [n, height, width, colour], each of mean contrast one."""
    shape = (len(labels), 2)
    angle = laws.angle[labels] + rng.normal(0, ANGLE_JITTER, shape)
    frequency = np.exp(laws.log_frequency[labels] + rng.normal(0, FREQUENCY_JITTER, shape)) / SIDE
    phase = rng.uniform(0, 2 * np.pi, shape)
    contrast = rng.uniform(0.5, 1.5, shape)
    mixed = laws.colour[labels] + COLOUR_JITTER * _unit(rng.normal(size=(*shape, 3)))
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    along = np.multiply.outer(frequency * np.cos(angle), x) + np.multiply.outer(frequency * np.sin(angle), y)
    wave = np.sin(2 * np.pi * along + phase[..., None, None])
    colour = contrast[..., None] * _unit(mixed)
    return np.einsum("nkyx,nkc->nyxc", wave, colour, optimize=True)


def _coloured_noise(count: int, rng: np.random.Generator) -> Floats:
    """Noise with a 1/f amplitude spectrum [n, height, width, colour], unit variance, colours correlated."""
    white = rng.normal(size=(count, SIDE, SIDE, 3))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij"))
    gain = 1 / np.maximum(frequency, 1 / SIDE)
    noise = np.fft.irfft2(np.fft.rfft2(white, axes=(1, 2)) * gain[..., None], s=(SIDE, SIDE), axes=(1, 2))
    mixing = np.full((3, 3), 0.3) + 0.2 * np.eye(3)  # a grey part is shared: two colours correlate by 39/43
    noise = noise @ mixing
    return noise / noise.std()


def _discs(count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """One disc an image [n, height, width, 1], radius 4 to 9 pixels, centre anywhere."""
    centre = rng.uniform(0, SIDE, (count, 2, 1, 1))
    radius = rng.uniform(4, 9, (count, 1, 1))
    y, x = np.mgrid[:SIDE, :SIDE]
    inside: NDArray[np.bool_] = (y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2 < radius**2
    return inside[..., None]


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
