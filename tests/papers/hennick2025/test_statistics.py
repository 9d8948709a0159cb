"""Intervals of shares, medians and rank correlations against scipy and normal theory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.hennick2025 import statistics as study
from sgdiffusion.papers.tables import estimated, quantity
from sgdiffusion.verdicts import QUANTITY_COLUMNS, read_quantities


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 10), (10, 10), (199, 216)])
def test_share_has_wilsons_interval(hits: int, n: int):
    found = study.share(np.arange(n) < hits)
    wilson = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert_allclose(found[:3], [hits / n, wilson.low, wilson.high], atol=1e-12)
    assert found.n == n


def test_rank_correlation_is_scipys_and_ties_are_no_problem():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 5, 60)
    y = x + rng.standard_normal(60)
    found = study.spearman(x, y)
    assert_allclose(found.value, stats.spearmanr(x, y).statistic, rtol=1e-12)
    # Fisher's z gives a width of 2·1.96·1.03·(1 − ρ²)/√57; the bootstrap's ends scatter by a tenth
    width = 2 * 1.96 * 1.03 * (1 - found.value**2) / np.sqrt(57)
    assert found.low < found.value < found.high
    assert_allclose(found.high - found.low, width, rtol=0.35)
    assert study.spearman(x, -x).value == pytest.approx(-1)


def test_what_never_varies_has_no_correlation():
    found = study.spearman(np.ones(10), np.arange(10))
    assert np.isnan(found[:3]).all()
    assert len(study.quantities([estimated("rho", found, over="runs")])) == 0


def test_bootstrap_of_a_mean_is_normal_theory():
    sample = np.random.default_rng(2).standard_normal(400)
    found = study.bootstrap(sample, lambda v: v.mean(-1))
    half = 1.96 * sample.std() / 20
    # each end is a quantile of 1000 resamples: s.d. of 0.085 half widths
    assert_allclose(
        [found.low, found.high], [sample.mean() - half, sample.mean() + half], atol=4 * 0.085 * half
    )


def test_median_lies_inside_its_interval():
    found = study.median(np.arange(101.0))
    assert found.low < found.value == 50 < found.high


def test_quantities_are_what_claims_read():
    rows = [estimated("a", Estimate(1.0, 0.5, 2.0, 3), unit="%", over="runs"), quantity("b", 4.0)]
    table = study.quantities(rows)
    assert list(table.columns) == list(QUANTITY_COLUMNS)
    found = read_quantities([table])
    assert (found["a"].low, found["a"].n, found["b"].over) == (0.5, 3, "exact")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: study.share([]), "empty set"),
        (lambda: study.median([]), "finite values"),
        (lambda: study.median([1.0, np.nan]), "finite values"),
        (lambda: study.spearman([1, 2, 3], [1, 2, 3]), "at least four"),
    ],
)
def test_too_little_is_refused(call, words: str):
    with pytest.raises(MeasureError, match=words):
        call()
