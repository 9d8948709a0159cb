"""R̂, ESS and drift against autoregressive chains, whose correlation time is known, and a direct twin."""

import numpy as np
import pytest
from scipy.signal import lfilter

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics import convergence


def autoregressive(rho, shape, seed):
    """x_t = ρ x_{t−1} + √(1−ρ²) ξ: stationary, unit variance, correlation time (1+ρ)/(1−ρ)."""
    noise = np.random.default_rng(seed).standard_normal((*shape[:-1], shape[-1] + 400))
    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise)[..., 400:]


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.6, 0.9])
def test_effective_sample_size_of_autoregressive_chains(rho):
    traces = autoregressive(rho, (40, 4, 2000), seed=1)
    expected = 8000 * (1 - rho) / (1 + rho)
    found = convergence.effective_sample_size(traces)
    # the mean over 40 problems; truncation of the sum biases single estimates by a few per cent
    assert abs(found.mean() / expected - 1) < 0.08


def test_mean_error_is_the_spread_of_means():
    traces = autoregressive(0.8, (300, 2, 500), seed=2)
    actual = traces.mean(axis=(-1, -2)).std(ddof=1)
    # 300 replicas give the standard deviation to 1/√600 = 4 %; the estimator adds a bias of a few per cent
    assert abs(convergence.mean_error(traces).mean() / actual - 1) < 0.15


def test_r_hat_of_agreeing_and_disagreeing_chains():
    traces = autoregressive(0.3, (50, 4, 1000), seed=3)
    assert convergence.r_hat(traces).max() < 1.02
    apart = traces + np.arange(4)[:, None]
    assert convergence.r_hat(apart).min() > 1.3
    trend = traces + np.linspace(0, 3, 1000)  # equal in all chains: only the split sees it
    # halves differ by 1.5: √(1 + 0.64/1.19) = 1.24 for normal draws, a little less for their ranks
    assert convergence.r_hat(trend).min() > 1.15


def test_r_hat_is_the_textbook_ratio_of_normal_scores():
    traces = np.random.default_rng(4).standard_cauchy((3, 20))
    halves = np.concatenate([traces[:, :10], traces[:, 10:]])
    order = np.argsort(np.argsort(halves, axis=None)).reshape(halves.shape) + 1
    from scipy.stats import norm

    z = norm.ppf((order - 0.375) / (halves.size + 0.25))
    within = np.mean([row.var(ddof=1) for row in z])
    between = 10 * np.var([row.mean() for row in z], ddof=1)
    expected = np.sqrt((9 / 10 * within + between / 10) / within)
    assert convergence.r_hat(traces) == pytest.approx(expected, rel=1e-12)


def test_constant_chains():
    same, different = np.ones((2, 20)), np.ones((2, 20)) * [[1.0], [2.0]]
    assert convergence.r_hat(same) == 1.0
    assert convergence.r_hat(different) > 1.5
    assert convergence.drift(same) == 0.0


def test_drift_is_standard_normal_for_stationary_chains_and_large_for_a_trend():
    traces = autoregressive(0.5, (400, 5, 600), seed=5)
    scores = convergence.drift(traces)
    # s.d. of 400 standard normals: 1 ± 0.035; the variance of windows is itself estimated
    assert abs(scores.mean()) < 3 / np.sqrt(400) * 1.2
    assert 0.75 < scores.std() < 1.25
    # windows' means differ by 7/12; their variances are 3/(5·200) and 3/(5·300): a score of 8.2
    trend = convergence.drift(traces + np.linspace(0, 1, 600))
    assert trend.mean() == pytest.approx(8.2, rel=0.2)
    assert trend.min() > 3
    single = convergence.drift(autoregressive(0.5, (400, 1, 600), seed=6))
    assert 0.75 < single.std() < 1.35


def test_autocovariance_against_the_sum():
    x = np.random.default_rng(7).standard_normal((2, 30))
    centred = x - x.mean(axis=1, keepdims=True)
    slow = np.array([[np.sum(row[: 30 - k] * row[k:]) / 30 for k in range(30)] for row in centred])
    np.testing.assert_allclose(convergence.autocovariance(x), slow, atol=1e-12)


def test_too_short_traces():
    with pytest.raises(MeasureError, match="at least 8 draws, found"):
        convergence.r_hat(np.zeros((2, 3)))
    with pytest.raises(MeasureError, match="traces"):
        convergence.effective_sample_size(np.zeros(20))
