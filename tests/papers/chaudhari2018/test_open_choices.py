"""The readings of small-fc are those of its variants, one setting each, under the names of readings.yaml."""

from pathlib import Path

from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.papers.chaudhari2018.items import readings_of_variants
from sgdiffusion.papers.items import Plan

ROOT = Path(__file__).resolve().parents[3]


def test_every_reading_of_small_fc_is_trained_as_a_variant():
    config = Configuration(ROOT / "config")
    claims = {"chaudhari2018": load_claims(ROOT / "config", "chaudhari2018")}
    plan = Plan("chaudhari2018", "full", {}, config, claims, lambda item: True)
    found = readings_of_variants(plan)
    names = [reading["name"] for reading in plan.readings("small-fc-readings")]
    assert sorted(found.values()) == sorted(names)
    assert found["unchanged"] == "base"
    assert found["two-hidden"] == "fc-hidden-layers=two-hidden"
    assert "no-momentum" not in found  # the paper states its momentum
