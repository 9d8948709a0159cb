"""Means over data sets: Student's interval by hand, ranges of shares and distances, what is left out."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sgdiffusion.papers.hennick2025.sets import pooled, pooled_readings, sets_table

VALUES = {
    "moons.llc": [2.0, 3.0, 4.0],
    "moons.best_power": [1.0, 0.5, 1.0],
    "moons.best_xi": [1.0, 1.5, 2.0],
    "moons.kl.sgd": [0.001, 0.1, 10.0],
}


def one(values: dict[str, float], unit: str = "") -> pd.DataFrame:
    rows = [
        {"quantity": k, "value": v, "low": v - 1e-3, "high": v + 1e-3, "n": 500, "unit": unit, "over": "nets"}
        for k, v in values.items()
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def sets() -> list[pd.DataFrame]:
    return [one({k: v[i] for k, v in VALUES.items()}) for i in range(3)]


def test_intervals_are_students_over_data_sets(sets):
    row = pooled(sets).set_index("quantity").loc["moons.llc"]
    half = stats.t.ppf(0.975, 2) * 1.0 / np.sqrt(3)
    assert (row["value"], row["n"], row["over"]) == (3.0, 3, "data sets")
    assert [row["low"], row["high"]] == pytest.approx([3 - half, 3 + half])


def test_shares_stay_in_their_range(sets):
    found = pooled(sets).set_index("quantity")
    assert found.loc["moons.best_power", "high"] == 1
    assert found.loc["moons.best_power", "low"] < 0.5
    assert found.loc["moons.best_xi", "high"] > 1  # ξ is no share


def test_distances_are_averaged_on_a_logarithmic_scale(sets):
    row = pooled(sets).set_index("quantity").loc["moons.kl.sgd"]
    half = stats.t.ppf(0.975, 2) * np.log(100) / np.sqrt(3)
    assert row["value"] == pytest.approx(0.1)
    assert [row["low"], row["high"]] == pytest.approx([0.1 * np.exp(-half), 0.1 * np.exp(half)])
    zero = [*sets[:2], one(dict.fromkeys(VALUES, 0.0))]
    assert pooled(zero).set_index("quantity").loc["moons.kl.sgd", "value"] == pytest.approx(0.101 / 3)


def test_what_one_set_lacks_is_left_out(sets):
    sets[1] = sets[1][sets[1]["quantity"] != "moons.llc"]
    sets[2].loc[sets[2]["quantity"] == "moons.best_xi", "value"] = np.nan
    assert list(pooled(sets)["quantity"]) == ["moons.best_power", "moons.kl.sgd"]


def test_one_set_keeps_its_intervals_over_nets(sets):
    pd.testing.assert_frame_equal(pooled(sets[:1]), sets[0])


def test_table_has_mean_and_range_of_every_quantity(sets):
    numbered = pd.concat([table.assign(set=i) for i, table in enumerate(sets)])
    table = sets_table(numbered).set_index("quantity")
    assert list(table.index) == list(VALUES)
    row = table.loc["moons.llc"]
    assert (row["value"], row["smallest"], row["largest"], row["n"]) == (3.0, 2.0, 4.0, 3)


def test_what_holds_or_not_is_a_share_of_the_samples():
    found = pooled([one({"moons.same_top": v}) for v in (1.0, 1.0, 0.0, 1.0)]).iloc[0]
    assert found["value"] == 0.75
    assert 0 < found["low"] < 0.75 < found["high"] < 1


def test_readings_are_pooled_apart(sets):
    read = [
        pd.concat([t.assign(reading="base", flagged=0.1 * i), t.assign(reading="c=v", flagged=0.0)])
        for i, t in enumerate(sets)
    ]
    read[1] = read[1][read[1]["reading"] == "base"]  # c=v could not be measured on one sample
    found = pooled_readings(read)
    assert set(found["reading"]) == {"base"}
    assert found["flagged"].unique() == pytest.approx([0.1])
    pd.testing.assert_frame_equal(found.drop(columns=["reading", "flagged"]), pooled(sets))


def test_coverage_over_data_sets():
    """Six normal data sets, 400 times (seed 1): 95 % ± 4 standard errors of the intervals hold the mean."""
    generator = np.random.default_rng(1)
    hits = 0
    for values in generator.normal(5.0, 2.0, (400, 6)):
        row = pooled([one({"moons.llc": v}) for v in values]).iloc[0]
        hits += row["low"] <= 5.0 <= row["high"]
    assert abs(hits / 400 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)
