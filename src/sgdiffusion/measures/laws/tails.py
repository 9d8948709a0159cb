"""Exponents of power-law tails, p(v) ~ v^{−τ}, with intervals.

Hill's estimator takes the tail as a pure power law above a threshold u. A density ~ v^{−τ} (1 + c/v^s + …)
biases it by O(u^{−s}) while its error shrinks with the number of exceedances: no threshold is good. But a
tail P(V > v) ~ (v^s + c)^{−α/s} has exactly such a correction, and there v^s follows the generalised
Pareto law with exponent α/s, P(V^s > U + z | V^s > U) = (1 + θz/U)^{−α/s}, U = u^s. Its likelihood fit is
free of that bias, at the price of an error (α/s + 1) times Hill's. s = 1 is an offset of v; s = 2 fits
laws whose noise is even in v.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize
from scipy.special import ndtri

from sgdiffusion.errors import MeasureError

MIN_EXCEEDANCES = 100
_NORMAL = float(ndtri(0.975))


@dataclass(frozen=True)
class Tail:
    """τ of p(v) ~ v^{−τ} with its 95 % interval, threshold, number of exceedances and KS p-value of the
    fit.
    """

    exponent: float
    low: float
    high: float
    threshold: float
    exceedances: int
    p_value: float


def _excesses(draws: ArrayLike, count: int) -> tuple[np.ndarray, float]:
    """(v/u for the `count` largest draws, u the next one)."""
    sample = np.sort(np.asarray(draws, dtype=float))[::-1]
    if not np.isfinite(sample).all():
        raise MeasureError(f"{int((~np.isfinite(sample)).sum())} of {sample.size} draws are not finite")
    if not MIN_EXCEEDANCES <= count < sample.size or sample[count] <= 0:
        raise MeasureError(
            f"a tail fit needs at least {MIN_EXCEEDANCES} positive exceedances and one draw below them; "
            "asked for "
            f"{count} of {sample.size}"
        )
    return sample[:count] / sample[count], float(sample[count])


def hill(draws: ArrayLike, count: int) -> Tail:
    """Hill's estimate from the `count` largest draws: α = 1/mean log(v/u), standard error α/√count."""
    ratio, threshold = _excesses(draws, count)
    alpha = 1 / float(np.log(ratio).mean())
    half = _NORMAL * alpha / math.sqrt(count)
    from scipy import stats  # slow to import

    p = float(stats.kstest(np.log(ratio), stats.expon(scale=1 / alpha).cdf).pvalue)
    return Tail(1 + alpha, 1 + alpha - half, 1 + alpha + half, threshold, count, p)


def generalised_pareto(draws: ArrayLike, count: int, power: float = 1.0) -> Tail:
    """Maximum likelihood of (1 + θz)^{−a}, z = (v/u)^s − 1, a = α/s, over the `count` largest draws.

    s is `power`; the standard error of α is α(a + 1)/√count.
    """
    ratio, threshold = _excesses(draws, count)
    z = ratio**power - 1

    def shape(log_theta: float) -> float:
        return 1 / float(np.log1p(math.exp(log_theta) * z).mean())

    def cost(log_theta: float) -> float:
        a = shape(log_theta)
        return -(math.log(a) + log_theta - (a + 1) / a)

    # θ = 1 is the pure power law; offsets of v^s by up to 95 % of the threshold lie inside the bracket.
    found = optimize.minimize_scalar(cost, bounds=(math.log(0.05), math.log(20)), method="bounded")
    a, theta = shape(found.x), math.exp(found.x)
    tau, half = 1 + power * a, _NORMAL * power * a * (a + 1) / math.sqrt(count)
    from scipy import stats  # slow to import

    p = float(stats.kstest(np.log1p(theta * z), stats.expon(scale=1 / a).cdf).pvalue)
    return Tail(tau, tau - half, tau + half, threshold, count, p)


def tail_exponent(draws: ArrayLike, power: float = 1.0, largest_share: float = 0.03) -> Tail:
    """The generalised Pareto fit above a threshold that the data choose.

    Shares of the draws from `largest_share` downwards by factors 2/3 are tried until the fit is not
    rejected by Kolmogorov–Smirnov at p = 0.5 (its two parameters are fitted, so true p-values are smaller:
    about 10 %); a third of those exceedances is used, which makes what bias is left the small part of the
    error.
    """
    sample = np.asarray(draws, dtype=float)
    count = max(int(largest_share * sample.size), 3 * MIN_EXCEEDANCES)
    while generalised_pareto(sample, count, power).p_value <= 0.5 and count * 2 // 3 >= 3 * MIN_EXCEEDANCES:
        count = count * 2 // 3
    return generalised_pareto(sample, count // 3, power)
