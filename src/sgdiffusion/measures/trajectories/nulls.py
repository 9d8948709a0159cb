"""Null processes for trajectories: Brownian motion and a fitted Ornstein–Uhlenbeck process.

The sample autocorrelation of a finite Brownian path decays slowly by itself, and an Ornstein–Uhlenbeck
process has coloured increments: what a trajectory shows beyond them is what needs an explanation.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from sgdiffusion.errors import MeasureError

Array = NDArray[Any]


class Fit(NamedTuple):
    """x_{k+1} − m = φ (x_k − m) + σ ξ_k per weight: an Ornstein–Uhlenbeck process seen once per snapshot."""

    phi: Array
    sigma: Array
    mean: Array


def fit_ar1(weights: Array) -> Fit:
    """Least squares per weight. Of a true random walk it finds φ about 5/n below 1 (Dickey and Fuller)."""
    x = np.asarray(weights, dtype=np.float64)
    if len(x) < 4:
        raise MeasureError(f"an autoregression needs at least 4 snapshots, found {len(x)}")
    mean = x.mean(axis=0)
    before, after = x[:-1] - mean, x[1:] - mean
    squares = np.square(before).sum(axis=0)
    if not (squares > 0).all():
        raise MeasureError("a weight that does not move has no autoregression: leave it out (`moving`)")
    phi = (before * after).sum(axis=0) / squares
    residual = after - phi * before
    return Fit(phi, np.sqrt(np.square(residual).mean(axis=0)), mean)


def brownian(generator: np.random.Generator, n: int, paths: int, burn_in: int = 0) -> Array:
    """Random walks with standard normal steps from 0, (n, paths), after `burn_in` steps.

    Its increments are white noise: for a spectrum of increments this is the white null.
    """
    steps = generator.standard_normal((n, paths))
    steps[0] += generator.standard_normal(paths) * np.sqrt(burn_in)  # the sum of the steps left out
    return np.cumsum(steps, axis=0)


def ornstein_uhlenbeck(
    generator: np.random.Generator, n: int, fit: Fit, paths: int, burn_in: int = 0
) -> Array:
    """(n, paths) of the fitted law, for weights drawn at random, from its mean and after `burn_in` steps."""
    chosen = generator.integers(0, len(fit.phi), paths)
    out = np.empty((n, paths))
    for column, weight in enumerate(chosen):
        noise = fit.sigma[weight] * generator.standard_normal(burn_in + n)
        out[:, column] = lfilter([1.0], [1.0, -fit.phi[weight]], noise)[burn_in:]
    return out


def covariant_brownian(generator: np.random.Generator, covariance: Array, n: int, paths: int) -> Array:
    """Random walks (paths, n, weights) from 0 whose steps have the given covariance between the weights.

    Weights that move together make a mean over them vary between paths as much as a single weight does.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.cumsum(generator.standard_normal((paths, n, len(values))) @ root.T, axis=1)
