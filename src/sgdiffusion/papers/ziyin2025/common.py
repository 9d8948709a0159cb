"""What the studies of Ziyin, Li & Ueda (2025) share: data laws by name, seeds and shifts of estimates."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.dynamics.chains.diagonal import GaussianData
from sgdiffusion.dynamics.chains.sde_diagonal import Constants
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, gaussian_linear
from sgdiffusion.streams import seed as stream_seed

Array = NDArray[np.float64]
NORMAL = 1.959964  # of the 95 % interval


@dataclass(frozen=True)
class Linear:
    """y = kx + ε with x ~ N(0, scale²), ε ~ N(0, noise²)."""

    k: float
    noise: float
    scale: float = 1.0

    @property
    def constants(self) -> DataConstants:
        return gaussian_linear(self.k, self.noise, self.scale)

    @property
    def data(self) -> GaussianData:
        return GaussianData(self.k, self.noise, self.scale)


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


def record_steps(steps: int, each: int) -> list[int]:
    """The steps after which weights are kept: `each` on a logarithmic scale and as many on a linear one."""
    at = np.concatenate([[0], np.geomspace(1, steps, each), np.linspace(0, steps, each)])
    return np.unique(np.round(at).astype(int)).tolist()


def integral(values: Array, times: Array) -> Array:
    """∫ from the first record to each, by the trapezoidal rule."""
    pieces = np.diff(times) * (values[1:] + values[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(pieces)])


def shifted(found: Estimate, by: float) -> Estimate:
    """An estimate minus a known number."""
    return Estimate(found.value - by, found.low - by, found.high - by, found.n)
