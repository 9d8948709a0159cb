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
from sgdiffusion.papers.hennick2025.posterior import Coordinates, Posterior, coordinates
from sgdiffusion.papers.hennick2025.settings import LawPlan
from sgdiffusion.verdicts import read_quantities

PLAN = LawPlan.model_validate(
    {
        "posterior": "local", "space": "function", "method": "k-means", "clusters": 3, "ratio": "common",
        "strength": 1.0, "direction": "data", "xi": 0.5, "resamples": 100,
        "scan": {"low": 0.05, "high": 5.0, "points": 41},
    }
)  # fmt: skip
SIZES = np.array([240, 160, 100])
RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), SIZES)
CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
POINTS = CENTRES[LABELS] + RNG.standard_normal((500, 2))
SQUARE = SIZES**2 / (SIZES**2).sum()


@pytest.fixture(scope="module")
def known() -> study.Laws:
    """500 nets in three clusters; a posterior ∝ p², which is e = 2: ξ = 0.5 at λ/d_s = 3/2, D_ξ = 1/ξ."""
    chains = RNG.multinomial(100, SQUARE, size=200).astype(float)
    clusters = cluster(POINTS, count=3)
    return study.Laws(PLAN, clusters, np.eye(3)[LABELS], chains, np.full(3, 1.5), 0.1)


def changed(found: study.Laws, **values) -> study.Laws:
    return replace(found, plan=LawPlan.model_validate({**found.plan.model_dump(), **values}))


def quantities(found: study.Laws):
    tables = {"distances": study.distance_table(found, 0), "scan": study.scan_table(found, 0)}
    return read_quantities([study.law_quantities(found, tables, root_seed=0)])


def test_law_table_holds_three_laws(known: study.Laws):
    table = study.law_table(known, root_seed=0).pivot(index="cluster", columns="law", values="probability")
    assert_allclose(table.sum(), 1, rtol=1e-12)
    assert_allclose(table["sgd"], SIZES / 500, atol=2e-3)  # half a count of 500 is added to each
    assert_allclose(table["tempered"], SQUARE, atol=3e-3)
    assert_allclose(table["posterior"], SQUARE, atol=4 * np.sqrt(0.25 / 20000) + 3e-3)


def test_intervals_cover(known: study.Laws):
    table = study.law_table(known, root_seed=0)
    assert (table["low"] < table["probability"]).all()
    assert (table["probability"] < table["high"]).all()
    sgd = table[table["law"] == "sgd"]
    widths = 2 * 1.96 * np.sqrt(sgd["probability"] * (1 - sgd["probability"]) / 500)
    # an end is a quantile of 100 resamples, its s.d. about a quarter of a half width
    assert_allclose(sgd["high"] - sgd["low"], widths, rtol=0.4)


@pytest.mark.parametrize("direction", ["data", "model"])
def test_scan_finds_the_scale(known: study.Laws, direction: str):
    table = study.scan_table(changed(known, direction=direction), root_seed=0)
    assert table["best"].iloc[0] == pytest.approx(0.5, rel=0.13)  # neighbours differ by a factor of 1.12
    assert_allclose(table["exponent"], 1 / table["xi"], rtol=1e-12)
    assert (table["best_low"] <= 0.5).all()
    assert (table["best_high"] >= 0.5).all()


def test_tempered_is_nearer_than_sgd_and_like_the_null(known: study.Laws):
    table = study.distance_table(known, root_seed=0)
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
    found = quantities(known)
    assert found["moons.best_xi"].value == pytest.approx(0.5, rel=0.13)
    assert found["moons.best_exponent"].value == pytest.approx(2, rel=0.13)
    assert found["moons.minimum_inside"].value == 1
    assert found["moons.kl.tempered_over_null"].value < 1 < found["moons.kl.sgd_over_null"].value
    assert found["moons.kl.tempered_over_sgd"].value < 1
    assert found["moons.same_top"].value == 1
    assert found["moons.largest_sgd"].value == pytest.approx(0.48, abs=2e-3)
    over = found["moons.largest_sgd_over_posterior"]
    assert over.low < 0.48 - SQUARE[0] < over.high < 0
    for name, m in found.items():
        assert m.low <= m.value <= m.high, name


def test_scale_and_strength_are_one_number(known: study.Laws):
    """At m/γ = 2 the minimum moves to ξ = 1, its exponent stays; m/γ = 1 is what has it at ξ = 0.5."""
    found = quantities(changed(known, strength=2.0))
    assert found["moons.best_xi"].value == pytest.approx(1.0, rel=0.13)
    assert found["moons.best_exponent"].value == pytest.approx(2, rel=0.13)
    assert found["moons.strength_at_published_xi"].value == pytest.approx(1, rel=0.13)


def test_another_largest_cluster_is_seen(known: study.Laws):
    assert quantities(replace(known, posterior=known.posterior[:, ::-1]))["moons.same_top"].value == 0


def test_rare_clusters_survive_a_strong_tempering(known: study.Laws):
    # λ/d_s = 30 at ξ = 0.05 is an exponent of 10⁷⁵: all but the largest cluster vanish, none is 0
    table = study.scan_table(replace(known, ratio=np.full(3, 30.0)), root_seed=0)
    assert np.isfinite(table[["kl", "low", "high", "tempered"]]).all(axis=None)


def points() -> Coordinates:
    """The nets, and chains that visit the clusters as the squares of their sizes."""
    labels = RNG.choice(3, p=SQUARE, size=(40, 50))
    return Coordinates(POINTS, CENTRES[labels] + 0.1 * RNG.standard_normal((40, 50, 2)))


def nets(ratio: float | np.ndarray = 1.5) -> pd.DataFrame:
    return pd.DataFrame({"ratio": np.broadcast_to(ratio, 500)})


def laws_of(points: Coordinates, nets: pd.DataFrame, plan: LawPlan = PLAN) -> study.Laws:
    return study.laws_of(points, study.clusters_of(points, plan), nets, plan, root_seed=0)


def test_laws_of_a_reading_count_nets_and_draws():
    found = laws_of(points(), nets())
    assert_allclose(found.nets.sum(0), SIZES)
    assert found.posterior.sum() == 40 * 50
    assert_allclose(found.posterior.sum(0) / 2000, SQUARE, atol=0.05)
    own = laws_of(points(), nets(1.5 + LABELS), PLAN.model_copy(update={"ratio": "per cluster"}))
    assert_allclose(own.ratio, [1.5, 2.5, 3.5])


def test_a_fitted_strength_is_used_on_the_other_half():
    fitted = PLAN.model_copy(update={"strength": None})
    found = laws_of(points(), nets(3.0), fitted)  # D_ξ = ξ^-4
    assert len(found.nets) == 250
    assert len(found.posterior) == 20
    assert_allclose(found.exponents(), 2, rtol=0.3)
    assert quantities(found)["moons.best_xi"].value == pytest.approx(0.5, rel=0.13)


def test_one_cluster_and_no_ratio_are_refused():
    with pytest.raises(MeasureError, match="found one cluster"):
        laws_of(points(), nets(), PLAN.model_copy(update={"clusters": 1}))
    with pytest.raises(MeasureError, match="no net has a positive"):
        laws_of(points(), nets(-1.0))


def test_the_ensembles_own_coordinates_serve(moons: Moons, nets: pd.DataFrame):
    kept = moons.kept[:6] + 0.05 * RNG.standard_normal(moons.kept[:6].shape).astype(np.float32)
    draws = Posterior(np.arange(6), np.zeros((6, 4)), kept, np.ones(6), 1.0, np.array([]))
    plan = PLAN.model_copy(update={"clusters": 2})
    found = laws_of(coordinates(moons, draws, "weights"), nets, plan)
    assert found.nets.sum() == 14
    assert found.posterior.sum() == 6 * 4
