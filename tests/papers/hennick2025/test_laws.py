"""Laws over clusters whose tempering is known: the posterior is the square of SGD's law."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws.solutions import cluster
from sgdiffusion.papers.hennick2025 import laws as study
from sgdiffusion.papers.hennick2025 import tables
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.posterior import Posterior
from sgdiffusion.papers.hennick2025.settings import LawPlan
from sgdiffusion.verdicts import read_quantities

PLAN = LawPlan(
    xi=0.5, scales=[0.25, 0.4, 0.5, 0.6, 0.8, 1.0], counts=[2, None], strengths=[1.0], resamples=100
)
SIZES = np.array([240, 160, 100])
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def known() -> study.Laws:
    """500 nets in three clusters; a posterior ∝ p², which is e = 2: ξ = 0.5 at λ/d_s = 3/2, D_ξ = 1/ξ."""
    labels = np.repeat(np.arange(3), SIZES)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    clusters = cluster(centres[labels] + RNG.standard_normal((500, 2)), count=3)
    square = (SIZES / 500.0) ** 2
    chains = RNG.multinomial(100, square / square.sum(), size=200).astype(float)
    choice = dict(zip(study.CHOICE_COLUMNS, ("function", "k-means", False, 3, "common"), strict=True))
    return study.Laws(choice, clusters, np.eye(3)[labels], chains, np.full(3, 1.5), 0.1)


def test_law_table_holds_three_laws(known: study.Laws):
    table = study.law_table(known, PLAN, root_seed=0).pivot(
        index="cluster", columns="law", values="probability"
    )
    assert_allclose(table.sum(), 1, rtol=1e-12)
    assert_allclose(table["sgd"], SIZES / 500, atol=2e-3)  # half a count of 500 is added to each
    square = SIZES**2 / (SIZES**2).sum()
    assert_allclose(table["tempered"], square, atol=3e-3)
    assert_allclose(table["posterior"], square, atol=4 * np.sqrt(0.25 / 20000) + 3e-3)


def test_intervals_cover(known: study.Laws):
    table = study.law_table(known, PLAN, root_seed=0)
    assert (table["low"] < table["probability"]).all()
    assert (table["probability"] < table["high"]).all()
    sgd = table[table["law"] == "sgd"]
    widths = 2 * 1.96 * np.sqrt(sgd["probability"] * (1 - sgd["probability"]) / 500)
    # an end is a quantile of 100 resamples, its s.d. about a quarter of a half width
    assert_allclose(sgd["high"] - sgd["low"], widths, rtol=0.4)


def test_scan_finds_the_scale(known: study.Laws):
    table = study.scan_table(known, PLAN, root_seed=0)
    assert set(table["best"]) == {0.5}
    assert_allclose(table.set_index("xi")["exponent"], 1 / table["xi"], rtol=1e-12)
    assert (table["best_low"] <= 0.5).all()
    assert (table["best_high"] >= 0.5).all()


def test_tempered_is_nearer_than_sgd_and_like_the_null(known: study.Laws):
    table = study.distance_table(known, PLAN, root_seed=0)
    kl = table[table["distance"] == "kl"].set_index("law")
    assert kl.loc["tempered", "value"] < kl.loc["null", "high"]
    assert kl.loc["sgd", "value"] > kl.loc["null", "high"]
    second = tables.table2(table)
    row = second[(second["distance"] == "kl") & (second["law"] == "tempered")].iloc[0]
    assert row["published"] == "0.009"
    assert row["value"] == kl.loc["tempered", "value"]
    assert len(second) == 12
    assert (second["published"] != "").sum() == 3


def test_quantities(known: study.Laws):
    tables = {
        "distances": study.distance_table(known, PLAN, 0),
        "scan": study.scan_table(known, PLAN, 0),
        "convergence": pd.DataFrame({"r_hat": [1.01, 1.3]}),
    }
    found = read_quantities([study.law_quantities([known], tables, PLAN, root_seed=0)])
    assert found["moons.best_xi"].value == 0.5
    assert found["moons.kl.tempered_over_null"].value < 1 < found["moons.kl.sgd_over_null"].value
    assert found["moons.choices.tempered_better"].value == 1
    assert found["moons.choices.best_xi_near_half"].value == 1
    assert found["moons.choices.kl_sgd_smallest"].value == found["moons.kl.sgd"].value
    assert found["moons.posterior.r_hat"].value == 1.3
    assert found["moons.largest_sgd"].value == pytest.approx(0.48, abs=2e-3)
    over = found["moons.largest_sgd_over_posterior"]
    truth = 0.48 - 240**2 / (SIZES**2).sum()
    assert over.low < truth < over.high < 0
    for name, m in found.items():
        assert m.low <= m.value <= m.high, name


def test_a_choice_found_twice_counts_once(known: study.Laws):
    # three clusterings: the known one, the same found by the rule, and one where SGD is the posterior already
    ruled = replace(known, choice={**known.choice, "rule": True})
    equal = replace(known, choice={**known.choice, "method": "ward"}, posterior=known.nets)
    three = [known, ruled, equal]
    distances, scan = (
        pd.concat([make(laws, PLAN, 0) for laws in three])
        for make in (study.distance_table, study.scan_table)
    )
    found = {row["quantity"]: row["value"] for row in study._over_choices(distances, scan)}
    assert found["moons.choices.tempered_better"] == 0.5
    assert found["moons.choices.sgd_within_null"] == 0.5
    assert found["moons.choices.best_xi_near_half"] == 0.5
    assert found["moons.choices.kl_sgd_smallest"] < 1e-12 < found["moons.choices.kl_sgd_largest"]


def test_rare_clusters_survive_a_strong_tempering(known: study.Laws):
    # λ/d_s = 30 at ξ = 0.25 is an exponent of 10³⁵: all but the largest cluster vanish, none is 0
    strong = replace(known, ratio=np.full(3, 30.0))
    table = study.scan_table(strong, PLAN, root_seed=0)
    assert np.isfinite(table[["kl", "low", "high"]]).all(axis=None)


@pytest.fixture(scope="module")
def draws(moons: Moons) -> Posterior:
    kept = moons.kept[:6] + 0.05 * RNG.standard_normal(moons.kept[:6].shape).astype(np.float32)
    return Posterior(np.arange(6), np.zeros((6, 4)), kept, np.ones(6), 1.0, np.array([]))


def test_every_choice_is_compared(moons: Moons, draws: Posterior, nets: pd.DataFrame):
    found = study.all_laws(moons, draws, nets, PLAN)
    first = found[0].choice
    assert (first["space"], first["method"], first["rule"], first["ratio"]) == (
        "function",
        "k-means",
        False,
        "common",
    )
    choices = pd.DataFrame([laws.choice for laws in found])
    assert not choices.duplicated().any()
    assert set(choices["method"]) == {"k-means", "mixture", "ward"}
    assert set(choices["space"]) == {"function", "weights"}
    assert set(choices["ratio"]) == {
        "common",
        "per cluster",
    }
    assert (choices["clusters"] >= 2).all()
    for laws in found:
        assert laws.posterior.sum() == 6 * 4
        assert laws.nets.sum() == 14
        if laws.choice["ratio"] == "common":
            assert_allclose(laws.ratio, np.median(nets.loc[nets["ratio"] > 0, "ratio"]))


def test_one_cluster_everywhere_is_refused(moons: Moons, draws: Posterior, nets: pd.DataFrame):
    single = LawPlan.model_validate({**PLAN.model_dump(), "counts": [1]})
    with pytest.raises(MeasureError, match="no clustering found more than one cluster"):
        study.all_laws(moons, draws, nets, single)


def test_more_clusters_than_nets_are_refused(moons: Moons, draws: Posterior, nets: pd.DataFrame):
    many = LawPlan.model_validate({**PLAN.model_dump(), "counts": [20]})
    with pytest.raises(MeasureError, match="14 solutions cannot be sorted into 20 clusters"):
        study.all_laws(moons, draws, nets, many)


def test_no_positive_ratio_is_refused(moons: Moons, draws: Posterior, nets: pd.DataFrame):
    with pytest.raises(MeasureError, match="no net has a positive"):
        study.all_laws(moons, draws, nets.assign(ratio=-1.0), PLAN)
