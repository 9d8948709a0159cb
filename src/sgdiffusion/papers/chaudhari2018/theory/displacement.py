"""Theorem 22 of Chaudhari & Soatto 2018: most likely points are displaced from critical points by order η/b.

    ∇f = (D + Q)∇Φ − β⁻¹∇·(D + Q),   β⁻¹ = η/(2b).

At a mode of ρ^ss ∝ e^{−βΦ} the gradient of Φ vanishes, so that ∇f = −β⁻¹∇·(D + Q) there instead of 0.

The system is linear regression on one weight: example k has the gradient a_k x − c_k, so f is quadratic with
minimum x₀ = ⟨c⟩/⟨a⟩, D(x) = Var_k(a_k x − c_k) is a parabola, Q = 0, and everything has a closed form.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Regression:
    """One weight x and examples with gradients a_k x − c_k; moments are over examples, with 1/N."""

    slopes: tuple[float, ...]
    offsets: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.slopes) != len(self.offsets) or len(self.slopes) < 2:
            raise MeasureError("a regression needs as many slopes as offsets, and at least two examples")
        if self.curvature <= 0:
            raise MeasureError(
                f"f has no minimum: the mean slope is {self.curvature:.3g}, it has to be positive"
            )
        if self.diffusion(self.minimum) <= 0:
            raise MeasureError("all examples agree at the minimum: without noise there is no steady state")

    @cached_property
    def curvature(self) -> float:
        """f″ = ⟨a⟩."""
        return float(np.mean(self.slopes))

    @cached_property
    def minimum(self) -> float:
        """x₀ = ⟨c⟩/⟨a⟩."""
        return float(np.mean(self.offsets)) / self.curvature

    def _deviations(self, x: ArrayLike) -> Array:
        """∇f_k − ∇f at x, examples last."""
        points = np.asarray(x, dtype=np.float64)[..., None]
        gradients = np.asarray(self.slopes) * points - np.asarray(self.offsets)
        return gradients - gradients.mean(-1, keepdims=True)

    def diffusion(self, x: ArrayLike) -> Array:
        """D(x) of Definition 1."""
        return (self._deviations(x) ** 2).mean(-1)

    def diffusion_slope(self, x: ArrayLike) -> Array:
        """D′(x)."""
        spread = np.asarray(self.slopes) - self.curvature
        return 2 * (self._deviations(x) * spread).mean(-1)

    def third_cumulant(self, x: ArrayLike) -> Array:
        """κ₃(x), the third central moment of the examples' gradients."""
        return (self._deviations(x) ** 3).mean(-1)

    def log_density(self, x: ArrayLike, temperature: float) -> Array:
        """ln ρ^ss = −βΦ up to a constant: −ln D − β∫f′/D dx, of Pearson's type IV. ``temperature`` is β⁻¹.

        With D = vx² − 2sx + w the integral is (⟨a⟩/2v) ln D + ⟨a⟩(s/v − x₀) atan((vx − s)/q)/q, q² = vw − s².
        """
        points = np.asarray(x, dtype=np.float64)
        v, s = float(np.var(self.slopes)), float(np.cov(self.slopes, self.offsets, ddof=0)[0, 1])
        q = np.sqrt(v * float(np.var(self.offsets)) - s * s)
        if not q > 1e-12:
            raise MeasureError("the examples' gradients all agree somewhere: ρ^ss is singular there")
        level = np.log(self.diffusion(points))
        turn = (s / v - self.minimum) * np.arctan((v * points - s) / q) / q
        return -level - self.curvature * (level / (2 * v) + turn) / temperature

    def mode(self, temperature: float) -> float:
        """The most likely point: f′ = −β⁻¹D′, linear in x here."""
        slope_rate = 2 * float(np.var(self.slopes))  # D″
        intercept = float(self.diffusion_slope(self.minimum)) - slope_rate * self.minimum
        return (self.curvature * self.minimum - temperature * intercept) / (
            self.curvature + temperature * slope_rate
        )

    def sde_slope(self) -> float:
        """d mode / dβ⁻¹ at β⁻¹ = 0 by Theorem 22: −D′(x₀)/f″."""
        return -float(self.diffusion_slope(self.minimum)) / self.curvature

    def sgd_slope(self) -> float:
        """The same for mini-batch SGD itself: −(D′ − (2/3)f″κ₃/D)/f″ at x₀, as η → 0 at any fixed b.

        The noise of SGD is not Gaussian. Its third cumulant enters the Kramers–Moyal expansion as
        (2/3)β⁻²κ₃∂³ρ; on the scale of the law's width √(β⁻¹D/f″) this is of the same order as the term of D′,
        and both excite the third Hermite mode, which moves the maximum. The SDE has the second cumulant only.
        """
        skew = float(self.third_cumulant(self.minimum) / self.diffusion(self.minimum))
        return self.sde_slope() + 2 * skew / 3


def regression_of(*, curvature: float, constant: float, linear: float, quadratic: float) -> Regression:
    """Four examples with f = ½ curvature·x² and D = constant + linear·x + quadratic·x².

    Slopes a and offsets c have variances `quadratic` and `constant`, covariance −linear/2 (D = Var(ax − c)).
    """
    first, second = np.array([1.0, -1.0, 1.0, -1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    shared = -linear / (2 * np.sqrt(quadratic))
    own = np.sqrt(constant - shared**2)
    slopes, offsets = curvature + np.sqrt(quadratic) * first, shared * first + own * second
    return Regression(tuple(slopes.tolist()), tuple(offsets.tolist()))
