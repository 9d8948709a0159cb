"""Fig 5 right: the two cuts on a table made by hand, a small run on digits, refusals."""

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.data.digits import digits
from sgdiffusion.data.preparation import full, prepare
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers.ziyin2025.depths import _quantities, depth_range, trained_errors
from sgdiffusion.papers.ziyin2025.settings import DepthScaling


@pytest.fixture(scope="module")
def images():
    return prepare(digits(), "digits", "full", full, real=False)


def a_run(**settings):
    given = {
        "kind": "depth-scaling",
        "data": {"set": "mnist", "preparation": "full", "n_train": 256, "n_test": 100},
        "depths": [1, 2], "width": 16, "width_per_depth": 16, "lowest_rate": 0.1, "octaves": 4,
        "init": "xavier", "batch": 32, "epochs": 6, "failed": 0.5, "seeds": 1,
    }  # fmt: skip
    return DepthScaling.model_validate(given | settings)


def by_hand(error, shapes=("constant", "proportional")) -> pd.DataFrame:
    rows = [
        {"shape": shape, "depth": d, "rate": r, "scaled_rate": r * d, "seed": s, "test_error": error(d, r, s)}
        for shape in shapes
        for d in (1, 2, 4)
        for r in (0.1, 0.2, 0.4, 0.8)
        for s in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_errors_that_depend_on_the_scaled_rate_alone_have_no_range_in_that_cut():
    table = by_hand(lambda d, r, s: 0.1 * r * d + 0.01 * s)
    value = {r["quantity"]: r["value"] for r in _quantities(table, 0.5)}
    assert value["fig5c.sound_cuts"] == 2
    assert value["fig5c.range_scaled"] == pytest.approx(0.0, abs=1e-12)
    # The rates that allow all cuts are 0.4 and 0.8; at a fixed one depths 1 and 4 differ by 0.3 of it.
    assert value["fig5c.range_fixed"] == pytest.approx(0.3 * 0.6)
    assert value["fig5c.range_fixed_minus_scaled"] == pytest.approx(0.18)
    assert value["fig5c.proportional_over_error"] == pytest.approx(0.18 / 0.14, rel=0.05)


def test_a_failed_net_takes_its_cut_away():
    table = by_hand(lambda d, r, s: 0.9 if (d, r) == (4, 0.8) else 0.1 * r * d)
    value = {r["quantity"]: r["value"] for r in _quantities(table, 0.5)}
    assert value["fig5c.sound_cuts"] == 1
    assert value["fig5c.range_fixed"] == pytest.approx(0.3 * 0.4)
    none = _quantities(by_hand(lambda d, r, s: 0.9), 0.5)
    assert [r["quantity"] for r in none] == ["fig5c.sound_cuts"]


def test_range_is_taken_within_a_seed():
    table = by_hand(lambda d, r, s: 0.1 * s, ("constant",))
    assert depth_range(table, "rate", np.array([0.4, 0.8])).tolist() == [0.0, 0.0]


def test_small_run_learns_and_counts_bad_nets_as_wrong(images):
    table = trained_errors(images, a_run(), 0)
    assert len(table) == 2 * 4 + 2
    assert table["test_error"].min() < 0.4
    assert set(table.attrs["columns"]) == set(table.columns)
    wild = trained_errors(images, a_run(width=8, lowest_rate=1e37), 0)
    assert wild["diverged"].any()
    assert (wild["test_error"][wild["diverged"]] == 1.0).all()


def test_refusals(images):
    with pytest.raises(ConfigError, match="powers of two"):
        trained_errors(images, a_run(depths=[1, 3]), 0)
    with pytest.raises(ConfigError, match="batch 512 is larger than the training set of 256"):
        trained_errors(images, a_run(batch=512), 0)
