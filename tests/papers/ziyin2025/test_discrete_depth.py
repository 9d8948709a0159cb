"""Discrete SGD at D ≥ 1: distances fall with the rate, chains of SGD escape and those of the SDE do not."""

import pytest

from sgdiffusion.papers.ziyin2025.discrete_depth import discrete_depth


@pytest.fixture(scope="module")
def small():
    return discrete_depth(signals=(0.4, 0.1), rates=(0.2, 0.5), depths=(1, 2), chains=800, seed=1)


def test_distances_fall_with_the_rate(small):
    table = small["approach"].set_index(["depth", "k"])
    assert table.loc[(2, 0.1), "distance"] < table.loc[(2, 0.4), "distance"] - 2 * table.loc[(2, 0.4), "band"]
    value = small["quantities"].set_index("quantity")["value"]
    assert value["approach.d2.quarter"] < table.loc[(2, 0.4), "distance"]  # smaller steps
    assert set(small["approach"].attrs["columns"]) == set(small["approach"].columns)


def test_escapes_grow_with_rate_and_time_and_the_sde_has_none(small):
    table = small["escapes"].set_index(["simulator", "depth", "rate", "time"])["escaped"]
    assert table["sde"].max() == 0
    for depth in (1, 2):
        assert table["sgd", depth, 0.5, 500.0] > 0.3
        assert table["sgd", depth, 0.5, 20.0] < table["sgd", depth, 0.5, 100.0]
        assert table["sgd", depth, 0.2, 100.0] < table["sgd", depth, 0.5, 100.0]
    names = set(small["quantities"]["quantity"])
    assert {"approach.d1.finest", "escape.sgd.d2.e0.5.t500", "escape.sde.d1.e0.2.t20"} <= names
