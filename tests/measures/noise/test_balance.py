"""Both sides of the noise balance against their definitions, by autograd, example by example, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import half_squared_error, squared_error
from sgdiffusion.measures.noise import balance


def make_net(activation=None, bias=True, before=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(3, 4, bias=bias), activation or nn.ReLU(), nn.Linear(4, 2, bias=bias)]
    if before:  # the pair in the middle of a deeper net
        layers = [nn.Linear(3, 3), nn.Tanh(), *layers, nn.Tanh()]
    net = nn.Sequential(*layers).double()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype) * 0.8)
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    x = torch.randn(9, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    return net, linear[-2], linear[-1], x, y


def example_gradients(net, first, second, x, y, loss):
    """Rows: one example; (∇ of row j of W₁ and b₁ⱼ, ∇ of column j of W₂) for every hidden unit."""
    u, w = [], []
    for i in range(len(x)):
        net.zero_grad()
        loss(net(x[i : i + 1]), y[i : i + 1]).sum().backward()
        rows = first.weight.grad
        if first.bias is not None:
            rows = torch.cat([rows, first.bias.grad[:, None]], 1)
        u.append(rows.clone())
        w.append(second.weight.grad.T.clone())
    return torch.stack(u), torch.stack(w)


def trace_covariance(gradients):
    return ((gradients - gradients.mean(0)) ** 2).mean(0).sum(1)


CASES = {
    "relu": {},
    "no bias": {"bias": False},
    "leaky": {"activation": nn.LeakyReLU(0.3)},
    "linear": {"activation": nn.Identity()},
    "deeper": {"before": True},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("loss", [squared_error, half_squared_error])
def test_noise_terms_are_traces_of_gradient_covariances(case, loss):
    net, first, second, x, y = make_net(**CASES[case])
    found = balance.layer_pair(net, first, second, x, y, loss)
    gu, gw = example_gradients(net, first, second, x, y, loss)
    assert found.u_noise.numpy() == pytest.approx(trace_covariance(gw).numpy(), rel=1e-9, abs=1e-12)
    assert found.w_noise.numpy() == pytest.approx(trace_covariance(gu).numpy(), rel=1e-9, abs=1e-12)
    assert found.u_gradient.numpy() == pytest.approx((gu.mean(0) ** 2).sum(1).numpy(), rel=1e-9)
    assert found.w_gradient.numpy() == pytest.approx((gw.mean(0) ** 2).sum(1).numpy(), rel=1e-9)


def matrices(net, first, second, x, y, unit):
    """C₁ and C₂ of one unit from A_{ki} = ∂ℓ/∂(w_k u_i): autograd with respect to the product Z = w uᵀ
    itself.
    """
    per_example = []
    for i in range(len(x)):
        before = first(x[i])
        slope = (before > 0).double().detach()
        inputs = torch.cat([x[i], torch.ones(1, dtype=torch.float64)])
        u = torch.cat([first.weight[unit], first.bias[unit : unit + 1]]).detach()
        z = torch.outer(second.weight[:, unit].detach(), u).requires_grad_()
        rest = second.weight.detach() * (slope * before.detach())
        rest = rest.sum(1) - rest[:, unit] + second.bias.detach()
        output = rest + z @ inputs * slope[unit]
        loss = ((output - y[i]) ** 2).sum()
        per_example.append(torch.autograd.grad(loss, z)[0])
    a = torch.stack(per_example)
    mean = a.mean(0)
    c1 = torch.einsum("nki,nkj->ij", a, a) / len(x) - mean.T @ mean
    c2 = torch.einsum("nki,nli->kl", a, a) / len(x) - mean @ mean.T
    return c1, c2, u


def test_matrices_and_their_eigenvalues():
    net, first, second, x, y = make_net()
    found = balance.layer_pair(net, first, second, x, y, squared_error)
    for unit in range(4):
        c1, c2, u = matrices(net, first, second, x, y, unit)
        w = second.weight[:, unit].detach()
        assert float(u @ c1 @ u) == pytest.approx(float(found.u_noise[unit]), rel=1e-9)
        assert float(w @ c2 @ w) == pytest.approx(float(found.w_noise[unit]), rel=1e-9)
        for c, pair in ((c1, found.c1), (c2, found.c2)):
            values = torch.linalg.eigvalsh(c)
            assert float(pair[0][unit]) == pytest.approx(float(values[0]), rel=1e-6, abs=1e-10)
            assert float(pair[1][unit]) == pytest.approx(float(values[-1]), rel=1e-9)
        assert float(found.u_squared[unit]) == pytest.approx(float(u @ u))
        assert float(found.w_squared[unit]) == pytest.approx(float(w @ w))


def test_scalar_closed_form():
    """Two weights, ℓ = (uwx − y)²: uᵀC₁u = C₀u², C₀ = Var[2x(vx − y)] = 4(α₁v² − 2α₂v + α₃)."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 40))
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    u, w = (float(p.detach()) for p in net.parameters())
    c0 = np.var(2 * x * (u * w * x - y))
    tensors = torch.as_tensor(x)[:, None], torch.as_tensor(y)[:, None]
    found = balance.layer_pair(net, net[0], net[1], *tensors, squared_error)
    assert float(found.u_noise) == pytest.approx(c0 * u**2, rel=1e-9)
    assert float(found.w_noise) == pytest.approx(c0 * w**2, rel=1e-9)
    assert found.noise_ratio == pytest.approx(u**2 / w**2, rel=1e-9)
    assert found.norm_ratio == pytest.approx(u**2 / w**2, rel=1e-12)
    assert found.bound() == pytest.approx((1, 1), rel=1e-9)
    assert float(found.rescaling()) == pytest.approx(np.sqrt(abs(w / u)), rel=1e-9)


def test_theorem_in_expectation_over_one_step():
    """E[Δ(‖u‖² − ‖w‖²)] of an SGD step with one example, over all examples, is −η²(uᵀC₁u − wᵀC₂w) + means."""
    net, first, second, x, y = make_net()
    eta = 0.01
    found = balance.layer_pair(net, first, second, x, y, squared_error)
    gu, gw = example_gradients(net, first, second, x, y, squared_error)
    u = torch.cat([first.weight, first.bias[:, None]], 1).detach()
    w = second.weight.T.detach()
    before = (u**2).sum() - (w**2).sum()
    after = ((u - eta * gu) ** 2).sum((1, 2)) - ((w - eta * gw) ** 2).sum((1, 2))
    imbalance = (found.u_noise - found.w_noise).sum()
    expected = -(eta**2) * float(imbalance - (found.u_gradient - found.w_gradient).sum())
    assert float((after - before).mean()) == pytest.approx(expected, rel=1e-6)


def test_rescaling_reaches_noise_balance():
    net, first, second, x, y = make_net()
    scale = balance.layer_pair(net, first, second, x, y, squared_error, eigenvalues=False).rescaling()
    with torch.no_grad():
        first.weight *= scale[:, None]
        first.bias *= scale
        second.weight /= scale
    after = balance.layer_pair(net, first, second, x, y, squared_error)
    assert after.u_noise.numpy() == pytest.approx(after.w_noise.numpy(), rel=1e-9)
    low, high = after.bound()
    assert low <= after.norm_ratio <= high
    for unit in range(4):  # at balance the bound holds unit by unit as well
        ratio = float(after.u_squared[unit] / after.w_squared[unit])
        assert float(after.c2[0][unit] / after.c1[1][unit]) <= ratio * (1 + 1e-9)
        assert ratio <= float(after.c2[1][unit] / after.c1[0][unit].clamp(min=1e-300)) * (1 + 1e-9)


def test_singular_noise_has_no_upper_bound():
    """Fewer examples than inputs: C₁ is singular, and eq. 4 says nothing from above."""
    net, first, second, x, y = make_net()
    found = balance.layer_pair(net, first, second, x[:2], y[:2], squared_error)
    assert found.bound()[1] == float("inf")


def test_what_has_no_symmetry_is_refused():
    net, first, second, x, y = make_net(nn.Tanh())
    with pytest.raises(MeasureError, match="homogeneous"):
        balance.layer_pair(net, first, second, x, y, squared_error)
    net, first, second, x, y = make_net()
    with pytest.raises(MeasureError, match="per example"):
        balance.layer_pair(net, first, second, x, y, lambda f, t: ((f - t) ** 2).sum())
    with pytest.raises(MeasureError, match="did not use"):
        balance.layer_pair(net, nn.Linear(3, 4), second, x, y, squared_error)
    pooled = nn.Sequential(
        nn.Linear(3, 4), nn.Unflatten(1, (1, 4)), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(2, 2)
    )
    with pytest.raises(MeasureError, match="directly after"):
        balance.layer_pair(pooled, pooled[0], pooled[4], x.float(), y.float(), squared_error)


def test_targets_are_not_broadcast():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with pytest.raises(MeasureError, match=r"outputs have shape \(5, 1\), targets \(5,\)"):
        balance.layer_pair(net, net[0], net[2], torch.randn(5, 3), torch.randn(5), half_squared_error)
