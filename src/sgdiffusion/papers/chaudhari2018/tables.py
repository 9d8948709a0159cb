"""Tables of Chaudhari & Soatto (2018) as they are published, from quantities and statistics of runs."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sgdiffusion.measures.statistics.intervals import mean_interval
from sgdiffusion.papers.tables import QUANTITY_COLUMNS

TABLE_COLUMNS = [
    "quantity", "reading", "published", "measured", "low", "high", "seeds", "unit", "measured/published",
    "closer",
]  # fmt: skip
SENSITIVE = {
    "fig3a.drift_power": "power below ten cycles",
    "fig3a.drift_power_detrended": "the same, cubic trend removed",
    "fig3a.slow_power": "power of slow modes",
    "fig3a.slope_high": "slope at high frequency",
    "fig3a.displacement_exponent": "growth of the displacement",
    "fig3a.return_fall": "fall of the displacement",
    "fig3a.circulation": "circulation, correlation of halves",
    "fig3b.outside_white_band": "large lags outside the white-noise band",
    "fig3b.not_brownian_weights": "weights that reject a random walk",
    "fig3b.variance_ratio": "displacement over Brownian, longest span",
    "fig3b.variance_ratio_tenth": "displacement over Brownian, a tenth of the path",
    "fig3b.decorrelation": "decorrelation time",
    "fig3c.fall_evaluation": "fall of the gradient norm",
}


def statistics_table(quantity_table: pd.DataFrame, published: Mapping[str, float]) -> pd.DataFrame:
    """Published against measured, one row per published number and reading of it.

    ``published`` maps quantity ids (``<name>.mean``, ``<name>.sd``, ``<name>.rank_percent``) to the paper's
    numbers; those not measured are left out. Means and s.d. have two readings: over all d eigenvalues, and
    over those above threshold; ``closer`` marks the one whose measured/published is nearer to 1 (log scale).
    """
    measured = {row["quantity"]: row for row in quantity_table.to_dict("records")}
    rows: list[dict[str, Any]] = []
    for quantity, number in published.items():
        readings = {"all eigenvalues": quantity, "above threshold": f"{quantity}_above"}
        found = [_reading(measured[q], r, quantity, number) for r, q in readings.items() if q in measured]
        if len(found) > 1:
            nearest = min(found, key=lambda row: abs(math.log(row["measured/published"])))
            nearest["closer"] = "yes"
        rows += found
    return pd.DataFrame(rows, columns=TABLE_COLUMNS).fillna({"closer": ""})


def _reading(row: dict[Any, Any], reading: str, quantity: str, number: float) -> dict[str, Any]:
    reading = "rank" if quantity.endswith(".rank_percent") else reading
    facts = {"measured": row["value"], "low": row["low"], "high": row["high"], "seeds": row["n"]}
    return {
        "quantity": quantity,
        "reading": reading,
        "published": number,
        **facts,
        "unit": row["unit"],
        "measured/published": row["value"] / number,
    }


def variants_table(quantities: pd.DataFrame, name: str, published: Mapping[str, float]) -> pd.DataFrame:
    """What the spectrum depends on: one row per statistic and variant of the training `name`.

    The quantities' ids are ``<name>.<variant>.<statistic>``; the statistics are those that are published and
    the error at the end, as the measure of how far a variant trains.
    """
    parts = quantities["quantity"].str.removeprefix(f"{name}.").str.rsplit(".", n=1, expand=True)
    table = quantities.assign(variant=parts[0], statistic=parts[1])
    wanted = [*published, "train_error_percent"]
    table = table[table["statistic"].isin(wanted)]
    order = table["statistic"].map(wanted.index)
    printed = [published.get(statistic, "") for statistic in table["statistic"]]
    table = table.assign(published=printed).iloc[order.argsort(kind="stable")]
    columns = ["statistic", "variant", "published", "value", "low", "high", "n", "unit", "over"]
    return table[columns].reset_index(drop=True)


def constancy_table(**runs: pd.DataFrame) -> pd.DataFrame:
    """Remark 13: how alike D is at two instants or two seeds, mean over seeds or pairs, one row per run and
    pair of instants.
    """
    parts = [table.assign(run=name) for name, table in runs.items()]
    groups = ["run", "kind", "fraction", "other_fraction"]
    found = pd.concat(parts).groupby(groups, sort=False, as_index=False)
    return found.agg(
        pairs=("cosine", "size"),
        cosine=("cosine", "mean"),
        overlap=("overlap", "mean"),
        trace_ratio=("trace_ratio", "mean"),
    )


def remarks_table(runs: Mapping[str, tuple[pd.DataFrame, float, int]]) -> pd.DataFrame:
    """Remarks R15 and R16 per run; ``runs`` maps a name to (statistics, learning rate η, batch size b).

    R15: (η/b) · mean λ(D), the scale of the noise that should be kept constant between problems.
    R16: rank(D)/d + var λ(D), the paper's score of an architecture.
    """
    rows = []
    for name, (table, rate, batch) in runs.items():
        last = table[table["fraction"] == table["fraction"].max()]
        noise = mean_interval(rate / batch * last["mean"])
        score = mean_interval(last["rank_percent"] / 100 + last["sd"] ** 2)
        for remark, estimate in (("R15 (η/b)·mean λ", noise), ("R16 rank/d + var λ", score)):
            rows.append(
                {"run": name, "remark": remark, **estimate._asdict(), "rate": rate, "batch_size": batch}
            )
    return pd.DataFrame(rows)


def remarks_of_runs(
    rates: Mapping[str, float], batches: Mapping[str, int], **statistics: pd.DataFrame
) -> pd.DataFrame:
    """`remarks_table` of runs whose last learning rates and batch sizes are given by name."""
    return remarks_table({name: (table, rates[name], batches[name]) for name, table in statistics.items()})


def minibatch_table(minibatch: pd.DataFrame) -> pd.DataFrame:
    """App. A's table: measured and predicted Tr Var(∇f_b), and their ratio where the prediction is not 0."""
    ratio = minibatch["measured"] / minibatch["predicted"].where(minibatch["predicted"] > 0)
    return minibatch.assign(**{"measured/predicted": ratio})


def sensitivity_table(quantities: pd.DataFrame) -> pd.DataFrame:
    """What Fig 3 rests on, from the quantities `<variant>.fig3…`: one row per number and variant."""
    parts = quantities["quantity"].str.rsplit(".fig3", n=1, expand=True)
    table = quantities.assign(variant=parts[0], quantity="fig3" + parts[1])
    chosen = table[table["quantity"].isin(SENSITIVE)][["variant", *QUANTITY_COLUMNS]]
    ordered = chosen.sort_values("quantity", kind="stable", ignore_index=True)
    return ordered.assign(quantity=ordered["quantity"].map(SENSITIVE))


def cycle_tests_table(quantities: pd.DataFrame) -> pd.DataFrame:
    """Size and power: one row per kind of path, one column per number, the share that its claim accepts."""
    parts = quantities["quantity"].str.split(".", expand=True)
    table = quantities.assign(path=parts[1], number=parts[2])
    wide = table.pivot(index="path", columns="number", values="value")
    order = [*dict.fromkeys(table["number"])]
    return wide.loc[[*dict.fromkeys(table["path"])], order].reset_index()
