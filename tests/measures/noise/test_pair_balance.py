"""Traces of every pair against autograd by example, the backward pass of linear pairs, and rescaling."""

import pytest
import torch
from torch import nn

from sgdiffusion import networks
from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.inputs.losses import cross_entropy
from sgdiffusion.measures.noise import balance
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.pair_balance import pair_balances
from sgdiffusion.measures.noise.symmetries import Part, Symmetry, find_symmetries


def lenet():
    """small-lenet with statistics, scales and shifts that are not those of the start."""
    generator = torch.Generator().manual_seed(3)
    net = networks.build("small-lenet", in_shape=(1, 22, 22), classes=3, generator=generator).double()
    for module in net:
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for values, low in ((module.weight, 0.5), (module.bias, -0.5), (module.running_mean, -0.2)):
                values.data.uniform_(low, low + 1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return net.eval()


def plain(seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = networks.build(
        "mlp", in_shape=(5,), classes=3, generator=generator, width=4, depth=2, batch_norm=False
    )
    return net.double().eval()


def images(n=12, shape=(1, 22, 22)):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(n, *shape, generator=generator, dtype=torch.float64), torch.arange(n) % 3


def trace(net, names, x, y):
    """Tr Cov of the gradients with respect to the named parameters, one backward pass per example."""
    rows = []
    for i in range(len(x)):
        net.zero_grad()
        cross_entropy(net(x[i : i + 1]), y[i : i + 1]).sum().backward()
        rows.append(torch.cat([net.get_parameter(name).grad.flatten() for name in names]))
    return torch.stack(rows).var(0, unbiased=False).sum().item()


def names_of_pairs(net):
    """(names of u, name of w) of the pairs, in the order of the layers."""
    found = find_symmetries(PerExampleGradients(net, Inputs(images())))
    return [(tuple(p.name for p in s.u), s.w[0].name) for s in found.found if s.w]


def test_pairs_of_a_convolutional_net_go_from_batch_norm_to_the_next_layer():
    assert names_of_pairs(lenet()) == [
        (("1.weight", "1.bias"), "5.weight"),
        (("6.weight", "6.bias"), "11.weight"),
        (("12.weight", "12.bias"), "15.weight"),
    ]


def test_both_sides_are_traces_of_covariances():
    net, (x, y) = lenet(), images()
    found = pair_balances(PerExampleGradients(net, (x, y)))
    for (u, w), sides in zip(names_of_pairs(net), found, strict=True):
        assert sides.u_noise == pytest.approx(trace(net, [w], x, y), rel=1e-9)
        assert sides.w_noise == pytest.approx(trace(net, u, x, y), rel=1e-9)
        squares = sum(net.get_parameter(name).square().sum().item() for name in u)
        assert sides.u_squared == pytest.approx(squares)


def test_linear_pairs_are_those_of_the_backward_pass():
    net, (x, y) = plain(), images(shape=(5,))
    linear = [m for m in net if isinstance(m, nn.Linear)]
    for i, found in enumerate(pair_balances(PerExampleGradients(net, (x, y)))):
        exact = balance.layer_pair(net, linear[i], linear[i + 1], x, y, cross_entropy, eigenvalues=False)
        assert found.u_noise / found.w_noise == pytest.approx(exact.noise_ratio, rel=1e-9)
        assert found.u_squared / found.w_squared == pytest.approx(exact.norm_ratio, rel=1e-12)


def test_rescaling_a_pair_keeps_the_loss_and_moves_its_ratios_alone():
    """u → λu, w → w/λ: uᵀC₁u/wᵀC₂w and ‖u‖²/‖w‖² grow by λ⁴ (∇_w ∝ λ, ∇_u ∝ 1/λ)."""
    net, (x, y), scale = lenet(), images(), 1.3
    before, outputs = pair_balances(PerExampleGradients(net, (x, y))), net(x)
    for u, w in names_of_pairs(net)[1:2]:
        for name in u:
            net.get_parameter(name).data.mul_(scale)
        net.get_parameter(w).data.div_(scale)
    torch.testing.assert_close(net(x), outputs)
    after = pair_balances(PerExampleGradients(net, (x, y)))
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        moved = scale**4 if i == 1 else 1.0
        assert new.u_noise / new.w_noise == pytest.approx(moved * old.u_noise / old.w_noise, rel=1e-9)
        if i == 1:
            assert new.u_squared / new.w_squared == pytest.approx(moved * old.u_squared / old.w_squared)


def test_the_loss_of_balance_follows_the_theorem_in_one_small_step():
    """The mean of Δ(‖u‖² − ‖w‖²) over single-example steps is η²(E‖∇_u‖² − E‖∇_w‖²): no drift of order η."""
    net, (x, y), rate = lenet(), images(), 1e-2
    u, w = names_of_pairs(net)[2]
    change, raw = 0.0, 0.0
    for i in range(len(x)):
        net.zero_grad()
        cross_entropy(net(x[i : i + 1]), y[i : i + 1]).sum().backward()
        for names, sign in ((u, 1), ((w,), -1)):
            for p in map(net.get_parameter, names):
                change += sign * ((p - rate * p.grad).square().sum() - p.square().sum()).item() / len(x)
                raw += sign * p.grad.square().sum().item() / len(x)
    assert change == pytest.approx(rate**2 * raw, rel=1e-6)
    whole = [torch.autograd.grad(cross_entropy(net(x), y).mean(), [net.get_parameter(n)])[0] for n in u]
    (outer,) = torch.autograd.grad(cross_entropy(net(x), y).mean(), [net.get_parameter(w)])
    sides = pair_balances(PerExampleGradients(net, (x, y)))[2]
    means = sum(g.square().sum().item() for g in whole) - outer.square().sum().item()
    assert raw == pytest.approx(sides.w_noise - sides.u_noise + means, rel=1e-9)


def test_nets_without_pairs_are_refused():
    for net in (nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)), nn.Linear(5, 3)):
        with pytest.raises(MeasureError, match="no pair of layers"):
            pair_balances(PerExampleGradients(net.double().eval(), images(shape=(5,))))


def test_a_weight_used_twice_has_no_pair():
    net = plain()
    net.append(net[3])  # the second hidden layer once more: its weights have two places
    net[5] = nn.Linear(4, 4).double()
    with pytest.raises(MeasureError, match="no pair of layers"):
        pair_balances(PerExampleGradients(net.eval(), images(shape=(5,))))


def test_a_pair_that_is_none_is_found_out():
    false = Symmetry("given", (Part("1.weight"),), (Part("3.weight"),))  # the bias is left out
    with pytest.raises(MeasureError, match=r"1 → 3 is no pair: u·∇ℓ and w·∇ℓ of an example differ"):
        pair_balances(PerExampleGradients(plain(), images(shape=(5,))), [false])


def test_pairs_with_a_frozen_side_are_left_out():
    net = plain()
    net[1].weight.requires_grad_(False)
    assert len(pair_balances(PerExampleGradients(net, images(shape=(5,))))) == 1
