"""Remarks 25 and 26 of Chaudhari & Soatto (2018): out of equilibrium with constant D, and more so with β⁻¹.

The loss is the paper's own double well, f = (x₁² − 1)²/4 + x₂²/2, the noise a constant D of determinant 1. If
D is turned against the axes of f, D⁻¹∇f is no gradient: a force j stays (eq. 8), and the modes of ρ^ss leave
the critical points of f by −β⁻¹∇·Q (eq. 19). Both are read off the steady state on a grid. A quadratic loss,
with the curvature of the wells, has a closed form beside.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from sgdiffusion.papers.chaudhari2018.theorems import ANGLE, RATIOS
from sgdiffusion.papers.chaudhari2018.theory import double_well as well
from sgdiffusion.papers.chaudhari2018.theory import linear_response as linear
from sgdiffusion.papers.chaudhari2018.theory import loops
from sgdiffusion.papers.chaudhari2018.theory.fokker_planck_grid import grid_of_width
from sgdiffusion.papers.chaudhari2018.theory.steady_state_grid import SteadyState, steady_state
from sgdiffusion.papers.tables import documented, quantity, shares_bounded
from sgdiffusion.papers.task import Task

Array = NDArray[np.float64]
Slope = Callable[[Array], Array]  # ∇f at points (..., 2)

WELL = np.array([1.0, 0.0])
CURVATURE = np.diag([2.0, 1.0])  # of f in both wells
NOISES = {
    "turned": linear.anisotropic(ANGLE, max(RATIOS)),
    "aligned": linear.anisotropic(0.0, max(RATIOS)),
    "isotropic": np.eye(2),
}
TEMPERATURES = (0.05, 0.1, 0.2, 0.4)  # β⁻¹; the barrier of f is 1/4
MIDDLE = 0.2
WIDTHS = (0.1, 0.05)  # of cells at β⁻¹ = 0.2, others by its root; what halving changes is taken for the error
REACH = 5.5  # of the grid, in standard deviations of the widest law of a well and the way between the wells

COLUMNS = {
    "noise": "D: turned against the axes of f, aligned with them, isotropic",
    "temperature": "β⁻¹",
    "share": "E|j|²/E|∇f|² in the metric D⁻¹: share of the drift that no potential makes",
    "share_error": "what halving the cells changes",
    "displacement": "distance of the most likely point from the well of f, weights",
    "displacement_error": "what halving the cells changes",
    "deviations": "the same in standard deviations of the law linearised at the well",
    "quadratic_share": "the share of a quadratic loss with the well's curvature, on the same grids",
    "quadratic_share_error": "what halving the cells changes",
    "quadratic_closed": "the same in closed form, in which β cancels",
}


def quadratic_slope(x: Array) -> Array:
    """∇f of the quadratic loss."""
    return x @ CURVATURE


def solved(diffusion: Array, temperature: float, width: float, slope: Slope) -> SteadyState:
    """The steady state over z = D^{−1/2}x, where the noise is isotropic."""
    root = sqrtm(diffusion)
    inverse = np.linalg.inv(root)
    spread = 1 / np.sqrt(np.linalg.eigvalsh(diffusion).min())  # of an axis of x, seen in z
    half = spread * (1 + REACH * np.sqrt(0.5 * temperature))
    grid = grid_of_width((half, half), width * np.sqrt(temperature / MIDDLE))
    return steady_state(grid, lambda z: -slope(z @ root) @ inverse, temperature)


def displacement(state: SteadyState, diffusion: Array) -> Array:
    """The most likely point by the right well, minus the well, in weights."""
    root = sqrtm(diffusion)
    at = np.linalg.solve(root, WELL)
    return np.asarray(root @ state.mode_near(at, 0.7 * float(np.linalg.norm(at))) - WELL)


def quadratic_share(diffusion: Array, curvature: Array = CURVATURE) -> float:
    """E|j|²/E|∇f|² in the metric D⁻¹ for f = ½xᵀFx: β cancels."""
    covariance = linear.decompose(curvature, diffusion).scaled_covariance

    def mean_square(matrix: Array) -> float:
        return float(np.trace(matrix.T @ np.linalg.solve(diffusion, matrix) @ covariance))

    return mean_square(loops.force_matrix(curvature, diffusion)) / mean_square(curvature)


def equilibrium_row(noise: str, temperature: float) -> tuple[Any, ...]:
    """One row of the table: the finer grid's numbers, and how far the coarser one's are from them."""
    diffusion = NOISES[noise]
    wells = [solved(diffusion, temperature, w, well.potential_gradient) for w in WIDTHS]
    quadratic = [solved(diffusion, temperature, w, quadratic_slope).irreversible_share() for w in WIDTHS]
    shares = [state.irreversible_share() for state in wells]
    shifts = [displacement(state, diffusion) for state in wells]
    curvature = linear.decompose(CURVATURE, diffusion).curvature
    deviations = float(np.sqrt(shifts[-1] @ curvature @ shifts[-1] / temperature))
    return (
        noise, temperature, shares[-1], abs(shares[-1] - shares[0]), float(np.linalg.norm(shifts[-1])),
        float(np.linalg.norm(shifts[-1] - shifts[0])), deviations, quadratic[-1],
        abs(quadratic[-1] - quadratic[0]), quadratic_share(diffusion),
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
    for name, column in (
        ("share", "share"), ("displacement", "displacement"), ("quadratic.share", "quadratic_share")
    ):  # fmt: skip
        rows.append(quantity(f"remark26.{name}_growth", *growth(cold, warm, column), **over))
    return rows


def growth(cold: pd.Series, warm: pd.Series, name: str) -> tuple[float, float]:
    """The quotient of a column at the largest and the smallest β⁻¹, and its error."""
    ratio = float(warm[name] / cold[name])
    return ratio, ratio * float(np.hypot(*(row[f"{name}_error"] / row[name] for row in (cold, warm))))


def measure(task: Task) -> dict[str, pd.DataFrame]:
    """Remarks 25 and 26 on a double well with constant noise."""
    table = equilibrium_table()
    quantities = pd.DataFrame(equilibrium_quantities(table))
    return {"equilibrium": table, "quantities": shares_bounded(quantities)}
