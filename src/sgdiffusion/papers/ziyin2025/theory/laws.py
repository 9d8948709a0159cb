"""The stationary laws of Ziyin, Li & Ueda 2025: eqs 12, 14 and 15, their infinite-depth limit and second
order.

All are written for v > 0 (pass `constants.mirrored()` for the other sign); with
g(v) = α₁v² − 2α₂v + α₃, Δ = α₁α₃ − α₂² > 0 and J(v) = ∫ dv/g = arctan((α₁v − α₂)/√Δ)/√Δ.
Laws with Δ = 0 are in :mod:`sgdiffusion.papers.ziyin2025.theory.table_one`.
"""

import math

import numpy as np

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, require_temperature
from sgdiffusion.papers.ziyin2025.theory.stationary import PointMass, StationaryLaw, above, line


def _require_noise(c: DataConstants) -> None:
    if c.delta <= 0:
        raise MeasureError(
            "Δ = 0: the gradient noise vanishes at v = α₂/α₁ and the general law does not apply; "
            "use the interpolation laws of sgdiffusion.papers.ziyin2025.theory.table_one"
        )


def _require_one_correction(decay: float, learning_rate: float) -> None:
    if decay and learning_rate:
        raise MeasureError("the second-order law is derived without weight decay: set one of them to 0")


def _require_shape(depth: int, width: int) -> None:
    if depth < 0 or width < 1:
        raise MeasureError(f"depth must be ≥ 0 and width ≥ 1, got D = {depth}, d = {width}")


def arctangent(c: DataConstants, v: np.ndarray) -> np.ndarray:
    """J(v) = arctan((α₁v − α₂)/√Δ)/√Δ."""
    root = math.sqrt(c.delta)
    return np.arctan((c.alpha1 * v - c.alpha2) / root) / root


def _log_noise(c: DataConstants, t: np.ndarray) -> np.ndarray:
    """log g(eᵗ) without overflow at either end."""
    up, down = np.exp(np.minimum(t, 0)), np.exp(-np.maximum(t, 0))
    # v = up/down with max(up, down) = 1, so g·down² is a bounded sum of squares.
    square = c.alpha1 * (up - c.alpha2 / c.alpha1 * down) ** 2 + c.delta / c.alpha1 * down**2
    return np.log(square) + 2 * np.maximum(t, 0)


def depth_zero(
    constants: DataConstants, temperature: float, decay: float = 0.0, learning_rate: float = 0.0
) -> StationaryLaw:
    """Eq. 12, linear regression, for every T; `decay` is γ in ℓ + γv², `learning_rate` > 0 the second order.

    p ∝ g^{−1−β₁/(2Tα₁)} exp{−(1/T) (α₂β₁ − α₁β₂)/α₁ · J(v)} with β₁ → β₁ + γ; the second order multiplies
    both β by 1 + η(β₁ + γ).
    """
    temperature, c = require_temperature(temperature), constants
    _require_noise(c)
    _require_one_correction(decay, learning_rate)
    second = 1 + learning_rate * (c.beta1 + decay)
    b1, b2 = (c.beta1 + decay) * second, c.beta2 * second
    power = -1 - b1 / (2 * temperature * c.alpha1)
    weight = -(c.alpha2 * b1 - c.alpha1 * b2) / (c.alpha1 * temperature)
    centre, scale = c.alpha2 / c.alpha1, math.sqrt(c.delta) / c.alpha1
    coordinate = line(centre, scale)

    def log_mass(t: np.ndarray) -> np.ndarray:
        # g = (Δ/α₁) cosh² t in this coordinate, and J√Δ = arctan(sinh t).
        log_g = math.log(c.delta / c.alpha1) + 2 * (np.logaddexp(t, -t) - math.log(2))
        angle = 2 * np.arctan(np.tanh(t / 2))
        return power * log_g + weight * angle / math.sqrt(c.delta) + coordinate.log_jacobian(t)

    hint = float(np.arcsinh((b2 / b1 - centre) / scale))
    return StationaryLaw(f"eq. 12 at T = {temperature:g}", log_mass, coordinate, (hint, 0.0), -2 * power)


def depth_one(
    constants: DataConstants, temperature: float, decay: float = 0.0, learning_rate: float = 0.0
) -> StationaryLaw:
    """Eq. 15, the diagonal network with one hidden layer of any width, below its transition.

    p ∝ v^{−3/2−q₀/(2Tα₃)} g^{−1+q₀/(4Tα₃)−q₂/(4Tα₁)} exp{−(1/2T)(q₁ + q₀α₂/α₃ + q₂α₂/α₁) J(v)},

    where q₀ + q₁v + q₂v² = β₁v − (β₂ − γ), plus η[(β₁v − β₂)² + 2β₁v(β₁v − β₂)] at second order.
    """
    temperature, c = require_temperature(temperature), constants
    _require_noise(c)
    _require_one_correction(decay, learning_rate)
    q0 = -(c.beta2 - decay) + learning_rate * c.beta2**2
    q1 = c.beta1 - 4 * learning_rate * c.beta1 * c.beta2
    q2 = 3 * learning_rate * c.beta1**2
    approach = -q0 / (2 * temperature * c.alpha3) - 0.5  # p ~ v^{approach − 1}: zero at the transition
    if approach <= 0:
        raise MeasureError(
            f"at T = {temperature:g} ≥ T_c = {-q0 / c.alpha3:.4g} the depth-1 law has no density: only "
            "δ(v) is "
            "left; lower T or use invariant_law, which returns the point mass"
        )
    power = -1 + q0 / (4 * temperature * c.alpha3) - q2 / (4 * temperature * c.alpha1)
    weight = -(q1 + q0 * c.alpha2 / c.alpha3 + q2 * c.alpha2 / c.alpha1) / (2 * temperature)

    def log_mass(t: np.ndarray) -> np.ndarray:
        v = np.exp(np.clip(t, -700, 300))
        return approach * t + power * _log_noise(c, t) + weight * arctangent(c, v)

    hints = (math.log(abs(c.minimiser) + 1e-300), 0.5 * math.log(c.alpha3 / c.alpha1))
    return StationaryLaw(
        f"eq. 15 at T = {temperature:g}", log_mass, above(), hints, 1 - approach - 2 * power, approach - 1
    )


def _deep_potential(c: DataConstants, n: int, s: np.ndarray) -> np.ndarray:
    """∫ (β₁v − β₂)/(v^{2D/n} g) dv with v = sⁿ, n ≥ 3, by partial fractions in s.

    n (β₁sⁿ − β₂)/(s^{n−1} g(sⁿ)) has simple poles at the n-th roots ρ of r = (α₂ + i√Δ)/α₁ and of its
    conjugate, and at zero the single term −nβ₂/(α₃ s^{n−1}).
    """
    r = complex(c.alpha2, math.sqrt(c.delta)) / c.alpha1
    roots = abs(r) ** (1 / n) * np.exp(1j * (np.angle(r) + 2 * np.pi * np.arange(n)) / n)
    residues = (c.beta1 * r - c.beta2) / (roots ** (2 * n - 2) * 2j * math.sqrt(c.delta))
    potential = n * c.beta2 / (c.alpha3 * (n - 2)) * s ** (2.0 - n)
    # Σ residues = 0 (n ≥ 3), so dividing by a common scale changes nothing but the rounding.
    scale = np.hypot(s, abs(r) ** (1 / n))
    for root, residue in zip(roots, residues, strict=True):
        right, up = (s - root.real) / scale, -root.imag / scale
        potential += residue.real * np.log(right**2 + up**2) - 2 * residue.imag * np.arctan2(up, right)
    return potential


def deep(constants: DataConstants, temperature: float, depth: int, width: int = 1) -> StationaryLaw:
    """Eq. 14 for v > 0 and any depth D ≥ 0 and width d, without weight decay.

    p ∝ v^{−3(1−1/n)} g^{−1} exp{−(d^{1−2/n}/(nT)) ∫ (β₁v − β₂)/(v^{2D/n} g) dv}, n = D + 1. For D ≥ 2 and
    β₂ > 0 the density exists at every T: it vanishes faster than any power at v → 0.
    """
    temperature, c = require_temperature(temperature), constants
    _require_noise(c)
    _require_shape(depth, width)
    if depth == 0:
        return depth_zero(c, temperature * width)
    if depth == 1:
        return depth_one(c, temperature)
    if c.beta2 <= 0:
        raise MeasureError(
            f"β₂ = {c.beta2:g} ≤ 0: for v > 0 only δ(v) is stationary; use constants.mirrored() for v < 0"
        )
    n = depth + 1
    strength = width ** (1 - 2 / n) / (n * temperature)

    def log_mass(t: np.ndarray) -> np.ndarray:
        s = np.exp(np.clip(t / n, -700 / n, 300 / n))
        return (3 / n - 2) * t - _log_noise(c, t) - strength * _deep_potential(c, n, s)

    hints = (math.log(c.minimiser), 0.5 * math.log(c.alpha3 / c.alpha1))
    return StationaryLaw(
        f"eq. 14 at T = {temperature:g}, D = {depth}, d = {width}", log_mass, above(), hints, 5 - 3 / n
    )


def infinite_depth(constants: DataConstants, strength: float) -> StationaryLaw:
    """Eq. 14 for D → ∞ at fixed κ = d/(D T) = d·S/(D·η): p ∝ v^{−3} g^{−1} exp{−κ ∫ (β₁v − β₂)/(v²g) dv}.

    κ → 0 (d = o(D)) leaves δ(v), κ → ∞ (d ≫ D) concentrates at β₂/β₁.
    """
    c = constants
    _require_noise(c)
    if not (strength > 0 and math.isfinite(strength)) or c.beta2 <= 0:
        raise MeasureError(
            "the infinite-depth law for v > 0 needs κ = d/(DT) > 0 and finite and β₂ > 0, got κ = "
            f"{strength}, "
            f"β₂ = {c.beta2}"
        )
    inverse, logarithm = 1 / c.alpha3, 2 * c.alpha2 / c.alpha3**2
    rest = 2 * c.alpha2 * logarithm - c.alpha1 * inverse

    def log_mass(t: np.ndarray) -> np.ndarray:
        v, log_g = np.exp(np.clip(t, -700, 300)), _log_noise(c, t)
        angle = arctangent(c, v)
        first = inverse * (t - log_g / 2 + c.alpha2 * angle)  # ∫ dv/(v g)
        second = -inverse / v + logarithm * (t - log_g / 2 - c.alpha2 * angle) + rest * angle  # ∫ dv/(v² g)
        return -2 * t - log_g - strength * (c.beta1 * first - c.beta2 * second)

    hints = (math.log(c.minimiser), 0.5 * math.log(c.alpha3 / c.alpha1))
    return StationaryLaw(f"eq. 14, D → ∞, d/(DT) = {strength:g}", log_mass, above(), hints, 5.0)


def invariant_law(
    constants: DataConstants, temperature: float, depth: int, width: int = 1, decay: float = 0.0
) -> StationaryLaw | PointMass:
    """The invariant law on v > 0 other than δ(v), or δ(v) with the reason where there is no other.

    The full law is (1 − z) δ(v) + z p(v) with any z that the initial state decides.
    """
    temperature, c = require_temperature(temperature), constants
    _require_shape(depth, width)
    if depth == 0:
        return depth_zero(c, temperature * width, decay)
    if c.beta2 - decay <= 0:
        return PointMass(0.0, f"β₂ − γ = {c.beta2 - decay:.4g} ≤ 0: v > 0 is not favoured")
    if depth == 1:
        critical = (c.beta2 - decay) / c.alpha3
        if temperature >= critical:
            return PointMass(0.0, f"T = {temperature:g} ≥ T_c = {critical:.4g}")
        return depth_one(c, temperature, decay)
    if decay > 0:
        return PointMass(0.0, "weight decay at D ≥ 2 makes v = 0 attracting: no other law is normalisable")
    return deep(c, temperature, depth, width)
