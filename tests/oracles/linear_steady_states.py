"""Covariances of the steady states of linear systems, as solutions of Lyapunov's equations."""

import numpy as np
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov


def exact_covariance(drift, diffusion, beta):
    """Of dx = −Fx dt + √(2β⁻¹D) dW: FC + CFᵀ = 2β⁻¹D."""
    return solve_continuous_lyapunov(np.asarray(drift), 2 * np.asarray(diffusion) / beta)


def euler_covariance(drift, diffusion, beta, step):
    """Of x ← (1 − Fh)x + √(2β⁻¹Dh) ξ: C = (1 − Fh) C (1 − Fh)ᵀ + 2β⁻¹Dh."""
    one_step = np.eye(len(drift)) - step * np.asarray(drift)
    return solve_discrete_lyapunov(one_step, 2 * step * np.asarray(diffusion) / beta)
