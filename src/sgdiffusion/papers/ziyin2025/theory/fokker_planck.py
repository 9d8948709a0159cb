"""The effective one-dimensional diffusion of v and the probability current of a density under it.

Derived here from SGD on ℓ = (Σ_i Π_k u_i^{(k)} x − y)² + γ Σ (u_i^{(k)})², with n = D + 1 factors per path
and d paths, in the paper's time (units of η steps) and Itô convention. Every path obeys

    du^{(k)} = −(v_i/u^{(k)}) E[g] dt − 2γ u^{(k)} dt + √T √Var[g] (v_i/u^{(k)}) dW,

one W for all (the gradient is the scalar g times a vector). On the balanced manifold |u_i^{(k)}| =
|v_i|^{1/n}, v_i = v/d, with m(v) = d (v/d)^{2−2/n} and v > 0,

    dv = A dt + √(2B) dW,       B = 2 T n² m² g(v),
    A = −2 n m (β₁v − β₂) + 2 T n (n − 1) (m²/v) g(v) − 2 γ n v,       g = α₁v² − 2α₂v + α₃.

The second-order law adds −∇(η/4 ‖∇L‖²) to the drift of the weights; with L' = 2(β₁v − β₂) that is

    A₂ = A − (η/2) n m² [n L' L'' + (n − 1) L'²/v].

The paper takes η = T, i.e. batch size one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants
from sgdiffusion.papers.ziyin2025.theory.stationary import StationaryLaw


@dataclass(frozen=True)
class EffectiveDiffusion:
    """dv = A(v) dt + √(2B(v)) dW on v > 0 (at depth 0, on the line)."""

    constants: DataConstants
    temperature: float
    depth: int = 1
    width: int = 1
    decay: float = 0.0
    learning_rate: float = 0.0  # > 0: second order, with this step size

    @property
    def factors(self) -> int:
        """n = D + 1 weights on each path."""
        return self.depth + 1

    def mobility(self, v: ArrayLike) -> np.ndarray:
        """m(v) = d (v/d)^{2−2/n}."""
        v = np.asarray(v, dtype=float)
        if self.depth == 0:
            return np.full_like(v, self.width)
        return self.width * (v / self.width) ** (2 - 2 / self.factors)

    def drift(self, v: ArrayLike) -> np.ndarray:
        """A(v)."""
        v = np.asarray(v, dtype=float)
        n, m, c = self.factors, self.mobility(v), self.constants
        slope, curvature = 2 * (c.beta1 * v - c.beta2), 2 * c.beta1
        ito = 0.0 if n == 1 else 2 * self.temperature * n * (n - 1) * m**2 / v * c.noise(v)
        drift = -n * m * slope + ito - 2 * self.decay * n * v
        if self.learning_rate:
            extra = 0.0 if n == 1 else (n - 1) * slope**2 / v
            drift = drift - self.learning_rate / 2 * n * m**2 * (n * slope * curvature + extra)
        return drift

    def diffusion(self, v: ArrayLike) -> np.ndarray:
        """B(v)."""
        return 2 * self.temperature * (self.factors * self.mobility(v)) ** 2 * self.constants.noise(v)


def relative_current(law: StationaryLaw, diffusion: EffectiveDiffusion, v: ArrayLike) -> np.ndarray:
    """|J|/(|A| p + |(Bp)'| + B p |dt/dv|) with J = A p − (B p)' the stationary current, zero if p is it.

    The last term of the scale is the diffusive flux over one unit of the law's coordinate t (over one
    e-folding of v, say): it keeps the ratio meaningful where A and (Bp)' both pass through zero. The
    derivative of log p is taken from the density itself, by a five-point rule in t.
    """
    v = np.asarray(v, dtype=float)
    t = law.coordinate.position(v)
    jacobian = np.exp(law.coordinate.log_jacobian(t))
    # g is a parabola of half-width √(g/α₁): the rule has to be finer than that.
    h = 2e-3 * np.minimum(1, np.sqrt(diffusion.constants.noise(v) / diffusion.constants.alpha1) / jacobian)
    points = law.coordinate.value(t[..., None] + h[..., None] * np.array([-2, -1, 1, 2]))
    rule = np.array([1, -8, 8, -1]) / 12
    score = law.log_density(points) @ rule / (h * jacobian)
    log_b = np.log(diffusion.diffusion(points)) @ rule / (h * jacobian)
    a, b = diffusion.drift(v), diffusion.diffusion(v)
    return np.abs(a - b * (score + log_b)) / (np.abs(a) + b * (np.abs(score + log_b) + 1 / jacobian))
