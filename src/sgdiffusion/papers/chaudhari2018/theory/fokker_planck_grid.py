"""The Fokker–Planck equation of a planar diffusion with known steady state, on a structure-keeping grid.

    ∂ρ/∂t = ∇·(e^{−Φ} ∇u) − J·∇u,   u = ρ e^Φ,   J = (−∂₂ψ, ∂₁ψ),

the law of dx = (−∇Φ + e^Φ J) dt + √2 dW: D the identity and β = 1, as in Example 19 of Chaudhari & Soatto
2018, so that F(ρ) of Theorem 5 is KL(ρ ‖ ρ^ss).

Finite volumes: cell averages, one flux per face, none through the border. The flux of J through a face is the
difference of the stream function ψ between the face's two corners, so the discrete current is divergence-free
to rounding and e^{−Φ} at the cell centres is exactly stationary, for every λ and every mesh width.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special
from scipy.sparse.linalg import eigs, expm_multiply, splu

from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]
Scalar = Callable[[Array], Array]  # a function of points (..., 2)


@dataclass(frozen=True)
class Grid:
    """Equal cells over (−half₁, half₁) × (−half₂, half₂). Arrays over cells have shape (n₁, n₂)."""

    half: tuple[float, float]
    cells: tuple[int, int]

    def edges(self, axis: int) -> Array:
        return np.linspace(-self.half[axis], self.half[axis], self.cells[axis] + 1)

    def centres(self, axis: int) -> Array:
        edges = self.edges(axis)
        return (edges[1:] + edges[:-1]) / 2

    @property
    def widths(self) -> tuple[float, float]:
        return 2 * self.half[0] / self.cells[0], 2 * self.half[1] / self.cells[1]

    @property
    def area(self) -> float:
        """Area of one cell."""
        return math.prod(self.widths)

    def points(self) -> Array:
        """Cell centres, shape (n₁, n₂, 2)."""
        return np.stack(np.meshgrid(self.centres(0), self.centres(1), indexing="ij"), axis=-1)

    def corners(self) -> Array:
        """Cell corners, shape (n₁ + 1, n₂ + 1, 2)."""
        return np.stack(np.meshgrid(self.edges(0), self.edges(1), indexing="ij"), axis=-1)


def grid_of_width(half: tuple[float, float], width: float) -> Grid:
    """The grid whose cells are as nearly as possible squares of side ``width``."""
    return Grid(half, (round(2 * half[0] / width), round(2 * half[1] / width)))


def normalise(grid: Grid, weight: Array) -> Array:
    """``weight`` scaled to a total of 1 over the grid."""
    return weight / (weight.sum() * grid.area)


def steady_state(grid: Grid, potential: Scalar) -> Array:
    """e^{−Φ} at the cell centres, normalised to a total of 1 over the grid."""
    return normalise(grid, np.exp(-potential(grid.points())))


def faces(grid: Grid, axis: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Flat indices of the cells below and above each inner face across ``axis``."""
    index = np.arange(math.prod(grid.cells)).reshape(grid.cells)
    low, high = (index[:-1], index[1:]) if axis == 0 else (index[:, :-1], index[:, 1:])
    return low.ravel(), high.ravel()


def _current(grid: Grid, stream: Scalar, axis: int) -> Array:
    """∫ J·n over each inner face across ``axis``: the difference of ψ between its corners, with J's sign."""
    psi = stream(grid.corners())
    if axis == 0:
        return -np.diff(psi, axis=1)[1:-1].ravel()
    return np.diff(psi, axis=0)[:, 1:-1].ravel()


def exchange(grid: Grid, axis: int, up: Array, down: Array) -> sparse.csc_array:
    """A with dρ/dt = Aρ for rates across each inner face: ``up`` out of the cell below it, ``down`` back."""
    low, high = faces(grid, axis)
    rows, cols = np.concatenate([low, high, high, low]), np.concatenate([low, low, high, high])
    rates = np.concatenate([-up, up, -down, down])
    return sparse.csc_array((rates, (rows, cols)), shape=2 * (math.prod(grid.cells),))


def generator(grid: Grid, potential: Scalar, stream: Scalar, lam: float = 1.0) -> sparse.csc_array:
    """A with dρ/dt = Aρ for the flat cell averages ρ (C order), for the current λ·(−∂₂ψ, ∂₁ψ).

    Flux through a face from cell i to cell k: −(ℓ/h) √(π_i π_k) (u_k − u_i) + λ[ψ] (u_i + u_k)/2 with
    u = ρ/π, π = e^{−Φ}, ℓ the face's length and h the distance of the centres: second order in h.
    ψ has to vanish towards the border, and to be accurate relative to e^{−Φ} there (erfc, not erf).
    """
    phi = potential(grid.points()).ravel()
    matrix = sparse.csc_array((phi.size, phi.size))
    for axis in (0, 1):
        low, high = faces(grid, axis)
        conductance = grid.widths[1 - axis] / grid.widths[axis]
        half_current = 0.5 * lam * _current(grid, stream, axis)
        # Acting on ρ = πu the weights are √(π_i π_k)/π_i = e^{(Φ_i − Φ_k)/2} and [ψ]/π_i.
        up = conductance * np.exp((phi[low] - phi[high]) / 2) + half_current * np.exp(phi[low])
        down = conductance * np.exp((phi[high] - phi[low]) / 2) - half_current * np.exp(phi[high])
        if min(up.min(), down.min()) < 0:
            raise MeasureError(
                f"the grid of {grid.cells[0]} x {grid.cells[1]} cells is too coarse for a force of strength "
                f"{lam}: a rate between cells is negative, and so could densities become; use more cells"
            )
        matrix = matrix + exchange(grid, axis, up / grid.area, down / grid.area)
    return matrix


def evolve(matrix: sparse.csc_array, density: Array, step: float, steps: int) -> Iterator[Array]:
    """The densities after 0, 1, …, ``steps`` backward Euler steps: (1 − Δt A) ρ_{n+1} = ρ_n.

    The inverse is a Markov matrix for every Δt, so mass is kept, densities stay positive and KL(ρ ‖ π) falls.
    First order in Δt; the sparse LU factors are made once.
    """
    factors = splu(sparse.csc_matrix(sparse.eye_array(matrix.shape[0]) - step * matrix))
    flat = np.asarray(density, dtype=np.float64).ravel()
    yield flat.reshape(density.shape)
    for _ in range(steps):
        flat = factors.solve(flat)
        yield flat.reshape(density.shape)


def free_energy(grid: Grid, density: Array, steady: Array) -> float:
    """F(ρ) = KL(ρ ‖ ρ^ss) = ∫ ρ ln(ρ/ρ^ss) dx (Theorem 5, β = 1), in nats; cells without mass add nothing.

    Summed as ∫ (ρ ln(ρ/ρ^ss) − ρ + ρ^ss) dx, the same for normalised densities but free of cancellation.
    """
    return float(special.kl_div(density, steady).sum() * grid.area)


def dissipation(grid: Grid, density: Array, steady: Array) -> float:
    """∫ ρ |∇ ln(ρ/ρ^ss)|² dx, which is −dF/dt along the flow: the force j neither helps nor hinders.

    Midpoint rule over faces, second order in h, with ρ on a face the mean of its two cells.
    """
    excess = np.log(density / steady)
    total = 0.0
    for axis in (0, 1):
        mean = (np.delete(density, 0, axis) + np.delete(density, -1, axis)) / 2
        total += float((mean * np.diff(excess, axis=axis) ** 2).sum()) / grid.widths[axis] ** 2
    return total * grid.area


def dissipation_rate(grid: Grid, matrix: sparse.csc_array, density: Array, steady: Array) -> float:
    """−dF/dt = −∫ (Aρ) ln(ρ/ρ^ss) dx of the semi-discrete equation."""
    change = matrix @ density.ravel()
    return float(-(change * np.log(density / steady).ravel()).sum() * grid.area)


def correlation(
    grid: Grid, matrix: sparse.csc_array, steady: Array, first: Scalar, second: Scalar, time: float
) -> float:
    """E[first(x₀) second(x_t)] in the steady state: ∫ second · e^{tA}(first · ρ^ss) dx."""
    later = expm_multiply(time * matrix, (first(grid.points()) * steady).ravel())
    return float((second(grid.points()).ravel() * later).sum() * grid.area)


def slowest_modes(matrix: sparse.csc_array, count: int = 4) -> NDArray[np.complex128]:
    """The ``count`` slowest eigenvalues −a ± iω of A after 0; such a mode decays as e^{−at} cos ωt."""
    start = np.ones(matrix.shape[0])  # fixed, so that the iteration is the same every time
    values = eigs(matrix, k=count + 1, sigma=0.02, v0=start, return_eigenvectors=False)
    ordered = values[np.lexsort((-values.imag, -values.real.round(9)))]
    return ordered[1:]
