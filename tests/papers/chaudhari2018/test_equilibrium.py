"""Remarks 25 and 26: the steady state on a grid against closed forms and simulated paths."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.chaudhari2018 import equilibrium as study
from sgdiffusion.papers.chaudhari2018.theory import double_well as well
from sgdiffusion.papers.chaudhari2018.theory import linear_response as linear
from sgdiffusion.papers.chaudhari2018.theory.fokker_planck_grid import Grid
from sgdiffusion.papers.chaudhari2018.theory.steady_state_grid import steady_state

HESSIAN = np.array([[2.0, 0.5], [0.5, 1.0]])
NOISE = study.NOISES["turned"]


@pytest.fixture(scope="module")
def table():
    return study.equilibrium_table()


def linear_state(temperature=0.3):
    """The grid's steady state of dx = −Fx dt + √(2TD) dW over z = D^{−1/2}x."""
    root = sqrtm(NOISE)
    inverse = np.linalg.inv(root)
    return steady_state(Grid((4.0, 4.0), (121, 121)), lambda z: -(z @ root) @ HESSIAN @ inverse, temperature)


def test_the_covariance_is_lyapunovs():
    state, temperature = linear_state(), 0.3
    x = state.grid.points() @ sqrtm(NOISE)
    found = np.einsum("abi,abk,ab->ik", x, x, state.density) * state.grid.area
    exact = temperature * linear.decompose(HESSIAN, NOISE).scaled_covariance
    np.testing.assert_allclose(found, exact, rtol=0, atol=3e-3 * np.abs(exact).max())


def test_the_irreversible_share_is_the_closed_form():
    exact = study.quadratic_share(NOISE, HESSIAN)
    assert 0.05 < exact < 0.95
    assert linear_state().irreversible_share() == pytest.approx(exact, rel=5e-3)
    assert study.quadratic_share(np.eye(2), HESSIAN) == pytest.approx(0, abs=1e-20)


def test_isotropic_noise_has_boltzmanns_law_to_second_order():
    apart = []
    for width in (0.1, 0.05):
        state = study.solved(np.eye(2), 0.2, width, well.potential_gradient)
        x = state.grid.points()
        law = np.exp(-((x[..., 0] ** 2 - 1) ** 2 / 4 + x[..., 1] ** 2 / 2) / 0.2)
        law /= law.sum() * state.grid.area
        apart.append(np.abs(state.density - law).max() / law.max())
    assert apart[1] < 2e-3
    assert apart[0] / apart[1] == pytest.approx(4, rel=0.1)


def test_moments_are_those_of_simulated_paths():
    """The slow twin: Euler–Maruyama in weights, 4,000 chains; its step leaves about 1 %."""
    temperature, step, rng = 0.2, 0.01, np.random.default_rng(0)
    root = np.linalg.cholesky(2 * temperature * step * NOISE)
    x = rng.standard_normal((4000, 2))
    moments = []
    for n in range(3000):
        x = x - step * well.potential_gradient(x) + rng.standard_normal(x.shape) @ root.T
        if n >= 1000 and n % 100 == 0:
            moments.append([x[:, 0] ** 2, x[:, 1] ** 2, x[:, 0] * x[:, 1]])
    over_chains = np.mean(moments, axis=0)
    mean, error = over_chains.mean(-1), over_chains.std(-1) / np.sqrt(4000)
    state = study.solved(NOISE, temperature, 0.1, well.potential_gradient)
    w = state.grid.points() @ sqrtm(NOISE)
    mass = state.density * state.grid.area
    exact = [float((mass * v).sum()) for v in (w[..., 0] ** 2, w[..., 1] ** 2, w[..., 0] * w[..., 1])]
    assert (np.abs(mean - exact) < 4 * error + 0.01).all(), (mean, exact, error)


def test_force_and_gradient_of_the_potential_are_orthogonal_in_the_mean_to_second_order():
    products = []
    for width in (0.1, 0.05):
        state = study.solved(NOISE, 0.2, width, well.potential_gradient)
        product = state.mean((state.force * (state.force - state.drift)).sum(-1))
        products.append(abs(product) / state.mean((state.force**2).sum(-1)))
    assert products[1] < 5e-3
    assert products[0] / products[1] == pytest.approx(4, rel=0.2)


def test_only_turned_noise_leaves_equilibrium(table):
    by = table[table["temperature"] == study.MIDDLE].set_index("noise")
    assert by.loc["turned", "share"] > 0.1
    assert (by.loc[["aligned", "isotropic"], "share"] < 1e-3).all()
    assert (by.loc[["aligned", "isotropic"], "deviations"] < 0.02).all()
    assert by.loc["isotropic", "quadratic_closed"] == pytest.approx(0, abs=1e-20)


def test_share_of_a_quadratic_loss_is_the_closed_form_at_every_temperature(table):
    turned = table[table["noise"] == "turned"]
    np.testing.assert_allclose(turned["quadratic_share"], turned["quadratic_closed"], rtol=5e-3)


def test_displacement_is_linear_in_a_small_temperature(table):
    """At small β⁻¹ the modes leave by a way linear in β⁻¹: doubling it doubles the way, but for its bend."""
    turned = table[table["noise"] == "turned"].set_index("temperature")["displacement"]
    assert turned[0.1] / turned[0.05] == pytest.approx(2, rel=0.25)


def test_quantities_of_the_claims(table):
    rows = {row["quantity"]: row for row in study.equilibrium_quantities(table)}
    assert rows["remark26.quadratic.share_growth"]["value"] == pytest.approx(1)
    assert rows["remark26.displacement_growth"]["low"] > 2
    share = rows["remark25.turned.share"]
    assert share["low"] < share["value"] < share["high"]
    assert share["n"] == 2


def test_a_law_that_does_not_fit_is_refused():
    with pytest.raises(MeasureError, match="not finite"):
        steady_state(Grid((1.0, 1.0), (9, 9)), lambda z: np.full_like(z, np.nan), 1.0)
