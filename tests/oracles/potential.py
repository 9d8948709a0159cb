"""Losses that are known as functions of the weights alone, in the place of a net."""

from collections.abc import Callable

import torch
from torch import Tensor

from sgdiffusion.dynamics.ensembles.batched import Batched


class Potential(Batched):
    """Rows θ [M, d] to losses [M] by `function`; examples are ignored."""

    def __init__(self, function: Callable[[Tensor], Tensor], weights: int):
        self._function, self.weights = function, weights

    def outputs(self, theta, x):
        raise NotImplementedError

    @torch.no_grad()
    def losses(self, theta, x, y, shares=None):
        return self._function(theta)

    def gradients(self, theta, x, y, shares=None):
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            losses = self._function(leaf)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach(), gradient
