"""Theorem 4.1: the statistics on subnetworks made by hand, and a small run."""

import numpy as np
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.subnetworks import (
    _alive,
    _living,
    _log_ratio_change,
    _minority,
    _square_gap,
    subnetworks,
)


def test_minority_share_of_subnetworks_made_by_hand():
    v = np.array([[[1.0, -0.25, 0.75], [1.0, 1.0, 1.0], [-1.0, -1.0, 2.0]]])
    assert _minority(v) == pytest.approx(np.array([[0.125, 0.0, 0.5]]))


def test_dead_subnetworks_do_not_count():
    v = np.array([[[1.0, 2.0, 3.0], [2.0, 2.0, 1e-9]], [[1.0, 2.0, 3.0], [1.0, 1e-9, 1e-9]]])
    assert _alive(v).tolist() == [[True, True, False], [True, False, False]]
    # The second chain has no pair; the first has one, whose gap falls from 3/5 to 0.
    assert _square_gap(v) == pytest.approx(np.array([[0.6, 0.0]]))
    assert _log_ratio_change(v) == pytest.approx(np.array([[0.0, np.log(2)]]))


def test_square_gap_sums_over_pairs():
    v = np.array([[[1.0, 2.0, 3.0]]])
    assert _square_gap(v)[0, 0] == pytest.approx((3 + 8 + 5) / (5 + 10 + 13))


def test_no_living_pair_is_an_error():
    with pytest.raises(MeasureError, match="depth 3 do two subnetworks live"):
        _living(np.empty((0, 5)), 3)


def test_three_statements_in_a_small_run():
    found = subnetworks(chains=20, duration=60.0, seed=1)
    value = found["quantities"].set_index("quantity")["value"]
    for depth in (1, 2, 3):
        assert value[f"thm41.d{depth}.minority"] < 1e-3
    assert value["thm41.d1.log_ratio_change"] < 1e-9  # rounding alone
    assert value["thm41.d1.square_gap"] > 0.4
    for depth in (2, 3):
        assert value[f"thm41.d{depth}.square_gap"] < 0.5 * value[f"thm41.d{depth}.square_gap_start"]
    # at T = 0.02 a tenth of the imbalance is left at half-time, as long as it lasts log ratios change
    assert value["thm41.sgd.d1.log_ratio_change"] < 0.3
    assert value["thm41.sgd.d2.square_gap"] < 0.5 * value["thm41.sgd.d2.square_gap_start"]
    table = found["subnetworks"]
    assert set(table["simulator"]) == {"sde", "sgd"}
    assert set(table.attrs["columns"]) == set(table.columns)
    assert table[table["time"] < 29]["log_ratio"].isna().all()
