"""Learning coefficients known in closed form, and what an estimator sees of them at a finite temperature.

The learning coefficient λ and its multiplicity m are defined by the volume of {K < ε} ∼ ε^λ (−ln ε)^{m−1}.
With the average over p(w) ∝ exp{−nβ K(w) − (γ/2)‖w − w*‖²},

    E[nβ K] = λ − (m − 1)/ln(nβ) + …      for nβ → ∞ at fixed γ,

so that an estimate at finite nβ differs from λ; the functions ending in ``_at`` give E[nβ K] itself.
K is the loss above its minimum, with the half of ½‖f − f*‖² (unit noise) in linear networks.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import student

Array = NDArray[np.float64]


class Coefficient(NamedTuple):
    """λ and m."""

    value: float
    multiplicity: int


def reduced_rank(inputs: int, hidden: int, outputs: int, rank: int) -> Coefficient:
    """y = BAx with `hidden` units between, true map of rank `rank` (Aoyagi & Watanabe 2005, theorem 1)."""
    _check((inputs, hidden, outputs), rank)
    m, h, n, r = inputs, hidden, outputs, rank
    if m + h < n + r:  # B has rows to spare
        return Coefficient((h * m - h * r + n * r) / 2, 1)
    if n + h < m + r:
        return Coefficient((h * n - h * r + m * r) / 2, 1)
    if m + n < h + r:
        return Coefficient(m * n / 2, 1)
    even = (-((h + r) ** 2) - m**2 - n**2 + 2 * (h + r) * m + 2 * (h + r) * n + 2 * m * n) / 8
    odd = (m + h + n + r) % 2
    return Coefficient(even + odd / 8, 1 + odd)


def deep_linear(widths: Sequence[int], rank: int) -> Coefficient:
    """Deep linear network of layer sizes `widths`, input first, true map of rank `rank` (Aoyagi 2024).

    With the excess M_i = widths_i − rank and the one set S of ℓ + 1 layers for which
    max_S M < Σ_S M / ℓ ≤ min outside S, a = Σ_S M − (⌈Σ_S M/ℓ⌉ − 1) ℓ:
    λ = (r(first + last) − r²)/2 + a(ℓ − a)/(4ℓ) − ℓ(ℓ − 1)/4 (Σ_S M/ℓ)² + ½ Σ_{i<j in S} M_i M_j.
    """
    _check(widths, rank)
    excess = sorted(w - rank for w in widths)
    regular = (rank * (widths[0] + widths[-1]) - rank**2) / 2
    if excess[0] == 0:
        # a layer without room to spare: all maps near the true one have its rank, nothing is singular
        return Coefficient(regular, 1)
    for size in range(2, len(excess) + 1):
        chosen, rest = excess[:size], excess[size:]
        links, total = size - 1, sum(excess[:size])
        if chosen[-1] * links < total and (not rest or total <= links * rest[0]):
            a = total - (math.ceil(total / links) - 1) * links
            pairs = sum(i * j for i, j in combinations(chosen, 2))
            singular = a * (links - a) / (4 * links) - (links - 1) * total**2 / (4 * links) + pairs / 2
            return Coefficient(regular + singular, a * (links - a) + 1)
    raise AssertionError("the smallest layers always form such a set")  # pragma: no cover


def _check(widths: Sequence[int], rank: int) -> None:
    if len(widths) < 2 or min(widths) < 1 or not 0 <= rank <= min(widths):
        raise MeasureError(
            f"a linear network needs layers of at least one unit and 0 ≤ rank ≤ the smallest, found "
            f"widths {tuple(widths)}, rank {rank}"
        )


def normal_crossing(exponents: Sequence[float]) -> Coefficient:
    """K = Π |w_i|^{2k_i} with the exponents k: λ = min 1/(2k_i), m = how many attain it."""
    if not exponents or min(exponents) <= 0:
        raise MeasureError(f"a normal crossing needs positive exponents, found {tuple(exponents)}")
    largest = max(exponents)
    return Coefficient(1 / (2 * largest), sum(k == largest for k in exponents))


def quadratic_at(
    curvatures: ArrayLike, n_beta: float, localisation: float, step_size: float | None = None
) -> float:
    """E[nβ K] for K = ½Σ a_i w_i²: ½ Σ nβ a_i/h_i with h = nβ a + γ; r/2 for γ → 0.

    With `step_size` ε, for the stationary law of the Langevin chain of that step instead of its continuous
    limit: w ← (1 − εh/2) w + √ε ξ has the variance 1/(h(1 − εh/4)).
    """
    curvature = np.asarray(curvatures, dtype=np.float64)
    stiffness = n_beta * curvature + localisation
    inflation = np.ones_like(stiffness) if step_size is None else 1 - step_size * stiffness / 4
    if np.any(inflation <= 0):
        raise MeasureError(
            f"a chain of step size {step_size} has no stationary law here: the step has to be below "
            f"4/(nβ a + γ) = {4 / stiffness.max():.3g}"
        )
    occupied = curvature > 0  # a flat direction without localisation has stiffness 0 and no share
    return float(0.5 * (n_beta * curvature[occupied] / (stiffness * inflation)[occupied]).sum())


def crossing_at(n_beta: float, localisation: float) -> float:
    """E[nβ K] for K = w₁² w₂², λ = 1/2, m = 2; w₂ is integrated exactly, w₁ on a logarithmic grid."""
    return _layer_at(1, 1, 1, 2 * n_beta, localisation)


def reduced_rank_at(inputs: int, hidden: int, outputs: int, n_beta: float, localisation: float) -> float:
    """E[nβ K] for K = ½‖BA‖² about A = B = 0 with γ > 0, where min(hidden, outputs) ≤ 2.

    Given B with singular values s, A is Gaussian: it contributes Π (nβ s² + γ)^{−inputs/2} to the law of s,
    and ½ inputs Σ nβ s²/(nβ s² + γ) to nβ K. The law of s is integrated on a logarithmic grid.
    """
    _check((inputs, hidden, outputs), 0)
    return _layer_at(inputs, hidden, outputs, n_beta, localisation)


def _layer_at(inputs: int, hidden: int, outputs: int, n_beta: float, localisation: float) -> float:
    count, gap = min(hidden, outputs), abs(hidden - outputs)
    if count > 2 or localisation <= 0:
        raise MeasureError("the exact average is for min(hidden, outputs) ≤ 2 and positive localisation")
    top = 0.5 * math.log(80 / localisation)
    bottom = top - 0.5 * math.log(80 * max(n_beta, localisation) / localisation) - 22
    log_s = np.linspace(bottom, top, 1500)
    square = np.exp(2 * log_s)
    stiffness = n_beta * square + localisation
    log_weight = -0.5 * inputs * np.log(stiffness) - 0.5 * localisation * square + (gap + 1) * log_s
    energy = 0.5 * inputs * n_beta * square / stiffness
    if count == 1:
        weight = np.exp(log_weight - log_weight.max())
        return float((weight * energy).sum() / weight.sum())
    repulsion = np.abs(square[:, None] - square[None, :])
    joint = np.exp(log_weight[:, None] + log_weight[None, :] - 2 * log_weight.max()) * repulsion
    return float((joint * (energy[:, None] + energy[None, :])).sum() / joint.sum())


def with_temperature_allowance(cold: pd.DataFrame, hot: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """`cold` with its intervals' upper ends raised by what the finite temperature may still hide.

    E[nβ K] comes to λ from below, for a singular loss as slowly as λ − 1/(ln nβ + c). The same points at nβ
    and at nβ/ratio (`hot`) determine l = ln nβ + c by 1/(l − ln ratio) − 1/l = Δ, the difference of the two
    estimates; 1/l is what is missing (column `allowance`; 0 where Δ ≤ 0). Where the approach is a power of
    nβ, as for m = 1, less is missing.
    """
    if len(cold) != len(hot) or not ratio > 1:
        raise MeasureError(
            "the allowance needs the same points at two temperatures and a ratio above 1, found "
            f"{len(cold)} and {len(hot)} points, ratio {ratio}"
        )
    errors = [(t["high"] - t["low"]) / 2 / student(t["chains"] - 1) for t in (cold, hot)]
    difference = (cold["llc"] - hot["llc"] + np.hypot(*errors)).to_numpy()
    step, positive = math.log(ratio), difference > 0
    root = np.sqrt(step**2 + 4 * step / np.where(positive, difference, 1.0))
    allowance = np.where(positive, 2 / (step + root), 0.0)
    return cold.assign(allowance=allowance, high=cold["high"] + allowance)
