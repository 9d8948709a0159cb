"""The moons measurements over several random data sets (Hennick & De Baerdemacker 2025).

Nets of one ensemble share their 200 examples, so that an interval over nets says nothing of another draw of
the examples. What is claimed of "a random two-moons set" is therefore measured on several, and the interval
is over them: mean ± Student's quantile × s/√n, for distances of laws on a logarithmic scale.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sgdiffusion.measures.statistics.intervals import (
    Estimate,
    geometric_mean_interval,
    mean_interval,
    share_of,
)
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.task import Task

COLUMNS = {
    "quantity": "id",
    "value": "mean over data sets, geometric for distances and factors, share for what holds or does not",
    "low": "lower end of its 95 % interval over data sets",
    "high": "upper end",
    "smallest": "smallest value of a data set",
    "largest": "largest value",
    "n": "data sets",
}
# Student's interval does not know the range of what it is about.
_SHARES = re.compile(
    r"best_(power|brownian|logarithm|stretched)$|below_line|forced|below_half|lower_half|negative_llc|marked"
    r"|largest_sgd$|switching|below_posterior"
)
_YES_OR_NO = re.compile(r"same_top$|minimum_inside$")
# These differ from sample to sample by factors, not by amounts: geometric means.
_FACTORS = re.compile(
    r"(kl|wasserstein|total_variation|jensen_shannon)\.|smallest_kl|best_(xi|exponent)|strength_at"
)


def _over_sets(name: str, values: pd.Series) -> Estimate:
    """Mean of one quantity with its interval, on the scale on which it varies and inside its range."""
    if _YES_OR_NO.search(name):
        return share_of(values > 0.5)
    if _FACTORS.search(name) and (values > 0).all():
        return geometric_mean_interval(values)
    found = mean_interval(values)
    if _SHARES.search(name):
        return found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))
    return found


def pooled(sets: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The quantities of all data sets as means over them; those of one data set alone as they are.

    A quantity that is not there, and finite, on every data set is left out: which sets have it could depend
    on its value.
    """
    if len(sets) == 1:
        return sets[0]
    rows = []
    for name, part in pd.concat(sets).groupby("quantity", sort=False):
        if np.isfinite(part["value"]).sum() != len(sets):
            continue
        unit = str(part["unit"].fillna("").iloc[0])
        rows.append(estimated(str(name), _over_sets(str(name), part["value"]), unit=unit, over="data sets"))
    return pd.DataFrame(rows)


def collect(
    task: Task,
    walks: list[pd.DataFrame],
    laws: list[pd.DataFrame],
    walk_readings: list[pd.DataFrame],
    law_readings: list[pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    """Joins the measurements on the moons data sets: means over them, with intervals over them."""
    numbered = [table.assign(set=i) for sets in (walks, laws) for i, table in enumerate(sets)]
    sets = pd.concat(numbered, ignore_index=True)
    read = {"walk_readings": walk_readings, "law_readings": law_readings}
    pool = {name: pooled_readings(tables) for name, tables in read.items()}
    return {"walks": pooled(walks), "laws": pooled(laws), "sets": sets, **pool}


def pooled_readings(sets: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The same for every reading; the share of flagged estimates is the mean over data sets."""
    parts = []
    for reading in sets[0]["reading"].unique():
        own = [table[table["reading"] == reading] for table in sets]
        if all(len(table) for table in own):
            share = float(np.mean([table["flagged"].iloc[0] for table in own]))
            bare = [table.drop(columns=["reading", "flagged"]) for table in own]
            parts.append(pooled(bare).assign(reading=reading, flagged=share))
    return pd.concat(parts, ignore_index=True)


def sets_table(quantities: pd.DataFrame) -> pd.DataFrame:
    """Every quantity's mean, interval and range; `quantities` are those of all data sets, column `set`."""
    parts = [part.drop(columns="set") for _, part in quantities.groupby("set")]
    values = quantities.groupby("quantity", sort=False)["value"]
    ranges = pd.DataFrame({"smallest": values.min(), "largest": values.max(), "n": values.size()})
    return documented(pooled(parts).drop(columns="n").merge(ranges, on="quantity"), COLUMNS)
