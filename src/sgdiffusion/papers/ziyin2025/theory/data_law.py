"""Data constants of Ziyin, Li & Ueda 2025 (Sec. IV): all that scalar linear regression keeps of a data law.

For a pair (x, y) and the loss ℓ = (v x − y)², the gradient with respect to v is g = 2x(vx − y), so

    E[g] = 2 (β₁ v − β₂),     Var[g] = 4 (α₁ v² − 2 α₂ v + α₃),

    α₁ = Var[x²],  α₂ = Cov[x², xy] = E[x³y] − E[x²]E[xy],  α₃ = Var[xy],  β₁ = E[x²],  β₂ = E[xy].

The factors 2 and 4 are written out everywhere; the constants carry none of them.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from sgdiffusion.errors import MeasureError

# Δ = α₁α₃ − α₂² is non-negative by Cauchy-Schwarz; rounding may leave it this far below, relative to α₁α₃.
DELTA_ROUNDING = 1e-12


@dataclass(frozen=True)
class DataConstants:
    """α₁, α₂, α₃, β₁, β₂ of a data law; Δ and the minimiser v* follow."""

    alpha1: float
    alpha2: float
    alpha3: float
    beta1: float
    beta2: float

    def __post_init__(self) -> None:
        for field in fields(self):
            if not math.isfinite(getattr(self, field.name)):
                raise MeasureError(f"data constant {field.name} is {getattr(self, field.name)}: not finite")
        if self.alpha1 <= 0 or self.beta1 <= 0 or self.alpha3 < 0:
            raise MeasureError(
                f"data constants alpha1={self.alpha1}, beta1={self.beta1}, alpha3={self.alpha3}: the "
                "stationary "
                "laws need Var[x²] > 0, E[x²] > 0 and Var[xy] ≥ 0"
            )
        if self.alpha1 * self.alpha3 - self.alpha2**2 < -DELTA_ROUNDING * self.alpha1 * self.alpha3:
            raise MeasureError(
                f"Δ = alpha1*alpha3 − alpha2² = {self.alpha1 * self.alpha3 - self.alpha2**2:.3g} is "
                "negative: no "
                "data law has these constants (Cauchy-Schwarz); check the moments"
            )

    @property
    def delta(self) -> float:
        """Δ = α₁α₃ − α₂² ≥ 0; zero when y is an exact function kx − c/x (no residual gradient noise)."""
        value = self.alpha1 * self.alpha3 - self.alpha2**2
        return value if value > DELTA_ROUNDING * self.alpha1 * self.alpha3 else 0.0

    @property
    def minimiser(self) -> float:
        """v* = β₂/β₁, the minimiser of the expected loss."""
        return self.beta2 / self.beta1

    def noise(self, v: ArrayLike) -> np.ndarray:
        """g(v) = α₁v² − 2α₂v + α₃ = Var[∂ℓ/∂v]/4, as a sum of squares (no cancellation near its minimum)."""
        v = np.asarray(v, dtype=float)
        return self.alpha1 * (v - self.alpha2 / self.alpha1) ** 2 + self.delta / self.alpha1

    def mirrored(self) -> "DataConstants":
        """The constants of (x, −y): v → −v."""
        return DataConstants(self.alpha1, -self.alpha2, self.alpha3, self.beta1, -self.beta2)


def linear_law(k: float, noise: float, x2: float, x4: float) -> DataConstants:
    """y = kx + ε with ε independent of x, mean 0, standard deviation `noise`, and E[x²], E[x⁴] given."""
    if noise < 0:
        raise MeasureError(f"noise is a standard deviation and must be ≥ 0, got {noise}")
    spread = x4 - x2**2
    return DataConstants(spread, k * spread, k**2 * spread + noise**2 * x2, x2, k * x2)


def gaussian_linear(k: float, noise: float, input_scale: float = 1.0) -> DataConstants:
    """The paper's example: y = kx + ε with x ~ N(0, input_scale²) and ε ~ N(0, noise²)."""
    return linear_law(k, noise, input_scale**2, 3 * input_scale**4)


def uncorrelated(x2: float, x4: float, xy: float, xy_variance: float) -> DataConstants:
    """Products xy that are independent of x² (y = b/x with b independent of x): α₂ = 0, so that the gradient
    noise is even in v and a density reaches its tail soonest.
    """
    return DataConstants(x4 - x2**2, 0.0, xy_variance, x2, xy)


def near_interpolation(k: float, c: float, x2: float, x4: float) -> DataConstants:
    """The special case Δ = 0: y = kx − c/x, whose gradient noise vanishes at v = k but whose mean does
    not.
    """
    spread = x4 - x2**2
    return DataConstants(spread, k * spread, k**2 * spread, x2, k * x2 - c)


def require_temperature(temperature: float) -> float:
    """T = η/S as a float; an error unless it is positive and finite."""
    if not (temperature > 0 and math.isfinite(temperature)):
        raise MeasureError(f"temperature T = η/S must be positive and finite, got {temperature}")
    return float(temperature)
