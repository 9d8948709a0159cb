"""Many tests at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values: the chance of any false rejection is held under every dependence."""
    values = np.asarray(p_values, dtype=np.float64)
    order, count = np.argsort(values), len(values)
    adjusted = np.maximum.accumulate(values[order] * np.arange(count, 0, -1))
    out = np.empty(count)
    out[order] = np.minimum(adjusted, 1.0)
    return out
