"""Table 1 of Ziyin, Li & Ueda (2025): every row, as printed and as derived, against draws of the SDE.

At k = 1.5, E[x²] = 2 and E[x⁴] = 12, where no factor of k or E[x²] is hidden by being one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.dynamics.chains.sde_diagonal import run_effective
from sgdiffusion.measures.laws import ks
from sgdiffusion.measures.statistics.intervals import share
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.ziyin2025.common import Array, named_seed, plain, shifted
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, linear_law, near_interpolation
from sgdiffusion.papers.ziyin2025.theory.laws import depth_one, depth_zero
from sgdiffusion.papers.ziyin2025.theory.stationary import PointMass, StationaryLaw, TwoPoints
from sgdiffusion.papers.ziyin2025.theory.table_one import (
    interpolation_depth_one,
    interpolation_depth_zero,
    printed_interpolation_with_decay,
)

K, X2, X4 = 1.5, 2.0, 12.0
NOISE, OFFSET, DECAY = 0.6, 0.2, 0.2  # of the general rows; c of y = kx − c/x; γ of the rows with decay
TEMPERATURE = 0.05  # below T_c of every row: 0.160 with noise, 0.167 without

TABLE_COLUMNS = {
    "row": "id of the row of Table 1",
    "depth": "D",
    "decay": "γ in ℓ + γ‖θ‖²",
    "case": "general: Δ > 0; interpolation: y = kx; offset: y = kx − c/x",
    "law": "the stationary law (g = α₁v² − 2α₂v + α₃, J = ∫ dv/g, b = β₁ + γ)",
    "distance": "sup |F_n − F| of simulated draws; share farther than 1 % from the point for point masses",
    "printed": "the same to the law as printed, its Θ(1) factors restored from eqs 12 and 15; NaN where the "
    "printed form cannot be normalised, or the row is not in the table",
    "critical": "distance rejected at 1 %",
    "p_value": "probability of a larger distance if the law is true; NaN for point masses",
    "n": "independent chains",
}
ENDS_COLUMNS = {
    "temperature": "T, above T_c = β₁/(kα₁)",
    "start": "v at the start, over k",
    "zero": "share of chains that end at v = 0 (D = 1, y = kx, no decay)",
    "low": "lower end of its 95 % interval",
    "high": "upper end",
    "theory": "the same from the scale function",
    "n": "independent chains",
}
Law = StationaryLaw | PointMass | TwoPoints


def _general(depth: int, decay: float) -> tuple[DataConstants, Law, str]:
    c = linear_law(K, NOISE, X2, X4)
    if depth == 0:
        text = "g^{−1−b/(2Tα₁)} exp{−(α₂b − α₁β₂) J/(Tα₁)}"
        return c, depth_zero(c, TEMPERATURE, decay), text
    text = "v^{−3/2+(β₂−γ)/(2Tα₃)} g^{−1−(β₂−γ)/(4Tα₃)} exp{−(α₃β₁ − α₂(β₂−γ)) J/(2Tα₃)}"
    return c, depth_one(c, TEMPERATURE, decay), text


def _special(depth: int, decay: float, offset: float) -> tuple[DataConstants, Law, str]:
    constants = near_interpolation(K, offset, X2, X4)
    make = interpolation_depth_zero if depth == 0 else interpolation_depth_one
    law = make(constants, TEMPERATURE, decay)
    if isinstance(law, PointMass):
        return constants, law, "δ(v − k)"
    if depth == 0:
        return constants, law, "|v − k|^{−2−b/(Tα₁)} exp{−o/(Tα₁|v − k|)}, v < k, o = c + γk"
    text = "v^{−3/2+e} |v − k|^{−2−e} exp{−o/(2Tα₁k|v − k|)}, v < k, o = c + γ, e = (β₁ − o/k)/(2Tα₁k)"
    return constants, law, text


def _printed_distance(depth: int, decay: float, case: str, v: Array, found: float) -> float:
    """Distance to the printed row: the derived law's where they agree."""
    if case == "general" and not (depth == 0 and decay):
        return found
    if case == "interpolation" and depth == 1 and decay:
        law = printed_interpolation_with_decay(linear_law(K, 0.0, X2, X4), TEMPERATURE, decay)
        return ks.distance(v, law.cdf).statistic
    return np.nan


def _table_rows() -> list[tuple[str, int, float, str]]:
    rows = [
        (f"d{depth}.{case}{'.decay' if decay else ''}", depth, decay, case)
        for depth in (0, 1)
        for case in ("general", "interpolation")
        for decay in (0.0, DECAY)
    ]
    return rows + [(f"d{depth}.offset", depth, 0.0, "offset") for depth in (0, 1)]


def table_one(
    *, chains: int = 50_000, duration: float = 8.0, accuracy: float = 0.05, seed: int = 0, threads: int = 1
) -> dict[str, pd.DataFrame]:
    """Every law of Table 1 against the SDE; and where chains end above T_c under interpolation."""
    rows, quantities = [], []
    for name, depth, decay, case in _table_rows():
        offset = OFFSET if case == "offset" else 0.0
        constants, law, text = _general(depth, decay) if case == "general" else _special(depth, decay, offset)
        v = run_effective(
            np.full(chains, 0.8 * K), plain(constants), TEMPERATURE, [duration], depth=depth, decay=decay,
            accuracy=accuracy, seed=named_seed(seed, "table1", name), threads=threads,
        ).require_bounded().v[:, 0]  # fmt: skip
        critical = ks.critical_value(chains, 0.01)
        if not isinstance(law, StationaryLaw):
            away = share(int((np.abs(v - law.location) > 0.01 * K).sum()), chains)
            rows.append((name, depth, decay, case, text, away.value, np.nan, critical, np.nan, chains))
            quantities.append(estimated(f"table1.{name}.away", away, over="chains"))
            continue
        found = ks.distance(v, law.cdf)
        printed = _printed_distance(depth, decay, case, v, found.statistic)
        measured = (found.statistic, printed, critical, found.p_value, chains)
        rows.append((name, depth, decay, case, text, *measured))
        quantities.append(quantity(f"table1.{name}.ks_p", found.p_value, n=chains, over="draws"))
        if np.isfinite(printed):
            ratio = printed / critical
            quantities.append(quantity(f"table1.{name}.printed_over_critical", ratio, n=chains, over="draws"))
    least = min(1.0, min(r[8] for r in rows if np.isfinite(r[8])) * sum(np.isfinite(r[8]) for r in rows))
    quantities.append(quantity("table1.ks_p", least, n=chains, over="draws"))  # Bonferroni
    ends, of_ends = interpolation_ends(
        chains=max(10, chains // 5), accuracy=2 * accuracy, seed=seed, threads=threads
    )
    return {
        "laws": documented(rows, TABLE_COLUMNS),
        "ends": ends,
        "quantities": pd.DataFrame(quantities + of_ends),
    }


def interpolation_ends(
    *,
    temperatures: Sequence[float] = (0.35, 0.7),
    starts: Sequence[float] = (0.2, 0.6),
    chains: int,
    duration: float = 8.0,
    accuracy: float,
    seed: int,
    threads: int,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Shares of chains that end at zero, D = 1, y = kx, T above T_c: both v = 0 and v = k attract.

    Within the duration log v (or log|v − k|) falls by a hundred, four standard deviations.
    """
    constants, rows, quantities = linear_law(K, 0.0, X2, X4), [], []
    for t in temperatures:
        law = interpolation_depth_one(constants, t)
        assert isinstance(law, TwoPoints)
        for start in starts:
            v = run_effective(
                np.full(chains, start * K), plain(constants), t, [duration], accuracy=accuracy,
                seed=named_seed(seed, "table1", "ends", f"{t:g}", f"{start:g}"), threads=threads,
            ).require_bounded().v[:, 0]  # fmt: skip
            found, theory = share(int((v < K / 2).sum()), chains), 1 - law.weight(start * K)
            rows.append((t, start, *found[:3], theory, chains))
            name = f"table1.ends.t{t:g}.v{start:g}"
            quantities.append(estimated(f"{name}.zero", found, over="chains"))
            quantities.append(estimated(f"{name}.minus_theory", shifted(found, theory), over="chains"))
    return documented(rows, ENDS_COLUMNS), quantities
