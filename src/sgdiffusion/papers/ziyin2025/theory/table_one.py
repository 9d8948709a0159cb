"""Table 1 and the special case Δ = 0: laws under (near-)interpolation, where g(v) = α₁(v − k)², k = α₂/α₁.

Written for k > 0 with the offset o = k E[g'(k)] of the mean gradient at v = k, where the noise vanishes:

    depth 0:  b = β₁ + γ,  o = b k − β₂          p ∝ |v − k|^{−2−b/(Tα₁)} exp{−|o|/(Tα₁|v − k|)}
    depth 1:  o = β₁k − β₂ + γ,  e = (β₁ − o/k)/(2Tα₁k)
              p ∝ v^{−3/2+e} |v − k|^{−2−e} exp{−|o|/(2Tα₁k|v − k|)}

on the side of k to which the mean gradient pushes at k: below for o > 0, above for o < 0. For y = kx the
offset is γk (depth 0) or γ (depth 1), for y = kx − c/x it is c plus that. With o = 0 (interpolation
without decay) the formula has the non-integrable |v − k|^{−2−…}: the law is the point mass δ(v − k) at depth
0, and at depth 1 up to T_c = β₁/(kα₁). Above it v = 0 attracts as well (`end_at_root`).
"""

import math
from functools import partial

import numpy as np
from scipy import special

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, require_temperature
from sgdiffusion.papers.ziyin2025.theory.stationary import (
    Coordinate,
    PointMass,
    StationaryLaw,
    TwoPoints,
    above,
    below,
    between,
)


def _root(c: DataConstants) -> float:
    """k, the place where the gradient noise vanishes."""
    if c.delta > 0:
        raise MeasureError(f"Δ = {c.delta:.3g} > 0: not an interpolation law; use theory.laws")
    if c.alpha2 <= 0:
        raise MeasureError(f"the noise vanishes at k = {c.alpha2 / c.alpha1:g} ≤ 0: use constants.mirrored()")
    return c.alpha2 / c.alpha1


def _rounded(offset: float, scale: float) -> float:
    return 0.0 if abs(offset) < 1e-12 * abs(scale) else offset


def interpolation_depth_zero(
    constants: DataConstants, temperature: float, decay: float = 0.0
) -> StationaryLaw | PointMass:
    """Linear regression with Δ = 0: |v − k| follows an inverse gamma law (shape 1 + b/(Tα₁))."""
    temperature, k, c = require_temperature(temperature), _root(constants), constants
    slope = c.beta1 + decay
    offset = _rounded(slope * k - c.beta2, slope * k)
    if offset == 0:
        return PointMass(k, "interpolation without decay: neither drift nor noise at v = k, which attracts")
    shape, rate = 1 + slope / (temperature * c.alpha1), abs(offset) / (temperature * c.alpha1)
    coordinate: Coordinate = below(k) if offset > 0 else above(k)
    side = -1 if offset > 0 else 1  # log|v − k| = side·t

    def log_mass(t: np.ndarray) -> np.ndarray:
        distance = side * t
        return -shape * distance - rate * np.exp(np.clip(-distance, -700, 700))

    return StationaryLaw(
        f"Table 1, depth 0, Δ = 0, T = {temperature:g}",
        log_mass,
        coordinate,
        (side * math.log(rate / shape),),
        shape + 1,
    )


def end_at_root(k: float, power: float, start: float) -> float:
    """P(v → k) at depth 1 under interpolation without decay from v = start > 0; the rest ends at zero.

    The slope of the scale function is s' = exp(−∫ A/B dv) = v^{−1/2−e} |v − k|^e with e = `power` =
    β₁/(2Tα₁k). It can be integrated from zero if and only if e < 1/2, i.e. above T_c; then, below k,
    P(v → k) = ∫₀^start s'/∫₀^k s' = I_{start/k}(1/2 − e, 1 + e), the regularised incomplete beta function.
    Above k its integral diverges at infinity, so that every chain comes down to k.
    """
    if power >= 0.5 or start >= k:
        return 1.0
    return float(special.betainc(0.5 - power, 1 + power, start / k))


def interpolation_depth_one(
    constants: DataConstants, temperature: float, decay: float = 0.0
) -> StationaryLaw | PointMass | TwoPoints:
    """The diagonal network with one hidden layer and Δ = 0: on (0, k), above k, or point masses."""
    temperature, k, c = require_temperature(temperature), _root(constants), constants
    offset = _rounded(c.beta1 * k - c.beta2 + decay, c.beta1 * k)
    power = (c.beta1 - offset / k) / (2 * temperature * c.alpha1 * k)
    if offset == 0:
        reason = "interpolation without decay: neither drift nor noise at v = k, which attracts"
        if power >= 0.5:
            return PointMass(k, reason)
        return TwoPoints(k, partial(end_at_root, k, power), f"{reason}, and above T_c so does v = 0")
    rate = abs(offset) / (2 * temperature * c.alpha1 * k)
    if offset < 0:
        return _above_root(k, power, rate, temperature)
    if power <= 0.5:
        critical = (c.beta2 - decay) / c.alpha3
        return PointMass(0.0, f"T = {temperature:g} ≥ T_c = {critical:.4g}")

    def log_mass(t: np.ndarray) -> np.ndarray:
        log_v, log_gap = -np.logaddexp(0, -t), -np.logaddexp(0, t)  # log(v/k), log(1 − v/k)
        singular = rate / k * np.exp(np.clip(-log_gap, -700, 700))
        return (power - 0.5) * log_v - (1 + power) * log_gap - singular

    return StationaryLaw(
        f"Table 1, depth 1, Δ = 0, T = {temperature:g}",
        log_mass,
        between(k),
        (math.log(k * (power + 1) / rate), 0.0),
        None,
        power - 1.5,
    )


def printed_interpolation_with_decay(
    constants: DataConstants, temperature: float, decay: float
) -> StationaryLaw:
    """Eq. 107 and Table 1 as printed, y = kx with decay at depth 1: exp{−β₁γ/(2Tα₁k(k − v))}."""
    law = interpolation_depth_one(constants, temperature, decay)
    if not isinstance(law, StationaryLaw):
        raise MeasureError(f"at T = {temperature:g} the printed law has no density to compare: lower T")
    extra = (constants.beta1 - 1) * decay / (2 * temperature * constants.alpha1)
    k = law.coordinate.high
    # 1/(k(k − v)) = (1 + eᵗ)/k² in the coordinate of `between`

    def log_mass(t: np.ndarray) -> np.ndarray:
        return law.log_mass(t) - extra / k**2 * np.exp(np.minimum(np.logaddexp(0, t), 700))

    return StationaryLaw("Table 1 as printed", log_mass, law.coordinate, law.hints, None, law.origin)


def _above_root(k: float, power: float, rate: float, temperature: float) -> StationaryLaw:
    def log_mass(t: np.ndarray) -> np.ndarray:
        return (
            (power - 1.5) * np.logaddexp(t, math.log(k))
            - (1 + power) * t
            - rate * np.exp(np.clip(-t, -700, 700))
        )

    name = f"Table 1, depth 1, Δ = 0, T = {temperature:g}, v > k"
    return StationaryLaw(name, log_mass, above(k), (math.log(rate / (1 + power)), math.log(k)), 3.5)
