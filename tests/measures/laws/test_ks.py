import numpy as np
import pytest
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws import ks


def test_equals_scipys_exact_test():
    draws = np.random.default_rng(1).normal(0.05, 1, 500)
    ours, theirs = ks.distance(draws, stats.norm.cdf), stats.kstest(draws, "norm", method="exact")
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-14)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.location == pytest.approx(theirs.statistic_location)
    assert ours.n == 500


def test_level_is_kept():
    """400 samples of 200 draws from the law itself (seed 2): 5 % ± 4 standard errors exceed the 5 % value."""
    rng = np.random.default_rng(2)
    found = [ks.distance(rng.random(200), lambda x: x).statistic for _ in range(400)]
    assert abs(np.mean(np.array(found) > ks.critical_value(200, 0.05)) - 0.05) < 4 * np.sqrt(
        0.05 * 0.95 / 400
    )


def test_interval_covers_a_true_distance():
    """Uniform draws against F(x) = x²: the distance is 1/4; 200 samples of 300 (seed 3), at least 95 % − 4
    s.e.
    """
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(200):
        low, high = ks.distance(rng.random(300), np.square).interval
        inside += low <= 0.25 <= high
    assert inside / 200 > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize(
    ("draws", "cdf", "message"),
    [
        ([1.0], stats.norm.cdf, "at least two"),
        ([1.0, np.nan], stats.norm.cdf, "not finite"),
        ([0.1, 0.9], lambda x: -x, "increasing"),
    ],
)
def test_bad_input_is_named(draws, cdf, message):
    with pytest.raises(MeasureError, match=message):
        ks.distance(draws, cdf)
