"""Fig 3 right and Fig 5 mid of Ziyin, Li & Ueda (2025): one tanh unit with one trained layer or two.

Depth 0 is f = tanh(vx), depth 1 f = w tanh(ux) with v := wu, both trained by SGD with η = TS.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.config.readings import Reading
from sgdiffusion.dynamics.chains.diagonal import Paths
from sgdiffusion.dynamics.chains.tanh_scalar import Teacher, run_tanh
from sgdiffusion.measures.laws.density import over_chains
from sgdiffusion.measures.statistics.intervals import Estimate, share
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import NORMAL, Array, Linear, law_named, named_seed
from sgdiffusion.papers.ziyin2025.readings import measured
from sgdiffusion.papers.ziyin2025.settings import Inversion, TanhSigns
from sgdiffusion.papers.ziyin2025.theory.phases import critical_temperature

EDGES = np.linspace(-2.0, 2.5, 181)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)  # of E over x ~ N(0, 1)

SIGN_COLUMNS = {
    "temperature": "T = η/S",
    "depth": "0: tanh(vx); 1: w tanh(ux), v = wu",
    "low": "left edge of the bin of v",
    "high": "right edge",
    "density": "share of all chains in the bin per unit of v",
    "error": "its standard error over chains",
    "truth": "k of the data",
    "wrong_sign": "share of chains with v below −k/10, or what the run's setting `wrong` has for the tenth",
    "no_sign": "share of chains with |v| below that",
}
INVERSION_COLUMNS = {
    "depth": SIGN_COLUMNS["depth"],
    "rate": "η, S = 1",
    "norm": "mean of the trained weights' squared norm over chains and records",
    "norm_error": "its standard error over chains",
    "variance": "variance of v over chains and records",
    "variance_error": "its standard error over chains",
    "excess": "mean expected loss E(f − kx)² above that of noise alone",
    "excess_error": "its standard error over chains",
    "escaped": "share of chains that overflowed; the statistics are of the others",
    "critical": "T_c = β₂/α₃ of the linear model of depth 1 (S = 1: the rate at which v collapses)",
}


def _start(chains: int, depth: int, spread: float, stream: int) -> Array:
    """Trained weights from N(0, spread²), so that both signs of v occur; w = 1 at depth 0.

    Shape (chains, 1, 2).
    """
    weights = spread * np.random.default_rng(stream).standard_normal((chains, 1, 2))
    if depth == 0:
        weights[..., 1] = 1.0
    return weights


def _train(
    law: Linear,
    teacher: Teacher,
    start: Array,
    rate: float,
    records: Array,
    stream: int,
    threads: int,
    *,
    depth: int,
    batch: int = 1,
) -> Paths:
    return run_tanh(
        start, law.k, law.noise, rate, records, teacher=teacher, train_output=depth == 1, batch=batch,
        seed=stream, threads=threads,
    )  # fmt: skip


def signs(
    *,
    temperatures: Sequence[float] = (0.05, 0.2),
    signal: float = 0.3,
    noise: float = 1.0,
    teacher: Teacher = "tanh",
    start: float = 1.0,
    batch: int = 1,
    wrong: float = 0.1,
    chains: int = 20_000,
    duration: float = 300.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """The law of v at both depths after `duration`, and the share of chains with the wrong sign.

    v below −wrong · signal has learned the wrong sign, |v| below wrong · signal none.
    """
    tables, quantities = [], []
    law, edge = Linear(signal, noise), wrong * signal
    for t in temperatures:
        for depth in (0, 1):
            stream = named_seed(seed, "signs", f"{t:g}", depth)
            rate, weights = t * batch, _start(chains, depth, start, stream)
            steps = np.array([round(duration / rate)])
            paths = _train(law, teacher, weights, rate, steps, stream, threads, depth=depth, batch=batch)
            v = paths.require_bounded().v[:, 0]
            p, width = np.histogram(v, EDGES)[0] / chains, np.diff(EDGES)
            error = np.sqrt(p * (1 - p) / chains) / width
            below, none = (share(int(s.sum()), chains) for s in (v < -edge, np.abs(v) < edge))
            tables.append(
                pd.DataFrame(
                    {"temperature": t, "depth": depth, "low": EDGES[:-1], "high": EDGES[1:],
                     "density": p / width, "error": error, "truth": signal,
                     "wrong_sign": below.value, "no_sign": none.value}
                )
            )  # fmt: skip
            quantities.append(estimated(f"fig3c.t{t:g}.d{depth}.wrong_sign", below, over="chains"))
            quantities.append(estimated(f"fig3c.t{t:g}.d{depth}.no_sign", none, over="chains"))
    return {
        "signs": documented(pd.concat(tables, ignore_index=True), SIGN_COLUMNS),
        "quantities": pd.DataFrame(quantities),
    }


def signs_readings(task: Task, run: TanhSigns, readings: list[Reading]) -> dict[str, pd.DataFrame]:
    """The signs of Fig 3, right, under other readings."""
    return measured(signs, task, run, readings)


def excess_loss(weights: Array, k: float) -> Array:
    """E_x (w tanh(ux) − kx)² for weights (..., 2), by Gauss–Hermite quadrature."""
    f = weights[..., 1, None] * np.tanh(weights[..., 0, None] * NODES)
    return np.asarray((f - k * NODES) ** 2 @ WEIGHTS / WEIGHTS.sum())


def inversion(
    *,
    law: str = "weak",
    rates: Sequence[float] = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.16, 0.2, 0.3),
    hot_rates: Sequence[float] = (0.5, 0.7, 1.0, 1.4, 2.0),
    chains: int = 1000,
    duration: float = 600.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Norm, variance of v and loss over the second half of the training, against the learning rate.

    At the `hot_rates` chains may overflow; how many do says where stability is lost.
    """
    data, rows = law_named(law), []
    critical = critical_temperature(data.constants)
    for depth in (0, 1):
        for rate in (*rates, *hot_rates):
            stream = named_seed(seed, "inversion", depth, f"{rate:g}")
            records = np.unique(np.round(np.linspace(duration / 2, duration, 11) / rate)).astype(int)
            start = _start(chains, depth, 1.0, stream)
            paths = _train(data, "linear", start, rate, records, stream, threads, depth=depth)
            if rate in rates:
                paths.require_bounded()
            statistics = _statistics(paths, depth, data.k)
            rows.append((depth, rate, *statistics, float(paths.escaped.mean()), critical))
    table = documented(rows, INVERSION_COLUMNS)
    stable = table[table["rate"].isin(rates)]
    quantities = _inversion_quantities(stable, chains) + _stability_quantities(table, stable, chains)
    return {"inversion": table, "quantities": pd.DataFrame(quantities)}


def inversion_readings(task: Task, run: Inversion, readings: list[Reading]) -> dict[str, pd.DataFrame]:
    """The numbers of Fig 5, mid, under other readings."""
    return measured(inversion, task, run, readings)


def _statistics(paths: Paths, depth: int, k: float) -> list[float]:
    bounded = ~paths.escaped
    if bounded.sum() < 2:
        return [np.nan] * 6
    weights, v = paths.weights[bounded, :, 0], paths.v[bounded]
    norm = weights[..., 0] ** 2 + (weights[..., 1] ** 2 if depth == 1 else 0.0)
    columns = (norm, (v - v.mean()) ** 2, excess_loss(weights, k))
    found = [over_chains(c.mean(1)) for c in columns]
    return [float(x) for f in found for x in (f.value, f.error)]


def _over(top: pd.Series, bottom: pd.Series, column: str) -> Estimate:
    """Ratio of two rows' means with its interval by the delta method; exactly one for the same row."""
    if top["rate"] == bottom["rate"]:
        return Estimate(1.0, 1.0, 1.0, 1)
    ratio = float(top[column] / bottom[column])
    errors = np.hypot(top[f"{column}_error"], ratio * bottom[f"{column}_error"]) / bottom[column]
    half = NORMAL * float(errors)
    return Estimate(ratio, max(0.0, ratio - half), ratio + half, 2)


def _inversion_quantities(table: pd.DataFrame, chains: int) -> list[dict[str, Any]]:
    rows = []
    for depth in (0, 1):
        ordered = table[table["depth"] == depth].sort_values("rate").reset_index(drop=True)
        last, first = ordered.iloc[-1], ordered.iloc[0]
        peak = ordered.iloc[int(ordered["variance"].to_numpy().argmax())]
        found = {
            "variance_last_over_peak": _over(last, peak, "variance"),
            "variance_peak_over_first": _over(peak, first, "variance"),
            "norm_last_over_first": _over(last, first, "norm"),
        }
        for name, ratio in found.items():
            rows.append(estimated(f"fig5b.d{depth}.{name}", ratio._replace(n=chains), over="chains"))
    return rows


def _stability_quantities(table: pd.DataFrame, stable: pd.DataFrame, chains: int) -> list[dict[str, Any]]:
    """Shares of chains that overflow at the highest rate of all, and at the highest but the hot ones."""
    rows = []
    for depth in (0, 1):
        for name, part in (("hottest", table), ("last", stable)):
            ordered = part[part["depth"] == depth].sort_values("rate")
            found = share(round(float(ordered["escaped"].iloc[-1]) * chains), chains)
            rows.append(estimated(f"fig5b.d{depth}.escaped_{name}", found, over="chains"))
    return rows
