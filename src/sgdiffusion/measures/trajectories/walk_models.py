"""Which law does R(t) follow? Power law, Brownian motion, logarithm and stretched saturation compared.

Every model is fitted to ln R by least squares. Two criteria: the Bayesian information criterion of a Gaussian
likelihood whose residuals are correlated in ln t (measures.dimensions), and the error of predicting the last
part of the window from a fit to the rest.

    power       R = A t^s
    brownian    R = A t^{1/2}
    logarithm   R = A + B ln t
    stretched   R = A (1 − exp{−(t/θ)^κ})
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories.dimensions import (
    LEAST_POINTS,
    Correlation,
    log_likelihoods,
    positive_curves,
    window_of,
)

Array = NDArray[np.float64]
MODELS = ("power", "brownian", "logarithm", "stretched")

COLUMNS = {
    "run": "index of the run",
    "model": "power, brownian, logarithm or stretched",
    "parameters": "free parameters of the mean",
    "r2": "1 − residual/total sum of squares of ln R",
    "log_likelihood": "with residuals correlated in ln t, at its maximum over scale and correlation time",
    "bic": "(parameters + 2) ln n − 2 log-likelihood; smaller is better",
    "delta_bic": "above the best model of the run",
    "held_out": "root mean square error of ln R where it was not fitted (the last part of the window)",
    "exponent": "s, 1/2, d ln R/d ln t at the end of the window for the others",
}


@dataclass(frozen=True)
class _Model:
    parameters: int
    start: Callable[[Array, Array], Array]
    curve: Callable[[Array, Array], Array]
    """ln R of ln t and the parameters; these are unconstrained."""


def _line(u: Array, y: Array) -> Array:
    return np.asarray(np.polynomial.polynomial.polyfit(u, y, 1), dtype=np.float64)


def _logarithm_start(u: Array, y: Array) -> Array:
    level, slope = np.polynomial.polynomial.polyfit(u, np.exp(y), 1)
    slope = max(slope, 1e-3 * float(np.exp(y).mean()))  # R that does not grow has no logarithm: nearly flat
    return np.array([np.log(slope), min(-level / slope, float(u.min()) - 1e-3)])


def _logarithm(u: Array, p: Array) -> Array:
    """R = e^{p₀} (ln t − p₁); where that would not be positive, a steep line that leads back."""
    gap = u - p[1]
    return p[0] + np.where(gap > 1e-6, np.log(np.maximum(gap, 1e-6)), np.log(1e-6) + 1e3 * (gap - 1e-6))


def _stretched_start(u: Array, y: Array) -> Array:
    return np.array([y.max() + 0.3, u.mean(), np.log(0.7)])


def _stretched(u: Array, p: Array) -> Array:
    reach = np.exp(np.clip(np.exp(np.clip(p[2], -7, 3)) * (u - p[1]), -60, 60))
    return p[0] + np.log(-np.expm1(-np.minimum(reach, 700)))


_MODELS = {
    "power": _Model(2, _line, lambda u, p: p[0] + p[1] * u),
    "brownian": _Model(1, lambda u, y: np.array([(y - 0.5 * u).mean()]), lambda u, p: p[0] + 0.5 * u),
    "logarithm": _Model(2, _logarithm_start, _logarithm),
    "stretched": _Model(3, _stretched_start, _stretched),
}


def _fit(model: _Model, u: Array, y: Array) -> Array:
    start = model.start(u, y)
    if model.parameters <= 2 and model.curve is not _logarithm:
        return start  # linear: the start is the least-squares solution
    return least_squares(lambda p: model.curve(u, p) - y, start, max_nfev=400).x


def _exponent(model: _Model, u: Array, p: Array) -> float:
    step = 1e-4
    before, after = model.curve(np.array([u[-1] - step, u[-1]]), p)
    return float((after - before) / step)


def compare(
    times: ArrayLike, displacements: ArrayLike, *, first: float, last: float, held_out: float = 0.25
) -> pd.DataFrame:
    """All models on each run of `displacements` [runs, times]; `held_out` is the share of points
    predicted.
    """
    t = np.asarray(times, dtype=np.float64)
    curves, inside = positive_curves(displacements, t), window_of(t, first, last)
    u, y = np.log(t[inside]), np.log(curves[:, inside])
    cut = round(len(u) * (1 - held_out))
    if cut < LEAST_POINTS or cut == len(u):
        raise MeasureError(
            f"holding out {held_out:.0%} of {len(u)} points leaves {cut} to fit: need {LEAST_POINTS} and one "
            "more"
        )
    correlation = Correlation.exponential(t[inside])
    parts = [_model_table(name, u, y, cut, correlation) for name in MODELS]
    table = pd.concat(parts, ignore_index=True)
    table["delta_bic"] = table["bic"] - table.groupby("run")["bic"].transform("min")
    table = table.sort_values(["run", "bic"], ignore_index=True)[list(COLUMNS)]
    table.attrs["columns"] = dict(COLUMNS)
    return table


def _model_table(name: str, u: Array, y: Array, cut: int, correlation: Correlation) -> pd.DataFrame:
    model = _MODELS[name]
    solutions = [_fit(model, u, row) for row in y]
    residuals = y - np.stack([model.curve(u, p) for p in solutions])
    ahead = [model.curve(u, _fit(model, u[:cut], row[:cut]))[cut:] for row in y]
    likelihood = log_likelihoods(correlation, residuals).max(0)
    total = ((y - y.mean(1, keepdims=True)) ** 2).sum(1)
    return pd.DataFrame(
        {
            "run": np.arange(len(y)),
            "model": name,
            "parameters": model.parameters,
            "r2": 1 - (residuals**2).sum(1) / total,
            "log_likelihood": likelihood,
            "bic": (model.parameters + 2) * np.log(len(u)) - 2 * likelihood,
            "held_out": np.sqrt(((np.stack(ahead) - y[:, cut:]) ** 2).mean(1)),
            "exponent": [_exponent(model, u, p) for p in solutions],
        }
    )
