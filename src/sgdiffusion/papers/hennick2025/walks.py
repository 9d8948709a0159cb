"""What the moons ensemble says about walks (Hennick & De Baerdemacker 2025, Figs 1 and 4a): displacements,
exponents, λ and d_s of every net, and a spectral dimension that does not use λ."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.dynamics.chains.averages import accuracy, average_loss
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.bootstrap import bootstrap, median
from sgdiffusion.measures.statistics.intervals import Estimate, mean_interval, share_of
from sgdiffusion.measures.trajectories.dimensions import ensemble_law, power_laws, time_average
from sgdiffusion.measures.trajectories.returns import (
    from_returns,
    from_volume,
    return_probability,
    volume_visited,
)
from sgdiffusion.measures.trajectories.walk_models import compare
from sgdiffusion.papers.hennick2025.coefficients import COLUMNS, Progress, coefficient_table, points_of
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.settings import Langevin, MoonsEnsemble
from sgdiffusion.papers.tables import documented, estimated, finite_quantities

Array = NDArray[np.float64]
Window = Sequence[float]

DISPLACEMENT_COLUMNS = {
    "step": "training steps t",
    "time": "t over all steps",
    "mean": "mean of R(t) = ‖w(t) − w(0)‖ over nets",
    "low": "2.5 % quantile of R over nets",
    "high": "97.5 % quantile of R over nets",
    "local_slope": "d ln⟨R⟩/d ln t over half a decade about t",
    "slope_low": "lower end of its 95 % interval, bootstrap over nets",
    "slope_high": "upper end",
}


def displacement_table(ensemble: Moons, *, root_seed: int, resamples: int = 400) -> pd.DataFrame:
    """Fig. 1: the mean displacement of the ensemble and its local exponent."""
    t, r = ensemble.steps.astype(float), ensemble.displacements
    generator = streams.generator(root_seed, "hennick2025", "moons", "bootstrap")
    counts = generator.multinomial(len(r), np.full(len(r), 1 / len(r)), size=resamples)
    slopes = _local_slopes(t, np.log(np.concatenate([r.mean(0)[None], counts @ r / len(r)])))
    low, high = np.quantile(slopes[1:], [0.025, 0.975], axis=0)
    spread = np.quantile(r, [0.025, 0.975], axis=0)
    return documented(
        {
            "step": ensemble.steps,
            "time": t / t[-1],
            "mean": r.mean(0),
            "low": spread[0],
            "high": spread[1],
            "local_slope": slopes[0],
            "slope_low": low,
            "slope_high": high,
        },
        DISPLACEMENT_COLUMNS,
    )


def _local_slopes(t: Array, log_r: Array, reach: float = 0.25) -> Array:
    """Least-squares slopes over the recorded times within `reach` decades of each; rows are curves."""
    u = np.log(t)
    slopes = np.empty_like(log_r)
    for i, centre in enumerate(u):
        near = np.abs(u - centre) <= reach * np.log(10) + 1e-9
        if near.sum() < 2:  # the first steps are a third of a decade apart
            near = np.isin(np.arange(len(u)), np.argsort(np.abs(u - centre))[:2])
        lever = u[near] - u[near].mean()
        slopes[:, i] = log_r[:, near] @ lever / (lever**2).sum()
    return slopes


COEFFICIENT_COLUMNS = {
    "net": "number of the net",
    "step": "training steps",
    **COLUMNS,
    "loss": "L_n over all examples, nats",
}


def net_coefficients(
    ensemble: Moons, plan: Langevin, *, along: bool, root_seed: int, progress: Progress | None = None
) -> pd.DataFrame:
    """λ̂ of every net at the end (Fig. 4a), or with `along` at every kept step."""
    weights = ensemble.kept if along else ensemble.theta[:, None]
    steps = ensemble.kept_steps if along else ensemble.steps[-1:]
    points, data = points_of(weights), ensemble.data
    seed = streams.seed(root_seed, "hennick2025", "moons", "coefficients", "along" if along else "end")
    table = coefficient_table(ensemble.net, data, points, plan, seed=seed, progress=progress)
    order = pd.MultiIndex.from_product([range(len(weights)), steps], names=["net", "step"])
    loss = average_loss(ensemble.net, data.x, data.y, points).numpy()
    joined = pd.concat([order.to_frame(index=False), table.assign(loss=loss)], axis=1)
    return documented(joined, COEFFICIENT_COLUMNS)


NET_COLUMNS = {
    "net": "number of the net",
    "slope": "log-log slope of R(t) in the late window",
    "slope_low": "lower end of its 95 % interval",
    "slope_high": "upper end",
    "r2": "of the power law in that window",
    "r2_brownian": "with the slope held at 1/2",
    "llc": "λ̂ at the end",
    "low": "lower end of its 95 % interval over chains",
    "high": "upper end",
    "mean_llc": "λ̄, average over the time of the training (eq. 16)",
    "spectral_dimension": "d_s = 2 λ̄ slope (eq. 17)",
    "ratio": "λ/d_s with the net's own λ at the end",
    "late_drift": "(λ̂(end) − λ̂(first kept step of the second half)) / λ̄: noise cancels in its mean over nets",
    "loss": "L_n at the end, nats",
    "accuracy": "share of the examples classified rightly",
    "displacement": "R at the end",
    "diagnoses": "of λ̂ at the end",
}


def net_table(ensemble: Moons, final: pd.DataFrame, along: pd.DataFrame, *, window: Window) -> pd.DataFrame:
    """One row per net: its exponent in the window (fractions of the training), λ, λ̄, d_s."""
    last = float(ensemble.steps[-1])
    laws = power_laws(ensemble.steps, ensemble.displacements, first=window[0] * last, last=window[1] * last)
    path = along.pivot(index="net", columns="step", values="llc")
    steps = path.columns.to_numpy(dtype=float)
    mean = time_average(steps, path.to_numpy(), last=last)
    late = path.loc[:, steps >= last / 2].to_numpy()
    end = final.set_index("net").sort_index()
    d_s = 2 * mean * laws["slope"].to_numpy()
    right = accuracy(ensemble.net, ensemble.data.x, ensemble.data.y, torch.from_numpy(ensemble.theta))
    return documented(
        {
            "net": laws["run"],
            "slope": laws["slope"],
            "slope_low": laws["low"],
            "slope_high": laws["high"],
            "r2": laws["r2"],
            "r2_brownian": laws["r2_brownian"],
            **{k: end[k].to_numpy() for k in ("llc", "low", "high")},
            "mean_llc": mean,
            "spectral_dimension": d_s,
            "ratio": end["llc"].to_numpy() / d_s,
            "late_drift": (late[:, -1] - late[:, 0]) / np.abs(mean),
            "loss": end["loss"].to_numpy(),
            "accuracy": right.numpy(),
            "displacement": ensemble.displacements[:, -1],
            "diagnoses": end["diagnoses"].to_numpy(),
        },
        NET_COLUMNS,
    )


def model_table(ensemble: Moons, *, window: Window) -> pd.DataFrame:
    """Power law, Brownian motion, logarithm and stretched saturation on every net in the window."""
    last = float(ensemble.steps[-1])
    return compare(ensemble.steps, ensemble.displacements, first=window[0] * last, last=window[1] * last)


INDEPENDENT_COLUMNS = {
    "paths": "nets; drift: straight lines with as many snapshots; brownian: in 50 dimensions",
    "method": "eq. 17; returns: P(lag) inside a ball; volume: balls needed to cover the path",
    "radius": "radius of the balls over the median displacement between neighbouring snapshots",
    "value": "d_s",
    "low": "lower end of the 95 % interval",
    "high": "upper end",
    "n": "paths (volume), bins (returns), nets (eq. 17)",
    "note": "why there is no value, where there is none",
}


def independent_table(
    ensemble: Moons, nets: pd.DataFrame, *, radii: Sequence[float], root_seed: int
) -> pd.DataFrame:
    """d_s from the late snapshots, by returns and by volume visited, beside eq. 17 on the same nets, and what
    the two methods make of paths whose law is known.

    A walker makes one step at a time, so that the volume it visits grows no faster than t and no single path
    has a d_s above 2 by Definition 3.1 (V ~ t^{d_s/2}), whatever it is.
    """
    generator = streams.generator(root_seed, "hennick2025", "moons", "independent")
    own = median(nets["spectral_dimension"].to_numpy()[: len(ensemble.late)])
    rows: list[dict[str, Any]] = [
        {"paths": "nets", "method": "eq. 17", "radius": np.nan, **own._asdict(), "note": ""}
    ]
    for name, paths in _paths(ensemble, generator).items():
        unit = float(np.median(np.linalg.norm(np.diff(paths, axis=1), axis=-1)))
        times = np.arange(1, paths.shape[1] + 1)
        lags = np.unique(np.rint(np.geomspace(1, paths.shape[1] // 2, 16)).astype(int))
        for radius in radii:
            volumes = np.stack([volume_visited(path, radius * unit) for path in paths])
            table = return_probability(paths, lags, radius * unit)
            by_volume = partial(
                from_volume, times, volumes, first=len(times) / 10, last=len(times), generator=generator
            )
            of = {"paths": name, "radius": radius}
            rows.append({**of, "method": "volume", **_attempt(by_volume)})
            rows.append({**of, "method": "returns", **_attempt(partial(from_returns, table))})
    return documented(pd.DataFrame(rows), INDEPENDENT_COLUMNS)


def _paths(ensemble: Moons, generator: np.random.Generator) -> dict[str, Array]:
    """The nets' late snapshots, and as many straight lines and Brownian paths of 50 dimensions."""
    count, length = ensemble.late.shape[:2]
    lines = np.arange(length)[None, :, None] * generator.standard_normal((count, 1, 50))
    return {
        "nets": ensemble.late.astype(np.float64),
        "drift": lines,
        "brownian": generator.standard_normal((count, length, 50)).cumsum(1),
    }


def _attempt(measure: Callable[[], Estimate]) -> dict[str, Any]:
    """An estimate, or the reason why these paths do not give one."""
    try:
        return {**measure()._asdict(), "note": ""}
    except MeasureError as error:
        return {"note": str(error)}


def ensemble_exponent(ensemble: Moons, *, window: Window, root_seed: int) -> Estimate:
    """The exponent of the mean displacement in a window (fractions of the training), bootstrap over nets."""
    last = float(ensemble.steps[-1])
    generator = streams.generator(root_seed, "hennick2025", "moons", "exponent", str(window))
    return ensemble_law(
        ensemble.steps,
        ensemble.displacements,
        first=window[0] * last,
        last=window[1] * last,
        generator=generator,
    )


def walk_quantities(
    ensemble: Moons,
    nets: pd.DataFrame,
    models: pd.DataFrame,
    plan: MoonsEnsemble,
    root_seed: int,
) -> pd.DataFrame:
    """Fig. 1, Fig. 4a and the dimensions as quantities `moons.…`."""
    early = [step / float(ensemble.steps[-1]) for step in plan.early_steps]
    facts: dict[str, Estimate] = {
        "exponent.early": ensemble_exponent(ensemble, window=early, root_seed=root_seed),
        "exponent.late": ensemble_exponent(ensemble, window=plan.window, root_seed=root_seed),
        **{
            f"exponent.late.from-{a:g}": ensemble_exponent(ensemble, window=(a, b), root_seed=root_seed)
            for a, b in plan.windows
        },
        **{f"best_{m}": share_of(_best(models) == m) for m in models["model"].unique()},
        "r2_power": median(nets["r2"]),
        "r2_brownian": median(nets["r2_brownian"]),
        "slope_below_half": share_of(nets["slope_high"] < 0.5),
        **_line_facts(nets),
        **_coefficient_facts(nets, regular=ensemble.theta.shape[1] / 2),
    }
    rows = [estimated(f"moons.{k}", v, over="nets") for k, v in facts.items()]
    return finite_quantities(rows)


def independent_quantities(independent: pd.DataFrame) -> pd.DataFrame:
    """`moons.independent.<paths>.<method>.radius-<r>`."""
    rows = []
    known = independent[independent["value"].notna() & (independent["method"] != "eq. 17")]
    for row in known.to_dict("records"):
        name = f"moons.independent.{row['paths']}.{row['method']}.radius-{row['radius']:g}"
        found = Estimate(row["value"], row["low"], row["high"], row["n"])
        rows.append(estimated(name, found, over="paths"))
    return finite_quantities(rows)


def _best(models: pd.DataFrame) -> pd.Series:
    return pd.Series(models.loc[models["delta_bic"] == 0, "model"])


def _line_facts(nets: pd.DataFrame) -> dict[str, Estimate]:
    """d_s ≤ λ̄, and whether it is the same statement as slope ≤ 1/2 on every net (λ̄ > 0: eq. 17)."""
    good = nets[nets["mean_llc"] > 0]
    below = good["spectral_dimension"] <= good["mean_llc"]
    return {
        "below_line": share_of(below),
        "forced": share_of(below == (good["slope"] <= 0.5)),
        "spectral_dimension": median(good["spectral_dimension"]),
        "mean_llc": median(good["mean_llc"]),
        "late_drift": mean_interval(good["late_drift"]),
    }


def _coefficient_facts(nets: pd.DataFrame, regular: float) -> dict[str, Estimate]:
    """The shape of Fig. 4a: `lower_half` is the share of λ̂ below the middle of its range (1 to 99 %);
    `over_regular` compares with d/2, the coefficient of a regular model.
    """
    values = nets.loc[np.isfinite(nets["llc"]), "llc"].to_numpy()
    low, high = np.quantile(values, [0.01, 0.99])
    return {
        "llc": median(values),
        "llc_over_regular": median(values / regular),
        "llc_lower_half": share_of(values < (low + high) / 2),
        "llc_skewness": bootstrap(values, _skewness),
        "negative_llc": share_of(nets["llc"] < 0),
        "marked": share_of(nets["diagnoses"] != ""),
    }


def _skewness(values: Array) -> Any:
    centred = values - values.mean(-1, keepdims=True)
    return (centred**3).mean(-1) / (centred**2).mean(-1) ** 1.5
