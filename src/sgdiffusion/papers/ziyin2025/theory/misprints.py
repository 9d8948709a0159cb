"""Misprints in the derivations of Ziyin, Li & Ueda: each formula beside the one that its own premises give.

Every check takes the left side of the printed equation from its definition (one step of SGD, Itô's formula,
a numerical derivative or a quadrature) and compares both right sides with it.
"""

import numpy as np
from scipy import integrate, optimize

from sgdiffusion.papers.ziyin2025.theory.data_law import (
    DataConstants,
    gaussian_linear,
    linear_law,
    near_interpolation,
)
from sgdiffusion.papers.ziyin2025.theory.discrepancy import Discrepancy, row
from sgdiffusion.papers.ziyin2025.theory.table_one import interpolation_depth_zero

WEIGHTS = (1.3, 0.6)  # (u, w) of the checks at one state
STEP, BATCH = 0.05, 10  # η and S of those of one step


def _rate_of_a_step(c: DataConstants, eta: float, batch: int) -> float:
    """−E[Δ(u² − w²)]/(η (u² − w²)) of one step, which multiplies u² − w² by 1 − η²G² (G: ∂ℓ/∂(uw))."""
    v = WEIGHTS[0] * WEIGHTS[1]
    return eta * (4 * float(c.noise(v)) / batch + 4 * (c.beta1 * v - c.beta2) ** 2)


def second_order_temperature() -> Discrepancy:
    """Eqs 36–45 write T for the step size: the mean gradient moves the imbalance by η, whatever S."""
    found = row(
        "a3-temperature",
        "App. A.3, eqs 36–45",
        "formula",
        "T[Σ(C + (∇L)²)] with the loss ℓ + ¼T‖∇L‖²",
        "T ΣC + η Σ(∇L)², with the loss ℓ + ¼η‖∇L‖²; the printed form is that of S = 1",
        f"rate of |u² − w²| over that of one step of SGD, S = {BATCH}, at one state (one)",
    )
    c, v = gaussian_linear(1.0, 1.0), WEIGHTS[0] * WEIGHTS[1]
    t, mean = STEP / BATCH, 4 * (c.beta1 * v - c.beta2) ** 2
    exact = _rate_of_a_step(c, STEP, BATCH)
    found["printed_value"] = t * (4 * float(c.noise(v)) + mean) / exact
    found["derived_value"] = (t * 4 * float(c.noise(v)) + STEP * mean) / exact
    return found


def scalar_second_order() -> Discrepancy:
    """Eq. 50 has lost the factor T of eq. 45."""
    found = row(
        "eq50-temperature",
        "App. A.3, eq. 50",
        "formula",
        "d(u² − w²)/dt = −E[(∂ℓ/∂(uw))²](u² − w²)",
        "−T E[(∂ℓ/∂(uw))²](u² − w²)",
        f"rate over that of one step of SGD, S = 1, η = {STEP:g}, at one state (one)",
    )
    c, v = gaussian_linear(1.0, 1.0), WEIGHTS[0] * WEIGHTS[1]
    second, exact = 4 * float(c.noise(v)) + 4 * (c.beta1 * v - c.beta2) ** 2, _rate_of_a_step(c, STEP, 1)
    found["printed_value"], found["derived_value"] = second / exact, STEP * second / exact
    return found


def second_order_drift() -> Discrepancy:
    """Eq. 51: the drift of ¼T‖∇L‖² carries a β₁² that eqs 52 and 53 do not have."""
    found = row(
        "eq51-factor",
        "App. A.3, eq. 51",
        "formula",
        "−4β₁²Tv(β₁v − β₂)(3β₁v − β₂)",
        "−4Tv(β₁v − β₂)(3β₁v − β₂), from which K₁ and K₂ of eqs 52–53 follow as printed",
        "term over that of −¼T∇‖∇L‖² by numerical differentiation, u = w, β₁ = 2 (one)",
    )
    c, t, v = linear_law(1.0, 1.0, 2.0, 12.0), 0.1, 0.8
    weights = np.sqrt([v, v])

    def square_gradient(u: float, w: float) -> float:
        return 4 * (c.beta1 * u * w - c.beta2) ** 2 * (u**2 + w**2)

    slope = optimize.approx_fprime(weights, lambda x: square_gradient(*x), 1e-7)
    exact = -0.25 * t * float(slope @ weights[::-1])
    derived = -4 * t * v * (c.beta1 * v - c.beta2) * (3 * c.beta1 * v - c.beta2)
    found["printed_value"], found["derived_value"] = c.beta1**2 * derived / exact, derived / exact
    return found


def depth_one_integral() -> Discrepancy:
    """Eq. 99 lacks the 1/v of the integrand and has the sign of log v reversed; eqs 15 and 98 are right."""
    found = row(
        "eq99-integral",
        "App. A.7, eq. 99",
        "formula",
        "∫ (β₁v − β₂)/g dv = … arctan + (β₂/α₃) log v + (β₂/2α₃) log g",
        "∫ (β₁v − β₂)/(v g) dv = … arctan − (β₂/α₃) log v + (β₂/2α₃) log g",
        "right side over the integral from 1 to 2 by quadrature, each over its own integral (one)",
    )
    c = gaussian_linear(1.0, 1.0)

    def right_side(v: float, sign: float) -> float:
        angle = np.arctan((c.alpha1 * v - c.alpha2) / np.sqrt(c.delta)) / np.sqrt(c.delta)
        logs = sign * np.log(v) + np.log(float(c.noise(v))) / 2
        return float((c.alpha3 * c.beta1 - c.alpha2 * c.beta2) / c.alpha3 * angle + c.beta2 / c.alpha3 * logs)

    def integral(power: int) -> float:
        value, _ = integrate.quad(lambda v: (c.beta1 * v - c.beta2) / (v**power * float(c.noise(v))), 1, 2)
        return float(value)

    found["printed_value"] = (right_side(2, 1) - right_side(1, 1)) / integral(0)
    found["derived_value"] = (right_side(2, -1) - right_side(1, -1)) / integral(1)
    return found


def offset() -> Discrepancy:
    """Eq. 108: y = kx − c/x has E[xy] = kE[x²] − c; with kc the critical c of A.9 is off by a factor k."""
    found = row(
        "eq108-offset",
        "App. A.9, eqs 108–110",
        "formula",
        "β₂ = kβ₁ − kc; critical c = β₁ − α₁kT",
        "β₂ = kβ₁ − c; critical c = k(β₁ − α₁kT)",
        "drift of log v at v → 0 over 4β₁, at the critical c, k = 1.5 (zero)",
    )
    k, x2, x4, t = 1.5, 2.0, 12.0, 0.05
    spread = x4 - x2**2

    def drift(c: float) -> float:
        law = near_interpolation(k, c, x2, x4)
        return (law.beta2 - law.alpha3 * t) / law.beta1

    found["printed_value"] = drift(x2 - spread * k * t)
    found["derived_value"] = drift(k * (x2 - spread * k * t))
    return found


def least_noise() -> Discrepancy:
    """Eq. 11 with the line above it: Δ is not the least noise, and its covariance is to be squared."""
    found = row(
        "eq11-delta",
        "Sec. 4.1, eq. 11",
        "formula",
        "Δ := min C(v) = Var[x²]Var[xy] − cov(x², xy) = α₁α₃ − α₂²",
        "min C(v) = 4Δ/α₁ with Δ = Var[x²]Var[xy] − cov(x², xy)²",
        "expression over min C(v) by numerical minimisation (one)",
    )
    c = linear_law(1.0, 1.0, 2.0, 12.0)
    least = float(optimize.minimize_scalar(lambda v: 4 * float(c.noise(v))).fun)
    found["printed_value"], found["derived_value"] = c.delta / least, 4 * c.delta / c.alpha1 / least
    return found


def single_layer_decay() -> Discrepancy:
    """Table 1, single layer with decay: the factor that makes the density normalisable is missing."""
    found = row(
        "table1-single-layer-decay",
        "Table 1, single layer with weight decay",
        "formula",
        "α₁(v − k)^{−2−(β₁+γ)/(Tα₁)}",
        "(v − k)^{−2−(β₁+γ)/(Tα₁)} exp{−γk/(Tα₁|v − k|)} for y = kx, and eq. 12 with β₁ + γ for noisy data",
        "mass with |v − k| in (1e-6, 1) over that in (1e-3, 1) (one)",
    )
    k, t, decay = 1.5, 0.05, 0.2
    c = linear_law(k, 0.0, 2.0, 12.0)
    law = interpolation_depth_zero(c, t, decay)
    power = 1 + (c.beta1 + decay) / (t * c.alpha1)
    found["printed_value"] = (1e-6**-power - 1) / (1e-3**-power - 1)
    near, middle, far = (float(law.cdf(k - x)) for x in (1e-6, 1e-3, 1.0))  # type: ignore[union-attr]
    found["derived_value"] = (near - far) / (middle - far)
    return found


CHECKS = (
    second_order_temperature,
    scalar_second_order,
    second_order_drift,
    depth_one_integral,
    offset,
    least_noise,
    single_layer_decay,
)
