import numpy as np
import pytest
import torch

from sgdiffusion.dynamics.chains.tanh_scalar import run_tanh
from sgdiffusion.errors import ConfigError


def slow_tanh(initial, k, noise, rate, steps, teacher, train_output, batch, stream):
    """One chain by automatic differentiation in float64."""
    weights = torch.tensor(initial, requires_grad=True)
    for _ in range(steps):
        x, e = torch.tensor([[stream.normal(), stream.normal()] for _ in range(batch)], dtype=torch.float64).T
        y = (torch.tanh(k * x) if teacher == "tanh" else k * x) + noise * e
        f = (weights[:, 1] * torch.tanh(weights[:, 0] * x[:, None])).sum(1)
        (gradient,) = torch.autograd.grad(((f - y) ** 2).mean(), weights)
        with torch.no_grad():
            gradient[:, 1] *= float(train_output)
            weights -= rate * gradient
    return weights.detach().numpy()


@pytest.mark.parametrize("teacher", ["linear", "tanh"])
@pytest.mark.parametrize("train_output", [True, False])
@pytest.mark.parametrize(("units", "batch"), [(1, 1), (3, 2)])
def test_equals_autograd(slow_stream, teacher, train_output, units, batch):
    initial = np.random.default_rng(4).normal(size=(2, units, 2))
    paths = run_tanh(
        initial, 0.7, 0.4, 0.1, [0, 25], teacher=teacher, train_output=train_output, batch=batch, seed=3
    )
    assert (paths.weights[:, 0] == initial).all()
    for chain in range(2):
        slow = slow_tanh(
            initial[chain], 0.7, 0.4, 0.1, 25, teacher, train_output, batch, slow_stream(3, chain)
        )
        assert paths.weights[chain, 1] == pytest.approx(slow, rel=1e-11, abs=1e-13)
    assert paths.v[:, 1] == pytest.approx((paths.weights[:, 1, :, 0] * paths.weights[:, 1, :, 1]).sum(1))
    assert paths.times == pytest.approx([0, 2.5])


def test_threads_change_nothing():
    initial = np.random.default_rng(5).normal(size=(20, 1, 2))
    one = run_tanh(initial, 0.7, 0.4, 0.1, [30], seed=1)
    two = run_tanh(initial, 0.7, 0.4, 0.1, [30], seed=1, threads=2)
    assert (one.weights == two.weights).all()


def test_overflow_is_flagged():
    wild = run_tanh(np.ones((3, 1, 2)), 1.0, 1.0, 1e9, [50], seed=1)
    assert wild.escaped.all()
    assert np.isnan(wild.v).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.0}, "learning rate"),
        ({"initial": np.ones((1, 1, 3))}, "pairs"),
        ({"batch": 0}, "batch"),
    ],
)
def test_bad_input_is_named(changes, message):
    arguments = {"initial": np.ones((1, 1, 2)), "k": 1.0, "noise": 1.0, "learning_rate": 0.1, "records": [1]}
    with pytest.raises(ConfigError, match=message):
        run_tanh(**(arguments | changes))
