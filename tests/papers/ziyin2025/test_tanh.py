"""Fig 3 right and Fig 5 mid: quadrature against sampling, and small runs."""

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025 import tanh as study
from sgdiffusion.papers.ziyin2025.tanh import _over, excess_loss, inversion, signs


def test_excess_loss_against_sampling():
    rng, n = np.random.default_rng(2), 400_000
    x = rng.standard_normal(n)
    weights = np.array([[0.7, 1.1], [-0.3, 2.0]])
    for found, (u, w) in zip(excess_loss(weights, 0.4), weights, strict=True):
        squares = (w * np.tanh(u * x) - 0.4 * x) ** 2
        assert found == pytest.approx(squares.mean(), abs=4 * squares.std() / np.sqrt(n))


def test_shallow_model_keeps_wrong_signs_more_often():
    found = signs(chains=400, duration=100.0, temperatures=(0.05,), seed=2)
    rows = {r["quantity"]: r for r in found["quantities"].to_dict("records")}
    assert rows["fig3c.t0.05.d0.wrong_sign"]["low"] > rows["fig3c.t0.05.d1.wrong_sign"]["high"]
    table = found["signs"].drop_duplicates("depth").set_index("depth")
    for depth in (0, 1):
        assert rows[f"fig3c.t0.05.d{depth}.no_sign"]["value"] == table.loc[depth, "no_sign"]
    bins = found["signs"].groupby("depth")
    mass = bins.apply(lambda p: (p["density"] * (p["high"] - p["low"])).sum())
    assert (mass > 0.97).all()
    assert (mass <= 1 + 1e-12).all()


def test_both_layers_vanish_at_a_large_rate_and_one_does_not():
    found = inversion(rates=(0.02, 0.05, 0.3), chains=20, duration=200.0, seed=4)
    value = found["quantities"].set_index("quantity")["value"]
    assert value["fig5b.d1.variance_last_over_peak"] < 0.1
    assert value["fig5b.d0.variance_last_over_peak"] == 1.0
    assert value["fig5b.d0.norm_last_over_first"] > 2
    table = found["inversion"]
    assert value["fig5b.d1.escaped_last"] == 0
    assert value["fig5b.d1.escaped_hottest"] == 1
    assert value["fig5b.d0.escaped_hottest"] == 0
    hottest = table[(table["depth"] == 1) & (table["rate"] == 2.0)].iloc[0]
    assert np.isnan(hottest["variance"])
    assert hottest["escaped"] == 1
    assert table["critical"].unique() == pytest.approx([0.1 / (2 * 0.1**2 + 1)])
    assert set(table.attrs["columns"]) == set(table.columns)


def test_ratio_of_rows_by_the_delta_method():
    top, bottom = (
        pd.Series({"rate": r, "norm": m, "norm_error": e}) for r, m, e in ((2, 6.0, 0.3), (1, 3.0, 0.1))
    )
    found = _over(top, bottom, "norm")
    assert found.value == 2.0
    assert found.high - 2.0 == pytest.approx(1.959964 * 2 * np.hypot(0.3 / 6, 0.1 / 3))
    assert _over(top, top, "norm")[:3] == (1.0, 1.0, 1.0)


def test_overflow_is_an_error(monkeypatch):
    monkeypatch.setattr(study, "_start", lambda chains, *rest: np.full((chains, 1, 2), 1e30))
    with pytest.raises(MeasureError, match="overflowed"):
        signs(chains=2, duration=1.0, temperatures=(0.05,))
