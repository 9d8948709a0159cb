"""Fig 2 and Theorem 3.1: the expected change of a step by enumeration, and a small training."""

import numpy as np
import pytest
import torch

from sgdiffusion.errors import TrainingError
from sgdiffusion.papers.ziyin2025.balance import (
    _balance,
    _integral,
    _net,
    _quantities,
    noisy_identity,
    two_layer,
)


@pytest.fixture(scope="module")
def small():
    return two_layer(n_examples=60, steps=60, seeds=2)


def test_expected_change_of_a_step_by_enumeration():
    """η²(wᵀC₂w − uᵀC₁u) + η²(‖∇_u L‖² − ‖∇_w L‖²) over all single examples, S = 1."""
    data, net, rate = noisy_identity(12, 4), _net(4, 0).double(), 0.01
    first, second = (m.weight for m in net.modules() if isinstance(m, torch.nn.Linear))
    before = float((first**2).sum().detach() - (second**2).sum().detach())
    changes = []
    for x, y in zip(data.x.double(), data.y.double(), strict=True):
        loss = 0.5 * ((net(x[None]) - y) ** 2).sum()
        gu, gw = torch.autograd.grad(loss, [first, second])
        after = ((first - rate * gu) ** 2).sum() - ((second - rate * gw) ** 2).sum()
        changes.append(float(after.detach()) - before)
    found = _balance(torch.nn.utils.parameters_to_vector(net.parameters()).detach(), net, data)
    noise = float((found.w_noise - found.u_noise).sum())
    mean = float((found.u_gradient - found.w_gradient).sum())
    assert np.mean(changes) == pytest.approx(rate**2 * (noise + mean), rel=1e-9)


def test_integral_is_exact_for_lines():
    times = np.array([0.0, 0.5, 2.0, 3.0])
    assert _integral(2 * times + 1, times) == pytest.approx(times**2 + times)


def test_records_of_a_small_training(small):
    norms = small["norms"]
    assert set(norms["batch"]) == {1, 10}
    start = norms[norms["step"] == 0]
    assert (start[["change", "predicted", "corrected"]] == 0).all().all()
    # uniform ±1/√fan-in: E‖u‖² = 200 · 20/(3 · 20), E‖w‖² = 20 · 200/(3 · 200)
    assert start["u_squared"].mean() == pytest.approx(200 / 3, rel=0.05)
    assert start["w_squared"].mean() == pytest.approx(20 / 3, rel=0.05)
    assert set(norms.attrs["columns"]) == set(norms.columns)
    bounds = small["bounds"]
    assert (bounds["low"] <= bounds["high"]).all()
    assert (bounds["unit_low"] <= bounds["unit_high"]).all()


def test_quantities_are_ratios_over_seeds(small):
    rows = {r["quantity"]: r for r in small["quantities"].to_dict("records")}
    norms = small["norms"]
    part = norms[(norms["batch"] == 10) & (norms["step"] >= 30)]
    ratio = [p["u_noise"].mean() / p["w_noise"].mean() for _, p in part.groupby("seed")]
    assert rows["fig2.s10.noise_ratio"]["value"] == pytest.approx(np.mean(ratio))
    assert rows["fig2.s10.noise_ratio"]["n"] == 2
    again = _quantities(norms[norms["batch"] == 1], small["bounds"][small["bounds"]["batch"] == 1], "s1")
    assert [r["quantity"] for r in again] == [q for q in rows if ".s1." in q]


def test_divergence_names_the_case():
    with pytest.raises(TrainingError, match=r"diverged at learning rate 10\.0, batch 1: lower the rate"):
        two_layer(n_examples=20, steps=60, seeds=1, rates=[10.0], batches=[1])
