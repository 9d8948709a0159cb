"""Symmetries leave the function alone and are undone; clusters of known groups are found by the stated
rules.
"""

import itertools

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from sgdiffusion import networks
from sgdiffusion.dynamics.ensembles.batched import BatchedModule, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws import solutions


def make(name, seed, **sizes):
    g = torch.Generator().manual_seed(seed)
    return networks.build(name, in_shape=(3,), classes=2, generator=g, **sizes).double()


def disguised(net, rng, tanh):
    """An equivalent net: hidden units exchanged, and rescaled (ReLU) or reflected (tanh) at random."""
    linear = [m for m in net if isinstance(m, torch.nn.Linear)]
    with torch.no_grad():
        for layer, after in itertools.pairwise(linear):
            order = torch.from_numpy(rng.permutation(layer.out_features))
            scale = rng.choice([-1.0, 1.0], len(order)) if tanh else np.exp(rng.normal(size=len(order)))
            factor = torch.from_numpy(scale)
            layer.weight.copy_(layer.weight[order] * factor[:, None])
            if layer.bias is not None:
                layer.bias.copy_(layer.bias[order] * factor)
            after.weight.copy_(after.weight[:, order] / factor)
    return net


FAMILIES = [
    ("mlp", {"width": 6, "depth": 2, "batch_norm": False}, False),
    ("mlp", {"width": 8, "depth": 1, "batch_norm": False}, False),
    ("deep-tanh", {"width": 6, "depth": 2}, True),
    ("two-layer-relu", {"width": 7}, False),
]


@pytest.mark.parametrize(("name", "sizes", "tanh"), FAMILIES)
def test_equivalent_nets_become_equal(name, sizes, tanh):
    rng = np.random.default_rng(0)
    net = make(name, 1, **sizes)
    copies = [disguised(make(name, 1, **sizes), rng, tanh) for _ in range(5)]
    kernel, theta = batched(net), stack([net, *copies])
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before = kernel.outputs(theta, x[None])
    torch.testing.assert_close(before[1:], before[:1].expand_as(before[1:]))
    found = solutions.canonical(kernel, theta, theta[0])
    assert np.ptp(theta.numpy(), axis=0).max() > 0.1  # they did differ
    np.testing.assert_allclose(found, found[:1].repeat(6, 0), atol=1e-9)
    torch.testing.assert_close(kernel.outputs(torch.from_numpy(found), x[None]), before)


def test_other_nets_come_closer_and_keep_their_function():
    nets = [make("mlp", seed, width=8, depth=2, batch_norm=False) for seed in range(4)]
    kernel, theta = batched(nets[0]), stack(nets)
    found = solutions.canonical(kernel, theta, theta[0])
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    after = kernel.outputs(torch.from_numpy(found), x[None])
    torch.testing.assert_close(after, kernel.outputs(theta, x[None]))
    before = (theta[1:] - theta[0]).norm(dim=1).numpy()
    assert (np.linalg.norm(found[1:] - found[0], axis=1) < before).all()


def test_dead_units_are_left_as_they_are():
    net = make("mlp", 3, width=4, depth=1, batch_norm=False)
    with torch.no_grad():
        net[1].weight[2] = 0
        net[1].bias[2] = 0
    found = solutions.canonical(batched(net), stack([net]), stack([net])[0])
    assert np.isfinite(found).all()


def test_symmetries_of_other_nets_are_unknown():
    net = make("mlp", 0, width=4).eval()
    with pytest.raises(MeasureError, match="plain perceptrons only"):
        solutions.canonical(batched(net), stack([net]), stack([net])[0])
    plain = make("mlp", 0, width=4, batch_norm=False)
    with pytest.raises(MeasureError, match="plain perceptrons only"):
        solutions.canonical(BatchedModule(plain), stack([plain]), stack([plain])[0])


def test_function_values_are_probabilities():
    nets = [make("mlp", seed, width=4, batch_norm=False) for seed in range(3)]
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = solutions.function_values(batched(nets[0]), stack(nets), x)
    expected = torch.stack([n(x).softmax(-1)[:, 0] for n in nets]).detach()
    np.testing.assert_allclose(found, expected)


def test_principal_coordinates():
    rng = np.random.default_rng(1)
    data = rng.standard_normal((300, 8)) * [10, 5, 1, 0.01, 0.01, 0.01, 0.01, 0.01]
    two = solutions.principal(data, share=0.98)
    assert two.shape == (300, 2)
    assert solutions.principal(data, share=0.999999, most=3).shape == (300, 3)
    spread = np.linalg.svd(data - data.mean(0), compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(two, axis=0), spread)
    other = solutions.principal(data[:7] + 1, share=0.98, fitted_on=data)
    assert other.shape == (7, 2)


def groups(sizes, apart=8.0, seed=2):
    rng = np.random.default_rng(seed)
    centres = apart * np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    return np.concatenate([c + rng.standard_normal((n, 2)) for n, c in zip(sizes, centres, strict=False)])


@pytest.mark.parametrize("method", solutions.METHODS)
def test_the_rule_finds_the_number_of_groups(method):
    data = groups([30, 60, 45])
    found = solutions.cluster(data, method, most=6)
    assert found.count == 3
    assert np.bincount(found.labels).tolist() == [60, 45, 30]  # from large to small
    truth = np.repeat([2, 0, 1], [30, 60, 45])
    assert (found.labels == truth).mean() > 0.98
    np.testing.assert_array_equal(found.assign(data), found.labels)
    assert found.scores[found.scores.chosen].clusters.tolist() == [3]
    fixed = solutions.cluster(data, method, count=4)
    assert fixed.count == 4


def test_a_mixture_may_find_no_groups_at_all():
    data = np.random.default_rng(3).standard_normal((200, 2))
    assert solutions.cluster(data, "mixture").count == 1


def test_errors():
    with pytest.raises(MeasureError, match=r"5 solutions cannot be sorted into 8 clusters: .* fewer than 5"):
        solutions.cluster(np.zeros((5, 2)))
    twice = np.repeat([[0.0, 0.0], [1.0, 1.0]], 10, axis=0)
    with (
        pytest.raises(MeasureError, match=r"has no member: .* ask for 2"),
        pytest.warns(ConvergenceWarning, match="distinct clusters"),
    ):
        solutions.cluster(twice, count=3)
    with pytest.raises(MeasureError, match="known are k-means"):
        solutions.cluster(groups([9, 9]), "other", count=2)
