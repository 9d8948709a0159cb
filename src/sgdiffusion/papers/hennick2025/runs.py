"""From trained runs to Fig. 2 and Table 4 of Hennick & De Baerdemacker (2025): one row per run, shares,
means, model comparison, sensitivity of slopes."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.bootstrap import bootstrap, median
from sgdiffusion.measures.statistics.intervals import Estimate, mean_interval, share_of, student
from sgdiffusion.measures.trajectories.dimensions import (
    power_laws,
    spectral_dimension,
    time_average,
    window_sensitivity,
)
from sgdiffusion.measures.trajectories.walk_models import compare
from sgdiffusion.papers.hennick2025.design import Group
from sgdiffusion.papers.hennick2025.settings import MlpRuns
from sgdiffusion.papers.hennick2025.tables import model_summary, usable
from sgdiffusion.papers.tables import documented, estimated, finite_quantities

Array = NDArray[np.float64]
Window = Sequence[float]
_FEWEST = 4
CONVERGED_GAIN = 0.005  # half a point of training accuracy: the resolution of the published accuracies' order

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
    "late_drift": "(λ̂(end) − λ̂(first kept step of the second half)) / λ̄; noise cancels in its mean",
    "train_loss": "cross-entropy at the end, nats",
    "test_accuracy": "at the end",
    "accuracy_gain": "of the training set, from the first checkpoint of the second half to the end",
    "displacement": "R at the end",
    "slope_change": "|difference of its slopes in the earliest and the latest window|",
    "quiet": "large batch (as the run's settings say), rate at most the median",
    "marks": "diverged, or the diagnoses of λ̂ along the run; empty: nothing",
}


def clocks(groups: Sequence[Group]) -> Iterator[tuple[NDArray[np.int64], Array, NDArray[np.int64]]]:
    """Run numbers, displacements [runs, times] and times, of the runs that stayed finite, for every set of
    runs that were recorded at the same steps.
    """
    ordered = sorted(groups, key=lambda g: tuple(g.steps))
    for _, same in groupby(ordered, key=lambda g: tuple(g.steps)):
        part = list(same)
        runs = np.concatenate([g.runs for g in part])
        curves = np.concatenate([g.displacements for g in part])
        alive = np.isfinite(curves).all(1) & (curves > 0).all(1)
        if alive.any():
            order = np.argsort(runs[alive])
            yield runs[alive][order], curves[alive][order], part[0].steps


def run_table(
    design: pd.DataFrame,
    groups: Sequence[Group],
    coefficients: pd.DataFrame,
    evaluations: pd.DataFrame,
    plan: MlpRuns,
) -> pd.DataFrame:
    """One row per run of one optimiser that the settings count. Diverged runs keep their row."""
    found = [_measured(*clock, coefficients, plan) for clock in clocks(groups)]
    trained = design[design["run"].isin(np.concatenate([g.runs for g in groups]))]
    table = trained.merge(pd.concat(found), on="run", how="left")
    table = table.merge(evaluations[evaluations["length"] == plan.length], on="run", how="left")
    of, error = ("mean_llc", "mean_llc_error") if plan.lambda_of_ds == "average" else ("llc", "llc_error")
    value, spread = spectral_dimension(table["slope"], table["error"], table[of], table[error])
    table = table.assign(
        spectral_dimension=value, spectral_low=value - 1.96 * spread, spectral_high=value + 1.96 * spread
    )
    lost = table["slope"].isna() | table["llc"].isna()
    table["marks"] = table["diagnoses"].fillna("").where(~lost, "diverged")
    table = table[_counts(table, plan)]
    table["quiet"] = _quiet(table, plan.large_batch)
    return documented(table.reset_index(drop=True), RUN_COLUMNS)


def _measured(
    runs: NDArray[np.int64],
    curves: Array,
    steps: NDArray[np.int64],
    coefficients: pd.DataFrame,
    plan: MlpRuns,
) -> pd.DataFrame:
    """Slopes and coefficients of the runs of one clock."""
    last = float(steps[-1])
    laws = power_laws(steps, curves, first=plan.window[0] * last, last=plan.window[1] * last)
    laws = laws.assign(run=runs, slope_low=laws["low"], slope_high=laws["high"]).drop(columns=["low", "high"])
    first, latest = (
        power_laws(steps, curves, first=a * last, last=b * last)["slope"]
        for a, b in (min(plan.windows), max(plan.windows))
    )
    laws["slope_change"] = np.abs(latest - first)
    own = coefficients[coefficients["run"].isin(runs)]
    return laws.merge(coefficient_means(own, last), on="run", how="left")


def _counts(table: pd.DataFrame, plan: MlpRuns) -> pd.Series:
    """Which runs the settings count: rates inside the range, and converged or unflagged ones where asked."""
    between = plan.ranges[plan.rates]
    counts = pd.Series(True, index=table.index)
    if between is not None:
        counts &= table["rate"].between(between[0], between[1])
    if plan.runs == "converged":
        counts &= table["accuracy_gain"] < CONVERGED_GAIN
    if plan.points == "unflagged":
        counts &= table["marks"] == ""
    return counts


def _quiet(table: pd.DataFrame, large: Literal["median", "largest"]) -> pd.Series:
    sizes = table["batch_size"]
    least = sizes.median() if large == "median" else sizes.max()
    return (sizes >= least) & (table["rate"] <= table["rate"].median())


def coefficient_means(coefficients: pd.DataFrame, last: float) -> pd.DataFrame:
    """λ̄ up to step `last` (eq. 16) with its error from the chains, λ̂ at the end, its late change and the
    diagnoses, per run whose estimates are all finite.
    """
    columns = ("run", "llc", "llc_error", "mean_llc", "mean_llc_error", "late_drift", "diagnoses")
    if not len(coefficients):
        return pd.DataFrame(columns=columns)
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
            "llc_error": errors.iloc[:, -1].to_numpy(),
            "mean_llc": mean,
            "mean_llc_error": spread,
            "late_drift": (late.iloc[:, -1] - late.iloc[:, 0]).to_numpy() / np.abs(mean),
            "diagnoses": marks.reindex(values.index).to_numpy(),
        },
        columns=list(columns),
    )


def _joined(texts: pd.Series) -> str:
    names = {name for text in texts for name in str(text).split(", ") if name}
    return ", ".join(sorted(names))


def compare_models(groups: Sequence[Group], *, window: Window) -> pd.DataFrame:
    """All models on all runs in the window (fractions of the length)."""
    parts = []
    for runs, curves, steps in clocks(groups):
        last = float(steps[-1])
        table = compare(steps, curves, first=window[0] * last, last=window[1] * last)
        parts.append(table.assign(run=runs[table["run"]]))
    return pd.concat(parts, ignore_index=True)


def window_table(groups: Sequence[Group], windows: Sequence[Window]) -> pd.DataFrame:
    """Slopes of all runs in several windows, the fractions in columns `begin` and `end`."""
    parts = []
    for runs, curves, steps in clocks(groups):
        table = window_sensitivity(steps, curves, windows)
        parts.append(table.assign(run=runs[table["run"]]))
    return pd.concat(parts, ignore_index=True)


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
    both = good[["spectral_dimension", "llc"]].to_numpy()
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
        "late_drift": (mean_interval(good["late_drift"]), ""),
        "negative_llc": (share_of(good["llc"] < 0), ""),
        "marked": (share_of(runs["marks"] != ""), ""),
        "usable": (share_of(np.isin(runs["run"], good["run"])), ""),
        **{f"best_{m}": (share_of(best == m), "") for m in ("power", "brownian", "logarithm", "stretched")},
        "slope_change": (median(good["slope_change"]), ""),
        "exponent": (bootstrap(both, _exponent_of_means), ""),
        "final_llc_sd": (bootstrap(both[:, 1], _sd), ""),
        "spectral_dimension_sd": (bootstrap(both[:, 0], _sd), ""),
    }
    return finite_quantities(
        [estimated(f"{name}.{k}", value, unit=unit, over="runs") for k, (value, unit) in facts.items()]
    )


def _exponent_of_means(both: Array) -> Array:
    """Mean d_s over twice the mean λ̂(T): Table 4's α, which the scale of λ̂ leaves alone."""
    means = both.mean(-2)
    return np.asarray(means[..., 0] / (2 * means[..., 1]))


def _sd(values: Array) -> Array:
    return np.asarray(values.std(-1, ddof=1))


def optimiser_tables(
    table: pd.DataFrame,
    groups: Sequence[Group],
    coefficients: pd.DataFrame,
    evaluations: pd.DataFrame,
    comparison: pd.DataFrame,
    plan: MlpRuns,
    name: str,
) -> dict[str, pd.DataFrame]:
    """Everything about the runs of one optimiser that the settings count, by name of the table; `comparison`
    is that of `compare_models` for all of the runs.
    """
    runs = run_table(table, groups, coefficients, evaluations, plan)
    if len(usable(runs)) < _FEWEST:
        raise MeasureError(
            f"only {len(usable(runs))} of the {plan.optimiser} runs count here, {_FEWEST} are needed"
        )
    counted = [group.only(usable(runs)["run"].to_numpy()) for group in groups]
    comparison = comparison[comparison["run"].isin(usable(runs)["run"])]
    of = {"optimiser": plan.optimiser}
    return {
        "runs": runs,
        "coefficients": coefficients[coefficients["run"].isin(runs["run"])].assign(**of),
        "models": model_summary(comparison, plan.optimiser),
        "windows": window_table(counted, plan.windows).assign(**of),
        "quantities": run_quantities(runs, comparison, name),
    }
