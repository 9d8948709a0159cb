"""Does a path drift, wander, stay or return? Its displacement against the lag, and what trends explain.

The displacement D(τ) = √⟨‖x_{k+τ} − x_k‖²⟩_k over all weights grows as τ along a straight line, as τ^½ for
Brownian motion, levels off in a steady state, and falls back once a period on a closed loop.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories.fluctuations import autocovariance, blocks

Array = NDArray[Any]


def squared_displacement(weights: Array, longest: int) -> Array:
    """D²(τ) for τ = 0 … `longest`: mean over the n − τ starts, summed over weights, exactly (by transforms).

    (n − τ) D² = Σ_{k<n−τ} x_k² + Σ_{k≥τ} x_k² − 2 Σ_k x_k x_{k+τ}, of centred weights.
    """
    n = len(weights)
    if not 0 < longest < n:
        raise MeasureError(f"lags of a displacement must lie between 1 and {n - 1}, found {longest}")
    lags, total = np.arange(longest + 1), np.zeros(longest + 1)
    for block in blocks(weights):
        x = block - block.mean(axis=0)
        sums = np.concatenate([[0.0], np.cumsum(np.square(x).sum(axis=1))])
        products = autocovariance(x)[: longest + 1].sum(axis=1)
        total += sums[n - lags] + sums[n] - sums[lags] - 2 * products
    return np.maximum(total, 0.0) / (n - lags)


def growth_exponent(lags: Array, displacement: Array, first: float, last: float) -> float:
    """d ln D/d ln τ between two lags, by least squares over the given lags (log-spaced for equal weight).

    1 along a straight line, ½ for Brownian motion, 0 in a steady state that forgets faster than `first`.
    """
    inside = (lags >= first) & (lags <= last)
    if inside.sum() < 3:
        raise MeasureError(f"no exponent from {inside.sum()} lags between {first:g} and {last:g}")
    return float(np.polyfit(np.log(lags[inside]), np.log(displacement[inside]), 1)[0])


def falls(squares: Array) -> Array:
    """How far the displacement has fallen back, at most, up to each lag: max 1 − D(τ₂)/D(τ₁), τ₁ < τ₂ ≤ τ.

    1 for a loop that closes without noise, 0 for a path whose displacement only grows.
    """
    reached = np.maximum.accumulate(squares[1:])
    fallen = np.maximum.accumulate(1 - np.sqrt(squares[1:] / reached))
    return np.concatenate([[0.0], fallen])


def smallest_displacement(weights: Array, lag: int, starts: int = 500) -> float:
    """min_k ‖x_{k+τ} − x_k‖ over evenly spaced starts k: 0 if the path ever comes back after `lag`."""
    chosen = np.unique(np.linspace(0, len(weights) - 1 - lag, starts).astype(int))
    gaps = weights[chosen + lag].astype(np.float64) - weights[chosen]
    return float(np.sqrt(np.square(gaps).sum(axis=1).min()))


def detrended(weights: Array, degree: int) -> tuple[Array, Array]:
    """The path without each weight's least-squares polynomial in time, and the share of its variance that
    the polynomial explains.
    """
    time = np.linspace(-1.0, 1.0, len(weights))
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(time, degree))
    rest, shares = np.empty(weights.shape, weights.dtype), []
    first = 0
    for block in blocks(weights):
        centred = block - block.mean(axis=0)
        left = centred - basis @ (basis.T @ centred)
        shares.append(1 - np.square(left).sum(axis=0) / np.square(centred).sum(axis=0))
        rest[:, first : first + left.shape[1]] = left
        first += left.shape[1]
    return rest, np.concatenate(shares)


def displacement_ratio(weights: Array, span: int) -> Array:
    """⟨(x_{k+q} − x_k)²⟩/(q ⟨(x_{k+1} − x_k)²⟩) per weight, no mean drift subtracted: 1 for Brownian motion,
    below for a path that is pulled back, and of order q for one that keeps going.
    """
    parts = []
    for block in blocks(weights):
        many, one = (np.square(block[q:] - block[:-q]).mean(axis=0) for q in (span, 1))
        parts.append(many / (span * one))
    return np.concatenate(parts)
