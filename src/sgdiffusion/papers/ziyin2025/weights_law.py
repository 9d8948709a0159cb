"""Eqs 14 and 15 of Ziyin, Li & Ueda (2025) tested without what they are derived from: the SDE of all weights.

The laws rest on balance (Theorem 3.1), on equal subnetworks (Theorem 4.1) and on one diffusion of v. Here the
d(D+1) weights start out of balance and unequal, and only v = Σ_i Π_k u_i^{(k)} at the end is compared.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sgdiffusion.dynamics.chains.diagonal import balanced
from sgdiffusion.dynamics.chains.sde_diagonal import run_weights
from sgdiffusion.measures.laws import ks
from sgdiffusion.papers.tables import documented, quantity
from sgdiffusion.papers.ziyin2025.common import named_seed, plain
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, gaussian_linear, linear_law
from sgdiffusion.papers.ziyin2025.theory.laws import deep, depth_one
from sgdiffusion.papers.ziyin2025.theory.stationary import StationaryLaw

# At an accuracy of 0.1 Milstein's scheme leaves a distance of 0.02 at D = 2 and 3; at 0.02 none is seen.
SPREAD = 0.15  # of the starting weights, relative to balance and equality
LEVEL = 0.01

COLUMNS = {
    "constants": "α₁, α₂, α₃, β₁, β₂ of the data",
    "temperature": "T",
    "depth": "D",
    "width": "d, subnetworks",
    "decay": "γ in ℓ + γ‖θ‖² (D = 1)",
    "n": "independent chains",
    "distance": "sup |F_n − F| to eq. 14 with this D and d, or eq. 15 with decay",
    "critical": "distance rejected at 1 %",
    "p_value": "probability of a larger distance if the law is true",
    "to_width_one": "distance to eq. 14 with d = 1; the same at D = 1",
}


class Case(NamedTuple):
    """A data law, a temperature below its T_c, and a shape."""

    constants: DataConstants
    temperature: float
    depth: int
    width: int
    decay: float = 0.0


_SKEW = DataConstants(3.0, 1.2, 1.5, 0.8, 0.5)
_HEAVY = linear_law(0.8, 0.7, 1.5, 8.0)
_NORMAL = gaussian_linear(0.6, 0.8)
CASES = (
    Case(_SKEW, 0.1, 1, 1), Case(_SKEW, 0.1, 1, 3), Case(_HEAVY, 0.08, 1, 2, 0.05),
    Case(_NORMAL, 0.13, 1, 4), Case(_NORMAL, 0.13, 1, 2, 0.1), Case(_SKEW, 0.1, 2, 1),
    Case(_HEAVY, 0.08, 2, 2), Case(_NORMAL, 0.13, 2, 3), Case(_SKEW, 0.1, 3, 1),
    Case(_HEAVY, 0.08, 3, 3), Case(_NORMAL, 0.13, 3, 2), Case(_NORMAL, 0.13, 4, 2), Case(_SKEW, 0.1, 4, 4),
)  # fmt: skip


def weights_law(
    *, chains: int = 10_000, duration: float = 25.0, accuracy: float = 0.02, seed: int = 0, threads: int = 1
) -> dict[str, pd.DataFrame]:
    """v after `duration` under the SDE of all weights, against the law of its depth and width."""
    rows = []
    for number, case in enumerate(CASES):
        c, stream = case.constants, named_seed(seed, "weights-law", number)
        start = balanced(np.full(chains, c.minimiser), case.depth, case.width)
        start *= 1 + SPREAD * np.random.default_rng(stream).uniform(-1, 1, start.shape)
        v = run_weights(
            start, plain(c), case.temperature, [duration], decay=case.decay, accuracy=accuracy, seed=stream,
            threads=threads,
        ).require_bounded().v[:, 0]  # fmt: skip
        rows.append((str(plain(c)), *case[1:], chains, *_distances(case, v)))
    table = documented(rows, COLUMNS)
    least = float(table["p_value"].min())
    wide = table[(table["depth"] > 1) & (table["width"] > 1)]
    contrast = float((wide["to_width_one"] / wide["critical"]).min())
    quantities = [
        quantity("eq14.weights.ks_p", min(1.0, least * len(table)), n=chains, over="draws"),
        quantity("eq14.weights.width_one_over_critical", contrast, n=chains, over="draws"),
    ]
    return {"distances": table, "quantities": pd.DataFrame(quantities)}


def law_of(case: Case) -> StationaryLaw:
    """Eq. 14 at the case's D and d, or eq. 15 with its decay, which knows no width."""
    if case.depth == 1:
        return depth_one(case.constants, case.temperature, case.decay)
    return deep(case.constants, case.temperature, case.depth, case.width)


def _distances(case: Case, v: np.ndarray) -> tuple[float, float, float, float]:
    """Distance, critical distance and p-value for the law of this width; distance to that of width one."""
    law, one = law_of(case), law_of(case._replace(width=1))
    found = ks.distance(v, law.cdf)
    critical = ks.critical_value(v.size, LEVEL)
    return found.statistic, critical, found.p_value, ks.distance(v, one.cdf).statistic
