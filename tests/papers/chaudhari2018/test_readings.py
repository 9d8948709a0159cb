"""Bounds on printed statistics and the factor of App. A.2, against enumeration and direct construction."""

import numpy as np
import pytest

from sgdiffusion.papers.chaudhari2018 import readings
from sgdiffusion.verdicts import read_quantities


def test_bound_is_met_by_equal_values_and_exceeded_by_others():
    equal = np.r_[np.zeros(90), np.full(10, 3.0)]
    spread = np.r_[np.zeros(90), np.arange(1.0, 11.0)]
    bound = readings.least_sd_over_mean(0.1)
    assert equal.std() / equal.mean() == pytest.approx(bound)
    assert spread.std() / spread.mean() > bound


def test_fig1a_can_be_over_all_eigenvalues_and_fig2a_cannot():
    published = {
        "fig1a": {"mean": 0.3e-3, "sd": 2.11e-3, "rank_percent": 1.8},
        "fig2a": {"mean": 0.27, "sd": 0.84, "rank_percent": 0.34},
    }
    found = read_quantities([readings.quantities(published)])
    assert found["readings.fig1a.printed_over_least"].value == pytest.approx(7.033 / 7.386, abs=1e-3)
    assert found["readings.fig2a.printed_over_least"].value < 0.2


def test_what_rounding_allows():
    """0.3 ± 2.11 of rank 1.8 % may be 0.25 and 2.115 of 1.85 %: non-zero values then vary by 0.59 at most."""
    assert readings.rounding(0.3e-3) == pytest.approx(0.05e-3)
    assert readings.rounding(18.5e-3) == pytest.approx(0.05e-3)
    assert readings.rounding(1.8) == pytest.approx(0.05)
    published = {"fig1a": {"mean": 0.3e-3, "sd": 2.11e-3, "rank_percent": 1.8}}
    found = read_quantities([readings.quantities(published)])
    least = np.sqrt(1 / 0.0185 - 1)
    assert found["readings.fig1a.printed_over_least_rounded"].value == pytest.approx(8.46 / least, rel=1e-3)
    assert found["readings.fig1a.largest_variation"].value == pytest.approx(0.586, abs=1e-3)


def test_largest_variation_by_construction():
    values = np.r_[np.zeros(90), np.arange(1.0, 11.0)]
    found = readings.largest_variation(values.std() / values.mean(), 0.1)
    assert found == pytest.approx(values[90:].std() / values[90:].mean())
    assert np.isnan(readings.largest_variation(2.9, 0.1))  # below the bound of 3


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_only_the_derived_factor_gives_the_variance(size: int):
    g, n = readings.GRADIENTS, len(readings.GRADIENTS)
    truth = readings.variance_by_enumeration(g, size)
    assert readings.variance_by_formula(g, size, 1 + 1 / (n - 1)) == pytest.approx(truth, abs=1e-12)
    if size < n:  # the whole set has no variance, whatever the factor
        assert readings.variance_by_formula(g, size, 1 - 1 / (n - 1)) > 1.05 * truth


def test_factor_quantities_are_relative_errors():
    printed, derived = (row["value"] for row in readings.factor_quantities())
    assert printed > 0.05
    assert derived < 1e-12
