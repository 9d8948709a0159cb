"""Averages over all examples against plain evaluation of each net."""

import pytest
import torch
import torch.nn.functional as F

from sgdiffusion import networks
from sgdiffusion.dynamics.chains.averages import accuracy, average_loss, blocks
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.errors import MeasureError


def problem(batch_norm):
    g = torch.Generator().manual_seed(5)
    nets = [
        networks.build("mlp", in_shape=(4,), classes=3, generator=g, width=5, batch_norm=batch_norm).double()
        for _ in range(3)
    ]
    x, y = torch.randn(50, 4, generator=g, dtype=torch.float64), torch.randint(3, (50,), generator=g)
    return nets, x, y


@pytest.mark.parametrize("batch", [None, 50, 7, 80])
def test_uncoupled_examples_average_over_all_whatever_the_blocks(batch):
    nets, x, y = problem(batch_norm=False)
    expected = torch.stack([F.cross_entropy(net(x), y).detach() for net in nets])
    net = batched(nets[0])
    torch.testing.assert_close(average_loss(net, x, y, stack(nets), batch=batch), expected)
    right = torch.stack([(n(x).argmax(1) == y).double().mean() for n in nets])
    torch.testing.assert_close(accuracy(net, x, y, stack(nets), batch=batch), right)


def test_coupled_examples_are_averaged_over_whole_batches():
    nets, x, y = problem(batch_norm=True)
    net = batched(nets[0], statistics="batch")
    assert [b.stop for b in blocks(net, 50, 15)] == [15, 30, 45]
    assert [b.stop for b in blocks(net, 50, None)] == [50]
    whole = torch.stack([F.cross_entropy(n(x), y).detach() for n in nets])
    torch.testing.assert_close(average_loss(net, x, y, stack(nets)), whole)
    parts = average_loss(net, x, y, stack(nets), batch=10)
    assert float((parts - whole).abs().min()) > 1e-4  # the batch's own statistics, not the population's
    torch.testing.assert_close(parts, average_loss(net, x, y, stack(nets), batch=10))


def test_accuracy_needs_labels():
    nets, x, y = problem(batch_norm=False)
    with pytest.raises(MeasureError, match="whole-number labels"):
        accuracy(batched(nets[0]), x, y.double(), stack(nets))
