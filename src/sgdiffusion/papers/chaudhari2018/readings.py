"""What can be said of Chaudhari & Soatto's printed numbers and formulas without any measurement.

Two exact checks: which reading of "mean ± s.d. of the eigenvalues" a printed pair can have, and the factor
of App. A.2 by enumeration of all mini-batches.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.papers.tables import quantity
from sgdiffusion.papers.task import Task

GRADIENTS = (-1.0, 0.5, 2.0, 3.5, 1.0)  # any small set whose mean is not zero


def least_sd_over_mean(share: float) -> float:
    """s.d./mean is at least √(1/p − 1) over values of which a share p is not zero, with equality if those
    are equal: E[λ²] ≥ E[λ]²/p by Cauchy and Schwarz."""
    return math.sqrt(1 / share - 1)


def rounding(printed: float) -> float:
    """Half a unit of the last digit that is printed: 0.84 may stand for 0.835 to 0.845."""
    exponent = Decimal(repr(printed)).as_tuple().exponent
    return 0.5 * 10.0 ** int(exponent)


def largest_variation(sd_over_mean: float, share: float) -> float:
    """s.d./mean c of the non-zero eigenvalues, given s.d./mean r of all of them and the share p of non-zeros.

    E[λ²] = p m²(1 + c²) and E[λ] = p m for non-zero values of mean m, so r² + 1 = (1 + c²)/p; NaN if none
    does.
    """
    square = share * (sd_over_mean**2 + 1) - 1
    return math.sqrt(square) if square >= 0 else math.nan


def reading_quantities(published: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """For each figure's printed mean, s.d. and rank: s.d./mean and its bound over all eigenvalues.

    `printed_over_least_rounded` takes the printed digits where they favour that reading most; where it is 1
    or more, `largest_variation` is how much the non-zero eigenvalues may then vary at most.
    """
    rows = []
    for figure, numbers in published.items():
        mean, sd, rank = (numbers[k] for k in ("mean", "sd", "rank_percent"))
        printed, least = sd / mean, least_sd_over_mean(rank / 100)
        most = (sd + rounding(sd)) / (mean - rounding(mean))
        share = (rank + rounding(rank)) / 100
        variation = largest_variation(most, share)
        rows += [
            quantity(f"readings.{figure}.printed_sd_over_mean", printed),
            quantity(f"readings.{figure}.least_sd_over_mean", least),
            quantity(f"readings.{figure}.printed_over_least", printed / least),
            quantity(f"readings.{figure}.printed_over_least_rounded", most / least_sd_over_mean(share)),
        ]
        if not math.isnan(variation):
            rows.append(quantity(f"readings.{figure}.largest_variation", variation))
    return rows


def variance_by_enumeration(gradients: Sequence[float], size: int) -> float:
    """Var(∇f_b) over all mini-batches of `size` different examples, each equally likely."""
    means = [np.mean(batch) for batch in itertools.combinations(gradients, size)]
    return float(np.var(means))


def variance_by_formula(gradients: Sequence[float], size: int, factor: float) -> float:
    """(1/b)(1 − b/N) D with D = (1/(N−1)) Σ g_k² − factor · ḡ² (App. A.2)."""
    g = np.asarray(gradients)
    d = np.sum(g**2) / (len(g) - 1) - factor * np.mean(g) ** 2
    return float(d / size * (1 - size / len(g)))


def factor_quantities(gradients: Sequence[float] = GRADIENTS, size: int = 2) -> list[dict[str, Any]]:
    """Relative errors of App. A.2's variance with the printed factor 1 − 1/(N−1) and with 1 + 1/(N−1)."""
    truth, part = variance_by_enumeration(gradients, size), 1 / (len(gradients) - 1)
    errors = {
        name: abs(variance_by_formula(gradients, size, factor) / truth - 1)
        for name, factor in (("printed", 1 - part), ("derived", 1 + part))
    }
    return [quantity(f"app-a2.{name}_factor_error", error) for name, error in errors.items()]


def quantities(published: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """The table of quantities."""
    return pd.DataFrame([*reading_quantities(published), *factor_quantities()])


def measure(task: Task, published: dict[str, dict[str, float]]) -> dict[str, pd.DataFrame]:
    """Checks of printed numbers and formulas that need no data (Figs 1, 2, App. A.2)."""
    return {"quantities": quantities(published)}
