import numpy as np
import pytest
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory import data_law, table_one
from sgdiffusion.papers.ziyin2025.theory.fokker_planck import EffectiveDiffusion, relative_current
from sgdiffusion.papers.ziyin2025.theory.stationary import PointMass, StationaryLaw

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
