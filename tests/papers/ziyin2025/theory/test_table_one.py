"""Laws under interpolation: currents, masses, point masses and their weights by quadrature."""

import numpy as np
import pytest
from scipy import integrate, stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory import data_law, table_one
from sgdiffusion.papers.ziyin2025.theory.fokker_planck import EffectiveDiffusion, relative_current
from sgdiffusion.papers.ziyin2025.theory.stationary import PointMass, StationaryLaw, TwoPoints

# E[x²] = 2, E[x⁴] = 9: β₁ ≠ 1, so that a misplaced β₁ shows.
SWEEP = [
    (k, c, decay, t)
    for k in (0.5, 2.0)
    for c in (0.0, 0.1, -0.1)
    for decay in (0.05, 0.2)
    for t in (0.02, 0.2)
]


@pytest.mark.parametrize(("k", "c", "decay", "temperature"), SWEEP)
@pytest.mark.parametrize("depth", [0, 1])
def test_laws_have_no_current_and_mass_one(k, c, decay, temperature, depth):
    constants = data_law.near_interpolation(k, c, 2.0, 9.0)
    make = table_one.interpolation_depth_zero if depth == 0 else table_one.interpolation_depth_one
    law = make(constants, temperature, decay)
    if isinstance(law, PointMass):
        if law.location > 0:  # decay and offset cancel: as without either
            assert c + decay * (k if depth == 0 else 1) == pytest.approx(0, abs=1e-12)
            return
        assert depth == 1
        assert temperature >= (constants.beta2 - decay) / constants.alpha3
        return
    v = law.quantile(np.linspace(0.05, 0.95, 19))
    model = EffectiveDiffusion(constants, temperature, depth, 1, decay)
    assert relative_current(law, model, v).max() < 1e-6
    t = np.linspace(law.panels.edges[0], law.panels.edges[-1], 400_001)
    mass = np.exp(law.log_mass(t) - law.panels.log_integral).sum() * (t[1] - t[0])
    assert mass == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("c", [0.1, -0.1])
def test_depth_zero_is_inverse_gamma(c):
    constants, temperature, k = data_law.near_interpolation(2.0, c, 2.0, 9.0), 0.1, 2.0
    law = table_one.interpolation_depth_zero(constants, temperature)
    assert isinstance(law, StationaryLaw)
    shape, scale = 1 + 2.0 / (temperature * 5.0), abs(c) / (temperature * 5.0)
    distance = np.array([0.01, 0.05, 0.2, 1.0])
    side = -np.sign(c)
    expected = stats.invgamma.cdf(distance, shape, scale=scale)
    got = law.cdf(k + side * distance)
    assert (got if side > 0 else 1 - got) == pytest.approx(expected, abs=1e-11)
    assert law.tail == pytest.approx(shape + 1)


def test_interpolation_without_decay_is_a_point_mass():
    constants = data_law.linear_law(2.0, 0.0, 2.0, 9.0)
    for make in (table_one.interpolation_depth_zero, table_one.interpolation_depth_one):
        law = make(constants, 0.1)
        assert isinstance(law, PointMass)
        assert law.location == pytest.approx(2.0)


@pytest.mark.parametrize("start", [0.3, 0.9])
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_above_the_transition_the_weights_are_those_of_the_scale_function(temperature, start):
    """∫₀^start s'/∫₀^k s', s' = exp(−∫ A/B) with A and B of the diffusion itself, all by quadrature."""
    constants, k = data_law.linear_law(2.0, 0.0, 2.0, 9.0), 2.0
    law = table_one.interpolation_depth_one(constants, temperature)
    assert isinstance(law, TwoPoints)
    model = EffectiveDiffusion(constants, temperature)

    # on a fine grid of log(v/(k − v)); A/B is evaluated a little inside the ends, where v rounds to k
    t = np.linspace(-150, 30, 360_001)
    v = k / (1 + np.exp(-t))
    width = v * (1 - v / k)  # dv/dt
    exponent = integrate.cumulative_trapezoid(model.drift(v) / model.diffusion(v) * width, t, initial=0)
    slope = np.exp(-(exponent - exponent.max())) * width / width.max()
    scale = integrate.cumulative_trapezoid(slope, t, initial=0)
    expected = np.interp(np.log(start / (1 - start)), t, scale) / scale[-1]
    assert law.weight(start * k) == pytest.approx(expected, rel=1e-4)


def test_chains_of_the_published_example():
    """k = 1, T = 1: from v = 0.3 the share at zero is one minus that of Beta(1/4, 5/4) below 0.3."""
    law = table_one.interpolation_depth_one(data_law.gaussian_linear(1.0, 0.0), 1.0)
    assert isinstance(law, TwoPoints)
    assert 1 - law.weight(0.3) == pytest.approx(stats.beta(0.25, 1.25).sf(0.3))
    assert law.weight(1.5) == 1.0  # from above k every chain comes down to it
    assert isinstance(table_one.interpolation_depth_one(data_law.gaussian_linear(1.0, 0.0), 0.5), PointMass)


def test_printed_law_is_the_derived_one_where_the_misprint_hides():
    for x2, same in ((1.0, True), (2.0, False)):
        constants = data_law.linear_law(1.5, 0.0, x2, 3 * x2**2)
        printed = table_one.printed_interpolation_with_decay(constants, 0.02, 0.1)
        derived = table_one.interpolation_depth_one(constants, 0.02, 0.1)
        v = derived.quantile(np.linspace(0.05, 0.95, 7))
        assert (np.abs(printed.cdf(v) - derived.cdf(v)).max() < 1e-9) == same


def test_tail_above_the_root_is_seven_halves():
    law = table_one.interpolation_depth_one(data_law.near_interpolation(2.0, -0.5, 2.0, 9.0), 0.3)
    assert isinstance(law, StationaryLaw)
    slope = np.diff(law.log_density(np.array([1e5, 1e6]))) / np.log(10)
    assert slope == pytest.approx(-3.5, rel=1e-3)


def test_bad_input_is_named():
    with pytest.raises(MeasureError, match="not an interpolation"):
        table_one.interpolation_depth_zero(data_law.gaussian_linear(1, 1), 0.1)
    with pytest.raises(MeasureError, match="mirrored"):
        table_one.interpolation_depth_one(data_law.gaussian_linear(-1, 0), 0.1)
    with pytest.raises(MeasureError, match="temperature"):
        table_one.interpolation_depth_one(data_law.gaussian_linear(1, 0), 0)
