"""Have the chains converged? R̂, effective sample size and drift of traces [..., chains, draws].

Leading axes are independent problems, computed together. R̂ and ESS are the split, rank-normalised versions
of Vehtari et al. (2021, Bayesian Analysis 16, 667): each chain counts as two halves, so that a common trend
shows.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtri

from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]
LEAST = 8  # draws: below this, halves are too short to have a variance worth the name


def _traces(values: ArrayLike) -> Array:
    traces = np.asarray(values, dtype=np.float64)
    if traces.ndim < 2 or traces.shape[-1] < LEAST:
        raise MeasureError(
            f"convergence needs traces [chains, draws] of at least {LEAST} draws, found {traces.shape}"
        )
    return traces


def split(traces: Array) -> Array:
    """Each chain as two chains of half its length (the middle draw of an odd number is left out)."""
    half = traces.shape[-1] // 2
    return np.concatenate([traces[..., :half], traces[..., -half:]], axis=-2)


def _normal_scores(traces: Array) -> Array:
    """Ranks over all chains of a problem, as normal quantiles: the diagnosis survives heavy tails."""
    from scipy.stats import rankdata  # slow to import

    flat = traces.reshape(*traces.shape[:-2], -1)
    ranks = rankdata(flat, axis=-1)
    return ndtri((ranks - 0.375) / (flat.shape[-1] + 0.25)).reshape(traces.shape)


def r_hat(values: ArrayLike) -> Array:
    """√(variance over all draws / mean variance within half-chains), 1 for chains that agree."""
    scores = _normal_scores(split(_traces(values)))
    draws = scores.shape[-1]
    within = scores.var(axis=-1, ddof=1).mean(axis=-1)
    between = scores.mean(axis=-1).var(axis=-1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sqrt((draws - 1) / draws + between / within)
    return np.where(within > 0, ratio, np.where(between > 0, np.inf, 1.0))


def autocovariance(traces: Array) -> Array:
    """Biased autocovariance (1/draws at every lag) along the last axis, by FFT."""
    draws = traces.shape[-1]
    centred = traces - traces.mean(axis=-1, keepdims=True)
    spectrum = rfft(centred, next_fast_len(2 * draws), axis=-1)
    return irfft(spectrum * spectrum.conj(), next_fast_len(2 * draws), axis=-1)[..., :draws] / draws


def _correlation_time(traces: Array) -> Array:
    """1 + 2Σρ_t over chains, by Geyer's initial monotone sequence of sums of pairs."""
    chains, draws = traces.shape[-2:]
    covariance = autocovariance(traces)
    within = covariance[..., 0].mean(axis=-1) * draws / (draws - 1)
    total = within * (draws - 1) / draws
    if chains > 1:
        total = total + traces.mean(axis=-1).var(axis=-1, ddof=1)
    safe = np.where(total > 0, total, 1.0)[..., None]
    correlation = 1 - (within[..., None] - covariance.mean(axis=-2) * draws / (draws - 1)) / safe
    correlation[..., 0] = 1.0
    pairs = correlation[..., 0 : 2 * (draws // 2) : 2] + correlation[..., 1 : 2 * (draws // 2) : 2]
    positive = np.logical_and.accumulate(pairs > 0, axis=-1)
    monotone = np.minimum.accumulate(np.where(positive, pairs, np.inf), axis=-1)
    return -1 + 2 * np.where(positive, monotone, 0.0).sum(axis=-1)


def effective_sample_size(values: ArrayLike) -> Array:
    """Independent draws that would give the mean of all chains with the same variance."""
    traces = split(_traces(values))
    size = traces.shape[-1] * traces.shape[-2]
    # alternating chains can do better than independent draws, but not by more than the logarithm here
    return np.minimum(size / np.maximum(_correlation_time(traces), 1e-12), size * np.log10(size))


def mean_error(values: ArrayLike) -> Array:
    """Monte Carlo standard error of the mean over all chains and draws, √(variance / ESS)."""
    traces = _traces(values)
    spread = traces.reshape(*traces.shape[:-2], -1).var(axis=-1, ddof=1)
    return np.sqrt(spread / effective_sample_size(traces))


def drift(values: ArrayLike) -> Array:
    """(Mean of the last half − mean of the first third) / its standard error, over all chains.

    About N(0, 1) for stationary chains; the gap between the two windows makes them nearly independent.
    """
    traces = _traces(values)
    draws = traces.shape[-1]
    first, last = traces[..., : max(4, draws // 3)], traces[..., draws // 2 :]
    difference = last.mean(axis=(-1, -2)) - first.mean(axis=(-1, -2))
    variance = sum((_window_variance(window) for window in (first, last)), np.zeros(()))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = difference / np.sqrt(variance)
    return np.where(variance > 0, score, 0.0)


def _window_variance(window: Array) -> Any:
    """Variance of the mean over chains and draws of one window: chains independent, draws correlated."""
    chains, draws = window.shape[-2:]
    spread = window.var(axis=-1, ddof=1).mean(axis=-1)
    time = np.maximum(_correlation_time(window - window.mean(axis=-1, keepdims=True)), 1.0)
    within = spread * time / (chains * draws)
    if chains < 4:
        return within
    return np.maximum(within, window.mean(axis=-1).var(axis=-1, ddof=1) / chains)
