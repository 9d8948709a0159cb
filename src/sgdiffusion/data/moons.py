"""Two interleaving half circles with Gaussian noise, drawn from a seed: no download, no library's version."""

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.errors import DataError


def moons(
    examples: int, noise: float, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points [examples, 2] and labels: (cos φ, sin φ) is 0, (1 − cos φ, ½ − sin φ) is 1, φ uniform on [0, π].

    The classes alternate, so that they are equal in size up to one; `noise` is the standard deviation that is
    added to both coordinates.
    """
    if examples < 2 or noise < 0:
        raise DataError(f"moons need at least two examples and noise ≥ 0, found {examples} and {noise}")
    labels = np.arange(examples) % 2
    angles = generator.uniform(0, np.pi, examples)
    upper = np.stack([np.cos(angles), np.sin(angles)], 1)
    lower = np.stack([1 - np.cos(angles), 0.5 - np.sin(angles)], 1)
    points = np.where(labels[:, None] == 0, upper, lower) + noise * generator.standard_normal((examples, 2))
    return points.astype(np.float32), labels


def grid(side: int, margin: float = 0.5) -> NDArray[np.float32]:
    """A regular grid [side², 2] over the rectangle that holds the noiseless moons and `margin` around it."""
    across = np.linspace(-1 - margin, 2 + margin, side)
    up = np.linspace(-0.5 - margin, 1 + margin, side)
    return np.stack(np.meshgrid(across, up), -1).reshape(-1, 2).astype(np.float32)
