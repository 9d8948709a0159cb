"""What Ziyin, Li & Ueda (2025) state of their closed forms, evaluated: no simulation, no random number."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize

from sgdiffusion.papers.tables import quantity
from sgdiffusion.papers.ziyin2025.common import law_named
from sgdiffusion.papers.ziyin2025.theory import phases
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants
from sgdiffusion.papers.ziyin2025.theory.findings import findings, largest_with_maximum
from sgdiffusion.papers.ziyin2025.theory.laws import deep, depth_one, infinite_depth


def closed_forms(*, seed: int = 0, threads: int = 1) -> dict[str, pd.DataFrame]:
    """The list of findings with their numbers, and the limits of the laws."""
    found, quantities = pd.DataFrame(findings()), depth_limits() + star_range() + stationary_forms()
    for row in found.to_dict("records"):
        quantities.append(quantity(f"finding.{row['finding']}.printed", row["printed_value"]))
        quantities.append(quantity(f"finding.{row['finding']}.derived", row["derived_value"]))
    return {"findings": found, "quantities": pd.DataFrame(quantities)}


def depth_limits(temperature: float = 0.05, shallow: int = 32) -> list[dict[str, Any]]:
    """The three regimes of infinite depth, of κ = d/(DT): collapse, a law of its own, concentration at v*."""
    c = law_named("above").constants
    narrow, wide = infinite_depth(c, 1e-3 / temperature), infinite_depth(c, 1e3 / temperature)
    own, finite = infinite_depth(c, 1 / temperature), deep(c, temperature, shallow, shallow)
    v = own.quantile(np.linspace(0.001, 0.999, 999))
    window = np.array([0.9, 1.1]) * c.minimiser
    return [
        quantity("limit.narrow.near_zero", float(narrow.cdf(0.1 * c.minimiser))),
        quantity("limit.own.distance", float(np.abs(own.cdf(v) - finite.cdf(v)).max())),
        quantity("limit.own.near_minimiser", float(np.subtract(*own.cdf(window)[::-1]))),
        quantity("limit.wide.near_minimiser", float(np.subtract(*wide.cdf(window)[::-1]))),
    ]


def star_range(noises: Sequence[float] = (1.0, 2.0, 4.0)) -> list[dict[str, Any]]:
    """T* of Fig 4 over the largest T at which a scan of the density finds a maximum, k = 1."""
    return [
        quantity(f"star.s{s:g}", phases.star_temperature(1.0, s) / largest_with_maximum(1.0, s))
        for s in noises
    ]


def stationary_forms() -> list[dict[str, Any]]:
    """What Sec. 4.2 reads off eq. 15: the place of its maximum (eq. 16), and the variance towards T_c."""
    c = law_named("above").constants
    critical = phases.critical_temperature(c)
    temperatures = critical * np.array([0.02, 0.1, 0.2, 0.3])
    found = [_mode(c, t) for t in temperatures]
    worst = max(abs(v / phases.maximiser(c, t) - 1) for v, t in zip(found, temperatures, strict=True))
    small = 1e-4 * critical
    slope = (
        10 * c.alpha2 * c.beta2 / c.beta1**2 - 7 * c.alpha1 * c.beta2**2 / c.beta1**3 - 3 * c.alpha3 / c.beta1
    )
    variances = [depth_one(c, share * critical).variance() for share in (0.02, 0.7, 0.999)]
    return [
        quantity("eq16.largest_error", worst),
        quantity("eq16.slope_over_printed", (_mode(c, small) - c.minimiser) / small / slope),
        quantity("inversion.peak_over_cold", variances[1] / variances[0]),
        quantity("inversion.hot_over_peak", variances[2] / variances[1]),
        quantity(
            "moments.deep.smallest_order", min(phases.tail_exponent(c, 1.0, d) - 1 for d in range(1, 6))
        ),
    ]


def _mode(c: DataConstants, temperature: float) -> float:
    """The maximum of eq. 15 at positive v, by minimising −log p about v*."""
    law, top = depth_one(c, temperature), c.minimiser
    found = optimize.minimize_scalar(
        lambda v: -float(law.log_density(v)), bounds=(0.3 * top, 1.3 * top), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    return float(found.x)
