"""Batched, compiled paths of small stochastic systems: double well, linear systems, one-weight regression.

Each random number is a function of (seed, chain, step, pair) alone, by the counter-based generator
Philox4x32-10 (Salmon et al. 2011) and Box–Muller. So a chain's path does not depend on which other chains are
computed beside it, on their order or on threads, and a path continues exactly from any step.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import expm

from sgdiffusion.errors import TrainingError

Array = NDArray[np.float64]

_LOW = np.uint64(0xFFFFFFFF)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_HALF = np.uint64(32)
_TO_UNIT = 2.0**-52
_TAU = 2 * math.pi


@njit(inline="always")
def _philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Philox4x32-10: four 32-bit words (held in 64) of counter and two of key to four random words."""
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@njit(inline="always")
def _uniform(high, low):  # type: ignore[no-untyped-def]
    """A double in (0, 1) from 52 of 64 random bits: with one more, adding a half could round up to 1."""
    bits = ((high << _HALF) | low) >> np.uint64(12)
    return (np.float64(bits) + 0.5) * _TO_UNIT


@njit(inline="always")
def _uniform_pair(seed, chain, step, pair):  # type: ignore[no-untyped-def]
    w0, w1, w2, w3 = _philox(step & _LOW, step >> _HALF, chain, pair, seed & _LOW, seed >> _HALF)
    return _uniform(w0, w1), _uniform(w2, w3)


@njit(inline="always")
def _normal_pair(seed, chain, step, pair):  # type: ignore[no-untyped-def]
    u, v = _uniform_pair(seed, chain, step, pair)
    radius = math.sqrt(-2.0 * math.log(u))
    return radius * math.cos(_TAU * v), radius * math.sin(_TAU * v)


@njit(cache=True, nogil=True)
def _fill_normals(out, seed, first_chain, first_step):  # type: ignore[no-untyped-def]
    chains, steps, size = out.shape
    for c in range(chains):
        for n in range(steps):
            for p in range((size + 1) // 2):
                chain, step = np.uint64(first_chain + c), np.uint64(first_step + n)
                first, second = _normal_pair(seed, chain, step, np.uint64(p))
                out[c, n, 2 * p] = first
                if 2 * p + 1 < size:
                    out[c, n, 2 * p + 1] = second


def normals(
    seed: int, chains: int, steps: int, size: int, first_chain: int = 0, first_step: int = 0
) -> Array:
    """The numbers the integrators use, shape (chains, steps, size): for twins and coupled experiments."""
    out = np.empty((chains, steps, size))
    _fill_normals(out, np.uint64(seed), first_chain, first_step)
    return out


@dataclass(frozen=True)
class Plan:
    """What is computed and kept of a chain: ``burn_in`` steps, then ``records`` states ``every`` steps apart.

    ``first_chain`` and ``first_step`` number chains and steps, so that a batch can be split and continued: a
    path is continued by its last state, ``first_step`` = all steps done so far and ``burn_in`` = 0.
    """

    records: int
    seed: int
    every: int = 1
    burn_in: int = 0
    first_chain: int = 0
    first_step: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if min(self.records, self.every, self.threads) < 1 or min(self.burn_in, self.first_chain) < 0:
            raise ValueError("records, every and threads are at least 1, burn_in and first_chain at least 0")

    @property
    def steps(self) -> int:
        return self.burn_in + self.every * self.records


@njit(inline="always")
def _record(n, burn_in, every):  # type: ignore[no-untyped-def]
    """Index of the record to be written after step ``n``, or −1."""
    done = n + 1 - burn_in
    return done // every - 1 if done > 0 and done % every == 0 else -1


@njit(inline="always")
def _double_well_drift(x1, x2, lam):  # type: ignore[no-untyped-def]
    """−∇f = −∇Φ + j, as in theory.double_well, written out for speed."""
    a, b = x1 * x1, x2 * x2
    g = lam * math.exp(0.25 - 0.5 * a + 0.5 * b - 0.5 * a * b - 0.25 * b * b)
    return x1 - a * x1 - g * x2, g * x1 - x2


@njit(cache=True, nogil=True)
def _double_well_kernel(out, x, parameters, plan, seed):  # type: ignore[no-untyped-def]
    lam, h, heun = parameters
    steps, burn_in, every, first_chain, first_step = plan
    size = math.sqrt(2.0 * h)
    for c in range(x.shape[0]):
        x1, x2 = x[c, 0], x[c, 1]
        for n in range(steps):
            z1, z2 = _normal_pair(seed, np.uint64(first_chain + c), np.uint64(first_step + n), np.uint64(0))
            d1, d2 = _double_well_drift(x1, x2, lam)
            y1, y2 = x1 + h * d1 + size * z1, x2 + h * d2 + size * z2
            if heun:
                e1, e2 = _double_well_drift(y1, y2, lam)
                y1, y2 = y1 + 0.5 * h * (e1 - d1), y2 + 0.5 * h * (e2 - d2)
            x1, x2 = y1, y2
            r = _record(n, burn_in, every)
            if r >= 0:
                out[c, r, 0], out[c, r, 1] = x1, x2


@njit(cache=True, nogil=True)
def _linear_kernel(out, x, parameters, plan, seed):  # type: ignore[no-untyped-def]
    turn, noise = parameters
    steps, burn_in, every, first_chain, first_step = plan
    size = x.shape[1]
    z, state, new = np.zeros(size + 1), np.empty(size), np.empty(size)
    for c in range(x.shape[0]):
        state[:] = x[c]
        for n in range(steps):
            chain, step = np.uint64(first_chain + c), np.uint64(first_step + n)
            for p in range((size + 1) // 2):
                z[2 * p], z[2 * p + 1] = _normal_pair(seed, chain, step, np.uint64(p))
            for i in range(size):
                new[i] = 0.0
                for k in range(size):
                    new[i] += turn[i, k] * state[k] + noise[i, k] * z[k]
            state[:] = new
            r = _record(n, burn_in, every)
            if r >= 0:
                out[c, r] = state


@njit(cache=True, nogil=True)
def _regression_kernel(out, x, parameters, plan, seed):  # type: ignore[no-untyped-def]
    slopes, offsets, rate, batch, gaussian = parameters
    steps, burn_in, every, first_chain, first_step = plan
    a, b = slopes.mean(), offsets.mean()
    v, s, q = ((slopes - a) ** 2).mean(), ((slopes - a) * (offsets - b)).mean(), ((offsets - b) ** 2).mean()
    for c in range(x.shape[0]):
        w, chain = x[c, 0], np.uint64(first_chain + c)
        for n in range(steps):
            step, gradient = np.uint64(first_step + n), 0.0
            if gaussian:
                z, _ = _normal_pair(seed, chain, step, np.uint64(0))
                gradient = a * w - b + math.sqrt((v * w * w - 2.0 * s * w + q) / batch) * z
            else:
                for k in range(batch):
                    u, _ = _uniform_pair(seed, chain, step, np.uint64(k))
                    drawn = int(u * slopes.size)
                    gradient += (slopes[drawn] * w - offsets[drawn]) / batch
            w -= rate * gradient
            r = _record(n, burn_in, every)
            if r >= 0:
                out[c, r, 0] = w


def _run(kernel: Callable[..., None], start: ArrayLike, parameters: tuple[Any, ...], plan: Plan) -> Array:
    """Run ``kernel`` on blocks of chains, one per thread; the kernels hold no lock and share no state."""
    x = np.ascontiguousarray(np.atleast_2d(np.asarray(start, dtype=np.float64)))
    out = np.empty((x.shape[0], plan.records, x.shape[1]))
    blocks = [block for block in np.array_split(np.arange(x.shape[0]), plan.threads) if block.size]

    def work(block: NDArray[np.intp]) -> None:
        rows = slice(int(block[0]), int(block[-1]) + 1)
        counts = (plan.steps, plan.burn_in, plan.every, plan.first_chain + int(block[0]), plan.first_step)
        kernel(out[rows], x[rows], parameters, counts, np.uint64(plan.seed))

    with ThreadPoolExecutor(len(blocks)) as pool:
        list(pool.map(work, blocks))
    _demand_finite(out, plan)
    return out


def _demand_finite(out: Array, plan: Plan) -> None:
    bad = ~np.isfinite(out).all(axis=2)
    if bad.any():
        chain, record = np.argwhere(bad)[0]
        step = plan.first_step + plan.burn_in + (int(record) + 1) * plan.every
        raise TrainingError(
            f"chain {plan.first_chain + int(chain)} is not finite at step {step}: the integration step is "
            "too long for the drift where the path went; make the step shorter"
        )


def double_well_paths(
    start: ArrayLike, lam: float, step: float, plan: Plan, scheme: Literal["heun", "euler"] = "heun"
) -> Array:
    """Paths of dx = −∇f dt + √2 dW of theory.double_well from ``start`` (chains, 2): (chains, records, 2).

    ``euler`` is Euler–Maruyama, whose steady state is off by O(step); ``heun`` averages the drift over the
    step, of weak order 2 for additive noise.
    """
    if scheme not in ("heun", "euler"):
        raise ValueError(f"the scheme is 'heun' or 'euler', not {scheme!r}")
    return _run(_double_well_kernel, start, (float(lam), float(step), scheme == "heun"), plan)


def linear_paths(start: ArrayLike, turn: ArrayLike, noise: ArrayLike, plan: Plan) -> Array:
    """Paths of x ← turn·x + noise·ξ with standard normal ξ, from ``start`` (chains, d): (chains, records, d).

    For dx = −Fx dt + √(2β⁻¹D) dW the matrices come from :func:`euler_step`, :func:`heun_step` or
    :func:`exact_step`.
    """
    matrices = tuple(np.ascontiguousarray(m, dtype=np.float64) for m in (turn, noise))
    return _run(_linear_kernel, start, matrices, plan)


def euler_step(drift: ArrayLike, diffusion: ArrayLike, beta: float, step: float) -> tuple[Array, Array]:
    """Euler–Maruyama: 1 − hF and √(2h/β) chol D."""
    f, d = np.asarray(drift, dtype=np.float64), np.asarray(diffusion, dtype=np.float64)
    return np.eye(len(f)) - step * f, math.sqrt(2 * step / beta) * np.asarray(np.linalg.cholesky(d))


def heun_step(drift: ArrayLike, diffusion: ArrayLike, beta: float, step: float) -> tuple[Array, Array]:
    """Stochastic Heun: 1 − hF + h²F²/2 and √(2h/β) (1 − hF/2) chol D, of weak order 2."""
    turn, noise = euler_step(drift, diffusion, beta, step)
    hf = np.eye(len(turn)) - turn
    return turn + hf @ hf / 2, (np.eye(len(turn)) - hf / 2) @ noise


def exact_step(drift: ArrayLike, covariance: ArrayLike, step: float) -> tuple[Array, Array]:
    """The exact transition over a time ``step`` of the linear system with this stationary covariance C.

    M = e^{−hF} and chol(C − M C Mᵀ).
    """
    c = np.asarray(covariance, dtype=np.float64)
    turn: Array = expm(-step * np.asarray(drift, dtype=np.float64))
    return turn, np.asarray(np.linalg.cholesky(c - turn @ c @ turn.T))


def regression_paths(
    start: ArrayLike,
    slopes: ArrayLike,
    offsets: ArrayLike,
    rate: float,
    batch: int,
    plan: Plan,
    noise: Literal["batch", "gaussian"] = "batch",
) -> Array:
    """SGD on one weight, x ← x − η·mean over the batch of (a_k x − c_k), from ``start`` (chains, 1).

    ``batch`` draws examples with replacement; ``gaussian`` replaces the mean by a normal number of the same
    mean and variance D(x)/b, which is Euler–Maruyama of Lemma 2's equation at a step of η.
    """
    if noise not in ("batch", "gaussian"):
        raise ValueError(f"the noise is 'batch' or 'gaussian', not {noise!r}")
    a, c = (np.ascontiguousarray(v, dtype=np.float64) for v in (slopes, offsets))
    return _run(_regression_kernel, start, (a, c, float(rate), int(batch), noise == "gaussian"), plan)
