"""Discrete SGD on the deep diagonal network f(x) = Σ_i Π_k u_i^{(k)} x, compiled, many chains at once.

One step on ℓ = (v x − y)² + γ Σ (u_i^{(k)})², with v = Σ_i v_i, v_i = Π_k u_i^{(k)} and a batch of S pairs:

    u_i^{(k)} ← u_i^{(k)} − η [2 (v mean x² − mean xy) v_i/u_i^{(k)} + 2γ u_i^{(k)}] + s ξ,

ξ standard normal (s = 0 but for the contrast "GD + injected noise"). The batch is drawn from a data law. T
= η/S; one step lasts η in the paper's time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from sgdiffusion.dynamics.chains.blocks import ESCAPE, check_records, run_chains
from sgdiffusion.dynamics.chains.chain_random import next_normal, start
from sgdiffusion.errors import ConfigError, MeasureError


@dataclass(frozen=True)
class GaussianData:
    """Fresh pairs each step: x ~ N(0, input_scale²), y = kx + ε, ε ~ N(0, noise²)."""

    k: float
    noise: float
    input_scale: float = 1.0


@dataclass(frozen=True)
class Population:
    """The whole distribution at every step: gradient descent on the expected loss, by E[x²] and E[xy]."""

    x2: float
    xy: float


DataLaw = GaussianData | Population


@dataclass(frozen=True)
class Paths:
    """Weights at the recorded steps, shape (chains, records, d, n), NaN after a chain has escaped.

    `escape_step` is the step at which a chain left |u| ≤ ESCAPE, −1 for chains that did not.
    """

    weights: np.ndarray
    steps: np.ndarray
    escape_step: np.ndarray
    temperature: float
    times: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def v(self) -> np.ndarray:
        """v = Σ_i Π_k u_i^{(k)} at the records, shape (chains, records)."""
        return np.asarray(np.prod(self.weights, axis=3).sum(axis=2))

    @property
    def escaped(self) -> np.ndarray:
        """Which chains escaped."""
        return np.asarray(self.escape_step >= 0)

    def require_bounded(self) -> "Paths":
        """These paths, or an error that names the first escaped chain, its step and T."""
        if self.escaped.any():
            chain = int(np.argmax(self.escaped))
            raise MeasureError(
                f"{int(self.escaped.sum())} of {self.escaped.size} chains overflowed (|u| > {ESCAPE:g}) at "
                f"T = {self.temperature:g}; the first is chain {chain} at step "
                f"{int(self.escape_step[chain])}: "
                "lower the learning rate, or use `escaped` to count and exclude them"
            )
        return self


@njit
def _gaussian_batch(z, k, noise, scale, batch):  # type: ignore[no-untyped-def]
    """(mean x², mean xy, counter) of fresh pairs; a single one without a loop, so that chains overlap."""
    if batch == 1:
        a, z = next_normal(z)
        b, z = next_normal(z)
        x = scale * a
        return x * x, x * (k * x + noise * b), z
    q, r = 0.0, 0.0
    for _ in range(batch):
        a, z = next_normal(z)
        b, z = next_normal(z)
        x = scale * a
        q += x * x
        r += x * (k * x + noise * b)
    share = 1.0 / batch
    return q * share, r * share, z


@njit
def _total(u):  # type: ignore[no-untyped-def]
    """v = Σ_i Π_k u_i^{(k)}."""
    v = 0.0
    for i in range(u.shape[0]):
        product = 1.0
        for k in range(u.shape[1]):
            product *= u[i, k]
        v += product
    return v


@njit
def _descend(u, g, eta, decay):  # type: ignore[no-untyped-def]
    """One step of all weights for ∂ℓ/∂v = g; returns Σ|u|. Paths are independent once g is known."""
    size = 0.0
    width, factors = u.shape
    if factors == 2:
        for i in range(width):
            a, b = u[i, 0], u[i, 1]
            u[i, 0] = a - eta * (g * b + 2.0 * decay * a)
            u[i, 1] = b - eta * (g * a + 2.0 * decay * b)
            size += abs(u[i, 0]) + abs(u[i, 1])
        return size
    for i in range(width):
        # Products of the weights before and after k: no division by a weight that may be zero.
        after, before = 1.0, 1.0
        for k in range(1, factors):
            after *= u[i, k]
        for k in range(factors):
            old, others = u[i, k], before * after
            if k + 1 < factors:
                after = 1.0
                for j in range(k + 2, factors):
                    after *= u[i, j]
            before *= old
            u[i, k] = old - eta * (g * others + 2.0 * decay * old)
            size += abs(u[i, k])
    return size


@njit(cache=True, nogil=True)
def _sgd_kernel(out, escape, initial, records, fresh, p, rates, batch, seed, first):  # type: ignore[no-untyped-def]
    eta, decay, injected = rates
    p0, p1, p2 = p
    chains, width, factors = initial.shape
    u = np.empty((width, factors))
    for c in range(chains):
        z = start(seed, first + c)
        for i in range(width):
            for k in range(factors):
                u[i, k] = initial[c, i, k]
        step, left = 0, -1
        for record in range(records.size):
            while step < records[record] and left < 0:
                if fresh:
                    q, r, z = _gaussian_batch(z, p0, p1, p2, batch)
                else:
                    q, r = p0, p1
                size = _descend(u, 2.0 * (_total(u) * q - r), eta, decay)
                if injected > 0.0:
                    for i in range(width):
                        for k in range(factors):
                            xi, z = next_normal(z)
                            u[i, k] += injected * xi
                step += 1
                if not size < ESCAPE:
                    left = step
            for i in range(width):
                for k in range(factors):
                    out[c, record, i, k] = u[i, k] if left < 0 else np.nan
        escape[c] = left


@njit
def _pair_step(a, b, z, p, rates, batch):  # type: ignore[no-untyped-def]
    """One step of a path of two weights; both new weights, and the counter."""
    q, r, z = _gaussian_batch(z, p[0], p[1], p[2], batch)
    g = 2.0 * (a * b * q - r)
    eta, decay = rates[0], rates[1]
    return a - eta * (g * b + 2.0 * decay * a), b - eta * (g * a + 2.0 * decay * b), z


@njit(cache=True, nogil=True)
def _pair_kernel(out, escape, initial, records, p, rates, batch, seed, first):  # type: ignore[no-untyped-def]
    """`_sgd_kernel` for one path of two weights, Gaussian data and no injected noise, in registers.

    A step waits for the one before, so that two chains side by side take little more time than one. Of an odd
    number the last goes beside itself.
    """
    chains = initial.shape[0]
    for c in range(0, chains, 2):
        d = min(c + 1, chains - 1)
        y, z = start(seed, first + c), start(seed, first + d)
        a, b = initial[c, 0, 0], initial[c, 0, 1]
        e, f = initial[d, 0, 0], initial[d, 0, 1]
        step, left, right = 0, -1, -1
        for record in range(records.size):
            while step < records[record] and (left < 0 or right < 0):
                a, b, y = _pair_step(a, b, y, p, rates, batch)
                e, f, z = _pair_step(e, f, z, p, rates, batch)
                step += 1
                if left < 0 and not abs(a) + abs(b) < ESCAPE:
                    left = step
                if right < 0 and not abs(e) + abs(f) < ESCAPE:
                    right = step
            out[d, record, 0, 0] = e if right < 0 else np.nan
            out[d, record, 0, 1] = f if right < 0 else np.nan
            out[c, record, 0, 0] = a if left < 0 else np.nan
            out[c, record, 0, 1] = b if left < 0 else np.nan
        escape[d] = right
        escape[c] = left


def check_weights(initial: ArrayLike) -> np.ndarray:
    """Initial weights as an array (chains, d, n)."""
    weights = np.ascontiguousarray(initial, dtype=float)
    if weights.ndim != 3 or weights.size == 0 or not np.isfinite(weights).all():
        raise ConfigError(
            f"initial weights must be finite, of shape (chains, width, depth + 1), got {weights.shape}"
        )
    return weights


def balanced(v: ArrayLike, depth: int, width: int = 1) -> np.ndarray:
    """Balanced weights with given v (one per chain): |u| = |v/d|^{1/n}, the sign in the first layer."""
    v = np.atleast_1d(np.asarray(v, dtype=float))
    n = depth + 1
    size = np.abs(v / width) ** (1 / n)
    weights = np.broadcast_to(size[:, None, None], (v.size, width, n)).copy()
    weights[:, :, 0] *= np.sign(v)[:, None]
    return weights


def run_sgd(
    initial: ArrayLike,
    law: DataLaw,
    learning_rate: float,
    records: ArrayLike,
    *,
    batch: int = 1,
    weight_decay: float = 0.0,
    injected: float = 0.0,
    seed: int = 0,
    threads: int = 1,
) -> Paths:
    """SGD from `initial` (chains, d, n), weights recorded after the given numbers of steps.

    `weight_decay` is γ in ℓ + γ‖θ‖²; `injected` the standard deviation of noise added to every weight per
    step. Chain c's random numbers depend on `seed` and c alone.
    """
    weights, steps = check_weights(initial), check_records(records)
    if (
        not (learning_rate > 0 and math.isfinite(learning_rate))
        or batch < 1
        or weight_decay < 0
        or injected < 0
    ):
        raise ConfigError(
            "SGD needs learning rate > 0, batch ≥ 1, weight decay ≥ 0, injected noise ≥ 0; got "
            f"{learning_rate}, "
            f"{batch}, {weight_decay}, {injected}"
        )
    kernel, parameters = _kernel_for(law, weights.shape[1:], injected)
    rates = (float(learning_rate), float(weight_decay), float(injected))
    parameters = (*parameters, rates, batch)
    out, escape = run_chains(kernel, weights, steps, parameters, seed=seed, threads=threads)
    return Paths(out, steps, escape, learning_rate / batch, steps * learning_rate)


def _kernel_for(
    law: DataLaw, shape: tuple[int, ...], injected: float
) -> tuple[Callable[..., None], tuple[Any, ...]]:
    """The fastest kernel, and its parameters that describe the data."""
    if isinstance(law, Population):
        return _sgd_kernel, (False, (float(law.x2), float(law.xy), 0.0))
    p = (float(law.k), float(law.noise), float(law.input_scale))
    if shape == (1, 2) and injected == 0:
        return _pair_kernel, (p,)
    return _sgd_kernel, (True, p)
