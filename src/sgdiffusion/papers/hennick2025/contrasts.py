"""Correlations over the designed runs and what the paper asserts between them (Hennick & De Baerdemacker
2025, Fig. 2b, Figs 10 to 13 and 17, and Table 4 as a whole)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.measures.statistics.bootstrap import Correlation, correlation, correlations
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.hennick2025.published import TABLE4
from sgdiffusion.papers.hennick2025.tables import usable
from sgdiffusion.papers.tables import documented, estimated, finite_quantities

Array = NDArray[np.float64]

CORRELATION_COLUMNS = {
    "optimiser": "sgd or adam",
    "x": "first variable",
    "y": "second variable",
    "rho": "correlation over runs: Spearman's of ranks, or Pearson's",
    "low": "lower end of its 95 % bootstrap interval",
    "high": "upper end",
    "n": "runs",
    "subset": "all, or large-batch-low-rate: see column quiet of the runs",
}
_TARGETS = ("llc", "mean_llc", "spectral_dimension")
_FACTORS = ("rate", "batch_size", "test_accuracy", "displacement", "width", "depth")


def correlation_table(runs: pd.DataFrame, kind: Correlation = "spearman") -> pd.DataFrame:
    """Figs 10–13 and 17 of the appendix, and Fig. 2b with its large-batch, low-rate subset."""
    rows = []
    for optimiser, part in usable(runs).groupby("optimiser"):
        for subset, chosen in (("all", part), ("large-batch-low-rate", part[part["quiet"]])):
            for y in _TARGETS:
                for x in _FACTORS:
                    if len(chosen) < 4:
                        continue
                    found = correlation(chosen[x], chosen[y], kind)
                    rows.append((optimiser, x, y, *found[:3], found.n, subset))
    return documented(rows, CORRELATION_COLUMNS)


def correlation_quantities(table: pd.DataFrame) -> pd.DataFrame:
    """`mlps-<optimiser>.rho.<y>.<x>`, of the large-batch, low-rate subset with `.quiet` behind; with the
    displacement also `strength`, without the sign.
    """
    rows = []
    for row in table.to_dict("records"):
        suffix = "" if row["subset"] == "all" else ".quiet"
        name = f"mlps-{row['optimiser']}.rho.{row['y']}.{row['x']}{suffix}"
        found = Estimate(row["rho"], row["low"], row["high"], row["n"])
        rows.append(estimated(name, found, over="runs"))
        if row["x"] == "displacement":
            rows.append(estimated(name.replace(".rho.", ".strength."), _absolute(found), over="runs"))
    return finite_quantities(rows)


def _absolute(found: Estimate) -> Estimate:
    """|ρ| with its interval, which begins at 0 where that of ρ holds 0."""
    ends = sorted((abs(found.low), abs(found.high)))
    return Estimate(abs(found.value), 0.0 if found.low * found.high < 0 else ends[0], ends[1], found.n)


def contrast_quantities(
    runs: pd.DataFrame, name: str, kind: Correlation = "spearman", seed: int = 0
) -> pd.DataFrame:
    """Differences that the paper asserts between correlations and between optimisers, bootstrap over runs.

    `<name>.batch_over_rate.<y>`: |ρ(y, batch)| − |ρ(y, rate)| for SGD; `<name>.displacement_sgd_over_adam`:
    |ρ(λ̄, R)| of SGD − of Adam; `<name>.accuracy_sgd`: |ρ(accuracy, λ̄)| − |ρ(accuracy, d_s)|, and
    `_adam` the other way round; `<name>.<column>_sgd_over_adam`: differences of medians.
    """
    good = usable(runs)
    sgd, adam = (good[good["optimiser"] == o] for o in ("sgd", "adam"))
    pairs: dict[str, tuple[_Pair, _Pair]] = {
        f"batch_over_rate.{y}": ((sgd, "batch_size", y), (sgd, "rate", y))
        for y in ("mean_llc", "spectral_dimension")
    }
    pairs["displacement_sgd_over_adam"] = (
        (sgd, "displacement", "mean_llc"),
        (adam, "displacement", "mean_llc"),
    )
    by = ("test_accuracy", "mean_llc"), ("test_accuracy", "spectral_dimension")
    pairs["accuracy_sgd"] = (sgd, *by[0]), (sgd, *by[1])
    pairs["accuracy_adam"] = (adam, *by[1]), (adam, *by[0])
    rows = [
        estimated(f"{name}.{k}", _difference(*pair, kind, seed), over="runs") for k, pair in pairs.items()
    ]
    for column in ("llc", "spectral_dimension", "test_accuracy", "slope_change"):
        found = _median_difference(sgd[column], adam[column], seed)
        rows.append(estimated(f"{name}.{column}_sgd_over_adam", found, over="runs"))
    rows.append(estimated(f"{name}.table4_factor", _table4_factor(sgd, adam, seed), over="runs"))
    return finite_quantities(rows)


def _table4_factor(sgd: pd.DataFrame, adam: pd.DataFrame, seed: int, resamples: int = 1000) -> Estimate:
    """How far Table 4 as a whole is: the largest factor, up or down, between one of its means or standard
    deviations of d_s and λ̂(T) and the printed one. 1 is the printed table.
    """
    rng = np.random.default_rng(seed)
    spreads: list[Array] = []
    values: list[Array] = []
    for optimiser, runs in (("sgd", sgd), ("adam", adam)):
        both = runs[["spectral_dimension", "llc"]].to_numpy()
        printed = np.array([TABLE4[optimiser, k] for k in ("d_s", "final λ")], dtype=float)
        for chosen, into in (
            (np.arange(len(both))[None], values),
            (rng.integers(len(both), size=(resamples, len(both))), spreads),
        ):
            again = both[chosen]
            found = np.stack([again.mean(1), again.std(1, ddof=1)], -1)
            into.append(np.abs(np.log(np.maximum(found, 1e-12) / printed)).max((1, 2)))
    low, high = np.quantile(np.exp(np.maximum(*spreads)), [0.025, 0.975])
    value = float(np.exp(np.maximum(*values))[0])
    return Estimate(value, min(float(low), value), max(float(high), value), min(len(sgd), len(adam)))


_Pair = tuple[pd.DataFrame, str, str]  # runs, x, y


def _difference(first: _Pair, second: _Pair, kind: Correlation, seed: int, resamples: int = 1000) -> Estimate:
    """|ρ| of the first pair of columns − |ρ| of the second; of the same runs both are from one resample."""
    rng = np.random.default_rng(seed)
    n, m = len(first[0]), len(second[0])
    one = rng.integers(n, size=(resamples, n))
    two = one if first[0] is second[0] else rng.integers(m, size=(resamples, m))
    value = _strength(first, np.arange(n)[None], kind) - _strength(second, np.arange(m)[None], kind)
    low, high = np.nanquantile(_strength(first, one, kind) - _strength(second, two, kind), [0.025, 0.975])
    return Estimate(float(value[0]), float(low), float(high), min(n, m))


def _strength(pair: _Pair, rows: NDArray[np.int64], kind: Correlation) -> Array:
    table, x, y = pair
    return np.abs(correlations(table[x], table[y], rows, kind))


def _median_difference(first: pd.Series, second: pd.Series, seed: int, resamples: int = 1000) -> Estimate:
    rng = np.random.default_rng(seed)
    a, b = first.to_numpy(), second.to_numpy()
    draws = [np.median(v[rng.integers(len(v), size=(resamples, len(v)))], axis=1) for v in (a, b)]
    low, high = np.quantile(draws[0] - draws[1], [0.025, 0.975])
    return Estimate(float(np.median(a) - np.median(b)), float(low), float(high), min(len(a), len(b)))
