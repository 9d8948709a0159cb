"""The SDEs of the diagonal network, many chains at once, with adapted steps.

Two levels of description (Itô, time in units of η steps, g = α₁v² − 2α₂v + α₃):

* the weights: du_i^{(k)} = −∂_k v · 2(β₁v − β₂) dt − 2γ u dt + ∂_k v · 2√(T g) dW, one W for all;
* the effective law of v on the balanced manifold, n = D + 1, m = d (v/d)^{2−2/n}:
  dv = A dt + √(2B) dW with A, B of `theory.fokker_planck`, integrated in log v for D ≥ 1 (v stays positive).

The noise grows like v² at large v and the densities have power-law tails, so that no fixed step is small
enough: each step is `accuracy` divided by the local rate of change, a function of the present state alone,
and is cut at the recording times. Results converge as accuracy → 0: the law with order one for
Euler–Maruyama and Milstein, with order two for Platen's scheme, single paths with order one for Milstein;
the weights go by Milstein's scheme.
"""

import math
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from sgdiffusion.dynamics.chains.blocks import ESCAPE, run_chains
from sgdiffusion.dynamics.chains.chain_random import next_normal, start
from sgdiffusion.dynamics.chains.diagonal import Paths, check_weights
from sgdiffusion.errors import ConfigError

Scheme = Literal["euler", "milstein", "platen"]
_SCHEMES: tuple[Scheme, ...] = ("euler", "milstein", "platen")
Constants = tuple[float, float, float, float, float]  # α₁, α₂, α₃, β₁, β₂


@njit(forceinline=True)
def _effective_log(z, constants, t, n, d, decay, eta):  # type: ignore[no-untyped-def]
    """(drift, noise, noise·its derivative, rate) of log v."""
    a1, a2, a3, b1, b2 = constants
    v = math.exp(z)
    c = a2 / a1
    g = a1 * (v - c) * (v - c) + max(a3 - a2 * c, 0.0)
    m = 1.0 if n == 2.0 else (v / d) ** (1.0 - 2.0 / n)  # m(v)/v with m = d (v/d)^{2−2/n}
    slope = 2.0 * (b1 * v - b2)
    noise = 2.0 * n * m * math.sqrt(t * g)
    # A/v − B/v²: the Itô terms 2Tn(n−1)(m/v)²g and −2Tn²(m/v)²g leave −2Tn(m/v)²g.
    drift = -n * m * slope - 2.0 * t * n * m * m * g - 2.0 * decay * n
    if eta > 0.0:
        drift -= 0.5 * eta * n * m * m * (n * v * slope * 2.0 * b1 + (n - 1.0) * slope * slope)
    scale = 4.0 * n * n * m * m * t  # noise²/g; g may vanish at one point
    gradient = scale * ((1.0 - 2.0 / n) * g + v * (a1 * v - a2))
    # Changes of log v, and of g through v: a parabola of half-width √(g/α₁).
    rate = scale * (g + a1 * v * v) + n * m * b1 * v
    rate += abs(drift) * (1.0 + v / (math.sqrt(g / a1) + 1e-12))
    return drift, noise, gradient, rate


@njit(forceinline=True)
def _effective_line(v, constants, t, d, decay, eta):  # type: ignore[no-untyped-def]
    """(drift, noise, noise·its derivative, rate) of v at depth 0."""
    a1, a2, a3, b1, b2 = constants
    c = a2 / a1
    g = a1 * (v - c) * (v - c) + max(a3 - a2 * c, 0.0)
    slope = 2.0 * (b1 * v - b2)
    drift = -d * slope - 2.0 * decay * v
    if eta > 0.0:
        drift -= eta * d * d * slope * b1
    noise = 2.0 * d * math.sqrt(t * g)
    gradient = 4.0 * d * d * t * (a1 * v - a2)
    rate = 4.0 * d * d * t * a1 + abs(drift) / (math.sqrt(g / a1) + 1e-12) + 2.0 * d * b1
    return drift, noise, gradient, rate


# Inlined, so that a call computes only what its caller uses.
@njit(forceinline=True)
def _terms(x, constants, model):  # type: ignore[no-untyped-def]
    t, n, d, decay, eta = model
    if n > 1:
        return _effective_log(x, constants, t, n, d, decay, eta)
    return _effective_line(x, constants, t, d, decay, eta)


@njit
def _platen(x, drift, noise, step, dw, constants, model):  # type: ignore[no-untyped-def]
    """The explicit scheme of weak order two for scalar noise (Kloeden & Platen 1992, eq. 15.1.1)."""
    root, centre = math.sqrt(step), x + drift * step
    later, _, _, _ = _terms(centre + noise * dw, constants, model)
    _, up, _, _ = _terms(centre + noise * root, constants, model)
    _, down, _, _ = _terms(centre - noise * root, constants, model)
    mean = 0.25 * (up + down + 2.0 * noise) * dw
    return x + 0.5 * (drift + later) * step + mean + 0.25 * (up - down) * (dw * dw - step) / root


@njit(cache=True, nogil=True)
def _effective_kernel(out, escape, initial, times, constants, model, accuracy, scheme, seed, first):  # type: ignore[no-untyped-def]
    n = model[1]
    for c in range(initial.size):
        counter = start(seed, first + c)
        x = math.log(initial[c]) if n > 1 else initial[c]
        now, count, left = 0.0, 0, -1
        for record in range(times.size):
            while now < times[record] and left < 0:
                drift, noise, gradient, rate = _terms(x, constants, model)
                step = min(accuracy / rate, times[record] - now)
                xi, counter = next_normal(counter)
                dw = math.sqrt(step) * xi
                if scheme == 2:
                    x = _platen(x, drift, noise, step, dw, constants, model)
                else:
                    x += drift * step + noise * dw
                    if scheme == 1:
                        x += 0.5 * gradient * (dw * dw - step)
                # The last step before a record lands on it exactly, whatever the rounding of the sum.
                now = times[record] if step == times[record] - now else now + step
                count += 1
                if not abs(x) < ESCAPE:
                    left = count
            out[c, record] = np.nan if left >= 0 else (math.exp(x) if n > 1 else x)
        escape[c] = left


@njit
def _others(u, i, k, other):  # type: ignore[no-untyped-def]
    """Π of path i's weights except the k-th and the other."""
    product = 1.0
    for j in range(u.shape[1]):
        if j not in (k, other):
            product *= u[i, j]
    return product


@njit
def _weights_step(u, kick, curve, constants, t, decay, accuracy, longest, xi):  # type: ignore[no-untyped-def]
    """One step of all weights; returns its length and Σ|u|."""
    a1, a2, a3, b1, b2 = constants
    width, n = u.shape
    v, total, fastest = 0.0, 0.0, 0.0
    for i in range(width):
        path, own = 0.0, 1e-300
        for k in range(n):
            kick[i, k] = _others(u, i, k, k)
            path += kick[i, k] ** 2
            own += u[i, k] ** 2
        v += kick[i, 0] * u[i, 0]
        total += path
        if n > 1:  # at depth 0 the weight's own size sets no scale: the noise does not depend on it
            fastest = max(fastest, path / own)
    c = a2 / a1
    g = a1 * (v - c) * (v - c) + max(a3 - a2 * c, 0.0)
    slope, deviation = 2.0 * (b1 * v - b2), 2.0 * math.sqrt(t * g)
    # Relative change of a path's weights, of g through v (a parabola of half-width √(g/α₁)), and of the
    # drift.
    rate = deviation**2 * n * fastest + 4.0 * t * total**2 * a1
    rate += abs(slope) * math.sqrt(fastest) + abs(slope) * total / (math.sqrt(g / a1) + 1e-12)
    rate += 2.0 * b1 * total + 2.0 * decay
    step = min(accuracy / rate, longest)
    # Milstein's term, Db·b for b = 2√(Tg) ∇v: 2T g' |∇v|² ∇v + 4Tg ∇∇v ∇v.
    shock, second = deviation * math.sqrt(step) * xi, 0.5 * step * (xi * xi - 1.0)
    for i in range(width):
        for k in range(n):
            curve[i, k] = 0.0
            for j in range(n):
                if j != k:
                    curve[i, k] += _others(u, i, k, j) * kick[i, j]
    size = 0.0
    for i in range(width):
        for k in range(n):
            move = (shock - slope * step) * kick[i, k] - 2.0 * decay * u[i, k] * step
            bend = 4.0 * t * (a1 * v - a2) * total * kick[i, k] + deviation**2 * curve[i, k]
            move += second * bend
            u[i, k] += move
            size += abs(u[i, k])
    return step, size


@njit(cache=True, nogil=True)
def _weights_kernel(out, escape, initial, times, constants, model, accuracy, seed, first):  # type: ignore[no-untyped-def]
    t, decay = model
    chains, width, n = initial.shape
    u, kick, curve = np.empty((width, n)), np.empty((width, n)), np.empty((width, n))
    for c in range(chains):
        counter = start(seed, first + c)
        for i in range(width):
            for k in range(n):
                u[i, k] = initial[c, i, k]
        now, count, left = 0.0, 0, -1
        for record in range(times.size):
            while now < times[record] and left < 0:
                xi, counter = next_normal(counter)
                longest = times[record] - now
                step, size = _weights_step(u, kick, curve, constants, t, decay, accuracy, longest, xi)
                now = times[record] if step == longest else now + step
                count += 1
                if not size < ESCAPE:
                    left = count
            for i in range(width):
                for k in range(n):
                    out[c, record, i, k] = u[i, k] if left < 0 else np.nan
        escape[c] = left


@njit
def _pair_weights_step(a, b, constants, t, decay, accuracy, longest, xi):  # type: ignore[no-untyped-def]
    """`_weights_step` for one path of two weights; both new weights and the step's length."""
    a1, a2, a3, b1, b2 = constants
    v, total, c = b * a, b * b + a * a, a2 / a1
    fastest = total / (1e-300 + a * a + b * b)
    g = a1 * (v - c) * (v - c) + max(a3 - a2 * c, 0.0)
    slope, deviation = 2.0 * (b1 * v - b2), 2.0 * math.sqrt(t * g)
    rate = deviation**2 * 2 * fastest + 4.0 * t * total**2 * a1
    rate += abs(slope) * math.sqrt(fastest) + abs(slope) * total / (math.sqrt(g / a1) + 1e-12)
    rate += 2.0 * b1 * total + 2.0 * decay
    step = min(accuracy / rate, longest)
    shock, second = deviation * math.sqrt(step) * xi, 0.5 * step * (xi * xi - 1.0)
    along, common = shock - slope * step, 4.0 * t * (a1 * v - a2) * total
    first = along * b - 2.0 * decay * a * step + second * (common * b + deviation**2 * a)
    other = along * a - 2.0 * decay * b * step + second * (common * a + deviation**2 * b)
    return a + first, b + other, step


@njit(cache=True, nogil=True)
def _pair_weights_kernel(out, escape, initial, times, constants, model, accuracy, seed, first):  # type: ignore[no-untyped-def]
    """`_weights_kernel` for one path of two weights, in registers: the same bits."""
    t, decay = model
    for c in range(initial.shape[0]):
        counter = start(seed, first + c)
        a, b = initial[c, 0, 0], initial[c, 0, 1]
        now, count, left = 0.0, 0, -1
        for record in range(times.size):
            while now < times[record] and left < 0:
                xi, counter = next_normal(counter)
                longest = times[record] - now
                a, b, step = _pair_weights_step(a, b, constants, t, decay, accuracy, longest, xi)
                now = times[record] if step == longest else now + step
                count += 1
                if not abs(a) + abs(b) < ESCAPE:
                    left = count
            out[c, record, 0, 0] = a if left < 0 else np.nan
            out[c, record, 0, 1] = b if left < 0 else np.nan
        escape[c] = left


def _check(temperature: float, times: ArrayLike, accuracy: float, decay: float) -> np.ndarray:
    moments = np.atleast_1d(np.asarray(times, dtype=float))
    if moments.size == 0 or moments[0] < 0 or np.any(np.diff(moments) <= 0) or not np.isfinite(moments).all():
        raise ConfigError(f"recording times must increase from ≥ 0, got {moments[:8].tolist()}…")
    if not (temperature > 0 and math.isfinite(temperature)) or not 0 < accuracy <= 1 or decay < 0:
        raise ConfigError(
            f"the SDE needs T > 0, 0 < accuracy ≤ 1 and decay ≥ 0, got {temperature}, {accuracy}, {decay}"
        )
    return moments


def run_effective(
    initial: ArrayLike,
    constants: Constants,
    temperature: float,
    times: ArrayLike,
    *,
    depth: int = 1,
    width: int = 1,
    decay: float = 0.0,
    learning_rate: float = 0.0,
    accuracy: float = 0.1,
    scheme: Scheme = "platen",
    seed: int = 0,
    threads: int = 1,
) -> Paths:
    """The effective diffusion of v from `initial` (one value per chain, positive for D ≥ 1), at the given
    times.

    `learning_rate` > 0 adds the second-order drift. The weights of the returned paths have shape
    (chains, records, 1, 1): v itself.
    """
    moments = _check(temperature, times, accuracy, decay)
    v = np.atleast_1d(np.ascontiguousarray(initial, dtype=float))
    if depth < 0 or width < 1 or v.ndim != 1 or (depth > 0 and not (v > 0).all()):
        raise ConfigError("the effective diffusion needs depth ≥ 0, width ≥ 1 and, for D ≥ 1, positive v")
    model = (float(temperature), float(depth + 1), float(width), float(decay), float(learning_rate))
    parameters = (constants, model, float(accuracy), _SCHEMES.index(scheme))
    out, escape = run_chains(_effective_kernel, v, moments, parameters, seed=seed, threads=threads)
    return Paths(out[:, :, None, None], np.arange(moments.size), escape, temperature, moments)


def run_weights(
    initial: ArrayLike,
    constants: Constants,
    temperature: float,
    times: ArrayLike,
    *,
    decay: float = 0.0,
    accuracy: float = 0.02,
    seed: int = 0,
    threads: int = 1,
) -> Paths:
    """The SDE of all weights from `initial` (chains, d, n), at the given times, by Milstein's scheme: any
    sign, any imbalance.
    """
    moments, weights = _check(temperature, times, accuracy, decay), check_weights(initial)
    parameters = (constants, (float(temperature), float(decay)), float(accuracy))
    kernel = _pair_weights_kernel if weights.shape[1:] == (1, 2) else _weights_kernel
    out, escape = run_chains(kernel, weights, moments, parameters, seed=seed, threads=threads)
    return Paths(out, np.arange(moments.size), escape, temperature, moments)
