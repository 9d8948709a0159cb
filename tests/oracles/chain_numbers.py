"""The numbers that compiled chains draw, in the order in which they draw them: for slow twins."""

import numpy as np
from numba import njit

from sgdiffusion.dynamics.chains.chain_random import next_normal, next_uniform, start


@njit
def _fill(out, seed, normal):
    for c in range(out.shape[0]):
        z = start(seed, c)
        for i in range(out.shape[1]):
            if normal:
                out[c, i], z = next_normal(z)
            else:
                out[c, i], z = next_uniform(z)


def normals(seed: int, chains: int, count: int) -> np.ndarray:
    """The first `count` normals of chains 0 … chains − 1."""
    out = np.empty((chains, count))
    _fill(out, np.uint64(seed), True)
    return out


def uniforms(seed: int, chains: int, count: int) -> np.ndarray:
    """The first `count` uniforms of chains 0 … chains − 1."""
    out = np.empty((chains, count))
    _fill(out, np.uint64(seed), False)
    return out
