"""Slopes, intervals and dimensions against processes with known answers and against slow, direct formulas."""

import math

import numpy as np
import pytest
from oracles import walks

from sgdiffusion.errors import InputError, MeasureError
from sgdiffusion.measures.trajectories import dimensions
from sgdiffusion.measures.trajectories.dimensions import ensemble_law, power_laws

TIMES = np.unique(np.rint(np.geomspace(1, 3000, 60)).astype(int))


def correlated_curves(runs, slope, tau, sigma, seed):
    """ln R = slope ln t + residuals of covariance σ² exp(−|Δ ln t|/τ)."""
    u = np.log(TIMES)
    covariance = sigma**2 * np.exp(-np.abs(u[:, None] - u) / tau)
    noise = np.random.default_rng(seed).standard_normal((runs, len(u))) @ np.linalg.cholesky(covariance).T
    return np.exp(0.3 + slope * u + noise)


@pytest.mark.parametrize("tau", [0.05, 1.0])
def test_slopes_and_their_intervals(tau):
    """400 curves: no bias, errors that are the actual spread, intervals that hold the slope in 95 %.

    τ is estimated from 60 points only: where it is long the intervals are known to fall short of 95 % a
    little.
    """
    found = power_laws(TIMES, correlated_curves(400, 0.4, tau, 0.1, seed=1), first=1, last=3000)
    spread = found.slope.std()
    assert abs(found.slope.mean() - 0.4) < 4 * spread / 20
    assert found.error.median() == pytest.approx(spread, rel=0.25)
    covered = ((found.low <= 0.4) & (found.high >= 0.4)).mean()
    assert 0.86 < covered < 0.99
    assert found.correlation_time.median() == pytest.approx(tau, rel=0.6) or tau < 0.1


def test_ordinary_fit_is_the_textbook_one():
    curve = correlated_curves(1, 0.3, 0.5, 0.2, seed=2)
    row = power_laws(TIMES, curve, first=10, last=1000).iloc[0]
    inside = (TIMES >= 10) & (TIMES <= 1000)
    u, y = np.log(TIMES[inside]), np.log(curve[0][inside])
    slope, intercept = np.polyfit(u, y, 1)
    assert (row.slope, row.intercept) == pytest.approx((slope, intercept))
    assert row.r2 == pytest.approx(np.corrcoef(u, y)[0, 1] ** 2)
    half = y - u / 2
    brownian = 1 - ((half - half.mean()) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert row.r2_brownian == pytest.approx(brownian)
    assert (row.points, row["first"], row["last"]) == (inside.sum(), TIMES[inside][0], TIMES[inside][-1])


def test_error_is_the_sandwich_at_the_chosen_correlation():
    curve = correlated_curves(1, 0.3, 0.5, 0.2, seed=3)
    u, y = np.log(TIMES), np.log(curve[0])
    x = np.stack([np.ones_like(u), u], 1)
    row = power_laws(TIMES, curve, first=1, last=3000).iloc[0]
    k = np.exp(-np.abs(u[:, None] - u) / row.correlation_time)
    inverse = np.linalg.inv(k)
    rest = y - x @ np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    variance = rest @ inverse @ rest / (len(u) - 2)
    inv = np.linalg.inv(x.T @ x)
    spread = inv @ x.T @ k @ x @ inv
    assert row.error == pytest.approx(math.sqrt(variance * spread[1, 1]), rel=1e-8)


def test_a_naive_error_is_far_too_small():
    curves = correlated_curves(300, 0.4, 1.0, 0.1, seed=4)
    found = power_laws(TIMES, curves, first=1, last=3000)
    u = np.log(TIMES)
    rest = np.log(curves) - found.intercept.to_numpy()[:, None] - found.slope.to_numpy()[:, None] * u
    naive = np.sqrt((rest**2).sum(1) / (len(u) - 2) / ((u - u.mean()) ** 2).sum())
    assert np.median(found.error / naive) > 2


@pytest.mark.parametrize("hurst", [0.25, 0.5, 0.75])
def test_walk_dimension_of_fractional_brownian_motion(hurst):
    """d_walk = 1/H; 2000 paths in four dimensions, the interval holds it and 3 % does."""
    g = np.random.default_rng(6)
    paths = walks.fractional_brownian(hurst, 2000, 256, g, dimension=4)
    times = np.unique(np.rint(np.geomspace(1, 256, 30)).astype(int))
    reach = np.linalg.norm(paths[:, times - 1], axis=-1)
    law = ensemble_law(times, reach, first=2, last=256, power=2, generator=g)
    assert law.low <= hurst <= law.high
    assert abs(law.value / hurst - 1) < 0.03
    mean = ensemble_law(times, reach, first=2, last=256, generator=g)
    assert abs(mean.value / hurst - 1) < 0.03  # self-similar: every moment has the same exponent


def test_walk_dimension_of_the_gasket():
    """ln 5/ln 2 = 2.322 within 3 %, log-periodic ripples and boundary included; window of four periods."""
    g = np.random.default_rng(0)
    graph = walks.sierpinski_gasket(8)
    times = np.unique(np.rint(np.geomspace(1, 5**5, 60)).astype(int))
    walked = walks.walk(graph, 5000, times, g)
    reach = np.maximum(walks.displacements(graph, walked), 1e-6)  # a return has displacement 0
    law = ensemble_law(times, reach, first=25, last=5**5, power=2, generator=g)
    assert abs(1 / law.value / (math.log(5) / math.log(2)) - 1) < 0.03


@pytest.mark.slow
def test_walk_dimension_of_the_gasket_at_larger_scale():
    g = np.random.default_rng(1)
    graph = walks.sierpinski_gasket(10)
    times = np.unique(np.rint(np.geomspace(1, 5**6, 80)).astype(int))
    walked = walks.walk(graph, 20_000, times, g)
    reach = np.maximum(walks.displacements(graph, walked), 1e-6)
    law = ensemble_law(times, reach, first=125, last=5**6, power=2, generator=g)
    assert abs(1 / law.value / (math.log(5) / math.log(2)) - 1) < 0.01


def test_walk_dimension_of_the_plane():
    g = np.random.default_rng(2)
    graph = walks.lattice(300, 2)
    times = np.unique(np.rint(np.geomspace(1, 1000, 40)).astype(int))
    walked = walks.walk(graph, 4000, times, g, start=150 * 300 + 150)
    reach = np.maximum(walks.displacements(graph, walked), 1e-6)
    law = ensemble_law(times, reach, first=5, last=1000, power=2, generator=g)
    assert abs(1 / law.value / 2 - 1) < 0.03


def check_heavy_tails(walkers, last, tolerance):
    """R² ∼ t^α: d_walk = 2/α. The exponent is reached slowly, corrections are of order t^{α−1}."""
    g = np.random.default_rng(7)
    times = np.geomspace(1e2, last, 30)
    reach = np.abs(walks.waiting_walk(0.6, walkers, times, g)) + 1e-6
    law = ensemble_law(times, reach, first=last / 100, last=last, power=2, generator=g)
    assert abs(1 / law.value / (2 / 0.6) - 1) < tolerance


def test_heavy_tailed_waits():
    check_heavy_tails(2000, 1e4, 0.08)


@pytest.mark.slow
def test_heavy_tailed_waits_at_larger_scale():
    check_heavy_tails(30_000, 1e6, 0.03)


def test_window_sensitivity_is_one_fit_per_window():
    curves = correlated_curves(3, 0.4, 0.2, 0.1, seed=8)
    table = dimensions.window_sensitivity(TIMES, curves, [(1 / 3000, 1.0), (0.01, 1.0)])
    assert table.groupby(["begin", "end"]).size().to_dict() == {(1 / 3000, 1.0): 3, (0.01, 1.0): 3}
    alone = power_laws(TIMES, curves, first=30, last=3000)
    np.testing.assert_allclose(table.slope[3:], alone.slope)
    assert set(table.attrs["columns"]) == set(table.columns)


def test_time_average():
    assert dimensions.time_average([0, 10], [[1.0, 3.0]], last=10).tolist() == [2.0]
    # constant before the first and after the last measurement: (1·2 + ½(1+3)·2 + 3·4)/8
    assert dimensions.time_average([2, 4], [[1.0, 3.0]], last=8).tolist() == [(2 + 4 + 12) / 8]
    assert dimensions.time_average([5], [[7.0], [8.0]], last=5).tolist() == [7.0, 8.0]
    with pytest.raises(MeasureError, match="increasing steps up to the end"):
        dimensions.time_average([0, 10], [[1.0, 3.0]], last=9)


def test_spectral_dimension_and_its_error():
    value, error = dimensions.spectral_dimension(0.4, 0.02, 5.0, 0.5)
    assert value == pytest.approx(4.0)
    draws = np.random.default_rng(9).standard_normal((2, 200_000))
    sampled = 2 * (0.4 + 0.02 * draws[0]) * (5 + 0.5 * draws[1])
    assert error == pytest.approx(sampled.std(), rel=0.02)


def test_errors():
    curves = correlated_curves(2, 0.4, 0.2, 0.1, seed=8)
    with pytest.raises(MeasureError, match=r"holds 2 of the 52 recorded times .* Train longer"):
        power_laws(TIMES, curves, first=2500, last=3000)
    curves[1, 3] = np.nan
    with pytest.raises(MeasureError, match=r"runs \[1\] are not finite and positive"):
        power_laws(TIMES, curves, first=1, last=3000)
    with pytest.raises(MeasureError, match="52 times need as many"):
        power_laws(TIMES, curves[:, 1:], first=1, last=3000)
    with pytest.raises(MeasureError, match="at least two paths"):
        ensemble_law(TIMES, curves[:1], first=1, last=3000, generator=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1, 2, 3, 5, 4, 6, 7, 8], "entry 4 is 4 after 5; sort the records"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "holds t = 0; begin at the first positive time"),
        ([1, 2, 3, np.nan, 5, 6, 7, 8], "not finite"),
    ],
)
def test_times_that_no_power_law_can_be_fitted_at(times, message):
    with pytest.raises(InputError, match=message):
        power_laws(times, np.ones(8) * np.arange(1, 9), first=0, last=8)
