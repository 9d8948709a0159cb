"""The Fokker–Planck scheme against Ornstein–Uhlenbeck laws, matrix exponentials and its own promises."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse.linalg import expm_multiply

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.chaudhari2018.theory import double_well as dw
from sgdiffusion.papers.chaudhari2018.theory import fokker_planck_grid as fp

LAMBDAS = (0.0, 0.5, 1.5)
GRID = fp.Grid((3.5, 6.0), (36, 60))
OMEGA = 0.8


def bump(grid, centre=(1.5, 1.5), width=0.4):
    return fp.normalise(grid, np.exp(-((grid.points() - centre) ** 2).sum(-1) / (2 * width**2)))


def ou_potential(x):
    return (x**2).sum(-1) / 2


def ou_stream(x):
    """J = ω e^{−Φ}(−x₂, x₁) has ψ = −ω e^{−Φ}: dx = (−x + ω(−x₂, x₁)) dt + √2 dW."""
    return -OMEGA * np.exp(-ou_potential(x))


def ou_density(grid, start, variance, time):
    """The law at ``time`` from a round Gaussian: mean e^{−t} R(ωt) start, variance 1 + (s² − 1)e^{−2t}."""
    c, s = math.cos(OMEGA * time), math.sin(OMEGA * time)
    mean = math.exp(-time) * np.array([[c, -s], [s, c]]) @ np.asarray(start)
    spread = 1 + (variance - 1) * math.exp(-2 * time)
    return fp.normalise(grid, np.exp(-((grid.points() - mean) ** 2).sum(-1) / (2 * spread)))


def test_grid_geometry():
    grid = fp.grid_of_width((1.0, 2.0), 0.5)
    assert grid.cells == (4, 8)
    assert (grid.widths, grid.area) == ((0.5, 0.5), 0.25)
    assert_allclose(grid.points()[1, 2], [-0.25, -0.75])
    assert_allclose(grid.corners()[-1, -1], [1, 2])


@pytest.mark.parametrize("lam", LAMBDAS)
def test_steady_state_is_exact_and_mass_is_kept_for_every_force(lam):
    matrix = fp.generator(GRID, dw.potential, dw.stream, lam)
    steady = fp.steady_state(GRID, dw.potential)
    scale = np.abs(matrix).max() * steady.max()
    assert np.abs(matrix @ steady.ravel()).max() < 1e-14 * scale  # a few roundings per cell
    assert np.abs(matrix.sum(axis=0)).max() < 1e-14 * np.abs(matrix).max()


@pytest.mark.parametrize("lam", LAMBDAS)
def test_flow_keeps_mass_and_sign_and_descends_to_the_steady_state(lam):
    matrix = fp.generator(GRID, dw.potential, dw.stream, lam)
    steady = fp.steady_state(GRID, dw.potential)
    free, mass, smallest = [], [], math.inf
    for density in fp.evolve(matrix, bump(GRID), 0.1, 250):
        free.append(fp.free_energy(GRID, density, steady))
        mass.append(density.sum() * GRID.area)
        smallest = min(smallest, density.min())
    assert np.abs(np.array(mass) - 1).max() < 1e-12
    assert smallest >= 0
    assert np.diff(free).max() < 1e-15  # falls at every step, down to rounding
    assert free[-1] < 1e-12
    assert np.abs(density - steady).max() < 1e-6


@pytest.mark.parametrize("lam", [0.0, 1.5])
def test_backward_euler_against_the_matrix_exponential(lam):
    grid = fp.Grid((3.0, 4.0), (18, 24))
    matrix = fp.generator(grid, dw.potential, dw.stream, lam)
    start = bump(grid)
    exact = expm_multiply(matrix, start.ravel()).reshape(grid.cells)
    errors = []
    for steps in (50, 100):
        *_, end = fp.evolve(matrix, start, 1.0 / steps, steps)
        errors.append(np.abs(end - exact).sum() * grid.area)
    assert errors[1] < 0.01
    assert 1.8 < errors[0] / errors[1] < 2.2  # first order


def test_second_order_in_the_mesh_against_the_exact_law():
    start, variance, time = (1.2, -0.6), 0.5, 0.6
    errors = []
    for width in (0.4, 0.2, 0.1):
        grid = fp.grid_of_width((5.2, 5.2), width)
        matrix = fp.generator(grid, ou_potential, ou_stream)
        initial = ou_density(grid, start, variance, 0.0)
        end = expm_multiply(time * matrix, initial.ravel()).reshape(grid.cells)
        errors.append(np.abs(end - ou_density(grid, start, variance, time)).sum() * grid.area)
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] < 3e-3
    # from above, coarse meshes are not yet asymptotic, so a margin of 0.2 about 2
    assert_allclose(orders, 2, atol=0.2)


def test_free_energy_of_gaussians():
    # KL(N(m, s²) ‖ N(0, 1)) per coordinate is (s² + m² − 1)/2 − ln s; midpoint sums of Gaussians are exact
    grid = fp.grid_of_width((8.0, 8.0), 0.1)
    density = ou_density(grid, (1.0, -0.5), 0.5, 0.0)
    steady = fp.steady_state(grid, ou_potential)
    exact = (2 * 0.5 + 1.25 - 2) / 2 - math.log(0.5)
    assert_allclose(fp.free_energy(grid, density, steady), exact, rtol=1e-8)
    # and its dissipation E|∇ ln(ρ/ρ^ss)|² = Σ (1 − 1/s²)² s² + m²
    assert_allclose(fp.dissipation(grid, density, steady), 2 * 0.5 + 1.25, rtol=0.02)
    empty = density.copy()
    empty[0, 0] = 0.0
    assert math.isfinite(fp.free_energy(grid, empty, steady))


@pytest.mark.parametrize("lam", LAMBDAS)
def test_force_neither_helps_nor_hinders_the_descent(lam):
    # −dF/dt = ∫ ρ |∇ ln(ρ/ρ^ss)|² whatever λ, up to second order in the mesh
    errors = []
    for width in (0.2, 0.1):
        grid = fp.grid_of_width((3.5, 6.0), width)
        matrix, steady = (
            fp.generator(grid, dw.potential, dw.stream, lam),
            fp.steady_state(grid, dw.potential),
        )
        density = bump(grid, (0.6, 0.8), 0.5)
        ratio = fp.dissipation_rate(grid, matrix, density, steady) / fp.dissipation(grid, density, steady)
        errors.append(abs(ratio - 1))
    assert errors[1] < 0.01
    assert 3 < errors[0] / errors[1] < 5


def test_slowest_modes_of_a_rotating_linear_system():
    # eigenvalues of an Ornstein–Uhlenbeck generator are sums of those of its drift, −1 ± iω
    grid = fp.grid_of_width((5.0, 5.0), 0.125)
    modes = fp.slowest_modes(fp.generator(grid, ou_potential, ou_stream), 5)
    exact = [-1 + 1j * OMEGA, -1 - 1j * OMEGA, -2 + 2j * OMEGA, -2, -2 - 2j * OMEGA]
    assert_allclose(modes[:2], exact[:2], atol=3e-3)  # h²/4 is 4e-3
    order = np.argsort(-modes[2:].imag)
    assert_allclose(modes[2:][order], exact[2:], atol=2e-2)


def test_correlations_of_a_rotating_linear_system():
    # E[x(t) x(0)ᵀ] = e^{−t} R(ωt)
    grid = fp.grid_of_width((6.0, 6.0), 0.15)
    matrix, steady = fp.generator(grid, ou_potential, ou_stream), fp.steady_state(grid, ou_potential)
    time = 0.7
    found = [
        fp.correlation(grid, matrix, steady, lambda x: x[..., 0], lambda x, k=k: x[..., k], time)
        for k in (0, 1)
    ]
    exact = math.exp(-time) * np.array([math.cos(OMEGA * time), math.sin(OMEGA * time)])
    assert_allclose(found, exact, atol=0.01)  # h²/4 is 6e-3


def test_a_grid_too_coarse_for_the_force_is_refused():
    with pytest.raises(MeasureError, match="too coarse for a force of strength 40"):
        fp.generator(fp.Grid((3.0, 3.0), (12, 12)), dw.potential, dw.stream, 40.0)
