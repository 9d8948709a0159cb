"""Laws over clusters: tempering that is exact, distances with known values, intervals and nulls that hold."""

import math

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws import tempering

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])


def test_law_of_counts():
    counts = np.array([2.0, 0.0, 1.0])
    assert tempering.law(counts, pseudocount=0).tolist() == [2 / 3, 0, 1 / 3]
    assert tempering.law(counts).tolist() == pytest.approx([2.5 / 4.5, 0.5 / 4.5, 1.5 / 4.5])


def test_tempering_recovers_the_posterior_that_was_cooled():
    """p_s ∝ posterior^{1/e} is what SGD at another temperature would have; e undoes it, cluster by
    cluster too.
    """
    for exponent in (3.0, np.array([2.0, 0.5, 7.0])):
        cooled = np.exp(np.log(P) / exponent)
        scale = cooled.sum()
        found = tempering.temper(cooled / scale, exponent, prior=scale ** np.asarray(exponent) * np.ones(3))
        np.testing.assert_allclose(found, P)
    np.testing.assert_allclose(tempering.temper(P, 0.0), np.full(3, 1 / 3))
    np.testing.assert_allclose(tempering.temper(P, 1e4), [1, 0, 0], atol=1e-12)
    with pytest.raises(MeasureError, match="has no member"):
        tempering.temper([1.0, 0.0], 2.0)


def test_effective_diffusion():
    assert tempering.effective_diffusion(0.5, 3.0, 2.0) == pytest.approx(2.0)
    assert tempering.effective_diffusion(1.0, 3.0, 2.0) == 1.0
    assert tempering.effective_diffusion(0.1, [1.0, 2.0], 1.0).tolist() == pytest.approx([1.0, 100.0])
    with pytest.raises(MeasureError, match="positive ξ and d_s"):
        tempering.effective_diffusion(0.0, 1.0, 1.0)


def test_divergences_by_hand():
    expected = 0.5 * math.log(2.5) + 0.2 * math.log(0.4)
    assert tempering.kullback_leibler(P, Q) == pytest.approx(expected)
    assert tempering.kullback_leibler(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(
        math.log(2)
    )
    disjoint = tempering.jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert disjoint == pytest.approx(math.log(2))
    assert tempering.jensen_shannon(P, Q) == pytest.approx(tempering.jensen_shannon(Q, P))
    assert tempering.total_variation(P, Q) == pytest.approx(0.3)
    with pytest.raises(MeasureError, match="KL is infinite"):
        tempering.kullback_leibler(P, np.array([1.0, 0.0, 0.0]))


def test_wasserstein_on_a_line_and_with_equal_distances():
    places = np.array([[0.0], [1.0], [5.0]])
    ground = tempering.between_centres(places)
    scale = ground[~np.eye(3, dtype=bool)].mean()
    expected = wasserstein_distance(places[:, 0], places[:, 0], P, Q) / scale
    assert tempering.wasserstein(ground)(P, Q) == pytest.approx(expected)
    equal = tempering.wasserstein(1 - np.eye(3))
    assert equal(P, Q) == pytest.approx(tempering.total_variation(P, Q))
    assert tempering.wasserstein([[0.0]])(np.ones(1), np.ones(1)) == 0
    many = np.random.default_rng(0).dirichlet(np.ones(3), size=20)
    expected = [wasserstein_distance(places[:, 0], places[:, 0], P, q) / scale for q in many]
    np.testing.assert_allclose(tempering.wasserstein(ground)(P, many), expected, atol=1e-9)


def test_resampling_keeps_chains_together():
    counts = np.array([[10.0, 0.0], [0.0, 30.0]])
    found = tempering.resampled_counts(counts, 2000, np.random.default_rng(0))
    assert {tuple(row) for row in found.tolist()} == {(20.0, 0.0), (10.0, 30.0), (0.0, 60.0)}
    assert tempering.one_hot([1, 0], 3).tolist() == [[0, 1, 0], [1, 0, 0]]


def laws(nets_law, seed, chains=200, nets=500):
    rng = np.random.default_rng(seed)
    posterior = np.stack([rng.multinomial(20, P) for _ in range(chains)]).astype(float)
    return posterior, tempering.one_hot(rng.choice(3, nets, p=nets_law), 3)


def measures():
    return tempering.distances(np.array([[0.0], [1.0], [2.0]]))


def test_nets_from_the_posterior_are_as_near_as_the_null():
    posterior, nets = laws(P, seed=1)
    table = tempering.compare_laws(posterior, nets, 1.0, measures(), generator=np.random.default_rng(2))
    by = table.set_index(["law", "distance"])
    # the expected KL of N draws is about (K − 1)/2N = 0.002
    assert by.loc[("null", "kl"), "value"] == pytest.approx(2 / 1000, rel=0.15)
    assert by.loc[("sgd", "kl"), "value"] < by.loc[("null", "kl"), "high"] * 2
    np.testing.assert_allclose(by.loc["sgd"].value, by.loc["tempered"].value)  # exponent 1 changes nothing
    assert (by.loc["uniform"].value > by.loc["null"].high).all()
    assert set(table.attrs["columns"]) == set(table.columns)


def test_tempering_brings_cooled_nets_to_the_posterior():
    cooled = P**0.5 / (P**0.5).sum()
    posterior, nets = laws(cooled, seed=3, nets=4000, chains=1000)
    by = tempering.compare_laws(
        posterior, nets, 2.0, measures(), generator=np.random.default_rng(4)
    ).set_index(["law", "distance"])
    assert by.loc[("sgd", "kl"), "low"] > by.loc[("tempered", "kl"), "high"]


def test_scan_finds_the_scale_that_was_used():
    """λ/d_s = 1.5: D_ξ = 1/ξ, so that nets cooled by the exponent 2 are brought back at ξ = 0.5."""
    cooled = P**0.5 / (P**0.5).sum()
    posterior, nets = laws(cooled, seed=5, nets=4000)
    scales = np.round(np.arange(0.1, 2.01, 0.1), 10)
    table, best = tempering.scan_scales(posterior, nets, scales, 1.5, generator=np.random.default_rng(6))
    assert table.xi[table.kl.idxmin()] == pytest.approx(0.5, abs=0.11)
    assert (np.quantile(best, 0.025) <= 0.5 <= np.quantile(best, 0.975)) or abs(best.mean() - 0.5) < 0.1
    assert table.exponent[4] == pytest.approx(2.0)
    assert (table.low <= table.high).all()
    assert set(table.attrs["columns"]) == set(table.columns)
    assert table.tempered.idxmin() == table.kl.idxmin()  # the same e makes both pairs of laws equal


def test_only_the_product_of_strength_and_scale_is_seen():
    """m/γ = 4 at ξ = 2 is m/γ = 1 at ξ = 0.5 where D_ξ = 1/ξ: the same KL."""
    posterior, nets = laws(P**0.5 / (P**0.5).sum(), seed=5, nets=4000)
    tables = [
        tempering.scan_scales(
            posterior, nets, [xi], 1.5, strength=m, reverse=True, generator=np.random.default_rng(6)
        )[0]
        for m, xi in ((1.0, 0.5), (4.0, 2.0))
    ]
    np.testing.assert_allclose(*(t[["kl", "low", "high", "exponent"]] for t in tables), rtol=1e-12)
