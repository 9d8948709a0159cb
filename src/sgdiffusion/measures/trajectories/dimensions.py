"""Walk and spectral dimensions from displacements R(t) = ‖w(t) − w(0)‖ (Hennick & De Baerdemacker 2025).

    R ∼ t^{1/d_walk},   d_walk = 2λ̄/d_s   (Alexander & Orbach),   so   ln R = (d_s/2λ̄) ln t + c   (eq. 17):

d_s is 2λ̄ times the log-log slope, and d_s ≤ λ̄ says no more than slope ≤ 1/2.

The points of one path are correlated over the whole window, so that the error of an ordinary fit is far too
small. A self-similar Gaussian path of exponent H has corr(w_i(s), w_i(t)) = r_H(ln t/s) in each coordinate,

    r_H(v) = cosh(Hv) − ½ |2 sinh(v/2)|^{2H},

and in many dimensions residuals of ln R with the covariance σ² r_H², stationary in ln t. The slope is that of
ordinary least squares, as in the paper; its squared error is the mean over H of that under σ² r_H², weighted
by the restricted likelihood of the residuals: a window of a decade does not determine H, and the best H alone
would give intervals that are too short. H is free, not tied to the slope. Many runs recorded at the same
times are fitted together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import InputError, MeasureError
from sgdiffusion.measures.statistics.intervals import Estimate, student

Array = NDArray[np.float64]
LEAST_POINTS = 6  # below this an intercept, a slope and a correlation time are not three numbers

COLUMNS = {
    "run": "index of the run",
    "slope": "d ln R / d ln t, 1/d_walk",
    "low": "lower end of the slope's 95 % interval (correlated residuals)",
    "high": "upper end",
    "error": "standard error of the slope",
    "intercept": "ln R at t = 1 on the fitted line",
    "r2": "1 − residual/total sum of squares of ln R, the power law",
    "r2_brownian": "the same with the slope held at 1/2; negative: worse than a constant",
    "roughness": "H of the residuals' covariance, mean by likelihood: small if rough, 1 if smooth",
    "points": "recorded times in the window",
    "first": "first time of the window",
    "last": "last time of the window",
}


@dataclass(frozen=True)
class Correlation:
    """Covariances of residuals on a grid of a parameter, with their whitening matrices; they depend on the
    times alone.
    """

    values: Array
    """The parameter."""
    covariances: Array
    whiteners: Array
    log_dets: Array

    @classmethod
    def exponential(cls, times: Array) -> "Correlation":
        """exp(−|Δ ln t|/τ)."""
        u = np.log(times)
        gap, span = float(np.diff(u).mean()), float(u[-1] - u[0])
        # from uncorrelated neighbours to as long as the window; longer ones cannot be told from a change of R
        taus = np.geomspace(0.2 * gap, span, 24)
        return cls._of(taus, np.exp(-np.abs(u[:, None] - u[None, :])[None] / taus[:, None, None]))

    @classmethod
    def self_similar(cls, times: Array) -> "Correlation":
        """r_H(Δ ln t)²."""
        u, exponents = np.log(times), np.linspace(0.01, 0.96, 20)  # H → 0 is white
        lag, h = np.abs(u[:, None] - u[None, :])[None], exponents[:, None, None]
        r = np.cosh(h * lag) - 0.5 * (2 * np.sinh(lag / 2)) ** (2 * h)
        return cls._of(exponents, r**2 + 1e-9 * np.eye(len(u)))  # smooth ones are singular to rounding

    @classmethod
    def _of(cls, values: Array, covariances: Array) -> "Correlation":
        factors = np.linalg.cholesky(covariances)
        identity = np.broadcast_to(np.eye(covariances.shape[-1]), covariances.shape)
        whiteners: Array = np.linalg.solve(factors, identity).astype(np.float64)
        log_dets = 2 * np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
        return cls(values, covariances, whiteners, log_dets)


def log_likelihoods(correlation: Correlation, residuals: Array) -> Array:
    """Log-likelihood [values, runs] of residuals [runs, times], σ² at its maximum."""
    n = residuals.shape[1]
    white = np.einsum("kij,rj->kri", correlation.whiteners, residuals)
    variance = np.maximum((white**2).sum(-1) / n, 1e-300)  # an exact fit has no finite likelihood
    return -0.5 * (n * (np.log(2 * np.pi * variance) + 1) + correlation.log_dets[:, None])


def require_times(times: Array) -> None:
    """Refuse times that are not finite or do not increase."""
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all():
        raise InputError("times", f"found shape {times.shape}, or times that are not finite", "give a list")
    if not (np.diff(times) > 0).all():
        place = int(np.argmax(~(np.diff(times) > 0)))
        raise InputError(
            "times",
            f"entry {place + 1} is {times[place + 1]:g} after {times[place]:g}",
            "sort the records by time and leave repeated ones out",
        )


def window_of(times: ArrayLike, first: float, last: float) -> NDArray[np.bool_]:
    """The recorded times inside [first, last]; an error when there are too few to fit."""
    t = np.asarray(times, dtype=np.float64)
    require_times(t)
    inside = (t >= first) & (t <= last)
    if (t[inside] <= 0).any():
        raise InputError(
            "first", f"the window from {first:g} holds t = 0", "begin at the first positive time"
        )
    if inside.sum() < LEAST_POINTS:
        raise MeasureError(
            f"the window from step {first:g} to {last:g} holds {inside.sum()} of the {len(t)} recorded times "
            f"({t.min():g} to {t.max():g}): a fit needs {LEAST_POINTS}. Train longer, record more often or "
            "widen it"
        )
    return inside


def positive_curves(displacements: ArrayLike, times: Array) -> Array:
    curves = np.atleast_2d(np.asarray(displacements, dtype=np.float64))
    if curves.shape[1] != len(times):
        raise MeasureError(f"{len(times)} times need as many displacements, found {curves.shape[1]}")
    if not np.isfinite(curves).all() or curves.min() <= 0:
        bad = np.flatnonzero(~(np.isfinite(curves) & (curves > 0)).all(1))
        raise MeasureError(
            f"displacements of runs {bad[:5].tolist()} are not finite and positive everywhere: leave out "
            "diverged runs and times before the first step"
        )
    return curves


def power_laws(
    times: ArrayLike,
    displacements: ArrayLike,
    *,
    first: float,
    last: float,
    level: float = 0.95,
) -> pd.DataFrame:
    """R ∝ t^slope for each run of `displacements` [runs, times] in the window [first, last]; see COLUMNS."""
    t = np.asarray(times, dtype=np.float64)
    curves, inside = positive_curves(displacements, t), window_of(t, first, last)
    t, y = t[inside], np.log(curves[:, inside])
    correlation = Correlation.self_similar(t)
    x = np.stack([np.ones_like(t), np.log(t)], 1)
    ordinary = np.linalg.lstsq(x, y.T, rcond=None)[0].T
    weights, variances = _slope_variances(correlation, x, y)
    error = np.sqrt((weights * variances).sum(0))
    half = student(len(t) - 2, level) * error
    slope = ordinary[:, 1]
    table = pd.DataFrame(
        {
            "run": np.arange(len(y)),
            "slope": slope,
            "low": slope - half,
            "high": slope + half,
            "error": error,
            "intercept": ordinary[:, 0],
            "r2": _r2(y, ordinary @ x.T),
            "r2_brownian": _r2(y, _brownian(t, y)),
            "roughness": correlation.values @ weights,
            "points": len(t),
            "first": t[0],
            "last": t[-1],
        },
        columns=list(COLUMNS),
    )
    table.attrs["columns"] = dict(COLUMNS)
    return table


def _brownian(t: Array, y: Array) -> Array:
    half = 0.5 * np.log(t)[None]
    return half + (y - half).mean(1, keepdims=True)


def _r2(y: Array, fit: Array) -> Array:
    total = ((y - y.mean(1, keepdims=True)) ** 2).sum(1)
    return 1 - ((y - fit) ** 2).sum(1) / np.where(total > 0, total, np.nan)


def _slope_variances(correlation: Correlation, x: Array, y: Array) -> tuple[Array, Array]:
    """Weights by restricted likelihood, and squared errors of the ordinary slope, [values, runs] each.

    The latter are those of (XᵀX)⁻¹ Xᵀ K X (XᵀX)⁻¹ σ², with σ² from the whitened fit.
    """
    n, p = x.shape
    inverse = np.linalg.inv(x.T @ x)
    likelihoods, variances = np.empty((2, len(correlation.values), len(y)))
    for k, (whitener, covariance) in enumerate(
        zip(correlation.whiteners, correlation.covariances, strict=True)
    ):
        q, r = np.linalg.qr(whitener @ x)
        white = y @ whitener.T
        rest = np.maximum(((white - white @ q @ q.T) ** 2).sum(1), 1e-300)  # 0 for an exact fit
        likelihoods[k] = -0.5 * ((n - p) * np.log(rest) + correlation.log_dets[k])
        likelihoods[k] -= np.log(np.abs(np.diag(r))).sum()
        variances[k] = rest / (n - p) * (inverse @ x.T @ covariance @ x @ inverse)[1, 1]
    weights = np.exp(likelihoods - likelihoods.max(0))
    return weights / weights.sum(0), variances


def ensemble_law(
    times: ArrayLike,
    displacements: ArrayLike,
    *,
    first: float,
    last: float,
    power: float = 1.0,
    resamples: int = 400,
    generator: np.random.Generator,
    level: float = 0.95,
) -> Estimate:
    """Slope of ln⟨R^power⟩^{1/power} on ln t for an ensemble, with a bootstrap over its members.

    power 1 is the mean displacement of Fig. 1, 2 the root mean square of random walks. Members are
    independent, so that whole paths are resampled and no assumption on correlations in time is needed.
    """
    t = np.asarray(times, dtype=np.float64)
    curves, inside = positive_curves(displacements, t), window_of(t, first, last)
    means = resampled_means(curves[:, inside] ** power, resamples, generator)
    slopes = np.log(means) @ lever(np.log(t[inside])) / power
    return basic_interval(slopes, len(curves), level)


def lever(u: Array) -> Array:
    """Weights whose sum with y is the least-squares slope of y on u."""
    centred = u - u.mean()
    return np.asarray(centred / (centred**2).sum())


def resampled_means(curves: Array, resamples: int, generator: np.random.Generator) -> Array:
    """The mean over members of `curves` [members, times], then that of each bootstrap sample of members."""
    if len(curves) < 2:
        raise MeasureError("a bootstrap over members needs at least two paths")
    counts = generator.multinomial(len(curves), np.full(len(curves), 1 / len(curves)), size=resamples)
    return np.concatenate([curves.mean(0)[None], counts @ curves / len(curves)])


def basic_interval(values: Array, n: int, level: float = 0.95) -> Estimate:
    """The first value with the basic bootstrap interval of the others, 2 v − quantiles."""
    value = float(values[0])
    low, high = np.quantile(values[1:], [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, 2 * value - float(high), 2 * value - float(low), n)


def window_sensitivity(
    times: ArrayLike, displacements: ArrayLike, windows: Sequence[Sequence[float]]
) -> pd.DataFrame:
    """The table of `power_laws` for each window, one below the other.

    Windows are pairs of fractions of the last time, in columns `begin` and `end`.
    """
    last = float(np.asarray(times)[-1])
    parts = [
        power_laws(times, displacements, first=begin * last, last=end * last).assign(begin=begin, end=end)
        for begin, end in windows
    ]
    table = pd.concat(parts, ignore_index=True)
    table.attrs["columns"] = COLUMNS | {"begin": "first / last time of all", "end": "last / last time of all"}
    return table


def time_average(steps: ArrayLike, values: ArrayLike, *, last: float) -> Array:
    """λ̄ = (1/T)∫₀ᵀ λ dt (eq. 16) by the trapezoidal rule; before the first measurement λ is as at it.

    `values` [runs, steps].
    """
    t, v = np.asarray(steps, dtype=np.float64), np.atleast_2d(np.asarray(values, dtype=np.float64))
    if len(t) != v.shape[1] or len(t) < 1 or not (np.diff(t) > 0).all() or t[-1] > last:
        raise MeasureError(
            f"a time average needs increasing steps up to the end {last:g} and a value at each, found steps "
            f"{t.tolist()} and {v.shape[1]} values"
        )
    ends = np.concatenate([[0.0], t, [last]])
    padded = np.concatenate([v[:, :1], v, v[:, -1:]], 1)
    return np.trapezoid(padded, ends, axis=1) / last


def spectral_dimension(
    slope: ArrayLike, slope_error: ArrayLike, coefficient: ArrayLike, coefficient_error: ArrayLike
) -> tuple[Array, Array]:
    """d_s = 2 λ̄ · slope (eq. 17) and its standard error, the two factors' errors being independent."""
    s, ds, c, dc = (
        np.asarray(v, dtype=np.float64) for v in (slope, slope_error, coefficient, coefficient_error)
    )
    return 2 * c * s, 2 * np.sqrt((c * ds) ** 2 + (s * dc) ** 2)
