"""Small networks and the slow oracle of the gradient measures: one autograd call per example, in float64."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sgdiffusion.inputs.losses import cross_entropy, half_squared_error


def _settle(net: nn.Module, generator: torch.Generator) -> nn.Module:
    """Weights and running statistics that are not the special values of a fresh module, evaluation mode."""
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) / max(1.0, p[0].numel() ** 0.5))
        for part in net.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.running_mean.copy_(torch.randn(part.running_mean.shape, generator=generator))
                part.running_var.copy_(0.5 + torch.rand(part.running_var.shape, generator=generator))
    return net.double().eval()


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3))


def _conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    )


def _case(net: nn.Module, shape: tuple[int, ...], loss: Callable, name: str, n: int = 90) -> SimpleNamespace:
    generator = torch.Generator().manual_seed(3)
    net = _settle(net, generator)
    inputs = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (n,), generator=generator)
    targets = labels if loss is cross_entropy else torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return SimpleNamespace(
        name=name, net=net, inputs=inputs, targets=targets, loss=loss, data=(inputs, targets)
    )


@pytest.fixture(params=["mlp", "conv", "mlp, squared error"])
def case(request: pytest.FixtureRequest) -> SimpleNamespace:
    """A network in evaluation mode with its data and its loss; d = 63 or 72, N = 90."""
    if request.param == "conv":
        return _case(_conv(), (1, 6, 6), cross_entropy, request.param)
    loss = cross_entropy if request.param == "mlp" else half_squared_error
    return _case(_mlp(), (6,), loss, request.param)


@pytest.fixture
def mlp() -> SimpleNamespace:
    return _case(_mlp(), (6,), cross_entropy, "mlp")


def loop_gradients(net: nn.Module, inputs: Tensor, targets: Tensor, loss: Callable) -> np.ndarray:
    """g_k row by row: one forward and one backward pass per example, written without the library."""
    rows = []
    for k in range(len(inputs)):
        net.zero_grad()
        loss(net(inputs[k : k + 1]), targets[k : k + 1]).sum().backward()
        rows.append(torch.cat([p.grad.flatten() for p in net.parameters()]).numpy().copy())
    net.zero_grad()
    return np.array(rows, dtype=np.float64)


def loop_diffusion(gradients: np.ndarray, convention: str) -> np.ndarray:
    """D as a sum of outer products, example by example."""
    n, d = gradients.shape
    mean, total = gradients.sum(0) / n, np.zeros((d, d))
    for g in gradients:
        total += np.outer(g - mean, g - mean)
    return total / (n if convention == "with_replacement" else n - 1)


@pytest.fixture
def oracle() -> SimpleNamespace:
    """The slow twins: ``oracle.gradients(case)`` and ``oracle.diffusion(case, convention)``."""

    def gradients(case: SimpleNamespace) -> np.ndarray:
        return loop_gradients(case.net, case.inputs, case.targets, case.loss)

    def diffusion(case: SimpleNamespace, convention: str = "with_replacement") -> np.ndarray:
        return loop_diffusion(gradients(case), convention)

    return SimpleNamespace(gradients=gradients, diffusion=diffusion, of=loop_diffusion)
