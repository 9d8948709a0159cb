"""Tables of Hennick & De Baerdemacker (2025) as they are published, and what is shown of several choices."""

import numpy as np
import pandas as pd

from sgdiffusion.measures.statistics.bootstrap import median
from sgdiffusion.measures.statistics.intervals import mean_interval
from sgdiffusion.papers.hennick2025.published import TABLE2, TABLE4
from sgdiffusion.papers.tables import documented

TABLE2_COLUMNS = {
    "distance": "of the posterior from the law: kl, wasserstein, jensen_shannon; nats, mean centre distances",
    "law": "tempered, sgd, null (as many draws of the posterior as nets), uniform",
    "published": "Table 2, as text; empty: not published",
    "value": "distance of the estimated laws",
    "low": "2.5 % quantile over resamples of nets and chains",
    "high": "97.5 % quantile",
}
TABLE4_COLUMNS = {
    "optimiser": "sgd or adam",
    "quantity": "d_s, final λ, test accuracy in %",
    "published_mean": "Table 4, as printed",
    "published_sd": "Table 4, in brackets; empty: not published",
    "mean": "mean over runs",
    "low": "lower end of the mean's 95 % interval",
    "high": "upper end",
    "sd": "standard deviation over runs",
    "median": "median over runs",
    "median_low": "lower end of the median's 95 % interval",
    "median_high": "upper end",
    "n": "runs",
}
MODEL_COLUMNS = {
    "optimiser": "sgd or adam",
    "model": "power, brownian, logarithm, stretched",
    "best": "share of runs on which its BIC is smallest",
    "delta_bic": "median over runs of its BIC above the best",
    "r2": "median r² of ln R",
    "held_out": "median error of ln R on the part not fitted",
    "exponent": "median exponent at the end of the window",
    "n": "runs",
}


def table2(distances: pd.DataFrame) -> pd.DataFrame:
    """Table 2 of the paper with raw SGD, null and uniform law beside, by the base reading."""
    rows = []
    for name, number in TABLE2.items():
        part = distances[distances["distance"] == name].set_index("law")
        for law in ("tempered", "sgd", "null", "uniform"):
            value, low, high = (float(part.loc[law, c]) for c in ("value", "low", "high"))  # type: ignore[arg-type]
            rows.append((name, law, f"{number:g}" if law == "tempered" else "", value, low, high))
    return documented(rows, TABLE2_COLUMNS)


def usable(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with a slope and a coefficient; what is left out is counted in the quantities."""
    return runs[np.isfinite(runs["slope"]) & np.isfinite(runs["mean_llc"])]


def table4(runs: pd.DataFrame) -> pd.DataFrame:
    """Table 4 with medians and intervals, published values beside."""
    rows = []
    good = usable(runs)
    columns = {
        "d_s": good["spectral_dimension"],
        "final λ": good["llc"],
        "test accuracy": 100 * good["test_accuracy"],
    }
    for (optimiser, name), (mean, sd) in TABLE4.items():
        values = columns[name][good["optimiser"] == optimiser]
        if len(values) < 2:
            continue
        own, middle = mean_interval(values), median(values)
        facts = (*own[:3], float(values.std(ddof=1)), *middle[:3], own.n)
        rows.append((optimiser, name, mean, sd, *facts))
    return documented(rows, TABLE4_COLUMNS)


def model_summary(comparison: pd.DataFrame, optimiser: str) -> pd.DataFrame:
    """Which law the runs follow, from the table of `walk_models.compare`."""
    rows = []
    for model, part in comparison.groupby("model"):
        middle = part[["delta_bic", "r2", "held_out", "exponent"]].median()
        rows.append((optimiser, model, (part["delta_bic"] == 0).mean(), *middle, len(part)))
    return documented(rows, MODEL_COLUMNS).sort_values("best", ascending=False, ignore_index=True)


def models_table(moons: pd.DataFrame, mlps: pd.DataFrame) -> pd.DataFrame:
    """The table of model comparisons: the moons nets (a row per net and model) and both optimisers' runs."""
    named = pd.concat([model_summary(moons, "sgd").assign(runs="moons"), mlps.assign(runs="MNIST design")])
    return named[["runs", *MODEL_COLUMNS]].reset_index(drop=True)
