"""Fig 3 left and mid of Ziyin, Li & Ueda (2025): simulated v against eqs 12 and 15, and what discreteness
does.

The same chains give the histograms of the figure and the Kolmogorov–Smirnov distances: SDE of the
effective law, discrete SGD with S = 1, η = T, and where no density exists the share that has collapsed on
v = 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from sgdiffusion.config.readings import Reading
from sgdiffusion.dynamics.chains.diagonal import Paths, balanced, run_sgd
from sgdiffusion.dynamics.chains.sde_diagonal import Scheme, run_effective
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws import ks
from sgdiffusion.measures.statistics.intervals import Estimate, share
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import NORMAL, Array, Linear, law_named, named_seed, plain
from sgdiffusion.papers.ziyin2025.readings import measured
from sgdiffusion.papers.ziyin2025.settings import Densities
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants
from sgdiffusion.papers.ziyin2025.theory.laws import invariant_law
from sgdiffusion.papers.ziyin2025.theory.stationary import PointMass, StationaryLaw

COLLAPSED = 1e-3  # |v| below this counts as collapsed: a hundredth or less of v* of every law used
LEVEL = 0.01
TEMPERATURES = (0.05, 0.5)  # of Fig 3
DEEP = ((0.05, 2), (0.2, 2), (0.05, 4), (0.2, 4))  # (T, D) where eq. 14 is tested
RELAXATIONS = 12.0  # e^{-12} = 6e-6 of the start is left, far below the sampling error of 10⁵ draws
COLLAPSE_TIME = 40.0  # where no density exists, there is nothing to relax to: v falls towards 0 for ever

_CASE = {
    "law": "name of the data law y = kx + ε",
    "temperature": "T = η/S",
    "depth": "D",
    "simulator": "sde: effective diffusion, weak order two; sgd: discrete SGD, η = TS",
}
HISTOGRAM_COLUMNS = {
    **_CASE,
    "low": "left edge of the bin of v",
    "high": "right edge",
    "density": "share of all chains in the bin per unit of v (escaped chains count in the total)",
    "error": "its standard error over chains",
    "theory": "the same of the SDE's law (eq. 12, 14 or 15); NaN where that is a point mass",
    "minimiser": "v* = β₂/β₁",
}
DISTANCE_COLUMNS = {
    **_CASE,
    "n": "independent chains with finite v",
    "escaped": "share of the chains that overflowed",
    "distance": "sup |F_n − F| to the law of the SDE; NaN where that is a point mass",
    "band": "half-width of its 95 % interval (Dvoretzky–Kiefer–Wolfowitz)",
    "p_value": "probability of a larger distance if the law is true",
    "critical": "distance rejected at 1 %",
    "collapsed": f"share of all chains with |v| < {COLLAPSED:g}",
    "median": "median of v over the finite chains; NaN if there are none",
    "spread": "distance between the quartiles of v",
    "median_low": "lower end of the median's 95 % interval (order statistics)",
    "median_high": "upper end",
}
CONVERGENCE_COLUMNS = {
    "law": _CASE["law"],
    "temperature": _CASE["temperature"],
    "depth": _CASE["depth"],
    "scheme": "euler, milstein, platen (weak order two)",
    "accuracy": "step size in units of the local rate of change",
    "distance": DISTANCE_COLUMNS["distance"],
    "band": DISTANCE_COLUMNS["band"],
    "critical": DISTANCE_COLUMNS["critical"],
    "n": "independent chains",
}


def _edges(law: StationaryLaw | PointMass, width: float) -> Array:
    if isinstance(law, PointMass):
        return np.linspace(-width, 3 * width, 121)
    low, high = (float(law.quantile(q)) for q in (0.002, 0.995))
    if law.coordinate.low == 0:
        low = -0.1 * high
    return np.linspace(low, high, 81)


def histogram_rows(
    case: dict[str, Any], v: Array, edges: Array, law: StationaryLaw | PointMass
) -> pd.DataFrame:
    """Counts of finite v in bins, as shares of all chains per unit of v, beside the law's."""
    counts, _ = np.histogram(v[np.isfinite(v)], edges)
    width = np.diff(edges)
    p = counts / v.size
    theory = np.diff(law.cdf(edges)) / width if isinstance(law, StationaryLaw) else np.nan
    return pd.DataFrame(
        {**case, "low": edges[:-1], "high": edges[1:], "density": p / width,
         "error": np.sqrt(p * (1 - p) / v.size) / width, "theory": theory}
    )  # fmt: skip


def distance_row(case: dict[str, Any], v: Array, law: StationaryLaw | PointMass) -> dict[str, Any]:
    """Distance of the finite chains to the law, with escapes and collapses counted."""
    finite = v[np.isfinite(v)]
    n = max(int(finite.size), 1)
    row = {
        **case, "n": finite.size, "escaped": 1 - finite.size / v.size, "distance": np.nan, "band": np.nan,
        "p_value": np.nan, "critical": ks.critical_value(n, LEVEL),
        "collapsed": float((np.abs(finite) < COLLAPSED).sum() / v.size),
        **_median(finite),
        "spread": float(np.subtract(*np.quantile(finite, [0.75, 0.25]))) if finite.size else np.nan,
    }  # fmt: skip
    if isinstance(law, StationaryLaw) and finite.size > 1:
        found = ks.distance(finite, law.cdf)
        row |= {"distance": found.statistic, "band": found.half_width, "p_value": found.p_value}
    return row


def relaxation_rate(constants: DataConstants, temperature: float, depth: int) -> float:
    """The slowest rate at which the law of v is approached, per unit of time, in a rough closed form.

    About v* the drift falls with slope 2nm β₁. At depth 1, log v near zero is a Brownian motion with drift
    4(β₂ − α₃T) and variance 16α₃T per unit of time, reflected by the bulk: its gap is drift²/(2 variance).
    """
    c, n = constants, depth + 1
    bulk = 2 * n * c.beta1 * c.minimiser ** (2 - 2 / n)
    if depth != 1:
        return float(bulk)
    return min(bulk, (c.beta2 - c.alpha3 * temperature) ** 2 / (2 * c.alpha3 * temperature))


def _diffusion(
    law: Linear, case: dict[str, Any], chains: int, duration: float, accuracy: float, seed: int, threads: int
) -> Paths:
    return run_effective(
        np.full(chains, law.k), plain(law.constants), case["temperature"], [duration], depth=case["depth"],
        accuracy=accuracy, seed=seed, threads=threads,
    )  # fmt: skip


def _descent(
    law: Linear, case: dict[str, Any], chains: int, duration: float, batch: int, seed: int, threads: int
) -> Paths:
    rate = case["temperature"] * batch
    return run_sgd(
        balanced(np.full(chains, law.k), case["depth"]), law.data, rate, [max(1, round(duration / rate))],
        batch=batch, seed=seed, threads=threads,
    )  # fmt: skip


def _cases(laws: Sequence[str]) -> list[dict[str, Any]]:
    shown = [
        {"law": name, "temperature": t, "depth": depth, "simulator": simulator}
        for name in laws
        for t in TEMPERATURES
        for depth in (0, 1)
        for simulator in ("sde", "sgd")
    ]
    deep = [{"law": laws[0], "temperature": t, "depth": depth, "simulator": "sde"} for t, depth in DEEP]
    return shown + deep


def densities(
    *,
    laws: Sequence[str] = ("above", "between"),
    noise_factor: float = 1.0,
    input_scale: float = 1.0,
    batch: int = 1,
    sgd_time: float = 20.0,
    medians_of: Literal["sde", "sgd"] = "sde",
    chains: int = 100_000,
    accuracy: float = 0.1,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Histograms, distances and quantities for every data law, temperature, depth and simulator.

    Chains start at v* and run for RELAXATIONS times of relaxation (SGD: `sgd_time`, long against it and short
    enough for some chains to stay at T = 0.5); each gives one independent draw. Every law has its own noise
    times `noise_factor`, and inputs with a standard deviation of `input_scale`.
    """
    histograms, rows = [], []
    for case in _cases(laws):
        law, t, depth = law_named(case["law"]), case["temperature"], case["depth"]
        law = replace(law, noise=noise_factor * law.noise, scale=input_scale)
        target = invariant_law(law.constants, t, depth)
        duration = COLLAPSE_TIME
        if isinstance(target, StationaryLaw):
            duration = RELAXATIONS / relaxation_rate(law.constants, t, depth)
        stream = named_seed(seed, "densities", case["law"], f"{t:g}", depth, case["simulator"])
        if case["simulator"] == "sde":
            paths = _diffusion(law, case, chains, duration, accuracy, stream, threads)
        else:
            paths = _descent(law, case, chains, sgd_time, batch, stream, threads)
        v = paths.v[:, 0]
        bins = histogram_rows(case, v, _edges(target, law.k), target)
        histograms.append(bins.assign(minimiser=law.constants.minimiser))
        rows.append(distance_row(case, v, target))
    distances = documented(rows, DISTANCE_COLUMNS)
    return {
        "histograms": documented(pd.concat(histograms, ignore_index=True), HISTOGRAM_COLUMNS),
        "distances": distances,
        "quantities": pd.DataFrame(
            [*_quantities(distances), *_adjusted(distances), *_moves(distances, medians_of)]
        ),
    }


def densities_readings(task: Task, run: Densities, readings: list[Reading]) -> dict[str, pd.DataFrame]:
    """The distances and medians of Fig 3 under other readings, with fewer chains."""
    fewer = run.model_copy(update={"chains": run.readings_chains})
    return measured(densities, task, fewer, readings)


def _adjusted(distances: pd.DataFrame) -> list[dict[str, Any]]:
    """The least p-value of the SDE's tests behind each equation, times their number (Bonferroni)."""
    tested = distances[(distances["simulator"] == "sde") & distances["p_value"].notna()]
    rows = []
    for equation, depths in {"eq12": (0,), "eq15": (1,), "eq14": (2, 4)}.items():
        part = tested[tested["depth"].isin(depths)]
        smallest = min(1.0, float(part["p_value"].min()) * len(part))
        rows.append(quantity(f"{equation}.ks_p", smallest, n=int(part["n"].min()), over="draws"))
    return rows


def _moves(distances: pd.DataFrame, simulator: str) -> list[dict[str, Any]]:
    """Median of v at the higher temperature over that at the lower, where the SDE has a density at both."""
    rows = []
    chosen = distances[(distances["simulator"] == simulator) & distances["p_value"].notna()]
    for (law, depth), part in chosen[chosen["depth"] < 2].groupby(["law", "depth"]):
        if len(part) == 2:
            cold, hot = part.sort_values("temperature").to_dict("records")
            found = Estimate(
                hot["median"] / cold["median"],
                hot["median_low"] / cold["median_high"],
                hot["median_high"] / cold["median_low"],
                int(part["n"].min()),
            )
            rows.append(estimated(f"fig3.{law}.d{depth}.median_ratio", found, over="draws"))
    return rows


def _median(v: Array) -> dict[str, float]:
    """The median and its distribution-free interval: the order statistics n/2 ± 1.96 √n/2."""
    if not v.size:
        return dict.fromkeys(("median", "median_low", "median_high"), np.nan)
    half = NORMAL / (2 * np.sqrt(v.size))
    low, middle, high = np.quantile(v, [max(0.0, 0.5 - half), 0.5, min(1.0, 0.5 + half)])
    return {"median": float(middle), "median_low": float(low), "median_high": float(high)}


def _quantities(distances: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for row in distances.to_dict("records"):
        depth, n = int(row["depth"]), int(row["n"])
        name = f"fig3.{row['law']}.t{row['temperature']:g}.d{depth}.{row['simulator']}"
        total = round(n / (1 - row["escaped"])) if n else 1
        if np.isfinite(row["distance"]):
            low = max(0.0, row["distance"] - row["band"])
            found = Estimate(row["distance"], low, row["distance"] + row["band"], n)
            rows.append(estimated(f"{name}.ks", found, over="draws"))
            rows.append(quantity(f"{name}.ks_p", row["p_value"], n=n, over="draws"))
        else:
            collapsed = share(round(row["collapsed"] * total), total)
            rows.append(estimated(f"{name}.collapsed", collapsed, over="chains"))
        if row["simulator"] == "sgd":
            rows.append(estimated(f"{name}.escaped", share(total - n, total), over="chains"))
    return rows


def convergence(
    *,
    law: str = "above",
    temperature: float = 0.05,
    depth: int = 1,
    accuracies: Sequence[float] = (0.4, 0.2, 0.1, 0.05),
    schemes: Sequence[Scheme] = ("euler", "milstein", "platen"),
    chains: int = 100_000,
    duration: float = 5.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Distance to the law against step size, for each scheme, with the same random numbers throughout."""
    data, rows = law_named(law), []
    target = invariant_law(data.constants, temperature, depth)
    if isinstance(target, PointMass):
        raise MeasureError(f"convergence is shown where a density exists; here {target.reason}")
    for scheme in schemes:
        for accuracy in accuracies:
            paths = run_effective(
                np.full(chains, data.k), plain(data.constants), temperature, [duration], depth=depth,
                accuracy=accuracy, scheme=scheme, seed=named_seed(seed, "convergence"), threads=threads,
            )  # fmt: skip
            found = ks.distance(paths.require_bounded().v[:, 0], target.cdf)
            rows.append(
                (law, temperature, depth, scheme, accuracy, found.statistic, found.half_width,
                 ks.critical_value(chains, LEVEL), chains)
            )  # fmt: skip
    table = documented(rows, CONVERGENCE_COLUMNS)
    finest = table[table["accuracy"] == min(accuracies)].set_index("scheme")["distance"]
    over: dict[str, Any] = {"n": chains, "over": "draws"}
    critical = ks.critical_value(chains, LEVEL)
    return {
        "convergence": table,
        "quantities": pd.DataFrame(
            [quantity(f"sde.{s}.finest_over_critical", d / critical, **over) for s, d in finest.items()]
        ),
    }
