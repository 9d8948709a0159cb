"""Spectra, autocorrelations and variance ratios of weight trajectories (Chaudhari & Soatto 2018, Fig. 3).

A trajectory is an array (snapshots, weights); statistics are computed per weight, in double precision, in
blocks of weights, so that 10⁵ snapshots of a thousand weights need little memory.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import ndtr, ndtri

from sgdiffusion.errors import MeasureError

Array = NDArray[Any]
BLOCK = 32  # weights at a time: 10⁵ snapshots of them, zero-padded and complex, are 130 MB
SHORTEST = 16  # snapshots: below that no statistic here means anything


def after_burn_in(weights: Array, epochs: Array, burn_in: int) -> Array:
    """The snapshots taken at epochs ≥ burn_in."""
    if len(weights) != len(epochs):
        raise MeasureError(
            f"{len(weights)} snapshots but {len(epochs)} epochs: each snapshot needs its epoch"
        )
    kept = weights[int(np.searchsorted(epochs, burn_in)) :]
    if len(kept) < SHORTEST:
        raise MeasureError(
            f"the trajectory has {len(kept)} snapshots after the burn-in of {burn_in} epochs (its last epoch "
            f"is {int(epochs[-1]) if len(epochs) else 0}), at least {SHORTEST} are needed: train longer or "
            "shorten the burn-in"
        )
    return kept


def moving(weights: Array) -> NDArray[np.bool_]:
    """Which weights move by more than rounding: s.d. of increments above 4 ε max|x|, ε of the stored type.

    Biases before batch-norm and weights of constant inputs have no gradient; what their stored values do is
    the arithmetic's rounding, whose spectrum says nothing.
    """
    _require_path(weights)
    epsilon = np.finfo(weights.dtype).eps
    spread = np.concatenate([np.diff(block, axis=0).std(axis=0) for block in blocks(weights)])
    return spread > 4 * epsilon * np.abs(weights).max(axis=0)


class Spectrum(NamedTuple):
    """Amplitudes of increments at frequencies in cycles per snapshot, 0 < f < ½, over weights."""

    frequency: Array
    mean: Array  # over weights, of the amplitude
    sd: Array
    power: Array  # mean over weights of the squared amplitude


def increment_spectrum(weights: Array, *, one_scale: bool = False) -> Spectrum:
    """A_i(f) = |Σ_k (Δx_k − ⟨Δx⟩) e^{−2πifk}| / (s √n) of the n increments Δx_k = x_{k+1}^i − x_k^i.

    s² is the population variance of the weight's increments, so that the mean of A² over all frequencies
    is 1 and white noise has E[A²] = 1, E[A] = √π/2 and s.d. √(1 − π/4) at each. With `one_scale` s² is the
    mean of these variances over weights: amplitudes as they are, in one unit for all.
    """
    _require_path(weights)
    total: Any = 0.0
    squares: Any = 0.0
    variances = np.ones(weights.shape[1])
    if one_scale:
        variances = np.concatenate([np.diff(block, axis=0).var(axis=0) for block in blocks(weights)])
    relative = variances / variances.mean()
    for start, block in zip(range(0, len(relative), BLOCK), blocks(weights), strict=True):
        power = periodogram(np.diff(block, axis=0)) * relative[start : start + BLOCK]
        total, squares = total + np.sqrt(power).sum(axis=1), squares + power.sum(axis=1)
    count = weights.shape[1]
    mean, power = total / count, squares / count
    spread = np.sqrt(np.maximum(power - mean**2, 0.0))
    return Spectrum(frequencies(len(weights) - 1), mean, spread, power)


def frequencies(n: int) -> Array:
    """Fourier frequencies j/n strictly between 0 and ½, where a real series has two degrees of freedom."""
    return np.arange(1, (n + 1) // 2) / n


def periodogram(series: Array) -> Array:
    """|Σ_k (y_k − ȳ) e^{−2πifk}|²/(n s²) at `frequencies(n)`, per column; s² the population variance."""
    n = len(series)
    centred = series - series.mean(axis=0)
    variance = np.square(centred).mean(axis=0)
    if not (variance > 0).all() or not np.isfinite(variance).all():
        bad = np.flatnonzero(~(variance > 0) | ~np.isfinite(variance))
        raise MeasureError(
            f"{len(bad)} of {series.shape[1]} series have no finite positive variance (first: {bad[0]}): "
            "leave out weights that do not move (sgdiffusion.measures.trajectories.fluctuations.moving)"
        )
    power = np.square(np.abs(fft.rfft(centred, axis=0)))[1 : (n + 1) // 2]
    return np.asarray(power / (n * variance))


def power_below(weights: Array, cycles: int) -> Array:
    """Mean of A_i² of `increment_spectrum` over the frequencies of 1 … cycles − 1 turns in the whole path.

    Per weight; white noise has 1. A drift puts its power here, and nowhere else.
    """
    _require_path(weights)
    n = len(weights) - 1
    waves = np.exp(-2j * np.pi * np.outer(np.arange(1, cycles), np.arange(n)) / n)
    parts = []
    for block in blocks(weights):
        increments = np.diff(block, axis=0)
        power = np.square(np.abs(waves @ increments)).mean(axis=0)
        parts.append(power / (n * increments.var(axis=0)))
    return np.concatenate(parts)


class Autocorrelation(NamedTuple):
    """Sample autocorrelations at chosen lags and the lag at which each first falls below 1/e."""

    values: Array  # (lags, weights)
    decorrelation: Array  # (weights,): in snapshots; the series' length where it never does


def autocorrelation(weights: Array, lags: Sequence[int] | Array) -> Autocorrelation:
    """r(τ) = Σ_{k≤n−τ} (x_k − x̄)(x_{k+τ} − x̄) / Σ_k (x_k − x̄)², the biased estimator (both sums over n)."""
    _require_path(weights)
    chosen = np.asarray(lags, dtype=np.int64)
    n = len(weights)
    if chosen.min() < 0 or chosen.max() >= n:
        raise MeasureError(f"lags must lie between 0 and {n - 1}, found {chosen.min()} to {chosen.max()}")
    values, times = [], []
    for block in blocks(weights):
        r = autocovariance(block - block.mean(axis=0))
        if not (r[0] > 0).all():
            raise MeasureError("a weight that does not move has no autocorrelation: leave it out (`moving`)")
        r /= r[0]
        values.append(r[chosen])
        below = r < np.exp(-1)
        times.append(np.where(below.any(axis=0), below.argmax(axis=0), n))
    return Autocorrelation(np.concatenate(values, axis=1), np.concatenate(times))


def autocovariance(series: Array) -> Array:
    """Σ_{k≤n−τ} y_k y_{k+τ} for τ = 0 … n − 1, per column, by a zero-padded transform."""
    n = len(series)
    length = fft.next_fast_len(2 * n - 1, real=True)
    power = np.square(np.abs(fft.rfft(series, length, axis=0)))
    return np.asarray(fft.irfft(power, length, axis=0)[:n])


def white_band(n: int, level: float = 0.99) -> float:
    """Half width of the usual confidence band, z_{(1+level)/2}/√n: that of independent values."""
    return float(ndtri((1 + level) / 2)) / float(np.sqrt(n))


def bartlett_band(values: Array, lags: Array, n: int, level: float = 0.99) -> Array:
    """Bartlett's half width at each lag, z √((1 + 2 Σ_{0<j<τ} r_j²)/n), if all is noise from that lag on.

    The sum over all lags below τ is interpolated linearly between the chosen ones.
    """
    squares = np.square(values)
    steps = np.diff(lags)
    area = np.concatenate([[0.0], np.cumsum(steps * (squares[1:] + squares[:-1]) / 2)])
    inner = np.maximum(area - squares[0] / 2 - squares / 2, 0.0)  # trapezoids hold half of both end points
    return white_band(n, level) * np.sqrt(1 + 2 * inner)


class VarianceRatio(NamedTuple):
    """Lo & MacKinlay's test of a random walk, per weight."""

    ratio: Array
    p_value: Array  # two-sided, for heteroscedastic uncorrelated increments


def variance_ratio(weights: Array, span: int) -> VarianceRatio:
    """VR(q) = Var(x_{k+q} − x_k)/(q Var(x_{k+1} − x_k)): 1 for Brownian motion, below for a bound path.

    Overlapping differences about the mean drift; z* of Lo & MacKinlay (1988) allows increments whose
    variance changes in time. The normal law of z* needs q well below the length: at most a tenth of it.
    """
    _require_path(weights)
    n = len(weights) - 1
    if not 2 <= span <= n // 10:
        raise MeasureError(f"the span of a variance ratio must lie between 2 and {n // 10}, found {span}")
    ratios, scores = [], []
    shares = np.square(2 * (span - np.arange(1, span)) / span)[:, None]
    for block in blocks(weights):
        increments = np.diff(block, axis=0)
        centred = increments - increments.mean(axis=0)
        total = np.square(centred).sum(axis=0)
        sums = np.cumsum(np.concatenate([np.zeros((1, centred.shape[1])), centred]), axis=0)
        spans = np.square(sums[span:] - sums[:-span]).sum(axis=0)
        unbiased = span * (n - span + 1) * (1 - span / n)
        ratio = (spans / unbiased) / (total / (n - 1))
        products = autocovariance(np.square(centred))[1:span]
        ratios.append(ratio)
        scores.append((ratio - 1) / np.sqrt((shares * products / np.square(total)).sum(axis=0)))
    return VarianceRatio(np.concatenate(ratios), 2 * ndtr(-np.abs(np.concatenate(scores))))


def monte_carlo_p(observed: Array, simulated: Array) -> Array:
    """Two-sided p-values among m independent draws of a null: 2 min(1 + #≤, 1 + #≥)/(m + 1)."""
    draws = np.sort(simulated)
    below = np.searchsorted(draws, observed, side="right")
    above = len(draws) - np.searchsorted(draws, observed, side="left")
    return np.asarray(np.minimum(1.0, 2 * (1 + np.minimum(below, above)) / (len(draws) + 1)))


def blocks(weights: Array) -> Iterator[Array]:
    for start in range(0, weights.shape[1], BLOCK):
        yield np.asarray(weights[:, start : start + BLOCK], dtype=np.float64)


def _require_path(weights: Array) -> None:
    if weights.ndim != 2 or len(weights) < SHORTEST or not weights.shape[1]:
        raise MeasureError(
            f"a trajectory needs at least {SHORTEST} snapshots of at least one weight, found {weights.shape}"
        )
    finite = np.isfinite(weights).all(axis=1)
    if not finite.all():
        raise MeasureError(f"the trajectory is not finite from snapshot {int(np.argmin(finite))} on")
