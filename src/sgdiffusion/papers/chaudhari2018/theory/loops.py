"""Lemma 7 of Chaudhari & Soatto 2018 on linear systems: does ẋ = j run in closed loops?

With f = ½ xᵀFx, constant D and Φ = ½ xᵀUx the force is j = −Fx + DUx = −QUx (Lemma 20): free of
divergence and orthogonal to ∇Φ, as Assumption 4 asks. In the plane its orbits are ellipses. In four
dimensions QU has two pairs of eigenvalues ±iω, and unless the two frequencies are commensurate no orbit that
has a part in both ever closes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from sgdiffusion.papers.chaudhari2018.theory.linear_response import decompose

Array = NDArray[np.float64]
System = tuple[Array, Array]  # F, D


def _turned(values: list[float], angle: float) -> Array:
    """A symmetric matrix with the given eigenvalues, its axes turned by one angle in consecutive planes."""
    size = len(values)
    turn = np.eye(size)
    for i in range(size - 1):
        step = np.eye(size)
        step[i : i + 2, i : i + 2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn = turn @ step
    return np.asarray(turn @ np.diag(values) @ turn.T)


PLANE: System = (np.diag([1.0, 2.0]), _turned([4.0, 0.25], np.pi / 5))
FOUR: System = (np.diag([1.0, 2.0, 3.0, 5.0]), _turned([4.0, 1.0, 0.5, 0.25], np.pi / 5))


def force_matrix(drift: Array, diffusion: Array) -> Array:
    """−QU, the matrix of j."""
    law = decompose(drift, diffusion)
    return np.asarray(-law.antisymmetric @ law.curvature)


def alignment(drift: Array, diffusion: Array) -> float:
    """Largest entry of the symmetric part of U·j's matrix, relative to its norm: 0 if j ⟂ ∇Φ everywhere."""
    product = decompose(drift, diffusion).curvature.T @ force_matrix(drift, diffusion)
    return float(np.abs(product + product.T).max() / np.linalg.norm(product))


def periods(force: Array) -> Array:
    """2π/ω of the pairs of eigenvalues ±iω."""
    frequencies = np.linalg.eigvals(force).imag
    return np.asarray(2 * np.pi / frequencies[frequencies > 0])


def closest_return(force: Array, start: Array, *, turns: float, steps: int = 4000) -> float:
    """min ‖x(t) − x₀‖/‖x₀‖ for t from half the slowest period to `turns` of it; a closed loop has 0.

    A grid of `steps` times a slow period, then ever finer ones about the smallest distance.
    """
    slow = float(periods(force).max())
    first, last, width = slow / 2, turns * slow, slow / steps
    times = np.arange(first, last, width)
    for _ in range(6):
        turn, step = expm(force * times[0]), expm(force * width)
        gaps = np.empty(len(times))
        x = turn @ start
        for k in range(len(times)):
            gaps[k] = np.linalg.norm(x - start)
            x = step @ x
        best = times[int(gaps.argmin())]
        times, width = np.linspace(best - width, best + width, 41), width / 20
    return float(gaps.min() / np.linalg.norm(start))
