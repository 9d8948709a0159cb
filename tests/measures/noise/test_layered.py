"""The matrix of gradient products from the layers against the gradients themselves, module by module."""

import numpy as np
import pytest
import torch
from torch import nn

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.measures.noise import layered
from sgdiffusion.measures.noise.diffusion import gram_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients

N = 9


class Twice(nn.Module):
    """A layer that is called twice in one pass."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.layer(torch.tanh(self.layer(x)))))


class Tied(nn.Module):
    """Tokens with tied embedding, positions of their own, a parameter outside of layers."""

    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(6, 4), nn.Embedding(5, 4)
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 6, bias=False)
        self.head.weight = self.embed.weight
        self.shift = nn.Parameter(torch.randn(4))

    def forward(self, tokens):
        h = self.norm(self.embed(tokens) + self.place(torch.arange(5)) + self.shift)
        return self.head(h).mean(1)


class Functional(nn.Module):
    """Uses a layer's weight without calling the layer, too."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(nn.functional.linear(torch.tanh(self.layer(x)), self.layer.weight))


def convolutions():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, dilation=2, padding=2, bias=False), nn.PReLU(6), nn.Conv2d(6, 6, 3, groups=2),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip


NETS = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), (6,)),
    "convolutions": (convolutions, (2, 12, 12)),
    "twice": (Twice, (6,)),
    "tied": (Tied, (5,)),
    "frozen": (lambda: frozen(convolutions()), (2, 12, 12)),
}


def frozen(net):
    net[0].weight.requires_grad_(False)
    net[8].bias.requires_grad_(False)
    return net


def stream(net, shape):
    torch.manual_seed(4)
    module = net().double().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    x = torch.randint(6, (N, *shape)) if net is Tied else torch.randn(N, *shape, dtype=torch.float64)
    return PerExampleGradients(module, Inputs((x, torch.arange(N) % 3)))


@pytest.mark.parametrize("work", [2**28, 2**11], ids=["whole", "in pieces"])
@pytest.mark.parametrize("name", NETS)
def test_equals_the_products_of_the_gradients(name, work, monkeypatch):
    monkeypatch.setattr(layered, "WORK_BYTES", work)
    monkeypatch.setattr(layered, "BATCH", 4)
    gradients = stream(*NETS[name])
    expected = gram_matrix(gradients, precision="float64").dense()
    found = layered.layered_gram(gradients, "with_replacement").dense()
    # double precision throughout: sums of at most 10⁴ terms
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("places", [1, 40])
def test_both_ways_through_a_layer_agree(places):
    """Few places: by places is cheaper; many: by gradients. Each against the sum written out."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(7, places, 20, generator=generator, dtype=torch.float64)
    b = torch.randn(7, places, 3, generator=generator, dtype=torch.float64)
    by_places, by_gradients = layered.products_cost(7, places, 20, 3)
    assert (by_places < by_gradients) == (places == 1)
    rows = torch.stack([(q.T @ p).flatten() for p, q in zip(a, b, strict=True)])
    layer = nn.Linear(20, 3, bias=False).double()
    found = layered.centred(layered.layer_products(layer, [(a, b)]))
    rows = rows - rows.mean(0)
    np.testing.assert_allclose(found, (rows @ rows.T).numpy(), atol=1e-11 * float(rows.square().sum()))


def test_the_other_convention():
    gradients = stream(*NETS["perceptron"])
    with_, without = (
        layered.layered_gram(gradients, c).trace() for c in ("with_replacement", "without_replacement")
    )
    assert without / with_ == pytest.approx(N / (N - 1))


def test_what_the_layers_do_not_tell_is_refused():
    with pytest.raises(InputError, match="the layers of this module do not tell its gradients"):
        layered.layered_gram(stream(Functional, (6,)), "with_replacement")


def test_nothing_of_the_module_changes():
    gradients = stream(*NETS["convolutions"])
    before = {name: value.clone() for name, value in gradients.module.state_dict().items()}
    layered.layered_gram(gradients, "with_replacement")
    assert all(torch.equal(before[k], v) for k, v in gradients.module.state_dict().items())
    assert all(p.grad is None for p in gradients.module.parameters())
    assert not any(m._forward_hooks for m in gradients.module.modules())
