"""Compiled discrete SGD against plain Python with the same random numbers, limits, bad input."""

import numpy as np
import pytest

from sgdiffusion.dynamics.chains.diagonal import GaussianData, Population, balanced, run_sgd
from sgdiffusion.errors import ConfigError, MeasureError


def slow_sgd(u, law, rate, steps, batch, decay, injected, stream):
    """One chain by the definition: the gradient of the batch's mean loss with respect to every weight."""
    u = u.copy()
    for _ in range(steps):
        a, b = np.array([(stream.normal(), stream.normal()) for _ in range(batch)]).T
        x = law.input_scale * a
        y = law.k * x + law.noise * b
        v = np.prod(u, axis=1).sum()
        gradient = np.empty_like(u)
        for i, k in np.ndindex(*u.shape):
            others = np.prod(np.delete(u[i], k))
            gradient[i, k] = np.mean(2 * (v * x - y) * x * others) + 2 * decay * u[i, k]
        u -= rate * gradient
        if injected:
            u += injected * np.array([stream.normal() for _ in range(u.size)]).reshape(u.shape)
    return u


@pytest.mark.parametrize(("depth", "width"), [(0, 1), (1, 1), (1, 3), (2, 2), (4, 1)])
@pytest.mark.parametrize(("batch", "decay", "injected"), [(1, 0.0, 0.0), (3, 0.1, 0.0), (3, 0.1, 0.01)])
def test_equals_the_slow_twin(slow_stream, depth, width, batch, decay, injected):
    law = GaussianData(0.5, 0.3, 1.2)
    initial = np.random.default_rng(3).normal(0.5, 0.4, size=(3, width, depth + 1))
    paths = run_sgd(
        initial, law, 0.02, [0, 7, 40], batch=batch, weight_decay=decay, injected=injected, seed=9
    )
    assert (paths.weights[:, 0] == initial).all()
    for chain in range(3):
        slow = slow_sgd(initial[chain], law, 0.02, 40, batch, decay, injected, slow_stream(9, chain))
        assert paths.weights[chain, 2] == pytest.approx(slow, rel=1e-12, abs=1e-13)
    assert paths.v[:, 2] == pytest.approx(np.prod(paths.weights[:, 2], axis=2).sum(1))
    assert paths.temperature == pytest.approx(0.02 / batch)
    assert paths.times == pytest.approx([0, 0.14, 0.8])


def test_results_do_not_depend_on_batching_or_threads():
    initial, law = balanced(np.full(50, 0.5), 2, 2), GaussianData(0.5, 0.3)
    whole = run_sgd(initial, law, 0.05, [100], seed=4)
    threaded = run_sgd(initial, law, 0.05, [100], seed=4, threads=3)
    part = run_sgd(initial[:25], law, 0.05, [100], seed=4)
    assert (whole.weights == threaded.weights).all()
    assert (whole.weights[:25] == part.weights).all()
    assert np.unique(whole.v).size == 50
    assert (run_sgd(initial, law, 0.05, [100], seed=5).weights != whole.weights).any()


@pytest.mark.parametrize(("depth", "width"), [(0, 1), (1, 1), (2, 3)])
def test_the_population_is_gradient_descent(depth, width):
    """u ← u − η ∂E[(vx − y)²]/∂u, the derivative by central differences."""
    x2, xy, rate = 1.3, 0.4, 0.05

    def loss(u):
        v = np.prod(u, axis=1).sum()
        return v * v * x2 - 2 * v * xy

    initial = np.random.default_rng(3).normal(0.5, 0.4, size=(1, width, depth + 1))
    u, h = initial[0].copy(), 1e-6
    for _ in range(50):
        gradient = np.empty_like(u)
        for index in np.ndindex(*u.shape):
            push = np.zeros_like(u)
            push[index] = h
            gradient[index] = (loss(u + push) - loss(u - push)) / (2 * h)
        u -= rate * gradient
    # differences of numbers of order one give the slope to 1e-10 a step
    found = run_sgd(initial, Population(x2, xy), rate, [50]).weights[0, 0]
    assert found == pytest.approx(u, rel=1e-7, abs=1e-9)


def test_gradient_descent_conserves_the_imbalance_to_first_order():
    """d(u² − w²) = η²g²(w² − u²) per step: the drift over a fixed time is of order η."""
    initial = np.array([[[1.5, 0.2]]])
    lost = []
    for rate in (1e-3, 5e-4):
        u, w = run_sgd(initial, Population(1.0, 1.0), rate, [round(5 / rate)]).weights[0, 0, 0]
        lost.append(abs((u**2 - w**2) / (1.5**2 - 0.2**2) - 1))
    assert lost[0] < 2e-3
    assert lost[1] / lost[0] == pytest.approx(0.5, abs=0.02)


def test_sgd_balances_the_layers():
    """u² − w² shrinks by ∏(1 − η²g²) exactly, whatever the batch: checked on the recorded path."""
    paths = run_sgd(np.array([[[1.5, 0.2]]]), GaussianData(0.5, 1.0), 0.05, np.arange(200), seed=3)
    u, w = paths.weights[0, :, 0, 0], paths.weights[0, :, 0, 1]
    g = (u[:-1] - u[1:]) / (0.05 * w[:-1])
    ratio = (u[1:] ** 2 - w[1:] ** 2) / (u[:-1] ** 2 - w[:-1] ** 2)
    assert ratio == pytest.approx(1 - 0.05**2 * g**2, rel=1e-8)
    assert abs(u[-1] ** 2 - w[-1] ** 2) < 0.2 * (1.5**2 - 0.2**2)


def test_balanced_weights():
    u = balanced([-0.5, 2.0], 2, 4)
    assert u.shape == (2, 4, 3)
    assert np.prod(u, axis=2).sum(1) == pytest.approx([-0.5, 2.0])
    assert np.abs(u[0]).std() == pytest.approx(0)


def test_overflow_is_named_and_not_silent():
    paths = run_sgd(balanced([0.5, 1e-9, 0.5], 1), GaussianData(0.5, 0.3, 3.0), 1.0, [1, 400], seed=2)
    assert paths.escaped.all()
    assert (paths.escape_step > 0).all()
    assert np.isfinite(paths.v[:, 0]).all()
    assert np.isnan(paths.v[:, 1]).all()
    with pytest.raises(MeasureError, match=r"3 of 3 chains .* T = 1; .* chain 0 at step [1-9]"):
        paths.require_bounded()
    assert run_sgd(balanced([0.5], 1), GaussianData(0.5, 0.3), 0.01, [10]).require_bounded().v.shape == (1, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.0}, "learning rate"),
        ({"learning_rate": np.nan}, "learning rate"),
        ({"batch": 0}, "batch"),
        ({"weight_decay": -1.0}, "decay"),
        ({"records": [3, 3]}, "increasing"),
        ({"records": []}, "increasing"),
        ({"records": [0.5]}, "whole"),
        ({"initial": np.ones((2, 2))}, "shape"),
        ({"initial": np.full((1, 1, 2), np.nan)}, "finite"),
    ],
)
def test_bad_input_is_named(changes, message):
    arguments = {
        "initial": balanced([0.5], 1), "law": GaussianData(0.5, 0.3), "learning_rate": 0.1, "records": [1]
    } | changes  # fmt: skip
    with pytest.raises(ConfigError, match=message):
        run_sgd(**arguments)
