"""Fig 1 and Corollary 3.3: the study's numbers against loops of their own and the closed form."""

import numpy as np
import pytest

from sgdiffusion.errors import ConfigError, MeasureError
from sgdiffusion.measures.statistics.intervals import share
from sgdiffusion.papers.ziyin2025.common import law_named
from sgdiffusion.papers.ziyin2025.plane import (
    NOISE_RATES,
    RATE,
    START,
    _ratio,
    balance_rates,
    bound_rate,
    contrast,
    matched_noise,
)


@pytest.fixture(scope="module")
def drawn():
    return contrast(chains=200, steps=600)


def test_gd_follows_a_loop_of_its_own(drawn):
    c = law_named("between").constants
    u, w = START
    for _ in range(600):
        g = 2 * (c.beta1 * u * w - c.beta2)
        u, w = u - RATE * g * w, w - RATE * g * u
    paths = drawn["paths"]
    last = paths[(paths["method"] == "gd") & (paths["chain"] == 0)].iloc[-1]
    assert last["step"] == 600
    assert (last["u"], last["w"]) == pytest.approx((u, w), rel=1e-12)
    change = abs((u**2 - w**2) / (START[0] ** 2 - START[1] ** 2) - 1)
    quantities = drawn["quantities"].set_index("quantity")["value"]
    assert quantities["fig1.gd.change"] == pytest.approx(change, rel=0.05)


def test_three_methods_differ_as_published(drawn):
    table = drawn["imbalance"]
    end = (
        table[(table["method"] != "gd-noise") | (table["rate"] == min(NOISE_RATES))].groupby("method").last()
    )
    assert end.loc["gd", "rms"] == pytest.approx(1.0, abs=0.02)
    assert end.loc["sgd", "rms"] < 0.5  # 600 steps are 1.5 e-folds of the contraction
    assert end.loc["gd-noise", "rms"] > 1.05
    assert (drawn["imbalance"]["low"] <= drawn["imbalance"]["high"]).all()


def test_small_steps_of_gd_with_noise_make_a_martingale(drawn):
    """E(u² − w²) stays as it is and its mean square grows by 4s² ∫E(u² + w²)dt; so does a loop of its own."""
    table = drawn["imbalance"]
    last = table[(table["method"] == "gd-noise") & (table["rate"] == min(NOISE_RATES))].iloc[-1]
    assert last["mean"] == pytest.approx(1, abs=4 * last["mean_error"])
    assert last["rms"] == pytest.approx(last["martingale"], rel=0.25)  # 200 chains
    law, rate, rng = law_named("between"), 0.0025, np.random.default_rng(3)
    c, s = law.constants, matched_noise(law, rate)
    u, w = (np.full(1000, x) for x in START)
    q0, area = START[0] ** 2 - START[1] ** 2, 0.0
    for _ in range(round(600 * RATE / rate)):
        area += rate * float((u**2 + w**2).mean())
        g = 2 * (c.beta1 * u * w - c.beta2)
        u, w = (
            u - rate * g * w + s * rng.standard_normal(1000),
            w - rate * g * u + s * rng.standard_normal(1000),
        )
    predicted = np.sqrt(1 + 4 * s**2 / rate * area / q0**2)
    assert last["martingale"] == pytest.approx(predicted, rel=0.1)
    assert np.sqrt((((u**2 - w**2) / q0) ** 2).mean()) == pytest.approx(predicted, rel=0.1)


def test_the_bound_of_the_imbalance_holds_for_every_chain_of_the_sde():
    found = balance_rates(chains=20, decays=(0.0, 0.03), duration=8.0, seed=3)
    value = found["quantities"].set_index("quantity")["value"]
    for decay in ("0", "0.03"):
        assert value[f"eq7.sde.g{decay}.largest"] <= 1 + 1e-9
    law = law_named("between")
    v = np.linspace(-3, 5, 2001)
    assert bound_rate(law, 0.1, 0.0) == pytest.approx(0.4 * law.constants.noise(v).min(), rel=1e-4)


def test_injected_noise_has_the_variance_of_sgd_at_the_balanced_minimum():
    law, rng, n = law_named("between"), np.random.default_rng(1), 400_000
    x = rng.standard_normal(n)
    y = law.k * x + law.noise * rng.standard_normal(n)
    weight = np.sqrt(law.constants.minimiser)
    step = RATE * 2 * x * (law.constants.minimiser * x - y) * weight
    # The variance of the squares of products of normals is about ten times their square.
    assert step.std() == pytest.approx(matched_noise(law, RATE), rel=4 * np.sqrt(10 / n))


def test_rate_is_that_of_the_corollary_and_decay_adds_four_times_gamma():
    found = balance_rates(chains=40, decays=(0.0, 0.03), duration=8.0, seed=3)
    table = found["rates"].set_index(["simulator", "decay"])
    for case in (("sde", 0.0), ("sde", 0.03), ("sgd", 0.03)):
        assert table.loc[case, "over_derived"] == pytest.approx(1.0, abs=0.03)
    assert table.loc[("sgd", 0.0), "over_derived"] == pytest.approx(1.0, abs=0.1)
    # (0.01 · 1 + 4 · 0.03)/(0.01 · 1 + 0.03) = 3.2: the printed form is far off.
    assert table.loc[("sde", 0.03), "over_printed"] == pytest.approx(3.2, abs=0.1)
    assert set(found["quantities"]["over"]) == {"chains"}


def test_balance_beyond_rounding_is_an_error():
    with pytest.raises(MeasureError, match="zero to rounding"):
        balance_rates(chains=2, decays=(5.0,), duration=100.0)


def test_negative_temperature_is_an_error():
    with pytest.raises(ConfigError, match="records must be increasing whole numbers of steps"):
        balance_rates(chains=2, temperature=-0.1)


def test_ratio_of_paired_samples_covers_the_truth():
    rng, inside = np.random.default_rng(5), 0
    for _ in range(200):
        expected = rng.gamma(5.0, size=50)
        found = _ratio(1.3 * expected + 0.2 * rng.standard_normal(50), expected)
        inside += found.low <= 1.3 <= found.high
    assert 180 <= inside <= 199  # 95 % of 200, ± 3 standard errors, slightly low for 50 pairs


def test_unknown_law_is_named():
    with pytest.raises(MeasureError, match="no data law 'odd': there are above"):
        law_named("odd")


def test_wilson_interval_stays_inside():
    assert share(0, 50).low == 0.0
    assert share(50, 50).high == 1.0
    assert share(0, 50).high == pytest.approx(0.0714, abs=5e-4)  # Wilson, 1927
