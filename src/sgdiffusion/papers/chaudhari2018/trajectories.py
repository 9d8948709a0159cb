"""Figure 3 of Chaudhari & Soatto (2018): long trajectories of tiny-fc, their nulls and their tests.

Weights of one trajectory move together, so they are never counted as replicas: intervals are over seeds, and
tests over weights are corrected in a way that allows any dependence (Holm). Weights that do not move by more
than rounding (biases before batch-norm, weights of constant pixels) are left out and counted.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion.config.models import Training
from sgdiffusion.config.readings import Reading
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.gradient_norms import MODES, gradient_norms
from sgdiffusion.measures.statistics.multiple import holm
from sgdiffusion.measures.trajectories import fluctuations as measures
from sgdiffusion.measures.trajectories.drift import detrended, displacement_ratio
from sgdiffusion.measures.trajectories.nulls import Fit, brownian, fit_ar1, ornstein_uhlenbeck
from sgdiffusion.papers.chaudhari2018.motion import (
    BROWNIAN,
    LESS_TREND,
    ONE_SCALE,
    OU,
    SGD,
    WHITE,
    circulation_table,
    common_autocorrelation,
    common_walks,
    displacement_table,
)
from sgdiffusion.papers.chaudhari2018.trajectory_numbers import (
    DRIFT_CYCLES,
    Fig3Reading,
    Tables,
    quantities,
)
from sgdiffusion.papers.tables import documented, shares_bounded
from sgdiffusion.papers.task import Task
from sgdiffusion.streams import generator

Array = NDArray[Any]
SPANS = (10, 100, 1000)  # snapshots, of the variance ratios; those above a tenth of the length are left out
PATHS = 200  # of independent paths of each null
TREND = 3  # degree of the trend in time that is taken out: a cubic explains a slowing, turning drift

_SEED = {"seed": "number of the training run"}
SPECTRUM_COLUMNS = {
    **_SEED,
    "series": f"{SGD}: all moving weights; {WHITE}, {OU}: independent paths of the same length and burn-in; "
    f"…{LESS_TREND}: the same paths less a cubic in time, weight by weight; …{ONE_SCALE}: s the root mean "
    "square over weights, no scale of each weight's own",
    "frequency": "cycles per epoch, centre of a bin",
    "mean": "mean over weights of A = |FFT of x_{k+1} − x_k|/(s √n), s the weight's s.d. of increments",
    "sd": "s.d. of A over weights",
    "power": "mean over weights of A²; white noise has 1",
}
AUTOCORRELATION_COLUMNS = {
    **_SEED,
    "series": f"{SGD}: all moving weights; {OU}: independent paths of same length and burn-in; {BROWNIAN}: "
    "the mean over weights of walks whose steps have the covariance of SGD's",
    "lag": "epochs",
    "mean": "mean over weights of r = Σ(x_k − x̄)(x_{k+τ} − x̄)/Σ(x_k − x̄)²; of walks: over walks of that",
    "sd": "s.d. of r over weights; of walks: of that mean over walks",
    "low": "0.5 % quantile of r over weights or paths; of walks: of the mean over weights",
    "high": "99.5 % quantile",
    "band": "half width of the 99 % band 2.576/√n of independent values",
    "bartlett": "half width of Bartlett's 99 % band given the mean r at smaller lags",
}
WEIGHT_COLUMNS = {
    **_SEED,
    "weight": "index in x",
    "parameter": "name of the parameter that it belongs to",
    "phi": "φ of x_{k+1} − m = φ(x_k − m) + σξ_k, least squares, k in snapshots",
    "decorrelation": "first lag with r < 1/e, epochs",
    "decorrelation_p": "its two-sided p-value among Brownian paths (Monte Carlo)",
    "ratio": "mean square displacement over that of Brownian motion, at the longest span of the tests",
    "ratio_tenth": "the same at a tenth of the path",
    "ratio_p": "Lo–MacKinlay p-value about the mean drift, the smallest of all spans times their number",
    "ratio_p_holm": "the same, Holm over weights",
    "drift_power": f"mean power of the increments at fewer than {DRIFT_CYCLES} cycles, white noise = 1",
    "line": "share of the weight's variance that a straight line in time explains",
    "cubic": "share that a cubic explains",
}
GRADIENT_COLUMNS = {
    **_SEED,
    "epoch": "finished epochs",
    "mode": "batch-norm with running statistics (evaluation) or with those of the whole set (training)",
    "norm": "‖∇f(x_k)‖/√d, f the mean cross-entropy over the training set, nats per unit weight",
}


def seed_tables(
    module: nn.Module,
    history: Mapping[str, Array],
    settings: Training,
    data: tuple[Tensor, Tensor],
    generator: np.random.Generator,
    seed: int,
) -> tuple[Tables, pd.DataFrame]:
    """Everything of one seed's training: the tables of its trajectory and the norms of its full gradient."""
    sizes = {name: p.numel() for name, p in module.named_parameters()}
    tables = trajectory_tables(
        history["weights"],
        history["epochs"],
        burn_in=settings.burn_in,
        generator=generator,
        seed=seed,
        parameters=np.repeat(list(sizes), list(sizes.values())),
    )
    return tables, gradient_table(module, history, *data, seed=seed)


def trajectory_tables(
    weights: Array,
    epochs: Array,
    *,
    burn_in: int,
    generator: np.random.Generator,
    parameters: Array,
    seed: int = 0,
) -> Tables:
    """Spectrum, autocorrelation, motion and tests of one trajectory (snapshots, d), its nulls beside it.

    `epochs` are the finished epochs at the snapshots, evenly spaced; `burn_in` of them are discarded. The
    nulls have the same number of snapshots after the same burn-in. `parameters` names each weight's one.
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
    together = common_walks(path, generator)
    rest, cubic = detrended(path, TREND)
    series = {SGD: path, WHITE: walks, OU: bound}
    series |= {SGD + LESS_TREND: rest, WHITE + LESS_TREND: detrended(walks, TREND)[0]}
    autocorrelation, times = _autocorrelation_table({SGD: path, OU: bound}, together, every, seed)
    facts = {"weight": np.flatnonzero(mask), "parameter": parameters[mask], "phi": fit.phi}
    facts |= {"decorrelation": times * every, "decorrelation_p": _decorrelation_p(times, walks)}
    facts |= brownian_tests(path) | {"line": detrended(path, 1)[1], "cubic": cubic}
    facts["drift_power"] = measures.power_below(path, DRIFT_CYCLES)
    return Tables(
        _spectrum_table(series, every, seed),
        autocorrelation,
        documented({"seed": seed, **facts}, WEIGHT_COLUMNS),
        displacement_table({SGD: path, OU: bound}, together, every, seed),
        circulation_table(path, every, generator, seed),
    )


def _decorrelation_p(times: Array, walks: Array) -> Array:
    return measures.monte_carlo_p(times, measures.autocorrelation(walks, [0]).decorrelation)


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
    spectra = {name: measures.increment_spectrum(paths) for name, paths in series.items()}
    for name in (SGD, SGD + LESS_TREND):
        spectra[name + ONE_SCALE] = measures.increment_spectrum(series[name], one_scale=True)
    for name, spectrum in spectra.items():
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
    series: Mapping[str, Array], walks: Array, every: int, seed: int
) -> tuple[pd.DataFrame, Array]:
    """The table, and the lags at which the weights first fall below 1/e."""
    n = len(series[SGD])
    lags = np.unique(np.concatenate([np.arange(1 + n // 20), np.linspace(0, n - 1, 400).astype(int)]))
    found = {name: measures.autocorrelation(paths, lags) for name, paths in series.items()}
    values = {name: part.values for name, part in found.items()}
    values[BROWNIAN] = common_autocorrelation(walks, lags, n)
    parts = []
    for name, r in values.items():
        mean = r.mean(axis=1)
        low, high = np.quantile(r, [0.005, 0.995], axis=1)
        facts = {"lag": lags * every, "mean": mean, "sd": r.std(axis=1), "low": low, "high": high}
        bartlett = measures.bartlett_band(mean, lags, n)
        parts.append(pd.DataFrame(facts).assign(bartlett=bartlett, seed=seed, series=name))
    table = pd.concat(parts, ignore_index=True).assign(band=measures.white_band(n))
    return documented(_thinned(table), AUTOCORRELATION_COLUMNS), found[SGD].decorrelation


def _thinned(table: pd.DataFrame, most: int = 800) -> pd.DataFrame:
    """At most so many lags per series: all the small ones, every few of the rest."""
    lags = np.unique(table["lag"])
    if len(lags) <= most:
        return table
    few = np.unique(
        np.concatenate([lags[: most // 4], lags[np.linspace(0, len(lags) - 1, most // 2).astype(int)]])
    )
    return table[table["lag"].isin(few)].reset_index(drop=True)


def brownian_tests(path: Array) -> dict[str, Array]:
    """Of each weight: displacement against Brownian motion, and p of a random walk by variance ratios.

    p is Bonferroni's over the spans, and Holm's over the weights besides.
    """
    tenth = (len(path) - 1) // 10
    spans = [q for q in SPANS if q <= tenth] or [2]
    p_values = [measures.variance_ratio(path, q).p_value for q in spans]
    smallest = np.minimum(1.0, len(spans) * np.min(p_values, axis=0))
    ratios = {"ratio": displacement_ratio(path, spans[-1]), "ratio_tenth": displacement_ratio(path, tenth)}
    return {**ratios, "ratio_p": smallest, "ratio_p_holm": holm(smallest)}


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


def collect(
    task: Task, run: Training, readings: list[Reading], **tables: list[pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Joins the trajectories of a run's seeds and takes the numbers behind Fig 3's claims over seeds, as they
    are read here and under every other reading of the figure.
    """
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    per_seed = [Tables(*parts) for parts in zip(*(tables[name] for name in Tables._fields), strict=True)]
    read = [
        shares_bounded(
            quantities(per_seed, joined["gradients"], burn_in=run.burn_in, reading=Fig3Reading(**reading.set))
        ).assign(reading=reading.name)
        for reading in readings
    ]
    base, *others = read
    return {**joined, "quantities": base.drop(columns="reading"), "readings": pd.concat(others)}


def measure_variants(
    task: Task,
    variants: dict[str, Training],
    data: list[Prepared],
    checkpoints: list[Path],
    trajectory: list[Path],
) -> dict[str, pd.DataFrame]:
    """The numbers behind Fig 3 of every variant of the long trajectory, `<variant>.fig3…`."""
    found = _of_variants(task, variants, data, checkpoints, trajectory)
    parts = [table.assign(quantity=f"{variant}." + table["quantity"]) for variant, table in found.items()]
    return {"quantities": pd.concat(parts, ignore_index=True)}


def measure_long(
    task: Task,
    variants: dict[str, Training],
    readings: dict[str, str],
    data: list[Prepared],
    checkpoints: list[Path],
    trajectory: list[Path],
) -> dict[str, pd.DataFrame]:
    """The same of trajectories of the published length, each trained under another reading of the paper."""
    found = _of_variants(task, variants, data, checkpoints, trajectory)
    parts = [table.assign(reading=readings[variant]) for variant, table in found.items()]
    return {"readings": pd.concat(parts, ignore_index=True)}


def _of_variants(
    task: Task,
    variants: dict[str, Training],
    data: list[Prepared],
    checkpoints: list[Path],
    trajectory: list[Path],
) -> dict[str, pd.DataFrame]:
    """The numbers behind Fig 3 of each variant; `data` has every preparation that one of them uses."""
    sets = {prepared.meta["preparation"]: prepared for prepared in data}
    paths = zip(checkpoints, trajectory, strict=True)
    measured = {}
    for variant, run in variants.items():
        own, chosen = enumerate(islice(paths, run.seeds)), sets[run.data.preparation]
        found = [_of_seed(task, run, chosen, *pair, name=variant, seed=seed) for seed, pair in own]
        tables = [Tables(*(tables[name] for name in Tables._fields)) for tables in found]
        gradients = pd.concat([tables["gradients"] for tables in found])
        measured[variant] = shares_bounded(quantities(tables, gradients, burn_in=run.burn_in))
    return measured
