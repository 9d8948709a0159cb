"""Remarks 25 and 26 of Chaudhari & Soatto (2018): out of equilibrium with constant D, and more so with β⁻¹.

The loss is the paper's own double well, f = (x₁² − 1)²/4 + x₂²/2, the noise a constant D of determinant 1. If
D is turned against the axes of f, D⁻¹∇f is no gradient: a force j stays (eq. 8), and the modes of ρ^ss leave
the critical points of f by −β⁻¹∇·Q (eq. 19). Both are read off the steady state on a grid. A quadratic loss,
with the curvature of the wells, has a closed form beside.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.papers.chaudhari2018.theorems import ANGLE
from sgdiffusion.papers.chaudhari2018.theory import linear_response as linear
from sgdiffusion.papers.chaudhari2018.theory.fokker_planck_grid import grid_of_width
from sgdiffusion.papers.chaudhari2018.theory.steady_state_grid import SteadyState, steady_state
from sgdiffusion.papers.tables import documented, quantity, shares_bounded
from sgdiffusion.papers.task import Task

Array = NDArray[np.float64]

WELL = np.array([1.0, 0.0])
CURVATURE = np.diag([2.0, 1.0])  # of f in both wells
RATIO = 8.0  # of D's eigenvalues, the largest of those tried for Lemma 6
NOISES = {
    "turned": linear.anisotropic(ANGLE, RATIO),
    "aligned": linear.anisotropic(0.0, RATIO),
    "isotropic": np.eye(2),
}
TEMPERATURES = (0.05, 0.1, 0.2, 0.4)  # β⁻¹; the barrier of f is 1/4
MIDDLE = 0.2
WIDTHS = (
    0.1,
    0.05,
)  # of cells at β⁻¹ = 0.2, others by its root; what the second changes is taken for the error
REACH = 5.5  # of the grid, in standard deviations of the widest law of a well and the way between the wells

COLUMNS = {
    "noise": "D: turned against the axes of f, aligned with them, isotropic",
    "temperature": "β⁻¹",
    "share": "E|j|²/E|∇f|² in the metric D⁻¹: share of the drift that no potential makes",
    "share_error": "what halving the cells changes",
    "displacement": "distance of the most likely point from the well of f, weights",
    "displacement_error": "what halving the cells changes",
    "deviations": "the same in standard deviations of the law linearised at the well",
    "quadratic_share": "the share of a quadratic loss with the well's curvature, closed form, at every β⁻¹",
}


def slope(x: Array) -> Array:
    """∇f of the double well."""
    return np.stack([x[..., 0] ** 3 - x[..., 0], x[..., 1]], axis=-1)


def power(matrix: Array, exponent: float) -> Array:
    """A power of a symmetric positive matrix."""
    values, axes = np.linalg.eigh(matrix)
    return np.asarray(axes @ np.diag(values**exponent) @ axes.T)


def solved(diffusion: Array, temperature: float, width: float) -> SteadyState:
    """The steady state over z = D^{−1/2}x, where the noise is isotropic."""
    root, inverse = power(diffusion, 0.5), power(diffusion, -0.5)
    spread = np.sqrt(np.linalg.eigvalsh(inverse @ inverse).max())  # of an axis of x, seen in z
    half = spread * (1 + REACH * np.sqrt(0.5 * temperature))
    grid = grid_of_width((half, half), width * np.sqrt(temperature / MIDDLE))

    def drift(z: Array) -> Array:
        return -slope(z @ root) @ inverse

    return steady_state(grid, drift, temperature)


def displacement(state: SteadyState, diffusion: Array) -> Array:
    """The most likely point by the right well, minus the well, in weights."""
    at = power(diffusion, -0.5) @ WELL
    return np.asarray(power(diffusion, 0.5) @ state.mode_near(at, 0.7 * float(np.linalg.norm(at))) - WELL)


def quadratic_share(diffusion: Array, curvature: Array = CURVATURE) -> float:
    """E|j|²/E|∇f|² in the metric D⁻¹ for f = ½xᵀFx: β cancels."""
    law = linear.decompose(curvature, diffusion)
    metric, force = np.linalg.inv(diffusion), law.antisymmetric @ law.curvature
    parts = (np.trace(m.T @ metric @ m @ law.scaled_covariance) for m in (force, curvature))
    turning, all_of_it = parts
    return float(turning / all_of_it)


def equilibrium_row(noise: str, temperature: float) -> tuple[Any, ...]:
    """One row of the table: two grids, the finer one's numbers."""
    diffusion = NOISES[noise]
    shares, shifts = [], []
    for width in WIDTHS:
        state = solved(diffusion, temperature, width)
        shares.append(state.irreversible_share())
        shifts.append(displacement(state, diffusion))
    law = linear.decompose(CURVATURE, diffusion)
    distance = float(np.linalg.norm(shifts[-1]))
    deviations = float(np.sqrt(shifts[-1] @ law.curvature @ shifts[-1] / temperature))
    return (
        noise, temperature, shares[-1], abs(shares[-1] - shares[0]), distance,
        float(np.linalg.norm(shifts[-1] - shifts[0])), deviations, quadratic_share(diffusion),
    )  # fmt: skip


def equilibrium_table() -> pd.DataFrame:
    """Share and displacement over β⁻¹ with the turned D, and at one β⁻¹ with the other two."""
    plans = [("turned", t) for t in TEMPERATURES]
    plans += [(noise, MIDDLE) for noise in NOISES if noise != "turned"]
    return documented([equilibrium_row(*plan) for plan in plans], COLUMNS)


def equilibrium_quantities(table: pd.DataFrame) -> list[dict[str, Any]]:
    """How much of the drift is irreversible at a constant D, and what grows with β⁻¹."""
    rows: list[dict[str, Any]] = []
    over: dict[str, Any] = {"n": len(WIDTHS), "over": "grids"}
    for row in table[table["temperature"] == MIDDLE].to_dict("records"):
        label, deviation = f"remark25.{row['noise']}", row["deviations"] / row["displacement"]
        share = row["share"], row["share_error"]
        shift = row["deviations"], deviation * row["displacement_error"]
        rows.append(quantity(f"{label}.share", *share, unit="share of the drift", **over))
        rows.append(quantity(f"{label}.displacement", *shift, unit="s.d.", **over))
    ordered = table[table["noise"] == "turned"].sort_values("temperature")
    cold, warm = ordered.iloc[0], ordered.iloc[-1]
    rows += [
        quantity(f"remark26.{n}_growth", *growth(cold, warm, n), **over) for n in ("share", "displacement")
    ]
    ratio = warm["quadratic_share"] / cold["quadratic_share"]
    return [*rows, quantity("remark26.quadratic.share_growth", ratio)]


def growth(cold: pd.Series, warm: pd.Series, name: str) -> tuple[float, float]:
    """The quotient of a column at the largest and the smallest β⁻¹, and its error."""
    ratio = float(warm[name] / cold[name])
    return ratio, ratio * float(np.hypot(*(row[f"{name}_error"] / row[name] for row in (cold, warm))))


def measure(task: Task) -> dict[str, pd.DataFrame]:
    """Remarks 25 and 26 on a double well with constant noise."""
    table = equilibrium_table()
    quantities = pd.DataFrame(equilibrium_quantities(table))
    return {"equilibrium": table, "quantities": shares_bounded(quantities)}
