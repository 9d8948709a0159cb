"""SGD on one weight: regression on a finite set of examples, many chains at once.

The loss of example k is ½a_k x² − c_k x + const, a step x ← x − η·mean over the batch of (a_k x − c_k). The
random numbers of a chain are those of its own stream (chain_random).
"""

import math
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.dynamics.chains.blocks import ESCAPE, check_records, run_chains
from sgdiffusion.dynamics.chains.chain_random import next_below, next_normal, start
from sgdiffusion.dynamics.chains.langevin import demand_bounded

Array = NDArray[np.float64]


@njit
def _batch_gradient(x, slopes, offsets, batch, counter):  # type: ignore[no-untyped-def]
    """(mean gradient of examples drawn with replacement, counter)."""
    gradient = 0.0
    for _ in range(batch):
        k, counter = next_below(counter, slopes.size)
        gradient += (slopes[k] * x - offsets[k]) / batch
    return gradient, counter


@njit(cache=True, nogil=True)
def _kernel(out, escape, initial, records, slopes, offsets, rate, batch, gaussian, seed, first):  # type: ignore[no-untyped-def]
    a, b = slopes.mean(), offsets.mean()
    v, s, q = ((slopes - a) ** 2).mean(), ((slopes - a) * (offsets - b)).mean(), ((offsets - b) ** 2).mean()
    for c in range(initial.shape[0]):
        x, counter = initial[c, 0], start(seed, first + c)
        step, left = 0, -1
        for record in range(records.size):
            while step < records[record] and left < 0:
                if gaussian:
                    z, counter = next_normal(counter)
                    gradient = a * x - b + math.sqrt((v * x * x - 2.0 * s * x + q) / batch) * z
                else:
                    gradient, counter = _batch_gradient(x, slopes, offsets, batch, counter)
                x -= rate * gradient
                step += 1
                if not abs(x) < ESCAPE:
                    left = step
            out[c, record, 0] = x
        escape[c] = left


def regression_paths(
    initial: ArrayLike,
    slopes: ArrayLike,
    offsets: ArrayLike,
    rate: float,
    batch: int,
    records: ArrayLike,
    *,
    noise: Literal["batch", "gaussian"],
    seed: int,
    threads: int = 1,
) -> Array:
    """Paths from `initial` (chains, 1), the weight after `records` steps: (chains, records, 1).

    `batch` draws examples with replacement; `gaussian` replaces the mean by a normal number of the same
    mean and variance D(x)/b, which is Euler–Maruyama of Lemma 2's equation at a step of η.
    """
    if noise not in ("batch", "gaussian"):
        raise ValueError(f"the noise is 'batch' or 'gaussian', not {noise!r}")
    x = np.ascontiguousarray(initial, dtype=np.float64)
    a, c = (np.ascontiguousarray(values, dtype=np.float64) for values in (slopes, offsets))
    parameters = (a, c, float(rate), int(batch), noise == "gaussian")
    out, escape = run_chains(_kernel, x, check_records(records), parameters, seed=seed, threads=threads)
    return demand_bounded(out, escape)
