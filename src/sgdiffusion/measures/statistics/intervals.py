"""Intervals over independent replicas, such as the seeds of a training."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# the functions that the quantiles of scipy.stats call, whose import takes half a second
from scipy.special import ndtri, stdtrit

from sgdiffusion.errors import MeasureError


class Estimate(NamedTuple):
    """A value with its interval; without replication low = high = value and n = 1."""

    value: float
    low: float
    high: float
    n: int


def student(freedom: ArrayLike, level: float = 0.95) -> Any:
    """t_{(1+level)/2, freedom}: half an interval over its standard error."""
    return stdtrit(freedom, (1 + level) / 2)


def mean_interval(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean over replicas and its Student t interval, mean ± t_{(1+level)/2, n−1} s/√n."""
    sample = _finite(values)
    mean, n = float(sample.mean()), len(sample)
    if n == 1:
        return Estimate(mean, mean, mean, 1)
    half = float(student(n - 1, level)) * float(sample.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def geometric_mean_interval(values: ArrayLike, level: float = 0.95) -> Estimate:
    """The same of the logarithms: for values that are positive and vary by factors."""
    logs = mean_interval(np.log(_positive(values)), level)
    return Estimate(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high), logs.n)


def ratio_interval(numerator: ArrayLike, denominator: ArrayLike, level: float = 0.95) -> Estimate:
    """Ratio of the geometric means of two independent positive samples; Welch's interval of the log ratio.

    n is the smaller number of replicas. Without replication in one of the samples there is no interval.
    """
    top, bottom = np.log(_positive(numerator)), np.log(_positive(denominator))
    ratio, n = float(np.exp(top.mean() - bottom.mean())), min(len(top), len(bottom))
    if n == 1:
        return Estimate(ratio, ratio, ratio, 1)
    parts = [float(sample.var(ddof=1)) / len(sample) for sample in (top, bottom)]
    if sum(parts) == 0:
        return Estimate(ratio, ratio, ratio, n)
    weights = sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, (top, bottom), strict=True))
    half = float(student(sum(parts) ** 2 / weights, level)) * math.sqrt(sum(parts))
    return Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half), n)


def share(count: int, n: int, level: float = 0.95) -> Estimate:
    """count/n with Wilson's interval, which stays inside [0, 1] for counts of 0 and n."""
    if n == 0:
        raise MeasureError("the share of an empty set is not defined: no run is left to count")
    p, z = count / n, float(ndtri((1 + level) / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # exact at the ends, where rounding would leave 1e-17
    low, high = 0.0 if count == 0 else middle - half, 1.0 if count == n else middle + half
    return Estimate(p, low, high, n)


def share_of(hits: ArrayLike, level: float = 0.95) -> Estimate:
    """Share of true values with Wilson's interval."""
    found = np.asarray(hits, dtype=bool)
    return share(int(found.sum()), len(found), level)


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample):
        raise MeasureError(f"an interval needs a list of at least one value, found shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise MeasureError(f"an interval over non-finite values is not defined: {sample.tolist()}")
    return sample


def _positive(values: ArrayLike) -> NDArray[np.float64]:
    sample = _finite(values)
    if sample.min() <= 0:
        raise MeasureError(f"a ratio of geometric means needs positive values, found {sample.min():.3g}")
    return sample
