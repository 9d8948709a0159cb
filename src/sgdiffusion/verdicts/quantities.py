"""Measured quantities with their intervals, and where they lie with respect to a region."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import pandas as pd

from sgdiffusion.config.models import Region
from sgdiffusion.errors import MeasureError

QUANTITY_COLUMNS = {
    "quantity": "id of the measured number",
    "value": "estimate",
    "low": "lower end of the 95 % interval (value itself where there is no sampling)",
    "high": "upper end of the 95 % interval (value itself where there is no sampling)",
    "n": "units of replication the interval is over (1: none)",
    "unit": "unit of value, low and high",
    "over": "what is replicated: seeds, chains, draws, exact",
}


class Standing(StrEnum):
    """Where a quantity lies with respect to a region."""

    INSIDE = "inside"  # the whole interval lies in the region
    OUTSIDE = "outside"  # interval and region have nothing in common
    OPEN = "open"  # the interval crosses an end of the region, or one observation has no interval
    NOT_RUN = "not run"  # there is no measurement of the quantity


@dataclass(frozen=True)
class Measured:
    """One row of a quantities table."""

    value: float
    low: float
    high: float
    n: int
    unit: str
    over: str

    @property
    def has_interval(self) -> bool:
        """False for a single observation or an exact number."""
        return self.low != self.high

    @property
    def unreplicated(self) -> bool:
        """One observation of something that varies: its interval of zero width says nothing."""
        return self.n <= 1 and not self.has_interval and self.over != "exact"


Quantities = Mapping[str, Measured]


def read_quantities(tables: Iterable[pd.DataFrame]) -> dict[str, Measured]:
    """All measured quantities by id; a missing column, a NaN or a second value for one id is an error."""
    found: dict[str, Measured] = {}
    for table in tables:
        if missing := [c for c in QUANTITY_COLUMNS if c not in table.columns]:
            raise MeasureError(f"a table of quantities lacks the columns {', '.join(missing)}")
        for row in table.assign(unit=table["unit"].astype(object).fillna("")).to_dict("records"):
            name = str(row["quantity"])
            value, low, high = (float(row[k]) for k in ("value", "low", "high"))
            measured = Measured(value, low, high, int(row["n"]), str(row["unit"]), str(row["over"]))
            if name in found:
                raise MeasureError(f"quantity {name} is measured twice")
            if any(map(math.isnan, (measured.value, measured.low, measured.high))):
                raise MeasureError(f"quantity {name} is not a number: {measured}")
            found[name] = measured
    return found


def limits(region: Region) -> tuple[float, float]:
    """The ends of a region, infinite where it has none."""
    return (
        -math.inf if region.low is None else region.low,
        math.inf if region.high is None else region.high,
    )


def standing(quantities: Quantities, region: Region) -> Standing:
    """Where the region's quantity lies with respect to the region (closed at its ends)."""
    measured, (low, high) = quantities.get(region.quantity), limits(region)
    if measured is None:
        return Standing.NOT_RUN
    if measured.unreplicated:
        return Standing.OPEN
    if low <= measured.low and measured.high <= high:
        return Standing.INSIDE
    return Standing.OUTSIDE if measured.high < low or high < measured.low else Standing.OPEN


def carries(quantities: Quantities, region: Region) -> bool:
    """Whether the estimate itself, whatever its interval, lies in the region."""
    found = quantities.get(region.quantity)
    if found is None:
        return False
    point = replace(found, low=found.value, high=found.value)
    return standing({region.quantity: point}, region) is Standing.INSIDE
