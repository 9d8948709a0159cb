"""Limit cycles found where they are known, and not found where there are none."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sgdiffusion.papers.chaudhari2018.theory import double_well as dw
from sgdiffusion.papers.chaudhari2018.theory.orbits import first_return, limit_cycles, path, return_map


def hopf(x):
    """ṙ = r(1 − r²), θ̇ = −2: one cycle of radius 1, period π, clockwise, multiplier e^{−2π}."""
    r2 = x @ x
    return np.array([(1 - r2) * x[0] + 2 * x[1], (1 - r2) * x[1] - 2 * x[0]])


def van_der_pol(x):
    return np.array([x[1], (1 - x[0] ** 2) * x[1] - x[0]])


def two_cycles(x):
    """ṙ = r(1 − r²)(r² − 4)/4, θ̇ = 1: ṙ > 0 between 1 and 2, so 1 repels and 2 attracts."""
    r2 = x @ x
    rate = (1 - r2) * (r2 - 4) / 4
    return np.array([rate * x[0] - x[1], rate * x[1] + x[0]])


def test_hopf_normal_form():
    (cycle,) = limit_cycles(hopf, return_map(hopf, np.linspace(0.3, 2, 5)))
    assert_allclose([cycle.section_radius, cycle.mean_radius, cycle.period], [1, 1, math.pi], rtol=1e-9)
    # ∇·v = 2 − 4r² = −2 on the cycle; central differences with a step of 1e-5 are good to about 1e-9
    assert_allclose(cycle.multiplier, math.exp(-2 * math.pi), rtol=1e-6)
    assert cycle.sense == -1


def test_van_der_pol_oscillator():
    # period and amplitude at μ = 1 as in the literature: 6.66328685932…, 2.00861986087…
    (cycle,) = limit_cycles(van_der_pol, return_map(van_der_pol, np.linspace(0.5, 3, 6)))
    assert_allclose(cycle.period, 6.663286859323130, rtol=1e-8)
    assert_allclose(cycle.section_radius, 2.008619860874843, rtol=1e-8)
    # Liouville's multiplier against the slope of the return map itself
    up, down = (first_return(van_der_pol, cycle.section_radius + d).returned for d in (1e-3, -1e-3))
    assert_allclose(cycle.multiplier, (up - down) / 2e-3, rtol=1e-2)


def test_both_of_two_cycles_with_their_stability():
    inner, outer = limit_cycles(two_cycles, return_map(two_cycles, [3.0, 0.5, 0.8, 1.4]))
    assert_allclose([inner.section_radius, outer.section_radius], [1, 2], rtol=1e-9)
    # dṙ/dr = 3/2 at r = 1 and −6 at r = 2, over a period of 2π
    assert_allclose(inner.multiplier, math.exp(3 * math.pi), rtol=1e-6)
    assert_allclose(outer.multiplier, math.exp(-12 * math.pi), rtol=1e-6)
    assert (inner.sense, outer.sense) == (1, 1)


def test_a_centre_has_orbits_but_no_limit_cycle():
    found = first_return(lambda x: np.array([-x[1], x[0]]), 0.7)
    assert_allclose([found.returned, found.time], [0.7, 2 * math.pi], rtol=1e-10)


def test_an_orbit_that_does_not_come_back_is_not_a_number():
    found = first_return(lambda x: -x, 1.0, horizon=20.0)
    assert math.isnan(found.returned)
    returns = return_map(lambda x: -dw.loss_gradient(x, 0.5), [0.5, 1.0])
    assert [math.isnan(r.time) for r in returns] == [True, True]
    assert limit_cycles(lambda x: -dw.loss_gradient(x, 0.5), returns) == []


@pytest.mark.parametrize("lam", [0.8, 1.5, 5.0])
def test_the_double_well_has_no_limit_cycle(lam):
    def flow(x):
        return -dw.loss_gradient(x, lam)

    returns = return_map(flow, np.geomspace(0.05, 3, 9))
    assert limit_cycles(flow, returns) == []
    assert all(r.returned < r.radius for r in returns)


def test_path_against_the_exponential():
    times = np.linspace(0, 2, 5)
    assert_allclose(path(lambda x: -x, (1.0, 2.0), times), np.exp(-times)[:, None] * [1, 2], rtol=1e-9)
