"""The double well of Chaudhari & Soatto 2018 (Example 19, Fig. 4), in closed form.

    dx = −∇f dt + √2 dW,   ∇f = −j + ∇Φ,   Φ(x) = (x₁² − 1)²/4 + x₂²/2,
    j = λ e^Φ J^ss,        J^ss = e^{−r⁴/4} (−x₂, x₁),   r² = x₁² + x₂².

D is the identity and β = 1. Because ∇·J^ss = 0 the density ρ^ss = e^{−Φ}/Z is stationary for every λ.
"∇f" is the paper's name: for λ ≠ 0 it has a curl (:func:`loss_curl`), so no f has it as its gradient.

Points are arrays of shape (..., 2); everything is computed in float64.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.optimize import root
from scipy.special import erf, erfc

Array = NDArray[np.float64]

# λ at which the two sinks of −∇f meet in the origin: λ e^{1/4} = 1 (see origin_rotation).
ONSET = math.exp(-0.25)


def _split(x: ArrayLike) -> tuple[Array, Array]:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ValueError(f"points of the plane have shape (..., 2), not {points.shape}")
    return points[..., 0], points[..., 1]


def potential(x: ArrayLike) -> Array:
    """Φ = (x₁² − 1)²/4 + x₂²/2."""
    x1, x2 = _split(x)
    return (x1**2 - 1) ** 2 / 4 + x2**2 / 2


def potential_gradient(x: ArrayLike) -> Array:
    """∇Φ = (x₁³ − x₁, x₂)."""
    x1, x2 = _split(x)
    return np.stack([x1**3 - x1, x2], axis=-1)


def stream(x: ArrayLike) -> Array:
    """ψ with J^ss = (−∂₂ψ, ∂₁ψ) and ψ → 0 far out: ψ = −√π/2 · erfc(r²/2). Its existence is ∇·J^ss = 0."""
    x1, x2 = _split(x)
    return -0.5 * math.sqrt(math.pi) * erfc((x1**2 + x2**2) / 2)


def rotation_rate(x: ArrayLike, lam: float) -> Array:
    """g = λ e^{Φ − r⁴/4}, the angular speed of ẋ = j = g·(−x₂, x₁).

    The exponent is expanded, 1/4 − x₁²/2 + x₂²/2 − x₁²x₂²/2 − x₂⁴/4, since e^Φ alone overflows.
    """
    x1, x2 = _split(x)
    return lam * np.exp(0.25 - x1**2 / 2 + x2**2 / 2 - x1**2 * x2**2 / 2 - x2**4 / 4)


def force(x: ArrayLike, lam: float) -> Array:
    """j = λ e^Φ J^ss."""
    x1, x2 = _split(x)
    return rotation_rate(x, lam)[..., None] * np.stack([-x2, x1], axis=-1)


def loss_gradient(x: ArrayLike, lam: float) -> Array:
    """∇f = −j + ∇Φ; the drift of the dynamics is −∇f."""
    return potential_gradient(x) - force(x, lam)


def loss_jacobian(x: ArrayLike, lam: float) -> Array:
    """∂_k (∇f)_i, shape (..., 2, 2)."""
    x1, x2 = _split(x)
    g = rotation_rate(x, lam)
    dg1, dg2 = g * (-x1 - x1 * x2**2), g * (x2 - x1**2 * x2 - x2**3)
    first = np.stack([3 * x1**2 - 1 + x2 * dg1, g + x2 * dg2], axis=-1)
    second = np.stack([-g - x1 * dg1, 1 - x1 * dg2], axis=-1)
    return np.stack([first, second], axis=-2)


def force_divergence(x: ArrayLike, lam: float) -> Array:
    """∇·j = j·∇Φ = λ e^{Φ − r⁴/4} x₁x₂ (2 − x₁²).

    Stationarity of e^{−Φ} is ∇·(e^{−Φ} j) = 0, which says only that the two are equal. Assumption 4 of the
    paper asks that ∇·j = 0, and with it j ⟂ ∇Φ; its example has neither, at any λ ≠ 0.
    """
    x1, x2 = _split(x)
    return rotation_rate(x, lam) * x1 * x2 * (2 - x1**2)


def loss_curl(x: ArrayLike, lam: float) -> Array:
    """∂₁(∇f)₂ − ∂₂(∇f)₁: zero if and only if ∇f is the gradient of a function."""
    jacobian = loss_jacobian(x, lam)
    return jacobian[..., 1, 0] - jacobian[..., 0, 1]


@cache
def partition() -> float:
    """Z = ∫ e^{−Φ} dx = √(2π) ∫ e^{−(x²−1)²/4} dx."""
    well, _ = quad(lambda s: math.exp(-((s * s - 1) ** 2) / 4), 0, 8, epsabs=1e-14, epsrel=1e-13)
    return math.sqrt(2 * math.pi) * 2 * well


def marginal_masses(edges: ArrayLike, axis: int) -> Array:
    """Probability of ρ^ss between consecutive ``edges`` of x₁ (axis 0) or x₂ (axis 1).

    The two coordinates are independent under ρ^ss, so a cell's probability is the product of the two.
    """
    borders = np.asarray(edges, dtype=np.float64)
    if axis == 1:
        return np.diff(0.5 * erf(borders / math.sqrt(2)))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half, middle = np.diff(borders) / 2, (borders[1:] + borders[:-1]) / 2
    points = middle[:, None] + half[:, None] * nodes
    well = np.exp(-((points**2 - 1) ** 2) / 4)
    return half * (well @ weights) * math.sqrt(2 * math.pi) / partition()


def loop_period(radius: float, lam: float) -> float:
    """Period of ẋ = j (Lemma 7) on the circle of ``radius``: ∮ dθ / g. Every circle is a closed orbit."""
    angles = 2 * math.pi * np.arange(512) / 512  # the rule is spectrally accurate for periodic integrands
    circle = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return float(2 * math.pi * np.mean(1 / rotation_rate(circle, lam)))


def origin_rotation(lam: float) -> float:
    """g₀ = λ e^{1/4}. About the origin −∇f ≈ (x₁ − g₀x₂, g₀x₁ − x₂): trace 0, determinant g₀² − 1.

    The origin is a saddle for g₀ < 1 and a linear centre for g₀ > 1.
    """
    return lam * math.exp(0.25)


def focus_decay(lam: float) -> float:
    """κ in Ḣ = −κH² to leading order about the origin, for g₀ > 1: κ = g₀ / (2(g₀² − 1)) > 0.

    Along the flow Ḣ = −g₀x₁⁴ + x₁³x₂ + (g₀/2)(x₂² − x₁²)² + O(r⁶); averaged over the ellipse H = const, whose
    second moments are s(g₀, 1; 1, g₀) with s = H/(g₀² − 1) and whose fourth moments are half of those that
    Isserlis' theorem gives, this is −g₀(g₀² − 1)s²/2. So the origin attracts, a weak focus: H ≈ 1/(κt).
    """
    g = origin_rotation(lam)
    if g <= 1:
        raise ValueError(
            f"the origin is a saddle at λ = {lam}; it is a focus above λ = e^(-1/4) = {ONSET:.4f}"
        )
    return g / (2 * (g * g - 1))


@dataclass(frozen=True)
class CriticalPoint:
    """A zero of ∇f, with the eigenvalues of the drift's Jacobian −∂∇f and their reading."""

    x: tuple[float, float]
    kind: str  # sink, saddle, source or centre (of the linearised flow)
    eigenvalues: tuple[complex, complex]


def _kind(eigenvalues: Array) -> str:
    real = np.sort(eigenvalues.real)
    if np.allclose(real, 0, atol=1e-9):
        return "centre"
    if real[0] < 0 < real[1]:
        return "saddle"
    return "sink" if real[1] < 0 else "source"


def critical_points(lam: float, reach: float = 2.0, starts: int = 15) -> list[CriticalPoint]:
    """All zeros of ∇f found by Newton-type root finding from a grid of starts, in order of x₁.

    The zeros satisfy x₂ = g x₁ and x₁ = 0 or x₁² = 1 − g², so they lie within ``reach`` of the origin.
    """
    axis = np.linspace(-reach, reach, starts)
    found: list[Array] = []
    for start in np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2):
        result = root(loss_gradient, start, args=(lam,), jac=loss_jacobian, tol=1e-14)
        far = np.abs(loss_gradient(result.x, lam)).max() > 1e-11
        if not far and all(np.linalg.norm(result.x - other) > 1e-6 for other in found):
            found.append(result.x)
    points = []
    for x in sorted(found, key=lambda p: float(p[0])):
        values = np.linalg.eigvals(-loss_jacobian(x, lam)).astype(complex)
        pair = (complex(values[0]), complex(values[1]))
        points.append(CriticalPoint((float(x[0]), float(x[1])), _kind(values), pair))
    return points


def most_likely_points() -> Array:
    """The modes of ρ^ss, the minima (±1, 0) of Φ: the same for every λ."""
    return np.array([[-1.0, 0.0], [1.0, 0.0]])
