"""The closed forms evaluated: findings with their numbers, limits of great depth."""

import pytest

from sgdiffusion.papers.ziyin2025.closed_forms import closed_forms, depth_limits, star_range, stationary_forms
from sgdiffusion.papers.ziyin2025.tables import findings_table


def test_findings_come_with_their_numbers():
    found = closed_forms()
    value = found["quantities"].set_index("quantity")["value"]
    for row in findings_table(found["findings"]).to_dict("records"):
        assert value[f"finding.{row['finding']}.printed"] == row["printed_value"]


def test_infinite_depth_has_three_regimes():
    value = {r["quantity"]: r["value"] for r in depth_limits()}
    assert value["limit.narrow.near_zero"] > 0.9
    assert value["limit.wide.near_minimiser"] > 0.99
    assert 0.05 < value["limit.own.near_minimiser"] < 0.95
    deeper = {r["quantity"]: r["value"] for r in depth_limits(shallow=64)}
    assert deeper["limit.own.distance"] < 0.7 * value["limit.own.distance"]


def test_star_temperature_ends_the_maximum_up_to_the_root_of_fourteen_thirds():
    value = {r["quantity"]: r["value"] for r in star_range((1.0, 2.0, 4.0))}
    assert value["star.s1"] == pytest.approx(1, abs=5e-3)  # of the scan
    assert value["star.s2"] == pytest.approx(1, abs=5e-3)
    assert value["star.s4"] > 1.1


def test_what_is_read_off_eq_15():
    value = {r["quantity"]: r["value"] for r in stationary_forms()}
    assert value["eq16.largest_error"] < 1e-5
    assert value["eq16.slope_over_printed"] == pytest.approx(1, abs=1e-3)
    assert value["inversion.peak_over_cold"] > 10
    assert value["inversion.hot_over_peak"] < 0.05
    assert value["moments.deep.smallest_order"] == pytest.approx(2.5)
