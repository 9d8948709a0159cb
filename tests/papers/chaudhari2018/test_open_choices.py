"""Readings that are trainings have a variant each; where D is measured; which claims have which choices."""

from pathlib import Path

import pytest

from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.config.readings import BASE
from sgdiffusion.papers.chaudhari2018.planning import instants, readings_of_variants, variant_files
from sgdiffusion.papers.items import Plan

ROOT = Path(__file__).resolve().parents[3]
PAPER = "chaudhari2018"


@pytest.fixture(scope="module")
def config():
    return Configuration(ROOT / "config")


@pytest.fixture(scope="module")
def claims():
    return load_claims(ROOT / "config", PAPER)


def plan(config, claims, preset="full", **wildcards):
    return Plan(PAPER, preset, wildcards, config, {PAPER: claims}, lambda item: True)


@pytest.mark.parametrize("family", ["small-fc-variants", "small-lenet-variants", "tiny-fc-long"])
def test_every_reading_that_is_a_training_is_trained_as_a_variant(config, claims, family):
    found = readings_of_variants(family)(plan(config, claims))
    design = f"{family.rpartition('-')[0]}-readings"
    names = [r["name"] for r in plan(config, claims).readings(design) if r["name"] != BASE]
    assert sorted(found.values()) == sorted(names)
    trained = config.variants("full", PAPER, family)
    assert set(found) <= set(trained)
    if family == "small-fc-variants":
        assert found["two-hidden"] == "fc-hidden-layers=two-hidden"
        assert "no-momentum" not in found  # the paper states its momentum


def test_short_trainings_are_no_readings(config, claims):
    assert readings_of_variants("small-allcnn-variants")(plan(config, claims)) == {}


def test_variants_read_every_preparation_once(config, claims):
    found = variant_files("small-allcnn-variants", checkpoints="checkpoints.pt")(plan(config, claims))
    assert found["data"] == [f"data/prepared/cifar10/{p}.npz" for p in ("gcn-zca", "gcn-zca-weak")]
    assert len(found["checkpoints"]) == 2 * 5


@pytest.mark.parametrize(
    ("run", "evaluation", "seed", "count"),
    [
        ("small-lenet", "plain", "2", 3),  # Remark 13 compares the instants of every seed
        ("small-allcnn", "plain", "0", 3),  # drawn in Fig 2a
        ("small-allcnn", "plain", "1", 1),
        ("small-allcnn-augmented", "plain", "0", 1),
        ("small-lenet-grey-cifar10", "plain", "0", 1),
    ],
)
def test_d_is_measured_where_a_figure_or_a_claim_needs_it(config, claims, run, evaluation, seed, count):
    found = instants(plan(config, claims, run=run, evaluation=evaluation, seed=seed))
    assert len(found) == count
    assert found[-1] == 1.0


def test_every_claim_has_choices_or_the_reason_why_none_matters(config, claims):
    varied = {c for run in config.runs("full", PAPER).values() if run.kind == "readings" for c in run.choices}
    for claim in claims:
        assert bool(claim.choices) != bool(claim.no_choices), claim.id
        assert set(claim.choices) <= varied, claim.id


def test_every_open_choice_has_a_measured_effect_or_a_reason(config):
    for paper, run, assumption in config.assumptions("full"):
        measured = assumption.varied or assumption.sensitivity or assumption.no_effect
        assert paper != PAPER or measured, (run, assumption.topic)
