import math

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory import laws, phases
from sgdiffusion.papers.ziyin2025.theory.data_law import DataConstants, gaussian_linear


def _scanned_maximum(constants, temperature, decay=0.0):
    """The largest v at which the score of eq. 15 changes from + to −, or None."""
    c, v = constants, np.geomspace(1e-7, 50, 200_000)
    g = c.noise(v)
    score = (
        -1.5 - 2 * v * (c.alpha1 * v - c.alpha2) / g - (c.beta1 * v - c.beta2 + decay) / (2 * temperature * g)
    )
    down = np.flatnonzero((score[:-1] > 0) & (score[1:] < 0))
    return float(v[down[-1]]) if down.size else None


@pytest.mark.parametrize("noise", [0.2, 0.5, 1.0, 2.0, 2.5, 4.0])
@pytest.mark.parametrize("ratio", [0.05, 0.3, 0.4, 0.7, 0.95, 1.5, 4.0])
def test_maximiser_and_regime_against_a_scan(noise, ratio):
    c = gaussian_linear(1.0, noise)
    temperature = ratio * phases.critical_temperature(c)
    found = _scanned_maximum(c, temperature)
    name = phases.regime(c, temperature)
    assert name.startswith("I" if ratio < 1 / 3 or ratio > 1 else "II")
    assert (name == "III") == (ratio < 1 / 3)
    if name != "III":
        assert name.endswith("b") == (found is not None)
    if found is None:
        with pytest.raises(MeasureError, match="no maximum"):
            phases.maximiser(c, temperature)
    else:
        assert phases.maximiser(c, temperature) == pytest.approx(found, rel=2e-4)


def test_the_maximum_exists_up_to_its_limit_for_any_constants():
    """2,000 random constants with either sign of α₂ (seed 23): below the limit always, just above never."""
    rng = np.random.default_rng(23)
    for _ in range(2000):
        a1, a3, b1, b2 = 10 ** rng.uniform(-1, 1, 4)
        c = DataConstants(a1, rng.uniform(-1, 1) * math.sqrt(a1 * a3), a3, b1, b2)
        limit = phases.maximum_limit(c)
        end = min(limit, 100 * phases.critical_temperature(c))
        assert all(phases.has_maximum(c, t) for t in end * np.array([1e-3, 0.3, 0.9, 0.999]))
        if limit < math.inf:
            assert not phases.has_maximum(c, 1.0001 * limit)


def test_regime_counts_the_five():
    names = {
        phases.regime(gaussian_linear(1.0, s), t)
        for s in np.linspace(0.2, 4, 25)
        for t in np.geomspace(0.005, 3, 60)
    }
    assert names == {"Ia", "Ib", "IIa", "IIb", "III"}


def test_t_star_is_the_discriminants_zero():
    for noise in (0.7, 1.0, 2.0):
        star = phases.star_temperature(1.0, noise)
        assert phases.maximum_limit(gaussian_linear(1.0, noise)) == pytest.approx(star, rel=1e-12)
    assert phases.star_temperature(1.0, 0.5) == math.inf
    assert phases.maximum_limit(gaussian_linear(1.0, 0.5)) == math.inf
    # Beyond σ² = 14k²/3 the maximum ends at T_c/3, below the printed T*.
    c = gaussian_linear(1.0, 3.0)
    assert phases.maximum_limit(c) == pytest.approx(phases.critical_temperature(c) / 3)
    assert phases.maximum_limit(c) < phases.star_temperature(1.0, 3.0)
    assert phases.maximum_limit(gaussian_linear(-1.0, 1.0)) == 0.0


def test_weight_decay_moves_the_transition():
    c = gaussian_linear(0.5, 0.3)
    assert phases.critical_temperature(c, 0.2) == pytest.approx(0.3 / c.alpha3)
    assert phases.critical_temperature(c, 0.7) == 0.0
    temperature = 0.2 * phases.critical_temperature(c, 0.2)
    found = _scanned_maximum(c, temperature, 0.2)
    assert phases.maximiser(c, temperature, 0.2) == pytest.approx(found, rel=2e-4)
    law = laws.depth_one(c, temperature, 0.2)
    v = np.linspace(found * 0.98, found * 1.02, 2001)
    assert v[np.argmax(law.density(v))] == pytest.approx(found, rel=1e-3)


def test_small_temperature_expansion():
    """v̂ ≈ β₂/β₁ + (10α₂β₂/β₁² − 7α₁β₂²/β₁³ − 3α₃/β₁) T, the remainder being of second order in T: a
    hundredth of it at a tenth of T.
    """
    c = gaussian_linear(0.8, 0.6)
    v = c.minimiser
    slope = (10 * c.alpha2 * v - 7 * c.alpha1 * v**2 - 3 * c.alpha3) / c.beta1
    errors = [abs(phases.maximiser(c, t) - (v + slope * t)) for t in (1e-3, 1e-4)]
    assert errors[1] / errors[0] == pytest.approx(0.01, rel=0.1)


def test_boundaries_are_the_lines_of_fig_4():
    lines = phases.boundaries(1.0, np.array([0.5, 1.0, 3.0]))
    assert lines["T_c"] == pytest.approx([1 / 2.25, 1 / 3, 1 / 11])
    assert lines["T_c/3"] == pytest.approx(lines["T_c"] / 3)
    assert lines["maximum"][0] == math.inf
    assert lines["maximum"][1] == pytest.approx(lines["T* as printed"][1])
    assert lines["maximum"][2] < lines["T* as printed"][2]


def test_orders_of_the_transition():
    c = gaussian_linear(0.3, 1.0)
    assert phases.second_order_critical_temperature(c) == pytest.approx(0.3 / (1.18 + 0.09))
    assert phases.second_order_critical_temperature(c, 10) == pytest.approx(0.3 / (1.18 + 0.9))


def test_bounds_and_rates():
    c = gaussian_linear(0.3, 1.0)
    assert phases.second_moment_limit(c) == 0.5
    assert phases.balance_rate(4.0, 0.1) == pytest.approx(0.4)
    assert phases.balance_rate(4.0, 0.1, 0.05) == pytest.approx(0.6)
    with pytest.raises(MeasureError, match="does not exist"):
        phases.second_moment(c, 0.5)
    with pytest.raises(MeasureError, match="D = 0 and D = 1"):
        phases.tail_exponent(c, 0.1, 2, 0.1)
    assert phases.regime(c, 1e-3) == "III"
    with pytest.raises(MeasureError, match="temperature"):
        phases.regime(c, 0)
