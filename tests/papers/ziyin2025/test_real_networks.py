"""Real networks: pairs, unbiased moments, the exact change of a step, and a small run."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch

from sgdiffusion import networks
from sgdiffusion.data.digits import digits
from sgdiffusion.data.preparation import pool7, prepare
from sgdiffusion.data.store import subset
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.real_networks import (
    SIZES,
    _relaxations,
    measure,
    moments,
    pairs_of,
    train,
)
from sgdiffusion.papers.ziyin2025.settings import RealNetworks


@pytest.fixture(scope="module")
def images():
    return subset(prepare(digits(), "digits", "pool7", pool7, real=False), 200, 50)


def made(name):
    generator = torch.Generator().manual_seed(3)
    return networks.build(name, in_shape=(1, 7, 7), classes=10, generator=generator, **SIZES[name])


def test_pairs_of_every_network(images):
    x, y = torch.from_numpy(images.x_train[:4]), torch.from_numpy(images.y_train[:4])
    kinds = {name: [p.kind for p in pairs_of(made(name), x, y)] for name in SIZES}
    assert kinds["mlp"] == ["layer-layer"] * 3
    assert set(kinds["conv-norm"]) == {"norm-layer"}
    assert kinds["row-transformer"].count("query-key") == 2
    named = [p.name for p in pairs_of(made("row-transformer"), x, y)]
    for layer in (0, 1):
        assert f"attention.{layer}.value → attention.{layer}.output" in named
        assert f"up.{layer} → down.{layer}" in named


@pytest.mark.parametrize("name", list(SIZES))
def test_a_step_changes_the_imbalance_by_its_squared_gradients(name, images):
    """‖u‖² − ‖w‖² moves by exactly η²(‖g_u‖² − ‖g_w‖²): u·g_u = w·g_w for a batch, batch-norm or not."""
    x, y = torch.from_numpy(images.x_train[:16]).double(), torch.from_numpy(images.y_train[:16])
    module = made(name).double()
    theta = stack([module])
    _, g = batched(module, statistics="batch").gradients(theta, x[None], y[None])
    after = theta - 0.01 * g
    for pair in pairs_of(module, x, y):
        expected = 0.01**2 * float(g[0, pair.u].square().sum() - g[0, pair.w].square().sum())
        before, now = (t[0, pair.u].square().sum() - t[0, pair.w].square().sum() for t in (theta, after))
        scale = 0.02 * float(theta[0, pair.u].abs() @ g[0, pair.u].abs())
        assert float(now - before) == pytest.approx(expected, abs=1e-9 + 1e-6 * scale)


def test_moments_are_unbiased():
    rng = torch.Generator().manual_seed(2)
    mean = torch.tensor([1.0, -2.0, 0.0], dtype=torch.float64)
    found = np.array(
        [moments(mean + torch.randn(6, 3, generator=rng, dtype=torch.float64)) for _ in range(4000)]
    )
    error = found.std(0) / np.sqrt(len(found))
    assert np.abs(found.mean(0) - [3.0, 5.0]) == pytest.approx(0, abs=4 * error.max())


def test_small_run_follows_eq_44(images):
    run = RealNetworks(
        kind="real-networks", data={"set": "mnist", "preparation": "pool7", "n_train": 200, "n_test": 50},
        names=["mlp"], batches=[1, 8], rate=0.02, steps=400, records=16, draws=64, n_examples=512, seeds=2,
    )  # fmt: skip
    task = Task("ziyin2025", {}, 0, 1, "cpu", {}, logging.getLogger("test"))
    found = measure(task, run, images, **train(task, run, images))
    assert task.seeds == [0, 1]
    value = found["quantities"].set_index("quantity")["value"]
    for batch in (1, 8):
        assert value[f"real.mlp.s{batch}.error_corrected"] < 0.3
        assert value[f"real.mlp.s{batch}.error_corrected"] < value[f"real.mlp.s{batch}.error_predicted"]
    assert set(found["pairs"].attrs["columns"]) == set(found["pairs"].columns)
    assert set(found["summary"]["measured"]) >= {"start", "end", "error_printed"}
    start = found["pairs"][found["pairs"]["step"] == 0]
    assert (start[["change", "predicted", "corrected"]] == 0).all().all()


def test_time_to_balance_of_a_relaxation_made_by_hand():
    """ln(uᵀC₁u/wᵀC₂w) falls as exp(−T(uᵀC₁u + wᵀC₂w)/(‖u‖² + ‖w‖²) t) along an orbit near balance."""
    temperature, noise, norm, step = 0.1, 5.0, 2.0, 1e-3
    scale, start = np.exp(0.01), None
    for _ in range(2000):  # d(‖u‖² − ‖w‖²) = norm · d(λ² − λ⁻²), both noises `noise` at λ = 1
        start = start or 4 * np.log(scale)
        change = -temperature * noise * (scale**2 - scale**-2) * step
        scale += change / (norm * 2 * (scale + scale**-3))
    measured = np.log(start / (4 * np.log(scale))) / (2000 * step)
    row = {"u_noise": noise, "w_noise": noise, "u_squared": norm, "w_squared": norm}
    late = pd.DataFrame([{**row, "temperature": temperature, "pair": "a"}])
    assert _relaxations(late, 1.0) == pytest.approx(measured, rel=1e-2)
