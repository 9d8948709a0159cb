"""Steady states of linear systems: Lemmas 6 and 20 of Chaudhari & Soatto 2018.

    dx = −Fx dt + √(2β⁻¹D) dW,   F with eigenvalues in the right half-plane, D symmetric positive definite.

The law is Gaussian with covariance β⁻¹U⁻¹, so Φ = ½ xᵀUx; Lemma 20 writes F = (D + Q)U with antisymmetric Q.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_continuous_lyapunov, solve_sylvester

from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """F = (D + Q)U: the curvature U of Φ, the antisymmetric Q, and β times the stationary covariance, U⁻¹."""

    curvature: Array
    antisymmetric: Array
    scaled_covariance: Array


def _system(drift: ArrayLike, diffusion: ArrayLike) -> tuple[Array, Array]:
    f, d = np.asarray(drift, dtype=np.float64), np.asarray(diffusion, dtype=np.float64)
    if f.ndim != 2 or f.shape[0] != f.shape[1] or f.shape != d.shape:
        raise MeasureError(f"F and D have to be square and of one size, not {f.shape} and {d.shape}")
    if not np.allclose(d, d.T, rtol=1e-12, atol=0) or np.linalg.eigvalsh(d).min() <= 0:
        raise MeasureError(
            "D has to be symmetric and positive definite: a direction without noise has no law"
        )
    slowest = np.linalg.eigvals(f).real.min()
    if slowest <= 0:
        raise MeasureError(
            f"the linear system has no steady state: F has an eigenvalue with real part {slowest:.3g}; "
            "it has to be positive, i.e. the critical point has to be a sink of −Fx"
        )
    return f, d


def decompose(drift: ArrayLike, diffusion: ArrayLike) -> Decomposition:
    """Lemma 20 by Lyapunov's equation F Σ + Σ Fᵀ = 2D for Σ = U⁻¹, then Q = FΣ − D."""
    f, d = _system(drift, diffusion)
    sigma = solve_continuous_lyapunov(f, 2 * d)
    sigma = (sigma + sigma.T) / 2
    product = f @ sigma
    return Decomposition(np.linalg.inv(sigma), (product - product.T) / 2, sigma)


def decompose_by_force(drift: ArrayLike, diffusion: ArrayLike) -> Decomposition:
    """The same by the lemma's own condition G Fᵀ = F Gᵀ on G = D + Q: FQ + QFᵀ = FD − DFᵀ, then U = G⁻¹F."""
    f, d = _system(drift, diffusion)
    q = solve_sylvester(f, f.T, f @ d - d @ f.T)
    curvature = np.linalg.solve(d + q, f)
    return Decomposition(curvature, q, np.linalg.inv(curvature))


def least_variance(drift: ArrayLike, diffusion: ArrayLike) -> float:
    """Smallest eigenvalue of β times the stationary covariance, for a D that may be singular.

    Zero: no density, hence no Φ. Positive: Φ exists although D⁻¹ does not, because F carries the noise into
    all directions.
    """
    f, d = np.asarray(drift, dtype=np.float64), np.asarray(diffusion, dtype=np.float64)
    return float(np.linalg.eigvalsh(solve_continuous_lyapunov(f, 2 * d)).min())


def misfit(curvature: ArrayLike, drift: ArrayLike) -> float:
    """Lemma 6 as a number: the least ‖U − cF‖/‖U‖ over all scales c, 0 if and only if Φ = c·f.

    f = ½ xᵀFx with symmetric F; Frobenius norms.
    """
    u, f = np.asarray(curvature, dtype=np.float64), np.asarray(drift, dtype=np.float64)
    scale = float((u * f).sum() / (f * f).sum())
    return float(np.linalg.norm(u - scale * f) / np.linalg.norm(u))


def anisotropic(angle: float, ratio: float) -> Array:
    """A planar D of determinant 1, its axes turned by ``angle``, with eigenvalues √ratio and 1/√ratio."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([ratio**0.5, ratio**-0.5]) @ turn.T
