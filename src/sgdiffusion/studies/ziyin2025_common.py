"""What the studies of Ziyin, Li & Ueda (2025) share: data laws by name, tables with documented columns."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.dynamics.diagonal import GaussianData
from sgdiffusion.dynamics.sde_diagonal import Constants
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.intervals import Estimate
from sgdiffusion.streams import seed as stream_seed
from sgdiffusion.theory.data_law import DataConstants, gaussian_linear

Array = NDArray[np.float64]
NORMAL = 1.959964  # of the 95 % interval


@dataclass(frozen=True)
class Linear:
    """y = kx + ε with x ~ N(0, 1), ε ~ N(0, noise²)."""

    k: float
    noise: float

    @property
    def constants(self) -> DataConstants:
        return gaussian_linear(self.k, self.noise)

    @property
    def data(self) -> GaussianData:
        return GaussianData(self.k, self.noise)


# The paper leaves the data of its figures open. Each law has a name; T_c is that of first order.
LAWS = {
    "above": Linear(0.5, 0.3),  # T_c = 0.847: both temperatures of Fig 3 lie below it
    "between": Linear(1.0, 0.5),  # T_c = 0.444: T = 0.5 lies beyond it
    "strong": Linear(1.0, 1.0),  # T_c = 0.333: strong noise, for rates of balance
    "weak": Linear(0.1, 1.0),  # T_c = 0.098: weak signal, where discrete SGD has a transition too
}


def law_named(name: str) -> Linear:
    """The data law of that name."""
    if name not in LAWS:
        raise MeasureError(f"no data law {name!r}: there are {', '.join(LAWS)}")
    return LAWS[name]


def plain(constants: DataConstants) -> Constants:
    """The constants as the integrators take them."""
    return astuple(constants)


def named_seed(root_seed: int, *names: str | int) -> int:
    """The seed of one of this paper's simulations."""
    return stream_seed(root_seed, "ziyin2025", *names)


def documented(rows: Any, columns: Mapping[str, str]) -> pd.DataFrame:
    """A table with the meaning of its columns in ``attrs``."""
    table = pd.DataFrame(rows, columns=list(columns))
    table.attrs["columns"] = dict(columns)
    return table


def quantity(
    name: str, value: float, half: float = 0.0, *, n: int = 1, unit: str = "", over: str = "exact"
) -> dict[str, Any]:
    """One row of a quantities table: value ± half the width of its 95 % interval."""
    return {
        "quantity": name, "value": float(value), "low": float(value - half), "high": float(value + half),
        "n": int(n), "unit": unit, "over": over,
    }  # fmt: skip


def estimated(name: str, found: Estimate, *, unit: str = "", over: str = "seeds") -> dict[str, Any]:
    """One row of a quantities table from an estimate with its interval."""
    return {
        "quantity": name, "value": float(found.value), "low": float(found.low), "high": float(found.high),
        "n": int(found.n), "unit": unit, "over": over,
    }  # fmt: skip


def shifted(found: Estimate, by: float) -> Estimate:
    """An estimate minus a known number."""
    return Estimate(found.value - by, found.low - by, found.high - by, found.n)


def share(count: int, n: int) -> Estimate:
    """count/n with its Wilson interval, which stays inside [0, 1] for counts of 0 and n."""
    p, z2 = count / n, NORMAL**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    low, high = (0.0 if count == 0 else centre - half), (1.0 if count == n else centre + half)
    return Estimate(p, float(low), float(high), n)
