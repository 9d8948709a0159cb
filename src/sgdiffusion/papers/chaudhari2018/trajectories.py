"""Figure 3 of Chaudhari & Soatto (2018): long trajectories of tiny-fc, their nulls and their tests.

Weights of one trajectory move together, so they are never counted as replicas: intervals are over seeds, and
tests over weights are corrected in a way that allows any dependence (Holm). Weights that do not move by more
than rounding (biases before batch-norm, weights of constant pixels) are left out and counted.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion.config.models import Training
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.gradient_norms import MODES, gradient_norms
from sgdiffusion.measures.statistics.intervals import geometric_mean_interval, mean_interval
from sgdiffusion.measures.statistics.multiple import holm
from sgdiffusion.measures.trajectories import fluctuations as measures
from sgdiffusion.measures.trajectories.nulls import Fit, brownian, fit_ar1, ornstein_uhlenbeck
from sgdiffusion.measures.trajectories.periodicity import Peaks, peaks
from sgdiffusion.papers.tables import QUANTITY_COLUMNS, documented, estimated, shares_bounded
from sgdiffusion.papers.task import Task
from sgdiffusion.streams import generator

Array = NDArray[Any]
SGD, WHITE, BROWNIAN, OU = "SGD", "white noise", "Brownian motion", "Ornstein–Uhlenbeck fit"
SPANS = (10, 100, 1000)  # snapshots, of the variance ratios; those above a tenth of the length are left out
PATHS = 200  # of each null: 99 % of single paths are then known to about half a per cent
LEVEL = 0.01  # of the tests, as the paper's bands are of 99 %

_SEED = {"seed": "number of the training run"}
SPECTRUM_COLUMNS = {
    **_SEED,
    "series": f"{SGD}: all moving weights; {WHITE}, {OU}: independent paths of the same length and burn-in",
    "frequency": "cycles per epoch, centre of a bin",
    "mean": "mean over weights of A = |FFT of x_{k+1} − x_k|/(s √n), s the weight's s.d. of increments",
    "sd": "s.d. of A over weights",
    "power": "mean over weights of A²; white noise has 1",
}
AUTOCORRELATION_COLUMNS = {
    **_SEED,
    "series": f"{SGD}: all moving weights; {BROWNIAN}, {OU}: independent paths of same length and burn-in",
    "lag": "epochs",
    "mean": "mean over weights of r = Σ(x_k − x̄)(x_{k+τ} − x̄)/Σ(x_k − x̄)²",
    "sd": "s.d. of r over weights",
    "low": "0.5 % quantile of r over weights or paths",
    "high": "99.5 % quantile",
    "band": "half width of the 99 % band 2.576/√n of independent values",
    "bartlett": "half width of Bartlett's 99 % band given the mean r at smaller lags",
}
WEIGHT_COLUMNS = {
    **_SEED,
    "weight": "index in x",
    "phi": "φ of x_{k+1} − m = φ(x_k − m) + σξ_k, least squares, k in snapshots",
    "decorrelation": "first lag with r < 1/e, epochs",
    "decorrelation_p": "its two-sided p-value among Brownian paths (Monte Carlo)",
    "ratio": "variance ratio at the longest span",
    "ratio_p": "Lo–MacKinlay p-value, the smallest of all spans times their number",
    "ratio_p_holm": "the same, Holm over weights",
    "peak_frequency": "strongest line of the increments, cycles per epoch",
    "peak_ratio": "its power over the local level of the noise",
    "peak_p_holm": "p-value, corrected for frequencies (Bonferroni) and weights (Holm)",
}
GRADIENT_COLUMNS = {
    **_SEED,
    "epoch": "finished epochs",
    "mode": "batch-norm with running statistics (evaluation) or with those of the whole set (training)",
    "norm": "‖∇f(x_k)‖/√d, f the mean cross-entropy over the training set, nats per unit weight",
}


class Tables(NamedTuple):
    """Everything that Figs 3a, 3b and their tests need, of one seed."""

    spectrum: pd.DataFrame
    autocorrelation: pd.DataFrame
    weights: pd.DataFrame


def seed_tables(
    module: nn.Module,
    history: Mapping[str, Array],
    settings: Training,
    data: tuple[Tensor, Tensor],
    generator: np.random.Generator,
    seed: int,
) -> tuple[Tables, pd.DataFrame]:
    """Everything of one seed's training: the tables of its trajectory and the norms of its full gradient."""
    tables = trajectory_tables(
        history["weights"], history["epochs"], burn_in=settings.burn_in, generator=generator, seed=seed
    )
    return tables, gradient_table(module, history, *data, seed=seed)


def trajectory_tables(
    weights: Array, epochs: Array, *, burn_in: int, generator: np.random.Generator, seed: int = 0
) -> Tables:
    """Spectrum, autocorrelation and tests of one trajectory (snapshots, d), its nulls beside it.

    `epochs` are the finished epochs at the snapshots, evenly spaced; `burn_in` of them are discarded. The
    nulls have the same number of snapshots after the same burn-in.
    """
    every = _spacing(epochs)
    kept = measures.after_burn_in(weights, epochs, burn_in)
    mask = measures.moving(kept)
    if not mask.any():
        raise MeasureError("no weight moves by more than rounding after the burn-in: nothing to measure")
    path = kept[:, mask]
    fit = fit_ar1_blockwise(path)
    walks = brownian(generator, len(path), PATHS, burn_in // every)
    bound = ornstein_uhlenbeck(generator, len(path), fit, PATHS, burn_in // every)
    spectrum = _spectrum_table({SGD: path, WHITE: walks, OU: bound}, every, seed)
    autocorrelation, times = _autocorrelation_table({SGD: path, BROWNIAN: walks, OU: bound}, every, seed)
    facts = {"weight": np.flatnonzero(mask), "phi": fit.phi, "decorrelation": times[SGD] * every}
    facts["decorrelation_p"] = measures.monte_carlo_p(times[SGD], times[BROWNIAN])
    facts |= _brownian_tests(path) | _lines(peaks(path), every)
    return Tables(spectrum, autocorrelation, documented({"seed": seed, **facts}, WEIGHT_COLUMNS))


def fit_ar1_blockwise(path: Array) -> Fit:
    """`fit_ar1` in blocks of weights: the double-precision copies of a long trajectory are large."""
    starts = range(0, path.shape[1], measures.BLOCK)
    parts = [fit_ar1(path[:, start : start + measures.BLOCK]) for start in starts]
    return Fit(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _spacing(epochs: Array) -> int:
    steps = np.unique(np.diff(epochs))
    if len(steps) != 1 or steps[0] < 1:
        raise MeasureError(f"snapshots must be evenly spaced in epochs, found spacings {steps[:5].tolist()}")
    return int(steps[0])


def _spectrum_table(series: Mapping[str, Array], every: int, seed: int) -> pd.DataFrame:
    parts = []
    for name, paths in series.items():
        spectrum = measures.increment_spectrum(paths)
        part = pd.DataFrame(_binned(spectrum)).assign(seed=seed, series=name)
        part["frequency"] /= every
        parts.append(part)
    return documented(pd.concat(parts, ignore_index=True), SPECTRUM_COLUMNS)


def _binned(spectrum: measures.Spectrum, per_decade: int = 40) -> dict[str, Array]:
    """Means over logarithmic bins of frequency; the lowest frequencies stay single."""
    f = spectrum.frequency
    index = np.floor(per_decade * np.log10(f / f[0]) + 0.5).astype(int)
    _, member = np.unique(index, return_inverse=True)
    counts = np.bincount(member)
    return {name: np.bincount(member, values) / counts for name, values in spectrum._asdict().items()}


def _autocorrelation_table(
    series: Mapping[str, Array], every: int, seed: int
) -> tuple[pd.DataFrame, dict[str, Array]]:
    n = len(series[SGD])
    lags = np.unique(np.concatenate([np.arange(1 + n // 20), np.linspace(0, n - 1, 400).astype(int)]))
    parts, times = [], {}
    for name, paths in series.items():
        found = measures.autocorrelation(paths, lags)
        times[name] = found.decorrelation
        mean = found.values.mean(axis=1)
        low, high = np.quantile(found.values, [0.005, 0.995], axis=1)
        facts = {"lag": lags * every, "mean": mean, "sd": found.values.std(axis=1), "low": low, "high": high}
        bartlett = measures.bartlett_band(mean, lags, n)
        parts.append(pd.DataFrame(facts).assign(bartlett=bartlett, seed=seed, series=name))
    table = pd.concat(parts, ignore_index=True).assign(band=measures.white_band(n))
    return documented(_thinned(table), AUTOCORRELATION_COLUMNS), times


def _thinned(table: pd.DataFrame, most: int = 800) -> pd.DataFrame:
    """At most so many lags per series: all the small ones, every few of the rest."""
    lags = np.unique(table["lag"])
    if len(lags) <= most:
        return table
    few = np.unique(
        np.concatenate([lags[: most // 4], lags[np.linspace(0, len(lags) - 1, most // 2).astype(int)]])
    )
    return table[table["lag"].isin(few)].reset_index(drop=True)


def _brownian_tests(path: Array) -> dict[str, Array]:
    spans = [q for q in SPANS if q <= (len(path) - 1) // 10] or [2]
    found = [measures.variance_ratio(path, q) for q in spans]
    smallest = np.minimum(1.0, len(spans) * np.min([f.p_value for f in found], axis=0))
    return {"ratio": found[-1].ratio, "ratio_p": smallest, "ratio_p_holm": holm(smallest)}


def _lines(found: Peaks, every: int) -> dict[str, Array]:
    return {
        "peak_frequency": found.frequency / every,
        "peak_ratio": found.ratio,
        "peak_p_holm": found.p_holm,
    }


def gradient_table(
    module: nn.Module, history: Mapping[str, Array], x: Tensor, y: Tensor, *, points: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Fig 3c: ‖∇f(x_k)‖/√d of the whole training set at log-spaced epochs, no burn-in removed, both modes."""
    epochs = history["epochs"]
    wanted = np.geomspace(max(1, epochs[1]), epochs[-1], points)
    rows = np.unique(np.searchsorted(epochs, np.floor(wanted)).clip(0, len(epochs) - 1))
    weights, buffers = history["weights"][rows], history["buffers"][rows]
    parts = [
        pd.DataFrame(
            {"epoch": epochs[rows], "norm": gradient_norms(module, weights, buffers, x, y, mode)}
        ).assign(seed=seed, mode=mode)
        for mode in MODES
    ]
    return documented(pd.concat(parts, ignore_index=True), GRADIENT_COLUMNS)


def quantities(
    tables: Sequence[Tables], gradients: pd.DataFrame, *, burn_in: int, name: str = "fig3"
) -> pd.DataFrame:
    """The numbers behind Fig. 3's claims: each seed's value, then mean and t interval over seeds."""
    per_seed = [
        _spectrum_numbers(t.spectrum)
        | _autocorrelation_numbers(t.autocorrelation)
        | _weight_numbers(t.weights)
        for t in tables
    ]
    falls = [_falls(part, burn_in) for _, part in gradients.groupby("seed")]
    rows = []
    for numbers, mean in ((per_seed, mean_interval), (falls, geometric_mean_interval)):
        for key, (_, unit) in numbers[0].items():
            rows.append(estimated(f"{name}{key}", mean([n[key][0] for n in numbers]), unit=unit))
    return pd.DataFrame(rows, columns=QUANTITY_COLUMNS)


Numbers = dict[str, tuple[float, str]]


def _spectrum_numbers(spectrum: pd.DataFrame) -> Numbers:
    out: Numbers = {}
    for series, suffix in ((SGD, ""), (WHITE, "_white_noise"), (OU, "_ornstein_uhlenbeck")):
        part = spectrum[spectrum["series"] == series]
        f, power = part["frequency"].to_numpy(), part["power"].to_numpy()
        cycles, share = f / f.min(), f / f.max()
        bands = {
            "drift": cycles < 10,  # fewer than ten cycles in the whole trajectory
            "slow": (cycles >= 10) & (share <= 0.02),  # up to a hundredth of a cycle per snapshot
            "fast": share >= 0.5,  # from a quarter of a cycle per snapshot on
        }
        for band, inside in bands.items():
            if not inside.any():
                raise MeasureError(
                    f"the trajectory is too short for Fig. 3: {round(1 / f.min())} epochs after the burn-in "
                    f"hold no frequency of the {band} band; train for more epochs"
                )
            out[f"a.{band}_power{suffix}"] = (float(power[inside].mean()), "white noise = 1")
        out[f"a.slope_high{suffix}"] = (_slope(0.5 * share, power), "d log A / d log f")
    return out


def _slope(f: Array, power: Array) -> float:
    """Slope of log amplitude on log frequency for f ≥ 0.1 of the binned spectrum, bins weighted equally."""
    inside = f >= 0.1
    return float(np.polyfit(np.log10(f[inside]), 0.5 * np.log10(power[inside]), 1)[0])


def _autocorrelation_numbers(table: pd.DataFrame) -> Numbers:
    by = {name: part.set_index("lag") for name, part in table.groupby("series")}
    sgd = by[SGD]
    # the paper speaks of very large lags: those of the second tenth to the half of the trajectory
    longest = float(sgd.index.max())
    lags = sgd.index[(sgd.index >= 0.1 * longest) & (sgd.index <= 0.5 * longest)]
    mean = sgd["mean"].loc[lags]
    out: Numbers = {
        "b.outside_white_band": (float((mean.abs() > sgd["band"].loc[lags]).mean()), "share of lags")
    }
    for series, suffix in ((BROWNIAN, "brownian"), (OU, "ornstein_uhlenbeck")):
        null = by[series].loc[lags]
        outside = (mean < null["low"]) | (mean > null["high"])
        out[f"b.outside_{suffix}"] = (float(outside.mean()), "share of lags")
        below = null["mean"].abs() > null["band"]
        out[f"b.outside_white_band_{suffix}"] = (float(below.mean()), "share of lags")
    return out


def _weight_numbers(weights: pd.DataFrame) -> Numbers:
    share = "share of moving weights"
    return {
        "a.periodic_weights": (float((weights["peak_p_holm"] < LEVEL).mean()), share),
        "b.not_brownian_weights": (float((weights["ratio_p_holm"] < LEVEL).mean()), share),
        "b.variance_ratio": (float(weights["ratio"].median()), "Brownian motion = 1"),
        "b.decorrelation": (float(weights["decorrelation"].median()), "epochs"),
        "b.moving_weights": (float(len(weights)), "weights"),
    }


def _falls(gradients: pd.DataFrame, burn_in: int) -> Numbers:
    """Falls of ‖∇f‖/√d between geometric means: first three epochs, octave after the burn-in, last octave."""
    out: Numbers = {}
    for mode, part in gradients.groupby("mode"):
        epoch, norm = part["epoch"].to_numpy(), part["norm"].to_numpy()
        windows = {
            "start": epoch <= max(3, epoch.min()),
            "burnt": (epoch >= burn_in) & (epoch <= 2 * burn_in),
            "end": epoch >= epoch.max() / 2,
        }
        level = {
            key: math.exp(np.log(norm[inside]).mean()) for key, inside in windows.items() if inside.any()
        }
        out[f"c.fall_{mode}"] = (level["start"] / level["end"], "factor")
        if "burnt" in level:
            out[f"c.fall_after_burn_in_{mode}"] = (level["burnt"] / level["end"], "factor")
        out[f"c.norm_end_{mode}"] = (level["end"], "‖∇f‖/√d")
    return out


def measure(
    task: Task, run: Training, data: Prepared, checkpoints: Path, trajectory: Path
) -> dict[str, pd.DataFrame]:
    """Fourier transform, autocorrelation, nulls and gradient norms of one long trajectory (Fig 3)."""
    name, seed = task.wildcards["run"], int(task.wildcards["seed"])
    return _of_seed(task, run, data, checkpoints, trajectory, name=name, seed=seed)


def _of_seed(
    task: Task, run: Training, data: Prepared, checkpoints: Path, trajectory: Path, *, name: str, seed: int
) -> dict[str, pd.DataFrame]:
    chosen = subset(data, run.data.n_train)
    nulls = generator(task.root_seed, "chaudhari2018", name, seed, "nulls")
    examples = torch.from_numpy(chosen.x_train), torch.from_numpy(chosen.y_train)
    module, history = stored.modules(checkpoints)[1.0], stored.trajectory(trajectory)
    tables, gradients = seed_tables(module, history, run, examples, nulls, seed)
    return {**tables._asdict(), "gradients": gradients}


def collect(task: Task, run: Training, **tables: list[pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Joins the trajectories of a run's seeds and takes the numbers behind Fig 3's claims over seeds."""
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    per_seed = [Tables(*parts) for parts in zip(*(tables[name] for name in Tables._fields), strict=True)]
    found = quantities(per_seed, joined["gradients"], burn_in=run.burn_in)
    return {**joined, "quantities": shares_bounded(found)}


def measure_variants(
    task: Task,
    variants: dict[str, Training],
    data: Prepared,
    checkpoints: list[Path],
    trajectory: list[Path],
) -> dict[str, pd.DataFrame]:
    """The numbers behind Fig 3 of every variant of the long trajectory: what they depend on."""
    paths = zip(checkpoints, trajectory, strict=True)
    measured = []
    for variant, run in variants.items():
        own = enumerate(islice(paths, run.seeds))
        found = [_of_seed(task, run, data, *pair, name=variant, seed=seed) for seed, pair in own]
        tables = [Tables(*(tables[name] for name in Tables._fields)) for tables in found]
        gradients = pd.concat([tables["gradients"] for tables in found])
        numbers = quantities(tables, gradients, burn_in=run.burn_in)
        measured.append(numbers.assign(variant=variant))
    return {"quantities": pd.concat(measured)}
