"""Fig 3 right and Fig 5 mid of Ziyin, Li & Ueda (2025): one tanh unit with one trained layer or two.

Depth 0 is f = tanh(vx), depth 1 f = w tanh(ux) with v := wu, both trained by SGD with S = 1, η = T.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.dynamics.chains.diagonal import Paths
from sgdiffusion.dynamics.chains.tanh_scalar import Teacher, run_tanh
from sgdiffusion.measures.laws.density import over_chains
from sgdiffusion.measures.statistics.intervals import Estimate, share
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.ziyin2025.common import NORMAL, Array, Linear, law_named, named_seed
from sgdiffusion.papers.ziyin2025.theory.phases import critical_temperature

SIGN_LAW = Linear(0.3, 1.0)  # a weak signal: learning the wrong sign costs little, so that it can happen
EDGES = np.linspace(-2.0, 2.5, 181)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)  # of E over x ~ N(0, 1)

WRONG = 0.1  # of the truth: v below −WRONG·k has learned the wrong sign, |v| below WRONG·k none

SIGN_COLUMNS = {
    "temperature": "T = η, S = 1",
    "depth": "0: tanh(vx); 1: w tanh(ux), v = wu",
    "low": "left edge of the bin of v",
    "high": "right edge",
    "density": "share of all chains in the bin per unit of v",
    "error": "its standard error over chains",
    "truth": "k of the data",
    "wrong_sign": f"share of chains with v < −{WRONG:g} k",
    "no_sign": f"share of chains with |v| < {WRONG:g} k",
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
    "critical": "T_c = β₂/α₃ of the linear model of depth 1 (S = 1: the rate at which v collapses)",
}


def _start(chains: int, depth: int, stream: int) -> Array:
    """Trained weights from N(0, 1), so that both signs of v occur; w = 1 at depth 0. Shape (chains, 1, 2)."""
    weights = np.random.default_rng(stream).standard_normal((chains, 1, 2))
    if depth == 0:
        weights[..., 1] = 1.0
    return weights


def _train(
    law: Linear,
    teacher: Teacher,
    depth: int,
    rate: float,
    records: Array,
    chains: int,
    stream: int,
    threads: int,
) -> Paths:
    return run_tanh(
        _start(chains, depth, stream), law.k, law.noise, rate, records, teacher=teacher,
        train_output=depth == 1, seed=stream, threads=threads,
    ).require_bounded()  # fmt: skip


def signs(
    *,
    temperatures: Sequence[float] = (0.05, 0.2),
    chains: int = 20_000,
    duration: float = 300.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """The law of v at both depths after `duration`, and the share of chains with the wrong sign."""
    tables, quantities = [], []
    for t in temperatures:
        for depth in (0, 1):
            stream = named_seed(seed, "signs", f"{t:g}", depth)
            steps = np.array([round(duration / t)])
            v = _train(SIGN_LAW, "tanh", depth, t, steps, chains, stream, threads).v[:, 0]
            p, width = np.histogram(v, EDGES)[0] / chains, np.diff(EDGES)
            error = np.sqrt(p * (1 - p) / chains) / width
            edge = WRONG * SIGN_LAW.k
            wrong, none = (share(int(s.sum()), chains) for s in (v < -edge, np.abs(v) < edge))
            tables.append(
                pd.DataFrame(
                    {"temperature": t, "depth": depth, "low": EDGES[:-1], "high": EDGES[1:],
                     "density": p / width, "error": error, "truth": SIGN_LAW.k,
                     "wrong_sign": wrong.value, "no_sign": none.value}
                )
            )  # fmt: skip
            quantities.append(estimated(f"fig3c.t{t:g}.d{depth}.wrong_sign", wrong, over="chains"))
            quantities.append(estimated(f"fig3c.t{t:g}.d{depth}.no_sign", none, over="chains"))
    return {
        "signs": documented(pd.concat(tables, ignore_index=True), SIGN_COLUMNS),
        "quantities": pd.DataFrame(quantities),
    }


def excess_loss(weights: Array, k: float) -> Array:
    """E_x (w tanh(ux) − kx)² for weights (..., 2), by Gauss–Hermite quadrature."""
    f = weights[..., 1, None] * np.tanh(weights[..., 0, None] * NODES)
    return np.asarray((f - k * NODES) ** 2 @ WEIGHTS / WEIGHTS.sum())


def inversion(
    *,
    law: str = "weak",
    rates: Sequence[float] = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.16, 0.2, 0.3),
    chains: int = 1000,
    duration: float = 600.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Norm, variance of v and loss over the second half of the training, against the learning rate."""
    data, rows = law_named(law), []
    critical = critical_temperature(data.constants)
    for depth in (0, 1):
        for rate in rates:
            stream = named_seed(seed, "inversion", depth, f"{rate:g}")
            records = np.unique(np.round(np.linspace(duration / 2, duration, 11) / rate)).astype(int)
            paths = _train(data, "linear", depth, rate, records, chains, stream, threads)
            rows.append((depth, rate, *_statistics(paths, depth, data.k), critical))
    table = documented(rows, INVERSION_COLUMNS)
    return {"inversion": table, "quantities": pd.DataFrame(_inversion_quantities(table, chains))}


def _statistics(paths: Paths, depth: int, k: float) -> list[float]:
    weights, v = paths.weights[:, :, 0], paths.v
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
