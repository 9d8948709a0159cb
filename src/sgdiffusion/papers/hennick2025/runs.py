"""From trained runs to Fig. 2, Table 4 and the appendix of Hennick & De Baerdemacker (2025): one row per run,
rank correlations, shares, model comparison, sensitivity of slopes and of λ̂."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.bootstrap import median, rank_correlations, spearman
from sgdiffusion.measures.statistics.intervals import Estimate, mean_interval, share_of, student
from sgdiffusion.measures.trajectories.dimensions import (
    power_laws,
    spectral_dimension,
    time_average,
    window_sensitivity,
)
from sgdiffusion.measures.trajectories.walk_models import compare
from sgdiffusion.papers.hennick2025.coefficients import sensitivity_quantities, sensitivity_summary
from sgdiffusion.papers.hennick2025.design import Group
from sgdiffusion.papers.hennick2025.settings import MlpRuns
from sgdiffusion.papers.hennick2025.tables import model_summary, usable
from sgdiffusion.papers.tables import documented, estimated, finite_quantities

Array = NDArray[np.float64]
Window = Sequence[float]

RUN_COLUMNS = {
    "run": "number of the run",
    "optimiser": "sgd or adam",
    "width": "units of each hidden layer",
    "depth": "hidden layers",
    "batch_size": "examples per step",
    "rate": "learning rate",
    "slope": "log-log slope of R(t) in the window",
    "slope_low": "lower end of its 95 % interval (residuals correlated in ln t)",
    "slope_high": "upper end",
    "r2": "of the power law in the window",
    "r2_brownian": "with the slope held at 1/2",
    "llc": "λ̂ at the end",
    "mean_llc": "λ̄ over the time of the training (eq. 16)",
    "mean_llc_error": "its standard error from the chains",
    "spectral_dimension": "d_s = 2 λ̄ slope (eq. 17)",
    "spectral_low": "lower end of its 95 % interval",
    "spectral_high": "upper end",
    "late_change": "|λ̂(end) − λ̂(first kept step of the second half)| / λ̄",
    "train_loss": "cross-entropy at the end, nats",
    "test_accuracy": "at the end",
    "displacement": "R at the end",
    "quiet": "batch size at least and rate at most the median: large batch, low learning rate",
    "marks": "diverged, or the diagnoses of λ̂ along the run; empty: nothing",
}


def _curves(groups: Sequence[Group]) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
    """Run numbers, displacements [runs, times] of the runs that stayed finite, and times."""
    steps = groups[0].steps
    if any(not np.array_equal(g.steps, steps) for g in groups):
        raise MeasureError(
            "runs of one design need the same recorded steps: train all with the same settings"
        )
    runs = np.concatenate([g.runs for g in groups])
    curves = np.concatenate([g.displacements for g in groups])
    alive = np.isfinite(curves).all(1) & (curves > 0).all(1)
    order = np.argsort(runs[alive])
    return runs[alive][order], curves[alive][order], steps


def run_table(
    design: pd.DataFrame,
    groups: Sequence[Group],
    coefficients: pd.DataFrame,
    evaluations: pd.DataFrame,
    *,
    window: Window,
) -> pd.DataFrame:
    """One row per run of one optimiser; `window` in fractions of the training. Diverged runs keep their
    row.
    """
    runs, curves, steps = _curves(groups)
    last = float(steps[-1])
    laws = power_laws(steps, curves, first=window[0] * last, last=window[1] * last)
    laws = laws.assign(run=runs, slope_low=laws["low"], slope_high=laws["high"]).drop(columns=["low", "high"])
    means = coefficient_means(coefficients, last)
    table = design.merge(laws, on="run", how="left").merge(means, on="run", how="left")
    table = table.merge(evaluations, on="run", how="left")
    value, error = spectral_dimension(
        table["slope"], table["error"], table["mean_llc"], table["mean_llc_error"]
    )
    table = table.assign(
        spectral_dimension=value, spectral_low=value - 1.96 * error, spectral_high=value + 1.96 * error
    )
    table["quiet"] = _quiet(table)
    lost = table["slope"].isna() | table["llc"].isna()
    table["marks"] = table["diagnoses"].fillna("").where(~lost, "diverged")
    return documented(table, RUN_COLUMNS)


def _quiet(table: pd.DataFrame) -> pd.Series:
    large = table["batch_size"] >= table["batch_size"].median()
    return large & (table["rate"] <= table["rate"].median())


def coefficient_means(coefficients: pd.DataFrame, last: float) -> pd.DataFrame:
    """λ̄ up to step `last` (eq. 16) with its error from the chains, λ̂ at the end, its late change and the
    diagnoses, per run whose estimates are all finite.
    """
    values = coefficients.pivot(index="run", columns="step", values="llc")
    half = coefficients["high"] - coefficients["llc"]  # the lower end also allows for the step
    error = half / student(np.maximum(coefficients["chains"] - 1, 1))
    errors = coefficients.assign(error=error).pivot(index="run", columns="step", values="error")
    finite = np.isfinite(values).all(axis=1)
    values, errors = pd.DataFrame(values[finite]), pd.DataFrame(errors[finite])
    steps = values.columns.to_numpy(dtype=float)
    weights = time_average(steps, np.eye(len(steps)), last=last)  # the average is linear in the values
    late = values.loc[:, steps >= last / 2]
    mean = values.to_numpy() @ weights
    spread = np.sqrt(errors.to_numpy() ** 2 @ weights**2)
    marks = coefficients.groupby("run")["diagnoses"].agg(_joined)
    return pd.DataFrame(
        {
            "run": values.index,
            "llc": values.iloc[:, -1].to_numpy(),
            "mean_llc": mean,
            "mean_llc_error": spread,
            "late_change": np.abs((late.iloc[:, -1] - late.iloc[:, 0]).to_numpy() / mean),
            "diagnoses": marks.reindex(values.index).to_numpy(),
        }
    )


def _joined(texts: pd.Series) -> str:
    names = {name for text in texts for name in str(text).split(", ") if name}
    return ", ".join(sorted(names))


CORRELATION_COLUMNS = {
    "optimiser": "sgd or adam",
    "x": "first variable",
    "y": "second variable",
    "rho": "Spearman's rank correlation over runs",
    "low": "lower end of its 95 % bootstrap interval",
    "high": "upper end",
    "n": "runs",
    "subset": "all, or large-batch-low-rate: see column quiet of the runs",
}
_TARGETS = ("llc", "mean_llc", "spectral_dimension")
_FACTORS = ("rate", "batch_size", "test_accuracy", "displacement", "width", "depth")


def correlations(runs: pd.DataFrame) -> pd.DataFrame:
    """Figs 10–13 and 17 of the appendix, and Fig. 2b with its large-batch, low-rate subset."""
    rows = []
    for optimiser, part in usable(runs).groupby("optimiser"):
        for subset, chosen in (("all", part), ("large-batch-low-rate", part[part["quiet"]])):
            for y in _TARGETS:
                for x in _FACTORS:
                    if len(chosen) < 4:
                        continue
                    found = spearman(chosen[x], chosen[y])
                    rows.append((optimiser, x, y, *found[:3], found.n, subset))
    return documented(rows, CORRELATION_COLUMNS)


def compare_models(groups: Sequence[Group], *, window: Window) -> pd.DataFrame:
    """All models on all runs in the window (fractions of the training)."""
    runs, curves, steps = _curves(groups)
    last = float(steps[-1])
    table = compare(steps, curves, first=window[0] * last, last=window[1] * last)
    return table.assign(run=runs[table["run"]])


def window_table(groups: Sequence[Group], windows: Sequence[Window]) -> pd.DataFrame:
    """Slopes of all runs in several windows, the fractions in columns `begin` and `end`."""
    runs, curves, steps = _curves(groups)
    table = window_sensitivity(steps, curves, windows)
    return table.assign(run=runs[table["run"]])


def run_quantities(runs: pd.DataFrame, comparison: pd.DataFrame, name: str) -> pd.DataFrame:
    """Fig. 2, Table 4 and the appendix as quantities `<name>.…` of one optimiser.

    d_s ≤ λ̄ and slope ≤ 1/2 are one statement where λ̄ > 0 (eq. 17): `below_line` counts the first, also for
    the lowest third of the rates and for the others, since slow runs are earlier in their training;
    `slope_below_half` counts where the whole interval of the slope is below 1/2.
    """
    good = usable(runs)
    positive = good[good["mean_llc"] > 0]
    below = positive["spectral_dimension"] <= positive["mean_llc"]
    agree = below == (positive["slope"] <= 0.5)
    slow = positive["rate"] <= good["rate"].quantile(1 / 3)
    by_rate = {"low_rates": below[slow], "other_rates": below[~slow]}
    best = comparison.loc[comparison["delta_bic"] == 0, "model"]
    facts: dict[str, tuple[Estimate, str]] = {
        "below_line": (share_of(below), ""),
        **{f"below_line.{name}": (share_of(part), "") for name, part in by_rate.items() if len(part)},
        "forced": (share_of(agree), ""),
        "slope_below_half": (share_of(good["slope_high"] < 0.5), ""),
        "slope": (median(good["slope"]), ""),
        "r2_power": (median(good["r2"]), ""),
        "r2_brownian": (median(good["r2_brownian"]), ""),
        "mean_llc": (median(good["mean_llc"]), ""),
        "final_llc": (median(good["llc"]), ""),
        "final_llc_mean": (mean_interval(good["llc"]), ""),
        "spectral_dimension": (median(good["spectral_dimension"]), ""),
        "spectral_dimension_mean": (mean_interval(good["spectral_dimension"]), ""),
        "test_accuracy": (mean_interval(100 * good["test_accuracy"]), "%"),
        "late_change": (median(good["late_change"]), ""),
        "negative_llc": (share_of(good["llc"] < 0), ""),
        "marked": (share_of(runs["marks"] != ""), ""),
        "usable": (share_of(np.isin(runs["run"], good["run"])), ""),
        **{f"best_{m}": (share_of(best == m), "") for m in ("power", "brownian", "logarithm", "stretched")},
    }
    return finite_quantities(
        [estimated(f"{name}.{k}", value, unit=unit, over="runs") for k, (value, unit) in facts.items()]
    )


def correlation_quantities(correlation: pd.DataFrame) -> pd.DataFrame:
    """`mlps-<optimiser>.rho.<y>.<x>`, of the large-batch, low-rate subset with `.quiet` behind."""
    rows = []
    for row in correlation.to_dict("records"):
        suffix = "" if row["subset"] == "all" else ".quiet"
        name = f"mlps-{row['optimiser']}.rho.{row['y']}.{row['x']}{suffix}"
        found = Estimate(row["rho"], row["low"], row["high"], row["n"])
        rows.append(estimated(name, found, over="runs"))
    return finite_quantities(rows)


def optimiser_tables(
    table: pd.DataFrame,
    groups: Sequence[Group],
    coefficients: pd.DataFrame,
    evaluations: pd.DataFrame,
    varied: pd.DataFrame,
    plan: MlpRuns,
    name: str,
) -> dict[str, pd.DataFrame]:
    """Everything about the runs of one optimiser, by name of the table."""
    runs = run_table(table, groups, coefficients, evaluations, window=plan.window)
    comparison = compare_models(groups, window=plan.window)
    sensitivity = sensitivity_summary(varied)
    of = {"optimiser": plan.optimiser}
    measured = [run_quantities(runs, comparison, name), sensitivity_quantities(sensitivity, name)]
    return {
        "runs": runs,
        "coefficients": coefficients.assign(**of),
        "models": model_summary(comparison, plan.optimiser),
        "windows": window_table(groups, plan.windows).assign(**of),
        "sensitivity": sensitivity.assign(**of),
        "quantities": pd.concat(measured),
    }


def contrast_quantities(runs: pd.DataFrame, name: str, seed: int = 0) -> pd.DataFrame:
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
    rows = [estimated(f"{name}.{k}", _difference(*pair, seed), over="runs") for k, pair in pairs.items()]
    for column in ("llc", "spectral_dimension", "test_accuracy"):
        found = _median_difference(sgd[column], adam[column], seed)
        rows.append(estimated(f"{name}.{column}_sgd_over_adam", found, over="runs"))
    return finite_quantities(rows)


_Pair = tuple[pd.DataFrame, str, str]  # runs, x, y


def _difference(first: _Pair, second: _Pair, seed: int, resamples: int = 1000) -> Estimate:
    """|ρ| of the first pair of columns − |ρ| of the second; of the same runs both are from one resample."""
    rng = np.random.default_rng(seed)
    n, m = len(first[0]), len(second[0])
    one = rng.integers(n, size=(resamples, n))
    two = one if first[0] is second[0] else rng.integers(m, size=(resamples, m))
    value = _rank(first, np.arange(n)[None]) - _rank(second, np.arange(m)[None])
    low, high = np.nanquantile(_rank(first, one) - _rank(second, two), [0.025, 0.975])
    return Estimate(float(value[0]), float(low), float(high), min(n, m))


def _rank(pair: _Pair, rows: NDArray[np.int64]) -> Array:
    table, x, y = pair
    return np.abs(rank_correlations(table[x], table[y], rows))


def _median_difference(first: pd.Series, second: pd.Series, seed: int, resamples: int = 1000) -> Estimate:
    rng = np.random.default_rng(seed)
    a, b = first.to_numpy(), second.to_numpy()
    draws = [np.median(v[rng.integers(len(v), size=(resamples, len(v)))], axis=1) for v in (a, b)]
    low, high = np.quantile(draws[0] - draws[1], [0.025, 0.975])
    return Estimate(float(np.median(a) - np.median(b)), float(low), float(high), min(len(a), len(b)))
