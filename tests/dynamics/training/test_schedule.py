"""Learning-rate schedules against hand computation."""

import numpy as np
import pytest

from sgdiffusion.config.models import Phase
from sgdiffusion.dynamics.training.schedule import epoch_at, rates


def test_constant_phases_are_steps():
    schedule = [Phase(until=0.5, rate=0.1), Phase(until=1.0, rate=0.01)]
    assert rates(schedule, 4).tolist() == [0.1, 0.1, 0.01, 0.01]


def test_linear_phase_takes_the_mean_of_the_line_over_each_epoch():
    schedule = [Phase(until=0.5, rate=0.2), Phase(until=1.0, rate=0.2, to=0.02)]
    np.testing.assert_allclose(rates(schedule, 8)[4:], 0.2 - 0.18 * np.array([1, 3, 5, 7]) / 8, rtol=1e-14)


def test_burn_in_then_fixed_rate():
    schedule = [Phase(until=0.01, rate=0.1, to=0.001), Phase(until=1.0, rate=0.001)]
    eta = rates(schedule, 1000)
    assert (eta[10:] == 0.001).all()
    assert (np.diff(eta[:10]) < 0).all()


@pytest.mark.parametrize(
    ("fraction", "epochs", "epoch"), [(0.2, 50, 10), (1.0, 7, 7), (0.2, 2, 1), (0.4, 2, 1), (0.001, 5, 1)]
)
def test_epoch_at(fraction, epochs, epoch):
    assert epoch_at(fraction, epochs) == epoch
