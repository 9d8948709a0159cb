"""What the tables of all studies share: columns with their meanings, rows of quantities for the claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.measures.statistics.intervals import Estimate

QUANTITY_COLUMNS = ["quantity", "value", "low", "high", "n", "unit", "over"]


def documented(rows: Any, columns: Mapping[str, str]) -> pd.DataFrame:
    """A table with the stated columns, in their order, and their meanings in ``attrs``."""
    table = pd.DataFrame(rows, columns=list(columns))
    table.attrs["columns"] = dict(columns)
    return table


def estimated(name: str, found: Estimate, *, unit: str = "", over: str = "seeds") -> dict[str, Any]:
    """One row of a quantities table from an estimate with its interval."""
    return {
        "quantity": name, "value": float(found.value), "low": float(found.low), "high": float(found.high),
        "n": int(found.n), "unit": unit, "over": over,
    }  # fmt: skip


def finite_quantities(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A table of quantities; what is not a number is left out, to be judged as not measured."""
    table = pd.DataFrame(rows, columns=QUANTITY_COLUMNS)
    finite = np.isfinite(table[["value", "low", "high"]].astype(float)).all(axis=1)
    return pd.DataFrame(table[finite]).reset_index(drop=True)


def shares_bounded(quantities: pd.DataFrame) -> pd.DataFrame:
    """The ends of the intervals of shares brought into [0, 1], which Student's interval does not know."""
    shares = quantities["unit"].str.startswith("share")
    bounded = quantities.copy()
    bounded.loc[shares, ["low", "high"]] = quantities.loc[shares, ["low", "high"]].clip(0.0, 1.0)
    return bounded


def quantity(
    name: str, value: float, half: float = 0.0, *, n: int = 1, unit: str = "", over: str = "exact"
) -> dict[str, Any]:
    """One row of a quantities table: value ± half the width of its 95 % interval."""
    return estimated(name, Estimate(value, value - half, value + half, n), unit=unit, over=over)
