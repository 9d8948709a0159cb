"""Discrete SGD on small tanh networks of a scalar input, compiled, many chains at once.

f(x) = Σ_j w_j tanh(u_j x), ℓ = (f(x) − y)², with fresh pairs x ~ N(0, 1), y = k x + σ ε (or tanh(k x) + σ
ε): either both layers are trained (D = 1) or the input weights alone (D = 0). T = η/S as in `diagonal`.
"""

import math
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from sgdiffusion.dynamics.chains.blocks import ESCAPE, check_records, run_chains
from sgdiffusion.dynamics.chains.chain_random import next_normal, start
from sgdiffusion.dynamics.chains.diagonal import Paths, check_weights
from sgdiffusion.errors import ConfigError

Teacher = Literal["linear", "tanh"]


@njit
def _batch_gradient(z, u, w, gu, gw, k, noise, curved, batch):  # type: ignore[no-untyped-def]
    """Mean gradients of a fresh batch into gu and gw; returns the counter."""
    units = u.size
    for j in range(units):
        gu[j], gw[j] = 0.0, 0.0
    for _ in range(batch):
        x, z = next_normal(z)
        e, z = next_normal(z)
        y = (math.tanh(k * x) if curved else k * x) + noise * e
        f = 0.0
        for j in range(units):
            f += w[j] * math.tanh(u[j] * x)
        slope = 2.0 * (f - y) / batch
        for j in range(units):
            h = math.tanh(u[j] * x)
            gw[j] += slope * h
            gu[j] += slope * w[j] * (1.0 - h * h) * x
    return z


@njit(cache=True, nogil=True)
def _kernel(out, escape, initial, records, data, rate, train_output, batch, seed, first):  # type: ignore[no-untyped-def]
    k, noise, curved = data
    chains, units, _ = initial.shape
    u, w, gu, gw = np.empty(units), np.empty(units), np.empty(units), np.empty(units)
    for c in range(chains):
        z = start(seed, first + c)
        for j in range(units):
            u[j], w[j] = initial[c, j, 0], initial[c, j, 1]
        step, left = 0, -1
        for record in range(records.size):
            while step < records[record] and left < 0:
                z = _batch_gradient(z, u, w, gu, gw, k, noise, curved > 0.0, batch)
                size = 0.0
                for j in range(units):
                    u[j] -= rate * gu[j]
                    if train_output:
                        w[j] -= rate * gw[j]
                    size += abs(u[j]) + abs(w[j])
                step += 1
                if not size < ESCAPE:
                    left = step
            for j in range(units):
                out[c, record, j, 0] = u[j] if left < 0 else np.nan
                out[c, record, j, 1] = w[j] if left < 0 else np.nan
        escape[c] = left


def run_tanh(
    initial: ArrayLike,
    k: float,
    noise: float,
    learning_rate: float,
    records: ArrayLike,
    *,
    teacher: Teacher = "linear",
    train_output: bool = True,
    batch: int = 1,
    seed: int = 0,
    threads: int = 1,
) -> Paths:
    """SGD from `initial` (chains, units, 2), the last axis (u_j, w_j); `Paths.v` is Σ_j u_j w_j, the slope
    at zero.
    """
    weights, steps = check_weights(initial), check_records(records)
    if weights.shape[2] != 2:
        raise ConfigError(
            f"initial weights are pairs (u, w): expected (chains, units, 2), got {weights.shape}"
        )
    if not (learning_rate > 0 and math.isfinite(learning_rate)) or batch < 1 or noise < 0:
        raise ConfigError(
            f"SGD needs learning rate > 0, batch ≥ 1 and noise ≥ 0, got {learning_rate}, {batch}, {noise}"
        )
    data = (float(k), float(noise), float(teacher == "tanh"))
    parameters = (data, float(learning_rate), train_output, batch)
    out, escape = run_chains(_kernel, weights, steps, parameters, seed=seed, threads=threads)
    return Paths(out, steps, escape, learning_rate / batch, steps * learning_rate)
