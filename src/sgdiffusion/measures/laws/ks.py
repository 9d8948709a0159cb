"""Kolmogorov–Smirnov distance of independent draws to a law, with its sampling error."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sgdiffusion.errors import MeasureError


@dataclass(frozen=True)
class Distance:
    """sup |F_n − F| over n independent draws, where it is attained, and how likely a larger one is if F is
    true.
    """

    statistic: float
    p_value: float
    location: float
    n: int

    @property
    def half_width(self) -> float:
        """Dvoretzky–Kiefer–Wolfowitz: |F_n − F_true| ≤ this everywhere with probability 95 %."""
        return math.sqrt(math.log(2 / 0.05) / (2 * self.n))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the distance between the law drawn from and F (starts at 0 if F cannot be
        excluded).
        """
        return max(0.0, self.statistic - self.half_width), self.statistic + self.half_width


def critical_value(n: int, level: float = 0.01) -> float:
    """The distance that n draws from F itself exceed with probability `level`."""
    from scipy import stats  # slow to import, and the modules that import this one do not all test

    return float(stats.kstwo.isf(level, n))


def distance(draws: ArrayLike, cdf: Callable[[np.ndarray], np.ndarray]) -> Distance:
    """sup_x |F_n(x) − F(x)| of independent draws and a continuous distribution function."""
    from scipy import stats  # slow to import

    sample = _sorted(draws)
    n = sample.size
    values = np.asarray(cdf(sample), dtype=float)
    if not np.isfinite(values).all() or np.any(np.diff(values) < -1e-9):
        raise MeasureError("the distribution function is not finite and increasing over the draws")
    above = np.arange(1, n + 1) / n - values
    below = values - np.arange(n) / n
    worst = int(np.argmax(np.maximum(above, below)))
    statistic = float(max(above[worst], below[worst]))
    return Distance(statistic, float(stats.kstwo.sf(statistic, n)), float(sample[worst]), n)


def _sorted(draws: ArrayLike) -> np.ndarray:
    sample = np.sort(np.asarray(draws, dtype=float))
    if sample.ndim != 1 or sample.size < 2:
        raise MeasureError(f"a distance needs a list of at least two draws, got shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise MeasureError(f"{int((~np.isfinite(sample)).sum())} of {sample.size} draws are not finite")
    return sample
