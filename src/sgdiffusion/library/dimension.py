"""The walk dimension from displacements, for a training of one's own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sgdiffusion.errors import InputError
from sgdiffusion.figures.style import new_figure, plain_log_ticks, style
from sgdiffusion.inputs.numbers import require_whole
from sgdiffusion.library.results import Result
from sgdiffusion.library.trajectories import Trajectory
from sgdiffusion.measures.trajectories.dimensions import ensemble_law, power_laws, require_times

Array = NDArray[np.float64]
TIMES = 60  # of the fit: more, evenly spaced ones would weigh the end of the path alone
SHARE = 0.01  # of the last time, where the window begins by default


@dataclass(frozen=True, repr=False)
class WalkDimension(Result):
    """R ∝ t^slope and d_walk = 1/slope; see :func:`walk_dimension`."""

    slope: float
    """1/d_walk; over several runs that of their mean displacement."""
    low: float
    high: float
    """Ends of the 95 % interval: of correlated residuals for one run, a bootstrap over several."""
    table: pd.DataFrame
    """One row per run."""
    times: Array
    displacements: Array
    notes: tuple[str, ...] = ()

    @property
    def dimension(self) -> float:
        """d_walk."""
        return 1 / self.slope

    def summary(self) -> list[str]:
        row = self.table.iloc[0]
        highest = 1 / self.low if self.low > 0 else np.inf
        runs = f"{len(self.table)} runs" if len(self.table) > 1 else "one run"
        return [
            f"{runs}, {int(row['points'])} times from {row['first']:g} to {row['last']:g}",
            f"slope {self.slope:.4g} [{self.low:.4g}, {self.high:.4g}], 0.5 is Brownian",
            f"d_walk {self.dimension:.4g} [{1 / self.high:.4g}, {highest:.4g}]",
            f"R² of the power law {self.table['r2'].min():.4g} or more",
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row per run."""
        return self.table

    @style()
    def plot(self) -> Figure:
        """Displacements and the fitted power law."""
        figure, ax = new_figure(height=2.6)
        for i, curve in enumerate(self.displacements):
            ax.loglog(self.times, curve, color="0.6", linewidth=1, label="" if i else "recorded")
        first, last = self.table[["first", "last"]].iloc[0]
        window = np.array([first, last])
        level = float(np.exp(self.table["intercept"].mean()))
        ax.loglog(
            window, level * window**self.slope, label=f"t^{self.slope:.3f}, d_walk {self.dimension:.2f}"
        )
        ax.set(xlabel="time", ylabel="‖w(t) − w(0)‖")
        plain_log_ticks(ax.yaxis)
        figure.legend(loc="outside upper center", ncols=2)
        return figure


def _spread(times: Array, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of at most TIMES times of the window, even in ln t."""
    inside = np.flatnonzero(kept)
    if len(inside) <= TIMES:
        return inside
    wanted = np.geomspace(times[inside[0]], times[inside[-1]], TIMES)
    return np.unique(inside[np.searchsorted(times[inside], wanted * (1 - 1e-12))])


def _of_trajectories(given: Any) -> tuple[Array, Array]:
    """Common times, from the start, and displacements [runs, times]."""
    paths = list(given) if isinstance(given, list | tuple) else [given]
    if not paths or not all(isinstance(path, Trajectory) for path in paths):
        raise InputError(
            "times", "found None", "give the times of the displacements, or what sd.trajectory(…) returns"
        )
    times = [path.times - path.times[0] for path in paths]
    for run, own in enumerate(times):
        if not np.array_equal(own, times[0]):
            raise InputError(
                "displacements", f"run {run} has other times than run 0", "record all runs alike"
            )
    return times[0], np.stack([path.displacements for path in paths])


def walk_dimension(
    displacements: Any,
    times: Any = None,
    *,
    first: float | None = None,
    last: float | None = None,
    seed: int = 0,
) -> WalkDimension:
    """d_walk of R(t) = ‖w(t) − w(0)‖ ∝ t^{1/d_walk} (Hennick & De Baerdemacker 2025, eq. 17); 2 is Brownian.

    Arguments: ``displacements``, a :class:`Trajectory` (whose time counts from its start), a list of them for
    several runs, or R at ``times`` for one run [times] or several [runs, times]; the window
    from ``first`` (default: a hundredth of the last time) to ``last`` (default: the last time), of which at
    most 60 times, even in ln t, are fitted; ``seed`` of the bootstrap over runs.

    Returns a :class:`WalkDimension`. One path is one sample of a law over paths: that its interval holds for
    the ensemble is asked only of several runs.

    >>> import numpy as np, sgdiffusion as sd
    >>> walk = np.random.default_rng(0).standard_normal((2000, 60)).cumsum(0)
    >>> bool(abs(sd.walk_dimension(sd.trajectory(walk)).slope - 0.5) < 0.1)
    True
    """
    require_whole("seed", seed, 0)
    if times is None or isinstance(displacements, Trajectory):
        times, displacements = _of_trajectories(displacements)
    t, curves = np.asarray(times, np.float64), np.atleast_2d(np.asarray(displacements, np.float64))
    require_times(t)
    if curves.shape[1] != len(t):
        raise InputError("displacements", f"{curves.shape[1]} for {len(t)} times", "give one for each time")
    end = float(t[-1]) if last is None else last
    begin = SHARE * end if first is None else first
    kept = (t > 0) & (t >= begin) & (t <= end)
    if (curves[:, kept] <= 0).any() or not np.isfinite(curves[:, kept]).all():
        raise InputError(
            "displacements",
            "some in the window are not finite and positive",
            "begin later, leave out diverged runs",
        )
    chosen = _spread(t, kept)
    t, curves = t[chosen], curves[:, chosen]
    table = power_laws(t, curves, first=begin, last=end)
    if len(curves) == 1:
        slope, low, high = (float(table[name].iloc[0]) for name in ("slope", "low", "high"))
    else:
        slope, low, high, _ = ensemble_law(
            t, curves, first=begin, last=end, generator=np.random.default_rng(seed)
        )
    return WalkDimension(slope, low, high, table, t, curves)
