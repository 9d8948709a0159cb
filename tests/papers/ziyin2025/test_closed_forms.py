"""The closed forms evaluated: findings with their numbers, limits of great depth."""

from sgdiffusion.papers.ziyin2025.closed_forms import closed_forms, depth_limits
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
