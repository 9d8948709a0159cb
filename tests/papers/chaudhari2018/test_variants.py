"""Variants of a training: the numbers of the run's own studies, and ratios the right way up."""

import numpy as np
import pytest
import torch

from sgdiffusion.papers.chaudhari2018 import constancy, spectra
from sgdiffusion.papers.chaudhari2018 import variants as study

from .test_constancy import network

DATA = torch.randn(200, 6, generator=torch.Generator().manual_seed(3)), torch.arange(200) % 3


@pytest.fixture(scope="module")
def trained():
    return {seed: {0.2: network(seed, 0.5), 1.0: network(seed, 0.6)} for seed in range(2)}


def test_both_instants_have_the_spectra_and_the_comparison_of_their_own_studies(trained):
    values, alike = study.of_variant(trained, DATA, early=True)
    modules = {(seed, f): net for seed, nets in trained.items() for f, net in nets.items()}
    expected, statistics = spectra.spectra_table(modules, DATA)
    keys = ["seed", "fraction", "index"]
    ordered = values.sort_values(keys, ignore_index=True)
    np.testing.assert_allclose(
        ordered["eigenvalue"],
        expected.sort_values(keys)["eigenvalue"],
        atol=1e-6 * expected["eigenvalue"].max(),
    )
    whole = constancy.constancy_table(trained, DATA)
    training = whole[whole["kind"] == "training"].reset_index(drop=True)
    np.testing.assert_allclose(alike["cosine"], training["cosine"], rtol=1e-5)
    found = study.read_quantities(values, alike, {}, "net").set_index("quantity")["value"]
    assert found["net.cosine_20_100"] == pytest.approx(training["cosine"].mean(), rel=1e-5)
    last = statistics[statistics["fraction"] == 1.0]
    assert found["net.rank_percent"] == pytest.approx(last["rank_percent"].mean())
    assert found["net.distance_20_100"] > 0


def test_without_the_early_instant_there_is_the_end_alone(trained):
    values, alike = study.of_variant(trained, DATA, early=False)
    assert alike is None
    assert set(values["fraction"]) == {1.0}


def test_ratios_stand_as_in_the_remarks(trained):
    values, alike = study.of_variant(trained, DATA, early=True)
    own = spectra.statistics_of(values)
    other = own.assign(rank=2 * own["rank"], rank_percent=2 * own["rank_percent"], mean=5 * own["mean"])
    fc = study.read_quantities(values, alike, {"r16.fc-over-lenet": other}, "small-fc")
    assert fc.set_index("quantity")["value"]["r16.fc-over-lenet.rank"] == pytest.approx(0.5)
    others = {"r16.fc-over-lenet": other, "r14.cifar10-over-mnist": other}
    lenet = study.read_quantities(values, alike, others, "small-lenet").set_index("quantity")["value"]
    assert lenet["r16.fc-over-lenet.rank_percent"] == pytest.approx(2)
    assert lenet["r14.cifar10-over-mnist.mean"] == pytest.approx(5)
