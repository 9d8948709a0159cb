"""A recorded path of weights: displacement, autocorrelation, spectrum, periodicity, variance ratio."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sgdiffusion.errors import UNREADABLE, InputError, brief
from sgdiffusion.figures.style import new_figure, plain_log_ticks, style
from sgdiffusion.library import recorder
from sgdiffusion.measures.trajectories import fluctuations, periodicity
from sgdiffusion.measures.trajectories.dimensions import require_times

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class Trajectory:
    """Snapshots of weights in the order of time; see :func:`trajectory`."""

    times: Array
    weights: Array
    """[snapshots, weights]: of those whose values were kept."""
    displacements: Array
    """‖w(t) − w(0)‖ over all weights."""

    def __repr__(self) -> str:
        n, d = self.weights.shape
        return (
            f"Trajectory\n  {n:,} snapshots of {d:,} weights, times {self.times[0]:g} to {self.times[-1]:g}\n"
            f"  displacement at the end {self.displacements[-1]:.4g}\n"
            "  .displacement() .autocorrelation() .spectrum() .periodicity() .variance_ratio() .after(time)"
        )

    def after(self, time: float) -> "Trajectory":
        """The path from a time on, displacements from there."""
        kept = self.times >= time
        if not kept.any():
            raise InputError(
                "time", f"{time:g} is after the last snapshot, {self.times[-1]:g}", "choose earlier"
            )
        return trajectory(self.weights[kept], self.times[kept])

    def displacement(self) -> pd.DataFrame:
        """R(t) = ‖w(t) − w(0)‖."""
        return _table(
            {
                "time": (self.times, "time of the snapshot"),
                "displacement": (self.displacements, "‖w(t) − w(0)‖"),
            }
        )

    def autocorrelation(self, lags: Any = None) -> pd.DataFrame:
        """r(τ) of the weights that move, biased estimator; ``lags`` in snapshots, default to a quarter."""
        moving, gap = self._moving()
        n = len(moving)
        if lags is None:
            lags = np.unique(np.geomspace(1, max(2, n // 4), 40).astype(int))
        if np.asarray(lags).dtype.kind not in "iu":
            raise InputError("lags", f"found {lags!r}", "give whole numbers of snapshots")
        found = fluctuations.autocorrelation(moving, np.asarray(lags))
        low, middle, high = np.quantile(found.values, [0.1, 0.5, 0.9], axis=1)
        band = np.full(len(low), fluctuations.white_band(n))
        return _table(
            {
                "lag": (np.asarray(lags) * gap, "time"),
                "mean": (found.values.mean(1), "mean over weights"),
                "low": (low, "10 % quantile over weights"),
                "median": (middle, "median over weights"),
                "high": (high, "90 % quantile over weights"),
                "white": (band, "half width of the 99 % band of independent values"),
            }
        )

    def spectrum(self) -> pd.DataFrame:
        """Amplitudes of the increments' spectrum, over weights; white noise has E[A²] = 1."""
        moving, gap = self._moving()
        found = fluctuations.increment_spectrum(moving)
        return _table(
            {
                "frequency": (found.frequency / gap, "cycles per unit of time"),
                "mean": (found.mean, "mean over weights of the amplitude"),
                "sd": (found.sd, "its standard deviation over weights"),
                "power": (found.power, "mean over weights of the squared amplitude"),
            }
        )

    def periodicity(self, **options: int) -> pd.DataFrame:
        """The strongest periodic component of each weight and its p-value, corrected for all frequencies and,
        as p_holm, for all weights (`measures.trajectories.periodicity.peaks`, whose options these are).
        """
        moving, gap = self._moving()
        found = periodicity.peaks(moving, **options)
        return _table(
            {
                "weight": (np.flatnonzero(fluctuations.moving(self.weights)), "index among those kept"),
                "frequency": (found.frequency / gap, "cycles per unit of time"),
                "ratio": (found.ratio, "power over the local level"),
                "p_value": (found.p_value, "corrected for the number of frequencies"),
                "p_holm": (found.p_holm, "and for the number of weights"),
            }
        )

    def variance_ratio(self, span: int = 10) -> pd.DataFrame:
        """Var(x_{k+q} − x_k)/(q Var(x_{k+1} − x_k)), q = ``span``: 1 for a random walk, less if bound."""
        moving, _ = self._moving()
        found = fluctuations.variance_ratio(moving, span)
        return _table(
            {
                "weight": (np.flatnonzero(fluctuations.moving(self.weights)), "index among those kept"),
                "ratio": (found.ratio, "1 for a random walk"),
                "p_value": (found.p_value, "two-sided, of a random walk"),
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """The displacements."""
        return self.displacement()

    @style()
    def plot(self) -> Figure:
        """Displacement on logarithmic axes, and the spectrum of the increments where times are even."""
        figure, (left, right) = new_figure(2, height=2.6, ncols=2)
        later = (self.times > 0) & (self.displacements > 0)
        left.loglog(self.times[later], self.displacements[later])
        left.set(xlabel="time", ylabel="‖w(t) − w(0)‖")
        spectrum = self.spectrum()
        right.loglog(spectrum["frequency"], spectrum["power"])
        plain_log_ticks(right.yaxis)
        right.axhline(1, color="0.6", linewidth=1, label="white noise")
        right.set(xlabel="cycles per unit of time", ylabel="power of the increments")
        figure.legend(loc="outside upper right")
        return figure

    def save(self, path: str | Path) -> Path:
        """Write an .npz file, which ``sd.trajectory`` reads."""
        target = Path(path)
        target = target if target.suffix == ".npz" else target.with_name(target.name + ".npz")
        np.savez(target, times=self.times, weights=self.weights, displacements=self.displacements)
        return target

    def _moving(self) -> tuple[Array, float]:
        """The weights that move, and the time between snapshots."""
        gaps = np.diff(self.times)
        if len(gaps) and not np.allclose(gaps, gaps[0], rtol=1e-6):
            raise InputError(
                "times",
                f"snapshots are between {gaps.min():g} and {gaps.max():g} apart",
                "record every so many steps: spectra and correlations need even times",
            )
        kept = fluctuations.moving(self.weights)
        if not kept.any():
            raise InputError("weights", "none moves beyond rounding", "record while the network trains")
        return self.weights[:, kept], float(gaps[0])


def _table(columns: dict[str, tuple[Any, str]]) -> pd.DataFrame:
    table = pd.DataFrame({name: values for name, (values, _) in columns.items()})
    table.attrs["columns"] = {name: words for name, (_, words) in columns.items()}
    return table


def trajectory(weights: Any, times: Any = None) -> Trajectory:
    """A path of weights, for the measurements that Chaudhari & Soatto (2018, Fig. 3) and Hennick & De
    Baerdemacker (2025) take of one.

    Arguments: ``weights``, a :class:`TrajectoryRecorder`, the file it wrote, a file of ``Trajectory.save``,
    or an array or tensor [snapshots, weights]; ``times`` of its snapshots (default 0, 1, 2, …).

    Returns a :class:`Trajectory`.

    >>> import numpy as np, sgdiffusion as sd
    >>> walk = np.random.default_rng(0).standard_normal((400, 5)).cumsum(0)
    >>> path = sd.trajectory(walk)
    >>> bool(abs(path.variance_ratio().ratio.mean() - 1) < 0.3)
    True
    """
    if isinstance(weights, recorder.TrajectoryRecorder):
        return _of_records(weights.records())
    if isinstance(weights, str | Path):
        return _of_file(Path(weights))
    values = weights.detach().cpu().numpy() if isinstance(weights, torch.Tensor) else np.asarray(weights)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiu":
        raise InputError(
            "weights", f"found shape {values.shape} of {values.dtype}", "give [snapshots, weights]"
        )
    values = values if values.dtype.kind == "f" else values.astype(np.float64)
    finite = np.isfinite(values).all(1)
    if not finite.all():
        raise InputError(
            "weights", f"snapshot {int(np.argmin(finite))} holds NaN or infinity", "cut it there"
        )
    try:
        moments = np.asarray(np.arange(len(values)) if times is None else times, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("times", f"they are no numbers ({error})", "give one number per snapshot") from error
    require_times(moments)
    if len(moments) != len(values):
        raise InputError("times", f"{len(moments)} times for {len(values)} snapshots", "give one for each")
    steps = np.linalg.norm(values.astype(np.float64) - values[0], axis=1)
    return Trajectory(moments, values, steps)


def _of_records(records: Array) -> Trajectory:
    if not len(records):
        raise InputError("weights", "the recording is empty", "call recorder.step() in the loop")
    plain = trajectory(np.ascontiguousarray(records["weights"]), records["step"])
    return Trajectory(plain.times, plain.weights, records["displacement"].copy())


def _of_file(path: Path) -> Trajectory:
    if path.suffix != ".npz":
        return _of_records(recorder.read(path))
    try:
        with np.load(path) as held:
            plain, displacements = trajectory(held["weights"], held["times"]), held["displacements"]
        if np.shape(displacements) != plain.times.shape or displacements.dtype.kind != "f":
            raise ValueError("no displacement of each snapshot")
    except (*UNREADABLE, KeyError) as error:
        raise InputError(
            "weights", f"{path} holds no trajectory ({brief(error)})", "give one of Trajectory.save"
        ) from error
    return Trajectory(plain.times, plain.weights, displacements)
