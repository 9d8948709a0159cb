"""Intervals of medians and rank correlations against scipy and normal theory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics import bootstrap as resampled


def test_rank_correlation_is_scipys_and_ties_are_no_problem():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 5, 60)
    y = x + rng.standard_normal(60)
    found = resampled.spearman(x, y)
    assert_allclose(found.value, stats.spearmanr(x, y).statistic, rtol=1e-12)
    # Fisher's z gives a width of 2·1.96·1.03·(1 − ρ²)/√57; the bootstrap's ends scatter by a tenth
    width = 2 * 1.96 * 1.03 * (1 - found.value**2) / np.sqrt(57)
    assert found.low < found.value < found.high
    assert_allclose(found.high - found.low, width, rtol=0.35)
    assert resampled.spearman(x, -x).value == pytest.approx(-1)


def test_what_never_varies_has_no_correlation():
    found = resampled.spearman(np.ones(10), np.arange(10))
    assert np.isnan(found[:3]).all()


def test_bootstrap_of_a_mean_is_normal_theory():
    sample = np.random.default_rng(2).standard_normal(400)
    found = resampled.bootstrap(sample, lambda v: v.mean(-1))
    half = 1.96 * sample.std() / 20
    # each end is a quantile of 1000 resamples: s.d. of 0.085 half widths
    assert_allclose(
        [found.low, found.high], [sample.mean() - half, sample.mean() + half], atol=4 * 0.085 * half
    )


def test_median_lies_inside_its_interval():
    found = resampled.median(np.arange(101.0))
    assert found.low < found.value == 50 < found.high


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: resampled.median([]), "finite values"),
        (lambda: resampled.median([1.0, np.nan]), "finite values"),
        (lambda: resampled.spearman([1, 2, 3], [1, 2, 3]), "at least four"),
    ],
)
def test_too_little_is_refused(call, words: str):
    with pytest.raises(MeasureError, match=words):
        call()
