"""Tails and E[v²]: small runs against the closed forms."""

import numpy as np
import pytest

from sgdiffusion.papers.ziyin2025.common import law_named
from sgdiffusion.papers.ziyin2025.stationary_laws import (
    FAR,
    TAIL_DATA,
    _limit,
    _survival,
    discrete_tail,
    moment_growth,
    second_moments,
    tails,
)
from sgdiffusion.papers.ziyin2025.tables import tails_table


def test_tails_of_small_samples_hold_the_exponents():
    found = tails(
        depths=(1, 3), shallow_temperatures=(0.05,), sgd_rates=(0.5,), chains=1500, accuracy=0.3, seed=2
    )
    table = tails_table(found["exponents"])
    assert table["theory"].tolist() == pytest.approx([3.5, 4.25, 3.0, 3.0])
    error = (table["high"] - table["low"]) / (2 * 1.96)
    truth = table["exact"].fillna(table["theory"])
    assert (np.abs(table["exponent"] - truth) < 4 * error).all()
    assert TAIL_DATA.alpha2 == 0
    names = set(found["quantities"]["quantity"])
    assert {"tail.d1.minus_theory", "tail.d0.t0.05.exponent", "tail.sgd.t0.5.minus_exact"} <= names


def test_survival_is_a_density():
    draws = np.random.default_rng(3).pareto(2.5, 20_000) + 0.01
    bins = _survival("sde", 1, 0.5, draws)
    assert (bins["density"] * (bins["high"] - bins["low"])).sum() == pytest.approx(1.0, abs=0.01)


def test_local_slopes_of_a_power_law_are_its_exponent():
    draws = 0.02 * np.random.default_rng(4).uniform(size=200_000) ** (-1 / 2.5)  # p ~ v^{−7/2} above 0.02
    bins = _survival("sde", 1, 0.5, draws)
    inside = bins[(bins["low"] > 0.1) & bins["slope"].notna()]
    pulls = (inside["slope"] + 3.5) / inside["slope_error"]
    assert len(inside) > 6
    assert np.abs(pulls).max() < 4
    assert inside["slope_error"].min() < 0.1
    assert bins["slope"].iloc[[0, 1, -1, -2]].isna().all()


def test_second_moments_and_where_they_end():
    found = second_moments(temperatures=(0.05, 0.1, 0.4), chains=4000, seed=4)
    table = found["moments"]
    sure = table[table["fourth_exists"]]
    assert len(sure) >= 3
    error = (sure["high"] - sure["low"]) / (2 * 1.96)
    assert (np.abs(sure["second_moment"] - sure["theory"]) < 4 * error).all()
    assert np.isinf(table[(table["simulator"] == "sgd") & (table["temperature"] == 0.4)]["theory"]).all()
    for row in found["quantities"].to_dict("records"):
        error = (row["high"] - row["low"]) / (2 * 1.96)
        assert abs(row["value"] - 1) < 4 * error


@pytest.mark.parametrize("simulator", ["sde", "sgd"])
def test_growth_of_the_second_moment(simulator):
    """−4(β₁ − α₁T) for the SDE, log(1 − 4η + 12η²)/η for SGD at S = 1."""
    data, t = law_named("above"), np.array([0.2, 0.3])
    found = moment_growth(simulator, data, t, 20_000, 1, 1)
    truth = -4 * (1 - 2 * t) if simulator == "sde" else np.log(1 - 4 * t + 12 * t**2) / t
    assert (np.abs(found["growth"] - truth) < 4 * found["error"]).all()
    assert FAR > 1e6


def test_limit_is_the_zero_of_growth():
    data = law_named("above")
    found = moment_growth("sde", data, 0.5 * np.linspace(0.8, 1.2, 5), 500, 2, 1)
    exact = found.assign(growth=-4 * (1 - 2 * found["temperature"]))
    row = _limit(exact, 0.5, 500)
    assert row["value"] == pytest.approx(1.0, abs=1e-9)
    assert row["low"] < 1 < row["high"]


def test_light_tails_count_as_infinite():
    assert discrete_tail(0.001) == np.inf
    assert 2 < discrete_tail(0.3) < 4
