"""Discrete SGD with hidden layers (Ziyin, Li & Ueda 2025, Secs. 4.2, 4.3): how far it is from the SDE.

At S = 1 the learning rate is T. With weak signals k and unit noise the transition lies at T_c ≈ k, so that
η → 0 with k at a fixed T/T_c: there the laws of eqs 14 and 15 must come out. At a rate of order one
discrete SGD has no law at all: its chains escape in time, which the SDE's, whose E[v²] is finite for every
D ≥ 1, never do.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.dynamics.chains.diagonal import balanced, run_sgd
from sgdiffusion.dynamics.chains.sde_diagonal import run_effective
from sgdiffusion.measures.laws import ks
from sgdiffusion.measures.statistics.intervals import Estimate, share
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.ziyin2025.common import Linear, law_named, named_seed, plain
from sgdiffusion.papers.ziyin2025.densities import RELAXATIONS, relaxation_rate
from sgdiffusion.papers.ziyin2025.theory.laws import deep
from sgdiffusion.papers.ziyin2025.theory.phases import critical_temperature

HALF = 0.5  # T/T_c (of depth 1) at which the laws are approached
QUARTER = 0.25  # and once, at the weakest signal, another
HORIZONS = (20.0, 100.0, 500.0)
FAR = 3.0  # in units of the law's 90 % quantile: where a cut of the tail is looked for

APPROACH_COLUMNS = {
    "depth": "D",
    "k": "slope of y = kx + ε, ε with unit variance",
    "rate": "η = T, S = 1, half of T_c",
    "n": "independent chains with finite v",
    "distance": "sup |F_n − F| of discrete SGD to eq. 14 or 15",
    "band": "half-width of its 95 % interval (Dvoretzky–Kiefer–Wolfowitz)",
    "critical": "distance rejected at 1 %",
    "tail": "share of chains beyond three times the law's 90 % quantile, over the law's own",
}
ESCAPE_COLUMNS = {
    "simulator": "sgd: S = 1; sde: effective diffusion",
    "depth": "D",
    "rate": "η = T",
    "time": "units of η steps",
    "escaped": "share of chains whose weights have overflowed",
    "low": "lower end of its 95 % interval",
    "high": "upper end",
}


def discrete_depth(
    *,
    law: str = "above",
    signals: Sequence[float] = (0.4, 0.2, 0.1, 0.05),
    rates: Sequence[float] = (0.1, 0.2, 0.3, 0.5),
    depths: Sequence[int] = (1, 2, 3),
    chains: int = 20_000,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Distances to the laws as η → 0, and shares of escaped chains over rates and times."""
    approach = [_approach(d, k, chains, seed, threads) for d in depths for k in signals]
    escapes = [
        row
        for simulator, depth in (*(("sgd", d) for d in depths), ("sde", depths[0]))
        for rate in rates
        for row in _escapes(simulator, law_named(law), depth, rate, chains, seed, threads)
    ]
    colder = [_approach(d, min(signals), chains, seed, threads, QUARTER) for d in depths]
    table = documented(approach, APPROACH_COLUMNS)
    gone = documented(escapes, ESCAPE_COLUMNS)
    return {
        "approach": table,
        "escapes": gone,
        "quantities": pd.DataFrame(
            [
                *_approach_quantities(table),
                *_colder_quantities(documented(colder, APPROACH_COLUMNS)),
                *_escape_quantities(gone, chains),
            ]
        ),
    }


def _approach(
    depth: int, k: float, chains: int, seed: int, threads: int, part: float = HALF
) -> tuple[Any, ...]:
    """A row at T = `part` of T_c."""
    data = Linear(k, 1.0)
    rate = part * critical_temperature(data.constants)
    target = deep(data.constants, rate, depth)
    steps = round(RELAXATIONS / relaxation_rate(data.constants, rate, depth) / rate)
    v = run_sgd(
        balanced(np.full(chains, k), depth), data.data, rate, [steps],
        seed=named_seed(seed, "approach", depth, f"{k:g}"), threads=threads,
    ).v[:, 0]  # fmt: skip
    v = v[np.isfinite(v)]
    found = ks.distance(v, target.cdf)
    edge = FAR * float(target.quantile(0.9))
    tail = float((v > edge).mean()) / float(target.sf(edge))
    critical = ks.critical_value(v.size, 0.01)
    return (depth, k, rate, v.size, found.statistic, found.half_width, critical, tail)


def _escapes(
    simulator: str, law: Linear, depth: int, rate: float, chains: int, seed: int, threads: int
) -> list[tuple[Any, ...]]:
    start, stream = np.full(chains, law.k), named_seed(seed, "escapes", simulator, depth, f"{rate:g}")
    if simulator == "sgd":
        steps = np.round(np.array(HORIZONS) / rate).astype(int)
        found = run_sgd(balanced(start, depth), law.data, rate, steps, seed=stream, threads=threads)
        when = np.where(found.escaped, found.escape_step * rate, np.inf)
    else:
        few = start[: max(2, chains // 20)]  # the SDE's steps are short; one escape would tell
        sde = run_effective(
            few, plain(law.constants), rate, HORIZONS, depth=depth, seed=stream, threads=threads
        )
        when = np.where(np.isnan(sde.v).any(1), 0.0, np.inf)
    return [(simulator, depth, rate, t, *share(int((when <= t).sum()), when.size)[:3]) for t in HORIZONS]


def _approach_quantities(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for depth, part in table.groupby("depth"):
        ordered = part.sort_values("rate").reset_index(drop=True)
        finest, coarsest = ordered.iloc[0], ordered.iloc[-1]
        found = _distance(finest)
        rows.append(estimated(f"approach.d{depth}.finest", found, over="draws"))
        ratio = finest["distance"] / coarsest["distance"]
        rows.append(
            estimated(
                f"approach.d{depth}.finest_over_coarsest",
                Estimate(ratio, found.low / coarsest["distance"], found.high / coarsest["distance"], found.n),
                over="draws",
            )
        )
    return rows


def _distance(row: Mapping[Hashable, Any] | pd.Series) -> Estimate:
    """The distance of a row of the approach with its interval."""
    value, band = float(row["distance"]), float(row["band"])
    return Estimate(value, max(0.0, value - band), value + band, int(row["n"]))


def _colder_quantities(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The distances at a quarter of T_c."""
    return [
        estimated(f"approach.d{row['depth']}.quarter", _distance(row), over="draws")
        for row in table.to_dict("records")
    ]


def _escape_quantities(table: pd.DataFrame, chains: int) -> list[dict[str, Any]]:
    return [
        estimated(
            f"escape.{r['simulator']}.d{r['depth']}.e{r['rate']:g}.t{r['time']:g}",
            Estimate(r["escaped"], r["low"], r["high"], chains), over="chains",
        )
        for r in table.to_dict("records")
    ]  # fmt: skip
