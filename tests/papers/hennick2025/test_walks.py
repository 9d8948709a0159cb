"""Tables and quantities of the moons walks against displacements whose exponents are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.hennick2025 import walks as study
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.verdicts import read_quantities


def powered(moons: Moons, exponent: float) -> Moons:
    """The same nets with displacements R = A t^exponent, A differing between nets."""
    amplitude = np.linspace(1, 2, len(moons.theta))[:, None]
    return replace(moons, displacements=amplitude * moons.steps[None] ** exponent)


def test_local_slopes_of_a_power_law(moons: Moons):
    table = study.displacement_table(powered(moons, 0.3), root_seed=0, resamples=50)
    assert_allclose(table[["local_slope", "slope_low", "slope_high"]], 0.3, atol=1e-9)
    assert_allclose(table["mean"], 1.5 * table["step"] ** 0.3)
    assert (table["low"] < table["mean"]).all()
    assert (table["mean"] < table["high"]).all()
    assert table["time"].iloc[-1] == 1


def test_nets_follow_equation_17(moons: Moons, coefficients):
    nets = study.net_table(powered(moons, 0.3), *coefficients, window=(0.1, 1.0))
    assert_allclose(nets["slope"], 0.3, atol=1e-9)
    assert_allclose(nets["spectral_dimension"], 0.6 * nets["mean_llc"], rtol=1e-9)
    assert_allclose(nets["ratio"], nets["llc"] / nets["spectral_dimension"])
    along = coefficients[1].pivot(index="net", columns="step", values="llc").to_numpy()
    # steps 40, 200, 300, 400 of 400: constant before the first, trapezoids after
    weights = np.array([40 + 80, 80 + 50, 50 + 50, 50]) / 400
    assert_allclose(nets["mean_llc"], along @ weights, rtol=1e-9)
    assert_allclose(nets["late_drift"], (along[:, 3] - along[:, 1]) / np.abs(nets["mean_llc"]))


def test_coefficients_are_of_the_right_weights(moons: Moons, coefficients):
    end, along = coefficients
    assert len(end) == 14
    assert len(along) == 14 * 4
    last = along[along["step"] == 400]
    assert_allclose(end["loss"], last["loss"], rtol=1e-6)
    assert_allclose(end.loc[3, "baseline"], end.loc[3, "loss"], rtol=1e-4)  # all examples in every step


class Plan:
    """The settings that quantities read."""

    early_steps = (2, 20)
    window = (0.1, 1.0)
    windows = ((0.2, 1.0),)


@pytest.fixture(scope="module")
def quantities(moons: Moons, nets: pd.DataFrame):
    walk = powered(moons, 0.3)
    nets = nets.assign(slope=0.3, slope_high=0.31, spectral_dimension=0.6 * nets["mean_llc"])
    models = study.model_table(walk, window=(0.1, 1.0))
    return read_quantities([study.walk_quantities(walk, nets, models, Plan, root_seed=0)])


def test_quantities_of_a_power_law(quantities):
    for name in ("exponent.early", "exponent.late", "exponent.late.from-0.2"):
        found = quantities[f"moons.{name}"]
        assert_allclose([found.value, found.low, found.high], 0.3, atol=1e-9)
    assert quantities["moons.best_power"].value == 1
    assert quantities["moons.best_brownian"].value == 0
    assert quantities["moons.below_line"].value == quantities["moons.forced"].value == 1
    assert quantities["moons.slope_below_half"].value == 1
    assert quantities["moons.llc"].n == 14


def test_no_single_path_has_a_large_dimension(moons: Moons, nets: pd.DataFrame):
    """V ≤ t + 1 balls for t steps: d_s is at most 2, of a straight line and of 50-d Brownian motion."""
    found = study.independent_table(moons, nets, radii=(1.0, 2.0), root_seed=0)
    known = read_quantities([study.independent_quantities(found)])
    for paths in ("drift", "brownian"):
        assert 1.8 < known[f"moons.independent.{paths}.volume.radius-1"].value < 2.01
    assert set(found["paths"]) == {"nets", "drift", "brownian"}


def test_coefficients_are_compared_with_a_regular_model(quantities, nets: pd.DataFrame, moons: Moons):
    d = moons.theta.shape[1]
    assert quantities["moons.llc_over_regular"].value == pytest.approx(2 * nets["llc"].median() / d)


def test_skewness_is_scipys():
    from scipy.stats import skew

    values = np.random.default_rng(0).exponential(size=200)
    assert_allclose(study._skewness(values), skew(values), rtol=1e-12)


def test_unmeasurable_dimensions_are_said_not_faked(moons: Moons, nets: pd.DataFrame):
    table = study.independent_table(moons, nets, radii=(1e-6,), root_seed=0)
    table = table[table["paths"] == "nets"].set_index("method")
    assert "use a larger radius" in table.loc["returns", "note"]
    assert np.isnan(table.loc["returns", "value"])


def test_a_window_beyond_the_trajectory_is_refused(moons: Moons, coefficients):
    with pytest.raises(MeasureError, match="a fit needs 6"):
        study.net_table(moons, *coefficients, window=(0.95, 1.0))
