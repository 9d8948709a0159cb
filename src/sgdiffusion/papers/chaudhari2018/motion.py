"""What moves the weights behind Fig. 3: how far they get, whether they come back, whether they go round.

The paper reads the low-frequency modes of Fig. 3a as limit cycles. A loop returns, and it has a sense of
rotation; a drift does neither. Both are measured beside processes without any cycle.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.measures.trajectories import circulation as turning
from sgdiffusion.measures.trajectories import drift
from sgdiffusion.measures.trajectories.fluctuations import autocorrelation
from sgdiffusion.measures.trajectories.nulls import covariant_brownian
from sgdiffusion.papers.tables import documented

Array = NDArray[Any]
SGD, WHITE, BROWNIAN, OU = "SGD", "white noise", "Brownian motion", "Ornstein–Uhlenbeck fit"
LESS_TREND = ", cubic trend removed"
ONE_SCALE = ", all weights on one scale"
LONGEST = 3  # a displacement is followed to a third of the path, so that a cycle is seen three times

WALKS, WALK_STEPS, WALK_WEIGHTS = 400, 200, 50
# 99 % regions of 400 walks have two of them outside at each end; a Brownian path looks the same when its
# steps are summed, so 200 coarse steps serve; every few of the weights stand for all

WINDOW, COMPONENTS, PER_COMPONENT = 2000, 40, 200
# snapshots of the moving mean that takes out the drift: slower cycles are left to the displacement, which
# sees them; leading directions of what is left, fewer where a path is so short that noise would rotate
SEGMENTS, SURROGATES = 16, 999  # longer than the moving mean, many enough for p-values of 0.1 %
LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500)

DISPLACEMENT_COLUMNS = {
    "seed": "number of the training run",
    "series": f"{SGD}: all moving weights; {BROWNIAN}: mean over walks with the covariance of SGD's steps; "
    f"{OU}: independent fitted paths",
    "lag": "epochs",
    "displacement": "D = √⟨‖x_{k+τ} − x_k‖²⟩ over that at one snapshot; √τ for Brownian motion",
    "smallest": "min_k ‖x_{k+τ} − x_k‖ in the same unit, over 500 starts",
    "fall": "largest 1 − D(τ)/D(τ′), τ′ < τ ≤ lag: how far it has fallen back (Brownian: 99 % quantile)",
}
CIRCULATION_COLUMNS = {
    "seed": "number of the training run",
    "lag": "epochs",
    "correlation": "of the antisymmetric parts of the lagged covariance between segments of the path",
    "planes": "Σ_{i<j} A_ij A′_ij: planes of coherent rotation among the leading components",
    "leading": "A′ in the plane where A rotates most: 1 for a plane in which all variance rotates",
    "low": "2.5 % quantile of the correlation with segments run backwards at random",
    "high": "97.5 % quantile",
    "p_value": "of the largest correlation of all lags among the surrogates' largest ones",
}


def common_walks(path: Array, generator: np.random.Generator) -> Array:
    """Brownian paths (walks, steps, weights) with the measured covariance of the weights' steps."""
    chosen = np.unique(np.linspace(0, path.shape[1] - 1, WALK_WEIGHTS).astype(int))
    covariance = np.atleast_2d(np.cov(np.diff(path[:, chosen].astype(np.float64), axis=0).T))
    return covariant_brownian(generator, covariance, WALK_STEPS, WALKS)


def common_autocorrelation(walks: Array, lags: Array, n: int) -> Array:
    """Mean over weights of the autocorrelation of each walk, (lags, walks), at lags of a path of n."""
    coarse = np.arange(WALK_STEPS)
    flat = walks.transpose(1, 0, 2).reshape(WALK_STEPS, -1)
    means = autocorrelation(flat, coarse).values.reshape(WALK_STEPS, len(walks), -1).mean(axis=2)
    return np.stack([np.interp(lags * WALK_STEPS / n, coarse, mean) for mean in means.T], axis=1)


def displacement_table(series: Mapping[str, Array], walks: Array, every: int, seed: int) -> pd.DataFrame:
    """Displacement against the lag of each of `series` and of the walks, to a third of the path."""
    n = len(series[SGD])
    longest = n // LONGEST
    lags = np.unique(np.geomspace(1, longest, 60).astype(int))
    parts = [_displacements(path, lags).assign(series=name) for name, path in series.items()]
    parts.append(_walk_displacements(walks, n).assign(series=BROWNIAN))
    table = pd.concat(parts, ignore_index=True).assign(seed=seed)
    return documented(table.assign(lag=table["lag"] * every), DISPLACEMENT_COLUMNS)


def _displacements(path: Array, lags: Array) -> pd.DataFrame:
    squares = drift.squared_displacement(path, int(lags[-1]))
    unit = np.sqrt(squares[1])
    smallest = [drift.smallest_displacement(path, int(lag)) for lag in lags]
    columns = {"lag": lags, "displacement": np.sqrt(squares[lags]) / unit, "smallest": smallest / unit}
    return pd.DataFrame({**columns, "fall": drift.falls(squares)[lags]})


def _walk_displacements(walks: Array, n: int) -> pd.DataFrame:
    """A step of the walks is `n / WALK_STEPS` snapshots, and D grows as the root of the lag up to there."""
    lags, step = np.arange(1, WALK_STEPS // LONGEST + 1), n / WALK_STEPS
    shown = np.mean([_displacements(walk, lags) for walk in walks[:20]], axis=0)
    falls = [drift.falls(drift.squared_displacement(walk, int(lags[-1])))[lags] for walk in walks]
    columns = {"lag": np.round(step * lags), "displacement": np.sqrt(step) * shown[:, 1]}
    fall = np.quantile(falls, 0.99, axis=0)
    return pd.DataFrame({**columns, "smallest": np.sqrt(step) * shown[:, 2], "fall": fall})


def circulation_table(path: Array, every: int, generator: np.random.Generator, seed: int) -> pd.DataFrame:
    """Irreversibility of what is faster than the moving mean, against reversible surrogates."""
    window = min(WINDOW, len(path) // 20)
    parts = turning.fast_components(path, window, max(4, min(COMPONENTS, len(path) // PER_COMPONENT)))
    lags = [lag for lag in LAGS if lag <= min(window, len(parts) // SEGMENTS) // 4]
    found = turning.circulation(parts, lags, SEGMENTS, SURROGATES, generator)
    low, high = np.quantile(found.reversed, [0.025, 0.975], axis=0)
    beyond = found.reversed.max(axis=1) >= found.correlation.max()
    columns = {"lag": every * np.array(lags), **found._asdict()}
    del columns["reversed"]
    facts = {
        "seed": seed,
        **columns,
        "low": low,
        "high": high,
        "p_value": (1 + beyond.sum()) / (1 + SURROGATES),
    }
    return documented(pd.DataFrame(facts), CIRCULATION_COLUMNS)
