"""Intervals against scipy's own and by coverage."""

import numpy as np
import pytest
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import (
    Estimate,
    geometric_mean_interval,
    mean_interval,
    ratio_interval,
    share,
    share_of,
    student,
)


def test_mean_against_scipy():
    values = [1.0, 2.5, 0.3, 4.0]
    found = mean_interval(values, level=0.9)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert found.value == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.n == 4


def test_ratio_against_welch_on_logarithms():
    top, bottom = [1.0, 1.4, 2.0], [0.5, 0.9, 0.4, 0.6]
    found = ratio_interval(top, bottom)
    expected = stats.ttest_ind(np.log(top), np.log(bottom), equal_var=False).confidence_interval(0.95)
    assert found.value == pytest.approx(stats.gmean(top) / stats.gmean(bottom))
    assert (found.low, found.high) == pytest.approx(tuple(np.exp(expected)))
    assert found.n == 3


def test_geometric_mean_is_the_mean_of_logarithms():
    values = [1.0, 1.4, 2.0]
    found = geometric_mean_interval(values, level=0.9)
    expected = stats.ttest_1samp(np.log(values), 0.0).confidence_interval(0.9)
    assert found.value == pytest.approx(stats.gmean(values))
    assert (found.low, found.high) == pytest.approx(tuple(np.exp(expected)))
    with pytest.raises(MeasureError, match="needs positive values, found 0"):
        geometric_mean_interval([1.0, 0.0])


def test_student_is_scipys():
    np.testing.assert_array_equal(student(np.arange(1, 9), 0.9), stats.t.ppf(0.95, np.arange(1, 9)))


def test_mean_interval_covers():
    # 2,000 samples of three normal values, seed 41: 1,900 ± 9.7 intervals cover; four standard errors
    samples = np.random.default_rng(41).standard_normal((2000, 3))
    covered = sum(found.low <= 0 <= found.high for found in map(mean_interval, samples))
    assert abs(covered - 1900) < 39


def test_without_replication_there_is_no_interval():
    assert mean_interval([3.0]) == Estimate(3.0, 3.0, 3.0, 1)
    assert ratio_interval([3.0], [1.0, 1.0]) == pytest.approx((3.0, 3.0, 3.0, 1))
    assert ratio_interval([2.0, 2.0], [1.0, 1.0]) == pytest.approx((2.0, 2.0, 2.0, 2))


@pytest.mark.parametrize("values", [[], [1.0, np.nan], 3.0])
def test_refused(values):
    with pytest.raises(MeasureError, match="interval"):
        mean_interval(values)


def test_a_ratio_needs_positive_values():
    with pytest.raises(MeasureError, match="needs positive values, found -1"):
        ratio_interval([1.0, -1.0], [1.0])


@pytest.mark.parametrize(("count", "n"), [(0, 7), (3, 10), (50, 100), (9, 9), (1, 2000)])
def test_share_against_scipys_wilson(count, n):
    found = share(count, n, level=0.9)
    expected = stats.binomtest(count, n).proportion_ci(0.9, method="wilson")
    assert found.value == count / n
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.n == n


def test_share_of_nothing_is_refused():
    with pytest.raises(MeasureError, match="empty set"):
        share(0, 0)


def test_share_of_true_values():
    assert share_of([True, False, True]) == share(2, 3)
