"""λ̂ of many weight vectors with the settings of a run, and what other settings make of it (Hennick & De
Baerdemacker 2025)."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched import Batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import MeasureError, require_choice
from sgdiffusion.measures.coefficients.langevin_calibration import calibrate
from sgdiffusion.measures.coefficients.learning_coefficient import default_n_beta, learning_coefficients
from sgdiffusion.measures.statistics.bootstrap import bootstrap, spearman
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.hennick2025.settings import Langevin, NamedTemperature, Temperature
from sgdiffusion.papers.tables import documented, estimated, finite_quantities

Progress = Callable[[int, int], None]

COLUMNS = {
    "llc": "λ̂",
    "low": "lower end of its 95 % interval over chains",
    "high": "upper end",
    "chains": "chains that stayed finite",
    "r_hat": "R̂ of its chains",
    "ess": "effective draws",
    "drift": "score of the draws' drift",
    "step_size": "ε",
    "n_beta": "nβ",
    "baseline": "L(w*) on the draws' examples, nats",
    "diagnoses": "what is wrong with the estimate; empty: nothing",
}


def n_beta(rule: Temperature, examples: int, batch_size: int | None) -> float:
    """nβ: "examples" n/ln n (Watanabe's WBIC), "batch" b/ln b (devinterp's default), "posterior" n (Bayes),
    or the number itself.
    """
    if isinstance(rule, int | float):
        return float(rule)
    require_choice("temperature", rule, NamedTemperature)
    if rule == "posterior":
        return float(examples)
    return default_n_beta(examples if rule == "examples" or batch_size is None else batch_size)


def chain_plan(plan: Langevin, examples: int) -> Sgld:
    """The chain of these settings; ε is what the plan fixes, or an upper bound for the calibration."""
    size = None if plan.batch_size is None else min(plan.batch_size, examples)
    beta = n_beta(plan.temperature, examples, size)
    step = plan.step_size or 1.0
    return Sgld(step, beta, plan.localisation, plan.draws, plan.burn_in, plan.every, size, plan.integrator)


def coefficient_table(
    net: Batched,
    data: Examples,
    points: Tensor,
    plan: Langevin,
    *,
    seed: int,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """λ̂ of each row of `points` [S, d], one row each; ε is the plan's or calibrated at each point.

    Chains that blow up are flagged, not fatal: in a design some points are worse than others.
    """
    chain = chain_plan(plan, len(data))
    steps = points.new_full((len(points),), chain.step_size)
    if plan.step_size is None:
        size = len(data) if chain.batch_size is None else chain.batch_size
        seed_of_pilots = seed % 2**32
        steps = calibrate(
            net, data, points, chain, share=plan.share, rounds=2, pilots=1, examples=size, seed=seed_of_pilots
        ).step_sizes
    table = learning_coefficients(
        net,
        data,
        points,
        chain,
        chains=plan.chains,
        seed=seed,
        baseline=plan.baseline,
        step_sizes=steps * plan.step_factor,
        on_divergence="flag",
        progress=progress,
    ).table
    return documented(table.assign(n_beta=chain.n_beta), COLUMNS)


SUMMARY_COLUMNS = {
    "variation": "the choice that was changed",
    "mean": "mean λ̂ over points",
    "low": "lower end of its 95 % bootstrap interval over points",
    "high": "upper end",
    "ratio": "mean λ̂ over the mean of the base",
    "ratio_low": "lower end of its interval, the same points resampled in both",
    "ratio_high": "upper end",
    "rho": "rank correlation with the base over points",
    "rho_low": "lower end of its 95 % bootstrap interval",
    "rho_high": "upper end",
    "marked": "share of points with a diagnosis",
    "n": "points finite in both",
}


def sensitivity_summary(table: pd.DataFrame) -> pd.DataFrame:
    """What each change does to the level and to the order of λ̂.

    `table` has a row per point and variation (column; "base": none), of the same points in each.
    """
    values = table.pivot(index="point", columns="variation", values="llc")
    values = pd.DataFrame(values[np.isfinite(values).all(axis=1)])
    if len(values) < 4:
        raise MeasureError(
            f"the sensitivity of λ̂ needs at least four points with estimates under every setting, found "
            f"{len(values)}: measure more points or use smaller steps"
        )
    rows = []
    for name in table["variation"].unique():
        pair = values[[name, "base"]].to_numpy() if name != "base" else values[["base"]].to_numpy()
        mean = bootstrap(pair, lambda v: v[..., 0].mean(-1))
        ratio = bootstrap(pair, lambda v: v[..., 0].mean(-1) / v[..., -1].mean(-1))
        order = spearman(pair[:, 0], pair[:, -1])
        marked = (table.loc[table["variation"] == name, "diagnoses"] != "").mean()
        rows.append((name, *mean[:3], *ratio[:3], *order[:3], marked, len(values)))
    return documented(rows, SUMMARY_COLUMNS)


def sensitivity_quantities(summary: pd.DataFrame, name: str) -> pd.DataFrame:
    """`<name>.sensitivity.<choice>.<value>.ratio` and `.rho` of every varied choice."""
    rows = []
    for row in summary[summary["variation"] != "base"].to_dict("records"):
        for key in ("ratio", "rho"):
            found = Estimate(row[key], row[f"{key}_low"], row[f"{key}_high"], row["n"])
            label = f"{name}.sensitivity.{row['variation'].replace('=', '.')}.{key}"
            rows.append(estimated(label, found, over="weight vectors"))
    return finite_quantities(rows)


def points_of(weights: NDArray[np.float32]) -> Tensor:
    """Weight vectors [..., d] as rows."""
    return torch.from_numpy(np.ascontiguousarray(weights)).flatten(0, -2)
