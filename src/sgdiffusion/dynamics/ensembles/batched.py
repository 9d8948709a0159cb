"""Many nets of one architecture as one computation: losses and gradients of M weight vectors at once.

The weights of M nets are one tensor θ [M, d], each row in the order of
`torch.nn.utils.parameters_to_vector`. Small nets are bound by the overhead of calls, which one batched call
per layer shares among all M. :func:`batched` chooses the fastest path: a plain multi-layer perceptron is
products of stacked matrices with a backward pass written by hand (batched_mlp), anything else is the
module's own code under `torch.func.vmap`.

Batch-norm has two conventions. "batch": means and variances of the examples given, so that L(w) has the
rescaling symmetries that training sees; "frozen": those in the rows `frozen` [M, s], so that examples do not
interact. Dropout is off.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, replace_all_batch_norm_modules_, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parameters_to_vector

from sgdiffusion.errors import ConfigError

Loss = Literal["cross-entropy", "squared"]
BatchNorm = Literal["batch", "frozen"]


class Batched(ABC):
    """Losses and gradients of the M nets whose weights are the rows of θ.

    Inputs x [M, b, …] and targets y [M, b, …] belong to the nets in order; [1, b, …] is shared by all. The
    loss of a net is Σ_j s_j ℓ_j over its examples with `shares` s [M, b], 1/b each by default; ℓ is the
    cross-entropy in nats, or ½‖f − y‖² ("squared").
    """

    weights: int
    """d."""
    units = 0
    """Numbers that an example leaves in the layers, outputs included, where known."""
    couples = False
    """Whether an example's output depends on the others given with it (batch-norm by the batch)."""

    @abstractmethod
    def outputs(self, theta: Tensor, x: Tensor, frozen: Tensor | None = None) -> Tensor:
        """Outputs [M, b, classes]."""

    @abstractmethod
    def losses(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None, frozen: Tensor | None = None
    ) -> Tensor:
        """Losses [M]."""

    @abstractmethod
    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None, frozen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Losses [M] and their gradients [M, d]."""


def nets_at_once(net: Batched, batch: int, features: int, own: int = 0) -> int:
    """How many nets to compute together: as many as fit into the cache, at least 4 to share the calls' cost.

    Measured on a core with 1 MB of second-level cache: a third or a fourth of the time of one large batch.
    `own` is what a net moves beside its examples and weights.
    """
    by_examples = 400_000 // (batch * (features + net.units))
    return max(4, min(by_examples, (1 << 20) // (4 * net.weights + own)))


def stack(nets: Sequence[nn.Module], dtype: torch.dtype | None = None) -> Tensor:
    """θ [M, d] of nets of one architecture."""
    rows = [parameters_to_vector(net.parameters()).detach() for net in nets]
    sizes = {len(row) for row in rows}
    if len(sizes) != 1:
        raise ConfigError(f"a batch needs nets of one architecture, found weight counts {sorted(sizes)}")
    return torch.stack(rows).to(dtype or rows[0].dtype)


def statistics(nets: Sequence[nn.Module], dtype: torch.dtype | None = None) -> Tensor:
    """`frozen` [M, s]: the running means and variances of each net's batch-norm layers, in order."""
    rows = [torch.cat([dict(net.named_buffers())[n].flatten() for n in _running_names(net)]) for net in nets]
    return torch.stack(rows).to(dtype or rows[0].dtype)


def _running_names(net: nn.Module) -> list[str]:
    names = [n for n, _ in net.named_buffers() if n.endswith(("running_mean", "running_var"))]
    if not names:
        raise ConfigError('this net keeps no batch-norm statistics to freeze; use batch_norm="batch"')
    return names


def example_losses(outputs: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """ℓ of each example: outputs [..., classes] to [...]."""
    if loss == "squared":
        return 0.5 * (outputs - y).square().sum(-1)
    chosen = y.expand(outputs.shape[:-1]).unsqueeze(-1)
    return -outputs.log_softmax(-1).gather(-1, chosen).squeeze(-1)


class BatchedModule(Batched):
    """Any torch module, vectorised by torch.func: the general path."""

    def __init__(self, net: nn.Module, loss: Loss = "cross-entropy", batch_norm: BatchNorm = "batch"):
        self._net, self._loss = copy.deepcopy(net).eval(), loss
        self._names = _running_names(net) if batch_norm == "frozen" else []
        self.couples = batch_norm == "batch" and any(isinstance(m, _BatchNorm) for m in net.modules())
        if batch_norm == "batch":  # without running statistics the batch's own are used, in eval mode too
            replace_all_batch_norm_modules_(self._net)
        self._shapes = {name: p.shape for name, p in net.named_parameters()}
        self._buffers = {name: b.detach() for name, b in self._net.named_buffers()}
        self.weights = sum(math.prod(shape) for shape in self._shapes.values())

    def _call(self, row: Tensor, x: Tensor, frozen: Tensor) -> Tensor:
        pieces = torch.split(row, [math.prod(s) for s in self._shapes.values()])
        state = {k: p.view(s) for (k, s), p in zip(self._shapes.items(), pieces, strict=True)}
        fixed = torch.split(frozen, [self._buffers[name].numel() for name in self._names])
        state |= self._buffers | dict(zip(self._names, fixed, strict=True))
        return functional_call(self._net, state, (x,))

    def _loss_of(self, row: Tensor, x: Tensor, y: Tensor, shares: Tensor, frozen: Tensor) -> Tensor:
        return (example_losses(self._call(row, x, frozen), y, self._loss) * shares).sum()

    def _arguments(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None, frozen: Tensor | None
    ) -> list[Tensor]:
        m, examples = len(theta), x.shape[1]
        if shares is not None and self.couples:
            raise ConfigError(
                "shares cannot weight the batch-norm of a general module; use equal batch sizes"
            )
        even = theta.new_full((1, examples), 1 / examples) if shares is None else shares
        given = (x, y, even, self._rows(theta, frozen))
        return [theta, *(t.expand(m, *t.shape[1:]) for t in given)]

    def _rows(self, theta: Tensor, frozen: Tensor | None) -> Tensor:
        if self._names and frozen is None:
            raise ConfigError('batch_norm="frozen" needs the statistics to freeze, see statistics()')
        return theta.new_zeros(len(theta), 0) if frozen is None or not self._names else frozen

    @torch.no_grad()
    def outputs(self, theta: Tensor, x: Tensor, frozen: Tensor | None = None) -> Tensor:
        inputs = x.expand(len(theta), *x.shape[1:])
        return vmap(self._call)(theta, inputs, self._rows(theta, frozen))

    @torch.no_grad()
    def losses(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None, frozen: Tensor | None = None
    ) -> Tensor:
        return vmap(self._loss_of)(*self._arguments(theta, x, y, shares, frozen))

    @torch.no_grad()
    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None, frozen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        both = vmap(grad_and_value(self._loss_of))
        gradient, losses = both(*self._arguments(theta, x, y, shares, frozen))
        return losses, gradient


class Potential(Batched):
    """A loss known as a function of the weights alone, rows θ [M, d] to losses [M]; examples are ignored."""

    def __init__(self, function: Callable[[Tensor], Tensor], weights: int):
        self._function, self.weights = function, weights

    def outputs(self, theta: Tensor, x: Tensor, frozen: Tensor | None = None) -> Tensor:
        raise ConfigError("a potential has no outputs, only losses and gradients")

    @torch.no_grad()
    def losses(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None, frozen: Tensor | None = None
    ) -> Tensor:
        return self._function(theta)

    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None, frozen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            losses = self._function(leaf)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach(), gradient
