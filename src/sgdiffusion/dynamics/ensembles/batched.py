"""Many nets of one architecture as one computation: losses and gradients of M weight vectors at once.

The weights of M nets are one tensor θ [M, d], each row in the order of
`torch.nn.utils.parameters_to_vector`. Small nets are bound by the overhead of calls, which one batched call
per layer shares among all M. :func:`batched` chooses the fastest path: a plain multi-layer perceptron is
products of stacked matrices with a backward pass written by hand (batched_mlp), anything else is the
module's own code under `torch.func.vmap`.

Batch-norm takes the means and variances of the examples given, so that L(w) has the rescaling symmetries that
training sees. Dropout is off.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, replace_all_batch_norm_modules_, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parameters_to_vector

from sgdiffusion.errors import ConfigError

Loss = Literal["cross-entropy", "squared"]


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
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """Outputs [M, b, classes]."""

    @abstractmethod
    def losses(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None) -> Tensor:
        """Losses [M]."""

    @abstractmethod
    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None
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


def example_losses(outputs: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """ℓ of each example: outputs [..., classes] to [...]."""
    if loss == "squared":
        return 0.5 * (outputs - y).square().sum(-1)
    chosen = y.expand(outputs.shape[:-1]).unsqueeze(-1)
    return -outputs.log_softmax(-1).gather(-1, chosen).squeeze(-1)


class FunctionalNet(Batched):
    """A module's own code as a function of its weights; weights that it ties are counted once."""

    def __init__(self, net: nn.Module):
        self._net = copy.deepcopy(net).eval()
        self.couples = any(isinstance(m, _BatchNorm) for m in net.modules())
        # without running statistics the batch's own are used, in evaluation mode too
        replace_all_batch_norm_modules_(self._net)
        self._shapes = {name: p.shape for name, p in net.named_parameters()}
        self.weights = sum(math.prod(shape) for shape in self._shapes.values())

    def _call(self, row: Tensor, x: Tensor) -> Tensor:
        """Outputs of one net on its examples x [b, …]."""
        pieces = torch.split(row, [math.prod(s) for s in self._shapes.values()])
        state = {k: p.view(s) for (k, s), p in zip(self._shapes.items(), pieces, strict=True)}
        outputs: Tensor = functional_call(self._net, state, (x,))
        return outputs


class BatchedModule(FunctionalNet):
    """Any torch module, vectorised by torch.func: the general path."""

    def __init__(self, net: nn.Module, loss: Loss = "cross-entropy"):
        super().__init__(net)
        self._loss = loss

    def _loss_of(self, row: Tensor, x: Tensor, y: Tensor, shares: Tensor) -> Tensor:
        return (example_losses(self._call(row, x), y, self._loss) * shares).sum()

    def _arguments(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None) -> list[Tensor]:
        m, examples = len(theta), x.shape[1]
        if shares is not None and self.couples:
            raise ConfigError(
                "shares cannot weight the batch-norm of a general module; use equal batch sizes"
            )
        even = theta.new_full((1, examples), 1 / examples) if shares is None else shares
        return [theta, *(t.expand(m, *t.shape[1:]) for t in (x, y, even))]

    @torch.no_grad()
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        return vmap(self._call)(theta, x.expand(len(theta), *x.shape[1:]))

    @torch.no_grad()
    def losses(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None) -> Tensor:
        return vmap(self._loss_of)(*self._arguments(theta, x, y, shares))

    @torch.no_grad()
    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        both = vmap(grad_and_value(self._loss_of))
        gradient, losses = both(*self._arguments(theta, x, y, shares))
        return losses, gradient
