"""Lines in coloured noise: level and power of the test; autoregression and slope against closed forms."""

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories import periodicity
from sgdiffusion.measures.trajectories.nulls import Fit, brownian, ornstein_uhlenbeck


def coloured(n, m, seed):
    """A path whose increments are an AR(2) with a broad hump, which is a colour and no line."""
    steps = np.random.default_rng(seed).standard_normal((n, m))
    return np.cumsum(lfilter([1.0], [1.0, -0.9, 0.4], steps, axis=0), axis=0)


@pytest.mark.parametrize("kind", ["white", "autoregressive", "bound"])
def test_level_without_lines(kind):
    generator = np.random.default_rng(0)
    if kind == "white":
        paths = brownian(generator, 2001, 400)
    elif kind == "autoregressive":
        paths = coloured(2001, 400, 1)
    else:
        fit = Fit(np.array([0.97]), np.array([1.0]), np.zeros(1))
        paths = ornstein_uhlenbeck(generator, 2001, fit, 400, burn_in=200)
    found = periodicity.peaks(paths)
    rate = (found.p_value < 0.05).mean()
    # exact for a locally flat spectrum; an autoregression of finite order is nearly that: + 2 points
    assert rate < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400) + 0.02
    assert (found.p_holm < 0.05).sum() <= 1


def test_p_values_are_uniform_on_white_increments():
    """The chance that any of F ordinates exceeds its bound is 1 − (1 − α/F)^F ≈ α for small α."""
    found = periodicity.peaks(brownian(np.random.default_rng(2), 801, 2000), half_window=50)
    for alpha in (0.01, 0.05):
        rate = (found.p_value < alpha).mean()
        assert rate == pytest.approx(alpha, abs=4 * np.sqrt(alpha / 2000) + alpha**2 / 2)


@pytest.mark.parametrize("base", ["white", "autoregressive"])
def test_a_sine_is_found_with_its_frequency(base):
    n, m, f = 2001, 20, 0.23
    paths = coloured(n, m, 3) if base == "autoregressive" else brownian(np.random.default_rng(3), n, m)
    phases = np.random.default_rng(4).uniform(0, 2 * np.pi, m)
    line = 0.4 * np.sin(2 * np.pi * f * np.arange(n)[:, None] + phases)
    # the increments' line has amplitude 0.4·2 sin(πf) ≈ 0.53, so n·0.53²/4 ≈ 140 times unit noise power
    found = periodicity.peaks(paths + line)
    assert (found.p_holm < 1e-3).all()
    np.testing.assert_allclose(found.frequency, f, atol=1 / n)


def test_autoregression_solves_yule_walker():
    series = coloured(5001, 3, 5)[1:] - coloured(5001, 3, 5)[:-1]
    found = periodicity.autoregression(series, max_order=2)
    for column, y in enumerate((series - series.mean(0)).T):
        gamma = [np.dot(y[: len(y) - k], y[k:]) for k in range(3)]
        np.testing.assert_allclose(found[:, column], solve_toeplitz(gamma[:2], gamma[1:]), rtol=1e-9)
    np.testing.assert_allclose(found.mean(axis=1), [0.9, -0.4], atol=0.05)  # 4 s.e. of √((1 − 0.16)/15,000)


def test_order_is_the_one_of_least_bic():
    white = np.random.default_rng(6).standard_normal((2000, 50))
    orders = (periodicity.autoregression(white) != 0).sum(axis=0)
    # BIC overfits by one order with probability P(χ²₁ > ln 2000) = 0.6 %, somewhat more over eight orders
    assert (orders == 0).mean() > 0.9
    humped = np.diff(coloured(2001, 50, 7), axis=0)
    assert ((periodicity.autoregression(humped) != 0).sum(axis=0) >= 2).all()


def test_short_series_use_a_narrower_window():
    found = periodicity.peaks(brownian(np.random.default_rng(8), 110, 5))
    assert np.isfinite(found.ratio).all()
    with pytest.raises(MeasureError, match="at least 20 cycles needs 103 increments, found 99"):
        periodicity.peaks(brownian(np.random.default_rng(8), 100, 5))


def test_a_slow_drift_is_no_line():
    n, m = 4001, 50
    paths = brownian(np.random.default_rng(11), n, m)
    drift = 900 * np.exp(-np.arange(n) / 1500)[:, None]  # its increments go from −0.6 to −0.04
    assert (periodicity.peaks(paths + drift, fewest_cycles=1).p_holm < 0.01).all()
    assert not (periodicity.peaks(paths + drift).p_holm < 0.01).any()
