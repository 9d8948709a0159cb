"""Spectra, autocorrelations and variance ratios against closed forms and slow twins."""

import numpy as np
import pytest
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.multiple import holm
from sgdiffusion.measures.trajectories import fluctuations as measures


def noise(n, m, seed):
    return np.random.default_rng(seed).standard_normal((n, m))


def ar1(n, m, phi, seed, burn_in=500):
    steps = noise(n + burn_in, m, seed)
    out = np.empty_like(steps)
    x = np.zeros(m)
    for k, row in enumerate(steps):
        x = phi * x + row
        out[k] = x
    return out[burn_in:]


def test_burn_in_is_left_out():
    weights = np.arange(200.0).reshape(100, 2)
    kept = measures.after_burn_in(weights, np.arange(0, 200, 2), 50)
    np.testing.assert_array_equal(kept, weights[25:])


@pytest.mark.parametrize("epochs", [np.arange(100), np.arange(0)])
def test_trajectory_shorter_than_the_burn_in(epochs):
    with pytest.raises(MeasureError, match="0 snapshots after the burn-in of 1000 epochs"):
        measures.after_burn_in(np.zeros((len(epochs), 2)), epochs, 1000)


def test_snapshots_without_epochs():
    with pytest.raises(MeasureError, match="5 snapshots but 4 epochs"):
        measures.after_burn_in(np.zeros((5, 2)), np.arange(4), 0)


def test_moving_leaves_out_rounding():
    walk = (1 + 0.01 * np.cumsum(noise(1000, 3, 0), axis=0)).astype(np.float32)
    walk[:, 1] = 1.0
    walk[:, 2] = 1.0 + np.spacing(np.float32(1)) * (noise(1000, 1, 1)[:, 0] > 0)
    assert measures.moving(walk).tolist() == [True, False, False]


def slow_amplitudes(path):
    """The definition, summed term by term."""
    d = np.diff(path)
    n, k = len(d), np.arange(len(d))
    d = d - d.mean()
    f = np.arange(1, (n + 1) // 2) / n
    sums = np.array([abs(np.sum(d * np.exp(-2j * np.pi * v * k))) for v in f])
    return f, sums / np.sqrt(n * np.mean(d**2))


@pytest.mark.parametrize("n", [60, 61])
def test_spectrum_equals_its_definition(n):
    paths = np.cumsum(noise(n, 40, 2), axis=0)  # more weights than a block
    spectrum = measures.increment_spectrum(paths)
    slow = [slow_amplitudes(path) for path in paths.T]
    np.testing.assert_allclose(spectrum.frequency, slow[0][0], rtol=1e-14)
    amplitudes = np.array([a for _, a in slow])
    np.testing.assert_allclose(spectrum.mean, amplitudes.mean(0), rtol=1e-10)
    np.testing.assert_allclose(spectrum.sd, amplitudes.std(0), rtol=1e-8)
    np.testing.assert_allclose(spectrum.power, (amplitudes**2).mean(0), rtol=1e-10)


def test_spectrum_of_white_increments():
    """E[A²] = 1, E[A] = √π/2, s.d. √(1 − π/4): means over 100 weights × 1023 frequencies, seed 3."""
    spectrum = measures.increment_spectrum(np.cumsum(noise(2049, 100, 3), axis=0))
    count = 100 * len(spectrum.frequency)
    assert spectrum.power.mean() == pytest.approx(1, abs=1e-3)  # fixed by the normalisation, but for f = ½
    error = np.sqrt(1 - np.pi / 4) / np.sqrt(count)
    assert spectrum.mean.mean() == pytest.approx(np.sqrt(np.pi) / 2, abs=4 * error)
    # population s.d. of 100 draws is low by about 1/200 of itself; its own error is far smaller
    assert np.sqrt((spectrum.sd**2).mean()) == pytest.approx(np.sqrt((1 - np.pi / 4) * 0.99), abs=4 * error)


def test_spectrum_of_an_autoregression():
    """x AR(1): Δx has the spectrum 4 sin²(πf)/|1 − φe^{−2πif}|², its mean over frequencies taken out."""
    phi, m = 0.7, 200
    spectrum = measures.increment_spectrum(ar1(1025, m, phi, 4))
    f = spectrum.frequency
    law = 4 * np.sin(np.pi * f) ** 2 / np.abs(1 - phi * np.exp(-2j * np.pi * f)) ** 2
    law /= 2 / (1 + phi)  # Var Δx for unit noise
    # each mean of m exponential variables has relative error 1/√m; 511 of them within 4.5 of it, and leakage
    # adds 1/n of the total power, which matters only where the law is nearly zero
    assert (np.abs(spectrum.power - law) < 4.5 * law / np.sqrt(m) + 5 / 1024).all()


def test_a_sine_stands_where_it_is():
    k = np.arange(1001)
    paths = 0.1 * np.cumsum(noise(1001, 8, 5), axis=0) + np.sin(2 * np.pi * 0.12 * k)[:, None]
    spectrum = measures.increment_spectrum(paths)
    assert spectrum.frequency[spectrum.power.argmax()] == pytest.approx(0.12, abs=1e-12)


def test_on_one_scale_weights_that_move_more_count_more():
    """Two white weights, one with ten times the steps: nearly all of the power is its own."""
    paths = np.cumsum(noise(2049, 2, 5), axis=0) * np.array([10.0, 1.0])
    each, common = (measures.increment_spectrum(paths, one_scale=flag) for flag in (False, True))
    steps = np.diff(paths, axis=0)
    powers = np.square(np.abs(np.fft.rfft(steps - steps.mean(axis=0), axis=0)))[1:1024] / len(steps)
    np.testing.assert_allclose(common.power, powers.mean(axis=1) / steps.var(axis=0).mean(), rtol=1e-10)
    np.testing.assert_allclose(each.power, (powers / steps.var(axis=0)).mean(axis=1), rtol=1e-10)
    assert common.power.mean() == pytest.approx(1, abs=1e-3)
    assert np.median(common.sd / common.mean) > 3 * np.median(each.sd / each.mean) / 2


def slow_autocorrelation(path):
    x = path - path.mean()
    n = len(x)
    return np.array([np.sum(x[: n - lag] * x[lag:]) for lag in range(n)]) / np.sum(x**2)


def test_autocorrelation_equals_its_definition():
    paths = ar1(97, 35, 0.9, 6)
    found = measures.autocorrelation(paths, np.arange(97))
    slow = np.array([slow_autocorrelation(p) for p in paths.T]).T
    np.testing.assert_allclose(found.values, slow, atol=1e-12)
    expected = [np.flatnonzero(r < np.exp(-1))[0] for r in slow.T]
    np.testing.assert_array_equal(found.decorrelation, expected)


def test_autocorrelation_of_an_autoregression():
    """r(τ) → φ^τ; Bartlett's variance at lag τ, bias of order 1/n."""
    phi, n, m = 0.8, 20_000, 64
    lags = np.array([0, 1, 2, 5, 10])
    values = measures.autocorrelation(ar1(n, m, phi, 7), lags).values
    variance = ((1 + phi**2) * (1 - phi ** (2 * lags)) / (1 - phi**2) - 2 * lags * phi ** (2 * lags)) / n
    error = np.sqrt(variance / m)
    bias = 20 / n  # (1 + 3φ)/n and like terms, rounded up
    assert (np.abs(values.mean(1) - phi**lags) <= 4 * error + bias).all()


def test_white_noise_stays_in_the_band():
    n, m = 4000, 300
    lags = np.arange(1, 51)
    values = measures.autocorrelation(noise(n, m, 8), lags).values
    outside = (np.abs(values) > measures.white_band(n)).mean()
    # 15,000 nearly independent tries at 1 %: s.e. 0.08 %
    assert outside == pytest.approx(0.01, abs=4 * np.sqrt(0.01 * 0.99 / values.size))
    assert measures.white_band(n) == pytest.approx(2.5758293 / np.sqrt(n), rel=1e-7)


def test_bartlett_band_against_the_sum():
    lags = np.arange(30)
    r = 0.9**lags
    band = measures.bartlett_band(r, lags, 500)
    slow = [np.sqrt((1 + 2 * np.sum(r[1:t] ** 2)) / 500) if t else np.sqrt(1 / 500) for t in lags]
    np.testing.assert_allclose(band, stats.norm.ppf(0.995) * np.array(slow), rtol=1e-12)


def test_a_path_that_never_decorrelates():
    ramp = np.concatenate([np.zeros(50), np.ones(50)])[:, None]
    slow = slow_autocorrelation(ramp[:, 0])
    found = measures.autocorrelation(ramp, [0]).decorrelation[0]
    assert found == np.flatnonzero(slow < np.exp(-1))[0]


@pytest.mark.parametrize("lags", [[-1], [100]])
def test_lags_outside_the_series(lags):
    with pytest.raises(MeasureError, match="lags must lie between 0 and 99"):
        measures.autocorrelation(noise(100, 2, 0), lags)


def slow_variance_ratio(path, q):
    """Lo & MacKinlay (1988), the sums written out."""
    n = len(path) - 1
    mu = (path[-1] - path[0]) / n
    d = np.diff(path) - mu
    one = np.sum(d**2) / (n - 1)
    m = q * (n - q + 1) * (1 - q / n)
    many = sum((path[k] - path[k - q] - q * mu) ** 2 for k in range(q, n + 1)) / m
    theta = sum(
        (2 * (q - j) / q) ** 2 * sum(d[k] ** 2 * d[k - j] ** 2 for k in range(j, n)) / np.sum(d**2) ** 2
        for j in range(1, q)
    )
    ratio = many / one
    return ratio, 2 * stats.norm.sf(abs(ratio - 1) / np.sqrt(theta))


def test_variance_ratio_equals_its_definition():
    paths = np.cumsum(noise(120, 34, 9), axis=0)
    found = measures.variance_ratio(paths, 7)
    slow = np.array([slow_variance_ratio(p, 7) for p in paths.T])
    np.testing.assert_allclose(found.ratio, slow[:, 0], rtol=1e-10)
    np.testing.assert_allclose(found.p_value, slow[:, 1], rtol=1e-8)


def test_variance_ratio_accepts_brownian_and_rejects_a_bound_path():
    n, m, phi = 3000, 200, 0.9
    p = measures.variance_ratio(np.cumsum(noise(n, m, 10), axis=0), 20).p_value
    # the normal law is approximate at q/n = 1/150: at 5 % accept a rate up to 4 s.e. + 2 points
    assert (p < 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / m) + 0.02
    bound = measures.variance_ratio(ar1(n, m, phi, 11), 20)
    q = 20
    law = (1 - phi**q) / (q * (1 - phi))
    error = bound.ratio.std() / np.sqrt(m)
    assert bound.ratio.mean() == pytest.approx(law, abs=4 * error + 2 * q / n * law)
    assert (holm(bound.p_value) < 0.01).all()


def test_variance_ratio_of_heteroscedastic_walks():
    scale = np.repeat([1.0, 10.0], 1500)[:, None]
    p = measures.variance_ratio(np.cumsum(scale * noise(3000, 200, 12), axis=0), 20).p_value
    assert (p < 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200) + 0.02


@pytest.mark.parametrize("span", [1, 12])
def test_spans_too_short_or_long(span):
    with pytest.raises(MeasureError, match="between 2 and 11"):
        measures.variance_ratio(noise(120, 2, 0), span)


def test_monte_carlo_p_by_hand():
    draws = np.arange(1.0, 100.0)  # 99 draws
    found = measures.monte_carlo_p(np.array([0.0, 50.0, 99.5, 3.0]), draws)
    np.testing.assert_allclose(found, [0.02, 1.0, 0.02, 0.08])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((5, 2)), "at least 16 snapshots"),
        (np.zeros((50, 0)), "of at least one weight"),
        (np.zeros(50), "found .50,."),
        (np.where(np.arange(50)[:, None] == 30, np.nan, np.ones((50, 2))), "not finite from snapshot 30"),
    ],
)
def test_paths_that_are_none(weights, message):
    with pytest.raises(MeasureError, match=message):
        measures.increment_spectrum(weights)


def test_weights_at_rest_are_refused():
    still = noise(50, 3, 13)
    still[:, 1] = 1.0
    with pytest.raises(MeasureError, match=r"1 of 3 series have no finite positive variance \(first: 1\)"):
        measures.increment_spectrum(still)
    with pytest.raises(MeasureError, match="does not move has no autocorrelation"):
        measures.autocorrelation(still, [1])
