"""Walk and spectral dimensions from displacements R(t) = ‖w(t) − w(0)‖ (Hennick & De Baerdemacker 2025).

    R ∼ t^{1/d_walk},   d_walk = 2λ̄/d_s   (Alexander & Orbach),   so   ln R = (d_s/2λ̄) ln t + c   (eq. 17):

d_s is 2λ̄ times the log-log slope, and d_s ≤ λ̄ says no more than slope ≤ 1/2.

The points of one path are correlated, so that the error of an ordinary fit is far too small. Residuals are
taken as a stationary process in ln t with the covariance σ² exp(−|Δ ln t|/τ); τ is the maximum of the
restricted likelihood on a grid. The slope is that of ordinary least squares, as in the paper; its error is
that of this covariance. Many runs recorded at the same times are fitted together.
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
    "correlation_time": "τ of the residuals, in ln t",
    "points": "recorded times in the window",
    "first": "first time of the window",
    "last": "last time of the window",
}


@dataclass(frozen=True)
class Correlation:
    """Whitening matrices of exp(−|Δ ln t|/τ) on a grid of τ; they depend on the times alone."""

    times: Array
    taus: Array
    covariances: Array
    whiteners: Array
    log_dets: Array

    @classmethod
    def at(cls, times: Array) -> "Correlation":
        u = np.log(times)
        gap, span = float(np.diff(u).mean()), float(u[-1] - u[0])
        # from uncorrelated neighbours to as long as the window; longer ones cannot be told from a change of R
        taus = np.geomspace(0.2 * gap, span, 24)
        covariances = np.exp(-np.abs(u[:, None] - u[None, :])[None] / taus[:, None, None])
        factors = np.linalg.cholesky(covariances)
        identity = np.broadcast_to(np.eye(len(u)), covariances.shape)
        whiteners: Array = np.linalg.solve(factors, identity).astype(np.float64)
        log_dets = 2 * np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
        return cls(times, taus, covariances, whiteners, log_dets)


def log_likelihoods(correlation: Correlation, residuals: Array) -> Array:
    """Log-likelihood [τ, runs] of residuals [runs, times], σ² at its maximum."""
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
    correlation = Correlation.at(t)
    x = np.stack([np.ones_like(t), np.log(t)], 1)
    ordinary = np.linalg.lstsq(x, y.T, rcond=None)[0].T
    best = _restricted_best(correlation, x, y)
    error = _slope_error(correlation, x, y, best)
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
            "correlation_time": correlation.taus[best],
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


def _restricted_best(correlation: Correlation, x: Array, y: Array) -> NDArray[np.int64]:
    """Index of the τ that maximises the restricted likelihood, for each run."""
    n, p = x.shape
    values = np.empty((len(correlation.taus), len(y)))
    for k, whitener in enumerate(correlation.whiteners):
        wx, wy = whitener @ x, y @ whitener.T
        q, r = np.linalg.qr(wx)
        rest = ((wy - wy @ q @ q.T) ** 2).sum(1)
        log_rest = np.log(np.maximum(rest, 1e-300))
        values[k] = -0.5 * ((n - p) * log_rest + correlation.log_dets[k]) - np.log(np.abs(np.diag(r))).sum()
    return values.argmax(0)


def _slope_error(correlation: Correlation, x: Array, y: Array, best: NDArray[np.int64]) -> Array:
    """Standard error of the ordinary slope [runs]: (XᵀX)⁻¹ Xᵀ K X (XᵀX)⁻¹ σ², σ² from the whitened fit."""
    error = np.empty(len(y))
    n, p = x.shape
    inverse = np.linalg.inv(x.T @ x)
    for k in np.unique(best):
        rows = best == k
        whitener, covariance = correlation.whiteners[k], correlation.covariances[k]
        wx, wy = whitener @ x, y[rows] @ whitener.T
        general = np.linalg.lstsq(wx, wy.T, rcond=None)[0].T
        variance = ((wy - general @ wx.T) ** 2).sum(1) / (n - p)
        spread = inverse @ x.T @ covariance @ x @ inverse
        error[rows] = np.sqrt(variance * spread[1, 1])
    return error


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
    moments, u = curves[:, inside] ** power, np.log(t[inside])
    lever = (u - u.mean()) / ((u - u.mean()) ** 2).sum()
    slope = float(np.log(moments.mean(0)) @ lever / power)
    if len(curves) < 2:
        raise MeasureError("a bootstrap over members needs at least two paths")
    counts = generator.multinomial(len(curves), np.full(len(curves), 1 / len(curves)), size=resamples)
    slopes = np.log(counts @ moments / len(curves)) @ lever / power
    low, high = np.quantile(slopes, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(slope, 2 * slope - float(high), 2 * slope - float(low), len(curves))


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
