"""Transition temperatures, regimes, maximisers and tail exponents of Ziyin, Li & Ueda 2025."""

import math
from typing import Literal

import numpy as np

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, gaussian_linear, require_temperature

Regime = Literal["Ia", "Ib", "IIa", "IIb", "III"]


def critical_temperature(constants: DataConstants, decay: float = 0.0) -> float:
    """T_c = (β₂ − γ)/α₃ of the depth-1 network: at and above it only v = 0 is left (zero if β₂ ≤ γ)."""
    return max(0.0, (constants.beta2 - decay) / constants.alpha3)


def second_order_critical_temperature(constants: DataConstants, batch: int = 1) -> float:
    """T_c = β₂/(α₃ + S β₂²), the transition of ⟨log v⟩ to second order in η = TS; the paper prints S = 1."""
    return constants.beta2 / (constants.alpha3 + batch * constants.beta2**2)


def maximum_limit(constants: DataConstants, decay: float = 0.0) -> float:
    """The T up to which eq. 16 has a maximum at positive v: ∞, T*, or T_c/3.

    At T_c/3 the smaller stationary point passes v = 0. Where the larger one is positive there (σ² < 14k²/3 in
    the example) it lasts until the two merge at T*, the smallest positive zero of the discriminant
    (β₁ − 10α₂T)² + 28α₁T(β₂ − γ − 3α₃T), if there is one; otherwise T_c/3 is the end. For some data laws a
    maximum comes back at a higher T (see `has_maximum`); never for y = kx + ε with normal x.
    """
    c, b2 = constants, constants.beta2 - decay
    if b2 <= 0:
        return 0.0
    third = b2 / (3 * c.alpha3)
    if 10 * c.alpha2 * third <= c.beta1:
        return third
    linear = 28 * c.alpha1 * b2 - 20 * c.alpha2 * c.beta1
    zeros = np.roots([100 * c.alpha2**2 - 84 * c.alpha1 * c.alpha3, linear, c.beta1**2])
    positive = zeros.real[(zeros.imag == 0) & (zeros.real > 0)]
    return float(positive.min()) if positive.size else math.inf


def has_maximum(constants: DataConstants, temperature: float, decay: float = 0.0) -> bool:
    """Whether the depth-1 density (above T_c: its unnormalised form) has a maximum at v > 0."""
    try:
        return maximiser(constants, temperature, decay) > 0
    except MeasureError:
        return False


def star_temperature(k: float, noise: float) -> float:
    """T* = (4k + √42 σ)/(4(21σ² − 8k²)) of y = kx + ε, x ~ N(0, 1); ∞ for σ² ≤ 8k²/21."""
    gap = 21 * noise**2 - 8 * k**2
    return (4 * k + math.sqrt(42) * noise) / (4 * gap) if gap > 0 else math.inf


def maximiser(constants: DataConstants, temperature: float, decay: float = 0.0) -> float:
    """Eq. 16: the larger root of 7α₁T v² + (β₁ − 10α₂T) v + 3α₃T − (β₂ − γ) = 0, where the density peaks."""
    temperature, c = require_temperature(temperature), constants
    linear, constant = c.beta1 - 10 * c.alpha2 * temperature, 3 * c.alpha3 * temperature - c.beta2 + decay
    discriminant = linear**2 - 28 * c.alpha1 * temperature * constant
    root = math.sqrt(discriminant) if discriminant >= 0 else math.nan
    # The form without cancellation at small T; its denominator is positive there.
    v = -2 * constant / (linear + root) if linear > 0 else (root - linear) / (14 * c.alpha1 * temperature)
    if not v > 0:
        raise MeasureError(
            f"at T = {temperature:g} the depth-1 density has no maximum at positive v; it has one below "
            f"T = {maximum_limit(c, decay):.4g}"
        )
    return v


def regime(constants: DataConstants, temperature: float, decay: float = 0.0) -> Regime:
    """The regime of Fig 4, for β₂ > 0.

    I: T ≥ T_c, only δ(v). II: T_c/3 < T < T_c, the density diverges at v = 0. III: T ≤ T_c/3, it vanishes
    there. b: a maximum at positive v exists (above T_c, of the density that cannot be normalised); a: none
    does.
    """
    temperature = require_temperature(temperature)
    critical = critical_temperature(constants, decay)
    if temperature <= critical / 3:
        return "III"
    letter = "b" if has_maximum(constants, temperature, decay) else "a"
    return f"{'I' if temperature >= critical else 'II'}{letter}"  # type: ignore[return-value]


def tail_exponent(
    constants: DataConstants, temperature: float, depth: int, learning_rate: float = 0.0
) -> float:
    """τ in p(v) ~ v^{−τ}: 5 − 3/(D+1) for D ≥ 1, whatever the data and T; 2 + β₁/(Tα₁) at D = 0.

    At second order (η > 0, D = 0 or 1) the drift of order v² adds data-dependent terms ηβ₁²/(Tα₁) at D = 0
    and 3ηβ₁²/(2Tα₁) at D = 1.
    """
    temperature, c = require_temperature(temperature), constants
    extra = learning_rate * c.beta1**2 / (temperature * c.alpha1)
    if depth == 0:
        return 2 + c.beta1 / (temperature * c.alpha1) + extra
    if learning_rate and depth > 1:
        raise MeasureError("the second-order tail is derived for D = 0 and D = 1 only")
    return 5 - 3 / (depth + 1) + 1.5 * extra


def second_moment(constants: DataConstants, temperature: float) -> float:
    """E[v²] at depth 0: (β₂²/β₁ − 2Tα₂β₂/β₁ + Tα₃)/(β₁ − Tα₁); does not exist for T ≥ β₁/α₁."""
    temperature, c = require_temperature(temperature), constants
    if temperature >= second_moment_limit(c):
        raise MeasureError(
            f"E[v²] at depth 0 does not exist at T = {temperature:g}: it diverges at β₁/α₁ = "
            f"{second_moment_limit(c):.4g}"
        )
    mean = c.minimiser
    source = c.beta2 * mean + temperature * (c.alpha3 - 2 * c.alpha2 * mean)
    return source / (c.beta1 - temperature * c.alpha1)


def second_moment_limit(constants: DataConstants) -> float:
    """β₁/α₁, where E[v²] at depth 0 diverges."""
    return constants.beta1 / constants.alpha1


def balance_rate(noise_variance: float, temperature: float, decay: float = 0.0) -> float:
    """Rate of |u² − w²| in the scalar case (Cor. 3.3): T C₀ + 4γ for ℓ(uw) + γ(u² + w²).

    C₀ = Var[∂ℓ/∂(uw)]. The factor 4 is derived: d(u²) gains −4γu² dt. The printed T C₀ + γ would need a
    penalty of (γ/4)‖θ‖², and contradicts the paper's own equation for the two-layer linear network
    (−4[T(…) + γ]).
    """
    return temperature * noise_variance + 4 * decay


def boundaries(k: float, noises: np.ndarray) -> dict[str, np.ndarray]:
    """The lines of Fig 4 for y = kx + ε, x ~ N(0, 1): T_c, T_c/3 and the end of the maximum, against σ."""
    laws = [gaussian_linear(k, float(s)) for s in noises]
    critical = np.array([critical_temperature(c) for c in laws])
    limit = np.array([maximum_limit(c) for c in laws])
    printed = np.array([star_temperature(k, float(s)) for s in noises])
    return {"T_c": critical, "T_c/3": critical / 3, "maximum": limit, "T* as printed": printed}
