"""Fig 3 left and mid: distances of draws from the law itself, relaxation, small runs, refusals."""

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.dynamics.chains.sde_diagonal import run_effective
from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025 import densities as study
from sgdiffusion.papers.ziyin2025.common import law_named, plain
from sgdiffusion.papers.ziyin2025.densities import (
    _adjusted,
    _median,
    _moves,
    convergence,
    densities,
    distance_row,
    histogram_rows,
    relaxation_rate,
)
from sgdiffusion.papers.ziyin2025.tables import distances_table
from sgdiffusion.papers.ziyin2025.theory.laws import invariant_law
from sgdiffusion.papers.ziyin2025.theory.stationary import PointMass

CASE = {"law": "above", "temperature": 0.5, "depth": 1, "simulator": "sde"}


@pytest.fixture(scope="module")
def small():
    return densities(chains=300, seed=2)


def test_draws_of_the_law_itself_are_not_rejected_and_fill_its_bins():
    law = invariant_law(law_named("above").constants, 0.5, 1)
    v = law.sample(np.random.default_rng(3), 4000)
    row = distance_row(CASE, v, law)
    assert row["p_value"] > 1e-3
    assert row["escaped"] == 0
    assert row["median_low"] < float(law.quantile(0.5)) < row["median_high"]  # misses one time in twenty
    bins = histogram_rows(CASE, v, np.linspace(0, 1.5, 16), law)
    pulls = (bins["density"] - bins["theory"]) / bins["error"]
    assert (pulls**2).mean() < 3  # chi-squared of 15 bins: 1 ± 0.37


def test_escaped_and_collapsed_chains_are_shares_of_all():
    v = np.array([np.nan, np.nan, 1e-5, 0.5])
    row = distance_row(CASE, v, PointMass(0.0, "T above T_c"))
    assert (row["n"], row["escaped"], row["collapsed"]) == (2, 0.5, 0.25)
    assert np.isnan(row["distance"])
    nothing = distance_row(CASE, np.full(3, np.nan), PointMass(0.0, ""))
    assert nothing["escaped"] == 1.0
    assert np.isnan(nothing["median"])


def test_relaxation_near_zero_is_that_of_simulated_chains():
    """E of a bounded function approaches its limit at least as fast as the rate says."""
    law, t = law_named("above"), 0.5
    rate = relaxation_rate(law.constants, t, 1)
    drift, variance = 4 * (0.5 - law.constants.alpha3 * t), 16 * law.constants.alpha3 * t
    assert rate == pytest.approx(drift**2 / (2 * variance))
    target = invariant_law(law.constants, t, 1)
    times = np.array([2.0, 6.0]) / rate
    v = run_effective(np.full(4000, law.k), plain(law.constants), t, times, accuracy=0.3, seed=1).v
    far = np.abs((v < 0.1).mean(0) - float(target.cdf(0.1)))
    assert far[1] < 0.25 * far[0] + 4 * 0.5 / np.sqrt(4000)


def test_relaxation_about_the_minimum_at_other_depths():
    c = law_named("above").constants
    assert relaxation_rate(c, 0.1, 0) == pytest.approx(2.0)
    assert relaxation_rate(c, 0.1, 2) == pytest.approx(6 * 0.5 ** (4 / 3))


def test_small_run_is_not_rejected_where_a_density_exists(small):
    table = small["distances"]
    sde = table[(table["simulator"] == "sde") & table["p_value"].notna()]
    assert len(sde) == 7 + 4
    assert sde["p_value"].min() > 1e-4
    hot = table[(table["law"] == "between") & (table["temperature"] == 0.5) & (table["depth"] == 1)]
    assert hot["distance"].isna().all()
    assert hot.set_index("simulator").loc["sde", "collapsed"] > 0.5
    assert set(small["histograms"].attrs["columns"]) == set(small["histograms"].columns)
    assert list(distances_table(table).columns)[:4] == ["law", "temperature", "depth", "simulator"]


def test_quantities_are_numbers_even_where_chains_overflow(small):
    assert np.isfinite(small["quantities"][["value", "low", "high"]].to_numpy()).all()
    names = set(small["quantities"]["quantity"])
    assert {"eq12.ks_p", "eq14.ks_p", "eq15.ks_p", "fig3.above.d1.median_ratio"} <= names
    assert "fig3.between.d1.median_ratio" not in names  # no density at T = 0.5


def test_least_p_value_is_corrected_for_the_number_of_tests():
    rows = [
        {"simulator": "sde", "depth": d, "p_value": p, "n": 9} for d, p in ((0, 0.02), (0, 0.5), (0, np.nan))
    ]
    rows += [{"simulator": "sde", "depth": d, "p_value": 0.9, "n": 9} for d in (1, 1, 2)]
    rows += [{"simulator": "sgd", "depth": 0, "p_value": 1e-9, "n": 9}]
    value = {r["quantity"]: r["value"] for r in _adjusted(pd.DataFrame(rows))}
    assert value == {"eq12.ks_p": 0.04, "eq15.ks_p": 1.0, "eq14.ks_p": 0.9}


def test_median_interval_covers():
    rng, inside = np.random.default_rng(8), 0
    for _ in range(300):
        found = _median(rng.exponential(size=80))
        inside += found["median_low"] <= np.log(2) <= found["median_high"]
    assert 270 <= inside <= 298  # 285 ± 4 standard errors


def test_median_ratio_needs_both_temperatures():
    rows = pd.DataFrame(
        [{**CASE, "p_value": 0.5, "n": 5, "median": 1.0, "median_low": 0.9, "median_high": 1.1}]
    )
    assert _moves(rows, "sde") == []


def test_schemes_converge():
    found = convergence(chains=3000, duration=6.0, accuracies=(0.8, 0.1))
    table = found["convergence"].pivot(index="scheme", columns="accuracy", values="distance")
    assert (table.loc[["euler", "milstein"], 0.8] > 2 * table.loc[["euler", "milstein"], 0.1]).all()
    assert table.loc["platen", 0.1] < found["convergence"]["critical"].iloc[0]


def test_convergence_needs_a_density():
    with pytest.raises(MeasureError, match="where a density exists"):
        convergence(law="between", temperature=0.5)


def test_cases_hold_every_panel():
    cases = study._cases(("above",))
    assert len(cases) == 8 + len(study.DEEP)
