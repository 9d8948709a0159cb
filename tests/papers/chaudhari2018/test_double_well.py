"""Fig. 4 end to end at small scale: tables, quantities, and what they must agree with."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sgdiffusion.errors import ConfigError
from sgdiffusion.papers.chaudhari2018 import double_well as study
from sgdiffusion.papers.chaudhari2018.theory import double_well as well
from sgdiffusion.verdicts import QUANTITY_COLUMNS, read_quantities

SEED = 4
PATHS = {lam: study.simulate(lam, chains=1000, steps=1500, seed=SEED) for lam in study.LAMBDAS.values()}


@pytest.fixture(scope="module", params=[("fig4b", 0.5), ("fig4c", 1.5)], ids=["b", "c"])
def panel(request):
    name, lam = request.param
    tables = study.tables(lam, PATHS[lam])
    return name, lam, tables, study.quantities(name, lam, PATHS[lam], tables["returns"])


def value(table, name):
    (row,) = table[table["quantity"] == name].to_dict("records")
    return row


def test_tables_document_every_column_and_carry_the_strength(panel):
    _, lam, tables, _ = panel
    for table in tables.values():
        assert list(table.columns) == list(table.attrs["columns"])
        assert set(table["lam"]) == {lam}
        assert len(table)


def test_tables_survive_storage(panel, tmp_path):
    for key, table in panel[2].items():
        table.to_parquet(tmp_path / f"{key}.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{key}.parquet"), table)


def test_quantities_are_what_claims_read(panel):
    name, _, _, quantities = panel
    assert list(quantities.columns) == list(QUANTITY_COLUMNS)
    found = read_quantities([quantities])
    assert all(key.startswith(f"{name}.") for key in found)


def test_simulation_agrees_with_the_law(panel):
    name, _, tables, quantities = panel
    histogram, marginals = tables["histogram"], tables["marginals"]
    width = np.diff(np.sort(histogram["x1"].unique()))[0]
    # 1.4e-3 of the law lies outside; the share of samples outside has a s.d. below 1e-3
    assert_allclose(histogram["density"].sum() * width**2, 1, atol=6e-3)
    assert_allclose(histogram["law"].sum() * width**2, 1, atol=2e-3)
    filled = marginals[marginals["density"] > 0.05]
    z = (filled["density"] - filled["law"]) / filled["error"]
    assert np.abs(z).max() < 4.5  # of about 30
    ratio = value(quantities, f"{name}.total_variation_ratio")
    assert ratio["low"] - 0.1 < 1 < ratio["high"] + 0.1
    for axis, truth in (("x1", 1.0), ("x2", 0.0)):
        mode = value(quantities, f"{name}.most_likely_{axis}")
        spread = (mode["high"] - mode["low"]) / (2 * 1.96)
        assert abs(mode["value"] - truth) < 4 * spread
        assert spread < 0.15


def test_circulation_of_the_paths_is_that_of_the_law(panel):
    name, lam, _, quantities = panel
    ratio = value(quantities, f"{name}.circulation_ratio")
    spread = (ratio["high"] - ratio["low"]) / (2 * 1.96)
    assert abs(ratio["value"] - 1) < 4 * spread + 0.005  # the grid's error is about h²/2
    assert value(quantities, f"{name}.circulation_of_law")["value"] > 0  # anticlockwise
    assert value(quantities, f"{name}.turns")["value"] < lam


def test_flow_of_each_panel(panel):
    name, lam, tables, quantities = panel
    expected = {0.5: (3, 2), 1.5: (1, 0)}[lam]
    found = [value(quantities, f"{name}.{key}")["value"] for key in ("critical_points", "sinks")]
    assert tuple(found) == expected
    assert value(quantities, f"{name}.limit_cycles")["value"] == 0
    flow = tables["orbits"].query("kind == 'flow' and orbit == 0")
    end = flow[["x1", "x2"]].to_numpy()[-1]
    if lam == 0.5:
        sink = np.array(well.critical_points(0.5)[2].x)
        assert_allclose(end, sink, atol=1e-3)
        offset = np.linalg.norm(sink - [1, 0])
        assert_allclose(value(quantities, f"{name}.displacement")["value"], offset, rtol=1e-9)
    else:
        assert np.linalg.norm(end) < 0.5
        assert value(quantities, f"{name}.return_ratio")["value"] < 1
    loop = tables["orbits"].query("kind == 'loop'")
    assert_allclose(np.hypot(loop["x1"], loop["x2"]), 1, atol=1e-9)
    assert value(quantities, f"{name}.loop_closure")["value"] < 1e-9


def test_assumption_4_is_violated_alike_for_every_strength(panel):
    name, _, _, quantities = panel
    # j is proportional to λ, so its relative divergence and its alignment with ∇Φ are not functions of λ
    x = np.stack(np.meshgrid(np.linspace(-4, 4, 400), np.linspace(-6, 6, 600), indexing="ij"), -1)
    weight = np.exp(-well.potential(x))
    j, gradient = well.force(x, 1.0), well.potential_gradient(x)
    norms = np.linalg.norm(j, axis=-1) * np.linalg.norm(gradient, axis=-1)
    share = (weight * np.abs((j * gradient).sum(-1))).sum() / (weight * norms).sum()
    assert_allclose(
        value(quantities, f"{name}.force_alignment")["value"], share, rtol=5e-3
    )  # the kinks of |·|
    assert value(quantities, f"{name}.force_divergence")["value"] > 0.1


def test_without_the_force_nothing_turns_and_nothing_is_displaced():
    returns = study.return_table(0.0, np.array([0.5, 1.0]))
    assert returns["returned"].isna().all()
    found = study.quantities("fig4a", 0.0, PATHS[0.0], returns)
    assert value(found, "fig4a.displacement")["value"] < 1e-12
    assert value(found, "fig4a.turns")["value"] == 0
    circulation = value(found, "fig4a.circulation")
    assert circulation["low"] - 0.01 < 0 < circulation["high"] + 0.01
    assert not found["quantity"].str.contains("force|loop").any()


def test_scan_finds_no_limit_cycle_at_any_strength():
    found = {row["quantity"]: row["value"] for row in study.scan_quantities((0.9, 4.0))}
    assert found["fig4.limit_cycles_any_strength"] == 0
    assert_allclose(found["fig4.onset"], math.exp(-0.25))
    assert found["fig4.focus_decay"] > 0


def test_edges_follow_the_number_of_samples():
    assert len(study.edges_for(np.zeros((10, 10, 2)))) == 9
    assert len(study.edges_for(np.zeros((4000, 100, 2)))) == 65


def test_simulation_is_the_same_for_any_number_of_threads_and_differs_by_seed():
    first = study.simulate(0.5, chains=8, steps=200, seed=1)
    assert np.array_equal(first, study.simulate(0.5, chains=8, steps=200, seed=1, threads=2))
    assert not np.any(first == study.simulate(0.5, chains=8, steps=200, seed=2))


def test_a_single_record_has_no_circulation():
    paths = PATHS[0.5][:, :1]
    rows = study.rotation_quantities("fig4b", 0.5, paths)
    assert [r["quantity"] for r in rows][-1] == "fig4b.circulation_of_law"


def test_too_few_steps_are_refused():
    with pytest.raises(ConfigError, match="leave no record"):
        study.simulate(0.5, chains=8, steps=30)


def test_quantity_spans_its_interval():
    row = study.quantity("a", 2.0, 0.5, n=3, over="chains")
    assert (row["low"], row["value"], row["high"]) == (1.5, 2.0, 2.5)
    assert math.isfinite(row["n"])
