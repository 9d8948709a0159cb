"""What the start decides at D = 1 (Ziyin, Li & Ueda 2025, Theorem 4.2 and Sec. 4.4).

With u = −w, v is negative and stays so: for v < 0 only δ(v) is stationary, and a population of which a share
z starts with v > 0 ends in (1 − z) δ(v) + z p₊(v). From weights of any kind every chain reaches the manifold
u² = w², so that the law of the weights has no density and an infinite Kullback–Leibler divergence from any
that has one.
"""

import numpy as np
import pandas as pd

from sgdiffusion.dynamics.chains.diagonal import balanced
from sgdiffusion.dynamics.chains.sde_diagonal import run_weights
from sgdiffusion.measures.laws import ks
from sgdiffusion.measures.statistics.intervals import share_of
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.ziyin2025.common import law_named, named_seed, plain
from sgdiffusion.papers.ziyin2025.theory.laws import depth_one

POSITIVE = 0.6  # z: share of the population that starts at v*, the rest at −v*
COLLAPSED = 1e-6  # |v| below this, of v*, has collapsed; falling by e⁻² a unit of time it is far below
ON_MANIFOLD = 1e-2  # |u² − w²|/(u² + w²) that is left; |u² − w²| falls at least as exp(−4TΔt/α₁) = e⁻⁷

COLUMNS = {
    "start": "signs: at ±v*, balanced, a share z positive; random: weights from N(0, 1)",
    "u": "first weight at the end",
    "w": "second weight at the end",
    "v": "uw at the end",
}


def memory(
    *,
    law: str = "above",
    temperature: float = 0.2,
    chains: int = 10_000,
    duration: float = 100.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Ends of chains from starts of both signs and from random weights, under the SDE of the weights."""
    data, positive = law_named(law), round(POSITIVE * chains)
    top, rng = data.constants.minimiser, np.random.default_rng(named_seed(seed, "memory", "weights"))
    starts = {
        "signs": balanced(np.where(np.arange(chains) < positive, top, -top), 1),
        "random": rng.standard_normal((chains, 1, 2)),
    }
    ends = []
    for name, start in starts.items():
        stream = named_seed(seed, "memory", name)
        paths = run_weights(
            start, plain(data.constants), temperature, [duration], accuracy=0.05, seed=stream, threads=threads
        )
        u, w = paths.require_bounded().weights[:, 0, 0].T
        ends.append(pd.DataFrame({"start": name, "u": u, "w": w, "v": u * w}))
    signs, random = ends
    collapsed, negative = (signs["v"].abs() < COLLAPSED * top), random["v"] < -COLLAPSED * top
    imbalance = (random["u"] ** 2 - random["w"] ** 2).abs() / (random["u"] ** 2 + random["w"] ** 2)
    found = ks.distance(signs["v"][:positive].to_numpy(), depth_one(data.constants, temperature).cdf)
    rows = [
        estimated("memory.negative_starts.collapsed", share_of(collapsed[positive:]), over="chains"),
        estimated("memory.positive_starts.collapsed", share_of(collapsed[:positive]), over="chains"),
        quantity("memory.positive_starts.ks_p", found.p_value, n=positive, over="draws"),
        estimated("memory.random_starts.negative", share_of(negative), over="chains"),
        estimated("memory.random_starts.off_manifold", share_of(imbalance > ON_MANIFOLD), over="chains"),
    ]
    return {"ends": documented(pd.concat(ends, ignore_index=True), COLUMNS), "quantities": pd.DataFrame(rows)}
