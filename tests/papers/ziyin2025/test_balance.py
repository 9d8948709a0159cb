"""Fig 2 and Theorem 3.1: the expected change of a step by enumeration, and a small training."""

import numpy as np
import pandas as pd
import pytest
import torch

from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp
from sgdiffusion.errors import TrainingError
from sgdiffusion.papers.ziyin2025.balance import (
    _balance,
    _quantities,
    _windows,
    two_layer,
)
from sgdiffusion.papers.ziyin2025.common import integral, named_seed
from sgdiffusion.papers.ziyin2025.settings import TwoLayer
from sgdiffusion.papers.ziyin2025.two_layer import (
    Case,
    layers_of,
    noisy_identity,
    out_of_balance,
    trained_cases,
)


def a_run(**settings):
    return TwoLayer(kind="two-layer", **settings)


SMALL = a_run(n_examples=60, span=5e-4, rates=[0.005, 0.005, 0.01], batches=[1, 1, 10], seeds=2)


@pytest.fixture(scope="module")
def trained():
    return trained_cases(SMALL, 0)


@pytest.fixture(scope="module")
def small(trained):
    return two_layer(trained, SMALL, 0)


def test_expected_change_of_a_step_by_enumeration():
    """η²(wᵀC₂w − uᵀC₁u) + η²(‖∇_u L‖² − ‖∇_w L‖²) over all single examples, S = 1."""
    data, net, rate = noisy_identity(12, 4), Case(0.01, 1, bias=True).net(4, 0).double(), 0.01
    first, second = layers_of(net)
    weights = [first.weight, first.bias, second.weight]

    def imbalance(parts):
        return (parts[0] ** 2).sum() + (parts[1] ** 2).sum() - (parts[2] ** 2).sum()

    changes = []
    for x, y in zip(data.x.double(), data.y.double(), strict=True):
        gradients = torch.autograd.grad(((net(x[None]) - y) ** 2).sum(), weights)
        after = [p - rate * g for p, g in zip(weights, gradients, strict=True)]
        changes.append(float((imbalance(after) - imbalance(weights)).detach()))
    found = _balance(torch.nn.utils.parameters_to_vector(net.parameters()).detach(), net, data)
    noise = float((found.w_noise - found.u_noise).sum())
    mean = float((found.u_gradient - found.w_gradient).sum())
    assert np.mean(changes) == pytest.approx(rate**2 * (noise + mean), rel=1e-9)


def test_integral_is_exact_for_lines():
    times = np.array([0.0, 0.5, 2.0, 3.0])
    assert integral(2 * times + 1, times) == pytest.approx(times**2 + times)


def test_records_of_a_small_training(small):
    norms = small["norms"]
    names = [
        "s1.e0.005",
        "s10.e0.01",
        "s1.e0.005.bias",
        "s1.e0.005.out5",
        "s1.e0.005.out5.x0.7",
        "s1.e0.005.out5.x1.4",
    ]
    assert sorted(set(norms["case"])) == sorted(names)
    start = norms[norms["step"] == 0]
    assert (start[["change", "predicted", "printed", "corrected"]] == 0).all().all()
    # uniform ±1/√fan-in: E‖u‖² = 200 · 20/(3 · 20), E‖w‖² = 20 · 200/(3 · 200)
    fresh = start[start["case"] == "s10.e0.01"]
    assert fresh["u_squared"].mean() == pytest.approx(200 / 3, rel=0.05)
    assert fresh["w_squared"].mean() == pytest.approx(20 / 3, rel=0.05)
    assert set(norms.attrs["columns"]) == set(norms.columns)
    last = norms[norms["step"] == norms.groupby("case")["step"].transform("max")]
    assert (last["time"] * last["rate"] / last["batch"]).to_numpy() == pytest.approx(5e-4, rel=0.2)
    bounds = small["bounds"]
    assert (bounds["low"] <= bounds["high"]).all()
    assert (bounds["unit_low"] <= bounds["unit_high"]).all()
    assert bounds["full_rank"].between(0, 1).all()


def test_out_of_balance_is_the_same_function():
    net, data = Case(0.01, 1, bias=True).net(1, 0), noisy_identity(7, 1)
    before = _balance(torch.nn.utils.parameters_to_vector(net.parameters()).detach(), net, data)
    outputs = net(data.x.double())
    after_net = out_of_balance(net, 1.5).double()
    assert torch.allclose(after_net(data.x.double()), outputs, rtol=1e-5, atol=1e-5)
    after = _balance(torch.nn.utils.parameters_to_vector(after_net.parameters()).detach(), after_net, data)
    assert after.norm_ratio == pytest.approx(before.norm_ratio * 1.5**4, rel=1e-4)
    # uᵀC₁u grows as λ², wᵀC₂w falls as λ⁻²: λ⁴ = wᵀC₂w/uᵀC₁u brings them together
    assert after.noise_ratio == pytest.approx(before.noise_ratio * 1.5**4, rel=1e-4)


def test_nets_off_balance_start_where_the_uneven_one_ends(trained):
    uneven = Case(0.005, 1, 5)
    ends = uneven.trained(trained, 0)
    for scale in (0.7, 1.4):
        starts = trained[f"{uneven._replace(scale=scale).name}.kept"][:, 0]
        for net, start in zip(ends, starts, strict=True):
            first, second = layers_of(net)
            scaled = [first.weight * scale, second.weight / scale]
            expected = torch.nn.utils.parameters_to_vector(scaled).detach().numpy()
            assert start == pytest.approx(expected, rel=1e-6)


def test_the_last_record_is_the_end(trained):
    """Training one case again, without any records, ends at the weights that were kept last."""
    case = Case(0.01, 10)
    nets = [case.net(0, s) for s in range(2)]
    end = ensemble.train(
        BatchedMlp(nets[0], "squared"), noisy_identity(60, 0), stack(nets), "sgd", steps=case.steps(5e-4),
        rates=[0.02] * 2, batch_sizes=[10] * 2, sampling="replacement",
        seeds=[named_seed(0, "two-layer", "batches", case.name, s) for s in range(2)],
    )  # fmt: skip
    assert np.array_equal(trained[f"{case.name}.kept"][:, -1], end.theta.numpy())
    assert trained[f"{case.name}.steps"][-1] == case.steps(5e-4)


def test_quantities_are_ratios_over_seeds(small):
    rows = {r["quantity"]: r for r in small["quantities"].to_dict("records")}
    norms, case = small["norms"], Case(0.01, 10)
    mine = norms[norms["case"] == case.name]
    part = mine[mine["step"] >= 0.5 * mine["step"].max()]
    ratio = [p["u_noise"].mean() / p["w_noise"].mean() for _, p in part.groupby("seed")]
    assert rows[f"fig2.{case.name}.noise_ratio"]["value"] == pytest.approx(np.mean(ratio))
    assert rows[f"fig2.{case.name}.noise_ratio"]["n"] == 2
    bounds = small["bounds"]
    again = _quantities(_windows(mine, case), bounds[bounds["case"] == case.name], case)
    windows = small["windows"]
    assert set(windows.attrs["columns"]) == set(windows.columns)
    assert len(windows) == 7 * 11
    assert [r["quantity"] for r in again] == [q for q in rows if f".{case.name}." in q]
    # (λu, w/λ) starts at λ⁴ times the ratio of norms, and each λ from the same trained weights
    starts = [rows[f"lambda4.x{s}.start"]["value"] for s in ("0.7", "1.4")]
    assert starts[1] / starts[0] == pytest.approx(2.0**4, rel=1e-3)


def test_offsets_at_rest_are_those_of_eq_44():
    """A table at rest with mean gradient p: uᵀC₁u − wᵀC₂w = S p, as printed p."""
    case, n = Case(0.01, 10), 11
    columns = {
        "step": np.arange(n),
        "u_noise": 104.0,
        "w_noise": 100.0,
        "pull": 0.4,
        "u_squared": 2.0,
        "w_squared": 1.0,
    }
    path = pd.DataFrame(
        {**columns, "seed": 0, "change": 1.0, "predicted": 1.0, "printed": 1.0, "corrected": 1.0}
    )
    bounds = pd.DataFrame(
        {"norm_ratio": [2.0], "low": [1.0], "high": [3.0], "unit_median": [1.0], "full_rank": [1.0]}
    )
    value = {r["quantity"]: r["value"] for r in _quantities(_windows(path, case), bounds, case)}
    assert value["eq44.s10.e0.01.offset"] == pytest.approx(4 / 102)
    assert value["eq44.s10.e0.01.offset_minus_corrected"] == pytest.approx(0, abs=1e-12)
    assert value["eq44.s10.e0.01.offset_minus_printed"] == pytest.approx(3.6 / 102)
    assert value["eq4.s10.e0.01.inside"] == 1.0


def test_divergence_names_the_case():
    with pytest.raises(TrainingError, match=r"diverged at learning rate 10\.0, batch 1: lower the rate"):
        trained_cases(a_run(n_examples=20, span=6000.0, seeds=1, rates=[10.0, 10.0], batches=[1, 1]), 0)
