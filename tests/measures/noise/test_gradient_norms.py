"""Gradient norms along a history against hand-made gradients."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils import parameters_to_vector

from sgdiffusion import networks
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.gradient_norms import gradient_norms


def a_net(seed=0, **sizes):
    generator = torch.Generator().manual_seed(seed)
    return networks.build("mlp", in_shape=(6,), classes=3, generator=generator, width=4, **sizes)


def some_data(n=40):
    generator = torch.Generator().manual_seed(9)
    return torch.randn(n, 6, generator=generator), torch.arange(n) % 3


def a_history():
    """Three nets with statistics of their own."""
    nets = [a_net(seed).double() for seed in (1, 2, 3)]
    x, _ = some_data()
    for net in nets:
        net.train()
        net(3 * x.double() + 1)
    return nets


def statistics(net):
    return torch.cat([b.flatten() for b in net.buffers() if b.is_floating_point()])


@pytest.mark.parametrize("mode", ["evaluation", "training"])
def test_equals_backward_of_each_net(mode):
    x, y = some_data()
    nets = a_history()
    weights = np.stack([parameters_to_vector(net.parameters()).detach().numpy() for net in nets])
    buffers = np.stack([statistics(net).numpy() for net in nets])
    found = gradient_norms(a_net().double(), weights, buffers, x, y, mode)
    for net, norm in zip(nets, found, strict=True):
        net.train(mode == "training")
        net.zero_grad()
        F.cross_entropy(net(x.double()), y).backward()
        slow = parameters_to_vector([p.grad for p in net.parameters()])
        assert norm == pytest.approx(slow.norm().item() / np.sqrt(len(slow)), rel=1e-12)


def test_modes_differ():
    """In training mode the gradient goes through the batch statistics."""
    x, y = some_data()
    net = a_history()[0]
    row = parameters_to_vector(net.parameters()).detach().numpy()[None]
    both = [
        gradient_norms(net, row, statistics(net).numpy()[None], x, y, m)[0]
        for m in ("evaluation", "training")
    ]
    assert abs(both[0] / both[1] - 1) > 0.01


def test_module_is_left_as_it_was():
    x, y = some_data()
    net = a_net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    other = a_history()[1]
    row = parameters_to_vector(other.parameters()).detach().numpy()[None]
    gradient_norms(net, row, statistics(other).numpy()[None], x, y, "training")
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_errors():
    x, y = some_data()
    net = a_net()
    d = sum(p.numel() for p in net.parameters())
    with pytest.raises(MeasureError, match="belongs to another network"):
        gradient_norms(net, np.zeros((2, d + 1)), np.zeros((2, 8)), x, y, "evaluation")
    with pytest.raises(MeasureError, match="belongs to another network"):
        gradient_norms(net, np.zeros((2, d)), np.zeros((1, 8)), x, y, "evaluation")
    with pytest.raises(MeasureError, match="snapshot 1 is not finite"):
        gradient_norms(net, np.stack([np.ones(d), np.full(d, np.nan)]), np.ones((2, 8)), x, y, "evaluation")
    random = networks.build(
        "mlp", in_shape=(6,), classes=3, generator=torch.Generator(), width=4, dropout=0.5
    )
    with pytest.raises(MeasureError, match=r"dropout \(4\) makes the gradient in training mode random"):
        gradient_norms(random, np.ones((1, d)), np.ones((1, 8)), x, y, "training")
