"""Statistics with bootstrap intervals over independent units: of medians, rank correlations and others."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import Estimate

Array = NDArray[np.float64]
Correlation = Literal["spearman", "pearson"]
_RESAMPLES = 1000


def _resampled(n: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(n, size=(_RESAMPLES, n))


def bootstrap(sample: Array, statistic: Callable[[Array], Any], seed: int = 0) -> Estimate:
    """A statistic of the rows of `sample` and its 95 % percentile interval; it reduces the last axis but one
    (rows, columns), or the last of a plain list.
    """
    again = sample[_resampled(len(sample), seed)]
    low, high = np.nanquantile(statistic(again), [0.025, 0.975])
    return Estimate(float(statistic(sample)), float(low), float(high), len(sample))


def median(values: ArrayLike, seed: int = 0) -> Estimate:
    """Median with a bootstrap interval."""
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) == 0 or not np.isfinite(sample).all():
        raise MeasureError(f"a median needs finite values, found {len(sample)} of which some may be infinite")
    return bootstrap(sample, lambda v: np.median(v, axis=-1), seed)


def spearman(x: ArrayLike, y: ArrayLike, seed: int = 0) -> Estimate:
    """Spearman's rank correlation with a bootstrap interval over runs; NaN where one of them is constant."""
    return correlation(x, y, "spearman", seed)


def correlation(x: ArrayLike, y: ArrayLike, kind: Correlation, seed: int = 0) -> Estimate:
    """Pearson's correlation, or Spearman's of the ranks, with a bootstrap interval over runs."""
    n = len(np.asarray(x))
    if n < 4:
        raise MeasureError(f"a correlation needs at least four runs, found {n}")
    samples = correlations(x, y, _resampled(n, seed), kind)
    value = float(correlations(x, y, np.arange(n)[None], kind)[0])
    good = samples[np.isfinite(samples)]
    if not len(good) or not np.isfinite(value):
        return Estimate(np.nan, np.nan, np.nan, n)
    low, high = np.quantile(good, [0.025, 0.975])
    return Estimate(value, float(low), float(high), n)


def correlations(
    x: ArrayLike, y: ArrayLike, chosen: NDArray[np.int64], kind: Correlation = "spearman"
) -> Array:
    """The correlation within each row of indices `chosen` [resamples, n]."""
    from scipy.stats import rankdata  # slow to import

    first, second = (np.asarray(v, dtype=np.float64)[chosen] for v in (x, y))
    if kind == "spearman":
        first, second = (rankdata(v, axis=1) for v in (first, second))
    return _pearson(first, second)


def _pearson(x: Array, y: Array) -> Array:
    a, b = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return (a * b).sum(1) / np.where(scale > 0, scale, np.nan)
