"""Learning-rate schedules as data: phases of a training, constant or linear in epochs."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Piece(Protocol):
    """From `rate` to `to` (constant when None) until the fraction `until` of the training."""

    @property
    def until(self) -> float: ...
    @property
    def rate(self) -> float: ...
    @property
    def to(self) -> float | None: ...


def rates(schedule: Sequence[Piece], epochs: int) -> NDArray[np.float64]:
    """η of every epoch: the schedule at the epoch's midpoint t = (k + ½)/epochs, constant inside an epoch.

    A phase with `to` goes linearly from `rate` at its start to `to` at its end; the midpoint gives the mean
    of the straight line over the epoch.
    """
    midpoints = (np.arange(epochs) + 0.5) / epochs
    ends = np.array([piece.until for piece in schedule])
    starts = np.concatenate([[0.0], ends[:-1]])
    first = np.array([piece.rate for piece in schedule])
    last = np.array([piece.rate if piece.to is None else piece.to for piece in schedule])
    index = np.minimum(np.searchsorted(ends, midpoints), len(ends) - 1)
    share = (midpoints - starts[index]) / (ends[index] - starts[index])
    return first[index] + (last[index] - first[index]) * share


def epoch_at(fraction: float, epochs: int) -> int:
    """The number of finished epochs (at least one) at a fraction of the training."""
    return max(1, round(fraction * epochs))
