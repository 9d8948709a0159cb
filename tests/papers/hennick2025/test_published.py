"""What tables and figures show as published is what the claims are held against."""

import pytest
from copies.checkout import ROOT

from sgdiffusion.config import load_claims
from sgdiffusion.papers.hennick2025.published import TABLE2, TABLE4, XI

PRINTED = {
    r.quantity: r.published for claim in load_claims(ROOT / "config", "hennick2025") for r in claim.accept
}
MEANS = {"d_s": "spectral_dimension_mean", "final λ": "final_llc_mean", "test accuracy": "test_accuracy"}


@pytest.mark.parametrize("distance", TABLE2)
def test_table_2(distance):
    assert PRINTED[f"moons.{distance}.tempered"] == TABLE2[distance]


@pytest.mark.parametrize(("optimiser", "name"), TABLE4)
def test_table_4(optimiser, name):
    assert PRINTED[f"mlps-{optimiser}.{MEANS[name]}"] == float(TABLE4[optimiser, name][0])


def test_exponents_are_quotients_of_the_printed_means():
    for optimiser in ("sgd", "adam"):
        dimension, coefficient = (float(TABLE4[optimiser, name][0]) for name in ("d_s", "final λ"))
        assert PRINTED[f"mlps-{optimiser}.exponent"] == pytest.approx(dimension / (2 * coefficient), rel=2e-3)


def test_minimum_of_fig_3():
    assert PRINTED["moons.best_xi"] == XI
