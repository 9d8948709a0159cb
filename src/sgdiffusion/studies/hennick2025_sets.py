"""The moons measurements over several random data sets (Hennick & De Baerdemacker 2025).

Nets of one ensemble share their 200 examples, so that an interval over nets says nothing of another draw of
the examples. What is claimed of "a random two-moons set" is therefore measured on several, and the interval
is over them: mean ± Student's quantile × s/√n.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sgdiffusion.measures.intervals import mean_interval
from sgdiffusion.studies.tables import documented, estimated

COLUMNS = {
    "quantity": "id",
    "value": "mean over data sets",
    "low": "lower end of its 95 % interval over data sets",
    "high": "upper end",
    "smallest": "smallest value of a data set",
    "largest": "largest value",
    "n": "data sets",
}
# Student's interval does not know the range of what it is about.
_RANGES = {
    r"best_(power|brownian|logarithm|stretched)$|below_line|forced|below_half|lower_half": (0.0, 1.0),
    r"negative_llc|marked|largest_sgd$|switching": (0.0, 1.0),
    r"choices\.(.*_better|.*_within_null|.*_near_half)$": (0.0, 1.0),
    r"(kl|wasserstein|total_variation|jensen_shannon)\.|choices\.kl_": (0.0, None),
}


def _range(name: str) -> tuple[float | None, float | None]:
    bounds = [limits for pattern, limits in _RANGES.items() if re.search(pattern, name)]
    return bounds[0] if bounds else (None, None)


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
        found = mean_interval(part["value"])
        low, high = pd.Series([found.low, found.high]).clip(*_range(str(name)))
        unit = str(part["unit"].fillna("").iloc[0])
        rows.append(estimated(str(name), found._replace(low=low, high=high), unit=unit, over="data sets"))
    return pd.DataFrame(rows)


def sets_table(quantities: pd.DataFrame) -> pd.DataFrame:
    """Every quantity's mean, interval and range; `quantities` are those of all data sets, column `set`."""
    parts = [part.drop(columns="set") for _, part in quantities.groupby("set")]
    values = quantities.groupby("quantity", sort=False)["value"]
    ranges = pd.DataFrame({"smallest": values.min(), "largest": values.max(), "n": values.size()})
    return documented(pooled(parts).drop(columns="n").merge(ranges, on="quantity"), COLUMNS)
