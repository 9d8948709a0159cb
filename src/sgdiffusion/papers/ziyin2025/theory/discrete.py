"""What discrete SGD does exactly, for y = kx + ε with x ~ N(0, s²): the truth the continuous laws
approximate.

With a batch of S, q = mean(x²) ~ s² χ²_S/S and, given q, mean(xy) ~ N(kq, σ²q/S). At depth 0 the step is
v' = (1 − 2ηq) v + 2η mean(xy), a Kesten recursion. At depth 1 near v = 0 it is linear in (u, w) with the
eigenvalues 1 ± 2η mean(xy), so that v collapses if and only if both Lyapunov exponents E log|1 ± 2η
mean(xy)| are negative.
"""

from functools import cache

import numpy as np
from scipy import interpolate, optimize, special, stats

from sgdiffusion.errors import MeasureError

# Gauss-Legendre in the probability of q, dense towards both ends where the integrands are singular.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(400)


def _mean_square(batch: int, input_scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the law of q: substitution p = sin²(θ) of its probability, squared again."""
    angle = np.pi / 4 * (_NODES + 1)
    p = np.sin(np.pi / 2 * np.sin(angle) ** 2) ** 2
    inner = np.pi / 2 * np.sin(np.pi * np.sin(angle) ** 2)
    weight = _WEIGHTS * np.pi / 4 * inner * np.sin(2 * angle)
    inside = (p > 0) & (p < 1)
    q = stats.chi2.ppf(p[inside], batch) / batch * input_scale**2
    return q, weight[inside]


@cache
def _dawson_integral() -> interpolate.CubicHermiteSpline:
    """√2 ∫₀^r Dawson(z/√2) dz for r ≤ 30, as a spline with exact slopes (error below 1e-12)."""
    r = np.linspace(0, 30, 6001)
    half = (r[1] - r[0]) / 2
    nodes, weights = np.polynomial.legendre.leggauss(10)
    pieces = half * (special.dawsn((r[:-1, None] + half * (nodes + 1)) / np.sqrt(2)) @ weights)
    values = np.sqrt(2) * np.concatenate([[0.0], np.cumsum(pieces)])
    return interpolate.CubicHermiteSpline(r, values, np.sqrt(2) * special.dawsn(r / np.sqrt(2)))


def _log_abs_normal(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """E log|Y| for Y ~ N(mean, deviation²): log σ + (ψ(½) + log 2)/2 + √2 ∫₀^{m/σ} Dawson(z/√2) dz."""
    ratio = np.abs(mean) / deviation
    integral = _dawson_integral()(np.minimum(ratio, 30.0))
    close = np.log(deviation) + (special.digamma(0.5) + np.log(2)) / 2 + integral
    # Beyond 30 standard deviations three terms of the expansion in σ/m are exact to 1e-8.
    size = np.maximum(np.abs(mean), 1e-300)
    inverse = (deviation / size) ** 2
    far = np.log(size) - inverse / 2 - 0.75 * inverse**2 - 2.5 * inverse**3
    return np.where(ratio < 30, close, far)


def lyapunov_exponent(
    k: float, noise: float, learning_rate: float, batch: int = 1, input_scale: float = 1.0
) -> float:
    """max E log|1 ± 2η mean(xy)| per step: the growth of |u| and |w| at v = 0 under discrete SGD at depth
    1.
    """
    if noise <= 0 or learning_rate <= 0:
        raise MeasureError(f"needs noise > 0 and learning rate > 0, got {noise} and {learning_rate}")
    q, weight = _mean_square(batch, input_scale)
    deviation = 2 * learning_rate * noise * np.sqrt(q / batch)
    shift = 2 * learning_rate * k * q
    return float(max(weight @ _log_abs_normal(1 + s * shift, deviation) for s in (1, -1)))


def critical_temperature(k: float, noise: float, batch: int = 1, input_scale: float = 1.0) -> float:
    """T = η/S at which the Lyapunov exponent of discrete SGD at v = 0 changes sign (smallest such T)."""
    if k <= 0:
        raise MeasureError(f"k must be positive for the positive branch, got {k}; mirror the data")

    def exponent(log_t: float) -> float:
        return lyapunov_exponent(k, noise, batch * float(np.exp(log_t)), batch, input_scale)

    scan = np.linspace(np.log(1e-4 * k / (k**2 + noise**2)), np.log(1e2 * k / (k**2 + noise**2)), 60)
    signs = np.array([exponent(t) for t in scan])
    if not (signs < 0).any() or signs[0] <= 0:
        raise MeasureError(f"discrete SGD has no collapse at v = 0 for k = {k}, noise = {noise}, S = {batch}")
    first = int(np.argmax(signs < 0))
    return float(np.exp(optimize.brentq(exponent, scan[first - 1], scan[first])))


def quartic_critical_temperature(k: float, noise: float) -> float:
    """T_c of discrete SGD at S = 1, x ~ N(0, 1), from E log(1 + z) to fourth order in z = 2ηxy.

    0 = 2M₁ − 2ηM₂ + (8/3)η²M₃ − 4η³M₄, M_j = E[(xy)^j]. At a transition M₁ = β₂ is itself of order η, so
    that all four terms count: for small k/σ, T_c σ²/k = 1 − 9k²/σ², against 1 − 2k²/σ² and 1 − 3k²/σ² of
    the laws of first and second order.
    """
    moments = (
        k,
        3 * k**2 + noise**2,
        15 * k**3 + 9 * k * noise**2,
        105 * k**4 + 90 * k**2 * noise**2 + 9 * noise**4,
    )
    roots = np.roots([-4 * moments[3], 8 / 3 * moments[2], -2 * moments[1], 2 * moments[0]])
    real = roots[np.abs(roots.imag) < 1e-12 * np.abs(roots)].real
    return float(real[real > 0].min())


def tail_exponent(learning_rate: float, batch: int = 1, input_scale: float = 1.0) -> float:
    """τ = 1 + κ of discrete SGD at depth 0, with κ > 0 the Kesten root E|1 − 2ηq|^κ = 1."""
    q, weight = _mean_square(batch, input_scale)
    factor = np.abs(1 - 2 * learning_rate * q)
    log_factor = np.log(np.maximum(factor, 1e-300))
    if weight @ log_factor >= 0:
        raise MeasureError(
            f"discrete SGD at depth 0 has no stationary law at η = {learning_rate}, S = {batch}: lower η"
        )

    def excess(kappa: float) -> float:
        return float(weight @ np.exp(kappa * log_factor) - 1)

    high = 1.0
    while excess(high) < 0:
        high *= 2
        if high > 1e3:
            raise MeasureError(f"the tail of discrete SGD at η = {learning_rate} is lighter than |v|^-1000")
    low = 1e-6  # the excess is negative just above κ = 0, where its slope is E log|1 − 2ηq| < 0
    return 1 + float(optimize.brentq(excess, low, high))


def second_moment(
    k: float, noise: float, learning_rate: float, batch: int = 1, input_scale: float = 1.0
) -> float:
    """E[v²] of discrete SGD at depth 0; it exists for η (Var[x²]/S + E[x²]²) < E[x²]."""
    x2, eta = input_scale**2, learning_rate
    q2 = x2**2 * (1 + 2 / batch)  # E[q²]
    contraction = 4 * eta * x2 - 4 * eta**2 * q2
    if contraction <= 0:
        raise MeasureError(
            f"E[v²] of discrete SGD does not exist at η = {eta:g}, S = {batch}: it diverges at "
            f"η = {x2 / q2:.4g}"
        )
    # With z = v − k: z' = (1 − 2ηq) z + 2η mean(xε), whose noise term has variance 4η²σ²E[q]/S.
    return k**2 + 4 * eta**2 * noise**2 * x2 / batch / contraction
