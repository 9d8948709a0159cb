"""Theorem 4.1 of Ziyin, Li & Ueda (2025): what becomes of the subnetworks v_i = Π_k u_i^{(k)}.

The weights' SDE from random weights of every sign: (1) the subnetworks that do not vanish agree in sign,
(2) at D = 1 log|v_i| − log|v_j| stays as it is, (3) at D > 1 |v_i|² − |v_j|² tends to zero. At D ≥ 2 a
subnetwork may also die: two of its weights reach zero together and stay there, whatever the others are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.config.readings import Reading
from sgdiffusion.dynamics.chains.diagonal import run_sgd
from sgdiffusion.dynamics.chains.sde_diagonal import run_weights
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import mean_interval, share
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import Array, Linear, law_named, named_seed, plain
from sgdiffusion.papers.ziyin2025.readings import measured
from sgdiffusion.papers.ziyin2025.settings import Subnetworks

WIDTH = 3
RECORDS = 41
BALANCED_AFTER = 0.5  # of the duration: imbalances have died out by then, and "at stationarity" begins
ALIVE = 1e-3  # a subnetwork counts as non-zero when it carries this share of Σ|v_i| at the end

COLUMNS = {
    "simulator": "sde: of the weights; sgd: discrete, S = 1",
    "depth": "D",
    "time": "units of η steps",
    "minority": "mean over chains of the share of Σ|v_i| in subnetworks of the minority sign",
    "minority_low": "lower end of its 95 % interval",
    "minority_high": "upper end",
    "log_ratio": "mean over living pairs of |change of log|v_i/v_j| since half-time|; NaN before",
    "square_gap": "mean over chains of Σ ||v_i|² − |v_j|²| / Σ (|v_i|² + |v_j|²), living pairs",
    "square_low": "lower end of its 95 % interval",
    "square_high": "upper end",
}


def _minority(v: Array) -> Array:
    """Share of Σ|v_i| of the sign that carries less, per chain and record."""
    positive, total = np.clip(v, 0, None).sum(-1), np.abs(v).sum(-1)
    return np.minimum(positive, total - positive) / total


def _pairs() -> list[tuple[int, int]]:
    return [(i, j) for i in range(WIDTH) for j in range(i)]


def _alive(v: Array) -> NDArray[np.bool_]:
    """Which subnetworks are not zero at the end, per chain."""
    size = np.abs(v[:, -1])
    return np.asarray(size > ALIVE * size.sum(-1, keepdims=True))


def _square_gap(v: Array) -> Array:
    """Σ ||v_i|² − |v_j|²|/Σ (|v_i|² + |v_j|²) over pairs that live, per chain and record.

    Only the chains in which a pair does.
    """
    alive = _alive(v)
    gap, total = np.zeros(v.shape[:2]), np.zeros(v.shape[:2])
    for i, j in _pairs():
        both = (alive[:, i] & alive[:, j])[:, None]
        a, b = v[..., i] ** 2, v[..., j] ** 2
        gap += both * np.abs(a - b)
        total += both * (a + b)
    paired = alive.sum(1) > 1
    return np.asarray(gap[paired] / total[paired])


def _log_ratio_change(v: Array) -> Array:
    """|log|v_i/v_j| − its value at the first record|, mean over the pairs that live, per chain and record.

    Only the chains in which a pair does.
    """
    alive, size = _alive(v), np.log(np.maximum(np.abs(v), 1e-300))
    change, count = np.zeros(v.shape[:2]), np.zeros(len(v))
    for i, j in _pairs():
        both, ratio = alive[:, i] & alive[:, j], size[..., i] - size[..., j]
        change += both[:, None] * np.abs(ratio - ratio[:, :1])
        count += both
    return np.asarray(change[count > 0] / count[count > 0, None])


def subnetworks(
    *,
    law: str = "strong",
    temperature: float = 0.1,
    sgd_rate: float = 0.02,
    depths: Sequence[int] = (1, 2, 3),
    chains: int = 1000,
    duration: float = 200.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """The three statements over time, at several depths, from weights drawn from N(0, 1), for SDE and SGD."""
    tables, quantities = [], []
    times = np.linspace(0, duration, RECORDS)
    for simulator in ("sde", "sgd"):
        for depth in depths:
            stream = named_seed(seed, "subnetworks", depth, *(["sgd"] if simulator == "sgd" else []))
            start = np.random.default_rng(stream).standard_normal((chains, WIDTH, depth + 1))
            weights = _weights(
                simulator, law_named(law), temperature, sgd_rate, start, times, stream, threads
            )
            v = np.prod(weights, axis=3)
            alive = np.abs(v[:, -1]).sum(-1) > 0
            if simulator == "sde" and not alive.all():
                raise MeasureError(f"a chain at depth {depth} vanished altogether: lower the temperature")
            tables.append(_over_time(depth, times, v[alive]).assign(simulator=simulator))
            quantities += _quantities(f"thm41.{'sgd.' if simulator == 'sgd' else ''}d{depth}", v[alive])
            lost = share(int(chains - alive.sum()), chains)
            if simulator == "sgd":
                quantities.append(estimated(f"thm41.sgd.d{depth}.lost", lost, over="chains"))
    table = documented(pd.concat(tables, ignore_index=True), COLUMNS)
    return {"subnetworks": table, "quantities": pd.DataFrame(quantities)}


def _weights(
    simulator: str, law: Linear, temperature: float, rate: float, start: Array, times: Array, seed: int,
    threads: int,
) -> Array:  # fmt: skip
    """Weights of every chain at the times; of SGD those that neither overflow nor vanish."""
    if simulator == "sde":
        return run_weights(
            start, plain(law.constants), temperature, times, accuracy=0.05, seed=seed, threads=threads
        ).require_bounded().weights  # fmt: skip
    steps = np.round(times / rate).astype(int)
    paths = run_sgd(start, law.data, rate, steps, seed=seed, threads=threads)
    return np.where(paths.escaped[:, None, None, None], 0.0, paths.weights)


def _over_time(depth: int, times: Array, v: Array) -> pd.DataFrame:
    first = round(BALANCED_AFTER * (RECORDS - 1))
    minority = [mean_interval(column) for column in _minority(v).T]
    gap = [mean_interval(column) for column in _living(_square_gap(v), depth).T]
    change = np.full(RECORDS, np.nan)
    change[first:] = _log_ratio_change(v[:, first:]).mean(0)
    return pd.DataFrame(
        {"depth": depth, "time": times, "minority": [m.value for m in minority],
         "minority_low": [m.low for m in minority], "minority_high": [m.high for m in minority],
         "log_ratio": change, "square_gap": [g.value for g in gap],
         "square_low": [g.low for g in gap], "square_high": [g.high for g in gap]}
    )  # fmt: skip


def _living(per_chain: Array, depth: int) -> Array:
    if not len(per_chain):
        raise MeasureError(f"in no chain at depth {depth} do two subnetworks live: use more chains")
    return per_chain


def _quantities(name: str, v: Array) -> list[dict[str, Any]]:
    first = round(BALANCED_AFTER * (RECORDS - 1))
    gap, change = _square_gap(v), _log_ratio_change(v[:, first:])[:, -1]
    dead = (~_alive(v)).mean(1)
    return [
        estimated(f"{name}.minority", mean_interval(_minority(v)[:, -1]), over="chains"),
        estimated(f"{name}.square_gap", mean_interval(gap[:, -1]), over="chains"),
        estimated(f"{name}.square_gap_start", mean_interval(gap[:, 0]), over="chains"),
        estimated(f"{name}.log_ratio_change", mean_interval(change), over="chains"),
        estimated(f"{name}.dead", mean_interval(dead), over="chains"),
    ]


def subnetworks_readings(task: Task, run: Subnetworks, readings: list[Reading]) -> dict[str, pd.DataFrame]:
    """The numbers of Theorem 4.1 under other readings."""
    return measured(subnetworks, task, run, readings)
