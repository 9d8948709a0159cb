import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws import tails
from sgdiffusion.papers.ziyin2025.theory import data_law, laws


def _pareto(rng, alpha, n, offset=0.0):
    """P(V > v) = (v + offset)^{−α} beyond 1 − offset: offset ≠ 0 is the leading correction c/v."""
    return rng.random(n) ** (-1 / alpha) - offset


@pytest.mark.parametrize("offset", [0.0, 0.8, -2.0])
def test_generalised_pareto_interval_covers(offset):
    """100 samples of 3,000 draws, 600 exceedances (seed 4): coverage at least 95 % − 4 standard errors."""
    rng = np.random.default_rng(4)
    fits = [tails.generalised_pareto(_pareto(rng, 2.5, 3000, offset), 600) for _ in range(100)]
    assert np.mean([f.low <= 3.5 <= f.high for f in fits]) > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 100)
    mean, error = np.mean([f.exponent for f in fits]), np.std([f.exponent for f in fits]) / 10
    assert abs(mean - 3.5) < 4 * error + 0.05  # 0.05: the estimator's own bias of order α(α+1)²/n
    # The stated error is the one that repetition shows.
    half = np.mean([(f.high - f.low) / 2 for f in fits]) / 1.96
    assert half == pytest.approx(np.std([f.exponent for f in fits]), rel=0.3)


def test_hill_covers_pure_power_laws_and_is_biased_by_an_offset():
    rng = np.random.default_rng(5)
    fits = [tails.hill(_pareto(rng, 2.5, 3000), 600) for _ in range(100)]
    assert np.mean([f.low <= 3.5 <= f.high for f in fits]) > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 100)
    assert tails.hill(_pareto(rng, 2.5, 30_000, 0.8), 6000).high < 3.5


@pytest.mark.parametrize(("depth", "expected"), [(1, 3.5), (3, 4.25), (5, 4.5)])
def test_intervals_cover_on_the_exact_laws(depth, expected):
    """The largest 3 % of 200,000 exact draws, 40 times (seed 6): coverage at least 95 % − 4 standard
    errors.
    """
    law = laws.deep(data_law.uncorrelated(1.0, 21.0, 1.0, 1.0), 0.5, depth)
    # The inverse of the tail from a table, in logarithms: 4,000 points over eight decades err by 1e-6.
    share = np.geomspace(1e-10, 0.0301, 4000)
    table, rng = np.log(law.quantile(1 - share)), np.random.default_rng(6)
    u = np.log(0.03 * rng.random((40, 6000)))
    fits = [tails.tail_exponent(np.exp(np.interp(row, np.log(share), table)), 2.0, 0.99) for row in u]
    assert np.mean([f.low <= expected <= f.high for f in fits]) > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 40)
    assert np.mean([f.high - f.low for f in fits]) < 1.2


def test_threshold_moves_up_when_the_bulk_does_not_fit():
    """A light-tailed bulk below 3 glued to a pure power law above: the threshold has to leave the bulk."""
    rng = np.random.default_rng(7)
    draws = np.concatenate([rng.uniform(0, 3, 20_000), 3 * _pareto(rng, 2.0, 2_000)])
    fit = tails.tail_exponent(draws, largest_share=0.5)
    assert fit.threshold > 2.9
    assert fit.low <= 3 <= fit.high


@pytest.mark.parametrize(
    ("draws", "count", "message"),
    [
        (np.ones(50), 40, "at least 100"),
        (np.ones(150), 150, "one draw below"),
        (-np.ones(300), 200, "positive"),
        (np.append(np.ones(300), np.inf), 200, "not finite"),
    ],
)
def test_bad_input_is_named(draws, count, message):
    with pytest.raises(MeasureError, match=message):
        tails.hill(draws, count)
