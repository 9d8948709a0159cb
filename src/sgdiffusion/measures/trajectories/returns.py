"""The spectral dimension d_s without λ: from returns, P(t) ∼ t^{−d_s/2}, and from the volume visited, ∼
t^{d_s/2}.

For paths in continuous space a return is a visit to the ball of a given radius about an earlier position, and
the volume visited is a number of such balls. Both need a path that has stopped drifting: over a drift every
return is lost and every step is new, whatever the dimension.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import Estimate, student
from sgdiffusion.measures.trajectories.dimensions import (
    LEAST_POINTS,
    basic_interval,
    lever,
    positive_curves,
    resampled_means,
    window_of,
)

Array = NDArray[np.float64]


def from_returns(table: pd.DataFrame, level: float = 0.95) -> Estimate:
    """d_s = −2 d ln P/d ln t by weighted least squares, each bin with the weight of its count.

    Columns `time`, `probability` and `count`, the number of returns seen in the bin.

    A bin's ln P has the variance 1/count where returns are rare and independent; the interval is inflated by
    √χ² per degree of freedom where they scatter more than that.
    """
    used = table[table["count"] > 0]
    if len(used) < LEAST_POINTS:
        raise MeasureError(
            f"returns were seen in {len(used)} of {len(table)} bins, a fit needs {LEAST_POINTS}: use a "
            "larger radius, longer paths or shorter lags"
        )
    u, y, w = np.log(used["time"]), np.log(used["probability"]), used["count"].to_numpy()
    centre = (w * u).sum() / w.sum()
    spread = (w * (u - centre) ** 2).sum()
    slope = float((w * (u - centre) * y).sum() / spread)
    residuals = y - slope * (u - centre) - (w * y).sum() / w.sum()
    inflation = max(1.0, float((w * residuals**2).sum()) / (len(used) - 2))
    half = 2 * float(student(len(used) - 2, level)) * np.sqrt(inflation / spread)
    return Estimate(-2 * slope, -2 * slope - half, -2 * slope + half, len(used))


def return_probability(
    path: ArrayLike, lags: Sequence[int] | NDArray[np.int64], radius: float
) -> pd.DataFrame:
    """P(lag) that ‖w(t + lag) − w(t)‖ < radius, over all t of one path [times, dimension] (or several, first
    axis).

    Columns time (the lag), probability, count (pairs inside).
    """
    paths = np.asarray(path, dtype=np.float64)
    paths = paths[None] if paths.ndim == 2 else paths
    if not 0 < max(lags) < paths.shape[1]:
        raise MeasureError(f"lags must be 1 to {paths.shape[1] - 1} on these paths, found {list(lags)}")
    rows = []
    for lag in lags:
        near = ((paths[:, lag:] - paths[:, :-lag]) ** 2).sum(-1) < radius**2
        rows.append((float(lag), float(near.mean()), float(near.sum())))
    return pd.DataFrame(rows, columns=["time", "probability", "count"])


def volume_visited(path: ArrayLike, radius: float) -> NDArray[np.int64]:
    """Balls of `radius` needed so far to cover a path [times, dimension], each centred where no ball
    reached.
    """
    points = np.asarray(path, dtype=np.float64)
    centres, counts, used = np.empty_like(points), np.empty(len(points), np.int64), 0
    for t, point in enumerate(points):
        if not used or ((centres[:used] - point) ** 2).sum(1).min() >= radius**2:
            centres[used] = point
            used += 1
        counts[t] = used
    return counts


def from_volume(
    times: ArrayLike,
    volumes: ArrayLike,
    *,
    first: float,
    last: float,
    resamples: int = 400,
    generator: np.random.Generator,
) -> Estimate:
    """d_s = 2 d ln⟨V⟩/d ln t over several paths [paths, times], for d_s < 2.

    The exponent is approached slowly. The interval is the union of two, both by a bootstrap over paths: that
    of the slope in the window, and that of its limit, extrapolated from the window's two halves in 1/ln t.

    Known limits: no path visits more than a ball a step, so that 2 is the largest value there is, and the
    interval is cut there; every path that hardly returns, a drift for one, gives about 2 whatever its
    dimension. At d_s = 2 itself, where V ∼ t/ln t, the interval stays short of 2.
    """
    t = np.asarray(times, dtype=np.float64)
    curves, inside = positive_curves(volumes, t), window_of(t, first, last)
    u = np.log(t[inside])
    logs = np.log(resampled_means(curves[:, inside], resamples, generator))
    early = u <= (u[0] + u[-1]) / 2
    slopes = [2 * logs[:, part] @ lever(u[part]) for part in (early, ~early)]
    ages = [u[part].mean() for part in (early, ~early)]
    limit = slopes[1] + (slopes[1] - slopes[0]) * ages[0] / (ages[1] - ages[0])
    law, ahead = (basic_interval(v, len(curves)) for v in (2 * logs @ lever(u), limit))
    low, high = max(0.0, min(law.low, ahead.low)), min(2.0, max(law.high, ahead.high))
    return Estimate(law.value, low, high, len(curves))
