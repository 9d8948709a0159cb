"""Printed formulas of Ziyin, Li & Ueda 2025 that fail their own equations, each with a demonstration.

Every row holds what is printed, what is derived here, one number that the printed form should make zero
(or that should agree) and the same number for the derived form. "formula" rows are errors or inconsistent
factors; "scope" rows are correct formulas whose stated or implied range is too wide.
"""

import math

import numpy as np
from scipy import integrate as quad

from sgdiffusion.papers.ziyin2025.theory import discrete, laws, misprints, phases, table_one
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, gaussian_linear, linear_law
from sgdiffusion.papers.ziyin2025.theory.discrepancy import Discrepancy
from sgdiffusion.papers.ziyin2025.theory.discrepancy import row as row_of
from sgdiffusion.papers.ziyin2025.theory.fokker_planck import EffectiveDiffusion, relative_current
from sgdiffusion.papers.ziyin2025.theory.stationary import StationaryLaw


def table_one_decay() -> Discrepancy:
    """The exponent of the depth-1 interpolation law with decay carries a β₁ that does not belong there."""
    row = row_of(
        "table1-decay-factor",
        "Table 1 and eq. 107, interpolation with weight decay",
        "formula",
        "exp{−(β₁γ/(2Tα₁))/(k(k−v))}",
        "exp{−(γ/(2Tα₁))/(k(k−v))}",
        "largest relative probability current at E[x²] = 2 (zero for a stationary law)",
    )
    constants, temperature, decay = linear_law(1.0, 0.0, 2.0, 12.0), 0.05, 0.2
    model = EffectiveDiffusion(constants, temperature, 1, 1, decay)
    law = table_one.interpolation_depth_one(constants, temperature, decay)
    assert isinstance(law, StationaryLaw)
    printed = table_one.printed_interpolation_with_decay(constants, temperature, decay)
    v = law.quantile(np.linspace(0.05, 0.95, 19))
    row["printed_value"] = float(relative_current(printed, model, v).max())
    row["derived_value"] = float(relative_current(law, model, v).max())
    return row


def corollary_decay() -> Discrepancy:
    """The rate of |u² − w²| under decay γ(u² + w²), from Itô's formula at one state."""
    row = row_of(
        "cor33-decay-factor",
        "remark after Corollary 3.3, weight decay",
        "formula",
        "T C₀ + γ",
        "T C₀ + 4γ for ℓ + γ‖θ‖² (2γ for ℓ + (γ/2)‖θ‖²), as the paper's own eq. 7 has it",
        "relative error of the rate at one state (u, w) = (1.3, 0.6), Itô",
    )
    c, temperature, decay, u, w = gaussian_linear(1.0, 1.0), 0.1, 0.3, 1.3, 0.6
    variance, slope = 4 * float(c.noise(u * w)), 2 * (c.beta1 * u * w - c.beta2)
    du2 = 2 * u * (-w * slope - 2 * decay * u) + temperature * variance * w**2
    dw2 = 2 * w * (-u * slope - 2 * decay * w) + temperature * variance * u**2
    rate = -(du2 - dw2) / (u**2 - w**2)
    row["printed_value"] = abs(temperature * variance + decay - rate) / rate
    row["derived_value"] = abs(phases.balance_rate(variance, temperature, decay) - rate) / rate
    return row


def lower_limit() -> Discrepancy:
    """The integral in eq. 14 does not exist from zero."""
    row = row_of(
        "eq14-lower-limit",
        "Eq. 14",
        "formula",
        "∫₀^{|v|} in the exponent",
        "∫_{v₀}^{|v|} from any fixed v₀ > 0 (the constant is in the normalisation); the appendix, eqs 94–97, "
        "has the indefinite integral",
        "smallest ratio, over D = 1, 2, 3, of the integral from 1e-6 to 1 to that from 1e-3 to 1 "
        "(1 if convergent at zero)",
    )
    c = gaussian_linear(1.0, 1.0)

    def integral(start: float, power: float) -> float:
        value, _ = quad.quad(
            lambda t: (
                (c.beta1 * math.exp(t) - c.beta2) * math.exp((1 - power) * t) / float(c.noise(math.exp(t)))
            ),
            math.log(start),
            0.0,
            limit=200,
        )
        return value

    # |v|^{−2D/(D+1)} is not integrable at zero for any D ≥ 1
    row["printed_value"] = min(integral(1e-6, p) / integral(1e-3, p) for p in (1.0, 4 / 3, 3 / 2))
    row["derived_value"] = 1.0
    return row


def interpolation_mass() -> Discrepancy:
    """The interpolation laws without decay cannot be normalised at v = k."""
    row = row_of(
        "table1-interpolation-mass",
        "Table 1, interpolation without weight decay (both depths)",
        "formula",
        "v^{−3/2+…}|v−k|^{−2−β₁/(2Tα₁k)} and |v−k|^{−2−β₁/(Tα₁)} as densities",
        "δ(v − k) at depth 0, and at depth 1 up to T_c: the singularity at k is not integrable, k has "
        "neither drift nor noise and attracts; above T_c (1 − z) δ(v) + z δ(v − k), z by the start",
        "mass of the printed depth-0 density with |v−k| in (1e-6, 1) over that in (1e-3, 1) "
        "(1 if it can be normalised); largest |v−k| of the derived law",
    )
    c, temperature = gaussian_linear(1.0, 0.0), 0.5
    power = 1 + c.beta1 / (temperature * c.alpha1)  # ∫_ε^1 x^{−1−power} dx = (ε^{−power} − 1)/power
    row["printed_value"] = (1e-6**-power - 1) / (1e-3**-power - 1)
    law = table_one.interpolation_depth_zero(c, temperature)
    row["derived_value"] = abs(law.location - 1.0) if not isinstance(law, StationaryLaw) else math.inf
    return row


def star_range() -> Discrepancy:
    """T* bounds the sub-regime b only where the merging stationary points are positive."""
    k, noise = 1.0, 4.0
    found = row_of(
        "fig4-star-range",
        "Fig 4, T*",
        "scope",
        "a maximum at v > 0 exists up to T*",
        "up to T* for σ² < 14k²/3, up to T_c/3 beyond (there the points merge at v < 0)",
        "upper end of the maximum at σ = 4k, divided by the largest T at which a scan of the density "
        "finds one",
    )
    star, limit = phases.star_temperature(k, noise), phases.maximum_limit(gaussian_linear(k, noise))
    last = largest_with_maximum(k, noise)
    found["printed_value"], found["derived_value"] = star / last, limit / last
    return found


def largest_with_maximum(k: float, noise: float) -> float:
    """The largest T at which a scan of eq. 15 finds a maximum at v > 0, for y = kx + ε, x ~ N(0, 1)."""
    c = gaussian_linear(k, noise)
    scan = np.geomspace(phases.maximum_limit(c) / 2, 2 * phases.star_temperature(k, noise), 2001)
    v = np.geomspace(1e-8, 10, 4000)
    return max(float(t) for t in scan if _has_maximum(c.alpha1, t, c, v))


def _has_maximum(alpha1: float, temperature: float, constants: DataConstants, v: np.ndarray) -> bool:
    """A sign change from + to − of v d(log p)/dv (eq. 15 without its normalisation, by its score)."""
    c = constants
    score = (
        -1.5
        - 2 * v * (alpha1 * v - c.alpha2) / c.noise(v)
        - (c.beta1 * v - c.beta2) / (2 * temperature * c.noise(v))
    )
    return bool(np.any((score[:-1] > 0) & (score[1:] < 0)))


def second_order_incomplete() -> Discrepancy:
    """At the transition β₂ is of order T, and the law of App. A.3 keeps one of several equal terms."""
    k, noise = 0.05, 1.0
    row = row_of(
        "second-order-incomplete",
        "App. A.3, T_c = β₂/(α₃ + β₂²)",
        "scope",
        "T_c = β₂/(α₃ + β₂²), i.e. T_c σ²/k = 1 − 3k²/σ² for weak signals",
        "1 − 9k²/σ² (S = 1, normal data): third and fourth moments of xy enter at the same order; for "
        "batches "
        "β₂² carries a factor S",
        f"share of the shift of exact discrete SGD from β₂/α₃ that is explained, k = {k}, σ = {noise:g} "
        "(one)",
    )
    c, exact = gaussian_linear(k, noise), discrete.critical_temperature(k, noise)
    first = phases.critical_temperature(c)
    row["printed_value"] = (phases.second_order_critical_temperature(c) - first) / (exact - first)
    row["derived_value"] = (discrete.quartic_critical_temperature(k, noise) - first) / (exact - first)
    return row


def discrete_transition() -> Discrepancy:
    """Discrete SGD at S = 1 with a strong signal never collapses, although both orders give a T_c."""
    k, noise = 1.0, 1.0
    row = row_of(
        "no-discrete-transition",
        "Eq. 15 and App. A.3, T_c = k/(2k² + σ²)",
        "scope",
        "v = 0 becomes stable at T_c = 1/3 (first order), 1/4 (second order) for k = σ = 1",
        "max E log|1 ± 2ηxy| > 0 for every η: discrete SGD with S = 1 has no collapse there",
        "growth of log|u| per step at η = S·T_c: zero is predicted; smallest value over all η",
    )
    rates = np.geomspace(1e-3, 1e2, 200)
    row["printed_value"] = discrete.lyapunov_exponent(k, noise, 1 / 3)
    row["derived_value"] = min(discrete.lyapunov_exponent(k, noise, float(r)) / min(1, r) for r in rates)
    return row


def deep_transition() -> Discrepancy:
    """For D ≥ 2 there is no transition temperature: eq. 14 can be normalised at every T."""
    row = row_of(
        "no-deep-transition",
        "Eq. 14, D ≥ 2",
        "extension",
        "T_c = β₂/α₃, stated for D = 1",
        "for D ≥ 2 no transition: the density vanishes at v → 0 like exp(−c/(T v^{1−2/(D+1)})) at every T; "
        "yet far above T_c little of it lies near v*",
        "share below v*/10 at 3 T_c: 1 at D = 1, where only δ(v) is left; of eq. 14 at D = 2",
    )
    c = gaussian_linear(1.0, 1.0)
    law = laws.deep(c, 3 * phases.critical_temperature(c), 2)
    row["printed_value"] = 1.0
    row["derived_value"] = float(law.cdf(0.1 * c.minimiser))
    return row


def findings() -> list[Discrepancy]:
    """All of them, with their numbers computed anew."""
    checks = (
        table_one_decay,
        corollary_decay,
        lower_limit,
        interpolation_mass,
        star_range,
        second_order_incomplete,
        discrete_transition,
        deep_transition,
    )
    return [check() for check in (*checks, *misprints.CHECKS)]
