"""Fig 4: the zero of a known curve, the exact transition of SGD, checks inside regimes, refusals."""

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.ziyin2025 import phases as study
from sgdiffusion.papers.ziyin2025.common import law_named
from sgdiffusion.papers.ziyin2025.phases import (
    _density_ratio,
    _location_quantities,
    growth,
    locate,
    regimes,
    transition,
    transition_scan,
)
from sgdiffusion.papers.ziyin2025.tables import transition_table
from sgdiffusion.papers.ziyin2025.theory import discrete, phases

T = np.linspace(0.8, 1.2, 6)


def test_zero_of_a_known_curve_with_its_error():
    rng, inside = np.random.default_rng(1), 0
    for _ in range(60):
        curve = 1 - T + 0.3 * (T - 1) ** 2 + 0.02 * rng.standard_normal(T.size)
        found = locate(T, curve, np.full(T.size, 0.02), rng)
        inside += found.low <= 1.0 <= found.high
    assert 50 <= inside <= 60  # 57 of 60 expected, standard error 1.7


def test_no_change_of_sign_is_an_error():
    with pytest.raises(MeasureError, match=r"does not change sign clearly between T = 0\.8 and 1\.2"):
        locate(T, np.full(T.size, 1.0), np.full(T.size, 0.01), np.random.default_rng(1))


def test_growth_of_the_sde_is_that_of_log_v():
    """4(β₂ − α₃T) per unit of time."""
    law = law_named("weak")
    value, error = growth(law, 0, 0.05, chains=2000, duration=10.0, seed=3)
    assert value == pytest.approx(4 * (0.1 - law.constants.alpha3 * 0.05), abs=4 * error)


def test_growth_of_sgd_is_the_lyapunov_exponent():
    """At D = 1 v = uw and both grow alike: d log v/dt = 2 E log|1 + 2η mean(xy)|/η."""
    law, t, batch = law_named("weak"), 0.05, 2
    value, error = growth(law, batch, t, chains=2000, duration=10.0, seed=3)
    rate = t * batch
    exact = 2 * discrete.lyapunov_exponent(law.k, law.noise, rate, batch) / rate
    assert value == pytest.approx(exact, abs=4 * error)


def test_chains_that_leave_zero_are_an_error(monkeypatch):
    monkeypatch.setattr(study, "START", 1e300)
    with pytest.raises(MeasureError, match="left the neighbourhood"):
        growth(law_named("weak"), 1, 0.05, chains=4, duration=5.0, seed=1)


def test_transition_is_located_where_it_is_exactly():
    found = transition(chains=4000, batches=(0, 1), signals=(0.15,), horizons=(20.0, 60.0), seed=5)
    table = transition_table(found["located"])
    error = (table["high"] - table["low"]) / (2 * 1.96)
    assert (np.abs(table["located"] - table["exact"]) < 4 * error).all()
    collapse = found["collapse"].pivot(index="temperature", columns="horizon", values="collapsed")
    assert (collapse.iloc[-1] > collapse.iloc[0]).all()
    assert collapse.iloc[-1].is_monotonic_increasing


def test_shift_of_weak_signals_is_that_of_the_quartic_expansion():
    """1 − 9k²/σ² over 1 − 2k²/σ²: −7 at S = 1; the printed order gives −1."""
    table, rows = transition_scan(1.0)
    value = {r["quantity"]: r["value"] for r in rows}
    assert value["tc.limit.s1.shift"] == pytest.approx(-7, abs=1)  # at k = 0.02 and 0.03
    assert value["tc.limit.s1.explained"] == pytest.approx(1 / 7, rel=0.12)
    for batch in (1, 2, 4):
        assert value[f"tc.limit.s{batch}.over_first_order"] == pytest.approx(1, abs=1e-3)
    assert (table["second"] <= table["printed"]).all()
    assert np.isnan(table.set_index(["batch", "k"]).loc[(4, 0.15), "exact"])  # no transition there


def test_errors_of_both_orders_are_compared():
    rows = {
        r["quantity"]: r
        for r in _location_quantities("tc.x", Estimate(0.9, 0.89, 0.91, 6), 1.0, 0.98, 0.9, 50)
    }
    ratio = rows["tc.x.second_over_first_error"]
    assert ratio["value"] == pytest.approx(0.8)
    assert ratio["low"] < 0.8 < ratio["high"] < 1
    assert rows["tc.x.over_exact"]["value"] == pytest.approx(1.0)


def test_every_regime_is_checked():
    found = regimes(chains=400, seed=6)
    table = found["regimes"]
    assert list(dict.fromkeys(table["regime"])) == ["Ia", "Ib", "IIa", "IIb", "III"]
    value = found["quantities"].set_index("quantity")
    assert value.loc["fig4.Ia.collapsed", "value"] > 0.95
    for name in ("IIa", "IIb"):
        assert value.loc[f"fig4.{name}.origin", "high"] < 0
        low, high = value.loc[f"fig4.{name}.origin_minus_theory", ["low", "high"]]
        assert low - 0.2 < 0 < high + 0.2
    assert value.loc["fig4.III.maximum", "value"] > 3


def test_points_lie_in_the_regimes_they_are_named_for(monkeypatch):
    for name, (noise, t) in study.POINTS.items():
        assert phases.regime(study.Linear(1.0, noise).constants, t) == name
    monkeypatch.setattr(study, "POINTS", {"III": (1.0, 0.5)})
    with pytest.raises(MeasureError, match="is not in regime III"):
        regimes(chains=10)


def test_empty_windows_are_an_error():
    with pytest.raises(MeasureError, match="no draws within 10 %"):
        _density_ratio(np.array([1.0, 1.01]), 1.0, 0.1)
