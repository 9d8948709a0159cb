"""Compiled paths of small stochastic systems with additive noise: the double well and linear systems.

The random numbers of a chain are those of its own stream (chain_random): one normal per coordinate and step,
in the order of the coordinates.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.dynamics.chains.blocks import ESCAPE, check_records, run_chains
from sgdiffusion.dynamics.chains.chain_random import next_normal, start
from sgdiffusion.errors import TrainingError

Array = NDArray[np.float64]


@njit(inline="always")
def _double_well_drift(x1, x2, lam):  # type: ignore[no-untyped-def]
    """−∇f = −∇Φ + j, as in theory.double_well, written out for speed."""
    a, b = x1 * x1, x2 * x2
    g = lam * math.exp(0.25 - 0.5 * a + 0.5 * b - 0.5 * a * b - 0.25 * b * b)
    return x1 - a * x1 - g * x2, g * x1 - x2


@njit(cache=True, nogil=True)
def _double_well_kernel(out, escape, initial, records, lam, h, seed, first):  # type: ignore[no-untyped-def]
    size = math.sqrt(2.0 * h)
    for c in range(initial.shape[0]):
        counter = start(seed, first + c)
        x1, x2 = initial[c, 0], initial[c, 1]
        step, left = 0, -1
        for record in range(records.size):
            while step < records[record] and left < 0:
                z1, counter = next_normal(counter)
                z2, counter = next_normal(counter)
                d1, d2 = _double_well_drift(x1, x2, lam)
                y1, y2 = x1 + h * d1 + size * z1, x2 + h * d2 + size * z2
                e1, e2 = _double_well_drift(y1, y2, lam)
                x1, x2 = y1 + 0.5 * h * (e1 - d1), y2 + 0.5 * h * (e2 - d2)
                step += 1
                if not abs(x1) + abs(x2) < ESCAPE:
                    left = step
            out[c, record, 0], out[c, record, 1] = x1, x2
        escape[c] = left


@njit(cache=True, nogil=True)
def _linear_kernel(out, escape, initial, records, turn, noise, seed, first):  # type: ignore[no-untyped-def]
    size = initial.shape[1]
    z, state, new = np.empty(size), np.empty(size), np.empty(size)
    for c in range(initial.shape[0]):
        counter = start(seed, first + c)
        state[:] = initial[c]
        step, left = 0, -1
        for record in range(records.size):
            while step < records[record] and left < 0:
                for i in range(size):
                    z[i], counter = next_normal(counter)
                total = 0.0
                for i in range(size):
                    new[i] = 0.0
                    for k in range(size):
                        new[i] += turn[i, k] * state[k] + noise[i, k] * z[k]
                    total += abs(new[i])
                state[:] = new
                step += 1
                if not total < ESCAPE:
                    left = step
            out[c, record] = state
        escape[c] = left


def double_well_paths(
    initial: ArrayLike, lam: float, step: float, records: ArrayLike, *, seed: int, threads: int = 1
) -> Array:
    """Paths of dx = −∇f dt + √2 dW of theory.double_well from `initial` (chains, 2), after `records` steps.

    (chains, records, 2), by stochastic Heun: the drift is averaged over the step, which is of weak order 2
    for additive noise.
    """
    x, steps = _states(initial), check_records(records)
    parameters = (float(lam), float(step))
    out, escape = run_chains(_double_well_kernel, x, steps, parameters, seed=seed, threads=threads)
    return demand_bounded(out, escape)


def linear_paths(
    initial: ArrayLike, turn: ArrayLike, noise: ArrayLike, records: ArrayLike, *, seed: int, threads: int = 1
) -> Array:
    """Paths of x ← turn·x + noise·ξ with standard normal ξ, from `initial` (chains, d): (chains, records, d).

    For dx = −Fx dt + √(2β⁻¹D) dW the matrices come from :func:`heun_step` or :func:`euler_step`.
    """
    x, steps = _states(initial), check_records(records)
    matrices = tuple(np.ascontiguousarray(m, dtype=np.float64) for m in (turn, noise))
    out, escape = run_chains(_linear_kernel, x, steps, matrices, seed=seed, threads=threads)
    return demand_bounded(out, escape)


def _states(initial: ArrayLike) -> Array:
    return np.ascontiguousarray(np.atleast_2d(np.asarray(initial, dtype=np.float64)))


def demand_bounded(out: Array, escape: NDArray[np.int64]) -> Array:
    """`out`, or an error that names the first chain that escaped and its step."""
    if (escape >= 0).any():
        chain = int(np.argmax(escape >= 0))
        raise TrainingError(
            f"chain {chain} overflowed (|x| > {ESCAPE:g}) at step {int(escape[chain])}: the integration step "
            "is too long for the drift where the path went; make the step shorter"
        )
    return out


def euler_step(drift: ArrayLike, diffusion: ArrayLike, beta: float, step: float) -> tuple[Array, Array]:
    """Euler–Maruyama: 1 − hF and √(2h/β) chol D."""
    f, d = np.asarray(drift, dtype=np.float64), np.asarray(diffusion, dtype=np.float64)
    return np.eye(len(f)) - step * f, math.sqrt(2 * step / beta) * np.asarray(np.linalg.cholesky(d))


def heun_step(drift: ArrayLike, diffusion: ArrayLike, beta: float, step: float) -> tuple[Array, Array]:
    """Stochastic Heun: 1 − hF + h²F²/2 and √(2h/β) (1 − hF/2) chol D, of weak order 2."""
    turn, noise = euler_step(drift, diffusion, beta, step)
    hf = np.eye(len(turn)) - turn
    return turn + hf @ hf / 2, (np.eye(len(turn)) - hf / 2) @ noise
