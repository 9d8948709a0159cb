"""The steady state of a planar SDE with constant noise and any drift, on a grid of finite volumes.

    dz = v(z) dt + √(2T) dW,   0 = ∇·(vρ − T∇ρ),   T = β⁻¹.

A constant D is brought to this form by z = D^{−1/2}x, where v = −D^{−1/2}∇f. The flux through a face is that
of exponential fitting (Scharfetter and Gummel): exact for a constant v, of second order in the mesh width,
and with positive rates between cells at any drift, so that the solution is a law.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.special import exprel

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.chaudhari2018.theory.fokker_planck_grid import Grid, exchange, normalise

Array = NDArray[np.float64]
Field = Callable[[Array], Array]  # vectors at points (..., 2)

SEEN = 1e-9  # of the largest density; where it is less, rounding shows in Φ


@dataclass(frozen=True)
class SteadyState:
    """A steady state ρ over the cells of a grid, at T, of a drift whose values at the centres are kept."""

    grid: Grid
    temperature: float
    drift: Array
    density: Array

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """The cells in which j is known; the border is left out, where Φ's gradient is one-sided."""
        inside = np.zeros(self.density.shape, dtype=bool)
        inside[1:-1, 1:-1] = True
        return inside & (self.density > SEEN * self.density.max()) & np.isfinite(self.force).all(-1)

    @cached_property
    def potential(self) -> Array:
        """Φ = −T ln ρ, NaN where ρ is not known."""
        known = self.density > 0.1 * SEEN * self.density.max()
        return np.where(known, -self.temperature * np.log(np.where(known, self.density, 1.0)), np.nan)

    @cached_property
    def force(self) -> Array:
        """j = v + ∇Φ (eq. 8 for constant D), by central differences."""
        slopes = [np.gradient(self.potential, self.grid.widths[axis], axis=axis) for axis in (0, 1)]
        return np.asarray(self.drift + np.stack(slopes, axis=-1))

    def mean(self, values: Array) -> float:
        """E[values] in the steady state, over the cells in which j is known."""
        return float(np.average(values[self.seen], weights=self.density[self.seen]))

    def irreversible_share(self) -> float:
        """E|j|²/E|v|², the share of the drift that no potential makes.

        E[j·∇Φ] = 0, as ρj is free of divergence. So the share is between 0 and 1, and E|j|²/T is the rate at
        which the steady state produces entropy.
        """
        return self.mean((self.force**2).sum(-1)) / self.mean((self.drift**2).sum(-1))

    def mode_near(self, point: Array, reach: float) -> Array:
        """The most likely point within `reach`: the top of the parabola through the nine highest cells."""
        points = self.grid.points()
        near = np.linalg.norm(points - point, axis=-1) < reach
        i, k = np.unravel_index(np.argmax(np.where(near, self.density, -1.0)), self.density.shape)
        window = np.log(self.density[i - 1 : i + 2, k - 1 : k + 2])
        x, y = np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], indexing="ij")
        terms = np.stack([np.ones(9), *(t.ravel() for t in (x, y, x * x / 2, x * y, y * y / 2))], axis=-1)
        _, gx, gy, xx, xy, yy = np.linalg.lstsq(terms, window.ravel(), rcond=None)[0]
        offset = -np.linalg.solve([[xx, xy], [xy, yy]], [gx, gy])
        return np.asarray(points[i, k] + offset * self.grid.widths)


def steady_state(grid: Grid, drift: Field, temperature: float) -> SteadyState:
    """ρ with no flux through the border: Aρ = 0, with ρ = 1 in the middle cell until all is normalised."""
    matrix = _generator(grid, drift, temperature)
    if not np.isfinite(matrix.data).all():
        raise MeasureError("the drift is not finite everywhere on the grid: take a smaller one")
    middle = int(np.ravel_multi_index((grid.cells[0] // 2, grid.cells[1] // 2), grid.cells))
    others = np.delete(np.arange(matrix.shape[0]), middle)
    density = np.ones(matrix.shape[0])
    known = matrix[others][:, [middle]].toarray().ravel()
    density[others] = spsolve(matrix[others][:, others], -known)
    positive = np.clip(density, 0.0, None)  # where nothing is left, rounding has a sign
    law = normalise(grid, positive.reshape(grid.cells))
    return SteadyState(grid, temperature, drift(grid.points()), law)


def _generator(grid: Grid, drift: Field, temperature: float) -> sparse.csc_array:
    """A with dρ/dt = Aρ: from cell i to k flows (T/h) [B(−P) ρ_i − B(P) ρ_k], P = vh/T, B(x) = x/(eˣ − 1)."""
    points, parts = grid.points(), []
    for axis in (0, 1):
        middle = (np.delete(points, -1, axis) + np.delete(points, 0, axis)) / 2
        peclet = drift(middle)[..., axis].ravel() * grid.widths[axis] / temperature
        scale = temperature / grid.widths[axis] ** 2
        parts.append(exchange(grid, axis, scale / exprel(-peclet), scale / exprel(peclet)))
    return parts[0] + parts[1]
