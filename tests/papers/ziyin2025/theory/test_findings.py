import math

import pytest

from sgdiffusion.papers.ziyin2025.theory.findings import findings


@pytest.fixture(scope="module")
def rows():
    return {row["finding"]: row for row in findings()}


def test_every_row_has_its_demonstration(rows):
    assert len(rows) == 8
    for row in rows.values():
        assert row["kind"] in ("formula", "scope")
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
    # ∫ v^{−4/3} from ε grows like ε^{−1/3}: tenfold from 1e-3 to 1e-6.
    assert rows["eq14-lower-limit"]["printed_value"] == pytest.approx(10, rel=0.2)
    assert rows["table1-interpolation-mass"]["printed_value"] > 1e5
    assert rows["table1-interpolation-mass"]["derived_value"] < 1e-12


def test_scopes(rows):
    assert rows["fig4-star-range"]["printed_value"] > 1.1
    assert rows["fig4-star-range"]["derived_value"] == pytest.approx(1, abs=2e-3)
    assert rows["second-order-incomplete"]["printed_value"] < 0.5
    assert rows["second-order-incomplete"]["derived_value"] == pytest.approx(1, abs=0.25)
    assert rows["no-discrete-transition"]["printed_value"] > 0.1
    assert rows["no-discrete-transition"]["derived_value"] > 0.1
    assert rows["no-deep-transition"]["derived_value"] == pytest.approx(1, abs=1e-9)
