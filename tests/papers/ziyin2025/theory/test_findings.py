"""Every printed formula fails and every derived one holds; oracles for what the checks compare with."""

import math

import numpy as np
import pytest

from sgdiffusion.papers.ziyin2025.theory.data_law import gaussian_linear
from sgdiffusion.papers.ziyin2025.theory.findings import findings
from sgdiffusion.papers.ziyin2025.theory.misprints import BATCH, STEP, WEIGHTS, _rate_of_a_step


@pytest.fixture(scope="module")
def rows():
    return {row["finding"]: row for row in findings()}


def test_every_row_has_its_demonstration(rows):
    assert len(rows) == 15
    for row in rows.values():
        assert row["kind"] in ("formula", "scope", "extension")
        assert math.isfinite(row["printed_value"])
        assert math.isfinite(row["derived_value"])
        assert all(row[field] for field in ("source", "printed", "derived", "measure"))


def test_printed_forms_fail_and_derived_forms_hold(rows):
    """Bounds: a current or a rate error of a few per cent is far beyond rounding (1e-9) in either
    direction.
    """
    for name in ("table1-decay-factor", "cor33-decay-factor"):
        assert rows[name]["printed_value"] > 0.1
        assert rows[name]["derived_value"] < 1e-8
    # ∫ v^{−2D/(D+1)} from ε grows at least like log(1/ε): twofold from 1e-3 to 1e-6.
    assert 1.8 < rows["eq14-lower-limit"]["printed_value"] < 2.5
    assert rows["table1-interpolation-mass"]["printed_value"] > 1e5
    assert rows["table1-interpolation-mass"]["derived_value"] < 1e-12


def test_scopes(rows):
    assert rows["fig4-star-range"]["printed_value"] > 1.1
    assert rows["fig4-star-range"]["derived_value"] == pytest.approx(1, abs=2e-3)
    assert rows["second-order-incomplete"]["printed_value"] < 0.5
    assert rows["second-order-incomplete"]["derived_value"] == pytest.approx(1, abs=0.25)
    assert rows["no-discrete-transition"]["printed_value"] > 0.1
    assert rows["no-discrete-transition"]["derived_value"] > 0.1
    assert 0.9 < rows["no-deep-transition"]["derived_value"] < 1


@pytest.mark.parametrize(
    "name",
    [
        "a3-temperature",
        "eq50-temperature",
        "eq51-factor",
        "eq99-integral",
        "eq11-delta",
        "table1-single-layer-decay",
    ],
)
def test_misprints_miss_what_their_corrections_give(rows, name):
    """One, but for rounding and the step of the numerical derivative (1e-7)."""
    assert rows[name]["derived_value"] == pytest.approx(1, abs=1e-5)
    assert abs(rows[name]["printed_value"] - 1) > 0.05


def test_critical_offset(rows):
    assert rows["eq108-offset"]["derived_value"] == pytest.approx(0, abs=1e-12)
    assert abs(rows["eq108-offset"]["printed_value"]) > 0.05


def test_one_step_multiplies_the_imbalance():
    """1 − η²(Var G/S + E[G]²), by sampling batches of y = x + ε at one state."""
    rng, (u, w), eta, batch, n = np.random.default_rng(4), WEIGHTS, STEP, BATCH, 200_000
    x = rng.standard_normal((n, batch))
    y = x + rng.standard_normal((n, batch))
    g = (2 * x * (u * w * x - y)).mean(1)
    change = ((u - eta * g * w) ** 2 - (w - eta * g * u) ** 2) / (u**2 - w**2) - 1
    rate = _rate_of_a_step(gaussian_linear(1.0, 1.0), eta, batch)
    assert -change.mean() / eta == pytest.approx(rate, abs=4 * change.std() / eta / np.sqrt(n))
