"""Periodic components against coloured noise."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.multiple import holm
from sgdiffusion.measures.trajectories.fluctuations import BLOCK, frequencies, periodogram

Array = NDArray[Any]
MAX_ORDER = 8
HALF_WINDOW = 100
FEWEST_CYCLES = 20


class Peaks(NamedTuple):
    """The strongest line of each weight's increments."""

    frequency: Array  # cycles per snapshot
    ratio: Array  # its power over the local level of the noise
    order: Array  # of the autoregression that whitened the noise
    p_value: Array  # corrected for the number of frequencies
    p_holm: Array  # and for the number of weights


def peaks(
    weights: Array,
    half_window: int = HALF_WINDOW,
    max_order: int = MAX_ORDER,
    fewest_cycles: int = FEWEST_CYCLES,
) -> Peaks:
    """Test the increments Δx_k for periodic components on top of noise of any smooth colour.

    The periodogram is divided by the spectrum of an autoregression (order 0 to max_order by BIC) and each
    ordinate compared with the mean of its m = 2·half_window neighbours: with a locally flat Gaussian
    spectrum the ratio is F(2, 2m), p = (1 + ratio/m)^{−m}. The smallest p of a weight is corrected for
    the number of frequencies (Bonferroni; ordinates are independent, so little is lost) and for the
    number of weights (Holm, which allows that they move together).

    A line must complete `fewest_cycles` in the trajectory: a slow drift puts all its power into the lowest
    frequencies, which look like a line there and are none.
    """
    n = len(weights) - 1
    if len(frequencies(n)) < fewest_cycles + 31:
        needed = 2 * (fewest_cycles + 31) + 1
        raise MeasureError(
            f"a search for lines of at least {fewest_cycles} cycles needs {needed} increments, found {n}"
        )
    parts = []
    for start in range(0, weights.shape[1], BLOCK):
        increments = np.diff(np.asarray(weights[:, start : start + BLOCK], dtype=np.float64), axis=0)
        parts.append(_strongest(increments, half_window, max_order, fewest_cycles))
    frequency, ratio, order, p_value = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Peaks(frequency, ratio, order, p_value, holm(p_value))


def _strongest(
    increments: Array, half_window: int, max_order: int, fewest_cycles: int
) -> tuple[Array, Array, Array, Array]:
    f = frequencies(len(increments))[fewest_cycles - 1 :]
    coefficients = autoregression(increments, max_order)
    flat = periodogram(increments)[fewest_cycles - 1 :] * _inverse_spectrum(coefficients, f)
    half_window = min(half_window, (len(f) - 1) // 4)
    neighbours = 2 * half_window
    ratio = flat / _local_level(flat, half_window)
    best = ratio.argmax(axis=0)
    strongest = np.take_along_axis(ratio, best[None], axis=0)[0]
    p_value = np.minimum(1.0, len(f) * (1 + strongest / neighbours) ** -neighbours)
    return f[best], strongest, (coefficients != 0).sum(axis=0), p_value


def _local_level(power: Array, half_window: int) -> Array:
    """Mean of the 2·half_window ordinates around each one, itself left out; off-centre at the ends."""
    count, width = len(power), 2 * half_window + 1
    sums = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    start = np.clip(np.arange(count) - half_window, 0, count - width)
    return np.asarray((sums[start + width] - sums[start] - power) / (width - 1))


def autoregression(series: Array, max_order: int = MAX_ORDER) -> Array:
    """Coefficients a (max_order, columns) of y_k = Σ_l a_l y_{k−l} + noise by Levinson's recursion.

    The order is the one of least BIC, n ln σ² + p ln n; coefficients above it are zero.
    """
    n, columns = series.shape
    y = series - series.mean(axis=0)
    gamma = np.stack([(y[: n - lag] * y[lag:]).sum(axis=0) / n for lag in range(max_order + 1)])
    a = np.zeros((max_order, columns))
    variance = gamma[0].copy()
    best, chosen = n * np.log(variance), a.copy()
    for p in range(1, max_order + 1):
        reflection = (gamma[p] - (a[: p - 1] * gamma[p - 1 : 0 : -1]).sum(axis=0)) / variance
        a[: p - 1] = a[: p - 1] - reflection * a[: p - 1][::-1]
        a[p - 1] = reflection
        variance = variance * (1 - reflection**2)
        criterion = n * np.log(variance) + p * np.log(n)
        better = criterion < best
        best = np.where(better, criterion, best)
        chosen[:, better] = a[:, better]
    return chosen


def _inverse_spectrum(coefficients: Array, f: Array) -> Array:
    """|1 − Σ_l a_l e^{−2πifl}|², proportional to one over the autoregression's spectrum."""
    lags = np.arange(1, len(coefficients) + 1)
    transfer = 1 - np.exp(-2j * np.pi * np.outer(f, lags)) @ coefficients
    return np.asarray(np.square(np.abs(transfer)))
