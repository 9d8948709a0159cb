"""What Ziyin, Li & Ueda (2025) state of their closed forms, evaluated: no simulation, no random number."""

from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.papers.tables import quantity
from sgdiffusion.papers.ziyin2025.common import law_named
from sgdiffusion.papers.ziyin2025.theory.findings import findings
from sgdiffusion.papers.ziyin2025.theory.laws import deep, infinite_depth


def closed_forms(*, seed: int = 0, threads: int = 1) -> dict[str, pd.DataFrame]:
    """The list of findings with their numbers, and the limits of the laws."""
    found, quantities = pd.DataFrame(findings()), depth_limits()
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
